//! The kinds of findings, with their codes and sentences.

use std::fmt;

use jiff::Timestamp;

use crate::instance::InstanceName;

/// What can be wrong with a policy that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A dot in a host is not escaped. Nobody has such a name, and nobody meant it.
    AnyCharacter {
        /// As it was written.
        pattern: String,
        /// What it admits, too.
        other: String,
    },
    /// Anyone can get such a name.
    AnySubject {
        /// As it was written.
        pattern: String,
        /// A name that anybody could have, and that it admits.
        stranger: String,
    },
    /// Whoever runs an issuer can vouch for whatever it likes.
    AnyIssuer {
        /// As it was written.
        pattern: String,
        /// An issuer that anybody could run, and that it admits.
        stranger: String,
    },
    /// The key of a forge, which signs for everybody who is logged in there.
    ForgeKey(String),
    /// There is no such name.
    MatchesNothing {
        /// As it was written.
        pattern: String,
        /// Why there is none.
        why: &'static str,
    },
    /// It means what the configuration of whoever judges says.
    NoInstance,
    /// It was over before now.
    Over(Timestamp),
    /// The same identity at the same time by two rules: the first one counts.
    Overlapping {
        /// The other rule.
        other: String,
        /// Whom both admit.
        identity: String,
    },
    /// What an OpenPGP key signed that was taken back is admitted up to a commit only, and none is named.
    RevokedKey(String),
    /// No instance of that name is known where the policy is looked at.
    UnknownInstance(InstanceName),
    /// It reads like a pattern, and is compared byte for byte.
    Unmarked(String),
    /// Whoever it admits, an earlier rule has admitted.
    Unreachable {
        /// The earlier rule.
        by: String,
    },
}

impl Problem {
    /// A stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::AnyCharacter { .. } => "any-character",
            Self::AnyIssuer { .. } => "any-issuer",
            Self::AnySubject { .. } => "any-subject",
            Self::ForgeKey(_) => "forge-key",
            Self::MatchesNothing { .. } => "matches-nothing",
            Self::NoInstance => "no-instance",
            Self::Over(_) => "rule-over",
            Self::Overlapping { .. } => "overlapping-rules",
            Self::RevokedKey(_) => "revoked-key",
            Self::UnknownInstance(_) => "unknown-instance",
            Self::Unmarked(_) => "unmarked-pattern",
            Self::Unreachable { .. } => "unreachable-rule",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnyCharacter { pattern, other } => {
                write!(f, "{pattern} admits {other}, too: a dot without a backslash stands for any character")
            }
            Self::AnyIssuer { pattern, stranger } => {
                write!(f, "{pattern} admits issuers that anybody can run, as {stranger}, who then can be anybody")
            }
            Self::AnySubject { pattern, stranger } => {
                write!(f, "{pattern} admits names that anybody can have, as {stranger}")
            }
            Self::ForgeKey(key) => {
                write!(
                    f,
                    "the key {key} is a forge's, and signs for whoever is logged in there: [rule.forge] narrows it"
                )
            }
            Self::MatchesNothing { pattern, why } => write!(f, "{pattern} matches nothing: {why}"),
            Self::NoInstance => f.write_str("it names no instance, so it means another one wherever another one signs"),
            Self::Over(until) => write!(f, "it is over since {until}, and judges older signatures only"),
            Self::Overlapping { other, identity } => {
                write!(f, "{identity} is admitted by the rule \"{other}\" at the same time")
            }
            Self::RevokedKey(key) => {
                write!(
                    f,
                    "a file says that the key {key} is revoked: without until_commit nothing that it signed is admitted"
                )
            }
            Self::UnknownInstance(name) => write!(f, "there is no instance {name} here"),
            Self::Unmarked(text) => {
                write!(f, "{text} is compared byte for byte: a pattern is marked with glob: or regex:")
            }
            Self::Unreachable { by } => write!(f, "the rule \"{by}\" before it admits everybody that it admits"),
        }
    }
}
