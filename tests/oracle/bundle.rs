//! A Git signature as a Sigstore bundle (protobuf-specs, v0.3): a signature over a message, which is the DER of the CMS signed
//! attributes. What binds the payload is one of them, and is not the bundle's business.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use waxseal::crypto::{DigestAlgorithm, SignatureAlgorithm};
use waxseal::signature::git::GitSignature;
use waxseal::tlog::checkpoint::Checkpoint;
use waxseal::tlog::note::SignedNote;
use waxseal::tlog::{TransparencyLogEntry, hashedrekord};

/// The bundle's JSON; `None` where a bundle has no place for what is missing.
pub(crate) fn of(signature: &GitSignature) -> Option<String> {
    let material = &signature.material;
    let entry = material.log_entry.as_ref()?;
    let tokens = material.timestamps.iter().map(|token| json!({ "signedTimestamp": STANDARD.encode(response(token)) }));
    let (name, digest) = digest(signature);
    let bundle = json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {
            "certificate": { "rawBytes": STANDARD.encode(material.certificate.der()) },
            "tlogEntries": [log_entry(signature, entry)?],
            "timestampVerificationData": { "rfc3161Timestamps": tokens.collect::<Vec<_>>() },
        },
        "messageSignature": {
            "messageDigest": { "algorithm": name, "digest": STANDARD.encode(digest) },
            "signature": STANDARD.encode(&material.signature),
        },
    });
    Some(bundle.to_string())
}

fn log_entry(signature: &GitSignature, entry: &TransparencyLogEntry) -> Option<Value> {
    let proof = entry.inclusion_proof.as_ref()?;
    let (version, body) = body(signature, entry, &proof.checkpoint)?;
    let mut value = json!({
        "logIndex": entry.log_index.to_string(),
        "logId": { "keyId": STANDARD.encode(entry.log_id.0) },
        "kindVersion": { "kind": entry.kind_version.kind, "version": version },
        "integratedTime": entry.integrated_time.to_string(),
        "inclusionProof": {
            "logIndex": proof.leaf_index.to_string(),
            "rootHash": STANDARD.encode(proof.root_hash),
            "treeSize": proof.tree_size.to_string(),
            "hashes": proof.hashes.iter().map(|hash| STANDARD.encode(hash)).collect::<Vec<_>>(),
            "checkpoint": { "envelope": proof.checkpoint },
        },
        "canonicalizedBody": STANDARD.encode(body),
    });
    if let Some(promise) = &entry.inclusion_promise {
        value["inclusionPromise"] = json!({ "signedEntryTimestamp": STANDARD.encode(&promise.signed_entry_timestamp) });
    }
    Some(value)
}

/// A bundle carries the body, which the signature gives. What gitsign labels 0.0.1 and comes from v2 gets its right name.
fn body(signature: &GitSignature, entry: &TransparencyLogEntry, checkpoint: &str) -> Option<(&'static str, Vec<u8>)> {
    let material = &signature.material;
    let verifier = hashedrekord::Verifier::Certificate(material.certificate.der());
    let (_, digest) = digest(signature);
    let note = SignedNote::parse(checkpoint).ok()?;
    let is_v1 = Checkpoint::parse(note.text).ok()?.is_of_rekor_v1();
    if is_v1 && entry.kind_version.version == "0.0.1" {
        let algorithm = algorithm(signature);
        return Some(("0.0.1", hashedrekord::canonical_body_over(algorithm, &digest, &material.signature, verifier)));
    }
    let key = hashedrekord::KeyDetails::of(&material.certificate.public_key().ok()?)?;
    Some(("0.0.2", hashedrekord::canonical_body_0_0_2(&digest, &material.signature, verifier, key)))
}

fn digest(signature: &GitSignature) -> (&'static str, Vec<u8>) {
    let algorithm = algorithm(signature);
    let name = match algorithm {
        DigestAlgorithm::Sha256 => "SHA2_256",
        DigestAlgorithm::Sha384 => "SHA2_384",
        DigestAlgorithm::Sha512 => "SHA2_512",
    };
    (name, algorithm.digest(&signature.message))
}

/// Pure Ed25519 names none; a log takes SHA-512.
fn algorithm(signature: &GitSignature) -> DigestAlgorithm {
    let named =
        signature.material.signature_algorithm.map_or(Some(DigestAlgorithm::Sha256), SignatureAlgorithm::digest);
    named.unwrap_or(DigestAlgorithm::Sha512)
}

/// RFC 3161 §2.4.2: a bundle has the whole response, a status and the token.
fn response(token: &[u8]) -> Vec<u8> {
    let granted = [0x30, 0x03, 0x02, 0x01, 0x00];
    let length = u16::try_from(granted.len() + token.len()).unwrap().to_be_bytes();
    [&[0x30, 0x82], &length[..], &granted, token].concat()
}
