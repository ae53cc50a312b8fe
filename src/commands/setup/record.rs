//! What `waxseal setup` replaced, so that it can be put back.

use std::io::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::plan::{Plan, PlannedChange, Splice};
use crate::command_error::CommandError;
use crate::crypto::Sha256Digest;
use crate::files;
use crate::settings::config_file::ConfigFileError;

pub(super) mod unfinished;

/// All changes to one file since the first `waxseal setup` that was not undone.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    /// The file that was changed: its whole path, or its name if it stands above the record's folder.
    file: String,
    /// There was no file before.
    created: bool,
    /// SHA-256 of the file after the last change, in hexadecimal digits.
    after_sha256: String,
    /// The changes byte for byte, first to last; empty where somebody else changed the file between two of them.
    splices: Vec<RecordedSplice>,
    pub(super) changes: Vec<RecordedChange>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordedSplice {
    at: usize,
    /// Base64: nobody promises UTF-8.
    removed: String,
    inserted: String,
}

/// One key's change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordedChange {
    pub(super) key: String,
    /// The value whose place was taken; `None`: it was added.
    pub(super) before: Option<String>,
    pub(super) after: String,
}

/// A record that is on the disk, but not yet in its place.
pub(super) struct Prepared<'a> {
    file: NamedTempFile,
    path: &'a Path,
}

impl Record {
    /// The record at `path` about `file`; an empty one if there is none.
    pub(super) fn load(path: &Path, file: &Path) -> Result<Self, CommandError> {
        let unusable = |why: &dyn std::fmt::Display| {
            CommandError::failed(format_args!("{} cannot be used: {why}", path.display()))
                .hint("it says what was there before; whoever does without that can remove it")
        };
        let bytes = match files::read(path, MAX_RECORD_BYTES) {
            Ok(bytes) => bytes,
            Err(error) if error.is_absent() => return Ok(Self { file: subject(path, file), ..Self::default() }),
            Err(error) => return Err(unusable(&error)),
        };
        let record: Self = serde_json::from_slice(&bytes).map_err(|error| unusable(&error))?;
        // GIT_CONFIG_GLOBAL named another one then.
        if record.file != subject(path, file) {
            return Err(unusable(&format_args!("it is about {}", record.file)));
        }
        Ok(record)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Whether there was no file before.
    pub(super) fn made_the_file(&self) -> bool {
        self.created
    }

    /// The same with one more change of the file.
    pub(super) fn after(mut self, plan: &Plan) -> Self {
        if self.is_empty() {
            self.created = plan.before().is_none();
        }
        let continues = self.is_empty() || plan.before().is_some_and(|bytes| self.is_after(bytes));
        self.splices = match continues {
            true => self.splices.into_iter().chain(plan.splices.iter().map(RecordedSplice::of)).collect(),
            false => Vec::new(),
        };
        for PlannedChange { key, before, after } in &plan.changes {
            // What was there first is what is put back.
            let earlier =
                self.changes.iter_mut().find(|change| change.key == *key && Some(&change.after) == before.as_ref());
            match earlier {
                Some(earlier) => earlier.after.clone_from(after),
                None => {
                    self.changes.push(RecordedChange { key: key.clone(), before: before.clone(), after: after.clone() })
                }
            }
        }
        self.after_sha256 = Sha256Digest::of(&plan.after()).to_string();
        self
    }

    /// What was in the file before, if nobody else has changed it since: `Some(None)` if there was none.
    pub(super) fn untouched(&self, now: &[u8]) -> Option<Option<Vec<u8>>> {
        if !self.is_after(now) || self.splices.is_empty() {
            return None;
        }
        let before = self.splices.iter().rev().try_fold(now.to_vec(), |text, splice| splice.parsed()?.undo(&text))?;
        Some(Some(before).filter(|_| !self.created))
    }

    /// Whether `bytes` are what the last change left.
    pub(super) fn is_after(&self, bytes: &[u8]) -> bool {
        Sha256Digest::of(bytes).to_string() == self.after_sha256
    }

    /// Writes it beside its place, so that little can go wrong once the file was changed.
    pub(super) fn prepare<'a>(&self, path: &'a Path) -> Result<Prepared<'a>, CommandError> {
        let write = || -> std::io::Result<NamedTempFile> {
            let mut file = unfinished::file(path)?;
            file.write_all(&serde_json::to_vec_pretty(self)?)?;
            file.as_file().sync_all()?;
            Ok(file)
        };
        let file = write().map_err(|error| {
            CommandError::failed(format_args!("{} cannot be written: {error}", path.display()))
                .hint("nothing was changed")
        })?;
        Ok(Prepared { file, path })
    }
}

impl Prepared<'_> {
    /// Puts the record in its place when the change was made.
    pub(super) fn persist_after(
        self,
        change: impl FnOnce() -> Result<(), ConfigFileError>,
    ) -> Result<(), CommandError> {
        change()?;
        let path = self.path;
        self.file.persist(path).map(drop).map_err(|error| {
            CommandError::failed(format_args!("changed, but {} cannot be written: {}", path.display(), error.error))
                .hint("--undo will not put back what was there")
        })
    }
}

impl RecordedSplice {
    fn of(splice: &Splice) -> Self {
        let Splice { at, removed, inserted } = splice;
        Self { at: *at, removed: STANDARD.encode(removed), inserted: STANDARD.encode(inserted) }
    }

    fn parsed(&self) -> Option<Splice> {
        let bytes = |text: &String| STANDARD.decode(text).ok();
        Some(Splice { at: self.at, removed: bytes(&self.removed)?, inserted: bytes(&self.inserted)? })
    }
}

/// What the record at `path` calls `file`: by its name where it stands in a folder beside it, because repositories are moved
/// and copied.
fn subject(path: &Path, file: &Path) -> String {
    let beside = path.parent().and_then(Path::parent).is_some_and(|folder| file.parent() == Some(folder));
    text(file.file_name().map(Path::new).filter(|_| beside).unwrap_or(file))
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// A few lines a change.
const MAX_RECORD_BYTES: u64 = 1 << 20;
