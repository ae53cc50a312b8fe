//! Signed attributes (RFC 5652 §5.3, §11): what a signature really covers.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5911::{ID_CONTENT_TYPE, ID_DATA, ID_MESSAGE_DIGEST, ID_SIGNING_TIME};
use der::asn1::{GeneralizedTime, OctetString, SetOfVec, UtcTime};
use der::{Any, Encode as _};
use jiff::Timestamp;
use x509_cert::attr::{Attribute, Attributes};
use x509_cert::time::Time;

use crate::crypto::Sha256Digest;

/// The three attributes that waxseal signs: contentType, signingTime, messageDigest.
#[derive(Clone, Debug)]
pub struct SignedAttributes {
    attributes: Attributes,
    message: Vec<u8>,
}

impl SignedAttributes {
    /// The attributes for `payload`, signed at `now`, a claim that nobody will believe: a verified time counts.
    ///
    /// # Errors
    /// [`AttributesError::Malformed`] when `now` lies outside what ASN.1 times can say.
    pub fn for_payload(payload: &[u8], now: Timestamp) -> Result<Self, AttributesError> {
        Self::encode_all(Sha256Digest::of(payload), now).map_err(|_| AttributesError::Malformed)
    }

    /// The message: DER of the attributes as a `SET OF` (RFC 5652 §5.4).
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.message
    }

    pub(super) fn encode(&self) -> der::Result<Attributes> {
        Ok(self.attributes.clone())
    }

    fn encode_all(payload: Sha256Digest, now: Timestamp) -> der::Result<Self> {
        let attributes = SetOfVec::try_from(vec![
            attribute(ID_CONTENT_TYPE, Any::encode_from(&ID_DATA)?)?,
            attribute(ID_SIGNING_TIME, signing_time(now)?)?,
            attribute(ID_MESSAGE_DIGEST, Any::encode_from(&OctetString::new(payload.as_ref())?)?)?,
        ])?;
        Ok(Self { message: attributes.to_der()?, attributes })
    }
}

/// What the signed attributes of a received signature say. They are signed, so they bind; whether the signature holds
/// is another question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedAttributesClaims {
    /// The digest of what was signed.
    pub message_digest: Vec<u8>,
    /// When the signer says it signed. Never used as a time.
    pub signing_time: Option<Timestamp>,
}

impl SignedAttributesClaims {
    /// Reads attributes that hold exactly one contentType, id-data, and exactly one messageDigest.
    pub(super) fn read(attributes: &Attributes) -> Result<Self, AttributesError> {
        let content_type = one_value(attributes, ID_CONTENT_TYPE)?;
        let content_type: ObjectIdentifier = content_type.decode_as().map_err(|_| AttributesError::Malformed)?;
        if content_type != ID_DATA {
            return Err(AttributesError::ContentType(content_type));
        }
        let digest: OctetString =
            one_value(attributes, ID_MESSAGE_DIGEST)?.decode_as().map_err(|_| AttributesError::Malformed)?;
        let signing_time = match one_value(attributes, ID_SIGNING_TIME) {
            Ok(value) => Some(value.decode_as::<Time>().map_err(|_| AttributesError::Malformed)?),
            Err(AttributesError::Absent(_)) => None,
            Err(repeated) => return Err(repeated),
        };
        let signing_time = signing_time.and_then(|time| i64::try_from(time.to_unix_duration().as_secs()).ok());
        Ok(Self {
            message_digest: digest.as_bytes().to_vec(),
            signing_time: signing_time.and_then(|seconds| Timestamp::from_second(seconds).ok()),
        })
    }
}

fn one_value(attributes: &Attributes, oid: ObjectIdentifier) -> Result<&Any, AttributesError> {
    let mut found = attributes.iter().filter(|attribute| attribute.oid == oid);
    let attribute = found.next().ok_or(AttributesError::Absent(oid))?;
    match (attribute.values.as_slice(), found.next()) {
        ([value], None) => Ok(value),
        _ => Err(AttributesError::Repeated(oid)),
    }
}

fn attribute(oid: ObjectIdentifier, value: Any) -> der::Result<Attribute> {
    Ok(Attribute { oid, values: SetOfVec::try_from(vec![value])? })
}

/// RFC 5652 §11.3: `UTCTime` from 1950 to 2049, `GeneralizedTime` outside.
fn signing_time(now: Timestamp) -> der::Result<Any> {
    let seconds = u64::try_from(now.as_second()).map_err(|_| der::ErrorKind::DateTime)?;
    let since_1970 = std::time::Duration::from_secs(seconds);
    match UtcTime::from_unix_duration(since_1970) {
        Ok(time) => Any::encode_from(&time),
        Err(_) => Any::encode_from(&GeneralizedTime::from_unix_duration(since_1970)?),
    }
}

/// Signed attributes that cannot be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttributesError {
    /// A mandatory one is missing.
    #[error("signed attribute {0} is missing")]
    Absent(ObjectIdentifier),
    /// contentType names something else than id-data.
    #[error("the signed content type {0} is not id-data")]
    ContentType(ObjectIdentifier),
    /// A value does not decode.
    #[error("a signed attribute is malformed")]
    Malformed,
    /// It stands twice, or has two values.
    #[error("signed attribute {0} does not stand there exactly once")]
    Repeated(ObjectIdentifier),
}
