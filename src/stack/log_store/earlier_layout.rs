//! Reads what the first version of the store kept in its database, so that its logs go on: entries and hashes of tiles that
//! were not complete, and all times. Runs once, before the log has its first `checkpoint` file.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use redb::{Database, ReadTransaction, ReadableDatabase as _, ReadableTable as _, TableDefinition};

use super::beside::BesideWriter;
use super::error::StoreError;
use super::files::Files;
use super::index::FILE;
use super::published::CHECKPOINT;
use super::signer::CheckpointSigner;
use super::tiles::{Edge, Grown, Row, TILE_WIDTH};
use crate::crypto::Sha256Digest;

/// Whether the folder has a log of the earlier layout.
pub(super) fn is_there(folder: &Path) -> Result<bool, StoreError> {
    let path = folder.join(FILE);
    if !path.exists() {
        return Ok(false);
    }
    let database = Database::open(path)?;
    let transaction = database.begin_read()?;
    let tables: Vec<_> = transaction.list_tables()?.collect();
    Ok(tables.iter().any(|table| redb::TableHandle::name(table) == redb::TableHandle::name(&TIMES)))
}

/// Writes the files that such a log lacks; the checkpoint last. A crash leaves it to the next start to begin again.
pub(super) fn convert(folder: &Path, signer: &CheckpointSigner, files: &mut Files) -> Result<(), StoreError> {
    let database = Database::open(folder.join(FILE))?;
    let transaction = database.begin_read()?;
    let times = times(&transaction)?;
    let size = u64::try_from(times.len()).map_err(|_| StoreError::Missing("time"))?;
    let beside: Vec<(Timestamp, &[u8])> = times.iter().map(|time| (*time, [].as_slice())).collect();
    BesideWriter::open(folder, 0)?.append(0, &beside)?;
    let edge = edge(&transaction, size)?;
    files.write(&edge.partial_files())?;
    let checkpoint = signer.sign(size, edge.root(folder)?)?;
    files.write(&[(PathBuf::from(CHECKPOINT), checkpoint.into_bytes())])
}

fn times(transaction: &ReadTransaction) -> Result<Vec<Timestamp>, StoreError> {
    let table = transaction.open_table(TIMES)?;
    let times =
        table.iter()?.map(|row| Timestamp::from_millisecond(row?.1.value()).map_err(|_| StoreError::Missing("time")));
    times.collect()
}

fn edge(transaction: &ReadTransaction, size: u64) -> Result<Edge, StoreError> {
    let entries = transaction.open_table(ENTRIES)?;
    let hashes = transaction.open_table(HASHES)?;
    let mut edge = Edge { size, ..Edge::default() };
    for index in size / TILE_WIDTH * TILE_WIDTH..size {
        let entry = entries.get(index)?.ok_or(StoreError::Missing("entry"))?;
        let length = u16::try_from(entry.value().len()).map_err(|_| StoreError::Missing("entry"))?;
        edge.bundle.extend_from_slice(&length.to_be_bytes());
        edge.bundle.extend_from_slice(entry.value());
    }
    let (mut level, mut count) = (0_u8, size);
    while count > 0 {
        let row = (count / TILE_WIDTH * TILE_WIDTH..count).map(|index| {
            let hash = hashes.get((level, index))?.ok_or(StoreError::Missing("hash"))?;
            Ok(Sha256Digest(*hash.value()))
        });
        edge.rows.push(Row::of(row.collect::<Result<_, StoreError>>()?));
        level += 1;
        count /= TILE_WIDTH;
    }
    Ok(edge)
}

impl Edge {
    /// Every partial file of this tree.
    fn partial_files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut grown = Grown::all_levels();
        self.add_partial_files(&mut grown);
        grown.files
    }
}

const ENTRIES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("entries");
const HASHES: TableDefinition<'_, (u8, u64), &[u8; 32]> = TableDefinition::new("hashes");
const TIMES: TableDefinition<'_, u64, i64> = TableDefinition::new("times");

#[cfg(test)]
mod tests {
    use redb::WriteTransaction;

    use super::*;
    use crate::stack::log_store::tests::{entry, signer, store};
    use crate::tlog::merkle;

    /// As the first version wrote it.
    fn write_earlier(folder: &Path, size: u64) {
        let mut edge = Edge::default();
        let mut grown = Grown::default();
        for index in 0..size {
            let entry = entry(index);
            edge.push(&entry, merkle::leaf_hash(&entry), &mut grown).unwrap();
        }
        Files::open(folder).unwrap().write(&grown.files).unwrap();
        std::fs::remove_dir_all(folder.join(super::super::files::TEMPORARY)).unwrap();
        let database = Database::create(folder.join(FILE)).unwrap();
        let transaction: WriteTransaction = database.begin_write().unwrap();
        {
            let mut leaves = transaction.open_table(super::super::index::LEAVES).unwrap();
            let mut entries = transaction.open_table(ENTRIES).unwrap();
            let mut hashes = transaction.open_table(HASHES).unwrap();
            let mut times = transaction.open_table(TIMES).unwrap();
            for index in 0..size {
                leaves.insert(&merkle::leaf_hash(&entry(index)).0, index).unwrap();
                times.insert(index, 1_000_000).unwrap();
                if index / 256 == size / 256 {
                    entries.insert(index, entry(index).as_slice()).unwrap();
                }
            }
            for (level, row) in (0_u8..).zip(&edge.rows) {
                let start = (size >> (8 * u32::from(level))) / 256 * 256;
                for (index, hash) in (start..).zip(row.hashes()) {
                    hashes.insert((level, index), &hash.0).unwrap();
                }
            }
        }
        transaction.commit().unwrap();
    }

    #[test]
    fn a_log_of_the_earlier_layout_goes_on() {
        for size in [1, 255, 256, 600] {
            let folder = tempfile::tempdir().unwrap();
            write_earlier(folder.path(), size);
            let log = store(folder.path());
            assert_eq!(log.snapshot().size(), size);
            log.assert_consistent();
            assert_eq!(log.snapshot().entry(size - 1).unwrap().unwrap().time.as_second(), 1000);
            drop(log);
            let log = store(folder.path());
            assert_eq!(log.snapshot().checkpoint().lines().next(), Some(signer().origin.as_str()));
            log.assert_consistent();
        }
    }
}
