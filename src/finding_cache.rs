//! What verifying found, kept from one run to the next: never a verdict, and nothing that a policy, a clock or a flag had
//! a say in ([`crate::verify::kept`]).
//!
//! ```text
//! CACHE/findings/00 … ff    records, by the first byte of their names
//! record = length of the finding (u16, big-endian) · name (32 bytes) · finding · first 8 bytes of SHA-256(name · finding)
//! ```
//! A file only ever grows, by whole records under a lock, until it is full and begins again. A record that is cut off or
//! damaged is not there. Only the user can write here; who can do that could as well replace the program.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::crypto::Sha256Digest;
use crate::files;

/// The user's findings. Shared by the threads of a run, and by any number of runs.
#[derive(Debug)]
pub struct FindingCache {
    folder: PathBuf,
    /// Where each file's records begin, read when the first one is wanted.
    indices: Vec<Mutex<Option<Index>>>,
    /// Not written yet.
    new: Mutex<Vec<Record>>,
    trouble: Mutex<Option<CacheError>>,
}

/// First bytes of the name, and where the record begins.
type Index = HashMap<u64, u32>;

#[derive(Debug)]
struct Record {
    name: Sha256Digest,
    finding: Vec<u8>,
}

impl FindingCache {
    /// The findings in the folder `findings` of `cache`. Nothing is read or made yet.
    ///
    /// # Errors
    /// [`CacheError`] when what is there is not the user's own.
    pub fn open(cache: &Path) -> Result<Self, CacheError> {
        let folder = cache.join(FOLDER);
        refuse_foreign(&folder)?;
        let indices = (0..FILES).map(|_| Mutex::new(None)).collect();
        Ok(Self { folder, indices, new: Mutex::default(), trouble: Mutex::default() })
    }

    /// The finding that is kept under `name`.
    #[must_use]
    pub fn recall(&self, name: &Sha256Digest) -> Option<Vec<u8>> {
        let (file, key) = place(name)?;
        let mut index = locked(self.indices.get(usize::from(file))?);
        let index = index.get_or_insert_with(|| self.index(file));
        let at = *index.get(&key)?;
        let mut file = files::open_regular(&self.path(file)).ok()?;
        file.seek(SeekFrom::Start(at.into())).ok()?;
        let record = Record::read(&mut BufReader::with_capacity(USUAL_RECORD, file)).ok()??;
        (record.name == *name).then_some(record.finding)
    }

    /// Keeps a finding. It is on the disk after some more, or when the value goes.
    pub fn keep(&self, name: Sha256Digest, finding: Vec<u8>) {
        if u16::try_from(finding.len()).is_err() {
            return;
        }
        let mut new = locked(&self.new);
        new.push(Record { name, finding });
        if new.len() >= MAX_UNWRITTEN {
            let records = std::mem::take(&mut *new);
            drop(new);
            self.write(records);
        }
    }

    /// Writes what is not written yet.
    ///
    /// # Errors
    /// What kept this or an earlier finding from being written.
    pub fn finish(&self) -> Result<(), CacheError> {
        let records = std::mem::take(&mut *locked(&self.new));
        self.write(records);
        locked(&self.trouble).take().map_or(Ok(()), Err)
    }

    fn write(&self, mut records: Vec<Record>) {
        if records.is_empty() || locked(&self.trouble).is_some() {
            return;
        }
        records.sort_by_key(|record| record.name);
        let done = make(&self.folder).and_then(|()| {
            records.chunk_by(|one, other| place(&one.name) == place(&other.name)).try_for_each(|records| {
                let Some((file, _)) = records.first().and_then(|record| place(&record.name)) else { return Ok(()) };
                append(&self.path(file), records).map_err(|error| CacheError::Io { path: self.path(file), error })
            })
        });
        if let Err(error) = done {
            locked(&self.trouble).get_or_insert(error);
        }
    }

    fn path(&self, file: u8) -> PathBuf {
        self.folder.join(format!("{file:02x}"))
    }

    fn index(&self, file: u8) -> Index {
        let bytes = files::read(&self.path(file), MAX_FILE_BYTES * 2).unwrap_or_default();
        records(&bytes).filter_map(|(at, record)| Some((place(&record.name)?.1, at))).collect()
    }
}

impl Drop for FindingCache {
    fn drop(&mut self) {
        // A cache that cannot be written makes nothing wrong.
        let _trouble = self.finish();
    }
}

impl Record {
    /// The record that begins here; `None` where none does.
    fn read(from: &mut impl io::Read) -> io::Result<Option<Self>> {
        let mut length = [0; 2];
        from.read_exact(&mut length)?;
        let length = usize::from(u16::from_be_bytes(length));
        let mut name = [0; 32];
        from.read_exact(&mut name)?;
        let mut finding = vec![0; length];
        from.read_exact(&mut finding)?;
        let mut sum = [0; 8];
        from.read_exact(&mut sum)?;
        let record = Self { name: Sha256Digest(name), finding };
        Ok((record.sum() == sum).then_some(record))
    }

    fn encode(&self, into: &mut Vec<u8>) {
        into.extend(u16::try_from(self.finding.len()).unwrap_or_default().to_be_bytes());
        into.extend(self.name.as_ref());
        into.extend(&self.finding);
        into.extend(self.sum());
    }

    fn sum(&self) -> [u8; 8] {
        let digest = Sha256Digest::of_parts(&[self.name.as_ref(), &self.finding]);
        digest.0.first_chunk().copied().unwrap_or_default()
    }
}

/// The records of a file up to the first that is none, and where each begins.
fn records(bytes: &[u8]) -> impl Iterator<Item = (u32, Record)> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let at = bytes.len() - rest.len();
        let record = Record::read(&mut rest).ok()??;
        Some((u32::try_from(at).ok()?, record))
    })
}

/// The end of the last record that is whole.
fn end(bytes: &[u8]) -> usize {
    records(bytes).map(|(_, record)| OVERHEAD + record.finding.len()).sum()
}

/// Which file, and the key in its index.
fn place(name: &Sha256Digest) -> Option<(u8, u64)> {
    let file = *name.0.first()?;
    Some((file, u64::from_be_bytes(*name.0.last_chunk()?)))
}

fn append(path: &Path, new: &[Record]) -> io::Result<()> {
    let mut file = open_to_append(path)?;
    files::lock_file(&file, LOCK_WAIT)?;
    let mut bytes = Vec::new();
    (&mut file).take(MAX_FILE_BYTES * 2).read_to_end(&mut bytes)?;
    let mut encoded = Vec::new();
    new.iter().for_each(|record| record.encode(&mut encoded));
    // What a run that was killed left half is written over.
    let end = end(&bytes);
    let full = u64::try_from(end + encoded.len()).is_ok_and(|length| length > MAX_FILE_BYTES);
    let end = if full { 0 } else { end };
    if end != bytes.len() {
        file.set_len(u64::try_from(end).unwrap_or_default())?;
    }
    file.seek(SeekFrom::Start(u64::try_from(end).unwrap_or_default()))?;
    file.write_all(&encoded)
}

fn open_to_append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    Ok(files::open(&mut options, path)?)
}

fn make(folder: &Path) -> Result<(), CacheError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| CacheError::Io { path: folder.to_owned(), error })?;
    refuse_foreign(folder)
}

/// What others could write to is not believed; what they could read tells whose commits were looked at.
fn refuse_foreign(folder: &Path) -> Result<(), CacheError> {
    let metadata = match fs::symlink_metadata(folder) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(CacheError::Io { path: folder.to_owned(), error }),
    };
    if !metadata.is_dir() {
        return Err(CacheError::NotAFolder(folder.to_owned()));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;

        if !files::is_own(&metadata) {
            return Err(CacheError::Foreign(folder.to_owned()));
        }
        if metadata.mode() & 0o077 != 0 {
            return Err(CacheError::Open(folder.to_owned()));
        }
    }
    Ok(())
}

/// What a thread that panicked left is whole: each change is one step.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The findings cannot be used. Everything can be verified without them.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// Somebody else's.
    #[error("the folder {path} belongs to another user", path = .0.display())]
    Foreign(PathBuf),
    /// The disk's answer.
    #[error("{path}: {error}", path = .path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What happened.
        error: io::Error,
    },
    /// A file, or a link, which may lead anywhere.
    #[error("{path} is not a folder", path = .0.display())]
    NotAFolder(PathBuf),
    /// Others may read or write it.
    #[error("the folder {path} is open to other users", path = .0.display())]
    Open(PathBuf),
}

/// Below the user's cache folder.
const FOLDER: &str = "findings";

/// One for each first byte of a name.
const FILES: usize = 1 << 8;

/// Length, name and sum.
const OVERHEAD: usize = 2 + 32 + 8;

/// More than most findings with what stands around them.
const USUAL_RECORD: usize = 1 << 10;

/// Whoever holds the lock writes some kilobytes.
const LOCK_WAIT: Duration = Duration::from_secs(1);

/// Of one file: half a GiB altogether, the findings of more than a million commits.
const MAX_FILE_BYTES: u64 = 2 << 20;

/// What a killed run may lose: less than a second's work.
const MAX_UNWRITTEN: usize = 1 << 10;

#[cfg(test)]
mod tests;
