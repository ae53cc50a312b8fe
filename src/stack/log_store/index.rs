//! The log's index: which leaf is where, and which entries have a search key. It can be built again from the entries at
//! any time, so it is synced now and then only, and thrown away when it does not fit.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use redb::{
    Builder, Database, Durability, MultimapTableDefinition, ReadableDatabase as _, ReadableTable as _, TableDefinition,
};

use super::error::StoreError;
use crate::crypto::Sha256Digest;

/// The open index. `None` while it is broken.
#[derive(Debug)]
pub(super) struct Index {
    path: PathBuf,
    database: RwLock<Option<Database>>,
}

/// The digests by which a leaf is found with [`Snapshot::with_key`](super::Snapshot::with_key).
pub type KeysOf = fn(&[u8]) -> Vec<Sha256Digest>;

/// What an entry is found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Indexed {
    pub(super) index: u64,
    pub(super) leaf: Sha256Digest,
    pub(super) keys: Vec<Sha256Digest>,
}

impl Index {
    /// Opens the index in `folder`, or begins one, also in place of one that cannot be read.
    pub(super) fn open(folder: &Path) -> Result<Self, StoreError> {
        let index = Self { path: folder.join(FILE), database: RwLock::new(None) };
        match index.reopen() {
            Err(StoreError::Index(error))
                if matches!(*error, redb::Error::Corrupted(_) | redb::Error::RepairAborted) =>
            {
                index.begin_again()?;
            }
            Err(StoreError::Io { error, .. })
                if matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof) =>
            {
                index.begin_again()?;
            }
            // To be opened before the next entry is taken; the log can be read without.
            Err(StoreError::Full(_)) => {}
            opened => opened?,
        }
        Ok(index)
    }

    /// Opens the file again after an error: the database answers nothing after one.
    pub(super) fn reopen(&self) -> Result<(), StoreError> {
        self.close();
        let mut slot = self.database.write().unwrap_or_else(PoisonError::into_inner);
        let database = Builder::new().set_cache_size(CACHE_BYTES).create(&self.path)?;
        let transaction = database.begin_write()?;
        transaction.open_table(LEAVES)?;
        transaction.open_multimap_table(KEYS)?;
        transaction.open_table(META)?;
        transaction.commit()?;
        *slot = Some(database);
        Ok(())
    }

    /// Lets go of the file; what is asked after that fails.
    pub(super) fn close(&self) {
        drop(self.database.write().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Throws the index away and begins an empty one.
    fn begin_again(&self) -> Result<(), StoreError> {
        self.close();
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(StoreError::io(&self.path, error)),
            _ => self.reopen(),
        }
    }

    /// The number of entries that it knows.
    pub(super) fn size(&self) -> Result<u64, StoreError> {
        self.read(|database| {
            let size = database.begin_read()?.open_table(META)?.get(SIZE)?;
            Ok(size.map_or(0, |size| size.value()))
        })
    }

    /// Where the leaf is.
    pub(super) fn find(&self, leaf: &Sha256Digest) -> Result<Option<u64>, StoreError> {
        self.read(|database| {
            let index = database.begin_read()?.open_table(LEAVES)?.get(&leaf.0)?;
            Ok(index.map(|index| index.value()))
        })
    }

    /// The entries with this key, oldest first, not more than `limit`.
    pub(super) fn with_key(&self, key: &Sha256Digest, limit: usize) -> Result<Vec<u64>, StoreError> {
        self.read(|database| {
            let transaction = database.begin_read()?;
            let found = transaction.open_multimap_table(KEYS)?.get(&key.0)?;
            found.take(limit).map(|index| Ok(index?.value())).collect()
        })
    }

    /// Adds entries; the index knows `size` of them then. `durably`: on disk when this returns.
    pub(super) fn insert(&self, entries: &[Indexed], size: u64, durably: bool) -> Result<(), StoreError> {
        self.read(|database| {
            let mut transaction = database.begin_write()?;
            if durably {
                // So that an index that was not closed is ready without being read through.
                transaction.set_quick_repair(true);
            } else {
                // Cannot fail: it would for a transaction that made a savepoint.
                let _always = transaction.set_durability(Durability::None);
            }
            {
                let mut leaves = transaction.open_table(LEAVES)?;
                let mut keys = transaction.open_multimap_table(KEYS)?;
                for entry in entries {
                    if leaves.get(&entry.leaf.0)?.is_none() {
                        leaves.insert(&entry.leaf.0, entry.index)?;
                    }
                    for key in &entry.keys {
                        keys.insert(&key.0, entry.index)?;
                    }
                }
                transaction.open_table(META)?.insert(SIZE, size)?;
            }
            transaction.commit()?;
            Ok(())
        })
    }

    fn read<T>(&self, ask: impl FnOnce(&Database) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let slot = self.database.read().unwrap_or_else(PoisonError::into_inner);
        ask(slot.as_ref().ok_or(StoreError::IndexBroken)?)
    }
}

impl From<redb::Error> for StoreError {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::Io(error) => Self::io(Path::new(FILE), error),
            error => Self::Index(Arc::new(error)),
        }
    }
}

macro_rules! from_redb {
    ($($error:ty),*) => {$(
        impl From<$error> for StoreError {
            fn from(error: $error) -> Self {
                redb::Error::from(error).into()
            }
        }
    )*};
}
from_redb!(redb::CommitError, redb::DatabaseError, redb::StorageError, redb::TableError, redb::TransactionError);

/// Index of every entry, by leaf hash.
pub(super) const LEAVES: TableDefinition<'_, &[u8; 32], u64> = TableDefinition::new("indexes");
/// Indexes of entries, by what they are searched for.
const KEYS: MultimapTableDefinition<'_, &[u8; 32], u64> = MultimapTableDefinition::new("keys");
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const SIZE: &str = "size";

pub(super) const FILE: &str = "index.redb";

/// Enough for the upper levels of the index of a million entries; what lies below is in the system's page cache. Sixteen
/// times as much was no faster, and memory grew with the log until it was used. redb's default is a gibibyte.
const CACHE_BYTES: usize = 2 << 20;
