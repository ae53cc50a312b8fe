use std::sync::LazyLock;

use std::net::{IpAddr, Ipv4Addr};

use super::token::code_challenge;
use super::*;
use crate::crypto::ServiceKeyKind;
use crate::identity_token::verify_rs256;
use crate::stack::data_folder::REFRESH_TOKENS;

static KEY: LazyLock<String> =
    LazyLock::new(|| ServiceKey::generate(ServiceKeyKind::Rsa2048).unwrap().to_pkcs8_pem().unwrap().to_string());

const ISSUER: &str = "http://127.0.0.1:1/oidc";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const CALLBACK: &str = "http://localhost:39911/auth/callback";

/// An issuer with its folder, and what a browser and a client do there.
struct World {
    issuer: OidcIssuer,
    folder: tempfile::TempDir,
}

impl std::ops::Deref for World {
    type Target = OidcIssuer;

    fn deref(&self) -> &OidcIssuer {
        &self.issuer
    }
}

fn open(folder: &std::path::Path, auto_login: &[&str]) -> OidcIssuer {
    let key = ServiceKey::from_pkcs8_pem(ServiceKeyKind::Rsa2048, &KEY).unwrap();
    let options = IssuerOptions {
        auto_login: auto_login.iter().map(|&email| email.to_owned()).collect(),
        accounts: AccountFile::in_folder(folder),
        refresh_tokens: folder.join(REFRESH_TOKENS),
    };
    OidcIssuer::new(ISSUER.to_owned(), key, options, at(0)).unwrap()
}

fn issuer(auto_login: &[&str]) -> World {
    let folder = tempfile::tempdir().unwrap();
    World { issuer: open(folder.path(), auto_login), folder }
}

/// With accounts, all of one password.
fn with_accounts(emails: &[&str]) -> World {
    let world = issuer(&[]);
    for email in emails {
        AccountFile::in_folder(world.folder.path()).change(|accounts| accounts.add(email, PASSWORD, at(0))).unwrap();
    }
    world
}

fn sent(outcome: Result<Authorized, AuthorizationError>) -> RedirectUri {
    match outcome {
        Ok(Authorized::Sent(to, _)) => to,
        other => panic!("{other:?}"),
    }
}

fn refused(outcome: Result<Authorized, AuthorizationError>) -> HashMap<String, String> {
    match outcome {
        Err(AuthorizationError::Redirect(to)) => query(&to),
        other => panic!("{other:?}"),
    }
}

fn login_form(outcome: Result<Authorized, AuthorizationError>) -> LoginForm {
    match outcome {
        Ok(Authorized::LogIn { form, .. }) => form,
        other => panic!("{other:?}"),
    }
}

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const PASSWORD: &str = "correct horse";

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
    query(&sent(issuer.authorize(&request(changes), at(1000)))).remove("code").unwrap()
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
    let answer = query(&sent(issuer.authorize(&request(&[("login_hint", "bob@example.org")]), at(1000))));
    assert_eq!(answer["state"], "STATE");
    assert_eq!(answer["iss"], ISSUER);
    let tokens = issuer.token(&encode(&form(&answer["code"])), None, at(1001)).unwrap();
    assert_eq!(tokens["token_type"], "bearer");
    for token in ["id_token", "access_token"] {
        let claims = verify_rs256(tokens[token].as_str().unwrap(), issuer.keys(), ISSUER, CLIENT_ID, at(1600)).unwrap();
        assert_eq!(claims.identity(), "bob@example.org");
        assert_ne!(claims.subject, "bob@example.org");
        assert_eq!(claims.nonce.as_deref(), Some("NONCE"));
        assert_eq!(claims.extra["auth_time"], 1000);
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
        (&[("request_uri", "https://evil.example")], "request_not_supported"),
        (&[("response_mode", "fragment")], "invalid_request"),
    ] {
        let told = refused(alice.authorize(&request(changes), at(1000)));
        assert_eq!(told["error"], error, "{changes:?}");
        assert_eq!(told["state"], "STATE");
        assert!(!told.contains_key("code"));
    }
    assert_eq!(refused(issuer(&[]).authorize(&request(&[]), at(1000)))["error"], "access_denied");
    let silent = with_accounts(&["alice@example.org"]).authorize(&request(&[("prompt", "none")]), at(1000));
    assert_eq!(refused(silent)["error"], "login_required");
}

#[test]
fn nobody_is_redirected_to_where_the_client_does_not_live() {
    let issuer = issuer(&["alice@example.org"]);
    for (changes, sentence) in [
        (("redirect_uri", "http://evil.example/cb"), "Unregistered redirect_uri."),
        (("redirect_uri", "-"), "Unregistered redirect_uri."),
    ] {
        let refused = issuer.authorize(&request(&[changes]), at(1000));
        assert!(matches!(refused, Err(AuthorizationError::Page(found)) if found == sentence), "{refused:?}");
    }
    let unknown = issuer.authorize(&request(&[("client_id", "nobody")]), at(1000));
    assert!(matches!(unknown, Err(AuthorizationError::UnknownClient)), "{unknown:?}");
    let twice = format!("{}&redirect_uri=http://localhost", request(&[]));
    let refused = issuer.authorize(&twice, at(1000));
    assert!(matches!(refused, Err(AuthorizationError::Page("A parameter stands twice."))), "{refused:?}");
}

#[test]
fn the_query_of_the_redirection_address_is_kept() {
    let issuer = issuer(&["alice@example.org"]);
    let callback = format!("{CALLBACK}?own=1");
    let to = sent(issuer.authorize(&request(&[("redirect_uri", &callback)]), at(1000)));
    let RedirectUri::Loopback { url, .. } = to else { panic!() };
    assert!(url.as_str().starts_with(&format!("{callback}&code=")), "{url}");
    let shown = sent(issuer.authorize(&request(&[("redirect_uri", "urn:ietf:wg:oauth:2.0:oob")]), at(1000)));
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
fn who_has_logged_in_takes_nobodys_place() {
    let issuer = issuer(&["alice@example.org"]);
    for _ in 0..=MAX_CODES {
        let code = code(&issuer, &[]);
        issuer.token(&encode(&form(&code)), None, at(1)).unwrap();
    }
    // Those who have not take one each.
    let waiting: Vec<String> = (0..MAX_CODES).map(|_| code(&issuer, &[])).collect();
    assert_eq!(refused(issuer.authorize(&request(&[]), at(1)))["error"], "temporarily_unavailable");
    issuer.token(&encode(&form(&waiting[0])), None, at(1)).unwrap();
    code(&issuer, &[]);
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
}

#[test]
fn an_account_logs_in_on_the_page() {
    let issuer = with_accounts(&["alice@example.org", "bob@example.org"]);
    let form = login_form(issuer.authorize(&request(&[("login_hint", "bob@example.org")]), at(1000)));
    assert_eq!((form.email.as_str(), form.problem.is_none()), ("bob@example.org", true));
    let fill = |sealed: &str, email: &str, password: &str, second| {
        let form = encode(&[("form", sealed), ("email", email), ("password", password)]);
        issuer.log_in(&form, HERE, at(second))
    };
    for (email, password, problem) in [
        ("bob@example.org", "wrong", "the address or the password is wrong"),
        ("nobody@example.org", PASSWORD, "the address or the password is wrong"),
        ("bob@example.org", "", "address or password is missing"),
        ("", PASSWORD, "address or password is missing"),
    ] {
        let again = login_form(fill(&form.sealed, email, password, 1001));
        assert_eq!(again.problem.unwrap().to_string(), problem);
        assert_eq!(again.email, email);
    }
    let answer = query(&sent(fill(&form.sealed, " Bob@Example.ORG", PASSWORD, 1100)));
    assert_eq!(answer["state"], "STATE");
    let mut tokens = encode(&self::form(&answer["code"]));
    tokens = issuer.token(&tokens, None, at(1101)).unwrap()["id_token"].as_str().unwrap().to_owned();
    let claims = verify_rs256(&tokens, issuer.keys(), ISSUER, CLIENT_ID, at(1101)).unwrap();
    assert_eq!(claims.identity(), "bob@example.org", "as it is written in the account");
    for (sealed, second) in [(form.sealed.as_str(), 1000 + 1800), ("x.y", 1001), ("", 1001)] {
        let stale = fill(sealed, "bob@example.org", PASSWORD, second);
        assert!(matches!(stale, Err(AuthorizationError::Page(sentence)) if sentence.contains("open for too long")));
    }
}

#[test]
fn who_guesses_passwords_waits() {
    let issuer = with_accounts(&["alice@example.org"]);
    let sealed = login_form(issuer.authorize(&request(&[]), at(1000))).sealed;
    let fill = |password: &str, from: IpAddr, second| {
        let form = encode(&[("form", &sealed), ("email", "alice@example.org"), ("password", password)]);
        issuer.log_in(&form, from, at(second))
    };
    for _ in 0..5 {
        assert!(matches!(login_form(fill("guess", HERE, 1000)).problem, Some(LoginProblem::Wrong)));
    }
    let problem = login_form(fill(PASSWORD, HERE, 1000)).problem;
    assert!(matches!(problem, Some(LoginProblem::Wait(wait)) if wait == SignedDuration::from_secs(1)), "{problem:?}");
    sent(fill(PASSWORD, IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 1000));
    sent(fill(PASSWORD, HERE, 1001));
}

#[test]
fn accounts_end_automatic_logins() {
    let issuer = issuer(&["alice@example.org"]);
    let accounts = AccountFile::in_folder(issuer.folder.path());
    sent(issuer.authorize(&request(&[]), at(1000)));
    accounts.change(|accounts| accounts.add("bob@example.org", PASSWORD, at(0))).unwrap();
    login_form(issuer.authorize(&request(&[]), at(1000)));
}

#[test]
fn refresh_tokens_outlive_a_restart_but_not_their_account() {
    let world = with_accounts(&["alice@example.org", "bob@example.org"]);
    let sealed = login_form(world.authorize(&request(&[("scope", "openid email offline_access")]), at(1000))).sealed;
    let filled = encode(&[("form", &sealed), ("email", "alice@example.org"), ("password", PASSWORD)]);
    let code = query(&sent(world.log_in(&filled, HERE, at(1001)))).remove("code").unwrap();
    let tokens = world.token(&encode(&form(&code)), None, at(1002)).unwrap();
    let first = tokens["refresh_token"].as_str().unwrap().to_owned();
    let restarted = open(world.folder.path(), &[]);
    let refresh = |issuer: &OidcIssuer, token: &str, second| {
        let form = [("grant_type", "refresh_token"), ("client_id", "sigstore"), ("refresh_token", token)];
        issuer.token(&encode(&form), None, at(second))
    };
    let tokens = refresh(&restarted, &first, 90_000).unwrap();
    let claims =
        verify_rs256(tokens["id_token"].as_str().unwrap(), restarted.keys(), ISSUER, CLIENT_ID, at(90_001)).unwrap();
    assert_eq!((claims.identity(), &claims.nonce), ("alice@example.org", &None));
    assert_eq!(claims.extra["auth_time"], 1001);
    let second = tokens["refresh_token"].as_str().unwrap().to_owned();
    let accounts = AccountFile::in_folder(world.folder.path());
    accounts.change(|accounts| accounts.remove("alice@example.org")).unwrap();
    accounts.change(|accounts| accounts.add("alice@example.org", PASSWORD, at(0))).unwrap();
    assert_eq!(refresh(&restarted, &second, 90_100), Err(TokenError::InvalidRefreshToken), "someone else now");
}

#[test]
fn a_stolen_code_costs_its_login() {
    let issuer = issuer(&["alice@example.org"]);
    let code = code(&issuer, &[("scope", "openid offline_access")]);
    let token = issuer.token(&encode(&form(&code)), None, at(1001)).unwrap()["refresh_token"].clone();
    assert_eq!(issuer.token(&encode(&form(&code)), None, at(1002)), Err(TokenError::InvalidCode));
    let refresh =
        [("grant_type", "refresh_token"), ("client_id", "sigstore"), ("refresh_token", token.as_str().unwrap())];
    assert_eq!(issuer.token(&encode(&refresh), None, at(1003)), Err(TokenError::InvalidRefreshToken));
}

#[test]
fn a_refresh_token_is_revoked() {
    let issuer = issuer(&["alice@example.org"]);
    let code = code(&issuer, &[("scope", "openid offline_access")]);
    let token = issuer.token(&encode(&form(&code)), None, at(1001)).unwrap()["refresh_token"].clone();
    let token = token.as_str().unwrap();
    assert_eq!(issuer.revoke(&encode(&[("token", token)]), None), Err(TokenError::InvalidClient { by_basic: false }));
    let revoke = |token| issuer.revoke(&encode(&[("token", token), ("client_id", "sigstore")]), None);
    assert_eq!(revoke("unknown"), Ok(()));
    assert_eq!(revoke(token), Ok(()));
    let refresh = [("grant_type", "refresh_token"), ("client_id", "sigstore"), ("refresh_token", token)];
    assert_eq!(issuer.token(&encode(&refresh), None, at(1003)), Err(TokenError::InvalidRefreshToken));
}

#[test]
fn a_device_is_allowed_by_whoever_logs_in() {
    let issuer = with_accounts(&["alice@example.org"]);
    let begun = issuer.begin_device_flow(
        &encode(&[
            ("client_id", "sigstore"),
            ("scope", "openid email"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ]),
        None,
        HERE,
        at(1000),
    );
    let begun = begun.unwrap();
    let poll = |second| {
        let form = [
            ("grant_type", DEVICE_CODE),
            ("client_id", "sigstore"),
            ("device_code", begun["device_code"].as_str().unwrap()),
            ("code_verifier", VERIFIER),
        ];
        issuer.token(&encode(&form), None, at(second))
    };
    assert_eq!(poll(1000), Err(TokenError::AuthorizationPending));
    assert_eq!(poll(1001), Err(TokenError::SlowDown));
    let user_code = begun["user_code"].as_str().unwrap();
    assert_eq!(begun["verification_uri_complete"], format!("{ISSUER}/device?user_code={user_code}"));
    let DeviceStep::Enter { user_code: shown, problem: None } =
        issuer.device_page(&encode(&[("user_code", user_code)]))
    else {
        panic!()
    };
    assert_eq!(shown, user_code);
    let enter = |code: &str| issuer.enter_user_code(&encode(&[("user_code", code)]), HERE, at(1002)).unwrap();
    assert!(matches!(enter("BCDF-GHJK"), DeviceStep::Enter { problem: Some(DeviceProblem::Unknown), .. }));
    let DeviceStep::Confirm { form, method: LoginMethod::Password, .. } = enter(user_code) else { panic!() };
    let confirm = |sealed: &str, password: &str| {
        let form = [("form", sealed), ("email", "alice@example.org"), ("password", password), ("decision", "allow")];
        issuer.confirm_user_code(&encode(&form), HERE, at(1003)).unwrap()
    };
    let DeviceStep::Confirm { form: again, .. } = confirm(&form.sealed, "wrong") else { panic!() };
    assert!(matches!(again.problem, Some(LoginProblem::Wrong)));
    assert!(matches!(confirm("x.y", PASSWORD), DeviceStep::Enter { problem: Some(DeviceProblem::Stale), .. }));
    assert!(
        matches!(confirm(&form.sealed, PASSWORD), DeviceStep::Allowed(person) if person.email == "alice@example.org")
    );
    assert!(matches!(confirm(&form.sealed, PASSWORD), DeviceStep::Enter { problem: Some(DeviceProblem::Unknown), .. }));
    let tokens = poll(1020).unwrap();
    assert!(tokens["id_token"].is_string() && tokens.get("refresh_token").is_none());
    assert_eq!(poll(1040), Err(TokenError::InvalidDeviceCode));
}

#[test]
fn a_device_is_refused_without_a_password() {
    let issuer = with_accounts(&["alice@example.org"]);
    let begun = issuer.begin_device_flow("client_id=sigstore", None, HERE, at(1000)).unwrap();
    let entered = encode(&[("user_code", begun["user_code"].as_str().unwrap())]);
    let DeviceStep::Confirm { form, .. } = issuer.enter_user_code(&entered, HERE, at(1001)).unwrap() else { panic!() };
    let refuse = encode(&[("form", &form.sealed), ("email", ""), ("password", ""), ("decision", "refuse")]);
    assert!(matches!(issuer.confirm_user_code(&refuse, HERE, at(1002)).unwrap(), DeviceStep::Refused));
    let poll = [
        ("grant_type", DEVICE_CODE),
        ("client_id", "sigstore"),
        ("device_code", begun["device_code"].as_str().unwrap()),
    ];
    assert_eq!(issuer.token(&encode(&poll), None, at(1003)), Err(TokenError::AccessDenied));
}

#[test]
fn device_requests_that_are_refused() {
    let issuer = issuer(&["alice@example.org"]);
    let begin = |form: &[(&str, &str)]| issuer.begin_device_flow(&encode(form), None, HERE, at(0)).map(|_| ());
    assert_eq!(begin(&[("client_id", "nobody")]), Err(TokenError::InvalidClient { by_basic: false }));
    assert_eq!(begin(&[("client_id", "sigstore"), ("scope", "openid x")]), Err(TokenError::InvalidScope));
    let plain = [("client_id", "sigstore"), ("code_challenge", CHALLENGE), ("code_challenge_method", "plain")];
    assert_eq!(begin(&plain), Err(TokenError::InvalidRequest("code_challenge_method must be S256")));
    for _ in 0..64 {
        assert_eq!(begin(&[("client_id", "sigstore")]), Ok(()));
    }
    assert_eq!(begin(&[("client_id", "sigstore")]), Err(TokenError::TooManyDevices));
}

#[test]
fn who_guesses_device_codes_waits() {
    let issuer = issuer(&["alice@example.org"]);
    let enter = |second| issuer.enter_user_code("user_code=BCDF-GHJK", HERE, at(second)).unwrap();
    for _ in 0..5 {
        assert!(matches!(enter(0), DeviceStep::Enter { problem: Some(DeviceProblem::Unknown), .. }));
    }
    assert!(matches!(enter(0), DeviceStep::Enter { problem: Some(DeviceProblem::Wait(_)), .. }));
}
