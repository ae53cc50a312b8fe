//! An append-only Merkle log on disk: one for each log of the stack.
//!
//! ```text
//! checkpoint              C2SP tlog-checkpoint: what the log has told the world. The truth: what it does not cover
//!                         was never acknowledged
//! tile/L/N[.p/W]          C2SP tlog-tiles, hashes: full tiles, and the partial ones of each checkpoint until then
//! tile/entries/N[.p/W]    the entries
//! times, beside           when each entry came in, and what is kept with it without being in its leaf
//! index.redb              leaf hash and search keys to index; built again when it is missing
//! unfinished/             files on their way to their names
//! ```
//!
//! One thread appends. It takes all entries that wait as one batch: files are written and synced, then the checkpoint,
//! then everybody in the batch is answered. Memory does not grow with the log.

mod append;
mod beside;
mod check;
mod copy;
mod earlier_layout;
mod entry_time;
mod error;
mod files;
mod index;
mod published;
mod sequencer;
mod shared;
mod signer;
mod snapshot;
mod tiles;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use jiff::Timestamp;

pub use self::append::{Appended, NewEntry};
pub use self::check::{CheckedLog, Discrepancy, check};
pub use self::copy::{copy, last_time};
pub use self::error::StoreError;
pub use self::index::KeysOf;
pub use self::shared::{StoreCounts, StoreState};
pub use self::signer::CheckpointSigner;
pub use self::snapshot::{Snapshot, StoredEntry};

use self::append::Append;
use self::entry_time::is_believed;
use self::sequencer::Sequencer;
use self::shared::Shared;
use crate::tlog::merkle;

/// A log that is open for appending.
#[derive(Debug)]
pub struct LogStore {
    shared: Arc<Shared>,
    /// Taken when the store is dropped: the thread ends with its queue.
    queue: Option<SyncSender<Append>>,
    sequencer: Option<JoinHandle<()>>,
}

/// Whether `folder` has a log, or what is left of one; opening it would begin another.
#[must_use]
pub fn is_there(folder: &Path) -> bool {
    // A log of the earlier layout has its index only.
    [published::CHECKPOINT, index::FILE].iter().any(|file| folder.join(file).exists())
}

impl LogStore {
    /// Opens the log in `folder`, or begins one. A log that was copied, and so has no index, is checked whole.
    ///
    /// # Errors
    /// [`StoreError`] when the disk fails, or the files do not give what the checkpoint says.
    pub fn open(folder: &Path, signer: CheckpointSigner, keys_of: KeysOf) -> Result<Self, StoreError> {
        let sequencer = Sequencer::open(folder, signer, keys_of)?;
        let shared = sequencer.shared();
        let (queue, waiting) = sync_channel(MAX_WAITING);
        let name = folder.file_name().map_or_else(|| "log".into(), |name| name.to_string_lossy());
        let thread = std::thread::Builder::new().name(name.into_owned()).spawn(move || sequencer.run(&waiting));
        let thread = thread.map_err(|error| StoreError::io(folder, error))?;
        Ok(Self { shared, queue: Some(queue), sequencer: Some(thread) })
    }

    /// Appends an entry. When this returns it is on disk, and under a published checkpoint. A leaf that is in the log
    /// already is not appended again.
    ///
    /// # Errors
    /// [`StoreError`]. Unless it says that the entry itself is wrong, the entry may be in the log all the same.
    pub fn append(&self, entry: NewEntry, now: Timestamp) -> Result<Appended, StoreError> {
        let fits_beside = u64::try_from(entry.beside.len()).is_ok_and(|length| length <= beside::MAX_BESIDE_BYTES);
        if entry.bytes.len() > MAX_ENTRY_BYTES || !fits_beside {
            return Err(StoreError::TooLarge(entry.bytes.len().max(entry.beside.len())));
        }
        let (answer, answered) = sync_channel(1);
        // Here, where many do it at once: everybody waits for the thread that appends.
        let leaf = merkle::leaf_hash(&entry.bytes);
        let keys = (self.shared.keys_of)(&entry.bytes);
        let queue = self.queue.as_ref().ok_or_else(StoreError::ended)?;
        match queue.try_send(Append { entry, leaf, keys, now, answer }) {
            Ok(()) => answered.recv().unwrap_or_else(|_| Err(StoreError::ended())),
            Err(TrySendError::Full(_)) => Err(StoreError::Busy),
            Err(TrySendError::Disconnected(_)) => Err(StoreError::ended()),
        }
    }

    /// The log as it is published now; later appends do not show in it.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.shared)
    }

    /// Whether it takes nothing until there is room on the disk.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.shared.is_full()
    }

    /// Whether it takes entries at `now`.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> StoreState {
        self.shared.state(now)
    }

    /// When the last entry came in, without a look at the disk.
    #[must_use]
    pub fn last_time(&self) -> Option<Timestamp> {
        self.shared.last_time()
    }

    /// Whether an entry that comes in at `now` is not too long before the last one, or the operator has accepted this clock.
    #[must_use]
    pub fn believes(&self, now: Timestamp) -> bool {
        is_believed(&self.shared.folder, self.last_time(), now)
    }

    /// What it did since it was opened.
    #[must_use]
    pub fn counts(&self) -> StoreCounts {
        self.shared.counts()
    }
}

impl Drop for LogStore {
    /// Whatever waits is appended before the log is closed.
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(sequencer) = self.sequencer.take() {
            // A thread that panicked has said so.
            let _ended = sequencer.join();
        }
        // Snapshots may live on; the files are free for the next who opens the log.
        self.shared.index.close();
    }
}

/// C2SP tlog-tiles: an entry's length is a `uint16`.
const MAX_ENTRY_BYTES: usize = 65_535;

/// As tessera's pushback limit: beyond it callers are told to come again.
const MAX_WAITING: usize = 4096;

#[cfg(test)]
mod tests;
