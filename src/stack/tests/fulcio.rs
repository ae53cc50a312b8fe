//! The certificate authority as Fulcio's clients see it: both APIs, both forms of request, every error body.

use der::asn1::{BitString, SetOfVec};
use der::{Decode as _, Encode as _};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::request::{CertReq, CertReqInfo, Version};

use super::*;
use crate::crypto::KeyKind;

const BAD_KEY: &str = "The public key supplied in the request could not be parsed";
const BAD_PROOF: &str = "The signature supplied in the request could not be verified";
const BAD_REQUEST: &str = "The certificate signing request could not be parsed";
const BAD_TOKEN: &str = "There was an error processing the identity token";

/// Base64 of PEM, as sigstore-python sends it.
fn signing_request(key: &ServiceKey, signed_with: &ServiceKey, algorithm: &str) -> String {
    let info = CertReqInfo {
        version: Version::V1,
        subject: x509_cert::name::Name::default(),
        public_key: SubjectPublicKeyInfoOwned::from_der(key.verifying_key().spki_der()).unwrap(),
        attributes: SetOfVec::new(),
    };
    let signature = signed_with.sign(&info.to_der().unwrap()).unwrap();
    let request = CertReq {
        info,
        algorithm: AlgorithmIdentifierOwned { oid: algorithm.parse().unwrap(), parameters: None },
        signature: BitString::from_bytes(&signature).unwrap(),
    };
    let body = der::pem::encode_string("CERTIFICATE REQUEST", der::pem::LineEnding::LF, &request.to_der().unwrap());
    STANDARD.encode(body.unwrap())
}

const ECDSA_SHA256: &str = "1.2.840.10045.4.3.2";
const ECDSA_SHA384: &str = "1.2.840.10045.4.3.3";

impl World {
    fn post_with_bearer(&self, path: &str, token: &str, body: &Value) -> Answer {
        let request = Request::post(path).header(HOST, HERE).header(AUTHORIZATION, format!("Bearer {token}"));
        self.ask(request.body(body.to_string().into_bytes()).unwrap())
    }
}

fn assert_refused(answer: &Answer, message: &str) {
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert_eq!(answer.json(), json!({"code": 3, "message": message, "details": []}));
}

#[test]
fn a_signing_request_will_do_instead_of_key_and_proof() {
    let world = World::new();
    for (kind, algorithm) in [
        (ServiceKeyKind::EcdsaP256, ECDSA_SHA256),
        (ServiceKeyKind::EcdsaP384, ECDSA_SHA384),
        (ServiceKeyKind::Ed25519, "1.3.101.112"),
        (ServiceKeyKind::Rsa2048, "1.2.840.113549.1.1.11"),
    ] {
        let key = ServiceKey::generate(kind).unwrap();
        let body = json!({ "certificateSigningRequest": signing_request(&key, &key, algorithm) });
        let answer = world.post_with_bearer("/api/v2/signingCert", &world.token(), &body);
        assert_eq!(answer.status, 200, "{kind:?} {}", answer.text());
        let leaf = answer.json()["signedCertificateEmbeddedSct"]["chain"]["certificates"][0].clone();
        let leaf = Certificate::from_pem(leaf.as_str().unwrap()).unwrap();
        assert_eq!(leaf.public_key().unwrap(), *key.verifying_key());
        let claims = SigningCertificate::read(leaf).unwrap().claims().clone();
        assert_eq!(claims.san, SubjectAlternativeName::Email("alice@example.org".to_owned()));
        let answer = world.post_with_bearer("/api/v1/signingCert", &world.token(), &body);
        assert_eq!(answer.status, 201, "{kind:?} {}", answer.text());
    }
    world.assert_consistent();
}

#[test]
fn a_signing_request_that_is_not_right() {
    let world = World::new();
    let key = ServiceKey::generate(ServiceKeyKind::EcdsaP256).unwrap();
    let other = ServiceKey::generate(ServiceKeyKind::EcdsaP256).unwrap();
    let refused = |request: String, message: &str| {
        let body = json!({ "certificateSigningRequest": request });
        assert_refused(&world.post_with_bearer("/api/v2/signingCert", &world.token(), &body), message);
        assert_refused(&world.post_with_bearer("/api/v1/signingCert", &world.token(), &body), message);
    };
    refused(signing_request(&key, &other, ECDSA_SHA256), BAD_PROOF);
    refused(signing_request(&key, &key, ECDSA_SHA384), &format!("signing algorithm not permitted: {ECDSA_SHA384}"));
    refused("AAAA".to_owned(), BAD_REQUEST);
    refused("!".to_owned(), BAD_REQUEST);
    refused(STANDARD.encode(pem(Verifier::PublicKey(key.verifying_key().spki_der()))), BAD_REQUEST);
}

#[test]
fn the_legacy_api_answers_with_a_pem_chain() {
    let world = World::new();
    let key = SigningKey::generate();
    let pem_key = pem(Verifier::PublicKey(&key.public_key_der()));
    for content in [STANDARD.encode(key.public_key_der()), STANDARD.encode(pem_key)] {
        let body = json!({
            "publicKey": { "content": content, "algorithm": "ecdsa" },
            "signedEmailAddress": STANDARD.encode(key.sign(b"alice@example.org")),
        });
        let answer = world.post_with_bearer("/api/v1/signingCert", &world.token(), &body);
        assert_eq!(answer.status, 201, "{}", answer.text());
        assert_eq!(answer.headers[CONTENT_TYPE], "application/pem-certificate-chain");
        let leaf = Certificate::from_pem(answer.text()).unwrap();
        assert_eq!(leaf.public_key().unwrap(), key.verifying_key());
        let root_certificates = world.get("/api/v1/rootCert");
        assert_eq!(root_certificates.headers[CONTENT_TYPE], "application/pem-certificate-chain");
        assert!(answer.text().ends_with(root_certificates.text()));
        assert_eq!(answer.text().matches("BEGIN CERTIFICATE").count(), 3);
    }
}

#[test]
fn the_legacy_api_refuses_as_the_other_does() {
    let world = World::new();
    let key = SigningKey::generate();
    let body = json!({
        "publicKey": { "content": STANDARD.encode(key.public_key_der()) },
        "signedEmailAddress": STANDARD.encode(key.sign(b"alice@example.org")),
    });
    let with = |member: &str, value: Value| {
        let mut body = body.clone();
        body[member] = value;
        world.post_with_bearer("/api/v1/signingCert", &world.token(), &body)
    };
    assert_refused(&world.post_json("/api/v1/signingCert", &body), BAD_TOKEN);
    assert_refused(&world.post_with_bearer("/api/v1/signingCert", "garbage", &body), BAD_TOKEN);
    assert_refused(&with("publicKey", Value::Null), BAD_KEY);
    assert_refused(&with("publicKey", json!({ "content": "AAAA" })), BAD_KEY);
    assert_refused(&with("signedEmailAddress", json!("eA==")), BAD_PROOF);
    assert_refused(&world.post("/api/v1/signingCert", "application/json", b"{"), "unexpected EOF");
    assert_eq!(world.get("/api/v1/signingCert").status, 501);
}

#[test]
fn a_curve_that_fulcio_does_not_take() {
    // secp256k1, from the recorded exchanges with Fulcio.
    let world = World::new();
    let mut request = certificate_request(&world.token(), &SigningKey::generate());
    request["publicKeyRequest"]["publicKey"]["content"] = "-----BEGIN PUBLIC KEY-----\n\
        MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAElBu2bwY5ugRwI7ItcvnI7ZogtIxx/aob\n\
        ZC51GjXse1CsE/RWpc2k4g1+Jb1X3of9T6YvzDft6Xn925LTw7HpBA==\n-----END PUBLIC KEY-----\n"
        .into();
    assert_refused(&world.post_json("/api/v2/signingCert", &request), BAD_KEY);
    request["publicKeyRequest"]["publicKey"]["content"] = pem(Verifier::PublicKey(&[0x30, 0])).into();
    assert_refused(&world.post_json("/api/v2/signingCert", &request), BAD_KEY);
    request["certificateSigningRequest"] = "AAAA".into();
    assert_refused(&world.post_json("/api/v2/signingCert", &request), BAD_KEY);
}

#[test]
fn what_is_trusted_and_whose_tokens_are_taken() {
    let world = World::new();
    let bundle = world.get("/api/v2/trustBundle").json();
    let chain = bundle["chains"][0]["certificates"].as_array().unwrap();
    let chain: Vec<_> = chain.iter().map(|pem| Certificate::from_pem(pem.as_str().unwrap()).unwrap()).collect();
    let trusted = &world.trusted_root().certificate_authorities[0].chain;
    assert_eq!(chain.iter().map(|certificate| certificate.der().to_vec()).collect::<Vec<_>>(), *trusted);
    assert_eq!(chain[0].public_key().unwrap().kind(), KeyKind::EcdsaP384);
    let issuer = json!({
        "issuerUrl": format!("http://{HERE}/oidc"), "audience": "sigstore", "challengeClaim": "email",
        "spiffeTrustDomain": "", "issuerType": "email", "subjectDomain": "", "skipEmailVerification": false,
    });
    assert_eq!(world.get("/api/v2/configuration").json(), json!({ "issuers": [issuer] }));
    for path in ["/api/v2/trustBundle", "/api/v2/configuration", "/api/v1/rootCert"] {
        assert_eq!(world.post(path, "application/json", b"{}").status, 501, "{path}");
    }
}
