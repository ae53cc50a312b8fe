//! DSSE envelopes, and Rekor's `dsse` 0.0.1: digests of envelope and payload, the signatures, and whose.
//!
//! What is signed is the pre-authentication encoding of payload type and payload. The payload itself is not logged.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use serde::Deserialize;
use serde_json::json;

use super::entry_key::{BadEntryKey, EntryKey};
use super::proposed::ProposedEntryError;
use crate::crypto::{BadSignature, DigestAlgorithm, KeyKind, Sha256Digest, SignatureAlgorithm, VerifyingKey};

/// `kind` of these entries.
pub const KIND: &str = "dsse";

/// `apiVersion` of Rekor v1's form.
pub const VERSION_0_0_1: &str = "0.0.1";

/// The pre-authentication encoding (DSSE protocol, "Signature definition").
#[must_use]
pub fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// An envelope that was read, nothing of it verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// What the payload is.
    pub payload_type: String,
    /// What was signed, without its type.
    pub payload: Vec<u8>,
    /// One or more.
    pub signatures: Vec<EnvelopeSignature>,
}

/// One signature of an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvelopeSignature {
    /// As it was sent.
    pub encoded: String,
    /// The signature.
    pub bytes: Vec<u8>,
}

impl EnvelopeSignature {
    /// Reads base64, of either alphabet.
    ///
    /// # Errors
    /// [`MalformedEnvelope`] when it is not.
    pub fn read(encoded: String) -> Result<Self, MalformedEnvelope> {
        let bytes = decode(&encoded).ok_or(MalformedEnvelope::Base64("signature"))?;
        Ok(Self { encoded, bytes })
    }
}

impl Envelope {
    /// Reads the JSON of an envelope.
    ///
    /// # Errors
    /// [`MalformedEnvelope`] names what is wrong.
    pub fn parse(json: &str) -> Result<Self, MalformedEnvelope> {
        let envelope: RawEnvelope =
            serde_json::from_str(json).map_err(|error| MalformedEnvelope::Json(error.to_string()))?;
        let signatures = envelope.signatures.into_iter().map(|signature| EnvelopeSignature::read(signature.sig));
        Self::new(envelope.payload_type, &envelope.payload, signatures.collect::<Result<_, _>>()?)
    }

    /// An envelope from its members; `payload` is base64.
    ///
    /// # Errors
    /// [`MalformedEnvelope`] names what is wrong.
    pub fn new(
        payload_type: String,
        payload: &str,
        signatures: Vec<EnvelopeSignature>,
    ) -> Result<Self, MalformedEnvelope> {
        if signatures.is_empty() || signatures.len() > MAX_SIGNATURES {
            return Err(MalformedEnvelope::SignatureCount(signatures.len()));
        }
        let payload = decode(payload).ok_or(MalformedEnvelope::Base64("payload"))?;
        Ok(Self { payload_type, payload, signatures })
    }

    /// What each signature signs.
    #[must_use]
    pub fn signed_message(&self) -> Vec<u8> {
        pre_authentication_encoding(&self.payload_type, &self.payload)
    }

    /// For each signature the key that verifies it. Every signature needs one, and every key a signature.
    ///
    /// # Errors
    /// [`MalformedEnvelope::Unverified`] when one has none.
    pub fn verify<'k>(&self, keys: &'k [EntryKey]) -> Result<Vec<&'k EntryKey>, MalformedEnvelope> {
        if keys.is_empty() || keys.len() > MAX_SIGNATURES {
            return Err(MalformedEnvelope::KeyCount(keys.len()));
        }
        let message = self.signed_message();
        let signed =
            |key: &EntryKey, signature: &EnvelopeSignature| verify(key.key(), &message, &signature.bytes).is_ok();
        if !keys.iter().all(|key| self.signatures.iter().any(|signature| signed(key, signature))) {
            return Err(MalformedEnvelope::Unverified);
        }
        let key_of = |signature| keys.iter().find(|key| signed(key, signature)).ok_or(MalformedEnvelope::Unverified);
        self.signatures.iter().map(key_of).collect()
    }
}

/// Base64 of the standard or the URL alphabet: DSSE wants either to be read.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok().or_else(|| ANY_URL_SAFE.decode(text).ok())
}

/// SHA-256 with ECDSA on any curve is what older clients sign; the default of the key is what others do.
fn verify(key: &VerifyingKey, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
    key.verify(message, signature).or_else(|bad| match key.kind() {
        KeyKind::EcdsaP384 | KeyKind::EcdsaP521 => {
            key.verify_with(SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha256), message, signature)
        }
        KeyKind::EcdsaP256 | KeyKind::Ed25519 | KeyKind::Rsa => Err(bad),
    })
}

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

/// An envelope that a log must not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedEnvelope {
    /// A member that is not base64.
    #[error("the envelope's {0} is not base64")]
    Base64(&'static str),
    /// Not JSON of an envelope.
    #[error("the envelope cannot be read: {0}")]
    Json(String),
    /// None, or too many.
    #[error("{0} keys came with the envelope: 1 to {MAX_SIGNATURES} are taken")]
    KeyCount(usize),
    /// None, or too many.
    #[error("the envelope has {0} signatures: 1 to {MAX_SIGNATURES} are taken")]
    SignatureCount(usize),
    /// A signature without a key that verifies it, or a key that verifies none.
    #[error("could not verify envelope: every signature needs a key that verifies it, and every key a signature")]
    Unverified,
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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawEnvelope {
    payload_type: String,
    payload: String,
    signatures: Vec<RawSignature>,
}

#[derive(Deserialize)]
struct RawSignature {
    sig: String,
}

const ANY_URL_SAFE: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Envelopes have one, with counter-signatures two or three. Each is tried with each key.
const MAX_SIGNATURES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{ServiceKey, ServiceKeyKind, SigningKey};
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
    fn encoding_is_the_protocols() {
        let encoded = pre_authentication_encoding("application/vnd.in-toto+json", b"{}");
        assert_eq!(encoded, b"DSSEv1 28 application/vnd.in-toto+json 2 {}");
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
