//! What can be wrong, what can be missing, and the stable code of each.

use jiff::Timestamp;

use crate::instance::InstanceName;
use crate::openpgp::BadOpenPgpSignature;
use crate::signature::UnsupportedEvidence;
use crate::signature::git::{BindingError, MalformedSignature};
use crate::ssh::BadSshSignature;
use crate::timestamp::TokenError;
use crate::tlog::checkpoint::CheckpointError;
use crate::tlog::merkle::BadProof;
use crate::tlog::promise::PromiseError;
use crate::trusted_root::{LogId, TimeRange};
use crate::x509::LeafError;
use crate::x509::path::PathError;
use crate::x509::sct::SctError;

/// Something that is there is wrong: the object is rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The signature is not about this content, or not in a form that can be believed.
    #[error(transparent)]
    Binding(#[from] BindingError),
    /// The log entry.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// `instance.toml` does not let the instance vouch for this issuer.
    #[error("the instance {instance} may not vouch for identities of {issuer}")]
    IssuerNotAdmitted {
        /// The OIDC issuer in the certificate.
        issuer: String,
        /// The instance whose authority issued it.
        instance: InstanceName,
    },
    /// The certificate is not a signing certificate.
    #[error(transparent)]
    Leaf(#[from] LeafError),
    /// No signature to speak of.
    #[error(transparent)]
    Malformed(#[from] MalformedSignature),
    /// A signature by an OpenPGP key.
    #[error(transparent)]
    OpenPgp(#[from] BadOpenPgpSignature),
    /// The path to a trusted authority.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The signed certificate timestamp.
    #[error(transparent)]
    Sct(#[from] SctError),
    /// Git would concatenate them.
    #[error("the object has {0} signature headers, not one")]
    SeveralSignatures(usize),
    /// The certificate's key did not make this signature.
    #[error("the signature does not verify with the certificate's key")]
    Signature,
    /// A signature by an SSH key.
    #[error(transparent)]
    Ssh(#[from] BadSshSignature),
    /// The tag was given the name of another.
    #[error("the tag says that it is \"{says}\", and the repository has it as \"{named}\"")]
    TagName {
        /// Behind `refs/tags/`.
        named: String,
        /// Its `tag` header.
        says: String,
    },
    /// An RFC 3161 token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The algorithm is unknown or too weak.
    #[error("the signature's algorithm is not supported")]
    SignatureAlgorithm,
}

impl VerifyError {
    /// The stable code (`docs/errors.md`).
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Binding(BindingError::Attributes(_) | BindingError::DigestsDiffer | BindingError::NotStrict(_)) => {
                "signature-form"
            }
            Self::Binding(BindingError::DigestAlgorithm) | Self::SignatureAlgorithm => "unsupported-algorithm",
            Self::Binding(BindingError::Headers) => "malformed-object",
            Self::Binding(BindingError::Payload) => "payload-mismatch",
            Self::Entry(EntryError::Body | EntryError::NotIncluded) => "log-entry-mismatch",
            Self::Entry(EntryError::Checkpoint(_) | EntryError::CheckpointDiffers) => "checkpoint",
            Self::Entry(EntryError::KindVersion { .. }) => "log-entry-kind",
            Self::Entry(EntryError::LogOutsideValidity { .. }) => "log-outside-validity",
            Self::Entry(EntryError::Promise(_) | EntryError::UnpromisedTime) => "inclusion-promise",
            Self::Entry(EntryError::LogIndex | EntryError::Proof(_)) => "inclusion-proof",
            Self::Entry(EntryError::UnknownLog(_)) | Self::Sct(SctError::UnknownLog(_)) => "unknown-log",
            Self::IssuerNotAdmitted { .. } => "issuer-not-admitted",
            Self::Leaf(_) => "certificate-form",
            Self::Malformed(_) => "malformed-signature",
            Self::OpenPgp(BadOpenPgpSignature::Signature) => "bad-signature",
            Self::OpenPgp(
                BadOpenPgpSignature::Algorithm | BadOpenPgpSignature::Digest(_) | BadOpenPgpSignature::Version(_),
            ) => "unsupported-algorithm",
            Self::OpenPgp(
                BadOpenPgpSignature::Expires | BadOpenPgpSignature::Kind(_) | BadOpenPgpSignature::Unknown(_),
            ) => "signature-form",
            Self::OpenPgp(
                BadOpenPgpSignature::Armor(_)
                | BadOpenPgpSignature::NotOne
                | BadOpenPgpSignature::Packets(_)
                | BadOpenPgpSignature::TooLong(_),
            ) => "malformed-signature",
            Self::Path(PathError::AuthorityOutsideValidity { .. } | PathError::IssuerOutsideValidity { .. }) => {
                "authority-outside-validity"
            }
            Self::Path(PathError::BrokenAuthority { .. }) => "trust-material",
            Self::Path(PathError::LeafOutsideValidity { .. }) => "certificate-outside-validity",
            Self::Path(PathError::Signature { .. }) => "certificate-signature",
            Self::Path(PathError::UnknownAuthority { .. }) => "unknown-ca",
            Self::Sct(_) => "sct",
            Self::SeveralSignatures(_) => "several-signatures",
            Self::Signature | Self::Ssh(BadSshSignature::Signature) => "bad-signature",
            Self::Ssh(BadSshSignature::Algorithm(_) | BadSshSignature::Key(_)) => "unsupported-algorithm",
            Self::Ssh(BadSshSignature::Armor(_) | BadSshSignature::Malformed) => "malformed-signature",
            Self::Ssh(BadSshSignature::Namespace(_)) => "signature-purpose",
            Self::TagName { .. } => "tag-name",
            Self::Token(TokenError::UnknownAuthority) => "unknown-tsa",
            Self::Token(TokenError::Path(
                PathError::AuthorityOutsideValidity { .. } | PathError::IssuerOutsideValidity { .. },
            )) => "authority-outside-validity",
            Self::Token(_) => "timestamp-token",
        }
    }
}

/// A log entry that does not prove what it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// A body came along and is not the one that this signature gives.
    #[error("the log entry is about another signature")]
    Body,
    /// The checkpoint's form or signature.
    #[error(transparent)]
    Checkpoint(CheckpointError),
    /// The proof leads to another tree than the checkpoint's.
    #[error("the inclusion proof and the checkpoint speak of different trees")]
    CheckpointDiffers,
    /// Another kind of entry than a signature's.
    #[error("log entry kind \"{kind}\" version \"{version}\" is not a signature's")]
    KindVersion {
        /// What it calls itself.
        kind: String,
        /// And in which version.
        version: String,
    },
    /// The entry's index is not its place in the log.
    #[error("the log entry's index is not its place in the log")]
    LogIndex,
    /// The log was not trusted when it took the entry.
    #[error("log {log_id} was not trusted at {at} (trusted {valid_for})")]
    LogOutsideValidity {
        /// Which log.
        log_id: LogId,
        /// When it took the entry.
        at: Timestamp,
        /// When it is trusted.
        valid_for: TimeRange,
    },
    /// The signed entry timestamp.
    #[error(transparent)]
    Promise(PromiseError),
    /// The Merkle audit path.
    #[error("the log's inclusion proof: {0}")]
    Proof(BadProof),
    /// The proof leads to another root: this signature is not what the log holds there.
    #[error(
        "the log does not hold this signature where the entry says: it is another signature's entry, or a wrong proof"
    )]
    NotIncluded,
    /// No trusted log has this ID.
    #[error("log {0} is not trusted")]
    UnknownLog(LogId),
    /// Rekor v2 gives no time; whoever put one there proved nothing.
    #[error("the log entry gives a time that no log promised")]
    UnpromisedTime,
}

/// Something that is needed is not there, or cannot be read: the object is undecided.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// The inclusion proof has no checkpoint.
    #[error("the log entry's inclusion proof has no checkpoint, so nobody signed the tree it leads to")]
    Checkpoint,
    /// The evidence is later than the local clock.
    #[error("the proven time {at} lies ahead of the local clock {now:.0}")]
    Clock {
        /// What the log or the timestamp authority says.
        at: Timestamp,
        /// What the clock says.
        now: Timestamp,
    },
    /// It verifies OpenPGP signatures: why it did not.
    #[error("gpg, which a policy's OpenPGP keys need, could not be asked: {0}")]
    Gpg(String),
    /// It ran, and ended without an answer that can be relied upon: what it said.
    #[error("gpg, which a policy's OpenPGP keys need, gave no answer that can be relied upon, and said: {0}")]
    GpgAnswer(String),
    /// The entry has no inclusion proof.
    #[error("the log entry has no inclusion proof")]
    InclusionProof,
    /// The signature says nothing of a log.
    #[error("the signature carries no log entry; only the log itself could show one")]
    LogEntry,
    /// The log was searched, and what it gave for the object proves nothing: why.
    #[error("the signature carries no log entry, and the one that the log gave for this object does not count: {0}")]
    LogAnswer(String),
    /// The log was searched, and what it says of itself contradicts what it said before.
    #[error("the signature carries no log entry, and what the log shows for one does not count: {0}")]
    LogContradiction(String),
    /// The log was searched, and answered.
    #[error("the signature carries no log entry, and the log has none for this object")]
    LogEntryNotFound,
    /// Only Rekor v1 has a search.
    #[error("the signature carries no log entry, and {0} has no log that can be searched (Rekor v1)")]
    LogNotSearchable(InstanceName),
    /// More entries than are read, or not all given.
    #[error(
        "the signature carries no log entry; of the log's entries with this certificate not all could be read, and none \
         of those that could is about this object"
    )]
    LogSearchIncomplete,
    /// No answer, or none that can be used: whether there is an entry remains open.
    #[error("the signature carries no log entry, and the log could not be searched: {0}")]
    LogUnavailable(String),
    /// The repository has no such object.
    #[error("the object is missing")]
    ObjectMissing,
    /// The object is there and cannot be read.
    #[error("the object cannot be read: {0}")]
    ObjectUnreadable(String),
    /// The time that the run had was spent before the object was read.
    #[error("there was no time left to read the object")]
    OutOfTime,
    /// Without the signed entry timestamp nothing says when.
    #[error("the log entry has no inclusion promise, so nothing proves its time")]
    Promise,
    /// Nothing is there that could give one.
    #[error("no log entry that holds gives a time, and the signature carries no timestamp token")]
    TimeWithoutEntry,
    /// Rekor v2 gives none.
    #[error("the log gives no time, and the signature carries no timestamp token")]
    Time,
    /// The trusted root lists CT logs and the certificate was in none.
    #[error("the certificate carries no signed certificate timestamp")]
    Sct,
    /// The trusted root contradicts itself.
    #[error(
        "the trusted root of {instance} is broken: the certificate \"{subject}\" is not signed by the one above it"
    )]
    TrustMaterial {
        /// Whose trusted root.
        instance: InstanceName,
        /// Whose certificate.
        subject: String,
    },
    /// Recognised, and not verified yet.
    #[error(transparent)]
    Unsupported(#[from] UnsupportedEvidence),
}

impl Missing {
    /// The stable code (`docs/errors.md`).
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Checkpoint => "checkpoint-absent",
            Self::Clock { .. } => "clock",
            Self::Gpg(_) => "gpg-unavailable",
            Self::GpgAnswer(_) => "gpg-no-answer",
            Self::InclusionProof => "inclusion-proof-absent",
            Self::LogContradiction(_) => "log-contradiction",
            Self::LogEntry => "log-entry-absent",
            Self::LogEntryNotFound => "log-entry-not-found",
            Self::LogNotSearchable(_) => "log-not-searchable",
            Self::LogSearchIncomplete => "log-search-incomplete",
            Self::LogAnswer(_) | Self::LogUnavailable(_) => "log-unavailable",
            Self::ObjectMissing => "object-missing",
            Self::ObjectUnreadable(_) => "object-unreadable",
            Self::OutOfTime => "out-of-time",
            Self::Promise => "inclusion-promise-absent",
            Self::Sct => "sct-absent",
            Self::Time | Self::TimeWithoutEntry => "time-absent",
            Self::TrustMaterial { .. } => "trust-material",
            Self::Unsupported(_) => "unsupported-evidence",
        }
    }
}
