//! Where the trusted instances are kept: one folder each in the user's data folder, and public-good compiled in.
//!
//! ```text
//! instances/NAME/instance.toml                         where it came from and when, and what the user allows it
//! instances/NAME/trusted_root.json                     as it came
//! instances/NAME/signing_config.v0.2.json              as it came; absent where it only verifies
//! instances/NAME/signing_config_rekor_v2.v0.2.json     as it came; absent where there is none
//! instances/NAME/tuf/                                  TUF roots from the pinned one on, and the newest of each role
//! ```
//! A folder appears, changes and disappears as a whole. Public-good has one where it was refreshed, and is what was compiled
//! in where it was not, or where that is newer.

mod documents;
mod error;
mod files;
mod record;
pub mod tuf;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::instance::{BadInstanceName, Instance, InstanceBounds, InstanceName};
use crate::settings::{Folders, Settings};
use crate::trust_age::{MaxTrustAge, TrustAge};

pub use documents::{Documents, PUBLIC_GOOD_MIRROR, from_file, public_good};
pub use error::TrustStoreError;
pub use files::read;
pub use record::{MalformedRecord, Origin};

use documents::{PUBLIC_GOOD_OF, public_good_root};
use files::{file_error, lock, optional, put, sweep, sync_folder, unfinished, write};
use record::Record;
use tuf::TufState;

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
        let Stored { record, documents } = self.stored(name)?;
        documents.instance(name.clone(), record.bounds)
    }

    /// The documents of an instance, byte for byte.
    ///
    /// # Errors
    /// [`TrustStoreError`] if it is unknown or cannot be read.
    pub fn documents(&self, name: &InstanceName) -> Result<Documents, TrustStoreError> {
        Ok(self.stored(name)?.documents)
    }

    /// Where the instance came from.
    ///
    /// # Errors
    /// [`TrustStoreError`] if it is unknown or cannot be read.
    pub fn origin(&self, name: &InstanceName) -> Result<Origin, TrustStoreError> {
        Ok(self.stored(name)?.record.origin)
    }

    /// When somebody last vouched for the instance's documents: a refresh, or the user who brought them.
    ///
    /// # Errors
    /// [`TrustStoreError`] if it is unknown or cannot be read.
    pub fn refreshed(&self, name: &InstanceName) -> Result<Option<Timestamp>, TrustStoreError> {
        Ok(self.stored(name)?.record.refreshed)
    }

    /// Demands that every one of these instances was refreshed lately.
    ///
    /// # Errors
    /// [`TrustStoreError::Stale`] names the first that was not.
    pub fn demand_fresh<'a>(
        &self,
        names: impl Iterator<Item = &'a InstanceName>,
        max: MaxTrustAge,
        now: Timestamp,
    ) -> Result<(), TrustStoreError> {
        for name in names {
            let Record { origin, refreshed, .. } = self.stored(name)?.record;
            if !refreshed.is_some_and(|refreshed| max.admits(refreshed, now)) {
                let age = refreshed.map(|refreshed| TrustAge { refreshed, now });
                let refreshable = !matches!(origin, Origin::Files | Origin::Tuf(None));
                return Err(TrustStoreError::Stale { name: name.clone(), age, max, refreshable });
            }
        }
        Ok(())
    }

    /// The TUF metadata that the instance's next refresh begins with; empty where it is not from a TUF repository.
    ///
    /// # Errors
    /// [`TrustStoreError`] if it is unknown or cannot be read.
    pub fn tuf_state(&self, name: &InstanceName) -> Result<TufState, TrustStoreError> {
        let mut state = match self.place(name) {
            Some(place) => TufState::load(&place.join(TUF))?,
            None if *name == InstanceName::public_good() => TufState::default(),
            None => return Err(TrustStoreError::Unknown(name.clone())),
        };
        if *name == InstanceName::public_good() {
            // What is compiled in is the anchor, whatever lies on the disk. It is a root: a test says so.
            let _is_a_root = state.pin(public_good_root());
        }
        Ok(state)
    }

    /// Keeps a new instance, whole or not at all.
    ///
    /// # Errors
    /// [`TrustStoreError`] if the name is taken, or a document or the folder is unusable.
    pub fn add(&self, name: &InstanceName, material: &Material, bounds: InstanceBounds) -> Result<(), TrustStoreError> {
        material.documents.instance(name.clone(), bounds.clone())?;
        self.check_free(name)?;
        let folder = self.folder()?;
        fs::create_dir_all(folder).map_err(|error| file_error(folder, error))?;
        let _lock = lock(folder)?;
        self.check_free(name)?;
        sweep(folder);
        self.write(name, material, &material.record(bounds).to_toml())
    }

    /// Puts newer material in the place of what an instance has, or of what is compiled in. Another process may have been
    /// faster, and have newer material still: that stays.
    ///
    /// # Errors
    /// [`TrustStoreError`] if the instance is unknown, or a document or the folder is unusable.
    pub fn renew(&self, name: &InstanceName, material: &Material) -> Result<Renewed, TrustStoreError> {
        let folder = self.folder()?;
        fs::create_dir_all(folder).map_err(|error| file_error(folder, error))?;
        let _lock = lock(folder)?;
        sweep(folder);
        let Stored { record, documents: before } = self.stored(name)?;
        material.documents.instance(name.clone(), record.bounds.clone())?;
        let (root, timestamp) = material.tuf.versions();
        let (kept_root, kept_timestamp) = self.tuf_state(name)?.versions();
        if (kept_root, kept_timestamp) > (root, timestamp) {
            return Ok(Renewed::Overtaken);
        }
        let bounds = record.bounds.clone();
        let text = match self.place(name) {
            Some(place) => {
                let text = String::from_utf8(read(&place.join(RECORD))?).unwrap_or_default();
                material.record(bounds).rewrite(&text)
            }
            None => material.record(bounds).to_toml(),
        };
        self.write(name, material, &text)?;
        Ok(if before == material.documents { Renewed::Unchanged } else { Renewed::Changed })
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

    /// Forgets an instance; of public-good what was refreshed, so that it is as it was compiled in.
    ///
    /// # Errors
    /// [`TrustStoreError`] if it is unknown, nothing but built in, or its folder cannot be removed.
    pub fn remove(&self, name: &InstanceName) -> Result<(), TrustStoreError> {
        let place = self.place(name).ok_or_else(|| match *name == InstanceName::public_good() {
            true => TrustStoreError::BuiltIn,
            false => TrustStoreError::Unknown(name.clone()),
        })?;
        let folder = self.folder()?;
        let _lock = lock(folder)?;
        sweep(folder);
        let bin = unfinished(folder)?;
        fs::rename(&place, bin.path().join(name.as_str())).map_err(|error| file_error(&place, error))?;
        bin.close().map_err(|error| file_error(&place, error))?;
        sync_folder(folder)
    }

    fn folder(&self) -> Result<&Path, TrustStoreError> {
        self.folder.as_deref().ok_or(TrustStoreError::NoFolder)
    }

    /// The folder of an instance, if it has one.
    fn place(&self, name: &InstanceName) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(name.as_str())).filter(|place| place.is_dir())
    }

    /// What an instance has at one moment: when its record changes meanwhile, everything is read again.
    fn stored(&self, name: &InstanceName) -> Result<Stored, TrustStoreError> {
        let built_in = *name == InstanceName::public_good();
        let Some(place) = self.place(name) else {
            return if built_in { Ok(Stored::built_in()) } else { Err(TrustStoreError::Unknown(name.clone())) };
        };
        let path = place.join(RECORD);
        let mut record = read(&path)?;
        for _ in 0..ATTEMPTS {
            let documents = Documents {
                trusted_root: read(&place.join(TRUSTED_ROOT))?,
                signing_config: optional(read(&place.join(SIGNING_CONFIG)))?,
                rekor_v2_signing_config: optional(read(&place.join(REKOR_V2_SIGNING_CONFIG)))?,
            };
            let after = read(&path)?;
            if record == after {
                let text = String::from_utf8(record).map_err(|_bytes| TrustStoreError::NotUtf8(path.clone()))?;
                let record = Record::parse(&text).map_err(|error| TrustStoreError::Record { path, error })?;
                let of_the_build = built_in && record.refreshed.is_none_or(|refreshed| refreshed < PUBLIC_GOOD_OF);
                return Ok(if of_the_build {
                    let Stored { record: own, documents } = Stored::built_in();
                    Stored { record: Record { bounds: record.bounds, ..own }, documents }
                } else {
                    Stored { record, documents }
                });
            }
            record = after;
        }
        Err(TrustStoreError::Restless(place))
    }

    /// Under the lock.
    fn write(&self, name: &InstanceName, material: &Material, record: &str) -> Result<(), TrustStoreError> {
        let folder = self.folder()?;
        let new = unfinished(folder)?;
        let Documents { trusted_root, signing_config, rekor_v2_signing_config } = &material.documents;
        write(&new.path().join(TRUSTED_ROOT), trusted_root)?;
        for (name, document) in [(SIGNING_CONFIG, signing_config), (REKOR_V2_SIGNING_CONFIG, rekor_v2_signing_config)] {
            if let Some(document) = document {
                write(&new.path().join(name), document)?;
            }
        }
        if material.tuf != TufState::default() {
            let tuf = new.path().join(TUF);
            fs::create_dir(&tuf).map_err(|error| file_error(&tuf, error))?;
            material.tuf.save(&tuf)?;
        }
        write(&new.path().join(RECORD), record.as_bytes())?;
        sync_folder(new.path())?;
        put(new, &folder.join(name.as_str()))?;
        sync_folder(folder)
    }
}

/// What is to be kept of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Material {
    /// Whom it vouches for, and where it signs.
    pub documents: Documents,
    /// Where they came from.
    pub origin: Origin,
    /// When they came.
    pub refreshed: Option<Timestamp>,
    /// What led to them; empty where no TUF repository did.
    pub tuf: TufState,
}

impl Material {
    fn record(&self, bounds: InstanceBounds) -> Record {
        Record { origin: self.origin.clone(), refreshed: self.refreshed, bounds }
    }
}

/// What became of newer material.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewed {
    /// It has other documents than there were.
    Changed,
    /// Another process has kept newer material meanwhile.
    Overtaken,
    /// It has the same documents.
    Unchanged,
}

/// What an instance has.
struct Stored {
    record: Record,
    documents: Documents,
}

impl Stored {
    fn built_in() -> Self {
        let (refreshed, bounds) = (Some(PUBLIC_GOOD_OF), InstanceBounds::default());
        Self { record: Record { origin: Origin::BuiltIn, refreshed, bounds }, documents: public_good() }
    }
}

fn bad_name(text: &str) -> impl FnOnce(BadInstanceName) -> TrustStoreError {
    let text = text.to_owned();
    move |error| TrustStoreError::BadName { text, error }
}

const RECORD: &str = "instance.toml";
const REKOR_V2_SIGNING_CONFIG: &str = "signing_config_rekor_v2.v0.2.json";
const SIGNING_CONFIG: &str = "signing_config.v0.2.json";
const TRUSTED_ROOT: &str = "trusted_root.json";
const TUF: &str = "tuf";

/// Public-good's trusted root has 7 kB.
const MAX_DOCUMENT_BYTES: u64 = 1 << 20;

/// How often an instance may change while it is read.
const ATTEMPTS: u32 = 100;

#[cfg(test)]
mod tests;
