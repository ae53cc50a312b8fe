//! What stands in the work trees of the history: a file, of which each side of a merge changes an end.

use gix::ObjectId;
use gix::objs::Kind;

/// One state of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tree {
    Base,
    /// With another first line.
    Ours,
    /// With another last line.
    Theirs,
    /// With yet another first line.
    Contrary,
    /// With both of `Ours` and `Theirs`.
    Merged,
    /// The same, and a second file.
    Evil,
}

impl Tree {
    pub(super) fn id(self) -> ObjectId {
        id(Kind::Tree, &self.bytes())
    }

    fn text(self) -> String {
        let first = match self {
            Self::Base | Self::Theirs => "first",
            Self::Ours | Self::Merged | Self::Evil => "FIRST",
            Self::Contrary => "1st",
        };
        let last = match self {
            Self::Base | Self::Ours | Self::Contrary => "last",
            Self::Theirs | Self::Merged | Self::Evil => "LAST",
        };
        let middle: String = (0..30).map(|line| format!("{line}\n")).collect();
        format!("{first}\n{middle}{last}\n")
    }

    fn bytes(self) -> Vec<u8> {
        let blob = id(Kind::Blob, self.text().as_bytes());
        let entry = |name: &str| [format!("100644 {name}\0").as_bytes(), blob.as_slice()].concat();
        let mut bytes = entry("file");
        if self == Self::Evil {
            bytes.extend(entry("file2"));
        }
        bytes
    }
}

/// All of them, as a pack has them.
pub(super) fn objects() -> Vec<(u8, Vec<u8>)> {
    let all = [Tree::Base, Tree::Ours, Tree::Theirs, Tree::Contrary, Tree::Merged, Tree::Evil];
    let blobs = all[..5].iter().map(|tree| (BLOB, tree.text().into_bytes()));
    blobs.chain(all.iter().map(|tree| (TREE, tree.bytes()))).collect()
}

fn id(kind: Kind, bytes: &[u8]) -> ObjectId {
    gix::objs::compute_hash(gix::hash::Kind::Sha1, kind, bytes).unwrap()
}

/// gitformat-pack(5)
const BLOB: u8 = 3;
const TREE: u8 = 2;
