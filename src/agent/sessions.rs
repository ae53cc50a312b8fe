//! The logins that the agent has, and whose turn it is to log in.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Mutex as AsyncMutex, Notify, OwnedMutexGuard};
use tokio::time::sleep;

use super::message::{Admission, Asked, Failure, Query, SessionStatus};
use super::session::Session;

/// All sessions, newest last.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    live: Mutex<Vec<Arc<Session>>>,
    turns: Mutex<HashMap<String, Arc<Queue>>>,
    count: AtomicU64,
    admitted: Notify,
}

/// Those who want to log in for the same.
#[derive(Debug, Default)]
struct Queue {
    turn: Arc<AsyncMutex<()>>,
    /// Who has the turn, where that is known; 0: nobody.
    process: AtomicI32,
}

/// While it lives, nobody else logs in for the same.
#[derive(Debug)]
pub(super) struct Turn {
    queue: Arc<Queue>,
    _until_dropped: OwnedMutexGuard<()>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.queue.process.store(0, Ordering::Relaxed);
    }
}

impl Sessions {
    /// The newest session that answers, or the turn to log in, which is waited for; `process` is who wants it.
    pub(super) async fn find(
        &self,
        query: &Query,
        process: Option<i32>,
        longest_turn: Duration,
        clock: fn() -> Timestamp,
    ) -> Result<Arc<Session>, Option<Turn>> {
        let queue = self.queue(&query.asked);
        let mut turn = pin!(Arc::clone(&queue.turn).lock_owned());
        let mut too_long = pin!(sleep(longest_turn));
        let taken = loop {
            let mut admitted = pin!(self.admitted.notified());
            // A login that comes after the look is not missed.
            admitted.as_mut().enable();
            if let Some(session) = self.newest(query, clock()) {
                return Ok(session);
            }
            tokio::select! {
                turn = &mut turn => break Some(turn),
                () = admitted => {}
                // Who has waited for so long logs in beside the other one.
                () = &mut too_long => break None,
            }
        };
        let taken = taken.map(|until_dropped| {
            queue.process.store(process.unwrap_or_default(), Ordering::Relaxed);
            Turn { queue: Arc::clone(&queue), _until_dropped: until_dropped }
        });
        self.newest(query, clock()).ok_or(taken)
    }

    /// Who has the turn for that, as far as it is known.
    pub(super) fn whose_turn(&self, query: &Query) -> Option<i32> {
        Some(self.queue(&query.asked).process.load(Ordering::Relaxed)).filter(|process| *process != 0)
    }

    /// Takes a login in; an older one of the same person for the same is forgotten. A login that has no certificate only
    /// because the authority is down is taken in, too, and that is the failure.
    pub(super) async fn admit(&self, admission: &Admission, now: Timestamp) -> Result<Arc<Session>, Failure> {
        let id = self.count.fetch_add(1, Ordering::Relaxed);
        let (session, failure) = Session::admit(id, admission, now).await?;
        let session = Arc::new(session);
        let mut live = self.live();
        live.retain(|other| !other.is_same_login(&session) && other.is_alive(now));
        if live.len() >= MAX_SESSIONS {
            live.remove(0);
        }
        live.push(Arc::clone(&session));
        self.admitted.notify_waiters();
        failure.map_or(Ok(session), Err)
    }

    pub(super) fn by_id(&self, id: u64) -> Option<Arc<Session>> {
        self.live().iter().find(|session| session.id == id).map(Arc::clone)
    }

    /// Forgets the sessions of an instance, or all. What is left to do is to end them.
    pub(super) fn forget(&self, instance: Option<&str>) -> Vec<Arc<Session>> {
        let mut live = self.live();
        let (gone, stay) =
            std::mem::take(&mut *live).into_iter().partition(|session| instance.is_none_or(|name| session.is_of(name)));
        *live = stay;
        gone
    }

    /// Forgets what nothing can be signed with any more. Whether anything is left.
    pub(super) fn sweep(&self, now: Timestamp) -> bool {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        let mut live = self.live();
        live.retain(|session| session.is_alive(now));
        !live.is_empty()
    }

    pub(super) fn statuses(&self, now: Timestamp) -> Vec<SessionStatus> {
        self.live().iter().rev().filter(|session| session.is_alive(now)).map(|session| session.status(now)).collect()
    }

    fn newest(&self, query: &Query, now: Timestamp) -> Option<Arc<Session>> {
        self.live().iter().rev().find(|session| session.is_alive(now) && session.answers(query)).map(Arc::clone)
    }

    fn queue(&self, asked: &Asked) -> Arc<Queue> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(format!("{asked:?}")).or_default())
    }

    fn live(&self) -> MutexGuard<'_, Vec<Arc<Session>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Far more than a person has identities.
const MAX_SESSIONS: usize = 32;
/// As long as a login may take. With a question besides it can take longer: then two are asked, and none waits for ever.
pub(super) const LONGEST_TURN: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::oidc::LOGIN_TIME;

    #[tokio::test]
    async fn nobody_s_turn_is_waited_for_without_end() {
        // Who logs in has done that, or has given up.
        assert!(LONGEST_TURN >= LOGIN_TIME);
        let asked = Asked {
            instance: "home".to_owned(),
            instance_sha256: String::new(),
            issuer: "https://issuer.example".to_owned(),
            client_id: "sigstore".to_owned(),
            connector_id: None,
            login_hint: None,
        };
        let query = Query { asked, signer: None, network: None };
        let sessions = Sessions::default();
        let limit = Duration::from_millis(300);
        let find = || sessions.find(&query, None, limit, || Timestamp::UNIX_EPOCH);
        let first = find().await.unwrap_err();
        assert!(first.is_some());
        let begun = Instant::now();
        assert!(find().await.unwrap_err().is_none(), "beside the first");
        assert!(begun.elapsed() >= limit);
        // A turn that is given back goes to the next at once.
        drop(first);
        assert!(find().await.unwrap_err().is_some());
    }
}
