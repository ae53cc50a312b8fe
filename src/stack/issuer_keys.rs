//! The keys of an issuer: the stack's own, or fetched when they are needed.
//!
//! Fetched keys are used for an hour. A token under a key that is not among them may mean that the issuer has a new one:
//! then they are fetched again, but not more often than every half minute, or anyone could make this server ask another
//! one as often as they like. An issuer that cannot be reached is no fault of the token.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::identity_token::{Claims, IdentityTokenError, JsonWebKeySet, MalformedJsonWebKeySet, verify_rs256};

/// Gets the key document of an issuer, by way of its discovery document. Blocks; called from threads that may.
#[derive(Clone)]
pub struct KeyFetcher(Arc<Fetch>);

type Fetch = dyn Fn(&str) -> Result<Vec<u8>, KeysUnavailable> + Send + Sync;

impl KeyFetcher {
    /// What `fetch` returns for the issuer's address.
    pub fn new(fetch: impl Fn(&str) -> Result<Vec<u8>, KeysUnavailable> + Send + Sync + 'static) -> Self {
        Self(Arc::new(fetch))
    }
}

impl fmt::Debug for KeyFetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyFetcher")
    }
}

/// Where the keys of an issuer come from.
#[derive(Clone, Debug)]
pub enum IssuerKeys {
    /// From another server.
    Fetched(Arc<FetchedKeys>),
    /// The stack's own issuer.
    Own(JsonWebKeySet),
}

impl IssuerKeys {
    /// Those that `fetcher` gets for the issuer at `issuer_url`, from the first token on.
    #[must_use]
    pub fn fetched(issuer_url: String, fetcher: Option<KeyFetcher>) -> Self {
        Self::Fetched(Arc::new(FetchedKeys { issuer_url, fetcher, state: Mutex::default() }))
    }

    /// Verifies a token with them.
    ///
    /// # Errors
    /// [`KeyError`] says whether the token is wrong, or its issuer cannot be asked.
    pub fn verify(&self, token: &str, issuer: &str, audience: &str, now: Timestamp) -> Result<Claims, KeyError> {
        match self {
            Self::Own(keys) => Ok(verify_rs256(token, keys, issuer, audience, now)?),
            Self::Fetched(fetched) => {
                let keys = fetched.keys(false, now)?;
                match verify_rs256(token, &keys, issuer, audience, now) {
                    Err(IdentityTokenError::UnknownKey) => {
                        Ok(verify_rs256(token, &fetched.keys(true, now)?, issuer, audience, now)?)
                    }
                    other => Ok(other?),
                }
            }
        }
    }
}

/// A token that was not verified.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is not to be believed.
    #[error(transparent)]
    Token(#[from] IdentityTokenError),
    /// Nobody can say.
    #[error(transparent)]
    Unavailable(#[from] KeysUnavailable),
}

/// The keys of an issuer cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysUnavailable {
    /// It did not answer, or not with what it should.
    #[error("{0}")]
    Fetch(String),
    /// Its document cannot be used.
    #[error("the keys of {issuer_url}: {error}")]
    Malformed {
        /// Whose.
        issuer_url: String,
        /// What is wrong.
        error: MalformedJsonWebKeySet,
    },
}

/// The keys of an external issuer.
#[derive(Debug)]
pub struct FetchedKeys {
    issuer_url: String,
    fetcher: Option<KeyFetcher>,
    /// Held while they are fetched: whoever comes meanwhile waits for the same answer.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    keys: Option<(JsonWebKeySet, Timestamp)>,
    /// The last time someone asked, and how that failed.
    tried: Option<(Timestamp, Option<KeysUnavailable>)>,
}

impl FetchedKeys {
    /// `one_is_missing`: a token is signed with a key that was not there.
    fn keys(&self, one_is_missing: bool, now: Timestamp) -> Result<JsonWebKeySet, KeysUnavailable> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let age = |at: Timestamp| now.duration_since(at).abs();
        let fresh = state.keys.as_ref().is_some_and(|(_, at)| age(*at) < MAX_AGE);
        let just_tried = state.tried.as_ref().is_some_and(|(at, _)| age(*at) < MIN_INTERVAL);
        if (!fresh || one_is_missing) && !just_tried {
            match self.fetch() {
                Ok(keys) => *state = State { keys: Some((keys, now)), tried: Some((now, None)) },
                Err(error) => state.tried = Some((now, Some(error))),
            }
        }
        let failed = state.tried.as_ref().and_then(|(_, failed)| failed.clone());
        match (&state.keys, failed) {
            // The issuer may have a new key, and cannot be asked for it.
            (_, Some(failed)) if one_is_missing => Err(failed),
            (Some((keys, at)), _) if age(*at) < MAX_AGE_WITHOUT_ISSUER => Ok(keys.clone()),
            (_, Some(failed)) => Err(failed),
            (Some((keys, _)), None) => Ok(keys.clone()),
            (None, None) => Err(KeysUnavailable::Fetch(format!("the keys of {} were not fetched", self.issuer_url))),
        }
    }

    fn fetch(&self) -> Result<JsonWebKeySet, KeysUnavailable> {
        let not_asked = || KeysUnavailable::Fetch(format!("nobody asks {} for its keys here", self.issuer_url));
        let document = (self.fetcher.as_ref().ok_or_else(not_asked)?.0)(&self.issuer_url)?;
        JsonWebKeySet::parse(&document)
            .map_err(|error| KeysUnavailable::Malformed { issuer_url: self.issuer_url.clone(), error })
    }
}

const MAX_AGE: SignedDuration = SignedDuration::from_hours(1);

/// How long keys are used that cannot be fetched again: a key that was taken back must not live for ever.
const MAX_AGE_WITHOUT_ISSUER: SignedDuration = SignedDuration::from_hours(24);

/// The floor between two fetches.
const MIN_INTERVAL: SignedDuration = SignedDuration::from_secs(30);

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use serde_json::json;

    use super::*;
    use crate::crypto::{ServiceKey, ServiceKeyKind};
    use crate::identity_token::sign_rs256;

    static KEYS: LazyLock<[ServiceKey; 2]> =
        LazyLock::new(|| [(); 2].map(|()| ServiceKey::generate(ServiceKeyKind::Rsa2048).unwrap()));

    const ISSUER: &str = "https://issuer.example";

    /// What the issuer answers, and how often it was asked.
    #[derive(Clone)]
    struct Issuer(Arc<Mutex<(Option<usize>, u32)>>);

    impl Issuer {
        fn new(key: Option<usize>) -> Self {
            Self(Arc::new(Mutex::new((key, 0))))
        }

        fn keys(&self) -> IssuerKeys {
            let issuer = self.clone();
            let fetch = move |asked: &str| {
                assert_eq!(asked, ISSUER);
                let mut state = issuer.0.lock().unwrap();
                state.1 += 1;
                let key = state.0.ok_or_else(|| KeysUnavailable::Fetch("down".to_owned()))?;
                Ok(JsonWebKeySet::document(&KEYS[key], &key.to_string()).unwrap().to_string().into_bytes())
            };
            IssuerKeys::fetched(ISSUER.to_owned(), Some(KeyFetcher::new(fetch)))
        }

        fn rotate(&self, key: Option<usize>) {
            self.0.lock().unwrap().0 = key;
        }

        fn asked(&self) -> u32 {
            self.0.lock().unwrap().1
        }
    }

    fn verify(keys: &IssuerKeys, key: usize, second: i64) -> Result<(), String> {
        let claims = json!({"iss": ISSUER, "sub": "s", "aud": "sigstore", "iat": 0, "exp": 1_000_000});
        let token = sign_rs256(&claims, &KEYS[key], &key.to_string()).unwrap();
        let now = Timestamp::from_second(second).unwrap();
        keys.verify(&token, ISSUER, "sigstore", now).map(|_| ()).map_err(|error| error.to_string())
    }

    fn unknown_key() -> Result<(), String> {
        Err(IdentityTokenError::UnknownKey.to_string())
    }

    #[test]
    fn keys_are_fetched_once_an_hour() {
        let issuer = Issuer::new(Some(0));
        let keys = issuer.keys();
        for second in [0, 1, 1000, 3599] {
            assert_eq!(verify(&keys, 0, second), Ok(()));
        }
        assert_eq!(issuer.asked(), 1);
        assert_eq!(verify(&keys, 0, 3600), Ok(()));
        assert_eq!(issuer.asked(), 2);
    }

    #[test]
    fn a_new_key_is_fetched_at_once_but_not_for_everyone_who_asks() {
        let issuer = Issuer::new(Some(0));
        let keys = issuer.keys();
        assert_eq!(verify(&keys, 0, 0), Ok(()));
        issuer.rotate(Some(1));
        assert_eq!(verify(&keys, 1, 100), Ok(()));
        assert_eq!(issuer.asked(), 2);
        for second in 100..130 {
            assert_eq!(verify(&keys, 0, second), unknown_key(), "the old one is gone");
        }
        assert_eq!(issuer.asked(), 2);
        assert_eq!(verify(&keys, 0, 130), unknown_key());
        assert_eq!(issuer.asked(), 3);
    }

    #[test]
    fn an_issuer_that_is_down_is_no_fault_of_the_token() {
        let issuer = Issuer::new(None);
        let keys = issuer.keys();
        assert_eq!(verify(&keys, 0, 0), Err("down".to_owned()));
        assert_eq!(verify(&keys, 0, 29), Err("down".to_owned()));
        assert_eq!(issuer.asked(), 1);
        issuer.rotate(Some(0));
        assert_eq!(verify(&keys, 0, 30), Ok(()));
        issuer.rotate(None);
        assert_eq!(verify(&keys, 0, 3 * 3600), Ok(()), "what was fetched holds for a while");
        assert_eq!(verify(&keys, 1, 3 * 3600 + 60), Err("down".to_owned()), "but a new key cannot be seen");
        assert_eq!(verify(&keys, 0, 25 * 3600), Err("down".to_owned()));
    }
}
