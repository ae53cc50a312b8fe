//! Bodies of requests: read piece by piece, each counted before it is kept.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};

use super::limits::Limits;
use crate::stack::client_network::ClientNetwork;

/// How many bytes of bodies there are, whole or not, until their requests are answered.
#[derive(Debug)]
pub(super) struct BodyBudget {
    most: usize,
    most_per_client: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    whole: usize,
    of: HashMap<ClientNetwork, usize>,
}

impl BodyBudget {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { most: limits.body_bytes, most_per_client: limits.body_bytes_per_client, taken: Mutex::default() }
    }

    /// Counts for a body of `client`, which has no bytes yet.
    pub(super) fn begin(self: &Arc<Self>, client: IpAddr) -> HeldBytes {
        HeldBytes { budget: Arc::clone(self), client: ClientNetwork::of(client), bytes: 0 }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one body takes of the budget; gives it back.
#[derive(Debug)]
pub(super) struct HeldBytes {
    budget: Arc<BodyBudget>,
    client: ClientNetwork,
    bytes: usize,
}

impl HeldBytes {
    /// Takes `more`. Nobody waits for what others hold: bodies that are half there would wait for one another.
    fn take(&mut self, more: usize) -> Result<(), BodyError> {
        let mut taken = self.budget.lock();
        let whole = taken.whole.saturating_add(more);
        let of_client = taken.of.get(&self.client).copied().unwrap_or(0).saturating_add(more);
        if whole > self.budget.most || of_client > self.budget.most_per_client {
            return Err(BodyError::NoRoom);
        }
        taken.whole = whole;
        if of_client > 0 {
            taken.of.insert(self.client, of_client);
        }
        self.bytes += more;
        Ok(())
    }
}

impl Drop for HeldBytes {
    fn drop(&mut self) {
        let mut taken = self.budget.lock();
        taken.whole = taken.whole.saturating_sub(self.bytes);
        if let Some(of_client) = taken.of.get_mut(&self.client) {
            *of_client = of_client.saturating_sub(self.bytes);
            if *of_client == 0 {
                taken.of.remove(&self.client);
            }
        }
    }
}

/// Why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BodyError {
    /// Its client, or all together, have too many on their way.
    #[error("the server is too busy")]
    NoRoom,
    /// It did not come in time.
    #[error("the body did not come in time")]
    TooLate,
    /// It is larger than its path takes.
    #[error("the body is too large")]
    TooLarge,
    /// The connection broke, or it is not what its head says.
    #[error("the body cannot be read")]
    Unreadable,
}

/// The whole of `body`, which has at most `most` bytes and comes within `time`.
pub(super) async fn read(
    body: &mut Incoming,
    held: &mut HeldBytes,
    most: usize,
    time: Duration,
) -> Result<Vec<u8>, BodyError> {
    // Whoever says so beforehand need not send it.
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > most {
        return Err(BodyError::TooLarge);
    }
    let whole = async {
        let mut whole = Vec::new();
        while let Some(frame) = body.frame().await {
            // The other kind are trailers, which nothing here takes.
            let Ok(data) = frame.map_err(|_| BodyError::Unreadable)?.into_data() else { continue };
            if whole.len().saturating_add(data.len()) > most {
                return Err(BodyError::TooLarge);
            }
            held.take(data.len())?;
            whole.extend_from_slice(&data);
        }
        Ok(whole)
    };
    tokio::time::timeout(time, whole).await.unwrap_or(Err(BodyError::TooLate))
}

/// Reads on for a moment without keeping anything: who is hung up on while sending sees a reset, not the answer.
pub(super) async fn discard(mut body: Incoming, most: usize) {
    let rest = async {
        let mut length = 0_usize;
        while let Some(Ok(frame)) = body.frame().await {
            length = length.saturating_add(frame.data_ref().map_or(0, |data| data.len()));
            if length > most {
                return;
            }
        }
    };
    // Who is not done then has had its chance.
    drop(tokio::time::timeout(DISCARD_TIME, rest).await);
}

const DISCARD_TIME: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_counted_by_client_and_in_all_and_given_back() {
        let limits = Limits { body_bytes: 10, body_bytes_per_client: 6, ..Limits::default() };
        let budget = Arc::new(BodyBudget::new(&limits));
        let begin = |text: &str| budget.begin(text.parse().unwrap());
        let (mut first, mut second) = (begin("192.0.2.1"), begin("192.0.2.1"));
        assert_eq!(first.take(4), Ok(()));
        assert_eq!(second.take(3), Err(BodyError::NoRoom), "the client's");
        assert_eq!(second.take(2), Ok(()), "what was refused costs nothing");
        let mut other = begin("192.0.2.2");
        assert_eq!(other.take(5), Err(BodyError::NoRoom), "all together");
        assert_eq!(other.take(4), Ok(()));
        drop((first, second));
        assert_eq!(other.take(2), Ok(()));
        drop(other);
        let taken = budget.lock();
        assert_eq!((taken.whole, taken.of.len()), (0, 0), "nobody is remembered who is gone");
    }
}
