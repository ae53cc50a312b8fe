//! Why a certificate is not issued.

use super::identity::IdentityError;
use crate::crypto::{ServiceKeyError, UnsupportedKey};
use crate::identity_token::IdentityTokenError;
use crate::stack::ct_log::{BadSubmission, CtLogError};
use crate::stack::issuer_keys::{KeyError, KeysUnavailable};
use crate::x509::MalformedCertificate;
use crate::x509::sct::SctError;

/// A certificate that was not issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// A certificate of the authority's own cannot be read.
    #[error(transparent)]
    Certificate(#[from] MalformedCertificate),
    /// The CT log did not take it.
    #[error(transparent)]
    CtLog(#[from] CtLogError),
    /// It cannot be encoded.
    #[error("a certificate cannot be encoded: {0}")]
    Encoding(#[from] der::Error),
    /// The token does not name anyone whom a certificate can name.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// RSA of a size that Fulcio does not take.
    #[error("the public key is insecure")]
    InsecureKey,
    /// Not JSON of this shape; whether it ended too early.
    #[error("the request is not JSON of a certificate request")]
    Json(bool),
    /// The identity token's issuer does not say what its keys are.
    #[error("an identity token cannot be verified: {0}")]
    IssuerKeys(#[from] KeysUnavailable),
    /// A key of no supported kind.
    #[error(transparent)]
    Key(#[from] UnsupportedKey),
    /// A root's key that is not the one of this authority's root.
    #[error("this is not the key of the authority's root")]
    OtherRootKey,
    /// Whoever asks does not have the key.
    #[error("the proof of possession does not verify")]
    ProofOfPossession,
    /// The SCT cannot be embedded.
    #[error(transparent)]
    Sct(#[from] SctError),
    /// A signing request signed in another way than its kind of key signs by default.
    #[error("signing algorithm {0} is not permitted for this kind of key")]
    SigningAlgorithm(const_oid::ObjectIdentifier),
    /// The authority's key cannot sign.
    #[error(transparent)]
    Signing(#[from] ServiceKeyError),
    /// The precertificate does not fit a CT log's entry.
    #[error(transparent)]
    Submission(#[from] BadSubmission),
    /// Not base64 of a PKCS #10 request in PEM.
    #[error("the certificate signing request cannot be read")]
    SigningRequest,
    /// The identity token is not to be believed.
    #[error(transparent)]
    Token(#[from] IdentityTokenError),
    /// The identity token's issuer is not one that is believed.
    #[error("the identity token's issuer is not trusted")]
    UnknownIssuer,
}

impl From<KeyError> for IssueError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Token(error) => Self::Token(error),
            KeyError::Unavailable(error) => Self::IssuerKeys(error),
        }
    }
}
