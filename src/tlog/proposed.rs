//! What clients propose to a Rekor v1 log: `hashedrekord` 0.0.1, `dsse` 0.0.1, `intoto` 0.0.2.

use serde::Deserialize;
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::dsse::MalformedEnvelope;
use super::entry_key::BadEntryKey;
use super::{KindVersion, dsse, hashedrekord, intoto};
use crate::crypto::BadSignature;

/// A proposed entry whose signatures were verified; only [`ProposedEntry::read`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProposedEntry {
    kind_version: KindVersion,
    canonical_body: Vec<u8>,
}

impl ProposedEntry {
    /// Reads what was posted to a log, and verifies every signature in it.
    ///
    /// # Errors
    /// [`ProposedEntryError`] names what is wrong.
    pub fn read(json: &[u8]) -> Result<Self, ProposedEntryError> {
        let head: Head<'_> = serde_json::from_slice(json).map_err(|error| ProposedEntryError::json(&error))?;
        let required = |value: Option<String>, name| match value {
            Some(value) if !value.is_empty() => Ok(value),
            _ => Err(ProposedEntryError::Required(name)),
        };
        let kind = required(head.kind, "kind")?;
        if ![hashedrekord::KIND, dsse::KIND, intoto::KIND].contains(&kind.as_str()) {
            return Err(ProposedEntryError::Kind(kind));
        }
        let version = required(head.api_version, "apiVersion")?;
        let spec = head.spec.ok_or(ProposedEntryError::Required("spec"))?.get();
        let canonical_body = match (kind.as_str(), version.as_str()) {
            (hashedrekord::KIND, hashedrekord::VERSION_0_0_1) => hashedrekord::proposed_body(spec)?,
            (dsse::KIND, dsse::VERSION_0_0_1) => dsse::proposed_body(spec)?,
            (intoto::KIND, intoto::VERSION_0_0_2) => intoto::proposed_body(spec)?,
            _ => return Err(ProposedEntryError::Version { kind, version }),
        };
        Ok(Self { kind_version: KindVersion { kind, version }, canonical_body })
    }

    /// What it is.
    #[must_use]
    pub fn kind_version(&self) -> &KindVersion {
        &self.kind_version
    }

    /// The body to log, whatever the proposal's JSON and PEM looked like.
    #[must_use]
    pub fn canonical_body(&self) -> &[u8] {
        &self.canonical_body
    }

    /// The body to log.
    #[must_use]
    pub fn into_canonical_body(self) -> Vec<u8> {
        self.canonical_body
    }
}

/// A proposed entry that a log must not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposedEntryError {
    /// The DSSE envelope in it.
    #[error(transparent)]
    Envelope(#[from] MalformedEnvelope),
    /// The digest is not hex of the algorithm's length, or the algorithm is not known.
    #[error("invalid value for hash")]
    Hash,
    /// Not JSON of an entry at all.
    #[error("{0}")]
    Json(String),
    /// Another kind of entry.
    #[error("invalid kind value: {0:?}")]
    Kind(String),
    /// The certificate or public key.
    #[error("invalid public key: {0}")]
    Key(#[from] BadEntryKey),
    /// A member that every entry has is missing.
    #[error("{0} in body is required")]
    Required(&'static str),
    /// The signature over the digest does not verify.
    #[error("verifying signature: {0}")]
    Signature(#[from] BadSignature),
    /// The signature is not base64.
    #[error("the signature is not base64")]
    SignatureEncoding,
    /// JSON of an entry of this kind, but not of this version's shape.
    #[error("invalid {kind} entry: {message}")]
    Spec {
        /// Which kind.
        kind: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// Another version of this kind.
    #[error("{kind} of version {version:?} is not supported")]
    Version {
        /// Which kind.
        kind: String,
        /// Which version.
        version: String,
    },
}

impl ProposedEntryError {
    /// As the real server words the commonest one.
    fn json(error: &serde_json::Error) -> Self {
        Self::Json(match error.classify() {
            Category::Eof => "unexpected EOF".to_owned(),
            // serde would name the types that it reads into.
            Category::Data => "the body is not a JSON object of the form of an entry".to_owned(),
            Category::Io | Category::Syntax => error.to_string(),
        })
    }

    pub(super) fn spec(kind: &'static str) -> impl Fn(serde_json::Error) -> Self {
        move |error| Self::Spec { kind, message: error.to_string() }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    kind: Option<String>,
    api_version: Option<String>,
    #[serde(borrow)]
    spec: Option<&'a RawValue>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_missing_or_unknown_is_named() {
        let read = |text: &str| ProposedEntry::read(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(read("{"), "unexpected EOF");
        assert_eq!(read("{}"), "kind in body is required");
        assert_eq!(read(r#"{"kind":"nope"}"#), r#"invalid kind value: "nope""#);
        assert_eq!(read(r#"{"kind":"dsse"}"#), "apiVersion in body is required");
        assert_eq!(read(r#"{"kind":"dsse","apiVersion":"0.0.1"}"#), "spec in body is required");
        assert_eq!(
            read(r#"{"kind":"dsse","apiVersion":"0.0.2","spec":{}}"#),
            r#"dsse of version "0.0.2" is not supported"#
        );
        assert!(matches!(ProposedEntry::read(b"[]"), Err(ProposedEntryError::Json(_))));
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,100}", kind in "hashedrekord|dsse|intoto", version in "0\\.0\\.[12]") {
            drop(ProposedEntry::read(text.as_bytes()));
            let spec = format!(r#"{{"kind":"{kind}","apiVersion":"{version}","spec":{{{text}}}}}"#);
            drop(ProposedEntry::read(spec.as_bytes()));
        }
    }
}
