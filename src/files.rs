//! Small files as others may have left them: read within a budget, replaced whole, and locked for a limited time.
//!
//! A path may lead to anything: a FIFO without a writer, a device without an end. Nothing here waits for such a thing, and
//! nothing but a regular file is read.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

pub mod descriptor;
mod draft;
pub mod scratch;

pub use self::draft::Draft;

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The disk's answer.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A folder, a FIFO, a device.
    #[error("it is not a regular file")]
    NotRegular,
    /// More than the budget.
    #[error("it has more than {0} bytes")]
    TooLarge(u64),
}

impl ReadError {
    /// Whether there is nothing.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io(error) => error,
            other @ (ReadError::NotRegular | ReadError::TooLarge(_)) => Self::other(other),
        }
    }
}

/// The content of a regular file of at most `limit` bytes.
///
/// # Errors
/// [`ReadError`]
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
    let file = open(OpenOptions::new().read(true), path)?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= limit) {
        Ok(bytes)
    } else {
        Err(ReadError::TooLarge(limit))
    }
}

/// Whether who opens `path` may wait without end, or read without end: it leads to a FIFO, a socket or a device. For who
/// hands paths to others that open whatever is there.
#[must_use]
pub fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

/// Puts `bytes` in the place of a file, whole or not at all, and on the disk before this returns.
///
/// # Errors
/// The disk's answer.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(folder)
}

/// Makes what happened to a folder's entries last. Where folders cannot be opened, the system does so by itself.
///
/// # Errors
/// The disk's answer.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Puts `new` in the place of `old`, and `old` in the place of `new`: at no moment is there neither, and never a mixture.
///
/// # Errors
/// The disk's answer; not every file system can.
#[cfg(any(target_os = "android", target_os = "linux", target_vendor = "apple"))]
pub fn exchange(new: &Path, old: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};

    Ok(renameat_with(CWD, new, CWD, old, RenameFlags::EXCHANGE)?)
}

/// This system cannot.
///
/// # Errors
/// Always.
#[cfg(not(any(target_os = "android", target_os = "linux", target_vendor = "apple")))]
pub fn exchange(_new: &Path, _old: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody holds it, and does not let go of it.
    #[error("another process has held {path} for too long", path = .0.display())]
    Held(PathBuf),
    /// The disk's answer.
    #[error("{path}: {error}", path = .path.display())]
    Io {
        /// The lock's file.
        path: PathBuf,
        /// What happened.
        error: io::Error,
    },
    /// Something that nobody can lock.
    #[error("{path} is not a regular file", path = .0.display())]
    NotRegular(PathBuf),
}

/// The lock of a folder, held until the value goes. A process that was stopped while it held it must not keep everybody
/// waiting without end.
///
/// # Errors
/// [`LockError`] after [`LOCK_WAIT`] at the latest.
pub fn lock(folder: &Path) -> Result<File, LockError> {
    lock_within(folder, LOCK_WAIT)
}

fn lock_within(folder: &Path, wait: Duration) -> Result<File, LockError> {
    let path = folder.join(".lock");
    let failed = |path: &Path, error| LockError::Io { path: path.to_owned(), error };
    let file = open(OpenOptions::new().write(true).create(true).truncate(false), &path);
    let file = file.map_err(|error| match error {
        ReadError::NotRegular => LockError::NotRegular(path.clone()),
        other => failed(&path, other.into()),
    })?;
    match lock_file(&file, wait) {
        Ok(()) => Ok(file),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(LockError::Held(path)),
        Err(error) => Err(failed(&path, error)),
    }
}

/// Locks a file, waiting for whoever holds its lock.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] when it is held for longer than `wait`; else the disk's answer.
pub fn lock_file(file: &File, wait: Duration) -> io::Result<()> {
    let mut waited = Duration::ZERO;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if waited < wait => {
                thread::sleep(LOCK_PAUSE);
                waited = waited.saturating_add(LOCK_PAUSE);
            }
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::new(io::ErrorKind::WouldBlock, "another process holds its lock"));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// Whether it belongs to the user as whom this runs.
#[cfg(unix)]
#[must_use]
pub fn is_own(metadata: &fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::uid(metadata) == rustix::process::geteuid().as_raw()
}

/// Opens a regular file to read it.
///
/// # Errors
/// [`ReadError`]
pub fn open_regular(path: &Path) -> Result<File, ReadError> {
    open(OpenOptions::new().read(true), path)
}

/// Opens what must be a regular file. What it is is asked of what was opened, not of the path.
///
/// # Errors
/// [`ReadError`]
pub fn open(options: &mut OpenOptions, path: &Path) -> Result<File, ReadError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;

        use rustix::fs::OFlags;

        // Neither wait for a FIFO's other end nor take a terminal; to a regular file both say nothing.
        options.custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed());
    }
    let file = match options.open(path) {
        Ok(file) => file,
        // A FIFO that nobody reads cannot be opened for writing, nor a folder.
        Err(_) if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) => return Err(ReadError::NotRegular),
        Err(error) => return Err(error.into()),
    };
    if file.metadata()?.is_file() { Ok(file) } else { Err(ReadError::NotRegular) }
}

/// Whoever holds a lock writes a few small files.
pub const LOCK_WAIT: Duration = Duration::from_secs(10);
const LOCK_PAUSE: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_budget_and_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert!(read(&path, 3).unwrap_err().is_absent());
        replace(&path, b"abc").unwrap();
        assert_eq!(read(&path, 3).unwrap(), b"abc");
        assert!(matches!(read(&path, 2), Err(ReadError::TooLarge(2))));
        replace(&path, b"d").unwrap();
        assert_eq!(read(&path, 3).unwrap(), b"d");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left over");
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_regular_file_is_not_waited_for() {
        use rustix::fs::{CWD, FileType, Mode, mknodat};

        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join(".lock");
        mknodat(CWD, &fifo, FileType::Fifo, Mode::RWXU, 0).unwrap();
        for path in [&fifo, folder.path(), Path::new("/dev/zero"), Path::new("/dev/tty")] {
            assert!(matches!(read(path, 3), Err(ReadError::NotRegular)), "{}", path.display());
            assert_eq!(is_special(path), path != folder.path(), "{}", path.display());
        }
        let error = lock(folder.path()).unwrap_err().to_string();
        assert_eq!(error, format!("{} is not a regular file", fifo.display()));
    }

    #[test]
    fn a_stopped_process_is_not_waited_for_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let held = lock(folder.path()).unwrap();
        let wait = LOCK_PAUSE.saturating_mul(2);
        assert!(matches!(lock_within(folder.path(), wait), Err(LockError::Held(path)) if path.ends_with(".lock")));
        drop(held);
        // A child that another test starts has it, too, until it is another program.
        lock(folder.path()).unwrap();
    }
}
