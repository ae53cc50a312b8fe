//! The waist between any envelope and the verifier: what was signed, by which certificate, with what evidence.

pub mod git;
pub mod payload;

use crate::crypto::SignatureAlgorithm;
use crate::tlog::TransparencyLogEntry;
use crate::x509::Certificate;

/// protobuf-specs `VerificationMaterial` and the signature it is for.
#[derive(Clone, Debug)]
pub struct VerificationMaterial {
    /// The leaf.
    pub certificate: Certificate,
    /// How the message was signed, if the algorithm is supported.
    pub signature_algorithm: Option<SignatureAlgorithm>,
    /// The signature octets.
    pub signature: Vec<u8>,
    /// The log entry that came along.
    pub log_entry: Option<TransparencyLogEntry>,
    /// RFC 3161 tokens (`TimeStampToken`, DER) over the signature octets.
    pub timestamps: Vec<Vec<u8>>,
    /// Evidence of a kind that is recognised and cannot be verified.
    pub unsupported: Option<UnsupportedEvidence>,
}

/// Evidence that is recognised and cannot be verified yet: its presence decides nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsupportedEvidence {
    /// One attribute a field, written by development versions of gitsign in early 2023 and by no release.
    #[error("the log entry is stored field by field, a layout that no release ever wrote")]
    EntryByField,
}

/// The signature formats that Git knows, told apart as Git does: by how the text begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignatureFormat {
    /// `-----BEGIN PGP …`
    OpenPgp,
    /// `-----BEGIN SSH SIGNATURE-----`
    Ssh,
    /// Another PEM block, or no PEM at all.
    Unknown,
    /// `-----BEGIN SIGNED MESSAGE-----`: CMS, which is what waxseal verifies.
    X509,
}

impl SignatureFormat {
    /// The format of `signature`.
    #[must_use]
    pub fn of(signature: &[u8]) -> Self {
        let begins = |with: &str| signature.starts_with(with.as_bytes());
        if begins(crate::cms::armor::BEGIN) {
            Self::X509
        } else if begins("-----BEGIN PGP SIGNATURE-----") || begins("-----BEGIN PGP MESSAGE-----") {
            Self::OpenPgp
        } else if begins("-----BEGIN SSH SIGNATURE-----") {
            Self::Ssh
        } else {
            Self::Unknown
        }
    }

    /// The name for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenPgp => "OpenPGP",
            Self::Ssh => "SSH",
            Self::Unknown => "unknown",
            Self::X509 => "X.509",
        }
    }
}
