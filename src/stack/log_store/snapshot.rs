//! What readers see: the log under its last published checkpoint.

use std::sync::Arc;

use jiff::Timestamp;

use super::beside;
use super::error::StoreError;
use super::published::Published;
use super::shared::Shared;
use super::tiles::{TILE_WIDTH, bundle_entries, read_bundle, read_tile};
use crate::crypto::Sha256Digest;
use crate::tlog::merkle;

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
