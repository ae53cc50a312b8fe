//! The stack as its clients see it, without a socket.

mod copies;
mod ct_log;
mod fulcio;
mod login;
mod recorded;
mod rekor_v1;
mod rekor_v2;
mod timestamps;
mod trust;
mod world;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, HOST, LOCATION};
use http::{Request, Response};
use serde_json::{Value, json};
use tempfile::TempDir;

use self::world::{Answer, World, certificate_request, form, open, proposal};
use super::*;
use crate::crypto::{SigningKey, VerifyingKey};
use crate::identity_token::{JsonWebKeySet, sign_rs256, verify_rs256};
use crate::tlog::checkpoint::Checkpoint;
use crate::tlog::hashedrekord::{Verifier, canonical_body, pem};
use crate::tlog::{merkle, rekor_json};
use crate::trusted_root::TrustedRoot;
use crate::x509::path::Authorities;
use crate::x509::sct::{SignedCertificateTimestamp, tbs_without_scts};
use crate::x509::{Certificate, SigningCertificate, SubjectAlternativeName};

const HERE: &str = "127.0.0.1:4711";
const CALLBACK: &str = "http://localhost:39911/auth/callback";

#[test]
fn a_certificate_has_fulcios_profile_and_verifies() {
    let world = World::new();
    let key = SigningKey::generate();
    let chain = world.certificate_for(&key);
    let [leaf, intermediate, root] = chain.as_slice() else { panic!("{chain:?}") };
    let critical: Vec<_> = leaf.extensions().iter().map(|e| (e.extn_id.to_string(), e.critical)).collect();
    let expected = [
        ("2.5.29.15", true),
        ("2.5.29.37", false),
        ("2.5.29.14", false),
        ("2.5.29.35", false),
        ("2.5.29.17", true),
        ("1.3.6.1.4.1.57264.1.1", false),
        ("1.3.6.1.4.1.57264.1.8", false),
        ("1.3.6.1.4.1.57264.1.24", false),
        ("1.3.6.1.4.1.11129.2.4.2", false),
    ];
    assert_eq!(critical, expected.map(|(oid, critical)| (oid.to_owned(), critical)));
    assert!(leaf.subject().is_empty());
    assert_eq!(leaf.not_before().as_second(), world.now.as_second());
    assert_eq!(leaf.not_after().as_second(), world.now.as_second() + 600);
    assert_eq!(intermediate.issuer(), root.subject());
    let trusted_root = world.trusted_root();
    assert_eq!(trusted_root.certificate_authorities[0].chain, [intermediate.der(), root.der()]);

    let authorities = Authorities::new(&trusted_root).unwrap();
    let issued = authorities.issuer_of(leaf).unwrap();
    issued.valid_at(leaf, world.now).unwrap();
    let scts = SignedCertificateTimestamp::embedded_in(leaf).unwrap();
    let [sct] = scts.as_slice() else { panic!("{scts:?}") };
    let tbs = tbs_without_scts(leaf).unwrap();
    let verified = sct.verify(issued.issuer_key().spki_sha256(), &tbs, &trusted_root.ct_logs).unwrap();
    assert_eq!(verified.at(), world.now);
    let read = SigningCertificate::read(leaf.clone()).unwrap();
    assert_eq!(read.claims().san, SubjectAlternativeName::Email("alice@example.org".to_owned()));
    assert_eq!(read.claims().issuer, format!("http://{HERE}/oidc"));
    assert_eq!(read.public_key(), &key.verifying_key());
    world.assert_consistent();
}

#[test]
fn other_kinds_of_key_are_certified_and_weak_ones_are_not() {
    let world = World::new();
    for kind in [ServiceKeyKind::EcdsaP384, ServiceKeyKind::Ed25519, ServiceKeyKind::Rsa2048] {
        let key = ServiceKey::generate(kind).unwrap();
        let request = json!({
            "credentials": { "oidcIdentityToken": world.token() },
            "publicKeyRequest": {
                "publicKey": { "content": pem(Verifier::PublicKey(key.verifying_key().spki_der())) },
                "proofOfPossession": STANDARD.encode(key.sign(b"alice@example.org").unwrap()),
            },
        });
        assert_eq!(world.post_json("/api/v2/signingCert", &request).status, 200, "{kind:?}");
    }
    // 1024 bits, from the recorded exchanges with Fulcio.
    let weak = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDYyJ5qd25ZHP8JJwQEznuoFiCZciG4xdfkP8gr5bSIQA+Szu+0n/+F7yBlhdhhrJnzaHd0NcRD1sMHYO\
        H6qco80ZsIPrrWLyV7QM82cDyLihZvRFzqxNcsfheEfVYpFUmNl5RvVIRSKGLzN47aqguGBJl7y2bonwmQwlSfxegnkQIDAQAB";
    let mut request = certificate_request(&world.token(), &SigningKey::generate());
    request["publicKeyRequest"]["publicKey"]["content"] =
        format!("-----BEGIN PUBLIC KEY-----\n{weak}\n-----END PUBLIC KEY-----").into();
    let answer = world.post_json("/api/v2/signingCert", &request);
    assert_eq!(answer.json()["message"], "The public key supplied in the request is insecure");
}

#[test]
fn fulcios_errors() {
    let world = World::new();
    let key = SigningKey::generate();
    let token = world.token();
    let message = |request: &Value| {
        let answer = world.post_json("/api/v2/signingCert", request);
        assert_eq!((answer.status, &answer.json()["code"], &answer.json()["details"]), (400, &json!(3), &json!([])));
        answer.json()["message"].as_str().unwrap().to_owned()
    };
    let with = |pointer: &str, value: Value| {
        let mut request = certificate_request(&token, &key);
        *request.pointer_mut(pointer).unwrap() = value;
        message(&request)
    };
    let bad_key = "The public key supplied in the request could not be parsed";
    let bad_proof = "The signature supplied in the request could not be verified";
    let bad_token = "There was an error processing the identity token";
    assert_eq!(with("/publicKeyRequest", Value::Null), bad_key);
    assert_eq!(with("/publicKeyRequest/publicKey/content", "AAAA".into()), bad_key);
    assert_eq!(with("/publicKeyRequest/proofOfPossession", "eA==".into()), bad_proof);
    assert_eq!(with("/publicKeyRequest/proofOfPossession", STANDARD.encode(key.sign(b"bob")).into()), bad_proof);
    assert_eq!(with("/credentials", json!({})), bad_token);
    let damaged = format!("{}AAAA", token.strip_suffix(&token[token.len() - 4..]).unwrap());
    for (token, why) in [
        ("garbage".to_owned(), "garbage"),
        (damaged, "signature"),
        (world.token_with("exp", json!(world.now.as_second())), "expired"),
        (world.token_with("aud", json!("other")), "audience"),
        (world.token_with("iss", json!("http://evil.example")), "issuer"),
        (world.token_with("email", Value::Null), "no e-mail"),
        (world.token_with("email_verified", json!(false)), "unverified e-mail"),
        (world.token_with("email", json!("alice@exämple.org")), "e-mail that no certificate can hold"),
        (world.token_with("email", json!("a@b@c")), "not an e-mail"),
    ] {
        assert_eq!(with("/credentials/oidcIdentityToken", token.into()), bad_token, "{why}");
    }
    assert_eq!(world.post("/api/v2/signingCert", "application/json", b"{").json()["message"], "unexpected EOF");
    assert_eq!(world.get("/api/v2/signingCert").status, 501);
    assert_eq!(world.get("/api/v3/x").json(), json!({"code": 5, "message": "Not Found", "details": []}));
    world.assert_consistent();
}

#[test]
fn the_token_may_come_as_bearer() {
    let world = World::new();
    let body = certificate_request("", &SigningKey::generate()).to_string().into_bytes();
    let request = Request::post("/api/v2/signingCert").header(HOST, HERE);
    let request = request.header(AUTHORIZATION, format!("Bearer {}", world.token())).body(body).unwrap();
    assert_eq!(world.ask(request).status, 200);
}

#[test]
fn an_entry_is_logged_proved_and_still_there_after_a_restart() {
    let mut world = World::new();
    let key = SigningKey::generate();
    let leaf = world.certificate_for(&key).remove(0);
    let proposed = proposal(b"message", &key, &leaf);
    let answer = world.post("/rekor/api/v1/log/entries", "application/json", &proposed);
    assert_eq!(answer.status, 201, "{}", answer.text());
    let (id, entry) = rekor_json::read(&answer.body).unwrap();
    assert_eq!(answer.headers[ETAG], id.to_string());
    assert_eq!(answer.headers[LOCATION], format!("/rekor/api/v1/log/entries/{id}"));
    assert_eq!((entry.log_index, &entry.canonicalized_body), (1, &proposed));

    let again = world.post("/rekor/api/v1/log/entries", "application/json", &proposed);
    assert_eq!((again.status, &again.headers[LOCATION]), (409, &answer.headers[LOCATION]));
    let message = format!("an equivalent entry already exists in the transparency log with UUID {id}");
    assert_eq!(again.json(), json!({"code": 409, "message": message}));

    for round in 0..3_u64 {
        let short = id.leaf_hash.to_string();
        for path in [format!("entries/{id}"), format!("entries/{short}"), "entries?logIndex=1".to_owned()] {
            let answer = world.get(&format!("/rekor/api/v1/log/{path}"));
            assert_eq!(answer.status, 200, "{path}");
            let (found, entry) = rekor_json::read(&answer.body).unwrap();
            assert_eq!(found, id);
            let log = &world.trusted_root().transparency_logs[0];
            let promise = entry.inclusion_promise.as_ref().unwrap();
            let promise = promise.verify(&entry, &proposed, log).unwrap();
            assert_eq!(promise.integrated_time().as_second(), 1_795_000_000);
            let proof = entry.inclusion_proof.as_ref().unwrap();
            let checkpoint = Checkpoint::verify(&proof.checkpoint, log).unwrap();
            assert_eq!(checkpoint.tree_size(), 2 + round);
            let root = merkle::root_from_inclusion(id.leaf_hash, 1, 2 + round, &proof.hashes);
            assert_eq!(root, Ok(checkpoint.root_hash()));
            let info = world.get("/rekor/api/v1/log").json();
            assert_eq!(info["rootHash"], checkpoint.root_hash().to_string());
            assert_eq!(
                format!("{:016x}", info["treeID"].as_str().unwrap().parse::<u64>().unwrap()),
                id.to_string()[..16]
            );
        }
        let more = proposal(&round.to_be_bytes(), &key, &leaf);
        assert_eq!(world.post("/rekor/api/v1/log/entries", "application/json", &more).status, 201);
        world.assert_consistent();
        world = world.restart();
        world.assert_consistent();
    }
}

#[test]
fn entry_zero_is_the_logs_own() {
    let world = World::new();
    let (_, entry) = rekor_json::read(&world.get("/rekor/api/v1/log/entries?logIndex=0").body).unwrap();
    let own = String::from_utf8(entry.canonicalized_body).unwrap();
    assert!(own.contains(&STANDARD.encode(world.get("/rekor/api/v1/log/publicKey").body)));
}

#[test]
fn published_keys_verify_both_tokens() {
    let world = World::new();
    let tokens = world.log_in();
    let discovery = world.get("/oidc/.well-known/openid-configuration").json();
    assert_eq!(discovery["issuer"], format!("http://{HERE}/oidc"));
    assert_eq!(discovery["jwks_uri"], format!("http://{HERE}/oidc/keys"));
    let keys = JsonWebKeySet::parse(&world.get("/oidc/keys").body).unwrap();
    for token in ["id_token", "access_token"] {
        let token = tokens[token].as_str().unwrap();
        let claims = verify_rs256(token, &keys, &format!("http://{HERE}/oidc"), "sigstore", world.now).unwrap();
        assert_eq!(claims.identity(), "alice@example.org");
    }
}

#[test]
fn dexs_errors() {
    let world = World::new();
    let post = |authorization: Option<&str>, body: &str| {
        let mut request = Request::post("/oidc/token").header(HOST, HERE);
        request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let answer = world.ask(request.body(body.as_bytes().to_vec()).unwrap());
        (answer.status, answer.json(), answer.headers.contains_key("www-authenticate"))
    };
    let invalid_client = json!({"error": "invalid_client", "error_description": "Invalid client credentials."});
    let invalid_code = json!({"error": "invalid_grant", "error_description": "Invalid or expired code parameter."});
    let body = "grant_type=authorization_code&code=nope&redirect_uri=x&code_verifier=y";
    assert_eq!(post(None, &format!("{body}&client_id=nobody")), (401, invalid_client.clone(), false));
    assert_eq!(post(Some("Basic bm9ib2R5Og=="), body), (401, invalid_client.clone(), true));
    assert_eq!(post(Some("Basic !"), body), (401, invalid_client, true));
    assert_eq!(post(None, &format!("{body}&client_id=sigstore")), (400, invalid_code.clone(), false));
    assert_eq!(post(Some("Basic c2lnc3RvcmU6"), body), (400, invalid_code, false));
    assert_eq!(post(None, "client_id=sigstore&client_id=sigstore").1["error"], "invalid_request");
    let page = world.get("/oidc/auth?client_id=nobody");
    assert_eq!((page.status, page.text().contains("Invalid client_id provided.")), (404, true));
    assert!(!page.headers.contains_key(LOCATION));
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(policy.ends_with("; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"), "{policy}");
}

#[test]
fn only_for_this_host() {
    let world = World::new();
    let ask = |host: &str| world.ask(Request::get("/healthz").header(HOST, host).body(vec![]).unwrap()).status;
    assert_eq!(ask("localhost:4711"), 200);
    assert_eq!(ask("evil.example"), 421);
    assert_eq!(world.ask(Request::get("/healthz").body(vec![]).unwrap()).status, 421);
}

#[test]
fn health_says_which_log_is_ill() {
    let world = World::new();
    let health = || world.get("/healthz");
    let well = json!({ "status": "ok", "logs": { "ct-log": "open", "rekor-v1": "open", "rekor-v2": "open" } });
    assert_eq!((health().status, health().json()), (200, well));
    let key = SigningKey::generate();
    let leaf = world.certificate_for(&key).remove(0);
    let request = Request::get("/healthz").header(HOST, HERE).body(vec![]).unwrap();
    let yesterday = world.stack.handle(&request, world.now - SignedDuration::from_hours(24));
    let says: Value = serde_json::from_slice(yesterday.body()).unwrap();
    assert_eq!((yesterday.status().as_u16(), &says["logs"]["ct-log"]), (503, &json!("clock-behind")));
    // Where files are made before they get their names.
    let unfinished = world.folder.path().join("rekor-v2/unfinished");
    std::fs::remove_dir_all(&unfinished).unwrap();
    drop(std::fs::File::options().write(true).create_new(true).open(&unfinished).unwrap());
    let request = Request::post("/rekor2/api/v2/log/entries").header(HOST, HERE);
    let request = request.body(rekor_v2::request(b"message", &key, &leaf).to_string().into_bytes()).unwrap();
    assert_eq!(world.stack.handle(&request, world.now).status(), 503);
    let ill = json!({ "status": "failing", "logs": { "ct-log": "open", "rekor-v1": "open", "rekor-v2": "stopped" } });
    assert_eq!((health().status, health().json()), (503, ill));
}

#[test]
fn requests_have_limits() {
    let world = World::new();
    for path in [
        "/api/v1/signingCert",
        "/api/v2/signingCert",
        "/ct/v1/add-chain",
        "/ct/v1/add-pre-chain",
        "/oidc/token",
        "/rekor/api/v1/index/retrieve",
        "/rekor/api/v1/log/entries",
        "/rekor/api/v1/log/entries/retrieve",
        "/rekor2/api/v2/log/entries",
        "/tsa/api/v1/timestamp",
    ] {
        let large = vec![b'x'; routes::max_body_bytes(path) + 1];
        let answer = world.post(path, "application/json", &large);
        assert_eq!((answer.status, answer.text()), (413, "the body is too large\n"), "{path}");
    }
    let request = Request::get("/healthz").header(HOST, HERE).header("x", "y".repeat(200_000));
    assert_eq!(world.ask(request.body(vec![]).unwrap()).status, 431);
}

#[test]
fn a_restart_changes_nothing_that_users_pinned() {
    let world = World::new();
    let (digest, root) = (world.stack.trust_digest(), world.trusted_root().sha256());
    let world = world.restart();
    assert_eq!((world.stack.trust_digest(), world.trusted_root().sha256()), (digest, root));
    let World { folder, stack, now } = world;
    drop(stack);
    let other = Stack::open(folder.path(), &"http://127.0.0.1:1".parse().unwrap(), StackOptions::default(), now);
    assert!(matches!(other, Err(StackError::OtherPublicUrl { .. })));
    let earlier = now - SignedDuration::from_secs(6);
    assert!(matches!(open(&folder, earlier), Err(StackError::BeforeItsTime { .. })));
}

#[test]
fn an_interrupted_first_start_is_finished_by_the_next() {
    let world = World::new();
    let digest = world.stack.trust_digest();
    let World { folder, stack, now } = world;
    drop(stack);
    std::fs::remove_file(folder.path().join("stack.json")).unwrap();
    let stack = open(&folder, now).unwrap();
    assert_eq!(stack.trust_digest(), digest, "keys and documents that were there are kept");
}

/// Each log says it in the words of its API, goes on for readers, and takes entries again when somebody says that the clock is
/// right; one that jumped ahead and back is the same.
#[test]
fn a_clock_that_went_back_is_503() {
    let mut world = World::new();
    let key = SigningKey::generate();
    let token = world.token();
    let certificate = certificate_request(&token, &key).to_string().into_bytes();
    let leaf = world.certificate_for(&key).remove(0);
    let v2 = |message: &[u8]| rekor_v2::request(message, &key, &leaf).to_string().into_bytes();
    let v1 = |message: &[u8]| proposal(message, &key, &leaf);
    let write = |world: &World, message: &[u8]| {
        [
            ("/api/v2/signingCert", certificate.clone()),
            ("/rekor/api/v1/log/entries", v1(message)),
            ("/rekor2/api/v2/log/entries", v2(message)),
        ]
        .map(|(path, body)| {
            let request = Request::post(path).header(HOST, HERE).header(CONTENT_TYPE, "application/json");
            world.stack.handle(&request.body(body).unwrap(), world.now)
        })
    };
    let refused = |answers: [Response<Vec<u8>>; 3]| {
        for (answer, code) in answers.into_iter().zip([14, 503, 14]) {
            assert_eq!(answer.status(), 503);
            let body: Value = serde_json::from_slice(answer.body()).unwrap();
            assert_eq!((&body["code"], &body["message"]), (&json!(code), &json!("the clock went back")));
            assert!(answer.extensions().get::<Fault>().unwrap().0.starts_with("the clock says "));
        }
    };
    let taken = |answers: [Response<Vec<u8>>; 3]| {
        for (answer, status) in answers.iter().zip([200, 201, 201]) {
            assert_eq!(answer.status().as_u16(), status, "{}", String::from_utf8_lossy(answer.body()));
        }
        answers
    };
    world.now -= SignedDuration::from_secs(6);
    refused(write(&world, b"m"));
    world.now += SignedDuration::from_secs(2);
    let [_, entry, _] = taken(write(&world, b"m"));
    let (_, entry) = rekor_json::read(entry.body()).unwrap();
    assert_eq!(entry.integrated_time, 1_795_000_000, "the time of the last entry, not an earlier one");

    let before = world.now;
    world.now += SignedDuration::from_mins(5);
    taken(write(&world, b"from the future"));
    world.now = before + SignedDuration::from_secs(10);
    refused(write(&world, b"n"));
    for path in ["/ct/v1/get-sth", "/rekor/api/v1/log/entries?logIndex=0", "/rekor2/checkpoint"] {
        assert_eq!(world.get(path).status, 200, "{path}");
    }
    // It is still so after a restart.
    let world = world.restart();
    refused(write(&world, b"n"));
    maintenance::accept_clock(world.folder.path(), world.now).unwrap();
    taken(write(&world, b"n"));
}

#[test]
fn no_request_makes_it_panic_or_fail() {
    use proptest::prelude::{any, prop_assert};
    let world = World::new();
    let any_request = (any::<bool>(), proptest::sample::select(PATHS.to_vec()), ".{0,40}");
    let run = proptest::test_runner::TestRunner::default().run(&any_request, |(post, path, text)| {
        let query = form(&[("logIndex", &text), ("client_id", "sigstore"), ("redirect_uri", &text)]);
        let request = if post { Request::post(path) } else { Request::get(format!("{path}?{query}")) };
        let request = request.header(HOST, HERE).header(AUTHORIZATION, "Basic Og==");
        let request = request.header(CONTENT_TYPE, "application/json").body(text.into_bytes()).unwrap();
        let status = world.ask(request).status;
        let not_json = status == 500 && path == "/rekor/api/v1/log/entries";
        prop_assert!(status < 500 || status == 501 || not_json, "{status}");
        Ok(())
    });
    run.unwrap();
}

const PATHS: [&str; 19] = [
    "/api/v2/signingCert",
    "/api/v2/signingCert/",
    "/oidc/.well-known/openid-configuration",
    "/oidc/auth",
    "/oidc/token",
    "/rekor/api/v1/log/entries",
    "/ct/v1/add-chain",
    "/ct/v1/add-pre-chain",
    "/ct/v1/get-entries",
    "/ct/v1/get-sth",
    "/rekor/api/v1/index/retrieve",
    "/rekor/api/v1/log/entries/0",
    "/rekor/api/v1/log/entries/retrieve",
    "/rekor/api/v1/log/proof",
    "/rekor/api/v1/log/publicKey",
    "/rekor2/api/v2/log/entries",
    "/rekor2/tile/0/000",
    "/rekorx",
    "/",
];

/// One walk over a real socket.
#[test]
fn served_until_told_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    let now = Timestamp::from_second(1_795_000_000).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = server::Listener::tcp("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let url = format!("http://{}", listener.address().unwrap());
        let stack = Stack::open(folder.path(), &url.parse().unwrap(), StackOptions::default(), now).unwrap();
        let trusted_root = stack.trusted_root().to_vec();
        let (command, commands) = tokio::sync::mpsc::channel(1);
        let options = server::ServerOptions::new(|fault| panic!("{fault}"));
        let serving = tokio::spawn(server::serve_until(stack, listener, options, commands));
        let fetched = reqwest::get(format!("{url}/trust/trusted_root.json")).await.unwrap().bytes().await.unwrap();
        assert_eq!(fetched, trusted_root);
        let client = reqwest::Client::new();
        let large = client.post(format!("{url}/api/v2/signingCert")).body(vec![0; 200_000]).send().await.unwrap();
        assert_eq!(large.status(), 413);
        command.send(server::Command::Stop).await.unwrap();
        serving.await.unwrap();
        assert!(reqwest::get(format!("{url}/healthz")).await.is_err());
    });
}
