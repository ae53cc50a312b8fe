//! The stack's TUF repository (TUF specification 1.0): how clients of other people learn what to trust, and when that
//! changes.
//!
//! ```text
//! tuf/N.root.json           one key for all roles; each signed by itself and by the key before it
//! tuf/timestamp.json        replaced once a day: the commit point of every change
//! tuf/N.snapshot.json, tuf/N.targets.json, tuf/targets/SHA256.NAME     never changed (consistent snapshots)
//! keys/tuf-ID.pem           the key, by the first digits of its name in the root
//! ```
//!
//! Everything is signed again long before it expires, by whoever asks first: a stack that serves is never stale. It is
//! also signed again at every start, and versions are seconds since 1970 (but the root's, which count): a folder that was
//! restored from a copy is ahead of what clients saw before, which they would otherwise take for an attack.

mod metadata;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

pub use self::metadata::Target;

use self::metadata::RoleKey;
use super::data_folder::{DataFolder, DataFolderError, FolderPath};
use crate::crypto::{ServiceKey, ServiceKeyError, ServiceKeyKind};

/// The repository, open.
#[derive(Debug)]
pub struct TufRepository {
    folder: FolderPath,
    state: Mutex<State>,
    /// Why the documents of an earlier start are served, if they are.
    not_renewed: Option<TufError>,
}

#[derive(Debug)]
struct State {
    key: RoleKey,
    /// Every file by its path under the repository's address.
    files: BTreeMap<String, Vec<u8>>,
    root: Role,
    targets: Role,
    snapshot: Role,
    timestamp: Role,
    current: Vec<Target>,
}

/// Which version of a role's document is current, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Role {
    version: u64,
    expires: Timestamp,
}

impl TufRepository {
    /// Opens the repository in `folder`, or makes one, and brings it up to date with `targets`. On a full disk it is what it
    /// was before, as long as that is valid, until it can be brought up to date.
    ///
    /// # Errors
    /// [`TufError`] when it cannot be read or written, or is not whole.
    pub fn open(folder: &DataFolder, targets: Vec<Target>, now: Timestamp) -> Result<Self, TufError> {
        let files = read_files(folder)?;
        let newest_root = (1..).take_while(|version| files.contains_key(&root_name(*version))).last();
        let (key, root) = match newest_root {
            Some(version) => {
                let signed = signed(&files, &root_name(version))?;
                let id = signed.pointer("/roles/root/keyids/0").and_then(Value::as_str);
                let id = id.ok_or_else(|| TufError::Malformed(root_name(version)))?;
                let key = RoleKey::new(folder.key(&key_name(id), ServiceKeyKind::EcdsaP256)?);
                (key, Role::read(&signed, version))
            }
            None => (new_key(folder)?, Role::DUE),
        };
        let mut state =
            State { key, root, targets: Role::DUE, snapshot: Role::DUE, timestamp: Role::DUE, files, current: targets };
        state.read_versions();
        let (old_snapshot, old_targets) = (state.snapshot.version, state.targets.version);
        let not_renewed = match state.renew(&folder.path(), now) {
            Err(error) if error.passes() && state.is_valid_on_disk(now) => Some(error),
            renewed => renewed.map(|()| None)?,
        };
        let kept = |version: u64, current: Role, old: u64| version == current.version || version == old;
        let stale = state.files.keys().filter(|name| match name.split_once('.') {
            Some((version, "snapshot.json")) => {
                version.parse().is_ok_and(|version| !kept(version, state.snapshot, old_snapshot))
            }
            Some((version, "targets.json")) => {
                version.parse().is_ok_and(|version| !kept(version, state.targets, old_targets))
            }
            _ => false,
        });
        // A client may be on its way with the ones before; nobody is with those before them.
        for name in stale.filter(|_| not_renewed.is_none()).cloned().collect::<Vec<_>>() {
            folder.remove(&format!("{FOLDER}/{name}"))?;
            state.files.remove(&name);
        }
        Ok(Self { folder: folder.path(), state: Mutex::new(state), not_renewed })
    }

    /// Why the start could not bring it up to date, if it could not.
    #[must_use]
    pub fn not_renewed(&self) -> Option<&TufError> {
        self.not_renewed.as_ref()
    }

    /// The file `path`, relative to the repository's address, after signing again what would expire soon. When that
    /// fails the file is there all the same, beside the reason.
    pub fn file(&self, path: &str, now: Timestamp) -> (Option<Vec<u8>>, Result<(), TufError>) {
        let mut state = self.lock();
        let renewed = state.renew(&self.folder, now);
        (state.files.get(path).cloned(), renewed)
    }

    /// Puts a fresh key in the place of the present one: the next root is signed by both.
    ///
    /// # Errors
    /// [`TufError`] when it cannot be written.
    pub fn rotate(&self, folder: &DataFolder, now: Timestamp) -> Result<(), TufError> {
        let mut state = self.lock();
        let old = std::mem::replace(&mut state.key, new_key(folder)?);
        let published = state.publish_root(&self.folder, Some(&old), now);
        if published.is_err() {
            state.key = old;
            return published;
        }
        state.targets.expires = Timestamp::MIN;
        state.renew(&self.folder, now)?;
        folder.remove_key(&key_name(old.id()))?;
        Ok(())
    }

    /// The root that clients pin: the first.
    #[must_use]
    pub fn first_root(&self) -> Vec<u8> {
        self.lock().files.get(&root_name(1)).cloned().unwrap_or_default()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// From the timestamp down. What is missing is made again anyway, as all of it is; only versions must not go back.
    fn read_versions(&mut self) {
        let number = |document: Option<&Value>, pointer: &str| document?.pointer(pointer)?.as_u64();
        let timestamp = signed(&self.files, TIMESTAMP).ok();
        self.timestamp.version = number(timestamp.as_ref(), "/version").unwrap_or_default();
        self.snapshot.version = number(timestamp.as_ref(), "/meta/snapshot.json/version").unwrap_or_default();
        let snapshot = signed(&self.files, &snapshot_name(self.snapshot.version)).ok();
        self.targets.version = number(snapshot.as_ref(), "/meta/targets.json/version").unwrap_or_default();
    }

    /// Whether clients can still go along the documents that were there.
    fn is_valid_on_disk(&self, now: Timestamp) -> bool {
        let follow = |name: &str, next: &str| {
            let signed = signed(&self.files, name).ok().filter(|signed| Role::read(signed, 0).expires > now)?;
            Some(signed.pointer(next).and_then(Value::as_u64).unwrap_or_default())
        };
        let targets = follow(TIMESTAMP, "/meta/snapshot.json/version")
            .and_then(|version| follow(&snapshot_name(version), "/meta/targets.json/version"))
            .and_then(|version| follow(&targets_name(version), ""));
        targets.is_some() && self.root.expires > now
    }

    /// Signs again what will expire, and whatever depends on it.
    fn renew(&mut self, folder: &FolderPath, now: Timestamp) -> Result<(), TufError> {
        if self.root.is_due(now, ROOT_RENEWAL) {
            self.publish_root(folder, None, now)?;
        }
        if self.targets.is_due(now, DOCUMENT_RENEWAL) {
            for target in self.current.clone() {
                self.put(folder, target.file_name(), target.bytes)?;
            }
            let next = self.targets.next(now, DOCUMENT_LIFETIME);
            let signed = metadata::targets(next.version, next.expires, self.current.iter());
            self.put(folder, targets_name(next.version), self.key.sign(&signed, &[])?)?;
            self.targets = next;
            self.snapshot.expires = Timestamp::MIN;
        }
        if self.snapshot.is_due(now, DOCUMENT_RENEWAL) {
            let next = self.snapshot.next(now, DOCUMENT_LIFETIME);
            let signed = metadata::snapshot(next.version, next.expires, self.targets.version);
            self.put(folder, snapshot_name(next.version), self.key.sign(&signed, &[])?)?;
            self.snapshot = next;
            self.timestamp.expires = Timestamp::MIN;
        }
        if self.timestamp.is_due(now, TIMESTAMP_RENEWAL) {
            let next = self.timestamp.next(now, TIMESTAMP_LIFETIME);
            let signed = metadata::timestamp(next.version, next.expires, self.snapshot.version);
            self.put(folder, TIMESTAMP.to_owned(), self.key.sign(&signed, &[])?)?;
            self.timestamp = next;
        }
        Ok(())
    }

    fn publish_root(&mut self, folder: &FolderPath, old: Option<&RoleKey>, now: Timestamp) -> Result<(), TufError> {
        let next = Role { version: self.root.version + 1, ..self.root.next(now, ROOT_LIFETIME) };
        let signed = self.key.root(next.version, next.expires);
        let bytes = self.key.sign(&signed, old.as_slice())?;
        self.put(folder, root_name(next.version), bytes)?;
        self.root = next;
        Ok(())
    }

    fn put(&mut self, folder: &FolderPath, name: String, bytes: Vec<u8>) -> Result<(), TufError> {
        if self.files.get(&name) != Some(&bytes) {
            folder.write(&format!("{FOLDER}/{name}"), &bytes)?;
            self.files.insert(name, bytes);
        }
        Ok(())
    }
}

impl Role {
    /// Nothing was signed yet, or what was is to be signed again.
    const DUE: Self = Self { version: 0, expires: Timestamp::MIN };

    fn read(signed: &Value, version: u64) -> Self {
        let expires = signed.get("expires").and_then(Value::as_str).and_then(|text| text.parse().ok());
        Self { version, expires: expires.unwrap_or(Timestamp::MIN) }
    }

    /// Whether less than `before` is left.
    fn is_due(self, now: Timestamp, before: SignedDuration) -> bool {
        self.expires.duration_since(now) < before
    }

    fn next(self, now: Timestamp, lifetime: SignedDuration) -> Self {
        let seconds = u64::try_from(now.as_second()).unwrap_or_default();
        Self { version: seconds.max(self.version + 1), expires: now.saturating_add(lifetime).unwrap_or(now) }
    }
}

/// A repository that cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TufError {
    /// The data folder.
    #[error(transparent)]
    Folder(#[from] DataFolderError),
    /// The key cannot sign.
    #[error(transparent)]
    Key(#[from] ServiceKeyError),
    /// A document that is missing, or not what waxseal wrote there.
    #[error("tuf/{0} is missing or malformed")]
    Malformed(String),
}

impl TufError {
    /// Whether it is for want of room on the disk.
    fn passes(&self) -> bool {
        match self {
            Self::Folder(DataFolderError::Io { error, .. }) => {
                matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            Self::Folder(_) | Self::Key(_) | Self::Malformed(_) => false,
        }
    }
}

fn new_key(folder: &DataFolder) -> Result<RoleKey, TufError> {
    let key = ServiceKey::generate(ServiceKeyKind::EcdsaP256)?;
    let pem = key.to_pkcs8_pem()?;
    let key = RoleKey::new(key);
    folder.write_key(&key_name(key.id()), &pem)?;
    Ok(key)
}

fn read_files(folder: &DataFolder) -> Result<BTreeMap<String, Vec<u8>>, TufError> {
    let mut files = BTreeMap::new();
    for below in ["", "targets/"] {
        let path = folder.join(&format!("{FOLDER}/{below}"));
        let failed = |error| DataFolderError::Io { path: path.clone(), error };
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(error).into()),
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            if let (true, Ok(name)) = (entry.file_type().map_err(failed)?.is_file(), entry.file_name().into_string()) {
                // What a killed process was writing has a name that nobody asks for.
                if !name.starts_with('.') {
                    files.insert(format!("{below}{name}"), fs::read(entry.path()).map_err(failed)?);
                }
            }
        }
    }
    Ok(files)
}

fn signed(files: &BTreeMap<String, Vec<u8>>, name: &str) -> Result<Value, TufError> {
    let document = files.get(name).and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok());
    document
        .and_then(|mut document| Some(document.get_mut("signed")?.take()))
        .ok_or_else(|| TufError::Malformed(name.to_owned()))
}

fn key_name(id: &str) -> String {
    format!("tuf-{}", id.get(..16).unwrap_or(id))
}

fn root_name(version: u64) -> String {
    format!("{version}.root.json")
}

fn snapshot_name(version: u64) -> String {
    format!("{version}.snapshot.json")
}

fn targets_name(version: u64) -> String {
    format!("{version}.targets.json")
}

const FOLDER: &str = "tuf";
const TIMESTAMP: &str = "timestamp.json";

/// Long: clients that were offline for years must still find their way along the roots.
const ROOT_LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 3650);
const ROOT_RENEWAL: SignedDuration = SignedDuration::from_hours(24 * 365);
const DOCUMENT_LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 365);
const DOCUMENT_RENEWAL: SignedDuration = SignedDuration::from_hours(24 * 182);
/// How long someone could keep a client from hearing of a change: a week, as at public-good.
const TIMESTAMP_LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 7);
const TIMESTAMP_RENEWAL: SignedDuration = SignedDuration::from_hours(24 * 6);

#[cfg(test)]
mod tests;
