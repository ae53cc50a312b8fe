//! Rekor's `dsse` 0.0.1: digests of envelope and payload, the signatures, and whose. The payload itself is not logged.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;

use super::error::ProposedEntryError;
use crate::crypto::Sha256Digest;
use crate::tlog::dsse::Envelope;
use crate::tlog::entry_key::{BadEntryKey, EntryKey};

/// `kind` of these entries.
pub(super) const KIND: &str = "dsse";

/// `apiVersion` of Rekor v1's form.
pub(super) const VERSION_0_0_1: &str = "0.0.1";

/// The canonical body for a proposal's `spec`, all signatures verified.
pub(super) fn proposed_body(spec: &str) -> Result<Vec<u8>, ProposedEntryError> {
    let spec: Spec = serde_json::from_str(spec).map_err(ProposedEntryError::spec(KIND))?;
    let proposed = spec.proposed_content;
    let envelope = Envelope::parse(&proposed.envelope)?;
    let keys = proposed.verifiers.iter().map(|pem| {
        let pem = STANDARD.decode(pem).map_err(|_| BadEntryKey::Pem)?;
        EntryKey::from_pem(&pem)
    });
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    let mut signatures: Vec<_> = envelope
        .verify(&keys)?
        .into_iter()
        .zip(&envelope.signatures)
        .map(|(key, signature)| (&signature.encoded, STANDARD.encode(key.canonical_pem())))
        .collect();
    signatures.sort();
    signatures.dedup_by(|next, kept| next.0 == kept.0);
    let signatures =
        signatures.into_iter().map(|(signature, verifier)| json!({ "signature": signature, "verifier": verifier }));
    canonical(
        &json!({
            "apiVersion": VERSION_0_0_1,
            "kind": KIND,
            "spec": {
                "envelopeHash": sha256(proposed.envelope.as_bytes()),
                "payloadHash": sha256(&envelope.payload),
                "signatures": signatures.collect::<Vec<_>>(),
            },
        }),
        KIND,
    )
}

pub(super) fn sha256(bytes: &[u8]) -> serde_json::Value {
    json!({ "algorithm": "sha256", "value": Sha256Digest::of(bytes).to_string() })
}

/// RFC 8785.
pub(super) fn canonical(body: &serde_json::Value, kind: &'static str) -> Result<Vec<u8>, ProposedEntryError> {
    serde_json_canonicalizer::to_vec(body).map_err(ProposedEntryError::spec(kind))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    proposed_content: ProposedContent,
}

#[derive(Deserialize)]
struct ProposedContent {
    envelope: String,
    verifiers: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{ServiceKey, ServiceKeyKind, SigningKey};
    use crate::tlog::dsse::{MalformedEnvelope, pre_authentication_encoding};
    use crate::tlog::hashedrekord::{Verifier, pem};
    use crate::tlog::proposed::ProposedEntry;

    fn pem64(spki: &[u8]) -> String {
        STANDARD.encode(pem(Verifier::PublicKey(spki)))
    }

    fn proposal(signatures: &[String], verifiers: &[String]) -> Vec<u8> {
        let signatures: Vec<_> = signatures.iter().map(|sig| json!({ "sig": sig, "keyid": "x" })).collect();
        let envelope = json!({ "payloadType": "text/plain", "payload": "aGk=", "signatures": signatures });
        let content = json!({ "envelope": envelope.to_string(), "verifiers": verifiers });
        json!({ "kind": KIND, "apiVersion": VERSION_0_0_1, "spec": { "proposedContent": content } })
            .to_string()
            .into_bytes()
    }

    #[test]
    fn every_signature_needs_a_key_and_every_key_a_signature() {
        let message = pre_authentication_encoding("text/plain", b"hi");
        let p256 = SigningKey::generate();
        let ed25519 = ServiceKey::generate(ServiceKeyKind::Ed25519).unwrap();
        let signatures = [STANDARD.encode(p256.sign(&message)), STANDARD.encode(ed25519.sign(&message).unwrap())];
        let verifiers = [pem64(&p256.public_key_der()), pem64(ed25519.verifying_key().spki_der())];
        let read = |signatures: &[String], verifiers: &[String]| ProposedEntry::read(&proposal(signatures, verifiers));

        let body = read(&signatures, &verifiers).unwrap().into_canonical_body();
        let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let logged = value["spec"]["signatures"].as_array().unwrap();
        assert_eq!(logged.len(), 2);
        assert!(logged[0]["signature"].as_str() < logged[1]["signature"].as_str());
        assert_eq!(value["spec"]["payloadHash"]["value"], Sha256Digest::of(b"hi").to_string());

        let unverified = Err(ProposedEntryError::Envelope(MalformedEnvelope::Unverified));
        assert_eq!(read(&signatures, &verifiers[..1]), unverified);
        assert_eq!(read(&signatures[..1], &verifiers), unverified);
        assert_eq!(read(&[STANDARD.encode(p256.sign(b"hi"))], &verifiers[..1]), unverified);
        let none = Err(ProposedEntryError::Envelope(MalformedEnvelope::SignatureCount(0)));
        assert_eq!(read(&[], &verifiers), none);
        let none = Err(ProposedEntryError::Envelope(MalformedEnvelope::KeyCount(0)));
        assert_eq!(read(&signatures, &[]), none);
        let garbage = Err(ProposedEntryError::Envelope(MalformedEnvelope::Base64("signature")));
        assert_eq!(read(&["*".to_owned()], &verifiers), garbage);
        assert_eq!(read(&signatures, &["AAAA".to_owned()]), Err(ProposedEntryError::Key(BadEntryKey::Pem)));
    }
}
