//! The certificates of a `SignedData` (RFC 5652 §10.2.3), in the order in which they came.
//!
//! The `cms` crate sorts them as it reads, and not as DER does: what was DER would not encode back to itself. Here the
//! order is kept, and [`CertificateSet::is_sorted`] compares encodings, as X.690 §11.6 has it.

use cms::cert::CertificateChoices;
use cms::content_info::CmsVersion;
use cms::revocation::RevocationInfoChoices;
use cms::signed_data::{DigestAlgorithmIdentifiers, EncapsulatedContentInfo, SignerInfos};
use der::{
    Decode as _, DecodeValue, Encode as _, EncodeValue, FixedTag, Header, Length, Reader, Sequence, Tag, Writer,
};

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
pub(super) struct CertificateSet(pub(super) Vec<CertificateChoices>);

impl CertificateSet {
    /// Whether the encodings ascend, as DER has it.
    pub(super) fn is_sorted(&self) -> der::Result<bool> {
        if self.0.len() < 2 {
            return Ok(true);
        }
        let encoded = self.0.iter().map(der::Encode::to_der).collect::<der::Result<Vec<_>>>()?;
        Ok(encoded.is_sorted())
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
            certificates.push(CertificateChoices::decode(reader)?);
        }
        Ok(Self(certificates))
    }
}

impl EncodeValue for CertificateSet {
    fn value_len(&self) -> der::Result<Length> {
        self.0.iter().try_fold(Length::ZERO, |length, certificate| length + certificate.encoded_len()?)
    }

    fn encode_value(&self, writer: &mut impl Writer) -> der::Result<()> {
        self.0.iter().try_for_each(|certificate| certificate.encode(writer))
    }
}
