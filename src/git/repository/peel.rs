//! What stands behind a tag, and whether a name leads through one.

use gix::ObjectId;
use gix::bstr::{BStr, ByteSlice as _};

use super::pushed::MAX_TAGS;
use super::{Repository, Selected, UnreadableObject};
use crate::git::ObjectKind;

impl Repository {
    /// The object itself and, of a tag, what it names, and so on.
    pub(super) fn peeled(&self, id: ObjectId) -> Peeled {
        match self.read(id).content {
            Ok(object) => {
                let mut peeled = self.behind(object.kind, &object.bytes);
                peeled.ids.insert(0, id);
                peeled
            }
            // What is not there itself is not judged either.
            Err(_unreadable) => Peeled { ids: vec![id], is_whole: true },
        }
    }

    /// What the bytes of a tag name, whether the repository has the tag or not, and so on; nothing of a commit.
    #[must_use]
    pub fn behind(&self, kind: ObjectKind, bytes: &[u8]) -> Peeled {
        let mut ids = Vec::new();
        let mut next = target(kind, bytes);
        while let Some(id) = next {
            ids.push(id);
            match self.read(id).content {
                Ok(object) if ids.len() < MAX_TAGS => next = target(object.kind, &object.bytes),
                Err(UnreadableObject::OtherKind) => break,
                Ok(_) | Err(_) => return Peeled { ids, is_whole: false },
            }
        }
        Peeled { ids, is_whole: true }
    }

    /// The objects through which `revision` leads to its commit: what stands before its first `~` or `^` and, of a tag,
    /// what that names, and so on.
    pub(super) fn led_through(&self, revision: &str) -> Vec<ObjectId> {
        let name = revision.split(['~', '^']).next().unwrap_or_default();
        match self.selected(BStr::new(name)) {
            Ok(Selected::Object(id)) => self.peeled(id).ids,
            Ok(Selected::History { .. }) | Err(_) => Vec::new(),
        }
    }
}

/// What stands behind a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peeled {
    ids: Vec<ObjectId>,
    is_whole: bool,
}

impl Peeled {
    /// Whether `id` is among it. `None` where it is not among what the repository has, and not all is there.
    #[must_use]
    pub fn contains(&self, id: ObjectId) -> Option<bool> {
        let contains = self.ids.contains(&id);
        (contains || self.is_whole).then_some(contains)
    }
}

/// What a tag names in its first line.
fn target(kind: ObjectKind, bytes: &[u8]) -> Option<ObjectId> {
    match kind {
        ObjectKind::Commit => None,
        ObjectKind::Tag => ObjectId::from_hex(bytes.lines().next()?.strip_prefix(b"object ")?).ok(),
    }
}
