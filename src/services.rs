//! The services of an instance: which address for which job, and asking them.

pub mod consistency;
pub mod event_loop;
pub mod fulcio;
pub mod http;
pub mod rekor;
pub mod rekor_search;
pub mod rekor_v2;
pub mod tsa;

use std::collections::BTreeSet;

use jiff::Timestamp;

pub use self::http::{Http, Problem, ServiceError, ServiceName};
use crate::settings::{LogChoice, TimestampChoice};
use crate::signing_config::{Selection, Service, SigningConfig};

/// The addresses that one signature needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Services {
    /// Fulcio's base address.
    pub certificate_authority: String,
    /// The OpenID Connect issuer, byte for byte; `None` where only tokens from elsewhere are taken.
    pub oidc_issuer: Option<String>,
    /// Where the signature is logged.
    pub transparency_log: TransparencyLog,
    /// The whole address of the timestamp authority; `None`: no token is asked for.
    pub timestamp_authority: Option<String>,
}

/// A log that takes signatures, by its base address and API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransparencyLog {
    /// Promises a time.
    RekorV1(String),
    /// Gives none.
    RekorV2(String),
}

impl TransparencyLog {
    /// The base address.
    #[must_use]
    pub fn address(&self) -> &str {
        match self {
            Self::RekorV1(address) | Self::RekorV2(address) => address,
        }
    }
}

impl Services {
    /// The services of `config` that may be used at `now`, as the user wants them.
    ///
    /// # Errors
    /// [`NoService`] names the job that nobody does.
    pub fn select(
        config: &SigningConfig,
        log: LogChoice,
        timestamp: TimestampChoice,
        now: Timestamp,
    ) -> Result<Self, NoService> {
        let address = |services: &[Service]| Service::select(services, &[1], now).map(|service| service.url.clone());
        let transparency_log = transparency_log(config, log, now)?;
        let wanted = match (timestamp, &transparency_log) {
            (TimestampChoice::Always, _) | (TimestampChoice::Auto, TransparencyLog::RekorV2(_)) => true,
            (TimestampChoice::Auto | TimestampChoice::Never, TransparencyLog::RekorV1(_)) => false,
            // What would be made could never be verified.
            (TimestampChoice::Never, TransparencyLog::RekorV2(_)) => return Err(NoService::NoTime),
        };
        let timestamp_authority = if wanted {
            one_is_enough(&config.tsa_config, config.tsa_urls.iter(), &[1], now)?;
            Some(address(&config.tsa_urls).ok_or(NoService::TimestampAuthority)?)
        } else {
            None
        };
        Ok(Self {
            certificate_authority: address(&config.ca_urls).ok_or(NoService::CertificateAuthority)?,
            oidc_issuer: address(&config.oidc_urls),
            transparency_log,
            timestamp_authority,
        })
    }
}

fn transparency_log(config: &SigningConfig, log: LogChoice, now: Timestamp) -> Result<TransparencyLog, NoService> {
    let offered = || config.rekor_tlog_urls.iter().chain(config.opt_in_logs());
    let found = match log {
        LogChoice::Auto => Service::select(&config.rekor_tlog_urls, &[1, 2], now),
        LogChoice::V1 => Service::select(&config.rekor_tlog_urls, &[1], now),
        LogChoice::V2 => Service::select(offered(), &[2], now),
    };
    let service = found.ok_or_else(|| match log {
        LogChoice::Auto => NoService::TransparencyLog,
        LogChoice::V1 if Service::select(offered(), &[2], now).is_some() => NoService::OnlyRekorV2,
        LogChoice::V2 if Service::select(offered(), &[1], now).is_some() => NoService::OnlyRekorV1,
        LogChoice::V1 | LogChoice::V2 => NoService::TransparencyLog,
    })?;
    let versions = [service.major_api_version];
    match log {
        LogChoice::Auto | LogChoice::V1 => {
            one_is_enough(&config.rekor_tlog_config, config.rekor_tlog_urls.iter(), &versions, now)?;
        }
        LogChoice::V2 => one_is_enough(&config.rekor_tlog_config, offered(), &versions, now)?,
    }
    Ok(match service.major_api_version {
        2 => TransparencyLog::RekorV2(service.url.clone()),
        _ => TransparencyLog::RekorV1(service.url.clone()),
    })
}

/// A Git signature carries one log entry, and waxseal asks for one token. Of each operator one is wanted at most
/// (client-spec, signing config selection).
fn one_is_enough<'a>(
    selection: &Selection,
    services: impl Iterator<Item = &'a Service>,
    versions: &[u32],
    now: Timestamp,
) -> Result<(), NoService> {
    let offered = services.filter(|service| Service::select([*service], versions, now).is_some());
    let operators: BTreeSet<&str> = offered.map(|service| service.operator.as_str()).collect();
    if selection.is_met_by_one(operators.len()) { Ok(()) } else { Err(NoService::Several) }
}

/// A signing config without a service that signing needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoService {
    /// `caUrls`
    #[error("the signing config lists no certificate authority that may be used now")]
    CertificateAuthority,
    /// `waxseal.timestamp` and the log do not go together.
    #[error("a Rekor v2 log gives no time, and waxseal.timestamp is \"never\": nothing could verify what is signed")]
    NoTime,
    /// v2 was asked for.
    #[error("waxseal.log is \"v2\", and the instance lists no Rekor v2 log that may be used now")]
    OnlyRekorV1,
    /// v1 was asked for.
    #[error("waxseal.log is \"v1\", and the instance lists no Rekor v1 log that may be used now")]
    OnlyRekorV2,
    /// `rekorTlogConfig` or `tsaConfig` ask for more than a signature of ours has.
    #[error("the signing config asks for several logs or timestamp authorities for each signature; waxseal uses one")]
    Several,
    /// `tsaUrls`
    #[error("the signing config lists no timestamp authority that may be used now, and one is needed")]
    TimestampAuthority,
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

    const NOW: &str = "2026-11-25T00:00:00Z";
    const PAST: &str = "2020-01-01T00:00:00Z";

    fn service(url: &str, version: u32, start: &str) -> Service {
        Service {
            url: url.to_owned(),
            major_api_version: version,
            valid_for: ServiceValidity { start: Some(start.parse().unwrap()), end: None },
            operator: String::new(),
        }
    }

    fn config(logs: Vec<Service>) -> SigningConfig {
        SigningConfig::new(vec![service("ca", 1, PAST)], vec![], logs, vec![service("tsa", 1, PAST)])
    }

    fn select(
        config: &SigningConfig,
        log: LogChoice,
        timestamp: TimestampChoice,
    ) -> Result<(TransparencyLog, bool), NoService> {
        let services = Services::select(config, log, timestamp, NOW.parse().unwrap())?;
        Ok((services.transparency_log, services.timestamp_authority.is_some()))
    }

    #[test]
    fn the_log_is_the_one_that_was_chosen() {
        use LogChoice::{Auto, V1, V2};
        let (v1, v2) = (service("http://v1", 1, PAST), service("http://v2", 2, PAST));
        let log = |config: &SigningConfig, choice| {
            select(config, choice, TimestampChoice::Auto).map(|(log, _)| log.address().to_owned())
        };
        let both = config(vec![v2.clone(), v1.clone()]);
        assert_eq!(log(&both, Auto), Ok("http://v2".to_owned()), "the highest version");
        assert_eq!(log(&both, V1), Ok("http://v1".to_owned()));
        assert_eq!(log(&both, V2), Ok("http://v2".to_owned()));

        let mut opt_in = config(vec![v1.clone()]);
        assert_eq!(log(&opt_in, V2), Err(NoService::OnlyRekorV1));
        opt_in.offer_rekor_v2(config(vec![v2.clone()]), &["http://v2"]).unwrap();
        assert_eq!(log(&opt_in, Auto), Ok("http://v1".to_owned()));
        assert_eq!(log(&opt_in, V2), Ok("http://v2".to_owned()));

        assert_eq!(log(&config(vec![v2]), V1), Err(NoService::OnlyRekorV2));
        for choice in [Auto, V1, V2] {
            assert_eq!(log(&config(vec![]), choice), Err(NoService::TransparencyLog));
        }
        assert_eq!(log(&config(vec![service("v1", 1, "2027-01-01T00:00:00Z")]), Auto), Err(NoService::TransparencyLog));
        let second = Service { operator: "another".to_owned(), ..service("http://other", 1, PAST) };
        let mut all = config(vec![v1, second]);
        all.rekor_tlog_config = Selection { selector: "ALL".to_owned(), count: None };
        assert_eq!(log(&all, Auto), Err(NoService::Several));
    }

    #[test]
    fn a_token_is_asked_for_where_the_log_gives_no_time() {
        use TimestampChoice::{Always, Auto, Never};
        let both = config(vec![service("v2", 2, PAST), service("v1", 1, PAST)]);
        let token = |log, timestamp| select(&both, log, timestamp).map(|(_, token)| token);
        assert_eq!([Auto, Always, Never].map(|when| token(LogChoice::V1, when)), [Ok(false), Ok(true), Ok(false)]);
        let v2 = [Auto, Always, Never].map(|when| token(LogChoice::V2, when));
        assert_eq!(v2, [Ok(true), Ok(true), Err(NoService::NoTime)]);

        let mut without = both.clone();
        without.tsa_urls.clear();
        assert_eq!(select(&without, LogChoice::V2, Auto), Err(NoService::TimestampAuthority));
        assert_eq!(select(&without, LogChoice::V1, Always), Err(NoService::TimestampAuthority));
        assert!(select(&without, LogChoice::V1, Auto).is_ok());
    }

    #[test]
    fn one_slash_between_base_and_path() {
        assert_eq!(join("http://a/", "b/c"), "http://a/b/c");
        assert_eq!(join("http://a/x", "b/c"), "http://a/x/b/c");
    }
}
