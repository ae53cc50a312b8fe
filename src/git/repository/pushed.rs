//! What a push brings: what a ref is to point at, and what the repository has already.

use gix::ObjectId;
use gix::bstr::{BStr, BString, ByteSlice as _};
use gix::objs::Kind;
use gix::refs::TargetRef;

use super::{RawObject, Repository, RepositoryError, UnreadableObject, special};
use crate::causes::causes;
use crate::git::ObjectKind;

impl Repository {
    /// Every ref below `prefix`, by its full name, with what it stands for. Left out is what leads nowhere.
    ///
    /// # Errors
    /// [`RepositoryError`] when refs cannot be read.
    pub fn refs_below(&self, prefix: &str) -> Result<Vec<(BString, Pushed)>, RepositoryError> {
        self.refs_among(prefix, |_target| true)
    }

    /// The same without symbolic refs, which are other names of what other refs have.
    ///
    /// # Errors
    /// [`RepositoryError`] when refs cannot be read.
    pub fn direct_refs_below(&self, prefix: &str) -> Result<Vec<(BString, Pushed)>, RepositoryError> {
        self.refs_among(prefix, |target| matches!(target, TargetRef::Object(_)))
    }

    /// The ref that is moved when `full` is: of a symbolic one that to which it leads, whether that is there or not.
    #[must_use]
    pub fn moved(&self, full: &str) -> String {
        let mut name = full.to_owned();
        if self.check_ref(BStr::new(full)).is_err() {
            return name;
        }
        for _ in 0..special::MAX_REF_DEPTH {
            let Ok(Some(reference)) = self.inner.try_find_reference(name.as_str()) else { break };
            match reference.target() {
                TargetRef::Symbolic(target) if reference.name().as_bstr() == name.as_str() => {
                    name = target.as_bstr().to_string();
                }
                TargetRef::Symbolic(_) | TargetRef::Object(_) => break,
            }
        }
        name
    }

    fn refs_among(
        &self,
        prefix: &str,
        is_meant: impl Fn(TargetRef<'_>) -> bool,
    ) -> Result<Vec<(BString, Pushed)>, RepositoryError> {
        special::check_refs(self.inner.common_dir())?;
        let unusable = |error: gix::Error| RepositoryError::Unusable(causes(&error));
        let references = self.inner.references().map_err(unusable)?;
        let mut found = Vec::new();
        for mut reference in references.prefixed(prefix).map_err(unusable)?.flatten() {
            let name = reference.name().as_bstr().to_owned();
            if !is_meant(reference.target()) {
                continue;
            }
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
        match self.object(id).ok()? {
            (Kind::Blob, bytes) if u64::try_from(bytes.len()).is_ok_and(|length| length <= max_bytes) => Some(bytes),
            (Kind::Blob | Kind::Commit | Kind::Tag | Kind::Tree, _) => None,
        }
    }

    /// Whether two commits have the same file at `path`; `None` where that cannot be read.
    #[must_use]
    pub fn same_at(&self, one: ObjectId, other: ObjectId, path: &str) -> Option<bool> {
        Some(self.entry_at(one, path).ok()? == self.entry_at(other, path).ok()?)
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
pub(super) const MAX_TAGS: usize = 1 << 8;
