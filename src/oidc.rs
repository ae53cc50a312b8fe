//! Signing in: how an identity token is come by.
//!
//! For now a token from the environment or the browser; the device flow and the tokens of CI systems come later.

mod browser;
mod callback;
mod opener;
mod page;

use std::io;
use std::time::Duration;

pub use opener::{BadTemplate, OPEN_BROWSER, Opener};
pub use openidconnect::ClaimsVerificationError;

use crate::identity_token::{IdentityToken, MalformedIdentityToken};
use crate::services::ServiceError;
use crate::services::http::Http;
use crate::terminal::Terminal;

/// How to sign in.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    /// The OpenID Connect issuer, byte for byte.
    pub issuer: &'a str,
    /// Whom the token is made for.
    pub client_id: &'a str,
    /// The address that the issuer may suggest.
    pub login_hint: Option<&'a str>,
    /// How the browser is started.
    pub opener: &'a Opener,
}

impl Login<'_> {
    /// Lets the user sign in with a browser. This may take minutes.
    ///
    /// # Errors
    /// [`LoginError`]
    pub async fn with_browser(&self, http: &Http, terminal: &Terminal) -> Result<IdentityToken, LoginError> {
        browser::sign_in(self, http, terminal).await
    }
}

/// No identity token was obtained.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The access token is not the one that came with the ID token (OpenID Connect Core §3.1.3.8).
    #[error("the issuer's tokens do not belong together: at_hash does not match the access token")]
    AccessTokenHash,
    /// The address of the login page.
    #[error("the issuer names a login page that is neither https nor on this machine: {0}")]
    AuthorizationEndpoint(String),
    /// The ID token is not what was asked for.
    #[error("the issuer's identity token is not acceptable: {}", claims_error(.0))]
    IdToken(ClaimsVerificationError),
    /// The discovery document is another issuer's.
    #[error("the OpenID Connect issuer {issuer} calls itself something else: {says}")]
    IssuerMismatch {
        /// What was configured.
        issuer: String,
        /// What it says, or what the library says about it.
        says: String,
    },
    /// The callback address.
    #[error("cannot listen for the browser on a local port: {0}")]
    Listen(io::Error),
    /// The token that was obtained is no ID token.
    #[error("the issuer's identity token cannot be read: {0}")]
    Malformed(#[from] MalformedIdentityToken),
    /// The token answer has no ID token.
    #[error("the issuer gave no identity token")]
    NoIdToken,
    /// No browser, and no terminal that could show the address.
    #[error("no browser could be started ({0}), and there is no terminal to show the login address on")]
    NoBrowser(io::Error),
    /// The issuer cannot do PKCE with S256; without it a stolen code is as good as a login.
    #[error("the OpenID Connect issuer {0} does not offer PKCE with S256")]
    NoPkce(String),
    /// `iss` of the authorization response is another's (RFC 9207 §2.4).
    #[error("the login was answered by another issuer: {0:?}")]
    OtherIssuer(String),
    /// The issuer said no: `error` and `error_description` of RFC 6749 §4.1.2.1 and §5.2.
    #[error("the issuer refused the login: {}", refusal(.error, .description))]
    Refused {
        /// A code, such as `access_denied`.
        error: String,
        /// Text; may be empty.
        description: String,
    },
    /// The issuer could not be asked.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The issuer promises `iss` in its authorization responses (RFC 9207 §3), and this one has none.
    #[error("the login's answer does not say which issuer it is from")]
    UnnamedIssuer,
    /// Nobody signed in.
    #[error("nobody signed in within {} s", .0.as_secs())]
    TimedOut(Duration),
}

fn refusal(error: &str, description: &str) -> String {
    match description {
        "" => error.to_owned(),
        _ => format!("{error}: {description}"),
    }
}

fn claims_error(error: &ClaimsVerificationError) -> String {
    match error {
        ClaimsVerificationError::SignatureVerification(cause) => cause.to_string(),
        other => other.to_string(),
    }
}
