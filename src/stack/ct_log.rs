//! The CT log: takes the `TBSCertificate` of every certificate before it is issued.
//!
//! The authority hands over the certificate without poison and SCT list, which is all that an SCT signs, so no
//! precertificate has to be made (RFC 6962 §3.1).

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use super::log_store::{CheckpointSigner, LogStore, NewEntry, StoreError};
use crate::crypto::{DigestAlgorithm, ServiceKey, ServiceKeyError, Sha256Digest, SignatureAlgorithm};
use crate::trusted_root::LogId;
use crate::x509::sct::{SctError, SignedCertificateTimestamp, signed_message};

/// The actor.
#[derive(Debug)]
pub struct CtLog {
    key: Arc<ServiceKey>,
    log_id: LogId,
    store: LogStore,
}

impl CtLog {
    /// The log in `folder`, of the stack at `host`, signing with `key`, an ECDSA P-256 key.
    ///
    /// # Errors
    /// [`StoreError`] when the log cannot be opened.
    pub fn open(folder: &Path, host: &str, key: ServiceKey) -> Result<Self, StoreError> {
        let key = Arc::new(key);
        let signer = checkpoint_signer(host, &key);
        let log_id = signer.log_id;
        Ok(Self { key, log_id, store: LogStore::open(folder, signer, |_| Vec::new())? })
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
        self.store.append(NewEntry { bytes: message.clone(), beside: Vec::new() }, now)?;
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

    /// The log's entries on disk.
    #[must_use]
    pub fn store(&self) -> &LogStore {
        &self.store
    }

    #[cfg(test)]
    pub(super) fn assert_consistent(&self) {
        self.store.assert_consistent();
    }
}

/// The log has no name of its own in RFC 6962; its checkpoints need one.
pub(super) fn checkpoint_signer(host: &str, key: &Arc<ServiceKey>) -> CheckpointSigner {
    let name = format!("{host}/ct");
    let log_id = LogId(key.verifying_key().spki_sha256().0);
    CheckpointSigner { origin: name.clone(), name, key: Arc::clone(key), log_id }
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
