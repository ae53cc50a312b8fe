//! A signature becomes verification material: stamped where a token is wanted, then logged.

use crate::crypto::{DigestAlgorithm, Sha256Digest, SignatureAlgorithm};
use crate::services::http::Http;
use crate::services::{ServiceError, Services, TransparencyLog, rekor, rekor_v2, tsa};
use crate::signature::VerificationMaterial;
use crate::tlog::hashedrekord::{self, Verifier};
use crate::x509::Certificate;

/// Has the signature over `message` (for Git, the DER of the signed attributes) stamped and logged.
///
/// The log comes last: what it takes is public, or at least there for good, and nothing may be logged that cannot be
/// finished. Neither answer is verified here: the finished signature is, as a whole.
///
/// # Errors
/// [`ServiceError`] when the timestamp authority gave no token, or the log did not take the entry.
pub async fn record(
    message: &[u8],
    signature: Vec<u8>,
    certificate: Certificate,
    http: &Http,
    services: &Services,
) -> Result<VerificationMaterial, ServiceError> {
    let mut timestamps = Vec::new();
    if let Some(authority) = &services.timestamp_authority {
        timestamps.push(tsa::stamp(http, authority, &signature).await?);
    }
    let digest = Sha256Digest::of(message);
    let log_entry = match &services.transparency_log {
        TransparencyLog::RekorV1(base) => {
            let body = hashedrekord::canonical_body(&digest, &signature, Verifier::Certificate(certificate.der()));
            rekor::add(http, base, body).await?
        }
        TransparencyLog::RekorV2(base) => rekor_v2::add(http, base, &digest, &signature, certificate.der()).await?,
    };
    Ok(VerificationMaterial {
        certificate,
        signature_algorithm: Some(SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha256)),
        signature,
        log_entry: Some(log_entry),
        timestamps,
        unsupported: None,
    })
}
