//! The user's repository: revisions and ranges, and the raw bytes of the objects they name. Reads only, but for notes that
//! keep evidence ([`notes`]).
//!
//! Replace refs are off: what `refs/replace` puts in an object's place is not what anybody signed. The commit graph is
//! not used: what is verified is what the objects themselves say.

use std::cell::Cell;
use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use gix::bstr::{BStr, ByteSlice as _};
use gix::objs::Kind;
use gix::revision::plumbing::Spec;

pub use gix::ObjectId;

mod ancestry;
mod every;
mod found;
mod hashed;
mod heads;
mod history;
mod joined;
mod merge_pack;
mod merge_store;
mod merge_trees;
mod merges;
mod names;
mod notes;
mod peel;
mod pushed;
mod remote;
mod special;
mod to_merge;
mod walk;

use super::{HashKind, ObjectKind};
use crate::causes::causes;
use joined::Joined;
use walk::Walk;

pub use ancestry::Commits;
pub use found::{FoundObject, RawObject, UnhashedObject, UnreadableObject};
pub use hashed::Entry;
pub use heads::{Head, Heads, Trees};
pub use history::{FileAt, HistoryError};
pub use merge_store::MergeStore;
pub use merge_trees::Extent;
pub use merges::Unmergeable;
pub use names::{Ambiguous, leading};
pub use notes::{EVIDENCE_REF, EvidenceNote, NotesError};
pub use peel::Peeled;
pub use pushed::{Pushed, PushedEnd};
pub use special::SpecialFile;
pub use to_merge::ToMerge;

/// An opened repository.
pub struct Repository {
    inner: gix::Repository,
    /// Commits whose parents were left out when the repository was cloned.
    shallow: HashSet<ObjectId>,
    /// How many commits may still be looked at for merge bases.
    merge_budget: Cell<usize>,
    /// When nothing more is read.
    deadline: Cell<Option<Instant>>,
    /// Where several folders of objects are one.
    joined: Option<Arc<Joined>>,
}

impl Repository {
    /// Opens the repository of a git directory that git trusts (`Settings::repository`).
    ///
    /// # Errors
    /// [`RepositoryError::Unusable`], and [`RepositoryError::Special`] for what nobody would come back from reading.
    pub fn open(git_dir: &Path) -> Result<Self, RepositoryError> {
        special::check_folder(git_dir)?;
        let unusable = |error: gix::Error| RepositoryError::Unusable(causes(&error));
        let options =
            gix::open::Options::default().with(gix::sec::Trust::Full).open_path_as_is(true).config_overrides([
                "core.useReplaceRefs=false".to_owned(),
                format!("gitoxide.objects.allocLimit={MAX_OBJECT_BYTES}"),
            ]);
        let mut inner = gix::open_opts(git_dir, options).map_err(unusable)?;
        inner.objects.ignore_replacements = true;
        // gix would read the placeholder that such a repository has for HEAD.
        let storage = inner.config_snapshot().string("extensions.refStorage");
        if let Some(storage) = storage.filter(|storage| !storage.eq_ignore_ascii_case(b"files")) {
            return Err(RepositoryError::Unusable(format!("its refs are stored as {storage}, which is not supported")));
        }
        let shallow = inner.shallow_commits().map_err(unusable)?;
        let shallow = shallow.map(|commits| commits.iter().copied().collect()).unwrap_or_default();
        let merge_budget = Cell::new(merges::MAX_COMMITS_OF_ALL);
        Ok(Self { inner, shallow, merge_budget, deadline: Cell::default(), joined: None })
    }

    /// The same repository, for a thread of its own.
    #[must_use]
    pub fn for_another_thread(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            shallow: self.shallow.clone(),
            merge_budget: self.merge_budget.clone(),
            deadline: self.deadline.clone(),
            joined: self.joined.clone(),
        }
    }

    /// From `deadline` on no commits and tags are read any more: they count as unreadable.
    pub fn read_until(&self, deadline: Instant) {
        self.deadline.set(Some(deadline));
    }

    /// That time, if there is one.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline.get()
    }

    /// Whether that time has come.
    fn is_late(&self) -> bool {
        self.deadline.get().is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// How the repository hashes.
    ///
    /// # Errors
    /// [`RepositoryError::Unusable`] for a hash function that is not known.
    pub fn hash_kind(&self) -> Result<HashKind, RepositoryError> {
        match self.inner.object_hash() {
            gix::hash::Kind::Sha1 => Ok(HashKind::Sha1),
            gix::hash::Kind::Sha256 => Ok(HashKind::Sha256),
            other => Err(RepositoryError::Unusable(format!("hash function {other} is not supported"))),
        }
    }

    /// Whether history was cut off when the repository was cloned.
    #[must_use]
    pub fn is_shallow(&self) -> bool {
        !self.shallow.is_empty()
    }

    /// What `revisions` name, none of it read yet. None at all: HEAD, or nothing while HEAD has no commit.
    ///
    /// # Errors
    /// [`RepositoryError`] for the first revision that names nothing that can be signed.
    pub fn select(&self, revisions: &[OsString]) -> Result<Vec<Selected>, RepositoryError> {
        if revisions.is_empty() {
            self.check_ref(BStr::new("HEAD"))?;
            let unborn = self.inner.head().is_ok_and(|head| head.is_unborn());
            return if unborn { Ok(Vec::new()) } else { Ok(vec![self.selected(BStr::new("HEAD"))?]) };
        }
        revisions
            .iter()
            .map(|revision| match gix::path::os_str_into_bstr(revision) {
                Ok(revision) => self.selected(revision),
                Err(_not_text) => Err(RepositoryError::Unknown(revision.as_encoded_bytes().to_vec())),
            })
            .collect()
    }

    /// The tag object that the ref `full` names, such as `refs/tags/v1`; none that is merely called so elsewhere.
    ///
    /// # Errors
    /// [`RepositoryError`] when there is no such ref, or it points at no tag object.
    pub fn annotated_tag(&self, full: &OsStr) -> Result<ObjectId, RepositoryError> {
        let name = || full.as_encoded_bytes().to_vec();
        let no_tag = || RepositoryError::NoTag(name());
        let full = gix::path::os_str_into_bstr(full).map_err(|_not_text| no_tag())?;
        self.check_revision(full.as_ref())?;
        let found = self.inner.try_find_reference(full).ok().flatten();
        let mut found = found.filter(|found| found.name().as_bstr() == full).ok_or_else(no_tag)?;
        let id = found.follow_to_object().map_err(|_error| no_tag())?.detach();
        match self.stored_kind(id) {
            // One that is not there is for the verdict.
            Some(Kind::Tag) | None => Ok(id),
            Some(kind) => Err(RepositoryError::LightweightTag { name: name(), kind: kind.to_string() }),
        }
    }

    /// The objects of `selected`, each read once: of a range the newest commit first, as `git log` has them.
    pub fn objects<'a>(&'a self, selected: &[Selected]) -> impl Iterator<Item = FoundObject> + use<'a> {
        self.unhashed_objects(selected).map(UnhashedObject::hashed)
    }

    /// The same for whoever has another thread hash them, or knows what they hash to.
    pub fn unhashed_objects<'a>(&'a self, selected: &[Selected]) -> impl Iterator<Item = UnhashedObject> + use<'a> {
        let selected = selected.to_vec();
        selected.into_iter().flat_map(move |selected| -> Box<dyn Iterator<Item = UnhashedObject> + 'a> {
            match selected {
                Selected::Object(id) => Box::new(std::iter::once(self.read_unhashed(id))),
                Selected::History { hidden, tips } => Box::new(Walk::new(self, &hidden, &tips)),
            }
        })
    }

    /// One object. Its bytes are hashed again: what does not hash to its name is not what was asked for.
    fn read(&self, id: ObjectId) -> FoundObject {
        self.read_unhashed(id).hashed()
    }

    fn read_unhashed(&self, id: ObjectId) -> UnhashedObject {
        if self.is_late() {
            return FoundObject { id, content: Err(UnreadableObject::OutOfTime) }.into();
        }
        let content = self.object_as_stored(id).and_then(|(kind, bytes)| match kind {
            Kind::Commit => Ok(RawObject { kind: ObjectKind::Commit, bytes }),
            Kind::Tag => Ok(RawObject { kind: ObjectKind::Tag, bytes }),
            Kind::Blob | Kind::Tree => Err(UnreadableObject::OtherKind),
        });
        UnhashedObject { found: FoundObject { id, content }, is_hashed: false }
    }

    fn selected(&self, revision: &BStr) -> Result<Selected, RepositoryError> {
        let unknown = || RepositoryError::Unknown(revision.to_vec());
        // A full object id names that object, whether it is there or not, and no branch of the same name.
        if revision.len() == self.inner.object_hash().len_in_hex()
            && let Ok(id) = ObjectId::from_hex(revision)
        {
            return self.signable(id, revision).map(Selected::Object);
        }
        self.check_revision(revision)?;
        // So does a ref, even where the object is not to be read.
        if let Ok(Some(mut reference)) = self.inner.try_find_reference(revision)
            && let Ok(id) = reference.follow_to_object()
        {
            return self.signable(id.detach(), revision).map(Selected::Object);
        }
        let spec = self.inner.rev_parse(revision).map_err(|error| match hashed::is_too_large(&error) {
            true => RepositoryError::Unreadable { revision: revision.to_vec(), why: UnreadableObject::TooLarge },
            false => unknown(),
        })?;
        if spec.path_and_mode().is_some() {
            return Err(RepositoryError::NotSignable { revision: revision.to_vec(), kind: "file" });
        }
        match spec.detach() {
            Spec::Include(id) => self.signable(id, revision).map(Selected::Object),
            Spec::Range { from, to } => {
                let (from, to) = (self.commit(from, revision)?, self.commit(to, revision)?);
                Ok(Selected::History { hidden: vec![from], tips: vec![to] })
            }
            Spec::Exclude(_) | Spec::Merge { .. } | Spec::IncludeOnlyParents { .. } | Spec::ExcludeParents(_) => {
                Err(RepositoryError::Form(revision.to_vec()))
            }
        }
    }

    /// A commit or tag, or an object that is not there.
    fn signable(&self, id: ObjectId, revision: &BStr) -> Result<ObjectId, RepositoryError> {
        let Some(kind) = self.stored_kind(id) else { return Ok(id) };
        match kind {
            Kind::Commit | Kind::Tag => Ok(id),
            Kind::Blob => Err(RepositoryError::NotSignable { revision: revision.to_vec(), kind: "file" }),
            Kind::Tree => Err(RepositoryError::NotSignable { revision: revision.to_vec(), kind: "tree" }),
        }
    }

    /// The commit at the end of a range; an annotated tag stands for the commit that it names.
    fn commit(&self, id: ObjectId, revision: &BStr) -> Result<ObjectId, RepositoryError> {
        match self.pushed(id).end {
            PushedEnd::Commit(commit) => Ok(commit),
            PushedEnd::NotSignable => Err(RepositoryError::Unknown(revision.to_vec())),
            PushedEnd::Unreadable(id) => Err(match self.unreadable(id) {
                Some(UnreadableObject::Missing) | None => RepositoryError::Unknown(revision.to_vec()),
                Some(why) => RepositoryError::Unreadable { revision: revision.to_vec(), why },
            }),
        }
    }
}

/// What one argument names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selected {
    /// Exactly this object: of an annotated tag the tag, not what it names.
    Object(ObjectId),
    /// Every commit that the tips have in their history and the hidden ones have not: of `A..B` what B has and A has not.
    History {
        /// Commits that are left out, with all before them.
        hidden: Vec<ObjectId>,
        /// Where the history ends.
        tips: Vec<ObjectId>,
    },
}

/// The repository or a revision cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// A ref that leads nowhere.
    #[error("the ref \"{name}\" is broken: it leads to no object", name = .0.as_bstr())]
    BrokenRef(Vec<u8>),
    /// A form of revision that names something else than one object or one range.
    #[error("\"{revision}\" is neither one revision nor a range A..B", revision = .0.as_bstr())]
    Form(Vec<u8>),
    /// A ref among the tags without a tag object: nobody can sign that.
    #[error("\"{name}\" is a lightweight tag: it points at a {kind}, and there is no tag that could be signed", name = .name.as_bstr())]
    LightweightTag {
        /// Its full name.
        name: Vec<u8>,
        /// What it points at.
        kind: String,
    },
    /// No ref of that name.
    #[error("there is no tag \"{name}\"", name = .0.as_bstr())]
    NoTag(Vec<u8>),
    /// A revision names a file or folder.
    #[error("\"{revision}\" is a {kind}, and only commits and tags are signed", revision = .revision.as_bstr())]
    NotSignable {
        /// As it was typed.
        revision: Vec<u8>,
        /// What it names.
        kind: &'static str,
    },
    /// gix would wait for it.
    #[error("the repository cannot be read: {0}")]
    Special(#[from] SpecialFile),
    /// What a revision names, or what stands on the way to it, is there and cannot be read.
    #[error("\"{revision}\" cannot be followed: {why}", revision = .revision.as_bstr())]
    Unreadable {
        /// As it was typed.
        revision: Vec<u8>,
        /// What is the matter.
        why: UnreadableObject,
    },
    /// A revision names nothing.
    #[error("unknown revision \"{revision}\"", revision = .0.as_bstr())]
    Unknown(Vec<u8>),
    /// What is there is no repository that waxseal can read.
    #[error("the repository cannot be read: {0}")]
    Unusable(String),
}

/// gix reads nothing larger, whatever store it reads from. Few commits, and few files or folders that a policy is read through,
/// are a thousandth of it.
pub const MAX_OBJECT_BYTES: usize = 32 << 20;

#[cfg(test)]
mod tests;
