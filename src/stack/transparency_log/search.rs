//! What entries are searched by: the certificate or key, each name in the certificate, the digests.
//!
//! Keys are texts in lower case, of which the index keeps SHA-256. They follow from the body alone, so that an index can
//! be built again; the subjects of in-toto statements, which the real server also knows, are not in the body.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use super::{Invalid, LogError};
use crate::crypto::Sha256Digest;
use crate::stack::log_store::Snapshot;
use crate::tlog::entry_key::EntryKey;

/// `POST /api/v1/index/retrieve`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchQuery {
    keys: Vec<Sha256Digest>,
    operator: Operator,
}

/// How several keys are taken together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// Entries that have all.
    And,
    /// Entries that have one.
    Or,
}

impl SearchQuery {
    /// Reads the body.
    ///
    /// # Errors
    /// [`LogError`] names what is wrong.
    pub fn read(json: &[u8]) -> Result<Self, LogError> {
        let raw: RawSearchQuery = Invalid::read_json("query", json)?;
        let operator = match raw.operator.as_deref() {
            Some("and") => Operator::And,
            None | Some("" | "or") => Operator::Or,
            Some(_) => return Err(Invalid::Enum { name: "operator", allowed: "and or" }.into()),
        };
        let mut keys = Vec::new();
        if let Some(email) = raw.email.filter(|email| !email.is_empty()) {
            if !email.contains('@') {
                return Err(Invalid::Type { name: "email", place: "body", wanted: "email", value: email }.into());
            }
            keys.push(key(&email));
        }
        if let Some(subject) = raw.subject.filter(|subject| !subject.is_empty()) {
            keys.push(key(&subject));
        }
        if let Some(hash) = raw.hash.filter(|hash| !hash.is_empty()) {
            let name = || "hash".to_owned();
            let hash = with_algorithm(&hash.to_ascii_lowercase());
            let hash = hash.ok_or_else(|| Invalid::Pattern { name: name(), place: "body", pattern: HASH_PATTERN })?;
            keys.push(key(&hash));
        }
        if let Some(searched) = raw.public_key {
            keys.push(key(&public_key(&searched)?));
        }
        Ok(Self { keys, operator })
    }
}

/// The indexes of what is found, not more than a thousand, the newest.
pub(super) fn indexes(snapshot: &Snapshot, query: &SearchQuery) -> Result<BTreeSet<u64>, LogError> {
    let mut found: Option<BTreeSet<u64>> = None;
    for key in &query.keys {
        let with_key: BTreeSet<u64> = snapshot.with_key(key, MAX_WITH_KEY)?.into_iter().collect();
        found = Some(match (found, query.operator) {
            (None, _) => with_key,
            (Some(found), Operator::And) => &found & &with_key,
            (Some(found), Operator::Or) => &found | &with_key,
        });
    }
    Ok(found.unwrap_or_default().into_iter().rev().take(MAX_FOUND).collect())
}

/// What the entry with this body is found by.
pub(super) fn keys_of(body: &[u8]) -> Vec<Sha256Digest> {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return Vec::new() };
    let mut texts = BTreeSet::new();
    let at = |pointer: &str| body.pointer(&format!("/spec{pointer}"));
    for pointer in ["/data/hash", "/payloadHash", "/envelopeHash", "/content/payloadHash"] {
        let member = |name: &str| at(pointer)?.get(name)?.as_str();
        if let (Some(algorithm), Some(value)) = (member("algorithm"), member("value")) {
            texts.insert(format!("{algorithm}:{value}"));
        }
    }
    let mut encoded: Vec<&Value> = at("/signature/publicKey/content").into_iter().collect();
    for (pointer, name) in [("/signatures", "verifier"), ("/content/envelope/signatures", "publicKey")] {
        let signatures = at(pointer).and_then(Value::as_array);
        encoded.extend(signatures.into_iter().flatten().filter_map(|signature| signature.get(name)));
    }
    for pem in encoded.into_iter().filter_map(Value::as_str) {
        if let Some(key) = STANDARD.decode(pem).ok().and_then(|pem| EntryKey::from_pem(&pem).ok()) {
            texts.insert(key.search_digest().to_string());
            texts.extend(key.subjects().iter().cloned());
        }
    }
    texts.iter().map(|text| key(text)).collect()
}

fn key(text: &str) -> Sha256Digest {
    Sha256Digest::of(text.to_lowercase().as_bytes())
}

/// A digest without its algorithm has the one of its length.
fn with_algorithm(hash: &str) -> Option<String> {
    let (algorithm, value) = hash.split_once(':').unwrap_or(match hash.len() {
        40 => ("sha1", hash),
        64 => ("sha256", hash),
        _ => ("sha512", hash),
    });
    let length = match algorithm {
        "sha1" => 40,
        "sha256" => 64,
        "sha512" => 128,
        _ => return None,
    };
    let fits = value.len() == length && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    fits.then(|| format!("{algorithm}:{value}"))
}

/// Addresses are not followed: a log that fetches what strangers name can be sent anywhere.
fn public_key(searched: &SearchedKey) -> Result<String, LogError> {
    match searched.format.as_deref() {
        Some("x509") => {}
        Some("pgp" | "minisign" | "ssh" | "tuf") => return Err(LogError::SearchedKeyFormat),
        Some(_) => {
            let allowed = "pgp x509 minisign ssh tuf";
            return Err(Invalid::Enum { name: "publicKey.format", allowed }.into());
        }
        None => return Err(Invalid::Required { name: "publicKey.format", place: "body" }.into()),
    }
    let pem = searched.content.as_ref().and_then(|content| STANDARD.decode(content).ok());
    let key = EntryKey::from_pem(&pem.ok_or(LogError::SearchedKey)?).map_err(|_| LogError::SearchedKey)?;
    Ok(key.search_digest().to_string())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawSearchQuery {
    email: Option<String>,
    hash: Option<String>,
    operator: Option<String>,
    public_key: Option<SearchedKey>,
    subject: Option<String>,
}

#[derive(Deserialize)]
struct SearchedKey {
    content: Option<String>,
    format: Option<String>,
}

const HASH_PATTERN: &str = "^(sha512:)?[0-9a-fA-F]{128}$|^(sha256:)?[0-9a-fA-F]{64}$|^(sha1:)?[0-9a-fA-F]{40}$";

/// An answer of eighty kilobytes. The real server has no limit.
const MAX_FOUND: usize = 1000;

/// A team's busiest address; beyond it the newest may not be found.
const MAX_WITH_KEY: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::SigningKey;
    use crate::tlog::hashedrekord::{Verifier, canonical_body, pem};

    #[test]
    fn an_entry_is_found_by_its_key_and_its_digest() {
        let key = SigningKey::generate();
        let spki = key.public_key_der();
        let body = canonical_body(&Sha256Digest::of(b"m"), &key.sign(b"m"), Verifier::PublicKey(&spki));
        let keys = keys_of(&body);
        assert_eq!(keys.len(), 2);
        let query = |json: Value| SearchQuery::read(json.to_string().as_bytes()).unwrap().keys;
        let digest = Sha256Digest::of(b"m").to_string();
        let one_line = pem(Verifier::PublicKey(&spki)).replace('\n', "\r\n");
        let by_key = serde_json::json!({ "publicKey": { "format": "x509", "content": STANDARD.encode(one_line) } });
        for query in [
            query(by_key),
            query(serde_json::json!({ "hash": format!("sha256:{digest}") })),
            query(serde_json::json!({ "hash": digest.to_uppercase() })),
        ] {
            assert!(keys.contains(&query[0]) && query.len() == 1);
        }
    }

    #[test]
    fn faults_are_named() {
        let fault = |json: &str| match SearchQuery::read(json.as_bytes()).unwrap_err() {
            LogError::Invalid(invalid) => (invalid.code(), invalid.to_string()),
            other => (400, other.to_string()),
        };
        let is = |code, message: &str| (code, message.to_owned());
        assert_eq!(fault(""), is(602, "query in body is required"));
        assert_eq!(fault("{"), is(400, "parsing query body from \"\" failed, because unexpected EOF"));
        assert_eq!(fault(r#"{"operator":"xor"}"#), is(606, "operator in body should be one of [and or]"));
        assert_eq!(fault(r#"{"hash":"zz"}"#), is(605, &format!("hash in body should match '{HASH_PATTERN}'")));
        assert_eq!(fault(r#"{"email":"x"}"#), is(601, "email in body must be of type email: \"x\""));
        let pgp = "the PKI format requested is not supported by this server";
        assert_eq!(fault(r#"{"publicKey":{"format":"pgp"}}"#), is(400, pgp));
        let url = r#"{"publicKey":{"format":"x509","url":"http://127.0.0.1/"}}"#;
        assert_eq!(fault(url), is(400, "public key provided could not be parsed"));
        assert_eq!(fault(r#"{"publicKey":{"format":"x"}}"#).0, 606);
        assert_eq!(fault(r#"{"publicKey":{}}"#), is(602, "publicKey.format in body is required"));
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,80}", bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            drop(SearchQuery::read(text.as_bytes()));
            drop(SearchQuery::read(format!(r#"{{"hash":"{text}"}}"#).as_bytes()));
            drop(keys_of(&bytes));
        }
    }
}
