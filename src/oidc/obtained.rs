//! What a login gives.

use std::fmt;

use zeroize::Zeroizing;

use super::AmbientProvider;
use crate::identity_token::IdentityToken;

/// An identity token, and how it was come by. Secrets: no `Clone`.
#[derive(Debug)]
pub struct Obtained {
    /// The ID token.
    pub token: IdentityToken,
    /// What gives the next one without a question, if the issuer gave such a thing.
    pub refresh_token: Option<RefreshToken>,
    /// The way.
    pub flow: Flow,
}

impl Obtained {
    pub(super) fn unattended(token: IdentityToken, flow: Flow) -> Self {
        Self { token, refresh_token: None, flow }
    }
}

/// A refresh token (RFC 6749 §1.5). A bearer secret: no `Clone`, no derived `Debug`, wiped from memory when dropped.
pub struct RefreshToken(Zeroizing<String>);

impl RefreshToken {
    /// A token as the issuer, or whatever kept it, gave it.
    #[must_use]
    pub fn new(token: String) -> Self {
        Self(Zeroizing::new(token))
    }

    /// The secret itself, for a request body.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken")
    }
}

/// The ways to an identity token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// A CI system or cloud.
    Ambient(AmbientProvider),
    /// A browser on this machine that came back to it.
    Browser,
    /// A code that was typed on another device (RFC 8628).
    Device,
    /// `WAXSEAL_ID_TOKEN` or `SIGSTORE_ID_TOKEN`.
    Environment,
    /// A code that was copied from a page.
    OutOfBand,
    /// A refresh token.
    Refresh,
    /// `waxseal.tokenCommand`.
    TokenCommand,
}

impl Flow {
    /// Whether a person signed in, just now.
    #[must_use]
    pub fn is_interactive(self) -> bool {
        match self {
            Self::Browser | Self::Device | Self::OutOfBand => true,
            Self::Ambient(_) | Self::Environment | Self::Refresh | Self::TokenCommand => false,
        }
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ambient(provider) => provider.fmt(f),
            Self::Browser => f.write_str("the browser"),
            Self::Device => f.write_str("another device"),
            Self::OutOfBand => f.write_str("a code from a page"),
            Self::Environment => f.write_str("the environment (WAXSEAL_ID_TOKEN or SIGSTORE_ID_TOKEN)"),
            Self::Refresh => f.write_str("a refresh token"),
            Self::TokenCommand => f.write_str("waxseal.tokenCommand"),
        }
    }
}
