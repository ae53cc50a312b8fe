//! The authority's own certificates: the pair that issues now, and those that issued before it.

use jiff::{SignedDuration, Timestamp};

use super::error::IssueError;
use super::profile::{self, CertificateIssuer, TbsCertificate};
use crate::crypto::{ServiceKey, ServiceKeyKind, VerifyingKey};
use crate::tlog::hashedrekord::{Verifier, pem};
use crate::trusted_root::TimeRange;
use crate::x509::{Certificate, MalformedCertificate};

/// Every intermediate with its root, the newest first. Never empty.
#[derive(Clone, Debug)]
pub struct AuthorityChains(Vec<AuthorityChain>);

/// An intermediate and the root above it; for timestamps, the signer and its root.
#[derive(Clone, Debug)]
pub struct AuthorityChain {
    /// Issued by the root; issues leaves, or signs time-stamp tokens.
    pub intermediate: Certificate,
    /// Self-signed.
    pub root: Certificate,
}

impl AuthorityChains {
    /// Makes a root for `organization`, valid from `from` on, and has it issue the intermediate that `key` will sign as.
    /// The root's own key is not needed again until there shall be another intermediate.
    ///
    /// # Errors
    /// [`IssueError`] when a key cannot sign.
    pub fn make(
        organization: &str,
        root_key: &ServiceKey,
        key: &VerifyingKey,
        from: Timestamp,
    ) -> Result<Self, IssueError> {
        let root = root(organization, ROOT_NAME, root_key, from)?;
        Ok(Self(vec![AuthorityChain::under(root, organization, root_key, key, from)?]))
    }

    /// The same authority with a new intermediate, for `key`, under the root that it has, whose key `root_key` is.
    ///
    /// # Errors
    /// [`IssueError::OtherRootKey`] when it is another root's, or [`IssueError`] when it cannot sign.
    pub fn rotated(
        &self,
        organization: &str,
        root_key: &ServiceKey,
        key: &VerifyingKey,
        from: Timestamp,
    ) -> Result<Self, IssueError> {
        let root = self.newest().ok_or(MalformedCertificate::NotPem)?.root.clone();
        if root.public_key()? != *root_key.verifying_key() {
            return Err(IssueError::OtherRootKey);
        }
        let newest = AuthorityChain::under(root, organization, root_key, key, from)?;
        let mut chains = vec![newest];
        chains.extend(self.0.iter().cloned());
        Ok(Self(chains))
    }

    /// Reads what [`to_pem`](Self::to_pem) wrote.
    ///
    /// # Errors
    /// [`MalformedCertificate`] when there are not one or more pairs of certificates.
    pub fn from_pem(text: &str) -> Result<Self, MalformedCertificate> {
        let mut certificates = Vec::new();
        for block in text.split_inclusive(PEM_END).filter(|block| !block.trim().is_empty()) {
            certificates.push(Certificate::from_pem(block)?);
        }
        let (pairs, rest) = certificates.as_chunks::<2>();
        if pairs.is_empty() || !rest.is_empty() {
            return Err(MalformedCertificate::NotPem);
        }
        let pair = |[intermediate, root]: &[Certificate; 2]| AuthorityChain {
            intermediate: intermediate.clone(),
            root: root.clone(),
        };
        Ok(Self(pairs.iter().map(pair).collect()))
    }

    /// All in PEM, the newest first, each intermediate before its root.
    #[must_use]
    pub fn to_pem(&self) -> String {
        self.0.iter().map(AuthorityChain::to_pem).collect()
    }

    /// The pair that issues.
    #[must_use]
    pub fn newest(&self) -> Option<&AuthorityChain> {
        self.0.first()
    }

    /// How many intermediates there have been.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Each intermediate with the root above it, the newest first.
    pub fn pairs(&self) -> impl Iterator<Item = [&Certificate; 2]> {
        self.0.iter().map(|chain| [&chain.intermediate, &chain.root])
    }

    /// Each chain with the time in which what it issued is to be believed: from its intermediate's first instant until
    /// the last leaf issued before its successor came has expired.
    pub fn with_validity(&self) -> impl Iterator<Item = (&AuthorityChain, TimeRange)> {
        let mut successor: Option<Timestamp> = None;
        self.0.iter().map(move |chain| {
            let start = chain.intermediate.not_before();
            let end = successor.replace(start).map(|at| at.saturating_add(AFTERLIFE).unwrap_or(at));
            (chain, TimeRange { start, end })
        })
    }
}

impl AuthorityChain {
    /// Issuing certificate first, anchor last.
    #[must_use]
    pub fn der(&self) -> [&[u8]; 2] {
        [self.intermediate.der(), self.root.der()]
    }

    /// Both in PEM, the intermediate first.
    #[must_use]
    pub fn to_pem(&self) -> String {
        self.der().map(|der| pem(Verifier::Certificate(der))).concat()
    }

    /// Reads what [`to_pem`](Self::to_pem) wrote.
    ///
    /// # Errors
    /// [`MalformedCertificate`] when there are not two certificates.
    pub fn from_pem(text: &str) -> Result<Self, MalformedCertificate> {
        match AuthorityChains::from_pem(text)?.0.as_slice() {
            [one] => Ok(one.clone()),
            _ => Err(MalformedCertificate::NotPem),
        }
    }

    /// A signer of time-stamp tokens for `key`, under a root of its own.
    pub(in crate::stack) fn for_timestamps(
        organization: &str,
        key: &VerifyingKey,
        from: Timestamp,
    ) -> Result<Self, IssueError> {
        let root_key = ServiceKey::generate(ServiceKeyKind::EcdsaP384)?;
        let root = root(organization, TIMESTAMP_ROOT_NAME, &root_key, from)?;
        let name = profile::name(organization, TIMESTAMP_SIGNER_NAME)?;
        let by = CertificateIssuer { name: root.subject(), key: root_key.verifying_key() };
        let signer = TbsCertificate::timestamp_signer(&name, key, by, (from, root.not_after()))?;
        Ok(Self { intermediate: Certificate::from_der(&signer.signed(&root_key)?)?, root })
    }

    fn under(
        root: Certificate,
        organization: &str,
        root_key: &ServiceKey,
        key: &VerifyingKey,
        from: Timestamp,
    ) -> Result<Self, IssueError> {
        let name = profile::name(organization, INTERMEDIATE_NAME)?;
        let by = CertificateIssuer { name: root.subject(), key: root_key.verifying_key() };
        let intermediate = TbsCertificate::intermediate(&name, key, by, from, root.not_after())?.signed(root_key)?;
        Ok(Self { intermediate: Certificate::from_der(&intermediate)?, root })
    }
}

fn root(organization: &str, name: &str, key: &ServiceKey, from: Timestamp) -> Result<Certificate, IssueError> {
    let name = profile::name(organization, name)?;
    let root = TbsCertificate::root(&name, key.verifying_key(), from)?.signed(key)?;
    Ok(Certificate::from_der(&root)?)
}

pub(in crate::stack) const ROOT_NAME: &str = "waxseal root";
pub(in crate::stack) const TIMESTAMP_ROOT_NAME: &str = "waxseal timestamp root";
const TIMESTAMP_SIGNER_NAME: &str = "waxseal timestamp authority";
const INTERMEDIATE_NAME: &str = "waxseal intermediate";
const PEM_END: &str = "-----END CERTIFICATE-----\n";

/// A successor's first instant lies a minute before it was made (`trust::vouches_from`); a leaf issued until then lives
/// ten minutes; and one is for clocks.
const AFTERLIFE: SignedDuration = SignedDuration::from_mins(12);

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ServiceKey {
        ServiceKey::generate(ServiceKeyKind::EcdsaP384).unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn an_intermediate_is_followed_by_another_under_the_same_root() {
        let (root_key, first, second) = (key(), key(), key());
        let made = AuthorityChains::make("o", &root_key, first.verifying_key(), at(1_800_000_000)).unwrap();
        let rotated = made.rotated("o", &root_key, second.verifying_key(), at(1_900_000_000)).unwrap();
        let read = AuthorityChains::from_pem(&rotated.to_pem()).unwrap();
        assert_eq!(read.count(), 2);
        let chains: Vec<_> = read.with_validity().collect();
        let [(new, new_range), (old, old_range)] = chains.as_slice() else { panic!("{chains:?}") };
        assert_eq!(*new_range, TimeRange { start: at(1_900_000_000), end: None });
        assert_eq!(*old_range, TimeRange { start: at(1_800_000_000), end: Some(at(1_900_000_720)) });
        assert_eq!(new.root.der(), old.root.der());
        assert_eq!(new.intermediate.public_key().unwrap(), *second.verifying_key());
        assert_eq!(old.intermediate.public_key().unwrap(), *first.verifying_key());
        assert_eq!(new.intermediate.not_after(), new.root.not_after());
    }

    #[test]
    fn only_the_roots_own_key_makes_another() {
        let made = AuthorityChains::make("o", &key(), key().verifying_key(), at(1_800_000_000)).unwrap();
        let refused = made.rotated("o", &key(), key().verifying_key(), at(1_900_000_000));
        assert!(matches!(refused, Err(IssueError::OtherRootKey)));
    }

    #[test]
    fn a_file_that_is_no_list_of_pairs_is_refused() {
        let pem = AuthorityChains::make("o", &key(), key().verifying_key(), at(1_800_000_000)).unwrap().to_pem();
        let second = pem.rfind("-----BEGIN").unwrap();
        for bad in ["", "x", &pem[..second], &format!("{pem}x"), &pem[1..]] {
            assert!(AuthorityChains::from_pem(bad).is_err(), "{bad}");
        }
    }
}
