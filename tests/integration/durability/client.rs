//! Somebody who asks the stack's three logs for entries, and keeps what it is given.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tlog_tiles::tlog::{Hash, record_hash};
use waxseal::crypto::{ServiceKey, ServiceKeyKind, Sha256Digest};
use waxseal::x509::Certificate;
use waxseal::x509::sct::{SignedCertificateTimestamp, tbs_without_scts};

use super::witness::hash;
use crate::sandbox::{ALICE, JSON, Sandbox, http};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Log {
    Ct,
    RekorV1,
    RekorV2,
}

impl Log {
    pub(crate) const ALL: [Self; 3] = [Self::Ct, Self::RekorV1, Self::RekorV2];

    /// Within the stack's, and the name of the thread that appends.
    pub(crate) fn folder(self) -> &'static str {
        match self {
            Self::Ct => "ct-log",
            Self::RekorV1 => "rekor-v1",
            Self::RekorV2 => "rekor-v2",
        }
    }

    /// How many entries of its own a new log has.
    pub(crate) fn own_entries(self) -> usize {
        match self {
            Self::Ct => 0,
            Self::RekorV1 | Self::RekorV2 => 1,
        }
    }

    fn write_path(self) -> &'static str {
        match self {
            Self::Ct => "/api/v2/signingCert",
            Self::RekorV1 => "/rekor/api/v1/log/entries",
            Self::RekorV2 => "/rekor2/api/v2/log/entries",
        }
    }
}

/// One entry that a client has in hand.
#[derive(Clone)]
pub(crate) struct Acknowledged {
    pub(crate) log: Log,
    pub(crate) leaf: Vec<u8>,
    /// None yet when all that was given is a promise: an SCT.
    pub(crate) proof: Option<Proof>,
    request: Vec<u8>,
}

#[derive(Clone)]
pub(crate) struct Proof {
    pub(crate) index: u64,
    pub(crate) size: u64,
    pub(crate) root: Hash,
    pub(crate) path: Vec<Hash>,
    pub(crate) checkpoint: Option<String>,
}

/// Status and body of an answer that acknowledges nothing.
pub(crate) type Refusal = (u16, Value);

/// Makes entries that were never logged before.
pub(crate) struct Client {
    key: ServiceKey,
    next: AtomicU64,
    token: String,
}

impl Client {
    pub(crate) fn of(sandbox: &Sandbox) -> Self {
        let key = ServiceKey::generate(ServiceKeyKind::EcdsaP256).unwrap();
        Self { key, next: AtomicU64::new(0), token: sandbox.token(ALICE) }
    }

    /// Tokens do not live long.
    pub(crate) fn log_in_again(&mut self, sandbox: &Sandbox) {
        self.token = sandbox.token(ALICE);
    }

    /// `None` when nobody answers; an answer that breaks off acknowledges nothing.
    pub(crate) fn try_add(&self, url: &str, log: Log) -> Option<Result<Acknowledged, Refusal>> {
        let request = self.request(log);
        let (status, answer) = post(&format!("{url}{}", log.write_path()), &request)?;
        let answer: Value = serde_json::from_slice(&answer).ok()?;
        if !(200..300).contains(&status) {
            return Some(Err((status, answer)));
        }
        let (leaf, proof) = match log {
            Log::Ct => (precertificate_leaf(&answer), None),
            Log::RekorV1 => {
                let (leaf, proof) = rekor_v1_answer(&answer);
                (leaf, Some(proof))
            }
            Log::RekorV2 => {
                let leaf = STANDARD.decode(answer["canonicalizedBody"].as_str().unwrap()).unwrap();
                (leaf, Some(proof(&answer["inclusionProof"])))
            }
        };
        if let Some(proof) = &proof {
            proof.check(&leaf);
        }
        Some(Ok(Acknowledged { log, leaf, proof, request }))
    }

    /// One that is taken, or nobody answers.
    pub(crate) fn add(&self, url: &str, log: Log) -> Option<Acknowledged> {
        Some(self.try_add(url, log)?.unwrap_or_else(|refusal| panic!("{log:?}: {refusal:?}")))
    }

    /// The proof of an entry that was acknowledged before, in the log's own tree, which has `size` entries now.
    pub(crate) fn ask_again(&self, url: &str, acknowledged: &Acknowledged, size: u64) -> Proof {
        match acknowledged.log {
            Log::Ct => {
                let head = http("GET", &format!("{url}/ct/v1/get-sth"), "", b"").json();
                assert_eq!(head["tree_size"], size);
                let leaf = form_value(&STANDARD.encode(record_hash(&acknowledged.leaf).0));
                let query = format!("{url}/ct/v1/get-proof-by-hash?hash={leaf}&tree_size={size}");
                let found = http("GET", &query, "", b"").json();
                Proof {
                    index: found["leaf_index"].as_u64().unwrap(),
                    size,
                    root: hash(&head["sha256_root_hash"]),
                    path: found["audit_path"].as_array().unwrap().iter().map(hash).collect(),
                    checkpoint: None,
                }
            }
            Log::RekorV1 => {
                let index = acknowledged.proof.as_ref().unwrap().index;
                let found = http("GET", &format!("{url}/rekor/api/v1/log/entries?logIndex={index}"), "", b"");
                let (leaf, proof) = rekor_v1_answer(&found.json());
                assert_eq!(leaf, acknowledged.leaf);
                assert_eq!(proof.size, size);
                proof
            }
            Log::RekorV2 => {
                // Nothing is found by what it says there; but the log knows what it has.
                let address = format!("{url}{}", Log::RekorV2.write_path());
                let again = http("POST", &address, JSON, &acknowledged.request);
                let proof = acknowledged.proof.as_ref().unwrap();
                assert_eq!((again.status, again.header("x-log-index")), (409, Some(proof.index.to_string())));
                proof.clone()
            }
        }
    }

    fn request(&self, log: Log) -> Vec<u8> {
        let message = self.next.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let key = STANDARD.encode(self.key.verifying_key().spki_der());
        let signature = STANDARD.encode(self.key.sign(&message).unwrap());
        let request = match log {
            Log::Ct => {
                // A certificate is never the same as another: its serial number is random.
                let proof = self.key.sign(ALICE.as_bytes()).unwrap();
                json!({
                    "credentials": { "oidcIdentityToken": self.token },
                    "publicKeyRequest": {
                        "publicKey": { "algorithm": "ECDSA", "content": pem(&key) },
                        "proofOfPossession": STANDARD.encode(proof),
                    },
                })
            }
            Log::RekorV1 => json!({ "apiVersion": "0.0.1", "kind": "hashedrekord", "spec": {
                "data": { "hash": { "algorithm": "sha256", "value": Sha256Digest::of(&message).to_string() } },
                "signature": { "content": signature, "publicKey": { "content": STANDARD.encode(pem(&key)) } },
            }}),
            Log::RekorV2 => json!({ "hashedRekordRequestV002": {
                "digest": STANDARD.encode(Sha256Digest::of(&message)),
                "signature": {
                    "content": signature,
                    "verifier": { "publicKey": { "rawBytes": key }, "keyDetails": "PKIX_ECDSA_P256_SHA_256" },
                },
            }}),
        };
        request.to_string().into_bytes()
    }
}

fn pem(base64: &str) -> String {
    format!("-----BEGIN PUBLIC KEY-----\n{base64}\n-----END PUBLIC KEY-----\n")
}

fn form_value(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn rekor_v1_answer(answer: &Value) -> (Vec<u8>, Proof) {
    let (_, entry) = answer.as_object().unwrap().iter().next().unwrap();
    let leaf = STANDARD.decode(entry["body"].as_str().unwrap()).unwrap();
    (leaf, proof(&entry["verification"]["inclusionProof"]))
}

/// Rekor v1's numbers are numbers, protobuf's are strings.
fn proof(proof: &Value) -> Proof {
    let number = |value: &Value| value.as_u64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap());
    let checkpoint = &proof["checkpoint"];
    let checkpoint = checkpoint.as_str().or_else(|| checkpoint["envelope"].as_str()).unwrap();
    Proof {
        index: number(&proof["logIndex"]),
        size: number(&proof["treeSize"]),
        root: hash(&proof["rootHash"]),
        path: proof["hashes"].as_array().unwrap().iter().map(hash).collect(),
        checkpoint: Some(checkpoint.to_owned()),
    }
}

/// RFC 6962 §3.4: the leaf that the SCT in a certificate promises.
fn precertificate_leaf(answer: &Value) -> Vec<u8> {
    let chain = &answer["signedCertificateEmbeddedSct"]["chain"]["certificates"];
    let [leaf, issuer] = [0, 1].map(|position| Certificate::from_pem(chain[position].as_str().unwrap()).unwrap());
    let sct = SignedCertificateTimestamp::embedded_in(&leaf).unwrap().remove(0);
    let tbs = tbs_without_scts(&leaf).unwrap();
    let issuer_key_hash = issuer.public_key().unwrap().spki_sha256();
    let length = u32::try_from(tbs.len()).unwrap().to_be_bytes();
    const V1_TIMESTAMPED_ENTRY: &[u8] = &[0, 0];
    const PRECERT_ENTRY: &[u8] = &[0, 1];
    const NO_EXTENSIONS: &[u8] = &[0, 0];
    let timestamp = sct.timestamp_ms.to_be_bytes();
    [V1_TIMESTAMPED_ENTRY, &timestamp, PRECERT_ENTRY, issuer_key_hash.as_ref(), &length[1..], &tbs, NO_EXTENSIONS]
        .concat()
}

fn post(address: &str, body: &[u8]) -> Option<(u16, Vec<u8>)> {
    let (host, path) = address.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).ok()?;
    let head = format!(
        "POST /{path} HTTP/1.1\r\nHost: {host}\r\n{JSON}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).ok()?;
    let mut answer = Vec::new();
    // A reset after the answer is as good as an end.
    drop(stream.read_to_end(&mut answer));
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let status = std::str::from_utf8(&answer[..end]).unwrap().split(' ').nth(1)?.parse().ok()?;
    Some((status, answer[end + 4..].to_vec()))
}
