//! What can be wrong with a rule of a policy file, about identities or about keys.

use super::super::BadPattern;
use crate::instance::BadInstanceName;

/// What can be wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRule {
    /// Both at once.
    #[error("unbounded contradicts from_commit and until_commit")]
    BoundedAndNot,
    /// A bound.
    #[error("{field} \"{id}\" is not a full object id in lower-case hexadecimal")]
    Commit {
        /// Which.
        field: &'static str,
        /// As it was written.
        id: String,
    },
    /// Whoever has the key chooses its dates.
    #[error("nothing proves when a key signed: bound the rule by from_commit and until_commit, not by dates")]
    DatesOfKeys,
    /// A file that the rule names.
    #[error("{path}: {wrong}")]
    File {
        /// As it was written.
        path: String,
        /// What is wrong with it.
        wrong: String,
    },
    /// A key.
    #[error("\"{key}\": {wrong}")]
    Key {
        /// As it was written.
        key: String,
        /// What is wrong with it.
        wrong: String,
    },
    /// No instance.
    #[error("instance: {0}")]
    Instance(#[from] BadInstanceName),
    /// What cannot be shown in a line.
    #[error("a name has 1 to 64 printable characters")]
    Name,
    /// An empty list admits every one or none; which was meant?
    #[error("{0} is an empty list")]
    Empty(&'static str),
    /// A pattern.
    #[error("{field} \"{pattern}\": {wrong}")]
    Pattern {
        /// Where.
        field: &'static str,
        /// As it was written.
        pattern: String,
        /// What is wrong with it.
        wrong: BadPattern,
    },
    /// Who vouches?
    #[error(
        "it says neither which issuer vouches (issuer), nor which keys it is about (ssh, allowed_signers, openpgp)"
    )]
    NoIssuer,
    /// Nobody vouches for a key.
    #[error("it is about keys, and {0} means nothing there")]
    NotOfKeys(&'static str),
    /// Proven times do better.
    #[error("{0} is for rules about keys")]
    OnlyOfKeys(&'static str),
    /// Nothing to verify with.
    #[error("no file in key_files has the OpenPGP key {0}")]
    KeyNotThere(String),
    /// Which of the two is it?
    #[error("keys of SSH and of OpenPGP need a rule each")]
    TwoFormats,
    /// Of OpenPGP.
    #[error("\"{0}\" is no fingerprint of an OpenPGP primary key: 40 or 64 hexadecimal digits")]
    Fingerprint(String),
    /// Git's refs have full names.
    #[error("\"{0}\" is no full ref name, as refs/heads/main is")]
    RefName(String),
    /// A date without offset means something else in every place.
    #[error("{0} is a date and time with its offset, as 2026-01-31T00:00:00Z is")]
    Time(&'static str),
    /// Another rule has the name.
    #[error("another rule has that name")]
    Twice,
    /// Nobody.
    #[error("it names nobody: email, uri, username or workflow")]
    Nobody,
    /// A key that is lost would be believed for ever.
    #[error("nothing proves when a key signed: say from_commit, until_commit, or unbounded = true")]
    Unbounded,
    /// Never.
    #[error("until is not after from")]
    Window,
}
