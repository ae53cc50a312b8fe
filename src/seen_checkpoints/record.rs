//! The file of one log.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::crypto::Sha256Digest;
use crate::files::{self, LockError, ReadError};
use crate::tlog::checkpoint::{Checkpoint, CheckpointError, VerifiedCheckpoint};
use crate::tlog::note::SignedNote;
use crate::trusted_root::TransparencyLogInstance;

/// A checkpoint that came as the answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sighting {
    pub(super) fetched: Timestamp,
    pub(super) address: String,
    pub(super) envelope: String,
    pub(super) checkpoint: VerifiedCheckpoint,
}

/// Tree sizes and root hashes by file name. Not verified: they are only compared with what is.
pub(super) type Sizes = BTreeMap<String, Vec<(u64, Sha256Digest)>>;

/// What every file in `folder` holds. One that cannot be read holds nothing.
pub(super) fn sizes(folder: &Path) -> Sizes {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().take(MAX_LOGS);
    let sizes = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok().filter(|name| is_record(name))?;
        let file = read(&entry.path()).ok()??;
        let checkpoints = file.seen.iter().filter_map(|seen| {
            let checkpoint = Checkpoint::parse(SignedNote::parse(&seen.checkpoint).ok()?.text).ok()?;
            Some((checkpoint.tree_size, checkpoint.root_hash))
        });
        Some((name, checkpoints.collect()))
    });
    sizes.collect()
}

/// How many files `folder` holds, and what is wrong with some.
pub(super) fn examine(folder: &Path, logs: &[&TransparencyLogInstance]) -> (usize, Vec<RecordError>) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().take(MAX_LOGS);
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok().filter(|name| is_record(name)));
    let mut names: Vec<String> = names.collect();
    names.sort();
    let wrong = names.iter().filter_map(|name| examine_one(&folder.join(name), name, logs).err());
    (names.len(), wrong.collect())
}

/// Of a log whose key is not known, only the form can be looked at.
fn examine_one(path: &Path, name: &str, logs: &[&TransparencyLogInstance]) -> Result<(), RecordError> {
    let Some(file) = read(path)? else { return Ok(()) };
    let Some(log) = logs.iter().find(|log| name.starts_with(&format!("{}-", log.log_id))) else { return Ok(()) };
    for seen in file.seen {
        let checkpoint = Checkpoint::verify(&seen.checkpoint, log);
        let checkpoint = checkpoint.map_err(|error| RecordError::Checkpoint { path: path.to_owned(), error })?;
        if format!("{}{END}", stem(log, checkpoint.origin())) != name {
            return Err(RecordError::Malformed(path.to_owned()));
        }
    }
    Ok(())
}

/// The file of one log: its key and its origin.
#[derive(Debug)]
pub(super) struct Record<'a> {
    folder: &'a Path,
    name: String,
    path: PathBuf,
    log: &'a TransparencyLogInstance,
    origin: String,
}

impl<'a> Record<'a> {
    pub(super) fn new(folder: &'a Path, log: &'a TransparencyLogInstance, origin: &str) -> Self {
        let name = format!("{}{END}", stem(log, origin));
        Self { folder, path: folder.join(&name), name, log, origin: origin.to_owned() }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What is kept. Each is verified again: what somebody else put there must not speak for the log.
    pub(super) fn read(&self) -> Result<Vec<Sighting>, RecordError> {
        let Some(file) = read(&self.path)? else { return Ok(Vec::new()) };
        file.seen.into_iter().map(|seen| self.verify(seen)).collect()
    }

    /// Puts `new` in the place of `old`; false, if it is not `old` any more that is there.
    pub(super) fn replace(&self, old: &[Sighting], new: &[Sighting]) -> Result<bool, RecordError> {
        fs::create_dir_all(self.folder).map_err(|error| file_error(self.folder, error))?;
        let _lock = files::lock(self.folder)?;
        if self.read()? != old {
            return Ok(false);
        }
        self.write(&self.path, new)?;
        Ok(true)
    }

    /// Keeps a checkpoint that contradicts what is kept. The same one is kept once.
    pub(super) fn keep_beside(&self, new: &Sighting) -> Result<PathBuf, RecordError> {
        let root: String = new.checkpoint.root_hash().to_string().chars().take(16).collect();
        let name = format!("{}{ALARM}{}-{root}{END}", stem(self.log, &self.origin), new.checkpoint.tree_size());
        let path = self.folder.join(name);
        let _lock = files::lock(self.folder)?;
        if !path.exists() {
            let entries = fs::read_dir(self.folder).map_err(|error| file_error(self.folder, error))?;
            let alarms = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().contains(ALARM));
            if alarms.count() >= MAX_ALARMS {
                return Err(RecordError::TooMany(self.folder.to_owned()));
            }
            self.write(&path, std::slice::from_ref(new))?;
        }
        Ok(path)
    }

    fn verify(&self, seen: Seen) -> Result<Sighting, RecordError> {
        let checkpoint = Checkpoint::verify(&seen.checkpoint, self.log);
        let checkpoint = checkpoint.map_err(|error| RecordError::Checkpoint { path: self.path.clone(), error })?;
        if checkpoint.origin() != self.origin {
            return Err(RecordError::Malformed(self.path.clone()));
        }
        Ok(Sighting { fetched: seen.fetched, address: seen.address, envelope: seen.checkpoint, checkpoint })
    }

    /// Whole or not at all, and on the disk before this returns.
    fn write(&self, path: &Path, sightings: &[Sighting]) -> Result<(), RecordError> {
        let seen = sightings.iter().map(|sighting| Seen {
            fetched: sighting.fetched,
            address: sighting.address.clone(),
            checkpoint: sighting.envelope.clone(),
        });
        let document = Document { version: VERSION, seen: seen.collect() };
        let text = serde_json::to_vec_pretty(&document).map_err(io::Error::from);
        let written = text.and_then(|mut text| {
            text.push(b'\n');
            files::replace(path, &text)
        });
        written.map_err(|error| file_error(path, error))
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    seen: Vec<Seen>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    fetched: Timestamp,
    address: String,
    checkpoint: String,
}

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// What it holds does not verify under the log's key.
    #[error("{path}: {error}", path = .path.display())]
    Checkpoint {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        error: CheckpointError,
    },
    /// The disk's answer.
    #[error("{path}: {error}", path = .path.display())]
    File {
        /// Which file or folder.
        path: PathBuf,
        /// What happened.
        error: io::Error,
    },
    /// Somebody else is writing.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Not what waxseal writes there.
    #[error("{path} is not a file of checkpoints that waxseal wrote", path = .0.display())]
    Malformed(PathBuf),
    /// Somebody should have looked long ago.
    #[error("{path} holds {MAX_ALARMS} contradictions already", path = .0.display())]
    TooMany(PathBuf),
}

impl RecordError {
    /// What would help.
    #[must_use]
    pub fn next_step(&self) -> &'static str {
        match self {
            Self::Checkpoint { .. } | Self::Malformed(_) => {
                "find out who wrote that file, and remove it: until then nobody would notice if the log shrank"
            }
            Self::File { .. } => "make it readable and writable: until then nobody would notice if the log shrank",
            Self::Lock(_) => "the next one is kept again, unless the lock stays",
            Self::TooMany(_) => "show them to others who use the log, then remove them",
        }
    }
}

fn read(path: &Path) -> Result<Option<Document>, RecordError> {
    let malformed = || RecordError::Malformed(path.to_owned());
    let bytes = match files::read(path, MAX_BYTES) {
        Ok(bytes) => bytes,
        Err(error) if error.is_absent() => return Ok(None),
        Err(ReadError::Io(error)) => return Err(file_error(path, error)),
        Err(ReadError::NotRegular | ReadError::TooLarge(_)) => return Err(malformed()),
    };
    let document: Document = serde_json::from_slice(&bytes).map_err(|_| malformed())?;
    if document.version != VERSION || document.seen.len() > MAX_SEEN {
        return Err(malformed());
    }
    Ok(Some(document))
}

fn file_error(path: &Path, error: io::Error) -> RecordError {
    RecordError::File { path: path.to_owned(), error }
}

/// The origin is the log's own text, so its digest stands for it.
fn stem(log: &TransparencyLogInstance, origin: &str) -> String {
    let origin: String = Sha256Digest::of(origin.as_bytes()).to_string().chars().take(16).collect();
    format!("{}-{origin}", log.log_id)
}

/// The files that keep what contradicts a kept checkpoint.
pub(super) fn alarms(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().take(MAX_LOGS);
    let alarms = entries.filter(|entry| entry.file_name().to_string_lossy().contains(ALARM));
    let mut alarms: Vec<PathBuf> = alarms.map(|entry| entry.path()).collect();
    alarms.sort();
    alarms
}

fn is_record(name: &str) -> bool {
    name.ends_with(END) && !name.contains(ALARM) && !name.starts_with('.')
}

const VERSION: u32 = 1;
const ALARM: &str = ".alarm-";
const END: &str = ".json";

/// Checkpoints in one file.
pub(super) const MAX_SEEN: usize = 8;

/// [`MAX_SEEN`] notes of the largest size that is read, 64 KiB, with their line feeds escaped.
const MAX_BYTES: u64 = 1 << 20;

/// Files that are looked at: each instance has one to three logs.
const MAX_LOGS: usize = 1024;

const MAX_ALARMS: usize = 16;
