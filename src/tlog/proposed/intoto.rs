//! Rekor's `intoto` 0.0.2: a DSSE envelope without its payload. sigstore-js attests with it.
//!
//! Payload and signatures are base64 twice: the model of the real server takes bytes where DSSE has base64 already.
//! Keys are logged as they were sent, not in PEM of one form; so does the real server.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::dsse::{canonical, sha256};
use super::error::ProposedEntryError;
use crate::tlog::dsse::{Envelope, EnvelopeSignature, MalformedEnvelope};
use crate::tlog::entry_key::{BadEntryKey, EntryKey};

/// `kind` of these entries.
pub(super) const KIND: &str = "intoto";

/// The version that is taken.
pub(super) const VERSION_0_0_2: &str = "0.0.2";

/// The canonical body for a proposal's `spec`, all signatures verified.
pub(super) fn proposed_body(spec: &str) -> Result<Vec<u8>, ProposedEntryError> {
    let Spec { content } = serde_json::from_str(spec).map_err(ProposedEntryError::spec(KIND))?;
    let hash = content.hash;
    if hash.algorithm != "sha256" || hash.value.len() != 64 || hex::decode(&hash.value).is_err() {
        return Err(ProposedEntryError::Hash);
    }
    let mut keys = Vec::new();
    let mut signatures = Vec::new();
    let mut logged = Vec::new();
    for signature in content.envelope.signatures {
        let key = STANDARD.decode(&signature.public_key).map_err(|_| BadEntryKey::Pem)?;
        keys.push(EntryKey::from_pem(&key)?);
        signatures.push(EnvelopeSignature::read(inner("signature", &signature.sig)?)?);
        logged.push(LoggedSignature {
            keyid: signature.keyid.filter(|id| !id.is_empty()),
            public_key: STANDARD.encode(key),
            sig: signature.sig,
        });
    }
    let payload = inner("payload", &content.envelope.payload)?;
    let envelope = Envelope::new(content.envelope.payload_type, &payload, signatures)?;
    envelope.verify(&keys)?;
    let body = json!({
        "apiVersion": VERSION_0_0_2,
        "kind": KIND,
        "spec": { "content": {
            "envelope": { "payloadType": envelope.payload_type, "signatures": logged },
            "hash": hash,
            "payloadHash": sha256(&envelope.payload),
        }},
    });
    canonical(&body, KIND)
}

/// The outer base64, which holds base64.
fn inner(member: &'static str, text: &str) -> Result<String, MalformedEnvelope> {
    let bytes = STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    bytes.ok_or(MalformedEnvelope::Base64(member))
}

#[derive(Deserialize)]
struct Spec {
    content: Content,
}

#[derive(Deserialize)]
struct Content {
    envelope: RawEnvelope,
    hash: Hash,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawEnvelope {
    payload_type: String,
    payload: String,
    signatures: Vec<RawSignature>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawSignature {
    keyid: Option<String>,
    public_key: String,
    sig: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LoggedSignature {
    #[serde(skip_serializing_if = "Option::is_none")]
    keyid: Option<String>,
    public_key: String,
    sig: String,
}

/// Of the envelope's JSON, says the client; nobody can check it.
#[derive(Deserialize, Serialize)]
struct Hash {
    algorithm: String,
    value: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::SigningKey;
    use crate::tlog::dsse::pre_authentication_encoding;
    use crate::tlog::hashedrekord::{Verifier, pem};
    use crate::tlog::proposed::ProposedEntry;

    fn proposal() -> serde_json::Value {
        let key = SigningKey::generate();
        let signature = key.sign(&pre_authentication_encoding("text/plain", b"hi"));
        json!({ "kind": KIND, "apiVersion": VERSION_0_0_2, "spec": { "content": {
            "envelope": {
                "payloadType": "text/plain",
                "payload": STANDARD.encode("aGk="),
                "signatures": [{
                    "keyid": "",
                    "publicKey": STANDARD.encode(pem(Verifier::PublicKey(&key.public_key_der())).trim_end()),
                    "sig": STANDARD.encode(STANDARD.encode(signature)),
                }],
            },
            "hash": { "algorithm": "sha256", "value": "0".repeat(64) },
            "payloadHash": { "algorithm": "sha256", "value": "f".repeat(64) },
        }}})
    }

    #[test]
    fn the_payload_is_hashed_and_not_kept() {
        let proposed = proposal();
        let body = ProposedEntry::read(proposed.to_string().as_bytes()).unwrap().into_canonical_body();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let mut expected = proposed["spec"].clone();
        let content = expected["content"].as_object_mut().unwrap();
        content["payloadHash"] = sha256(b"hi");
        content["envelope"].as_object_mut().unwrap().remove("payload");
        content["envelope"]["signatures"][0].as_object_mut().unwrap().remove("keyid");
        assert_eq!(body["spec"], expected);
    }

    #[test]
    fn one_thing_wrong_is_named() {
        let wrong = |pointer: &str, value: serde_json::Value| {
            let mut proposed = proposal();
            *proposed.pointer_mut(&format!("/spec/content{pointer}")).unwrap() = value;
            ProposedEntry::read(proposed.to_string().as_bytes()).unwrap_err()
        };
        let envelope = ProposedEntryError::Envelope;
        let other = STANDARD.encode("aGo=");
        assert_eq!(wrong("/envelope/payload", other.into()), envelope(MalformedEnvelope::Unverified));
        assert_eq!(wrong("/envelope/payload", "aGk=".into()), envelope(MalformedEnvelope::Base64("payload")));
        assert_eq!(wrong("/envelope/payloadType", "x".into()), envelope(MalformedEnvelope::Unverified));
        assert_eq!(wrong("/envelope/signatures", json!([])), envelope(MalformedEnvelope::SignatureCount(0)));
        let key = "/envelope/signatures/0/publicKey";
        assert_eq!(wrong(key, "AAAA".into()), ProposedEntryError::Key(BadEntryKey::Pem));
        assert_eq!(wrong("/hash/value", "zz".into()), ProposedEntryError::Hash);
        assert_eq!(wrong("/hash/algorithm", "md5".into()), ProposedEntryError::Hash);
        assert!(matches!(wrong("/envelope", json!({})), ProposedEntryError::Spec { kind: KIND, .. }));
    }
}
