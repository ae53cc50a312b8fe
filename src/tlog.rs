//! Transparency-log entries and what proves them: Merkle proofs, checkpoints, inclusion promises.
//!
//! Names and shapes are those of protobuf-specs `sigstore_rekor.proto`. Two serialisations lead here: [`proto`], as
//! gitsign stores an entry inside a signature, and [`rekor_json`], as a Rekor v1 server answers.

pub mod checkpoint;
pub mod hashedrekord;
pub mod merkle;
pub mod note;
pub mod promise;
pub mod proto;
pub mod rekor_json;

use crate::crypto::{DigestAlgorithm, KeyKind, Sha256Digest, SignatureAlgorithm};
use crate::trusted_root::LogId;

/// An entry of a transparency log with its evidence (protobuf-specs `TransparencyLogEntry`). Nothing in it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransparencyLogEntry {
    /// The entry's number across all shards of the log. Not the leaf index of a sharded log.
    pub log_index: u64,
    /// Which log.
    pub log_id: LogId,
    /// What the body is.
    pub kind_version: KindVersion,
    /// Seconds since 1970. A claim until [`promise::VerifiedPromise`] says so; 0 in Rekor v2.
    pub integrated_time: i64,
    /// The log's promise to include the entry; Rekor v1 only.
    pub inclusion_promise: Option<InclusionPromise>,
    /// That the tree under a checkpoint has the entry.
    pub inclusion_proof: Option<InclusionProof>,
    /// What was logged. Empty when it was not sent along, as in Git signatures: whoever verifies rebuilds it.
    pub canonicalized_body: Vec<u8>,
}

/// Kind and version of an entry's body, such as `hashedrekord` and `0.0.1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindVersion {
    /// `hashedrekord`, `dsse`, …
    pub kind: String,
    /// `0.0.1`, …
    pub version: String,
}

/// Rekor v1's signed entry timestamp (protobuf-specs `InclusionPromise`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InclusionPromise {
    /// The log's signature over [`promise::message`].
    pub signed_entry_timestamp: Vec<u8>,
}

/// A Merkle audit path with the checkpoint that it leads to (protobuf-specs `InclusionProof`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InclusionProof {
    /// The leaf's number in the tree of its shard.
    pub leaf_index: u64,
    /// Claimed; the checkpoint's counts.
    pub root_hash: Sha256Digest,
    /// Claimed; the checkpoint's counts.
    pub tree_size: u64,
    /// RFC 6962 §2.1.1 order: from the leaf up.
    pub hashes: Vec<Sha256Digest>,
    /// The signed note. Empty when it was not sent along.
    pub checkpoint: String,
}

/// What logs sign checkpoints and promises with: SHA-256 whatever the curve, Ed25519 over the text itself.
fn log_signature_algorithm(kind: KeyKind) -> SignatureAlgorithm {
    match kind {
        KeyKind::EcdsaP256 | KeyKind::EcdsaP384 | KeyKind::EcdsaP521 => {
            SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha256)
        }
        KeyKind::Ed25519 => SignatureAlgorithm::Ed25519,
        KeyKind::Rsa => SignatureAlgorithm::RsaPkcs1(DigestAlgorithm::Sha256),
    }
}

/// An audit path in a tree of 2^63 leaves has 63 hashes.
const MAX_PROOF_HASHES: usize = 63;
