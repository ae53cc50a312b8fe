//! `TimeStampToken` (RFC 3161 §2.4.2): a CMS `SignedData` over a `TSTInfo`, by an authority that the trusted root lists.

use cms::cert::{CertificateChoices, IssuerAndSerialNumber};
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{EncapsulatedContentInfo, SignedData, SignerIdentifier, SignerInfo, SignerInfos};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc3161::ID_CT_TST_INFO;
use const_oid::db::rfc5280::{ID_CE_EXT_KEY_USAGE, ID_CE_SUBJECT_KEY_IDENTIFIER, ID_KP_TIME_STAMPING};
use const_oid::db::rfc5911::{
    ID_AA_SIGNING_CERTIFICATE_V_2, ID_CONTENT_TYPE, ID_MESSAGE_DIGEST, ID_SIGNED_DATA, ID_SIGNING_TIME,
};
use const_oid::db::rfc5912::{ECDSA_WITH_SHA_256, ID_SHA_256, RSA_ENCRYPTION};
use der::asn1::{OctetString, SetOfVec, UtcTime};
use der::{Any, AnyRef, Decode as _, Encode as _, Header, Reader as _, Sequence, SliceReader, Tag, TagNumber};
use jiff::Timestamp;
use spki::AlgorithmIdentifierOwned;
use x509_cert::attr::{Attribute, Attributes};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{ExtendedKeyUsage, SubjectKeyIdentifier};
use x509_cert::serial_number::SerialNumber;

use super::{TimeStampReq, TstInfo};
use crate::crypto::{DigestAlgorithm, ServiceKey, Sha256Digest, SignatureAlgorithm, VerifyingKey};
use crate::trusted_root::{CertificateAuthority, TrustedRoot};
use crate::x509::Certificate;
use crate::x509::path::chain::{Chain, may_issue, understood};
use crate::x509::path::{AuthorityError, PathError};

/// The timestamp authorities of one trusted root.
#[derive(Debug)]
pub struct TimestampAuthorities(Vec<Authority>);

impl TimestampAuthorities {
    /// Reads every authority's certificates.
    ///
    /// # Errors
    /// [`AuthorityError`] when one cannot be read, or may not stamp or issue.
    pub fn new(trusted_root: &TrustedRoot) -> Result<Self, AuthorityError> {
        trusted_root.timestamp_authorities.iter().map(Authority::new).collect::<Result<_, _>>().map(Self)
    }

    /// Verifies a token (DER of its `ContentInfo`) over `message`: imprint, signature, signer, and that the signer's
    /// authority was trusted at the token's own time.
    ///
    /// # Errors
    /// [`TokenError`] names the first thing that is wrong.
    pub fn verify(&self, token: &[u8], message: &[u8]) -> Result<VerifiedToken, TokenError> {
        let token = Token::from_der(token)?;
        if !token.info.message_imprint.is_of(message) {
            return Err(TokenError::Imprint);
        }
        let named: Vec<&Authority> = self.0.iter().filter(|authority| authority.is(&token.signer)).collect();
        if named.is_empty() {
            return Err(TokenError::UnknownAuthority);
        }
        let mut error = TokenError::Signature;
        for authority in named {
            match authority.verify(&token) {
                Ok(()) => return Ok(VerifiedToken { gen_time: token.info.gen_time }),
                Err(other) => error = other,
            }
        }
        Err(error)
    }
}

impl TimeStampReq {
    /// Whether `token` (DER of its `ContentInfo`) answers this request: the same imprint, the same nonce. Who signed it
    /// is another question, which [`TimestampAuthorities::verify`] answers.
    ///
    /// # Errors
    /// [`TokenError`] names the first thing that is wrong.
    pub fn is_answered_by(&self, token: &[u8]) -> Result<(), TokenError> {
        let info = Token::from_der(token)?.info;
        let (asked, stamped) = (&self.message_imprint, &info.message_imprint);
        // Parameters of the algorithm may be absent or NULL; both mean the same.
        if (asked.algorithm(), asked.digest()) != (stamped.algorithm(), stamped.digest()) {
            return Err(TokenError::Imprint);
        }
        // RFC 3161 §2.4.2: a nonce that was sent comes back. Without it an old token would do.
        if self.nonce.is_some() && self.nonce != info.nonce {
            return Err(TokenError::Nonce);
        }
        Ok(())
    }
}

/// What a token says: claims, to be shown.
#[derive(Clone, Debug)]
pub struct UnverifiedToken {
    /// When, what, under which policy.
    pub info: TstInfo,
    /// Who says that it signed: the issuer and number of its certificate, or its key's identifier.
    pub signer: String,
}

impl UnverifiedToken {
    /// Reads a token (DER of its `ContentInfo`) and verifies nothing.
    ///
    /// # Errors
    /// [`TokenError`] when it is none.
    pub fn read(token: &[u8]) -> Result<Self, TokenError> {
        let token = Token::from_der(token)?;
        let signer = match &token.signer {
            SignerIdentifier::IssuerAndSerialNumber(name) => {
                let issuer = crate::x509::display_name(&name.issuer);
                format!("certificate {} of {issuer}", hex::encode(name.serial_number.as_bytes()))
            }
            SignerIdentifier::SubjectKeyIdentifier(identifier) => {
                format!("key {}", hex::encode(identifier.0.as_bytes()))
            }
        };
        Ok(Self { info: token.info, signer })
    }
}

/// A token whose imprint, signature and signer were verified; only [`TimestampAuthorities::verify`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifiedToken {
    gen_time: Timestamp,
}

impl VerifiedToken {
    /// When the authority saw the message.
    #[must_use]
    pub fn gen_time(&self) -> Timestamp {
        self.gen_time
    }
}

/// One authority: the certificate that signs tokens, and those above it.
#[derive(Debug)]
struct Authority {
    chain: Chain,
    signer: Certificate,
    key: VerifyingKey,
}

impl Authority {
    fn new(authority: &CertificateAuthority) -> Result<Self, AuthorityError> {
        let certificates: Vec<Certificate> =
            authority.chain.iter().map(|der| Certificate::from_der(der)).collect::<Result<_, _>>()?;
        let signer = certificates.first().ok_or(AuthorityError::Empty)?.clone();
        understood(&signer)?;
        // RFC 3161 §2.3: this purpose, no other, and critical.
        let purposes: Option<ExtendedKeyUsage> = signer.extension(ID_CE_EXT_KEY_USAGE)?;
        let critical = |extension: &Extension| extension.extn_id == ID_CE_EXT_KEY_USAGE && extension.critical;
        let stamps = purposes.is_some_and(|purposes| purposes.0 == [ID_KP_TIME_STAMPING]);
        if !stamps || !signer.extensions().iter().any(critical) {
            return Err(AuthorityError::MayNotStamp(crate::x509::display_name(signer.subject())));
        }
        for (below, certificate) in certificates.iter().skip(1).enumerate() {
            may_issue(certificate, below, ID_KP_TIME_STAMPING)?;
        }
        let key = signer.public_key().map_err(AuthorityError::Key)?;
        Ok(Self { chain: Chain::new(certificates, authority.valid_for)?, signer, key })
    }

    /// Whether the token names this authority's certificate as its signer's.
    fn is(&self, signer: &SignerIdentifier) -> bool {
        match signer {
            SignerIdentifier::IssuerAndSerialNumber(name) => {
                name.issuer == *self.signer.issuer() && name.serial_number.as_bytes() == self.signer.serial()
            }
            SignerIdentifier::SubjectKeyIdentifier(identifier) => {
                let own: Option<SubjectKeyIdentifier> =
                    self.signer.extension(ID_CE_SUBJECT_KEY_IDENTIFIER).unwrap_or_default();
                own.as_ref() == Some(identifier)
            }
        }
    }

    fn verify(&self, token: &Token) -> Result<(), TokenError> {
        token.names(&self.signer, &self.chain)?;
        let sorted = token.attributes.to_der().map_err(|_| TokenError::Malformed)?;
        let verifies = |message: &[u8]| self.key.verify_with(token.algorithm, message, &token.signature).is_ok();
        // RFC 5652 §5.4 signs the attributes in DER order. Some authorities sign them in the order they send.
        if !verifies(&sorted) && (sorted == token.attributes_as_sent || !verifies(&token.attributes_as_sent)) {
            return Err(TokenError::Signature);
        }
        self.chain.linked()?;
        Ok(self.chain.valid_at(token.info.gen_time)?)
    }
}

/// A token as received.
struct Token {
    info: TstInfo,
    signer: SignerIdentifier,
    attributes: Attributes,
    /// The attributes as a `SET OF` in the order in which they came.
    attributes_as_sent: Vec<u8>,
    algorithm: SignatureAlgorithm,
    signature: Vec<u8>,
    /// The certificates that came along.
    certificates: Vec<Vec<u8>>,
}

impl Token {
    fn from_der(der: &[u8]) -> Result<Self, TokenError> {
        if der.len() > MAX_BYTES {
            return Err(TokenError::TooLong(der.len()));
        }
        let content_info = ContentInfo::from_der(der).map_err(|_| TokenError::Malformed)?;
        if content_info.content_type != ID_SIGNED_DATA {
            return Err(TokenError::ContentType(content_info.content_type));
        }
        let signed_data: SignedData = content_info.content.decode_as().map_err(|_| TokenError::Malformed)?;
        let content = signed_data.encap_content_info;
        if content.econtent_type != ID_CT_TST_INFO {
            return Err(TokenError::ContentType(content.econtent_type));
        }
        let content: OctetString =
            content.econtent.and_then(|content| content.decode_as().ok()).ok_or(TokenError::Malformed)?;
        let [signer] = signed_data.signer_infos.0.as_slice() else {
            return Err(TokenError::Signers(signed_data.signer_infos.0.len()));
        };
        // RFC 5652 §5.1, §5.3: the versions follow from the content type and from how the signer is named.
        let signer_version = match signer.sid {
            SignerIdentifier::IssuerAndSerialNumber(_) => CmsVersion::V1,
            SignerIdentifier::SubjectKeyIdentifier(_) => CmsVersion::V3,
        };
        let digests = signed_data.digest_algorithms.iter().map(|algorithm| algorithm.oid);
        let regular = signed_data.version == CmsVersion::V3
            && signer.version == signer_version
            && digests.eq([signer.digest_alg.oid])
            && signed_data.crls.is_none()
            && signer.unsigned_attrs.is_none();
        if !regular {
            return Err(TokenError::Form);
        }
        let digest = DigestAlgorithm::from_oid(signer.digest_alg.oid).ok_or(TokenError::Algorithm)?;
        let algorithm = match signer.signature_algorithm.oid {
            RSA_ENCRYPTION => Some(SignatureAlgorithm::RsaPkcs1(digest)),
            other => SignatureAlgorithm::from_oid(other),
        };
        let attributes = signer.signed_attrs.clone().ok_or(TokenError::Malformed)?;
        if one_value(&attributes, ID_CONTENT_TYPE)?.decode_as() != Ok(ID_CT_TST_INFO) {
            return Err(TokenError::Attribute(ID_CONTENT_TYPE));
        }
        let message_digest: OctetString =
            one_value(&attributes, ID_MESSAGE_DIGEST)?.decode_as().map_err(|_| TokenError::Malformed)?;
        if message_digest.as_bytes() != digest.digest(content.as_bytes()) {
            return Err(TokenError::Digest);
        }
        let certificates = signed_data.certificates.iter().flat_map(|set| set.0.iter());
        Ok(Self {
            info: TstInfo::from_der(content.as_bytes()).map_err(|_| TokenError::Malformed)?,
            signer: signer.sid.clone(),
            attributes_as_sent: attributes_as_sent(der).ok_or(TokenError::Malformed)?,
            attributes,
            algorithm: algorithm.ok_or(TokenError::Algorithm)?,
            signature: signer.signature.as_bytes().to_vec(),
            certificates: certificates.filter_map(|certificate| certificate.to_der().ok()).collect(),
        })
    }

    /// RFC 5816, RFC 5035: the signed attributes hash the signer's certificate, which is the trusted one. Others that
    /// came along are of its chain: nobody signed them, and nobody needs them.
    fn names(&self, signer: &Certificate, chain: &Chain) -> Result<(), TokenError> {
        let value = one_value(&self.attributes, ID_AA_SIGNING_CERTIFICATE_V_2)?;
        let hashed: SigningCertificateV2 = value.decode_as().map_err(|_| TokenError::Malformed)?;
        let first = hashed.certificates.first().ok_or(TokenError::Malformed)?;
        let algorithm = match &first.hash_algorithm {
            Some(algorithm) => DigestAlgorithm::from_oid(algorithm.oid).ok_or(TokenError::Algorithm)?,
            None => DigestAlgorithm::Sha256,
        };
        if first.hash.as_bytes() != algorithm.digest(signer.der())
            || !self.certificates.iter().all(|der| chain.contains(der))
        {
            return Err(TokenError::SignerCertificate);
        }
        Ok(())
    }
}

/// Who makes tokens: the embedded stack's timestamp authority.
#[derive(Debug)]
pub struct TimestampSigner<'a> {
    /// ECDSA P-256.
    pub key: &'a ServiceKey,
    /// Its certificate.
    pub certificate: &'a Certificate,
    /// Under which policy it stamps.
    pub policy: ObjectIdentifier,
}

impl TimestampSigner<'_> {
    /// The token for `request` at `now`, which is cut to whole seconds; `serial` are the content octets of a positive
    /// INTEGER.
    ///
    /// # Errors
    /// [`TokenError::Malformed`] when a part does not encode or the key fails.
    pub fn stamp(&self, request: &TimeStampReq, serial: &[u8], now: Timestamp) -> Result<Vec<u8>, TokenError> {
        self.token(request, serial, now).map_err(|_| TokenError::Malformed)
    }

    fn token(&self, request: &TimeStampReq, serial: &[u8], now: Timestamp) -> der::Result<Vec<u8>> {
        let signer = x509_cert::Certificate::from_der(self.certificate.der())?;
        let tbs = signer.tbs_certificate();
        let whole = Timestamp::from_second(now.as_second()).map_err(|_| der::ErrorKind::DateTime)?;
        let info = TstInfo {
            policy: self.policy,
            message_imprint: request.message_imprint.clone(),
            serial_number: serial.to_vec(),
            gen_time: whole,
            nonce: request.nonce.clone(),
        };
        let content = info.to_der(tbs.subject())?;
        let seconds = u64::try_from(whole.as_second()).map_err(|_| der::ErrorKind::DateTime)?;
        let signing_time = UtcTime::from_unix_duration(std::time::Duration::from_secs(seconds))?;
        let certificate = EssCertIdV2 {
            hash_algorithm: None,
            hash: OctetString::new(Sha256Digest::of(self.certificate.der()).as_ref())?,
            issuer_serial: Some(IssuerSerial {
                issuer: vec![GeneralName::DirectoryName(tbs.issuer().clone())],
                serial_number: tbs.serial_number().clone(),
            }),
        };
        let attributes = SetOfVec::try_from(vec![
            attribute(ID_CONTENT_TYPE, &ID_CT_TST_INFO)?,
            attribute(ID_SIGNING_TIME, &signing_time)?,
            attribute(ID_MESSAGE_DIGEST, &OctetString::new(Sha256Digest::of(&content).as_ref())?)?,
            attribute(ID_AA_SIGNING_CERTIFICATE_V_2, &SigningCertificateV2 { certificates: vec![certificate] })?,
        ])?;
        let signature = self.key.sign(&attributes.to_der()?).map_err(|_| der::ErrorKind::Failed)?;
        let sha256 = AlgorithmIdentifierOwned { oid: ID_SHA_256, parameters: None };
        let signer_info = SignerInfo {
            version: CmsVersion::V1,
            sid: SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
                issuer: tbs.issuer().clone(),
                serial_number: tbs.serial_number().clone(),
            }),
            digest_alg: sha256.clone(),
            signed_attrs: Some(attributes),
            signature_algorithm: AlgorithmIdentifierOwned { oid: ECDSA_WITH_SHA_256, parameters: None },
            signature: OctetString::new(signature)?,
            unsigned_attrs: None,
        };
        let certificates =
            if request.certificates { Some(vec![CertificateChoices::Certificate(signer)].try_into()?) } else { None };
        let signed_data = SignedData {
            version: CmsVersion::V3,
            digest_algorithms: SetOfVec::try_from(vec![sha256])?,
            encap_content_info: EncapsulatedContentInfo {
                econtent_type: ID_CT_TST_INFO,
                econtent: Some(Any::encode_from(&OctetString::new(content)?)?),
            },
            certificates,
            crls: None,
            signer_infos: SignerInfos::try_from(vec![signer_info])?,
        };
        ContentInfo { content_type: ID_SIGNED_DATA, content: Any::encode_from(&signed_data)? }.to_der()
    }
}

/// RFC 5035 §3.
#[derive(Sequence)]
struct SigningCertificateV2 {
    certificates: Vec<EssCertIdV2>,
}

/// RFC 5035 §4; the hash algorithm is SHA-256 unless it is named.
#[derive(Sequence)]
struct EssCertIdV2 {
    #[asn1(optional = "true")]
    hash_algorithm: Option<AlgorithmIdentifierOwned>,
    hash: OctetString,
    #[asn1(optional = "true")]
    issuer_serial: Option<IssuerSerial>,
}

#[derive(Sequence)]
struct IssuerSerial {
    issuer: Vec<GeneralName>,
    serial_number: SerialNumber,
}

fn attribute<T: der::EncodeValue + der::Tagged>(oid: ObjectIdentifier, value: &T) -> der::Result<Attribute> {
    Ok(Attribute { oid, values: SetOfVec::try_from(vec![Any::encode_from(value)?])? })
}

fn one_value(attributes: &Attributes, oid: ObjectIdentifier) -> Result<&Any, TokenError> {
    let mut found = attributes.iter().filter(|attribute| attribute.oid == oid);
    match (found.next().map(|attribute| attribute.values.as_slice()), found.next()) {
        (Some([value]), None) => Ok(value),
        _ => Err(TokenError::Attribute(oid)),
    }
}

/// The signed attributes of the only signer, re-tagged as a `SET OF`, in the order in which they stand in the token.
fn attributes_as_sent(token: &[u8]) -> Option<Vec<u8>> {
    let mut content_info = inside(token)?;
    content_info.tlv_bytes().ok()?;
    let signed_data = inside(content_info.tlv_bytes().ok()?)?.tlv_bytes().ok()?;
    let mut fields = inside(signed_data)?;
    let mut last = None;
    while !fields.is_finished() {
        last = Some(fields.tlv_bytes().ok()?);
    }
    let mut signer = inside(inside(last?)?.tlv_bytes().ok()?)?;
    let signed_attributes = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };
    // The identifier of the signer may have the same tag; the attributes come after the digest algorithm.
    let mut seen = 0;
    while !signer.is_finished() {
        let field = signer.tlv_bytes().ok()?;
        seen += 1;
        if seen > 3 && Header::decode(&mut SliceReader::new(field).ok()?).ok()?.tag() == signed_attributes {
            let mut set = field.to_vec();
            *set.first_mut()? = SET;
            return Some(set);
        }
    }
    None
}

fn inside(tlv: &[u8]) -> Option<SliceReader<'_>> {
    AnyRef::from_der(tlv).ok().and_then(|any| SliceReader::new(any.value()).ok())
}

/// A token that proves no time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Unknown, or too weak.
    #[error("the timestamp token's algorithm is not supported")]
    Algorithm,
    /// A signed attribute is missing, repeated or wrong.
    #[error("signed attribute {0} of the timestamp token is missing or wrong")]
    Attribute(ObjectIdentifier),
    /// Not a `SignedData` over a `TSTInfo`.
    #[error("content type {0} is not a timestamp token's")]
    ContentType(ObjectIdentifier),
    /// The signed digest is not that of the content.
    #[error("the timestamp token's content is not what was signed")]
    Digest,
    /// Versions, algorithms or additions that no authority writes, and that nobody signed.
    #[error("the timestamp token has parts that are not a token's")]
    Form,
    /// It is about something else.
    #[error("the timestamp token is for another signature")]
    Imprint,
    /// Not readable.
    #[error("the timestamp token is malformed")]
    Malformed,
    /// It answers another request.
    #[error("the timestamp token does not repeat the request's nonce")]
    Nonce,
    /// The authority was not trusted or its certificates not valid at the token's time.
    #[error("the timestamp token: {0}")]
    Path(#[from] PathError),
    /// The signature does not verify.
    #[error("the timestamp token's signature does not verify")]
    Signature,
    /// The token means another certificate than the trusted one.
    #[error("the timestamp token is bound to another certificate than the trusted authority's")]
    SignerCertificate,
    /// None or several.
    #[error("the timestamp token has {0} signers, not one")]
    Signers(usize),
    /// Larger than any token.
    #[error("the timestamp token has {0} bytes; at most {MAX_BYTES} are read")]
    TooLong(usize),
    /// No trusted authority has the signer's name.
    #[error("the timestamp authority is not trusted")]
    UnknownAuthority,
}

/// The identifier octet of a `SET OF`.
const SET: u8 = 0x31;

/// A token with a chain of three certificates has 4 KiB.
const MAX_BYTES: usize = 1 << 16;
