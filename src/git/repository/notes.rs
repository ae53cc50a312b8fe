//! `refs/notes/waxseal-evidence`: notes that keep what proves an object. Read with budgets, and written as git writes
//! notes: the ref moves from the commit that was read to the new one or not at all.
//!
//! Whoever can push can write notes, so a note is no more than bytes. What cannot be read counts for nothing, and is said.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use gix::ObjectId;
use gix::actor::SignatureRef;
use gix::bstr::{BStr, BString, ByteSlice as _};
use gix::note::plumbing::State;
use gix::objs::tree::EntryKind;
use gix::refs::transaction::PreviousValue;
use gix::refs::{Target, TargetRef};
use jiff::Timestamp;

use super::{Repository, SpecialFile};
use crate::causes::causes;

/// Where the notes are.
pub const EVIDENCE_REF: &str = "refs/notes/waxseal-evidence";

impl Repository {
    /// The note of an object, as far as it can be read.
    #[must_use]
    pub fn evidence(&self, object: ObjectId) -> EvidenceNote {
        let mut note = EvidenceNote::default();
        let read = self.notes_tree().and_then(|tree| match tree {
            Some(tree) => self.collect(tree, &object.to_string(), &mut note, &mut { MAX_TREES }),
            None => Ok(()),
        });
        if let Err(error) = read {
            note.unreadable.get_or_insert(error);
        }
        note
    }

    /// Adds to the notes of objects: `added` makes the new note from the present one, or says that there is nothing to
    /// add. Other people's lines stay as they are. Returns the objects to whose notes nothing could be added, because they
    /// are too large, or would be, or are not to be read.
    ///
    /// # Errors
    /// [`NotesError`]; nothing was added then.
    pub fn add_evidence(
        &self,
        objects: &[ObjectId],
        added: impl Fn(&ObjectId, &[u8]) -> Option<Vec<u8>>,
        now: Timestamp,
    ) -> Result<Vec<ObjectId>, NotesError> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..ATTEMPTS {
            match self.try_to_add(objects, &added, now) {
                Err(NotesError::Moved(_)) => {}
                done => return done,
            }
            std::thread::sleep(pause + jitter(pause));
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        self.try_to_add(objects, &added, now)
    }

    fn try_to_add(
        &self,
        objects: &[ObjectId],
        added: &impl Fn(&ObjectId, &[u8]) -> Option<Vec<u8>>,
        now: Timestamp,
    ) -> Result<Vec<ObjectId>, NotesError> {
        let parent = self.notes_commit()?;
        self.check_log(EVIDENCE_REF)?;
        let tree = match parent {
            Some(commit) => self.inner.find_commit(commit).and_then(|commit| Ok(commit.tree_id()?.detach())),
            None => Ok(ObjectId::empty_tree(self.inner.object_hash())),
        };
        let mut state = tree.and_then(|tree| State::new(tree, &self.inner)).map_err(unreadable)?;
        let mut changed = BTreeMap::new();
        let mut in_the_way = Vec::new();
        for object in objects {
            let present = match state.get(object, &self.inner).map_err(unreadable)? {
                Some(blob) => self.note_blob(blob).ok(),
                None => Some(Vec::new()),
            };
            let Some(present) = present else {
                in_the_way.push(*object);
                continue;
            };
            match added(object, &present) {
                // Nobody would read it again, and what it proved before would be lost, too.
                Some(note) if !is_readable(&note) => in_the_way.push(*object),
                Some(note) => {
                    changed.insert(*object, note);
                }
                None => {}
            }
        }
        if changed.is_empty() {
            return Ok(in_the_way);
        }
        let unwritten = |error: gix::Error| NotesError::Unwritten(causes(&error));
        for (object, note) in &changed {
            let blob = self.inner.write_blob(note).map_err(unwritten)?.detach();
            state.edit(*object, Some(blob), &self.inner).map_err(unwritten)?;
        }
        let tree = state.write(&self.inner).map_err(unwritten)?;
        let (name, email) = self.author();
        let time = format!("{} +0000", now.as_second());
        let author = SignatureRef { name: name.as_bstr(), email: email.as_bstr(), time: &time };
        let commit = self.inner.new_commit_as(author, author, MESSAGE, tree, parent).map_err(unwritten)?.id;
        let expected = match parent {
            Some(parent) => PreviousValue::MustExistAndMatch(Target::Object(parent)),
            None => PreviousValue::MustNotExist,
        };
        let edit = gix::refs::transaction::RefEdit::update(full_name()?, commit, expected, LOG_MESSAGE);
        match self.inner.edit_references_as(Some(edit), Some(author)) {
            Ok(_edits) => Ok(in_the_way),
            Err(error) => Err(unmoved(&error)),
        }
    }

    /// The commit that the ref names; a symbolic ref is not followed, since writing would have to.
    fn notes_commit(&self) -> Result<Option<ObjectId>, NotesError> {
        self.check_ref(BStr::new(EVIDENCE_REF))?;
        let Some(reference) = self.inner.try_find_reference(EVIDENCE_REF).map_err(unreadable)? else { return Ok(None) };
        match reference.target() {
            TargetRef::Object(id) => Ok(Some(id.to_owned())),
            TargetRef::Symbolic(_) => Err(NotesError::Symbolic),
        }
    }

    fn notes_tree(&self) -> Result<Option<ObjectId>, NotesError> {
        let Some(commit) = self.notes_commit()? else { return Ok(None) };
        let tree = self.inner.find_commit(commit).and_then(|commit| Ok(commit.tree_id()?.detach()));
        tree.map(Some).map_err(unreadable)
    }

    /// The lines of each note of the object below `tree`. As in git there may be several, in folders named by the first
    /// digits of the object's name, and then they are one after the other. What was found is kept, whatever is in the way
    /// of the rest.
    fn collect(
        &self,
        tree: ObjectId,
        digits: &str,
        note: &mut EvidenceNote,
        trees: &mut usize,
    ) -> Result<(), NotesError> {
        let broken = |what: String| NotesError::Unreadable(what);
        *trees =
            trees.checked_sub(1).ok_or_else(|| broken(format!("more than {MAX_TREES} folders may have the note")))?;
        if self.inner.find_header(tree).map_err(unreadable)?.size() > MAX_TREE_BYTES {
            return Err(broken(format!("a folder has more than {MAX_TREE_BYTES} bytes")));
        }
        let tree = self.inner.find_tree(tree).map_err(unreadable)?;
        let Some((first, rest)) = digits.split_at_checked(2) else { return Ok(()) };
        for entry in tree.iter() {
            // Half a tree may have lost the note that counts.
            let entry = entry.map_err(|error| broken(causes(&error)))?;
            let (name, id) = (entry.filename(), entry.object_id());
            let read = match entry.mode().kind() {
                EntryKind::Blob if name == BStr::new(digits) => self.note_blob(id).and_then(|lines| {
                    if note.text.len() + lines.len() > MAX_NOTES_BYTES {
                        return Err(NotesError::TooLarge);
                    }
                    note.text.extend(lines);
                    note.text.push(b'\n');
                    Ok(())
                }),
                EntryKind::Tree if name == BStr::new(first) && !rest.is_empty() => self.collect(id, rest, note, trees),
                // Of the last two digits both, and then it is the note that they name.
                _ if name == BStr::new(digits) => Err(broken("the object's note is no plain file".to_owned())),
                _ if name == BStr::new(first) => Err(broken("the folder of the object's note is no folder".to_owned())),
                _ => Ok(()),
            };
            if let Err(error) = read {
                note.unreadable.get_or_insert(error);
            }
        }
        Ok(())
    }

    fn note_blob(&self, id: ObjectId) -> Result<Vec<u8>, NotesError> {
        let header = self.inner.find_header(id).map_err(unreadable)?;
        if header.size() > MAX_NOTE_BYTES {
            return Err(NotesError::TooLarge);
        }
        Ok(self.inner.find_blob(id).map_err(unreadable)?.detach().data)
    }

    /// Who git says is committing; where it says nothing, waxseal itself.
    fn author(&self) -> (BString, BString) {
        match self.inner.committer() {
            Some(Ok(committer)) => (committer.name.to_owned(), committer.email.to_owned()),
            Some(Err(_)) | None => (BString::from("waxseal"), BString::from("waxseal@localhost")),
        }
    }
}

/// What the notes have for an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EvidenceNote {
    /// Its lines.
    pub text: Vec<u8>,
    /// Why there may be more: what was the first that could not be read.
    pub unreadable: Option<NotesError>,
}

/// Notes that cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotesError {
    /// Somebody else was faster, or holds the lock.
    #[error("{EVIDENCE_REF} could not be updated: {0}")]
    Moved(String),
    /// gix would wait for it.
    #[error("{EVIDENCE_REF} cannot be read: {0}")]
    Special(#[from] SpecialFile),
    /// Where it leads is not ours to change.
    #[error("{EVIDENCE_REF} is a symbolic ref, which is not followed")]
    Symbolic,
    /// More than a note has.
    #[error("the object's note in {EVIDENCE_REF} is too large to be read")]
    TooLarge,
    /// The tree below the ref, or a note.
    #[error("{EVIDENCE_REF} cannot be read: {0}")]
    Unreadable(String),
    /// The disk's answer.
    #[error("the notes cannot be written: {0}")]
    Unwritten(String),
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unreadable(error: gix::Error) -> NotesError {
    NotesError::Unreadable(causes(&error))
}

/// A ref that was not moved: who else writes goes away, and a full or read-only disk does not.
fn unmoved(error: &gix::Error) -> NotesError {
    let mut of_the_disk = error.iter_errors().filter_map(|error| error.downcast_ref::<io::Error>());
    let others = [io::ErrorKind::AlreadyExists, io::ErrorKind::NotFound, io::ErrorKind::Interrupted];
    if of_the_disk.any(|error| !others.contains(&error.kind())) {
        NotesError::Unwritten(causes(error))
    } else {
        NotesError::Moved(causes(error))
    }
}

fn is_readable(note: &[u8]) -> bool {
    u64::try_from(note.len()).is_ok_and(|size| size <= MAX_NOTE_BYTES)
}

fn full_name() -> Result<gix::refs::FullName, NotesError> {
    gix::refs::FullName::try_from(EVIDENCE_REF).map_err(|error| NotesError::Unreadable(error.to_string()))
}

/// Up to a quarter more, so that programs which met do not meet again.
fn jitter(pause: Duration) -> Duration {
    pause * u32::from(std::process::id().to_le_bytes()[0]) / 1024
}

const MESSAGE: &str = "Notes added by waxseal evidence fetch\n";
const LOG_MESSAGE: &str = "notes: added by waxseal evidence fetch";

/// Each entry has three to ten kilobytes.
const MAX_NOTE_BYTES: u64 = 1 << 20;
/// Of all notes of one object.
const MAX_NOTES_BYTES: usize = 2 << 20;

/// A folder, and a few more where unfinished merges left notes in several; names may stand twice in a broken tree.
const MAX_TREES: usize = 64;

/// Half a million notes in one folder, where git begins to use folders long before.
const MAX_TREE_BYTES: u64 = 32 << 20;

/// About ten seconds in all.
const ATTEMPTS: u32 = 40;
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(300);

#[cfg(test)]
mod tests;
