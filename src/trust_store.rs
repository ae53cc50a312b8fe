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
mod listing;
mod record;
mod stored;
pub mod tuf;

use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;

use crate::instance::{BadInstanceName, Instance, InstanceBounds, InstanceName};
use crate::settings::{Folders, Settings};
use crate::trust_age::MaxTrustAge;

pub use documents::{Documents, PUBLIC_GOOD_MIRROR, from_file, public_good};
pub use error::TrustStoreError;
pub use files::read;
pub use listing::Stray;
pub use record::{MalformedRecord, Origin};
pub use stored::Stored;

use documents::{PUBLIC_GOOD_OF, public_good_root};
use files::{file_error, is_underway, lock, optional, put, sweep, sync_folder, unfinished, write};
use listing::{Listing, is_instance};
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
        self.trusted_lately(settings, None)
    }

    /// The same, and where an age is demanded at a time, each of them must have been refreshed lately enough.
    ///
    /// # Errors
    /// [`TrustStoreError::Stale`] names the first that was not; otherwise as [`Self::trusted`].
    pub fn trusted_lately(
        &self,
        settings: &Settings,
        demanded: Option<(MaxTrustAge, Timestamp)>,
    ) -> Result<Vec<Instance>, TrustStoreError> {
        let names: Vec<InstanceName> = match &settings.trust {
            Some(names) => names.iter().map(|name| name.parse().map_err(bad_name(name))).collect::<Result<_, _>>()?,
            None => self.names()?,
        };
        let mut stored: Vec<Stored> = names.iter().map(|name| self.stored(name)).collect::<Result<_, _>>()?;
        // Where two have the same authority, the first one's word counts: the one that signs, then public-good.
        let signing = settings.instance.as_deref();
        let public_good = InstanceName::public_good();
        stored.sort_by_key(|stored| (Some(stored.name.as_str()) != signing, stored.name != public_good));
        let trusted = stored.iter().map(Stored::instance).collect::<Result<_, _>>()?;
        if let Some((max, now)) = demanded {
            stored.iter().try_for_each(|stored| stored.demand_fresh(max, now))?;
        }
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
        let mut names = self.listing()?.names;
        names.push(InstanceName::public_good());
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// What lies among the instances and cannot be one. To be said.
    #[must_use]
    pub fn strays(&self) -> Vec<Stray> {
        // Whoever asks for the instances hears why they cannot be listed.
        self.listing().map(|listing| listing.strays).unwrap_or_default()
    }

    fn listing(&self) -> Result<Listing, TrustStoreError> {
        self.folder.as_deref().map_or_else(|| Ok(Listing::default()), Listing::of)
    }

    /// One instance.
    ///
    /// # Errors
    /// [`TrustStoreError`] if it is unknown or cannot be read.
    pub fn load(&self, name: &InstanceName) -> Result<Instance, TrustStoreError> {
        self.stored(name)?.instance()
    }

    /// What an instance has.
    ///
    /// # Errors
    /// [`TrustStoreError`] if it is unknown or cannot be read.
    pub fn stored(&self, name: &InstanceName) -> Result<Stored, TrustStoreError> {
        Ok(self.at_one_moment(name, |_place| Ok(()))?.0)
    }

    /// The same, with the TUF metadata that its next refresh begins with; empty where it is not from a TUF repository.
    ///
    /// # Errors
    /// [`TrustStoreError`] if it is unknown or cannot be read.
    pub fn stored_with_tuf(&self, name: &InstanceName) -> Result<(Stored, TufState), TrustStoreError> {
        let (stored, mut state) = self.at_one_moment(name, |place| TufState::load(&place.join(TUF)))?;
        if *name == InstanceName::public_good() {
            // What is compiled in is the anchor, whatever lies on the disk. It is a root: a test says so.
            let _is_a_root = state.pin(public_good_root());
        }
        Ok((stored, state))
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

    /// Puts newer material in the place of what an instance has, or of what is compiled in. `started` is what it had when
    /// the material was asked for. Another process may have been faster since: newer signed material stays, and of
    /// documents without a version those that were there first.
    ///
    /// # Errors
    /// [`TrustStoreError`] if the instance is unknown, or a document or the folder is unusable.
    pub fn renew(&self, started: &Stored, material: &Material) -> Result<Renewed, TrustStoreError> {
        let name = started.name();
        let folder = self.folder()?;
        fs::create_dir_all(folder).map_err(|error| file_error(folder, error))?;
        let _lock = lock(folder)?;
        sweep(folder);
        let (stored, kept) = self.stored_with_tuf(name)?;
        let bounds = stored.record.bounds.clone();
        material.documents.instance(name.clone(), bounds.clone())?;
        let unchanged = stored.documents == material.documents;
        let moved = stored.origin() != started.origin() || stored.documents != started.documents;
        match kept.versions().cmp(&material.tuf.versions()) {
            Ordering::Greater => return Ok(Renewed::Overtaken),
            Ordering::Equal if moved && !unchanged => return Ok(Renewed::Overtaken),
            Ordering::Equal | Ordering::Less => {}
        }
        let record = material.record(bounds);
        if unchanged && kept == material.tuf && stored.record.is_as_late_as(&record) {
            return Ok(Renewed::Unchanged);
        }
        let text = match self.place(name) {
            Some(place) => {
                let text = String::from_utf8(read(&place.join(RECORD))?).unwrap_or_default();
                record.rewrite(&text)
            }
            None => record.to_toml(),
        };
        self.write(name, material, &text)?;
        Ok(if unchanged { Renewed::Unchanged } else { Renewed::Changed })
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
        let place = self.folder()?.join(name.as_str());
        match place.symlink_metadata() {
            Err(_absent) => Ok(()),
            Ok(_there) if is_instance(&place) => Err(TrustStoreError::Exists(name.clone())),
            // An empty folder is exchanged for the new one.
            Ok(there) if there.is_dir() => Ok(()),
            Ok(_there) => Err(TrustStoreError::InTheWay(place)),
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
        self.folder.as_ref().map(|folder| folder.join(name.as_str())).filter(|place| is_instance(place))
    }

    /// What an instance has at one moment, and what `more` reads in its folder: when its record changes meanwhile,
    /// everything is read again.
    fn at_one_moment<T: Default>(
        &self,
        name: &InstanceName,
        more: impl Fn(&Path) -> Result<T, TrustStoreError>,
    ) -> Result<(Stored, T), TrustStoreError> {
        let Some(place) = self.place(name) else {
            return if *name == InstanceName::public_good() {
                Ok((Stored::built_in(), T::default()))
            } else {
                Err(TrustStoreError::Unknown(name.clone()))
            };
        };
        self.read_at_one_moment(name, &place, more)
            .map_err(|error| TrustStoreError::Broken { name: name.clone(), error: Box::new(error) })
    }

    fn read_at_one_moment<T>(
        &self,
        name: &InstanceName,
        place: &Path,
        more: impl Fn(&Path) -> Result<T, TrustStoreError>,
    ) -> Result<(Stored, T), TrustStoreError> {
        let path = place.join(RECORD);
        let documents = || {
            Ok(Documents {
                trusted_root: read(&place.join(TRUSTED_ROOT))?,
                signing_config: optional(read(&place.join(SIGNING_CONFIG)))?,
                rekor_v2_signing_config: optional(read(&place.join(REKOR_V2_SIGNING_CONFIG)))?,
            })
        };
        let mut record = read(&path)?;
        for _ in 0..ATTEMPTS {
            // What cannot be read may have gone because something else came.
            let found = documents().and_then(|documents| Ok((documents, more(place)?)));
            let after = read(&path)?;
            if record == after && is_underway(&after) {
                thread::sleep(PAUSE);
            } else if record == after {
                let (documents, more) = found?;
                let text = String::from_utf8(record).map_err(|_bytes| TrustStoreError::NotUtf8(path.clone()))?;
                let record = Record::parse(&text).map_err(|error| TrustStoreError::Record { path, error })?;
                let built_in = *name == InstanceName::public_good();
                let of_the_build = built_in && record.newest().is_none_or(|newest| newest < PUBLIC_GOOD_OF);
                let stored = if of_the_build {
                    let built_in = Stored::built_in();
                    Stored { record: Record { bounds: record.bounds, ..built_in.record }, ..built_in }
                } else {
                    Stored { name: name.clone(), record, documents }
                };
                return Ok((stored, more));
            }
            record = after;
        }
        Err(if is_underway(&record) {
            TrustStoreError::HalfReplaced(place.to_owned())
        } else {
            TrustStoreError::Restless(place.to_owned())
        })
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
    /// When the origin, or the user in its place, vouched for them.
    pub refreshed: Option<Timestamp>,
    /// When somebody brought them as a file, where the origin is something else.
    pub brought: Option<Timestamp>,
    /// What led to them; empty where no TUF repository did.
    pub tuf: TufState,
}

impl Material {
    fn record(&self, bounds: InstanceBounds) -> Record {
        Record { origin: self.origin.clone(), refreshed: self.refreshed, brought: self.brought, bounds }
    }
}

/// What became of newer material.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewed {
    /// It has other documents than there were.
    Changed,
    /// Another process has kept other material meanwhile, and that stays.
    Overtaken,
    /// It has the same documents.
    Unchanged,
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

/// Half a second in all for somebody who replaces file by file.
const PAUSE: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests;
