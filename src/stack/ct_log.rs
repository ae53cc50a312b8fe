//! The CT log: takes the `TBSCertificate` of every certificate before it is issued.
//!
//! The authority hands over the certificate without poison and SCT list, which is all that an SCT signs, so no
//! precertificate has to be made (RFC 6962 §3.1).

use jiff::Timestamp;

use super::log_store::{LogStore, StoreError};
use crate::crypto::{DigestAlgorithm, ServiceKey, ServiceKeyError, Sha256Digest, SignatureAlgorithm};
use crate::trusted_root::LogId;
use crate::x509::sct::{SctError, SignedCertificateTimestamp, signed_message};

/// The actor.
#[derive(Debug)]
pub struct CtLog {
    key: ServiceKey,
    log_id: LogId,
    store: LogStore,
}

impl CtLog {
    /// A log over `store`, signing with `key`, an ECDSA P-256 key.
    #[must_use]
    pub fn new(key: ServiceKey, store: LogStore) -> Self {
        let log_id = LogId(key.verifying_key().spki_sha256().0);
        Self { key, log_id, store }
    }

    /// Logs a `TBSCertificate` of the authority whose key hashes to `issuer_key_hash`, and promises so.
    ///
    /// # Errors
    /// [`CtLogError`] when the certificate is too long, or log or key fail; then nothing was promised.
    pub fn add(
        &self,
        issuer_key_hash: Sha256Digest,
        tbs: &[u8],
        now: Timestamp,
    ) -> Result<SignedCertificateTimestamp, CtLogError> {
        let timestamp_ms = u64::try_from(now.as_millisecond()).map_err(|_| CtLogError::Clock(now))?;
        // Static CT logs put the leaf index into the extensions; RFC 6962 logs leave them empty.
        let extensions = Vec::new();
        let message = signed_message(timestamp_ms, issuer_key_hash, tbs, &extensions)?;
        self.store.append(&message, now)?;
        Ok(SignedCertificateTimestamp {
            log_id: self.log_id,
            timestamp_ms,
            extensions,
            algorithm: SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha256),
            signature: self.key.sign(&message)?,
        })
    }

    /// The log's key.
    #[must_use]
    pub fn key(&self) -> &ServiceKey {
        &self.key
    }

    /// SHA-256 of the log's key.
    #[must_use]
    pub fn log_id(&self) -> LogId {
        self.log_id
    }

    #[cfg(test)]
    pub(super) fn assert_consistent(&self) {
        self.store.assert_consistent();
    }
}

/// A certificate that was not logged.
#[derive(Debug, thiserror::Error)]
pub enum CtLogError {
    /// Before 1970.
    #[error("the clock says {0}")]
    Clock(Timestamp),
    /// The key cannot sign.
    #[error(transparent)]
    Key(#[from] ServiceKeyError),
    /// Too long for its length fields.
    #[error(transparent)]
    Sct(#[from] SctError),
    /// The log on disk fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}
