//! The key ring of the user's desktop (Secret Service on Linux, Keychain on macOS): small secrets by name.
//!
//! It may be absent, locked, or in the middle of asking somebody, so every call has a thread of its own and a limit, and
//! what does not work is an error that callers live without.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use keyring_core::{Entry, Error};
use tokio::sync::oneshot;
use tokio::time::timeout;
use zeroize::Zeroizing;

/// The place of one secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What the key ring calls the user: a group, and a name in it.
    user: String,
}

/// A secret of the key ring; wiped from memory when dropped.
pub type Secret = Zeroizing<Vec<u8>>;

impl Item {
    /// The item `name` of `group`. Neither is secret; neither has a space.
    #[must_use]
    pub fn new(group: &str, name: &str) -> Self {
        Self { user: format!("{group} {name}") }
    }

    /// What is kept there.
    ///
    /// # Errors
    /// [`KeyRingError`]
    pub async fn read(&self) -> Result<Option<Secret>, KeyRingError> {
        let user = self.user.clone();
        let read = on_a_thread(move || Entry::new(SERVICE, &user)?.get_secret()).await;
        found(read.map(Zeroizing::new))
    }

    /// Keeps `secret` there, whatever was there before.
    ///
    /// # Errors
    /// [`KeyRingError`]
    pub async fn write(&self, secret: Secret) -> Result<(), KeyRingError> {
        let user = self.user.clone();
        on_a_thread(move || Entry::new(SERVICE, &user)?.set_secret(&secret)).await
    }

    /// Sees to it that nothing is kept there.
    ///
    /// # Errors
    /// [`KeyRingError`]
    pub async fn delete(&self) -> Result<(), KeyRingError> {
        let user = self.user.clone();
        found(on_a_thread(move || Entry::new(SERVICE, &user)?.delete_credential()).await).map(|_| ())
    }
}

/// Everything of ours that is kept.
#[derive(Debug, Default)]
pub struct Everything {
    /// The secrets, and where each is.
    pub secrets: Vec<(Item, Secret)>,
    /// Why there may be more.
    pub unread: Option<KeyRingError>,
}

/// Everything of `group` that is kept, or everything of ours. Nothing is deleted: whoever reads may not wait for the end.
///
/// # Errors
/// [`KeyRingError`] when nothing can be read at all.
pub async fn read_all(group: Option<&str>) -> Result<Everything, KeyRingError> {
    let prefix = group.map(|group| format!("{group} ")).unwrap_or_default();
    on_a_thread(move || {
        let mut all = Everything::default();
        for entry in Entry::search(&HashMap::from([("service", SERVICE)]))? {
            let user = entry.get_specifiers().map(|(_, user)| user);
            if user.as_ref().is_some_and(|user| !user.starts_with(&prefix)) {
                continue;
            }
            match (user, entry.get_secret()) {
                (Some(user), Ok(secret)) => all.secrets.push((Item { user }, Zeroizing::new(secret))),
                // Somebody else was faster.
                (_, Err(Error::NoEntry)) => {}
                (_, Err(error)) => all.unread = Some(error.into()),
                (None, Ok(_)) => all.unread = Some(KeyRingError::Failed("one of its items has no name".to_owned())),
            }
        }
        Ok(all)
    })
    .await
}

/// Whether there is a key ring that answers. It is not unlocked for that.
///
/// # Errors
/// [`KeyRingError`]
pub async fn look() -> Result<(), KeyRingError> {
    on_a_thread(|| Ok(())).await
}

/// Runs `work` where nobody waits for longer than [`PATIENCE`]. Its thread goes on until it is done, or the program ends.
async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> keyring_core::Result<T> + Send + 'static,
) -> Result<T, KeyRingError> {
    within(PATIENCE, move || match keyring::Entry::store_status() {
        Ok(()) => work().map_err(KeyRingError::from),
        Err(error) => Err(KeyRingError::NotThere(words(error))),
    })
    .await
}

async fn within<T: Send + 'static>(
    patience: Duration,
    work: impl FnOnce() -> Result<T, KeyRingError> + Send + 'static,
) -> Result<T, KeyRingError> {
    let (tell, told) = oneshot::channel();
    // Whoever gave up has no use for the answer.
    let thread = move || drop(tell.send(work()));
    std::thread::Builder::new().name("key ring".to_owned()).spawn(thread).map_err(KeyRingError::Thread)?;
    match timeout(patience, told).await {
        Ok(Ok(done)) => done,
        Ok(Err(_gone)) => Err(KeyRingError::Failed("its library has a bug".to_owned())),
        Err(_elapsed) => Err(KeyRingError::TooSlow),
    }
}

fn found<T>(result: Result<T, KeyRingError>) -> Result<Option<T>, KeyRingError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(KeyRingError::NoItem) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The key ring did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    /// It answered with an error.
    #[error("the key ring: {0}")]
    Failed(String),
    /// Nothing has that name; not for callers.
    #[error("the key ring has no such item")]
    NoItem,
    /// There is none, or no session of the desktop that leads to it.
    #[error("there is no key ring: {0}")]
    NotThere(String),
    /// The system has no thread for it.
    #[error("the key ring cannot be asked: {0}")]
    Thread(io::Error),
    /// It did not answer. It may be locked, and have asked somebody for its password.
    #[error("the key ring has not answered within {} seconds", PATIENCE.as_secs())]
    TooSlow,
}

impl From<Error> for KeyRingError {
    fn from(error: Error) -> Self {
        match error {
            Error::NoEntry => Self::NoItem,
            error => Self::Failed(words(&error)),
        }
    }
}

/// Of an error. Two variants carry the secret, and a third one the secrets' owners.
fn words(error: &Error) -> String {
    match error {
        Error::PlatformFailure(error) | Error::NoStorageAccess(error) => error.to_string(),
        Error::BadDataFormat(..) | Error::BadEncoding(_) => "what it holds cannot be read".to_owned(),
        Error::Ambiguous(_) => "it holds more than one item of the same name".to_owned(),
        error => error.to_string(),
    }
}

/// What all items belong to.
const SERVICE: &str = "waxseal";
/// For one call. It is on this machine; a person who is asked to unlock it may be slower, and then the agent has to do.
const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_stay_out_of_errors() {
        let secret = b"a token".to_vec();
        let failure: Box<dyn std::error::Error + Send + Sync> = "a token".into();
        for error in [Error::BadEncoding(secret.clone()), Error::BadDataFormat(secret, failure)] {
            assert_eq!(KeyRingError::from(error).to_string(), "the key ring: what it holds cannot be read");
        }
    }

    #[tokio::test]
    async fn what_panics_or_hangs_is_an_error() {
        let panics = within::<()>(PATIENCE, || panic!("a bug of the library, wanted by this test")).await;
        assert!(matches!(panics, Err(KeyRingError::Failed(_))), "{panics:?}");
        let (_held, forever) = std::sync::mpsc::channel::<()>();
        let hangs = within(Duration::from_millis(50), move || Ok(forever.recv().is_ok())).await;
        assert!(matches!(hangs, Err(KeyRingError::TooSlow)), "{hangs:?}");
    }
}
