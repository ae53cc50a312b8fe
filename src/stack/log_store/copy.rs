//! Copies a log, running or not: its checkpoint is read first, then the files that it covers, and written last.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::beside;
use super::error::StoreError;
use super::published::{self, CHECKPOINT};
use super::signer::CheckpointSigner;
use super::tiles::{TILE_WIDTH, entries_path, partial_path, read_bundle, read_tile, row_bytes, tile_path};
use crate::stack::disk::{create_private, write_durably};

/// Copies the log in `from` to the folder `to`, which is made. The index is not copied.
///
/// # Errors
/// [`StoreError`] when something cannot be read or written.
pub fn copy(from: &Path, signer: &CheckpointSigner, to: &Path) -> Result<(), StoreError> {
    let (edge, published) = published::load(from, signer)?;
    create_private(to).map_err(|error| StoreError::io(to, error))?;
    let write = |path: &Path, bytes: &[u8]| {
        let path = to.join(path);
        write_durably(&path, bytes).map_err(|error| StoreError::io(&path, error))
    };
    let name = |path: PathBuf, width| if width == TILE_WIDTH { path } else { partial_path(&path, width) };
    for (index, width) in widths(edge.size) {
        write(&name(entries_path(index), width), &read_bundle(from, index, width)?)?;
    }
    let mut count = edge.size;
    for level in 0.. {
        for (index, width) in widths(count) {
            write(&name(tile_path(level, index), width), &row_bytes(&read_tile(from, level, index, width)?))?;
        }
        count /= TILE_WIDTH;
        if count == 0 {
            break;
        }
    }
    let (times, data) = beside::lengths(from, edge.size)?;
    for (file, length) in [(beside::TIMES, times), (beside::DATA, data)] {
        let path = from.join(file);
        let mut bytes = Vec::new();
        let read = File::open(&path).and_then(|file| file.take(length).read_to_end(&mut bytes));
        read.map_err(|error| StoreError::io(&path, error))?;
        write(Path::new(file), &bytes)?;
    }
    write(Path::new(CHECKPOINT), published.checkpoint.as_bytes())
}

/// When the last entry of the log in `folder` came in.
///
/// # Errors
/// [`StoreError`] when it cannot be read.
pub fn last_time(folder: &Path, signer: &CheckpointSigner) -> Result<Option<Timestamp>, StoreError> {
    let (edge, _) = published::load(folder, signer)?;
    edge.size.checked_sub(1).map(|last| beside::time(folder, last)).transpose()
}

/// Number and width of every tile over `count` hashes.
fn widths(count: u64) -> impl Iterator<Item = (u64, u64)> {
    (0..count.div_ceil(TILE_WIDTH)).map(move |index| (index, (count - index * TILE_WIDTH).min(TILE_WIDTH)))
}
