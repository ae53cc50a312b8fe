//! Times that somebody trusted vouches for; nothing that is merely claimed gets this far.

use jiff::Timestamp;

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

    /// The source's name in JSON: `timestamp`, `log`.
    #[must_use]
    pub fn source(&self) -> &'static str {
        match self {
            Self::TimestampAuthority(_) => "timestamp",
            Self::TransparencyLog(_) => "log",
        }
    }
}
