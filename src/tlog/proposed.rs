//! What clients propose to a Rekor v1 log: `hashedrekord` 0.0.1, `dsse` 0.0.1, `intoto` 0.0.2.

mod dsse;
mod error;
mod hashedrekord;
mod intoto;

use serde::Deserialize;
use serde_json::value::RawValue;

pub use self::error::ProposedEntryError;

use super::KindVersion;
use super::hashedrekord::{KIND as HASHEDREKORD, VERSION_0_0_1 as HASHEDREKORD_0_0_1};

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
        if ![HASHEDREKORD, dsse::KIND, intoto::KIND].contains(&kind.as_str()) {
            return Err(ProposedEntryError::Kind(kind));
        }
        let version = required(head.api_version, "apiVersion")?;
        let spec = head.spec.ok_or(ProposedEntryError::Required("spec"))?.get();
        let canonical_body = match (kind.as_str(), version.as_str()) {
            (HASHEDREKORD, HASHEDREKORD_0_0_1) => hashedrekord::proposed_body(spec)?,
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
