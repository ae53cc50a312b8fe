//! An instance: a named Sigstore with its trusted root, its services, and the bounds that its user set.

use std::fmt;
use std::str::FromStr;

use crate::signing_config::SigningConfig;
use crate::trusted_root::TrustedRoot;

/// One Sigstore that the user trusts, by name.
#[derive(Clone, Debug)]
pub struct Instance {
    /// What the user calls it.
    pub name: InstanceName,
    /// Whom it vouches for.
    pub trusted_root: TrustedRoot,
    /// Where it signs; `None` where only a trusted root was given.
    pub signing_config: Option<SigningConfig>,
    /// What `instance.toml` says.
    pub bounds: InstanceBounds,
}

/// What the user allows an instance, beyond what its own documents say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstanceBounds {
    /// The OIDC issuers that its certificate authority may vouch for; `None` leaves it unbounded.
    pub oidc_issuers: Option<Vec<String>>,
    /// The audience of its identity tokens; `None` means `sigstore`.
    pub audience: Option<String>,
}

impl InstanceBounds {
    /// Whether the instance may vouch for identities of `issuer`.
    #[must_use]
    pub fn admits_issuer(&self, issuer: &str) -> bool {
        self.oidc_issuers.as_ref().is_none_or(|issuers| issuers.iter().any(|bound| bound == issuer))
    }
}

/// `[a-z0-9][a-z0-9-]{0,62}`
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceName(String);

impl InstanceName {
    /// The name of the instance that is compiled in.
    #[must_use]
    pub fn public_good() -> Self {
        Self("public-good".to_owned())
    }

    /// The name under which `--trusted-root FILE` verifies.
    #[must_use]
    pub fn file() -> Self {
        Self("file".to_owned())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for InstanceName {
    type Err = BadInstanceName;

    fn from_str(text: &str) -> Result<Self, BadInstanceName> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let well_formed = text.len() <= MAX_NAME_BYTES
            && text.bytes().next().is_some_and(plain)
            && text.bytes().all(|byte| plain(byte) || byte == b'-');
        well_formed.then(|| Self(text.to_owned())).ok_or(BadInstanceName)
    }
}

impl fmt::Display for InstanceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Not a name for an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an instance name is 1 to 63 of a-z, 0-9 and '-', and does not begin with '-'")]
pub struct BadInstanceName;

/// A DNS label's length, so that a name may become one.
const MAX_NAME_BYTES: usize = 63;
