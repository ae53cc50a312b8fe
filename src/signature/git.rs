//! The CMS envelope that Git stores ⇄ (message, verification material); binds the payload's digest.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc3161::ID_AA_TIME_STAMP_TOKEN;
use der::asn1::OctetString;
use der::{Decode as _, Encode as _};
use jiff::Timestamp;

use super::{UnsupportedEvidence, VerificationMaterial, payload};
use crate::cms::armor::{self, MalformedArmor};
use crate::cms::attributes::{AttributesError, SignedAttributes};
use crate::cms::{self, MalformedSignedData, NotStrict, SignedData, UnsignedAttribute};
use crate::crypto::SignatureAlgorithm;
use crate::tlog::TransparencyLogEntry;
use crate::tlog::proto::{self, MalformedEntry};
use crate::x509::Certificate;

/// A Git signature, opened: nothing of it is verified.
#[derive(Clone, Debug)]
pub struct GitSignature {
    /// The DER that was signed.
    pub message: Vec<u8>,
    /// Certificate, signature and evidence.
    pub material: VerificationMaterial,
    /// Whether the message is about the payload.
    pub binding: Result<(), BindingError>,
    /// What the signer says of when it signed: a claim.
    pub signing_time: Option<Timestamp>,
}

/// Reads the armor and holds its message against `payload`, the exact bytes that Git hashed.
///
/// # Errors
/// [`MalformedSignature`] when there is no signature to speak of.
pub fn open(payload: &[u8], armor: &[u8]) -> Result<GitSignature, MalformedSignature> {
    let signed_data = SignedData::from_der(&armor::decode(armor)?)?;
    let binding = binds(&signed_data, payload);
    let evidence = Evidence::read(&signed_data.unsigned_attributes)?;
    Ok(GitSignature {
        binding,
        signing_time: signed_data.signed_attributes.ok().and_then(|claims| claims.signing_time),
        message: signed_data.message,
        material: VerificationMaterial {
            certificate: signed_data.certificate,
            signature_algorithm: signed_data.signature_algorithm,
            signature: signed_data.signature,
            log_entry: evidence.log_entry,
            timestamps: evidence.timestamps,
            unsupported: evidence.unsupported,
        },
    })
}

/// Writes the DER that [`open`] reads: gitsign's layout, the entry without its body, which the signature itself gives,
/// and the timestamp tokens as RFC 3161 appendix A has them.
///
/// # Errors
/// [`MalformedSignedData`] when a part does not encode.
pub fn seal(
    attributes: &SignedAttributes,
    certificate: &Certificate,
    signature: &[u8],
    log_entry: Option<&TransparencyLogEntry>,
    timestamps: &[Vec<u8>],
) -> Result<Vec<u8>, MalformedSignedData> {
    let mut unsigned = Vec::new();
    if let Some(entry) = log_entry {
        let bare = TransparencyLogEntry { canonicalized_body: Vec::new(), ..entry.clone() };
        let value = OctetString::new(proto::encode(&bare)).and_then(|octets| octets.to_der());
        let value = value.map_err(|_| MalformedSignedData::NotCms)?;
        unsigned.push(UnsignedAttribute { oid: LOG_ENTRY, values: vec![value] });
    }
    if !timestamps.is_empty() {
        unsigned.push(UnsignedAttribute { oid: ID_AA_TIME_STAMP_TOKEN, values: timestamps.to_vec() });
    }
    cms::seal(attributes, certificate, signature, unsigned)
}

/// The evidence among a signature's unsigned attributes.
#[derive(Default)]
struct Evidence {
    log_entry: Option<TransparencyLogEntry>,
    timestamps: Vec<Vec<u8>>,
    unsupported: Option<UnsupportedEvidence>,
}

impl Evidence {
    fn read(attributes: &[UnsignedAttribute]) -> Result<Self, MalformedSignature> {
        let mut evidence = Self::default();
        // In the layout by field, 57264.3.1 is one field among others and not an OCTET STRING that holds an entry. One
        // that does is an entry whatever stands beside it, and is checked.
        let by_field = attributes.iter().any(|attribute| BY_FIELD.contains(&attribute.oid));
        for attribute in attributes {
            let holds_no_entry = !attribute.values.iter().any(|value| value.first() == Some(&OCTET_STRING));
            if attribute.oid == ID_AA_TIME_STAMP_TOKEN {
                evidence.timestamps.extend(attribute.values.iter().cloned());
            } else if by_field && attribute.oid == LOG_ENTRY && holds_no_entry || BY_FIELD.contains(&attribute.oid) {
                evidence.unsupported = Some(UnsupportedEvidence::EntryByField);
            } else if attribute.oid == LOG_ENTRY {
                let [value] = attribute.values.as_slice() else { return Err(MalformedSignature::LogEntries) };
                let octets = OctetString::from_der(value).map_err(|_| MalformedSignature::LogEntries)?;
                if evidence.log_entry.replace(proto::decode(octets.as_bytes())?).is_some() {
                    return Err(MalformedSignature::LogEntries);
                }
            }
        }
        if evidence.timestamps.len() > MAX_TIMESTAMPS {
            return Err(MalformedSignature::Timestamps(evidence.timestamps.len()));
        }
        Ok(evidence)
    }
}

fn binds(signed_data: &SignedData, payload: &[u8]) -> Result<(), BindingError> {
    signed_data.strict()?;
    let claims = signed_data.signed_attributes.as_ref().map_err(|error| *error)?;
    let algorithm = signed_data.digest_algorithm.ok_or(BindingError::DigestAlgorithm)?;
    let signed_with = signed_data.signature_algorithm.and_then(SignatureAlgorithm::digest);
    if signed_with.is_some_and(|digest| digest != algorithm) {
        return Err(BindingError::DigestsDiffer);
    }
    if !payload::has_ordered_headers(payload) {
        return Err(BindingError::Headers);
    }
    if algorithm.digest(payload) != claims.message_digest {
        return Err(BindingError::Payload);
    }
    Ok(())
}

/// The message is not about the payload, or not in a way that can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BindingError {
    /// The signed attributes.
    #[error(transparent)]
    Attributes(#[from] AttributesError),
    /// The digest is not of SHA-2.
    #[error("the signature's digest algorithm is not of SHA-2")]
    DigestAlgorithm,
    /// One digest for the payload, another for the message (RFC 5652 §5.3 has one field for both).
    #[error("the signature names two different digest algorithms")]
    DigestsDiffer,
    /// Two trees, or headers where Git has them otherwise.
    #[error("the object's headers are missing, stand twice or are out of order")]
    Headers,
    /// The CMS has another form than the one that waxseal believes.
    #[error(transparent)]
    NotStrict(#[from] NotStrict),
    /// The payload is not what was signed.
    #[error("the content is not what was signed")]
    Payload,
}

/// No signature to speak of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedSignature {
    /// The text around it.
    #[error(transparent)]
    Armor(#[from] MalformedArmor),
    /// The CMS structure.
    #[error(transparent)]
    Cms(#[from] MalformedSignedData),
    /// The log entry in it.
    #[error(transparent)]
    Entry(#[from] MalformedEntry),
    /// Several log entries, or an attribute that does not hold one.
    #[error("the log entry attribute does not hold exactly one entry")]
    LogEntries,
    /// More tokens than anybody sends.
    #[error("the signature carries {0} timestamp tokens; at most {MAX_TIMESTAMPS} are read")]
    Timestamps(usize),
}

/// Unsigned attribute: `OCTET STRING` with a protobuf `TransparencyLogEntry` (gitsign `docs/bundle-cms.md`).
const LOG_ENTRY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.3.1");

/// The other attributes of the layout by field; which is which depends on the week it was written in.
const BY_FIELD: [ObjectIdentifier; 9] = [
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.3.0"),
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.3.2"),
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.3.3"),
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.3.4"),
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.3.5"),
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.3.6"),
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.3.7"),
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.3.8"),
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.3.9"),
];

/// The identifier octet.
const OCTET_STRING: u8 = 0x04;

/// sigstore-go reads 32.
const MAX_TIMESTAMPS: usize = 32;
