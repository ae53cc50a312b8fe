//! Rekor's `hashedrekord`: a digest, a signature over it, and whose. Version 0.0.1 of Rekor v1, 0.0.2 of Rekor v2.
//!
//! The canonical body is RFC 8785 JSON, with the certificate or key in PEM of 64 columns. It is at once what a client
//! proposes, what the log stores, and what a verifier rebuilds.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::entry_key::{BadEntryKey, EntryKey};
use super::proposed::ProposedEntryError;
use crate::crypto::{BadSignature, DigestAlgorithm, KeyKind, Sha256Digest, SignatureAlgorithm, VerifyingKey};
use crate::encoding::{base64, lower_hex};

/// `kind` of these entries.
pub const KIND: &str = "hashedrekord";

/// `apiVersion` of Rekor v1's form.
pub const VERSION_0_0_1: &str = "0.0.1";

/// `apiVersion` of Rekor v2's form.
pub const VERSION_0_0_2: &str = "0.0.2";

/// Whose signature it is, in DER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verifier<'a> {
    /// An X.509 certificate.
    Certificate(&'a [u8]),
    /// A `SubjectPublicKeyInfo`.
    PublicKey(&'a [u8]),
}

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

/// The certificate or key in PEM (RFC 7468): 64 columns, LF, a final newline.
#[must_use]
pub fn pem(verifier: Verifier<'_>) -> String {
    let (label, der) = match verifier {
        Verifier::Certificate(der) => (CERTIFICATE, der),
        Verifier::PublicKey(der) => (PUBLIC_KEY, der),
    };
    let encoded = base64(der);
    let mut text = String::with_capacity(encoded.len() + encoded.len() / 64 + 64);
    text.push_str("-----BEGIN ");
    text.push_str(label);
    text.push_str("-----\n");
    let mut rest = encoded.as_str();
    while let Some((line, after)) = rest.split_at_checked(64) {
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    if !rest.is_empty() {
        text.push_str(rest);
        text.push('\n');
    }
    text.push_str("-----END ");
    text.push_str(label);
    text.push_str("-----\n");
    text
}

/// The signature that a body 0.0.1 holds; `None` where it is no such body. Nothing else of it is looked at: who verifies
/// it builds the whole body again.
#[must_use]
pub fn signature_in(body: &[u8]) -> Option<Vec<u8>> {
    let body: Body = serde_json::from_slice(body).ok()?;
    STANDARD.decode(&body.spec.signature.content).ok()
}

/// The canonical body for a proposal's `spec`, its signature over the digest verified.
pub(super) fn proposed_body(spec: &str) -> Result<Vec<u8>, ProposedEntryError> {
    let spec: Spec = serde_json::from_str(spec).map_err(ProposedEntryError::spec(KIND))?;
    let algorithm = match spec.data.hash.algorithm.as_str() {
        "sha256" => DigestAlgorithm::Sha256,
        "sha384" => DigestAlgorithm::Sha384,
        "sha512" => DigestAlgorithm::Sha512,
        _ => return Err(ProposedEntryError::Hash),
    };
    let digest = hex::decode(&spec.data.hash.value).map_err(|_| ProposedEntryError::Hash)?;
    if digest.len() != digest_length(algorithm) {
        return Err(ProposedEntryError::Hash);
    }
    let signature = STANDARD.decode(&spec.signature.content).map_err(|_| ProposedEntryError::SignatureEncoding)?;
    let pem = STANDARD.decode(&spec.signature.public_key.content).map_err(|_| BadEntryKey::Pem)?;
    let key = EntryKey::from_pem(&pem)?;
    let wanted = match key.key().kind().default_algorithm() {
        SignatureAlgorithm::Ecdsa(wanted) | SignatureAlgorithm::RsaPkcs1(wanted) => wanted,
        // Ed25519ph: pure Ed25519 signs no digest.
        SignatureAlgorithm::Ed25519 => DigestAlgorithm::Sha512,
    };
    if wanted != algorithm {
        return Err(ProposedEntryError::Signature(BadSignature));
    }
    key.key().verify_digest(algorithm, &digest, &signature)?;
    Ok(canonical_body_over(algorithm, &digest, &signature, key.verifier()))
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

#[derive(Deserialize)]
struct Spec {
    data: Data,
    signature: Signature,
}

#[derive(Deserialize)]
struct Data {
    hash: Hash,
}

#[derive(Deserialize)]
struct Hash {
    algorithm: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Signature {
    content: String,
    public_key: PublicKey,
}

#[derive(Deserialize)]
struct PublicKey {
    content: String,
}

pub(super) const CERTIFICATE: &str = "CERTIFICATE";
pub(super) const PUBLIC_KEY: &str = "PUBLIC KEY";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::SigningKey;
    use crate::tlog::proposed::ProposedEntry;

    /// RFC 8410 §10.1: all of a public key but its 32 bytes.
    const ED25519_SPKI_HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

    fn proposal(message: &[u8]) -> (SigningKey, Vec<u8>) {
        let key = SigningKey::generate();
        let body =
            canonical_body(&Sha256Digest::of(message), &key.sign(message), Verifier::PublicKey(&key.public_key_der()));
        (key, body)
    }

    fn changed(body: &[u8], from: &str, to: &str) -> Result<ProposedEntry, ProposedEntryError> {
        let text = std::str::from_utf8(body).unwrap();
        assert!(text.contains(from), "{from}");
        ProposedEntry::read(text.replacen(from, to, 1).as_bytes())
    }

    #[test]
    fn body_is_canonical_json_and_a_proposal() {
        let (_, body) = proposal(b"message");
        let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(serde_json_canonicalizer::to_vec(&value).unwrap(), body);
        assert_eq!(ProposedEntry::read(&body).unwrap().canonical_body(), body);
    }

    #[test]
    fn any_pem_is_reencoded() {
        let (_, body) = proposal(b"message");
        let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let encoded = value["spec"]["signature"]["publicKey"]["content"].as_str().unwrap();
        let pem = String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap();
        let read = changed(&body, encoded, &base64(pem.replace('\n', "\r\n"))).unwrap();
        assert_eq!(read.canonical_body(), body);
        let twice = changed(&body, encoded, &base64(pem.repeat(2)));
        assert_eq!(twice, Err(ProposedEntryError::Key(BadEntryKey::Pem)));
    }

    #[test]
    fn one_thing_wrong_is_named() {
        let (_, body) = proposal(b"message");
        let digest = Sha256Digest::of(b"message").to_string();
        let other = Sha256Digest::of(b"other").to_string();
        assert_eq!(changed(&body, &digest, &other), Err(ProposedEntryError::Signature(BadSignature)));
        assert_eq!(changed(&body, &digest, "zz"), Err(ProposedEntryError::Hash));
        assert_eq!(changed(&body, "sha256", "sha384"), Err(ProposedEntryError::Hash));
        assert_eq!(changed(&body, "sha256", "md5"), Err(ProposedEntryError::Hash));
        assert_eq!(changed(&body, "hashedrekord", "nope"), Err(ProposedEntryError::Kind("nope".to_owned())));
        assert_eq!(
            changed(&body, "0.0.1", "0.0.3"),
            Err(ProposedEntryError::Version { kind: KIND.to_owned(), version: "0.0.3".to_owned() })
        );
        assert!(matches!(changed(&body, "signature", "x"), Err(ProposedEntryError::Spec { kind: KIND, .. })));
        assert!(matches!(ProposedEntry::read(b"{"), Err(ProposedEntryError::Json(_))));
    }

    #[test]
    fn sha512_does_not_go_with_p256() {
        let (key, _) = proposal(b"");
        let verifier = Verifier::PublicKey(&key.public_key_der());
        let digest = DigestAlgorithm::Sha512.digest(b"message");
        let proposed = canonical_body_over(DigestAlgorithm::Sha512, &digest, &key.sign(b"message"), verifier);
        assert_eq!(ProposedEntry::read(&proposed), Err(ProposedEntryError::Signature(BadSignature)));
    }

    #[test]
    fn ed25519_signs_as_ed25519ph() {
        let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
        let spki = [&ED25519_SPKI_HEAD[..], key.verifying_key().as_bytes()].concat();
        let message = ed25519_dalek::Digest::chain_update(ed25519_dalek::Sha512::default(), b"message");
        let signature = key.sign_prehashed(message, None).unwrap().to_bytes();
        let digest = DigestAlgorithm::Sha512.digest(b"message");
        let body = |signature: &[u8]| {
            canonical_body_over(DigestAlgorithm::Sha512, &digest, signature, Verifier::PublicKey(&spki))
        };
        let proposed = body(&signature);
        assert_eq!(ProposedEntry::read(&proposed).unwrap().canonical_body(), proposed);
        let pure = ed25519_dalek::Signer::sign(&key, b"message").to_bytes();
        assert_eq!(ProposedEntry::read(&body(&pure)), Err(ProposedEntryError::Signature(BadSignature)));
    }

    #[test]
    fn pem_has_64_columns() {
        let der = vec![0; 96];
        let text = pem(Verifier::Certificate(&der));
        assert_eq!(text.lines().map(str::len).collect::<Vec<_>>(), [27, 64, 64, 25]);
        assert_eq!(text, der::pem::encode_string("CERTIFICATE", der::pem::LineEnding::LF, &der).unwrap());
    }

    proptest! {
        #[test]
        fn never_panics(at: prop::sample::Index, byte: u8) {
            let (_, mut body) = proposal(b"message");
            let index = at.index(body.len());
            body[index] = byte;
            drop(ProposedEntry::read(&body));
        }
    }
}
