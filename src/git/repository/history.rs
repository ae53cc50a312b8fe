//! What a policy asks of a repository: a file as a commit has it, who changes it, and what came before what.

use std::ffi::OsStr;
use std::path::PathBuf;

use gix::ObjectId;
use gix::bstr::{BStr, ByteSlice as _};
use gix::objs::tree::EntryKind;

use super::found::gix_kind;
use super::walk::{Header, Walk};
use super::{FoundObject, PushedEnd, RawObject, Repository, RepositoryError, Selected, UnreadableObject};
use crate::git::{ObjectKind, signed_bytes};

impl Repository {
    /// Every work tree of the repository, linked ones too, with symbolic links resolved where it is there.
    #[must_use]
    pub fn work_trees(&self) -> Vec<PathBuf> {
        let mut folders: Vec<PathBuf> = self.inner.workdir().map(PathBuf::from).into_iter().collect();
        if let Ok(main) = self.inner.main_repo() {
            folders.extend(main.workdir().map(PathBuf::from));
        }
        let linked = self.inner.worktrees().unwrap_or_default();
        folders.extend(linked.iter().filter_map(|worktree| worktree.base().ok()));
        folders.into_iter().map(|folder| folder.canonicalize().unwrap_or(folder)).collect()
    }

    /// The full name of the ref that `revision` names: of a range its end, of HEAD the branch that is checked out.
    #[must_use]
    pub fn reference(&self, revision: &OsStr) -> Option<String> {
        let revision = gix::path::os_str_into_bstr(revision).ok()?;
        let name = match revision.find("..") {
            Some(at) => revision.get(at + 2..)?.as_bstr(),
            None => revision,
        };
        let name = if name.is_empty() { BStr::new("HEAD") } else { name };
        self.check_revision(name).ok()?;
        if name == "HEAD" || name == "@" {
            return self.inner.head_name().ok().flatten().map(|name| name.as_bstr().to_string());
        }
        let reference = self.inner.try_find_reference(name).ok().flatten()?;
        Some(reference.name().as_bstr().to_string())
    }

    /// The file at `path` as the commit that `revision` names has it.
    ///
    /// # Errors
    /// [`HistoryError`] when there is no such commit or file, or it is a symbolic link, or larger than `max_bytes`.
    pub fn file_at(&self, revision: &str, path: &str, max_bytes: u64) -> Result<FileAt, HistoryError> {
        let id = match self.selected(BStr::new(revision)) {
            Ok(Selected::Object(id)) => id,
            Ok(Selected::History { .. }) => return Err(HistoryError::NotACommit(revision.to_owned())),
            Err(RepositoryError::Unreadable { why, .. }) => return Err(why.into()),
            Err(error) => return Err(error.into()),
        };
        let commit = match self.pushed(id).end {
            PushedEnd::Commit(commit) => commit,
            PushedEnd::NotSignable => return Err(HistoryError::NotACommit(revision.to_owned())),
            PushedEnd::Unreadable(id) => {
                return Err(match self.header(id) {
                    Err(unreadable) if unreadable != UnreadableObject::Missing => unreadable.into(),
                    _ => RepositoryError::Unknown(revision.as_bytes().to_vec()).into(),
                });
            }
        };
        let (id, kind) = self
            .entry_at(commit, path)?
            .ok_or_else(|| HistoryError::NoFile { revision: revision.to_owned(), path: path.to_owned() })?;
        match kind {
            EntryKind::Blob | EntryKind::BlobExecutable => {}
            EntryKind::Commit | EntryKind::Link | EntryKind::Tree => {
                return Err(HistoryError::NotAFile { revision: revision.to_owned(), path: path.to_owned() });
            }
        }
        let too_large = || HistoryError::TooLarge(path.to_owned());
        let (_blob, bytes) = self.object(id).map_err(|unreadable| match unreadable {
            UnreadableObject::TooLarge => too_large(),
            unreadable => unreadable.into(),
        })?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length > max_bytes) {
            return Err(too_large());
        }
        Ok(FileAt { commit, through: self.led_through(revision), bytes })
    }

    /// Whether `commit` is among the objects that `selected` names, or behind a tag among them. `None` where a tag leads
    /// to what the repository does not have.
    #[must_use]
    pub fn contains(&self, selected: &[Selected], commit: ObjectId) -> Option<bool> {
        if self.is_among(selected, commit) {
            return Some(true);
        }
        any(selected.iter().map(|one| match one {
            Selected::Object(id) => self.peeled(*id).contains(commit),
            Selected::History { .. } => Some(false),
        }))
    }

    /// Whether `commit` itself is among the objects that `selected` names.
    #[must_use]
    pub fn is_among(&self, selected: &[Selected], commit: ObjectId) -> bool {
        selected.iter().any(|one| match one {
            Selected::Object(id) => *id == commit,
            Selected::History { hidden, tips } => Walk::new(self, hidden, tips).any(|read| read.id() == commit),
        })
    }

    /// Whether a commit changes one of the files at `paths`.
    #[must_use]
    pub fn changes_any(&self, found: &FoundObject, paths: &[String]) -> Option<bool> {
        let Ok(RawObject { kind, bytes }) = &found.content else {
            return if paths.is_empty() { Some(false) } else { None };
        };
        self.changes_any_of(*kind, bytes, paths)
    }

    /// The same of an object's bytes, whether the repository has it or not.
    #[must_use]
    pub fn changes_any_of(&self, kind: ObjectKind, bytes: &[u8], paths: &[String]) -> Option<bool> {
        any(paths.iter().map(|path| self.changes_of(kind, bytes, path)))
    }

    /// Whether a tree has at one of `paths` what neither of two commits has there.
    #[must_use]
    pub fn has_of_its_own(&self, tree: ObjectId, commits: [ObjectId; 2], paths: &[String]) -> Option<bool> {
        any(paths.iter().map(|path| {
            let own = self.entry(tree, path).ok()?;
            let theirs = commits.map(|commit| self.entry_at(commit, path).ok());
            let [Some(one), Some(other)] = theirs else { return None };
            Some(own != one && own != other)
        }))
    }

    /// Whether a commit changes the file at `path`: has another one than its parent, or, of a merge, than a clean merge of
    /// its parents gives; a tag never. `None` where it takes an object that cannot be read.
    fn changes_of(&self, kind: ObjectKind, bytes: &[u8], path: &str) -> Option<bool> {
        match kind {
            ObjectKind::Commit => {}
            ObjectKind::Tag => return Some(false),
        }
        let header = Header::read(bytes);
        let own = self.entry(header.tree?, path).ok()?;
        self.departs_from_merge(own, &header.parents, path)
    }

    /// The id of the object of which Git hands a verifier `payload` and `signature`.
    #[must_use]
    pub fn id_of(&self, kind: ObjectKind, payload: &[u8], signature: &[u8]) -> Option<ObjectId> {
        let bytes = signed_bytes(kind, self.hash_kind().ok()?, payload, signature)?;
        gix::objs::compute_hash(self.inner.object_hash(), gix_kind(kind), &bytes).ok()
    }
}

impl FoundObject {
    /// The parents of a commit, and its tree; `None` of what is none, or cannot be read.
    #[must_use]
    pub fn parents_and_tree(&self) -> Option<(Vec<ObjectId>, ObjectId)> {
        let Ok(RawObject { kind: ObjectKind::Commit, bytes }) = &self.content else { return None };
        let header = Header::read(bytes);
        Some((header.parents, header.tree?))
    }

    /// When the committer of a commit says that it was made, in seconds since 1970.
    #[must_use]
    pub fn date(&self) -> Option<i64> {
        let Ok(RawObject { kind: ObjectKind::Commit, bytes }) = &self.content else { return None };
        Some(Header::read(bytes).date)
    }
}

/// Whether one of the answers is yes; `None` where none is, and not all are known.
fn any(answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut answer = Some(false);
    for one in answers {
        match one {
            Some(true) => return one,
            Some(false) => {}
            None => answer = None,
        }
    }
    answer
}

/// A file as a commit has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileAt {
    /// The commit.
    pub commit: ObjectId,
    /// The objects through which its name led to it, tags among them.
    pub through: Vec<ObjectId>,
    /// The file's bytes.
    pub bytes: Vec<u8>,
}

/// The repository does not have what a policy asks for.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// Nothing at that path.
    #[error("\"{revision}\" has no file \"{path}\"")]
    NoFile {
        /// As it was typed.
        revision: String,
        /// Within the repository.
        path: String,
    },
    /// The start commit of a policy.
    #[error("the repository has no commit {0}")]
    NoStart(String),
    /// A full name, in a repository whose names are longer or shorter.
    #[error("{commit} has the length of another hash function's names: those of this repository have {digits} digits")]
    OtherHash {
        /// As it was written.
        commit: String,
        /// Of this repository's names.
        digits: usize,
    },
    /// A range, or nothing that is a commit.
    #[error("\"{0}\" does not name one commit")]
    NotACommit(String),
    /// A folder, a symbolic link or a submodule.
    #[error("\"{path}\" is no plain file in \"{revision}\"")]
    NotAFile {
        /// As it was typed.
        revision: String,
        /// Within the repository.
        path: String,
    },
    /// The revision.
    #[error(transparent)]
    Revision(#[from] RepositoryError),
    /// More bytes than such a file has.
    #[error("\"{0}\" is too large")]
    TooLarge(String),
    /// An object on the way to the file.
    #[error("the repository cannot be read: {0}")]
    Unreadable(#[from] UnreadableObject),
}
