use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::Request;
use http::header::{CONTENT_TYPE, HOST};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::*;
use crate::crypto::{ServiceKey, ServiceKeyKind};
use crate::identity_token::{IdentityToken, sign_rs256};
use crate::instance::InstanceBounds;
use crate::stack::{Stack, StackOptions};
use crate::tlog::hashedrekord::{Verifier, pem};
use crate::trusted_root::{LogId, TrustedRoot};

const ISSUER: &str = "http://127.0.0.1:4711/oidc";

/// What a stack issued for Alice's key.
struct Issued {
    leaf: Certificate,
    key: SigningKey,
    claims: Claims,
    instance: Instance,
    now: Timestamp,
}

impl Issued {
    fn new() -> Self {
        let now = Timestamp::from_second(1_795_000_000).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let options = StackOptions::default();
        let stack = Stack::open(folder.path(), &"http://127.0.0.1:4711".parse().unwrap(), options, now).unwrap();
        let issuer_key = std::fs::read_to_string(folder.path().join("keys/oidc-issuer.pem")).unwrap();
        let issuer_key = ServiceKey::from_pkcs8_pem(ServiceKeyKind::Rsa2048, &issuer_key).unwrap();
        let claims = json!({ "iss": ISSUER, "sub": "1", "aud": "sigstore", "iat": now.as_second(),
            "exp": now.as_second() + 60, "email": "alice@example.org", "email_verified": true });
        let key_id = URL_SAFE_NO_PAD.encode(issuer_key.verifying_key().spki_sha256());
        let token = IdentityToken::parse(sign_rs256(&claims, &issuer_key, &key_id).unwrap()).unwrap();
        let key = SigningKey::generate();
        let body = json!({
            "credentials": { "oidcIdentityToken": token.expose() },
            "publicKeyRequest": {
                "publicKey": { "content": pem(Verifier::PublicKey(&key.public_key_der())) },
                "proofOfPossession": STANDARD.encode(key.sign(b"alice@example.org")),
            },
        });
        let request = Request::post("/api/v2/signingCert")
            .header(HOST, "127.0.0.1:4711")
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_string().into_bytes())
            .unwrap();
        let answer: Value = serde_json::from_slice(stack.handle(&request, now).body()).unwrap();
        let chain = &answer["signedCertificateEmbeddedSct"]["chain"]["certificates"];
        let instance = Instance {
            name: "own".parse().unwrap(),
            trusted_root: TrustedRoot::parse(stack.trusted_root()).unwrap(),
            signing_config: None,
            bounds: InstanceBounds::default(),
        };
        let leaf = Certificate::from_pem(chain[0].as_str().unwrap()).unwrap();
        Self { leaf, key, claims: token.claims().clone(), instance, now }
    }

    fn check(&self) -> Result<(), CertificateError> {
        check(self.leaf.clone(), &self.key, &self.claims, &self.instance, self.now).map(|_| ())
    }

    fn with(change: impl FnOnce(&mut Self)) -> Result<(), CertificateError> {
        let mut issued = Self::new();
        change(&mut issued);
        issued.check()
    }
}

#[test]
fn what_was_asked_for_is_taken() {
    assert_eq!(Issued::new().check(), Ok(()));
    assert_eq!(Issued::with(|issued| issued.now -= SignedDuration::from_mins(4)), Ok(()));
}

#[test]
fn another_s_key_name_or_issuer_is_not() {
    assert_eq!(Issued::with(|issued| issued.key = SigningKey::generate()), Err(CertificateError::OtherKey));
    let other_name = CertificateError::OtherName {
        certificate: "alice@example.org".to_owned(),
        token: "bob@example.org".to_owned(),
    };
    assert_eq!(Issued::with(|issued| issued.claims.email = Some("bob@example.org".to_owned())), Err(other_name));
    let other_issuer = CertificateError::OtherIssuer { certificate: ISSUER.to_owned(), token: "https://x".to_owned() };
    assert_eq!(Issued::with(|issued| issued.claims.issuer = "https://x".to_owned()), Err(other_issuer));
    let behind = Issued::with(|issued| {
        issued.claims.issuer = "https://x".to_owned();
        issued.claims.connector_id = Some(ISSUER.to_owned());
    });
    assert_eq!(behind, Ok(()));
    let bounded = Issued::with(|issued| issued.instance.bounds.oidc_issuers = Some(vec!["https://x".to_owned()]));
    let error = CertificateError::IssuerNotAdmitted { issuer: ISSUER.to_owned(), instance: "own".parse().unwrap() };
    assert_eq!(bounded, Err(error));
}

#[test]
fn what_the_trusted_root_does_not_bear_out_is_not() {
    let unknown = Issued::with(|issued| issued.instance.trusted_root.certificate_authorities.clear());
    assert!(matches!(unknown, Err(CertificateError::Path(PathError::UnknownAuthority { .. }))), "{unknown:?}");
    let outside = Issued::with(|issued| issued.now += SignedDuration::from_mins(11));
    assert!(matches!(outside, Err(CertificateError::Path(_))), "{outside:?}");
    let unlogged = Issued::with(|issued| issued.instance.trusted_root.ct_logs[0].log_id = LogId([0; 32]));
    assert!(matches!(unlogged, Err(CertificateError::Sct(SctError::UnknownLog(_)))), "{unlogged:?}");
}

#[test]
fn a_slow_clock_is_forgiven_and_a_wrong_one_is_named() {
    let issued = |seconds| Issued::with(|issued| issued.now -= SignedDuration::from_secs(seconds));
    assert!(issued(290).is_ok());
    assert!(matches!(issued(360), Err(CertificateError::Clock { .. })), "{:?}", issued(360));
}
