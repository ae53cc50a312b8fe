//! The trusted root: which certificate authorities, logs and timestamp authorities an instance vouches for, and when.
//!
//! protobuf-specs `TrustedRoot` as JSON, media type `application/vnd.dev.sigstore.trustedroot+json;version=0.1`.

mod json;

use std::fmt;

use jiff::Timestamp;

use crate::crypto::{KeyKind, Sha256Digest, UnsupportedKey, VerifyingKey};
use crate::encoding::lower_hex;

/// The parsed document, remembered with the digest of the bytes it came from.
#[derive(Clone, Debug)]
pub struct TrustedRoot {
    /// Who may issue signing certificates.
    pub certificate_authorities: Vec<CertificateAuthority>,
    /// Where those certificates must have been logged.
    pub ct_logs: Vec<TransparencyLogInstance>,
    /// Who may vouch for a time.
    pub timestamp_authorities: Vec<CertificateAuthority>,
    /// Where signatures are logged.
    pub transparency_logs: Vec<TransparencyLogInstance>,
    sha256: Sha256Digest,
}

impl TrustedRoot {
    /// Reads the JSON document.
    ///
    /// # Errors
    /// [`MalformedTrustedRoot`] names the first member that is wrong.
    pub fn parse(json: &[u8]) -> Result<Self, MalformedTrustedRoot> {
        let document: json::TrustedRoot = serde_json::from_slice(json).map_err(MalformedTrustedRoot::Json)?;
        if !MEDIA_TYPES.contains(&document.media_type.as_str()) {
            return Err(MalformedTrustedRoot::MediaType(document.media_type));
        }
        Ok(Self {
            certificate_authorities: read_each(document.certificate_authorities, "certificateAuthorities")?,
            ct_logs: read_each(document.ctlogs, "ctlogs")?,
            timestamp_authorities: read_each(document.timestamp_authorities, "timestampAuthorities")?,
            transparency_logs: read_each(document.tlogs, "tlogs")?,
            sha256: Sha256Digest::of(json),
        })
    }

    /// The JSON document, media type version 0.1, every member that some client insists on.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let document = json::TrustedRoot {
            media_type: MEDIA_TYPES[0].to_owned(),
            tlogs: self.transparency_logs.iter().map(Into::into).collect(),
            certificate_authorities: self.certificate_authorities.iter().map(Into::into).collect(),
            ctlogs: self.ct_logs.iter().map(Into::into).collect(),
            timestamp_authorities: self.timestamp_authorities.iter().map(Into::into).collect(),
        };
        let mut text = serde_json::to_vec_pretty(&document).unwrap_or_default();
        text.push(b'\n');
        text
    }

    /// A trusted root from its parts, as the embedded stack makes its own.
    #[must_use]
    pub fn new(
        certificate_authorities: Vec<CertificateAuthority>,
        ct_logs: Vec<TransparencyLogInstance>,
        timestamp_authorities: Vec<CertificateAuthority>,
        transparency_logs: Vec<TransparencyLogInstance>,
    ) -> Self {
        let mut root = Self {
            certificate_authorities,
            ct_logs,
            timestamp_authorities,
            transparency_logs,
            sha256: Sha256Digest([0; 32]),
        };
        root.sha256 = Sha256Digest::of(&root.to_json());
        root
    }

    /// The start of the youngest authority or log: how new the document is, for it carries no date of its own.
    #[must_use]
    pub fn newest_start(&self) -> Option<Timestamp> {
        let authorities = self.certificate_authorities.iter().chain(&self.timestamp_authorities);
        let logs = self.ct_logs.iter().chain(&self.transparency_logs);
        let validities = authorities.map(|authority| authority.valid_for).chain(logs.map(|log| log.valid_for));
        validities.map(|valid_for| valid_for.start).max()
    }

    /// SHA-256 of the document's bytes.
    #[must_use]
    pub fn sha256(&self) -> Sha256Digest {
        self.sha256
    }
}

/// A certificate or timestamp authority (protobuf-specs `CertificateAuthority`).
#[derive(Clone, Debug)]
pub struct CertificateAuthority {
    /// Organisation of the anchor's subject; for people only.
    pub organization: String,
    /// Common name of the anchor's subject; for people only.
    pub common_name: String,
    /// The service's address; for people only.
    pub uri: String,
    /// DER certificates: issuer of end-entity certificates first (for a timestamp authority its signer), anchor last.
    /// Never empty.
    pub chain: Vec<Vec<u8>>,
    /// When the authority was in use.
    pub valid_for: TimeRange,
}

/// A transparency or CT log (protobuf-specs `TransparencyLogInstance`).
#[derive(Clone, Debug)]
pub struct TransparencyLogInstance {
    /// The service's address. (A real log's checkpoints may carry another name.)
    pub base_url: String,
    /// What the log signs with.
    pub key: VerifyingKey,
    /// SHA-256 of the key, or of the note key for Ed25519 logs.
    pub log_id: LogId,
    /// When the log was in use.
    pub valid_for: TimeRange,
}

/// SHA-256 of a log's public key (RFC 6962 §3.2 `LogID`; C2SP signed-note for Ed25519 logs). Displayed as hex.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogId(pub [u8; 32]);

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&lower_hex(&self.0))
    }
}

impl fmt::Debug for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogId({self})")
    }
}

/// From when to when something was in use, both ends inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// The first instant.
    pub start: Timestamp,
    /// The last instant; `None` while still in use.
    pub end: Option<Timestamp>,
}

impl TimeRange {
    /// Whether `at` lies inside.
    #[must_use]
    pub fn contains(&self, at: Timestamp) -> bool {
        self.start <= at && self.end.is_none_or(|end| at <= end)
    }
}

impl fmt::Display for TimeRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.end {
            Some(end) => write!(f, "{} to {end}", self.start),
            None => write!(f, "{} on", self.start),
        }
    }
}

/// A trusted root that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MalformedTrustedRoot {
    /// An authority without certificates.
    #[error("{0}: an authority has no certificates")]
    EmptyChain(&'static str),
    /// Not the JSON of a trusted root.
    #[error("not a trusted root: {0}")]
    Json(serde_json::Error),
    /// A log's key is not of a supported kind.
    #[error("{0}: {1}")]
    Key(&'static str, UnsupportedKey),
    /// The log ID has not 32 bytes.
    #[error("{0}: a log ID must have 32 bytes, this one has {1}")]
    LogId(&'static str, usize),
    /// Another media type, or a version that is not known.
    #[error("media type \"{0}\" is not a trusted root of version 0.1")]
    MediaType(String),
    /// A log or authority that does not say from when on it is trusted.
    #[error("{0}: validFor.start is missing")]
    MissingStart(&'static str),
    /// Another hash than SHA-256.
    #[error("{0}: hash algorithm \"{1}\" is not SHA2_256")]
    Hash(&'static str, String),
}

fn read_each<J, T>(items: Vec<J>, member: &'static str) -> Result<Vec<T>, MalformedTrustedRoot>
where
    J: json::Read<T>,
{
    items.into_iter().map(|item| item.read(member)).collect()
}

/// protobuf-specs `PublicKeyDetails` for a bare key of `kind`.
pub(crate) fn key_details(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::EcdsaP256 => "PKIX_ECDSA_P256_SHA_256",
        KeyKind::EcdsaP384 => "PKIX_ECDSA_P384_SHA_384",
        KeyKind::EcdsaP521 => "PKIX_ECDSA_P521_SHA_512",
        KeyKind::Ed25519 => "PKIX_ED25519",
        KeyKind::Rsa => "PKIX_RSA_PKCS1V15_2048_SHA256",
    }
}

/// The first is what is written; the others are what the specification also allows for the same document.
const MEDIA_TYPES: [&str; 3] = [
    "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    "application/vnd.dev.sigstore.trustedroot.v0.1+json",
    "application/vnd.dev.sigstore.trustedroot.v0.2+json",
];
