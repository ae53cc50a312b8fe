//! `TSTInfo` (RFC 3161 §2.4.2): what a token says.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912::{ID_SHA_256, ID_SHA_384, ID_SHA_512};
use der::asn1::{AnyRef, ContextSpecific, Int, OctetString};
use der::{Any, Decode as _, Encode as _, Reader as _, Sequence, SliceReader, Tag, TagMode, TagNumber, Tagged as _};
use jiff::Timestamp;
use spki::AlgorithmIdentifierOwned;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;

use crate::crypto::DigestAlgorithm;

/// `MessageImprint`: the digest of what was stamped.
#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub struct MessageImprint {
    hash_algorithm: AlgorithmIdentifierOwned,
    hashed_message: OctetString,
}

impl MessageImprint {
    /// The imprint of a digest; the algorithm carries NULL as parameters, as every client and authority writes it.
    ///
    /// # Errors
    /// [`der::Error`] when the digest is longer than an OCTET STRING can be.
    pub fn new(algorithm: DigestAlgorithm, digest: &[u8]) -> der::Result<Self> {
        let oid = match algorithm {
            DigestAlgorithm::Sha256 => ID_SHA_256,
            DigestAlgorithm::Sha384 => ID_SHA_384,
            DigestAlgorithm::Sha512 => ID_SHA_512,
        };
        let hash_algorithm = AlgorithmIdentifierOwned { oid, parameters: Some(Any::null()) };
        Ok(Self { hash_algorithm, hashed_message: OctetString::new(digest)? })
    }

    /// Which digest; `None` for one that is too weak or not known.
    #[must_use]
    pub fn algorithm(&self) -> Option<DigestAlgorithm> {
        DigestAlgorithm::from_oid(self.hash_algorithm.oid)
    }

    /// The digest.
    #[must_use]
    pub fn digest(&self) -> &[u8] {
        self.hashed_message.as_bytes()
    }

    /// Whether this is the imprint of `message`.
    #[must_use]
    pub fn is_of(&self, message: &[u8]) -> bool {
        self.algorithm().is_some_and(|algorithm| algorithm.digest(message) == self.digest())
    }
}

/// `TSTInfo`, as far as waxseal uses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TstInfo {
    /// Under which policy the authority stamps.
    pub policy: ObjectIdentifier,
    /// What was stamped.
    pub message_imprint: MessageImprint,
    /// The token's number, content octets of a positive INTEGER.
    pub serial_number: Vec<u8>,
    /// When; fractions of a second are allowed.
    pub gen_time: Timestamp,
    /// The request's nonce, content octets of an INTEGER.
    pub nonce: Option<Vec<u8>>,
}

impl TstInfo {
    /// Reads DER; accuracy, ordering, tsa and extensions are passed over.
    pub(super) fn from_der(der: &[u8]) -> der::Result<Self> {
        let mut outer = SliceReader::new(der)?;
        let info = outer.sequence(|reader| {
            if u8::decode(reader)? != VERSION {
                return Err(Tag::Integer.value_error().into());
            }
            let policy = ObjectIdentifier::decode(reader)?;
            let message_imprint = MessageImprint::decode(reader)?;
            let serial_number = Int::decode(reader)?.as_bytes().to_vec();
            let time = AnyRef::decode(reader)?;
            time.tag().assert_eq(Tag::GeneralizedTime)?;
            let gen_time = generalized_time(time.value()).ok_or_else(|| Tag::GeneralizedTime.value_error())?;
            let mut nonce = None;
            while !reader.is_finished() {
                let field = AnyRef::decode(reader)?;
                if field.tag() == Tag::Integer {
                    nonce = Some(field.decode_as::<Int>()?.as_bytes().to_vec());
                }
            }
            Ok::<_, der::Error>(Self { policy, message_imprint, serial_number, gen_time, nonce })
        })?;
        outer.finish()?;
        Ok(info)
    }

    /// Writes DER as Sigstore's authority does: whole seconds, accuracy of one second, the authority's name.
    pub(super) fn to_der(&self, authority: &Name) -> der::Result<Vec<u8>> {
        let time = self.gen_time.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y%m%d%H%M%SZ").to_string();
        let tsa = ContextSpecific {
            tag_number: TagNumber(0),
            tag_mode: TagMode::Explicit,
            value: GeneralName::DirectoryName(authority.clone()),
        };
        let mut content = Vec::new();
        VERSION.encode_to_vec(&mut content)?;
        self.policy.encode_to_vec(&mut content)?;
        self.message_imprint.encode_to_vec(&mut content)?;
        Int::new(&self.serial_number)?.encode_to_vec(&mut content)?;
        Any::new(Tag::GeneralizedTime, time.into_bytes())?.encode_to_vec(&mut content)?;
        Accuracy { seconds: 1 }.encode_to_vec(&mut content)?;
        if let Some(nonce) = &self.nonce {
            Int::new(nonce)?.encode_to_vec(&mut content)?;
        }
        tsa.encode_to_vec(&mut content)?;
        Any::new(Tag::Sequence, content)?.to_der()
    }
}

#[derive(Sequence)]
struct Accuracy {
    seconds: u8,
}

/// `YYYYMMDDhhmmss[.f…]Z`: RFC 3161 allows a fraction without trailing zeros, which RFC 5280's times have not.
fn generalized_time(text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() != 14 || !all_digits(whole) {
        return None;
    }
    let time = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", whole).ok()?;
    let time = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    let Some(fraction) = fraction else { return Some(time) };
    if fraction.is_empty() || fraction.len() > 9 || !all_digits(fraction) || fraction.ends_with('0') {
        return None;
    }
    let nanoseconds: i64 = format!("{fraction:0<9}").parse().ok()?;
    time.checked_add(jiff::SignedDuration::from_nanos(nanoseconds)).ok()
}

const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    /// As Sigstore's staging authority encodes it.
    const STAGING: &str = "3081ac02010106092b0601040183bf30023031300d0609608648016503040201050004206ddf31609e2a6c814f8266aab75204b7a1f5e96d1bc07dde6ff39add8408cda20214559742c71edae5b645233a7ac43a8d033142a5ac180f32303235303631323132303232305a30030201010209008f59f2afe69cc8a8a032a430302e31153013060355040a130c73696773746f72652e646576311530130603550403130c73696773746f72652d747361";

    #[test]
    fn a_real_authoritys_info_is_read_and_written_back() {
        let der = hex::decode(STAGING).unwrap();
        let info = TstInfo::from_der(&der).unwrap();
        assert_eq!(info.gen_time, "2025-06-12T12:02:20Z".parse().unwrap());
        assert_eq!(info.nonce.as_deref(), Some(&hex::decode("008f59f2afe69cc8a8").unwrap()[..]));
        let name = Name::from_der(&der[der.len() - 48..]).unwrap();
        assert_eq!(hex::encode(info.to_der(&name).unwrap()), STAGING);
    }

    #[test]
    fn times_with_and_without_fractions() {
        let time = |text: &str| generalized_time(text.as_bytes()).map(|time| time.to_string());
        assert_eq!(time("20261125221500Z").as_deref(), Some("2026-11-25T22:15:00Z"));
        assert_eq!(time("20261125221500.25Z").as_deref(), Some("2026-11-25T22:15:00.25Z"));
        for bad in [
            "20261125221500",
            "20261125221500.Z",
            "20261125221500.10Z",
            "2026112522150Z",
            "20261325221500Z",
            "+0261125221500Z",
        ] {
            assert_eq!(time(bad), None, "{bad}");
        }
    }
}
