//! Signed certificate timestamps embedded in a certificate (RFC 6962 §3.2, §3.3).

use const_oid::ObjectIdentifier;
use const_oid::db::rfc6962::{CT_PRECERT_POISON, CT_PRECERT_SCTS};
use der::{Decode as _, Encode as _, Header, Length, Reader as _, SliceReader, Tag, TagNumber};
use jiff::Timestamp;
use tls_codec::TlsByteVecU16;
use x509_cert::ext::pkix::SignedCertificateTimestampList;
use x509_cert::ext::pkix::sct::{
    DigitallySigned, HashAlgorithm, LogId as SctLogId, SerializedSct, SignatureAlgorithm as SctSignatureAlgorithm,
    SignatureAndHashAlgorithm, SignedCertificateTimestamp as RawSct, Version,
};

use super::Certificate;
use crate::crypto::{DigestAlgorithm, Sha256Digest, SignatureAlgorithm};
use crate::trusted_root::{LogId, TimeRange, TransparencyLogInstance};

/// RFC 6962 §3.2 `SignedCertificateTimestamp`: a CT log's promise to publish a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCertificateTimestamp {
    /// `.id`: which log promises.
    pub log_id: LogId,
    /// `.timestamp`: milliseconds since 1970.
    pub timestamp_ms: u64,
    /// `.extensions`: signed with the rest; a static CT log puts the leaf index here.
    pub extensions: Vec<u8>,
    /// `.signature`'s algorithm.
    pub algorithm: SignatureAlgorithm,
    /// `.signature`'s value.
    pub signature: Vec<u8>,
}

impl SignedCertificateTimestamp {
    /// The timestamps in a certificate's SCT list extension; none where it has no such extension.
    ///
    /// # Errors
    /// [`SctError::Malformed`] when the list is there and cannot be read whole.
    pub fn embedded_in(certificate: &Certificate) -> Result<Vec<Self>, SctError> {
        let Some(extension) = certificate.extensions().iter().find(|extension| extension.extn_id == SCT_LIST) else {
            return Ok(Vec::new());
        };
        // extnValue is an OCTET STRING that holds another one, which holds the TLS list.
        let list = SignedCertificateTimestampList::from_der(extension.extn_value.as_bytes())
            .map_err(|_| SctError::Malformed)?;
        let serialized = list.parse_timestamps().map_err(|_| SctError::Malformed)?;
        if serialized.is_empty() || serialized.len() > MAX_SCTS {
            return Err(SctError::Malformed);
        }
        serialized.iter().map(|sct| Self::from_raw(sct.parse_timestamp().map_err(|_| SctError::Malformed)?)).collect()
    }

    /// The value of the SCT list extension that carries `scts`.
    ///
    /// # Errors
    /// [`SctError::Malformed`] when they are too long for their length fields.
    pub fn extension_value(scts: Vec<Self>) -> Result<Vec<u8>, SctError> {
        let serialized = scts
            .into_iter()
            .map(|sct| SerializedSct::new(sct.into_raw()?).map_err(|_| SctError::Malformed))
            .collect::<Result<Vec<_>, _>>()?;
        let list = SignedCertificateTimestampList::new(&serialized).map_err(|_| SctError::Malformed)?;
        list.to_der().map_err(|_| SctError::Malformed)
    }

    /// Verifies the promise for the certificate whose `TBSCertificate` without SCT list is `tbs`, issued by the key
    /// whose SPKI hashes to `issuer_key_hash`, under the CT log among `logs` that it names.
    ///
    /// # Errors
    /// [`SctError`] says which of log, validity and signature is wrong.
    pub fn verify(
        &self,
        issuer_key_hash: Sha256Digest,
        tbs: &[u8],
        logs: &[TransparencyLogInstance],
    ) -> Result<VerifiedSct, SctError> {
        let log = logs.iter().find(|log| log.log_id == self.log_id).ok_or(SctError::UnknownLog(self.log_id))?;
        let at = i64::try_from(self.timestamp_ms)
            .ok()
            .and_then(|ms| Timestamp::from_millisecond(ms).ok())
            .ok_or(SctError::Malformed)?;
        if !log.valid_for.contains(at) {
            return Err(SctError::LogOutsideValidity { log_id: self.log_id, at, valid_for: log.valid_for });
        }
        let message = signed_message(self.timestamp_ms, issuer_key_hash, tbs, &self.extensions)?;
        log.key
            .verify_met_again(self.algorithm, &message, &self.signature)
            .map_err(|_| SctError::Signature(self.log_id))?;
        Ok(VerifiedSct { log_id: self.log_id, at })
    }

    fn from_raw(raw: RawSct) -> Result<Self, SctError> {
        let algorithm = match (raw.signature.algorithm.signature, raw.signature.algorithm.hash) {
            (SctSignatureAlgorithm::Ecdsa, HashAlgorithm::Sha256) => SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha256),
            (SctSignatureAlgorithm::Rsa, HashAlgorithm::Sha256) => {
                SignatureAlgorithm::RsaPkcs1(DigestAlgorithm::Sha256)
            }
            // RFC 6962 §2.1.4 allows no others.
            _ => return Err(SctError::Malformed),
        };
        Ok(Self {
            log_id: LogId(raw.log_id.key_id),
            timestamp_ms: raw.timestamp,
            extensions: raw.extensions.as_slice().to_vec(),
            algorithm,
            signature: raw.signature.signature.as_slice().to_vec(),
        })
    }

    fn into_raw(self) -> Result<RawSct, SctError> {
        let signature = match self.algorithm {
            SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha256) => SctSignatureAlgorithm::Ecdsa,
            SignatureAlgorithm::RsaPkcs1(DigestAlgorithm::Sha256) => SctSignatureAlgorithm::Rsa,
            _ => return Err(SctError::Malformed),
        };
        Ok(RawSct {
            version: Version::V1,
            log_id: SctLogId { key_id: self.log_id.0 },
            timestamp: self.timestamp_ms,
            extensions: TlsByteVecU16::new(self.extensions),
            signature: DigitallySigned {
                algorithm: SignatureAndHashAlgorithm { hash: HashAlgorithm::Sha256, signature },
                signature: TlsByteVecU16::new(self.signature),
            },
        })
    }
}

/// Verifies every timestamp in `leaf`, issued by the key whose SPKI hashes to `issuer_key_hash`, under the trusted
/// `ct_logs`. `Ok(None)`: there is none, and none is demanded, because no CT log was trusted when the leaf was made.
///
/// # Errors
/// [`SctError`], which is [`SctError::Absent`] where one is demanded.
pub fn verify_embedded(
    leaf: &Certificate,
    issuer_key_hash: Sha256Digest,
    ct_logs: &[TransparencyLogInstance],
) -> Result<Option<VerifiedSct>, SctError> {
    let scts = SignedCertificateTimestamp::embedded_in(leaf)?;
    if scts.is_empty() {
        let demanded = ct_logs.iter().any(|log| log.valid_for.contains(leaf.not_before()));
        return if demanded { Err(SctError::Absent) } else { Ok(None) };
    }
    let tbs = tbs_without_scts(leaf)?;
    let mut first = None;
    for sct in scts {
        let verified = sct.verify(issuer_key_hash, &tbs, ct_logs)?;
        first.get_or_insert(verified);
    }
    Ok(first)
}

/// A timestamp whose signature by a trusted CT log held; only [`SignedCertificateTimestamp::verify`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifiedSct {
    log_id: LogId,
    at: Timestamp,
}

impl VerifiedSct {
    /// Which log promised.
    #[must_use]
    pub fn log_id(&self) -> LogId {
        self.log_id
    }

    /// When it promised.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }
}

/// What a CT log signs for an embedded SCT: [`timestamped_entry`] of a precertificate.
///
/// # Errors
/// [`SctError::Malformed`] when `tbs` or `extensions` are too long for their length fields.
pub fn signed_message(
    timestamp_ms: u64,
    issuer_key_hash: Sha256Digest,
    tbs: &[u8],
    extensions: &[u8],
) -> Result<Vec<u8>, SctError> {
    timestamped_entry(timestamp_ms, LoggedCertificate::Precertificate { issuer_key_hash, tbs }, extensions)
}

/// What a CT log logs of a certificate (RFC 6962 §3.4 `TimestampedEntry.signed_entry`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoggedCertificate<'a> {
    /// `x509_entry`: the whole certificate, DER.
    Certificate(&'a [u8]),
    /// `precert_entry`
    Precertificate {
        /// SHA-256 of the SPKI of the certificate issuer.
        issuer_key_hash: Sha256Digest,
        /// The `TBSCertificate` without poison and without SCT list.
        tbs: &'a [u8],
    },
}

/// What a CT log signs in an SCT, which is also the `MerkleTreeLeaf` that it hashes (RFC 6962 §3.2, §3.4).
///
/// # Errors
/// [`SctError::Malformed`] when a part is too long for its length field.
pub fn timestamped_entry(
    timestamp_ms: u64,
    entry: LoggedCertificate<'_>,
    extensions: &[u8],
) -> Result<Vec<u8>, SctError> {
    const V1: u8 = 0;
    const CERTIFICATE_TIMESTAMP: u8 = 0;
    let (entry_type, issuer_key_hash, der): ([u8; 2], &[u8], &[u8]) = match &entry {
        LoggedCertificate::Certificate(der) => ([0, 0], &[], der),
        LoggedCertificate::Precertificate { issuer_key_hash, tbs } => ([0, 1], &issuer_key_hash.0, tbs),
    };
    let length = u32::try_from(der.len()).map_err(|_| SctError::Malformed)?.to_be_bytes();
    let [0, length @ ..] = length else { return Err(SctError::Malformed) };
    let extensions_length = u16::try_from(extensions.len()).map_err(|_| SctError::Malformed)?.to_be_bytes();
    Ok([
        &[V1, CERTIFICATE_TIMESTAMP][..],
        &timestamp_ms.to_be_bytes(),
        &entry_type,
        issuer_key_hash,
        &length,
        der,
        &extensions_length,
        extensions,
    ]
    .concat())
}

/// The certificate's `TBSCertificate` without its SCT list: every other byte stays, but for the lengths around it.
///
/// # Errors
/// [`SctError::Malformed`] when the certificate has no extensions to look through.
pub fn tbs_without_scts(certificate: &Certificate) -> Result<Vec<u8>, SctError> {
    without(SCT_LIST, certificate.tbs_der()).map_err(|_| SctError::Malformed)
}

/// The precertificate's `TBSCertificate` without its poison, as it will be in the certificate but for the SCT list.
///
/// # Errors
/// [`SctError::Malformed`] when the certificate has no extensions to look through.
pub fn tbs_without_poison(precertificate: &Certificate) -> Result<Vec<u8>, SctError> {
    without(POISON, precertificate.tbs_der()).map_err(|_| SctError::Malformed)
}

fn without(oid: ObjectIdentifier, tbs: &[u8]) -> der::Result<Vec<u8>> {
    let extensions_tag = Tag::ContextSpecific { constructed: true, number: TagNumber(3) };
    let mut fields = content(tbs)?;
    let mut kept = Vec::with_capacity(tbs.len());
    while !fields.is_finished() {
        let field = fields.tlv_bytes()?;
        if Header::decode(&mut SliceReader::new(field)?)?.tag() != extensions_tag {
            kept.extend_from_slice(field);
            continue;
        }
        let list = content(field)?.tlv_bytes()?;
        let mut extensions = content(list)?;
        let mut others = Vec::with_capacity(list.len());
        while !extensions.is_finished() {
            let extension = extensions.tlv_bytes()?;
            if content(extension)?.decode::<ObjectIdentifier>()? != oid {
                others.extend_from_slice(extension);
            }
        }
        kept.extend_from_slice(&wrap(extensions_tag, &wrap(Tag::Sequence, &others)?)?);
    }
    wrap(Tag::Sequence, &kept)
}

fn content(tlv: &[u8]) -> der::Result<SliceReader<'_>> {
    let mut reader = SliceReader::new(tlv)?;
    let header = Header::decode(&mut reader)?;
    SliceReader::new(reader.read_slice(header.length())?)
}

fn wrap(tag: Tag, value: &[u8]) -> der::Result<Vec<u8>> {
    let mut tlv = Header::new(tag, Length::try_from(value.len())?).to_der()?;
    tlv.extend_from_slice(value);
    Ok(tlv)
}

/// A timestamp that cannot be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SctError {
    /// The trusted root lists a CT log, and the certificate was in none.
    #[error("the certificate carries no signed certificate timestamp")]
    Absent,
    /// The log was not trusted when it promised.
    #[error("CT log {log_id} was not trusted at {at} (trusted {valid_for})")]
    LogOutsideValidity {
        /// Which log.
        log_id: LogId,
        /// When it promised.
        at: Timestamp,
        /// When it is trusted.
        valid_for: TimeRange,
    },
    /// The list or a timestamp in it cannot be read.
    #[error("the certificate's SCT list is malformed")]
    Malformed,
    /// The signature does not verify.
    #[error("the SCT of CT log {0} does not verify")]
    Signature(LogId),
    /// No trusted CT log has this ID.
    #[error("CT log {0} is not trusted")]
    UnknownLog(LogId),
}

/// `SignedCertificateTimestampList` (RFC 6962 §3.3).
pub const SCT_LIST: ObjectIdentifier = CT_PRECERT_SCTS;

/// What makes a precertificate no certificate (RFC 6962 §3.1): critical, and NULL.
pub const POISON: ObjectIdentifier = CT_PRECERT_POISON;

/// Fulcio embeds one; browsers' policies ask for two or three.
const MAX_SCTS: usize = 8;
