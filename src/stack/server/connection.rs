//! One connection: HTTP on it, and an end to it when nothing happens.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use super::activity::{Activity, Overdue};
use super::limits::{Limits, MAX_HEADERS};
use super::request;
use super::shared::{Door, Phase, Server};
use crate::stack::routes::MAX_HEADER_BYTES;

/// Serves requests until the client goes, nothing happens for too long, or the server ends.
pub(super) async fn serve<S>(
    server: Arc<Server>,
    door: Door,
    stream: S,
    is_http_2: bool,
    peer: Option<IpAddr>,
    mut phase: watch::Receiver<Phase>,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let activity = Arc::new(Activity::new());
    let limits = server.options.limits;
    let service = service_fn(|request| {
        let (server, activity) = (Arc::clone(&server), Arc::clone(&activity));
        async move { Ok::<_, Infallible>(request::answer(server, door, activity, peer, request).await) }
    });
    let builder = builder(&limits, is_http_2);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut ends_since = None;
    let shortest = limits.idle.min(limits.stalled).min(IDLE_WHEN_CROWDED);
    let mut tick = tokio::time::interval((shortest / 8).max(SHORTEST_TICK));
    loop {
        let end = tokio::select! {
            // However it ends: what went wrong between a client and itself is the client's matter.
            _ended = connection.as_mut() => return,
            _ = tick.tick() => {
                let is_crowded = server.is_crowded();
                let idle = if is_crowded { limits.idle.min(IDLE_WHEN_CROWDED) } else { limits.idle };
                match activity.overdue(idle, limits.stalled) {
                    Some(Overdue::Stalled) => return,
                    // It was asked to end and has not: half a head is waited for, and HTTP/2's farewell.
                    Some(Overdue::Idle) if is_crowded && ends_since.is_some() => return,
                    Some(Overdue::Idle) => true,
                    None => false,
                }
            }
            stopping = phase.changed() => {
                if stopping.is_err() || *phase.borrow_and_update() == Phase::Gone {
                    return;
                }
                true
            }
        };
        if end {
            let since = *ends_since.get_or_insert_with(Instant::now);
            if since.elapsed() > limits.stalled {
                return;
            }
            connection.as_mut().graceful_shutdown();
        }
    }
}

/// What comes of `handshake`; `None` when it takes too long, which is sooner when it is crowded.
pub(super) async fn in_time<T>(server: &Server, handshake: impl Future<Output = T>) -> Option<T> {
    let (start, most) = (Instant::now(), server.options.limits.handshake);
    let mut handshake = pin!(handshake);
    let mut tick = tokio::time::interval((most.min(IDLE_WHEN_CROWDED) / 8).max(SHORTEST_TICK));
    loop {
        tokio::select! {
            done = handshake.as_mut() => return Some(done),
            _ = tick.tick() => {
                let most = if server.is_crowded() { most.min(IDLE_WHEN_CROWDED) } else { most };
                if start.elapsed() > most {
                    return None;
                }
            }
        }
    }
}

fn builder(limits: &Limits, is_http_2: bool) -> auto::Builder<TokioExecutor> {
    let builder = auto::Builder::new(TokioExecutor::new());
    let mut builder = if is_http_2 { builder.http2_only() } else { builder.http1_only() };
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.idle)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEADER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(u32::try_from(MAX_HEADER_BYTES).unwrap_or(u32::MAX));
    builder
}

/// Requests at once on one connection (RFC 9113 §6.5.2: no less than 100 is recommended).
const MAX_STREAMS: u32 = 100;

const SHORTEST_TICK: Duration = Duration::from_millis(20);

/// Whoever waits to be let in comes before those who do nothing, or only half of what it takes.
const IDLE_WHEN_CROWDED: Duration = Duration::from_secs(2);
