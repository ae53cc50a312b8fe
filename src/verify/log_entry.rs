//! client-spec §4.4: the entry is in a trusted log, and is about this signature.

use jiff::Timestamp;

use super::Checked;
use super::error::{EntryError, Missing, VerifyError};
use crate::crypto::{DigestAlgorithm, SignatureAlgorithm};
use crate::instance::Instance;
use crate::signature::{UnsupportedEvidence, VerificationMaterial};
use crate::tlog::checkpoint::{Checkpoint, CheckpointError};
use crate::tlog::note::SignedNote;
use crate::tlog::{InclusionProof, TransparencyLogEntry, hashedrekord, merkle};
use crate::trusted_root::{LogId, TransparencyLogInstance};

/// An entry whose inclusion in a trusted log was verified, with the time that the log promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LoggedEntry {
    log_id: LogId,
    log_index: u64,
    integrated_time: Timestamp,
}

impl LoggedEntry {
    pub(super) fn log_id(&self) -> LogId {
        self.log_id
    }

    pub(super) fn log_index(&self) -> u64 {
        self.log_index
    }

    pub(super) fn integrated_time(&self) -> Timestamp {
        self.integrated_time
    }
}

/// Verifies promise, inclusion proof and checkpoint of the entry that came along, over the body that this signature
/// gives: a body that came along proves nothing.
pub(super) fn verify(material: &VerificationMaterial, message: &[u8], instance: &Instance) -> Checked<LoggedEntry> {
    let Some(entry) = &material.log_entry else { return Checked::Missing(Missing::LogEntry) };
    let logs = &instance.trusted_root.transparency_logs;
    let Some(log) = logs.iter().find(|log| log.log_id == entry.log_id) else {
        return wrong(EntryError::UnknownLog(entry.log_id));
    };
    match version(entry) {
        Ok(Version::V1) => verify_v1(entry, log, material, message),
        Ok(Version::V2) => Checked::Missing(Missing::Unsupported(UnsupportedEvidence::RekorV2)),
        Err(error) => wrong(error),
    }
}

fn verify_v1(
    entry: &TransparencyLogEntry,
    log: &TransparencyLogInstance,
    material: &VerificationMaterial,
    message: &[u8],
) -> Checked<LoggedEntry> {
    // Pure Ed25519 has no digest; a log takes it as Ed25519ph, over SHA-512.
    let digest = material.signature_algorithm.map_or(Some(DigestAlgorithm::Sha256), SignatureAlgorithm::digest);
    let digest = digest.unwrap_or(DigestAlgorithm::Sha512);
    let verifier = hashedrekord::Verifier::Certificate(material.certificate.der());
    let body = hashedrekord::canonical_body_over(digest, &digest.digest(message), &material.signature, verifier);
    if !entry.canonicalized_body.is_empty() && entry.canonicalized_body != body {
        return wrong(EntryError::Body);
    }
    // Each is looked at whatever becomes of the other, and a wrong one outweighs one that is not there.
    let included = entry.inclusion_proof.as_ref().map(|proof| verify_inclusion(proof, log, &body));
    if let Some(Err(error)) = included {
        return wrong(error);
    }
    let promise = entry.inclusion_promise.as_ref().filter(|promise| !promise.signed_entry_timestamp.is_empty());
    let Some(promise) = promise else { return Checked::Missing(Missing::Promise) };
    let integrated_time = match promise.verify(entry, &body, log) {
        Ok(promise) => promise.integrated_time(),
        Err(error) => return wrong(EntryError::Promise(error)),
    };
    if !log.valid_for.contains(integrated_time) {
        let (log_id, valid_for) = (log.log_id, log.valid_for);
        return wrong(EntryError::LogOutsideValidity { log_id, at: integrated_time, valid_for });
    }
    if included.is_none() {
        return Checked::Missing(Missing::InclusionProof);
    }
    Checked::Held(LoggedEntry { log_id: log.log_id, log_index: entry.log_index, integrated_time })
}

fn verify_inclusion(proof: &InclusionProof, log: &TransparencyLogInstance, body: &[u8]) -> Result<(), EntryError> {
    let checkpoint = Checkpoint::verify(&proof.checkpoint, log).map_err(EntryError::Checkpoint)?;
    if checkpoint.tree_size() != proof.tree_size || checkpoint.root_hash() != proof.root_hash {
        return Err(EntryError::CheckpointDiffers);
    }
    let leaf = merkle::leaf_hash(body);
    let root = merkle::root_from_inclusion(leaf, proof.leaf_index, proof.tree_size, &proof.hashes)
        .map_err(EntryError::Proof)?;
    if root == checkpoint.root_hash() { Ok(()) } else { Err(EntryError::Body) }
}

enum Version {
    V1,
    V2,
}

/// Which API an entry comes from. gitsign labels what it gets from v2 as 0.0.1 all the same; a v1 checkpoint gives
/// itself away by the tree ID in its origin (as sigstore-go tells them apart).
fn version(entry: &TransparencyLogEntry) -> Result<Version, EntryError> {
    let (kind, version) = (entry.kind_version.kind.as_str(), entry.kind_version.version.as_str());
    match (kind, version) {
        ("hashedrekord", "0.0.1") => {}
        ("hashedrekord", "0.0.2") => return Ok(Version::V2),
        _ => return Err(EntryError::KindVersion { kind: kind.to_owned(), version: version.to_owned() }),
    }
    let Some(proof) = &entry.inclusion_proof else { return Ok(Version::V1) };
    let checkpoint = SignedNote::parse(&proof.checkpoint)
        .map_err(CheckpointError::from)
        .and_then(|note| Checkpoint::parse(note.text))
        .map_err(EntryError::Checkpoint)?;
    Ok(if checkpoint.is_of_rekor_v1() { Version::V1 } else { Version::V2 })
}

fn wrong<T>(error: EntryError) -> Checked<T> {
    Checked::Wrong(VerifyError::Entry(error))
}
