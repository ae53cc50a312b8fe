//! What is asked of a fresh certificate before anything is signed with it.

use jiff::Timestamp;

use super::token;
use crate::clock::CLOCK_TOLERANCE;
use crate::crypto::SigningKey;
use crate::identity_token::Claims;
use crate::instance::{Instance, InstanceName};
use crate::x509::path::{Authorities, AuthorityError, PathError};
use crate::x509::sct::{SctError, verify_embedded};
use crate::x509::{Certificate, LeafError, SigningCertificate};

/// The certificate carries `key`, leads to the instance's trusted root, was logged, and names the identity in `claims`.
pub(super) fn check(
    leaf: Certificate,
    key: &SigningKey,
    claims: &Claims,
    instance: &Instance,
    now: Timestamp,
) -> Result<SigningCertificate, CertificateError> {
    let leaf = SigningCertificate::read(leaf)?;
    if *leaf.public_key() != key.verifying_key() {
        return Err(CertificateError::OtherKey);
    }
    let authorities = Authorities::new(&instance.trusted_root)?;
    let issued_by = authorities.issuer_of(leaf.certificate())?;
    let not_before = leaf.certificate().not_before();
    if not_before.duration_since(now) > CLOCK_TOLERANCE {
        return Err(CertificateError::Clock { not_before, now });
    }
    issued_by.valid_at(leaf.certificate(), not_before.max(now))?;
    verify_embedded(leaf.certificate(), issued_by.issuer_key().spki_sha256(), &instance.trusted_root.ct_logs)?;
    let issuer = &leaf.claims().issuer;
    if *issuer != claims.issuer && claims.connector_id.as_ref() != Some(issuer) {
        return Err(CertificateError::OtherIssuer { certificate: issuer.clone(), token: claims.issuer.clone() });
    }
    if !instance.bounds.admits_issuer(issuer) {
        let (issuer, instance) = (issuer.clone(), instance.name.clone());
        return Err(CertificateError::IssuerNotAdmitted { issuer, instance });
    }
    let name = leaf.claims().san.as_str();
    match token::expected_name(claims) {
        Some(expected) if expected != name => {
            Err(CertificateError::OtherName { certificate: name.to_owned(), token: expected })
        }
        _ => Ok(leaf),
    }
}

/// A certificate that nothing is signed with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// The trusted root.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The authority's clock and the local one are too far apart.
    #[error("the local clock says {now:.0}, and the certificate that was just made is valid from {not_before} on")]
    Clock {
        /// The first instant of its validity.
        not_before: Timestamp,
        /// The local clock.
        now: Timestamp,
    },
    /// `instance.toml` does not list its issuer.
    #[error("the instance {instance} may not vouch for identities of {issuer}")]
    IssuerNotAdmitted {
        /// The OIDC issuer in the certificate.
        issuer: String,
        /// Whose bounds.
        instance: InstanceName,
    },
    /// Not a signing certificate.
    #[error(transparent)]
    Leaf(#[from] LeafError),
    /// Vouched for by another OIDC issuer.
    #[error("it says that {certificate} vouched for the identity, and the token is from {token}")]
    OtherIssuer {
        /// Who vouched according to the certificate.
        certificate: String,
        /// `iss`
        token: String,
    },
    /// For another key.
    #[error("it certifies another key")]
    OtherKey,
    /// For another identity.
    #[error("it names {certificate}, and the token is that of {token}")]
    OtherName {
        /// The subject alternative name.
        certificate: String,
        /// The one to expect.
        token: String,
    },
    /// The path to the trusted root.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The signed certificate timestamp.
    #[error(transparent)]
    Sct(#[from] SctError),
}

#[cfg(test)]
mod tests;
