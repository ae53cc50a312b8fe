//! The signing config: which service of an instance is asked for what.
//!
//! protobuf-specs `SigningConfig` as JSON, media type `application/vnd.dev.sigstore.signingconfig.v0.2+json`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::address;

/// The services of one instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SigningConfig {
    media_type: String,
    /// Fulcio certificate authorities; base addresses.
    #[serde(default)]
    pub ca_urls: Vec<Service>,
    /// OpenID Connect issuers, byte for byte.
    #[serde(default)]
    pub oidc_urls: Vec<Service>,
    /// Rekor logs, v1 and v2; base addresses.
    #[serde(default)]
    pub rekor_tlog_urls: Vec<Service>,
    /// Timestamp authorities; the whole address of the endpoint.
    #[serde(default)]
    pub tsa_urls: Vec<Service>,
    /// How many of the logs are wanted.
    #[serde(default)]
    pub rekor_tlog_config: Selection,
    /// How many of the timestamp authorities are wanted.
    #[serde(default)]
    pub tsa_config: Selection,
    /// Rekor v2 logs of the instance's second signing config, for those who ask for one.
    #[serde(skip)]
    opt_in_logs: Vec<Service>,
}

impl SigningConfig {
    /// Reads the JSON document.
    ///
    /// # Errors
    /// [`MalformedSigningConfig`] for another media type or shape.
    pub fn parse(json: &[u8]) -> Result<Self, MalformedSigningConfig> {
        let config: Self = serde_json::from_slice(json).map_err(MalformedSigningConfig::Json)?;
        if config.media_type != MEDIA_TYPE {
            return Err(MalformedSigningConfig::MediaType(config.media_type));
        }
        // They are shown to people, and what stands in such places may be a password.
        for (list, services) in [
            ("caUrls", &config.ca_urls),
            ("oidcUrls", &config.oidc_urls),
            ("rekorTlogUrls", &config.rekor_tlog_urls),
            ("tsaUrls", &config.tsa_urls),
        ] {
            if let Some(place) = services.iter().position(|service| !address::is_plain(&service.url)) {
                return Err(MalformedSigningConfig::Address { list, number: place + 1 });
            }
        }
        Ok(config)
    }

    /// A config in which any one log and any one timestamp authority will do.
    #[must_use]
    pub fn new(
        ca_urls: Vec<Service>,
        oidc_urls: Vec<Service>,
        rekor_tlog_urls: Vec<Service>,
        tsa_urls: Vec<Service>,
    ) -> Self {
        Self {
            media_type: MEDIA_TYPE.to_owned(),
            ca_urls,
            oidc_urls,
            rekor_tlog_urls,
            tsa_urls,
            rekor_tlog_config: Selection::default(),
            tsa_config: Selection::default(),
            opt_in_logs: Vec::new(),
        }
    }

    /// Takes over the Rekor v2 logs of the second signing config, which an instance publishes beside this one for those
    /// who ask for Rekor v2. `known_logs` are the base addresses of the trusted root's logs.
    ///
    /// A user pins an instance by a digest over its trusted root and this config; the second config is not under it. Whoever
    /// can put another one in its place, on the way or on the server that publishes it, must gain nothing: a certificate
    /// authority of theirs would be handed identity tokens, an issuer of theirs would be shown to people as the place to
    /// log in, and a log or a timestamp authority of theirs would learn who signs what and when, in an instance that may
    /// be private. (None could forge anything: what they answer is verified under the trusted root.) So nothing but
    /// logs is taken over, and no service may be named that is not in what the digest covers: the other services must
    /// be those of this config, and each log must be where the trusted root says that one is.
    ///
    /// # Errors
    /// [`ForeignService`] names the first service that is not; then nothing was taken over.
    pub fn offer_rekor_v2(&mut self, second: Self, known_logs: &[&str]) -> Result<(), ForeignService> {
        for (theirs, ours) in
            [(&second.ca_urls, &self.ca_urls), (&second.oidc_urls, &self.oidc_urls), (&second.tsa_urls, &self.tsa_urls)]
        {
            if let Some(foreign) = theirs.iter().find(|service| ours.iter().all(|own| own.url != service.url)) {
                return Err(ForeignService(foreign.url.clone()));
            }
        }
        let is_known = |log: &Service| known_logs.iter().any(|known| same_origin(known, &log.url));
        if let Some(foreign) = second.rekor_tlog_urls.iter().find(|log| !is_known(log)) {
            return Err(ForeignService(foreign.url.clone()));
        }
        self.opt_in_logs = second.rekor_tlog_urls.into_iter().filter(|log| log.major_api_version == 2).collect();
        Ok(())
    }

    /// The Rekor v2 logs that only the second signing config lists.
    #[must_use]
    pub fn opt_in_logs(&self) -> &[Service] {
        &self.opt_in_logs
    }

    /// The JSON document.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec_pretty(self).unwrap_or_default();
        text.push(b'\n');
        text
    }
}

/// One service (protobuf-specs `Service`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Where it is.
    pub url: String,
    /// Version of its API: 1, or for Rekor 1 or 2.
    pub major_api_version: u32,
    /// When it may be used.
    #[serde(default)]
    pub valid_for: ServiceValidity,
    /// Who runs it.
    #[serde(default)]
    pub operator: String,
}

impl Service {
    /// The service of `services` to use at `now` among those of `versions`: the highest version, then the newest
    /// (client-spec, signing config selection).
    #[must_use]
    pub fn select<'a>(
        services: impl IntoIterator<Item = &'a Self>,
        versions: &[u32],
        now: Timestamp,
    ) -> Option<&'a Self> {
        services
            .into_iter()
            .filter(|service| versions.contains(&service.major_api_version) && service.valid_for.contains(now))
            .max_by_key(|service| (service.major_api_version, service.valid_for.start))
    }
}

/// When a service may be used; an absent bound does not bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceValidity {
    /// The first instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Timestamp>,
    /// The last instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<Timestamp>,
}

impl ServiceValidity {
    fn contains(&self, at: Timestamp) -> bool {
        self.start.is_none_or(|start| start <= at) && self.end.is_none_or(|end| at <= end)
    }
}

/// Scheme, host and port are the same. (Hosts keep their logs below other paths than they name.)
fn same_origin(one: &str, other: &str) -> bool {
    match (Url::parse(one), Url::parse(other)) {
        (Ok(one), Ok(other)) => one.origin().is_tuple() && one.origin() == other.origin(),
        _ => false,
    }
}

/// How many services of a kind are wanted (protobuf-specs `ServiceConfiguration`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// `ANY`, `ALL` or `EXACT`.
    pub selector: String,
    /// With `EXACT`: how many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
}

impl Default for Selection {
    fn default() -> Self {
        Self { selector: "ANY".to_owned(), count: None }
    }
}

impl Selection {
    /// Whether one service is enough, where `offered` may be used.
    #[must_use]
    pub fn is_met_by_one(&self, offered: usize) -> bool {
        match (self.selector.as_str(), self.count) {
            ("ANY", _) => true,
            ("ALL", _) => offered == 1,
            ("EXACT", count) => count == Some(1),
            _ => false,
        }
    }
}

/// A second signing config that names a service which the user did not agree to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it names {0}, which neither the signing config nor the trusted root knows")]
pub struct ForeignService(String);

/// A signing config that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MalformedSigningConfig {
    /// A service whose address is none, or holds more than one; it is not shown, for it may hold a password.
    #[error("the address of service {number} of {list} is no http or https address without user, query and fragment")]
    Address {
        /// The member of the document.
        list: &'static str,
        /// Its place there, from 1.
        number: usize,
    },
    /// Not the JSON of a signing config.
    #[error("not a signing config: {0}")]
    Json(serde_json::Error),
    /// The second config, by what it names.
    #[error(transparent)]
    Foreign(#[from] ForeignService),
    /// Another media type or version.
    #[error("media type \"{0}\" is not a signing config of version 0.2")]
    MediaType(String),
}

const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.signingconfig.v0.2+json";

#[cfg(test)]
mod tests {
    use super::*;

    fn service(url: &str, version: u32) -> Service {
        let url = url.to_owned();
        Service { url, major_api_version: version, valid_for: ServiceValidity::default(), operator: String::new() }
    }

    fn config(ca: &str, issuer: &str, logs: Vec<Service>, tsa: &str) -> SigningConfig {
        SigningConfig::new(vec![service(ca, 1)], vec![service(issuer, 1)], logs, vec![service(tsa, 1)])
    }

    #[test]
    fn addresses_hold_no_secrets() {
        let read = |log: &str| {
            let log = service(log, 1);
            SigningConfig::parse(
                &config("https://ca", "https://issuer", vec![service("https://log", 1), log], "https://tsa").to_json(),
            )
        };
        assert!(read("https://log.example/x").is_ok());
        for secret in [
            "https://u:s3cret@log",
            "https://log?k=s3cret",
            "https://log/#s3cret",
            r"https:\\log\@s3cret",
            "nonsense s3cret",
        ] {
            let error = read(secret).unwrap_err().to_string();
            assert!(error.starts_with("the address of service 2 of rekorTlogUrls is no"), "{error}");
        }
    }

    #[test]
    fn the_second_config_may_name_nothing_that_the_user_did_not_agree_to() {
        let v1 = service("https://log", 1);
        let first = config("https://ca", "https://oidc", vec![v1.clone()], "https://tsa");
        let known = ["https://log", "https://log2:8443/"];
        let offer = |second: SigningConfig| {
            let mut config = first.clone();
            config.offer_rekor_v2(second, &known).map(|()| config.opt_in_logs().to_vec())
        };
        let v2 = service("https://log2:8443/rekor2", 2);
        let logs = vec![v2.clone(), v1];
        assert_eq!(offer(config("https://ca", "https://oidc", logs.clone(), "https://tsa")), Ok(vec![v2]));
        assert_eq!(offer(SigningConfig::new(vec![], vec![], vec![], vec![])), Ok(vec![]));
        for (foreign, second) in [
            ("https://evil", config("https://evil", "https://oidc", logs.clone(), "https://tsa")),
            ("https://evil", config("https://ca", "https://evil", logs.clone(), "https://tsa")),
            ("https://tsa/", config("https://ca", "https://oidc", logs, "https://tsa/")),
            ("https://log2", config("https://ca", "https://oidc", vec![service("https://log2", 2)], "https://tsa")),
            ("http://log", config("https://ca", "https://oidc", vec![service("http://log", 2)], "https://tsa")),
            ("log", config("https://ca", "https://oidc", vec![service("log", 2)], "https://tsa")),
        ] {
            assert_eq!(offer(second), Err(ForeignService(foreign.to_owned())));
        }
    }

    #[test]
    fn one_service_is_often_enough() {
        let selection = |selector: &str, count| Selection { selector: selector.to_owned(), count };
        assert!(selection("ANY", None).is_met_by_one(3));
        assert!(selection("ALL", None).is_met_by_one(1) && !selection("ALL", None).is_met_by_one(2));
        assert!(selection("EXACT", Some(1)).is_met_by_one(2) && !selection("EXACT", Some(2)).is_met_by_one(2));
        assert!(!selection("SERVICE_SELECTOR_UNDEFINED", None).is_met_by_one(1));
    }
}
