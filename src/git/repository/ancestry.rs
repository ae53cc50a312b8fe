//! What lies before a commit and what behind it: where rules about keys hold.

use std::collections::{HashMap, HashSet};

use gix::ObjectId;

use super::walk::Header;
use super::{FoundObject, HistoryError, RawObject, Repository, Selected};
use crate::git::ObjectKind;

/// Some commits, as far as the repository has the history that says which.
#[derive(Clone, Debug, Default)]
pub struct Commits {
    ids: HashSet<ObjectId>,
    is_whole: bool,
}

impl Commits {
    /// Whether `id` is among them. `None` where it is not among those that are known, and not all are.
    #[must_use]
    pub fn contains(&self, id: ObjectId) -> Option<bool> {
        let contains = self.ids.contains(&id);
        (contains || self.is_whole).then_some(contains)
    }
}

impl Repository {
    /// A commit and all in its history.
    ///
    /// # Errors
    /// [`HistoryError`] when there is no such commit.
    pub fn up_to(&self, commit: &str) -> Result<Commits, HistoryError> {
        let last = self.bound(commit)?;
        let mut commits = Commits { ids: HashSet::from([last]), is_whole: true };
        let mut pending = vec![last];
        while let Some(id) = pending.pop() {
            let Some(parents) = self.parents(id) else {
                commits.is_whole = false;
                continue;
            };
            pending.extend(parents.into_iter().filter(|parent| commits.ids.insert(*parent)));
        }
        Ok(commits)
    }

    /// A commit and all among `selected`, or before what is selected, that have it in their history. Of a tag what it names is
    /// looked at.
    ///
    /// # Errors
    /// [`HistoryError`] when there is no such commit.
    pub fn from_on(&self, commit: &str, selected: &[Selected]) -> Result<Commits, HistoryError> {
        let first = self.bound(commit)?;
        // What lies before the commit has it in no history, and need not be looked at.
        let before = self.up_to(commit)?;
        let mut children: HashMap<ObjectId, Vec<ObjectId>> = HashMap::new();
        let mut is_whole = before.is_whole;
        let mut met = HashSet::new();
        let mut pending: Vec<ObjectId> = selected.iter().flat_map(|one| self.ends(one)).collect();
        while let Some(id) = pending.pop() {
            if before.ids.contains(&id) || !met.insert(id) {
                continue;
            }
            let Some(parents) = self.parents(id) else {
                is_whole = false;
                continue;
            };
            for parent in parents {
                children.entry(parent).or_default().push(id);
                pending.push(parent);
            }
        }
        let mut ids = HashSet::from([first]);
        let mut pending = vec![first];
        while let Some(id) = pending.pop() {
            let children = children.remove(&id).unwrap_or_default();
            pending.extend(children.into_iter().filter(|child| ids.insert(*child)));
        }
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
        self.inner.find_object(id).ok()?.peel_to_commit().ok().map(|commit| commit.id)
    }

    fn bound(&self, commit: &str) -> Result<ObjectId, HistoryError> {
        let absent = || HistoryError::NoStart(commit.to_owned());
        let id = ObjectId::from_hex(commit.as_bytes()).map_err(|_| absent())?;
        self.inner.find_commit(id).map_err(|_| absent())?;
        Ok(id)
    }

    /// `None` where they are not here: beyond the end of a shallow history, or in an object that cannot be read.
    fn parents(&self, id: ObjectId) -> Option<Vec<ObjectId>> {
        if self.shallow.contains(&id) {
            return None;
        }
        let commit = self.inner.find_commit(id).ok()?;
        Some(Header::read(&commit.data).parents)
    }
}
