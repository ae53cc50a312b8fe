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
    /// Begins what will take the place of `path`.
    ///
    /// # Errors
    /// The disk's answer; a link, a folder, a device, a FIFO or a socket is no place for a file.
    pub fn begin(path: &Path) -> io::Result<Self> {
        let path = place(path)?;
        let body = BufWriter::new(tempfile::tempfile_in(folder(&path))?);
        Ok(Self { path, body })
    }

    /// Where the file will be, with no link on the way: that of another draft where both are the same file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
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
        // Whatever came there meanwhile.
        if fs::symlink_metadata(&self.path).is_ok_and(|metadata| !metadata.is_file()) {
            return Err(not_regular());
        }
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

/// The regular file that `path` leads to, or where there would be one. A link is followed only where the system keeps its
/// own: elsewhere whoever made it would choose what is overwritten, as a file of the branch that is judged could. What is
/// there is asked of the system that opens it: the names of what processes have open, as `/proc` shows them, lead to pipes
/// that no path names.
fn place(path: &Path) -> io::Result<PathBuf> {
    if !is_of_the_system(path) && fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink()) {
        return Err(io::Error::other("it is a link: name the file that it leads to"));
    }
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => return Err(not_regular()),
        // Of a file that is open and has no name any more there is nothing to replace, and this fails.
        Ok(_file) => return fs::canonicalize(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    match fs::symlink_metadata(path) {
        // A link that leads nowhere, or something that came meanwhile.
        Ok(_there) => Err(not_regular()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let names_folder = path.as_os_str().to_string_lossy().ends_with(std::path::is_separator);
            let name = path.file_name().filter(|_| !names_folder).ok_or(error)?;
            Ok(fs::canonicalize(folder(path))?.join(name))
        }
        Err(error) => Err(error),
    }
}

/// Where `/dev/stdout` is, and what a shell names for `>(command)`.
fn is_of_the_system(path: &Path) -> bool {
    let climbs = path.components().any(|part| part == std::path::Component::ParentDir);
    !climbs && ["/dev", "/proc"].iter().any(|folder| path.starts_with(folder))
}

fn not_regular() -> io::Error {
    io::Error::other("it is not a regular file")
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
            assert!(Draft::begin(&link).unwrap_err().to_string().starts_with("it is a link"));
            assert_eq!(fs::read(&to).unwrap(), b"old");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_never_replaced() {
        use std::os::fd::AsRawFd as _;
        use std::os::unix::fs::{FileTypeExt as _, symlink};

        use rustix::fs::{CWD, FileType, Mode, mknodat};

        let scratch = tempfile::tempdir().unwrap();
        let at = |name: &str| scratch.path().join(name);
        mknodat(CWD, at("fifo"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        let (_reader, writer) = io::pipe().unwrap();
        let file = tempfile::tempfile().unwrap();
        let open = |number: i32| PathBuf::from(format!("/proc/self/fd/{number}"));
        let nowhere = [open(writer.as_raw_fd()), open(file.as_raw_fd()), "/dev/null".into(), at("fifo"), at("socket")];
        for to in &nowhere {
            for (link, to) in [("first", to), ("second", &at("first"))] {
                symlink(to, at(link)).unwrap();
                assert!(Draft::begin(&at(link)).is_err(), "{}", to.display());
                assert_eq!(fs::read_link(at(link)).unwrap(), *to);
            }
            ["first", "second"].iter().for_each(|link| fs::remove_file(at(link)).unwrap());
        }
        assert!(fs::metadata(at("fifo")).unwrap().file_type().is_fifo());

        // What comes in between is not replaced, either.
        let draft = Draft::begin(&at("late")).unwrap();
        symlink(at("fifo"), at("late")).unwrap();
        draft.finish(b"", b"").unwrap_err();
        assert!(fs::symlink_metadata(at("late")).unwrap().is_symlink());

        // A folder may be a link; what has no name of its own in it may not.
        fs::create_dir(at("folder")).unwrap();
        symlink("folder", at("same")).unwrap();
        symlink("../new", at("folder/link")).unwrap();
        let drafts = ["folder/new", "same/new", "same/../folder/new"].map(|name| Draft::begin(&at(name)).unwrap());
        assert!(drafts.iter().all(|draft| draft.path() == drafts[0].path()));
        drafts.into_iter().next().unwrap().finish(b"new", b"").unwrap();
        assert_eq!(fs::read(at("folder/new")).unwrap(), b"new");
        assert!(Draft::begin(&at("folder/link")).is_err() && Draft::begin(&at("same/link")).is_err());
        // What a shell hands over is followed, if it is a file.
        let kept = tempfile::NamedTempFile::new_in(scratch.path()).unwrap();
        let draft = Draft::begin(&open(kept.as_raw_fd())).unwrap();
        assert_eq!(draft.path(), fs::canonicalize(kept.path()).unwrap());
        let climbing = format!("/proc/../{}", at("first").strip_prefix("/").unwrap().display());
        symlink(kept.path(), at("first")).unwrap();
        assert!(Draft::begin(Path::new(&climbing)).is_err());
        symlink("loop", at("loop")).unwrap();
        for none in [at("loop"), at("none/"), at("none/.."), at("none/report"), PathBuf::new()] {
            assert!(Draft::begin(&none).is_err(), "{}", none.display());
        }
    }
}
