//! The authorization request, and the redirection that answers it.

use std::net::Ipv6Addr;

use url::{Host, Url};

use super::form::Form;
use super::{CLIENT_ID, OFFLINE_ACCESS, SCOPES};
use crate::stack::accounts::AccountError;

/// RFC 6749 §4.1.1 with RFC 7636 §4.3, read and found good.
pub(super) struct Request {
    pub(super) redirect_uri: RedirectUri,
    issuer: String,
    state: Option<String>,
    pub(super) nonce: Option<String>,
    pub(super) code_challenge: String,
    pub(super) login_hint: Option<String>,
    pub(super) wants_refresh_token: bool,
    /// OpenID Connect Core §3.1.2.1, `prompt=none`: no page may be shown.
    pub(super) must_be_silent: bool,
}

impl Request {
    /// `issuer` is put into every answer (RFC 9207).
    pub(super) fn read(query: &str, issuer: &str) -> Result<Self, AuthorizationError> {
        if query.len() > MAX_QUERY_BYTES {
            return Err(AuthorizationError::Page("The request is too long."));
        }
        let parameters = Form::read(query).map_err(|_twice| AuthorizationError::Page("A parameter stands twice."))?;
        if parameters.value("client_id") != CLIENT_ID {
            return Err(AuthorizationError::UnknownClient);
        }
        let redirect_uri = RedirectUri::parse(parameters.value("redirect_uri"));
        let redirect_uri = redirect_uri.ok_or(AuthorizationError::Page("Unregistered redirect_uri."))?;
        let state = parameters.get("state");
        // From here on the client is told, by way of the browser.
        let refuse = |code, description: &str| {
            let error = RedirectError { code, description: description.to_owned() };
            Err(AuthorizationError::Redirect(redirect_uri.refuse(state, issuer, &error)))
        };
        let parameter = |name: &str| parameters.value(name);
        if parameter("response_type") != "code" {
            return refuse(RedirectErrorCode::UnsupportedResponseType, "response_type must be code");
        }
        if parameters.get("request").is_some() || parameters.get("request_uri").is_some() {
            return refuse(RedirectErrorCode::RequestNotSupported, "request objects are not supported");
        }
        if !matches!(parameter("response_mode"), "" | "query") {
            return refuse(RedirectErrorCode::InvalidRequest, "response_mode must be query");
        }
        let Some(scopes) = Scopes::read(parameter("scope")) else {
            return refuse(RedirectErrorCode::InvalidScope, Scopes::WHAT_IS_ALLOWED);
        };
        let base64url = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let challenge = parameter("code_challenge");
        if parameter("code_challenge_method") != "S256" || challenge.len() != 43 || !challenge.bytes().all(base64url) {
            return refuse(
                RedirectErrorCode::InvalidRequest,
                "a code_challenge with code_challenge_method S256 is needed",
            );
        }
        Ok(Self {
            code_challenge: challenge.to_owned(),
            state: state.map(str::to_owned),
            redirect_uri,
            issuer: issuer.to_owned(),
            nonce: parameters.get("nonce").map(str::to_owned),
            login_hint: parameters.get("login_hint").filter(|hint| !hint.is_empty()).map(str::to_owned),
            wants_refresh_token: scopes.offline_access,
            must_be_silent: parameter("prompt").split(' ').any(|prompt| prompt == "none"),
        })
    }

    /// Where the browser goes after a login.
    pub(super) fn answer(&self, code: &str) -> RedirectUri {
        self.redirect_uri.with(&[("code", Some(code)), ("state", self.state.as_deref()), ("iss", Some(&self.issuer))])
    }

    pub(super) fn refuse(&self, error: &RedirectError) -> AuthorizationError {
        AuthorizationError::Redirect(self.redirect_uri.refuse(self.state.as_deref(), &self.issuer, error))
    }
}

/// The scopes that a client asked for.
pub(super) struct Scopes {
    /// OpenID Connect Core §11.
    pub(super) offline_access: bool,
}

impl Scopes {
    pub(super) const WHAT_IS_ALLOWED: &'static str = "scope must have openid, and may have email and offline_access";

    /// `None` when `openid` is missing or another scope is there.
    pub(super) fn read(text: &str) -> Option<Self> {
        let scopes: Vec<_> = text.split(' ').filter(|scope| !scope.is_empty()).collect();
        let allowed = scopes.contains(&"openid") && scopes.iter().all(|scope| SCOPES.contains(scope));
        allowed.then(|| Self { offline_access: scopes.contains(&OFFLINE_ACCESS) })
    }
}

/// Where a public client may have its code sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedirectUri {
    /// `http` on a loopback address, any port and path (RFC 8252 §7.3).
    Loopback {
        /// Exactly what the client sent.
        text: String,
        /// The same, parsed.
        url: Url,
    },
    /// A page that shows the code, for a person to copy. Holds the code, once there is one.
    OutOfBand(Option<String>),
}

impl RedirectUri {
    fn parse(text: &str) -> Option<Self> {
        if text == OUT_OF_BAND {
            return Some(Self::OutOfBand(None));
        }
        let url = Url::parse(text).ok()?;
        let is_loopback = match url.host()? {
            Host::Domain(name) => name == "localhost",
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address == Ipv6Addr::LOCALHOST,
        };
        let plain =
            url.scheme() == "http" && url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        (is_loopback && plain).then(|| Self::Loopback { text: text.to_owned(), url })
    }

    /// What the client sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Loopback { text, .. } => text,
            Self::OutOfBand(_) => OUT_OF_BAND,
        }
    }

    /// Scheme, host and port; `None` for the page that shows the code.
    #[must_use]
    pub fn origin(&self) -> Option<String> {
        match self {
            Self::Loopback { url, .. } => Some(url.origin().ascii_serialization()),
            Self::OutOfBand(_) => None,
        }
    }

    /// The parameters are added to those that the address has (RFC 6749 §3.1.2).
    fn with(&self, parameters: &[(&str, Option<&str>)]) -> Self {
        match self {
            Self::Loopback { text, url } => {
                let mut url = url.clone();
                let present = parameters.iter().filter_map(|(name, value)| value.map(|value| (name, value)));
                url.query_pairs_mut().extend_pairs(present);
                Self::Loopback { text: text.clone(), url }
            }
            Self::OutOfBand(_) => {
                let code = parameters.iter().find(|(name, _)| *name == "code");
                Self::OutOfBand(code.and_then(|(_, code)| code.map(str::to_owned)))
            }
        }
    }

    fn refuse(&self, state: Option<&str>, issuer: &str, error: &RedirectError) -> Self {
        let (code, description) = (error.code.as_str(), error.description.as_str());
        self.with(&[
            ("error", Some(code)),
            ("error_description", Some(description)),
            ("state", state),
            ("iss", Some(issuer)),
        ])
    }
}

/// An authorization request that is refused.
#[derive(Debug)]
pub enum AuthorizationError {
    /// The accounts cannot be read: the stack's own fault.
    Accounts(AccountError),
    /// To be shown to the person: the client, or where to send the browser, is not known.
    Page(&'static str),
    /// To be told to the client: an address with `error` in its query.
    Redirect(RedirectUri),
    /// Shown to the person, too, and not found, as dex has it.
    UnknownClient,
}

impl From<AccountError> for AuthorizationError {
    fn from(error: AccountError) -> Self {
        Self::Accounts(error)
    }
}

/// What the client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectError {
    /// `error`
    pub code: RedirectErrorCode,
    /// `error_description`
    pub description: String,
}

/// RFC 6749 §4.1.2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedirectErrorCode {
    /// `access_denied`
    AccessDenied,
    /// `invalid_request`
    InvalidRequest,
    /// `invalid_scope`
    InvalidScope,
    /// `login_required` (OpenID Connect Core §3.1.2.6)
    LoginRequired,
    /// `request_not_supported` (OpenID Connect Core §3.1.2.6)
    RequestNotSupported,
    /// `temporarily_unavailable`
    TemporarilyUnavailable,
    /// `unsupported_response_type`
    UnsupportedResponseType,
}

impl RedirectErrorCode {
    fn as_str(self) -> &'static str {
        match self {
            Self::AccessDenied => "access_denied",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidScope => "invalid_scope",
            Self::LoginRequired => "login_required",
            Self::RequestNotSupported => "request_not_supported",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::UnsupportedResponseType => "unsupported_response_type",
        }
    }
}

/// The page carries it, in base64, and brings it back.
const MAX_QUERY_BYTES: usize = 16 * 1024;

const OUT_OF_BAND: &str = "urn:ietf:wg:oauth:2.0:oob";

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn only_loopback_may_receive_a_code() {
        for good in [
            "http://localhost:39911/auth/callback",
            "http://localhost:1",
            "http://localhost",
            "http://127.0.0.1:4/x?y=z",
            "http://127.8.9.1:4/",
            "http://[::1]:4/",
            OUT_OF_BAND,
        ] {
            assert_eq!(RedirectUri::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "https://localhost:1/",
            "http://evil.example/cb",
            "http://localhost.evil.example/",
            "http://a.localhost/",
            "http://localhost@evil.example/",
            "http://user@localhost/",
            "http://localhost/#x",
            "http://10.0.0.1/",
            "javascript:alert(1)",
            "/relative",
            "",
            "urn:ietf:wg:oauth:2.0:oob:auto",
        ] {
            assert_eq!(RedirectUri::parse(bad), None, "{bad}");
        }
        // Other spellings of 127.0.0.1 are normalised before they are judged.
        assert!(RedirectUri::parse(&format!("http://{}/", u32::from(Ipv4Addr::LOCALHOST))).is_some());
    }
}
