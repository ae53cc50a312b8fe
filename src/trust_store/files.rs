//! Files and folders of the trust store: bounded reads, and changes that happen whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use tempfile::TempDir;

use super::{MAX_DOCUMENT_BYTES, RECORD, TrustStoreError};
use crate::files::{self, ReadError};

/// A document of at most [`MAX_DOCUMENT_BYTES`].
///
/// # Errors
/// [`TrustStoreError::File`], [`TrustStoreError::NotRegular`] or [`TrustStoreError::TooLarge`].
pub fn read(path: &Path) -> Result<Vec<u8>, TrustStoreError> {
    files::read(path, MAX_DOCUMENT_BYTES).map_err(|error| match error {
        ReadError::Io(error) => file_error(path, error),
        ReadError::NotRegular => TrustStoreError::NotRegular(path.to_owned()),
        ReadError::TooLarge(_) => TrustStoreError::TooLarge(path.to_owned()),
    })
}

pub(super) fn file_error(path: &Path, error: io::Error) -> TrustStoreError {
    TrustStoreError::File { path: path.to_owned(), error }
}

pub(super) fn optional(document: Result<Vec<u8>, TrustStoreError>) -> Result<Option<Vec<u8>>, TrustStoreError> {
    match document {
        Ok(bytes) => Ok(Some(bytes)),
        Err(TrustStoreError::File { error, .. }) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A new file, on the disk before this returns.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), TrustStoreError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .map_err(|error| file_error(path, error))
}

/// Held while a folder appears, changes or disappears; others who want to change one wait for it, and not for ever.
pub(super) fn lock(folder: &Path) -> Result<File, TrustStoreError> {
    files::lock(folder).map_err(TrustStoreError::Lock)
}

/// Removes what a process that was killed left; under the lock nothing of it can be in use.
pub(super) fn sweep(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes())) {
        // Litter that cannot be removed does no harm: it is no instance's name.
        let _still_there = fs::remove_dir_all(entry.path());
    }
}

/// Makes what happened to a folder's entries last.
pub(super) fn sync_folder(folder: &Path) -> Result<(), TrustStoreError> {
    files::sync_folder(folder).map_err(|error| file_error(folder, error))
}

/// A folder in the making. It goes with the value, unless it was put in its place.
pub(super) fn unfinished(folder: &Path) -> Result<TempDir, TrustStoreError> {
    tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(folder).map_err(|error| file_error(folder, error))
}

/// Puts a finished folder at `place`, in the place of the one that may be there.
pub(super) fn put(new: TempDir, place: &Path) -> Result<(), TrustStoreError> {
    let done = if place.symlink_metadata().is_err() {
        fs::rename(new.path(), place).map(|()| {
            // It has moved away: there is nothing left to remove.
            let _moved = new.keep();
        })
    } else {
        // What was there before is in the other's place then, and goes with it.
        files::exchange(new.path(), place).or_else(|_unsupported| replace_each(new.path(), place))
    };
    done.map_err(|error| file_error(place, error))
}

/// Where the file system cannot exchange folders: file by file, each of them whole. The record changes first, to one that
/// is like the new one but for a comment, and last, to the new one, when nothing old is left. Whoever reads between them
/// sees it change, and reads again: what has the same record before and after is no mixture. Where this is killed in the
/// midst, the comment says so ([`is_underway`]), and nobody believes what is there.
fn replace_each(new: &Path, place: &Path) -> io::Result<()> {
    let record = new.join(RECORD);
    files::replace(&place.join(RECORD), &[UNDERWAY, &fs::read(&record)?].concat())?;
    replace_but_record(new, place)?;
    fs::rename(record, place.join(RECORD))
}

fn replace_but_record(new: &Path, place: &Path) -> io::Result<()> {
    let entries: Vec<_> = fs::read_dir(new)?.collect::<Result<_, _>>()?;
    let names: Vec<_> = entries.iter().map(fs::DirEntry::file_name).collect();
    for entry in entries.into_iter().filter(|entry| entry.file_name() != RECORD) {
        let to = place.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir_all(&to)?;
            replace_but_record(&entry.path(), &to)?;
        } else {
            fs::rename(entry.path(), to)?;
        }
    }
    for old in fs::read_dir(place)? {
        let old = old?;
        if names.contains(&old.file_name()) {
            continue;
        }
        if old.file_type()?.is_dir() {
            fs::remove_dir_all(old.path())?;
        } else {
            fs::remove_file(old.path())?;
        }
    }
    Ok(())
}

/// Whether a record is that of a folder that is being replaced file by file.
pub(super) fn is_underway(record: &[u8]) -> bool {
    record.starts_with(UNDERWAY)
}

const UNDERWAY: &[u8] = b"# waxseal is replacing the files beside this one\n";

/// How the folder of an instance is called while it appears or disappears; no instance is called so.
const UNFINISHED: &str = ".unfinished-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_reads_between_two_files_knows_that_it_is_no_whole() {
        let home = tempfile::tempdir().unwrap();
        let make = |content: &[u8]| {
            let new = unfinished(home.path()).unwrap();
            for name in ["a", RECORD] {
                write(&new.path().join(name), content).unwrap();
            }
            new
        };
        let place = home.path().join("place");
        put(make(b"old = 1"), &place).unwrap();
        let new = make(b"new = 1");
        // A folder of that name cannot be replaced by a file: the change ends there, as a killed process's does.
        fs::remove_file(place.join("a")).unwrap();
        fs::create_dir(place.join("a")).unwrap();
        replace_each(new.path(), &place).unwrap_err();
        assert!(is_underway(&read(&place.join(RECORD)).unwrap()));
        fs::remove_dir(place.join("a")).unwrap();
        let new = make(b"new = 1");
        replace_each(new.path(), &place).unwrap();
        assert_eq!(
            (read(&place.join(RECORD)).unwrap(), read(&place.join("a")).unwrap()),
            (b"new = 1".to_vec(), b"new = 1".to_vec())
        );
        assert_eq!(fs::read_dir(&place).unwrap().count(), 2, "nothing is left over");
    }

    #[test]
    fn a_folder_takes_the_place_of_another_whole_or_file_by_file() {
        let home = tempfile::tempdir().unwrap();
        let make = |content: &[u8]| {
            let new = unfinished(home.path()).unwrap();
            fs::create_dir(new.path().join("tuf")).unwrap();
            for name in ["a", "tuf/b", RECORD] {
                write(&new.path().join(name), content).unwrap();
            }
            new
        };
        let place = home.path().join("place");
        let content = |name: &str| read(&place.join(name)).unwrap();
        put(make(b"1"), &place).unwrap();
        assert_eq!((content("a"), content("tuf/b")), (b"1".to_vec(), b"1".to_vec()));
        put(make(b"2"), &place).unwrap();
        assert_eq!((content("a"), content("tuf/b")), (b"2".to_vec(), b"2".to_vec()));
        let third = make(b"3");
        replace_each(third.path(), &place).unwrap();
        drop(third);
        assert_eq!((content("a"), content("tuf/b")), (b"3".to_vec(), b"3".to_vec()));
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "nothing is left over");
    }
}
