//! Times that somebody trusted vouches for; nothing that is merely claimed gets this far.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::timestamp::VerifiedToken;
use crate::tlog::promise::VerifiedPromise;

/// A verified time, and who vouches for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifiedTime {
    /// A timestamp authority, in an RFC 3161 token.
    TimestampAuthority(VerifiedToken),
    /// A Rekor v1 log, in its inclusion promise.
    TransparencyLog(VerifiedPromise),
}

impl VerifiedTime {
    /// The time.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        match self {
            Self::TimestampAuthority(token) => token.gen_time(),
            Self::TransparencyLog(promise) => promise.integrated_time(),
        }
    }

    /// Who vouches for it.
    #[must_use]
    pub fn source(&self) -> TimeSource {
        match self {
            Self::TimestampAuthority(_) => TimeSource::Timestamp,
            Self::TransparencyLog(_) => TimeSource::Log,
        }
    }
}

/// Who vouches for a verified time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TimeSource {
    /// A transparency log.
    Log,
    /// A timestamp authority.
    Timestamp,
}

impl TimeSource {
    /// The name in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Timestamp => "timestamp",
        }
    }
}
