use std::sync::LazyLock;

use super::*;
use crate::crypto::ServiceKeyKind;
use crate::identity_token::verify_rs256;

static KEY: LazyLock<String> =
    LazyLock::new(|| ServiceKey::generate(ServiceKeyKind::Rsa2048).unwrap().to_pkcs8_pem().unwrap().to_string());

const ISSUER: &str = "http://127.0.0.1:1/oidc";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const CALLBACK: &str = "http://localhost:39911/auth/callback";

fn issuer(auto_login: &[&str]) -> OidcIssuer {
    let key = ServiceKey::from_pkcs8_pem(ServiceKeyKind::Rsa2048, &KEY).unwrap();
    OidcIssuer::new(ISSUER.to_owned(), key, auto_login.iter().map(|&email| email.to_owned()).collect()).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn encode(parameters: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish()
}

fn request(changes: &[(&str, &str)]) -> String {
    let mut parameters = vec![
        ("client_id", "sigstore"),
        ("response_type", "code"),
        ("scope", "openid email"),
        ("redirect_uri", CALLBACK),
        ("state", "STATE"),
        ("nonce", "NONCE"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    parameters.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    parameters.extend(changes.iter().filter(|(_, value)| *value != "-"));
    encode(&parameters)
}

fn query(redirect: &RedirectUri) -> HashMap<String, String> {
    let RedirectUri::Loopback { url, .. } = redirect else { panic!("{redirect:?}") };
    assert!(url.as_str().starts_with(CALLBACK), "{url}");
    url.query_pairs().into_owned().collect()
}

fn code(issuer: &OidcIssuer, changes: &[(&str, &str)]) -> String {
    query(&issuer.authorize(&request(changes), at(1000)).unwrap()).remove("code").unwrap()
}

fn form(code: &str) -> Vec<(&str, &str)> {
    vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("client_id", "sigstore"),
        ("code_verifier", VERIFIER),
    ]
}

#[test]
fn a_login_ends_with_tokens_that_verify() {
    let issuer = issuer(&["alice@example.org", "bob@example.org"]);
    let answer = query(&issuer.authorize(&request(&[("login_hint", "bob@example.org")]), at(1000)).unwrap());
    assert_eq!(answer["state"], "STATE");
    assert_eq!(answer["iss"], ISSUER);
    let tokens = issuer.token(&encode(&form(&answer["code"])), None, at(1001)).unwrap();
    assert_eq!(tokens["token_type"], "bearer");
    for (token, nonce) in [("id_token", Some("NONCE")), ("access_token", None)] {
        let claims = verify_rs256(tokens[token].as_str().unwrap(), issuer.keys(), ISSUER, CLIENT_ID, at(1600)).unwrap();
        assert_eq!(claims.identity(), "bob@example.org");
        assert_ne!(claims.subject, "bob@example.org");
        assert_eq!(claims.nonce.as_deref(), nonce);
        assert_eq!(claims.expires_at, at(1601));
    }
}

#[test]
fn without_a_hint_the_first_address_is_logged_in() {
    let issuer = issuer(&["alice@example.org", "bob@example.org"]);
    let code = code(&issuer, &[]);
    let tokens = issuer.token(&encode(&form(&code)), None, at(1001)).unwrap();
    let claims = verify_rs256(tokens["id_token"].as_str().unwrap(), issuer.keys(), ISSUER, CLIENT_ID, at(1001));
    assert_eq!(claims.unwrap().identity(), "alice@example.org");
}

#[test]
fn the_client_is_told_by_redirection() {
    let alice = issuer(&["alice@example.org"]);
    for (changes, error) in [
        (&[("response_type", "token")][..], "unsupported_response_type"),
        (&[("scope", "openid nonsense")], "invalid_scope"),
        (&[("scope", "email")], "invalid_scope"),
        (&[("code_challenge", "-")], "invalid_request"),
        (&[("code_challenge_method", "plain")], "invalid_request"),
        (&[("code_challenge_method", "-")], "invalid_request"),
        (&[("code_challenge", "short")], "invalid_request"),
        (&[("login_hint", "mallory@example.org")], "access_denied"),
    ] {
        let Err(AuthorizationError::Redirect(to)) = alice.authorize(&request(changes), at(1000)) else {
            panic!("{changes:?}")
        };
        assert_eq!(query(&to)["error"], error, "{changes:?}");
        assert_eq!(query(&to)["state"], "STATE");
        assert!(!query(&to).contains_key("code"));
    }
    let Err(AuthorizationError::Redirect(to)) = issuer(&[]).authorize(&request(&[]), at(1000)) else { panic!() };
    assert_eq!(query(&to)["error"], "access_denied");
}

#[test]
fn nobody_is_redirected_to_where_the_client_does_not_live() {
    let issuer = issuer(&["alice@example.org"]);
    for (changes, sentence) in [
        (("client_id", "nobody"), "Invalid client_id provided."),
        (("redirect_uri", "http://evil.example/cb"), "Unregistered redirect_uri."),
        (("redirect_uri", "-"), "Unregistered redirect_uri."),
    ] {
        let refused = issuer.authorize(&request(&[changes]), at(1000));
        assert_eq!(refused, Err(AuthorizationError::Page(sentence)));
    }
    let twice = format!("{}&redirect_uri=http://localhost", request(&[]));
    assert_eq!(issuer.authorize(&twice, at(1000)), Err(AuthorizationError::Page("A parameter stands twice.")));
}

#[test]
fn the_query_of_the_redirection_address_is_kept() {
    let issuer = issuer(&["alice@example.org"]);
    let callback = format!("{CALLBACK}?own=1");
    let RedirectUri::Loopback { url, .. } =
        issuer.authorize(&request(&[("redirect_uri", &callback)]), at(1000)).unwrap()
    else {
        panic!()
    };
    assert!(url.as_str().starts_with(&format!("{callback}&code=")), "{url}");
    let shown = issuer.authorize(&request(&[("redirect_uri", "urn:ietf:wg:oauth:2.0:oob")]), at(1000)).unwrap();
    assert!(matches!(shown, RedirectUri::OutOfBand(Some(_))));
}

#[test]
fn a_code_is_good_once() {
    let issuer = issuer(&["alice@example.org"]);
    let code = code(&issuer, &[]);
    let other_verifier = "x".repeat(43);
    let changed = |name: &str, value: &str| {
        let mut form = form(&code);
        form.retain(|(member, _)| *member != name);
        if value != "-" {
            form.push((name, value));
        }
        issuer.token(&encode(&form), None, at(1001)).map(|_| ())
    };
    assert_eq!(changed("code_verifier", &other_verifier), Err(TokenError::InvalidCodeVerifier));
    assert_eq!(changed("code_verifier", "short"), Err(TokenError::InvalidCodeVerifier));
    assert_eq!(changed("code_verifier", "-"), Err(TokenError::InvalidCode));
    assert_eq!(changed("redirect_uri", "http://localhost:1/x"), Err(TokenError::InvalidCode));
    assert_eq!(changed("code", "nope"), Err(TokenError::InvalidCode));
    assert_eq!(changed("client_id", "nobody"), Err(TokenError::InvalidClient { by_basic: false }));
    assert_eq!(changed("client_secret", "x"), Err(TokenError::InvalidClient { by_basic: false }));
    assert_eq!(changed("grant_type", "password"), Err(TokenError::UnsupportedGrantType));
    assert_eq!(changed("grant_type", "-"), Err(TokenError::InvalidRequest("grant_type is missing")));
    assert_eq!(changed("state", "x"), Ok(()), "after all of that the code is still good, once");
    assert_eq!(changed("state", "x"), Err(TokenError::InvalidCode));
}

#[test]
fn a_code_expires() {
    let issuer = issuer(&["alice@example.org"]);
    let form_at = |at| issuer.token(&encode(&form(&code(&issuer, &[]))), None, at).map(|_| ());
    assert_eq!(form_at(at(1599)), Ok(()));
    assert_eq!(form_at(at(1600)), Err(TokenError::InvalidCode));
}

#[test]
fn basic_with_an_empty_secret_is_the_public_client() {
    let issuer = issuer(&["alice@example.org"]);
    let code = code(&issuer, &[]);
    let mut form = form(&code);
    form.retain(|(member, _)| *member != "client_id");
    let with = |id: &str, secret: &str| {
        issuer.token(&encode(&form), Some((id.to_owned(), secret.to_owned())), at(1001)).map(|_| ())
    };
    assert_eq!(with("nobody", ""), Err(TokenError::InvalidClient { by_basic: true }));
    assert_eq!(with("sigstore", "x"), Err(TokenError::InvalidClient { by_basic: true }));
    assert_eq!(with("sigstore", ""), Ok(()));
}

#[test]
fn vectors() {
    assert_eq!(code_challenge(VERIFIER).as_deref(), Some(CHALLENGE));
    let access_token = "ya29.CjHSA1l5WUn8xZ6HanHFzzdHdbXm-14rxnC7JHch9eFIsZkQEGoWzaYG4o7k5f6BnPLj";
    assert_eq!(at_hash(access_token), "piwt8oCH-K2D9pXlaS1Y-w");
}
