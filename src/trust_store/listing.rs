//! What lies in the folder of the instances: instances, and what cannot be one.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{RECORD, TrustStoreError, file_error};
use crate::instance::InstanceName;

/// The entries of the folder.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub names: Vec<InstanceName>,
    pub strays: Vec<Stray>,
}

impl Listing {
    /// Of no folder at all, there is nothing. Names that begin with a dot are the lock's, those of folders in the making,
    /// and of other programs that do not want to be seen.
    pub(super) fn of(folder: &Path) -> Result<Self, TrustStoreError> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(file_error(folder, error)),
        };
        let mut listing = Self::default();
        for entry in entries {
            let file_name = entry.map_err(|error| file_error(folder, error))?.file_name();
            if file_name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let path = folder.join(&file_name);
            let name = file_name.to_str().and_then(|name| name.parse().ok());
            match (name, is_instance(&path)) {
                (Some(name), true) => listing.names.push(name),
                (_, _) if !path.is_dir() => listing.strays.push(Stray { path, why: NoInstance::NoFolder }),
                (None, _) => listing.strays.push(Stray { path, why: NoInstance::Name }),
                (Some(_), false) => listing.strays.push(Stray { path, why: NoInstance::Empty }),
            }
        }
        listing.strays.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(listing)
    }
}

/// Whether there is something at `place` that is, or was, an instance: a folder with something in it.
pub(super) fn is_instance(place: &Path) -> bool {
    // What cannot be looked into is not empty: somebody must hear of it.
    let empty = || fs::read_dir(place).is_ok_and(|mut entries| entries.next().is_none());
    place.is_dir() && (place.join(RECORD).exists() || !empty())
}

/// Something among the instances that is none. Nothing is read of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    path: PathBuf,
    why: NoInstance,
}

impl fmt::Display for Stray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.why {
            NoInstance::Empty => "the folder is empty",
            NoInstance::Name => "no instance has such a name",
            NoInstance::NoFolder => "it is not a folder",
        };
        write!(f, "{} is left out, because {why}; remove it", self.path.display())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NoInstance {
    Empty,
    Name,
    NoFolder,
}
