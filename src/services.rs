//! The services of an instance: which address for which job, and asking them.

pub mod fulcio;
pub mod http;
pub mod rekor;

use jiff::Timestamp;

pub use self::http::{Http, Problem, ServiceError, ServiceName};
use crate::signing_config::{Service, SigningConfig};

/// The addresses that one signature needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Services {
    /// Fulcio's base address.
    pub certificate_authority: String,
    /// The OpenID Connect issuer, byte for byte; `None` where only tokens from elsewhere are taken.
    pub oidc_issuer: Option<String>,
    /// Rekor v1's base address.
    pub transparency_log: String,
}

impl Services {
    /// The services of `config` that may be used at `now`.
    ///
    /// # Errors
    /// [`NoService`] names the job that nobody does.
    pub fn select(config: &SigningConfig, now: Timestamp) -> Result<Self, NoService> {
        let address = |services: &[Service]| Service::select(services, &[1], now).map(|service| service.url.clone());
        let transparency_log = address(&config.rekor_tlog_urls).ok_or_else(|| {
            match Service::select(&config.rekor_tlog_urls, &[2], now) {
                Some(_) => NoService::OnlyRekorV2,
                None => NoService::TransparencyLog,
            }
        })?;
        Ok(Self {
            certificate_authority: address(&config.ca_urls).ok_or(NoService::CertificateAuthority)?,
            oidc_issuer: address(&config.oidc_urls),
            transparency_log,
        })
    }
}

/// A signing config without a service that signing needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoService {
    /// `caUrls`
    #[error("the signing config lists no certificate authority that may be used now")]
    CertificateAuthority,
    /// `rekorTlogUrls` with version 2 alone.
    #[error(
        "the signing config lists no Rekor v1 log that may be used now, and signing with Rekor v2 is not supported yet"
    )]
    OnlyRekorV2,
    /// `rekorTlogUrls`
    #[error("the signing config lists no transparency log that may be used now")]
    TransparencyLog,
}

/// `base` and `path` with exactly one slash between them.
fn join(base: &str, path: &str) -> String {
    format!("{}/{path}", base.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signing_config::ServiceValidity;

    fn service(url: &str, version: u32, start: &str) -> Service {
        Service {
            url: url.to_owned(),
            major_api_version: version,
            valid_for: ServiceValidity { start: Some(start.parse().unwrap()), end: None },
            operator: String::new(),
        }
    }

    #[test]
    fn the_log_is_rekor_v1() {
        let now = "2026-11-25T00:00:00Z".parse().unwrap();
        let past = "2020-01-01T00:00:00Z";
        let config = |logs| SigningConfig::new(vec![service("ca", 1, past)], vec![], logs, vec![]);
        let select = |logs| Services::select(&config(logs), now).map(|services| services.transparency_log);
        assert_eq!(select(vec![service("v2", 2, past), service("v1", 1, past)]), Ok("v1".to_owned()));
        assert_eq!(select(vec![service("v2", 2, past)]), Err(NoService::OnlyRekorV2));
        assert_eq!(select(vec![service("v1", 1, "2027-01-01T00:00:00Z")]), Err(NoService::TransparencyLog));
        assert_eq!(join("http://a/", "b/c"), "http://a/b/c");
        assert_eq!(join("http://a/x", "b/c"), "http://a/x/b/c");
    }
}
