//! How this machine reaches others: the proxy of the environment, and authorities for TLS beside the system's.

use std::path::PathBuf;

use super::Secret;

/// What the user's network needs.
#[derive(Debug, Default)]
pub struct NetworkSettings {
    /// `waxseal.caFile`: PEM certificates that may vouch for https services, beside the system's.
    pub ca_file: Option<PathBuf>,
    /// The proxy for https, if the environment names one.
    pub proxy: Option<ProxySetting>,
    /// `no_proxy`: hosts that are asked directly.
    pub no_proxy: Option<String>,
}

/// The proxy that the environment names. Its address may hold a password.
#[derive(Debug)]
pub struct ProxySetting {
    /// Which variable names it.
    pub variable: &'static str,
    /// Its address as it stands there.
    pub address: Secret,
}

impl ProxySetting {
    /// `None` where `variable` names no proxy.
    #[must_use]
    pub fn new(variable: &str, address: Secret) -> Option<Self> {
        let variable = PROXY_VARIABLES.into_iter().find(|known| *known == variable)?;
        Some(Self { variable, address })
    }
}

/// Where curl, and so Git, looks for it, in this order. (`http_proxy` is for plain http, which never leaves this machine.)
pub(super) const PROXY_VARIABLES: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
pub(super) const NO_PROXY_VARIABLES: [&str; 2] = ["no_proxy", "NO_PROXY"];
