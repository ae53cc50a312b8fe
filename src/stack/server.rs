//! The sockets in front of a [`Stack`]: TLS, limits, the clock of each request, and an orderly end.

mod activity;
mod body;
mod client;
mod connection;
mod limits;
mod listener;
mod log;
mod metrics;
mod rate;
mod request;
mod signals;
mod tls;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, mpsc, watch};

pub use self::limits::Limits;
pub use self::listener::Listener;
pub use self::log::{LogTarget, LogWriter};
pub use self::rate::{RateLimits, SAVED_UP};
pub use self::signals::{Command, commands_from_signals};
pub use self::tls::{TlsError, TlsFiles, TlsIdentity};

use self::body::BodyBudget;
use self::limits::{ClientPlace, ClientPlaces};
use self::listener::Connected;
use self::metrics::Metrics;
use self::rate::Rates;
use super::Stack;
use super::routes::RequestClass;

/// How a stack is served.
#[derive(Debug)]
pub struct ServerOptions {
    /// What to serve TLS with; without it, HTTP.
    pub tls: Option<TlsIdentity>,
    /// Whether a proxy in front says where requests come from.
    pub behind_proxy: bool,
    /// What clients may take.
    pub limits: Limits,
    /// How often one client may ask. Where only this machine comes in, as often as it likes.
    pub rates: RateLimits,
    /// Where `/metrics` and `/healthz` are served beside.
    pub metrics_listener: Option<Listener>,
    /// A line a request.
    pub access_log: Option<LogWriter>,
    /// A line for each thing that matters for longer.
    pub audit_log: Option<LogWriter>,
    /// Is told what an operator should know.
    pub report: fn(&str),
}

impl ServerOptions {
    /// HTTP, with the usual limits and no logs.
    #[must_use]
    pub fn new(report: fn(&str)) -> Self {
        Self {
            tls: None,
            behind_proxy: false,
            limits: Limits::default(),
            rates: RateLimits::default(),
            metrics_listener: None,
            access_log: None,
            audit_log: None,
            report,
        }
    }
}

/// Serves `stack` on `listener` until it is told to stop, then finishes the requests that are under way.
pub async fn serve_until(
    stack: Stack,
    listener: Listener,
    mut options: ServerOptions,
    mut commands: mpsc::Receiver<Command>,
) {
    let limits = options.limits;
    let metrics_listener = options.metrics_listener.take();
    let is_private = listener.address().is_some_and(|bound| bound.ip().is_loopback()) && !options.behind_proxy;
    let server = Arc::new(Server {
        stack,
        rates: Rates::new(options.rates),
        options,
        is_private,
        metrics: Metrics::default(),
        at_once: RequestClass::ALL.map(|class| (class, Arc::new(Semaphore::new(at_once(class))))),
        places: Arc::new(Semaphore::new(limits.connections)),
        monitors: Arc::new(Semaphore::new(MAX_MONITORS)),
        clients: Arc::default(),
        bodies: Arc::new(BodyBudget::new(&limits)),
    });
    server.audit_start();
    let (phase, phases) = watch::channel(Phase::Running);
    let mut accepting = vec![tokio::spawn(accept(Arc::clone(&server), Door::Public, listener, phases.clone()))];
    if let Some(listener) = metrics_listener {
        accepting.push(tokio::spawn(accept(Arc::clone(&server), Door::Monitoring, listener, phases)));
    }
    let mut look_again = tokio::time::interval(LOOK_AGAIN);
    loop {
        tokio::select! {
            command = commands.recv() => match command {
                Some(Command::Reload) => {
                    for log in server.logs().map(|(_, log)| log.clone()) {
                        drop(tokio::task::spawn_blocking(move || log.reopen()));
                    }
                    server.read_certificate_again().await;
                }
                Some(Command::Stop) | None => break,
            },
            _ = look_again.tick() => server.read_certificate_again().await,
        }
    }
    phase.send_replace(Phase::Stopping);
    for accepting in accepting {
        // The socket is closed with it; a task that panicked has said so.
        drop(accepting.await);
    }
    server.wait_for_connections(limits.grace).await;
    phase.send_replace(Phase::Gone);
    server.wait_for_connections(LAST_MOMENT).await;
    server.audit("stopped", vec![]);
    server.logs().for_each(|(_, log)| log.flush());
}

#[derive(Debug)]
struct Server {
    stack: Stack,
    options: ServerOptions,
    /// Whether only this machine comes in.
    is_private: bool,
    rates: Rates,
    metrics: Metrics,
    /// A class each: reads do not wait behind writes that wait for the disk.
    at_once: [(RequestClass, Arc<Semaphore>); 4],
    places: Arc<Semaphore>,
    monitors: Arc<Semaphore>,
    clients: Arc<ClientPlaces>,
    bodies: Arc<BodyBudget>,
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
            Ok(Some(Ok(true))) => {
                self.audit("certificate-changed", vec![]);
                (self.options.report)("new connections get the new certificate");
            }
            Ok(Some(Err(error))) => {
                (self.options.report)(&format!("the certificate that was there before stays: {error}"));
            }
            Ok(Some(Ok(false)) | None) | Err(_) => {}
        }
    }

    /// Each open log once, by name.
    fn logs(&self) -> impl Iterator<Item = (&'static str, &LogWriter)> {
        let (access, audit) = (self.options.access_log.as_ref(), self.options.audit_log.as_ref());
        let is_one = access.zip(audit).is_some_and(|(access, audit)| access.is_same(audit));
        let access = access.map(|log| (if is_one { "both" } else { "access" }, log));
        access.into_iter().chain(audit.filter(|_| !is_one).map(|log| ("audit", log)))
    }

    fn audit_start(&self) {
        let stack = &self.stack;
        self.audit(
            "started",
            vec![
                ("version", env!("CARGO_PKG_VERSION").into()),
                ("url", stack.public_url().to_string().into()),
                ("trust_sha256", stack.trust_digest().to_string().into()),
                ("trust_changed", stack.trust_changed().into()),
            ],
        );
    }

    /// What the server itself does, in the audit log.
    fn audit(&self, event: &str, members: Vec<(&'static str, Value)>) {
        if let Some(log) = &self.options.audit_log {
            let members = std::iter::once(("event", event.into())).chain(members).collect();
            log.write("audit", request::now(), members);
        }
    }

    /// How many connections are open.
    fn connections(&self) -> usize {
        self.options.limits.connections.saturating_sub(self.places.available_permits())
    }

    /// Whether most places for connections are taken; of a few, all.
    fn is_crowded(&self) -> bool {
        self.places.available_permits() < (self.options.limits.connections / 8).max(1)
    }

    async fn wait_for_connections(&self, at_most: Duration) {
        let all = u32::try_from(self.options.limits.connections).unwrap_or(u32::MAX);
        // Those that are left are cut.
        drop(tokio::time::timeout(at_most, self.places.acquire_many(all)).await);
    }

    /// One of the places for connections, as soon as there is one; an error would be that there are none any more.
    async fn place(&self, door: Door) -> Result<OwnedSemaphorePermit, AcquireError> {
        let places = match door {
            Door::Public => &self.places,
            Door::Monitoring => &self.monitors,
        };
        Arc::clone(places).acquire_owned().await
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
    /// The stack's own.
    Public,
    /// For `/metrics` and `/healthz`.
    Monitoring,
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
            connection = listener.accept() => connection,
        };
        match connection {
            Ok((stream, peer)) => {
                let Some(of_client) = server.place_of_client(peer) else {
                    server.metrics.refused_connection();
                    continue;
                };
                // Whoever comes when all places are taken waits for one, and those behind it for it.
                let place = tokio::select! {
                    _ = phase.changed() => return,
                    place = server.place(door) => place,
                };
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

async fn connect(
    server: Arc<Server>,
    door: Door,
    stream: Connected,
    peer: Option<IpAddr>,
    phase: watch::Receiver<Phase>,
) {
    let tls = server.options.tls.as_ref().filter(|_| door == Door::Public);
    match (stream, tls.map(TlsIdentity::acceptor)) {
        (Connected::Tcp(stream), None) => connection::serve(server, door, stream, false, peer, phase).await,
        (Connected::Tcp(stream), Some(acceptor)) => {
            // A handshake that fails has told its client so.
            if let Some(Ok(stream)) = connection::in_time(&server, acceptor.accept(stream)).await {
                let is_http_2 = stream.get_ref().1.alpn_protocol() == Some(tls::HTTP_2);
                connection::serve(server, door, stream, is_http_2, peer, phase).await;
            }
        }
        #[cfg(unix)]
        (Connected::Unix(stream), _) => connection::serve(server, door, stream, false, peer, phase).await,
    }
}

/// Two cores sign, and the rest waits in line; but those who write wait for the disk, all for the same sync.
fn at_once(class: RequestClass) -> usize {
    match class {
        RequestClass::Certificates | RequestClass::Writes => 128,
        RequestClass::Login | RequestClass::Reads => 32,
    }
}

/// Prometheus, a second one, and a load balancer.
const MAX_MONITORS: usize = 16;

/// How often the files of the certificate are looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// For connections that are cut.
const LAST_MOMENT: Duration = Duration::from_secs(1);
