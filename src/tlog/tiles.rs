//! C2SP tlog-tiles, the reader's side: which static files of a log a consistency proof is made from.

use std::collections::{BTreeMap, BTreeSet};

use super::merkle::{self, node_hash};
use crate::crypto::Sha256Digest;

/// A file of hashes, as wide as it is in the tree of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    /// L: eight levels of the tree a step.
    level: u8,
    /// N
    index: u64,
    /// W: 1 to 256 hashes.
    width: u64,
}

impl Tile {
    /// Its name below the log's base address: `tile/L/N`, `tile/L/N.p/W`.
    #[must_use]
    pub fn path(&self) -> String {
        let path = format!("tile/{}/{}", self.level, index_path(self.index));
        if self.is_partial() { format!("{path}.p/{}", self.width) } else { path }
    }

    /// Whether the log may have dropped it, once the full one was there.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.width < FULL
    }

    /// The same tile when it is full.
    #[must_use]
    pub fn full(self) -> Self {
        Self { width: FULL, ..self }
    }

    /// The hashes in the file's bytes. Of a full file that stands in for this one, as many as this one has.
    #[must_use]
    pub fn read(&self, bytes: &[u8]) -> Option<Vec<Sha256Digest>> {
        let (hashes, rest) = bytes.as_chunks::<32>();
        let count = u64::try_from(hashes.len()).ok()?;
        let width = usize::try_from(self.width).ok()?;
        let fits = rest.is_empty() && (count == self.width || count == FULL);
        let hashes = if fits { hashes.get(..width) } else { None };
        Some(hashes?.iter().map(|hash| Sha256Digest(*hash)).collect())
    }

    /// The tile that the hash over the 2^`level` leaves from `index`·2^`level` on is folded from, and which of its
    /// hashes. `None` beyond the tree of `tree_size` leaves.
    fn holding(level: u8, index: u64, tree_size: u64) -> Option<(Self, std::ops::Range<usize>)> {
        let (tile_level, height) = (level / HEIGHT, level % HEIGHT);
        let first = index.checked_mul(1 << height)?;
        let at_level = tree_size.checked_shr(u32::from(tile_level) * u32::from(HEIGHT))?;
        let (tile_index, start) = (first / FULL, first % FULL);
        let width = at_level.checked_sub(tile_index * FULL)?.min(FULL);
        let end = start + (1 << height);
        let tile = Self { level: tile_level, index: tile_index, width };
        (end <= width).then_some((tile, usize::try_from(start).ok()?..usize::try_from(end).ok()?))
    }
}

/// The N of a name: three digits an element, all but the last after an `x`.
#[must_use]
pub fn index_path(index: u64) -> String {
    let mut path = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    path
}

/// The tiles that [`consistency_proof`] reads. Few: at most two a level.
#[must_use]
pub fn needed(first_size: u64, second_size: u64) -> BTreeSet<Tile> {
    let mut tiles = BTreeSet::new();
    let mut note = |level, index| {
        tiles.extend(Tile::holding(level, index, second_size).map(|(tile, _)| tile));
        Ok::<_, std::convert::Infallible>(Sha256Digest([0; 32]))
    };
    // Which hashes are read does not depend on what they are.
    let Ok(_shape) = merkle::consistency_proof(first_size, second_size, &mut note);
    tiles
}

/// The proof that the tree of `second_size` leaves extends the one of `first_size`, from the tiles that are [`needed`].
///
/// # Errors
/// [`MissingTile`] when one is not among them.
pub fn consistency_proof(
    first_size: u64,
    second_size: u64,
    tiles: &BTreeMap<Tile, Vec<Sha256Digest>>,
) -> Result<Vec<Sha256Digest>, MissingTile> {
    merkle::consistency_proof(first_size, second_size, &mut |level, index| {
        let (tile, range) = Tile::holding(level, index, second_size).ok_or(MissingTile)?;
        let mut hashes = tiles.get(&tile).and_then(|tile| tile.get(range)).ok_or(MissingTile)?.to_vec();
        // As many as a power of two says, so that they come out even.
        while hashes.len() > 1 {
            let (pairs, _none) = hashes.as_chunks::<2>();
            hashes = pairs.iter().map(|[left, right]| node_hash(left, right)).collect();
        }
        hashes.first().copied().ok_or(MissingTile)
    })
}

/// A tile that was not fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a tile that the proof needs is missing")]
pub struct MissingTile;

/// Hashes in a full tile.
const FULL: u64 = 256;

/// Levels of the tree in a tile.
const HEIGHT: u8 = 8;

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    /// Every complete subtree of a tree, by level and index.
    type Nodes = HashMap<(u8, u64), Sha256Digest>;

    fn nodes(size: u64) -> Nodes {
        let mut nodes = Nodes::new();
        for index in 0..size {
            let leaf = merkle::leaf_hash(&index.to_be_bytes());
            let Ok(completed) =
                merkle::completed_by(index, leaf, &mut |level, index| Ok::<_, Infallible>(nodes[&(level, index)]));
            nodes.extend(completed.into_iter().map(|(level, index, hash)| ((level, index), hash)));
        }
        nodes
    }

    fn root(nodes: &Nodes, size: u64) -> Sha256Digest {
        let Ok(root) = merkle::root(size, &mut |level, index| Ok::<_, Infallible>(nodes[&(level, index)]));
        root
    }

    #[test]
    fn the_names_of_tiles() {
        let tile = |level, index, width| Tile { level, index, width }.path();
        assert_eq!(tile(0, 0, 256), "tile/0/000");
        assert_eq!(tile(1, 67, 5), "tile/1/067.p/5");
        assert_eq!(tile(0, 1_234_067, 256), "tile/0/x001/x234/067");
        assert_eq!(tile(2, 1000, 255), "tile/2/x001/000.p/255");
    }

    #[test]
    fn a_full_tile_stands_in_for_a_partial_one() {
        let tile = Tile { level: 0, index: 0, width: 2 };
        let full: Vec<u8> = (0..=255).flat_map(|byte| [byte; 32]).collect();
        let expected = Some(vec![Sha256Digest([0; 32]), Sha256Digest([1; 32])]);
        assert_eq!((tile.read(&full), tile.read(&full[..64])), (expected.clone(), expected));
        assert_eq!((tile.read(&full[..32]), tile.read(&full[..96]), tile.read(&full[..63])), (None, None, None));
        assert_eq!(tile.full().path(), "tile/0/000");
    }

    #[test]
    fn proofs_from_tiles_verify_at_every_size_around_their_edges() {
        let nodes = nodes(1030);
        for second in [2, 3, 255, 256, 257, 300, 511, 512, 513, 768, 1024, 1030] {
            for first in [1, 2, 7, 128, 255, 256, 257, 299, 511, 512, 1023].into_iter().filter(|first| *first < second)
            {
                let needed = needed(first, second);
                assert!(needed.len() <= 4, "{first} {second}: {needed:?}");
                let tiles = needed.into_iter().map(|tile| {
                    let hash = |place: u64| nodes[&(tile.level * HEIGHT, tile.index * FULL + place)];
                    (tile, (0..tile.width).map(hash).collect())
                });
                let proof = consistency_proof(first, second, &tiles.collect()).unwrap();
                let roots = ((first, root(&nodes, first)), (second, root(&nodes, second)));
                assert_eq!(merkle::verify_consistency(roots.0, roots.1, &proof), Ok(()), "{first} {second}");
            }
        }
        assert_eq!(consistency_proof(3, 7, &BTreeMap::new()), Err(MissingTile));
    }

    proptest! {
        #[test]
        fn never_panics(first: u64, second: u64, level: u8, index: u64) {
            drop(needed(first >> 2, second >> 1));
            let _ = Tile::holding(level, index, first);
            drop(consistency_proof(first >> 2, second >> 1, &BTreeMap::new()));
        }
    }
}
