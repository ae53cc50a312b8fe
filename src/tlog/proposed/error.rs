//! Why a log must not take what a client proposes.

use serde_json::error::Category;

use crate::crypto::BadSignature;
use crate::tlog::dsse::MalformedEnvelope;
use crate::tlog::entry_key::BadEntryKey;

/// A proposed entry that a log must not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposedEntryError {
    /// The DSSE envelope in it.
    #[error(transparent)]
    Envelope(#[from] MalformedEnvelope),
    /// The digest is not hex of the algorithm's length, or the algorithm is not known.
    #[error("invalid value for hash")]
    Hash,
    /// Not JSON of an entry at all.
    #[error("{0}")]
    Json(String),
    /// Another kind of entry.
    #[error("invalid kind value: {0:?}")]
    Kind(String),
    /// The certificate or public key.
    #[error("invalid public key: {0}")]
    Key(#[from] BadEntryKey),
    /// A member that every entry has is missing.
    #[error("{0} in body is required")]
    Required(&'static str),
    /// The signature over the digest does not verify.
    #[error("verifying signature: {0}")]
    Signature(#[from] BadSignature),
    /// The signature is not base64.
    #[error("the signature is not base64")]
    SignatureEncoding,
    /// JSON of an entry of this kind, but not of this version's shape.
    #[error("invalid {kind} entry: {message}")]
    Spec {
        /// Which kind.
        kind: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// Another version of this kind.
    #[error("{kind} of version {version:?} is not supported")]
    Version {
        /// Which kind.
        kind: String,
        /// Which version.
        version: String,
    },
}

impl ProposedEntryError {
    /// As the real server words the commonest one.
    pub(super) fn json(error: &serde_json::Error) -> Self {
        Self::Json(match error.classify() {
            Category::Eof => "unexpected EOF".to_owned(),
            // serde would name the types that it reads into.
            Category::Data => "the body is not a JSON object of the form of an entry".to_owned(),
            Category::Io | Category::Syntax => error.to_string(),
        })
    }

    pub(super) fn spec(kind: &'static str) -> impl Fn(serde_json::Error) -> Self {
        move |error| Self::Spec { kind, message: error.to_string() }
    }
}
