//! The sockets in front of a [`Stack`]: TLS, limits, the clock of each request, and an orderly end.

mod client;
mod connection;
mod limits;
mod listener;
mod request;
mod signals;
mod tls;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

pub use self::limits::Limits;
pub use self::listener::Listener;
pub use self::signals::{Command, commands_from_signals};
pub use self::tls::{TlsError, TlsFiles, TlsIdentity};

use self::limits::{ClientPlace, ClientPlaces};
use self::listener::Connected;
use super::Stack;

/// How a stack is served.
#[derive(Debug)]
pub struct ServerOptions {
    /// What to serve TLS with; without it, HTTP.
    pub tls: Option<TlsIdentity>,
    /// Whether a proxy in front says where requests come from.
    pub behind_proxy: bool,
    /// What clients may take.
    pub limits: Limits,
    /// Is told what an operator should know.
    pub report: fn(&str),
}

/// Serves `stack` on `listener` until it is told to stop, then finishes the requests that are under way.
pub async fn serve_until(
    stack: Stack,
    listener: Listener,
    options: ServerOptions,
    mut commands: mpsc::Receiver<Command>,
) {
    let limits = options.limits;
    let server = Arc::new(Server {
        stack,
        options,
        at_once: Arc::new(Semaphore::new(MAX_AT_ONCE)),
        places: Arc::new(Semaphore::new(limits.connections)),
        clients: Arc::default(),
    });
    let (phase, phases) = watch::channel(Phase::Running);
    let accepting = tokio::spawn(accept(Arc::clone(&server), Door::Public, listener, phases));
    let mut look_again = tokio::time::interval(LOOK_AGAIN);
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                Some(Command::Reload) => server.read_certificate_again().await,
                Some(Command::Stop) | None => break,
            },
            _ = look_again.tick() => server.read_certificate_again().await,
        }
    }
    phase.send_replace(Phase::Stopping);
    // The socket is closed with it; a task that panicked has said so.
    drop(accepting.await);
    server.wait_for_connections(limits.grace).await;
    phase.send_replace(Phase::Gone);
    server.wait_for_connections(LAST_MOMENT).await;
}

#[derive(Debug)]
struct Server {
    stack: Stack,
    options: ServerOptions,
    at_once: Arc<Semaphore>,
    places: Arc<Semaphore>,
    clients: Arc<ClientPlaces>,
}

impl Server {
    /// Takes a certificate that is another one now.
    async fn read_certificate_again(self: &Arc<Self>) {
        let server = Arc::clone(self);
        if self.options.tls.is_none() {
            return;
        }
        let read = tokio::task::spawn_blocking(move || server.options.tls.as_ref().map(TlsIdentity::read_again)).await;
        match read {
            Ok(Some(Ok(true))) => (self.options.report)("new connections get the new certificate"),
            Ok(Some(Err(error))) => {
                (self.options.report)(&format!("the certificate that was there before stays: {error}"));
            }
            Ok(Some(Ok(false)) | None) | Err(_) => {}
        }
    }

    /// Whether most places for connections are taken.
    fn is_crowded(&self) -> bool {
        self.places.available_permits() < self.options.limits.connections / 8
    }

    async fn wait_for_connections(&self, at_most: Duration) {
        let all = u32::try_from(self.options.limits.connections).unwrap_or(u32::MAX);
        // Those that are left are cut.
        drop(tokio::time::timeout(at_most, self.places.acquire_many(all)).await);
    }

    /// `None` when the client has enough connections.
    fn place_of_client(&self, peer: Option<IpAddr>) -> Option<Option<ClientPlace>> {
        match peer {
            Some(peer) if !self.options.behind_proxy => {
                self.clients.take(peer, self.options.limits.connections_per_client).map(Some)
            }
            _ => Some(None),
        }
    }
}

/// Which of the server's sockets a request came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    Public,
}

/// How far the end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    /// No new connections and no new requests.
    Stopping,
    /// Nothing goes on.
    Gone,
}

async fn accept(server: Arc<Server>, door: Door, listener: Listener, mut phase: watch::Receiver<Phase>) {
    loop {
        let connection = tokio::select! {
            _ = phase.changed() => return,
            connection = next(&server, &listener) => connection,
        };
        match connection {
            Ok((place, stream, peer)) => {
                let Some(of_client) = server.place_of_client(peer) else { continue };
                let serving = connect(Arc::clone(&server), door, stream, peer, phase.clone());
                tokio::spawn(async move {
                    serving.await;
                    drop((place, of_client));
                });
            }
            // The client went away before it was let in.
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) => {
            }
            Err(error) => {
                (server.options.report)(&format!("no connection can be taken: {error}"));
                // Too many open files, say: it passes.
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// Whoever comes when all places are taken waits for one.
async fn next(server: &Server, listener: &Listener) -> io::Result<(OwnedSemaphorePermit, Connected, Option<IpAddr>)> {
    let place = Arc::clone(&server.places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((place, stream, peer))
}

async fn connect(
    server: Arc<Server>,
    door: Door,
    stream: Connected,
    peer: Option<IpAddr>,
    phase: watch::Receiver<Phase>,
) {
    match (stream, server.options.tls.as_ref().map(TlsIdentity::acceptor)) {
        (Connected::Tcp(stream), None) => connection::serve(server, door, stream, false, peer, phase).await,
        (Connected::Tcp(stream), Some(acceptor)) => {
            let handshake = tokio::time::timeout(server.options.limits.handshake, acceptor.accept(stream)).await;
            // A handshake that fails has told its client so.
            if let Ok(Ok(stream)) = handshake {
                let is_http_2 = stream.get_ref().1.alpn_protocol() == Some(tls::HTTP_2);
                connection::serve(server, door, stream, is_http_2, peer, phase).await;
            }
        }
        #[cfg(unix)]
        (Connected::Unix(stream), _) => connection::serve(server, door, stream, false, peer, phase).await,
    }
}

/// Two cores sign; the rest waits in line.
const MAX_AT_ONCE: usize = 64;

/// How often the files of the certificate are looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// For connections that are cut.
const LAST_MOMENT: Duration = Duration::from_secs(1);
