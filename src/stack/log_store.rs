//! An append-only Merkle log on disk: one for each log of the stack.
//!
//! What is complete lies in files that never change, laid out as C2SP tlog-tiles has it: `tile/L/N` with 256 hashes,
//! `tile/entries/N` with 256 entries. What is not complete yet, and every index, lies in one redb database, whose commit
//! is the moment at which an entry is durable. Memory does not grow with the log.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use redb::{
    Builder, Database, ReadTransaction, ReadableDatabase as _, ReadableTable, TableDefinition, WriteTransaction,
};

use super::data_folder::write_durably;
use crate::crypto::Sha256Digest;
use crate::tlog::merkle;

/// A log that is open for appending.
#[derive(Debug)]
pub struct LogStore {
    folder: PathBuf,
    database: Database,
}

/// Where an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Its leaf index.
    pub index: u64,
    /// When it came in: the caller's clock, but never before an earlier entry's time.
    pub time: Timestamp,
    /// Whether the very same entry had been appended before.
    pub is_duplicate: bool,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEntry {
    /// The bytes that were appended.
    pub bytes: Vec<u8>,
    /// When.
    pub time: Timestamp,
}

impl LogStore {
    /// Opens the log in `folder`, or begins one.
    ///
    /// # Errors
    /// [`StoreError`] when the disk or the database fails.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(folder)?;
        let database = Builder::new().set_cache_size(CACHE_BYTES).create(folder.join("index.redb"))?;
        let transaction = database.begin_write()?;
        {
            transaction.open_table(ENTRIES)?;
            transaction.open_table(HASHES)?;
            transaction.open_table(INDEXES)?;
            transaction.open_table(TIMES)?;
        }
        transaction.commit()?;
        Ok(Self { folder: folder.to_owned(), database })
    }

    /// Appends an entry. When this returns it is on disk. What is in the log already is not appended again.
    ///
    /// # Errors
    /// [`StoreError`] when the entry is too long, the clock went back too far, or the disk or the database fails; then
    /// nothing was appended.
    pub fn append(&self, entry: &[u8], now: Timestamp) -> Result<Appended, StoreError> {
        if entry.len() > MAX_ENTRY_BYTES {
            return Err(StoreError::TooLarge(entry.len()));
        }
        let leaf = merkle::leaf_hash(entry);
        let transaction = self.database.begin_write()?;
        let known = transaction.open_table(INDEXES)?.get(&leaf.0)?.map(|index| index.value());
        if let Some(index) = known {
            let time = transaction.open_table(TIMES)?.get(index)?.map(|time| time.value());
            transaction.abort()?;
            let time = timestamp(time.ok_or(StoreError::Missing("time"))?)?;
            return Ok(Appended { index, time, is_duplicate: true });
        }
        let (index, time) = {
            let mut times = transaction.open_table(TIMES)?;
            let last = times.last()?.map(|(index, time)| (index.value(), time.value()));
            let (index, time) = match last {
                Some((last, time)) => (last + 1, not_before(timestamp(time)?, now)?),
                None => (0, now),
            };
            times.insert(index, time.as_millisecond())?;
            transaction.open_table(INDEXES)?.insert(&leaf.0, index)?;
            transaction.open_table(ENTRIES)?.insert(index, entry)?;
            transaction.open_table(HASHES)?.insert((0, index), &leaf.0)?;
            (index, time)
        };
        self.complete_tiles(&transaction, index)?;
        transaction.commit()?;
        Ok(Appended { index, time, is_duplicate: false })
    }

    /// The log as it is now; later appends do not show in it.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub fn snapshot(&self) -> Result<Snapshot<'_>, StoreError> {
        let transaction = self.database.begin_read()?;
        let size = transaction.open_table(TIMES)?.last()?.map_or(0, |(index, _)| index.value() + 1);
        Ok(Snapshot { folder: &self.folder, transaction, size })
    }

    /// Moves what the entry at `index` completes from the database to files. A crash before the commit leaves files
    /// behind that no committed size refers to; the next attempt overwrites them.
    fn complete_tiles(&self, transaction: &WriteTransaction, index: u64) -> Result<(), StoreError> {
        let mut count = index + 1;
        if !count.is_multiple_of(TILE_WIDTH) {
            return Ok(());
        }
        let bundle = index / TILE_WIDTH;
        let mut bytes = Vec::new();
        {
            let mut entries = transaction.open_table(ENTRIES)?;
            for index in bundle * TILE_WIDTH..count {
                let entry = entries.remove(index)?.ok_or(StoreError::Missing("entry"))?;
                let length = u16::try_from(entry.value().len()).map_err(|_| StoreError::Missing("entry"))?;
                bytes.extend_from_slice(&length.to_be_bytes());
                bytes.extend_from_slice(entry.value());
            }
        }
        write_durably(&entries_path(&self.folder, bundle), &bytes)?;
        let mut hashes = transaction.open_table(HASHES)?;
        for level in 0.. {
            if !count.is_multiple_of(TILE_WIDTH) {
                break;
            }
            let tile = count / TILE_WIDTH - 1;
            let mut row = Vec::new();
            for index in tile * TILE_WIDTH..count {
                let hash = hashes.remove((level, index))?.ok_or(StoreError::Missing("hash"))?;
                row.push(Sha256Digest(*hash.value()));
            }
            let bytes: Vec<u8> = row.iter().flat_map(|hash| hash.0).collect();
            write_durably(&tile_path(&self.folder, level, tile), &bytes)?;
            hashes.insert((level + 1, tile), &fold(row).0)?;
            count /= TILE_WIDTH;
        }
        Ok(())
    }
}

/// The log at one size.
pub struct Snapshot<'a> {
    folder: &'a Path,
    transaction: ReadTransaction,
    size: u64,
}

impl Snapshot<'_> {
    /// Number of entries.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The entry at `index`, if it is in the log.
    ///
    /// # Errors
    /// [`StoreError`] when the disk or the database fails.
    pub fn entry(&self, index: u64) -> Result<Option<StoredEntry>, StoreError> {
        if index >= self.size {
            return Ok(None);
        }
        let time = self.transaction.open_table(TIMES)?.get(index)?.ok_or(StoreError::Missing("time"))?.value();
        let pending = self.transaction.open_table(ENTRIES)?.get(index)?.map(|entry| entry.value().to_vec());
        let bytes = match pending {
            Some(bytes) => bytes,
            None => {
                let bundle = fs::read(entries_path(self.folder, index / TILE_WIDTH))?;
                entry_in_bundle(&bundle, index % TILE_WIDTH).ok_or(StoreError::Missing("entry"))?.to_vec()
            }
        };
        Ok(Some(StoredEntry { bytes, time: timestamp(time)? }))
    }

    /// The index of the entry with this leaf hash.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub fn find(&self, leaf: &Sha256Digest) -> Result<Option<u64>, StoreError> {
        Ok(self.transaction.open_table(INDEXES)?.get(&leaf.0)?.map(|index| index.value()))
    }

    /// The root hash.
    ///
    /// # Errors
    /// [`StoreError`] when the disk or the database fails.
    pub fn root(&self) -> Result<Sha256Digest, StoreError> {
        merkle::root(self.size, &mut self.reader()?)
    }

    /// The audit path of leaf `index`.
    ///
    /// # Errors
    /// [`StoreError`] when the disk or the database fails.
    pub fn inclusion_proof(&self, index: u64) -> Result<Vec<Sha256Digest>, StoreError> {
        merkle::inclusion_proof(index, self.size, &mut self.reader()?)
    }

    /// The proof that this tree extends the one of `first` leaves.
    ///
    /// # Errors
    /// [`StoreError`] when the disk or the database fails.
    pub fn consistency_proof(&self, first: u64) -> Result<Vec<Sha256Digest>, StoreError> {
        merkle::consistency_proof(first, self.size, &mut self.reader()?)
    }

    fn reader(&self) -> Result<impl FnMut(u8, u64) -> Result<Sha256Digest, StoreError>, StoreError> {
        let hashes = self.transaction.open_table(HASHES)?;
        let mut last_tile = None;
        Ok(move |level: u8, index: u64| {
            // 2^below hashes of one tile lie under the node.
            let (tile_level, below) = (level / TILE_HEIGHT, level % TILE_HEIGHT);
            let first = index << below;
            let width = 1_u64 << below;
            let tile = first / TILE_WIDTH;
            let stored = self.size.checked_shr(u32::from(tile_level) * u32::from(TILE_HEIGHT)).unwrap_or(0);
            if tile < stored / TILE_WIDTH {
                if last_tile.as_ref().is_none_or(|(at, _)| *at != (tile_level, tile)) {
                    last_tile = Some(((tile_level, tile), read_tile(&tile_path(self.folder, tile_level, tile))?));
                }
                let (_, row) = last_tile.as_ref().ok_or(StoreError::Missing("tile"))?;
                let offset = usize::try_from(first % TILE_WIDTH).map_err(|_| StoreError::Missing("hash"))?;
                let nodes = row.iter().skip(offset).take(1 << below).copied();
                return Ok(fold(nodes.collect()));
            }
            let mut row = Vec::with_capacity(1 << below);
            for at in first..first + width {
                let hash = hashes.get((tile_level, at))?.ok_or(StoreError::Missing("hash"))?;
                row.push(Sha256Digest(*hash.value()));
            }
            Ok(fold(row))
        })
    }
}

/// A log that cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The clock is behind the last entry by more than can be smoothed over.
    #[error("the clock says {now:.0}, but the last entry came in at {last}")]
    ClockWentBack {
        /// The caller's clock.
        now: Timestamp,
        /// The last entry's time.
        last: Timestamp,
    },
    /// The database failed.
    #[error("the log's index: {0}")]
    Database(Box<redb::Error>),
    /// A file failed.
    #[error("the log's files: {0}")]
    Io(#[from] io::Error),
    /// Something that was written is not there any more.
    #[error("the log has lost a {0}")]
    Missing(&'static str),
    /// Longer than a bundle can hold.
    #[error("an entry of {0} bytes is longer than {MAX_ENTRY_BYTES}")]
    TooLarge(usize),
}

macro_rules! from_redb {
    ($($error:ty),*) => {$(
        impl From<$error> for StoreError {
            fn from(error: $error) -> Self {
                Self::Database(Box::new(error.into()))
            }
        }
    )*};
}
from_redb!(redb::CommitError, redb::DatabaseError, redb::StorageError, redb::TableError, redb::TransactionError);

/// The root hash over a power of two of hashes.
fn fold(mut row: Vec<Sha256Digest>) -> Sha256Digest {
    while row.len() > 1 {
        row = row
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => merkle::node_hash(left, right),
                odd => odd.first().copied().unwrap_or(Sha256Digest([0; 32])),
            })
            .collect();
    }
    row.first().copied().unwrap_or_else(|| Sha256Digest::of(&[]))
}

fn read_tile(path: &Path) -> Result<Vec<Sha256Digest>, StoreError> {
    let bytes = fs::read(path)?;
    let (row, rest) = bytes.as_chunks::<32>();
    let whole = u64::try_from(row.len()).is_ok_and(|count| count == TILE_WIDTH) && rest.is_empty();
    whole.then(|| row.iter().copied().map(Sha256Digest).collect()).ok_or(StoreError::Missing("tile"))
}

/// C2SP tlog-tiles, "Log entries": each after its length as `uint16`.
fn entry_in_bundle(mut bundle: &[u8], index: u64) -> Option<&[u8]> {
    for at in 0.. {
        let (length, rest) = bundle.split_first_chunk::<2>()?;
        let (entry, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        if at == index {
            return Some(entry);
        }
        bundle = rest;
    }
    None
}

fn tile_path(folder: &Path, level: u8, index: u64) -> PathBuf {
    folder.join(format!("tile/{level}/{}", index_path(index)))
}

fn entries_path(folder: &Path, index: u64) -> PathBuf {
    folder.join(format!("tile/entries/{}", index_path(index)))
}

/// C2SP tlog-tiles: three digits an element, all but the last after an `x`.
fn index_path(index: u64) -> String {
    let mut path = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    path
}

fn timestamp(milliseconds: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(milliseconds).map_err(|_| StoreError::Missing("time"))
}

fn not_before(last: Timestamp, now: Timestamp) -> Result<Timestamp, StoreError> {
    if last.duration_since(now) > MAX_CLOCK_STEP_BACK {
        return Err(StoreError::ClockWentBack { now, last });
    }
    Ok(now.max(last))
}

/// Entries of the bundle that is not full yet, by index.
const ENTRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("entries");
/// Hashes of tiles that are not full yet, by tile level and index in that level.
const HASHES: TableDefinition<'_, (u8, u64), &[u8; 32]> = TableDefinition::new("hashes");
/// Index of every entry, by leaf hash.
const INDEXES: TableDefinition<'_, &[u8; 32], u64> = TableDefinition::new("indexes");
/// When every entry came in, milliseconds since 1970, by index. Its last key is the size less one.
const TIMES: TableDefinition<'_, u64, i64> = TableDefinition::new("times");

/// C2SP tlog-tiles.
const TILE_HEIGHT: u8 = 8;
const TILE_WIDTH: u64 = 1 << TILE_HEIGHT;

/// C2SP tlog-tiles: an entry's length is a `uint16`.
const MAX_ENTRY_BYTES: usize = 65_535;

/// An adjusted clock steps back by less.
const MAX_CLOCK_STEP_BACK: SignedDuration = SignedDuration::from_secs(5);

/// Enough for the upper levels of the index of a million entries; redb's default is a gibibyte.
const CACHE_BYTES: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    impl LogStore {
        /// Recomputes every leaf, root and proof from the entries alone.
        pub(in crate::stack) fn assert_consistent(&self) {
            let snapshot = self.snapshot().unwrap();
            let size = snapshot.size();
            let mut nodes = std::collections::HashMap::new();
            let mut roots = vec![Sha256Digest::of(b"")];
            let mut last_time = None;
            for index in 0..size {
                let entry = snapshot.entry(index).unwrap().unwrap();
                assert!(last_time <= Some(entry.time));
                last_time = Some(entry.time);
                let leaf = merkle::leaf_hash(&entry.bytes);
                assert_eq!(snapshot.find(&leaf).unwrap(), Some(index));
                let mut read = |level, index| Ok::<_, std::convert::Infallible>(nodes[&(level, index)]);
                let Ok(completed) = merkle::completed_by(index, leaf, &mut read);
                nodes.extend(completed.into_iter().map(|(level, index, hash)| ((level, index), hash)));
                let Ok(root) = merkle::root(index + 1, &mut |level, index| {
                    Ok::<_, std::convert::Infallible>(nodes[&(level, index)])
                });
                roots.push(root);
            }
            let root = snapshot.root().unwrap();
            assert_eq!(roots.last(), Some(&root));
            for index in 0..size {
                let path = snapshot.inclusion_proof(index).unwrap();
                let leaf = nodes[&(0, index)];
                assert_eq!(merkle::root_from_inclusion(leaf, index, size, &path), Ok(root), "{index} of {size}");
                let first = index + 1;
                let path = snapshot.consistency_proof(first).unwrap();
                let first = (first, roots[usize::try_from(first).unwrap()]);
                assert_eq!(merkle::verify_consistency(first, (size, root), &path), Ok(()), "{first:?} to {size}");
            }
            assert_eq!(snapshot.entry(size).unwrap(), None);
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn every_entry_and_proof_survives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = LogStore::open(folder.path()).unwrap();
        store.assert_consistent();
        for index in 0..520_u64 {
            let appended = store.append(format!("entry {index}").as_bytes(), at(1000)).unwrap();
            assert_eq!(appended, Appended { index, time: at(1000), is_duplicate: false });
            if [1, 2, 255, 256, 257, 513].contains(&(index + 1)) {
                drop(store);
                store = LogStore::open(folder.path()).unwrap();
                store.assert_consistent();
            }
        }
        assert_eq!(
            store.append(b"entry 7", at(2000)).unwrap(),
            Appended { index: 7, time: at(1000), is_duplicate: true }
        );
        let tile = read_tile(&folder.path().join("tile/0/001")).unwrap();
        assert_eq!(tile[0], merkle::leaf_hash(b"entry 256"));
        assert_eq!(store.snapshot().unwrap().size(), 520);
    }

    #[test]
    fn time_does_not_run_backwards() {
        let folder = tempfile::tempdir().unwrap();
        let store = LogStore::open(folder.path()).unwrap();
        store.append(b"a", at(1000)).unwrap();
        assert_eq!(store.append(b"b", at(995)).unwrap().time, at(1000));
        assert!(matches!(store.append(b"c", at(994)), Err(StoreError::ClockWentBack { .. })));
        assert_eq!(store.append(b"c", at(1001)).unwrap().index, 2);
    }

    #[test]
    fn entries_have_a_limit() {
        let folder = tempfile::tempdir().unwrap();
        let store = LogStore::open(folder.path()).unwrap();
        assert!(matches!(store.append(&[0; MAX_ENTRY_BYTES + 1], at(1)), Err(StoreError::TooLarge(_))));
        assert_eq!(store.append(&[0; MAX_ENTRY_BYTES], at(1)).unwrap().index, 0);
        assert_eq!(store.snapshot().unwrap().entry(0).unwrap().unwrap().bytes.len(), MAX_ENTRY_BYTES);
    }

    #[test]
    fn tile_names() {
        assert_eq!(index_path(0), "000");
        assert_eq!(index_path(1_234_067), "x001/x234/067");
    }
}
