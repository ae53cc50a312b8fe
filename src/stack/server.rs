//! The sockets in front of a [`Stack`]: TLS, limits, the clock of each request, and an orderly end.

mod activity;
mod body;
mod client;
mod connection;
mod limits;
mod listener;
mod log;
mod metrics;
mod metrics_page;
mod options;
mod rate;
mod request;
mod shared;
mod signals;
mod tls;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

pub use self::limits::Limits;
pub use self::listener::Listener;
pub use self::log::{LogTarget, LogWriter};
pub use self::options::ServerOptions;
pub use self::rate::{RateLimits, SAVED_UP};
pub use self::signals::{Command, commands_from_signals};
pub use self::tls::{TlsError, TlsFiles, TlsIdentity};

use self::listener::Connected;
use self::shared::{Door, Phase, Server};
use super::Stack;

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
    let server = Arc::new(Server::new(stack, options, is_private));
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

/// How often the files of the certificate are looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// For connections that are cut.
const LAST_MOMENT: Duration = Duration::from_secs(1);
