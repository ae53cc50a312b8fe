//! One stack for all requests, and what every answer must be.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, LOCATION};
use http::{Method, Request, Response};
use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;
use waxseal::crypto::{ServiceKey, ServiceKeyKind, Sha256Digest};
use waxseal::stack::{Fault, Stack, StackOptions};
use waxseal::x509::Certificate;

use super::seeds::{CODE_VERIFIER, certificate_request};

pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
pub(crate) const JSON: &str = "application/json";
pub(crate) const REDIRECT: &str = "http://localhost:39911/auth/callback";
pub(crate) const EMAIL: &str = "alice@example.org";

/// A stack, and what it gave to Alice: seeds name these, for they are new each time.
pub(crate) struct Served {
    stack: Stack,
    pub(crate) token: String,
    /// Leaf, intermediate, root.
    pub(crate) chain: Vec<Certificate>,
    oidc_key: ServiceKey,
    /// Removed with the process's other files in the temporary folder at the latest.
    _folder: TempDir,
}

pub(crate) static SERVED: LazyLock<Served> = LazyLock::new(Served::new);

impl Served {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = StackOptions { auto_login: vec![EMAIL.to_owned()], ..StackOptions::default() };
        let url = format!("http://{HERE}").parse().unwrap();
        let stack = Stack::open(folder.path(), &url, options, now()).unwrap();
        let key = std::fs::read_to_string(folder.path().join("keys/oidc-issuer.pem")).unwrap();
        let oidc_key = ServiceKey::from_pkcs8_pem(ServiceKeyKind::Rsa2048, &key).unwrap();
        let mut served = Self { stack, token: String::new(), chain: Vec::new(), oidc_key, _folder: folder };
        served.token = served.log_in();
        let request = certificate_request().replace("TOKEN", &served.token);
        let answer = served.send(Method::POST, "/api/v2/signingCert", JSON, &[], request.as_bytes()).unwrap();
        assert_eq!(answer.status(), 200, "{}", String::from_utf8_lossy(answer.body()));
        let answer: Value = serde_json::from_slice(answer.body()).unwrap();
        let chain = answer["signedCertificateEmbeddedSct"]["chain"]["certificates"].as_array().unwrap();
        served.chain = chain.iter().map(|pem| Certificate::from_pem(pem.as_str().unwrap()).unwrap()).collect();
        served
    }

    /// Sends a request, if it is one, and demands that it was answered without a fault of the stack's own.
    pub(crate) fn send(
        &self,
        method: Method,
        target: &str,
        content_type: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Option<Response<Vec<u8>>> {
        let mut request = Request::builder().method(method).uri(target).header(HOST, HERE);
        if !content_type.is_empty() {
            request = request.header(CONTENT_TYPE, content_type);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = self.stack.handle(&request.body(body.to_vec()).ok()?, now());
        let (status, fault) = (answer.status().as_u16(), answer.extensions().get::<Fault>());
        // 500: Rekor v1 on broken JSON. 501: a method that Rekor v2 has not. 503: too many device logins are open.
        assert!(status < 500 || [500, 501, 503].contains(&status), "{target}: {status}");
        assert!(fault.is_none(), "{target}: {status} {fault:?}");
        let head = answer.headers();
        let is_json = head.get(CONTENT_TYPE).is_some_and(|value| value == JSON);
        assert!(!is_json || serde_json::from_slice::<Value>(answer.body()).is_ok(), "{target}: not JSON");
        Some(answer)
    }

    pub(crate) fn post(&self, target: &str, content_type: &str, body: &[u8]) {
        drop(self.send(Method::POST, target, content_type, &[], body));
    }

    /// Replaces the names of what is new each time.
    pub(crate) fn fill_in(&self, data: &[u8]) -> Vec<u8> {
        let base64 = |position: usize| STANDARD.encode(self.chain[position].der());
        let mut text = data.to_vec();
        for (name, value) in
            [("TOKEN", self.token.clone()), ("LEAF", base64(0)), ("INTERMEDIATE", base64(1)), ("ROOT", base64(2))]
        {
            text = replace(&text, name.as_bytes(), value.as_bytes());
        }
        text
    }

    /// An ID token with these claims, signed by the stack's issuer.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let key_id = URL_SAFE_NO_PAD.encode(self.oidc_key.verifying_key().spki_sha256());
        waxseal::identity_token::sign_rs256(claims, &self.oidc_key, &key_id).unwrap()
    }

    fn log_in(&self) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256Digest::of(CODE_VERIFIER.as_bytes()));
        let query = form(&[
            ("client_id", "sigstore"),
            ("response_type", "code"),
            ("scope", "openid email"),
            ("redirect_uri", REDIRECT),
            ("state", "STATE"),
            ("nonce", "NONCE"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        let answer = self.send(Method::GET, &format!("/oidc/auth?{query}"), "", &[], b"").unwrap();
        let location = url::Url::parse(answer.headers()[LOCATION].to_str().unwrap()).unwrap();
        let code = location.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
        let body = form(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", REDIRECT),
            ("client_id", "sigstore"),
            ("code_verifier", CODE_VERIFIER),
        ]);
        let answer = self.send(Method::POST, "/oidc/token", FORM, &[], body.as_bytes()).unwrap();
        let answer: Value = serde_json::from_slice(answer.body()).unwrap();
        answer["id_token"].as_str().unwrap().to_owned()
    }
}

pub(crate) fn bearer(token: &str) -> [(&'static str, String); 1] {
    [(AUTHORIZATION.as_str(), format!("Bearer {token}"))]
}

pub(crate) fn form(members: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(members).finish()
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(1_795_000_000).unwrap()
}

/// A target of printable bytes as they are, the others encoded: so that every input is a request.
pub(crate) fn target(data: &[u8]) -> String {
    let mut target = String::new();
    for byte in data {
        match byte {
            b'!' | b'$'..=b';' | b'=' | b'?'..=b'_' | b'a'..=b'z' | b'~' => target.push(char::from(*byte)),
            _ => target.push_str(&format!("%{byte:02X}")),
        }
    }
    target
}

fn replace(text: &[u8], name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut replaced = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.windows(name.len()).position(|window| window == name) {
        replaced.extend_from_slice(&rest[..at]);
        replaced.extend_from_slice(value);
        rest = &rest[at + name.len()..];
    }
    replaced.extend_from_slice(rest);
    replaced
}

const HERE: &str = "127.0.0.1:4711";
