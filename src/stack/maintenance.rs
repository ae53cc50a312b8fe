//! Looking after the folder of a stack, running or not: checking its logs, copying it, accepting its clock. None of it
//! takes the lock; a log's checkpoint says how much of its files to read.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::data_folder::{self, DataFolder, DataFolderError, FixedSettings};
use super::log_store::{self, CheckedLog, CheckpointSigner, Discrepancy, StoreError};
use super::public_url::{BadPublicUrl, PublicUrl};
use super::{REKOR_V2, clock, ct_log, rekor_v2, transparency_log, trust};
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
/// another name. An index is not copied: it is built again when the copy is started.
///
/// # Errors
/// [`MaintenanceError`] when something cannot be read or written, or the copy does not hold.
pub fn back_up(data: &Path, to: &Path, report: impl FnMut(&'static str, CheckedLog)) -> Result<(), MaintenanceError> {
    let exists = fs::symlink_metadata(to).is_ok();
    let (Some(name), false) = (to.file_name(), exists) else {
        return Err(MaintenanceError::Exists(to.to_owned()));
    };
    let unfinished = to.with_file_name(format!("{}.unfinished", name.to_string_lossy()));
    match fs::remove_dir_all(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&unfinished)(error)),
        _ => {}
    }
    let logs = logs(data)?;
    data_folder::create_private(&unfinished).map_err(at(&unfinished))?;
    let is_log = |name: &Path| logs.iter().any(|log| name == Path::new(log.name));
    copy_files(data, &unfinished, &|name| is_log(name) || NOT_COPIED.iter().any(|other| name == Path::new(other)))?;
    for log in &logs {
        log_store::copy(&data.join(log.name), &log.signer, &unfinished.join(log.name))?;
    }
    check(&unfinished, report)?;
    fs::rename(&unfinished, to).map_err(at(to))?;
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    data_folder::sync_folder(parent).map_err(at(parent))
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

/// Accepts, for the logs that are [`ahead_of`] it, that the clock says `now`.
///
/// # Errors
/// [`MaintenanceError`] when a log cannot be read or the word cannot be written.
pub fn accept_clock(data: &Path, now: Timestamp) -> Result<(), MaintenanceError> {
    for (name, _) in ahead_of(data, now)? {
        let folder = data.join(name);
        clock::accept(&folder, now).map_err(at(&folder))?;
    }
    Ok(())
}

/// A folder that cannot be looked after.
#[derive(Debug, thiserror::Error)]
pub enum MaintenanceError {
    /// A copy never goes over something else.
    #[error("{0:?} is there already, or has no name")]
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
    /// There is no stack.
    #[error("{0:?} has no stack in it")]
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

/// Copies all but what `leave_out` names at the top.
fn copy_files(from: &Path, to: &Path, leave_out: &dyn Fn(&Path) -> bool) -> Result<(), MaintenanceError> {
    for entry in fs::read_dir(from).map_err(at(from))? {
        let entry = entry.map_err(at(from))?;
        let name = entry.file_name();
        if leave_out(Path::new(&name)) {
            continue;
        }
        let path = entry.path();
        let kind = entry.file_type().map_err(at(&path))?;
        if kind.is_dir() {
            data_folder::create_private(&to.join(&name)).map_err(at(&path))?;
            copy_files(&path, &to.join(&name), &|_| false)?;
        } else if kind.is_file() {
            let bytes = match fs::read(&path).map(zeroize::Zeroizing::new) {
                // What a running stack removed in the meantime it does not need: the refresh tokens of somebody who logged
                // out, a file that was on its way to its name.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                read => read.map_err(at(&path))?,
            };
            let copy = to.join(&name);
            data_folder::write_durably(&copy, &bytes).map_err(at(&copy))?;
        }
    }
    Ok(())
}

fn at(path: &Path) -> impl Fn(io::Error) -> MaintenanceError {
    move |error| DataFolderError::Io { path: path.to_owned(), error }.into()
}

/// The lock is the running process's.
const NOT_COPIED: [&str; 1] = ["lock"];
