//! What the certificates look like: Fulcio's profile of a leaf, and of the two authorities above it.

use std::time::Duration;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc4519::{COMMON_NAME, ORGANIZATION_NAME};
use const_oid::db::rfc5280::{
    ID_CE_AUTHORITY_KEY_IDENTIFIER, ID_CE_BASIC_CONSTRAINTS, ID_CE_EXT_KEY_USAGE, ID_CE_KEY_USAGE,
    ID_CE_SUBJECT_ALT_NAME, ID_CE_SUBJECT_KEY_IDENTIFIER, ID_KP_CODE_SIGNING, ID_KP_TIME_STAMPING,
};
use const_oid::db::rfc5912::{ECDSA_WITH_SHA_256, ECDSA_WITH_SHA_384};
use der::asn1::{BitString, GeneralizedTime, Ia5String, Null, OctetString, UtcTime, Utf8StringRef};
use der::{Any, DateTime, Decode as _, Encode, Sequence};
use jiff::{SignedDuration, Timestamp};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::{GeneralName, OtherName};
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectKeyIdentifier,
};
use x509_cert::name::{Name, RdnSequence, RelativeDistinguishedName};
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::{Time, Validity};

use super::error::IssueError;
use super::identity::CertificateIdentity;
use crate::crypto::{KeyKind, ServiceKey, VerifyingKey, random_bytes, sha1_name};
use crate::x509::SubjectAlternativeName;
use crate::x509::fulcio::{FULCIO, OTHER_NAME};
use crate::x509::sct::{POISON, SCT_LIST};

/// RFC 5280 §4.1.2, version 3.
#[derive(Clone, Sequence)]
pub(super) struct TbsCertificate {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    version: u8,
    serial_number: SerialNumber,
    signature: AlgorithmIdentifierOwned,
    issuer: Name,
    validity: Validity,
    subject: Name,
    subject_public_key_info: SubjectPublicKeyInfoOwned,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT")]
    extensions: Vec<Extension>,
}

/// RFC 5280 §4.1.1.
#[derive(Sequence)]
struct SignedCertificate {
    tbs_certificate: TbsCertificate,
    signature_algorithm: AlgorithmIdentifierOwned,
    signature: BitString,
}

/// The certificate issuer of a certificate to be made.
#[derive(Clone, Copy)]
pub(super) struct CertificateIssuer<'a> {
    pub(super) name: &'a Name,
    pub(super) key: &'a VerifyingKey,
}

impl TbsCertificate {
    /// A leaf as Fulcio issues it, still without SCT list.
    pub(super) fn leaf(
        identity: &CertificateIdentity,
        key: &VerifyingKey,
        by: CertificateIssuer<'_>,
        now: Timestamp,
    ) -> der::Result<Self> {
        let mut extensions = vec![
            key_usage(KeyUsages::DigitalSignature.into())?,
            extended_key_usage(ID_KP_CODE_SIGNING, false)?,
            subject_key_identifier(key)?,
            authority_key_identifier(by.key)?,
            extension(ID_CE_SUBJECT_ALT_NAME, true, &vec![general_name(&identity.san)?])?,
        ];
        for (number, value) in &identity.extensions {
            let oid = FULCIO.push_arc(u32::from(*number)).map_err(|_| der::ErrorKind::Failed)?;
            extensions.push(if *number < FIRST_UTF8 {
                raw_extension(oid, false, value.as_bytes())?
            } else {
                extension(oid, false, &Utf8StringRef::new(value)?)?
            });
        }
        Self::new(Name::default(), key, by, (now, now + LEAF_LIFETIME), extensions)
    }

    /// A leaf that signs time-stamp tokens and nothing else (RFC 3161 §2.3), for as long as its root is valid.
    pub(super) fn timestamp_signer(
        name: &Name,
        key: &VerifyingKey,
        by: CertificateIssuer<'_>,
        (from, until): (Timestamp, Timestamp),
    ) -> der::Result<Self> {
        let extensions = vec![
            key_usage(KeyUsages::DigitalSignature.into())?,
            extended_key_usage(ID_KP_TIME_STAMPING, true)?,
            subject_key_identifier(key)?,
            authority_key_identifier(by.key)?,
        ];
        Self::new(name.clone(), key, by, (from, until), extensions)
    }

    /// A self-signed root that may stand above one intermediate.
    pub(super) fn root(name: &Name, key: &VerifyingKey, from: Timestamp) -> der::Result<Self> {
        let by = CertificateIssuer { name, key };
        let extensions = vec![
            subject_key_identifier(key)?,
            authority_key_identifier(key)?,
            authority(1)?,
            key_usage(KeyUsages::KeyCertSign | KeyUsages::CRLSign)?,
        ];
        Self::new(name.clone(), key, by, (from, from + AUTHORITY_LIFETIME), extensions)
    }

    /// An intermediate that issues leaves for code signing and nothing else, valid as long as its root.
    pub(super) fn intermediate(
        name: &Name,
        key: &VerifyingKey,
        by: CertificateIssuer<'_>,
        from: Timestamp,
        until: Timestamp,
    ) -> der::Result<Self> {
        let extensions = vec![
            authority(0)?,
            key_usage(KeyUsages::KeyCertSign | KeyUsages::CRLSign)?,
            extended_key_usage(ID_KP_CODE_SIGNING, false)?,
            subject_key_identifier(key)?,
            authority_key_identifier(by.key)?,
        ];
        Self::new(name.clone(), key, by, (from, until), extensions)
    }

    /// The precertificate of a certificate without SCT list.
    pub(super) fn poisoned(&self) -> der::Result<Self> {
        let mut poisoned = self.clone();
        poisoned.extensions.push(extension(POISON, true, &Null)?);
        Ok(poisoned)
    }

    /// Adds the SCT list, last.
    pub(super) fn push_sct_list(&mut self, value: &[u8]) -> der::Result<()> {
        self.extensions.push(raw_extension(SCT_LIST, false, value)?);
        Ok(())
    }

    /// The whole certificate, DER: `key` signs this part of it.
    pub(super) fn signed(self, key: &ServiceKey) -> Result<Vec<u8>, IssueError> {
        let signature_algorithm = self.signature.clone();
        let signature = BitString::from_bytes(&key.sign(&self.to_der()?)?)?;
        Ok(SignedCertificate { tbs_certificate: self, signature_algorithm, signature }.to_der()?)
    }

    fn new(
        subject: Name,
        key: &VerifyingKey,
        by: CertificateIssuer<'_>,
        (from, until): (Timestamp, Timestamp),
        extensions: Vec<Extension>,
    ) -> der::Result<Self> {
        Ok(Self {
            version: 2,
            serial_number: serial_number()?,
            signature: AlgorithmIdentifierOwned { oid: signature_algorithm(by.key)?, parameters: None },
            issuer: by.name.clone(),
            validity: Validity::new(time(from)?, time(until)?),
            subject,
            subject_public_key_info: SubjectPublicKeyInfoOwned::from_der(key.spki_der())?,
            extensions,
        })
    }
}

/// `O=organization, CN=common_name`
pub(super) fn name(organization: &str, common_name: &str) -> der::Result<Name> {
    let part = |oid, value: &str| {
        let value = Any::encode_from(&Utf8StringRef::new(value)?)?;
        RelativeDistinguishedName::try_from(vec![AttributeTypeAndValue { oid, value }])
    };
    let parts = vec![part(ORGANIZATION_NAME, organization)?, part(COMMON_NAME, common_name)?];
    Ok(Name::hazmat_from_rdn_sequence(RdnSequence::from(parts)))
}

fn extension(oid: ObjectIdentifier, critical: bool, value: &impl Encode) -> der::Result<Extension> {
    raw_extension(oid, critical, &value.to_der()?)
}

fn raw_extension(extn_id: ObjectIdentifier, critical: bool, value: &[u8]) -> der::Result<Extension> {
    Ok(Extension { extn_id, critical, extn_value: OctetString::new(value)? })
}

fn key_usage(usages: der::flagset::FlagSet<KeyUsages>) -> der::Result<Extension> {
    extension(ID_CE_KEY_USAGE, true, &KeyUsage(usages))
}

fn extended_key_usage(purpose: ObjectIdentifier, critical: bool) -> der::Result<Extension> {
    extension(ID_CE_EXT_KEY_USAGE, critical, &ExtendedKeyUsage(vec![purpose]))
}

fn general_name(name: &SubjectAlternativeName) -> der::Result<GeneralName> {
    Ok(match name {
        SubjectAlternativeName::Dns(name) => GeneralName::DnsName(Ia5String::new(name)?),
        SubjectAlternativeName::Email(name) => GeneralName::Rfc822Name(Ia5String::new(name)?),
        SubjectAlternativeName::Uri(name) => GeneralName::UniformResourceIdentifier(Ia5String::new(name)?),
        SubjectAlternativeName::Username(name) => {
            let value = Any::encode_from(&Utf8StringRef::new(name)?)?;
            GeneralName::OtherName(OtherName { type_id: OTHER_NAME, value })
        }
    })
}

fn authority(path_length: u8) -> der::Result<Extension> {
    let constraints = BasicConstraints { ca: true, path_len_constraint: Some(path_length) };
    extension(ID_CE_BASIC_CONSTRAINTS, true, &constraints)
}

fn subject_key_identifier(key: &VerifyingKey) -> der::Result<Extension> {
    extension(ID_CE_SUBJECT_KEY_IDENTIFIER, false, &SubjectKeyIdentifier(key_identifier(key)?))
}

fn authority_key_identifier(key: &VerifyingKey) -> der::Result<Extension> {
    let key_identifier = Some(key_identifier(key)?);
    extension(ID_CE_AUTHORITY_KEY_IDENTIFIER, false, &AuthorityKeyIdentifier { key_identifier, ..Default::default() })
}

/// RFC 5280 §4.2.1.2 (1): SHA-1 of the key's bits.
fn key_identifier(key: &VerifyingKey) -> der::Result<OctetString> {
    OctetString::new(hex::decode(sha1_name(&[key.key_bits()])).unwrap_or_default())
}

/// 20 bytes, positive, never shorter: 158 random bits.
fn serial_number() -> der::Result<SerialNumber> {
    let mut bytes = random_bytes::<20>();
    if let Some(first) = bytes.first_mut() {
        *first = *first & 0x7f | 0x40;
    }
    SerialNumber::new(&bytes)
}

fn signature_algorithm(key: &VerifyingKey) -> der::Result<ObjectIdentifier> {
    match key.kind() {
        KeyKind::EcdsaP256 => Ok(ECDSA_WITH_SHA_256),
        KeyKind::EcdsaP384 => Ok(ECDSA_WITH_SHA_384),
        KeyKind::EcdsaP521 | KeyKind::Ed25519 | KeyKind::Rsa => Err(der::ErrorKind::Failed.into()),
    }
}

/// Whole seconds, rounded down; `GeneralizedTime` from 2050 on (RFC 5280 §4.1.2.5).
fn time(at: Timestamp) -> der::Result<Time> {
    let seconds = u64::try_from(at.as_second()).map_err(|_| der::ErrorKind::DateTime)?;
    let at = DateTime::from_unix_duration(Duration::from_secs(seconds))?;
    Ok(match UtcTime::from_date_time(at) {
        Ok(time) => Time::UtcTime(time),
        Err(_) => Time::GeneralTime(GeneralizedTime::from_date_time(at)),
    })
}

/// Fulcio's.
const LEAF_LIFETIME: SignedDuration = SignedDuration::from_mins(10);

const AUTHORITY_LIFETIME: SignedDuration = SignedDuration::from_hours(24 * 3650);

/// Fulcio's extensions below this number hold the bare string, those from it on a `UTF8String`.
const FIRST_UTF8: u8 = 8;
