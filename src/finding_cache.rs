//! What verifying found, kept from one run to the next: never a verdict, and nothing that a policy, a clock or a flag had
//! a say in ([`crate::verify::kept`]).
//!
//! ```text
//! CACHE/findings/00 … 7f    records, by the first seven bits of their names
//! record = length of the finding (u16, big-endian) · name (32 bytes) · finding · first 8 bytes of SHA-256(name · finding)
//! ```
//! A file only ever grows, by whole records under a lock, until it is full and begins again: whoever has it open may find
//! other records than it looked for, and sees it by name and sum. A record that is cut off or damaged is not there. Only the
//! user can write here; who can do that could as well replace the program.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::num::NonZero;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::crypto::Sha256Digest;
use crate::files::{self, ReadError};

/// The user's findings. Shared by the threads of a run, and by any number of runs.
#[derive(Debug)]
pub struct FindingCache {
    folder: PathBuf,
    /// Each file, opened when the first of its records is wanted; `None` where there is none that can be read.
    shelves: Vec<OnceLock<Option<Shelf>>>,
    /// Not written yet.
    new: Mutex<New>,
    /// How long each file was when this value wrote to it last.
    lengths: Mutex<HashMap<u8, u64>>,
    trouble: Mutex<Option<CacheError>>,
}

/// One file, open: to open it for every record took longer than all else that is done with one.
#[derive(Debug)]
struct Shelf {
    file: Mutex<File>,
    /// Last bytes of the name, where the record begins, and how long its finding is.
    index: HashMap<u64, (u32, u16)>,
}

/// What waits to be written.
#[derive(Debug)]
struct New {
    records: Vec<Record>,
    since: Instant,
}

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
        let shelves = (0..FILES).map(|_| OnceLock::new()).collect();
        let new = Mutex::new(New { records: Vec::new(), since: Instant::now() });
        Ok(Self { folder, shelves, new, lengths: Mutex::default(), trouble: Mutex::default() })
    }

    /// The finding that is kept under `name`.
    #[must_use]
    pub fn recall(&self, name: &Sha256Digest) -> Option<Vec<u8>> {
        let (number, key) = place(name);
        let shelf = self.shelves.get(usize::from(number))?.get_or_init(|| Shelf::open(&self.path(number)).ok());
        let record = shelf.as_ref()?.record(key)?;
        (record.name == *name).then_some(record.finding)
    }

    /// Keeps a finding. It is on the disk after some more or a second's work, or when the value goes.
    pub fn keep(&self, name: Sha256Digest, finding: Vec<u8>) {
        if u16::try_from(finding.len()).is_err() {
            return;
        }
        let mut new = locked(&self.new);
        new.records.push(Record { name, finding });
        if new.records.len() >= MAX_UNWRITTEN || new.since.elapsed() >= MAX_UNWRITTEN_TIME {
            new.since = Instant::now();
            let records = std::mem::take(&mut new.records);
            drop(new);
            // The other threads have work of their own.
            self.write(records, 1);
        }
    }

    /// Writes what is not written yet.
    ///
    /// # Errors
    /// What kept this or an earlier finding from being written.
    pub fn finish(&self) -> Result<(), CacheError> {
        let records = std::mem::take(&mut locked(&self.new).records);
        self.write(records, thread::available_parallelism().map_or(1, NonZero::get));
        locked(&self.trouble).take().map_or(Ok(()), Err)
    }

    /// Writes on at most as many `threads`: what a file takes is the system's work with its folder, not the bytes.
    fn write(&self, mut records: Vec<Record>, threads: usize) {
        if records.is_empty() || locked(&self.trouble).is_some() {
            return;
        }
        records.sort_by_key(|record| record.name);
        let files: Vec<&[Record]> = records.chunk_by(|one, other| place(&one.name).0 == place(&other.name).0).collect();
        let append = |files: &[&[Record]]| files.iter().try_for_each(|records| self.append_all(records));
        let done = make(&self.folder).and_then(|()| {
            thread::scope(|scope| {
                let mut shares = files.chunks(files.len().div_ceil(threads.max(1)).max(LEAST_SHARE));
                let own = shares.next().unwrap_or_default();
                let others: Vec<_> = shares.map(|share| scope.spawn(move || append(share))).collect();
                let own = append(own);
                let others = others.into_iter().map(|other| other.join().unwrap_or_else(|bug| resume_unwind(bug)));
                others.fold(own, Result::and)
            })
        });
        if let Err(error) = done {
            locked(&self.trouble).get_or_insert(error);
        }
    }

    /// Writes records of one file.
    fn append_all(&self, records: &[Record]) -> Result<(), CacheError> {
        let Some((file, _)) = records.first().map(|record| place(&record.name)) else { return Ok(()) };
        self.append(file, records).map_err(|error| CacheError::Io { path: self.path(file), error })
    }

    fn append(&self, number: u8, new: &[Record]) -> io::Result<()> {
        let mut file = open_to_append(&self.path(number))?;
        files::lock_file(&file, LOCK_WAIT)?;
        let length = file.metadata()?.len();
        let known = locked(&self.lengths).get(&number) == Some(&length);
        // What a run that was killed left half is written over.
        let end = if known { length } else { end(&file)? };
        let mut encoded = Vec::new();
        new.iter().for_each(|record| record.encode(&mut encoded));
        let added = u64::try_from(encoded.len()).unwrap_or(u64::MAX);
        let end = if end.saturating_add(added) > MAX_FILE_BYTES { 0 } else { end };
        if end != length {
            file.set_len(end)?;
        }
        file.seek(SeekFrom::Start(end))?;
        file.write_all(&encoded)?;
        locked(&self.lengths).insert(number, end.saturating_add(added));
        Ok(())
    }

    fn path(&self, file: u8) -> PathBuf {
        self.folder.join(format!("{file:02x}"))
    }
}

impl Drop for FindingCache {
    fn drop(&mut self) {
        // A cache that cannot be written makes nothing wrong.
        let _trouble = self.finish();
    }
}

impl Shelf {
    fn open(path: &Path) -> Result<Self, ReadError> {
        let file = files::open_regular(path)?;
        let mut index = HashMap::new();
        let mut records = BufReader::with_capacity(READ_AT_ONCE, &file);
        let mut at = 0;
        // Sums are held against a record when it is wanted.
        while u64::from(at) < MAX_FILE_BYTES {
            let (mut length, mut name) = ([0; 2], [0; 32]);
            if records.read_exact(&mut length).and_then(|()| records.read_exact(&mut name)).is_err() {
                break;
            }
            let length = u16::from_be_bytes(length);
            index.insert(place(&Sha256Digest(name)).1, (at, length));
            records.seek_relative(i64::from(length) + 8)?;
            at += OVERHEAD + u32::from(length);
        }
        Ok(Self { file: Mutex::new(file), index })
    }

    fn record(&self, key: u64) -> Option<Record> {
        let (at, length) = *self.index.get(&key)?;
        let mut bytes = vec![0; usize::try_from(OVERHEAD).ok()? + usize::from(length)];
        {
            let mut file = locked(&self.file);
            file.seek(SeekFrom::Start(at.into())).ok()?;
            file.read_exact(&mut bytes).ok()?;
        }
        Record::read(&mut bytes.as_slice()).ok()?
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

/// The end of the last record that is whole.
fn end(file: &File) -> io::Result<u64> {
    let mut records = BufReader::with_capacity(READ_AT_ONCE, file.take(MAX_FILE_BYTES * 2));
    let mut end = 0;
    while let Ok(Some(record)) = Record::read(&mut records) {
        end += u64::from(OVERHEAD) + u64::try_from(record.finding.len()).unwrap_or_default();
    }
    Ok(end)
}

/// Which file, and the key in its index.
fn place(name: &Sha256Digest) -> (u8, u64) {
    let [first, ..] = name.0;
    (first >> 1, u64::from_be_bytes(*name.0.last_chunk().unwrap_or(&[0; 8])))
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

/// All of them may be open at once, beside the packs: some systems give a process 256.
const FILES: usize = 1 << 7;

/// Length, name and sum.
const OVERHEAD: u32 = 2 + 32 + 8;

const READ_AT_ONCE: usize = 1 << 16;

/// Whoever holds the lock writes some kilobytes.
const LOCK_WAIT: Duration = Duration::from_secs(1);

/// Of one file: half a GiB altogether, the findings of more than a million commits.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// Files for which another thread is worth its while.
const LEAST_SHARE: usize = 16;

/// What a killed run may lose: less than a second's work, on however many cores.
const MAX_UNWRITTEN: usize = 1 << 13;
const MAX_UNWRITTEN_TIME: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
