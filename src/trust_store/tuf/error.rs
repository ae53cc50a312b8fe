//! Why a TUF repository is not followed.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use sigstore_tuf::Error;

use super::fetched::{FetchError, Last};
use crate::causes::causes;
use crate::services::http::ServiceError;
use crate::trust_store::TrustStoreError;

/// A repository that is not followed, or a file that is no root.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct TufError {
    /// Which.
    pub place: TufPlace,
    /// What is wrong with it.
    pub problem: TufProblem,
}

/// Where metadata came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TufPlace {
    /// The user's own file: a root to begin with.
    File(Box<Path>),
    /// A copy of a repository.
    Folder(Box<Path>),
    /// A mirror's address.
    Mirror(Box<str>),
}

impl fmt::Display for TufPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Folder(path) => write!(f, "the TUF repository in {}", path.display()),
            Self::Mirror(address) => write!(f, "the TUF repository at {address}"),
        }
    }
}

/// What is wrong with a repository.
#[derive(Debug, thiserror::Error)]
pub enum TufProblem {
    /// A file of a folder cannot be read.
    #[error(transparent)]
    Disk(TrustStoreError),
    /// Nobody vouches any more that this is the newest.
    #[error("{file}{}, expired on {expires}", versioned(.version))]
    Expired {
        /// Which file.
        file: String,
        /// Its version.
        version: Option<u64>,
        /// When.
        expires: Timestamp,
    },
    /// Not what the metadata above it says: its hash, length or version.
    #[error("{file} is not what was signed: {what}")]
    Integrity {
        /// Which file.
        file: String,
        /// What differs.
        what: String,
    },
    /// Not JSON, or not the JSON of its role.
    #[error("{file} is malformed: {what}")]
    Malformed {
        /// Which file.
        file: String,
        /// What is wrong with it.
        what: String,
    },
    /// The metadata names it.
    #[error("{0} is missing")]
    Missing(String),
    /// There is nothing to verify it from.
    #[error("no root of it is known")]
    NoRoot,
    /// What it is there for.
    #[error("it has no target {0}")]
    NoTarget(&'static str),
    /// A root in a form that `sigstore-tuf` does not read: ECDSA keys as bare points.
    #[error("version {0} of the TUF root holds its keys in a form that waxseal does not read")]
    OldKeys(u64),
    /// Something was newer before.
    #[error("it is older than what was seen before: {role} has version {offered}, and had {trusted}")]
    Rollback {
        /// Of which role.
        role: String,
        /// The version that was seen.
        trusted: u64,
        /// The version that came.
        offered: u64,
    },
    /// The user's file.
    #[error("not a TUF root: {0}")]
    Root(String),
    /// The mirror, or the way to it.
    #[error(transparent)]
    Service(ServiceError),
    /// The whole took too long.
    #[error("it was not read to its end within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// More bytes than any file has.
    #[error("{file}: {what}")]
    TooLarge {
        /// Which file.
        file: String,
        /// How much is too much.
        what: String,
    },
    /// Somebody keeps us busy, or we were away for ages.
    #[error("it has more than {0} roots that are newer than the one that is known")]
    TooManyRoots(u32),
    /// Not signed by those who must.
    #[error("{file} is signed by {found} of the keys that must sign it, and {threshold} are needed")]
    Unsigned {
        /// Which file.
        file: String,
        /// So many signatures hold.
        found: usize,
        /// So many must.
        threshold: usize,
    },
}

impl TufProblem {
    /// `last` is the file that was read last.
    pub(super) fn of(error: Error, last: &Last) -> Self {
        let file = if last.name.is_empty() { "the root that was pinned".to_owned() } else { last.name.clone() };
        match error {
            Error::Expired { expires, .. } => Self::Expired { file, version: last.version, expires },
            Error::ThresholdNotMet { found, threshold, .. } => Self::Unsigned { file, found, threshold },
            Error::Rollback { role, trusted, new } => Self::Rollback { role, trusted, offered: new },
            Error::BadRootVersion { trusted, new } => {
                Self::Integrity { file, what: format!("it has version {new}, and comes after {trusted}") }
            }
            Error::IntegrityMismatch(what) => Self::Integrity { file, what },
            Error::Transport { source: Some(source), .. } => match source.downcast::<FetchError>() {
                Ok(error) => match *error {
                    FetchError::Disk(error) => Self::Disk(error),
                    FetchError::Service(error) => Self::Service(error),
                    error @ FetchError::TooLarge(_) => Self::TooLarge { file, what: error.to_string() },
                    error @ FetchError::Name => Self::Malformed { file, what: error.to_string() },
                },
                Err(other) => Self::Malformed { file, what: other.to_string() },
            },
            // Each root that came was one more, and each but the last was there.
            Error::Transport { source: None, .. } if !last.absent => Self::TooManyRoots(super::MAX_NEW_ROOTS),
            Error::Transport { source: None, .. } => Self::Missing(file),
            Error::Json(error) => Self::Malformed { file, what: error.to_string() },
            other => Self::Malformed { file, what: causes(&other) },
        }
    }
}

fn versioned(version: &Option<u64>) -> String {
    version.map(|version| format!(", version {version}")).unwrap_or_default()
}
