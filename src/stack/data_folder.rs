//! The folder that a stack lives in: keys, certificates, settings that never change, and the lock.
//!
//! ```text
//! lock                     held while a process uses the folder
//! stack.json               fixed at the first start; written last, so that an interrupted first start is repeated
//! keys/NAME.pem            PKCS #8, 0600
//! certificates/NAME.pem    the certificate authority's own
//! trust/                   what is served to users
//! tuf/                     the same as a TUF repository
//! accounts.json            who may log in with a password; changed while the stack runs, under accounts.lock
//! issuers.toml             whose identity tokens are believed besides the stack's own; written by the operator
//! refresh-tokens/ID.json   the digest of each refresh token, with whom it is for
//! ct-log/, rekor-v1/, rekor-v2/   one Merkle log each
//! ```

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::disk::{create_private, make_private, readable_by_others, write_durably};
use crate::crypto::{ServiceKey, ServiceKeyError, ServiceKeyKind};

/// An open folder; the lock goes when it is dropped.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    first_start: bool,
    _lock: File,
}

/// What is fixed at the first start (`stack.json`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FixedSettings {
    /// The address that clients use, without a slash at its end.
    pub public_url: String,
    /// When the stack was made; everything it vouches for is later.
    pub created: Timestamp,
    /// Rekor v1's name for its tree; a positive `int64`.
    pub tree_id: u64,
    /// The port that was found when the first start asked for any, to be used again.
    pub found_port: Option<u16>,
}

impl DataFolder {
    /// Opens the folder for this process alone; makes it at the first start.
    ///
    /// # Errors
    /// [`DataFolderError`] when another process has it, others may read it, or it holds something else.
    pub fn open(path: &Path) -> Result<Self, DataFolderError> {
        let at = |error| DataFolderError::io(path, error);
        create_private(path).map_err(at)?;
        let first_start = !path.join(SETTINGS).exists();
        if first_start {
            let mut names = fs::read_dir(path).map_err(at)?.map(|entry| entry.map(|entry| entry.file_name()));
            if names.any(|name| name.is_ok_and(|name| !is_own(Path::new(&name)))) {
                return Err(DataFolderError::NotOurs(path.to_owned()));
            }
        }
        make_or_find_private(path, first_start)?;
        let lock_path = path.join("lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&lock_path);
        let lock = lock.map_err(|error| DataFolderError::io(&lock_path, error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), first_start, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(DataFolderError::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => Err(DataFolderError::io(&lock_path, error)),
        }
    }

    /// What an earlier start fixed in this folder, read without opening it; `None` before the first start.
    ///
    /// # Errors
    /// [`DataFolderError`] when the file is there and cannot be read.
    pub fn peek(path: &Path) -> Result<Option<FixedSettings>, DataFolderError> {
        let file = path.join(SETTINGS);
        match fs::read(&file) {
            Ok(json) => serde_json::from_slice(&json).map(Some).map_err(|_| DataFolderError::Malformed(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(DataFolderError::io(&file, error)),
        }
    }

    /// What an earlier start fixed; `None` at the first.
    ///
    /// # Errors
    /// [`DataFolderError`] when the file is there and cannot be read.
    pub fn settings(&self) -> Result<Option<FixedSettings>, DataFolderError> {
        Self::peek(&self.path)
    }

    /// Ends the first start: from now on nothing is made that is missing.
    ///
    /// # Errors
    /// [`DataFolderError`] when it cannot be written.
    pub fn fix(&mut self, settings: &FixedSettings) -> Result<(), DataFolderError> {
        let json = serde_json::to_vec_pretty(settings).unwrap_or_default();
        self.write(SETTINGS, &json)?;
        self.first_start = false;
        Ok(())
    }

    /// The service key `name`; a fresh one at the first start.
    ///
    /// # Errors
    /// [`DataFolderError`] when it is missing later, readable by others, or not a key of this kind.
    pub fn key(&self, name: &str, kind: ServiceKeyKind) -> Result<ServiceKey, DataFolderError> {
        let relative = format!("keys/{name}.pem");
        let path = self.path.join(&relative);
        let failed = |error| DataFolderError::Key(path.clone(), error);
        if self.first_start && !path.exists() {
            let key = ServiceKey::generate(kind).map_err(failed)?;
            self.write(&relative, key.to_pkcs8_pem().map_err(failed)?.as_bytes())?;
            return Ok(key);
        }
        Self::read_key(&self.path, name, kind)
    }

    /// The service key `name` of the stack in the folder `path`, which need not be open.
    ///
    /// # Errors
    /// [`DataFolderError`] when it is missing, readable by others, or not a key of this kind.
    pub fn read_key(path: &Path, name: &str, kind: ServiceKeyKind) -> Result<ServiceKey, DataFolderError> {
        let path = path.join(format!("keys/{name}.pem"));
        if readable_by_others(&path).map_err(|error| DataFolderError::io(&path, error))? {
            return Err(DataFolderError::ReadableByOthers(path));
        }
        let pem = fs::read_to_string(&path).map(zeroize::Zeroizing::new);
        let pem = pem.map_err(|error| DataFolderError::io(&path, error))?;
        ServiceKey::from_pkcs8_pem(kind, &pem).map_err(|error| DataFolderError::Key(path, error))
    }

    /// The service key `name` of an actor that also writes the file `record`: a fresh one as long as `record` is not
    /// there, so that a folder of an earlier version gains the actor.
    ///
    /// # Errors
    /// [`DataFolderError`] when it is missing though `record` is there, readable by others, or not a key of this kind.
    pub fn key_of(&self, record: &str, name: &str, kind: ServiceKeyKind) -> Result<ServiceKey, DataFolderError> {
        let relative = format!("keys/{name}.pem");
        if self.join(record).exists() || self.join(&relative).exists() {
            return self.key(name, kind);
        }
        let failed = |error| DataFolderError::Key(self.join(&relative), error);
        let key = ServiceKey::generate(kind).map_err(failed)?;
        self.write_key(name, &key.to_pkcs8_pem().map_err(failed)?)?;
        Ok(key)
    }

    /// The file `name`; what `make` makes of it as long as it is not there, at later starts too.
    ///
    /// # Errors
    /// [`DataFolderError`] when it cannot be read or written, or whatever `make` fails with.
    pub fn record<E: From<DataFolderError>>(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<Vec<u8>, E>,
    ) -> Result<Vec<u8>, E> {
        let path = self.join(name);
        match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let bytes = make()?;
                self.write(name, &bytes)?;
                Ok(bytes)
            }
            read => Ok(read.map_err(|error| DataFolderError::io(&path, error))?),
        }
    }

    /// Writes the private key `name`, PKCS #8 in PEM, over whatever was there.
    ///
    /// # Errors
    /// [`DataFolderError`] when it cannot be written.
    pub fn write_key(&self, name: &str, pem: &str) -> Result<(), DataFolderError> {
        self.write(&format!("keys/{name}.pem"), pem.as_bytes())
    }

    /// Removes the private key `name`.
    ///
    /// # Errors
    /// [`DataFolderError`] when it cannot be removed.
    pub fn remove_key(&self, name: &str) -> Result<(), DataFolderError> {
        self.remove(&format!("keys/{name}.pem"))
    }

    /// Removes the file `name`.
    ///
    /// # Errors
    /// [`DataFolderError`] when it cannot be removed.
    pub fn remove(&self, name: &str) -> Result<(), DataFolderError> {
        let path = self.join(name);
        fs::remove_file(&path).map_err(|error| DataFolderError::io(&path, error))
    }

    /// The file `name`; at the first start what `make` makes of it.
    ///
    /// # Errors
    /// [`DataFolderError`] when it is missing later or cannot be read or written, or whatever `make` fails with.
    pub fn file<E: From<DataFolderError>>(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<Vec<u8>, E>,
    ) -> Result<Vec<u8>, E> {
        let path = self.path.join(name);
        if self.first_start && !path.exists() {
            let bytes = make()?;
            self.write(name, &bytes)?;
            return Ok(bytes);
        }
        Ok(fs::read(&path).map_err(|error| DataFolderError::io(&path, error))?)
    }

    /// The file `name`, which the operator may have put there.
    ///
    /// # Errors
    /// [`DataFolderError`] when it is there and cannot be read.
    pub fn optional(&self, name: &str) -> Result<Option<Vec<u8>>, DataFolderError> {
        let path = self.join(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(DataFolderError::io(&path, error)),
        }
    }

    /// Where `name` is in the folder.
    #[must_use]
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The folder's place, for an actor that writes in it later.
    #[must_use]
    pub fn path(&self) -> FolderPath {
        FolderPath(self.path.clone())
    }

    /// Writes the file `name` whole and durable, or not at all.
    ///
    /// # Errors
    /// [`DataFolderError`] when it cannot be written.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), DataFolderError> {
        self.path().write(name, bytes)
    }
}

/// The place of an open folder. Whoever holds one belongs to whoever holds the lock.
#[derive(Clone, Debug)]
pub struct FolderPath(PathBuf);

impl FolderPath {
    /// Writes the file `name` whole and durable, or not at all.
    ///
    /// # Errors
    /// [`DataFolderError`] when it cannot be written.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), DataFolderError> {
        let path = self.0.join(name);
        write_durably(&path, bytes).map_err(|error| DataFolderError::io(&path, error))
    }
}

/// A data folder that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataFolderError {
    /// Another process has it.
    #[error("\"{0}\" is in use by another process")]
    InUse(PathBuf),
    /// The file system said no.
    #[error("\"{path}\": {error}")]
    Io {
        /// On what.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A key cannot be made, read or written.
    #[error("\"{0}\": {1}")]
    Key(PathBuf, ServiceKeyError),
    /// Not what waxseal wrote there.
    #[error("\"{0}\" is not what waxseal wrote there")]
    Malformed(PathBuf),
    /// Other people's files.
    #[error("\"{0}\" is neither empty nor the data folder of a waxseal stack")]
    NotOurs(PathBuf),
    /// Permissions that let others read private keys.
    #[error("\"{0}\" may be read by others")]
    ReadableByOthers(PathBuf),
}

impl DataFolderError {
    fn io(path: &Path, error: io::Error) -> Self {
        Self::Io { path: path.to_owned(), error }
    }
}

/// Whether `path` is, or would be, the folder `folder` or something in it, by whatever links and dots it is reached.
#[must_use]
pub fn is_inside(path: &Path, folder: &Path) -> bool {
    whereabouts(path).starts_with(whereabouts(folder))
}

/// Where a path that may not be there yet will be, links resolved as far as they are there.
fn whereabouts(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for ancestor in absolute.ancestors() {
        if let (Ok(real), Ok(rest)) = (ancestor.canonicalize(), absolute.strip_prefix(ancestor)) {
            return real.join(rest);
        }
    }
    absolute
}

/// Whether a stack has something by this `name` at the top of its folder.
pub(super) fn is_own(name: &Path) -> bool {
    name == Path::new(SETTINGS) || OWN_NAMES.iter().any(|own| name == Path::new(own))
}

/// The key of the certificate authority's intermediate that is the `count`th.
pub(super) fn authority_key_name(count: usize) -> String {
    match count {
        1 => "certificate-authority".to_owned(),
        _ => format!("certificate-authority-{count}"),
    }
}

/// A folder that the user made before the first start is made private; one that others got access to later is not used.
fn make_or_find_private(path: &Path, first_start: bool) -> Result<(), DataFolderError> {
    let at = |error| DataFolderError::io(path, error);
    match readable_by_others(path).map_err(at)? {
        false => Ok(()),
        true if first_start => make_private(path).map_err(at),
        true => Err(DataFolderError::ReadableByOthers(path.to_owned())),
    }
}

pub(super) const ACCOUNTS: &str = "accounts.json";
/// The certificate authority's, the newest first.
pub(super) const CHAINS: &str = "certificates/chain.pem";
pub(super) const ISSUERS: &str = "issuers.toml";
pub(super) const REFRESH_TOKENS: &str = "refresh-tokens";
const SETTINGS: &str = "stack.json";

/// What an interrupted first start may have left behind.
const OWN_NAMES: [&str; 12] = [
    "lock",
    "keys",
    "certificates",
    "trust",
    "tuf",
    "ct-log",
    "rekor-v1",
    "rekor-v2",
    ACCOUNTS,
    // The accounts' own, which stays.
    "accounts.lock",
    ISSUERS,
    REFRESH_TOKENS,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> FixedSettings {
        let public_url = "http://127.0.0.1:1".to_owned();
        FixedSettings { public_url, created: Timestamp::UNIX_EPOCH, tree_id: 1, found_port: None }
    }

    #[test]
    fn one_process_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let first = DataFolder::open(folder.path()).unwrap();
        assert!(matches!(DataFolder::open(folder.path()), Err(DataFolderError::InUse(_))));
        drop(first);
        drop(DataFolder::open(folder.path()).unwrap());
    }

    #[test]
    fn keys_are_made_once_and_never_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut data = DataFolder::open(folder.path()).unwrap();
        let made = data.key("k", ServiceKeyKind::Ed25519).unwrap();
        data.fix(&settings()).unwrap();
        let read = data.key("k", ServiceKeyKind::Ed25519).unwrap();
        assert_eq!(made.verifying_key(), read.verifying_key());
        assert!(matches!(data.key("other", ServiceKeyKind::Ed25519), Err(DataFolderError::Io { .. })));
        assert_eq!(data.settings().unwrap(), Some(settings()));
    }

    #[test]
    fn other_peoples_folders_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        write_durably(&folder.path().join("thesis.tex"), b"").unwrap();
        assert!(matches!(DataFolder::open(folder.path()), Err(DataFolderError::NotOurs(_))));
    }

    #[cfg(unix)]
    #[test]
    fn what_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let open_up = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        open_up(folder.path());
        let mut data = DataFolder::open(folder.path()).unwrap();
        data.key("k", ServiceKeyKind::Ed25519).unwrap();
        data.fix(&settings()).unwrap();
        assert_eq!(mode(folder.path()), 0o700);
        let key = folder.path().join("keys/k.pem");
        assert_eq!(mode(&key), 0o600);
        open_up(&key);
        let refused = data.key("k", ServiceKeyKind::Ed25519).map(|_| ());
        assert!(matches!(refused, Err(DataFolderError::ReadableByOthers(_))));
        drop(data);
        open_up(folder.path());
        assert!(matches!(DataFolder::open(folder.path()), Err(DataFolderError::ReadableByOthers(_))));
    }
}
