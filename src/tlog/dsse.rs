//! DSSE envelopes. What is signed is the pre-authentication encoding of payload type and payload.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use serde::Deserialize;

use super::entry_key::EntryKey;
use crate::crypto::{BadSignature, DigestAlgorithm, KeyKind, SignatureAlgorithm, VerifyingKey};

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
fn decode(text: &str) -> Option<Vec<u8>> {
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

    #[test]
    fn encoding_is_the_protocols() {
        let encoded = pre_authentication_encoding("application/vnd.in-toto+json", b"{}");
        assert_eq!(encoded, b"DSSEv1 28 application/vnd.in-toto+json 2 {}");
    }
}
