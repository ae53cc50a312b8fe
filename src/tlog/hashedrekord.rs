//! Rekor's `hashedrekord`: a digest, a signature over it, and whose. Version 0.0.1.
//!
//! The canonical body is RFC 8785 JSON, with the certificate or key in PEM of 64 columns. It is at once what a client
//! proposes, what the log stores, and what a verifier rebuilds.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use der::{Decode as _, Encode as _};
use serde::Deserialize;

use crate::crypto::{
    BadSignature, DigestAlgorithm, KeyKind, Sha256Digest, SignatureAlgorithm, UnsupportedKey, VerifyingKey,
};

/// `kind` of these entries.
pub const KIND: &str = "hashedrekord";

/// `apiVersion` of Rekor v1's form.
pub const VERSION_0_0_1: &str = "0.0.1";

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
        &hex::encode(digest),
        r#""}},"signature":{"content":""#,
        &STANDARD.encode(signature),
        r#"","publicKey":{"content":""#,
        &STANDARD.encode(pem(verifier)),
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
        &STANDARD.encode(digest),
        r#""},"signature":{"content":""#,
        &STANDARD.encode(signature),
        r#"","verifier":{"keyDetails":""#,
        key.name(),
        r#"",""#,
        member,
        r#"":{"rawBytes":""#,
        &STANDARD.encode(der),
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
    let encoded = STANDARD.encode(der);
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

/// A proposed entry whose signature was verified; only [`ProposedEntry::read`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProposedEntry {
    algorithm: DigestAlgorithm,
    digest: Vec<u8>,
    signature: Vec<u8>,
    label: &'static str,
    der: Vec<u8>,
}

impl ProposedEntry {
    /// Reads what was posted to a log, and verifies the signature over the digest.
    ///
    /// # Errors
    /// [`ProposedEntryError`] names what is wrong.
    pub fn read(json: &[u8]) -> Result<Self, ProposedEntryError> {
        let head: Head = serde_json::from_slice(json).map_err(|error| ProposedEntryError::Json(error.to_string()))?;
        if head.kind != KIND {
            return Err(ProposedEntryError::Kind(head.kind));
        }
        if head.api_version != VERSION_0_0_1 {
            return Err(ProposedEntryError::Version(head.api_version));
        }
        let spec: Spec =
            serde_json::from_value(head.spec).map_err(|error| ProposedEntryError::Spec(error.to_string()))?;
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
        let pem = STANDARD.decode(&spec.signature.public_key.content).map_err(|_| ProposedEntryError::Pem)?;
        let (label, der) = read_pem(&pem).ok_or(ProposedEntryError::Pem)?;
        let spki = match label {
            CERTIFICATE => certificate_key(&der).ok_or(ProposedEntryError::Certificate)?,
            _ => der.clone(),
        };
        let key = VerifyingKey::from_spki_der(&spki)?;
        match key.kind().default_algorithm() {
            SignatureAlgorithm::Ecdsa(wanted) | SignatureAlgorithm::RsaPkcs1(wanted) if wanted == algorithm => {}
            _ => return Err(ProposedEntryError::Signature(BadSignature)),
        }
        key.verify_digest(algorithm, &digest, &signature)?;
        Ok(Self { algorithm, digest, signature, label, der })
    }

    /// The body to log, whatever the proposal's JSON and PEM looked like.
    #[must_use]
    pub fn canonical_body(&self) -> Vec<u8> {
        canonical_body_over(self.algorithm, &self.digest, &self.signature, self.verifier())
    }

    /// Whose signature it is.
    #[must_use]
    pub fn verifier(&self) -> Verifier<'_> {
        match self.label {
            CERTIFICATE => Verifier::Certificate(&self.der),
            _ => Verifier::PublicKey(&self.der),
        }
    }
}

/// A proposed entry that a log must not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposedEntryError {
    /// The certificate cannot be read.
    #[error("invalid public key: the certificate cannot be parsed")]
    Certificate,
    /// The digest is not lower-case hex of the algorithm's length, or the algorithm is not known.
    #[error("invalid value for hash")]
    Hash,
    /// Not JSON of an entry at all.
    #[error("{0}")]
    Json(String),
    /// The public key is of a kind that logs do not take.
    #[error("invalid public key: {0}")]
    Key(#[from] UnsupportedKey),
    /// Another kind of entry.
    #[error("invalid kind value: {0:?}")]
    Kind(String),
    /// Not base64 of exactly one PEM certificate or public key.
    #[error("invalid public key: failure decoding PEM")]
    Pem,
    /// The signature over the digest does not verify.
    #[error("verifying signature: {0}")]
    Signature(#[from] BadSignature),
    /// The signature is not base64.
    #[error("the signature is not base64")]
    SignatureEncoding,
    /// JSON of an entry of this kind, but not of this version's shape.
    #[error("invalid hashedrekord entry: {0}")]
    Spec(String),
    /// Another version of this kind.
    #[error("hashedrekord of version {0:?} is not supported")]
    Version(String),
}

fn digest_length(algorithm: DigestAlgorithm) -> usize {
    match algorithm {
        DigestAlgorithm::Sha256 => 32,
        DigestAlgorithm::Sha384 => 48,
        DigestAlgorithm::Sha512 => 64,
    }
}

/// Exactly one block; line ends and line lengths are free, as Rekor has it.
fn read_pem(text: &[u8]) -> Option<(&'static str, Vec<u8>)> {
    let text = std::str::from_utf8(text).ok()?.trim().strip_prefix("-----BEGIN ")?;
    let label = [CERTIFICATE, PUBLIC_KEY].into_iter().find(|label| text.starts_with(*label))?;
    let inner = text.strip_prefix(label)?.strip_prefix("-----")?;
    let inner = inner.strip_suffix("-----")?.strip_suffix(label)?.strip_suffix("-----END ")?;
    let encoded: String = inner.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(encoded).ok().map(|der| (label, der))
}

fn certificate_key(der: &[u8]) -> Option<Vec<u8>> {
    let certificate = x509_cert::Certificate::from_der(der).ok()?;
    certificate.tbs_certificate().subject_public_key_info().to_der().ok()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    kind: String,
    api_version: String,
    spec: serde_json::Value,
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

const CERTIFICATE: &str = "CERTIFICATE";
const PUBLIC_KEY: &str = "PUBLIC KEY";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::SigningKey;

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
        let (key, body) = proposal(b"message");
        let canonical = pem(Verifier::PublicKey(&key.public_key_der()));
        let one_line =
            format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", STANDARD.encode(key.public_key_der()));
        for other in [canonical.replace('\n', "\r\n"), canonical.trim_end().to_owned(), one_line] {
            let read = changed(&body, &STANDARD.encode(&canonical), &STANDARD.encode(&other)).unwrap();
            assert_eq!(read.canonical_body(), body, "{other:?}");
        }
        let twice = STANDARD.encode(canonical.repeat(2));
        assert_eq!(changed(&body, &STANDARD.encode(&canonical), &twice), Err(ProposedEntryError::Pem));
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
        assert_eq!(changed(&body, "0.0.1", "0.0.3"), Err(ProposedEntryError::Version("0.0.3".to_owned())));
        assert!(matches!(changed(&body, "signature", "x"), Err(ProposedEntryError::Spec(_))));
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
    fn pem_has_64_columns() {
        let der = vec![0; 96];
        let text = pem(Verifier::Certificate(&der));
        assert_eq!(text.lines().map(str::len).collect::<Vec<_>>(), [27, 64, 64, 25]);
        assert_eq!(text, der::pem::encode_string("CERTIFICATE", der::pem::LineEnding::LF, &der).unwrap());
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,100}", at: prop::sample::Index, byte: u8) {
            drop(ProposedEntry::read(text.as_bytes()));
            drop(read_pem(text.as_bytes()));
            let (_, mut body) = proposal(b"message");
            let index = at.index(body.len());
            body[index] = byte;
            drop(ProposedEntry::read(&body));
        }
    }
}
