//! Whether a merge did no more at a path than merging does: Git's three-way merge of one entry, parent after parent, as
//! `git merge` takes several.
//!
//! Merge bases are searched as git does it (`paint_down_to_common`). Dates only say where to look next: lies can at worst
//! add a common ancestor that is no base, and bases that do not agree give the merge's author no leave.

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{BinaryHeap, HashMap, HashSet};

use gix::ObjectId;

use super::walk::Header;
use super::{RawObject, Repository, UnreadableObject, hashed};

impl Repository {
    /// Whether a commit with `own` at `path` has something else there than a clean merge of its parents gives. `None` where
    /// it takes an object that is not here, or too long to find out.
    pub(super) fn departs_from_merge(&self, own: hashed::Entry, parents: &[ObjectId], path: &str) -> Option<bool> {
        let entries = parents.iter().map(|parent| self.entry_at(*parent, path).ok()).collect::<Option<Vec<_>>>()?;
        // The first commit of a history changes what it has.
        let Some((first, rest)) = entries.split_first() else { return Some(own.is_some()) };
        // Merging gives what one of the parents has; and what all have, whatever the base.
        if !entries.contains(&own) {
            return Some(true);
        }
        let mut merged = *first;
        for (position, theirs) in (1..).zip(rest) {
            if *theirs == merged {
                continue;
            }
            let (Some(before), Some(parent)) = (parents.get(..position), parents.get(position)) else { return None };
            let bases = self.merge_bases(before, *parent)?;
            let bases = bases.iter().map(|base| self.entry_at(*base, path).ok()).collect::<Option<Vec<_>>>()?;
            // Histories without a common commit are merged on top of nothing.
            let base = bases.first().copied().unwrap_or(None);
            if bases.iter().any(|other| *other != base) {
                return Some(true);
            }
            if base == merged {
                merged = *theirs;
            } else if base != *theirs {
                return Some(true);
            }
        }
        Some(merged != own)
    }

    /// The best common ancestors of `theirs` and a merge of `ours`; besides them, where dates lie, perhaps worse ones. `None`
    /// where nobody can tell.
    pub(super) fn merge_bases(&self, ours: &[ObjectId], theirs: ObjectId) -> Option<Vec<ObjectId>> {
        let mut read = |id| {
            self.spend_on_merges()?;
            match self.read(id).content {
                Ok(RawObject { bytes, .. }) => Ok(Dated::of(&Header::read(&bytes))),
                Err(unreadable) => Err(Unmergeable::Object(id, unreadable)),
            }
        };
        merge_bases(ours, theirs, &self.shallow, &mut read).ok()
    }

    /// Takes a commit from those that one run looks at for merges.
    pub(super) fn spend_on_merges(&self) -> Result<(), Unmergeable> {
        let left = self.merge_budget.get().checked_sub(1);
        self.merge_budget.set(left.ok_or(Unmergeable::TooMuch(MAX_COMMITS_OF_ALL, "commits"))?);
        Ok(())
    }
}

/// What a search for merge bases wants to know of a commit.
pub(super) struct Dated {
    date: i64,
    parents: Vec<ObjectId>,
}

impl Dated {
    pub(super) fn of(commit: &Header) -> Self {
        Self { date: commit.date, parents: commit.parents.clone() }
    }
}

/// Why nobody can tell what a merge gives.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unmergeable {
    /// The folder in which Git merges cannot be written.
    #[error("the folder for merges cannot be written: {0}")]
    Files(String),
    /// An object on which the merge rests.
    #[error("{0}, on which the merge rests: {1}")]
    Object(ObjectId, UnreadableObject),
    /// What lies behind the end of a shallow history could be a merge base.
    #[error("the clone is shallow, and its history ends before the merge base")]
    Shallow,
    /// Git merges no histories that have nothing in common.
    #[error("the two histories have nothing in common")]
    Strangers,
    /// More than anybody needs.
    #[error("the merge takes more than {0} {1}")]
    TooMuch(usize, &'static str),
}

/// The best common ancestors of `theirs` and a merge of `ours`, and perhaps worse ones; `read` reads a commit.
pub(super) fn merge_bases(
    ours: &[ObjectId],
    theirs: ObjectId,
    shallow: &HashSet<ObjectId>,
    read: &mut dyn FnMut(ObjectId) -> Result<Dated, Unmergeable>,
) -> Result<Vec<ObjectId>, Unmergeable> {
    let mut search = Search { read, shallow, queue: BinaryHeap::new(), commits: HashMap::new(), open: 0 };
    for id in ours {
        search.paint(*id, OURS)?;
    }
    search.paint(theirs, THEIRS)?;
    search.run()?;
    let bases = search.commits.into_iter().filter(|(_, commit)| commit.colours == OURS | THEIRS);
    Ok(bases.map(|(id, _)| id).collect())
}

/// From both sides downwards, until everything left is below a common ancestor.
struct Search<'a> {
    read: &'a mut dyn FnMut(ObjectId) -> Result<Dated, Unmergeable>,
    /// Where the history is cut off.
    shallow: &'a HashSet<ObjectId>,
    queue: BinaryHeap<(i64, Reverse<usize>, ObjectId)>,
    commits: HashMap<ObjectId, Painted>,
    /// How many in the queue are not below a common ancestor.
    open: usize,
}

struct Painted {
    colours: u8,
    in_queue: bool,
    date: i64,
    parents: Vec<ObjectId>,
}

impl Search<'_> {
    fn run(&mut self) -> Result<(), Unmergeable> {
        while self.open > 0
            && let Some((_, _, id)) = self.queue.pop()
            && let Some(commit) = self.commits.get_mut(&id)
        {
            commit.in_queue = false;
            let mut colours = commit.colours;
            let is_cut_off = self.shallow.contains(&id);
            if colours & BELOW == 0 {
                self.open -= 1;
                if colours != OURS | THEIRS && is_cut_off {
                    return Err(Unmergeable::Shallow);
                }
            }
            if colours & OURS != 0 && colours & THEIRS != 0 {
                colours |= BELOW;
            }
            if !is_cut_off {
                for parent in commit.parents.clone() {
                    self.paint(parent, colours)?;
                }
            }
        }
        Ok(())
    }

    /// Adds `colours` to a commit, and queues it where they are news.
    fn paint(&mut self, id: ObjectId, colours: u8) -> Result<(), Unmergeable> {
        let next = self.commits.len();
        let commit = match self.commits.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(_) if next >= MAX_COMMITS => return Err(Unmergeable::TooMuch(MAX_COMMITS, "commits")),
            Entry::Vacant(new) => {
                let Dated { date, parents } = match (self.read)(id) {
                    Ok(read) => read,
                    // Below a common ancestor nothing is looked for.
                    Err(Unmergeable::Object(..)) if colours & BELOW != 0 => Dated::of(&Header::default()),
                    Err(error) => return Err(error),
                };
                new.insert(Painted { colours: 0, in_queue: false, date, parents })
            }
        };
        if commit.colours & colours == colours {
            return Ok(());
        }
        let was_open = commit.in_queue && commit.colours & BELOW == 0;
        commit.colours |= colours;
        let is_open = commit.colours & BELOW == 0;
        if !commit.in_queue {
            commit.in_queue = true;
            self.queue.push((commit.date, Reverse(next), id));
        }
        match (was_open, is_open) {
            (false, true) => self.open += 1,
            (true, false) => self.open -= 1,
            (false, false) | (true, true) => {}
        }
        Ok(())
    }
}

/// The colours of a commit.
const OURS: u8 = 1;
const THEIRS: u8 = 2;
/// An ancestor of a common ancestor.
const BELOW: u8 = 4;

/// How many commits one search looks at.
const MAX_COMMITS: usize = 1 << 18;
/// How many those of one run look at together: many merges in a row can each be made to take the whole history.
pub(super) const MAX_COMMITS_OF_ALL: usize = 1 << 21;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::tests::Scratch;
    use super::*;

    /// A commit whose file `p.toml` says `text`; none where it is empty.
    fn commit(scratch: &Scratch, seconds: i64, text: &str, parents: &[&str]) -> String {
        let blob = scratch.git_with(&["hash-object", "-w", "--stdin"], text.as_bytes());
        let entries: &[_] = if text.is_empty() { &[] } else { &[("100644 blob", blob.as_str(), "p.toml")] };
        let tree = scratch.tree(entries);
        let mut arguments = vec!["commit-tree", &tree, "-m", "x"];
        for parent in parents {
            arguments.extend(["-p", parent]);
        }
        scratch.git_at(seconds, &arguments)
    }

    fn changes(repository: &Repository, id: &str) -> Option<bool> {
        repository.changes_any(&repository.read(id.parse().unwrap()), &["p.toml".to_owned()])
    }

    #[test]
    fn a_merge_that_puts_back_an_older_file_changes_it() {
        let scratch = Scratch::new(&[]);
        let base = commit(&scratch, 1, "old", &[]);
        let main = commit(&scratch, 2, "new", &[&base]);
        let side = commit(&scratch, 3, "old", &[&base]);
        let (gone, other) = (commit(&scratch, 4, "", &[&base]), commit(&scratch, 5, "other", &[&base]));
        let same = commit(&scratch, 6, "new", &[&side]);
        let alone = commit(&scratch, 1, "", &[]);
        let repository = scratch.open();
        for (expected, text, parents) in [
            // One side changed it.
            (true, "old", [&main, &side]),
            (true, "old", [&side, &main]),
            (false, "new", [&main, &side]),
            (false, "new", [&side, &main]),
            (true, "", [&main, &side]),
            (true, "other", [&main, &side]),
            (false, "", [&gone, &side]),
            (true, "old", [&side, &gone]),
            // Both did.
            (false, "new", [&main, &same]),
            (true, "old", [&main, &same]),
            (true, "new", [&main, &other]),
            (true, "other", [&main, &other]),
            (true, "new", [&gone, &main]),
            // Nobody did, or one is the other's past.
            (false, "old", [&base, &side]),
            (true, "new", [&base, &side]),
            (false, "new", [&main, &base]),
            (true, "old", [&main, &base]),
            // Nothing in common.
            (false, "new", [&alone, &main]),
            (true, "", [&alone, &main]),
        ] {
            let merge = commit(&scratch, 9, text, &parents.map(String::as_str));
            assert_eq!(changes(&repository, &merge), Some(expected), "{text:?} of {parents:?}");
        }
        assert_eq!(changes(&repository, &base), Some(true));
        assert_eq!(changes(&repository, &alone), Some(false));
        assert_eq!(changes(&repository, &main), Some(true));
        assert_eq!(changes(&repository, &side), Some(false));
    }

    #[test]
    fn several_parents_are_merged_one_after_the_other() {
        let scratch = Scratch::new(&[]);
        // Alice takes back what she had allowed; Bob's side is from between, and a third from before.
        let root = commit(&scratch, 1, "strict", &[]);
        let lax = commit(&scratch, 2, "lax", &[&root]);
        let main = commit(&scratch, 3, "strict", &[&lax]);
        let (early, between) = (commit(&scratch, 4, "strict", &[&root]), commit(&scratch, 5, "lax", &[&lax]));
        let repository = scratch.open();
        for parents in [[&main, &between, &early], [&early, &between, &main], [&between, &early, &main]] {
            let parents = parents.map(String::as_str);
            assert_eq!(changes(&repository, &commit(&scratch, 9, "lax", &parents)), Some(true), "{parents:?}");
            assert_eq!(changes(&repository, &commit(&scratch, 9, "strict", &parents)), Some(false), "{parents:?}");
        }
        // Bases that do not agree are nobody's leave.
        let one = commit(&scratch, 6, "strict", &[&main, &between]);
        let two = commit(&scratch, 7, "lax", &[&between, &main]);
        for text in ["strict", "lax"] {
            assert_eq!(changes(&repository, &commit(&scratch, 9, text, &[&one, &two])), Some(true));
        }
    }

    #[test]
    fn what_is_not_here_decides_nothing() {
        let scratch = Scratch::new(&[]);
        let base = commit(&scratch, 1, "old", &[]);
        let (main, side) = (commit(&scratch, 2, "new", &[&base]), commit(&scratch, 3, "old", &[&base]));
        let merge = commit(&scratch, 4, "new", &[&main, &side]);
        std::fs::remove_file(scratch.object_file(&base)).unwrap();
        assert_eq!(changes(&scratch.open(), &merge), None);
        // Of a shallow history neither, though nothing is missing above its end.
        scratch.git(&["update-ref", "refs/heads/main", &commit(&scratch, 1, "old", &[])]);
        scratch.git(&["update-ref", "refs/heads/main", &merge]);
        let here = format!("file://{}", scratch.git(&["rev-parse", "--show-toplevel"]));
        scratch.git(&["clone", "--quiet", "--depth=2", &here, "shallow"]);
        let shallow = Repository::open(&std::path::Path::new(&here["file://".len()..]).join("shallow/.git")).unwrap();
        assert_eq!(changes(&shallow, &merge), None);
    }

    #[test]
    fn merges_have_one_budget_together() {
        let scratch = Scratch::new(&[]);
        let base = commit(&scratch, 1, "old", &[]);
        let (main, side) = (commit(&scratch, 2, "new", &[&base]), commit(&scratch, 3, "old", &[&base]));
        let merge = commit(&scratch, 4, "new", &[&main, &side]);
        let repository = scratch.open();
        repository.merge_budget.set(7);
        let answers: Vec<_> = std::iter::repeat_with(|| changes(&repository, &merge)).take(4).collect();
        assert_eq!(answers, [Some(false), Some(false), None, None]);
        // What takes no search is still known.
        assert_eq!(changes(&repository, &main), Some(true));
    }

    #[test]
    fn merge_bases_are_gits() {
        let scratch = Scratch::new(&[]);
        for lie in [0, 1_000] {
            let mut made = vec![commit(&scratch, 500 + lie, "root", &[])];
            for step in 1..40_usize {
                let date = 500 + i64::try_from(step).unwrap() - if step % 7 == 0 { lie } else { 0 };
                let (first, second) =
                    (made[step - 1 - step * 3 % step.min(4)].clone(), made[step * 5 % (step / 2 + 1)].clone());
                let parents: &[&str] = if first == second { &[&first] } else { &[&first, &second] };
                made.push(commit(&scratch, date.max(0), &format!("{step} {lie}"), parents));
            }
            let repository = scratch.open();
            for (one, two, three) in [(39, 38, 37), (20, 39, 3), (33, 34, 11), (17, 23, 29), (5, 6, 7)] {
                let git = scratch.git(&["merge-base", "--all", &made[two], &made[one], &made[three]]);
                let expected: BTreeSet<&str> = git.lines().collect();
                let ours = [&made[one], &made[three]].map(|id| id.parse().unwrap());
                let found = repository.merge_bases(&ours, made[two].parse().unwrap()).unwrap();
                let found: BTreeSet<String> = found.iter().map(ToString::to_string).collect();
                assert!(expected.iter().all(|id| found.contains(*id)), "{found:?} {expected:?}");
                assert!(lie != 0 || found.len() == expected.len(), "{found:?} {expected:?}");
            }
        }
    }
}
