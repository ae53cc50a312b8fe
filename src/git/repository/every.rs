//! What is selected without a name for each: the commits behind every ref, and tags by pattern.

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice as _};
use gix::glob::wildmatch::Mode;
use gix::refs::TargetRef;

use super::{PushedEnd, Repository, RepositoryError, Selected, special};
use crate::causes::causes;
use crate::git::refs::{TAGS, is_work};

impl Repository {
    /// Every commit that a ref or HEAD leads to, with all before it. What Git and waxseal keep for themselves is left out:
    /// notes, the stash, and refs below `refs/waxseal/`.
    ///
    /// # Errors
    /// [`RepositoryError`] when refs cannot be read.
    pub fn select_all(&self) -> Result<Selected, RepositoryError> {
        let mut tips = Vec::new();
        for (name, id) in self.refs("refs/")? {
            if is_work(&name) {
                tips.extend(self.behind_ref(id));
            }
        }
        tips.extend(self.heads_of_work_trees().into_iter().filter_map(|id| self.behind_ref(id)));
        tips.sort_unstable();
        tips.dedup();
        Ok(Selected::History { hidden: Vec::new(), tips })
    }

    /// The tags whose names behind `refs/tags/` match `glob`, as `git tag --list` has it, by their full names. A lightweight
    /// tag is the object that it points at.
    ///
    /// # Errors
    /// [`RepositoryError`] when refs cannot be read.
    pub fn select_tags(&self, glob: &str) -> Result<Vec<(BString, Selected)>, RepositoryError> {
        let mut tags = Vec::new();
        for (name, id) in self.refs(TAGS)? {
            let short = name.strip_prefix(TAGS.as_bytes()).unwrap_or_default();
            if gix::glob::wildmatch(glob.into(), short.as_bstr(), Mode::empty()) {
                tags.push((name, Selected::Object(id)));
            }
        }
        Ok(tags)
    }

    /// What HEAD is in each work tree: where it is detached, no ref may lead there.
    fn heads_of_work_trees(&self) -> Vec<ObjectId> {
        let linked = self.inner.worktrees().unwrap_or_default();
        let folders = linked.iter().map(|worktree| worktree.git_dir().to_owned());
        let others = folders.chain([self.inner.common_dir().to_owned()]);
        // One that cannot be opened is no work tree any more.
        let others = others.filter_map(|folder| Self::open(&folder).ok()).map(|other| other.inner);
        others
            .chain([self.inner.clone()])
            .filter_map(|one| Some(one.head().ok()?.try_peel_to_id().ok()??.detach()))
            .collect()
    }

    /// The refs below `prefix`, with the objects that they point at.
    fn refs(&self, prefix: &str) -> Result<Vec<(BString, ObjectId)>, RepositoryError> {
        special::check_refs(self.inner.common_dir())?;
        let unusable = |error: gix::Error| RepositoryError::Unusable(causes(&error));
        let references = self.inner.references().map_err(unusable)?;
        let mut found = Vec::new();
        for reference in references.prefixed(prefix).map_err(unusable)? {
            let mut reference =
                reference.map_err(|error| RepositoryError::Unusable(format!("a ref is broken: {}", causes(&error))))?;
            let name = reference.name().as_bstr().to_owned();
            let is_symbolic = matches!(reference.target(), TargetRef::Symbolic(_));
            match reference.follow_to_object() {
                Ok(id) => found.push((name, id.detach())),
                // Git leaves it out, too: `refs/remotes/origin/HEAD`, once the branch is gone that it names.
                Err(_leads_nowhere) if is_symbolic => {}
                Err(_broken) => return Err(RepositoryError::BrokenRef(name.to_vec())),
            }
        }
        Ok(found)
    }

    /// The commit that a ref leads to, through tags; nothing where it leads to something else. What is not there is taken for
    /// one, so that somebody hears of it.
    fn behind_ref(&self, id: ObjectId) -> Option<ObjectId> {
        match self.pushed(id).end {
            PushedEnd::Commit(commit) => Some(commit),
            PushedEnd::NotSignable => None,
            PushedEnd::Unreadable(end) => Some(end),
        }
    }
}
