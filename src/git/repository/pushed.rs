//! What a push brings: what a ref is to point at, and what the repository has already.

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice as _};

use super::{RawObject, Repository, RepositoryError, UnreadableObject, special};
use crate::causes::causes;
use crate::git::ObjectKind;

impl Repository {
    /// Every ref below `prefix`, by its full name, with what it stands for. Left out is what leads nowhere.
    ///
    /// # Errors
    /// [`RepositoryError`] when refs cannot be read.
    pub fn refs_below(&self, prefix: &str) -> Result<Vec<(BString, Pushed)>, RepositoryError> {
        special::check_refs(self.inner.common_dir())?;
        let unusable = |error: gix::Error| RepositoryError::Unusable(causes(&error));
        let references = self.inner.references().map_err(unusable)?;
        let mut found = Vec::new();
        for mut reference in references.prefixed(prefix).map_err(unusable)?.flatten() {
            let name = reference.name().as_bstr().to_owned();
            if let Ok(id) = reference.follow_to_object() {
                found.push((name, self.pushed(id.detach())));
            }
        }
        Ok(found)
    }

    /// What a ref that points at `id` stands for.
    #[must_use]
    pub fn pushed(&self, id: ObjectId) -> Pushed {
        let mut tags = Vec::new();
        let mut next = id;
        loop {
            let end = match self.read(next).content {
                Ok(RawObject { kind: ObjectKind::Commit, .. }) => PushedEnd::Commit(next),
                Err(UnreadableObject::OtherKind) => PushedEnd::NotSignable,
                Err(_unreadable) => PushedEnd::Unreadable(next),
                Ok(RawObject { kind: ObjectKind::Tag, bytes }) => {
                    tags.push(next);
                    let target = bytes.lines().next().and_then(|line| line.strip_prefix(b"object "));
                    match target.and_then(|hex| ObjectId::from_hex(hex).ok()) {
                        Some(target) if tags.len() < MAX_TAGS => {
                            next = target;
                            continue;
                        }
                        Some(_) | None => PushedEnd::Unreadable(next),
                    }
                }
            };
            return Pushed { tags, end };
        }
    }

    /// The bytes of a blob.
    #[must_use]
    pub fn blob(&self, id: ObjectId, max_bytes: u64) -> Option<Vec<u8>> {
        let header = self.inner.find_header(id).ok()?;
        (header.size() <= max_bytes).then(|| self.inner.find_blob(id).ok().map(|blob| blob.detach().data)).flatten()
    }

    /// Whether two commits have the same file at `path`; `None` where that cannot be read.
    #[must_use]
    pub fn same_at(&self, one: ObjectId, other: ObjectId, path: &str) -> Option<bool> {
        Some(self.entry_at(one, path)? == self.entry_at(other, path)?)
    }
}

/// What a ref stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The tag objects through which it leads, the outermost first.
    pub tags: Vec<ObjectId>,
    /// Where it leads.
    pub end: PushedEnd,
}

impl Pushed {
    /// The commit that it leads to.
    #[must_use]
    pub fn commit(&self) -> Option<ObjectId> {
        match self.end {
            PushedEnd::Commit(commit) => Some(commit),
            PushedEnd::NotSignable | PushedEnd::Unreadable(_) => None,
        }
    }
}

/// Where a ref leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushedEnd {
    /// To this commit.
    Commit(ObjectId),
    /// To a file or a folder, which nobody can sign.
    NotSignable,
    /// To an object that is not there, or cannot be read.
    Unreadable(ObjectId),
}

/// Nobody tags tags so often.
const MAX_TAGS: usize = 1 << 8;
