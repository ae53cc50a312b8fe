//! Certificates (RFC 5280), and what waxseal reads from the leaf that a Fulcio certificate authority issues.

pub mod fulcio;
pub mod path;
pub mod sct;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::ID_KP_CODE_SIGNING;
use const_oid::db::rfc5280::{ID_CE_BASIC_CONSTRAINTS, ID_CE_EXT_KEY_USAGE, ID_CE_KEY_USAGE, ID_CE_SUBJECT_ALT_NAME};
use der::{Decode, Encode as _, Reader as _, SliceReader};
use jiff::Timestamp;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::{GeneralName, GeneralNames};
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage};
use x509_cert::name::Name;

use crate::crypto::{SignatureAlgorithm, UnsupportedKey, VerifyingKey, sha1_name};

/// A certificate as received: decoded, nothing verified. A clone is the same one.
#[derive(Clone)]
pub struct Certificate(Arc<Parts>);

struct Parts {
    der: Vec<u8>,
    /// The `TBSCertificate`'s place in `der`: what the certificate issuer signed, byte for byte.
    tbs: Range<usize>,
    decoded: x509_cert::Certificate,
    not_before: Timestamp,
    not_after: Timestamp,
}

impl Certificate {
    /// Reads one DER certificate.
    ///
    /// # Errors
    /// [`MalformedCertificate`] when it is not DER, has bytes after it, or repeats an extension (RFC 5280 §4.2).
    pub fn from_der(der: &[u8]) -> Result<Self, MalformedCertificate> {
        let decoded = x509_cert::Certificate::from_der(der).map_err(|_| MalformedCertificate::NotDer)?;
        Self::new(decoded, der.to_vec())
    }

    /// Reads one certificate in PEM (RFC 7468 §5), whatever its line length.
    ///
    /// # Errors
    /// [`MalformedCertificate`] when there is no such block, or what is in it is not a certificate.
    pub fn from_pem(pem: &str) -> Result<Self, MalformedCertificate> {
        use base64::Engine as _;
        let (_, rest) = pem.split_once("-----BEGIN CERTIFICATE-----").ok_or(MalformedCertificate::NotPem)?;
        let (body, _) = rest.split_once("-----END CERTIFICATE-----").ok_or(MalformedCertificate::NotPem)?;
        let body: String = body.split_ascii_whitespace().collect();
        let der = base64::engine::general_purpose::STANDARD.decode(body).map_err(|_| MalformedCertificate::NotPem)?;
        Self::from_der(&der)
    }

    pub(crate) fn new(decoded: x509_cert::Certificate, der: Vec<u8>) -> Result<Self, MalformedCertificate> {
        let extensions = decoded.tbs_certificate().extensions().map_or(&[][..], Vec::as_slice);
        for (index, extension) in extensions.iter().enumerate() {
            if extensions.iter().take(index).any(|earlier| earlier.extn_id == extension.extn_id) {
                return Err(MalformedCertificate::RepeatedExtension(extension.extn_id));
            }
        }
        let validity = decoded.tbs_certificate().validity();
        Ok(Self(Arc::new(Parts {
            tbs: tbs_range(&der).ok_or(MalformedCertificate::NotDer)?,
            not_before: timestamp(validity.not_before)?,
            not_after: timestamp(validity.not_after)?,
            decoded,
            der,
        })))
    }

    /// The certificate's DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// The DER of its `TBSCertificate`.
    #[must_use]
    pub fn tbs_der(&self) -> &[u8] {
        self.0.der.get(self.0.tbs.clone()).unwrap_or_default()
    }

    /// The first instant of its validity.
    #[must_use]
    pub fn not_before(&self) -> Timestamp {
        self.0.not_before
    }

    /// The last instant of its validity.
    #[must_use]
    pub fn not_after(&self) -> Timestamp {
        self.0.not_after
    }

    /// Whether `at` lies in its validity, both ends inclusive (RFC 5280 §4.1.2.5).
    #[must_use]
    pub fn is_valid_at(&self, at: Timestamp) -> bool {
        self.0.not_before <= at && at <= self.0.not_after
    }

    /// The certificate issuer's name.
    #[must_use]
    pub fn issuer(&self) -> &Name {
        self.0.decoded.tbs_certificate().issuer()
    }

    /// The subject's name; empty in a Fulcio leaf.
    #[must_use]
    pub fn subject(&self) -> &Name {
        self.0.decoded.tbs_certificate().subject()
    }

    /// The serial number's content octets.
    #[must_use]
    pub fn serial(&self) -> &[u8] {
        self.0.decoded.tbs_certificate().serial_number().as_bytes()
    }

    /// The certified key.
    ///
    /// # Errors
    /// [`UnsupportedKey`] when waxseal cannot verify with its kind.
    pub fn public_key(&self) -> Result<VerifyingKey, UnsupportedKey> {
        let spki = self.0.decoded.tbs_certificate().subject_public_key_info();
        VerifyingKey::from_spki_der(&spki.to_der().map_err(|_| UnsupportedKey::Malformed)?)
    }

    /// The algorithm of the certificate issuer's signature, if it is supported and named alike inside and outside the
    /// signed part (RFC 5280 §4.1.1.2).
    #[must_use]
    pub fn signature_algorithm(&self) -> Option<SignatureAlgorithm> {
        let outer = self.0.decoded.signature_algorithm();
        (outer == self.0.decoded.tbs_certificate().signature()).then(|| SignatureAlgorithm::from_oid(outer.oid))?
    }

    /// The certificate issuer's signature.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        self.0.decoded.signature().as_bytes().unwrap_or_default()
    }

    /// Its extensions, each OID once.
    #[must_use]
    pub fn extensions(&self) -> &[Extension] {
        self.0.decoded.tbs_certificate().extensions().map_or(&[], Vec::as_slice)
    }

    /// The decoded value of the extension `oid`, or `None` when it is absent.
    ///
    /// # Errors
    /// [`MalformedCertificate::Extension`] when it is there and does not decode.
    pub fn extension<'a, T: Decode<'a>>(&'a self, oid: ObjectIdentifier) -> Result<Option<T>, MalformedCertificate> {
        let Some(extension) = self.extensions().iter().find(|extension| extension.extn_id == oid) else {
            return Ok(None);
        };
        T::from_der(extension.extn_value.as_bytes()).map(Some).map_err(|_| MalformedCertificate::Extension(oid))
    }

    /// Lower-case hex SHA-1 of the DER: what Git calls the signing key's fingerprint.
    #[must_use]
    pub fn sha1_fingerprint(&self) -> String {
        sha1_name(&[&self.0.der])
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.sha1_fingerprint())
    }
}

/// The leaf certificate of a signature, read as strictly as waxseal believes one.
#[derive(Clone, Debug)]
pub struct SigningCertificate {
    certificate: Certificate,
    key: VerifyingKey,
    claims: CertificateClaims,
}

/// Who the certificate authority says the key belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateClaims {
    /// The one subject alternative name.
    pub san: SubjectAlternativeName,
    /// The OIDC issuer that vouched for it (Fulcio extensions .8 and .1).
    pub issuer: String,
}

impl SigningCertificate {
    /// Reads a leaf: EKU code signing, exactly one subject alternative name, no unknown critical extension, an OIDC
    /// issuer that its two extensions agree on, and no power to issue.
    ///
    /// # Errors
    /// [`LeafError`] names the first rule that it breaks.
    pub fn read(certificate: Certificate) -> Result<Self, LeafError> {
        for extension in certificate.extensions() {
            if extension.critical && !UNDERSTOOD.contains(&extension.extn_id) {
                return Err(LeafError::UnknownCriticalExtension(extension.extn_id));
            }
        }
        let usage: Option<KeyUsage> = certificate.extension(ID_CE_KEY_USAGE)?;
        let constraints: Option<BasicConstraints> = certificate.extension(ID_CE_BASIC_CONSTRAINTS)?;
        if constraints.is_some_and(|constraints| constraints.ca) || usage.is_some_and(|usage| usage.key_cert_sign()) {
            return Err(LeafError::Issues);
        }
        let purposes: Option<ExtendedKeyUsage> = certificate.extension(ID_CE_EXT_KEY_USAGE)?;
        let for_code = purposes.is_some_and(|purposes| purposes.0.contains(&ID_KP_CODE_SIGNING));
        if !for_code || usage.is_some_and(|usage| !usage.digital_signature()) {
            return Err(LeafError::NotForCodeSigning);
        }
        let claims = CertificateClaims::read(&certificate)?;
        let key = certificate.public_key().map_err(LeafError::Key)?;
        Ok(Self { certificate, key, claims })
    }

    /// The certificate itself.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The key that signed.
    #[must_use]
    pub fn public_key(&self) -> &VerifyingKey {
        &self.key
    }

    /// The subject alternative name and the OIDC issuer: claims until the path to an authority was verified.
    #[must_use]
    pub fn claims(&self) -> &CertificateClaims {
        &self.claims
    }
}

impl CertificateClaims {
    /// Reads the two claims alone, from a certificate that may break other rules.
    ///
    /// # Errors
    /// [`LeafError`] when either is missing, repeated, malformed or contradicts itself.
    pub fn read(certificate: &Certificate) -> Result<Self, LeafError> {
        let names: GeneralNames = certificate.extension(ID_CE_SUBJECT_ALT_NAME)?.unwrap_or_default();
        let [name] = names.as_slice() else { return Err(LeafError::SubjectAlternativeNames(names.len())) };
        Ok(Self { san: SubjectAlternativeName::read(name)?, issuer: fulcio::oidc_issuer(certificate)? })
    }
}

/// The kinds of name that a Fulcio certificate authority vouches for (RFC 5280 §4.2.1.6). Displayed as the bare name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SubjectAlternativeName {
    /// `dNSName`.
    Dns(String),
    /// `rfc822Name`.
    Email(String),
    /// `uniformResourceIdentifier`.
    Uri(String),
    /// `otherName` 1.3.6.1.4.1.57264.1.7, `NAME!DOMAIN`.
    Username(String),
}

impl SubjectAlternativeName {
    fn read(name: &GeneralName) -> Result<Self, LeafError> {
        let name = match name {
            GeneralName::DnsName(name) => Self::Dns(name.to_string()),
            GeneralName::OtherName(other) if other.type_id == fulcio::OTHER_NAME => {
                let text: String = other.value.decode_as().map_err(|_| LeafError::SubjectAlternativeNameKind)?;
                Self::Username(text)
            }
            GeneralName::Rfc822Name(name) => Self::Email(name.to_string()),
            GeneralName::UniformResourceIdentifier(name) => Self::Uri(name.to_string()),
            _ => return Err(LeafError::SubjectAlternativeNameKind),
        };
        if name.as_str().is_empty() { Err(LeafError::EmptySubjectAlternativeName) } else { Ok(name) }
    }

    /// The name without its kind.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Dns(name) | Self::Email(name) | Self::Uri(name) | Self::Username(name) => name,
        }
    }

    /// The kind's name in JSON: `dns`, `email`, `uri`, `username`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Dns(_) => "dns",
            Self::Email(_) => "email",
            Self::Uri(_) => "uri",
            Self::Username(_) => "username",
        }
    }
}

impl fmt::Display for SubjectAlternativeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Bytes that are not one certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedCertificate {
    /// An extension does not decode.
    #[error("certificate extension {0} is malformed")]
    Extension(ObjectIdentifier),
    /// Not DER, or bytes follow it.
    #[error("not a DER certificate")]
    NotDer,
    /// No PEM block labelled `CERTIFICATE`.
    #[error("not a PEM certificate")]
    NotPem,
    /// An extension stands twice.
    #[error("certificate extension {0} stands twice")]
    RepeatedExtension(ObjectIdentifier),
}

/// A certificate that is not a signing certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeafError {
    /// The subject alternative name is there and empty.
    #[error("the certificate's subject alternative name is empty")]
    EmptySubjectAlternativeName,
    /// Extensions .1 and .8 name different issuers.
    #[error("the certificate names two OIDC issuers: \"{v1}\" and \"{v2}\"")]
    IssuersDisagree {
        /// Extension .1.
        v1: String,
        /// Extension .8.
        v2: String,
    },
    /// CA:TRUE or keyCertSign.
    #[error("the certificate may issue others, so it is not a leaf")]
    Issues,
    /// The certified key.
    #[error("the certificate's key: {0}")]
    Key(UnsupportedKey),
    /// An extension does not decode.
    #[error(transparent)]
    Malformed(#[from] MalformedCertificate),
    /// Neither extension .1 nor .8.
    #[error("the certificate names no OIDC issuer")]
    NoIssuer,
    /// No EKU code signing, or a key usage that forbids signing.
    #[error("the certificate is not for code signing")]
    NotForCodeSigning,
    /// Another kind of name than Fulcio issues.
    #[error("the certificate's subject alternative name is of a kind that Sigstore does not issue")]
    SubjectAlternativeNameKind,
    /// None or several.
    #[error("the certificate has {0} subject alternative names, not one")]
    SubjectAlternativeNames(usize),
    /// RFC 5280 §4.2: what is critical and not understood forbids use.
    #[error("critical certificate extension {0} is not understood")]
    UnknownCriticalExtension(ObjectIdentifier),
}

/// RFC 4514 string of a name, most specific part first, for people.
#[must_use]
pub fn display_name(name: &Name) -> String {
    if name.is_empty() { "(empty)".to_owned() } else { name.to_string() }
}

fn tbs_range(der: &[u8]) -> Option<Range<usize>> {
    let mut outer = SliceReader::new(der).ok()?;
    let header = der::Header::decode(&mut outer).ok()?;
    let start = usize::try_from(outer.position()).ok()?;
    let body = outer.read_slice(header.length()).ok()?;
    let tbs = SliceReader::new(body).ok()?.tlv_bytes().ok()?;
    Some(start..start + tbs.len())
}

fn timestamp(time: x509_cert::time::Time) -> Result<Timestamp, MalformedCertificate> {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).map_err(|_| MalformedCertificate::NotDer)?;
    Timestamp::from_second(seconds).map_err(|_| MalformedCertificate::NotDer)
}

const UNDERSTOOD: [ObjectIdentifier; 4] =
    [ID_CE_BASIC_CONSTRAINTS, ID_CE_EXT_KEY_USAGE, ID_CE_KEY_USAGE, ID_CE_SUBJECT_ALT_NAME];
