//! Why a path does not hold, and why an authority of a trusted root cannot be used.

use const_oid::ObjectIdentifier;
use jiff::Timestamp;

use crate::crypto::UnsupportedKey;
use crate::trusted_root::TimeRange;
use crate::x509::MalformedCertificate;

/// A leaf that leads to no trusted authority at the time in question.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The trusted root vouches for the authority at other times.
    #[error("the certificate authority was not trusted at {at} (trusted {valid_for})")]
    AuthorityOutsideValidity {
        /// When it would have been needed.
        at: Timestamp,
        /// When it is trusted.
        valid_for: TimeRange,
    },
    /// The trusted root's own certificates do not lead to one another.
    #[error("the trusted root is broken: the certificate \"{subject}\" is not signed by the one above it")]
    BrokenAuthority {
        /// Whose certificate.
        subject: String,
    },
    /// A certificate above the leaf.
    #[error("the certificate of the authority \"{subject}\" was not valid at {at}")]
    IssuerOutsideValidity {
        /// When it would have been needed.
        at: Timestamp,
        /// Whose certificate.
        subject: String,
    },
    /// The leaf itself.
    #[error("the certificate was not valid at {at} (valid {not_before} to {not_after})")]
    LeafOutsideValidity {
        /// When it would have been needed.
        at: Timestamp,
        /// The first instant of its validity.
        not_before: Timestamp,
        /// The last instant of its validity.
        not_after: Timestamp,
    },
    /// The authority that the leaf names did not sign it.
    #[error("the certificate is not signed by the authority that it names, \"{issuer}\"")]
    Signature {
        /// Whom it names.
        issuer: String,
    },
    /// No trusted authority has the name (and key) that the leaf gives.
    #[error("the certificate authority \"{issuer}\" is not trusted")]
    UnknownAuthority {
        /// Whom it names.
        issuer: String,
    },
}

/// A certificate authority in a trusted root that cannot vouch for anyone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    /// No certificates at all.
    #[error("a certificate authority in the trusted root has no certificates")]
    Empty,
    /// Its key.
    #[error("the key of a certificate authority in the trusted root: {0}")]
    Key(UnsupportedKey),
    /// A certificate that does not decode.
    #[error("a certificate authority in the trusted root: {0}")]
    Malformed(#[from] MalformedCertificate),
    /// Not CA:TRUE, no keyCertSign, or for another purpose than code signing.
    #[error("the trusted root's certificate \"{0}\" may not issue signing certificates")]
    MayNotIssue(String),
    /// Not for time-stamping and nothing else (RFC 3161 §2.3).
    #[error("the trusted root's certificate \"{0}\" is not a timestamp authority's")]
    MayNotStamp(String),
    /// pathLenConstraint.
    #[error("the trusted root's certificate \"{0}\" allows fewer certificates below it")]
    PathTooLong(String),
    /// RFC 5280 §4.2; name constraints are among what waxseal does not process.
    #[error("critical extension {0} of a certificate in the trusted root is not understood")]
    UnknownCriticalExtension(ObjectIdentifier),
}
