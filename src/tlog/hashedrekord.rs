//! Rekor's `hashedrekord`: a digest, a signature over it, and whose. Version 0.0.1 of Rekor v1, 0.0.2 of Rekor v2.
//!
//! The canonical body is RFC 8785 JSON, with the certificate or key in PEM of 64 columns. It is at once what a client
//! proposes, what the log stores, and what a verifier rebuilds.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

pub use super::verifier::{Verifier, pem};
use crate::crypto::{DigestAlgorithm, KeyKind, Sha256Digest, VerifyingKey};
use crate::encoding::{base64, lower_hex};

/// `kind` of these entries.
pub const KIND: &str = "hashedrekord";

/// `apiVersion` of Rekor v1's form.
pub const VERSION_0_0_1: &str = "0.0.1";

/// `apiVersion` of Rekor v2's form.
pub const VERSION_0_0_2: &str = "0.0.2";

/// The canonical body 0.0.1 for a signature over a message with this SHA-256.
#[must_use]
pub fn canonical_body(message: &Sha256Digest, signature: &[u8], verifier: Verifier<'_>) -> Vec<u8> {
    canonical_body_over(DigestAlgorithm::Sha256, message.as_ref(), signature, verifier)
}

/// The canonical body 0.0.1 for a signature over a message with this digest.
#[must_use]
pub fn canonical_body_over(
    algorithm: DigestAlgorithm,
    digest: &[u8],
    signature: &[u8],
    verifier: Verifier<'_>,
) -> Vec<u8> {
    let algorithm = match algorithm {
        DigestAlgorithm::Sha256 => "sha256",
        DigestAlgorithm::Sha384 => "sha384",
        DigestAlgorithm::Sha512 => "sha512",
    };
    // RFC 8785: members in the order of their names, no space; the values need no escape.
    let parts = [
        r#"{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{"data":{"hash":{"algorithm":""#,
        algorithm,
        r#"","value":""#,
        &lower_hex(digest),
        r#""}},"signature":{"content":""#,
        &base64(signature),
        r#"","publicKey":{"content":""#,
        &base64(pem(verifier)),
        r#""}}}}"#,
    ];
    parts.concat().into_bytes()
}

/// The canonical body 0.0.2, as Rekor v2 logs it, for a signature over a message with this digest.
#[must_use]
pub fn canonical_body_0_0_2(digest: &[u8], signature: &[u8], verifier: Verifier<'_>, key: KeyDetails) -> Vec<u8> {
    let (member, der) = match verifier {
        Verifier::Certificate(der) => ("x509Certificate", der),
        Verifier::PublicKey(der) => ("publicKey", der),
    };
    // RFC 8785: members in the order of their names, no space; the values need no escape.
    let parts = [
        r#"{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{"data":{"algorithm":""#,
        key.digest_name(),
        r#"","digest":""#,
        &base64(digest),
        r#""},"signature":{"content":""#,
        &base64(signature),
        r#"","verifier":{"keyDetails":""#,
        key.name(),
        r#"",""#,
        member,
        r#"":{"rawBytes":""#,
        &base64(der),
        r#""}}}}}}"#,
    ];
    parts.concat().into_bytes()
}

/// protobuf-specs `PublicKeyDetails`: what Rekor v2 takes signatures of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyDetails {
    /// `PKIX_ECDSA_P256_SHA_256`
    EcdsaP256,
    /// `PKIX_ECDSA_P384_SHA_384`
    EcdsaP384,
    /// `PKIX_ECDSA_P521_SHA_512`
    EcdsaP521,
    /// `PKIX_ED25519_PH`
    Ed25519Ph,
    /// `PKIX_RSA_PKCS1V15_2048_SHA256`
    Rsa2048,
    /// `PKIX_RSA_PKCS1V15_3072_SHA256`
    Rsa3072,
    /// `PKIX_RSA_PKCS1V15_4096_SHA256`
    Rsa4096,
}

impl KeyDetails {
    /// What signatures of `key` are by default; `None` where Rekor v2 has no name for them.
    #[must_use]
    pub fn of(key: &VerifyingKey) -> Option<Self> {
        Some(match (key.kind(), key.rsa_bits()) {
            (KeyKind::EcdsaP256, _) => Self::EcdsaP256,
            (KeyKind::EcdsaP384, _) => Self::EcdsaP384,
            (KeyKind::EcdsaP521, _) => Self::EcdsaP521,
            (KeyKind::Ed25519, _) => Self::Ed25519Ph,
            (KeyKind::Rsa, Some(2048)) => Self::Rsa2048,
            (KeyKind::Rsa, Some(3072)) => Self::Rsa3072,
            (KeyKind::Rsa, Some(4096)) => Self::Rsa4096,
            (KeyKind::Rsa, _) => return None,
        })
    }

    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::EcdsaP256 => "PKIX_ECDSA_P256_SHA_256",
            Self::EcdsaP384 => "PKIX_ECDSA_P384_SHA_384",
            Self::EcdsaP521 => "PKIX_ECDSA_P521_SHA_512",
            Self::Ed25519Ph => "PKIX_ED25519_PH",
            Self::Rsa2048 => "PKIX_RSA_PKCS1V15_2048_SHA256",
            Self::Rsa3072 => "PKIX_RSA_PKCS1V15_3072_SHA256",
            Self::Rsa4096 => "PKIX_RSA_PKCS1V15_4096_SHA256",
        }
    }

    /// The number in protobuf.
    #[must_use]
    pub fn number(self) -> i32 {
        match self {
            Self::EcdsaP256 => 5,
            Self::EcdsaP384 => 12,
            Self::EcdsaP521 => 13,
            Self::Ed25519Ph => 8,
            Self::Rsa2048 => 9,
            Self::Rsa3072 => 10,
            Self::Rsa4096 => 11,
        }
    }

    /// The digest that the scheme begins with.
    #[must_use]
    pub fn digest(self) -> DigestAlgorithm {
        match self {
            Self::EcdsaP256 | Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => DigestAlgorithm::Sha256,
            Self::EcdsaP384 => DigestAlgorithm::Sha384,
            Self::EcdsaP521 | Self::Ed25519Ph => DigestAlgorithm::Sha512,
        }
    }

    fn digest_name(self) -> &'static str {
        match self.digest() {
            DigestAlgorithm::Sha256 => "SHA2_256",
            DigestAlgorithm::Sha384 => "SHA2_384",
            DigestAlgorithm::Sha512 => "SHA2_512",
        }
    }
}

/// The signature that a body 0.0.1 holds; `None` where it is no such body. Nothing else of it is looked at: who verifies
/// it builds the whole body again.
#[must_use]
pub fn signature_in(body: &[u8]) -> Option<Vec<u8>> {
    let body: Body = serde_json::from_slice(body).ok()?;
    STANDARD.decode(&body.spec.signature.content).ok()
}

pub(super) fn digest_length(algorithm: DigestAlgorithm) -> usize {
    match algorithm {
        DigestAlgorithm::Sha256 => 32,
        DigestAlgorithm::Sha384 => 48,
        DigestAlgorithm::Sha512 => 64,
    }
}

#[derive(Deserialize)]
struct Body {
    spec: Spec,
}

/// What 0.0.1 says, in a body or a proposal.
#[derive(Deserialize)]
pub(super) struct Spec {
    pub(super) data: Data,
    pub(super) signature: Signature,
}

#[derive(Deserialize)]
pub(super) struct Data {
    pub(super) hash: Hash,
}

#[derive(Deserialize)]
pub(super) struct Hash {
    pub(super) algorithm: String,
    pub(super) value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Signature {
    pub(super) content: String,
    pub(super) public_key: PublicKey,
}

#[derive(Deserialize)]
pub(super) struct PublicKey {
    pub(super) content: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::SigningKey;

    #[test]
    fn body_is_canonical_json() {
        let key = SigningKey::generate();
        let (message, spki) = (Sha256Digest::of(b"message"), key.public_key_der());
        let body = canonical_body(&message, &key.sign(b"message"), Verifier::PublicKey(&spki));
        let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(serde_json_canonicalizer::to_vec(&value).unwrap(), body);
    }
}
