//! A leaf and the authority above it: RFC 5280 §6 and Fulcio's profile. The outcome says who complained first: whoever
//! reads the authority, finds the issuer, reads the leaf, or asks about the time.

use jiff::Timestamp;
use waxseal::trusted_root::{CertificateAuthority, TimeRange, TrustedRoot};
use waxseal::x509::path::Authorities;
use waxseal::x509::{Certificate, SigningCertificate};

use super::{Vector, variants};

/// The first certificate is the leaf, the others are the trusted authority's.
pub(crate) fn outcome(vector: &Vector) -> String {
    leads_to_an_identity(vector).unwrap_or_else(|error| error)
}

fn leads_to_an_identity(vector: &Vector) -> Result<String, String> {
    let certificates = vector.pem("CERTIFICATE");
    let (leaf, chain) = certificates.split_first().unwrap();
    let authority = CertificateAuthority {
        organization: String::new(),
        common_name: String::new(),
        uri: String::new(),
        chain: chain.to_vec(),
        valid_for: TimeRange { start: Timestamp::UNIX_EPOCH, end: vector.time("authority-until") },
    };
    let trusted_root = TrustedRoot::new(vec![authority], vec![], vec![], vec![]);
    let authorities = Authorities::new(&trusted_root).map_err(|error| complaint("authority", &error))?;
    let leaf = Certificate::from_der(leaf).map_err(|error| complaint("leaf", &error))?;
    let issued_by = authorities.issuer_of(&leaf).map_err(|error| complaint("issuer", &error))?;
    let signing = SigningCertificate::read(leaf.clone()).map_err(|error| complaint("leaf", &error))?;
    let at = vector.time("at").unwrap();
    issued_by.valid_at(&leaf, at).map_err(|error| complaint("path", &error))?;
    Ok(format!("ok: {} via {}", signing.claims().san, signing.claims().issuer))
}

fn complaint(who: &str, error: &impl std::fmt::Debug) -> String {
    format!("{who}: {}", variants(error).trim_end_matches("/ObjectIdentifier"))
}
