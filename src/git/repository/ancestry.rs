//! What lies before a commit and what behind it: where rules about keys hold.

use std::collections::{HashMap, HashSet};

use gix::ObjectId;

use super::{FoundObject, HistoryError, PushedEnd, RawObject, Repository, Selected, UnreadableObject};
use crate::git::ObjectKind;

/// Some commits, as far as the repository has the history that says which.
#[derive(Clone, Debug)]
pub struct Commits {
    ids: HashSet<ObjectId>,
    is_whole: bool,
}

impl Commits {
    /// None at all.
    #[must_use]
    pub fn none() -> Self {
        Self { ids: HashSet::new(), is_whole: true }
    }

    /// Whether `id` is among them. `None` where it is not among those that are known, and not all are.
    #[must_use]
    pub fn contains(&self, id: ObjectId) -> Option<bool> {
        let contains = self.ids.contains(&id);
        (contains || self.is_whole).then_some(contains)
    }
}

impl Repository {
    /// Every commit in the history of `start`, without itself.
    ///
    /// # Errors
    /// [`HistoryError`] when there is no such commit.
    pub fn before(&self, start: &str) -> Result<Commits, HistoryError> {
        let start = self.bound(start)?;
        let mut commits = self.history_of(start);
        commits.ids.remove(&start);
        Ok(commits)
    }

    /// A commit and all in its history.
    ///
    /// # Errors
    /// [`HistoryError`] when there is no such commit.
    pub fn up_to(&self, commit: &str) -> Result<Commits, HistoryError> {
        Ok(self.history_of(self.bound(commit)?))
    }

    /// A commit and all among `selected`, or before what is selected, that have it in their history. Of a tag what it names is
    /// looked at.
    ///
    /// # Errors
    /// [`HistoryError`] when there is no such commit.
    pub fn from_on(&self, commit: &str, selected: &[Selected]) -> Result<Commits, HistoryError> {
        let first = self.bound(commit)?;
        // What lies before the commit has it in no history, and need not be looked at.
        let before = self.history_of(first);
        let mut is_whole = before.is_whole;
        let mut met = Met::default();
        let (start, _) = met.place_of(first);
        // Parent and child, by their places.
        let mut edges = Vec::new();
        let ends = selected.iter().flat_map(|one| self.ends(one));
        let ends = ends.filter(|end| !before.ids.contains(end) && met.place_of(*end).1);
        let mut pending: Vec<ObjectId> = ends.collect();
        while let Some(id) = pending.pop() {
            let Some(parents) = self.parents(id) else {
                is_whole = false;
                continue;
            };
            let (child, _) = met.place_of(id);
            for parent in parents.into_iter().filter(|parent| *parent == first || !before.ids.contains(parent)) {
                let (place, is_new) = met.place_of(parent);
                edges.push((place, child));
                pending.extend(is_new.then_some(parent));
            }
        }
        drop(before);
        edges.sort_unstable();
        let mut behind = HashSet::from([start]);
        let mut pending = vec![start];
        while let Some(parent) = pending.pop() {
            let from = edges.partition_point(|(other, _)| *other < parent);
            let children = edges.iter().skip(from).take_while(|(other, _)| *other == parent);
            pending.extend(children.map(|(_, child)| *child).filter(|child| behind.insert(*child)));
        }
        let ids = met.places.into_iter().filter(|(_, place)| behind.contains(place)).map(|(id, _)| id).collect();
        Ok(Commits { ids, is_whole })
    }

    /// The commit that an object stands for: itself, or what a tag names in the end.
    #[must_use]
    pub fn stands_for(&self, found: &FoundObject) -> Option<ObjectId> {
        match &found.content {
            Ok(RawObject { kind: ObjectKind::Commit, .. }) => Some(found.id),
            Ok(RawObject { kind: ObjectKind::Tag, .. }) => self.behind_tags(found.id),
            Err(_unreadable) => None,
        }
    }

    /// Where the histories of what is selected end.
    fn ends(&self, selected: &Selected) -> Vec<ObjectId> {
        match selected {
            Selected::Object(id) => self.behind_tags(*id).into_iter().collect(),
            Selected::History { tips, .. } => tips.clone(),
        }
    }

    fn behind_tags(&self, id: ObjectId) -> Option<ObjectId> {
        match self.pushed(id).end {
            PushedEnd::Commit(commit) => Some(commit),
            PushedEnd::NotSignable | PushedEnd::Unreadable(_) => None,
        }
    }

    fn history_of(&self, last: ObjectId) -> Commits {
        let mut commits = Commits { ids: HashSet::from([last]), is_whole: true };
        let mut pending = vec![last];
        while let Some(id) = pending.pop() {
            let Some(parents) = self.parents(id) else {
                commits.is_whole = false;
                continue;
            };
            pending.extend(parents.into_iter().filter(|parent| commits.ids.insert(*parent)));
        }
        commits
    }

    fn bound(&self, commit: &str) -> Result<ObjectId, HistoryError> {
        let absent = || HistoryError::NoStart(commit.to_owned());
        let id = ObjectId::from_hex(commit.as_bytes()).map_err(|_| absent())?;
        let digits = self.inner.object_hash().len_in_hex();
        if commit.len() != digits {
            return Err(HistoryError::OtherHash { commit: commit.to_owned(), digits });
        }
        match self.header(id) {
            Ok(_) => Ok(id),
            Err(UnreadableObject::Missing) => Err(absent()),
            Err(UnreadableObject::OtherKind) => Err(HistoryError::NotACommit(commit.to_owned())),
            Err(unreadable) => Err(unreadable.into()),
        }
    }

    /// `None` where they are not here: beyond the end of a shallow history, or in an object that cannot be read; and when
    /// the time is spent.
    fn parents(&self, id: ObjectId) -> Option<Vec<ObjectId>> {
        if self.shallow.contains(&id) || self.is_late() {
            return None;
        }
        Some(self.header(id).ok()?.parents)
    }
}

/// The commits that a search met, each with a number: an edge between two of them is two numbers.
#[derive(Default)]
struct Met {
    places: HashMap<ObjectId, usize>,
}

impl Met {
    /// The commit's number, and whether it was met just now.
    fn place_of(&mut self, id: ObjectId) -> (usize, bool) {
        let next = self.places.len();
        let place = *self.places.entry(id).or_insert(next);
        (place, place == next)
    }
}
