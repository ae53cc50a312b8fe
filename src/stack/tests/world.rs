//! A stack in a folder of its own, and the requests of its clients.

use super::*;

pub(super) struct World {
    pub(super) folder: TempDir,
    pub(super) stack: Stack,
    pub(super) now: Timestamp,
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: http::HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

pub(super) fn open(folder: &TempDir, now: Timestamp) -> Result<Stack, StackError> {
    let options = StackOptions { auto_login: vec!["alice@example.org".to_owned()], ..StackOptions::default() };
    Stack::open(folder.path(), &format!("http://{HERE}").parse().unwrap(), options, now)
}

impl World {
    pub(super) fn new() -> Self {
        let now = Timestamp::from_millisecond(1_795_000_000_789).unwrap();
        let folder = tempfile::tempdir().unwrap();
        Self { stack: open(&folder, now).unwrap(), folder, now }
    }

    pub(super) fn restart(self) -> Self {
        let Self { folder, stack, now } = self;
        drop(stack);
        Self { stack: open(&folder, now).unwrap(), folder, now }
    }

    pub(super) fn ask(&self, request: Request<Vec<u8>>) -> Answer {
        let (head, body) = self.stack.handle(&request, self.now).into_parts();
        assert_eq!(head.extensions.get::<Fault>(), None);
        Answer { status: head.status.as_u16(), headers: head.headers, body }
    }

    pub(super) fn get(&self, path: &str) -> Answer {
        self.ask(Request::get(path).header(HOST, HERE).body(Vec::new()).unwrap())
    }

    pub(super) fn post(&self, path: &str, content_type: &str, body: &[u8]) -> Answer {
        let request = Request::post(path).header(HOST, HERE).header(CONTENT_TYPE, content_type);
        self.ask(request.body(body.to_vec()).unwrap())
    }

    pub(super) fn post_json(&self, path: &str, body: &Value) -> Answer {
        self.post(path, "application/json", body.to_string().as_bytes())
    }

    /// Walks the login as a browser and a client do.
    pub(super) fn log_in(&self) -> Value {
        let verifier = URL_SAFE_NO_PAD.encode([7; 32]);
        let challenge = URL_SAFE_NO_PAD.encode(Sha256Digest::of(verifier.as_bytes()));
        let query = form(&[
            ("client_id", "sigstore"),
            ("response_type", "code"),
            ("scope", "openid email"),
            ("redirect_uri", CALLBACK),
            ("state", "STATE"),
            ("nonce", "NONCE"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        let answer = self.get(&format!("/oidc/auth?{query}"));
        assert_eq!(answer.status, 303);
        let location = url::Url::parse(answer.headers[LOCATION].to_str().unwrap()).unwrap();
        let code = location.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
        let body = form(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", CALLBACK),
            ("client_id", "sigstore"),
            ("code_verifier", &verifier),
        ]);
        let answer = self.post("/oidc/token", "application/x-www-form-urlencoded", body.as_bytes());
        assert_eq!((answer.status, answer.headers["cache-control"].to_str().unwrap()), (200, "no-store"));
        answer.json()
    }

    pub(super) fn token(&self) -> String {
        self.log_in()["id_token"].as_str().unwrap().to_owned()
    }

    /// A token with one claim changed, signed by the stack's own key.
    pub(super) fn token_with(&self, claim: &str, value: Value) -> String {
        let token = self.token();
        let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        let mut claims: Value = serde_json::from_slice(&claims).unwrap();
        claims[claim] = value;
        let key = std::fs::read_to_string(self.folder.path().join("keys/oidc-issuer.pem")).unwrap();
        let key = ServiceKey::from_pkcs8_pem(ServiceKeyKind::Rsa2048, &key).unwrap();
        sign_rs256(&claims, &key, &URL_SAFE_NO_PAD.encode(key.verifying_key().spki_sha256())).unwrap()
    }

    pub(super) fn certificate_for(&self, key: &SigningKey) -> Vec<Certificate> {
        let answer = self.post_json("/api/v2/signingCert", &certificate_request(&self.token(), key));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let chain = &answer.json()["signedCertificateEmbeddedSct"]["chain"]["certificates"];
        let chain = chain.as_array().unwrap().iter().map(|pem| {
            assert!(pem.as_str().unwrap().ends_with("-----END CERTIFICATE-----"));
            Certificate::from_pem(pem.as_str().unwrap()).unwrap()
        });
        chain.collect()
    }

    pub(super) fn trusted_root(&self) -> TrustedRoot {
        TrustedRoot::parse(&self.get("/trust/trusted_root.json").body).unwrap()
    }

    pub(super) fn assert_consistent(&self) {
        self.stack.ct_log.assert_consistent();
        self.stack.transparency_log.assert_consistent();
        self.stack.tile_log.assert_consistent();
    }
}

pub(super) fn form(members: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(members).finish()
}

pub(super) fn certificate_request(token: &str, key: &SigningKey) -> Value {
    let content = pem(Verifier::PublicKey(&key.public_key_der()));
    json!({
        "credentials": { "oidcIdentityToken": token },
        "publicKeyRequest": {
            "publicKey": { "algorithm": "ECDSA", "content": content },
            "proofOfPossession": STANDARD.encode(key.sign(b"alice@example.org")),
        },
        "aMemberThatNobodyKnows": 1,
    })
}

pub(super) fn proposal(message: &[u8], key: &SigningKey, leaf: &Certificate) -> Vec<u8> {
    canonical_body(&Sha256Digest::of(message), &key.sign(message), Verifier::Certificate(leaf.der()))
}
