//! The file of one log.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::crypto::Sha256Digest;
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
        let _lock = lock(self.folder, TRIES)?;
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
        let _lock = lock(self.folder, TRIES)?;
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
        let write = || {
            let mut text = serde_json::to_vec_pretty(&document)?;
            text.push(b'\n');
            let mut file = tempfile::NamedTempFile::new_in(self.folder)?;
            file.write_all(&text)?;
            file.as_file().sync_all()?;
            file.persist(path).map_err(|error| error.error)?;
            File::open(self.folder)?.sync_all()
        };
        write().map_err(|error| file_error(path, error))
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
    /// Somebody holds the lock, and does not let go of it.
    #[error("another process has held {path} for too long", path = .0.display())]
    Locked(PathBuf),
    /// Not what waxseal writes there.
    #[error("{path} is not a file of checkpoints that waxseal wrote", path = .0.display())]
    Malformed(PathBuf),
    /// Somebody should have looked long ago.
    #[error("{path} holds {MAX_ALARMS} contradictions already", path = .0.display())]
    TooMany(PathBuf),
}

fn read(path: &Path) -> Result<Option<Document>, RecordError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(file_error(path, error)),
    };
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| file_error(path, error))?;
    let malformed = || RecordError::Malformed(path.to_owned());
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_BYTES) {
        return Err(malformed());
    }
    let document: Document = serde_json::from_slice(&bytes).map_err(|_| malformed())?;
    if document.version != VERSION || document.seen.len() > MAX_SEEN {
        return Err(malformed());
    }
    Ok(Some(document))
}

/// Held while a file is read and replaced, never while anybody is asked. A process that was stopped meanwhile must not
/// keep a signature from being written that is in the log already.
fn lock(folder: &Path, tries: u32) -> Result<File, RecordError> {
    let path = folder.join(".lock");
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(|error| file_error(&path, error))?;
    for _ in 1..tries {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            Err(TryLockError::Error(error)) => return Err(file_error(&path, error)),
        }
    }
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(RecordError::Locked(path)),
        Err(TryLockError::Error(error)) => Err(file_error(&path, error)),
    }
}

fn file_error(path: &Path, error: io::Error) -> RecordError {
    RecordError::File { path: path.to_owned(), error }
}

/// The origin is the log's own text, so its digest stands for it.
fn stem(log: &TransparencyLogInstance, origin: &str) -> String {
    let origin: String = Sha256Digest::of(origin.as_bytes()).to_string().chars().take(16).collect();
    format!("{}-{origin}", log.log_id)
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

/// Ten seconds in all; whoever holds the lock writes one small file.
const TRIES: u32 = 500;
const PAUSE: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_process_is_not_waited_for_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let held = lock(folder.path(), 1).unwrap();
        assert!(matches!(lock(folder.path(), 3), Err(RecordError::Locked(_))));
        drop(held);
        lock(folder.path(), 1).unwrap();
    }
}
