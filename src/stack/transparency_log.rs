//! The transparency log with Rekor v1's API: promise, inclusion proof and checkpoint for every entry.

mod invalid;
mod query;
mod search;

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

pub use self::invalid::Invalid;
pub use self::query::{ProofQuery, RetrieveQuery, log_index, path_entry_id, tree_id};
pub use self::search::{Operator, SearchQuery};

use super::log_store::{CheckpointSigner, LogStore, NewEntry, Snapshot, StoreError};
use crate::crypto::{ServiceKey, ServiceKeyError, Sha256Digest};
use crate::tlog::hashedrekord::{Verifier, canonical_body, pem};
use crate::tlog::proposed::{ProposedEntry, ProposedEntryError};
use crate::tlog::rekor_json::{EntryId, kind_version};
use crate::tlog::{InclusionPromise, InclusionProof, TransparencyLogEntry, merkle, note};
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
        let log = Self { tree_id, key, log_id, store: LogStore::open(folder, signer, search::keys_of)? };
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
        let body = ProposedEntry::read(proposed)?.into_canonical_body();
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
        self.find(&self.store.snapshot(), id)
    }

    /// The entry with this log index, if the log has it.
    ///
    /// # Errors
    /// [`LogError`] when disk or key fail.
    pub fn by_index(&self, index: u64) -> Result<Option<(EntryId, TransparencyLogEntry)>, LogError> {
        self.at(&self.store.snapshot(), index)
    }

    /// `POST /api/v1/log/entries/retrieve`: those that the log has, by ID, then by their proposals, then by index.
    ///
    /// # Errors
    /// [`LogError`] when a proposal is wrong, or disk or key fail.
    pub fn retrieve(&self, query: &RetrieveQuery) -> Result<Vec<(EntryId, TransparencyLogEntry)>, LogError> {
        let snapshot = self.store.snapshot();
        let mut found = Vec::new();
        for id in &query.entry_ids {
            found.extend(self.find(&snapshot, id)?);
        }
        for entry in &query.entries {
            found.extend(self.find(&snapshot, &self.entry_id(entry.canonical_body()))?);
        }
        for index in &query.log_indexes {
            found.extend(self.at(&snapshot, *index)?);
        }
        Ok(found)
    }

    /// `POST /api/v1/index/retrieve`: IDs of the entries that are found by any or by all of the query's keys, in the
    /// order of the IDs. Of more than a thousand the newest.
    ///
    /// # Errors
    /// [`LogError`] when the disk fails.
    pub fn search(&self, query: &SearchQuery) -> Result<Vec<EntryId>, LogError> {
        let snapshot = self.store.snapshot();
        let newest = search::indexes(&snapshot, query)?;
        let mut found = Vec::with_capacity(newest.len());
        for index in newest {
            // A tile of hashes is a thirtieth of a bundle of entries.
            let leaf_hash = snapshot.leaf_hash(index)?.ok_or(StoreError::Missing("hash"))?;
            found.push(EntryId { tree_id: Some(self.tree_id), leaf_hash });
        }
        found.sort_by_key(|id| id.leaf_hash);
        Ok(found)
    }

    /// `GET /api/v1/log`: size, root hash and checkpoint.
    #[must_use]
    pub fn info(&self) -> Value {
        let snapshot = self.store.snapshot();
        json!({
            "inactiveShards": null,
            "rootHash": snapshot.root().to_string(),
            "signedTreeHead": snapshot.checkpoint(),
            "treeID": self.tree_id.to_string(),
            "treeSize": snapshot.size(),
        })
    }

    /// `GET /api/v1/log/proof`: that the tree of the last size extends the one of the first. The root hash is the one of
    /// the last size. The real server gives its newest, against which such a proof of smaller trees cannot be checked.
    ///
    /// # Errors
    /// [`LogError`] when the log has not as many entries, or the disk fails.
    pub fn consistency_proof(&self, query: &ProofQuery) -> Result<Value, LogError> {
        let (first, last) = (query.first_size, query.last_size);
        self.check_tree(query.tree_id)?;
        if first > last {
            return Err(LogError::FirstBeyondLast { first, last });
        }
        let snapshot = self.store.snapshot();
        let root = snapshot.root_at(last)?.ok_or(LogError::BeyondTree { asked: last, size: snapshot.size() })?;
        let hashes = snapshot.consistency_proof(first, last)?;
        Ok(json!({
            "hashes": hashes.iter().map(Sha256Digest::to_string).collect::<Vec<_>>(),
            "rootHash": root.to_string(),
        }))
    }

    /// The log's key, PEM.
    ///
    /// # Errors
    /// [`LogError::OtherTree`] when another tree's is asked for.
    pub fn public_key(&self, tree_id: Option<u64>) -> Result<String, LogError> {
        self.check_tree(tree_id)?;
        Ok(pem(Verifier::PublicKey(self.key.verifying_key().spki_der())))
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

    fn check_tree(&self, asked: Option<u64>) -> Result<(), LogError> {
        match asked {
            Some(asked) if asked != self.tree_id => Err(LogError::OtherTree(asked)),
            _ => Ok(()),
        }
    }

    fn find(&self, snapshot: &Snapshot, id: &EntryId) -> Result<Option<(EntryId, TransparencyLogEntry)>, LogError> {
        if id.tree_id.is_some_and(|tree| tree != self.tree_id) {
            return Ok(None);
        }
        match snapshot.find(&id.leaf_hash)? {
            Some(index) => self.at(snapshot, index),
            None => Ok(None),
        }
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
            kind_version: kind_version(&body).ok_or(StoreError::Missing("kind"))?,
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
    /// A proof up to a size that the log has not reached.
    #[error("the tree size requested({asked}) was greater than what is currently observable({size})")]
    BeyondTree {
        /// The last size.
        asked: u64,
        /// The log's size.
        size: u64,
    },
    /// It is there already.
    #[error("an equivalent entry already exists in the transparency log with UUID {0}")]
    Duplicate(EntryId),
    /// A proof from a larger tree to a smaller one.
    #[error("firstSize({first}) must be less than lastSize({last})")]
    FirstBeyondLast {
        /// The first size.
        first: u64,
        /// The last size.
        last: u64,
    },
    /// The request is not of the API's schema.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The key cannot sign.
    #[error(transparent)]
    Key(#[from] ServiceKeyError),
    /// A tree that is not this log's.
    #[error("tree {0} is not one of this log's")]
    OtherTree(u64),
    /// The proposal is wrong.
    #[error(transparent)]
    Proposed(#[from] ProposedEntryError),
    /// The public key to search for.
    #[error("public key provided could not be parsed")]
    SearchedKey,
    /// A kind of public key that no entry of this log has.
    #[error("the PKI format requested is not supported by this server")]
    SearchedKeyFormat,
    /// The log on disk fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Too many entries are asked for at once.
    #[error("more than max allowed {} entries in request", query::MAX_RETRIEVED)]
    TooMany,
}
