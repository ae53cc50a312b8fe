//! The signing config: which service of an instance is asked for what.
//!
//! protobuf-specs `SigningConfig` as JSON, media type `application/vnd.dev.sigstore.signingconfig.v0.2+json`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

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
        }
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
    pub fn select<'a>(services: &'a [Self], versions: &[u32], now: Timestamp) -> Option<&'a Self> {
        services
            .iter()
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

/// A signing config that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MalformedSigningConfig {
    /// Not the JSON of a signing config.
    #[error("not a signing config: {0}")]
    Json(serde_json::Error),
    /// Another media type or version.
    #[error("media type {0:?} is not a signing config of version 0.2")]
    MediaType(String),
}

const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.signingconfig.v0.2+json";
