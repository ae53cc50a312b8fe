//! Where the trusted instances are kept: one folder each in the user's data folder, and public-good compiled in.
//!
//! ```text
//! instances/NAME/instance.toml                         where it came from, and what the user allows it
//! instances/NAME/trusted_root.json                     as it came
//! instances/NAME/signing_config.v0.2.json              as it came; absent where it only verifies
//! instances/NAME/signing_config_rekor_v2.v0.2.json     as it came; absent where there is none
//! ```
//! A folder appears and disappears as a whole, by renaming.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::instance::{BadInstanceName, Instance, InstanceBounds, InstanceName};
use crate::settings::{Folders, Settings};
use crate::signing_config::{MalformedSigningConfig, SigningConfig};
use crate::trusted_root::{MalformedTrustedRoot, TrustedRoot};

mod record;

use record::Record;
pub use record::{MalformedRecord, Origin};

/// The instances that the user trusts.
#[derive(Debug)]
pub struct TrustStore {
    /// `None` where the user has no data folder: then only public-good is there.
    folder: Option<PathBuf>,
}

impl TrustStore {
    /// The store in the user's data folder. Reads nothing yet.
    #[must_use]
    pub fn new(folders: &Folders) -> Self {
        Self { folder: folders.data.as_ref().map(|data| data.join("instances")) }
    }

    /// Every instance that the settings trust: those of `waxseal.trust`, else every one added, and public-good.
    ///
    /// # Errors
    /// [`TrustStoreError`] if one of them is unknown or cannot be read.
    pub fn trusted(&self, settings: &Settings) -> Result<Vec<Instance>, TrustStoreError> {
        let mut trusted: Vec<Instance> = match &settings.trust {
            Some(names) => {
                names.iter().map(|name| self.load(&name.parse().map_err(bad_name(name))?)).collect::<Result<_, _>>()?
            }
            None => self.names()?.iter().map(|name| self.load(name)).collect::<Result<_, _>>()?,
        };
        // Where two have the same authority, the first one's word counts: the one that signs, then public-good.
        let signing = settings.instance.as_deref();
        let public_good = InstanceName::public_good();
        trusted.sort_by_key(|instance| (Some(instance.name.as_str()) != signing, instance.name != public_good));
        Ok(trusted)
    }

    /// The instance that signs, `waxseal.instance`; `None` while the user has not chosen one.
    ///
    /// # Errors
    /// [`TrustStoreError`] if it is unknown or cannot be read.
    pub fn signing(&self, settings: &Settings) -> Result<Option<Instance>, TrustStoreError> {
        let Some(name) = &settings.instance else { return Ok(None) };
        self.load(&name.parse().map_err(bad_name(name))?).map(Some)
    }

    /// The names of every instance added, and public-good, in alphabetical order.
    ///
    /// # Errors
    /// [`TrustStoreError::File`] if the folder cannot be read.
    pub fn names(&self) -> Result<Vec<InstanceName>, TrustStoreError> {
        let mut names = vec![InstanceName::public_good()];
        if let Some(folder) = &self.folder {
            match fs::read_dir(folder) {
                Ok(entries) => {
                    for entry in entries {
                        let file_name = entry.map_err(|error| file_error(folder, error))?.file_name();
                        // Others are folders in the making, and the lock.
                        names.extend(file_name.to_str().and_then(|name| name.parse().ok()));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(file_error(folder, error)),
            }
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// One instance.
    ///
    /// # Errors
    /// [`TrustStoreError`] if it is unknown or cannot be read.
    pub fn load(&self, name: &InstanceName) -> Result<Instance, TrustStoreError> {
        let built_in = *name == InstanceName::public_good();
        let bounds = if built_in { InstanceBounds::default() } else { self.record(name)?.bounds };
        self.documents(name)?.instance(name.clone(), bounds)
    }

    /// The documents of an instance, byte for byte.
    ///
    /// # Errors
    /// [`TrustStoreError`] if it is unknown or cannot be read.
    pub fn documents(&self, name: &InstanceName) -> Result<Documents, TrustStoreError> {
        if *name == InstanceName::public_good() {
            return Ok(public_good());
        }
        let folder = self.existing(name)?;
        Ok(Documents {
            trusted_root: read(&folder.join(TRUSTED_ROOT))?,
            signing_config: optional(read(&folder.join(SIGNING_CONFIG)))?,
            rekor_v2_signing_config: optional(read(&folder.join(REKOR_V2_SIGNING_CONFIG)))?,
        })
    }

    /// Where the instance came from.
    ///
    /// # Errors
    /// [`TrustStoreError`] if it is unknown or cannot be read.
    pub fn origin(&self, name: &InstanceName) -> Result<Origin, TrustStoreError> {
        if *name == InstanceName::public_good() { Ok(Origin::BuiltIn) } else { Ok(self.record(name)?.origin) }
    }

    /// Keeps a new instance, whole or not at all.
    ///
    /// # Errors
    /// [`TrustStoreError`] if the name is taken, or a document or the folder is unusable.
    pub fn add(&self, name: &InstanceName, documents: &Documents, origin: Origin) -> Result<(), TrustStoreError> {
        documents.instance(name.clone(), InstanceBounds::default())?;
        self.check_free(name)?;
        let folder = self.folder()?;
        fs::create_dir_all(folder).map_err(|error| file_error(folder, error))?;
        let _lock = lock(folder)?;
        self.check_free(name)?;
        sweep(folder);

        let new = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(folder);
        let new = new.map_err(|error| file_error(folder, error))?;
        write(&new.path().join(TRUSTED_ROOT), &documents.trusted_root)?;
        if let Some(signing_config) = &documents.signing_config {
            write(&new.path().join(SIGNING_CONFIG), signing_config)?;
        }
        if let Some(signing_config) = &documents.rekor_v2_signing_config {
            write(&new.path().join(REKOR_V2_SIGNING_CONFIG), signing_config)?;
        }
        let record = Record { origin, bounds: InstanceBounds::default() };
        write(&new.path().join(RECORD), record.to_toml().as_bytes())?;
        sync_folder(new.path())?;
        let place = folder.join(name.as_str());
        fs::rename(new.path(), &place).map_err(|error| file_error(&place, error))?;
        // It has moved away: there is nothing left to remove.
        let _moved = new.keep();
        sync_folder(folder)
    }

    /// Fails if no instance of that name could be added.
    ///
    /// # Errors
    /// [`TrustStoreError`] for a name that is taken or stands for something else.
    pub fn check_free(&self, name: &InstanceName) -> Result<(), TrustStoreError> {
        if *name == InstanceName::public_good() {
            return Err(TrustStoreError::BuiltIn);
        }
        if *name == InstanceName::file() {
            return Err(TrustStoreError::Reserved(name.clone()));
        }
        match self.folder()?.join(name.as_str()).symlink_metadata() {
            Ok(_there) => Err(TrustStoreError::Exists(name.clone())),
            Err(_absent) => Ok(()),
        }
    }

    /// Forgets an instance.
    ///
    /// # Errors
    /// [`TrustStoreError`] if it is unknown, built in, or its folder cannot be removed.
    pub fn remove(&self, name: &InstanceName) -> Result<(), TrustStoreError> {
        if *name == InstanceName::public_good() {
            return Err(TrustStoreError::BuiltIn);
        }
        let place = self.existing(name)?;
        let folder = self.folder()?;
        let _lock = lock(folder)?;
        sweep(folder);
        let bin = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(folder);
        let bin = bin.map_err(|error| file_error(folder, error))?;
        fs::rename(&place, bin.path().join(name.as_str())).map_err(|error| file_error(&place, error))?;
        bin.close().map_err(|error| file_error(&place, error))?;
        sync_folder(folder)
    }

    fn folder(&self) -> Result<&Path, TrustStoreError> {
        self.folder.as_deref().ok_or(TrustStoreError::NoFolder)
    }

    /// The folder of an instance that was added.
    fn existing(&self, name: &InstanceName) -> Result<PathBuf, TrustStoreError> {
        let place = self.folder.as_ref().map(|folder| folder.join(name.as_str())).filter(|place| place.is_dir());
        place.ok_or_else(|| TrustStoreError::Unknown(name.clone()))
    }

    fn record(&self, name: &InstanceName) -> Result<Record, TrustStoreError> {
        let path = self.existing(name)?.join(RECORD);
        let text = String::from_utf8(read(&path)?).map_err(|_bytes| TrustStoreError::NotUtf8(path.clone()))?;
        Record::parse(&text).map_err(|error| TrustStoreError::Record { path, error })
    }
}

/// The documents of an instance, byte for byte as they came. The digest that pins it covers the first two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Documents {
    /// protobuf-specs `TrustedRoot`.
    pub trusted_root: Vec<u8>,
    /// protobuf-specs `SigningConfig`; `None`: it only verifies.
    pub signing_config: Option<Vec<u8>>,
    /// The second `SigningConfig`, for those who ask for Rekor v2; `None`: there is none.
    pub rekor_v2_signing_config: Option<Vec<u8>>,
}

impl Documents {
    /// What they say, under a name.
    ///
    /// # Errors
    /// [`TrustStoreError::TrustedRoot`] or [`TrustStoreError::SigningConfig`].
    pub fn instance(&self, name: InstanceName, bounds: InstanceBounds) -> Result<Instance, TrustStoreError> {
        let trusted_root = TrustedRoot::parse(&self.trusted_root)
            .map_err(|error| TrustStoreError::TrustedRoot { name: name.clone(), error })?;
        let signing_config = self.signing_config.as_deref().map(SigningConfig::parse).transpose();
        let mut signing_config =
            signing_config.map_err(|error| TrustStoreError::SigningConfig { name: name.clone(), error })?;
        if let (Some(config), Some(second)) = (&mut signing_config, &self.rekor_v2_signing_config) {
            // Held against the others each time: it may have been changed on the disk, too.
            let logs: Vec<&str> = trusted_root.transparency_logs.iter().map(|log| log.base_url.as_str()).collect();
            SigningConfig::parse(second)
                .and_then(|second| Ok(config.offer_rekor_v2(second, &logs)?))
                .map_err(|error| TrustStoreError::RekorV2SigningConfig { name: name.clone(), error })?;
        }
        Ok(Instance { name, trusted_root, signing_config, bounds })
    }
}

/// The documents of Sigstore's public-good instance, as they were compiled in (`trust_store/public_good/README.md`).
#[must_use]
pub fn public_good() -> Documents {
    Documents {
        trusted_root: include_bytes!("trust_store/public_good/trusted_root.json").to_vec(),
        signing_config: Some(include_bytes!("trust_store/public_good/signing_config.v0.2.json").to_vec()),
        rekor_v2_signing_config: Some(
            include_bytes!("trust_store/public_good/signing_config_rekor_v2.v0.2.json").to_vec(),
        ),
    }
}

/// The instance `file` of a trusted root in a file: `--trusted-root FILE`.
///
/// # Errors
/// [`TrustStoreError`] if the file cannot be read or is no trusted root.
pub fn from_file(trusted_root: &Path) -> Result<Instance, TrustStoreError> {
    let path = trusted_root;
    let trusted_root = TrustedRoot::parse(&read(path)?)
        .map_err(|error| TrustStoreError::TrustedRootFile { path: path.to_owned(), error })?;
    let (name, bounds) = (InstanceName::file(), InstanceBounds::default());
    Ok(Instance { name, trusted_root, signing_config: None, bounds })
}

/// A document of at most [`MAX_DOCUMENT_BYTES`].
///
/// # Errors
/// [`TrustStoreError::File`] or [`TrustStoreError::TooLarge`].
pub fn read(path: &Path) -> Result<Vec<u8>, TrustStoreError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_DOCUMENT_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| file_error(path, error))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= MAX_DOCUMENT_BYTES) {
        Ok(bytes)
    } else {
        Err(TrustStoreError::TooLarge(path.to_owned()))
    }
}

/// The trust store cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum TrustStoreError {
    /// A name that cannot be one.
    #[error("{text:?} is no instance: {error}")]
    BadName {
        /// What was given.
        text: String,
        /// Why not.
        error: BadInstanceName,
    },
    /// public-good is neither added nor removed.
    #[error("the instance public-good is built in")]
    BuiltIn,
    /// Nothing is ever overwritten.
    #[error("there is an instance {0} already")]
    Exists(InstanceName),
    /// The disk's answer.
    #[error("{path}: {error}", path = .path.display())]
    File {
        /// Which file or folder.
        path: PathBuf,
        /// What happened.
        error: io::Error,
    },
    /// No home, no `XDG_DATA_HOME`.
    #[error("there is no home folder to keep instances in")]
    NoFolder,
    /// `instance.toml` is not text.
    #[error("{path} is not UTF-8", path = .0.display())]
    NotUtf8(PathBuf),
    /// `instance.toml` is not what waxseal writes there.
    #[error("{path}: {error}", path = .path.display())]
    Record {
        /// Which.
        path: PathBuf,
        /// Where it goes wrong.
        error: MalformedRecord,
    },
    /// A second signing config that cannot be used.
    #[error("the second signing config of instance {name}, for Rekor v2, cannot be used: {error}")]
    RekorV2SigningConfig {
        /// Whose.
        name: InstanceName,
        /// What is wrong.
        error: MalformedSigningConfig,
    },
    /// A name that means something else.
    #[error("the name {0} stands for the file of --trusted-root")]
    Reserved(InstanceName),
    /// A signing config that cannot be used.
    #[error("the signing config of instance {name} cannot be used: {error}")]
    SigningConfig {
        /// Whose.
        name: InstanceName,
        /// What is wrong.
        error: MalformedSigningConfig,
    },
    /// More bytes than any document has.
    #[error("{path} has more than {MAX_DOCUMENT_BYTES} bytes", path = .0.display())]
    TooLarge(PathBuf),
    /// A trusted root that cannot be used.
    #[error("the trusted root of instance {name} cannot be used: {error}")]
    TrustedRoot {
        /// Whose.
        name: InstanceName,
        /// What is wrong.
        error: MalformedTrustedRoot,
    },
    /// A file that is no trusted root.
    #[error("{path}: {error}", path = .path.display())]
    TrustedRootFile {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        error: MalformedTrustedRoot,
    },
    /// No instance of that name was added.
    #[error("there is no instance {0}")]
    Unknown(InstanceName),
}

fn bad_name(text: &str) -> impl FnOnce(BadInstanceName) -> TrustStoreError {
    let text = text.to_owned();
    move |error| TrustStoreError::BadName { text, error }
}

fn file_error(path: &Path, error: io::Error) -> TrustStoreError {
    TrustStoreError::File { path: path.to_owned(), error }
}

fn optional(document: Result<Vec<u8>, TrustStoreError>) -> Result<Option<Vec<u8>>, TrustStoreError> {
    match document {
        Ok(bytes) => Ok(Some(bytes)),
        Err(TrustStoreError::File { error, .. }) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A new file, on the disk before this returns.
fn write(path: &Path, bytes: &[u8]) -> Result<(), TrustStoreError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .map_err(|error| file_error(path, error))
}

/// Held while a folder appears or disappears; the others wait for it.
fn lock(folder: &Path) -> Result<File, TrustStoreError> {
    let path = folder.join(OsStr::new(".lock"));
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    file.and_then(|file| file.lock().map(|()| file)).map_err(|error| file_error(&path, error))
}

/// Removes what a process that was killed left; under the lock nothing of it can be in use.
fn sweep(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().as_encoded_bytes().starts_with(UNFINISHED.as_bytes())) {
        // Litter that cannot be removed does no harm: it is no instance's name.
        let _still_there = fs::remove_dir_all(entry.path());
    }
}

/// Makes what happened to a folder's entries last. Where folders cannot be opened, the system does so by itself.
fn sync_folder(folder: &Path) -> Result<(), TrustStoreError> {
    if cfg!(unix) {
        File::open(folder).and_then(|file| file.sync_all()).map_err(|error| file_error(folder, error))?;
    }
    Ok(())
}

/// How the folder of an instance is called while it appears or disappears; no instance is called so.
const UNFINISHED: &str = ".unfinished-";

const RECORD: &str = "instance.toml";
const REKOR_V2_SIGNING_CONFIG: &str = "signing_config_rekor_v2.v0.2.json";
const SIGNING_CONFIG: &str = "signing_config.v0.2.json";
const TRUSTED_ROOT: &str = "trusted_root.json";

/// Public-good's trusted root has 7 kB.
const MAX_DOCUMENT_BYTES: u64 = 1 << 20;

#[cfg(test)]
mod tests;
