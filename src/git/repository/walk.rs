//! Histories in the order of `git log`: a walk from both ends by commit date, as git's own `limit_list` does it.
//!
//! Dates only say where to look next. Whatever they claim, no commit that is asked for is left out; as in git, dates that
//! lie can at worst let in commits that belong to what was to be left out. A walk that leaves nothing out knows each commit
//! to be asked for as soon as it is met, and gives it away at once.
//!
//! What is remembered of a commit is some forty bytes, so that a million of them can be walked.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use gix::ObjectId;
use hashbrown::HashTable;

use super::{Repository, UnhashedObject};
use crate::signature::payload::lines;

/// A walk over every commit that the tips have in their history and the hidden ones have not.
pub(super) struct Walk<'a> {
    repository: &'a Repository,
    graph: Graph,
    queue: BinaryHeap<(i64, Reverse<Place>)>,
    /// What was read of those in the queue.
    waiting: HashMap<Place, Waiting>,
    /// How many in the queue may yet be asked for.
    interesting: usize,
    /// Whether something is hidden.
    limited: bool,
    /// The commits of a limited walk in the order in which they left the queue, the next one last.
    listed: Vec<Place>,
    /// What was read of those.
    kept: HashMap<Place, UnhashedObject>,
    /// How many bytes are kept or wait.
    bytes: usize,
    oldest_listed: i64,
    slop: u8,
}

struct Waiting {
    parents: Vec<ObjectId>,
    /// `None` where the commit was hidden when it was met, or there is no room for it.
    object: Option<UnhashedObject>,
}

/// What a step of the walk came to.
enum Step {
    /// A commit that is asked for, as far as is known yet.
    Listed(Place),
    /// Another one.
    Passed,
    /// Nothing that could matter is left.
    End,
}

impl<'a> Walk<'a> {
    pub(super) fn new(repository: &'a Repository, hidden: &[ObjectId], tips: &[ObjectId]) -> Self {
        let mut walk = Self {
            repository,
            graph: Graph::default(),
            queue: BinaryHeap::new(),
            waiting: HashMap::new(),
            interesting: 0,
            limited: !hidden.is_empty(),
            listed: Vec::new(),
            kept: HashMap::new(),
            bytes: 0,
            oldest_listed: i64::MAX,
            slop: SLOP,
        };
        for id in hidden {
            walk.meet(*id, true);
        }
        for id in tips {
            walk.meet(*id, false);
        }
        if walk.limited {
            walk.limit();
        }
        walk
    }

    /// Finds out which commits are asked for.
    fn limit(&mut self) {
        loop {
            match self.step() {
                Step::Listed(place) => self.listed.push(place),
                Step::Passed => {}
                Step::End => break,
            }
        }
        self.queue = BinaryHeap::new();
        self.waiting = HashMap::new();
        self.listed.reverse();
    }

    fn step(&mut self) -> Step {
        let Some((date, Reverse(place))) = self.queue.pop() else { return Step::End };
        let Some(Waiting { parents, object }) = self.waiting.remove(&place) else { return Step::Passed };
        self.graph.leave_queue(place);
        if self.graph.is_hidden(place) {
            self.forget(object);
            let parents: Vec<Place> = parents.into_iter().map(|parent| self.meet(parent, true)).collect();
            self.graph.set_parents(place, &parents);
            // A listed commit may still turn out to be hidden while the queue holds newer ones than it.
            let settled = self.interesting == 0 && date < self.oldest_listed;
            self.slop = if settled { self.slop.saturating_sub(1) } else { SLOP };
            return if self.slop == 0 { Step::End } else { Step::Passed };
        }
        self.interesting -= 1;
        let parents: Vec<Place> = parents.into_iter().map(|parent| self.meet(parent, false)).collect();
        if self.limited {
            self.graph.set_parents(place, &parents);
        }
        self.oldest_listed = self.oldest_listed.min(date);
        self.kept.extend(object.map(|object| (place, object)));
        Step::Listed(place)
    }

    /// Takes note of a commit, which is read if it is new.
    fn meet(&mut self, id: ObjectId, hidden: bool) -> Place {
        let (place, is_new) = self.graph.place_of(id);
        if !is_new {
            if hidden {
                self.hide(place);
            }
            return place;
        }
        // What lies could hide others. Where nothing is hidden, a lie adds to what is asked for, and is found out later.
        let object = if self.limited { self.repository.read(id).into() } else { self.repository.read_unhashed(id) };
        let header = object.bytes().map(|object| Header::read(&object.bytes)).unwrap_or_default();
        let object = (!hidden && self.remember(&object)).then_some(object);
        // Those of a commit at the edge of a shallow clone are asked for like others, and are missing.
        self.waiting.insert(place, Waiting { parents: header.parents, object });
        self.queue.push((header.date, Reverse(place)));
        if hidden {
            self.graph.hide(place);
        } else {
            self.interesting += 1;
        }
        place
    }

    /// Whether there is room for an object.
    fn remember(&mut self, object: &UnhashedObject) -> bool {
        let length = object.len();
        let fits = self.bytes.saturating_add(length) <= MAX_KEPT_BYTES;
        self.bytes += if fits { length } else { 0 };
        fits
    }

    fn forget(&mut self, object: Option<UnhashedObject>) {
        let length = object.map_or(0, |object| object.len());
        self.bytes = self.bytes.saturating_sub(length);
    }

    /// Takes commits out of what is asked for, with whatever of their history was met already.
    fn hide(&mut self, place: Place) {
        let mut pending = vec![place];
        while let Some(place) = pending.pop() {
            if self.graph.hide(place) {
                if self.graph.is_in_queue(place) {
                    // Its parents follow when it leaves the queue.
                    self.interesting -= 1;
                } else {
                    let object = self.kept.remove(&place);
                    self.forget(object);
                    self.graph.parents(place, &mut pending);
                }
            }
        }
    }

    /// The object of a listed commit, read again where there was no room to keep it.
    fn take(&mut self, place: Place) -> Option<UnhashedObject> {
        match self.kept.remove(&place) {
            Some(object) => {
                self.bytes = self.bytes.saturating_sub(object.len());
                Some(object)
            }
            None => self.graph.id(place).map(|id| self.repository.read_unhashed(id)),
        }
    }
}

impl Iterator for Walk<'_> {
    type Item = UnhashedObject;

    fn next(&mut self) -> Option<UnhashedObject> {
        loop {
            let place = if self.limited {
                self.listed.pop()?
            } else {
                match self.step() {
                    Step::Listed(place) => place,
                    Step::Passed => continue,
                    Step::End => return None,
                }
            };
            if !self.graph.is_hidden(place) {
                return self.take(place);
            }
        }
    }
}

/// Where a commit stands among those that were met.
type Place = u32;

/// The commits that were met.
#[derive(Default)]
struct Graph {
    commits: Vec<Commit>,
    places: HashTable<Place>,
    /// Parents behind the first, of those that have some.
    more_parents: HashMap<Place, Box<[Place]>>,
}

struct Commit {
    id: ObjectId,
    hidden: bool,
    in_queue: bool,
    /// [`NOBODY`] where there is none, or it is not known yet.
    first_parent: Place,
}

impl Graph {
    /// Where the commit stands, and whether it was met just now.
    fn place_of(&mut self, id: ObjectId) -> (Place, bool) {
        let hash = |id: &ObjectId| {
            // A name is a hash already.
            let first = id.as_slice().first_chunk().copied().unwrap_or_default();
            u64::from_le_bytes(first)
        };
        let commits = &mut self.commits;
        let at = |place: &Place| usize::try_from(*place).ok();
        let is_it = |place: &Place| at(place).and_then(|at| commits.get(at)).is_some_and(|commit| commit.id == id);
        if let Some(place) = self.places.find(hash(&id), is_it) {
            return (*place, false);
        }
        // A history of four thousand million commits does not fit here; its last ones would share a place.
        let place = Place::try_from(commits.len()).unwrap_or(NOBODY);
        let rehash = |place: &Place| at(place).and_then(|at| commits.get(at)).map_or(0, |commit| hash(&commit.id));
        self.places.insert_unique(hash(&id), place, rehash);
        commits.push(Commit { id, hidden: false, in_queue: true, first_parent: NOBODY });
        (place, true)
    }

    fn commit(&self, place: Place) -> Option<&Commit> {
        self.commits.get(usize::try_from(place).ok()?)
    }

    fn commit_mut(&mut self, place: Place) -> Option<&mut Commit> {
        self.commits.get_mut(usize::try_from(place).ok()?)
    }

    fn id(&self, place: Place) -> Option<ObjectId> {
        self.commit(place).map(|commit| commit.id)
    }

    fn is_hidden(&self, place: Place) -> bool {
        self.commit(place).is_some_and(|commit| commit.hidden)
    }

    fn is_in_queue(&self, place: Place) -> bool {
        self.commit(place).is_some_and(|commit| commit.in_queue)
    }

    fn leave_queue(&mut self, place: Place) {
        if let Some(commit) = self.commit_mut(place) {
            commit.in_queue = false;
        }
    }

    /// Whether it was not hidden before.
    fn hide(&mut self, place: Place) -> bool {
        self.commit_mut(place).is_some_and(|commit| !std::mem::replace(&mut commit.hidden, true))
    }

    fn set_parents(&mut self, place: Place, parents: &[Place]) {
        let Some((first, more)) = parents.split_first() else { return };
        if let Some(commit) = self.commit_mut(place) {
            commit.first_parent = *first;
        }
        if !more.is_empty() {
            self.more_parents.insert(place, more.into());
        }
    }

    fn parents(&self, place: Place, into: &mut Vec<Place>) {
        into.extend(self.commit(place).map(|commit| commit.first_parent).filter(|parent| *parent != NOBODY));
        into.extend(self.more_parents.get(&place).into_iter().flatten());
    }
}

const NOBODY: Place = Place::MAX;

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
        let mut lines = lines(commit).take_while(|line| !line.is_empty()).peekable();
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

/// How many more hidden commits git looks at when it seems that none can matter (`revision.c`).
const SLOP: u8 = 5;

/// About ninety thousand commits; of a longer history the rest is read twice.
const MAX_KEPT_BYTES: usize = 64 << 20;
