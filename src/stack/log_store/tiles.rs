//! C2SP tlog-tiles: names and contents of the static files, and the tree that grows through them.

use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::files::read_if_there;
use crate::crypto::Sha256Digest;
use crate::tlog::merkle;
use crate::tlog::tiles::index_path;

/// A log's tree as far as it is not in complete files: one row of hashes a level, the last bundle of entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) size: u64,
    /// `rows[L]` is the tile at level L that is not complete: fewer than 256 hashes.
    pub(super) rows: Vec<Row>,
    /// The bundle that is not complete, encoded.
    pub(super) bundle: Vec<u8>,
}

/// The hashes of a tile, and those of the complete subtrees above them, so that nobody hashes them twice: each proof of a
/// batch would.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Row(Vec<Vec<Sha256Digest>>);

impl Row {
    pub(super) fn of(hashes: Vec<Sha256Digest>) -> Self {
        let mut row = Self::default();
        hashes.into_iter().for_each(|hash| row.push(hash));
        row
    }

    /// The tile's own hashes.
    pub(super) fn hashes(&self) -> &[Sha256Digest] {
        self.0.first().map_or(&[], Vec::as_slice)
    }

    fn push(&mut self, mut hash: Sha256Digest) {
        for height in 0.. {
            if self.0.len() <= height {
                self.0.push(Vec::new());
            }
            let Some(hashes) = self.0.get_mut(height) else { return };
            hashes.push(hash);
            match hashes.as_slice() {
                [.., left, right] if hashes.len().is_multiple_of(2) => hash = merkle::node_hash(left, right),
                _ => return,
            }
        }
    }

    /// The hash over 2^height of the tile's hashes.
    fn node(&self, height: u8, at: u64) -> Option<Sha256Digest> {
        self.0.get(usize::from(height))?.get(usize::try_from(at).ok()?).copied()
    }
}

/// What appending made: files to write, and folders of partial files that complete ones replace.
#[derive(Debug, Default)]
pub(super) struct Grown {
    pub(super) files: Vec<(PathBuf, Vec<u8>)>,
    pub(super) replaced: Vec<PathBuf>,
    /// Levels below this one have changed since the last partial files.
    changed_levels: usize,
}

impl Grown {
    /// As if every level had changed.
    pub(super) fn all_levels() -> Self {
        Self { changed_levels: usize::MAX, ..Self::default() }
    }
}

impl Edge {
    /// Reads the edge of the tree of `size` leaves from the files in `folder`.
    pub(super) fn load(folder: &Path, size: u64) -> Result<Self, StoreError> {
        let bundle = match size % TILE_WIDTH {
            0 => Vec::new(),
            width => read_bundle(folder, size / TILE_WIDTH, width)?,
        };
        let mut rows = Vec::new();
        let mut count = size;
        while count > 0 {
            let width = count % TILE_WIDTH;
            let level = u8::try_from(rows.len()).map_err(|_| StoreError::Missing("tile"))?;
            rows.push(match width {
                0 => Row::default(),
                _ => Row::of(read_tile(folder, level, count / TILE_WIDTH, width)?),
            });
            count /= TILE_WIDTH;
        }
        Ok(Self { size, rows, bundle })
    }

    /// Appends a leaf.
    pub(super) fn push(&mut self, entry: &[u8], leaf: Sha256Digest, grown: &mut Grown) -> Result<(), StoreError> {
        let length = u16::try_from(entry.len()).map_err(|_| StoreError::TooLarge(entry.len()))?;
        self.bundle.extend_from_slice(&length.to_be_bytes());
        self.bundle.extend_from_slice(entry);
        self.size += 1;
        let (mut hash, mut count) = (leaf, self.size);
        for level in 0_u8.. {
            if self.rows.len() <= usize::from(level) {
                self.rows.push(Row::default());
            }
            grown.changed_levels = grown.changed_levels.max(usize::from(level) + 1);
            let row = self.rows.get_mut(usize::from(level)).ok_or(StoreError::Missing("tile"))?;
            row.push(hash);
            if !count.is_multiple_of(TILE_WIDTH) {
                break;
            }
            count /= TILE_WIDTH;
            let row = std::mem::take(row);
            grown.files.push((tile_path(level, count - 1), row_bytes(row.hashes())));
            grown.replaced.push(partial_folder(&tile_path(level, count - 1)));
            if level == 0 {
                grown.files.push((entries_path(count - 1), std::mem::take(&mut self.bundle)));
                grown.replaced.push(partial_folder(&entries_path(count - 1)));
            }
            hash = row.node(TILE_HEIGHT, 0).ok_or(StoreError::Missing("hash"))?;
        }
        Ok(())
    }

    /// Adds the partial files of the tree as it is now to what was grown.
    pub(super) fn add_partial_files(&self, grown: &mut Grown) {
        if grown.changed_levels > 0 && !self.bundle.is_empty() {
            let path = entries_path(self.size / TILE_WIDTH);
            grown.files.push((partial_path(&path, self.size % TILE_WIDTH), self.bundle.clone()));
        }
        let mut count = self.size;
        for (level, row) in (0_u8..).zip(self.rows.iter()).take(grown.changed_levels) {
            if !row.hashes().is_empty() {
                let path = tile_path(level, count / TILE_WIDTH);
                grown.files.push((partial_path(&path, count % TILE_WIDTH), row_bytes(row.hashes())));
            }
            count /= TILE_WIDTH;
        }
    }

    /// The root hash.
    pub(super) fn root(&self, folder: &Path) -> Result<Sha256Digest, StoreError> {
        merkle::root(self.size, &mut self.reader(folder))
    }

    /// Reads hashes of complete subtrees, from the edge or from complete tiles in `folder`.
    pub(super) fn reader<'a>(
        &'a self,
        folder: &'a Path,
    ) -> impl FnMut(u8, u64) -> Result<Sha256Digest, StoreError> + 'a {
        let mut last_tile = None;
        move |level: u8, index: u64| {
            // 2^below hashes of one tile lie under the node.
            let (tile_level, below) = (level / TILE_HEIGHT, level % TILE_HEIGHT);
            let first = index << below;
            let tile = first / TILE_WIDTH;
            let stored = self.size.checked_shr(u32::from(tile_level) * u32::from(TILE_HEIGHT)).unwrap_or(0);
            let row = if tile < stored / TILE_WIDTH {
                if last_tile.as_ref().is_none_or(|(at, _)| *at != (tile_level, tile)) {
                    let row = Row::of(read_tile(folder, tile_level, tile, TILE_WIDTH)?);
                    last_tile = Some(((tile_level, tile), row));
                }
                last_tile.as_ref().map(|(_, row)| row)
            } else {
                self.rows.get(usize::from(tile_level))
            };
            let node = row.and_then(|row| row.node(below, (first % TILE_WIDTH) >> below));
            node.ok_or(StoreError::Missing("hash"))
        }
    }
}

/// The first `width` hashes of a tile: from the file of that width, or from the complete one.
pub(super) fn read_tile(folder: &Path, level: u8, index: u64, width: u64) -> Result<Vec<Sha256Digest>, StoreError> {
    let path = tile_path(level, index);
    let bytes = read_partial_or_whole(folder, &path, width)?.ok_or(StoreError::Missing("tile"))?;
    let (row, rest) = bytes.as_chunks::<32>();
    let count = usize::try_from(width).map_err(|_| StoreError::Missing("tile"))?;
    match row.get(..count) {
        Some(row) if rest.is_empty() => Ok(row.iter().copied().map(Sha256Digest).collect()),
        _ => Err(StoreError::Missing("tile")),
    }
}

/// The first `width` entries of a bundle, encoded.
pub(super) fn read_bundle(folder: &Path, index: u64, width: u64) -> Result<Vec<u8>, StoreError> {
    let mut bytes = read_partial_or_whole(folder, &entries_path(index), width)?.ok_or(StoreError::Missing("entry"))?;
    let mut rest: &[u8] = &bytes;
    for _ in 0..width {
        rest = split_entry(rest).ok_or(StoreError::Missing("entry"))?.1;
    }
    let length = bytes.len() - rest.len();
    bytes.truncate(length);
    Ok(bytes)
}

/// Entries of a bundle, in order.
pub(super) fn bundle_entries(bundle: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bundle;
    std::iter::from_fn(move || {
        let (entry, after) = split_entry(rest)?;
        rest = after;
        Some(entry)
    })
}

/// A partial file is there until the complete one is.
fn read_partial_or_whole(folder: &Path, path: &Path, width: u64) -> Result<Option<Vec<u8>>, StoreError> {
    if width < TILE_WIDTH
        && let Some(bytes) = read_if_there(&folder.join(partial_path(path, width)))?
    {
        return Ok(Some(bytes));
    }
    read_if_there(&folder.join(path))
}

/// C2SP tlog-tiles, "Log entries": each after its length as `uint16`.
fn split_entry(bundle: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bundle.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

pub(super) fn row_bytes(row: &[Sha256Digest]) -> Vec<u8> {
    row.iter().flat_map(|hash| hash.0).collect()
}

pub(super) fn tile_path(level: u8, index: u64) -> PathBuf {
    PathBuf::from(format!("tile/{level}/{}", index_path(index)))
}

pub(super) fn entries_path(index: u64) -> PathBuf {
    PathBuf::from(format!("tile/entries/{}", index_path(index)))
}

pub(super) fn partial_path(path: &Path, width: u64) -> PathBuf {
    partial_folder(path).join(width.to_string())
}

fn partial_folder(path: &Path) -> PathBuf {
    path.with_extension("p")
}

/// C2SP tlog-tiles.
const TILE_HEIGHT: u8 = 8;
pub(super) const TILE_WIDTH: u64 = 1 << TILE_HEIGHT;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tile_names() {
        assert_eq!(partial_path(&tile_path(0, 1_234_067), 7), PathBuf::from("tile/0/x001/x234/067.p/7"));
    }

    #[test]
    fn a_batch_over_two_tiles_grows_both() {
        let mut edge = Edge::default();
        let mut grown = Grown::default();
        for index in 0..514_u64 {
            let entry = index.to_be_bytes();
            edge.push(&entry, merkle::leaf_hash(&entry), &mut grown).unwrap();
        }
        edge.add_partial_files(&mut grown);
        let names: Vec<_> = grown.files.iter().map(|(path, _)| path.display().to_string()).collect();
        let expected = [
            "tile/0/000",
            "tile/entries/000",
            "tile/0/001",
            "tile/entries/001",
            "tile/entries/002.p/2",
            "tile/0/002.p/2",
            "tile/1/000.p/2",
        ];
        assert_eq!(names, expected);
        let folder = tempfile::tempdir().unwrap();
        super::super::files::Files::open(folder.path()).unwrap().write(&grown.files).unwrap();
        assert_eq!(Edge::load(folder.path(), 514).unwrap(), edge);
    }
}
