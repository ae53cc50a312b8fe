//! Which trees and files Git reads for a merge: trees that are not the same on all sides, and files that may have to be merged
//! line by line, or compared because they may have moved.

use std::collections::{BTreeMap, BTreeSet};

use gix::ObjectId;
use gix::bstr::BStr;
use gix::objs::TreeRefIter;
use gix::objs::tree::EntryKind;

use super::merge_store::MergeStore;
use super::merges::Unmergeable;

/// How much is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// What most merges take: no folders that one side alone changed, and no files that may have moved.
    Little,
    /// Whatever Git could ask for.
    Whole,
}

/// The files that Git may ask for. What it asks for and does not find it fails at.
pub(super) struct Needed {
    extent: Extent,
    /// A folder was left out.
    left_out: bool,
    /// Those that are different wherever they are.
    files: BTreeSet<ObjectId>,
    /// Those that one side has and another has not, for both sides of the merge.
    moved: [Moved; 2],
    lacks: Option<Unmergeable>,
}

/// Files that may have moved on a side: some went, and others came.
#[derive(Default)]
struct Moved {
    files: BTreeSet<ObjectId>,
    went: bool,
    came: bool,
}

impl Moved {
    fn may_be(&self) -> bool {
        self.went && self.came
    }
}

impl Needed {
    /// Those for merging trees, of which the first two are the sides and the others what they are based on. The trees that Git
    /// reads are copied.
    ///
    /// # Errors
    /// [`Unmergeable`], too, where one of `roots` cannot be read: older versions of Git take it for an empty tree.
    pub(super) fn of(roots: &[ObjectId], extent: Extent, store: &mut MergeStore) -> Result<Self, Unmergeable> {
        for root in roots {
            store.tree(*root)?;
        }
        let (files, moved) = (BTreeSet::new(), Default::default());
        let mut needed = Self { extent, left_out: false, files, moved, lacks: None };
        let mut waiting = vec![roots.iter().map(|root| Some(*root)).collect::<Vec<_>>()];
        let (mut trees, mut bytes) = (0, 0);
        while let Some(folders) = waiting.pop() {
            trees += folders.len();
            if trees > MAX_TREES {
                return Err(Unmergeable::TooMuch(MAX_TREES, "folders"));
            }
            let read = folders.iter().map(|folder| folder.map(|id| store.tree(id)).transpose());
            let read = match read.collect::<Result<Vec<_>, Unmergeable>>() {
                Ok(read) => read,
                Err(error) => {
                    needed.lacks.get_or_insert(error);
                    continue;
                }
            };
            bytes += read.iter().flatten().map(|bytes| bytes.len()).sum::<usize>();
            if bytes > MAX_TREE_BYTES {
                return Err(Unmergeable::TooMuch(MAX_TREE_BYTES, "bytes of folders"));
            }
            let mut names: BTreeMap<&BStr, Sides> = BTreeMap::new();
            for (side, (folder, bytes)) in folders.iter().zip(&read).enumerate() {
                let (Some(folder), Some(bytes)) = (folder, bytes) else { continue };
                for entry in TreeRefIter::from_bytes(bytes, folder.kind()) {
                    // It hashes to its name, and Git will say what it makes of it.
                    let Ok(entry) = entry else { break };
                    let sides = names.entry(entry.filename).or_insert_with(|| vec![None; roots.len()]);
                    if let Some(at) = sides.get_mut(side) {
                        *at = Some((entry.oid.to_owned(), entry.mode.kind()));
                    }
                }
            }
            waiting.extend(names.into_values().filter_map(|sides| needed.meet(&sides)));
        }
        Ok(needed)
    }

    /// Takes note of what the sides have at a path; the folders that Git may have to look into.
    fn meet(&mut self, sides: &Sides) -> Option<Vec<Option<ObjectId>>> {
        if sides.iter().all(|side| Some(side) == sides.first()) {
            return None;
        }
        let file = |side: &Option<(ObjectId, EntryKind)>| match side {
            Some((id, EntryKind::Blob | EntryKind::BlobExecutable)) => Some(*id),
            Some((_, EntryKind::Tree | EntryKind::Link | EntryKind::Commit)) | None => None,
        };
        let files: Vec<_> = sides.iter().map(file).collect();
        let present: BTreeSet<_> = files.iter().flatten().copied().collect();
        let is_everywhere = files.iter().all(Option::is_some);
        if let [ours, theirs, bases @ ..] = files.as_slice()
            && !is_everywhere
        {
            for (moved, side) in self.moved.iter_mut().zip([ours, theirs]) {
                for base in bases.iter().filter(|base| base.is_some() != side.is_some()) {
                    moved.went |= side.is_none();
                    moved.came |= side.is_some();
                    moved.files.extend(side.or(*base));
                }
            }
        }
        // Of two that differ from one another one is what was there before, unless it was not there.
        if present.len() > if is_everywhere { 2 } else { 1 } {
            self.files.extend(present);
        }
        let folder = |side: &Option<(ObjectId, EntryKind)>| match side {
            Some((id, EntryKind::Tree)) => Some(*id),
            _ => None,
        };
        let folders: Vec<_> = sides.iter().map(folder).collect();
        if folders.iter().all(Option::is_none) {
            return None;
        }
        // Git takes such a folder as it is, if nothing moved here from where both sides changed something.
        let is_as_before =
            matches!(folders.as_slice(), [Some(ours), Some(theirs), Some(base)] if [ours, theirs].contains(&base));
        let is_alone = sides.iter().flatten().count() == 1;
        if self.extent == Extent::Little && (is_as_before || is_alone) {
            self.left_out = true;
            return None;
        }
        Some(folders)
    }

    /// Whether nothing is left out on purpose.
    pub(super) fn is_whole(&self) -> bool {
        self.extent == Extent::Whole || !self.left_out && !self.moved.iter().any(Moved::may_be)
    }

    /// Copies them; why the first was not that could not be.
    pub(super) fn copy(self, store: &mut MergeStore) -> Option<Unmergeable> {
        let Self { extent, mut files, moved, mut lacks, .. } = self;
        if extent == Extent::Whole {
            files.extend(moved.into_iter().filter(Moved::may_be).flat_map(|moved| moved.files));
        }
        if files.len() > MAX_FILES {
            return lacks.or(Some(Unmergeable::TooMuch(MAX_FILES, "files")));
        }
        let mut bytes = 0;
        for id in files {
            match store.copy_file(id) {
                Ok(length) => bytes += length,
                Err(error) => drop(lacks.get_or_insert(error)),
            }
            if bytes > MAX_BYTES {
                return lacks.or(Some(Unmergeable::TooMuch(MAX_BYTES, "bytes of files")));
            }
        }
        lacks
    }
}

/// What each side has at a path.
type Sides = Vec<Option<(ObjectId, EntryKind)>>;

/// Several times all folders of the kernel: whoever opens a request makes everybody read what is in it.
const MAX_TREES: usize = 1 << 17;
const MAX_TREE_BYTES: usize = 1 << 25;
/// Git itself compares no more than some thousands that came with as many that went.
const MAX_FILES: usize = 1 << 14;
const MAX_BYTES: usize = 1 << 26;
