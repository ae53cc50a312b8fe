//! Objects of every kind, hashed again when they are read: who can write to a store of objects, to an alternate of many clones
//! say, decides neither what a policy's file holds nor what came before what.

use gix::ObjectId;
use gix::bstr::BString;
use gix::error::{Class, ResourceExhaustionKind};
use gix::objs::tree::EntryKind;
use gix::objs::{Kind, TreeRefIter};

use super::walk::Header;
use super::{Repository, UnreadableObject};
use crate::causes::causes;

/// What stands at a path, if anything.
pub type Entry = Option<(ObjectId, EntryKind)>;

/// What stands in a tree, by its name.
type Named = (BString, (ObjectId, EntryKind));

impl Repository {
    /// An object.
    pub(super) fn object(&self, id: ObjectId) -> Result<(Kind, Vec<u8>), UnreadableObject> {
        let (kind, bytes) = self.object_as_stored(id)?;
        // Or they collide.
        let is_it = gix::objs::compute_hash(id.kind(), kind, &bytes).is_ok_and(|hash| hash == id);
        if is_it { Ok((kind, bytes)) } else { Err(UnreadableObject::Corrupt) }
    }

    /// An object whose bytes may hash to another name.
    pub(super) fn object_as_stored(&self, id: ObjectId) -> Result<(Kind, Vec<u8>), UnreadableObject> {
        if !self.could_have(id) {
            return Err(UnreadableObject::Missing);
        }
        match self.inner.try_find_object(id) {
            Ok(Some(object)) => Ok((object.kind, object.detach().data)),
            Ok(None) => Err(UnreadableObject::Missing),
            Err(error) if is_too_large(&error) => Err(UnreadableObject::TooLarge),
            Err(error) => Err(UnreadableObject::Storage(causes(&error))),
        }
    }

    /// Why an object that should be a commit or a tag, or is one, cannot be read; `None` where it can.
    #[must_use]
    pub fn unreadable(&self, id: ObjectId) -> Option<UnreadableObject> {
        self.read(id).content.err()
    }

    /// What it says that an object is; its bytes are not read.
    pub(super) fn stored_kind(&self, id: ObjectId) -> Option<Kind> {
        if !self.could_have(id) {
            return None;
        }
        self.inner.try_find_header(id).ok().flatten().map(|header| header.kind())
    }

    /// Whether `id` is a name in this repository. gix asked for one of another hash function panics.
    fn could_have(&self, id: ObjectId) -> bool {
        id.kind() == self.inner.object_hash()
    }

    /// What a commit says of its tree and its parents.
    pub(super) fn header(&self, commit: ObjectId) -> Result<Header, UnreadableObject> {
        match self.object(commit)? {
            (Kind::Commit, bytes) => Ok(Header::read(&bytes)),
            (Kind::Blob | Kind::Tag | Kind::Tree, _) => Err(UnreadableObject::OtherKind),
        }
    }

    /// What a commit has at `path`.
    pub(super) fn entry_at(&self, commit: ObjectId, path: &str) -> Result<Entry, UnreadableObject> {
        let tree = self.header(commit)?.tree.ok_or(UnreadableObject::Corrupt)?;
        self.entry(tree, path)
    }

    /// What a tree has at `path`.
    pub(super) fn entry(&self, tree: ObjectId, path: &str) -> Result<Entry, UnreadableObject> {
        self.entry_of(tree, path.split('/').map(str::as_bytes))
    }

    /// The same of a path whose names may be any bytes.
    pub(super) fn entry_of<'a>(
        &self,
        tree: ObjectId,
        path: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Entry, UnreadableObject> {
        let mut at = (tree, EntryKind::Tree);
        for name in path {
            let (tree, EntryKind::Tree) = at else { return Ok(None) };
            let bytes = self.tree(tree)?;
            let mut entries = TreeRefIter::from_bytes(&bytes, tree.kind());
            let found = entries.find(|entry| entry.as_ref().map_or(true, |entry| entry.filename == name));
            match found.transpose().map_err(|_malformed| UnreadableObject::Corrupt)? {
                Some(entry) => at = (entry.oid.to_owned(), entry.mode.kind()),
                None => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    /// All that a tree has.
    pub(super) fn entries(&self, tree: ObjectId) -> Result<Vec<Named>, UnreadableObject> {
        let bytes = self.tree(tree)?;
        let entries = TreeRefIter::from_bytes(&bytes, tree.kind());
        let entries = entries.map(|entry| {
            let entry = entry.map_err(|_malformed| UnreadableObject::Corrupt)?;
            Ok((entry.filename.to_owned(), (entry.oid.to_owned(), entry.mode.kind())))
        });
        entries.collect()
    }

    fn tree(&self, id: ObjectId) -> Result<Vec<u8>, UnreadableObject> {
        match self.object(id)? {
            (Kind::Tree, bytes) => Ok(bytes),
            (Kind::Blob | Kind::Commit | Kind::Tag, _) => Err(UnreadableObject::Corrupt),
        }
    }
}

/// Whether gix failed because something is larger than what it may read.
pub(super) fn is_too_large(error: &gix::Error) -> bool {
    error.classify().has(Class::ResourceExhaustion(ResourceExhaustionKind::AllocationLimit))
}
