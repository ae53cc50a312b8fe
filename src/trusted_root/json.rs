//! The document's JSON shape (proto3 JSON: bytes as base64, times as RFC 3339).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{LogId, MalformedTrustedRoot, TimeRange};
use crate::crypto::VerifyingKey;

pub(super) trait Read<T> {
    fn read(self, member: &'static str) -> Result<T, MalformedTrustedRoot>;
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TrustedRoot {
    pub media_type: String,
    #[serde(default)]
    pub tlogs: Vec<LogInstance>,
    #[serde(default)]
    pub certificate_authorities: Vec<Authority>,
    #[serde(default)]
    pub ctlogs: Vec<LogInstance>,
    #[serde(default)]
    pub timestamp_authorities: Vec<Authority>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogInstance {
    base_url: String,
    hash_algorithm: String,
    public_key: PublicKey,
    log_id: KeyId,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PublicKey {
    raw_bytes: Base64,
    key_details: String,
    valid_for: Option<ValidFor>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyId {
    key_id: Base64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Authority {
    #[serde(default)]
    subject: Subject,
    #[serde(default)]
    uri: String,
    cert_chain: Chain,
    valid_for: Option<ValidFor>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subject {
    #[serde(default)]
    organization: String,
    #[serde(default)]
    common_name: String,
}

#[derive(Serialize, Deserialize)]
struct Chain {
    certificates: Vec<RawCertificate>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawCertificate {
    raw_bytes: Base64,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct ValidFor {
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<Timestamp>,
}

impl ValidFor {
    fn range(valid_for: Option<Self>, member: &'static str) -> Result<TimeRange, MalformedTrustedRoot> {
        let missing = MalformedTrustedRoot::MissingStart(member);
        let Some(Self { start: Some(start), end }) = valid_for else { return Err(missing) };
        Ok(TimeRange { start, end })
    }
}

impl From<TimeRange> for ValidFor {
    fn from(range: TimeRange) -> Self {
        Self { start: Some(range.start), end: range.end }
    }
}

struct Base64(Vec<u8>);

impl Serialize for Base64 {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}

impl Read<super::TransparencyLogInstance> for LogInstance {
    fn read(self, member: &'static str) -> Result<super::TransparencyLogInstance, MalformedTrustedRoot> {
        if self.hash_algorithm != SHA2_256 {
            return Err(MalformedTrustedRoot::Hash(member, self.hash_algorithm));
        }
        let key = VerifyingKey::from_spki_der(&self.public_key.raw_bytes.0)
            .map_err(|error| MalformedTrustedRoot::Key(member, error))?;
        let log_id = self.log_id.key_id.0;
        let length = log_id.len();
        Ok(super::TransparencyLogInstance {
            base_url: self.base_url,
            key,
            log_id: LogId(log_id.try_into().map_err(|_| MalformedTrustedRoot::LogId(member, length))?),
            valid_for: ValidFor::range(self.public_key.valid_for, member)?,
        })
    }
}

impl Read<super::CertificateAuthority> for Authority {
    fn read(self, member: &'static str) -> Result<super::CertificateAuthority, MalformedTrustedRoot> {
        if self.cert_chain.certificates.is_empty() {
            return Err(MalformedTrustedRoot::EmptyChain(member));
        }
        Ok(super::CertificateAuthority {
            organization: self.subject.organization,
            common_name: self.subject.common_name,
            uri: self.uri,
            chain: self.cert_chain.certificates.into_iter().map(|certificate| certificate.raw_bytes.0).collect(),
            valid_for: ValidFor::range(self.valid_for, member)?,
        })
    }
}

impl From<&super::TransparencyLogInstance> for LogInstance {
    fn from(log: &super::TransparencyLogInstance) -> Self {
        Self {
            base_url: log.base_url.clone(),
            hash_algorithm: SHA2_256.to_owned(),
            public_key: PublicKey {
                raw_bytes: Base64(log.key.spki_der().to_vec()),
                key_details: super::key_details(log.key.kind()).to_owned(),
                valid_for: Some(log.valid_for.into()),
            },
            log_id: KeyId { key_id: Base64(log.log_id.0.to_vec()) },
        }
    }
}

impl From<&super::CertificateAuthority> for Authority {
    fn from(authority: &super::CertificateAuthority) -> Self {
        Self {
            subject: Subject {
                organization: authority.organization.clone(),
                common_name: authority.common_name.clone(),
            },
            uri: authority.uri.clone(),
            cert_chain: Chain {
                certificates: authority
                    .chain
                    .iter()
                    .map(|der| RawCertificate { raw_bytes: Base64(der.clone()) })
                    .collect(),
            },
            valid_for: Some(authority.valid_for.into()),
        }
    }
}

const SHA2_256: &str = "SHA2_256";
