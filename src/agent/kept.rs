//! A login as the key ring keeps it: what it was asked for, its tokens, and until when. Never a key.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::message::{Asked, Hidden, to_json};
use crate::crypto::Sha256Digest;
use crate::identity_token::{IdentityToken, MalformedIdentityToken};
use crate::key_ring::{self, Everything, Item, KeyRingError};
use crate::oidc::RefreshToken;

/// A login out of the key ring.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    asked: Asked,
    token: Hidden,
    refresh_token: Option<Hidden>,
    /// When it is over, whatever the issuer would allow.
    until: Timestamp,
}

impl Kept {
    pub(super) fn new(
        asked: &Asked,
        token: &IdentityToken,
        refresh_token: Option<&RefreshToken>,
        until: Timestamp,
    ) -> Self {
        Self {
            asked: asked.clone(),
            token: Hidden::new(token.expose()),
            refresh_token: refresh_token.map(|token| Hidden::new(token.expose())),
            until,
        }
    }

    /// The one that was asked for as `asked`. One of an instance that has become another one since, or that is over, is none.
    ///
    /// # Errors
    /// [`KeyRingError`]
    pub(super) async fn find(asked: &Asked, now: Timestamp) -> Result<Option<Self>, KeyRingError> {
        let Some(secret) = item(asked).read().await? else { return Ok(None) };
        let kept: Option<Self> = serde_json::from_slice(&secret).ok();
        Ok(kept.filter(|kept| kept.asked == *asked && now < kept.until && kept.is_of_use(now)))
    }

    /// Puts it into the key ring, in the place of the one before.
    pub(super) async fn keep(&self) -> Result<(), KeyRingError> {
        let secret =
            to_json(self).map_err(|error| KeyRingError::Failed(format!("a login cannot be written: {error}")))?;
        item(&self.asked).write(secret).await
    }

    /// The ID token, whether it still lives or not.
    ///
    /// # Errors
    /// [`MalformedIdentityToken`] when somebody else wrote it.
    pub fn token(&self) -> Result<IdentityToken, MalformedIdentityToken> {
        IdentityToken::parse(self.token.expose().to_owned())
    }

    /// What gives the next one.
    #[must_use]
    pub fn refresh_token(&self) -> Option<RefreshToken> {
        self.refresh_token.as_ref().map(|token| RefreshToken::new(token.expose().to_owned()))
    }

    /// The OpenID Connect issuer.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.asked.issuer
    }

    /// For whom its tokens are made.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.asked.client_id
    }

    /// When it is over.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        self.until
    }

    fn is_of_use(&self, now: Timestamp) -> bool {
        self.refresh_token.is_some() || self.token().is_ok_and(|token| token.claims().expires_at > now)
    }
}

/// The logins in the key ring, of an instance or all.
#[derive(Debug)]
pub struct KeptLogins(Everything);

impl KeptLogins {
    /// Reads them, and deletes nothing.
    ///
    /// # Errors
    /// [`KeyRingError`]
    pub async fn read(instance: Option<&str>) -> Result<Self, KeyRingError> {
        Ok(Self(key_ring::read_all(instance).await?))
    }

    /// How many items there are; what is none of ours in one of them is no login.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.secrets.len()
    }

    /// What can be read of them.
    pub fn logins(&self) -> impl Iterator<Item = Kept> {
        self.0.secrets.iter().filter_map(|(_, secret)| serde_json::from_slice(secret).ok())
    }

    /// Deletes each. Gives why there may still be one.
    pub async fn forget(self) -> Option<KeyRingError> {
        let mut trouble = self.0.unread;
        for (item, _) in self.0.secrets {
            match item.delete().await {
                Ok(()) => {}
                // The others would be waited for as long.
                Err(KeyRingError::TooSlow) => return Some(KeyRingError::TooSlow),
                Err(error) => trouble = Some(error),
            }
        }
        trouble
    }
}

/// Forgets the one that was asked for as `asked`.
pub(super) async fn forget(asked: &Asked) -> Result<(), KeyRingError> {
    item(asked).delete().await
}

/// Where it is kept. What the instance is like is no part of that: otherwise those of older trusted roots would pile up.
fn item(asked: &Asked) -> Item {
    let Asked { instance, instance_sha256: _, issuer, client_id, connector_id, login_hint } = asked;
    let name = serde_json::json!([instance, issuer, client_id, connector_id, login_hint]).to_string();
    Item::new(instance, &Sha256Digest::of(name.as_bytes()).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_names_the_item() {
        let asked = |digest: &str, hint: Option<&str>| Asked {
            instance: "home".to_owned(),
            instance_sha256: digest.to_owned(),
            issuer: "https://issuer.example".to_owned(),
            client_id: "sigstore".to_owned(),
            connector_id: None,
            login_hint: hint.map(ToOwned::to_owned),
        };
        assert_eq!(item(&asked("1", None)), item(&asked("2", None)));
        assert_ne!(item(&asked("1", None)), item(&asked("1", Some("alice@example.org"))));
        assert!(format!("{:?}", item(&asked("1", None))).contains("\"home "));
    }

    #[test]
    fn tokens_are_not_shown() {
        let json = r#"{"asked":{"instance":"home","instance_sha256":"1","issuer":"i","client_id":"c","connector_id":null,
            "login_hint":null},"token":"secret","refresh_token":"secret","until":"2026-03-01T00:00:00Z"}"#;
        let kept: Kept = serde_json::from_str(json).unwrap();
        assert!(!format!("{kept:?}").contains("secret"));
        assert_eq!(kept.refresh_token().unwrap().expose(), "secret");
        assert!(kept.token().is_err());
    }
}
