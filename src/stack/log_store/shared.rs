//! What the thread that appends and those who read have in common, and what a log's owner is told of it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use jiff::Timestamp;

use super::entry_time::is_believed;
use super::error::StoreError;
use super::index::{Index, KeysOf};
use super::published::Published;
use super::signer::CheckpointSigner;

/// What a log's owner is told of its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreState {
    /// It can be read only, until the clock has caught up with the last entry, or somebody accepts it.
    ClockBehind,
    /// It can be read only, until there is room on the disk again.
    Full,
    /// It takes entries.
    Open,
    /// It can be read only, until it is opened again; why.
    Stopped(String),
}

/// What a log did since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreCounts {
    /// Entries appended.
    pub entries: u64,
    /// Batches they came in.
    pub batches: u64,
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
            None if !is_believed(&self.folder, last, now) => StoreState::ClockBehind,
            None => StoreState::Open,
        }
    }

    pub(super) fn counts(&self) -> StoreCounts {
        StoreCounts { entries: self.entries.load(Ordering::Relaxed), batches: self.batches.load(Ordering::Relaxed) }
    }
}
