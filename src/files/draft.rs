//! A file that is written while a run goes on, and is there only once it is whole.

use std::fs::{self, File};
use std::io::{self, BufWriter, Seek as _, Write};
use std::path::{Path, PathBuf};

use super::sync_folder;

/// What will be in a file. Until it is finished it has no name: who interrupts the run leaves nothing behind.
#[derive(Debug)]
pub struct Draft {
    path: PathBuf,
    body: BufWriter<File>,
}

impl Draft {
    /// Begins what will take the place of `path`, or of what it leads to.
    ///
    /// # Errors
    /// The disk's answer; a folder, a device or a FIFO is no place for a file.
    pub fn begin(path: &Path) -> io::Result<Self> {
        let path = match fs::canonicalize(path) {
            Ok(there) if fs::metadata(&there)?.is_file() => there,
            Ok(_other) => return Err(io::Error::other("it is not a regular file")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
            Err(error) => return Err(error),
        };
        let body = BufWriter::new(tempfile::tempfile_in(folder(&path))?);
        Ok(Self { path, body })
    }

    /// Puts `head`, what was written, and `tail` in its place, whole or not at all.
    ///
    /// # Errors
    /// The disk's answer.
    pub fn finish(self, head: &[u8], tail: &[u8]) -> io::Result<()> {
        let folder = folder(&self.path);
        let mut body = self.body.into_inner().map_err(io::IntoInnerError::into_error)?;
        body.rewind()?;
        let mut builder = tempfile::Builder::new();
        // Others read it as far as the user's umask lets them: a CI system that collects reports is another user.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut file = builder.tempfile_in(folder)?;
        file.write_all(head)?;
        io::copy(&mut body, &mut file)?;
        file.write_all(tail)?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map_err(|error| error.error)?;
        sync_folder(folder)
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.body.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.body.flush()
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_there_before_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report");
        let names = || fs::read_dir(folder.path()).unwrap().count();
        let mut draft = Draft::begin(&path).unwrap();
        draft.write_all(b"body").unwrap();
        draft.flush().unwrap();
        assert_eq!(names(), 0);
        drop(draft);
        assert_eq!(names(), 0);
        let mut draft = Draft::begin(&path).unwrap();
        draft.write_all(b"body").unwrap();
        draft.finish(b"<", b">").unwrap();
        assert_eq!((fs::read(&path).unwrap(), names()), (b"<body>".to_vec(), 1));
        Draft::begin(&path).unwrap().finish(b"other", b"").unwrap();
        assert_eq!((fs::read(&path).unwrap(), names()), (b"other".to_vec(), 1));
    }

    #[test]
    fn a_place_for_no_file() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Draft::begin(folder.path()).is_err());
        assert!(Draft::begin(&folder.path().join("none/report")).is_err());
        #[cfg(unix)]
        {
            assert!(Draft::begin(Path::new("/dev/null")).is_err());
            let (link, to) = (folder.path().join("link"), folder.path().join("to"));
            crate::files::replace(&to, b"old").unwrap();
            std::os::unix::fs::symlink(&to, &link).unwrap();
            Draft::begin(&link).unwrap().finish(b"new", b"").unwrap();
            assert_eq!(fs::read(&to).unwrap(), b"new");
            assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        }
    }
}
