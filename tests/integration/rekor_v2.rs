//! Signing to Rekor v2 and with timestamps: what is stored is what the services said, verifies offline, and is not there at
//! all when one of them fails.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use waxseal::git::{HashKind, ObjectKind, SignedObject};
use waxseal::signature::VerificationMaterial;
use waxseal::timestamp::{TimeStampReq, TimeStampResp};

use super::outage::{refused, services, sign};
use super::sandbox::front::{Front, Reply, nobody, reply};
use super::sandbox::{ALICE, Ran, Sandbox, Stack, http};

#[test]
fn either_log_with_and_without_a_timestamp() {
    let mut sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let shown = sandbox.waxseal(["trust", "show", "home"]).success().out();
    assert!(
        shown.contains(&format!("\nwith waxseal.log = v2, logs to {}/rekor2 (version 2)\n", sandbox.url())),
        "{shown}"
    );
    let token = sandbox.token(ALICE);
    let mut signed = Vec::new();
    for (log, timestamp, version, source) in [
        ("auto", "auto", "1", "log"),
        ("v1", "auto", "1", "log"),
        ("v1", "always", "1", "timestamp"),
        ("v1", "never", "1", "log"),
        ("v2", "auto", "2", "timestamp"),
        ("v2", "always", "2", "timestamp"),
    ] {
        let mut git = sandbox.command("git");
        git.args(["-c", &format!("waxseal.log={log}"), "-c", &format!("waxseal.timestamp={timestamp}")]);
        git.args(["commit", "-q", "--allow-empty", "-S", "-m", "signed"]).env("WAXSEAL_ID_TOKEN", &token);
        Ran::of(&mut git, b"").success();
        signed.push((sandbox.git(["rev-parse", "HEAD"]).line(), version, source));
    }
    let mut never = sandbox.command("git");
    never.args(["-c", "waxseal.log=v2", "-c", "waxseal.timestamp=never"]);
    never.args(["commit", "-q", "--allow-empty", "-S", "-m", "unsigned"]).env("WAXSEAL_ID_TOKEN", &token);
    Ran::of(&mut never, b"").code(128);
    let said = sandbox.last_error();
    assert!(said.contains("a Rekor v2 log gives no time, and waxseal.timestamp is \"never\""), "{said}");

    // From here on there is nobody to ask.
    sandbox.kill_stack();
    for (id, version, source) in signed {
        sandbox.git(["verify-commit", &id]).success();
        assert_eq!(sandbox.git(["log", "-1", "--format=%G?", &id]).line(), "G");
        let object = sandbox.waxseal(["verify", "--json", &id]).success().object();
        assert_eq!((&object["verdict"], &object["allowed"]), (&json!("verified"), &json!(true)));
        assert_eq!((&object["log"]["version"], &object["time"]["source"]), (&json!(version), &json!(source)));

        let material = material(&sandbox, &id);
        let entry = material.log_entry.unwrap();
        let proof = entry.inclusion_proof.unwrap();
        assert!(proof.tree_size > proof.leaf_index && proof.checkpoint.contains("\n\u{2014} "));
        assert_eq!(entry.canonicalized_body, b"", "whoever verifies builds it again");
        let stored =
            (entry.kind_version.version.as_str(), entry.inclusion_promise.is_some(), entry.integrated_time > 0);
        assert_eq!(stored, if version == "2" { ("0.0.2", false, false) } else { ("0.0.1", true, true) });
        assert_eq!(material.timestamps.len(), usize::from(source == "timestamp"));
    }
}

#[test]
fn a_log_that_takes_nineteen_seconds_is_waited_for() {
    let sandbox = Sandbox::with_stack();
    let token = sandbox.token(ALICE);
    let front = Front::new(sandbox.url(), |_| Reply::Late(Duration::from_secs(19)));
    use_rekor_v2(&sandbox, &front.url);
    let started = Instant::now();
    sign(&sandbox, &token).success();
    assert!(started.elapsed() >= Duration::from_secs(19));
    assert_eq!(front.seen().len(), 1);
}

#[test]
fn the_log_fails() {
    let sandbox = Sandbox::with_stack();
    let token = sandbox.token(ALICE);
    let entries = "the transparency log at http://127.0.0.1:PORT/rekor2/api/v2/log/entries";
    let address = "is this the address of the service? the instance's signing config holds it";
    for (what, said, hint, requests) in [
        (
            reply(
                "409 Conflict",
                "x-log-index: 50\r\n",
                br#"{"code":6,"message":"an equivalent entry already exists in the transparency log with index 50"}"#,
            ),
            "has an equal entry already, with index 50, and gives the proof of an entry only once",
            "run the command again: with a new key it is another entry",
            1,
        ),
        (
            reply("409 Conflict", "", b""),
            "has an equal entry already, and gives the proof of an entry only once",
            "run the command again: with a new key it is another entry",
            1,
        ),
        (
            reply("405 Method Not Allowed", "", b"This log has been frozen, please switch to the latest log."),
            "refused with status 405: \"This log has been frozen, please switch to the latest log.\"",
            "the log was closed, or the address is not a log's; its operator's newest signing config names the one in use",
            1,
        ),
        (
            reply("503 Service Unavailable", "Retry-After: 0\r\n", br#"{"code":14,"message":"pushback"}"#),
            "failed with status 503: \"pushback\"",
            "the service has trouble of its own; try again later",
            3,
        ),
        (
            reply("502 Bad Gateway", "", b""),
            "failed with status 502",
            "the service has trouble of its own; try again later",
            1,
        ),
        (
            reply("400 Bad Request", "", br#"{"code":3,"message":"invalid hashedrekord request","details":[]}"#),
            "refused with status 400: \"invalid hashedrekord request\"",
            "it does not take what was sent; whoever runs it, or a proxy before it, can say why",
            1,
        ),
        (
            reply("201 Created", "", b"{}"),
            "gave an answer that cannot be used: it is not the JSON of a log entry",
            address,
            1,
        ),
        (
            b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{".to_vec(),
            "did not answer properly: end of file before message length reached",
            address,
            1,
        ),
    ] {
        let front = Front::new(sandbox.url(), move |_| Reply::Bytes(what.clone()));
        use_rekor_v2(&sandbox, &front.url);
        assert_eq!(refused(&sandbox, &token), format!("waxseal: error: {entries} {said}\nwaxseal: hint: {hint}\n"));
        assert_eq!(front.seen().len(), requests, "what the log may have taken is not sent again: {said}");
    }
}

#[test]
fn the_log_lies() {
    let sandbox = Sandbox::with_stack();
    let token = sandbox.token(ALICE);
    let zeros = || json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    let lies: [(Lie, &str); 6] = [
        (|entry, zeros| entry["logId"]["keyId"] = zeros, "is not trusted"),
        (|entry, zeros| entry["inclusionProof"]["rootHash"] = zeros, "speak of different trees"),
        (
            |entry, zeros| entry["inclusionProof"]["hashes"][0] = zeros,
            "it is another signature's entry, or a wrong proof",
        ),
        (|entry, _| entry["inclusionProof"] = Value::Null, "the log entry has no inclusion proof"),
        (|entry, _| entry["kindVersion"]["version"] = json!("0.0.1"), "the log entry is about another signature"),
        (|entry, _| entry["canonicalizedBody"] = json!("e30="), "the log entry is about another signature"),
    ];
    for (lie, said) in lies {
        let front =
            Front::new(sandbox.url(), move |_| Reply::Edit(Arc::new(move |entry: &mut Value| lie(entry, zeros()))));
        use_rekor_v2(&sandbox, &front.url);
        let error = refused(&sandbox, &token);
        assert!(error.starts_with("waxseal: error: the transparency log at http://127.0.0.1:PORT/rekor2"), "{error}");
        assert!(error.contains(said), "{said}: {error}");
    }
    // The answer to another request, as it was.
    let seen = Arc::new(Mutex::new(None));
    let front = Front::new(sandbox.url(), move |_| Reply::Replay(Arc::clone(&seen)));
    use_rekor_v2(&sandbox, &front.url);
    sign(&sandbox, &token).success();
    let error = refused(&sandbox, &token);
    assert!(error.contains("gave an answer that cannot be used: the log entry is about another signature"), "{error}");
}

#[test]
fn without_a_timestamp_nothing_is_logged() {
    let sandbox = Sandbox::with_stack();
    let token = sandbox.token(ALICE);
    let log = Front::new(sandbox.url(), |_| Reply::Pass);
    use_rekor_v2(&sandbox, &log.url);
    let stamp = "the timestamp authority at http://127.0.0.1:PORT/tsa";
    let address = "is this the address of the service? the instance's signing config holds it";
    let der = "Content-Type: application/timestamp-reply\r\n";
    let rejection = [0x30, 5, 0x30, 3, 2, 1, 2];
    for (what, said, hint) in [
        (
            reply("500 Internal Server Error", "", br#"{"code":500,"message":"on fire"}"#),
            "failed with status 500: \"on fire\"",
            "the service has trouble of its own; try again later",
        ),
        (
            reply("415 Unsupported Media Type", "", br#"{"code":415,"message":"unsupported"}"#),
            "refused with status 415: \"unsupported\"",
            "it does not take what was sent; whoever runs it, or a proxy before it, can say why",
        ),
        (
            reply("200 OK", "Content-Type: application/timestamp-reply; charset=utf-8\r\n", b""),
            "gave an answer that cannot be used: it is not of the type application/timestamp-reply",
            address,
        ),
        (
            reply("200 OK", der, b"<html>"),
            "gave an answer that cannot be used: not a DER time-stamp request or response (RFC 3161)",
            address,
        ),
        (
            reply("200 OK", der, &rejection),
            "gave an answer that cannot be used: no token was granted (PKIStatus 2)",
            address,
        ),
        (
            reply("201 Created", der, &[0x30, 5, 0x30, 3, 2, 1, 0]),
            "gave an answer that cannot be used: it grants a token and holds none",
            address,
        ),
    ] {
        let front = Front::new(sandbox.url(), move |_| Reply::Bytes(what.clone()));
        services(&sandbox, "tsaUrls", &format!("{}/tsa", front.url));
        assert_eq!(refused(&sandbox, &token), format!("waxseal: error: {stamp} {said}\nwaxseal: hint: {hint}\n"));
    }
    services(&sandbox, "tsaUrls", &format!("{}/tsa", nobody()));
    assert_eq!(
        refused(&sandbox, &token),
        format!(
            "waxseal: error: {stamp} cannot be reached: Connection refused (os error 111)\n\
             waxseal: hint: is the network up, and the service running? then try again\n"
        )
    );
    // The token for another signature, and one for this signature under another nonce.
    let unused = "gave an answer that cannot be used: the timestamp token ";
    let other = Front::new(sandbox.url(), {
        let stack = sandbox.url().to_owned();
        move |_| Reply::Bytes(stamped(&stack, &TimeStampReq::for_message(b"another", [1; 16]).unwrap()))
    });
    services(&sandbox, "tsaUrls", &format!("{}/tsa", other.url));
    let error = refused(&sandbox, &token);
    assert!(error.contains(&format!("{unused}is for another signature\n")), "{error}");
    let replayed = Front::new(sandbox.url(), {
        let stack = sandbox.url().to_owned();
        move |request| {
            let wanted = TimeStampReq::from_der(request.body()).unwrap();
            Reply::Bytes(stamped(&stack, &TimeStampReq { nonce: Some(vec![1]), ..wanted }))
        }
    });
    services(&sandbox, "tsaUrls", &format!("{}/tsa", replayed.url));
    let error = refused(&sandbox, &token);
    assert!(error.contains(&format!("{unused}does not repeat the request's nonce\n")), "{error}");
    assert_eq!(log.seen(), [""; 0], "the log was never asked");

    // Somebody else's token is right in every way but one.
    let stranger = Stack::start(sandbox.serve("other", []));
    services(&sandbox, "tsaUrls", &format!("{}{STAMP}", stranger.url()));
    assert_eq!(
        refused(&sandbox, &token),
        format!(
            "waxseal: error: the timestamp authority at http://127.0.0.1:PORT{STAMP} gave a token that does not hold: \
             the timestamp authority is not trusted\n\
             waxseal: hint: is the instance's trusted root up to date?\n\
             waxseal: hint: the finished signature did not pass its check, so it was not written\n"
        )
    );
}

/// What a log that lies does to its answer; the other value is a digest of nothing.
type Lie = fn(&mut Value, Value);

/// Signs to the Rekor v2 log behind `front`, and asks for tokens; in the first signing config, because a front has
/// another address than the trusted root knows.
fn use_rekor_v2(sandbox: &Sandbox, front: &str) {
    let path = sandbox.path("home/.local/share/waxseal/instances/home/signing_config.v0.2.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    config["rekorTlogUrls"][0]["majorApiVersion"] = json!(2);
    std::fs::write(path, config.to_string()).unwrap();
    services(sandbox, "rekorTlogUrls", &format!("{front}/rekor2"));
}

/// The stack's own answer to a request for a token.
fn stamped(stack: &str, request: &TimeStampReq) -> Vec<u8> {
    let query = "Content-Type: application/timestamp-query\r\n";
    let answer = http("POST", &format!("{stack}{STAMP}"), query, &request.to_der().unwrap());
    assert!(TimeStampResp::from_der(&answer.body).unwrap().token.is_some(), "{}", answer.text());
    reply("200 OK", "Content-Type: application/timestamp-reply\r\n", &answer.body)
}

fn material(sandbox: &Sandbox, id: &str) -> VerificationMaterial {
    let raw = sandbox.git(["cat-file", "commit", id]).success().stdout;
    let signed = SignedObject::parse(ObjectKind::Commit, HashKind::Sha1, &raw);
    waxseal::signature::git::open(&signed.payload, &signed.signatures[0]).unwrap().material
}

/// Where the stack stamps.
const STAMP: &str = "/tsa/api/v1/timestamp";
