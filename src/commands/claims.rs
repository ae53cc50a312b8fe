//! What the parts of a signature say of themselves. Nothing here is verified.

use jiff::Timestamp;

use super::facts::{Fact, Facts};
use crate::cms::SignedData;
use crate::crypto::{DigestAlgorithm, KeyKind, Sha256Digest, SignatureAlgorithm};
use crate::timestamp::UnverifiedToken;
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::note::SignedNote;
use crate::tlog::{InclusionProof, TransparencyLogEntry};
use crate::x509::sct::SignedCertificateTimestamp;
use crate::x509::{Certificate, CertificateClaims, display_name, fulcio};

/// Identity, issuer, validity and key of a certificate.
pub(super) fn certificate(certificate: &Certificate) -> Facts {
    let claims = CertificateClaims::read(certificate);
    let identity = claims.as_ref().ok().map(|claims| claims.san.as_str());
    Facts::default()
        .and("identity", identity)
        .and("identity_kind", claims.as_ref().ok().map(|claims| claims.san.kind()))
        .and("issuer", claims.as_ref().ok().map(|claims| claims.issuer.as_str()))
        .and("unreadable", claims.as_ref().err().map(ToString::to_string))
        .and("issued_by", display_name(certificate.issuer()))
        .and("serial_number", hex::encode(certificate.serial()))
        .and("valid_from", certificate.not_before().to_string())
        .and("valid_until", certificate.not_after().to_string())
        .and(
            "key",
            certificate.public_key().map_or_else(|error| error.to_string(), |key| key_name(key.kind()).to_owned()),
        )
        .and("sha256", Sha256Digest::of(certificate.der()).to_string())
        .and("sha1", certificate.sha1_fingerprint())
}

/// Every extension of Fulcio's, by its name.
pub(super) fn fulcio_extensions(certificate: &Certificate) -> Facts {
    fulcio::named_extensions(certificate)
        .into_iter()
        .fold(Facts::default(), |facts, (name, value)| facts.and(name, Fact::Text(value)))
}

/// The CT logs' promises in a certificate.
pub(super) fn scts(certificate: &Certificate) -> Vec<Fact> {
    match SignedCertificateTimestamp::embedded_in(certificate) {
        Ok(scts) => scts
            .iter()
            .map(|sct| {
                let at = i64::try_from(sct.timestamp_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
                let facts = Facts::default().and("log_id", sct.log_id.to_string());
                facts.and("time", at.map(|at| at.to_string())).into()
            })
            .collect(),
        Err(error) => vec![Facts::default().and("unreadable", error.to_string()).into()],
    }
}

/// What is under the signature.
pub(super) fn signed_attributes(signed_data: &SignedData) -> Facts {
    let facts = Facts::default();
    let facts = match &signed_data.signed_attributes {
        Ok(claims) => facts
            .and("content_type", "id-data")
            .and("message_digest", hex::encode(&claims.message_digest))
            .and("signing_time", claims.signing_time.map(|time| time.to_string())),
        Err(error) => facts.and("unreadable", error.to_string()),
    };
    facts
        .and("digest_algorithm", signed_data.digest_algorithm.map(|digest| digest.to_string()))
        .and("signature_algorithm", signed_data.signature_algorithm.map(algorithm_name))
        .and("not_strict", signed_data.strict().err().map(|error| error.to_string()))
}

/// A log entry with its proof.
pub(super) fn log_entry(entry: &TransparencyLogEntry) -> Facts {
    let time = Timestamp::from_second(entry.integrated_time).ok().filter(|at| at.as_second() > 0);
    let promised = entry.inclusion_promise.as_ref().is_some_and(|promise| !promise.signed_entry_timestamp.is_empty());
    Facts::default()
        .and("log_id", entry.log_id.to_string())
        .and("log_index", entry.log_index)
        .and("kind", format!("{} {}", entry.kind_version.kind, entry.kind_version.version))
        .and("integrated_time", time.map(|time| time.to_string()))
        .and("inclusion_promise", if promised { "there" } else { "not there" })
        .then(entry.inclusion_proof.as_ref().map(inclusion_proof).unwrap_or_default())
}

fn inclusion_proof(proof: &InclusionProof) -> Facts {
    let facts = Facts::default()
        .and("leaf_index", proof.leaf_index)
        .and("tree_size", proof.tree_size)
        .and("root_hash", proof.root_hash.to_string())
        .and("proof_hashes", u64::try_from(proof.hashes.len()).ok());
    if proof.checkpoint.is_empty() {
        return facts;
    }
    match SignedNote::parse(&proof.checkpoint).map(|note| (Checkpoint::parse(note.text), note.signatures)) {
        Ok((Ok(checkpoint), signatures)) => facts
            .and("checkpoint_origin", checkpoint.origin)
            .and("checkpoint_tree_size", checkpoint.tree_size)
            .and("checkpoint_root_hash", checkpoint.root_hash.to_string())
            .and("checkpoint_signers", signatures.iter().map(|line| Fact::from(line.name)).collect::<Vec<_>>()),
        Ok((Err(error), _)) => facts.and("checkpoint_unreadable", error.to_string()),
        Err(error) => facts.and("checkpoint_unreadable", error.to_string()),
    }
}

/// An RFC 3161 token.
pub(super) fn token(der: &[u8]) -> Facts {
    match UnverifiedToken::read(der) {
        Ok(token) => Facts::default()
            .and("time", token.info.gen_time.to_string())
            .and("signed_by", token.signer)
            .and("policy", token.info.policy.to_string())
            .and("serial_number", hex::encode(&token.info.serial_number))
            .and("imprint_algorithm", token.info.message_imprint.algorithm().map(|digest| digest.to_string()))
            .and("imprint", hex::encode(token.info.message_imprint.digest())),
        Err(error) => Facts::default().and("unreadable", error.to_string()),
    }
}

/// An algorithm's name for people.
pub(super) fn algorithm_name(algorithm: SignatureAlgorithm) -> &'static str {
    match algorithm {
        SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha256) => "ECDSA with SHA-256",
        SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha384) => "ECDSA with SHA-384",
        SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha512) => "ECDSA with SHA-512",
        SignatureAlgorithm::Ed25519 => "Ed25519",
        SignatureAlgorithm::RsaPkcs1(DigestAlgorithm::Sha256) => "RSA with SHA-256",
        SignatureAlgorithm::RsaPkcs1(DigestAlgorithm::Sha384) => "RSA with SHA-384",
        SignatureAlgorithm::RsaPkcs1(DigestAlgorithm::Sha512) => "RSA with SHA-512",
    }
}

fn key_name(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::EcdsaP256 => "ECDSA P-256",
        KeyKind::EcdsaP384 => "ECDSA P-384",
        KeyKind::EcdsaP521 => "ECDSA P-521",
        KeyKind::Ed25519 => "Ed25519",
        KeyKind::Rsa => "RSA",
    }
}
