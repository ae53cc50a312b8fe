//! Rekor v1's inclusion promise, the signed entry timestamp: the only thing that makes an integrated time count.

use jiff::Timestamp;

use super::{InclusionPromise, TransparencyLogEntry};
use crate::crypto::{ServiceKey, ServiceKeyError};
use crate::encoding::base64;
use crate::trusted_root::{LogId, TransparencyLogInstance};

/// The bytes a log signs as its promise: RFC 8785 JSON of body, integrated time, log ID and log index.
#[must_use]
pub fn message(body: &[u8], integrated_time: i64, log_id: &LogId, log_index: u64) -> Vec<u8> {
    let body = base64(body);
    format!(r#"{{"body":"{body}","integratedTime":{integrated_time},"logID":"{log_id}","logIndex":{log_index}}}"#)
        .into_bytes()
}

impl InclusionPromise {
    /// Verifies that `log` promised to include `body` at the index and the time that `entry` names. `body` is the one
    /// that the verifier rebuilt. Whether the log was trusted at that time is the caller's question.
    ///
    /// # Errors
    /// [`PromiseError`] when `log` is another log, or its signature does not verify.
    pub fn verify(
        &self,
        entry: &TransparencyLogEntry,
        body: &[u8],
        log: &TransparencyLogInstance,
    ) -> Result<VerifiedPromise, PromiseError> {
        if entry.log_id != log.log_id {
            return Err(PromiseError::OtherLog { expected: log.log_id, found: entry.log_id });
        }
        let message = message(body, entry.integrated_time, &entry.log_id, entry.log_index);
        log.key
            .verify_with(super::log_signature_algorithm(log.key.kind()), &message, &self.signed_entry_timestamp)
            .map_err(|_| PromiseError::Signature)?;
        let integrated_time = Timestamp::from_second(entry.integrated_time).ok().filter(|at| at.as_second() > 0);
        Ok(VerifiedPromise {
            integrated_time: integrated_time.ok_or(PromiseError::Time(entry.integrated_time))?,
            log_index: entry.log_index,
        })
    }

    /// A promise by the log with this key and ID.
    ///
    /// # Errors
    /// [`ServiceKeyError`] when the key cannot sign.
    pub fn make(
        body: &[u8],
        integrated_time: i64,
        log_id: &LogId,
        log_index: u64,
        key: &ServiceKey,
    ) -> Result<Self, ServiceKeyError> {
        let signed_entry_timestamp = key.sign(&message(body, integrated_time, log_id, log_index))?;
        Ok(Self { signed_entry_timestamp })
    }
}

/// A promise that its log signed; only [`InclusionPromise::verify`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifiedPromise {
    integrated_time: Timestamp,
    log_index: u64,
}

impl VerifiedPromise {
    /// When the log took the entry, whole seconds.
    #[must_use]
    pub fn integrated_time(&self) -> Timestamp {
        self.integrated_time
    }

    /// The number it gave the entry.
    #[must_use]
    pub fn log_index(&self) -> u64 {
        self.log_index
    }
}

/// A promise that proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PromiseError {
    /// The entry names another log.
    #[error("the entry is from log {found}, not from log {expected}")]
    OtherLog {
        /// The log whose key is at hand.
        expected: LogId,
        /// The log that the entry names.
        found: LogId,
    },
    /// The log's signature does not verify.
    #[error("the log's inclusion promise does not verify")]
    Signature,
    /// Signed, but not a time that can be meant.
    #[error("the log promised an integrated time of {0} seconds")]
    Time(i64),
}

#[cfg(test)]
mod tests {
    use super::super::KindVersion;
    use super::*;
    use crate::crypto::ServiceKeyKind;
    use crate::trusted_root::TimeRange;

    #[test]
    fn message_is_canonical_json() {
        let message = message(b"{}", 1_710_869_186, &LogId([0xc0; 32]), 79_571_823);
        let canonical = serde_json_canonicalizer::to_vec(&serde_json::json!({
            "logIndex": 79_571_823, "logID": "c0".repeat(32), "integratedTime": 1_710_869_186, "body": "e30=",
        }));
        assert_eq!(message, canonical.unwrap());
    }

    #[test]
    fn a_promise_holds_for_exactly_what_was_promised() {
        let key = ServiceKey::generate(ServiceKeyKind::EcdsaP256).unwrap();
        let log_id = LogId(key.verifying_key().spki_sha256().0);
        let valid_for = TimeRange { start: Timestamp::UNIX_EPOCH, end: None };
        let log =
            TransparencyLogInstance { base_url: String::new(), key: key.verifying_key().clone(), log_id, valid_for };
        let promise = InclusionPromise::make(b"body", 1000, &log_id, 5, &key).unwrap();
        let entry = TransparencyLogEntry {
            log_index: 5,
            log_id,
            kind_version: KindVersion { kind: String::new(), version: String::new() },
            integrated_time: 1000,
            inclusion_promise: None,
            inclusion_proof: None,
            canonicalized_body: Vec::new(),
        };
        assert_eq!(promise.verify(&entry, b"body", &log).unwrap().integrated_time().as_second(), 1000);
        assert_eq!(promise.verify(&entry, b"other", &log), Err(PromiseError::Signature));
        let later = TransparencyLogEntry { integrated_time: 1001, ..entry.clone() };
        assert_eq!(promise.verify(&later, b"body", &log), Err(PromiseError::Signature));
        let elsewhere = TransparencyLogEntry { log_index: 6, ..entry.clone() };
        assert_eq!(promise.verify(&elsewhere, b"body", &log), Err(PromiseError::Signature));
        let other = TransparencyLogEntry { log_id: LogId([0; 32]), ..entry.clone() };
        assert!(matches!(promise.verify(&other, b"body", &log), Err(PromiseError::OtherLog { .. })));
        let timeless = TransparencyLogEntry { integrated_time: 0, ..entry };
        let promise = InclusionPromise::make(b"body", 0, &log_id, 5, &key).unwrap();
        assert_eq!(promise.verify(&timeless, b"body", &log), Err(PromiseError::Time(0)));
    }
}
