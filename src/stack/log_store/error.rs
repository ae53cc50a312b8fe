//! Why a log does not take an entry, or cannot be read.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use crate::crypto::ServiceKeyError;
use crate::tlog::checkpoint::CheckpointError;
use crate::tlog::merkle::BadProof;

/// A log that cannot go on. One failure is told to everybody in a batch, hence `Clone`.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// More wait than the queue holds.
    #[error("too many entries wait to be logged")]
    Busy,
    /// The log's own checkpoint cannot be believed.
    #[error("the log's last checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The clock is behind the last entry by more than can be smoothed over.
    #[error("the clock says {now:.0}, but the last entry came in at {last}")]
    ClockWentBack {
        /// The caller's clock.
        now: Timestamp,
        /// The last entry's time.
        last: Timestamp,
    },
    /// ENOSPC or EDQUOT; it passes when there is room.
    #[error("there is no room on the disk for \"{0}\"")]
    Full(PathBuf),
    /// The new tree does not extend the one that was published last.
    #[error("the tree does not extend the published one: {0}")]
    Inconsistent(#[from] BadProof),
    /// The index database failed.
    #[error("the log's index: {0}")]
    Index(Arc<redb::Error>),
    /// The index failed before, and could not be opened again yet.
    #[error("the log's index is not open")]
    IndexBroken,
    /// A file failed.
    #[error("\"{path}\": {error}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        error: Arc<io::Error>,
    },
    /// The log's key cannot sign.
    #[error(transparent)]
    Key(#[from] ServiceKeyError),
    /// Something that was written is not there any more.
    #[error("the log has lost a {0}")]
    Missing(&'static str),
    /// The checkpoint is another log's.
    #[error("the log in this folder is \"{found}\", not \"{expected}\"")]
    OtherLog {
        /// The origin in its checkpoint.
        found: String,
        /// The origin that the log would have.
        expected: String,
    },
    /// The files of the log do not give what its checkpoint says.
    #[error("the log's files give another tree of {tree_size} entries than its checkpoint")]
    OtherTree {
        /// The checkpoint's size.
        tree_size: u64,
    },
    /// The checkpoint is older than what the index has seen.
    #[error("the checkpoint covers {checkpoint} entries, but {indexed} were published: an older one was put back")]
    PutBack {
        /// The checkpoint's size.
        checkpoint: u64,
        /// The index's.
        indexed: u64,
    },
    /// It failed earlier, in a way that only opening it again can mend.
    #[error("the log has stopped: {0}")]
    Stopped(Arc<str>),
    /// Longer than a bundle can hold, or than may lie beside an entry.
    #[error("an entry of {0} bytes is too long")]
    TooLarge(usize),
}

impl StoreError {
    pub(super) fn io(path: &Path, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full(path.to_owned()),
            _ => Self::Io { path: path.to_owned(), error: Arc::new(error) },
        }
    }

    pub(super) fn ended() -> Self {
        Self::Stopped("its thread has ended".into())
    }

    /// Whether the next attempt may go better without anybody's doing.
    #[must_use]
    pub fn passes(&self) -> bool {
        match self {
            Self::Busy | Self::ClockWentBack { .. } | Self::Full(_) | Self::TooLarge(_) => true,
            Self::Io { error, .. } => error.raw_os_error().is_some_and(|code| OUT_OF_DESCRIPTORS.contains(&code)),
            Self::Checkpoint(_)
            | Self::Inconsistent(_)
            | Self::Index(_)
            | Self::IndexBroken
            | Self::Key(_)
            | Self::Missing(_)
            | Self::OtherLog { .. }
            | Self::OtherTree { .. }
            | Self::PutBack { .. }
            | Self::Stopped(_) => false,
        }
    }
}

/// ENFILE and EMFILE.
#[cfg(unix)]
const OUT_OF_DESCRIPTORS: [i32; 2] = [23, 24];
#[cfg(not(unix))]
const OUT_OF_DESCRIPTORS: [i32; 0] = [];
