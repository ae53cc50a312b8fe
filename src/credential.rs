//! The signing credential: an ephemeral key, and the certificate that says for a few minutes whose it is.

mod certificate;
mod requested_signer;
mod token;

pub use certificate::CertificateError;
pub use requested_signer::RequestedSigner;
pub use token::{TokenError, expected_name};

use jiff::Timestamp;

use crate::crypto::SigningKey;
use crate::identity_token::IdentityToken;
use crate::instance::Instance;
use crate::services::http::Http;
use crate::services::{ServiceError, fulcio};
use crate::x509::SigningCertificate;

/// A key with its certificate, checked.
#[derive(Debug)]
pub struct SigningCredential {
    /// In memory only, wiped when dropped.
    pub key: SigningKey,
    /// It carries that key, leads to the instance's trusted root, and names the token's identity.
    pub certificate: SigningCertificate,
}

/// What a credential is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Issuance<'a> {
    /// Whose certificate authority issues it.
    pub instance: &'a Instance,
    /// Where that is: Fulcio's base address.
    pub certificate_authority: &'a str,
    /// For whom the identity token must have been made.
    pub audience: &'a str,
    /// Who must be signing, if the caller said so.
    pub signer: Option<&'a RequestedSigner>,
}

impl Issuance<'_> {
    /// What [`Issuance::issue`] asks of the token, for those who would rather know before they ask the user something.
    ///
    /// # Errors
    /// [`CredentialError::Token`]
    pub fn check(&self, token: &IdentityToken, now: Timestamp) -> Result<(), CredentialError> {
        Ok(token::check(token.claims(), self, now)?)
    }

    /// Makes a key and has it certified for the identity in `token`. `now` is read after the login.
    ///
    /// Whatever can be known to be wrong is known before the authority is asked: what it issues becomes public.
    ///
    /// # Errors
    /// [`CredentialError`]
    pub async fn issue(
        &self,
        http: &Http,
        token: &IdentityToken,
        now: Timestamp,
    ) -> Result<SigningCredential, CredentialError> {
        self.check(token, now)?;
        let key = SigningKey::generate();
        let leaf = fulcio::certify(http, self.certificate_authority, token, &key).await?;
        let certificate = certificate::check(leaf, &key, token.claims(), self.instance, now)?;
        Ok(SigningCredential { key, certificate })
    }
}

/// No credential.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// What came back is not what was asked for.
    #[error("the certificate authority's certificate is not acceptable: {0}")]
    Certificate(#[from] CertificateError),
    /// The certificate authority did not issue one.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The certificate authority was not asked.
    #[error(transparent)]
    Token(#[from] TokenError),
}
