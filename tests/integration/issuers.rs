//! Logins at issuers that are not ours: dex as it was recorded, and one that promises `iss` (RFC 9207); and what follows a
//! login without a person.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};
use url::Url;
use waxseal::crypto::{ServiceKey, ServiceKeyKind, Sha256Digest};
use waxseal::identity_token::{JsonWebKeySet, sign_rs256};
use waxseal::oidc::{self, Flow, Login, LoginError, Obtained, RefreshToken};
use waxseal::services::event_loop::EventLoop;
use waxseal::services::http::{Http, Problem, ServiceError};
use waxseal::settings::Settings;
use waxseal::terminal::Terminal;

use super::sandbox::front::{Front, Reply, Request, reply};
use super::sandbox::{ALICE, Sandbox, WAXSEAL};

fn settings() -> Settings {
    Settings { browser: Some(format!("'{WAXSEAL}' follow-login")), ..Settings::default() }
}

fn log_in(issuer: &str, settings: &Settings) -> Result<Obtained, LoginError> {
    let login = Login { issuer, client_id: "sigstore", settings, account: None, limit: oidc::LOGIN_TIME };
    EventLoop::new().unwrap().run(login.interactive(&Http::default(), &Terminal::none()))
}

/// dex ab64ed77 as it answered in a recording, with a key of ours.
struct Dex {
    key: ServiceKey,
    /// What the authorization request asked for.
    asked: Mutex<Vec<(String, String)>>,
    /// Added to the discovery document.
    promises: Value,
    /// Added to the way back.
    iss: Option<String>,
    nonce: Option<&'static str>,
    /// In the place of the token endpoint's answer.
    token_answer: Option<Vec<u8>>,
}

impl Dex {
    fn new() -> Self {
        Self {
            key: ServiceKey::generate(ServiceKeyKind::Rsa2048).unwrap(),
            asked: Mutex::default(),
            promises: json!({}),
            iss: None,
            nonce: None,
            token_answer: None,
        }
    }

    fn start(self) -> (Arc<Self>, Front) {
        let dex = Arc::new(self);
        let server = Arc::clone(&dex);
        let front = Front::new("http://127.0.0.1:1", move |request| Reply::Bytes(server.answer(request)));
        (dex, front)
    }

    fn asked(&self, name: &str) -> Option<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    }

    fn answer(&self, request: &Request) -> Vec<u8> {
        let target = request.line.split(' ').nth(1).unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let issuer = format!("http://{}/auth", request.host);
        let ok =
            |document: &Value| reply("200 OK", "Content-Type: application/json\r\n", document.to_string().as_bytes());
        match path {
            "/auth/.well-known/openid-configuration" => ok(&self.discovery(&issuer)),
            "/auth/keys" => ok(&JsonWebKeySet::document(&self.key, KEY_ID).unwrap()),
            "/auth/auth" => {
                let pairs: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
                *self.asked.lock().unwrap() = pairs;
                let mut back = Url::parse(&self.asked("redirect_uri").unwrap()).unwrap();
                back.query_pairs_mut().append_pair("code", "zifrq3lcol74g4kal5y427lu3");
                back.query_pairs_mut().append_pair("state", &self.asked("state").unwrap());
                if let Some(iss) = &self.iss {
                    back.query_pairs_mut().append_pair("iss", iss);
                }
                reply("303 See Other", &format!("Location: {back}\r\n"), b"<a>See Other</a>.\n\n")
            }
            "/auth/token" if self.token_answer.is_some() => self.token_answer.clone().unwrap(),
            "/auth/token" => {
                let form: Vec<_> = url::form_urlencoded::parse(request.body()).into_owned().collect();
                let value = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
                let challenge = Sha256Digest::of(value("code_verifier").unwrap().as_bytes());
                let challenge = URL_SAFE_NO_PAD.encode(challenge);
                if Some(challenge) != self.asked("code_challenge") {
                    let refusal = json!({"error":"invalid_grant","error_description":"Invalid code_verifier."});
                    return reply("400 Bad Request", "", refusal.to_string().as_bytes());
                }
                assert_eq!(value("redirect_uri"), self.asked("redirect_uri").as_deref());
                assert_eq!(value("client_id"), Some("sigstore"));
                let token = self.id_token(&issuer, None);
                ok(&json!({
                    "access_token": token, "token_type": "bearer", "expires_in": 59,
                    "id_token": self.id_token(&issuer, Some(&token)),
                }))
            }
            _ => reply("404 Not Found", "", b"404 page not found\n"),
        }
    }

    fn discovery(&self, issuer: &str) -> Value {
        let mut document = json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/auth"),
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/keys"),
            "userinfo_endpoint": format!("{issuer}/userinfo"),
            "device_authorization_endpoint": format!("{issuer}/device/code"),
            "introspection_endpoint": format!("{issuer}/token/introspect"),
            "grant_types_supported":
                ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256", "plain"],
            "scopes_supported": ["openid", "email", "groups", "profile", "offline_access"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "claims_supported": ["iss", "sub", "aud", "iat", "exp", "email", "email_verified", "locale", "name",
                "preferred_username", "at_hash", "groups", "federated_claims"],
        });
        document.as_object_mut().unwrap().extend(self.promises.as_object().unwrap().clone());
        document
    }

    fn id_token(&self, issuer: &str, access_token: Option<&str>) -> String {
        let now = Timestamp::now().as_second();
        let over = Sha256Digest::of(access_token.unwrap_or("a random id").as_bytes());
        let nonce = self.nonce.map(str::to_owned).or_else(|| self.asked("nonce"));
        let claims = json!({
            "iss": issuer, "sub": "CgNmb28SA2Jhcg", "aud": "sigstore", "exp": now + 59, "iat": now,
            "nonce": nonce, "at_hash": URL_SAFE_NO_PAD.encode(&over.0[..16]),
            "email": "kilgore@kilgore.trout", "email_verified": true, "name": "Kilgore Trout",
        });
        sign_rs256(&claims, &self.key, KEY_ID).unwrap()
    }
}

const KEY_ID: &str = "a5dd896c4647651210116767777e8bf917ce9b94";

#[test]
fn dex_as_recorded() {
    let (dex, front) = Dex::new().start();
    let with_connector = Settings { connector_id: Some("https://github.com/login/oauth".to_owned()), ..settings() };
    let obtained = log_in(&format!("{}/auth", front.url), &with_connector).unwrap();
    assert_eq!(obtained.token.identity(), "kilgore@kilgore.trout");
    assert!(obtained.refresh_token.is_none() && obtained.flow == Flow::Browser);
    assert_eq!(dex.asked("connector_id").as_deref(), Some("https://github.com/login/oauth"));
    assert_eq!(dex.asked("scope").as_deref(), Some("openid email offline_access"));
    assert_eq!(dex.asked("code_challenge_method").as_deref(), Some("S256"));
    let redirect = dex.asked("redirect_uri").unwrap();
    assert!(redirect.starts_with("http://localhost:") && redirect.ends_with("/auth/callback"), "{redirect}");
    log_in(&format!("{}/auth", front.url), &settings()).unwrap();
    assert_eq!(dex.asked("connector_id"), None);
}

#[test]
fn an_issuer_that_promises_its_name_must_give_it() {
    let promise = || json!({ "authorization_response_iss_parameter_supported": true });
    let (_, front) = Dex { promises: promise(), ..Dex::new() }.start();
    let error = log_in(&format!("{}/auth", front.url), &settings()).unwrap_err();
    assert!(matches!(error, LoginError::UnnamedIssuer), "{error}");
    // A wrong one is wrong, promised or not.
    let (_, front) = Dex { iss: Some("https://evil.example".to_owned()), ..Dex::new() }.start();
    let error = log_in(&format!("{}/auth", front.url), &settings()).unwrap_err();
    assert!(matches!(&error, LoginError::OtherIssuer(issuer) if issuer == "https://evil.example"), "{error}");
}

#[test]
fn a_token_of_another_login() {
    let (_, front) = Dex { nonce: Some("of another login"), ..Dex::new() }.start();
    let error = log_in(&format!("{}/auth", front.url), &settings()).unwrap_err();
    assert!(matches!(error, LoginError::IdToken(_)), "{error}");
}

#[test]
fn what_is_no_error_of_oauth_is_not_told_as_one() {
    for (answer, status) in [
        (reply("429 Too Many Requests", "", br#"{"error":"too_many_requests"}"#), 429),
        (reply("400 Bad Request", "", b"<p>a proxy's page"), 400),
    ] {
        let (_, front) = Dex { token_answer: Some(answer), ..Dex::new() }.start();
        let error = log_in(&format!("{}/auth", front.url), &settings()).unwrap_err();
        let LoginError::Service(ServiceError { problem: Problem::Refused { status: told, .. }, .. }) = &error else {
            panic!("{error}")
        };
        assert_eq!(*told, status);
    }
}

#[test]
fn a_login_goes_on_without_a_person() {
    let sandbox = Sandbox::with_stack();
    let issuer = sandbox.issuer();
    let suggested = Settings { login_hint: Some(ALICE.to_owned()), ..settings() };
    let refresh = |token: &RefreshToken| {
        EventLoop::new().unwrap().run(oidc::refresh(&Http::default(), &issuer, "sigstore", token))
    };
    let first = log_in(&issuer, &suggested).unwrap();
    assert_eq!(first.token.identity(), ALICE);
    let mut token = first.refresh_token.unwrap();
    for _ in 0..2 {
        let next = refresh(&token).unwrap();
        assert_eq!((next.token.identity(), next.flow), (ALICE, Flow::Refresh));
        token = next.refresh_token.unwrap();
    }
    let error = refresh(&RefreshToken::new("made up".to_owned())).unwrap_err();
    assert!(matches!(&error, LoginError::Refused { error, .. } if error == "invalid_grant"), "{error}");
    assert_eq!(format!("{token:?}"), "RefreshToken");
}
