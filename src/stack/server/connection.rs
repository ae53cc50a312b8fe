//! One connection: HTTP on it, and an end to it when nothing happens.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use super::limits::Limits;
use super::{Door, Phase, Server, request};
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

/// What happens on a connection.
#[derive(Debug)]
pub(super) struct Activity(Mutex<Doing>);

#[derive(Debug)]
struct Doing {
    /// Requests that are read or worked on; these have limits of their own.
    handled: usize,
    /// Answers that are on their way.
    sent: usize,
    /// When anything happened last.
    last: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overdue {
    Idle,
    Stalled,
}

impl Activity {
    fn new() -> Self {
        Self(Mutex::new(Doing { handled: 0, sent: 0, last: Instant::now() }))
    }

    /// A request has begun.
    pub(super) fn handle(self: &Arc<Self>) -> Handling {
        self.happens(|doing| doing.handled += 1);
        Handling(Arc::clone(self))
    }

    fn overdue(&self, idle: Duration, stalled: Duration) -> Option<Overdue> {
        let doing = self.lock();
        match *doing {
            Doing { handled: 1.., .. } => None,
            Doing { sent: 1.., last, .. } => (last.elapsed() > stalled).then_some(Overdue::Stalled),
            Doing { last, .. } => (last.elapsed() > idle).then_some(Overdue::Idle),
        }
    }

    fn happens(&self, what: impl FnOnce(&mut Doing)) {
        let mut doing = self.lock();
        what(&mut doing);
        doing.last = Instant::now();
    }

    fn lock(&self) -> MutexGuard<'_, Doing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is worked on.
#[derive(Debug)]
pub(super) struct Handling(Arc<Activity>);

impl Handling {
    /// The answer goes out, which must be done at `until`.
    pub(super) fn send(self, bytes: Vec<u8>, until: Instant) -> Answer {
        self.0.happens(|doing| doing.sent += 1);
        Answer { rest: bytes.into(), activity: Arc::clone(&self.0), until }
    }
}

impl Drop for Handling {
    fn drop(&mut self) {
        self.0.happens(|doing| doing.handled = doing.handled.saturating_sub(1));
    }
}

/// The body of an answer, in pieces, so that it shows when the client takes no more of them.
#[derive(Debug)]
pub(super) struct Answer {
    rest: Bytes,
    activity: Arc<Activity>,
    until: Instant,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = TooSlow;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, TooSlow>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        if Instant::now() > self.until {
            return Poll::Ready(Some(Err(TooSlow)));
        }
        self.activity.happens(|_| ());
        let length = self.rest.len().min(PIECE_BYTES);
        Poll::Ready(Some(Ok(Frame::data(self.rest.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.rest.len()).unwrap_or(u64::MAX))
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.activity.happens(|doing| doing.sent = doing.sent.saturating_sub(1));
    }
}

/// An answer that its client did not take in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client took the answer too slowly")]
pub(super) struct TooSlow;

/// More than any client sends, and twice that.
pub(super) const MAX_HEADERS: usize = 100;

/// Requests at once on one connection (RFC 9113 §6.5.2: no less than 100 is recommended).
const MAX_STREAMS: u32 = 100;

const PIECE_BYTES: usize = 64 << 10;

const SHORTEST_TICK: Duration = Duration::from_millis(20);

/// Whoever waits to be let in comes before those who do nothing, or only half of what it takes.
const IDLE_WHEN_CROWDED: Duration = Duration::from_secs(2);
