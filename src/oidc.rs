//! Signing in: how an identity token is come by.
//!
//! Without a person ([`unattended`], [`refresh`()]), else with one ([`Login`]).

mod ambient;
mod authorization;
mod browser;
mod callback;
mod choose;
mod command;
mod device;
mod obtained;
mod opener;
mod out_of_band;
mod page;
mod provider;
mod refresh;
mod revocation;
mod sources;
mod template;
#[cfg(test)]
mod tests;
mod unattended;

use std::io;
use std::time::Duration;

pub use ambient::{AmbientProblem, AmbientProvider};
pub use command::CommandProblem;
pub use obtained::{Flow, Obtained, RefreshToken};
pub use opener::{OPEN_BROWSER, Opener};
pub use openidconnect::ClaimsVerificationError;
pub use refresh::refresh;
pub use revocation::revoke;
pub use sources::UnattendedSources;
pub use template::{BadTemplate, words};
pub use unattended::unattended;

use self::choose::{Here, Way};
use self::provider::Provider;
use crate::identity_token::MalformedIdentityToken;
use crate::services::ServiceError;
use crate::services::http::Http;
use crate::settings::Settings;
use crate::terminal::{NoTerminal, Terminal};

/// A login by a person.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    /// The OpenID Connect issuer, byte for byte.
    pub issuer: &'a str,
    /// Whom the token is made for.
    pub client_id: &'a str,
    /// How the user wants to sign in.
    pub settings: &'a Settings,
    /// The account that is demanded; it is suggested, else the one of the settings.
    pub account: Option<&'a str>,
    /// How long the person may take: [`LOGIN_TIME`].
    pub limit: Duration,
}

impl Login<'_> {
    /// Lets the user sign in. This may take minutes.
    ///
    /// # Errors
    /// [`LoginError`]
    pub async fn interactive(&self, http: &Http, terminal: &Terminal) -> Result<Obtained, LoginError> {
        let provider = Provider::discover(http, self.issuer, self.client_id).await?;
        let has_device_flow = provider.device_endpoint().is_some();
        let chosen = Here::look(self.settings, has_device_flow, terminal.absence()).choose()?;
        terminal.detail(chosen);
        match chosen.way {
            Way::Browser => browser::sign_in(self, &provider, http, terminal).await,
            Way::Device => device::sign_in(self, &provider, http, terminal).await,
            Way::OutOfBand => out_of_band::sign_in(self, &provider, http, terminal).await,
        }
    }

    fn opener(&self) -> Result<Opener, LoginError> {
        match &self.settings.browser {
            Some(template) => Opener::parse(template).map_err(LoginError::BrowserTemplate),
            None => Ok(Opener::Desktop),
        }
    }
}

/// No identity token was obtained.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The access token is not the one that came with the ID token (OpenID Connect Core §3.1.3.8).
    #[error("the issuer's tokens do not belong together: at_hash does not match the access token")]
    AccessTokenHash,
    /// A CI system or cloud that is there and gives no token.
    #[error("{provider} gives no identity token: {problem}")]
    Ambient {
        /// Who.
        provider: AmbientProvider,
        /// Why.
        problem: AmbientProblem,
    },
    /// The address of the login page.
    #[error("the issuer names a login page that is neither https nor on this machine: {0}")]
    AuthorizationEndpoint(String),
    /// `waxseal.browser`.
    #[error("waxseal.browser cannot be used: {0}")]
    BrowserTemplate(BadTemplate),
    /// RFC 8628 §3.5 `expired_token`.
    #[error("the code for the other device expired before anybody signed in with it")]
    DeviceCodeExpired,
    /// The page where the code is to be typed.
    #[error("the issuer names a page for other devices that is neither https nor on this machine: {0}")]
    DevicePage(String),
    /// The token in the environment is not one.
    #[error("the identity token in the environment cannot be read: {0}")]
    Environment(MalformedIdentityToken),
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
    /// The terminal was closed.
    #[error("no code was typed")]
    NoCode,
    /// `waxseal.login` is `device`, and the issuer cannot do that.
    #[error("the OpenID Connect issuer {0} offers no device flow")]
    NoDeviceFlow(String),
    /// The token answer has no ID token.
    #[error("the issuer gave no identity token")]
    NoIdToken,
    /// `waxseal.login` is `ambient`, and nothing is there.
    #[error("waxseal.login wants the identity token of a CI system or cloud, and this is none that waxseal knows")]
    NoAmbientProvider,
    /// No browser, and no terminal that could show the address.
    #[error("no browser could be started ({opener}: {error}), and nobody can be asked to open the address: {reason}")]
    NoBrowser {
        /// How that was tried.
        opener: Opener,
        /// What came of it.
        error: io::Error,
        /// Why nobody was told.
        reason: NoTerminal,
    },
    /// The browser was started, and nobody signed in with it; there was no terminal to show the address on.
    #[error("nobody signed in with the browser within {} s", .0.as_secs())]
    NobodyCameBack(Duration),
    /// No display, no terminal.
    #[error("nobody can sign in here: there is no display for a browser, and no code can be shown: {0}")]
    NobodyThere(NoTerminal),
    /// `waxseal.login` is `device` or `oob`, which need one.
    #[error("no code can be shown: {0}")]
    NoTerminal(NoTerminal),
    /// The issuer cannot do PKCE with S256; without it a stolen code is as good as a login.
    #[error("the OpenID Connect issuer {0} does not offer PKCE with S256")]
    NoPkce(String),
    /// `waxseal.login` is `token`, and nothing is there.
    #[error("waxseal.login wants an identity token, and there is none")]
    NoToken,
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
    /// `waxseal.tokenCommand` printed no token.
    #[error("waxseal.tokenCommand gave no identity token: {0}")]
    TokenCommand(CommandProblem),
    /// `waxseal.tokenCommand` is no command.
    #[error("waxseal.tokenCommand cannot be used: {0}")]
    TokenCommandTemplate(BadTemplate),
    /// `waxseal.tokenCommand` printed something else.
    #[error("what waxseal.tokenCommand printed cannot be read: {0}")]
    TokenOfCommand(MalformedIdentityToken),
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

/// How long a person may take: what gitsign and cosign wait, too.
pub const LOGIN_TIME: Duration = Duration::from_secs(120);
