//! The path from a leaf to a trusted certificate authority (RFC 5280 §6), at a given time.
//!
//! The authorities of an instance are read once; the links between their certificates are verified once, when the
//! first leaf needs them. What is left for each leaf is one signature and the validity periods.

pub(crate) mod chain;
mod error;

pub use error::{AuthorityError, PathError};

use const_oid::db::rfc5280::{ID_CE_AUTHORITY_KEY_IDENTIFIER, ID_CE_SUBJECT_KEY_IDENTIFIER, ID_KP_CODE_SIGNING};
use jiff::Timestamp;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, SubjectKeyIdentifier};

use self::chain::{Chain, may_issue, signed_by};
use super::{Certificate, display_name};
use crate::crypto::VerifyingKey;
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
        for (place, authority) in trusted_root.certificate_authorities.iter().enumerate() {
            let chain: Vec<Certificate> =
                authority.chain.iter().map(|der| Certificate::from_der(der)).collect::<Result<_, _>>()?;
            // Any certificate of the chain may issue leaves: in May 2022 the public-good root did so itself.
            for above in 0..chain.len() {
                let chain = chain.iter().skip(above).cloned().collect();
                issuers.push(Issuer::new(chain, authority.valid_for, place)?);
            }
        }
        Ok(Self(issuers))
    }

    /// Finds the authority that issued `leaf` and verifies its signature on it.
    ///
    /// # Errors
    /// [`PathError::UnknownAuthority`] when none of them could have issued it, and what [`Self::named_by`] gives.
    pub fn issuer_of(&self, leaf: &Certificate) -> Result<IssuedBy<'_>, PathError> {
        self.named_by(leaf).unwrap_or_else(|| Err(PathError::UnknownAuthority { issuer: display_name(leaf.issuer()) }))
    }

    /// The same where others will be asked, too: `None` when none of them could have issued it.
    ///
    /// # Errors
    /// [`PathError::Signature`] when one is named as the issuer and did not sign, [`PathError::BrokenAuthority`] when the
    /// trusted root contradicts itself.
    pub(crate) fn named_by(&self, leaf: &Certificate) -> Option<Result<IssuedBy<'_>, PathError>> {
        let mut error = None;
        let mut named = self.0.iter().filter(|issuer| issuer.may_have_issued(leaf));
        while let Some(issuer) = named.next() {
            match issuer.signed(leaf) {
                // The same key may stand in the trusted root again, trusted at other times.
                Ok(()) => {
                    let others = named.filter(|other| other.key == issuer.key && other.chain.linked().is_ok());
                    return Some(Ok(IssuedBy { issuer, others: others.collect() }));
                }
                Err(other) => error = Some(other),
            }
        }
        error.map(Err)
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

    /// The authority's place in the trusted root's list: of several with the same key the one that was in use, and its
    /// certificates valid, at `at`; else the first.
    #[must_use]
    pub fn place(&self, at: Timestamp) -> usize {
        let mut all = std::iter::once(&self.issuer).chain(&self.others);
        all.find(|issuer| issuer.chain.valid_at(at).is_ok()).unwrap_or(&self.issuer).place
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
    /// Of its authority in the trusted root's list.
    place: usize,
}

impl Issuer {
    fn new(chain: Vec<Certificate>, valid_for: TimeRange, place: usize) -> Result<Self, AuthorityError> {
        for (below, certificate) in chain.iter().enumerate() {
            may_issue(certificate, below, ID_KP_CODE_SIGNING)?;
        }
        let chain = Chain::new(chain, valid_for)?;
        let issuer = chain.first().ok_or(AuthorityError::Empty)?;
        Ok(Self {
            key: issuer.public_key().map_err(AuthorityError::Key)?,
            key_identifier: issuer.extension(ID_CE_SUBJECT_KEY_IDENTIFIER)?,
            chain,
            place,
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
