//! Signatures as other tools would make them with the stack's services: other kinds of keys, other certificates beside
//! the leaf, tokens of other authorities. Put together from bytes, because waxseal writes none of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;
use waxseal::cms::armor;
use waxseal::crypto::{DigestAlgorithm, KeyKind, ServiceKey, ServiceKeyKind, Sha256Digest};
use waxseal::tlog::{TransparencyLogEntry, hashedrekord, proto, proto_json, rekor_json};
use waxseal::x509::Certificate;

pub(crate) use super::der::{INTEGER, OCTET_STRING, SEQUENCE, SET, UTF8_STRING, oid, tlv};
use super::{ALICE, JSON, Sandbox, http};

pub(crate) const PRINTABLE_STRING: u8 = 0x13;

pub(crate) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(SEQUENCE, &parts.concat())
}

pub(crate) fn attribute(kind: &str, value: &[u8]) -> Vec<u8> {
    sequence(&[oid(kind), tlv(SET, value)])
}

pub(crate) fn time(at: Timestamp, tag: u8, format: &str) -> Vec<u8> {
    tlv(tag, at.to_zoned(TimeZone::UTC).strftime(format).to_string().as_bytes())
}

/// A key with a certificate from the stack.
pub(crate) struct Signer<'a> {
    sandbox: &'a Sandbox,
    key: ServiceKey,
    /// Leaf first.
    pub(crate) chain: Vec<Certificate>,
}

impl<'a> Signer<'a> {
    /// Alice, with a key of this kind.
    pub(crate) fn certified(sandbox: &'a Sandbox, kind: ServiceKeyKind) -> Self {
        let key = ServiceKey::generate(kind).unwrap();
        let spki = hashedrekord::pem(hashedrekord::Verifier::PublicKey(key.verifying_key().spki_der()));
        let body = json!({ "publicKeyRequest": {
            "publicKey": { "algorithm": "", "content": spki },
            "proofOfPossession": STANDARD.encode(key.sign(ALICE.as_bytes()).unwrap()),
        }});
        let headers = format!("{JSON}Authorization: Bearer {}\r\n", sandbox.token(ALICE));
        let address = format!("{}/api/v2/signingCert", sandbox.url());
        let answer = http("POST", &address, &headers, body.to_string().as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.text());
        let answer = answer.json();
        let chain = answer["signedCertificateEmbeddedSct"]["chain"]["certificates"].as_array().unwrap();
        let chain = chain.iter().map(|pem| Certificate::from_pem(pem.as_str().unwrap()).unwrap()).collect();
        Self { sandbox, key, chain }
    }

    /// A signature over `payload`, with the leaf and no evidence yet.
    pub(crate) fn sign(&self, payload: &[u8]) -> Made {
        let (digest, digest_oid, algorithm) = match self.key.verifying_key().kind() {
            KeyKind::EcdsaP256 => (DigestAlgorithm::Sha256, SHA256, vec![oid("1.2.840.10045.4.3.2")]),
            KeyKind::EcdsaP384 => (DigestAlgorithm::Sha384, SHA384, vec![oid("1.2.840.10045.4.3.3")]),
            KeyKind::Rsa => (DigestAlgorithm::Sha256, SHA256, vec![oid("1.2.840.113549.1.1.11"), vec![0x05, 0]]),
            // RFC 8419
            KeyKind::Ed25519 => (DigestAlgorithm::Sha512, SHA512, vec![oid("1.3.101.112")]),
            KeyKind::EcdsaP521 => unreachable!("the stack has no such keys"),
        };
        let leaf = &self.chain[0];
        let mut attributes = [
            attribute("1.2.840.113549.1.9.3", &oid(DATA)),
            attribute("1.2.840.113549.1.9.5", &time(leaf.not_before(), 0x17, "%y%m%d%H%M%SZ")),
            attribute("1.2.840.113549.1.9.4", &tlv(OCTET_STRING, &digest.digest(payload))),
        ];
        attributes.sort();
        let message = tlv(SET, &attributes.concat());
        Made {
            signature: self.key.sign(&message).unwrap(),
            message,
            digest,
            digest_algorithm: sequence(&[oid(digest_oid)]),
            signature_algorithm: sequence(&algorithm),
            leaf: leaf.clone(),
            certificates: vec![leaf.der().to_vec()],
            unsigned: Vec::new(),
            sorted: true,
        }
    }

    /// Logs it in the stack's Rekor v1.
    pub(crate) fn log_in_v1(&self, made: &Made) -> TransparencyLogEntry {
        let digest = made.digest.digest(&made.message);
        let verifier = hashedrekord::Verifier::Certificate(made.leaf.der());
        let body = hashedrekord::canonical_body_over(made.digest, &digest, &made.signature, verifier);
        let answer = http("POST", &format!("{}/rekor/api/v1/log/entries", self.sandbox.url()), JSON, &body);
        assert_eq!(answer.status, 201, "{}", answer.text());
        rekor_json::read(&answer.body).unwrap().1
    }

    /// Logs it in the stack's Rekor v2.
    pub(crate) fn log_in_v2(&self, made: &Made) -> TransparencyLogEntry {
        let details = hashedrekord::KeyDetails::of(self.key.verifying_key()).unwrap();
        let body = json!({ "hashedRekordRequestV002": {
            "digest": STANDARD.encode(made.digest.digest(&made.message)),
            "signature": {
                "content": STANDARD.encode(&made.signature),
                "verifier": {
                    "x509Certificate": { "rawBytes": STANDARD.encode(made.leaf.der()) },
                    "keyDetails": details.name(),
                },
            },
        }});
        let address = format!("{}/rekor2/api/v2/log/entries", self.sandbox.url());
        let answer = http("POST", &address, JSON, body.to_string().as_bytes());
        assert_eq!(answer.status, 201, "{}", answer.text());
        proto_json::read(&answer.body).unwrap()
    }
}

/// A signature to which evidence can be added.
#[derive(Clone)]
pub(crate) struct Made {
    pub(crate) message: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    pub(crate) digest: DigestAlgorithm,
    digest_algorithm: Vec<u8>,
    signature_algorithm: Vec<u8>,
    pub(crate) leaf: Certificate,
    /// DER, in any order; `sorted` when they are written.
    pub(crate) certificates: Vec<Vec<u8>>,
    /// Attributes, in any order.
    pub(crate) unsigned: Vec<Vec<u8>>,
    /// As DER has it, or as they are.
    pub(crate) sorted: bool,
}

impl Made {
    /// With a log entry as gitsign stores it: without its body.
    pub(crate) fn with_entry(mut self, entry: &TransparencyLogEntry) -> Self {
        let bare = TransparencyLogEntry { canonicalized_body: Vec::new(), ..entry.clone() };
        self.unsigned.push(attribute("1.3.6.1.4.1.57264.3.1", &tlv(OCTET_STRING, &proto::encode(&bare))));
        self
    }

    /// With a timestamp token.
    pub(crate) fn with_token(mut self, token: &[u8]) -> Self {
        self.unsigned.push(attribute("1.2.840.113549.1.9.16.2.14", token));
        self
    }

    /// The text that Git stores.
    pub(crate) fn armor(&self) -> String {
        let (issuer, serial) = self.leaf_name();
        let set = |parts: &[Vec<u8>]| {
            let mut parts = parts.to_vec();
            if self.sorted {
                parts.sort();
            }
            parts.concat()
        };
        let mut attributes = self.message.clone();
        attributes[0] = 0xa0;
        let unsigned = if self.unsigned.is_empty() { vec![] } else { tlv(0xa1, &set(&self.unsigned)) };
        let signer = sequence(&[
            tlv(INTEGER, &[1]),
            sequence(&[issuer, serial]),
            self.digest_algorithm.clone(),
            attributes,
            self.signature_algorithm.clone(),
            tlv(OCTET_STRING, &self.signature),
            unsigned,
        ]);
        let signed_data = sequence(&[
            tlv(INTEGER, &[1]),
            tlv(SET, &self.digest_algorithm),
            sequence(&[oid(DATA)]),
            tlv(0xa0, &set(&self.certificates)),
            tlv(SET, &signer),
        ]);
        armor::encode(&sequence(&[oid("1.2.840.113549.1.7.2"), tlv(0xa0, &signed_data)]))
    }

    /// The commit with this payload and signature.
    pub(crate) fn commit(&self, payload: &[u8]) -> Vec<u8> {
        let header = format!("gpgsig {}\n", self.armor().trim_end().replace('\n', "\n "));
        let end = payload.windows(2).position(|two| two == b"\n\n").unwrap() + 1;
        [&payload[..end], header.as_bytes(), &payload[end..]].concat()
    }

    fn leaf_name(&self) -> (Vec<u8>, Vec<u8>) {
        use der::Encode as _;
        let serial = self.leaf.serial();
        // Positive, whatever it begins with.
        let sign: &[u8] = if serial[0] < 0x80 { &[] } else { &[0] };
        (self.leaf.issuer().to_der().unwrap(), tlv(INTEGER, &[sign, serial].concat()))
    }
}

/// A commit's bytes without a signature; no two are alike.
pub(crate) fn payload(about: &str) -> Vec<u8> {
    let person = "Alice <alice@example.org> 1580608922 +0000";
    let tree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
    format!("tree {tree}\nauthor {person}\ncommitter {person}\n\n{about}\n").into_bytes()
}

/// A certificate that lives from `start` on for ten years.
pub(crate) struct CertificateParts<'a> {
    pub(crate) subject: &'a str,
    pub(crate) issuer: &'a str,
    pub(crate) key: &'a ServiceKey,
    pub(crate) signed_by: &'a ServiceKey,
    pub(crate) extensions: &'a [Vec<u8>],
    pub(crate) start: Timestamp,
}

impl CertificateParts<'_> {
    pub(crate) fn der(&self) -> Vec<u8> {
        let until = self.start + jiff::SignedDuration::from_hours(24 * 3650);
        let utc = |at| time(at, 0x17, "%y%m%d%H%M%SZ");
        let algorithm = signature_algorithm(self.signed_by);
        let tbs = sequence(&[
            tlv(0xa0, &tlv(INTEGER, &[2])),
            tlv(INTEGER, &[7]),
            algorithm.clone(),
            name(self.issuer),
            sequence(&[utc(self.start), utc(until)]),
            name(self.subject),
            self.key.verifying_key().spki_der().to_vec(),
            tlv(0xa3, &sequence(self.extensions)),
        ]);
        let signature = self.signed_by.sign(&tbs).unwrap();
        sequence(&[tbs, algorithm, tlv(0x03, &[&[0], signature.as_slice()].concat())])
    }
}

/// The algorithm that a key signs with.
pub(crate) fn signature_algorithm(key: &ServiceKey) -> Vec<u8> {
    match key.verifying_key().kind() {
        KeyKind::EcdsaP256 => sequence(&[oid("1.2.840.10045.4.3.2")]),
        KeyKind::EcdsaP384 => sequence(&[oid("1.2.840.10045.4.3.3")]),
        KeyKind::Rsa => sequence(&[oid("1.2.840.113549.1.1.11"), vec![0x05, 0]]),
        KeyKind::EcdsaP521 | KeyKind::Ed25519 => unreachable!("no such authority is made"),
    }
}

pub(crate) fn name(common_name: &str) -> Vec<u8> {
    let common_name = sequence(&[oid("2.5.4.3"), tlv(UTF8_STRING, common_name.as_bytes())]);
    sequence(&[tlv(SET, &common_name)])
}

pub(crate) fn extension(kind: &str, value: &[u8]) -> Vec<u8> {
    sequence(&[oid(kind), tlv(0x01, &[0xff]), tlv(OCTET_STRING, value)])
}

/// What a certificate authority's certificate needs.
pub(crate) fn issuing() -> [Vec<u8>; 2] {
    [extension("2.5.29.15", &[3, 2, 1, 6]), extension("2.5.29.19", &sequence(&[tlv(0x01, &[0xff])]))]
}

/// SHA-256 as `AlgorithmIdentifier`.
pub(crate) fn sha256() -> Vec<u8> {
    sequence(&[oid(SHA256)])
}

/// Of a signature: what a token's imprint is.
pub(crate) fn imprint(signature: &[u8]) -> Vec<u8> {
    let algorithm = sequence(&[oid(SHA256), vec![0x05, 0]]);
    sequence(&[algorithm, tlv(OCTET_STRING, Sha256Digest::of(signature).as_ref())])
}

const DATA: &str = "1.2.840.113549.1.7.1";
const SHA256: &str = "2.16.840.1.101.3.4.2.1";
const SHA384: &str = "2.16.840.1.101.3.4.2.2";
const SHA512: &str = "2.16.840.1.101.3.4.2.3";
