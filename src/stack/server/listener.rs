//! Where the server listens: an address, or a socket in the file system.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use tokio::net::{TcpListener, TcpStream};

#[cfg(unix)]
use self::unix::UnixSocket;

/// An open socket.
#[derive(Debug)]
pub enum Listener {
    /// On an address.
    Tcp(TcpListener),
    /// In the file system: for programs of the same user, such as a proxy.
    #[cfg(unix)]
    Unix(UnixSocket),
}

/// The other end of a connection.
pub(super) enum Connected {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(tokio::net::UnixStream),
}

impl Listener {
    /// Listens on an address.
    ///
    /// # Errors
    /// What the operating system says.
    pub async fn tcp(address: SocketAddr) -> io::Result<Self> {
        Ok(Self::Tcp(TcpListener::bind(address).await?))
    }

    /// Listens in the file system. What a server that ended left there is replaced.
    ///
    /// # Errors
    /// What the operating system says; `AddrInUse` when someone listens there, or it is no socket.
    #[cfg(unix)]
    pub async fn unix(path: &Path) -> io::Result<Self> {
        UnixSocket::bind(path).await.map(Self::Unix)
    }

    /// Listens in the file system.
    ///
    /// # Errors
    /// Always: there are none here.
    #[cfg(not(unix))]
    pub async fn unix(_path: &Path) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The address; `None` in the file system.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            #[cfg(unix)]
            Self::Unix(_) => None,
        }
    }

    /// The next connection, and where it comes from.
    pub(super) async fn accept(&self) -> io::Result<(Connected, Option<IpAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // An answer goes out at once; that it may fail is no reason not to answer.
                drop(stream.set_nodelay(true));
                Ok((Connected::Tcp(stream), Some(peer.ip().to_canonical())))
            }
            #[cfg(unix)]
            Self::Unix(socket) => Ok((Connected::Unix(socket.accept().await?), None)),
        }
    }
}

#[cfg(unix)]
mod unix {
    use std::fs::Permissions;
    use std::io;
    use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
    use std::path::{Path, PathBuf};

    use tokio::net::{UnixListener, UnixStream};

    /// A socket in the file system that only its owner may use; removed when it is dropped.
    #[derive(Debug)]
    pub struct UnixSocket {
        listener: UnixListener,
        path: PathBuf,
        /// Device and inode: another server may have put its own there meanwhile.
        file: (u64, u64),
    }

    impl UnixSocket {
        pub(super) async fn bind(path: &Path) -> io::Result<Self> {
            if let Ok(found) = path.symlink_metadata()
                && !(found.file_type().is_socket() && is_left_behind(path).await?)
            {
                return Err(io::ErrorKind::AddrInUse.into());
            }
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            // Made where nobody else can reach it, so that there is no moment in which others could connect.
            let mut private = tempfile::Builder::new();
            let private =
                private.prefix(".").rand_bytes(6).permissions(Permissions::from_mode(0o700)).tempdir_in(parent)?;
            let made = private.path().join("s");
            let listener = UnixListener::bind(&made)?;
            std::fs::set_permissions(&made, Permissions::from_mode(0o600))?;
            std::fs::rename(&made, path)?;
            let file = path.symlink_metadata()?;
            Ok(Self { listener, path: path.to_owned(), file: (file.dev(), file.ino()) })
        }

        pub(super) async fn accept(&self) -> io::Result<UnixStream> {
            Ok(self.listener.accept().await?.0)
        }
    }

    /// Whether nobody listens on the socket at `path`. What else keeps us from it, its permissions say, is an error: it may be
    /// somebody's.
    async fn is_left_behind(path: &Path) -> io::Result<bool> {
        match UnixStream::connect(path).await {
            Ok(_) => Ok(false),
            Err(error) => match error.kind() {
                io::ErrorKind::ConnectionRefused => Ok(true),
                // More wait there than the socket takes.
                io::ErrorKind::WouldBlock => Ok(false),
                _ => Err(error),
            },
        }
    }

    impl Drop for UnixSocket {
        fn drop(&mut self) {
            if self.path.symlink_metadata().is_ok_and(|file| (file.dev(), file.ino()) == self.file) {
                // Whoever comes next replaces it.
                drop(std::fs::remove_file(&self.path));
            }
        }
    }
}
