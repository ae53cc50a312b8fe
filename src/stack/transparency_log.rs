//! The transparency log with Rekor v1's API: promise, inclusion proof and checkpoint for every entry.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::log_store::{CheckpointSigner, LogStore, NewEntry, Snapshot, StoreError};
use crate::crypto::{ServiceKey, ServiceKeyError, Sha256Digest};
use crate::tlog::hashedrekord::{self, ProposedEntry, ProposedEntryError, Verifier, canonical_body, pem};
use crate::tlog::rekor_json::EntryId;
use crate::tlog::{InclusionPromise, InclusionProof, KindVersion, TransparencyLogEntry, merkle, note};
use crate::trusted_root::LogId;

/// The actor.
#[derive(Debug)]
pub struct TransparencyLog {
    tree_id: u64,
    key: Arc<ServiceKey>,
    log_id: LogId,
    store: LogStore,
}

impl TransparencyLog {
    /// The log in `folder`, which signs its checkpoints as `name` with `key`, an ECDSA P-256 key. Entry 0 of a new log is
    /// the log's own, for clients exist that cannot read an index of 0.
    ///
    /// # Errors
    /// [`LogError`] when disk or key fail.
    pub fn open(folder: &Path, name: &str, tree_id: u64, key: ServiceKey, now: Timestamp) -> Result<Self, LogError> {
        let key = Arc::new(key);
        let signer = checkpoint_signer(name, tree_id, &key);
        let log_id = signer.log_id;
        let log = Self { tree_id, key, log_id, store: LogStore::open(folder, signer, |_| Vec::new())? };
        if log.store.snapshot().size() == 0 {
            let own = log.own_entry()?;
            log.store.append(NewEntry { bytes: own, beside: Vec::new() }, now)?;
        }
        Ok(log)
    }

    /// Logs a proposed entry.
    ///
    /// # Errors
    /// [`LogError::Duplicate`] when the log has the entry already; others when the proposal is wrong or the log fails.
    pub fn add(&self, proposed: &[u8], now: Timestamp) -> Result<(EntryId, TransparencyLogEntry), LogError> {
        let body = ProposedEntry::read(proposed)?.canonical_body();
        let appended = self.store.append(NewEntry { bytes: body.clone(), beside: Vec::new() }, now)?;
        let id = self.entry_id(&body);
        if appended.is_duplicate {
            return Err(LogError::Duplicate(id));
        }
        Ok((id, self.entry(&appended.log, appended.index, body, appended.time)?))
    }

    /// The entry with this ID, if the log has it.
    ///
    /// # Errors
    /// [`LogError`] when disk or key fail.
    pub fn by_id(&self, id: &EntryId) -> Result<Option<(EntryId, TransparencyLogEntry)>, LogError> {
        if id.tree_id.is_some_and(|tree| tree != self.tree_id) {
            return Ok(None);
        }
        let snapshot = self.store.snapshot();
        match snapshot.find(&id.leaf_hash)? {
            Some(index) => self.at(&snapshot, index),
            None => Ok(None),
        }
    }

    /// The entry with this log index, if the log has it.
    ///
    /// # Errors
    /// [`LogError`] when disk or key fail.
    pub fn by_index(&self, index: u64) -> Result<Option<(EntryId, TransparencyLogEntry)>, LogError> {
        self.at(&self.store.snapshot(), index)
    }

    /// `GET /api/v1/log`: size, root hash and checkpoint.
    ///
    /// # Errors
    /// [`LogError`] when disk or key fail.
    pub fn info(&self) -> Result<Value, LogError> {
        let snapshot = self.store.snapshot();
        Ok(json!({
            "inactiveShards": null,
            "rootHash": snapshot.root().to_string(),
            "signedTreeHead": snapshot.checkpoint(),
            "treeID": self.tree_id.to_string(),
            "treeSize": snapshot.size(),
        }))
    }

    /// The log's key, PEM.
    #[must_use]
    pub fn public_key(&self) -> String {
        pem(Verifier::PublicKey(self.key.verifying_key().spki_der()))
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

    /// Rekor's number for the tree.
    #[must_use]
    pub fn tree_id(&self) -> u64 {
        self.tree_id
    }

    fn at(&self, snapshot: &Snapshot, index: u64) -> Result<Option<(EntryId, TransparencyLogEntry)>, LogError> {
        let Some(stored) = snapshot.entry(index)? else { return Ok(None) };
        let id = self.entry_id(&stored.bytes);
        Ok(Some((id, self.entry(snapshot, index, stored.bytes, stored.time)?)))
    }

    fn entry(
        &self,
        snapshot: &Snapshot,
        index: u64,
        body: Vec<u8>,
        time: Timestamp,
    ) -> Result<TransparencyLogEntry, LogError> {
        let integrated_time = time.as_second();
        Ok(TransparencyLogEntry {
            log_index: index,
            log_id: self.log_id,
            kind_version: KindVersion {
                kind: hashedrekord::KIND.to_owned(),
                version: hashedrekord::VERSION_0_0_1.to_owned(),
            },
            integrated_time,
            inclusion_promise: Some(InclusionPromise::make(&body, integrated_time, &self.log_id, index, &self.key)?),
            inclusion_proof: Some(InclusionProof {
                leaf_index: index,
                root_hash: snapshot.root(),
                tree_size: snapshot.size(),
                hashes: snapshot.inclusion_proof(index)?,
                checkpoint: snapshot.checkpoint().to_owned(),
            }),
            canonicalized_body: body,
        })
    }

    fn entry_id(&self, body: &[u8]) -> EntryId {
        EntryId { tree_id: Some(self.tree_id), leaf_hash: merkle::leaf_hash(body) }
    }

    fn own_entry(&self) -> Result<Vec<u8>, ServiceKeyError> {
        let message = b"the first entry of a waxseal log";
        let verifier = Verifier::PublicKey(self.key.verifying_key().spki_der());
        Ok(canonical_body(&Sha256Digest::of(message), &self.key.sign(message)?, verifier))
    }

    /// The log's entries on disk.
    #[must_use]
    pub fn store(&self) -> &LogStore {
        &self.store
    }

    #[cfg(test)]
    pub(super) fn assert_consistent(&self) {
        self.store.assert_consistent();
    }
}

/// As whom Rekor v1 signs: its origin ends in the tree ID.
pub(super) fn checkpoint_signer(name: &str, tree_id: u64, key: &Arc<ServiceKey>) -> CheckpointSigner {
    CheckpointSigner {
        origin: format!("{name} - {tree_id}"),
        name: name.to_owned(),
        key: Arc::clone(key),
        log_id: note::log_id(name, key.verifying_key()),
    }
}

/// A log that did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// It is there already.
    #[error("an equivalent entry already exists in the transparency log with UUID {0}")]
    Duplicate(EntryId),
    /// The key cannot sign.
    #[error(transparent)]
    Key(#[from] ServiceKeyError),
    /// The proposal is wrong.
    #[error(transparent)]
    Proposed(#[from] ProposedEntryError),
    /// The log on disk fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}
