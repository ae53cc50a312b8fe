//! What is kept of a repository between two refreshes: the roots from the pinned one on, and the newest of each other
//! role. It is verified again each time it is used.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::Value;
use sigstore_tuf::{Metadata, MetadataStore, Root};

use super::super::{TrustStoreError, file_error, optional, read, write};
use super::{TufError, TufPlace, TufProblem};

/// The metadata of one repository, as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TufState {
    roots: BTreeMap<u64, Vec<u8>>,
    /// By role: `timestamp`, `snapshot`, `targets`.
    others: BTreeMap<&'static str, Vec<u8>>,
}

impl TufState {
    /// Begins with a root that the user pinned, from a file.
    ///
    /// # Errors
    /// [`TufProblem::Root`] if it is no TUF root, [`TufProblem::OldKeys`] if nothing could be verified from it.
    pub fn pinned(root: &[u8], file: &Path) -> Result<Self, TufError> {
        let mut state = Self::default();
        let pinned = state.pin(root).and_then(|()| readable_keys(root));
        pinned.map_err(|problem| TufError { place: TufPlace::File(file.into()), problem })?;
        Ok(state)
    }

    /// Begins with this root in the place of every older one.
    pub(in super::super) fn pin(&mut self, root: &[u8]) -> Result<(), TufProblem> {
        let version = Metadata::<Root>::from_slice(root).map_err(|error| TufProblem::Root(error.to_string()))?;
        let version = version.signed().version;
        self.roots = self.roots.split_off(&version);
        self.roots.insert(version, root.to_vec());
        Ok(())
    }

    /// The root that everything else is verified from.
    pub(super) fn first_root(&self) -> Option<(u64, &[u8])> {
        self.roots.first_key_value().map(|(version, bytes)| (*version, bytes.as_slice()))
    }

    /// The newest root's version, and the timestamp's: what never goes back.
    #[must_use]
    pub fn versions(&self) -> (u64, u64) {
        let root = self.roots.last_key_value().map(|(version, _)| *version).unwrap_or_default();
        (root, self.timestamp(|signed| signed.get("version")?.as_u64()).unwrap_or_default())
    }

    /// Until when the timestamp says that nothing newer is known.
    #[must_use]
    pub fn expires(&self) -> Option<Timestamp> {
        self.timestamp(|signed| signed.get("expires")?.as_str()?.parse().ok())
    }

    fn timestamp<T>(&self, member: impl FnOnce(&Value) -> Option<T>) -> Option<T> {
        signed(self.others.get("timestamp")?).as_ref().and_then(member)
    }

    /// Reads the folder `tuf` of an instance.
    pub(in super::super) fn load(folder: &Path) -> Result<Self, TrustStoreError> {
        let mut state = Self::default();
        let roots = folder.join(ROOTS);
        match fs::read_dir(&roots) {
            Ok(entries) => {
                for entry in entries.take(MAX_ROOTS) {
                    let name = entry.map_err(|error| file_error(&roots, error))?.file_name();
                    let version = name.to_str().and_then(root_version);
                    if let Some(version) = version {
                        state.roots.insert(version, read(&roots.join(name))?);
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(file_error(&roots, error)),
        }
        for role in ROLES {
            if let Some(bytes) = optional(read(&folder.join(format!("{role}.json"))))? {
                state.others.insert(role, bytes);
            }
        }
        Ok(state)
    }

    /// Writes a new folder `tuf`.
    pub(in super::super) fn save(&self, folder: &Path) -> Result<(), TrustStoreError> {
        let roots = folder.join(ROOTS);
        fs::create_dir_all(&roots).map_err(|error| file_error(&roots, error))?;
        for (version, bytes) in &self.roots {
            write(&roots.join(format!("{version}.root.json")), bytes)?;
        }
        for (role, bytes) in &self.others {
            write(&folder.join(format!("{role}.json")), bytes)?;
        }
        Ok(())
    }
}

/// The state while a repository is followed.
#[derive(Clone)]
pub(super) struct Kept(Arc<Mutex<TufState>>);

impl Kept {
    pub(super) fn new(state: TufState) -> Self {
        Self(Arc::new(Mutex::new(state)))
    }

    pub(super) fn into_state(self) -> TufState {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, TufState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// It asks for the versions that it knows under one name, and hands over what it verified under several.
impl MetadataStore for Kept {
    fn load(&self, name: &str) -> sigstore_tuf::Result<Option<Vec<u8>>> {
        let state = self.lock();
        Ok(match (history(name), role(name)) {
            (Some(version), _) => state.roots.get(&version).cloned(),
            (None, Some(role)) => state.others.get(role).cloned(),
            (None, None) => None,
        })
    }

    fn store(&self, name: &str, bytes: &[u8]) -> sigstore_tuf::Result<()> {
        let mut state = self.lock();
        match (history(name), role(name)) {
            (Some(version), _) => drop(state.roots.insert(version, bytes.to_vec())),
            (None, Some(role)) => drop(state.others.insert(role, bytes.to_vec())),
            (None, None) => {}
        }
        Ok(())
    }
}

/// Public-good's roots 1 to 4 hold ECDSA keys as bare points; PEM took their place in 2022.
fn readable_keys(root: &[u8]) -> Result<(), TufProblem> {
    let Some(signed) = signed(root) else { return Ok(()) };
    let keys = signed.get("keys").and_then(Value::as_object).into_iter().flat_map(serde_json::Map::values);
    let bare = |key: &Value| {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        let public = key.get("keyval").and_then(|value| value.get("public"));
        text(key.get("keytype")).starts_with("ecdsa") && !text(public).starts_with("-----BEGIN ")
    };
    let kinds: Vec<bool> = keys.map(bare).collect();
    match signed.get("version").and_then(Value::as_u64) {
        Some(version) if !kinds.is_empty() && kinds.iter().all(|bare| *bare) => Err(TufProblem::OldKeys(version)),
        _ => Ok(()),
    }
}

/// The member `signed` of a metadata file.
pub(super) fn signed(metadata: &[u8]) -> Option<Value> {
    serde_json::from_slice::<Value>(metadata).ok()?.get_mut("signed").map(Value::take)
}

fn history(name: &str) -> Option<u64> {
    root_version(name.strip_prefix(ROOTS)?.strip_prefix('/')?)
}

fn root_version(name: &str) -> Option<u64> {
    name.strip_suffix(".root.json")?.parse().ok()
}

fn role(name: &str) -> Option<&'static str> {
    let name = name.strip_suffix(".json")?;
    ROLES.into_iter().find(|role| *role == name)
}

const ROOTS: &str = "root_history";
const ROLES: [&str; 3] = ["timestamp", "snapshot", "targets"];

/// More than any repository will ever have had.
const MAX_ROOTS: usize = 4096;
