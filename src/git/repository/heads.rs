//! The heads that refs lead to, and what says of one that it could be what a commit squashed.

use std::collections::{HashMap, HashSet};

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice as _};
use gix::objs::tree::EntryKind;
use gix::objs::{Kind, TreeRefIter};

use super::hashed::Entry;
use super::walk::Header;
use super::{PushedEnd, RawObject, Repository, RepositoryError};
use crate::git::ObjectKind;

/// The end of somebody's work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its commit.
    pub id: ObjectId,
    /// That commit's tree.
    pub tree: ObjectId,
    /// When its committer says that it was made, in seconds since 1970: where to look first, and nothing else.
    pub date: i64,
    /// The full names of the refs that lead to it; none where it was asked for by other means.
    pub references: Vec<String>,
}

impl Head {
    /// The ref of the pull or merge request of this number, if that leads to it: whoever opens another one for the same commit
    /// takes nothing away.
    #[must_use]
    pub fn as_request(&self, number: u64) -> Option<&str> {
        self.references.iter().map(String::as_str).find(|reference| {
            let mut words = reference.strip_suffix("/head").unwrap_or(reference).rsplit('/');
            let is_number = words.next().is_some_and(|word| *word == number.to_string());
            is_number && words.next().is_some_and(|word| REQUESTS.contains(&word))
        })
    }
}

/// All that there are.
#[derive(Debug, Default)]
pub struct Heads {
    /// Those that can be read.
    pub all: Vec<Head>,
    /// Whether there are others.
    pub lacks_some: bool,
}

/// Trees that were read and hashed. Heads have most of theirs in common, and each squash looks into all of them.
#[derive(Debug, Default)]
pub struct Trees {
    kept: HashMap<ObjectId, Vec<u8>>,
    bytes: usize,
}

impl Trees {
    /// What a tree has of a name; `None` where it cannot be read.
    fn entry(&mut self, repository: &Repository, tree: ObjectId, name: &BString) -> Option<Entry> {
        if let Some(bytes) = self.kept.get(&tree) {
            return entry_in(bytes, tree, name);
        }
        let Ok((Kind::Tree, bytes)) = repository.object(tree) else { return None };
        let entry = entry_in(&bytes, tree, name);
        if self.bytes.saturating_add(bytes.len()) <= MAX_TREES {
            self.bytes += bytes.len();
            self.kept.insert(tree, bytes);
        }
        entry
    }
}

fn entry_in(bytes: &[u8], tree: ObjectId, name: &BString) -> Option<Entry> {
    let mut entries = TreeRefIter::from_bytes(bytes, tree.kind());
    let found = entries.find(|entry| entry.as_ref().map_or(true, |entry| entry.filename == name));
    let found = found.transpose().ok()?;
    Some(found.map(|entry| (entry.oid.to_owned(), entry.mode.kind())))
}

impl Repository {
    /// The heads of branches, of branches elsewhere and of pull and merge requests, and `others`; each commit once, as far as
    /// they can be read.
    ///
    /// # Errors
    /// [`RepositoryError`] when refs cannot be read.
    pub fn heads(&self, others: &[ObjectId]) -> Result<Heads, RepositoryError> {
        let mut named = Vec::new();
        for (prefix, end) in PLACES {
            let refs = self.refs_below(prefix)?.into_iter().filter(|(name, _)| name.ends_with(end.as_bytes()));
            named.extend(refs.map(|(name, there)| (Some(name.to_str_lossy().into_owned()), there.end)));
        }
        named.extend(others.iter().map(|id| (None, PushedEnd::Commit(*id))));
        let (mut places, mut heads) = (HashMap::new(), Heads::default());
        for (reference, end) in named {
            let id = match end {
                PushedEnd::Commit(id) => id,
                PushedEnd::NotSignable => continue,
                PushedEnd::Unreadable(_) => {
                    heads.lacks_some = true;
                    continue;
                }
            };
            let place = places.entry(id).or_insert_with(|| match self.read(id).content {
                Ok(RawObject { kind: ObjectKind::Commit, bytes }) => {
                    let Header { tree, date, .. } = Header::read(&bytes);
                    heads.all.push(Head { id, tree: tree?, date, references: Vec::new() });
                    heads.all.len().checked_sub(1)
                }
                // A tag that was asked for is no head.
                Ok(RawObject { kind: ObjectKind::Tag, .. }) => None,
                Err(_unreadable) => {
                    heads.lacks_some = true;
                    None
                }
            });
            if let Some(head) = place.and_then(|place| heads.all.get_mut(place)) {
                head.references.extend(reference);
            }
        }
        Ok(heads)
    }

    /// Whether `commit` is among the first parents of `head`, its last ones.
    #[must_use]
    pub fn stands_on(&self, head: ObjectId, commit: ObjectId) -> bool {
        let mut next = head;
        for _ in 0..MAX_FIRST_PARENTS {
            let Ok(RawObject { kind: ObjectKind::Commit, bytes }) = self.read(next).content else { return false };
            match Header::read(&bytes).parents.first() {
                Some(parent) if *parent == commit => return true,
                Some(parent) => next = *parent,
                None => return false,
            }
        }
        false
    }

    /// A path at which a tree differs from that of a commit, and what it has there; `None` where there is none, or what is
    /// needed to see it is not here.
    #[must_use]
    pub fn first_change(&self, commit: ObjectId, tree: ObjectId) -> Option<(Vec<BString>, Entry)> {
        let (mut from, mut to) = (self.header(commit).ok()?.tree?, tree);
        let mut path = Vec::new();
        loop {
            let before: HashMap<_, _> = self.entries(from).ok()?.into_iter().collect();
            let after = self.entries(to).ok()?;
            let changed = after.iter().find(|(name, entry)| before.get(name) != Some(entry));
            let Some((name, entry)) = changed else {
                // Something went.
                let names: HashSet<_> = after.iter().map(|(name, _)| name).collect();
                let gone = before.into_keys().filter(|name| !names.contains(name)).min()?;
                path.push(gone);
                return Some((path, None));
            };
            path.push(name.clone());
            match (before.get(name), entry) {
                (Some((old, EntryKind::Tree)), (new, EntryKind::Tree)) => (from, to) = (*old, *new),
                (_, entry) => return Some((path, Some(*entry))),
            }
        }
    }

    /// Whether a tree has this at a path; also `false` where that cannot be read. What is read for it is kept in `trees`.
    #[must_use]
    pub fn has_at(&self, trees: &mut Trees, tree: ObjectId, path: &[BString], entry: Entry) -> bool {
        let mut at = Some((tree, EntryKind::Tree));
        for name in path {
            let Some((tree, EntryKind::Tree)) = at else { return entry.is_none() };
            let Some(found) = trees.entry(self, tree, name) else { return false };
            at = found;
        }
        at == entry
    }

    /// Whether two commits have nothing in common. `None` where nobody can tell.
    #[must_use]
    pub fn are_strangers(&self, one: ObjectId, other: ObjectId) -> Option<bool> {
        Some(self.merge_bases(&[one], other)?.is_empty())
    }
}

/// Of what is kept in memory: the folders of some thousand heads.
const MAX_TREES: usize = 1 << 25;

/// Of a head that is longer Git is asked.
const MAX_FIRST_PARENTS: usize = 64;

/// Where refs to heads are, and how their names end.
const PLACES: [(&str, &str); 4] =
    [("refs/pull/", "/head"), ("refs/merge-requests/", "/head"), ("refs/heads/", ""), ("refs/remotes/", "")];

/// How refs call a pull or merge request.
const REQUESTS: [&str; 5] = ["merge-requests", "mr", "pr", "pull", "pulls"];

#[cfg(test)]
mod tests {
    use super::super::tests::Scratch;
    use super::*;

    #[test]
    fn trees_that_were_hashed_are_read_once_and_no_others_are_believed() {
        let scratch = Scratch::new(&[]);
        let blob = |text: &str| scratch.git_with(&["hash-object", "-w", "--stdin"], text.as_bytes());
        let (one, two) = (blob("one"), blob("two"));
        let folder = scratch.tree(&[("100644 blob", &one, "file")]);
        let other_folder = scratch.tree(&[("100644 blob", &two, "file")]);
        let root = scratch.tree(&[("040000 tree", &folder, "folder"), ("100644 blob", &one, "top")]);
        let id = |text: &str| text.parse::<ObjectId>().unwrap();
        let file = |blob: &str| Some((id(blob), EntryKind::Blob));
        let path = |text: &str| text.split('/').map(BString::from).collect::<Vec<_>>();
        let has = |trees: &mut Trees, at: &str, entry: Entry| scratch.open().has_at(trees, id(&root), &path(at), entry);
        let mut trees = Trees::default();
        for (at, entry, expected) in [
            ("folder/file", file(&one), true),
            ("folder/file", file(&two), false),
            ("folder/file", None, false),
            ("folder", Some((id(&folder), EntryKind::Tree)), true),
            ("folder/gone", None, true),
            ("gone/file", None, true),
            // What is below a file is nothing.
            ("top/file", None, true),
            ("top/file", file(&one), false),
        ] {
            for trees in [&mut trees, &mut Trees::default()] {
                assert_eq!(has(trees, at, entry), expected, "{at} {entry:?}");
            }
        }
        // It is not looked at again; and what has another one's bytes is not there at all.
        std::fs::remove_file(scratch.object_file(&folder)).unwrap();
        std::fs::copy(scratch.object_file(&other_folder), scratch.object_file(&folder)).unwrap();
        assert!(has(&mut trees, "folder/file", file(&one)));
        for entry in [file(&one), file(&two), None] {
            assert!(!has(&mut Trees::default(), "folder/file", entry));
        }
        // Beyond its room it keeps nothing, and answers all the same.
        let mut full = Trees { bytes: MAX_TREES, ..Trees::default() };
        assert!(has(&mut full, "top", file(&one)) && full.kept.is_empty());
    }
}
