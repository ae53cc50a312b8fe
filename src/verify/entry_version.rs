//! What a log entry is, as its proof says, and what it calls itself: gitsign calls everything 0.0.1.

use serde::{Deserialize, Serialize};

/// Which of Rekor's APIs an entry comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RekorVersion {
    /// Promises a time.
    V1,
    /// Tiles; a timestamp authority gives the time.
    V2,
}

impl RekorVersion {
    /// The version in JSON: `1`, `2`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "1",
            Self::V2 => "2",
        }
    }
}

/// Which version of a `hashedrekord` body an entry calls itself; what it is, its proof says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BodyVersion {
    /// `0.0.1`: Rekor v1's, and what gitsign calls everything.
    V001,
    /// `0.0.2`: Rekor v2's.
    V002,
}

impl BodyVersion {
    /// As the entry has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V001 => "0.0.1",
            Self::V002 => "0.0.2",
        }
    }
}

/// What to say where label and proof differ.
pub(super) fn mislabelled(version: RekorVersion, label: BodyVersion) -> Option<&'static str> {
    match (version, label) {
        (RekorVersion::V2, BodyVersion::V001) => Some("an entry of Rekor v2, labelled 0.0.1"),
        (RekorVersion::V1, BodyVersion::V001 | BodyVersion::V002) | (RekorVersion::V2, BodyVersion::V002) => None,
    }
}
