//! What the repository gives: commits and tags as they were stored, and as they were hashed.

use gix::ObjectId;

use crate::git::ObjectKind;

/// An object that was asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct FoundObject {
    /// Its name.
    pub id: ObjectId,
    /// What it holds.
    pub content: Result<RawObject, UnreadableObject>,
}

/// A commit or tag exactly as it was hashed, without the header that names kind and length.
#[derive(Debug, PartialEq, Eq)]
pub struct RawObject {
    /// Commit or tag.
    pub kind: ObjectKind,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// An object as the repository gave it: whether its bytes have the hash that is its name is not known yet.
#[derive(Debug)]
pub struct UnhashedObject {
    pub(super) found: FoundObject,
    /// It is known all the same.
    pub(super) is_hashed: bool,
}

impl UnhashedObject {
    /// Its name.
    #[must_use]
    pub fn id(&self) -> ObjectId {
        self.found.id
    }

    /// Its bytes, whatever they hash to.
    #[must_use]
    pub fn bytes(&self) -> Option<&RawObject> {
        self.found.content.as_ref().ok()
    }

    /// How many bytes it holds.
    pub(super) fn len(&self) -> usize {
        self.bytes().map_or(0, |object| object.bytes.len())
    }

    /// The object, once its bytes are hashed: what does not hash to its name is not what was asked for.
    #[must_use]
    pub fn hashed(self) -> FoundObject {
        let Self { found: FoundObject { id, content }, is_hashed } = self;
        let content = match content {
            Ok(object) if !is_hashed => {
                match gix::objs::compute_hash(id.kind(), gix_kind(object.kind), &object.bytes) {
                    Ok(hash) if hash == id => Ok(object),
                    // Or they collide.
                    Ok(_) | Err(_) => Err(UnreadableObject::Corrupt),
                }
            }
            other => other,
        };
        FoundObject { id, content }
    }

    /// The object for whoever knows that these very bytes were hashed before, and to which name.
    ///
    /// # Errors
    /// The object back, where that is another name.
    pub fn hashed_before(self, name: &str) -> Result<FoundObject, Self> {
        if self.found.id == *name { Ok(self.found) } else { Err(self) }
    }
}

impl From<FoundObject> for UnhashedObject {
    fn from(found: FoundObject) -> Self {
        Self { found, is_hashed: true }
    }
}

/// An object of which nothing can be said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableObject {
    /// Its bytes hash to another name, or collide.
    #[error("the object is corrupt: its bytes have another hash")]
    Corrupt,
    /// The repository does not have it.
    #[error("the repository does not have the object")]
    Missing,
    /// Something points to it as a commit, and it is none.
    #[error("the object is neither a commit nor a tag")]
    OtherKind,
    /// The time that there was is spent.
    #[error("there was no time left to read the object")]
    OutOfTime,
    /// It cannot be read from disk.
    #[error("the object cannot be read: {0}")]
    Storage(String),
    /// It is there, and it, or what it is stored as a change of, is larger than what waxseal reads.
    #[error("the object is too large: waxseal reads none that takes more than 32 MiB")]
    TooLarge,
}

pub(super) fn gix_kind(kind: ObjectKind) -> gix::objs::Kind {
    match kind {
        ObjectKind::Commit => gix::objs::Kind::Commit,
        ObjectKind::Tag => gix::objs::Kind::Tag,
    }
}
