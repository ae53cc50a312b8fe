//! A proposed `hashedrekord` 0.0.1: its canonical body, once the signature over the digest holds.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::error::ProposedEntryError;
use crate::crypto::{BadSignature, DigestAlgorithm, SignatureAlgorithm};
use crate::tlog::entry_key::{BadEntryKey, EntryKey};
use crate::tlog::hashedrekord::{KIND, Spec, canonical_body_over, digest_length};

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::{Sha256Digest, SigningKey};
    use crate::encoding::base64;
    use crate::tlog::hashedrekord::{Verifier, canonical_body};
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
    fn a_canonical_body_is_a_proposal() {
        let (_, body) = proposal(b"message");
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
