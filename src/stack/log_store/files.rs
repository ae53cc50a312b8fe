//! Writing files so that they survive: a batch of them costs a handful of syncs, and each is there whole or not at all.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::error::StoreError;
use crate::stack::disk::sync_folder;

/// Writes files below one folder.
#[derive(Debug)]
pub(super) struct Files {
    folder: PathBuf,
    /// Folders whose names are known to be on disk.
    durable: HashSet<PathBuf>,
}

impl Files {
    /// Below `folder`, which is there. What an interrupted write left behind is removed.
    pub(super) fn open(folder: &Path) -> Result<Self, StoreError> {
        let temporary = folder.join(TEMPORARY);
        let at = |error| StoreError::io(&temporary, error);
        // On a full disk a folder that is removed may not be made again.
        match fs::read_dir(&temporary) {
            Ok(entries) => {
                for entry in entries {
                    fs::remove_file(entry.map_err(at)?.path()).map_err(at)?;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                fs::create_dir_all(&temporary).map_err(at)?;
            }
            Err(error) => return Err(at(error)),
        }
        Ok(Self { folder: folder.to_owned(), durable: HashSet::from([folder.to_owned()]) })
    }

    /// Writes all of `files`, paths below the folder. When this returns they are on disk under their names; when it fails,
    /// some may be.
    pub(super) fn write(&mut self, files: &[(PathBuf, Vec<u8>)]) -> Result<(), StoreError> {
        let mut written = Vec::with_capacity(files.len());
        for (path, bytes) in files {
            let at = |error| StoreError::io(path, error);
            let mut file = tempfile::NamedTempFile::new_in(self.folder.join(TEMPORARY)).map_err(at)?;
            file.write_all(bytes).map_err(at)?;
            written.push((path, file));
        }
        for (path, file) in &written {
            file.as_file().sync_all().map_err(|error| StoreError::io(path, error))?;
        }
        let mut to_sync = HashSet::new();
        for (path, file) in written {
            let path = self.folder.join(path);
            let folder = path.parent().unwrap_or(&self.folder).to_owned();
            self.make_folder(&folder, &mut to_sync)?;
            file.persist(&path).map_err(|error| StoreError::io(&path, error.error))?;
            to_sync.insert(folder);
        }
        // Deepest first, and no new folder counts as durable before all of them are.
        let mut to_sync: Vec<PathBuf> = to_sync.into_iter().collect();
        to_sync.sort_by_key(|path| std::cmp::Reverse(path.components().count()));
        for folder in &to_sync {
            sync_folder(folder).map_err(|error| StoreError::io(folder, error))?;
        }
        if self.durable.len() > MAX_REMEMBERED {
            self.durable.retain(|path| *path == self.folder);
        }
        self.durable.extend(to_sync);
        Ok(())
    }

    /// Removes a folder of files that nobody needs any more. That it fails does no harm.
    pub(super) fn forget(&mut self, folder: &Path) {
        let path = self.folder.join(folder);
        self.durable.remove(&path);
        let _left_behind = fs::remove_dir_all(&path);
    }

    /// A process that was killed may have made a folder without syncing its parent; so parents are synced at the first use
    /// of a folder, be it there or not.
    fn make_folder(&self, folder: &Path, to_sync: &mut HashSet<PathBuf>) -> Result<(), StoreError> {
        if self.durable.contains(folder) || to_sync.contains(folder) {
            return Ok(());
        }
        if let Some(parent) = folder.parent() {
            self.make_folder(parent, to_sync)?;
            to_sync.insert(parent.to_owned());
        }
        match fs::create_dir(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(StoreError::io(folder, error)),
            _ => Ok(()),
        }
    }
}

/// The whole file, or `None` if there is none.
pub(super) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::io(path, error)),
    }
}

/// Opens a file for reading and writing in place; makes it when it is not there.
pub(super) fn open_in_place(path: &Path) -> Result<File, StoreError> {
    let file = File::options().read(true).write(true).create(true).truncate(false).open(path);
    file.map_err(|error| StoreError::io(path, error))
}

/// Files grow up here and move to their places when they are whole.
pub(super) const TEMPORARY: &str = "unfinished";

/// Enough for the folders in use; older ones do not come back.
const MAX_REMEMBERED: usize = 1024;
