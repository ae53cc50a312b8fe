//! What goes wrong in the trust store.

use std::io;
use std::path::PathBuf;

use super::{MAX_DOCUMENT_BYTES, MalformedRecord};
use crate::files::LockError;
use crate::instance::{BadInstanceName, InstanceName};
use crate::signing_config::MalformedSigningConfig;
use crate::trust_age::{MaxTrustAge, TrustAge};
use crate::trusted_root::MalformedTrustedRoot;

/// The trust store cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum TrustStoreError {
    /// A name that cannot be one.
    #[error("\"{text}\" is no instance: {error}")]
    BadName {
        /// What was given.
        text: String,
        /// Why not.
        error: BadInstanceName,
    },
    /// What an instance has cannot be read.
    #[error("{error}")]
    Broken {
        /// Whose it is.
        name: InstanceName,
        /// Which file, and what is wrong with it.
        error: Box<Self>,
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
    /// Of the old documents and the new ones some are there.
    #[error("{path} was being replaced when a waxseal was stopped", path = .0.display())]
    HalfReplaced(PathBuf),
    /// Where a new instance would be.
    #[error("{path} is in the way, and is no instance", path = .0.display())]
    InTheWay(PathBuf),
    /// The store cannot be changed now.
    #[error(transparent)]
    Lock(LockError),
    /// No home, no `XDG_DATA_HOME`.
    #[error("there is no home folder to keep instances in")]
    NoFolder,
    /// A folder, a FIFO, a device.
    #[error("{path} is not a regular file", path = .0.display())]
    NotRegular(PathBuf),
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
    /// Older than the user takes.
    #[error("the trust material of instance {name} {}, and may be {max} old at most", aged(.age))]
    Stale {
        /// Whose.
        name: InstanceName,
        /// How old it is; `None`: nobody knows.
        age: Option<TrustAge>,
        /// How old it may be.
        max: MaxTrustAge,
        /// Whether there is an address to ask.
        refreshable: bool,
    },
    /// A folder that is being changed again and again.
    #[error("{path} changes faster than it can be read", path = .0.display())]
    Restless(PathBuf),
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

fn aged(age: &Option<TrustAge>) -> String {
    age.map_or_else(|| "was never refreshed".to_owned(), |age| format!("is {age}"))
}
