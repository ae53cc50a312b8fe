//! As whom a log speaks: what it signs its checkpoints with, and knows them by.

use std::sync::Arc;

use jiff::Timestamp;

use super::error::StoreError;
use crate::crypto::{ServiceKey, ServiceKeyError, Sha256Digest};
use crate::tlog::checkpoint::{Checkpoint, VerifiedCheckpoint};
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
