//! client-spec §4.4: the entry is in a trusted log, and is about this signature.

use super::checked::Checked;
use super::entry_version::{BodyVersion, RekorVersion};
use super::error::{EntryError, Missing, VerifyError};
use crate::crypto::{DigestAlgorithm, Sha256Digest, SignatureAlgorithm};
use crate::instance::Instance;
use crate::signature::VerificationMaterial;
use crate::tlog::checkpoint::SignedCheckpoint;
use crate::tlog::promise::VerifiedPromise;
use crate::tlog::{InclusionProof, TransparencyLogEntry, hashedrekord, merkle};
use crate::trusted_root::{LogId, TimeRange, TransparencyLogInstance};

/// An entry whose inclusion in a trusted log was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LoggedEntry {
    pub(super) log_id: LogId,
    pub(super) log_index: u64,
    pub(super) version: RekorVersion,
    /// What version of a body it calls itself.
    pub(super) label: BodyVersion,
    /// The log's own word for when; Rekor v2 gives none.
    pub(super) promise: Option<VerifiedPromise>,
    /// When the log is trusted.
    pub(super) valid_for: TimeRange,
}

/// Verifies what came along of inclusion proof, checkpoint and promise, over the body that this signature gives: a body
/// that came along proves nothing.
///
/// `outside` takes the place of the signature's own entry.
pub(super) fn verify(
    material: &VerificationMaterial,
    message: &[u8],
    instance: &Instance,
    outside: Option<&TransparencyLogEntry>,
) -> Checked<LoggedEntry> {
    if let Some(entry) = outside {
        return verify_outside(entry, instance);
    }
    let Some(entry) = &material.log_entry else { return Checked::Missing(Missing::LogEntry) };
    verify_over(entry, instance, |version| body(version, material, message))
}

/// The same of an entry whose body was found to be the one that the object gives ([`crate::evidence::matches`]).
fn verify_outside(entry: &TransparencyLogEntry, instance: &Instance) -> Checked<LoggedEntry> {
    verify_over(entry, instance, |version| match version {
        RekorVersion::V1 => Some(entry.canonicalized_body.clone()),
        // The body is of version 0.0.1.
        RekorVersion::V2 => None,
    })
}

fn verify_over(
    entry: &TransparencyLogEntry,
    instance: &Instance,
    body: impl FnOnce(RekorVersion) -> Option<Vec<u8>>,
) -> Checked<LoggedEntry> {
    let logs = &instance.trusted_root.transparency_logs;
    let Some(log) = logs.iter().find(|log| log.log_id == entry.log_id) else {
        return wrong(EntryError::UnknownLog(entry.log_id));
    };
    let versions = match version(entry) {
        Ok(versions) => versions,
        Err(error) => return wrong(error),
    };
    match body(versions.version) {
        Some(body) => verify_in(log, entry, versions, &body),
        None => wrong(EntryError::Body),
    }
}

fn verify_in(
    log: &TransparencyLogInstance,
    entry: &TransparencyLogEntry,
    Versions { version, label, checkpoint }: Versions<'_>,
    body: &[u8],
) -> Checked<LoggedEntry> {
    if !entry.canonicalized_body.is_empty() && entry.canonicalized_body != body {
        return wrong(EntryError::Body);
    }
    // Each is looked at whatever becomes of the other, and a wrong one outweighs one that is not there.
    let included = entry.inclusion_proof.as_ref().map(|proof| verify_inclusion(proof, checkpoint, log, body));
    if let Some(Err(error)) = included {
        return wrong(error);
    }
    let promise = entry.inclusion_promise.as_ref().filter(|promise| !promise.signed_entry_timestamp.is_empty());
    let promise = match promise.map(|promise| promise.verify(entry, body, log)).transpose() {
        Ok(promise) => promise,
        Err(error) => return wrong(EntryError::Promise(error)),
    };
    let leaf_index = entry.inclusion_proof.as_ref().map(|proof| proof.leaf_index);
    if entry.inclusion_proof.as_ref().is_some_and(|proof| proof.checkpoint.is_empty()) {
        return Checked::Missing(Missing::Checkpoint);
    }
    match (version, promise, leaf_index) {
        (RekorVersion::V1, None, _) => return Checked::Missing(Missing::Promise),
        (_, _, None) => return Checked::Missing(Missing::InclusionProof),
        // A v2 log has no shards, and nothing else says that the index is right.
        (RekorVersion::V2, _, Some(leaf_index)) if leaf_index != entry.log_index => return wrong(EntryError::LogIndex),
        (RekorVersion::V2, None, _) if entry.integrated_time != 0 => return wrong(EntryError::UnpromisedTime),
        (RekorVersion::V1 | RekorVersion::V2, _, Some(_)) => {}
    }
    let (log_id, valid_for) = (log.log_id, log.valid_for);
    Checked::Held(LoggedEntry { log_id, log_index: entry.log_index, version, label, promise, valid_for })
}

/// `checkpoint` is the proof's own, where it was read already.
fn verify_inclusion(
    proof: &InclusionProof,
    checkpoint: Option<SignedCheckpoint<'_>>,
    log: &TransparencyLogInstance,
    body: &[u8],
) -> Result<(), EntryError> {
    if proof.checkpoint.is_empty() {
        // Whose root hash it is remains open; that the proof leads there can be seen all the same.
        return leads_to(proof, body, proof.root_hash);
    }
    let checkpoint = match checkpoint {
        Some(checkpoint) => Ok(checkpoint),
        None => SignedCheckpoint::parse(&proof.checkpoint),
    };
    let checkpoint = checkpoint.and_then(|checkpoint| checkpoint.verify(log)).map_err(EntryError::Checkpoint)?;
    // They are in the checkpoint too; what the proof says must agree.
    if checkpoint.tree_size() != proof.tree_size || checkpoint.root_hash() != proof.root_hash {
        return Err(EntryError::CheckpointDiffers);
    }
    leads_to(proof, body, checkpoint.root_hash())
}

fn leads_to(proof: &InclusionProof, body: &[u8], root_hash: Sha256Digest) -> Result<(), EntryError> {
    let leaf = merkle::leaf_hash(body);
    let root = merkle::root_from_inclusion(leaf, proof.leaf_index, proof.tree_size, &proof.hashes)
        .map_err(EntryError::Proof)?;
    if root == root_hash { Ok(()) } else { Err(EntryError::NotIncluded) }
}

/// The body that the log must hold for this signature; `None` where v2 has no name for the key's kind.
fn body(version: RekorVersion, material: &VerificationMaterial, message: &[u8]) -> Option<Vec<u8>> {
    // Pure Ed25519 has no digest; a log takes it as Ed25519ph, over SHA-512.
    let digest = material.signature_algorithm.map_or(Some(DigestAlgorithm::Sha256), SignatureAlgorithm::digest);
    let algorithm = digest.unwrap_or(DigestAlgorithm::Sha512);
    let digest = algorithm.digest(message);
    let verifier = hashedrekord::Verifier::Certificate(material.certificate.der());
    match version {
        RekorVersion::V1 => Some(hashedrekord::canonical_body_over(algorithm, &digest, &material.signature, verifier)),
        RekorVersion::V2 => {
            let key = material.certificate.public_key().ok()?;
            let details = hashedrekord::KeyDetails::of(&key)?;
            Some(hashedrekord::canonical_body_0_0_2(&digest, &material.signature, verifier, details))
        }
    }
}

/// What an entry is, and what it calls itself.
struct Versions<'a> {
    version: RekorVersion,
    label: BodyVersion,
    /// What told.
    checkpoint: Option<SignedCheckpoint<'a>>,
}

/// Which API an entry comes from. gitsign labels what it gets from v2 as 0.0.1 all the same; a v1 checkpoint gives
/// itself away by the tree ID in its origin (as sigstore-go tells them apart).
fn version(entry: &TransparencyLogEntry) -> Result<Versions<'_>, EntryError> {
    let (kind, version) = (entry.kind_version.kind.as_str(), entry.kind_version.version.as_str());
    let label = match (kind, version) {
        ("hashedrekord", "0.0.1") => BodyVersion::V001,
        ("hashedrekord", "0.0.2") => {
            return Ok(Versions { version: RekorVersion::V2, label: BodyVersion::V002, checkpoint: None });
        }
        _ => return Err(EntryError::KindVersion { kind: kind.to_owned(), version: version.to_owned() }),
    };
    let proof = entry.inclusion_proof.as_ref().filter(|proof| !proof.checkpoint.is_empty());
    let checkpoint = proof.map(|proof| SignedCheckpoint::parse(&proof.checkpoint)).transpose();
    let checkpoint = checkpoint.map_err(EntryError::Checkpoint)?;
    let of_v2 = checkpoint.as_ref().is_some_and(|signed| !signed.checkpoint().is_of_rekor_v1());
    Ok(Versions { version: if of_v2 { RekorVersion::V2 } else { RekorVersion::V1 }, label, checkpoint })
}

fn wrong<T>(error: EntryError) -> Checked<T> {
    Checked::Wrong(VerifyError::Entry(error))
}
