//! A store of objects for Git to merge in: `git merge-tree` hashes nothing that it reads, so that whoever can write to a store
//! would decide what merges give. What stands in this one was hashed, and nothing else does.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use gix::ObjectId;
use gix::objs::Kind;

use super::merge_pack::Pack;
use super::merges::{Dated, Unmergeable, merge_bases};
use super::walk::Header;
use super::{Repository, UnreadableObject};

/// A store of objects, and what is remembered of the repository that they come from.
pub struct MergeStore {
    repository: Repository,
    /// Where packs belong.
    folder: PathBuf,
    packs: usize,
    bytes: usize,
    /// Something could not be written.
    is_broken: bool,
    /// What is not written yet.
    next: Pack,
    /// The objects that it has or gets with that.
    copied: HashSet<ObjectId>,
    /// Commits that were hashed.
    commits: HashMap<ObjectId, Header>,
    /// Trees that were hashed.
    trees: HashMap<ObjectId, Arc<[u8]>>,
    tree_bytes: usize,
}

impl MergeStore {
    /// One in the folder `objects`, empty yet, for merges of a repository's commits.
    #[must_use]
    pub fn over(repository: &Repository, objects: &Path) -> Self {
        Self {
            repository: repository.for_another_thread(),
            folder: objects.join("pack"),
            packs: 0,
            bytes: 0,
            is_broken: false,
            next: Pack::default(),
            copied: HashSet::new(),
            commits: HashMap::new(),
            trees: HashMap::new(),
            tree_bytes: 0,
        }
    }

    /// Whether another one should take its place.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.is_broken || self.bytes.saturating_add(self.next.len()) > MAX_BYTES || self.packs > MAX_PACKS
    }

    /// From `end` on nothing more is read.
    pub fn read_until(&self, end: Instant) {
        self.repository.read_until(end);
    }

    /// Has Git see what was copied.
    ///
    /// # Errors
    /// [`Unmergeable::Files`]
    pub fn write(&mut self) -> Result<(), Unmergeable> {
        let pack = std::mem::take(&mut self.next);
        self.bytes = self.bytes.saturating_add(pack.len());
        self.packs += usize::from(pack.len() > 0);
        let written = pack.write(&self.folder);
        // Older versions of Git take a tree that is not there for an empty one.
        self.is_broken |= written.is_err();
        written.map_err(unwritten)
    }

    /// The best common ancestors of two commits, and perhaps worse ones.
    pub(super) fn bases(&mut self, one: ObjectId, other: ObjectId) -> Result<Vec<ObjectId>, Unmergeable> {
        let Self { repository, commits, .. } = self;
        let mut read = |id| Ok(Dated::of(commit(repository, commits, id)?));
        merge_bases(&[one], other, &repository.shallow, &mut read)
    }

    /// A commit's tree.
    pub(super) fn root(&mut self, id: ObjectId) -> Result<ObjectId, Unmergeable> {
        let header = commit(&self.repository, &mut self.commits, id)?;
        header.tree.ok_or(Unmergeable::Object(id, UnreadableObject::Corrupt))
    }

    /// Adds a commit that has another one's tree and date; its name.
    pub(super) fn add_commit(&mut self, like: ObjectId, parents: &[ObjectId]) -> Result<ObjectId, Unmergeable> {
        let tree = self.root(like)?;
        let date = commit(&self.repository, &mut self.commits, like)?.date.max(0);
        let parents: String = parents.iter().map(|parent| format!("parent {parent}\n")).collect();
        let text = format!("tree {tree}\n{parents}author W <> {date} +0000\ncommitter W <> {date} +0000\n\n{like}\n");
        let name = gix::objs::compute_hash(like.kind(), Kind::Commit, text.as_bytes());
        let name = name.map_err(|error| Unmergeable::Files(error.to_string()))?;
        self.add(name, Kind::Commit, text.as_bytes())?;
        Ok(name)
    }

    /// A tree, which is copied, too.
    pub(super) fn tree(&mut self, id: ObjectId) -> Result<Arc<[u8]>, Unmergeable> {
        let bytes = match self.trees.get(&id) {
            Some(bytes) => Arc::clone(bytes),
            None => {
                let bytes: Arc<[u8]> = self.read(id, Kind::Tree)?.into();
                if self.tree_bytes > MAX_TREE_BYTES {
                    self.trees.clear();
                    self.tree_bytes = 0;
                }
                self.tree_bytes += bytes.len();
                self.trees.insert(id, Arc::clone(&bytes));
                bytes
            }
        };
        self.add(id, Kind::Tree, &bytes)?;
        Ok(bytes)
    }

    /// Copies a file; how many bytes it has, if it was not there.
    pub(super) fn copy_file(&mut self, id: ObjectId) -> Result<usize, Unmergeable> {
        if self.copied.contains(&id) {
            return Ok(0);
        }
        let bytes = self.read(id, Kind::Blob)?;
        self.add(id, Kind::Blob, &bytes)?;
        Ok(bytes.len())
    }

    fn read(&self, id: ObjectId, expected: Kind) -> Result<Vec<u8>, Unmergeable> {
        if self.repository.is_late() {
            return Err(Unmergeable::Object(id, UnreadableObject::OutOfTime));
        }
        match self.repository.object(id) {
            Ok((kind, bytes)) if kind == expected => Ok(bytes),
            Ok(_) => Err(Unmergeable::Object(id, UnreadableObject::Corrupt)),
            Err(unreadable) => Err(Unmergeable::Object(id, unreadable)),
        }
    }

    /// Adds an object of this name; whoever asks has hashed it.
    fn add(&mut self, id: ObjectId, kind: Kind, bytes: &[u8]) -> Result<(), Unmergeable> {
        if !self.copied.contains(&id) {
            self.next.add(id, kind, bytes).map_err(unwritten)?;
            self.copied.insert(id);
        }
        Ok(())
    }
}

fn unwritten(error: io::Error) -> Unmergeable {
    Unmergeable::Files(error.to_string())
}

/// A commit, hashed when it was read.
fn commit<'k>(
    repository: &Repository,
    known: &'k mut HashMap<ObjectId, Header>,
    id: ObjectId,
) -> Result<&'k Header, Unmergeable> {
    if repository.is_late() {
        return Err(Unmergeable::Object(id, UnreadableObject::OutOfTime));
    }
    if known.len() >= MAX_COMMITS && !known.contains_key(&id) {
        known.clear();
    }
    match known.entry(id) {
        Entry::Occupied(known) => Ok(known.into_mut()),
        Entry::Vacant(unknown) => {
            repository.spend_on_merges()?;
            let read = repository.header(id).map_err(|unreadable| Unmergeable::Object(id, unreadable))?;
            Ok(unknown.insert(read))
        }
    }
}

/// What is remembered: all commits of one search for merge bases, some ten megabytes.
const MAX_COMMITS: usize = 1 << 18;
/// Most trees of most repositories.
const MAX_TREE_BYTES: usize = 1 << 24;
/// What stands in one store. Git looks through all packs for what is in the oldest one.
const MAX_BYTES: usize = 1 << 26;
const MAX_PACKS: usize = 1 << 7;
