//! Logging in by browser: the pages as they go over the wire.

use http::header::{ALLOW, ORIGIN, RETRY_AFTER};

use super::*;
use crate::stack::accounts::AccountFile;
use crate::stack::audit::AuditEvent;

const FORM: &str = "application/x-www-form-urlencoded";

fn world_with_alice() -> World {
    let world = World::new();
    let accounts = AccountFile::in_folder(world.folder.path());
    accounts.change(|accounts| accounts.add("alice@example.org", "correct horse", world.now)).unwrap();
    world
}

fn query() -> String {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256Digest::of(URL_SAFE_NO_PAD.encode([7; 32]).as_bytes()));
    form(&[
        ("client_id", "sigstore"),
        ("response_type", "code"),
        ("scope", "openid email"),
        ("redirect_uri", CALLBACK),
        ("state", "STATE"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ])
}

/// The hidden field.
fn sealed(page: &Answer) -> String {
    let (_, rest) = page.text().split_once("name=\"form\" value=\"").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

fn post_from(world: &World, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = Request::post("/oidc/auth/login").header(HOST, HERE).header(CONTENT_TYPE, FORM);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    world.ask(request.body(body.as_bytes().to_vec()).unwrap())
}

#[test]
fn the_page_leads_to_the_client() {
    let world = world_with_alice();
    let page = world.get(&format!("/oidc/auth?{}", query()));
    assert_eq!((page.status, &page.headers["cache-control"]), (200, &"no-store".parse().unwrap()));
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("form-action 'self' http://localhost:39911;"), "{policy}");
    assert!(!page.headers.contains_key("set-cookie") && !page.headers.contains_key("access-control-allow-origin"));
    let fill = |password| form(&[("form", &sealed(&page)), ("email", "alice@example.org"), ("password", password)]);
    let wrong = post_from(&world, &[("origin", &format!("http://{HERE}"))], &fill("wrong"));
    assert_eq!(wrong.status, 401);
    assert!(wrong.text().contains("role=\"alert\">The e-mail address or the password is wrong.<"), "{}", wrong.text());
    assert!(wrong.text().contains("<title>Error: Log in"), "{}", wrong.text());
    let right = post_from(&world, &[], &fill("correct horse"));
    assert_eq!(right.status, 303);
    let location = right.headers[LOCATION].to_str().unwrap();
    assert!(location.starts_with(&format!("{CALLBACK}?code=")), "{location}");
    for _ in 0..5 {
        post_from(&world, &[], &fill("guess"));
    }
    let slowed = post_from(&world, &[], &fill("correct horse"));
    assert_eq!((slowed.status, &slowed.headers[RETRY_AFTER]), (429, &"1".parse().unwrap()));
}

#[test]
fn who_logged_in_and_who_failed_to_is_recorded_without_a_password() {
    let world = world_with_alice();
    let page = world.get(&format!("/oidc/auth?{}", query()));
    let event = |email: &str, password: &str| {
        let body = form(&[("form", &sealed(&page)), ("email", email), ("password", password)]);
        let request = Request::post("/oidc/auth/login").header(HOST, HERE).header(CONTENT_TYPE, FORM);
        let response = world.stack.handle(&request.body(body.into_bytes()).unwrap(), world.now);
        response.extensions().get::<AuditEvent>().unwrap().clone()
    };
    let why = "the address or the password is wrong";
    assert_eq!(
        event("alice@example.org", "wrong"),
        AuditEvent::login_failed("alice@example.org", "browser", why.to_owned())
    );
    let typed_into_the_wrong_field = event("correct horse", "x");
    let expected = AuditEvent::LoginFailed { email: None, flow: "browser", why: why.to_owned() };
    assert_eq!(typed_into_the_wrong_field, expected);
    assert_eq!(
        event("Alice@example.org", "correct horse"),
        AuditEvent::LoggedIn { email: "alice@example.org".to_owned(), flow: "browser" }
    );
}

#[test]
fn no_other_page_sends_the_form() {
    let world = world_with_alice();
    let page = world.get(&format!("/oidc/auth?{}", query()));
    let filled = form(&[("form", &sealed(&page)), ("email", "alice@example.org"), ("password", "correct horse")]);
    for headers in [
        [("origin", "https://evil.example")],
        [("origin", "null")],
        [("origin", "http://127.0.0.1:1")],
        [("sec-fetch-site", "cross-site")],
        [("sec-fetch-site", "same-site")],
    ] {
        let refused = post_from(&world, &headers, &filled);
        assert_eq!(refused.status, 403, "{headers:?}");
        assert!(!refused.headers.contains_key(LOCATION));
    }
    assert_eq!(post_from(&world, &[("sec-fetch-site", "same-origin")], &filled).status, 303);
    let stale = post_from(&world, &[], &filled.replace("form=", "form=A"));
    assert_eq!((stale.status, stale.text().contains("open for too long")), (400, true));
}

#[test]
fn methods_and_paths() {
    let world = World::new();
    for path in ["/oidc/token", "/oidc/auth/login", "/oidc/device/code", "/oidc/device/confirm", "/oidc/revoke"] {
        let refused = world.get(path);
        assert_eq!((refused.status, &refused.headers[ALLOW]), (405, &"POST".parse().unwrap()), "{path}");
    }
    assert_eq!(world.post("/oidc/auth", FORM, b"").status, 405);
    assert_eq!(world.get("/oidc/userinfo").status, 404);
    assert_eq!(world.get("/oidcx").status, 404);
}

#[test]
fn the_out_of_band_page_shows_the_code() {
    let world = World::new();
    let query = query().replace(&form(&[("x", CALLBACK)])[2..], "urn%3Aietf%3Awg%3Aoauth%3A2.0%3Aoob");
    let page = world.get(&format!("/oidc/auth?{query}"));
    assert_eq!(page.status, 200);
    assert!(page.text().contains("<h1>Copy this code</h1>") && page.text().contains("<output class=\"code long\""));
}

/// The bodies that dex answered, as recorded; only the code itself differs.
#[test]
fn the_device_flow_answers_as_dex() {
    let world = World::new();
    let begun = world.post("/oidc/device/code", FORM, b"client_id=sigstore&scope=openid+email");
    assert_eq!((begun.status, &begun.headers["cache-control"]), (200, &"no-store".parse().unwrap()));
    let begun = begun.json();
    let (code, user_code) = (begun["device_code"].as_str().unwrap(), begun["user_code"].as_str().unwrap());
    assert_eq!(
        begun,
        json!({
            "device_code": code,
            "user_code": user_code,
            "verification_uri": format!("http://{HERE}/oidc/device"),
            "verification_uri_complete": format!("http://{HERE}/oidc/device?user_code={user_code}"),
            "expires_in": 300,
            "interval": 5,
        })
    );
    let poll = |code: &str| {
        let body = form(&[
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("device_code", code),
            ("client_id", "sigstore"),
        ]);
        let answer = world.post("/oidc/token", FORM, body.as_bytes());
        (answer.status, answer.json())
    };
    assert_eq!(poll(code), (400, json!({"error": "authorization_pending"})));
    assert_eq!(poll(code), (400, json!({"error": "slow_down"})));
    assert_eq!(poll("nope"), (400, json!({"error": "invalid_request", "error_description": "Invalid Device code."})));
    let page = world.get(&format!("/oidc/device?user_code={user_code}"));
    assert_eq!((page.status, page.text().contains(&format!("value=\"{user_code}\""))), (200, true));
    let confirm = world.post("/oidc/device/auth/verify_code", FORM, form(&[("user_code", user_code)]).as_bytes());
    assert!(confirm.text().contains("alice@example.org"), "{}", confirm.text());
    let allow = form(&[("form", &sealed(&confirm)), ("email", "alice@example.org"), ("decision", "allow")]);
    let allowed = world.post("/oidc/device/confirm", FORM, allow.as_bytes());
    assert_eq!((allowed.status, allowed.text().contains("<h1>Request allowed</h1>")), (200, true));
    let from_elsewhere = Request::post("/oidc/device/confirm").header(HOST, HERE).header(CONTENT_TYPE, FORM);
    let from_elsewhere = from_elsewhere.header(ORIGIN, "https://evil.example").body(allow.into_bytes()).unwrap();
    assert_eq!(world.ask(from_elsewhere).status, 403);
}
