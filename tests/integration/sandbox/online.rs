//! A signer that does as gitsign does in its online mode: the signature carries no log entry, and the log gets a second
//! signature, over the name of the finished object.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::json;
use waxseal::cms::armor;
use waxseal::cms::attributes::SignedAttributes;
use waxseal::crypto::{Sha256Digest, SigningKey};
use waxseal::evidence::LoggedName;
use waxseal::git::{HashKind, ObjectKind, signed_bytes};
use waxseal::signature;
use waxseal::tlog::hashedrekord::{Verifier, canonical_body, pem};
use waxseal::x509::Certificate;

use super::{Sandbox, http};

/// A key with its certificate.
pub(crate) struct OnlineSigner {
    pub(crate) key: SigningKey,
    pub(crate) certificate: Certificate,
}

impl OnlineSigner {
    /// A new key, certified by the sandbox's stack.
    pub(crate) fn new(sandbox: &Sandbox, address: &str) -> Self {
        let key = SigningKey::generate();
        let request = json!({ "publicKeyRequest": {
            "publicKey": { "algorithm": "ECDSA", "content": pem(Verifier::PublicKey(&key.public_key_der())) },
            "proofOfPossession": STANDARD.encode(key.sign(address.as_bytes())),
        } });
        let headers = format!("Authorization: Bearer {}\r\nContent-Type: application/json\r\n", sandbox.token(address));
        let url = format!("{}/api/v2/signingCert", sandbox.url());
        let answer = http("POST", &url, &headers, request.to_string().as_bytes()).json();
        let leaf = &answer["signedCertificateEmbeddedSct"]["chain"]["certificates"][0];
        let certificate = Certificate::from_pem(leaf.as_str().unwrap()).unwrap();
        Self { key, certificate }
    }

    /// The armored signature over `payload`.
    pub(crate) fn sign(&self, payload: &[u8]) -> String {
        let attributes = SignedAttributes::for_payload(payload, Timestamp::now()).unwrap();
        let signature = self.key.sign(attributes.message());
        armor::encode(&signature::git::seal(&attributes, &self.certificate, &signature, None, &[]).unwrap())
    }

    /// Has a signature over `message` logged by the Rekor at `base`; returns its answer.
    pub(crate) fn log(&self, base: &str, message: &[u8]) -> Vec<u8> {
        let verifier = Verifier::Certificate(self.certificate.der());
        let body = canonical_body(&Sha256Digest::of(message), &self.key.sign(message), verifier);
        let answer = http("POST", &format!("{base}/api/v1/log/entries"), super::JSON, &body);
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.body
    }

    /// A commit with this message on top of HEAD, signed but not logged. Its id, and its name in the log.
    pub(crate) fn unlogged_commit(&self, sandbox: &Sandbox, message: &str) -> (String, LoggedName) {
        sandbox.git(["commit", "-q", "--allow-empty", "--no-gpg-sign", "-m", message]).success();
        let payload = sandbox.git(["cat-file", "commit", "HEAD"]).success().stdout;
        let (raw, name) = self.finished(ObjectKind::Commit, HashKind::Sha1, &payload);
        let id = sandbox.hash_object("commit", &raw);
        assert_eq!(id, name.as_str());
        sandbox.git(["reset", "-q", "--soft", &id]).success();
        (id, name)
    }

    /// The same, logged as well. Its id.
    pub(crate) fn commit(&self, sandbox: &Sandbox, message: &str) -> String {
        let (id, name) = self.unlogged_commit(sandbox, message);
        self.log(&format!("{}/rekor", sandbox.url()), name.as_str().as_bytes());
        id
    }

    /// The bytes of the finished object, and what is to be logged of it.
    pub(crate) fn finished(&self, kind: ObjectKind, hash: HashKind, payload: &[u8]) -> (Vec<u8>, LoggedName) {
        let armor = self.sign(payload);
        let name = LoggedName::of(payload, armor.as_bytes()).unwrap();
        (signed_bytes(kind, hash, payload, armor.as_bytes()).unwrap(), name)
    }
}
