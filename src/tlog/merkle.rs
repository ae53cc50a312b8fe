//! RFC 6962 §2.1 Merkle trees: hashing, checking proofs, and making them.
//!
//! Making reads hashes of complete subtrees: `read(level, index)` is the hash over the 2^`level` leaves from leaf
//! `index`·2^`level` on, which is what tile storage keeps. All of it is logarithmic in the size of the tree.

use crate::crypto::Sha256Digest;

/// `SHA-256(0x00 ‖ entry)`
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Sha256Digest {
    Sha256Digest::of_parts(&[&[0x00], entry])
}

/// `SHA-256(0x01 ‖ left ‖ right)`
#[must_use]
pub fn node_hash(left: &Sha256Digest, right: &Sha256Digest) -> Sha256Digest {
    Sha256Digest::of_parts(&[&[0x01], left.as_ref(), right.as_ref()])
}

/// The root hash that an audit path leads to (RFC 9162 §2.1.3.2). Proves nothing until it is compared with a root hash
/// that the log signed.
///
/// # Errors
/// [`BadProof`] when the path has not the shape that leaf index and tree size demand.
pub fn root_from_inclusion(
    leaf: Sha256Digest,
    leaf_index: u64,
    tree_size: u64,
    hashes: &[Sha256Digest],
) -> Result<Sha256Digest, BadProof> {
    if leaf_index >= tree_size {
        return Err(BadProof::IndexBeyondTree { leaf_index, tree_size });
    }
    let mut node = leaf_index;
    let mut last = tree_size - 1;
    let mut root = leaf;
    for hash in hashes {
        if last == 0 {
            return Err(BadProof::Length);
        }
        if node % 2 == 1 || node == last {
            root = node_hash(hash, &root);
            while node.is_multiple_of(2) && node != 0 {
                node /= 2;
                last /= 2;
            }
        } else {
            root = node_hash(&root, hash);
        }
        node /= 2;
        last /= 2;
    }
    if last == 0 { Ok(root) } else { Err(BadProof::Length) }
}

/// Checks that the tree of `second` size extends the one of `first` size (RFC 9162 §2.1.4.2).
///
/// # Errors
/// [`BadProof`] says whether the shape or one of the roots is wrong.
pub fn verify_consistency(
    (first_size, first_root): (u64, Sha256Digest),
    (second_size, second_root): (u64, Sha256Digest),
    hashes: &[Sha256Digest],
) -> Result<(), BadProof> {
    if first_size > second_size {
        return Err(BadProof::Shrunk { first_size, second_size });
    }
    if first_size == second_size {
        return match hashes {
            [] if first_root == second_root => Ok(()),
            [] => Err(BadProof::Root),
            _ => Err(BadProof::Length),
        };
    }
    if first_size == 0 {
        return Err(BadProof::FromNothing);
    }
    let mut node = first_size - 1;
    let mut last = second_size - 1;
    while node % 2 == 1 {
        node /= 2;
        last /= 2;
    }
    // A first tree of 2^n leaves is a node of the second, so its root is not sent along.
    let (start, rest) = match hashes.split_first() {
        _ if first_size.is_power_of_two() => (first_root, hashes),
        Some((start, rest)) => (*start, rest),
        None => return Err(BadProof::Length),
    };
    let (mut first, mut second) = (start, start);
    for hash in rest {
        if last == 0 {
            return Err(BadProof::Length);
        }
        if node % 2 == 1 || node == last {
            first = node_hash(hash, &first);
            second = node_hash(hash, &second);
            while node.is_multiple_of(2) && node != 0 {
                node /= 2;
                last /= 2;
            }
        } else {
            second = node_hash(&second, hash);
        }
        node /= 2;
        last /= 2;
    }
    match last {
        0 if first == first_root && second == second_root => Ok(()),
        0 => Err(BadProof::Root),
        _ => Err(BadProof::Length),
    }
}

/// The root hash of the first `size` leaves. Of no leaves it is SHA-256 of nothing.
///
/// # Errors
/// Whatever `read` fails with.
pub fn root<E>(size: u64, read: &mut impl FnMut(u8, u64) -> Result<Sha256Digest, E>) -> Result<Sha256Digest, E> {
    if size == 0 { Ok(Sha256Digest::of(&[])) } else { range_hash(0, size, read) }
}

/// The audit path of leaf `leaf_index` in the tree of `size` leaves (RFC 6962 §2.1.1). Empty when the leaf is not in it.
///
/// # Errors
/// Whatever `read` fails with.
pub fn inclusion_proof<E>(
    leaf_index: u64,
    size: u64,
    read: &mut impl FnMut(u8, u64) -> Result<Sha256Digest, E>,
) -> Result<Vec<Sha256Digest>, E> {
    let mut path = Vec::new();
    let (mut start, mut end) = (0, size);
    // From the root down; the path is told from the leaf up.
    while leaf_index < size && end - start > 1 {
        let middle = start + split(end - start);
        if leaf_index < middle {
            path.push(range_hash(middle, end, read)?);
            end = middle;
        } else {
            path.push(range_hash(start, middle, read)?);
            start = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The proof that the tree of `second` leaves extends the tree of `first` leaves (RFC 6962 §2.1.2). Empty unless
/// 0 < `first` < `second`.
///
/// # Errors
/// Whatever `read` fails with.
pub fn consistency_proof<E>(
    first: u64,
    second: u64,
    read: &mut impl FnMut(u8, u64) -> Result<Sha256Digest, E>,
) -> Result<Vec<Sha256Digest>, E> {
    let mut path = Vec::new();
    let (mut start, mut end) = (0, second);
    while first > 0 && first < end {
        let middle = start + split(end - start);
        if first <= middle {
            path.push(range_hash(middle, end, read)?);
            end = middle;
        } else {
            path.push(range_hash(start, middle, read)?);
            start = middle;
        }
    }
    // What is left is a complete subtree of both trees. If it is the whole first tree, its hash is known.
    if start > 0 && first < second {
        path.push(range_hash(start, end, read)?);
    }
    path.reverse();
    Ok(path)
}

/// The hashes that appending leaf number `leaf_index` completes, lowest first: `(level, index, hash)`, the leaf's own
/// at level 0 included. Tests build their trees with it; the log store keeps whole tiles instead.
#[cfg(test)]
pub(crate) fn completed_by<E>(
    leaf_index: u64,
    leaf: Sha256Digest,
    read: &mut impl FnMut(u8, u64) -> Result<Sha256Digest, E>,
) -> Result<Vec<(u8, u64, Sha256Digest)>, E> {
    let (mut level, mut index, mut hash) = (0, leaf_index, leaf);
    let mut completed = vec![(level, index, hash)];
    while index % 2 == 1 {
        hash = node_hash(&read(level, index - 1)?, &hash);
        level += 1;
        index /= 2;
        completed.push((level, index, hash));
    }
    Ok(completed)
}

/// A proof that proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadProof {
    /// Every tree extends the empty one: there is nothing to prove.
    #[error("a proof from a tree without leaves proves nothing")]
    FromNothing,
    /// The leaf would not be in the tree.
    #[error("leaf {leaf_index} is beyond a tree of {tree_size} leaves")]
    IndexBeyondTree {
        /// The leaf's number.
        leaf_index: u64,
        /// Leaves in the tree.
        tree_size: u64,
    },
    /// Too many or too few hashes.
    #[error("the proof has the wrong number of hashes")]
    Length,
    /// It leads to another root hash.
    #[error("the proof leads to another root hash")]
    Root,
    /// The later tree is smaller.
    #[error("the tree shrank from {first_size} to {second_size} leaves")]
    Shrunk {
        /// Leaves in the earlier tree.
        first_size: u64,
        /// Leaves in the later tree.
        second_size: u64,
    },
}

/// The hash over leaves `start..end`, not empty, where `start` is a multiple of the largest power of two in the range:
/// so are all ranges that splitting a tree yields.
fn range_hash<E>(
    start: u64,
    end: u64,
    read: &mut impl FnMut(u8, u64) -> Result<Sha256Digest, E>,
) -> Result<Sha256Digest, E> {
    let mut peaks = Vec::new();
    let mut at = start;
    while at < end {
        // The largest complete subtree that begins here.
        let level = (end - at).ilog2();
        peaks.push(read(u8::try_from(level).unwrap_or(u8::MAX), at >> level)?);
        at += 1 << level;
    }
    let mut hash = None;
    for peak in peaks.iter().rev() {
        hash = Some(match hash {
            None => *peak,
            Some(right) => node_hash(peak, &right),
        });
    }
    Ok(hash.unwrap_or_else(|| Sha256Digest::of(&[])))
}

/// RFC 6962 §2.1: the largest power of two smaller than `n`, which is at least 2.
fn split(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    /// RFC 6962 §2.1, word for word.
    fn naive_root(leaves: &[Sha256Digest]) -> Sha256Digest {
        match leaves {
            [] => Sha256Digest::of(&[]),
            [leaf] => *leaf,
            _ => {
                let (left, right) =
                    leaves.split_at(usize::try_from(split(u64::try_from(leaves.len()).unwrap())).unwrap());
                node_hash(&naive_root(left), &naive_root(right))
            }
        }
    }

    fn leaves(count: u64) -> Vec<Sha256Digest> {
        (0..count).map(|i| leaf_hash(&i.to_be_bytes())).collect()
    }

    fn reader(leaves: &[Sha256Digest]) -> impl FnMut(u8, u64) -> Result<Sha256Digest, Infallible> {
        |level, index| {
            let width = 1 << level;
            let start = usize::try_from(index).unwrap() * width;
            Ok(naive_root(&leaves[start..start + width]))
        }
    }

    #[test]
    fn known_hashes() {
        assert_eq!(leaf_hash(b"").to_string(), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
        let abc = [leaf_hash(b"a"), leaf_hash(b"b"), leaf_hash(b"c")];
        let Ok(root_abc) = root(3, &mut reader(&abc));
        assert_eq!(root_abc.to_string(), "36642e73c2540ab121e3a6bf9545b0a24982cd830eb13d3cd19de3ce6c021ec1");
        let Ok(empty) = root(0, &mut reader(&abc));
        assert_eq!(empty, Sha256Digest::of(b""));
    }

    #[test]
    fn every_proof_of_small_trees_holds_and_no_other_shape_does() {
        let all = leaves(40);
        for size in 1..=40_u64 {
            let tree = &all[..usize::try_from(size).unwrap()];
            let expected = naive_root(tree);
            let Ok(computed) = root(size, &mut reader(tree));
            assert_eq!(computed, expected);
            for (index, leaf) in (0..).zip(tree) {
                let Ok(mut path) = inclusion_proof(index, size, &mut reader(tree));
                assert_eq!(root_from_inclusion(*leaf, index, size, &path), Ok(expected), "{index} of {size}");
                path.push(*leaf);
                assert_eq!(root_from_inclusion(*leaf, index, size, &path), Err(BadProof::Length));
                path.pop();
                if path.pop().is_some() {
                    assert_eq!(root_from_inclusion(*leaf, index, size, &path), Err(BadProof::Length));
                }
            }
            for first in 1..=size {
                let first_root = naive_root(&tree[..usize::try_from(first).unwrap()]);
                let Ok(path) = consistency_proof(first, size, &mut reader(tree));
                let check = |root, path: &[_]| verify_consistency((first, root), (size, expected), path);
                assert_eq!(check(first_root, &path), Ok(()), "{first} to {size}");
                assert_eq!(check(all[0], &path), if first == 1 { Ok(()) } else { Err(BadProof::Root) });
                let longer = [path.as_slice(), &[all[0]]].concat();
                assert_eq!(check(first_root, &longer), Err(BadProof::Length));
            }
        }
        assert_eq!(
            root_from_inclusion(all[0], 3, 3, &[]),
            Err(BadProof::IndexBeyondTree { leaf_index: 3, tree_size: 3 })
        );
    }

    #[test]
    fn appending_completes_every_node_once() {
        let all = leaves(33);
        let mut nodes = std::collections::BTreeMap::new();
        for (index, leaf) in (0..).zip(&all) {
            let mut read = |level, index| Ok::<_, Infallible>(nodes[&(level, index)]);
            let Ok(completed) = completed_by(index, *leaf, &mut read);
            for (level, index, hash) in completed {
                assert_eq!(nodes.insert((level, index), hash), None);
            }
        }
        let mut read = |level, index| Ok::<_, Infallible>(nodes[&(level, index)]);
        let Ok(root) = root(33, &mut read);
        assert_eq!(root, naive_root(&all));
    }

    proptest! {
        #[test]
        fn never_panics(first: u64, second: u64, count in 0..70_u64) {
            let hashes = leaves(count);
            let root = leaf_hash(b"");
            let _ = root_from_inclusion(root, first, second, &hashes);
            let _ = verify_consistency((first, root), (second, root), &hashes);
        }
    }
}
