//! The CT log (RFC 6962): takes every certificate before it is issued, and lets anyone read them.
//!
//! Its leaves are `MerkleTreeLeaf`s, which say when; `extra_data`, the precertificate and the chain, is kept beside them.

mod query;
mod submission;

use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

pub use self::query::{BadQuery, ReadQuery};
pub use self::submission::{BadSubmission, Submission};

use super::log_store::{CheckpointSigner, LogStore, NewEntry, Snapshot, StoreError};
use crate::crypto::{DigestAlgorithm, ServiceKey, ServiceKeyError, Sha256Digest, SignatureAlgorithm};
use crate::trusted_root::LogId;
use crate::x509::sct::{SctError, SignedCertificateTimestamp, timestamped_entry};

/// The actor.
#[derive(Debug)]
pub struct CtLog {
    key: Arc<ServiceKey>,
    log_id: LogId,
    store: LogStore,
}

impl CtLog {
    /// The log in `folder`, of the stack at `host`, signing with `key`, an ECDSA P-256 key.
    ///
    /// # Errors
    /// [`StoreError`] when the log cannot be opened.
    pub fn open(folder: &Path, host: &str, key: ServiceKey) -> Result<Self, StoreError> {
        let key = Arc::new(key);
        let signer = checkpoint_signer(host, &key);
        let log_id = signer.log_id;
        let keys_of = |leaf: &[u8]| identity(leaf).into_iter().collect();
        Ok(Self { key, log_id, store: LogStore::open(folder, signer, keys_of)? })
    }

    /// Logs a certificate, and promises so. One that is in the log already is promised again for the time at which it came
    /// in, and not logged again.
    ///
    /// # Errors
    /// [`CtLogError`] when the certificate is too long, or log or key fail; then nothing was promised.
    pub fn add(&self, submission: &Submission, now: Timestamp) -> Result<SignedCertificateTimestamp, CtLogError> {
        let timestamp_ms = u64::try_from(now.as_millisecond()).map_err(|_| CtLogError::Clock(now))?;
        let leaf = timestamped_entry(timestamp_ms, submission.entry(), &NO_EXTENSIONS)?;
        if let Some(earlier) = self.earlier(&leaf)? {
            return self.promise(&earlier);
        }
        self.store.append(NewEntry { bytes: leaf.clone(), beside: submission.extra_data().to_vec() }, now)?;
        self.promise(&leaf)
    }

    /// Answers one of the requests for reading.
    ///
    /// # Errors
    /// [`CtLogError`] when there is no such thing, or log or key fail.
    pub fn read(&self, query: &ReadQuery, now: Timestamp) -> Result<Value, CtLogError> {
        let log = self.store.snapshot();
        let within = |size: u64| if size > log.size() { Err(CtLogError::BeyondTree(log.size())) } else { Ok(size) };
        match *query {
            ReadQuery::Consistency { first, second } => {
                let proof = log.consistency_proof(first, within(second)?)?;
                Ok(json!({ "consistency": encode_all(&proof) }))
            }
            ReadQuery::Entries { start, end } => {
                if start >= log.size() {
                    return Err(CtLogError::BeyondTree(log.size()));
                }
                let end = end.min(log.size() - 1).min(start.saturating_add(MAX_ENTRIES - 1));
                let entries = (start..=end).map(|index| Ok(json_entry(&entry(&log, index)?)));
                Ok(json!({ "entries": entries.collect::<Result<Vec<_>, CtLogError>>()? }))
            }
            ReadQuery::EntryAndProof { leaf_index, tree_size } => {
                let proof = log.inclusion_proof_at(leaf_index, within(tree_size)?)?;
                let (leaf, extra_data) = entry(&log, leaf_index)?;
                Ok(json!({
                    "leaf_input": STANDARD.encode(leaf),
                    "extra_data": STANDARD.encode(extra_data),
                    "audit_path": encode_all(&proof),
                }))
            }
            ReadQuery::ProofByHash { hash, tree_size } => {
                let size = within(tree_size)?;
                let index = log.find(&hash)?.filter(|index| *index < size).ok_or(CtLogError::UnknownHash)?;
                let proof = log.inclusion_proof_at(index, size)?;
                Ok(json!({ "leaf_index": index, "audit_path": encode_all(&proof) }))
            }
            ReadQuery::TreeHead => self.tree_head(&log, now),
        }
    }

    /// `add-chain` and `add-pre-chain` answer with it.
    #[must_use]
    pub fn json_sct(sct: &SignedCertificateTimestamp) -> Value {
        json!({
            "sct_version": 0,
            "id": STANDARD.encode(sct.log_id.0),
            "timestamp": sct.timestamp_ms,
            "extensions": STANDARD.encode(&sct.extensions),
            "signature": digitally_signed(&sct.signature),
        })
    }

    /// The log's key.
    #[must_use]
    pub fn key(&self) -> &ServiceKey {
        &self.key
    }

    /// SHA-256 of the log's key.
    #[must_use]
    pub fn log_id(&self) -> LogId {
        self.log_id
    }

    /// The log's entries on disk.
    #[must_use]
    pub fn store(&self) -> &LogStore {
        &self.store
    }

    /// The leaf of the same certificate, with the time at which it came in.
    fn earlier(&self, leaf: &[u8]) -> Result<Option<Vec<u8>>, CtLogError> {
        let Some(identity) = identity(leaf) else { return Ok(None) };
        let log = self.store.snapshot();
        let Some(index) = log.with_key(&identity, 1)?.first().copied() else { return Ok(None) };
        Ok(log.entry(index)?.map(|stored| stored.bytes))
    }

    fn promise(&self, leaf: &[u8]) -> Result<SignedCertificateTimestamp, CtLogError> {
        let timestamp = leaf.get(2..10).and_then(|bytes| bytes.try_into().ok()).ok_or(StoreError::Missing("time"))?;
        Ok(SignedCertificateTimestamp {
            log_id: self.log_id,
            timestamp_ms: u64::from_be_bytes(timestamp),
            extensions: NO_EXTENSIONS.to_vec(),
            algorithm: SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha256),
            signature: self.key.sign(leaf)?,
        })
    }

    /// RFC 6962 §3.5 `TreeHeadSignature`; never before an entry that it covers.
    fn tree_head(&self, log: &Snapshot, now: Timestamp) -> Result<Value, CtLogError> {
        const V1: u8 = 0;
        const TREE_HASH: u8 = 1;
        let last = match log.size().checked_sub(1) {
            Some(last) => log.entry(last)?.map(|entry| entry.time),
            None => None,
        };
        let now = last.map_or(now, |last| last.max(now));
        let timestamp = u64::try_from(now.as_millisecond()).map_err(|_| CtLogError::Clock(now))?;
        let (size, root) = (log.size(), log.root());
        let message = [&[V1, TREE_HASH][..], &timestamp.to_be_bytes(), &size.to_be_bytes(), root.as_ref()].concat();
        Ok(json!({
            "tree_size": size,
            "timestamp": timestamp,
            "sha256_root_hash": STANDARD.encode(root),
            "tree_head_signature": digitally_signed(&self.key.sign(&message)?),
        }))
    }

    #[cfg(test)]
    pub(super) fn assert_consistent(&self) {
        self.store.assert_consistent();
    }
}

/// The log has no name of its own in RFC 6962; its checkpoints need one.
pub(super) fn checkpoint_signer(host: &str, key: &Arc<ServiceKey>) -> CheckpointSigner {
    let name = format!("{host}/ct");
    let log_id = LogId(key.verifying_key().spki_sha256().0);
    CheckpointSigner { origin: name.clone(), name, key: Arc::clone(key), log_id }
}

/// A request to the log that failed.
#[derive(Debug, thiserror::Error)]
pub enum CtLogError {
    /// More entries than there are.
    #[error("the log has {0} entries")]
    BeyondTree(u64),
    /// Before 1970.
    #[error("the clock says {0}")]
    Clock(Timestamp),
    /// The key cannot sign.
    #[error(transparent)]
    Key(#[from] ServiceKeyError),
    /// The request to read is not one.
    #[error(transparent)]
    Query(#[from] BadQuery),
    /// Too long for its length fields.
    #[error(transparent)]
    Sct(#[from] SctError),
    /// The log on disk fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is submitted is not this authority's.
    #[error(transparent)]
    Submission(#[from] BadSubmission),
    /// No entry of the tree has this leaf hash.
    #[error("no entry of that tree has this hash")]
    UnknownHash,
}

/// Leaf and extra data.
fn entry(log: &Snapshot, index: u64) -> Result<(Vec<u8>, Vec<u8>), CtLogError> {
    let stored = log.entry(index)?.ok_or(CtLogError::BeyondTree(log.size()))?;
    Ok((stored.bytes, stored.beside))
}

fn json_entry((leaf, extra_data): &(Vec<u8>, Vec<u8>)) -> Value {
    json!({ "leaf_input": STANDARD.encode(leaf), "extra_data": STANDARD.encode(extra_data) })
}

fn encode_all(hashes: &[Sha256Digest]) -> Value {
    hashes.iter().map(|hash| STANDARD.encode(hash)).collect()
}

/// RFC 5246 §4.7, in base64: SHA-256, ECDSA, the signature after its length.
fn digitally_signed(signature: &[u8]) -> String {
    const SHA256: u8 = 4;
    const ECDSA: u8 = 3;
    let length = u16::try_from(signature.len()).unwrap_or_default().to_be_bytes();
    STANDARD.encode([&[SHA256, ECDSA][..], &length, signature].concat())
}

/// The leaf without version, type and time: what is the same certificate.
fn identity(leaf: &[u8]) -> Option<Sha256Digest> {
    leaf.get(10..).map(Sha256Digest::of)
}

/// Static CT logs put the leaf index there; RFC 6962 logs leave them empty.
const NO_EXTENSIONS: [u8; 0] = [];

/// RFC 6962 §4.6 lets a log give fewer than were asked for. Each is read for itself.
const MAX_ENTRIES: u64 = 64;
