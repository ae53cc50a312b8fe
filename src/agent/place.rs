//! Where the agent is found: a socket in a folder of the user's that nobody else may enter.

use std::fs::{self, DirBuilder, File, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use listenfd::ListenFd;
use rustix::process::geteuid;
use tokio::net::{UnixListener, UnixStream};

use crate::settings::Folders;

/// The folder of the agent's socket: `waxseal` in `XDG_RUNTIME_DIR`, else `agent` in the user's cache folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    folder: PathBuf,
}

impl Place {
    /// The user's. A runtime folder that is somebody else's (`sudo` keeps the variable) is passed over.
    ///
    /// # Errors
    /// [`PlaceError::NoFolder`]
    pub fn of_user(folders: &Folders) -> Result<Self, PlaceError> {
        let own = |folder: &&PathBuf| folder.parent().and_then(|parent| parent.metadata().ok()).is_some_and(is_own);
        let runtime = folders.runtime.as_ref().filter(own).cloned();
        let folder = runtime.or_else(|| folders.cache.as_ref().map(|cache| cache.join("agent")));
        folder.map(|folder| Self { folder }).ok_or(PlaceError::NoFolder)
    }

    /// Every folder in which SSH may have left a socket. The runtime folder comes first; but it goes with the user's last
    /// session, so that sshd finds it missing before the next one.
    pub(super) fn all_of_user(folders: &Folders) -> Vec<Self> {
        let first = Self::of_user(folders).ok();
        let second = Self::of_user(&Folders { runtime: None, ..folders.clone() })
            .ok()
            .filter(|place| first.as_ref() != Some(place));
        first.into_iter().chain(second).collect()
    }

    /// Where the agent's socket is.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.join(AGENT.socket)
    }

    /// Where the socket is that SSH takes to other machines.
    #[must_use]
    pub fn forward_socket(&self) -> PathBuf {
        self.folder.join(FORWARD.socket)
    }

    /// The folder, if it is there: then nobody may have tampered with it.
    pub(super) fn open_if_there(&self) -> Result<Option<Folder>, PlaceError> {
        match self.open() {
            Err(PlaceError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some),
        }
    }

    /// The folder, which must be there, ours, and closed to others.
    pub(super) fn open(&self) -> Result<Folder, PlaceError> {
        let fail = |error| PlaceError::Io { path: self.folder.clone(), error };
        let found = self.folder.symlink_metadata().map_err(fail)?;
        if !found.is_dir() {
            return Err(PlaceError::NotAFolder(self.folder.clone()));
        }
        let folder = File::open(&self.folder).map_err(fail)?;
        let metadata = folder.metadata().map_err(fail)?;
        if (metadata.dev(), metadata.ino()) != (found.dev(), found.ino()) {
            return Err(PlaceError::NotAFolder(self.folder.clone()));
        }
        if metadata.uid() != geteuid().as_raw() {
            return Err(PlaceError::Foreign(self.folder.clone()));
        }
        if metadata.mode() & 0o077 != 0 {
            return Err(PlaceError::Open(self.folder.clone()));
        }
        Ok(Folder { path: self.folder.clone(), folder })
    }

    /// The folder; made when it is not there.
    pub(super) fn make(&self) -> Result<Folder, PlaceError> {
        let fail = |error| PlaceError::Io { path: self.folder.clone(), error };
        if let Some(parent) = self.folder.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(fail)?;
        }
        match DirBuilder::new().mode(0o700).create(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(fail(error)),
            _ => self.open(),
        }
    }
}

/// A folder that was looked at.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    folder: File,
}

impl Folder {
    /// Connects to whoever listens.
    pub(super) async fn connect(&self, socket: &str) -> io::Result<UnixStream> {
        let stream = UnixStream::connect(self.reachable(socket)).await?;
        if is_by_us(&stream)? { Ok(stream) } else { Err(io::ErrorKind::PermissionDenied.into()) }
    }

    /// Connects to whoever listens. `None`: nobody does, or there is no socket; not that it cannot be used.
    pub(super) async fn connect_if_there(&self, socket: &str) -> Result<Option<UnixStream>, PlaceError> {
        match self.connect(socket).await {
            Ok(stream) => Ok(Some(stream)),
            Err(error) if NOBODY.contains(&error.kind()) => Ok(None),
            Err(error) => Err(PlaceError::Io { path: self.path.join(socket), error }),
        }
    }

    /// Listens, if nobody else does: whoever holds the lock is the agent. A service manager's socket stays its own.
    pub(super) fn listen(&self, names: Names, passed: Option<&PassedSocket>) -> io::Result<Option<Socket>> {
        let mut options = File::options();
        let lock = options.create(true).truncate(false).write(true).mode(0o600).open(self.path.join(names.lock))?;
        if lock.try_lock().is_err() {
            return Ok(None);
        }
        let path = self.path.join(names.socket);
        let listener = match passed {
            Some(passed) => passed.at(&path)?,
            None => self.bind(names, &path)?,
        };
        let file = path.symlink_metadata()?;
        let is_ours = passed.is_none();
        Ok(Some(Socket { listener, path, file: (file.dev(), file.ino()), is_ours, _lock: lock }))
    }

    fn bind(&self, names: Names, path: &Path) -> io::Result<UnixListener> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(self.reachable(names.socket))?;
        // In a folder that only the user may enter there is no moment in between.
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        Ok(listener)
    }

    /// The address of a socket has at most 107 bytes (104 with its end elsewhere, `sockaddr_un`): a longer one is reached
    /// through the open folder.
    fn reachable(&self, name: &str) -> PathBuf {
        let path = self.path.join(name);
        if path.as_os_str().len() < MAX_ADDRESS_BYTES {
            return path;
        }
        use std::os::fd::AsRawFd as _;
        Path::new("/proc/self/fd").join(self.folder.as_raw_fd().to_string()).join(name)
    }
}

/// The socket of a running agent. It is removed when it is dropped, and then the lock is open.
#[derive(Debug)]
pub(super) struct Socket {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode.
    file: (u64, u64),
    is_ours: bool,
    _lock: File,
}

impl Socket {
    /// The next one who connects, of this user.
    pub(super) async fn accept(&self) -> io::Result<UnixStream> {
        loop {
            let (stream, _) = self.listener.accept().await?;
            if is_by_us(&stream).unwrap_or(false) {
                return Ok(stream);
            }
        }
    }

    /// Whether a client would come here.
    pub(super) fn is_there(&self) -> bool {
        self.path.symlink_metadata().is_ok_and(|file| (file.dev(), file.ino()) == self.file)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.is_ours && self.is_there() {
            // Whoever comes next replaces it.
            drop(fs::remove_file(&self.path));
        }
    }
}

/// A listening socket of a service manager's (`LISTEN_FDS`, sd_listen_fds(3)).
#[derive(Debug)]
pub struct PassedSocket(std::os::unix::net::UnixListener);

impl PassedSocket {
    /// The first that was passed; `None`: there is none.
    ///
    /// # Errors
    /// When it is no Unix socket.
    pub fn from_service_manager() -> io::Result<Option<Self>> {
        Ok(ListenFd::from_env().take_unix_listener(0)?.map(Self))
    }

    fn at(&self, path: &Path) -> io::Result<UnixListener> {
        if self.0.local_addr()?.as_pathname() != Some(path) {
            let elsewhere = format!("the socket that was passed is not at {}", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, elsewhere));
        }
        self.0.set_nonblocking(true)?;
        UnixListener::from_std(self.0.try_clone()?)
    }
}

/// Whether the other end runs as this user. That it passed the folder's permissions is not enough: root does.
fn is_by_us(stream: &UnixStream) -> io::Result<bool> {
    Ok(stream.peer_cred()?.uid() == geteuid().as_raw())
}

fn is_own(metadata: Metadata) -> bool {
    metadata.uid() == geteuid().as_raw()
}

/// There is no place for the agent.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Somebody else's.
    #[error("the folder {path} belongs to another user", path = .0.display())]
    Foreign(PathBuf),
    /// The system's answer.
    #[error("{path} cannot be used: {error}", path = .path.display())]
    Io {
        /// Which folder, or socket.
        path: PathBuf,
        /// What happened.
        error: io::Error,
    },
    /// No home.
    #[error("there is neither a home folder nor XDG_RUNTIME_DIR")]
    NoFolder,
    /// A file, or a link, which may lead anywhere.
    #[error("{path} is not a folder", path = .0.display())]
    NotAFolder(PathBuf),
    /// Others may enter.
    #[error("other users may enter the folder {path}", path = .0.display())]
    Open(PathBuf),
}

/// A socket, and the lock of whoever listens there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names {
    pub(super) socket: &'static str,
    lock: &'static str,
}

/// The agent's.
pub(super) const AGENT: Names = Names { socket: "agent.sock", lock: "agent.lock" };
/// For requests of other machines.
pub(super) const FORWARD: Names = Names { socket: "forward.sock", lock: "forward.lock" };
/// The other machine's end of that, made by its sshd.
pub(super) const FORWARDED: &str = "forwarded.sock";
/// What there is when no agent runs, or one ended by force.
const NOBODY: [io::ErrorKind; 2] = [io::ErrorKind::ConnectionRefused, io::ErrorKind::NotFound];
const MAX_ADDRESS_BYTES: usize = 104;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn place(folder: PathBuf) -> Place {
        Place { folder }
    }

    #[test]
    fn the_runtime_folder_comes_first() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Some(folder.path().join("cache/waxseal"));
        let runtime = Some(folder.path().join("waxseal"));
        let of = |runtime: &Option<PathBuf>, cache: &Option<PathBuf>| {
            let folders = Folders { runtime: runtime.clone(), cache: cache.clone(), ..Folders::default() };
            Place::of_user(&folders).map(|place| place.folder).ok()
        };
        assert_eq!(of(&runtime, &cache), runtime);
        assert_eq!(of(&None, &cache), Some(folder.path().join("cache/waxseal/agent")));
        assert_eq!(of(&Some(folder.path().join("gone/waxseal")), &cache), of(&None, &cache));
        assert_eq!(of(&None, &None), None);
    }

    #[test]
    fn only_a_folder_of_ours_that_is_closed_will_do() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| place(folder.path().join(name));
        let made = at("a/b/c").make().unwrap();
        assert_eq!(made.path.metadata().unwrap().mode() & 0o777, 0o700);
        assert!(at("a/b/c").make().is_ok());

        symlink("a/b/c", folder.path().join("link")).unwrap();
        assert!(matches!(at("link").make(), Err(PlaceError::NotAFolder(_))));
        File::options().create_new(true).write(true).open(folder.path().join("file")).unwrap();
        assert!(matches!(at("file").make(), Err(PlaceError::NotAFolder(_))));
        fs::set_permissions(folder.path().join("a/b/c"), fs::Permissions::from_mode(0o750)).unwrap();
        assert!(matches!(at("a/b/c").make(), Err(PlaceError::Open(_))));
        assert!(matches!(at("a/b/c").open_if_there(), Err(PlaceError::Open(_))));
        assert!(matches!(at("link").open_if_there(), Err(PlaceError::NotAFolder(_))));
        assert!(matches!(at("nowhere").open(), Err(PlaceError::Io { .. })));
        assert!(matches!(at("nowhere").open_if_there(), Ok(None)));
    }

    #[test]
    fn the_folder_of_somebody_else_will_not_do() {
        if !geteuid().is_root() {
            eprintln!("skipped: only root can give a folder away");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let given = place(folder.path().join("given"));
        given.make().unwrap();
        std::os::unix::fs::chown(&given.folder, Some(65_534), None).unwrap();
        assert!(matches!(given.make(), Err(PlaceError::Foreign(_))));
        assert!(matches!(given.open_if_there(), Err(PlaceError::Foreign(_))));
    }

    #[tokio::test]
    async fn one_of_two_listens_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        // As long as no socket's address may be.
        let place = place(folder.path().join("x".repeat(120)));
        let (first, second) = (place.make().unwrap(), place.make().unwrap());
        assert!(first.connect(AGENT.socket).await.is_err());
        let socket = first.listen(AGENT, None).unwrap().unwrap();
        assert_eq!(place.socket().metadata().unwrap().mode() & 0o777, 0o600);
        assert!(second.listen(AGENT, None).unwrap().is_none());
        let (connected, accepted) = tokio::join!(second.connect(AGENT.socket), socket.accept());
        assert!(connected.is_ok() && accepted.is_ok());
        assert!(socket.is_there());
        drop(socket);
        assert!(!place.socket().exists());
        // What an agent left that was killed is no obstacle.
        File::options().create_new(true).write(true).open(place.socket()).unwrap();
        let socket = second.listen(AGENT, None).unwrap().unwrap();
        fs::remove_file(place.socket()).unwrap();
        assert!(!socket.is_there());
    }
}
