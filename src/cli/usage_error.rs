//! A command line that nothing can be made of.

use std::ffi::OsString;

/// A command line that says nothing waxseal could do.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// clap's words.
    #[error("{0}")]
    Command(String),
    /// An identity without the one who vouched for it.
    #[error("{identity} needs --certificate-oidc-issuer")]
    IdentityWithoutIssuer {
        /// The flag that stands alone.
        identity: &'static str,
    },
    /// An instance without the identity that it must have vouched for.
    #[error("--instance needs --certificate-identity")]
    InstanceWithoutIdentity,
    /// An issuer without an identity.
    #[error("{issuer} needs --certificate-identity")]
    IssuerWithoutIdentity {
        /// The flag that stands alone.
        issuer: &'static str,
    },
    /// No argument at all.
    #[error("no command was given")]
    Nothing {
        /// The help page.
        help: String,
    },
    /// In Git's grammar: neither signing nor verifying was asked for, or both.
    #[error("exactly one of --sign and --verify is needed")]
    OneOperation,
    /// In Git's grammar: an attached signature is not what Git makes.
    #[error("--verify needs two operands: a signature file, and the signed data or '-'")]
    VerifyOperands,
    /// In Git's grammar: more than one payload.
    #[error("only one payload can be signed at a time")]
    SignOperands,
    /// In Git's grammar: an option that gpgsm may know, and waxseal does not.
    #[error("unknown option {0}")]
    UnknownOption(String),
    /// In Git's grammar: an option that wants a value came last.
    #[error("{0} needs a value")]
    MissingValue(String),
    /// In Git's grammar: an option that takes no value got one.
    #[error("{0} takes no value")]
    UnexpectedValue(String),
    /// In Git's grammar: not a file descriptor to write to.
    #[error("\"{}\" is no file descriptor that status lines can go to", .0.display())]
    StatusFd(OsString),
}

impl UsageError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::IdentityWithoutIssuer { .. } => Some("an address means nothing until you say who vouched for it"),
            Self::InstanceWithoutIdentity => Some("it says which instance must have vouched for that identity"),
            Self::IssuerWithoutIdentity { .. } => Some("--any-identity admits everyone"),
            Self::OneOperation | Self::UnknownOption(_) | Self::MissingValue(_) | Self::UnexpectedValue(_) => {
                Some("\"waxseal --help\" lists the commands")
            }
            Self::VerifyOperands => {
                Some("Git's signatures are detached; \"waxseal verify\" reads them from a repository")
            }
            Self::SignOperands => Some("give one file, or none to have it read from standard input"),
            Self::StatusFd(_) => {
                Some("it is the number of one that is open for writing: 1, 2, or one that the caller handed on")
            }
            Self::Command(_) | Self::Nothing { .. } => None,
        }
    }
}
