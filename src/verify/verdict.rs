//! The answer for one object, and what it rests on.

use jiff::Timestamp;

use super::entry_version::{BodyVersion, RekorVersion, mislabelled};
use super::error::{EntryError, Missing, VerifyError};
use super::findings::Findings;
use super::key_signature::{KeyFormat, KeySignature};
use super::log_entry::LoggedEntry;
use super::times::{TimeSource, VerifiedTime};
use crate::crypto::{KeyKind, Sha256Digest};
use crate::instance::InstanceName;
use crate::signature::SignatureFormat;
use crate::timestamp::TokenError;
use crate::trusted_root::LogId;
use crate::x509::fulcio::BuildClaims;
use crate::x509::sct::SctError;
use crate::x509::{CertificateClaims, SigningCertificate, SubjectAlternativeName};

/// The answer for one object.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Every step held.
    Verified(Box<VerifiedSignature>),
    /// The key that a rule names made the signature; only a policy that names keys leads here.
    VerifiedByKey(Box<KeySignature>),
    /// Something that is there is wrong.
    Rejected(Rejection),
    /// Nothing that is there is wrong; something that is needed is not there, or cannot be read.
    Undecided(Undecided),
    /// There is no signature.
    Unsigned,
    /// A signature that no rule lets waxseal judge.
    OtherFormat(SignatureFormat),
}

impl Verdict {
    /// The stable code of the reason, for every verdict but verified (`docs/errors.md`).
    #[must_use]
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Verified(_) | Self::VerifiedByKey(_) => None,
            Self::Rejected(rejection) => Some(rejection.error().reason()),
            Self::Undecided(undecided) => Some(undecided.missing().reason()),
            Self::Unsigned => Some("unsigned"),
            Self::OtherFormat(SignatureFormat::OpenPgp) => Some("openpgp-signature"),
            Self::OtherFormat(SignatureFormat::Ssh) => Some("ssh-signature"),
            Self::OtherFormat(SignatureFormat::Unknown | SignatureFormat::X509) => Some("unknown-signature-format"),
        }
    }

    /// The same for an object with which something is wrong besides its signature. Where there is no signature that
    /// waxseal could judge, nothing is claimed that could be wrong.
    #[must_use]
    pub fn with_error(self, error: VerifyError) -> Self {
        let rejection = match self {
            Self::Verified(signature) => Rejection { claims: Some(signature.identity), ..Rejection::of(error) },
            Self::VerifiedByKey(signature) => Rejection::by_key(signature.format(), error),
            Self::Rejected(mut rejection) => {
                rejection.errors.push(error);
                Rejection { payload_alone: None, ..rejection }
            }
            Self::Undecided(undecided) => {
                let claims = undecided.findings.claims.clone();
                Rejection { claims, findings: undecided.findings, ..Rejection::of(error) }
            }
            Self::Unsigned | Self::OtherFormat(_) => return self,
        };
        Self::Rejected(rejection)
    }

    /// Lower is worth more when several instances answer.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Verified(_) | Self::VerifiedByKey(_) => 0,
            Self::Undecided(_) => 1,
            Self::Rejected(rejection) if rejection.payload_alone.is_some() => 2,
            Self::Rejected(rejection) => match rejection.error() {
                // Another operator's logs and timestamp authorities say less than one's own.
                VerifyError::Entry(EntryError::UnknownLog(_))
                | VerifyError::Sct(SctError::UnknownLog(_))
                | VerifyError::Token(TokenError::UnknownAuthority) => 4,
                _ => 3,
            },
            Self::OtherFormat(_) | Self::Unsigned => 5,
        }
    }
}

/// A signature of which every step held; only [`Verifier`](super::Verifier) makes one, and what it kept of one it made
/// ([`super::kept`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedSignature {
    pub(super) certificate: LeafFacts,
    pub(super) entry: EntryFacts,
    pub(super) identity: CertificateClaims,
    /// Never empty; the first is the one that counts.
    pub(super) instances: Vec<InstanceName>,
    pub(super) scts_ignored: bool,
    pub(super) time: Timestamp,
    pub(super) time_source: TimeSource,
}

/// What is told of a leaf certificate besides the identity in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LeafFacts {
    /// Lower-case hex.
    pub(super) sha1: String,
    pub(super) sha256: Sha256Digest,
    pub(super) key: KeyKind,
    pub(super) build: BuildClaims,
}

impl LeafFacts {
    fn of(leaf: &SigningCertificate) -> Self {
        let certificate = leaf.certificate();
        Self {
            sha1: certificate.sha1_fingerprint(),
            sha256: Sha256Digest::of(certificate.der()),
            key: leaf.public_key().kind(),
            build: BuildClaims::read(certificate),
        }
    }
}

/// Where in which log the signature is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EntryFacts {
    pub(super) log_id: LogId,
    pub(super) log_index: u64,
    pub(super) version: RekorVersion,
    pub(super) label: BodyVersion,
}

impl VerifiedSignature {
    /// Every step held. `times` are those that were verified, tokens first; there is none where there is no time.
    pub(super) fn new(
        leaf: &SigningCertificate,
        entry: &LoggedEntry,
        times: &[VerifiedTime],
        instance: &InstanceName,
        scts_ignored: bool,
    ) -> Option<Self> {
        let time = times.first()?;
        Some(Self {
            certificate: LeafFacts::of(leaf),
            entry: EntryFacts {
                log_id: entry.log_id,
                log_index: entry.log_index,
                version: entry.version,
                label: entry.label,
            },
            identity: leaf.claims().clone(),
            instances: vec![instance.clone()],
            scts_ignored,
            time: time.at(),
            time_source: time.source(),
        })
    }

    /// Whom the instance vouches for.
    #[must_use]
    pub fn san(&self) -> &SubjectAlternativeName {
        &self.identity.san
    }

    /// Which OIDC issuer vouched to the instance.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.identity.issuer
    }

    /// The name in the certificate and the issuer behind it.
    #[must_use]
    pub fn claims(&self) -> &CertificateClaims {
        &self.identity
    }

    /// The instance that vouches for the signer. Where several with the same authority do, the one that the policy
    /// names ([`Self::prefer`]), else the first that was trusted.
    ///
    /// # Panics
    /// Never: at least one vouches.
    #[must_use]
    #[expect(clippy::expect_used, reason = "the verifier puts in the instance under which it verified")]
    pub fn instance(&self) -> &InstanceName {
        self.instances.first().expect("an instance vouches")
    }

    /// Every instance that vouches, the one that counts first.
    pub fn instances(&self) -> impl Iterator<Item = &InstanceName> {
        self.instances.iter()
    }

    /// Makes `instance` the one that counts, if it vouches.
    pub fn prefer(&mut self, instance: &InstanceName) {
        if let Some(position) = self.instances.iter().position(|vouching| vouching == instance) {
            self.instances.swap(0, position);
        }
    }

    /// The proven time: a timestamp authority's where there is one, else the log's.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// Who vouches for the proven time: `timestamp` or `log`.
    #[must_use]
    pub fn time_source(&self) -> &'static str {
        self.time_source.as_str()
    }

    /// Whether a timestamp authority vouches for the proven time.
    #[must_use]
    pub fn is_timestamped(&self) -> bool {
        self.time_source == TimeSource::Timestamp
    }

    /// The log that holds the signature.
    #[must_use]
    pub fn log_id(&self) -> LogId {
        self.entry.log_id
    }

    /// The entry's global index in that log.
    #[must_use]
    pub fn log_index(&self) -> u64 {
        self.entry.log_index
    }

    /// Which of Rekor's APIs the entry was proved as, whatever it calls itself.
    #[must_use]
    pub fn rekor_version(&self) -> RekorVersion {
        self.entry.version
    }

    /// Which version of a body the entry calls itself. gitsign stores entries of Rekor v2 as 0.0.1.
    #[must_use]
    pub fn entry_label(&self) -> BodyVersion {
        self.entry.label
    }

    /// What to say where label and proof differ.
    #[must_use]
    pub fn mislabelled(&self) -> Option<&'static str> {
        mislabelled(self.entry.version, self.entry.label)
    }

    /// Lower-case hex SHA-1 of the leaf certificate: what Git calls the signing key's fingerprint.
    #[must_use]
    pub fn sha1_fingerprint(&self) -> &str {
        &self.certificate.sha1
    }

    /// SHA-256 of the leaf certificate.
    #[must_use]
    pub fn certificate_sha256(&self) -> Sha256Digest {
        self.certificate.sha256
    }

    /// The kind of the certified key.
    #[must_use]
    pub fn key_kind(&self) -> KeyKind {
        self.certificate.key
    }

    /// What the certificate says of the CI job that signed, if it was one.
    #[must_use]
    pub fn build(&self) -> &BuildClaims {
        &self.certificate.build
    }

    /// Whether `--insecure-ignore-sct` was given.
    #[must_use]
    pub fn scts_ignored(&self) -> bool {
        self.scts_ignored
    }
}

/// Why something that is there is wrong.
#[derive(Clone, Debug)]
pub struct Rejection {
    pub(super) errors: Vec<VerifyError>,
    pub(super) claims: Option<CertificateClaims>,
    pub(super) findings: Findings,
    pub(super) payload_alone: Option<Box<VerifiedSignature>>,
    pub(super) by_key: Option<KeyFormat>,
}

impl Rejection {
    /// A rejection before any step could be run.
    #[must_use]
    pub fn of(error: VerifyError) -> Self {
        Self { errors: vec![error], claims: None, findings: Findings::default(), payload_alone: None, by_key: None }
    }

    /// The same of a signature by a key.
    pub(super) fn by_key(format: KeyFormat, error: VerifyError) -> Self {
        Self { by_key: Some(format), ..Self::of(error) }
    }

    /// The error that counts.
    #[must_use]
    pub fn error(&self) -> &VerifyError {
        self.errors.first().unwrap_or(&VerifyError::Signature)
    }

    /// All of them, the one that counts first.
    #[must_use]
    pub fn errors(&self) -> &[VerifyError] {
        &self.errors
    }

    /// Whom the certificate names: a claim.
    #[must_use]
    pub fn claims(&self) -> Option<&CertificateClaims> {
        self.claims.as_ref()
    }

    /// What each step found.
    #[must_use]
    pub fn findings(&self) -> &Findings {
        &self.findings
    }

    /// What kind of signature it is, where it is one by a key.
    #[must_use]
    pub fn key_format(&self) -> Option<KeyFormat> {
        self.by_key
    }

    /// The signature that would have been verified, had the content been what was signed: every other step held.
    #[must_use]
    pub fn payload_alone(&self) -> Option<&VerifiedSignature> {
        self.payload_alone.as_deref()
    }
}

/// Why nothing can be said.
#[derive(Clone, Debug)]
pub struct Undecided {
    pub(super) missing: Vec<Missing>,
    pub(super) findings: Findings,
}

impl Undecided {
    /// Undecided before any step could be run.
    #[must_use]
    pub fn because(missing: Missing) -> Self {
        Self { missing: vec![missing], findings: Findings::default() }
    }

    /// What is missing first of all.
    #[must_use]
    pub fn missing(&self) -> &Missing {
        self.missing.first().unwrap_or(&Missing::LogEntry)
    }

    /// All that is missing, what counts first.
    #[must_use]
    pub fn all_missing(&self) -> &[Missing] {
        &self.missing
    }

    /// What held, and what each step found.
    #[must_use]
    pub fn findings(&self) -> &Findings {
        &self.findings
    }
}
