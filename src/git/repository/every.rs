//! What is selected without a name for each: the commits behind every ref, and tags by pattern.

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice as _};
use gix::glob::wildmatch::Mode;
use gix::objs::Kind;

use super::{Repository, RepositoryError, Selected, special};
use crate::causes::causes;

impl Repository {
    /// Every commit that a ref or HEAD leads to, with all before it. What Git and waxseal keep for themselves is left out:
    /// notes, the stash, and refs below `refs/waxseal/`.
    ///
    /// # Errors
    /// [`RepositoryError`] when refs cannot be read.
    pub fn select_all(&self) -> Result<Selected, RepositoryError> {
        let mut tips = Vec::new();
        for (name, id) in self.refs("refs/")? {
            if name != STASH && !OWN.iter().any(|own| name.starts_with(own.as_bytes())) {
                tips.extend(self.behind_ref(id));
            }
        }
        // Where it is detached, no ref may lead there.
        if let Ok(mut head) = self.inner.head()
            && let Ok(Some(id)) = head.try_peel_to_id()
        {
            tips.extend(self.behind_ref(id.detach()));
        }
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

    /// The refs below `prefix`, with the objects that they point at.
    fn refs(&self, prefix: &str) -> Result<Vec<(BString, ObjectId)>, RepositoryError> {
        special::check_refs(self.inner.common_dir())?;
        let unusable = |error: gix::Error| RepositoryError::Unusable(causes(&error));
        let references = self.inner.references().map_err(unusable)?;
        let mut found = Vec::new();
        for reference in references.prefixed(prefix).map_err(unusable)? {
            let mut reference =
                reference.map_err(|error| RepositoryError::Unusable(format!("a ref is broken: {error}")))?;
            let name = reference.name().as_bstr().to_owned();
            let id =
                reference.follow_to_object().map_err(|_leads_nowhere| RepositoryError::BrokenRef(name.to_vec()))?;
            found.push((name, id.detach()));
        }
        Ok(found)
    }

    /// The commit that a ref leads to, through tags; nothing where it leads to something else. What is not there is taken for
    /// one, so that somebody hears of it.
    fn behind_ref(&self, id: ObjectId) -> Option<ObjectId> {
        match self.inner.try_find_header(id).ok().flatten().map(|header| header.kind()) {
            Some(Kind::Commit) | None => Some(id),
            Some(Kind::Tag) => match self.inner.find_object(id).ok()?.peel_tags_to_end() {
                Ok(end) if end.kind == Kind::Commit => Some(end.id),
                Ok(_tree_or_blob) => None,
                Err(_) => Some(id),
            },
            Some(Kind::Blob | Kind::Tree) => None,
        }
    }
}

/// Not anybody's history.
const OWN: [&str; 2] = ["refs/notes/", "refs/waxseal/"];
const STASH: &str = "refs/stash";

const TAGS: &str = "refs/tags/";
