//! What a log knows of an entry that is not in its leaf: when it came in, and bytes that the log's owner keeps beside it.
//!
//! `times` has sixteen bytes an entry: milliseconds since 1970, then where the entry's bytes in `beside` end, both
//! big-endian. Both files only grow; what lies beyond the checkpoint's size was never acknowledged and is overwritten.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::error::StoreError;
use super::files::open_in_place;

/// The two files, for the one who appends.
#[derive(Debug)]
pub(super) struct BesideWriter {
    times: File,
    data: File,
    folder: PathBuf,
    end: u64,
    last_time: Option<Timestamp>,
}

impl BesideWriter {
    /// Goes on after `size` entries.
    pub(super) fn open(folder: &Path, size: u64) -> Result<Self, StoreError> {
        let times = open_in_place(&folder.join(TIMES))?;
        let data = open_in_place(&folder.join(DATA))?;
        let last = match size.checked_sub(1) {
            Some(last) => Some(record(folder, last)?),
            None => None,
        };
        let (last_time, end) = last.map_or((None, 0), |(time, end)| (Some(time), end));
        Ok(Self { times, data, folder: folder.to_owned(), end, last_time })
    }

    /// When the last entry came in.
    pub(super) fn last_time(&self) -> Option<Timestamp> {
        self.last_time
    }

    /// Writes and syncs what belongs to the entries from `index` on.
    pub(super) fn append(&mut self, index: u64, entries: &[(Timestamp, &[u8])]) -> Result<(), StoreError> {
        let start = self.end;
        let mut records = Vec::with_capacity(entries.len() * 16);
        let mut data = Vec::new();
        let mut end = start;
        for (time, bytes) in entries {
            end += u64::try_from(bytes.len()).map_err(|_| StoreError::TooLarge(bytes.len()))?;
            records.extend_from_slice(&time.as_millisecond().to_be_bytes());
            records.extend_from_slice(&end.to_be_bytes());
            data.extend_from_slice(bytes);
        }
        if !data.is_empty() {
            write_at(&mut self.data, start, &data).map_err(|error| StoreError::io(&self.folder.join(DATA), error))?;
        }
        write_at(&mut self.times, index * RECORD_BYTES, &records)
            .map_err(|error| StoreError::io(&self.folder.join(TIMES), error))?;
        self.end = end;
        self.last_time = entries.last().map(|(time, _)| *time).or(self.last_time);
        Ok(())
    }
}

/// When the entry came in, and its bytes in `beside`.
pub(super) fn read(folder: &Path, index: u64) -> Result<(Timestamp, Vec<u8>), StoreError> {
    let (time, end) = record(folder, index)?;
    let start = match index.checked_sub(1) {
        Some(before) => record(folder, before)?.1,
        None => 0,
    };
    let length = end.checked_sub(start).filter(|length| *length <= MAX_BESIDE_BYTES);
    let length = length.and_then(|length| usize::try_from(length).ok()).ok_or(StoreError::Missing("time"))?;
    if length == 0 {
        return Ok((time, Vec::new()));
    }
    Ok((time, read_at(&folder.join(DATA), start, length)?))
}

/// When the entry came in.
pub(super) fn time(folder: &Path, index: u64) -> Result<Timestamp, StoreError> {
    Ok(record(folder, index)?.0)
}

/// How many bytes of `times` and of `beside` belong to the first `size` entries.
pub(super) fn lengths(folder: &Path, size: u64) -> Result<(u64, u64), StoreError> {
    let end = match size.checked_sub(1) {
        Some(last) => record(folder, last)?.1,
        None => 0,
    };
    Ok((size * RECORD_BYTES, end))
}

fn record(folder: &Path, index: u64) -> Result<(Timestamp, u64), StoreError> {
    let bytes = read_at(&folder.join(TIMES), index * RECORD_BYTES, 16)?;
    let (time, end) = bytes.split_first_chunk::<8>().ok_or(StoreError::Missing("time"))?;
    let end = end.first_chunk::<8>().ok_or(StoreError::Missing("time"))?;
    let time = Timestamp::from_millisecond(i64::from_be_bytes(*time)).map_err(|_| StoreError::Missing("time"))?;
    Ok((time, u64::from_be_bytes(*end)))
}

fn write_at(file: &mut File, at: u64, bytes: &[u8]) -> std::io::Result<()> {
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)?;
    file.sync_data()
}

fn read_at(path: &Path, at: u64, length: usize) -> Result<Vec<u8>, StoreError> {
    let mut bytes = vec![0; length];
    let mut read = || {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut bytes)
    };
    match read() {
        Ok(()) => Ok(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(StoreError::Missing("time")),
        Err(error) => Err(StoreError::io(path, error)),
    }
}

pub(super) const TIMES: &str = "times";
pub(super) const DATA: &str = "beside";
const RECORD_BYTES: u64 = 16;

/// What may lie beside one entry: a certificate chain, an attestation.
pub(super) const MAX_BESIDE_BYTES: u64 = 1 << 20;
