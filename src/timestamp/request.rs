//! `TimeStampReq` and `TimeStampResp` (RFC 3161 §2.4).

use cms::content_info::ContentInfo;
use const_oid::ObjectIdentifier;
use der::asn1::{AnyRef, Int};
use der::{Decode as _, Encode as _, Reader as _, Sequence, SliceReader, Tag, Tagged as _};

use super::MessageImprint;
use crate::crypto::DigestAlgorithm;

/// `TimeStampReq`: please stamp this digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeStampReq {
    /// What is to be stamped.
    pub message_imprint: MessageImprint,
    /// Under which policy; the authority's own when absent.
    pub policy: Option<ObjectIdentifier>,
    /// To be repeated in the token: content octets of an INTEGER.
    pub nonce: Option<Vec<u8>>,
    /// Whether the token shall carry the authority's certificate.
    pub certificates: bool,
}

impl TimeStampReq {
    /// A request for SHA-256 of `message` with a 128-bit nonce, certificate included: what gitsign sends.
    ///
    /// # Errors
    /// [`MalformedRequest`] never, but for lengths that no DER can have.
    pub fn for_message(message: &[u8], nonce: [u8; 16]) -> Result<Self, MalformedRequest> {
        let algorithm = DigestAlgorithm::Sha256;
        Ok(Self {
            message_imprint: MessageImprint::new(algorithm, &algorithm.digest(message))
                .map_err(|_| MalformedRequest)?,
            policy: None,
            nonce: Some(positive(&nonce)),
            certificates: true,
        })
    }

    /// Reads DER.
    ///
    /// # Errors
    /// [`MalformedRequest`] for anything else, for another version than 1, and for extensions, which nobody defines.
    pub fn from_der(der: &[u8]) -> Result<Self, MalformedRequest> {
        Self::decode(der).map_err(|_| MalformedRequest)
    }

    /// Writes DER.
    ///
    /// # Errors
    /// [`MalformedRequest`] when the nonce is not the content of an INTEGER.
    pub fn to_der(&self) -> Result<Vec<u8>, MalformedRequest> {
        self.encode().map_err(|_| MalformedRequest)
    }

    fn decode(der: &[u8]) -> der::Result<Self> {
        let mut outer = SliceReader::new(der)?;
        let request = outer.sequence(|reader| {
            if u8::decode(reader)? != VERSION {
                return Err(Tag::Integer.value_error().into());
            }
            let mut request = Self {
                message_imprint: MessageImprint::decode(reader)?,
                policy: None,
                nonce: None,
                certificates: false,
            };
            while !reader.is_finished() {
                let field = AnyRef::decode(reader)?;
                match field.tag() {
                    Tag::ObjectIdentifier if request.nonce.is_none() => request.policy = Some(field.decode_as()?),
                    Tag::Integer => request.nonce = Some(field.decode_as::<Int>()?.as_bytes().to_vec()),
                    Tag::Boolean => request.certificates = field.decode_as()?,
                    other => return Err(other.value_error().into()),
                }
            }
            Ok::<_, der::Error>(request)
        })?;
        outer.finish()?;
        Ok(request)
    }

    fn encode(&self) -> der::Result<Vec<u8>> {
        let mut content = Vec::new();
        VERSION.encode_to_vec(&mut content)?;
        self.message_imprint.encode_to_vec(&mut content)?;
        if let Some(policy) = &self.policy {
            policy.encode_to_vec(&mut content)?;
        }
        if let Some(nonce) = &self.nonce {
            Int::new(nonce)?.encode_to_vec(&mut content)?;
        }
        // DEFAULT FALSE is not written in DER.
        if self.certificates {
            true.encode_to_vec(&mut content)?;
        }
        der::Any::new(Tag::Sequence, content)?.to_der()
    }
}

/// `TimeStampResp`: a token, or a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeStampResp {
    /// `PKIStatus`: 0 granted, 1 granted with modifications, 2 and above refused.
    pub status: u8,
    /// The DER of the `TimeStampToken`, which is a CMS `ContentInfo`.
    pub token: Option<Vec<u8>>,
}

impl TimeStampResp {
    /// Reads DER.
    ///
    /// # Errors
    /// [`MalformedRequest`] for anything else.
    pub fn from_der(der: &[u8]) -> Result<Self, MalformedRequest> {
        let response = Response::from_der(der).map_err(|_| MalformedRequest)?;
        let token = response.token.map(|token| token.to_der()).transpose().map_err(|_| MalformedRequest)?;
        Ok(Self { status: response.status.status, token })
    }

    /// The answer that grants `token`, DER of a `ContentInfo`.
    ///
    /// # Errors
    /// [`MalformedRequest`] when it is not one.
    pub fn granting(token: &[u8]) -> Result<Vec<u8>, MalformedRequest> {
        let token = ContentInfo::from_der(token).map_err(|_| MalformedRequest)?;
        let status = Status { status: 0, text: None, failure: None };
        Response { status, token: Some(token) }.to_der().map_err(|_| MalformedRequest)
    }
}

#[derive(Sequence)]
struct Response {
    status: Status,
    #[asn1(optional = "true")]
    token: Option<ContentInfo>,
}

/// `PKIStatusInfo`
#[derive(Sequence)]
struct Status {
    status: u8,
    #[asn1(optional = "true")]
    text: Option<Vec<String>>,
    #[asn1(optional = "true")]
    failure: Option<der::asn1::BitString>,
}

/// The content octets of a positive INTEGER with these bytes.
fn positive(bytes: &[u8]) -> Vec<u8> {
    let significant: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
    match significant.first() {
        Some(first) if *first < 0x80 => significant,
        _ => [vec![0], significant].concat(),
    }
}

/// Not a time-stamp request or response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a DER time-stamp request or response (RFC 3161)")]
pub struct MalformedRequest;

const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_comes_back() {
        for nonce in [[0; 16], [0xff; 16], [0x7f; 16]] {
            let request = TimeStampReq::for_message(b"signature", nonce).unwrap();
            assert_eq!(TimeStampReq::from_der(&request.to_der().unwrap()), Ok(request));
        }
        let bare =
            TimeStampReq { nonce: None, certificates: false, ..TimeStampReq::for_message(b"", [1; 16]).unwrap() };
        assert_eq!(TimeStampReq::from_der(&bare.to_der().unwrap()), Ok(bare));
        assert_eq!(TimeStampReq::from_der(&[0x30, 0]), Err(MalformedRequest));
        let refused = TimeStampResp::from_der(&[0x30, 5, 0x30, 3, 2, 1, 2]).unwrap();
        assert_eq!(refused, TimeStampResp { status: 2, token: None });
    }
}
