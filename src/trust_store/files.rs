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

/// Where the file system cannot exchange folders: file by file, each of them whole, the record last. Whoever reads
/// meanwhile sees the record change, and reads again.
fn replace_each(new: &Path, place: &Path) -> io::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(new)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(|entry| entry.file_name() == RECORD);
    let names: Vec<_> = entries.iter().map(fs::DirEntry::file_name).collect();
    for entry in entries {
        let to = place.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir_all(&to)?;
            replace_each(&entry.path(), &to)?;
        } else {
            fs::rename(entry.path(), to)?;
        }
    }
    for old in fs::read_dir(place)? {
        let old = old?;
        if old.file_type()?.is_file() && !names.contains(&old.file_name()) {
            fs::remove_file(old.path())?;
        }
    }
    Ok(())
}

/// How the folder of an instance is called while it appears or disappears; no instance is called so.
const UNFINISHED: &str = ".unfinished-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_takes_the_place_of_another_whole_or_file_by_file() {
        let home = tempfile::tempdir().unwrap();
        let make = |content: &[u8]| {
            let new = unfinished(home.path()).unwrap();
            fs::create_dir(new.path().join("tuf")).unwrap();
            for name in ["a", "tuf/b"] {
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
