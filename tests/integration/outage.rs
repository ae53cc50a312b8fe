//! When a service is down, slow, wrong or hostile: nothing is signed, and what is said names the thing and the next step.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::sandbox::front::{Front, Reply, Request, nobody, reply};
use super::sandbox::{ALICE, BOB, Ran, Sandbox, Stack, WAXSEAL, http};

#[test]
fn the_log_fails() {
    let sandbox = Sandbox::with_stack();
    let token = sandbox.token(ALICE);
    let entries = "the transparency log at http://127.0.0.1:PORT/rekor/api/v1/log/entries";
    let address = "is this the address of the service? the instance's signing config holds it";
    let is_added = |request: &Request| request.line.starts_with("POST /rekor/");
    let answer = |status: &str, headers: &str, body: &[u8]| reply(status, headers, body);
    for (what, said, hint) in [
        (answer("200 OK", "", b"{}"), "answered unexpectedly with status 200: \"{}\"", address),
        (
            answer("201 Created", "", b"<html>"),
            "gave an answer that cannot be used: the answer is not the JSON of a log entry",
            address,
        ),
        (
            answer("201 Created", "", b"{}"),
            "gave an answer that cannot be used: the answer must be about exactly one entry",
            address,
        ),
        (answer("201 Created", "", &vec![b' '; 10 << 20]), "answered with more than 1048576 bytes", address),
        (
            answer("307 Temporary Redirect", "Location: https://elsewhere.example/\r\n", b""),
            "answered unexpectedly with status 307",
            address,
        ),
        (
            answer("400 Bad Request", "", b"{\"code\":400,\"message\":\"no \\u001b[2K\"}"),
            "refused with status 400: \"no %1B[2K\"",
            "it does not take what was sent; whoever runs it, or a proxy before it, can say why",
        ),
        (
            answer("409 Conflict", "", b"{}"),
            "gave an answer that cannot be used: it does not say where the equal entry is",
            address,
        ),
        (
            answer("500 Internal Server Error", "", b"{\"code\":500,\"message\":\"on fire\"}"),
            "failed with status 500: \"on fire\"",
            "the service has trouble of its own; try again later",
        ),
        (
            answer("503 Service Unavailable", "", b""),
            "failed with status 503",
            "the service has trouble of its own; try again later",
        ),
        (b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), "did not answer properly: invalid HTTP version parsed", address),
    ] {
        let front = Front::new(
            sandbox.url(),
            move |request| if is_added(request) { Reply::Bytes(what.clone()) } else { Reply::Pass },
        );
        services(&sandbox, "rekorTlogUrls", &format!("{}/rekor", front.url));
        assert_eq!(refused(&sandbox, &token), format!("waxseal: error: {entries} {said}\nwaxseal: hint: {hint}\n"));
    }
    services(&sandbox, "rekorTlogUrls", &format!("{}/rekor", nobody()));
    assert_eq!(
        refused(&sandbox, &token),
        format!(
            "waxseal: error: {entries} cannot be reached: Connection refused (os error 111)\n\
             waxseal: hint: is the network up, and the service running? then try again\n"
        )
    );
}

#[test]
fn the_log_lies() {
    let sandbox = Sandbox::with_stack();
    let token = sandbox.token(ALICE);
    let lies: [(Lie, &str); 5] = [
        (
            |entry| entry["integratedTime"] = json!(entry["integratedTime"].as_i64().unwrap() + 1),
            "the log's inclusion promise does not verify",
        ),
        (
            |entry| entry["verification"]["inclusionProof"]["hashes"][0] = json!("00".repeat(32)),
            "the log does not hold this signature",
        ),
        (
            |entry| entry["verification"]["inclusionProof"]["rootHash"] = json!("00".repeat(32)),
            "the inclusion proof and the checkpoint speak of different trees",
        ),
        (|entry| entry["logID"] = json!("00".repeat(32)), "log SHA256 is not trusted"),
        (
            |entry| drop(entry["verification"].as_object_mut().unwrap().remove("signedEntryTimestamp")),
            "the log entry has no inclusion promise",
        ),
    ];
    for (lie, said) in lies {
        let front = Front::new(sandbox.url(), move |request| {
            if !request.line.starts_with("POST /rekor/") {
                return Reply::Pass;
            }
            Reply::Edit(Arc::new(move |body: &mut Value| body.as_object_mut().unwrap().values_mut().for_each(lie)))
        });
        services(&sandbox, "rekorTlogUrls", &format!("{}/rekor", front.url));
        let error = refused(&sandbox, &token);
        assert!(error.contains(said), "{said}: {error}");
        assert!(error.contains("the transparency log at http://127.0.0.1:PORT/rekor"), "{said}: {error}");
        assert!(
            error.ends_with("waxseal: hint: the finished signature did not pass its check, so it was not written\n"),
            "{error}"
        );
    }
    // The answer to another request, as it was.
    let seen = Arc::new(Mutex::new(None));
    let front = Front::new(sandbox.url(), move |request| match request.line.starts_with("POST /rekor/") {
        true => Reply::Replay(Arc::clone(&seen)),
        false => Reply::Pass,
    });
    services(&sandbox, "rekorTlogUrls", &format!("{}/rekor", front.url));
    sign(&sandbox, &token).success();
    let error = refused(&sandbox, &token);
    assert!(
        error.contains("gave an answer that cannot be used: the log entry is about another signature\n"),
        "{error}"
    );
}

#[test]
fn the_certificate_authority_fails() {
    let sandbox = Sandbox::with_stack();
    let token = sandbox.token(ALICE);
    let authority = "the certificate authority at http://127.0.0.1:PORT/api/v2/signingCert";
    let address = "is this the address of the service? the instance's signing config holds it";
    for (what, said, hint) in [
        (reply("200 OK", "", b"<html>"), "gave an answer that cannot be used: it is not Fulcio's JSON", address),
        (reply("200 OK", "", b"{}"), "gave an answer that cannot be used: there is no certificate in it", address),
        (reply("200 OK", "", &vec![b' '; 10 << 20]), "answered with more than 1048576 bytes", address),
        (
            reply("302 Found", "Location: https://elsewhere.example/\r\n", b""),
            "answered unexpectedly with status 302",
            address,
        ),
        (
            reply(
                "500 Internal Server Error",
                "",
                b"{\"code\":13,\"message\":\"error communicating with CA backend\"}",
            ),
            "failed with status 500: \"error communicating with CA backend\"",
            "the service has trouble of its own; try again later",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".to_vec(),
            "did not answer properly: end of file before message length reached",
            address,
        ),
    ] {
        let front = Front::new(sandbox.url(), move |_| Reply::Bytes(what.clone()));
        services(&sandbox, "caUrls", &front.url);
        assert_eq!(refused(&sandbox, &token), format!("waxseal: error: {authority} {said}\nwaxseal: hint: {hint}\n"));
        assert_eq!(front.seen().len(), 1, "what may have been issued is not asked for again");
    }
    services(&sandbox, "caUrls", &nobody());
    assert_eq!(
        refused(&sandbox, &token),
        format!(
            "waxseal: error: {authority} cannot be reached: Connection refused (os error 111)\n\
             waxseal: hint: is the network up, and the service running? then try again\n"
        )
    );

    // A certificate for another key, and one for another person.
    let seen = Arc::new(Mutex::new(None));
    let front = Front::new(sandbox.url(), move |_| Reply::Replay(Arc::clone(&seen)));
    services(&sandbox, "caUrls", &front.url);
    sign(&sandbox, &token).success();
    let trusted = "waxseal: hint: nothing was signed; is the instance's trusted root up to date?\n";
    assert_eq!(
        refused(&sandbox, &token),
        format!(
            "waxseal: error: the certificate authority's certificate is not acceptable: it certifies another key\n{trusted}"
        )
    );
    // Of an authority that the trusted root does not know: another stack's, which believes the same issuer's tokens as if
    // they were its own, cannot be had; so the trusted root is made another stack's.
    let other = Stack::start(sandbox.serve("other", []));
    let root = http("GET", &format!("{}/trust/trusted_root.json", other.url()), "", b"").body;
    std::fs::write(sandbox.path("home/.local/share/waxseal/instances/home/trusted_root.json"), root).unwrap();
    services(&sandbox, "caUrls", sandbox.url());
    assert_eq!(
        refused(&sandbox, &token),
        format!(
            "waxseal: error: the certificate authority's certificate is not acceptable: the certificate authority \
             \"CN=waxseal intermediate,O=127.0.0.1:PORT\" is not trusted\n{trusted}"
        )
    );
}

#[test]
fn whoever_does_not_answer_is_not_waited_for_for_ever() {
    let silence = |kind: &str, path: &'static str, base: &str| {
        let sandbox = Sandbox::with_stack();
        let front = Front::new(sandbox.url(), move |request| match request.line.contains(path) {
            true => Reply::Silence,
            false => Reply::Pass,
        });
        services(&sandbox, kind, &format!("{}{base}", front.url));
        let token = if kind == "oidcUrls" { String::new() } else { sandbox.token(ALICE) };
        refused(&sandbox, &token)
    };
    std::thread::scope(|scope| {
        let services = [
            (
                "oidcUrls",
                "openid-configuration",
                "/oidc",
                "the OpenID Connect issuer",
                "oidc/.well-known/openid-configuration",
            ),
            ("caUrls", "signingCert", "", "the certificate authority", "api/v2/signingCert"),
            ("rekorTlogUrls", "entries", "/rekor", "the transparency log", "rekor/api/v1/log/entries"),
        ];
        let asked =
            services.map(|(kind, path, base, who, at)| (who, at, scope.spawn(move || silence(kind, path, base))));
        for (who, at, said) in asked {
            assert_eq!(
                said.join().unwrap(),
                format!(
                    "waxseal: error: {who} at http://127.0.0.1:PORT/{at} did not answer within 30 s\n\
                     waxseal: hint: is the network up, and the service running? then try again\n"
                )
            );
        }
    });
}

/// Which service it is, where it stands in the signing config, and what is asked of it.
const SERVICES: [(&str, &str, &str, &str); 5] = [
    ("the OpenID Connect issuer", "oidcUrls", "/oidc", "/oidc/.well-known/openid-configuration"),
    ("the certificate authority", "caUrls", "", "/api/v2/signingCert"),
    ("the transparency log", "rekorTlogUrls", "/rekor", "/rekor/api/v1/log/entries"),
    ("the transparency log", "rekorTlogUrls", "/rekor2", "/rekor2/api/v2/log/entries"),
    ("the timestamp authority", "tsaUrls", "/tsa", "/tsa"),
];

#[test]
fn a_service_that_is_down_is_told_from_one_that_refuses() {
    let sandbox = Sandbox::with_stack();
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "before"]).success();
    sandbox.waxseal(["logout"]).success();
    let token = sandbox.token(ALICE);
    let folder = sandbox.path("home/.local/share/waxseal/instances/home");
    let file = folder.join("signing_config.v0.2.json");
    let config: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let mentions = |text: &str| text.contains("commit.gpgsign=false");
    for (who, kind, base, path) in SERVICES {
        let point = |to: &str| {
            let mut config = config.clone();
            if base == "/rekor2" || kind == "tsaUrls" {
                config["rekorTlogUrls"][0]["majorApiVersion"] = json!(2);
                config["rekorTlogUrls"][0]["url"] = json!(format!("{}/rekor2", sandbox.url()));
            }
            config[kind][0]["url"] = json!(format!("{to}{base}"));
            drop(std::fs::remove_file(folder.join("signing_config_rekor_v2.v0.2.json")));
            std::fs::write(&file, config.to_string()).unwrap();
        };
        let commit = || {
            let mut git = sandbox.command("git");
            git.args(["commit", "-q", "--allow-empty", "-S", "-m", "during"]);
            if kind != "oidcUrls" {
                git.env("WAXSEAL_ID_TOKEN", &token);
            }
            Ran::of(&mut git, b"").code(128);
            sandbox.last_error()
        };
        // Of the issuer it is sometimes the base address that is named.
        let names = |error: &str, said: &str| {
            let (address, rest) = error.strip_prefix(&format!("error: {who} at ")).unwrap().split_once(' ').unwrap();
            format!("http://127.0.0.1:PORT{path}").starts_with(address) && rest.starts_with(said)
        };
        let down = [
            (nobody(), "cannot be reached: Connection refused"),
            (
                answers(&sandbox, path, &reply("503 Service Unavailable", "Retry-After: 0\r\n", b"<html>")),
                "failed with status 503",
            ),
            (
                answers(&sandbox, path, &reply("500 Internal Server Error", "", b"{\"message\":\"on fire\"}")),
                "failed with status 500: \"on fire\"",
            ),
            (
                answers(&sandbox, path, &reply("429 Too Many Requests", "Retry-After: 0\r\n", b"")),
                "failed with status 429",
            ),
            (answers(&sandbox, path, b""), "did not answer properly"),
        ];
        for (to, said) in down {
            point(&to);
            let error = commit();
            assert!(names(&error, said), "{said}: {error}");
            assert!(mentions(&error), "{error}");
        }
        // What it says against the request is passed on, and nothing about waiting.
        let refusal = reply("403 Forbidden", "", b"{\"message\":\"not you\"}");
        point(&answers(&sandbox, path, &refusal));
        let error = commit();
        assert!(names(&error, "refused with status 403: \"not you\""), "{error}");
        assert!(!mentions(&error), "{error}");
    }
    // No commit was made behind anybody's back; what was named works, and so does verifying.
    assert_eq!(sandbox.git(["log", "--format=%s"]).line(), "before");
    sandbox.config("commit.gpgSign", "true");
    sandbox.git(["-c", "commit.gpgsign=false", "commit", "-q", "--allow-empty", "-m", "meanwhile"]).success();
    assert_eq!(sandbox.git(["log", "--format=%G? %s"]).out(), "N meanwhile\nU before\n");
    std::fs::write(&file, config.to_string()).unwrap();
    sandbox.git(["commit", "-q", "--amend", "--no-edit", "--allow-empty", "-S"]).success();
    assert_eq!(sandbox.git(["log", "-1", "--format=%G? %s"]).line(), "U meanwhile");
}

#[test]
fn a_tag_and_a_push_have_their_own_way_meanwhile() {
    let sandbox = Sandbox::with_stack();
    let token = sandbox.token(ALICE);
    services(&sandbox, "caUrls", &nobody());
    sandbox.git(["commit", "-q", "--allow-empty", "-m", "one"]).success();
    let tag = |arguments: &[&str]| {
        let mut git = sandbox.command("git");
        Ran::of(git.args(arguments).env("WAXSEAL_ID_TOKEN", &token), b"")
    };
    tag(&["tag", "-s", "-m", "one", "v1"]).code(128);
    let error = sandbox.last_error();
    assert!(error.contains("\nhint: meanwhile \"git tag --annotate --no-sign\" makes an unsigned tag"), "{error}");
    sandbox.config("tag.gpgSign", "true");
    tag(&["tag", "--annotate", "--no-sign", "-m", "one", "v1"]).success();

    sandbox.run_in(".", "git", ["init", "-q", "--bare", "server"]).success();
    sandbox.run_in("server", "git", ["config", "receive.certNonceSeed", "seed"]).success();
    assert_ne!(tag(&["push", "-q", "--signed", "../server", "main"]).code, Some(0));
    let error = sandbox.last_error();
    assert!(error.contains("\nhint: meanwhile \"git push --no-signed\" pushes without a certificate"), "{error}");
    sandbox.config("push.gpgSign", "true");
    tag(&["push", "-q", "--no-signed", "../server", "main"]).success();
}

/// The address of a server that gives this answer to requests for `path`, and else the stack's.
fn answers(sandbox: &Sandbox, path: &'static str, answer: &[u8]) -> String {
    let answer = answer.to_vec();
    let is_asked = move |request: &Request| request.line.split(' ').nth(1) == Some(path);
    Front::new(sandbox.url(), move |request| match is_asked(request) {
        true => Reply::Bytes(answer.clone()),
        false => Reply::Pass,
    })
    .url
}

#[test]
fn the_token_will_not_do() {
    let sandbox = Sandbox::with_stack();
    let front = Front::new(sandbox.url(), |_| Reply::Pass);
    services(&sandbox, "caUrls", &front.url);
    let issuer = sandbox.issuer();
    let claims = || {
        json!({ "iss": issuer, "sub": "x", "aud": "sigstore", "iat": 1_700_000_000, "exp": 4_000_000_000_u64,
            "email": ALICE, "email_verified": true })
    };
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        forged(&claims)
    };
    for (token, said, hint) in [
        (
            "nonsense".to_owned(),
            "the identity token in the environment cannot be read: the identity token is not a JWT: it must have exactly three parts with dots between them",
            "unset WAXSEAL_ID_TOKEN and SIGSTORE_ID_TOKEN to sign in with a browser",
        ),
        (
            with("exp", json!(1_700_000_600)),
            "the identity token expired at 2023-11-14T22:23:20Z (it is 2026-11-25T00:00:00Z now)",
            "get a new identity token, and see that the clock is right",
        ),
        (
            with("aud", json!("somebody else")),
            "the identity token is not for \"sigstore\" but for \"somebody else\"",
            "\"waxseal.clientId\" says for whom tokens are made",
        ),
        (
            with("iss", json!("https://accounts.google.com")),
            "the instance home could sign at the public-good instance with this identity token of https://accounts.google.com",
            "sign in with the instance's own issuer, or list this issuer in its instance.toml",
        ),
        (
            with("email", json!(BOB)),
            "the signature is wanted from alice@example.org, and the identity token is that of bob@example.org",
            "sign in as the one who is wanted, or change user.signingKey",
        ),
    ] {
        let error = refused_for(&sandbox, &token, ALICE);
        let expected = format!("waxseal: error: {said}\nwaxseal: hint: {hint}\n");
        assert_eq!(sandbox.masked(&error), sandbox.masked(&expected));
        assert_eq!(front.seen(), [""; 0], "the authority was not asked: {said}");
    }
    // Only the authority can tell a forged one.
    assert_eq!(
        refused(&sandbox, &forged(&claims())),
        "waxseal: error: the certificate authority at http://127.0.0.1:PORT/api/v2/signingCert refused with status 400: \
         \"There was an error processing the identity token\"\n\
         waxseal: hint: the identity token may be too old or not for this instance; sign in anew\n"
    );
    let token = sandbox.token(ALICE);
    let mut commit = sandbox.command("git");
    commit.args(["commit", "-q", "--allow-empty", "-S", "-m", "x"]).env("WAXSEAL_ID_TOKEN", forged(&claims()));
    Ran::of(&mut commit, b"").code(128);
    assert_eq!(sandbox.git(["rev-list", "--all", "--count"]).line(), "0", "no commit was made");
    // The same token a second time is as good as the first: it is the login's, for as long as it lives.
    sign(&sandbox, &token).success();
    sign(&sandbox, &token).success();
}

type Lie = fn(&mut Value);

/// What waxseal says when it does not sign as Alice; and that nothing else happened.
pub(super) fn refused(sandbox: &Sandbox, token: &str) -> String {
    sandbox.masked(&failed(sign(sandbox, token)))
}

fn refused_for(sandbox: &Sandbox, token: &str, key: &str) -> String {
    let mut sign = sandbox.command(WAXSEAL);
    failed(Ran::of(sign.args(["--status-fd=2", "-bsau", key]).env("WAXSEAL_ID_TOKEN", token), b"payload\n"))
}

pub(super) fn sign(sandbox: &Sandbox, token: &str) -> Ran {
    let mut sign = sandbox.command(WAXSEAL);
    Ran::of(sign.args(["--status-fd=2", "-bsau", ALICE]).env("WAXSEAL_ID_TOKEN", token), b"payload\n")
}

#[track_caller]
pub(super) fn failed(signed: Ran) -> String {
    let signed = signed.code(1);
    assert_eq!(signed.out(), "");
    let text = signed.err();
    let said = text.strip_prefix("[GNUPG:] BEGIN_SIGNING H8\n").unwrap_or(&text);
    assert!(!said.contains("[GNUPG:]"), "{said}");
    said.to_owned()
}

/// Points one kind of service of the instance somewhere else.
pub(super) fn services(sandbox: &Sandbox, kind: &str, url: &str) {
    let folder = sandbox.path("home/.local/share/waxseal/instances/home");
    // The second signing config may only name what this one names.
    drop(std::fs::remove_file(folder.join("signing_config_rekor_v2.v0.2.json")));
    let path = folder.join("signing_config.v0.2.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    config[kind][0]["url"] = json!(url);
    std::fs::write(path, config.to_string()).unwrap();
}

/// A token that nobody signed.
fn forged(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.AAAA", part(&json!({ "alg": "RS256", "kid": "x" })), part(claims))
}
