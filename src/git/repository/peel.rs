//! What stands behind a tag, and whether a name leads through one.

use gix::ObjectId;
use gix::bstr::{BStr, ByteSlice as _};

use super::{RawObject, Repository, Selected};
use crate::git::ObjectKind;

impl Repository {
    /// The object itself and, of a tag, what it names, and so on as far as the repository has it.
    #[must_use]
    pub fn peeled(&self, id: ObjectId) -> Vec<ObjectId> {
        let mut chain = vec![id];
        let mut next = self.target(id);
        while let Some(id) = next {
            chain.push(id);
            next = self.target(id);
        }
        chain
    }

    /// The same of what the bytes of a tag name, whether the repository has the tag or not; nothing of a commit.
    #[must_use]
    pub fn peeled_from(&self, kind: ObjectKind, bytes: &[u8]) -> Vec<ObjectId> {
        match kind {
            ObjectKind::Commit => Vec::new(),
            ObjectKind::Tag => target(bytes).map(|id| self.peeled(id)).unwrap_or_default(),
        }
    }

    /// The objects through which `revision` leads to its commit: what stands before its first `~` or `^` and, of a tag,
    /// what that names, and so on.
    pub(super) fn led_through(&self, revision: &str) -> Vec<ObjectId> {
        let name = revision.split(['~', '^']).next().unwrap_or_default();
        match self.selected(BStr::new(name)) {
            Ok(Selected::Object(id)) => self.peeled(id),
            Ok(Selected::Range { .. }) | Err(_) => Vec::new(),
        }
    }

    fn target(&self, id: ObjectId) -> Option<ObjectId> {
        match self.read(id).content {
            Ok(RawObject { kind: ObjectKind::Tag, bytes }) => target(&bytes),
            Ok(RawObject { kind: ObjectKind::Commit, .. }) | Err(_) => None,
        }
    }
}

/// What a tag names in its first line.
fn target(tag: &[u8]) -> Option<ObjectId> {
    ObjectId::from_hex(tag.lines().next()?.strip_prefix(b"object ")?).ok()
}
