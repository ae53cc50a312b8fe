//! An entry on its way into the log: what is given, what waits, what is answered.

use std::sync::mpsc::SyncSender;

use jiff::Timestamp;

use super::error::StoreError;
use super::snapshot::Snapshot;
use crate::crypto::Sha256Digest;

/// What to append.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewEntry {
    /// The leaf: at most 65,535 bytes.
    pub bytes: Vec<u8>,
    /// What is kept with it without being in the leaf: at most a megabyte.
    pub beside: Vec<u8>,
}

/// An entry that waits.
#[derive(Debug)]
pub(super) struct Append {
    pub(super) entry: NewEntry,
    pub(super) leaf: Sha256Digest,
    /// What it is found by.
    pub(super) keys: Vec<Sha256Digest>,
    pub(super) now: Timestamp,
    pub(super) answer: SyncSender<Result<Appended, StoreError>>,
}

/// Where an entry is.
#[derive(Clone, Debug)]
pub struct Appended {
    /// Its leaf index.
    pub index: u64,
    /// When it came in: the caller's clock, but never before an earlier entry's time.
    pub time: Timestamp,
    /// Whether the very same leaf had been appended before.
    pub is_duplicate: bool,
    /// The log with the entry in it, as it was published.
    pub log: Snapshot,
}
