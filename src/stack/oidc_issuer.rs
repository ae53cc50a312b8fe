//! The OpenID Connect issuer: authorization code flow with PKCE, device flow, refresh tokens; ID tokens with RS256.
//!
//! People log in with a password, on a page of its own for each request: there are no sessions and no cookies, so no
//! other site can use one.

mod authorization;
mod browser;
mod device;
mod form;
mod people;
mod refresh;
mod throttle;
mod token;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

pub use self::authorization::{AuthorizationError, RedirectError, RedirectErrorCode, RedirectUri};
pub use self::browser::{Authorized, DeviceProblem, DeviceStep, LoginForm};
pub use self::people::{LoginMethod, LoginProblem, Person};
pub use self::token::TokenError;

use self::device::DeviceRequests;
use self::form::FormKey;
use self::people::People;
use self::refresh::RefreshTokens;
use super::accounts::AccountFile;
use crate::crypto::{ServiceKey, Sha256Digest, random_bytes};
use crate::identity_token::{JsonWebKeySet, MalformedJsonWebKeySet};

/// The actor.
#[derive(Debug)]
pub struct OidcIssuer {
    issuer: String,
    key: ServiceKey,
    key_id: String,
    keys: JsonWebKeySet,
    people: People,
    form_key: FormKey,
    /// By SHA-256 of the code, so that looking one up takes no time that depends on a secret.
    codes: Mutex<HashMap<Sha256Digest, Code>>,
    device_requests: DeviceRequests,
    refresh_tokens: RefreshTokens,
}

/// Whom an issuer logs in, and where it keeps what it must not forget.
#[derive(Clone, Debug)]
pub struct IssuerOptions {
    /// As whom everyone is logged in who asks, as long as there are no accounts.
    pub auto_login: Vec<String>,
    /// Who has a password.
    pub accounts: AccountFile,
    /// The folder for refresh tokens.
    pub refresh_tokens: PathBuf,
}

impl OidcIssuer {
    /// An issuer at `issuer`.
    ///
    /// # Errors
    /// [`MalformedJsonWebKeySet`] when `key` is not RSA.
    pub fn new(
        issuer: String,
        key: ServiceKey,
        options: IssuerOptions,
        now: Timestamp,
    ) -> Result<Self, MalformedJsonWebKeySet> {
        let key_id = URL_SAFE_NO_PAD.encode(key.verifying_key().spki_sha256());
        let keys = JsonWebKeySet::of(&key, &key_id)?;
        Ok(Self {
            issuer,
            key,
            key_id,
            keys,
            people: People::new(options.auto_login, options.accounts),
            form_key: FormKey::generate(),
            codes: Mutex::default(),
            device_requests: DeviceRequests::default(),
            refresh_tokens: RefreshTokens::open(options.refresh_tokens, now),
        })
    }

    /// The issuer's identifier.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The keys that its tokens verify with.
    #[must_use]
    pub fn keys(&self) -> &JsonWebKeySet {
        &self.keys
    }

    /// OpenID Connect Discovery §3.
    #[must_use]
    pub fn discovery(&self) -> Value {
        let issuer = &self.issuer;
        json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/auth"),
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/keys"),
            "device_authorization_endpoint": format!("{issuer}/device/code"),
            "revocation_endpoint": format!("{issuer}/revoke"),
            "grant_types_supported": ["authorization_code", "refresh_token", DEVICE_CODE],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
            "scopes_supported": SCOPES,
            "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
            "claims_supported":
                ["iss", "sub", "aud", "iat", "exp", "email", "email_verified", "auth_time", "jti", "nonce"],
            "authorization_response_iss_parameter_supported": true,
            "request_parameter_supported": false,
            "request_uri_parameter_supported": false,
        })
    }

    /// RFC 7517.
    ///
    /// # Errors
    /// [`MalformedJsonWebKeySet`] never in fact: the key was found good at the start.
    pub fn key_document(&self) -> Result<Value, MalformedJsonWebKeySet> {
        JsonWebKeySet::document(&self.key, &self.key_id)
    }

    /// A code for what `request` asked for; `None` when too many wait to be redeemed.
    fn new_code(&self, request: &authorization::Request, person: Person, now: Timestamp) -> Option<String> {
        let mut codes = self.codes();
        codes.retain(|_, code| code.expires_at() > now);
        if codes.len() >= MAX_CODES {
            return None;
        }
        let code = URL_SAFE_NO_PAD.encode(random_bytes::<32>());
        let grant = Grant {
            person,
            since: now,
            redirect_uri: request.redirect_uri.as_str().to_owned(),
            code_challenge: request.code_challenge.clone(),
            nonce: request.nonce.clone(),
            wants_refresh_token: request.wants_refresh_token,
            expires_at: now + CODE_LIFETIME,
        };
        codes.insert(Sha256Digest::of(code.as_bytes()), Code::Waiting(grant));
        Some(code)
    }

    fn codes(&self) -> MutexGuard<'_, HashMap<Sha256Digest, Code>> {
        self.codes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A code that was given out.
#[derive(Debug)]
enum Code {
    /// To be redeemed.
    Waiting(Grant),
    /// Redeemed: if it comes again, someone stole it, and its refresh token goes (RFC 6749 §4.1.2).
    Used { login: Option<String>, expires_at: Timestamp },
}

impl Code {
    fn expires_at(&self) -> Timestamp {
        match self {
            Self::Waiting(grant) => grant.expires_at,
            Self::Used { expires_at, .. } => *expires_at,
        }
    }
}

/// A login that waits for its code to be redeemed.
#[derive(Clone, Debug)]
struct Grant {
    person: Person,
    /// When the person logged in.
    since: Timestamp,
    redirect_uri: String,
    code_challenge: String,
    nonce: Option<String>,
    wants_refresh_token: bool,
    expires_at: Timestamp,
}

fn left_half(digest: &Sha256Digest) -> &[u8] {
    digest.0.split_at(16).0
}

/// Every Sigstore client's own name, and so the audience of its tokens.
pub(super) const CLIENT_ID: &str = "sigstore";

const SCOPES: [&str; 3] = ["openid", "email", OFFLINE_ACCESS];

/// OpenID Connect Core §11.
const OFFLINE_ACCESS: &str = "offline_access";

/// RFC 8628 §3.4.
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// RFC 6749 §4.1.2: at most ten minutes.
const CODE_LIFETIME: SignedDuration = SignedDuration::from_mins(10);

/// As long as the certificate that it is good for.
const TOKEN_LIFETIME: SignedDuration = SignedDuration::from_mins(10);

/// Logins that are under way at once.
const MAX_CODES: usize = 1024;

#[cfg(test)]
mod tests;
