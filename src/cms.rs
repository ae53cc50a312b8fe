//! RFC 5652 `SignedData` with one `SignerInfo`, detached, both ways.
//!
//! Reading has two steps, because a verdict needs to know *whose* signature it is before it complains about its form:
//! [`SignedData::from_der`] takes whatever can be read at all, [`SignedData::strict`] says whether it is exactly what
//! waxseal writes and believes.

pub mod armor;
pub mod attributes;
mod raw;

use cms::cert::CertificateChoices;
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{EncapsulatedContentInfo, SignerIdentifier, SignerInfo as RawSignerInfo, SignerInfos};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5911::{ID_DATA, ID_SIGNED_DATA};
use const_oid::db::rfc5912::{ECDSA_WITH_SHA_256, ID_SHA_256, RSA_ENCRYPTION};
use der::asn1::{OctetString, SetOfVec};
use der::{Any, AnyRef, Decode as _, Encode as _, EncodeValue as _};
use spki::AlgorithmIdentifierOwned;
use x509_cert::attr::Attribute;
use x509_cert::serial_number::SerialNumber;

use self::attributes::{AttributesError, SignedAttributes, SignedAttributesClaims};
use self::raw::{CertificateSet, Member, RawContentInfo, RawSignedData, encodes_to};
use crate::crypto::{DigestAlgorithm, SignatureAlgorithm};
use crate::x509::{Certificate, MalformedCertificate};

/// One detached signature with everything that came along.
#[derive(Clone, Debug)]
pub struct SignedData {
    /// The certificate that the signer is identified by, found by certificate issuer and serial number.
    pub certificate: Certificate,
    /// The message: DER of the signed attributes as a `SET OF` (RFC 5652 §5.4), which is what was signed.
    pub message: Vec<u8>,
    /// What the signed attributes say, or why they cannot be believed.
    pub signed_attributes: Result<SignedAttributesClaims, AttributesError>,
    /// The digest algorithm of the payload, if it is of SHA-2.
    pub digest_algorithm: Option<DigestAlgorithm>,
    /// How the message was signed, if the algorithm is supported.
    pub signature_algorithm: Option<SignatureAlgorithm>,
    /// The signature octets.
    pub signature: Vec<u8>,
    /// Unsigned attributes: anybody may have put them there.
    pub unsigned_attributes: Vec<UnsignedAttribute>,
    strict: Result<(), NotStrict>,
}

impl SignedData {
    /// Reads a DER `ContentInfo`.
    ///
    /// # Errors
    /// [`MalformedSignedData`] when it cannot be read, has not exactly one signer, or lacks the signer's certificate.
    pub fn from_der(der: &[u8]) -> Result<Self, MalformedSignedData> {
        let content_info = RawContentInfo::from_der(der).map_err(|_| MalformedSignedData::NotCms)?;
        if content_info.content_type != ID_SIGNED_DATA {
            return Err(MalformedSignedData::NotSignedData(content_info.content_type));
        }
        let signed_data: RawSignedData = content_info.content.decode_as().map_err(|_| MalformedSignedData::NotCms)?;
        let [signer] = signed_data.signer_infos.0.as_slice() else {
            return Err(MalformedSignedData::Signers(signed_data.signer_infos.0.len()));
        };
        let strict = strict_envelope(der, &content_info, &signed_data, signer);
        let attributes = signer.signed_attrs.as_ref().ok_or(MalformedSignedData::NoSignedAttributes)?;
        let digest_algorithm = DigestAlgorithm::from_oid(signer.digest_alg.oid);
        let unsigned = signer.unsigned_attrs.as_ref().map_or(&[][..], SetOfVec::as_slice);
        Ok(Self {
            certificate: signer_certificate(signed_data.certificates, &signer.sid)?,
            message: attributes.to_der().map_err(|_| MalformedSignedData::NotCms)?,
            signed_attributes: SignedAttributesClaims::read(attributes),
            digest_algorithm,
            signature_algorithm: signature_algorithm(&signer.signature_algorithm, digest_algorithm),
            signature: signer.signature.as_bytes().to_vec(),
            unsigned_attributes: unsigned.iter().map(UnsignedAttribute::read).collect::<Result<_, _>>()?,
            strict,
        })
    }

    /// Whether this is exactly the subset that waxseal believes: DER that encodes back to itself, detached id-data,
    /// version 1, one SHA-2 digest, a signer named by certificate issuer and serial number, no revocation lists.
    ///
    /// # Errors
    /// [`NotStrict`] names the first thing that is otherwise.
    pub fn strict(&self) -> Result<(), NotStrict> {
        self.strict
    }
}

/// Writes the `ContentInfo` of one detached P-256 signature, byte for byte as gitsign lays it out: leaf certificate
/// only, algorithm identifiers without parameters, unsigned attributes in DER order or absent.
///
/// `signature` is the DER `Ecdsa-Sig-Value` over `attributes`' message.
///
/// # Errors
/// [`MalformedSignedData`] when a part does not encode.
pub fn seal(
    attributes: &SignedAttributes,
    certificate: &Certificate,
    signature: &[u8],
    unsigned: Vec<UnsignedAttribute>,
) -> Result<Vec<u8>, MalformedSignedData> {
    seal_parts(attributes, certificate, signature, unsigned).map_err(|_| MalformedSignedData::NotCms)
}

fn seal_parts(
    attributes: &SignedAttributes,
    certificate: &Certificate,
    signature: &[u8],
    unsigned: Vec<UnsignedAttribute>,
) -> der::Result<Vec<u8>> {
    let leaf = x509_cert::Certificate::from_der(certificate.der())?;
    let sha256 = AlgorithmIdentifierOwned { oid: ID_SHA_256, parameters: None };
    let unsigned = unsigned.into_iter().map(UnsignedAttribute::encode).collect::<der::Result<Vec<_>>>()?;
    let signer = RawSignerInfo {
        version: CmsVersion::V1,
        sid: SignerIdentifier::IssuerAndSerialNumber(cms::cert::IssuerAndSerialNumber {
            issuer: leaf.tbs_certificate().issuer().clone(),
            serial_number: leaf.tbs_certificate().serial_number().clone(),
        }),
        digest_alg: sha256.clone(),
        signed_attrs: Some(attributes.encode()?),
        signature_algorithm: AlgorithmIdentifierOwned { oid: ECDSA_WITH_SHA_256, parameters: None },
        signature: OctetString::new(signature)?,
        unsigned_attrs: if unsigned.is_empty() { None } else { Some(SetOfVec::try_from(unsigned)?) },
    };
    let signed_data = RawSignedData {
        version: CmsVersion::V1,
        digest_algorithms: SetOfVec::try_from(vec![sha256])?,
        encap_content_info: EncapsulatedContentInfo { econtent_type: ID_DATA, econtent: None },
        certificates: Some(CertificateSet(vec![Member::from_der(certificate.der())?])),
        crls: None,
        signer_infos: SignerInfos::try_from(vec![signer])?,
    };
    ContentInfo { content_type: ID_SIGNED_DATA, content: Any::encode_from(&signed_data)? }.to_der()
}

/// An attribute outside the signature, with its values' DER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsignedAttribute {
    /// Its type.
    pub oid: ObjectIdentifier,
    /// The DER of each value.
    pub values: Vec<Vec<u8>>,
}

impl UnsignedAttribute {
    fn read(attribute: &Attribute) -> Result<Self, MalformedSignedData> {
        let values = attribute.values.iter().map(|value| value.to_der().map_err(|_| MalformedSignedData::NotCms));
        Ok(Self { oid: attribute.oid, values: values.collect::<Result<_, _>>()? })
    }

    fn encode(self) -> der::Result<Attribute> {
        let values = self.values.iter().map(|value| AnyRef::from_der(value).map(Any::from));
        Ok(Attribute { oid: self.oid, values: SetOfVec::try_from(values.collect::<der::Result<Vec<_>>>()?)? })
    }
}

fn signer_certificate(
    certificates: Option<CertificateSet>,
    signer: &SignerIdentifier,
) -> Result<Certificate, MalformedSignedData> {
    let SignerIdentifier::IssuerAndSerialNumber(signer) = signer else {
        return Err(MalformedSignedData::SignerIdentifier);
    };
    let serial: &SerialNumber = &signer.serial_number;
    let certificates = certificates.map_or_else(Vec::new, |set| set.0);
    if certificates.len() > MAX_CERTIFICATES {
        return Err(MalformedSignedData::Certificates(certificates.len()));
    }
    let readable = certificates.into_iter().filter_map(|member| match member.certificate {
        CertificateChoices::Certificate(certificate) => Some((certificate, member.is_der.then_some(member.der))),
        CertificateChoices::Other(_) => None,
    });
    let mut matching = readable.filter(|(certificate, _)| {
        let tbs = certificate.tbs_certificate();
        tbs.issuer() == &signer.issuer && tbs.serial_number() == serial
    });
    let (certificate, der) = matching.next().ok_or(MalformedSignedData::NoSignerCertificate)?;
    if matching.next().is_some() {
        return Err(MalformedSignedData::SignerCertificates);
    }
    // What is not DER is rejected for that; whose certificate it was is found out by what was signed.
    let der = der.map_or_else(|| certificate.to_der(), Ok).map_err(|_| MalformedSignedData::NotCms)?;
    Ok(Certificate::new(certificate, der)?)
}

fn strict_envelope(
    der: &[u8],
    content_info: &RawContentInfo<'_>,
    signed_data: &RawSignedData,
    signer: &RawSignerInfo,
) -> Result<(), NotStrict> {
    if signed_data.encap_content_info.econtent.is_some() {
        return Err(NotStrict::Attached);
    }
    if signed_data.encap_content_info.econtent_type != ID_DATA {
        return Err(NotStrict::ContentType(signed_data.encap_content_info.econtent_type));
    }
    if signed_data.version != CmsVersion::V1 || signer.version != CmsVersion::V1 {
        return Err(NotStrict::Version);
    }
    if signed_data.crls.is_some() {
        return Err(NotStrict::Revocation);
    }
    let [digest] = signed_data.digest_algorithms.as_slice() else { return Err(NotStrict::DigestAlgorithms) };
    if digest.oid != signer.digest_alg.oid {
        return Err(NotStrict::DigestAlgorithms);
    }
    // What does not encode back to itself was not DER: other bytes would have had the same meaning.
    let is_der = signed_data.certificates.as_ref().is_none_or(CertificateSet::is_der)
        && encodes_to(der, |same| content_info.encode(same))
        && encodes_to(content_info.content.value(), |same| signed_data.encode_value(same));
    if !is_der {
        return Err(NotStrict::NotDer);
    }
    Ok(())
}

/// RFC 3370 §3.2 allows `rsaEncryption` with the digest named elsewhere; S/MIME tools write that.
fn signature_algorithm(
    named: &AlgorithmIdentifierOwned,
    digest: Option<DigestAlgorithm>,
) -> Option<SignatureAlgorithm> {
    if named.oid == RSA_ENCRYPTION {
        return digest.map(SignatureAlgorithm::RsaPkcs1);
    }
    SignatureAlgorithm::from_oid(named.oid)
}

/// Bytes that are not one signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedSignedData {
    /// A certificate in it.
    #[error("in the CMS: {0}")]
    Certificate(#[from] MalformedCertificate),
    /// More certificates than any chain has.
    #[error("the CMS holds {0} certificates; at most {MAX_CERTIFICATES} are read")]
    Certificates(usize),
    /// RFC 5652 §5.3: signedAttrs.
    #[error("the CMS has no signed attributes")]
    NoSignedAttributes,
    /// The signer is named, its certificate is not there.
    #[error("the CMS does not hold its signer's certificate")]
    NoSignerCertificate,
    /// Not a readable `ContentInfo`.
    #[error("not a readable CMS structure")]
    NotCms,
    /// Another content type.
    #[error("CMS content type {0} is not SignedData")]
    NotSignedData(ObjectIdentifier),
    /// Several certificates answer to the signer's name.
    #[error("the CMS holds several certificates for its signer")]
    SignerCertificates,
    /// The signer is named by key identifier.
    #[error("the CMS names its signer by key identifier, not by certificate issuer and serial number")]
    SignerIdentifier,
    /// None or several.
    #[error("the CMS has {0} signers, not one")]
    Signers(usize),
}

/// A readable signature of another form than the one that waxseal believes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotStrict {
    /// The content is inside.
    #[error("the CMS carries its content instead of being detached")]
    Attached,
    /// The content type of what was signed.
    #[error("CMS content type {0} is not id-data")]
    ContentType(ObjectIdentifier),
    /// `digestAlgorithms` is not the signer's one.
    #[error("the CMS does not name exactly its signer's digest algorithm")]
    DigestAlgorithms,
    /// BER, or sets out of order.
    #[error("the CMS is not DER")]
    NotDer,
    /// Revocation lists have no meaning here and nobody signed them.
    #[error("the CMS carries revocation lists")]
    Revocation,
    /// `CMSVersion`.
    #[error("the CMS is not of version 1")]
    Version,
}

/// A chain from leaf to root has three.
const MAX_CERTIFICATES: usize = 16;
