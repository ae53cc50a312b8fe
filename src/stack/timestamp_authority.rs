//! The timestamp authority: RFC 3161 over HTTP, as Sigstore's timestamp-authority has it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use const_oid::ObjectIdentifier;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::certificate_authority::AuthorityChain;
use crate::crypto::{DigestAlgorithm, ServiceKey, random_bytes};
use crate::timestamp::{MessageImprint, TimeStampReq, TimeStampResp, TimestampSigner};
use crate::x509::Certificate;

/// The actor.
#[derive(Debug)]
pub struct TimestampAuthority {
    key: ServiceKey,
    signer: Certificate,
    root: Certificate,
    times: Mutex<Times>,
}

#[derive(Clone, Copy, Debug)]
struct Times {
    /// No token is earlier than this.
    latest: Timestamp,
    /// What the logs were last heard to have.
    logged: Option<Timestamp>,
}

impl TimestampAuthority {
    /// An authority that signs as the first certificate of `chain`, whose key is `key`, an ECDSA P-256 key, and has
    /// never stamped before `since`.
    #[must_use]
    pub fn new(key: ServiceKey, chain: AuthorityChain, since: Timestamp) -> Self {
        let AuthorityChain { intermediate: signer, root } = chain;
        Self { key, signer, root, times: Mutex::new(Times { latest: since, logged: None }) }
    }

    /// The answer to a `TimeStampReq` in DER: a `TimeStampResp`.
    ///
    /// # Errors
    /// [`StampError`] says what is wrong with the request, or with the clock.
    pub fn stamp(&self, request: &[u8], now: Timestamp) -> Result<Vec<u8>, StampError> {
        self.answer(&TimeStampReq::from_der(request).map_err(|_| StampError::Malformed)?, now)
    }

    /// The same for a request in JSON; the answer is DER all the same.
    ///
    /// # Errors
    /// [`StampError`] says what is wrong with the request, or with the clock.
    pub fn stamp_json(&self, request: &[u8], now: Timestamp) -> Result<Vec<u8>, StampError> {
        self.answer(&json_request(request).ok_or(StampError::Malformed)?, now)
    }

    /// The signer's certificate and the root above it, DER.
    #[must_use]
    pub fn chain(&self) -> [&[u8]; 2] {
        [self.signer.der(), self.root.der()]
    }

    /// The first instant of the signer's certificate.
    #[must_use]
    pub fn since(&self) -> Timestamp {
        self.signer.not_before()
    }

    /// Tells that something was signed at `at`, which no later token may precede: a certificate, whose first instant must
    /// not lie after the token of what is signed with it.
    pub fn not_before(&self, at: Timestamp) {
        let mut times = self.times();
        times.latest = at.max(times.latest);
    }

    /// Tells when the last entry of any log came in: a token that is made later is not earlier. A log goes back only when
    /// the operator accepted it, and that log's time says nothing then.
    pub fn logged(&self, last: Option<Timestamp>) {
        let mut times = self.times();
        if let Some(at) = last.filter(|_| last > times.logged) {
            times.latest = at.max(times.latest);
        }
        times.logged = last;
    }

    /// Goes on from `now`, which the operator accepted, whatever was before.
    pub fn begin_again_at(&self, now: Timestamp) {
        self.times().latest = now;
    }

    fn answer(&self, request: &TimeStampReq, now: Timestamp) -> Result<Vec<u8>, StampError> {
        let imprint = &request.message_imprint;
        let algorithm = imprint.algorithm().ok_or(StampError::WeakHash)?;
        if imprint.digest().len() != algorithm.digest(&[]).len() {
            return Err(StampError::DigestLength);
        }
        if request.policy.is_some_and(|policy| policy != POLICY) {
            return Err(StampError::Policy);
        }
        let at = self.steady(now)?;
        let signer = TimestampSigner { key: &self.key, certificate: &self.signer, policy: POLICY };
        let token = signer.stamp(request, &serial_number(), at).map_err(|_| StampError::Signing)?;
        TimeStampResp::granting(&token).map_err(|_| StampError::Signing)
    }

    /// A clock that went back a little stands still until it is right again; one that went back further is not to be
    /// believed.
    fn steady(&self, now: Timestamp) -> Result<Timestamp, StampError> {
        let mut times = self.times();
        if times.latest.duration_since(now) > MAX_CLOCK_STEP_BACK {
            return Err(StampError::ClockWentBack { now, last: times.latest });
        }
        times.latest = now.max(times.latest);
        Ok(times.latest)
    }

    fn times(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A token that was not made.
#[derive(Debug, thiserror::Error)]
pub enum StampError {
    /// The clock is more than a few seconds before an earlier token, certificate or entry.
    #[error("the clock says {now}, but {last} has been vouched for already")]
    ClockWentBack {
        /// What it says.
        now: Timestamp,
        /// What it said.
        last: Timestamp,
    },
    /// A digest that its algorithm cannot have made.
    #[error("the digest has not the length of its algorithm's")]
    DigestLength,
    /// Neither DER nor JSON of a request.
    #[error("not a timestamp request")]
    Malformed,
    /// Another policy than this authority's.
    #[error("the policy is not {POLICY}")]
    Policy,
    /// The key or the encoder failed.
    #[error("the timestamp token cannot be made")]
    Signing,
    /// Not SHA-2.
    #[error("the hash algorithm is weak, or not known")]
    WeakHash,
}

fn json_request(json: &[u8]) -> Option<TimeStampReq> {
    if json.len() > MAX_JSON_BYTES {
        return None;
    }
    let request: JsonRequest<'_> = serde_json::from_slice(json).ok()?;
    let algorithm = match request.hash_algorithm.as_str() {
        "sha256" => DigestAlgorithm::Sha256,
        "sha384" => DigestAlgorithm::Sha384,
        "sha512" => DigestAlgorithm::Sha512,
        _ => return None,
    };
    let nonce = request.nonce.map(|nonce| nonce.get().parse::<i128>()).transpose().ok()?;
    Some(TimeStampReq {
        message_imprint: MessageImprint::new(algorithm, &STANDARD.decode(request.artifact_hash).ok()?).ok()?,
        policy: request.tsa_policy_oid.filter(|policy| !policy.is_empty()).map(|oid| oid.parse()).transpose().ok()?,
        nonce: nonce.map(integer),
        certificates: request.certificates,
    })
}

/// The content octets of an INTEGER: as few as the sign allows.
fn integer(value: i128) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let redundant = bytes.windows(2).take_while(|pair| matches!(pair, [0x00, 0x00..=0x7f] | [0xff, 0x80..=0xff]));
    bytes.iter().skip(redundant.count()).copied().collect()
}

/// 20 bytes, positive, never shorter: 158 random bits.
fn serial_number() -> [u8; 20] {
    let mut bytes = random_bytes::<20>();
    if let Some(first) = bytes.first_mut() {
        *first = *first & 0x7f | 0x40;
    }
    bytes
}

/// timestamp-authority, `JSONRequest`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonRequest<'a> {
    artifact_hash: String,
    hash_algorithm: String,
    #[serde(default)]
    certificates: bool,
    #[serde(borrow)]
    nonce: Option<&'a RawValue>,
    #[serde(rename = "tsaPolicyOID")]
    tsa_policy_oid: Option<String>,
}

/// Sigstore's.
const POLICY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.2");

/// timestamp-authority's limit.
const MAX_JSON_BYTES: usize = 1024;

/// As in the logs.
const MAX_CLOCK_STEP_BACK: SignedDuration = SignedDuration::from_secs(5);

#[cfg(test)]
mod tests {
    use der::Decode as _;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn integers_have_no_byte_too_many() {
        for (value, expected) in [
            (0, &[0][..]),
            (127, &[0x7f]),
            (128, &[0, 0x80]),
            (1234, &[0x04, 0xd2]),
            (-1, &[0xff]),
            (-129, &[0xff, 0x7f]),
        ] {
            assert_eq!(integer(value), expected, "{value}");
        }
    }

    proptest! {
        #[test]
        fn integers_are_der(value in any::<i128>()) {
            let bytes = integer(value);
            let mut der = vec![2, u8::try_from(bytes.len()).unwrap()];
            der.extend(bytes);
            prop_assert_eq!(i128::from_der(&der).unwrap(), value);
        }

        #[test]
        fn never_panics(json in r#"\{("(artifactHash|hashAlgorithm|nonce|certificates|tsaPolicyOID)":("sha256"|"AAAA"|1|-1e9|"1.2"|true|null),?){0,6}\}?"#) {
            drop(json_request(json.as_bytes()));
        }
    }
}
