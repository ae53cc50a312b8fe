//! What a `SignedData` (RFC 5652 §3, §5.1, §10.2.3) is read into: as it came, so that it can be held against its bytes.
//!
//! The `cms` crate sorts certificates as it reads, and not as DER does: what was DER would not encode back to itself. Here their
//! order is kept, and their bytes, which X.690 §11.6 compares.

use cms::cert::CertificateChoices;
use cms::content_info::CmsVersion;
use cms::revocation::RevocationInfoChoices;
use cms::signed_data::{DigestAlgorithmIdentifiers, EncapsulatedContentInfo, SignerInfos};
use const_oid::ObjectIdentifier;
use der::{
    AnyRef, Decode as _, DecodeValue, Encode as _, EncodeValue, ErrorKind, FixedTag, Header, Length, Reader, Sequence,
    Tag, Writer,
};

/// RFC 5652 §3, over bytes that stay where they are.
#[derive(Clone, Debug, Sequence)]
pub(super) struct RawContentInfo<'a> {
    pub(super) content_type: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    pub(super) content: AnyRef<'a>,
}

/// RFC 5652 §5.1.
#[derive(Clone, Debug, Sequence)]
pub(super) struct RawSignedData {
    pub(super) version: CmsVersion,
    pub(super) digest_algorithms: DigestAlgorithmIdentifiers,
    pub(super) encap_content_info: EncapsulatedContentInfo,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", constructed = "true", optional = "true")]
    pub(super) certificates: Option<CertificateSet>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", constructed = "true", optional = "true")]
    pub(super) crls: Option<RevocationInfoChoices>,
    pub(super) signer_infos: SignerInfos,
}

/// `SET OF CertificateChoices`
#[derive(Clone, Debug)]
pub(super) struct CertificateSet(pub(super) Vec<Member>);

/// A certificate with the bytes that it came in.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) certificate: CertificateChoices,
    pub(super) der: Vec<u8>,
    /// The certificate encodes back to them.
    pub(super) is_der: bool,
}

impl Member {
    pub(super) fn from_der(der: &[u8]) -> der::Result<Self> {
        let certificate = CertificateChoices::from_der(der)?;
        let is_der = encodes_to(der, |same| certificate.encode(same));
        Ok(Self { certificate, der: der.to_vec(), is_der })
    }
}

impl CertificateSet {
    /// Whether the encodings ascend, as DER has it.
    fn is_sorted(&self) -> bool {
        self.0.is_sorted_by(|one, next| one.der <= next.der)
    }

    /// Whether it is DER, each certificate in itself, and all in their order.
    pub(super) fn is_der(&self) -> bool {
        self.is_sorted() && self.0.iter().all(|member| member.is_der)
    }
}

impl FixedTag for CertificateSet {
    const TAG: Tag = Tag::Set;
}

impl<'a> DecodeValue<'a> for CertificateSet {
    type Error = der::Error;

    fn decode_value<R: Reader<'a>>(reader: &mut R, _header: Header) -> der::Result<Self> {
        let mut certificates = Vec::new();
        while !reader.is_finished() {
            certificates.push(Member::from_der(reader.tlv_bytes()?)?);
        }
        Ok(Self(certificates))
    }
}

impl EncodeValue for CertificateSet {
    fn value_len(&self) -> der::Result<Length> {
        self.0.iter().try_fold(Length::ZERO, |length, member| length + Length::try_from(member.der.len())?)
    }

    fn encode_value(&self, writer: &mut impl Writer) -> der::Result<()> {
        self.0.iter().try_for_each(|member| writer.write(&member.der))
    }
}

/// Whether `encode` writes exactly `der`. Nothing is kept of what it writes.
pub(super) fn encodes_to(der: &[u8], encode: impl FnOnce(&mut Same<'_>) -> der::Result<()>) -> bool {
    let mut same = Same(der);
    encode(&mut same).is_ok() && same.0.is_empty()
}

/// Refuses whatever is not written as these bytes begin.
pub(super) struct Same<'a>(&'a [u8]);

impl Writer for Same<'_> {
    fn write(&mut self, slice: &[u8]) -> der::Result<()> {
        self.0 = self.0.strip_prefix(slice).ok_or(ErrorKind::Failed)?;
        Ok(())
    }
}
