//! What happens on a connection: requests that are worked on, and answers that go out piece by piece.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::body::{Body, Bytes, Frame, SizeHint};

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

/// For how long nothing has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    /// No request came, and no answer waits.
    Idle,
    /// The client takes none of an answer.
    Stalled,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Doing { handled: 0, sent: 0, last: Instant::now() }))
    }

    /// A request has begun.
    pub(super) fn handle(self: &Arc<Self>) -> Handling {
        self.happens(|doing| doing.handled += 1);
        Handling(Arc::clone(self))
    }

    pub(super) fn overdue(&self, idle: Duration, stalled: Duration) -> Option<Overdue> {
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

const PIECE_BYTES: usize = 64 << 10;
