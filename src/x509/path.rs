//! The path from a leaf to a trusted certificate authority (RFC 5280 §6), at a given time.
//!
//! The authorities of an instance are read once; the links between their certificates are verified once, when the
//! first leaf needs them. What is left for each leaf is one signature and the validity periods.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{ID_CE_AUTHORITY_KEY_IDENTIFIER, ID_CE_SUBJECT_KEY_IDENTIFIER, ID_KP_CODE_SIGNING};
use jiff::Timestamp;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, SubjectKeyIdentifier};

use super::chain::{Chain, may_issue, signed_by};
use super::{Certificate, MalformedCertificate, display_name};
use crate::crypto::{UnsupportedKey, VerifyingKey};
use crate::trusted_root::{TimeRange, TrustedRoot};

/// The certificate authorities of one trusted root, ready to be asked.
#[derive(Debug)]
pub struct Authorities(Vec<Issuer>);

impl Authorities {
    /// Reads every authority's certificates.
    ///
    /// # Errors
    /// [`AuthorityError`] when one cannot be read or may not issue: such a trusted root decides nothing.
    pub fn new(trusted_root: &TrustedRoot) -> Result<Self, AuthorityError> {
        let mut issuers = Vec::new();
        for authority in &trusted_root.certificate_authorities {
            let chain: Vec<Certificate> =
                authority.chain.iter().map(|der| Certificate::from_der(der)).collect::<Result<_, _>>()?;
            // Any certificate of the chain may issue leaves: in May 2022 the public-good root did so itself.
            for above in 0..chain.len() {
                issuers.push(Issuer::new(chain.iter().skip(above).cloned().collect(), authority.valid_for)?);
            }
        }
        Ok(Self(issuers))
    }

    /// Finds the authority that issued `leaf` and verifies its signature on it.
    ///
    /// # Errors
    /// [`PathError::UnknownAuthority`] when none of them could have issued it, [`PathError::Signature`] when one is
    /// named as the issuer and did not sign.
    pub fn issuer_of(&self, leaf: &Certificate) -> Result<IssuedBy<'_>, PathError> {
        let mut error = PathError::UnknownAuthority { issuer: display_name(leaf.issuer()) };
        let mut named = self.0.iter().filter(|issuer| issuer.may_have_issued(leaf));
        while let Some(issuer) = named.next() {
            match issuer.signed(leaf) {
                // The same key may stand in the trusted root again, trusted at other times.
                Ok(()) => {
                    let others = named.filter(|other| other.key == issuer.key && other.chain.linked().is_ok());
                    return Ok(IssuedBy { issuer, others: others.collect() });
                }
                Err(other) => error = other,
            }
        }
        Err(error)
    }
}

/// A leaf's certificate issuer, whose signature on it was verified; nothing is said about time yet.
#[derive(Clone, Debug)]
pub struct IssuedBy<'a> {
    issuer: &'a Issuer,
    others: Vec<&'a Issuer>,
}

impl IssuedBy<'_> {
    /// The issuing key, as an SCT names it.
    #[must_use]
    pub fn issuer_key(&self) -> &VerifyingKey {
        &self.issuer.key
    }

    /// Verifies that `leaf`, its issuer and every certificate above were valid, and the authority in use, at `at`.
    ///
    /// # Errors
    /// [`PathError`] names what was not.
    pub fn valid_at(&self, leaf: &Certificate, at: Timestamp) -> Result<VerifiedPath, PathError> {
        if !leaf.is_valid_at(at) {
            return Err(PathError::LeafOutsideValidity {
                at,
                not_before: leaf.not_before(),
                not_after: leaf.not_after(),
            });
        }
        let first = self.issuer.chain.valid_at(at);
        if first.is_err() && !self.others.iter().any(|other| other.chain.valid_at(at).is_ok()) {
            first?;
        }
        Ok(VerifiedPath { at })
    }
}

/// A path that held at a time; only [`IssuedBy::valid_at`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifiedPath {
    at: Timestamp,
}

impl VerifiedPath {
    /// When it held.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }
}

/// A certificate that may issue leaves, with those above it.
#[derive(Debug)]
struct Issuer {
    chain: Chain,
    key: VerifyingKey,
    key_identifier: Option<SubjectKeyIdentifier>,
}

impl Issuer {
    fn new(chain: Vec<Certificate>, valid_for: TimeRange) -> Result<Self, AuthorityError> {
        for (below, certificate) in chain.iter().enumerate() {
            may_issue(certificate, below, ID_KP_CODE_SIGNING)?;
        }
        let chain = Chain::new(chain, valid_for)?;
        let issuer = chain.first().ok_or(AuthorityError::Empty)?;
        Ok(Self {
            key: issuer.public_key().map_err(AuthorityError::Key)?,
            key_identifier: issuer.extension(ID_CE_SUBJECT_KEY_IDENTIFIER)?,
            chain,
        })
    }

    /// By name, and by key identifier where both sides have one: two authorities may share a name.
    fn may_have_issued(&self, leaf: &Certificate) -> bool {
        if self.chain.first().is_none_or(|issuer| issuer.subject() != leaf.issuer()) {
            return false;
        }
        let named: Option<AuthorityKeyIdentifier> = leaf.extension(ID_CE_AUTHORITY_KEY_IDENTIFIER).unwrap_or_default();
        match (named.and_then(|named| named.key_identifier), &self.key_identifier) {
            (Some(named), Some(own)) => named == own.0,
            _ => true,
        }
    }

    fn signed(&self, leaf: &Certificate) -> Result<(), PathError> {
        signed_by(leaf, &self.key)?;
        self.chain.linked()
    }
}

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
