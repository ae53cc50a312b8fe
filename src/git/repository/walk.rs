//! `A..B` in the order of `git log`: a walk from both ends by commit date, as git's own `limit_list` does it.
//!
//! Dates only say where to look next. Whatever they claim, no commit that B has and A has not is left out; as in git,
//! dates that lie can at worst let in commits that A has too.

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{BinaryHeap, HashMap};

use gix::ObjectId;

use super::{FoundObject, RawObject, Repository};

/// A range whose commits are not yet known.
pub(super) struct Walk<'a> {
    repository: &'a Repository,
    queue: BinaryHeap<(i64, Reverse<usize>, ObjectId)>,
    commits: HashMap<ObjectId, Commit>,
    /// How many in the queue may yet belong to the range.
    interesting: usize,
    queued: usize,
    /// In the order in which they left the queue.
    listed: Vec<FoundObject>,
    /// How many bytes `listed` holds.
    kept_bytes: usize,
}

struct Commit {
    excluded: bool,
    in_queue: bool,
    parents: Vec<ObjectId>,
    /// Read when it was queued; taken when it is listed.
    object: Option<FoundObject>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(repository: &'a Repository, from: ObjectId, to: ObjectId) -> Self {
        let mut walk = Self {
            repository,
            queue: BinaryHeap::new(),
            commits: HashMap::new(),
            interesting: 0,
            queued: 0,
            listed: Vec::new(),
            kept_bytes: 0,
        };
        walk.push(from, true);
        walk.push(to, false);
        walk
    }

    /// The commits of the range. Their bytes are read once, save in a range too large to keep.
    pub(super) fn objects(mut self) -> impl Iterator<Item = FoundObject> + 'a {
        self.limit();
        let Self { repository, commits, listed, .. } = self;
        listed
            .into_iter()
            .filter(move |found| !commits.get(&found.id).is_some_and(|commit| commit.excluded))
            .map(move |found| if is_dropped(&found) { repository.read(found.id) } else { found })
    }

    /// Finds out which commits belong to the range.
    fn limit(&mut self) {
        let mut oldest_listed = i64::MAX;
        let mut slop = SLOP;
        while let Some((date, _, id)) = self.queue.pop() {
            let Some(commit) = self.commits.get_mut(&id) else { continue };
            commit.in_queue = false;
            let (excluded, parents) = (commit.excluded, commit.parents.clone());
            let object = commit.object.take();
            if excluded {
                self.exclude_all(parents);
                // A listed commit may still turn out to belong to A while the queue holds newer ones than it.
                slop = if self.interesting > 0 || date >= oldest_listed { SLOP } else { slop.saturating_sub(1) };
                if slop == 0 {
                    break;
                }
            } else {
                self.interesting -= 1;
                for parent in parents {
                    self.push(parent, false);
                }
                self.list(object);
                oldest_listed = oldest_listed.min(date);
            }
        }
    }

    fn list(&mut self, object: Option<FoundObject>) {
        let Some(mut object) = object else { return };
        if let Ok(RawObject { bytes, .. }) = &mut object.content {
            if self.kept_bytes + bytes.len() > MAX_KEPT_BYTES {
                *bytes = Vec::new();
            } else {
                self.kept_bytes += bytes.len();
            }
        }
        self.listed.push(object);
    }

    fn push(&mut self, id: ObjectId, excluded: bool) {
        match self.commits.entry(id) {
            Entry::Occupied(_) if excluded => self.exclude_all(vec![id]),
            Entry::Occupied(_) => {}
            Entry::Vacant(entry) => {
                let object = self.repository.read(id);
                let header = match &object.content {
                    Ok(RawObject { bytes, .. }) => Header::read(bytes),
                    Err(_unreadable) => Header::default(),
                };
                let parents = if self.repository.shallow.contains(&id) { Vec::new() } else { header.parents };
                let object = (!excluded).then_some(object);
                entry.insert(Commit { excluded, in_queue: true, parents, object });
                self.interesting += usize::from(!excluded);
                self.queue.push((header.date, Reverse(self.queued), id));
                self.queued += 1;
            }
        }
    }

    /// Takes commits out of the range, with whatever of their history was met already.
    fn exclude_all(&mut self, ids: Vec<ObjectId>) {
        let mut pending = ids;
        while let Some(id) = pending.pop() {
            match self.commits.get_mut(&id) {
                None => self.push(id, true),
                Some(commit) if commit.excluded => {}
                Some(commit) => {
                    commit.excluded = true;
                    if commit.in_queue {
                        // Its parents follow when it leaves the queue.
                        self.interesting -= 1;
                    } else {
                        pending.extend_from_slice(&commit.parents);
                    }
                }
            }
        }
    }
}

/// What the walk wants to know of a commit, read as leniently as git reads it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) tree: Option<ObjectId>,
    pub(super) parents: Vec<ObjectId>,
    /// Seconds since 1970; 0 where there is none.
    pub(super) date: i64,
}

impl Header {
    pub(super) fn read(commit: &[u8]) -> Self {
        let mut lines = commit.split(|byte| *byte == b'\n').take_while(|line| !line.is_empty()).peekable();
        let tree = lines.next().and_then(|line| line.strip_prefix(b"tree "));
        let tree = tree.and_then(|hex| ObjectId::from_hex(hex).ok());
        let mut parents = Vec::new();
        while let Some(parent) = lines.next_if(|line| line.starts_with(b"parent ")) {
            parents.extend(parent.strip_prefix(b"parent ").and_then(|hex| ObjectId::from_hex(hex).ok()));
        }
        let committer = lines.find_map(|line| line.strip_prefix(b"committer "));
        Self { tree, parents, date: committer.and_then(date).unwrap_or(0) }
    }
}

/// The seconds after the last `>`.
fn date(signature: &[u8]) -> Option<i64> {
    let after = signature.rsplit(|byte| *byte == b'>').next()?;
    let digits = after.trim_ascii().split(|byte| *byte == b' ').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn is_dropped(found: &FoundObject) -> bool {
    matches!(&found.content, Ok(RawObject { bytes, .. }) if bytes.is_empty())
}

/// How many more commits of A git looks at when it seems that no more can matter (`revision.c`).
const SLOP: u8 = 5;

/// About ninety thousand commits; of a larger range the rest is read twice.
const MAX_KEPT_BYTES: usize = 64 << 20;
