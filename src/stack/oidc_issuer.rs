//! The OpenID Connect issuer: authorization code flow with PKCE, ID tokens with RS256, no accounts yet.

mod authorization;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

pub use authorization::{AuthorizationError, RedirectError, RedirectErrorCode, RedirectUri};

use crate::crypto::{ServiceKey, ServiceKeyError, Sha256Digest, random_bytes};
use crate::identity_token::{JsonWebKeySet, MalformedJsonWebKeySet, sign_rs256};

/// The actor.
#[derive(Debug)]
pub struct OidcIssuer {
    issuer: String,
    key: ServiceKey,
    key_id: String,
    keys: JsonWebKeySet,
    auto_login: Vec<String>,
    /// By SHA-256 of the code, so that looking one up takes no time that depends on a secret.
    codes: Mutex<HashMap<Sha256Digest, Grant>>,
}

impl OidcIssuer {
    /// An issuer at `issuer` that logs in everyone who asks as one of `auto_login`.
    ///
    /// # Errors
    /// [`MalformedJsonWebKeySet`] when `key` is not RSA.
    pub fn new(issuer: String, key: ServiceKey, auto_login: Vec<String>) -> Result<Self, MalformedJsonWebKeySet> {
        let key_id = URL_SAFE_NO_PAD.encode(key.verifying_key().spki_sha256());
        let keys = JsonWebKeySet::of(&key, &key_id)?;
        Ok(Self { issuer, key, key_id, keys, auto_login, codes: Mutex::default() })
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
            "grant_types_supported": ["authorization_code"],
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
            "scopes_supported": SCOPES,
            "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
            "claims_supported": ["iss", "sub", "aud", "iat", "exp", "email", "email_verified", "at_hash", "nonce"],
            "authorization_response_iss_parameter_supported": true,
        })
    }

    /// RFC 7517.
    ///
    /// # Errors
    /// [`MalformedJsonWebKeySet`] never in fact: the key was found good at the start.
    pub fn key_document(&self) -> Result<Value, MalformedJsonWebKeySet> {
        JsonWebKeySet::document(&self.key, &self.key_id)
    }

    /// RFC 6749 §4.1.1 with RFC 7636: where to send the browser, with a code.
    ///
    /// # Errors
    /// [`AuthorizationError`] says whether the client may be told by redirection.
    pub fn authorize(&self, query: &str, now: Timestamp) -> Result<RedirectUri, AuthorizationError> {
        let request = authorization::Request::read(query, &self.issuer)?;
        let email = self.log_in(request.login_hint.as_deref()).map_err(|error| request.refuse(error))?.to_owned();
        let code = URL_SAFE_NO_PAD.encode(random_bytes::<32>());
        let mut codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        codes.retain(|_, grant| grant.expires_at > now);
        if codes.len() >= MAX_CODES {
            return Err(request.refuse(RedirectError {
                code: RedirectErrorCode::TemporarilyUnavailable,
                description: "too many logins at once".to_owned(),
            }));
        }
        let grant = Grant {
            email,
            redirect_uri: request.redirect_uri.as_str().to_owned(),
            code_challenge: request.code_challenge.clone(),
            nonce: request.nonce.clone(),
            expires_at: now + CODE_LIFETIME,
        };
        codes.insert(Sha256Digest::of(code.as_bytes()), grant);
        Ok(request.answer(&code))
    }

    /// RFC 6749 §4.1.3 with RFC 7636 §4.5: the token response. A code is used up by success alone.
    ///
    /// # Errors
    /// [`TokenError`] as RFC 6749 §5.2 names it.
    pub fn token(&self, form: &str, basic: Option<(String, String)>, now: Timestamp) -> Result<Value, TokenError> {
        let form = Form::read(form)?;
        self.check_client(&form, basic)?;
        match form.get("grant_type") {
            Some("authorization_code") => {}
            Some(_) => return Err(TokenError::UnsupportedGrantType),
            None => return Err(TokenError::InvalidRequest("grant_type is missing")),
        }
        let code = Sha256Digest::of(form.get("code").unwrap_or_default().as_bytes());
        let mut codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        let grant = codes.get(&code).filter(|grant| grant.expires_at > now).ok_or(TokenError::InvalidCode)?;
        let verifier = form.get("code_verifier").ok_or(TokenError::InvalidCode)?;
        if form.get("redirect_uri") != Some(&grant.redirect_uri) {
            return Err(TokenError::InvalidCode);
        }
        if code_challenge(verifier).as_deref() != Some(&grant.code_challenge) {
            return Err(TokenError::InvalidCodeVerifier);
        }
        let answer = self.tokens(grant, now)?;
        codes.remove(&code);
        Ok(answer)
    }

    fn log_in(&self, login_hint: Option<&str>) -> Result<&str, RedirectError> {
        let refused = |description: &str| RedirectError {
            code: RedirectErrorCode::AccessDenied,
            description: description.to_owned(),
        };
        let found = match login_hint {
            Some(hint) => self.auto_login.iter().find(|email| *email == hint),
            None => self.auto_login.first(),
        };
        match found {
            Some(email) => Ok(email),
            None if self.auto_login.is_empty() => Err(refused("nobody can log in: start with --auto-login EMAIL")),
            None => Err(refused("nobody can log in under the address of login_hint")),
        }
    }

    /// One public client. A secret may be sent as long as it is empty, as Go's and Python's libraries do.
    fn check_client(&self, form: &Form, basic: Option<(String, String)>) -> Result<(), TokenError> {
        let by_basic = basic.is_some();
        let refused = TokenError::InvalidClient { by_basic };
        let (id, secret) = match &basic {
            Some((id, secret)) => (Some(id.as_str()), secret.as_str()),
            None => (form.get("client_id"), form.get("client_secret").unwrap_or_default()),
        };
        let agrees = form.get("client_id").is_none_or(|form_id| Some(form_id) == id);
        if id == Some(CLIENT_ID) && secret.is_empty() && agrees { Ok(()) } else { Err(refused) }
    }

    /// The access token is as good as an ID token, because sigstore-python sends it to Fulcio.
    fn tokens(&self, grant: &Grant, now: Timestamp) -> Result<Value, ServiceKeyError> {
        let issued_at = now.as_second();
        let mut claims = json!({
            "iss": self.issuer,
            "sub": subject(&grant.email),
            "aud": CLIENT_ID,
            "iat": issued_at,
            "exp": issued_at + TOKEN_LIFETIME.as_secs(),
            "email": grant.email,
            "email_verified": true,
        });
        let access_token = sign_rs256(&claims, &self.key, &self.key_id)?;
        if let Some(members) = claims.as_object_mut() {
            members.insert("at_hash".to_owned(), at_hash(&access_token).into());
            members.extend(grant.nonce.clone().map(|nonce| ("nonce".to_owned(), nonce.into())));
        }
        Ok(json!({
            "access_token": access_token,
            "token_type": "bearer",
            "expires_in": TOKEN_LIFETIME.as_secs(),
            "id_token": sign_rs256(&claims, &self.key, &self.key_id)?,
        }))
    }
}

/// A login that waits for its code to be redeemed.
#[derive(Debug)]
struct Grant {
    email: String,
    redirect_uri: String,
    code_challenge: String,
    nonce: Option<String>,
    expires_at: Timestamp,
}

/// A token request that is refused (RFC 6749 §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// `invalid_client`
    #[error("Invalid client credentials.")]
    InvalidClient {
        /// Whether the client tried HTTP Basic, which then must be challenged.
        by_basic: bool,
    },
    /// `invalid_grant`: unknown, expired or used, sent with another redirection address or without verifier.
    #[error("Invalid or expired code parameter.")]
    InvalidCode,
    /// `invalid_grant`: the code stays usable.
    #[error("Invalid code_verifier.")]
    InvalidCodeVerifier,
    /// `invalid_request`
    #[error("{0}")]
    InvalidRequest(&'static str),
    /// `server_error`
    #[error("the token cannot be signed: {0}")]
    Key(#[from] ServiceKeyError),
    /// `unsupported_grant_type`
    #[error("Unsupported grant_type.")]
    UnsupportedGrantType,
}

impl TokenError {
    /// `error` of RFC 6749 §5.2.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::InvalidClient { .. } => "invalid_client",
            Self::InvalidCode | Self::InvalidCodeVerifier => "invalid_grant",
            Self::InvalidRequest(_) => "invalid_request",
            Self::Key(_) => "server_error",
            Self::UnsupportedGrantType => "unsupported_grant_type",
        }
    }
}

/// `application/x-www-form-urlencoded`, each name once (RFC 6749 §3.1, §3.2).
struct Form(HashMap<String, String>);

impl Form {
    fn read(text: &str) -> Result<Self, TokenError> {
        let mut members = HashMap::new();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            if members.insert(name.into_owned(), value.into_owned()).is_some() {
                return Err(TokenError::InvalidRequest("a parameter stands twice"));
            }
        }
        Ok(Self(members))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// The challenge that `verifier` answers (RFC 7636 §4.2); `None` when it is not one (§4.1).
fn code_challenge(verifier: &str) -> Option<String> {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let well_formed = (43..=128).contains(&verifier.len()) && verifier.bytes().all(unreserved);
    well_formed.then(|| URL_SAFE_NO_PAD.encode(Sha256Digest::of(verifier.as_bytes())))
}

/// OpenID Connect Core §3.1.3.6: the left half of the digest.
fn at_hash(access_token: &str) -> String {
    let digest = Sha256Digest::of(access_token.as_bytes());
    URL_SAFE_NO_PAD.encode(left_half(&digest))
}

/// A stable name that is not the address: a client that confuses the two is found out here and not in the field.
fn subject(email: &str) -> String {
    let digest = Sha256Digest::of_parts(&[b"waxseal account\0", email.as_bytes()]);
    URL_SAFE_NO_PAD.encode(left_half(&digest))
}

fn left_half(digest: &Sha256Digest) -> &[u8] {
    digest.0.split_at(16).0
}

/// Every Sigstore client's own name, and so the audience of its tokens.
pub(super) const CLIENT_ID: &str = "sigstore";

const SCOPES: [&str; 2] = ["openid", "email"];

/// RFC 6749 §4.1.2: at most ten minutes.
const CODE_LIFETIME: SignedDuration = SignedDuration::from_mins(10);

/// As long as the certificate that it is good for.
const TOKEN_LIFETIME: SignedDuration = SignedDuration::from_mins(10);

/// Logins that are under way at once.
const MAX_CODES: usize = 1024;

#[cfg(test)]
mod tests;
