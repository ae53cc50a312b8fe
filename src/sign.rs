//! A message becomes verification material: signed with the credential, then logged.

use crate::credential::SigningCredential;
use crate::crypto::{DigestAlgorithm, Sha256Digest, SignatureAlgorithm};
use crate::services::http::Http;
use crate::services::{ServiceError, Services, rekor};
use crate::signature::VerificationMaterial;
use crate::tlog::hashedrekord::{self, Verifier};

/// Signs `message` (for Git, the DER of the signed attributes) and has the signature logged.
///
/// The log's answer is not verified here: the finished signature is, as a whole.
///
/// # Errors
/// [`ServiceError`] when the log did not take the entry.
pub async fn sign(
    message: &[u8],
    credential: &SigningCredential,
    http: &Http,
    services: &Services,
) -> Result<VerificationMaterial, ServiceError> {
    let certificate = credential.certificate.certificate().clone();
    let signature = credential.key.sign(message);
    let verifier = Verifier::Certificate(certificate.der());
    let body = hashedrekord::canonical_body(&Sha256Digest::of(message), &signature, verifier);
    let log_entry = rekor::add(http, &services.transparency_log, body).await?;
    Ok(VerificationMaterial {
        certificate,
        signature_algorithm: Some(SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha256)),
        signature,
        log_entry: Some(log_entry),
        timestamps: Vec::new(),
        unsupported: None,
    })
}
