//! The transparency log with Rekor v2's API: one request to write, static files to read.

mod static_path;

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

pub use self::static_path::StaticPath;

use super::log_store::{CheckpointSigner, LogStore, NewEntry, StoreError};
use crate::crypto::{ServiceKey, ServiceKeyError, ServiceKeyKind, Sha256Digest};
use crate::tlog::hashedrekord::{self, KeyDetails, Verifier, canonical_body_0_0_2};
use crate::tlog::rekor_v2::{RequestError, RequestedEntry};
use crate::tlog::{InclusionProof, KindVersion, TransparencyLogEntry, note};
use crate::trusted_root::LogId;

/// The actor.
#[derive(Debug)]
pub struct TileLog {
    key: Arc<ServiceKey>,
    log_id: LogId,
    store: LogStore,
}

impl TileLog {
    /// The log in `folder`, which signs its checkpoints as `name` with `key`, an Ed25519 key. Entry 0 of a new log is the
    /// log's own, for clients exist that cannot read an index of 0.
    ///
    /// # Errors
    /// [`TileLogError`] when disk or key fail.
    pub fn open(folder: &Path, name: &str, key: ServiceKey, now: Timestamp) -> Result<Self, TileLogError> {
        let key = Arc::new(key);
        let signer = checkpoint_signer(name, &key);
        let log_id = signer.log_id;
        let log = Self { key, log_id, store: LogStore::open(folder, signer, |_| Vec::new())? };
        if log.store.snapshot().size() == 0 {
            log.store.append(NewEntry { bytes: own_entry()?, beside: Vec::new() }, now)?;
        }
        Ok(log)
    }

    /// Logs what is requested: the entry with its proof under the published checkpoint that covers it.
    ///
    /// # Errors
    /// [`TileLogError::Duplicate`] when the log has the entry already; others when the request is wrong or the log
    /// fails.
    pub fn add(&self, request: &[u8], now: Timestamp) -> Result<TransparencyLogEntry, TileLogError> {
        let body = RequestedEntry::read(request)?.into_canonical_body();
        let appended = self.store.append(NewEntry { bytes: body.clone(), beside: Vec::new() }, now)?;
        if appended.is_duplicate {
            return Err(TileLogError::Duplicate(appended.index));
        }
        let log = &appended.log;
        Ok(TransparencyLogEntry {
            log_index: appended.index,
            log_id: self.log_id,
            kind_version: KindVersion {
                kind: hashedrekord::KIND.to_owned(),
                version: hashedrekord::VERSION_0_0_2.to_owned(),
            },
            integrated_time: 0,
            inclusion_promise: None,
            inclusion_proof: Some(InclusionProof {
                leaf_index: appended.index,
                root_hash: log.root(),
                tree_size: log.size(),
                hashes: log.inclusion_proof(appended.index)?,
                checkpoint: log.checkpoint().to_owned(),
            }),
            canonicalized_body: body,
        })
    }

    /// One of the static files; `None` when the log is not as large yet.
    ///
    /// # Errors
    /// [`TileLogError`] when the disk fails.
    pub fn file(&self, path: StaticPath) -> Result<Option<Vec<u8>>, TileLogError> {
        let snapshot = self.store.snapshot();
        Ok(match path {
            StaticPath::Checkpoint => Some(snapshot.checkpoint().as_bytes().to_vec()),
            StaticPath::Entries { index, width } => snapshot.bundle(index, width)?,
            StaticPath::Tile { level, index, width } => snapshot.tile(level, index, width)?,
        })
    }

    /// The log's key.
    #[must_use]
    pub fn key(&self) -> &ServiceKey {
        &self.key
    }

    /// The whole digest of which the key ID in checkpoints is the beginning.
    #[must_use]
    pub fn log_id(&self) -> LogId {
        self.log_id
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

/// As whom Rekor v2 signs: origin and name are the host, without a port.
pub(super) fn checkpoint_signer(name: &str, key: &Arc<ServiceKey>) -> CheckpointSigner {
    CheckpointSigner {
        origin: name.to_owned(),
        name: name.to_owned(),
        key: Arc::clone(key),
        log_id: note::log_id(name, key.verifying_key()),
    }
}

/// Signed with a key that is forgotten at once: the log's own is Ed25519, of which no entry can be made.
fn own_entry() -> Result<Vec<u8>, ServiceKeyError> {
    let message = b"the first entry of a waxseal log";
    let key = ServiceKey::generate(ServiceKeyKind::EcdsaP256)?;
    let verifier = Verifier::PublicKey(key.verifying_key().spki_der());
    let digest = Sha256Digest::of(message);
    Ok(canonical_body_0_0_2(digest.as_ref(), &key.sign(message)?, verifier, KeyDetails::EcdsaP256))
}

/// A log that did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum TileLogError {
    /// It is there already.
    #[error("an equivalent entry already exists in the transparency log with index {0}")]
    Duplicate(u64),
    /// A key cannot be made, or cannot sign.
    #[error(transparent)]
    Key(#[from] ServiceKeyError),
    /// The request is wrong.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The log on disk fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}
