//! Rekor v2's one request and its answer: protobuf-specs messages as proto3 JSON.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};

use super::TransparencyLogEntry;
use super::dsse::{Envelope, EnvelopeSignature};
use super::entry_key::EntryKey;
use super::hashedrekord::{KeyDetails, canonical_body_0_0_2, digest_length};

/// A requested entry whose signature was verified; only [`RequestedEntry::read`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedEntry {
    canonical_body: Vec<u8>,
}

impl RequestedEntry {
    /// Reads the body of `POST /api/v2/log/entries`: members in camel or snake case, none that is not known.
    ///
    /// A `dsseRequestV002`, which the real server does not take any more and sigstore-js still sends, is taken for the
    /// `hashedrekord` over the envelope's pre-authentication encoding that newer clients would have sent.
    ///
    /// # Errors
    /// [`RequestError`] names what is wrong.
    pub fn read(json: &[u8]) -> Result<Self, RequestError> {
        let request: Request = serde_json::from_slice(json).map_err(|error| RequestError::json(&error))?;
        let canonical_body = match (request.hashed_rekord_request_v002, request.dsse_request_v002) {
            (Some(request), None) => hashed_rekord(request).ok_or(RequestError::Entry)?,
            (None, Some(request)) => dsse(request).ok_or(RequestError::Entry)?,
            (None, None) | (Some(_), Some(_)) => return Err(RequestError::Kind),
        };
        Ok(Self { canonical_body })
    }

    /// The body to log.
    #[must_use]
    pub fn into_canonical_body(self) -> Vec<u8> {
        self.canonical_body
    }
}

/// The `TransparencyLogEntry`, with zero values written out: clients store it as it is, and some cannot do without.
#[must_use]
pub fn answer(entry: &TransparencyLogEntry) -> Value {
    let promise = entry.inclusion_promise.as_ref();
    let proof = entry.inclusion_proof.as_ref().map(|proof| {
        json!({
            "logIndex": proof.leaf_index.to_string(),
            "rootHash": STANDARD.encode(proof.root_hash),
            "treeSize": proof.tree_size.to_string(),
            "hashes": proof.hashes.iter().map(|hash| STANDARD.encode(hash)).collect::<Vec<_>>(),
            "checkpoint": { "envelope": proof.checkpoint },
        })
    });
    json!({
        "logIndex": entry.log_index.to_string(),
        "logId": { "keyId": STANDARD.encode(entry.log_id.0) },
        "kindVersion": { "kind": entry.kind_version.kind, "version": entry.kind_version.version },
        "integratedTime": entry.integrated_time.to_string(),
        "inclusionPromise": promise.map(|promise| {
            json!({ "signedEntryTimestamp": STANDARD.encode(&promise.signed_entry_timestamp) })
        }),
        "inclusionProof": proof,
        "canonicalizedBody": STANDARD.encode(&entry.canonicalized_body),
    })
}

/// A request that a log must not take. What exactly is wrong with an entry is not told, as by the real server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Digest, key or signature.
    #[error("invalid hashedrekord request")]
    Entry,
    /// Not JSON of the request.
    #[error("{0}")]
    Json(String),
    /// Neither of the two, or both.
    #[error("invalid type, must be hashedrekord")]
    Kind,
}

impl RequestError {
    fn json(error: &serde_json::Error) -> Self {
        Self::Json(if error.is_eof() { "unexpected EOF".to_owned() } else { error.to_string() })
    }
}

fn hashed_rekord(request: HashedRekordRequest) -> Option<Vec<u8>> {
    let digest = decode(&request.digest?)?;
    let signature = request.signature?;
    let (key, details) = signature.verifier?.read()?;
    logged(&digest, &decode(&signature.content?)?, &key, details)
}

fn dsse(request: DsseRequest) -> Option<Vec<u8>> {
    let envelope = request.envelope?;
    let [signature] = <[_; 1]>::try_from(envelope.signatures).ok()?;
    let [verifier] = <[_; 1]>::try_from(request.verifiers).ok()?;
    let (key, details) = verifier.read()?;
    let signature = EnvelopeSignature { bytes: decode(&signature.sig)?, encoded: signature.sig };
    let payload = STANDARD.encode(decode(&envelope.payload)?);
    let envelope = Envelope::new(envelope.payload_type, &payload, vec![signature]).ok()?;
    let digest = details.digest().digest(&envelope.signed_message());
    logged(&digest, &envelope.signatures.first()?.bytes, &key, details)
}

fn logged(digest: &[u8], signature: &[u8], key: &EntryKey, details: KeyDetails) -> Option<Vec<u8>> {
    if digest.len() != digest_length(details.digest()) {
        return None;
    }
    key.key().verify_digest(details.digest(), digest, signature).ok()?;
    Some(canonical_body_0_0_2(digest, signature, key.verifier(), details))
}

/// proto3 JSON: "Either standard or URL-safe base64 encoding with/without paddings are accepted."
fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.replace('-', "+").replace('_', "/");
    ANY_PADDING.decode(text).ok()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    #[serde(alias = "hashed_rekord_request_v002", rename = "hashedRekordRequestV002")]
    hashed_rekord_request_v002: Option<HashedRekordRequest>,
    #[serde(alias = "dsse_request_v002", rename = "dsseRequestV002")]
    dsse_request_v002: Option<DsseRequest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HashedRekordRequest {
    digest: Option<String>,
    signature: Option<Signature>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    content: Option<String>,
    verifier: Option<RawVerifier>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DsseRequest {
    envelope: Option<RawEnvelope>,
    #[serde(default)]
    verifiers: Vec<RawVerifier>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEnvelope {
    #[serde(default)]
    payload: String,
    #[serde(alias = "payload_type", rename = "payloadType", default)]
    payload_type: String,
    #[serde(default)]
    signatures: Vec<RawSignature>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSignature {
    #[serde(default)]
    sig: String,
    #[expect(dead_code, reason = "a member that is known, and means nothing to the log")]
    keyid: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawVerifier {
    #[serde(alias = "x509_certificate", rename = "x509Certificate")]
    certificate: Option<RawBytes>,
    #[serde(alias = "public_key", rename = "publicKey")]
    public_key: Option<RawBytes>,
    #[serde(alias = "key_details", rename = "keyDetails")]
    key_details: Option<EnumValue>,
}

impl RawVerifier {
    fn read(self) -> Option<(EntryKey, KeyDetails)> {
        let key = match (self.certificate, self.public_key) {
            (Some(certificate), None) => EntryKey::from_certificate(&decode(&certificate.raw_bytes)?).ok()?,
            (None, Some(key)) => EntryKey::from_public_key(&decode(&key.raw_bytes)?).ok()?,
            _ => return None,
        };
        let details = KeyDetails::of(key.key())?;
        let named = match self.key_details? {
            EnumValue::Name(name) => name == details.name(),
            EnumValue::Number(number) => number == details.number(),
        };
        named.then_some((key, details))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBytes {
    #[serde(alias = "raw_bytes", rename = "rawBytes", default)]
    raw_bytes: String,
}

/// proto3 JSON: "Parsers accept both enum names and integer values."
#[derive(Deserialize)]
#[serde(untagged)]
enum EnumValue {
    Name(String),
    Number(i32),
}

const ANY_PADDING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::{ServiceKey, ServiceKeyKind, Sha256Digest, SigningKey};
    use crate::tlog::dsse::pre_authentication_encoding;
    use crate::tlog::hashedrekord::Verifier;

    fn verifier(spki: &[u8], details: &str) -> Value {
        json!({ "publicKey": { "rawBytes": STANDARD.encode(spki) }, "keyDetails": details })
    }

    fn request(key: &SigningKey, message: &[u8]) -> Value {
        json!({ "hashedRekordRequestV002": {
            "digest": STANDARD.encode(Sha256Digest::of(message)),
            "signature": {
                "content": STANDARD.encode(key.sign(message)),
                "verifier": verifier(&key.public_key_der(), "PKIX_ECDSA_P256_SHA_256"),
            },
        }})
    }

    fn read(request: &Value) -> Result<RequestedEntry, RequestError> {
        RequestedEntry::read(request.to_string().as_bytes())
    }

    #[test]
    fn members_in_either_case_and_no_others() {
        let key = SigningKey::generate();
        let request = request(&key, b"message");
        let body = read(&request).unwrap().into_canonical_body();
        let value: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(serde_json_canonicalizer::to_vec(&value).unwrap(), body);
        let text = request.to_string();
        let renamed = |from: &str, to: &str| RequestedEntry::read(text.replacen(from, to, 1).as_bytes());
        for (camel, snake) in [
            ("hashedRekordRequestV002", "hashed_rekord_request_v002"),
            ("publicKey", "public_key"),
            ("rawBytes", "raw_bytes"),
            ("keyDetails", "key_details"),
            ("\"PKIX_ECDSA_P256_SHA_256\"", "5"),
        ] {
            assert_eq!(renamed(camel, snake).map(RequestedEntry::into_canonical_body), Ok(body.clone()), "{snake}");
            assert_ne!(renamed(camel, "\"x\""), renamed(camel, snake));
        }
        let extra = renamed("{\"hashed", "{\"extra\":1,\"hashed").unwrap_err();
        assert!(matches!(extra, RequestError::Json(message) if message.contains("unknown field `extra`")));
        assert!(matches!(renamed("\"digest\"", "\"digest\":\"\",\"digest\""), Err(RequestError::Json(_))));
    }

    #[test]
    fn one_thing_wrong_is_refused() {
        let key = SigningKey::generate();
        let wrong = |pointer: &str, value: Value| {
            let mut request = request(&key, b"message");
            *request.pointer_mut(&format!("/hashedRekordRequestV002{pointer}")).unwrap() = value;
            read(&request)
        };
        let refused = Err(RequestError::Entry);
        assert_eq!(wrong("/digest", STANDARD.encode(Sha256Digest::of(b"other")).into()), refused);
        assert_eq!(wrong("/digest", STANDARD.encode([0; 31]).into()), refused);
        assert_eq!(wrong("/digest", "*".into()), refused);
        assert_eq!(wrong("/digest", Value::Null), refused);
        assert_eq!(wrong("/signature/content", "AAAA".into()), refused);
        assert_eq!(wrong("/signature/verifier", json!({})), refused);
        assert_eq!(wrong("/signature/verifier/keyDetails", "PKIX_ECDSA_P384_SHA_384".into()), refused);
        assert_eq!(wrong("/signature/verifier/keyDetails", "PUBLIC_KEY_DETAILS_UNSPECIFIED".into()), refused);
        assert_eq!(wrong("/signature/verifier/keyDetails", Value::Null), refused);
        assert_eq!(wrong("/signature/verifier/publicKey/rawBytes", "AAAA".into()), refused);
        assert_eq!(read(&json!({})), Err(RequestError::Kind));
        assert_eq!(RequestedEntry::read(b"{"), Err(RequestError::Json("unexpected EOF".to_owned())));
        assert!(matches!(RequestedEntry::read(b"[]"), Err(RequestError::Json(_))));
    }

    #[test]
    fn an_envelope_is_the_digest_of_its_encoding() {
        let message = pre_authentication_encoding("text/plain", b"hi");
        for (kind, name) in [
            (ServiceKeyKind::EcdsaP256, "PKIX_ECDSA_P256_SHA_256"),
            (ServiceKeyKind::EcdsaP384, "PKIX_ECDSA_P384_SHA_384"),
            (ServiceKeyKind::Rsa2048, "PKIX_RSA_PKCS1V15_2048_SHA256"),
        ] {
            let key = ServiceKey::generate(kind).unwrap();
            let spki = key.verifying_key().spki_der();
            let signature = key.sign(&message).unwrap();
            let signatures = json!([{ "sig": STANDARD.encode(&signature), "keyid": "" }]);
            let envelope = json!({ "payload": "aGk=", "payloadType": "text/plain", "signatures": signatures });
            let mut request =
                json!({ "dsseRequestV002": { "envelope": envelope, "verifiers": [verifier(spki, name)] } });
            let details = KeyDetails::of(key.verifying_key()).unwrap();
            let digest = details.digest().digest(&message);
            let expected = canonical_body_0_0_2(&digest, &signature, Verifier::PublicKey(spki), details);
            assert_eq!(read(&request).unwrap().into_canonical_body(), expected);
            request["dsseRequestV002"]["envelope"]["payload"] = "aGo=".into();
            assert_eq!(read(&request), Err(RequestError::Entry));
            request["dsseRequestV002"]["envelope"]["payload"] = "aGk=".into();
            let twice = json!([signatures[0], signatures[0]]);
            request["dsseRequestV002"]["envelope"]["signatures"] = twice;
            assert_eq!(read(&request), Err(RequestError::Entry));
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,100}", at: prop::sample::Index, byte: u8) {
            drop(RequestedEntry::read(text.as_bytes()));
            let mut body = request(&SigningKey::generate(), b"message").to_string().into_bytes();
            let index = at.index(body.len());
            body[index] = byte;
            drop(RequestedEntry::read(&body));
        }
    }
}
