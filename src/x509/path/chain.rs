//! A chain of certificates from a trusted root: checked when it is read, its links verified once, when first needed.

use std::sync::OnceLock;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{ID_CE_BASIC_CONSTRAINTS, ID_CE_EXT_KEY_USAGE, ID_CE_KEY_USAGE};
use jiff::Timestamp;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage};

use super::error::{AuthorityError, PathError};
use crate::crypto::VerifyingKey;
use crate::trusted_root::TimeRange;
use crate::x509::{Certificate, display_name};

/// Certificates of which each is issued by the next, and when the authority that they are was in use.
#[derive(Debug)]
pub(crate) struct Chain {
    /// Never empty; the trust anchor last.
    certificates: Vec<Certificate>,
    valid_for: TimeRange,
    links: OnceLock<Result<(), PathError>>,
}

impl Chain {
    /// A chain as a trusted root gives it. What each certificate may do is for the caller to ask ([`may_issue`]).
    pub(crate) fn new(certificates: Vec<Certificate>, valid_for: TimeRange) -> Result<Self, AuthorityError> {
        if certificates.is_empty() {
            Err(AuthorityError::Empty)
        } else {
            Ok(Self { certificates, valid_for, links: OnceLock::new() })
        }
    }

    /// The first certificate.
    pub(crate) fn first(&self) -> Option<&Certificate> {
        self.certificates.first()
    }

    /// Whether the chain has this very certificate.
    pub(crate) fn contains(&self, der: &[u8]) -> bool {
        self.certificates.iter().any(|certificate| certificate.der() == der)
    }

    /// Verifies that each certificate is signed by the next.
    pub(crate) fn linked(&self) -> Result<(), PathError> {
        self.links.get_or_init(|| self.verify_links()).clone()
    }

    /// Whether the authority was in use, and all of its certificates valid, at `at`.
    pub(crate) fn valid_at(&self, at: Timestamp) -> Result<(), PathError> {
        if !self.valid_for.contains(at) {
            return Err(PathError::AuthorityOutsideValidity { at, valid_for: self.valid_for });
        }
        for certificate in &self.certificates {
            if !certificate.is_valid_at(at) {
                return Err(PathError::IssuerOutsideValidity { at, subject: display_name(certificate.subject()) });
            }
        }
        Ok(())
    }

    fn verify_links(&self) -> Result<(), PathError> {
        for (lower, upper) in self.certificates.iter().zip(self.certificates.iter().skip(1)) {
            let key = upper.public_key().ok().filter(|_| lower.issuer() == upper.subject());
            if key.is_none_or(|key| signed_by(lower, &key).is_err()) {
                return Err(PathError::BrokenAuthority { subject: display_name(lower.subject()) });
            }
        }
        Ok(())
    }
}

/// Verifies the certificate issuer's signature on `certificate`.
pub(crate) fn signed_by(certificate: &Certificate, key: &VerifyingKey) -> Result<(), PathError> {
    let bad = || PathError::Signature { issuer: display_name(certificate.issuer()) };
    let algorithm = certificate.signature_algorithm().ok_or_else(bad)?;
    key.verify_met_again(algorithm, certificate.tbs_der(), certificate.signature()).map_err(|_| bad())
}

/// RFC 5280 §6.1.4 (k)–(o) for a certificate with `below` others between it and an end-entity certificate for `purpose`.
pub(crate) fn may_issue(
    certificate: &Certificate,
    below: usize,
    purpose: ObjectIdentifier,
) -> Result<(), AuthorityError> {
    understood(certificate)?;
    let subject = || display_name(certificate.subject());
    let constraints: Option<BasicConstraints> = certificate.extension(ID_CE_BASIC_CONSTRAINTS)?;
    let constraints = constraints.filter(|constraints| constraints.ca);
    let Some(constraints) = constraints else { return Err(AuthorityError::MayNotIssue(subject())) };
    if constraints.path_len_constraint.is_some_and(|length| usize::from(length) < below) {
        return Err(AuthorityError::PathTooLong(subject()));
    }
    let usage: Option<KeyUsage> = certificate.extension(ID_CE_KEY_USAGE)?;
    let purposes: Option<ExtendedKeyUsage> = certificate.extension(ID_CE_EXT_KEY_USAGE)?;
    let other_purpose = purposes
        .is_some_and(|purposes| !purposes.0.iter().any(|each| *each == purpose || *each == ANY_EXTENDED_KEY_USAGE));
    if usage.is_some_and(|usage| !usage.key_cert_sign()) || other_purpose {
        return Err(AuthorityError::MayNotIssue(subject()));
    }
    Ok(())
}

/// RFC 5280 §4.2: what is critical and not understood forbids use.
pub(crate) fn understood(certificate: &Certificate) -> Result<(), AuthorityError> {
    let unknown =
        |extension: &&x509_cert::ext::Extension| extension.critical && !UNDERSTOOD.contains(&extension.extn_id);
    match certificate.extensions().iter().find(unknown) {
        Some(extension) => Err(AuthorityError::UnknownCriticalExtension(extension.extn_id)),
        None => Ok(()),
    }
}

const UNDERSTOOD: [ObjectIdentifier; 3] = [ID_CE_BASIC_CONSTRAINTS, ID_CE_EXT_KEY_USAGE, ID_CE_KEY_USAGE];

const ANY_EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37.0");
