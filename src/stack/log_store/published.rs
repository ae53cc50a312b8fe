//! What a log has told the world: its last checkpoint, and the tree under it.

use std::path::Path;

use super::error::StoreError;
use super::files::read_if_there;
use super::signer::CheckpointSigner;
use super::tiles::Edge;
use crate::crypto::Sha256Digest;

/// One published tree.
#[derive(Debug)]
pub(super) struct Published {
    /// Without its bundle: entries are read from files.
    pub(super) edge: Edge,
    pub(super) root: Sha256Digest,
    pub(super) checkpoint: String,
}

/// The tree that the checkpoint covers, from files that give the same root hash.
pub(super) fn load(folder: &Path, signer: &CheckpointSigner) -> Result<(Edge, Published), StoreError> {
    let envelope = read_if_there(&folder.join(CHECKPOINT))?.ok_or(StoreError::Missing("checkpoint"))?;
    let verified = signer.verify(&envelope)?;
    if verified.origin() != signer.origin {
        return Err(StoreError::OtherLog { found: verified.origin().to_owned(), expected: signer.origin.clone() });
    }
    let edge = Edge::load(folder, verified.tree_size())?;
    let root = edge.root(folder)?;
    if verified.root_hash() != root {
        return Err(StoreError::OtherTree { tree_size: verified.tree_size() });
    }
    let without_bundle = Edge { size: edge.size, rows: edge.rows.clone(), bundle: Vec::new() };
    let checkpoint = String::from_utf8_lossy(&envelope).into_owned();
    Ok((edge, Published { edge: without_bundle, root, checkpoint }))
}

pub(super) const CHECKPOINT: &str = "checkpoint";
