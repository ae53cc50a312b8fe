//! What Fulcio's two APIs are sent: an identity token, and a key with a proof of its possession, or a signing request.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use der::asn1::{AnyRef, BitStringRef, UintRef};
use der::{Decode as _, Encode as _, Reader as _, Sequence, SliceReader};
use serde::Deserialize;
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use zeroize::Zeroizing;

use super::error::IssueError;
use crate::crypto::{KeyKind, SignatureAlgorithm, UnsupportedKey, VerifyingKey};

/// A request, read as far as JSON goes: the token is judged before the rest is.
pub struct CertificateRequest {
    pub(super) token: Zeroizing<String>,
    proposed: Proposed,
}

enum Proposed {
    /// The key as PEM or DER, and the proof in base64.
    Key {
        key: KeyText,
        proof: String,
    },
    Nothing,
    /// Base64 of PEM.
    SigningRequest(String),
}

enum KeyText {
    /// PEM, and nothing else: what v2 takes.
    Pem(String),
    /// Base64 of PEM or DER: what v1 takes.
    Encoded(String),
}

impl CertificateRequest {
    /// `POST /api/v2/signingCert`. `bearer` is the token of an `Authorization` header, which counts when the body has
    /// none.
    ///
    /// # Errors
    /// [`IssueError::Json`] when it is not JSON of that shape.
    pub fn v2(body: &[u8], bearer: Option<&str>) -> Result<Self, IssueError> {
        let body: V2 = read(body)?;
        let token = body.credentials.unwrap_or_default().oidc_identity_token;
        let token = if token.is_empty() { bearer.unwrap_or_default().to_owned() } else { token };
        let proposed = match (body.certificate_signing_request, body.public_key_request) {
            (Some(request), None) if !request.is_empty() => Proposed::SigningRequest(request),
            (None, Some(V2Key { public_key, proof_of_possession })) => {
                Proposed::Key { key: KeyText::Pem(public_key.content), proof: proof_of_possession }
            }
            // A oneof: both at once, or none.
            _ => Proposed::Nothing,
        };
        Ok(Self { token: Zeroizing::new(token), proposed })
    }

    /// `POST /api/v1/signingCert`: the token comes as `bearer` only.
    ///
    /// # Errors
    /// [`IssueError::Json`] when it is not JSON of that shape.
    pub fn v1(body: &[u8], bearer: Option<&str>) -> Result<Self, IssueError> {
        let body: V1 = read(body)?;
        let proposed = match (body.certificate_signing_request, body.public_key) {
            (Some(request), _) if !request.is_empty() => Proposed::SigningRequest(request),
            (_, Some(key)) => Proposed::Key { key: KeyText::Encoded(key.content), proof: body.signed_email_address },
            (_, None) => Proposed::Nothing,
        };
        Ok(Self { token: Zeroizing::new(bearer.unwrap_or_default().to_owned()), proposed })
    }

    /// The key to certify, once it is proved that whoever asks has it: `challenge` is what a bare proof signs.
    pub(super) fn proved_key(&self, challenge: &str) -> Result<VerifyingKey, IssueError> {
        match &self.proposed {
            Proposed::Key { key, proof } => {
                let key = secure(key.read()?)?;
                let proof = STANDARD.decode(proof).map_err(|_| IssueError::ProofOfPossession)?;
                key.verify(challenge.as_bytes(), &proof).map_err(|_| IssueError::ProofOfPossession)?;
                Ok(key)
            }
            Proposed::Nothing => Err(IssueError::Key(UnsupportedKey::Malformed)),
            Proposed::SigningRequest(request) => signing_request_key(request),
        }
    }
}

impl KeyText {
    fn read(&self) -> Result<VerifyingKey, UnsupportedKey> {
        let der = match self {
            Self::Pem(text) => pem_body(text, "PUBLIC KEY").ok_or(UnsupportedKey::Malformed)?,
            Self::Encoded(text) => {
                let decoded = STANDARD.decode(text).map_err(|_| UnsupportedKey::Malformed)?;
                std::str::from_utf8(&decoded).ok().and_then(|text| pem_body(text, "PUBLIC KEY")).unwrap_or(decoded)
            }
        };
        VerifyingKey::from_spki_der(&der)
    }
}

/// Only the request's own signature and its key are used; its subject, its attributes and its extensions are not.
fn signing_request_key(request: &str) -> Result<VerifyingKey, IssueError> {
    let pem = STANDARD.decode(request).ok().and_then(|pem| String::from_utf8(pem).ok());
    let der = pem.and_then(|pem| pem_body(&pem, "CERTIFICATE REQUEST")).ok_or(IssueError::SigningRequest)?;
    let request = SigningRequest::from_der(&der).map_err(|_| IssueError::SigningRequest)?;
    let signed = first_element(&der).ok_or(IssueError::SigningRequest)?;
    let key = request.info.public_key.to_der().map_err(|_| IssueError::SigningRequest)?;
    let key = secure(VerifyingKey::from_spki_der(&key)?)?;
    let algorithm = SignatureAlgorithm::from_oid(request.algorithm.oid);
    let signature = request.signature.as_bytes().ok_or(IssueError::SigningRequest)?;
    match algorithm {
        Some(algorithm) if algorithm == key.kind().default_algorithm() => {
            key.verify_with(algorithm, signed, signature).map_err(|_| IssueError::ProofOfPossession)?;
            Ok(key)
        }
        _ => Err(IssueError::SigningAlgorithm(request.algorithm.oid)),
    }
}

/// Fulcio's default: RSA with 2048, 3072 and 4096 bits and the exponent 65537, or one of the curves that could be read at all.
fn secure(key: VerifyingKey) -> Result<VerifyingKey, IssueError> {
    if key.kind() == KeyKind::Rsa {
        let rsa = RsaPublicKey::from_der(key.key_bits()).map_err(|_| UnsupportedKey::Malformed)?;
        if !RSA_MODULUS_BYTES.contains(&rsa.modulus.as_bytes().len()) || rsa.exponent.as_bytes() != RSA_EXPONENT {
            return Err(IssueError::InsecureKey);
        }
    }
    Ok(key)
}

/// One block with this label and nothing beside it, whatever its line length.
fn pem_body(text: &str, label: &str) -> Option<Vec<u8>> {
    let body = text.trim().strip_prefix(&format!("-----BEGIN {label}-----"))?;
    let body: String = body.strip_suffix(&format!("-----END {label}-----"))?.split_ascii_whitespace().collect();
    STANDARD.decode(body).ok()
}

/// The first element of the outer sequence: the part that is signed, byte for byte.
fn first_element(der: &[u8]) -> Option<&[u8]> {
    let mut outer = SliceReader::new(der).ok()?;
    let header = der::Header::decode(&mut outer).ok()?;
    let body = outer.read_slice(header.length()).ok()?;
    SliceReader::new(body).ok()?.tlv_bytes().ok()
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, IssueError> {
    serde_json::from_slice(body).map_err(|error| IssueError::Json(error.is_eof()))
}

/// RFC 2986 §4.2.
#[derive(Sequence)]
struct SigningRequest<'a> {
    info: SigningRequestInfo<'a>,
    algorithm: AlgorithmIdentifierRef<'a>,
    signature: BitStringRef<'a>,
}

/// RFC 2986 §4.1; subject and attributes are not looked at.
#[derive(Sequence)]
struct SigningRequestInfo<'a> {
    version: u8,
    subject: AnyRef<'a>,
    public_key: SubjectPublicKeyInfoRef<'a>,
    attributes: AnyRef<'a>,
}

/// RFC 8017 §A.1.1.
#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}

/// fulcio.proto `CreateSigningCertificateRequest`; members that are not known are ignored, `algorithm` too.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct V2 {
    credentials: Option<Credentials>,
    #[serde(alias = "public_key_request")]
    public_key_request: Option<V2Key>,
    #[serde(alias = "certificate_signing_request")]
    certificate_signing_request: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Credentials {
    #[serde(default, alias = "oidc_identity_token")]
    oidc_identity_token: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct V2Key {
    #[serde(default, alias = "public_key")]
    public_key: PublicKey,
    #[serde(default, alias = "proof_of_possession")]
    proof_of_possession: String,
}

/// fulcio_legacy.proto `CreateSigningCertificateRequest`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct V1 {
    #[serde(alias = "public_key")]
    public_key: Option<PublicKey>,
    #[serde(default, alias = "signed_email_address")]
    signed_email_address: String,
    #[serde(alias = "certificate_signing_request")]
    certificate_signing_request: Option<String>,
}

#[derive(Default, Deserialize)]
struct PublicKey {
    #[serde(default)]
    content: String,
}

/// 65537
const RSA_EXPONENT: [u8; 3] = [1, 0, 1];
const RSA_MODULUS_BYTES: [usize; 3] = [256, 384, 512];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn never_panics(request in prop::collection::vec(any::<u8>(), 0..300), json in r#"\{("(credentials|publicKey|content|publicKeyRequest)":(\{|\}|"x"|null|1),?){0,6}\}?"#) {
            let label = "CERTIFICATE REQUEST";
            let pem = format!("-----BEGIN {label}-----\n{}\n-----END {label}-----", STANDARD.encode(&request));
            drop(signing_request_key(&STANDARD.encode(pem)));
            drop(KeyText::Encoded(STANDARD.encode(&request)).read());
            drop(CertificateRequest::v1(json.as_bytes(), None).map(|request| request.proved_key("x").map(|_| ())));
            drop(CertificateRequest::v2(json.as_bytes(), None).map(|request| request.proved_key("x").map(|_| ())));
        }
    }
}
