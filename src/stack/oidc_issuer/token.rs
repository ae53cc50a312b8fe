//! The endpoints that programs call: token, device authorization, revocation.

use std::io;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::authorization::Scopes;
use super::device::{INTERVAL, LIFETIME, Poll};
use super::form::{Form, NotOnce};
use super::refresh::RefreshError;
use super::{CLIENT_ID, Code, DEVICE_CODE, OidcIssuer, Person, TOKEN_LIFETIME};
use crate::crypto::{ServiceKeyError, Sha256Digest, random_bytes};
use crate::identity_token::sign_rs256;
use crate::stack::accounts::AccountError;
use crate::stack::data_folder::DataFolderError;

impl OidcIssuer {
    /// RFC 6749 §3.2: the token response. Name and secret of HTTP Basic come apart, for they stand in a header.
    ///
    /// # Errors
    /// [`TokenError`] as RFC 6749 §5.2 and RFC 8628 §3.5 name it.
    pub fn token(&self, form: &str, basic: Option<(String, String)>, now: Timestamp) -> Result<Value, TokenError> {
        let form = Form::read(form)?;
        check_client(&form, basic)?;
        match form.get("grant_type") {
            Some("authorization_code") => self.redeem_code(&form, now),
            Some(DEVICE_CODE) => self.redeem_device_code(&form, now),
            Some("refresh_token") => self.refresh(&form, now),
            Some(_) => Err(TokenError::UnsupportedGrantType),
            None => Err(TokenError::InvalidRequest("grant_type is missing")),
        }
    }

    /// RFC 8628 §3.1: the device authorization response.
    ///
    /// # Errors
    /// [`TokenError`] as there.
    pub fn begin_device_flow(
        &self,
        form: &str,
        basic: Option<(String, String)>,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<Value, TokenError> {
        let form = Form::read(form)?;
        check_client(&form, basic)?;
        let scope = Some(form.value("scope")).filter(|scope| !scope.is_empty()).unwrap_or("openid");
        let scopes = Scopes::read(scope).ok_or(TokenError::InvalidScope)?;
        let challenge = form.get("code_challenge").filter(|challenge| !challenge.is_empty());
        if challenge.is_some() && form.get("code_challenge_method") != Some("S256") {
            return Err(TokenError::InvalidRequest("code_challenge_method must be S256"));
        }
        let codes = self.device_requests.begin(challenge.map(str::to_owned), scopes.offline_access, from, now);
        let codes = codes.ok_or(TokenError::TooManyDevices)?;
        let page = format!("{}/device", self.issuer);
        Ok(json!({
            "device_code": codes.device_code,
            "verification_uri_complete": format!("{page}?user_code={}", codes.user_code),
            "user_code": codes.user_code,
            "verification_uri": page,
            "expires_in": LIFETIME.as_secs(),
            "interval": INTERVAL.as_secs(),
        }))
    }

    /// RFC 7009 §2.1. Only refresh tokens can be revoked; others are not asked about by anyone.
    ///
    /// # Errors
    /// [`TokenError`] as RFC 6749 §5.2 names it; a token that is unknown is revoked already.
    pub fn revoke(&self, form: &str, basic: Option<(String, String)>) -> Result<(), TokenError> {
        let form = Form::read(form)?;
        check_client(&form, basic)?;
        let token = form.get("token").ok_or(TokenError::InvalidRequest("token is missing"))?;
        Ok(self.refresh_tokens.revoke(token)?)
    }

    /// RFC 6749 §4.1.3 with RFC 7636 §4.5. A code is used up by success alone.
    fn redeem_code(&self, form: &Form, now: Timestamp) -> Result<Value, TokenError> {
        let code = Sha256Digest::of(form.value("code").as_bytes());
        let verifier = form.get("code_verifier").ok_or(TokenError::InvalidCode)?;
        let grant = {
            let mut codes = self.codes();
            match codes.get(&code).filter(|code| code.expires_at() > now) {
                None => return Err(TokenError::InvalidCode),
                Some(Code::Used { login, .. }) => {
                    login.iter().for_each(|login| self.refresh_tokens.end(login));
                    return Err(TokenError::InvalidCode);
                }
                Some(Code::Waiting(grant)) => {
                    if form.get("redirect_uri") != Some(&grant.redirect_uri) {
                        return Err(TokenError::InvalidCode);
                    }
                    if code_challenge(verifier).as_deref() != Some(&grant.code_challenge) {
                        return Err(TokenError::InvalidCodeVerifier);
                    }
                    let grant = grant.clone();
                    let used = Code::Used { login: None, expires_at: grant.expires_at };
                    codes.insert(code, used);
                    grant
                }
            }
        };
        let (answer, login) =
            self.first_tokens(&grant.person, grant.nonce, grant.since, grant.wants_refresh_token, now)?;
        let mut codes = self.codes();
        match login {
            Some(_) => codes.insert(code, Code::Used { login, expires_at: grant.expires_at }),
            // If it comes again there is nothing to end, and it must not take the place of a login that is under way.
            None => codes.remove(&code),
        };
        drop(codes);
        Ok(answer)
    }

    fn redeem_device_code(&self, form: &Form, now: Timestamp) -> Result<Value, TokenError> {
        let device_code = form.get("device_code").ok_or(TokenError::InvalidRequest("device_code is missing"))?;
        let verifier = form.get("code_verifier").filter(|verifier| !verifier.is_empty());
        // RFC 7636 §4.6; and a verifier without a challenge is a client that thinks itself safer than it is.
        let answers = |challenge: Option<&str>| match (challenge, verifier) {
            (None, None) => true,
            (Some(challenge), Some(verifier)) => code_challenge(verifier).as_deref() == Some(challenge),
            (None, Some(_)) | (Some(_), None) => false,
        };
        match self.device_requests.poll(device_code, answers, now) {
            Poll::Allowed { person, since, wants_refresh_token } => {
                Ok(self.first_tokens(&person, None, since, wants_refresh_token, now)?.0)
            }
            Poll::Expired => Err(TokenError::ExpiredToken),
            Poll::Pending => Err(TokenError::AuthorizationPending),
            Poll::Refused => Err(TokenError::AccessDenied),
            Poll::TooSoon => Err(TokenError::SlowDown),
            Poll::Unknown => Err(TokenError::InvalidDeviceCode),
            Poll::WrongVerifier => Err(TokenError::InvalidCodeVerifier),
        }
    }

    fn refresh(&self, form: &Form, now: Timestamp) -> Result<Value, TokenError> {
        let token = form.get("refresh_token").ok_or(TokenError::InvalidRequest("refresh_token is missing"))?;
        let scope = form.value("scope");
        if !scope.is_empty() && Scopes::read(scope).is_none() {
            return Err(TokenError::InvalidScope);
        }
        let people = self.people.now()?;
        let (person, since, next) = self.refresh_tokens.rotate(token, |person| people.know(person), now)?;
        Ok(self.tokens(&person, None, since, Some(next), now)?)
    }

    /// With a refresh token if one is wanted and there is room; the login's name comes along with it.
    fn first_tokens(
        &self,
        person: &Person,
        nonce: Option<String>,
        since: Timestamp,
        wants_refresh_token: bool,
        now: Timestamp,
    ) -> Result<(Value, Option<String>), TokenError> {
        let refresh = match wants_refresh_token.then(|| self.refresh_tokens.begin(person, since, now)) {
            // The next login is in a browser then, as for every client that did not ask.
            None | Some(Err(RefreshError::Full)) => None,
            Some(Err(RefreshError::Io(error))) if error.kind() == io::ErrorKind::StorageFull => None,
            Some(begun) => Some(begun?),
        };
        let (refresh_token, login) = refresh.unzip();
        Ok((self.tokens(person, nonce, since, refresh_token, now)?, login))
    }

    /// One signature: the access token is the ID token, as with dex, because sigstore-python sends it to Fulcio. That
    /// leaves no place for `at_hash`, which this flow does not need (OpenID Connect Core §3.1.3.6).
    fn tokens(
        &self,
        person: &Person,
        nonce: Option<String>,
        since: Timestamp,
        refresh_token: Option<String>,
        now: Timestamp,
    ) -> Result<Value, ServiceKeyError> {
        let issued_at = now.as_second();
        let mut claims = json!({
            "iss": self.issuer,
            "sub": person.subject,
            "aud": CLIENT_ID,
            "iat": issued_at,
            "exp": issued_at + TOKEN_LIFETIME.as_secs(),
            "auth_time": since.as_second(),
            "jti": URL_SAFE_NO_PAD.encode(random_bytes::<16>()),
            "email": person.email,
            "email_verified": true,
        });
        if let Some(members) = claims.as_object_mut() {
            members.extend(nonce.map(|nonce| ("nonce".to_owned(), nonce.into())));
        }
        let token = sign_rs256(&claims, &self.key, &self.key_id)?;
        let mut answer = json!({
            "access_token": token,
            "token_type": "bearer",
            "expires_in": TOKEN_LIFETIME.as_secs(),
            "id_token": token,
        });
        if let Some(members) = answer.as_object_mut() {
            members.extend(refresh_token.map(|token| ("refresh_token".to_owned(), token.into())));
        }
        Ok(answer)
    }
}

/// One public client. A secret may be sent as long as it is empty, as Go's and Python's libraries do.
fn check_client(form: &Form, basic: Option<(String, String)>) -> Result<(), TokenError> {
    let by_basic = basic.is_some();
    let refused = TokenError::InvalidClient { by_basic };
    let (id, secret) = match &basic {
        Some((id, secret)) => (Some(id.as_str()), secret.as_str()),
        None => (form.get("client_id"), form.value("client_secret")),
    };
    let agrees = form.get("client_id").is_none_or(|form_id| Some(form_id) == id);
    if id == Some(CLIENT_ID) && secret.is_empty() && agrees { Ok(()) } else { Err(refused) }
}

/// A token request that is refused (RFC 6749 §5.2, RFC 8628 §3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// `access_denied`
    #[error("The request was refused.")]
    AccessDenied,
    /// `authorization_pending`
    #[error("Nobody has entered the code yet.")]
    AuthorizationPending,
    /// `expired_token`
    #[error("The device code has expired.")]
    ExpiredToken,
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
    /// `invalid_request`, as dex answers.
    #[error("Invalid Device code.")]
    InvalidDeviceCode,
    /// `invalid_grant`
    #[error("Refresh token is invalid or has already been claimed by another client.")]
    InvalidRefreshToken,
    /// `invalid_request`
    #[error("{0}")]
    InvalidRequest(&'static str),
    /// `invalid_scope`
    #[error("{}", Scopes::WHAT_IS_ALLOWED)]
    InvalidScope,
    /// `server_error`
    #[error("the token cannot be signed: {0}")]
    Key(#[from] ServiceKeyError),
    /// `slow_down`
    #[error("The next poll came too soon.")]
    SlowDown,
    /// `temporarily_unavailable`: the token that came is still good.
    #[error("The disk is full.")]
    DiskFull,
    /// `server_error`: accounts or refresh tokens.
    #[error("accounts or refresh tokens cannot be read or written: {0}")]
    Storage(io::ErrorKind),
    /// `temporarily_unavailable`
    #[error("Too many devices wait for their codes to be entered.")]
    TooManyDevices,
    /// `unsupported_grant_type`
    #[error("Unsupported grant_type.")]
    UnsupportedGrantType,
}

impl TokenError {
    /// `error` of RFC 6749 §5.2.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::AuthorizationPending => "authorization_pending",
            Self::ExpiredToken => "expired_token",
            Self::InvalidClient { .. } => "invalid_client",
            Self::InvalidCode | Self::InvalidCodeVerifier | Self::InvalidRefreshToken => "invalid_grant",
            Self::InvalidDeviceCode | Self::InvalidRequest(_) => "invalid_request",
            Self::InvalidScope => "invalid_scope",
            Self::Key(_) | Self::Storage(_) => "server_error",
            Self::SlowDown => "slow_down",
            Self::DiskFull | Self::TooManyDevices => "temporarily_unavailable",
            Self::UnsupportedGrantType => "unsupported_grant_type",
        }
    }
}

impl From<NotOnce> for TokenError {
    fn from(_: NotOnce) -> Self {
        Self::InvalidRequest("a parameter stands twice")
    }
}

impl From<RefreshError> for TokenError {
    fn from(error: RefreshError) -> Self {
        match error {
            RefreshError::Full => Self::Storage(io::ErrorKind::QuotaExceeded),
            RefreshError::Invalid => Self::InvalidRefreshToken,
            RefreshError::Io(error) if error.kind() == io::ErrorKind::StorageFull => Self::DiskFull,
            RefreshError::Io(error) => Self::Storage(error.kind()),
        }
    }
}

impl From<AccountError> for TokenError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::File(DataFolderError::Io { error, .. }) => Self::Storage(error.kind()),
            _ => Self::Storage(io::ErrorKind::InvalidData),
        }
    }
}

/// The challenge that `verifier` answers (RFC 7636 §4.2); `None` when it is not one (§4.1).
pub(super) fn code_challenge(verifier: &str) -> Option<String> {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let well_formed = (43..=128).contains(&verifier.len()) && verifier.bytes().all(unreserved);
    well_formed.then(|| URL_SAFE_NO_PAD.encode(Sha256Digest::of(verifier.as_bytes())))
}
