//! The stack's server in this process, with limits as a test wants them, and its clients' sockets.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use waxseal::stack::server::{Command, Limits, Listener, ServerOptions, TlsFiles, TlsIdentity, serve_until};
use waxseal::stack::{Stack, StackOptions};

use super::Authority;

/// A stack that is served on a thread of its own.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) commands: mpsc::Sender<Command>,
    thread: JoinHandle<()>,
    _folder: TempDir,
}

impl Served {
    pub(crate) fn with(limits: Limits) -> Self {
        Self::start(ServerOptions { limits, ..ServerOptions::new(|news| panic!("{news}")) })
    }

    pub(crate) fn start(options: ServerOptions) -> Self {
        let folder = TempDir::new().unwrap();
        let (commands, commanded) = mpsc::channel(1);
        let (told, address) = std::sync::mpsc::channel();
        let data = folder.path().to_owned();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = Listener::tcp("127.0.0.1:0".parse().unwrap()).await.unwrap();
                let address = listener.address().unwrap();
                let url = format!("http://{address}").parse().unwrap();
                let stack = Stack::open(&data, &url, StackOptions::default(), Timestamp::now()).unwrap();
                told.send(address).unwrap();
                serve_until(stack, listener, options, commanded).await;
            });
        });
        Self { address: address.recv().unwrap(), commands, thread, _folder: folder }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream
    }

    /// TLS, and HTTP/2 agreed on.
    pub(crate) fn connect_http_2(&self, folder: &TempDir) -> StreamOwned<ClientConnection, TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(folder.path().join("ca.pem")).unwrap()).unwrap();
        let config =
            ClientConfig::builder_with_provider(default_provider().into()).with_safe_default_protocol_versions();
        let mut config = config.unwrap().with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let name = self.address.ip().into();
        StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), self.connect())
    }

    pub(crate) fn ask(&self, path: &str) -> TcpStream {
        let mut stream = self.connect();
        stream.write_all(&get(path)).unwrap();
        stream
    }

    pub(crate) fn stop(&self) {
        self.commands.blocking_send(Command::Stop).unwrap();
    }

    pub(crate) fn ended(self) {
        self.thread.join().unwrap();
    }
}

/// What to serve TLS with, in a folder with `ca.pem`, which vouches for it.
pub(crate) fn identity() -> (TempDir, TlsIdentity) {
    let folder = TempDir::new().unwrap();
    let (certificate, key) = Authority::new(&folder.path().join("ca.pem")).certify("127.0.0.1");
    std::fs::write(folder.path().join("tls.pem"), certificate).unwrap();
    std::fs::write(folder.path().join("tls.key"), key).unwrap();
    let identity = read(&folder);
    (folder, identity)
}

pub(crate) fn read(folder: &TempDir) -> TlsIdentity {
    let file = |name| folder.path().join(name);
    TlsIdentity::read(TlsFiles { certificates: file("tls.pem"), key: file("tls.key") }).unwrap()
}

pub(crate) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes()
}

/// The first piece of an answer, which is a whole small one.
pub(crate) fn read_some(stream: &mut TcpStream) -> String {
    let mut bytes = vec![0; 8192];
    let length = stream.read(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}

/// The server hangs up, soon.
#[track_caller]
pub(crate) fn closes(mut stream: TcpStream) {
    let start = Instant::now();
    // A reset is an end too.
    drop(stream.read_to_end(&mut Vec::new()));
    assert!(start.elapsed() < LONG, "the connection is still there");
}

pub(crate) const SHORT: Duration = Duration::from_millis(400);
/// Longer than any limit of these tests, and shorter than every one of the defaults.
pub(crate) const LONG: Duration = Duration::from_secs(8);
