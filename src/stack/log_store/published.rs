//! What readers see: the log under its last published checkpoint.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use jiff::Timestamp;

use super::index::Index;
use super::sequencer::not_before;
use super::tiles::{Edge, TILE_WIDTH, bundle_entries, read_bundle, read_tile};
use super::{KeysOf, StoreCounts, StoreError, StoreState, beside};
use crate::crypto::{ServiceKey, ServiceKeyError, Sha256Digest};
use crate::stack::clock;
use crate::tlog::checkpoint::{Checkpoint, VerifiedCheckpoint};
use crate::tlog::merkle;
use crate::trusted_root::{LogId, TimeRange, TransparencyLogInstance};

/// As whom a log signs its checkpoints.
#[derive(Clone, Debug)]
pub struct CheckpointSigner {
    /// First line of the checkpoint.
    pub origin: String,
    /// Name on the signature line: the origin, or what it begins with.
    pub name: String,
    /// The log's key.
    pub key: Arc<ServiceKey>,
    /// The log's ID, which begins with the key ID of the signature line.
    pub log_id: LogId,
}

impl CheckpointSigner {
    pub(super) fn sign(&self, tree_size: u64, root_hash: Sha256Digest) -> Result<String, ServiceKeyError> {
        let origin = self.origin.clone();
        let checkpoint = Checkpoint { origin, tree_size, root_hash, extension_lines: Vec::new() };
        checkpoint.sign(&self.name, &self.key, &self.log_id)
    }

    /// Reads a checkpoint that this log signed.
    pub(super) fn verify(&self, envelope: &[u8]) -> Result<VerifiedCheckpoint, StoreError> {
        let log = TransparencyLogInstance {
            base_url: String::new(),
            key: self.key.verifying_key().clone(),
            log_id: self.log_id,
            valid_for: TimeRange { start: Timestamp::UNIX_EPOCH, end: None },
        };
        Ok(Checkpoint::verify(&String::from_utf8_lossy(envelope), &log)?)
    }
}

/// What the thread that appends and those who read have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) folder: PathBuf,
    pub(super) signer: CheckpointSigner,
    pub(super) keys_of: KeysOf,
    pub(super) index: Index,
    published: RwLock<Arc<Published>>,
    stopped: OnceLock<Arc<str>>,
    full: AtomicBool,
    /// Of the last entry, in milliseconds since 1970; long ago while there is none.
    last_time: AtomicI64,
    entries: AtomicU64,
    batches: AtomicU64,
}

/// One published tree.
#[derive(Debug)]
pub(super) struct Published {
    /// Without its bundle: entries are read from files.
    pub(super) edge: Edge,
    pub(super) root: Sha256Digest,
    pub(super) checkpoint: String,
}

impl Shared {
    pub(super) fn new(
        folder: PathBuf,
        signer: CheckpointSigner,
        keys_of: KeysOf,
        index: Index,
        published: Published,
    ) -> Self {
        Self {
            folder,
            signer,
            keys_of,
            index,
            published: RwLock::new(Arc::new(published)),
            stopped: OnceLock::new(),
            full: AtomicBool::new(false),
            last_time: AtomicI64::new(i64::MIN),
            entries: AtomicU64::new(0),
            batches: AtomicU64::new(0),
        }
    }

    pub(super) fn published(&self) -> Arc<Published> {
        Arc::clone(&self.published.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn publish(&self, published: Published) {
        *self.published.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(published);
    }

    pub(super) fn count_batch(&self, entries: usize) {
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.entries.fetch_add(u64::try_from(entries).unwrap_or(0), Ordering::Relaxed);
    }

    pub(super) fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::Relaxed);
    }

    /// Whether it waits for room on the disk.
    pub(super) fn is_full(&self) -> bool {
        self.stopped.get().is_none() && self.full.load(Ordering::Relaxed)
    }

    pub(super) fn set_last_time(&self, last: Option<Timestamp>) {
        self.last_time.store(last.map_or(i64::MIN, Timestamp::as_millisecond), Ordering::Relaxed);
    }

    pub(super) fn last_time(&self) -> Option<Timestamp> {
        Timestamp::from_millisecond(self.last_time.load(Ordering::Relaxed)).ok()
    }

    /// Stops the log for good; the first reason stays.
    pub(super) fn stop(&self, why: &StoreError) {
        self.stopped.get_or_init(|| why.to_string().into());
    }

    pub(super) fn stopped(&self) -> Option<StoreError> {
        self.stopped.get().map(|why| StoreError::Stopped(Arc::clone(why)))
    }

    pub(super) fn state(&self, now: Timestamp) -> StoreState {
        let last = self.last_time();
        match self.stopped.get() {
            Some(why) => StoreState::Stopped(why.to_string()),
            None if self.full.load(Ordering::Relaxed) => StoreState::Full,
            None if not_before(last, now).is_err() && !clock::is_accepted(&self.folder, now) => StoreState::ClockBehind,
            None => StoreState::Open,
        }
    }

    pub(super) fn counts(&self) -> StoreCounts {
        StoreCounts { entries: self.entries.load(Ordering::Relaxed), batches: self.batches.load(Ordering::Relaxed) }
    }
}

/// The log at one published size.
#[derive(Clone, Debug)]
pub struct Snapshot {
    shared: Arc<Shared>,
    published: Arc<Published>,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEntry {
    /// The leaf.
    pub bytes: Vec<u8>,
    /// When it came in.
    pub time: Timestamp,
    /// What was given to be kept with it.
    pub beside: Vec<u8>,
}

impl Snapshot {
    pub(super) fn of(shared: &Arc<Shared>) -> Self {
        Self { published: shared.published(), shared: Arc::clone(shared) }
    }

    /// Number of entries.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.published.edge.size
    }

    /// The root hash.
    #[must_use]
    pub fn root(&self) -> Sha256Digest {
        self.published.root
    }

    /// The signed checkpoint, over size and root hash.
    #[must_use]
    pub fn checkpoint(&self) -> &str {
        &self.published.checkpoint
    }

    /// The entry at `index`, if it is in the log.
    ///
    /// # Errors
    /// [`StoreError`] when the disk fails.
    pub fn entry(&self, index: u64) -> Result<Option<StoredEntry>, StoreError> {
        if index >= self.size() {
            return Ok(None);
        }
        let (bundle, at) = (index / TILE_WIDTH, index % TILE_WIDTH);
        let bundle = read_bundle(&self.shared.folder, bundle, self.width_of(0, bundle))?;
        let at = usize::try_from(at).map_err(|_| StoreError::Missing("entry"))?;
        let bytes = bundle_entries(&bundle).nth(at).ok_or(StoreError::Missing("entry"))?.to_vec();
        let (time, beside) = beside::read(&self.shared.folder, index)?;
        Ok(Some(StoredEntry { bytes, time, beside }))
    }

    /// The leaf hash of the entry at `index`, if it is in the log.
    ///
    /// # Errors
    /// [`StoreError`] when the disk fails.
    pub fn leaf_hash(&self, index: u64) -> Result<Option<Sha256Digest>, StoreError> {
        let (tile, at) = (index / TILE_WIDTH, index % TILE_WIDTH);
        let width = self.width_of(0, tile);
        if at >= width {
            return Ok(None);
        }
        let row = read_tile(&self.shared.folder, 0, tile, width)?;
        let at = usize::try_from(at).map_err(|_| StoreError::Missing("hash"))?;
        row.get(at).copied().map(Some).ok_or(StoreError::Missing("hash"))
    }

    /// What is kept beside the entry at `index`, if it is in the log.
    ///
    /// # Errors
    /// [`StoreError`] when the disk fails.
    pub fn beside(&self, index: u64) -> Result<Option<Vec<u8>>, StoreError> {
        if index >= self.size() {
            return Ok(None);
        }
        Ok(Some(beside::read(&self.shared.folder, index)?.1))
    }

    /// The index of the entry with this leaf hash.
    ///
    /// # Errors
    /// [`StoreError`] when the index fails.
    pub fn find(&self, leaf: &Sha256Digest) -> Result<Option<u64>, StoreError> {
        Ok(self.shared.index.find(leaf)?.filter(|index| *index < self.size()))
    }

    /// The indexes of entries with this search key, oldest first, not more than `limit`.
    ///
    /// # Errors
    /// [`StoreError`] when the index fails.
    pub fn with_key(&self, key: &Sha256Digest, limit: usize) -> Result<Vec<u64>, StoreError> {
        let mut found = self.shared.index.with_key(key, limit)?;
        found.retain(|index| *index < self.size());
        Ok(found)
    }

    /// The root hash of the first `size` entries; `None` when there are fewer.
    ///
    /// # Errors
    /// [`StoreError`] when the disk fails.
    pub fn root_at(&self, size: u64) -> Result<Option<Sha256Digest>, StoreError> {
        if size > self.size() {
            return Ok(None);
        }
        merkle::root(size, &mut self.published.edge.reader(&self.shared.folder)).map(Some)
    }

    /// The audit path of leaf `index`.
    ///
    /// # Errors
    /// [`StoreError`] when the disk fails.
    pub fn inclusion_proof(&self, index: u64) -> Result<Vec<Sha256Digest>, StoreError> {
        self.inclusion_proof_at(index, self.size())
    }

    /// The audit path of leaf `index` in the tree of the first `size` entries, at most [`size`](Self::size).
    ///
    /// # Errors
    /// [`StoreError`] when the disk fails.
    pub fn inclusion_proof_at(&self, index: u64, size: u64) -> Result<Vec<Sha256Digest>, StoreError> {
        merkle::inclusion_proof(index, size, &mut self.published.edge.reader(&self.shared.folder))
    }

    /// The proof that the tree of the first `second` entries, at most [`size`](Self::size), extends the one of `first`.
    ///
    /// # Errors
    /// [`StoreError`] when the disk fails.
    pub fn consistency_proof(&self, first: u64, second: u64) -> Result<Vec<Sha256Digest>, StoreError> {
        merkle::consistency_proof(first, second, &mut self.published.edge.reader(&self.shared.folder))
    }

    /// C2SP tlog-tiles: the first `width` hashes of a tile, 1 to 256; `None` when the tree has fewer.
    ///
    /// # Errors
    /// [`StoreError`] when the disk fails.
    pub fn tile(&self, level: u8, index: u64, width: u64) -> Result<Option<Vec<u8>>, StoreError> {
        if width == 0 || width > self.width_of(level, index) {
            return Ok(None);
        }
        let stored = self.width_of(level, index);
        let row = read_tile(&self.shared.folder, level, index, stored)?;
        let count = usize::try_from(width).map_err(|_| StoreError::Missing("tile"))?;
        Ok(Some(row.iter().take(count).flat_map(|hash| hash.0).collect()))
    }

    /// C2SP tlog-tiles: the first `width` entries of a bundle, 1 to 256; `None` when the log has fewer.
    ///
    /// # Errors
    /// [`StoreError`] when the disk fails.
    pub fn bundle(&self, index: u64, width: u64) -> Result<Option<Vec<u8>>, StoreError> {
        if width == 0 || width > self.width_of(0, index) {
            return Ok(None);
        }
        let bundle = read_bundle(&self.shared.folder, index, self.width_of(0, index))?;
        let count = usize::try_from(width).map_err(|_| StoreError::Missing("entry"))?;
        let length = bundle_entries(&bundle).take(count).map(|entry| entry.len() + 2).sum();
        Ok(bundle.get(..length).map(<[u8]>::to_vec))
    }

    /// How many hashes the tile has in this tree.
    fn width_of(&self, level: u8, index: u64) -> u64 {
        let count = self.size().checked_shr(u32::from(level) * 8).unwrap_or(0);
        match index.checked_mul(TILE_WIDTH) {
            Some(start) => count.saturating_sub(start).min(TILE_WIDTH),
            None => 0,
        }
    }
}
