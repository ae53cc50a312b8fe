//! Recomputes a whole log from its entries, and compares every file with what that gives.

use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::files::read_if_there;
use super::signer::CheckpointSigner;
use super::tiles::{Edge, Grown, TILE_WIDTH, bundle_entries, entries_path, read_bundle, read_tile, tile_path};
use super::{beside, published};
use crate::crypto::Sha256Digest;
use crate::tlog::merkle;

/// A log whose every file is as its entries demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckedLog {
    /// Entries under the checkpoint.
    pub size: u64,
    /// The root hash, recomputed.
    pub root: Sha256Digest,
}

/// What is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum Discrepancy {
    /// A bundle with too few entries, or with bytes after the last.
    #[error("\"{0}\" has not the entries that the checkpoint covers")]
    Bundle(PathBuf),
    /// The root hash of the entries.
    #[error("the entries give root hash {computed}, the checkpoint says {stated}")]
    Root {
        /// From the entries.
        computed: Sha256Digest,
        /// In the checkpoint.
        stated: Sha256Digest,
    },
    /// The log cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A tile that differs.
    #[error("\"{0}\" has not the hashes of its entries")]
    Tile(PathBuf),
}

/// Checks the log in `folder`, running or not: its checkpoint first, then every file that the checkpoint covers.
///
/// # Errors
/// [`Discrepancy`] names the first thing that is wrong.
pub fn check(folder: &Path, signer: &CheckpointSigner) -> Result<CheckedLog, Discrepancy> {
    let (edge, published) = published::load(folder, signer)?;
    let computed = recompute(folder, edge.size, &mut |_| {})?;
    if computed != published.root {
        return Err(Discrepancy::Root { computed, stated: published.root });
    }
    Ok(CheckedLog { size: edge.size, root: computed })
}

/// For a log that is being opened. `progress` is told the number of entries read.
pub(super) fn check_files(folder: &Path, edge: &Edge, progress: &mut dyn FnMut(u64)) -> Result<(), StoreError> {
    match recompute(folder, edge.size, progress) {
        Ok(root) if root == edge.root(folder)? => Ok(()),
        Err(Discrepancy::Store(error)) => Err(error),
        Ok(_) | Err(Discrepancy::Bundle(_) | Discrepancy::Root { .. } | Discrepancy::Tile(_)) => {
            Err(StoreError::OtherTree { tree_size: edge.size })
        }
    }
}

fn recompute(folder: &Path, size: u64, progress: &mut dyn FnMut(u64)) -> Result<Sha256Digest, Discrepancy> {
    let mut edge = Edge::default();
    while edge.size < size {
        let index = edge.size / TILE_WIDTH;
        let width = (size - edge.size).min(TILE_WIDTH);
        let bundle = read_bundle(folder, index, width)?;
        let mut grown = Grown::default();
        for entry in bundle_entries(&bundle) {
            edge.push(entry, merkle::leaf_hash(entry), &mut grown)?;
        }
        if edge.size != index * TILE_WIDTH + width {
            return Err(Discrepancy::Bundle(entries_path(index)));
        }
        for (path, expected) in grown.files {
            if read_if_there(&folder.join(&path))?.as_ref() != Some(&expected) {
                return Err(if path.starts_with("tile/entries") {
                    Discrepancy::Bundle(path)
                } else {
                    Discrepancy::Tile(path)
                });
            }
        }
        for at in index * TILE_WIDTH..edge.size {
            beside::read(folder, at)?;
        }
        progress(edge.size);
    }
    let mut count = size;
    for (level, row) in (0_u8..).zip(&edge.rows) {
        let row = row.hashes();
        if !row.is_empty() && read_tile(folder, level, count / TILE_WIDTH, count % TILE_WIDTH)? != row {
            return Err(Discrepancy::Tile(tile_path(level, count / TILE_WIDTH)));
        }
        count /= TILE_WIDTH;
    }
    Ok(edge.root(folder)?)
}
