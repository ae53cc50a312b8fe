//! Where a record is written before it is put in its place.

use std::fs;
use std::path::Path;

use tempfile::NamedTempFile;

/// A file for a record. As long as its maker lives it is locked.
pub(super) fn file(record: &Path) -> std::io::Result<NamedTempFile> {
    let folder = record.parent().ok_or(std::io::ErrorKind::NotFound)?;
    fs::create_dir_all(folder)?;
    let file = tempfile::Builder::new().prefix(&prefix(record)).tempfile_in(folder)?;
    // Where nobody can lock, nobody takes it for a leftover either.
    let _unlocked = file.as_file().try_lock();
    Ok(file)
}

/// The name of no file that anybody else makes there.
pub(in crate::commands::setup) fn prefix(record: &Path) -> String {
    format!(".{}-", record.file_stem().unwrap_or_default().display())
}
