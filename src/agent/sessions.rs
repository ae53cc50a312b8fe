//! The logins that the agent has, and whose turn it is to log in.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio::time::timeout;

use super::message::{Admission, Asked, Failure, Query, SessionStatus};
use super::session::Session;

/// All sessions, newest last.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    live: Mutex<Vec<Arc<Session>>>,
    turns: Mutex<HashMap<String, Arc<AsyncMutex<()>>>>,
    count: AtomicU64,
}

/// While it lives, nobody else logs in for the same.
pub(super) type Turn = OwnedMutexGuard<()>;

impl Sessions {
    /// The newest session that answers, or the turn to log in, which is waited for.
    pub(super) async fn find(
        &self,
        query: &Query,
        longest_turn: Duration,
        clock: fn() -> Timestamp,
    ) -> Result<Arc<Session>, Option<Turn>> {
        if let Some(session) = self.newest(query, clock()) {
            return Ok(session);
        }
        // Who has waited for so long logs in beside the other one.
        let turn = timeout(longest_turn, self.turn_for(&query.asked).lock_owned()).await.ok();
        self.newest(query, clock()).ok_or(turn)
    }

    /// Takes a login in; an older one of the same person for the same is forgotten.
    pub(super) async fn admit(&self, admission: &Admission, now: Timestamp) -> Result<Arc<Session>, Failure> {
        let id = self.count.fetch_add(1, Ordering::Relaxed);
        let session = Arc::new(Session::admit(id, admission, now).await?);
        let mut live = self.live();
        live.retain(|other| !other.is_same_login(&session) && other.is_alive(now));
        if live.len() >= MAX_SESSIONS {
            live.remove(0);
        }
        live.push(Arc::clone(&session));
        Ok(session)
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

    fn turn_for(&self, asked: &Asked) -> Arc<AsyncMutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(format!("{asked:?}")).or_default())
    }

    fn live(&self) -> MutexGuard<'_, Vec<Arc<Session>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Far more than a person has identities.
const MAX_SESSIONS: usize = 32;
/// Longer than a login may take.
pub(super) const LONGEST_TURN: Duration = Duration::from_secs(150);

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::oidc::LOGIN_TIME;

    #[tokio::test]
    async fn nobody_s_turn_is_waited_for_without_end() {
        // Who logs in has done that, or has given up.
        assert!(LONGEST_TURN > LOGIN_TIME);
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
        let find = || sessions.find(&query, limit, || Timestamp::UNIX_EPOCH);
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
