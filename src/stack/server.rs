//! The socket in front of a [`Stack`]: limits, the clock of each request, and an orderly end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, State};
use axum::serve::ListenerExt as _;
use http::{Request, Response, StatusCode};
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::routes::max_body_bytes;
use super::{ClientAddress, Fault, Stack};

/// Serves `stack` on `listener` until `stop` ends, then finishes the requests that are under way. `on_fault` is told of
/// every answer that was the stack's own fault.
///
/// # Errors
/// What the socket fails with.
pub async fn serve_until(
    stack: Stack,
    listener: TcpListener,
    on_fault: fn(&str),
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let shared = Arc::new(Shared { stack, on_fault, at_once: Semaphore::new(MAX_AT_ONCE) });
    let (stopped, mut stopping) = tokio::sync::watch::channel(false);
    let stop = async move {
        stop.await;
        stopped.send_replace(true);
    };
    // An answer goes out at once; that it may fail is no reason not to answer.
    let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));
    let service = Router::new().fallback(answer).with_state(shared);
    let service = service.into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, service).with_graceful_shutdown(stop);
    tokio::select! {
        ended = serving => ended,
        () = async {
            // An error means that the sender is gone, which is the end too.
            drop(stopping.wait_for(|stopped| *stopped).await);
            tokio::time::sleep(GRACE).await;
        } => Ok(()),
    }
}

struct Shared {
    stack: Stack,
    on_fault: fn(&str),
    at_once: Semaphore,
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> Response<Body> {
    let (mut head, body) = request.into_parts();
    let body = match tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, max_body_bytes(head.uri.path()))).await {
        Ok(Ok(body)) => body.to_vec(),
        Ok(Err(_)) => return refuse(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => return refuse(StatusCode::REQUEST_TIMEOUT),
    };
    head.extensions.insert(ClientAddress(from.ip()));
    let request = Request::from_parts(head, body);
    let Ok(permit) = shared.at_once.acquire().await else { return refuse(StatusCode::SERVICE_UNAVAILABLE) };
    let at_work = Arc::clone(&shared);
    // Signing and syncing to disk take milliseconds: on threads of their own, so that the sockets are not held up.
    let work = tokio::task::spawn_blocking(move || {
        #[expect(clippy::disallowed_methods, reason = "the server reads the clock, once a request")]
        let now = Timestamp::now();
        let response = at_work.stack.handle(&request, now);
        if let Some(Fault(fault)) = response.extensions().get::<Fault>() {
            (at_work.on_fault)(&format!("{} {}: {fault}", request.method(), request.uri().path()));
        }
        response
    });
    let response = work.await;
    drop(permit);
    match response {
        Ok(response) => response.map(Body::from),
        Err(_) => refuse(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

fn refuse(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Ctrl-C and, where there is one, SIGTERM. From [`listen`](Self::listen) on they do not end the process by themselves.
#[derive(Debug)]
pub struct StopSignals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl StopSignals {
    /// Begins to listen. To be done before anyone is told that the server is there, and may stop it.
    ///
    /// # Errors
    /// When the operating system does not let it.
    #[cfg(unix)]
    pub fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Begins to listen.
    ///
    /// # Errors
    /// Never.
    #[cfg(not(unix))]
    pub fn listen() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Ends when one of them comes.
    #[cfg(unix)]
    pub async fn received(mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Ends when one of them comes.
    #[cfg(not(unix))]
    pub async fn received(self) {
        drop(tokio::signal::ctrl_c().await);
    }
}

/// Two cores sign; the rest waits in line.
const MAX_AT_ONCE: usize = 64;

/// A body has at most 4 MiB.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// How long requests under way may take after the end was asked for.
const GRACE: Duration = Duration::from_secs(10);
