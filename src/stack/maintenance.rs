//! Looking after the folder of a stack, running or not: checking its logs, copying it, accepting its clock. None of it
//! takes the lock; a log's checkpoint says how much of its files to read.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::data_folder::{self, DataFolder, DataFolderError, FixedSettings};
use super::log_store::{self, CheckedLog, CheckpointSigner, Discrepancy, StoreError};
use super::paths::REKOR_V2;
use super::public_url::{BadPublicUrl, PublicUrl};
use super::{clock, ct_log, disk, rekor_v2, transparency_log, trust};
use crate::crypto::ServiceKeyKind;

/// One log of a stack.
#[derive(Clone, Debug)]
pub struct Log {
    /// Its folder within the stack's.
    pub name: &'static str,
    signer: CheckpointSigner,
}

/// Recomputes every log of the stack in `data` from its entries: `report` is told each that holds.
///
/// # Errors
/// [`MaintenanceError`] names the log and the first thing that is wrong with it.
pub fn check(data: &Path, mut report: impl FnMut(&'static str, CheckedLog)) -> Result<(), MaintenanceError> {
    for log in logs(data)? {
        let checked = log_store::check(&data.join(log.name), &log.signer);
        report(log.name, checked.map_err(|error| MaintenanceError::Log { name: log.name, error: Box::new(error) })?);
    }
    Ok(())
}

/// Copies the stack in `data` to `to`, which must not be there yet, and checks the copy's logs. Until it is whole, the copy has
/// another name. An index is not copied: it is built again when the copy is started. Nor is what is not the stack's: that is
/// returned.
///
/// # Errors
/// [`MaintenanceError`] when something cannot be read or written, or the copy does not hold. Nothing is left of it then.
pub fn back_up(
    data: &Path,
    to: &Path,
    report: impl FnMut(&'static str, CheckedLog),
) -> Result<Vec<PathBuf>, MaintenanceError> {
    let exists = fs::symlink_metadata(to).is_ok();
    let (Some(name), false) = (to.file_name(), exists) else {
        return Err(MaintenanceError::Exists(to.to_owned()));
    };
    let outside = |folder: &Path| match data_folder::is_inside(to, folder) {
        true => Err(MaintenanceError::Inside { to: to.to_owned(), data: data.to_owned() }),
        false => Ok(()),
    };
    outside(data)?;
    let logs = logs(data)?;
    // One of them may be a link to another disk.
    logs.iter().try_for_each(|log| outside(&data.join(log.name)))?;
    let unfinished = to.with_file_name(format!("{}.unfinished", name.to_string_lossy()));
    match fs::remove_dir_all(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&unfinished)(error)),
        _ => {}
    }
    let left_out = copy_stack(data, &logs, &unfinished).and_then(|left_out| {
        check(&unfinished, report)?;
        fs::rename(&unfinished, to).map_err(at(to))?;
        Ok(left_out)
    });
    let left_out = left_out.inspect_err(|_| {
        // The first reason is the one to tell.
        let _left_behind = fs::remove_dir_all(&unfinished);
    })?;
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    disk::sync_folder(parent).map_err(at(parent))?;
    Ok(left_out)
}

/// The logs of the stack in `data` whose last entry is later than `now`, each with that entry's time.
///
/// # Errors
/// [`MaintenanceError`] when a log cannot be read.
pub fn ahead_of(data: &Path, now: Timestamp) -> Result<Vec<(&'static str, Timestamp)>, MaintenanceError> {
    let mut ahead = Vec::new();
    for log in logs(data)? {
        let last = log_store::last_time(&data.join(log.name), &log.signer)?;
        ahead.extend(last.filter(|last| *last > now).map(|last| (log.name, last)));
    }
    Ok(ahead)
}

/// Accepts, for the logs that are [`ahead_of`] it and for the timestamp authority, that the clock says `now`.
///
/// # Errors
/// [`MaintenanceError`] when a log cannot be read or the word cannot be written.
pub fn accept_clock(data: &Path, now: Timestamp) -> Result<(), MaintenanceError> {
    for (name, _) in ahead_of(data, now)? {
        let folder = data.join(name);
        clock::accept(&folder, now).map_err(at(&folder))?;
    }
    clock::accept(data, now).map_err(at(data))
}

/// A folder that cannot be looked after.
#[derive(Debug, thiserror::Error)]
pub enum MaintenanceError {
    /// A copy never goes over something else.
    #[error("\"{0}\" is there already, or has no name")]
    Exists(PathBuf),
    /// The data folder.
    #[error(transparent)]
    Folder(#[from] DataFolderError),
    /// A log does not hold.
    #[error("{name}: {error}")]
    Log {
        /// Which.
        name: &'static str,
        /// Why.
        error: Box<Discrepancy>,
    },
    /// A copy within what is copied.
    #[error("\"{to}\" is inside \"{data}\"")]
    Inside {
        /// Where the copy was to be.
        to: PathBuf,
        /// What was to be copied.
        data: PathBuf,
    },
    /// There is no stack.
    #[error("\"{0}\" has no stack in it")]
    NoStack(PathBuf),
    /// A log cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What the settings say cannot be a stack's address.
    #[error(transparent)]
    Url(#[from] BadPublicUrl),
}

/// Every log of the stack in `data`, with what signs its checkpoints.
fn logs(data: &Path) -> Result<Vec<Log>, MaintenanceError> {
    let settings = DataFolder::peek(data)?.ok_or_else(|| MaintenanceError::NoStack(data.to_owned()))?;
    let FixedSettings { public_url, tree_id, .. } = settings;
    let public_url: PublicUrl = public_url.parse()?;
    let host = public_url.host();
    let key = |name| DataFolder::read_key(data, name, ServiceKeyKind::EcdsaP256).map(Arc::new);
    let mut logs = vec![
        Log { name: "ct-log", signer: ct_log::checkpoint_signer(&host, &key("ct-log")?) },
        Log { name: "rekor-v1", signer: transparency_log::checkpoint_signer(&host, tree_id, &key("rekor-v1")?) },
    ];
    // A folder of an earlier version gains it at its next start.
    if data.join("rekor-v2").exists() || trust::known_logs(data).contains(&public_url.join(REKOR_V2)) {
        let key = Arc::new(DataFolder::read_key(data, "rekor-v2", ServiceKeyKind::Ed25519)?);
        logs.push(Log { name: "rekor-v2", signer: rekor_v2::checkpoint_signer(&host, &key) });
    }
    Ok(logs)
}

/// Copies what is the stack's to the new folder `to`, and returns what is not.
fn copy_stack(data: &Path, logs: &[Log], to: &Path) -> Result<Vec<PathBuf>, MaintenanceError> {
    disk::create_private(to).map_err(at(to))?;
    let mut left_out = Vec::new();
    for entry in fs::read_dir(data).map_err(at(data))? {
        let entry = entry.map_err(at(data))?;
        let name = PathBuf::from(entry.file_name());
        if !data_folder::is_own(&name) {
            // What was on its way to its name is nobody's, and `waxseal serve env` writes again what it wrote.
            let is_of_today = [CLIENTS, clock::ACCEPTED].iter().any(|other| name == Path::new(other));
            if !is_of_today && !entry.file_name().as_encoded_bytes().starts_with(b".") {
                left_out.push(entry.path());
            }
        } else if name != Path::new(LOCK) && !logs.iter().any(|log| name == Path::new(log.name)) {
            copy(&entry.path(), &to.join(&name), 0)?;
        }
    }
    for log in logs {
        log_store::copy(&data.join(log.name), &log.signer, &to.join(log.name))?;
    }
    Ok(left_out)
}

/// Copies a file, or a folder of files. Links are followed: the operator may keep `issuers.toml` elsewhere.
fn copy(from: &Path, to: &Path, depth: u8) -> Result<(), MaintenanceError> {
    let kind = match fs::metadata(from) {
        // What a running stack removed in the meantime it does not need: the refresh tokens of somebody who logged out, a
        // file that was on its way to its name.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        kind => kind.map_err(at(from))?,
    };
    if kind.is_dir() {
        if depth == MAX_DEPTH {
            return Err(at(from)(io::Error::other("this folder is deeper than any of a stack")));
        }
        disk::create_private(to).map_err(at(to))?;
        for entry in fs::read_dir(from).map_err(at(from))? {
            let entry = entry.map_err(at(from))?;
            copy(&entry.path(), &to.join(entry.file_name()), depth + 1)?;
        }
    } else if kind.is_file() {
        let bytes = match fs::read(from).map(zeroize::Zeroizing::new) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            read => read.map_err(at(from))?,
        };
        disk::write_durably(to, &bytes).map_err(at(to))?;
    }
    Ok(())
}

fn at(path: &Path) -> impl Fn(io::Error) -> MaintenanceError {
    move |error| DataFolderError::Io { path: path.to_owned(), error }.into()
}

/// Where `waxseal serve env` puts its files.
const CLIENTS: &str = "clients";

/// The running process's.
const LOCK: &str = "lock";

/// No stack has folders as deep as this; a link that leads back up does.
const MAX_DEPTH: u8 = 4;
