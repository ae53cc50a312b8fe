//! `waxseal serve`: what it promised it keeps, through restarts and crashes; and it answers nobody it should not.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use waxseal::crypto::Sha256Digest;
use waxseal::tlog::checkpoint::Checkpoint;
use waxseal::tlog::{merkle, rekor_json};
use waxseal::trusted_root::TrustedRoot;

use super::sandbox::{ALICE, Answer, FORM, JSON, REDIRECT, Ran, Sandbox, Stack, VERIFIER, WAXSEAL, http, token_form};

#[test]
fn a_crash_loses_nothing() {
    let mut sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let mut answered = Vec::new();
    for round in 0..3 {
        for _ in 0..2 {
            sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "one"]).success();
            let index = 1 + answered.len();
            answered.push(entry(&sandbox, index));
        }
        let (url, kept) = (sandbox.url().to_owned(), log_info(&sandbox));
        // As after a power cut: SIGKILL.
        sandbox.kill_stack();
        sandbox.start_stack();
        assert_eq!(sandbox.url(), url, "the port that was found is used again");
        assert_eq!(log_info(&sandbox), kept, "round {round}");
    }
    assert_eq!(log_info(&sandbox)["treeSize"], 7, "six and the log's own");
    for (position, before) in answered.iter().enumerate() {
        let now = entry(&sandbox, position + 1);
        assert_eq!((&now["body"], &now["integratedTime"]), (&before["body"], &before["integratedTime"]));
        proved(&sandbox, &now);
        proved(&sandbox, before);
    }
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "after all"]).success();
    sandbox.waxseal(["verify", "HEAD~6..HEAD"]).success();
}

#[test]
fn it_ends_when_it_is_told_to() {
    let sandbox = Sandbox::new();
    for signal in ["-TERM", "-INT"] {
        let mut child = sandbox.serve("sigstore", []).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut ready = [0];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut ready).unwrap();
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(0), "{signal}");
    }
}

#[test]
fn a_folder_has_one_process_and_one_address() {
    let sandbox = Sandbox::with_stack();
    let serve = |data: &str, listen: &str, more: &[&str]| {
        let mut serve = sandbox.command(WAXSEAL);
        serve.args(["serve", "--listen", listen, "--data"]).arg(sandbox.path(data)).args(more);
        Ran::of(&mut serve, b"")
    };
    let refused = |ran: Ran, code: i32| {
        assert_eq!(ran.out(), "");
        sandbox.masked(&ran.code(code).err())
    };
    assert_eq!(
        refused(serve("sigstore", "127.0.0.2:0", &[]), 1),
        "waxseal: error: \"SANDBOX/sigstore\" is in use by another process\n\
         waxseal: hint: stop the other waxseal serve first: a folder has one process\n"
    );
    let bound = sandbox.url().strip_prefix("http://").unwrap().to_owned();
    assert_eq!(
        refused(serve("another", &bound, &[]), 1),
        "waxseal: error: cannot listen on 127.0.0.1:PORT: Address already in use (os error 98)\n\
         waxseal: hint: another process listens there, perhaps another waxseal serve; --listen 127.0.0.1:PORT finds a free port for a new stack\n"
    );
    drop(Stack::start(sandbox.serve("mine", [])));
    assert_eq!(
        refused(serve("mine", "127.0.0.1:0", &["--public-url", "http://localhost:1"]), 2),
        "waxseal: error: this stack was made for http://127.0.0.1:PORT, and cannot become http://localhost:1\n\
         waxseal: hint: names and addresses in its certificates and logs follow from the public URL: begin a new folder\n"
    );
    sandbox.write("home/thesis.tex", "");
    assert_eq!(
        refused(serve("home", "127.0.0.1:0", &[]), 1),
        "waxseal: error: \"SANDBOX/home\" is neither empty nor the data folder of a waxseal stack\n\
         waxseal: hint: give --data a folder that is empty, or that does not exist yet\n"
    );
    std::fs::rename(sandbox.path("mine/rekor-v2"), sandbox.path("home/rekor-v2")).unwrap();
    assert_eq!(
        refused(serve("mine", "127.0.0.1:0", &[]), 1),
        "waxseal: error: the log rekor-v2 is not in this folder any more\n\
         waxseal: hint: put its folder back, or start a copy that \"waxseal serve backup\" made: a log that begins again contradicts itself\n"
    );
    std::fs::rename(sandbox.path("home/rekor-v2"), sandbox.path("mine/rekor-v2")).unwrap();
    open_up(&sandbox.path("mine/keys/ct-log.pem"));
    assert_eq!(
        refused(serve("mine", "127.0.0.1:0", &[]), 1),
        "waxseal: error: \"SANDBOX/mine/keys/ct-log.pem\" may be read by others\n\
         waxseal: hint: take the permissions of group and others away with chmod go= if nobody else can have read it\n"
    );
}

#[cfg(unix)]
#[test]
fn keys_are_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = Sandbox::with_stack();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&sandbox.path("sigstore")), 0o700);
    let mut keys = 0;
    for key in std::fs::read_dir(sandbox.path("sigstore/keys")).unwrap() {
        assert_eq!(mode(&key.unwrap().path()), 0o600);
        keys += 1;
    }
    assert!(keys >= 4, "one of each actor: {keys}");
}

#[test]
fn a_code_is_for_one_client_once() {
    let sandbox = Sandbox::with_stack();
    let redeem = |form: String| http("POST", &format!("{}/token", sandbox.issuer()), FORM, form.as_bytes());
    let refused = |answer: Answer, status: u16| {
        assert_eq!(answer.status, status, "{}", answer.text());
        answer.json()["error"].as_str().unwrap().to_owned()
    };
    let code = sandbox.code(ALICE, &[]);
    let other_verifier = VERIFIER.replace('d', "e");
    assert_eq!(refused(redeem(token_form(&code, &other_verifier, REDIRECT)), 400), "invalid_grant");
    assert_eq!(refused(redeem(token_form(&code, VERIFIER, "http://localhost:1/auth/callback")), 400), "invalid_grant");
    assert_eq!(redeem(token_form(&code, VERIFIER, REDIRECT)).status, 200);
    assert_eq!(refused(redeem(token_form(&code, VERIFIER, REDIRECT)), 400), "invalid_grant", "a second time");
    assert_eq!(refused(redeem(token_form("nonsense", VERIFIER, REDIRECT)), 400), "invalid_grant");

    for (name, value, status, why) in [
        ("redirect_uri", "http://evil.example/callback", 400, "Unregistered redirect_uri."),
        ("redirect_uri", "https://localhost.evil.example/auth/callback", 400, "Unregistered redirect_uri."),
        ("client_id", "somebody", 404, "Invalid client_id provided."),
    ] {
        let page = sandbox.authorize(ALICE, &[(name, value)]);
        assert_eq!((page.status, page.header("location")), (status, None), "{value}");
        assert!(page.text().contains(why), "{}", page.text());
    }
    for (name, value, why) in [
        ("code_challenge_method", "plain", "error=invalid_request"),
        ("code_challenge", "", "error=invalid_request"),
        ("response_type", "token", "error=unsupported_response_type"),
        ("login_hint", "mallory@example.org", "error=access_denied"),
    ] {
        let answer = sandbox.authorize(ALICE, &[(name, value)]);
        let location = answer.header("location").unwrap_or_default();
        assert_eq!(answer.status, 303, "{name}={value}");
        assert!(location.starts_with(REDIRECT) && location.contains(why), "{name}={value}: {location}");
        assert!(!location.contains("code="), "{location}");
    }
}

#[test]
fn other_hosts_are_not_served() {
    let sandbox = Sandbox::with_stack();
    let ask = |host: &str| {
        let headers = format!("Host: {host}\r\n");
        http("GET", &format!("{}/oidc/.well-known/openid-configuration", sandbox.url()), &headers, b"").status
    };
    assert_eq!(ask("localhost"), 200);
    for host in ["evil.example", "127.0.0.1.evil.example", "evil.example:80", "localhost@evil.example"] {
        assert_eq!(ask(host), 421, "{host}: a page of that name could read the answer");
    }
}

#[test]
fn the_log_answers_as_rekor_does() {
    let sandbox = Sandbox::with_stack();
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "one"]).success();
    let entries = format!("{}/rekor/api/v1/log/entries", sandbox.url());
    let found = http("GET", &format!("{entries}?logIndex=1"), "", b"");
    let (id, _) = rekor_json::read(&found.body).unwrap();
    let body = found.json()[&id.to_string()]["body"].as_str().unwrap().to_owned();
    let proposed = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, body).unwrap();

    let again = http("POST", &entries, JSON, &proposed);
    let location = format!("/rekor/api/v1/log/entries/{id}");
    assert_eq!((again.status, again.header("location"), again.header("etag")), (409, Some(location.clone()), None));
    assert_eq!(
        again.json(),
        json!({ "code": 409, "message": format!("an equivalent entry already exists in the transparency log with UUID {id}") })
    );
    let by_location = http("GET", &format!("{}{location}", sandbox.url()), "", b"");
    // ECDSA signatures differ from one answer to the next, and the rest does not.
    let unsigned = |answer: Answer| {
        let mut entry = answer.json()[&id.to_string()].take();
        for name in ["signedEntryTimestamp", "inclusionProof"] {
            drop(entry["verification"].as_object_mut().unwrap().remove(name).unwrap());
        }
        entry
    };
    assert_eq!((by_location.status, unsigned(by_location)), (200, unsigned(found)));
    assert_eq!(log_info(&sandbox)["treeSize"], 2);

    let burnt = http("GET", &format!("{entries}?logIndex=0"), "", b"");
    assert_eq!((burnt.status, burnt.json().as_object().unwrap().len()), (200, 1));
    let beyond = http("GET", &format!("{entries}?logIndex=2"), "", b"");
    assert_eq!((beyond.status, beyond.text().as_str()), (404, ""));
    // As the real log answers.
    assert_eq!(http("POST", &entries, JSON, b"{").status, 500);
    assert_eq!(http("POST", &entries, FORM, &proposed).status, 415);
    assert_eq!(http("POST", &entries, JSON, &vec![b' '; 8 << 20]).status, 413);
}

#[test]
fn what_is_published_has_the_digest_that_was_announced() {
    let sandbox = Sandbox::with_stack();
    let (mine, arguments) = (sandbox.url().to_owned(), ["trust", "add", "again", "--url"]);
    let refused = sandbox.waxseal(arguments.iter().chain(&[mine.as_str(), "--sha256", &"0".repeat(64)])).code(1);
    assert_eq!(
        sandbox.masked(&refused.err()),
        "waxseal: error: the trust material at STACK has digest SHA256, not SHA256\n\
         waxseal: hint: ask its operator which digest is right; nothing was changed\n"
    );
    let asked = sandbox.waxseal(arguments.iter().chain(&[mine.as_str()])).code(1);
    assert_eq!(
        sandbox.masked(&asked.err()),
        "waxseal: error: nobody vouches for STACK: --sha256 was not given and nobody can be asked\n\
         waxseal: hint: if its operator names the same digest: waxseal trust add again --url STACK --sha256 SHA256\n"
    );
    assert!(!sandbox.path("home/.local/share/waxseal/instances/again").exists());
    let taken = sandbox.waxseal(["trust", "add", "home", "--url", &mine, "--sha256", &"0".repeat(64)]).code(1);
    assert_eq!(
        taken.err(),
        "waxseal: error: there is an instance home already\n\
         waxseal: hint: \"waxseal trust remove home\" forgets it; \"waxseal trust show home\" shows it\n"
    );

    let listed = sandbox.waxseal(["trust", "list"]).success();
    let today = regex::Regex::new(r"as of \d{4}-\d\d-\d\d, signs").unwrap();
    assert_eq!(
        today.replace(&sandbox.masked(&listed.out()), "as of DATE, signs"),
        "home                 from STACK, as of DATE, signs\npublic-good          built in, as of 2026-08-21\n"
    );
    assert!(sandbox.waxseal(["trust", "show", "home"]).success().out().contains(&sandbox.issuer()));
    assert_eq!(sandbox.waxseal(["trust", "remove", "home"]).success().out(), "instance home is no longer trusted\n");
    assert_eq!(sandbox.waxseal(["trust", "list"]).success().out(), "public-good          built in, as of 2026-08-21\n");
}

fn log_info(sandbox: &Sandbox) -> Value {
    let mut info = http("GET", &format!("{}/rekor/api/v1/log", sandbox.url()), "", b"").json();
    // ECDSA signatures differ from one to the next.
    info.as_object_mut().unwrap().remove("signedTreeHead").unwrap();
    info
}

fn entry(sandbox: &Sandbox, index: usize) -> Value {
    let address = format!("{}/rekor/api/v1/log/entries?logIndex={index}", sandbox.url());
    let answer = http("GET", &address, "", b"").json();
    let (_, entry) = answer.as_object().unwrap().iter().next().unwrap();
    entry.clone()
}

/// The inclusion proof leads to the root of a checkpoint that the log signed.
fn proved(sandbox: &Sandbox, entry: &Value) {
    let root = std::fs::read(sandbox.path("sigstore/trust/trusted_root.json")).unwrap();
    let log = &TrustedRoot::parse(&root).unwrap().transparency_logs[0];
    let proof = &entry["verification"]["inclusionProof"];
    let checkpoint = Checkpoint::verify(proof["checkpoint"].as_str().unwrap(), log).unwrap();
    let hashes: Vec<_> = proof["hashes"].as_array().unwrap().iter().map(digest).collect();
    let body = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, entry["body"].as_str().unwrap());
    let leaf = merkle::leaf_hash(&body.unwrap());
    let (index, size) = (proof["logIndex"].as_u64().unwrap(), proof["treeSize"].as_u64().unwrap());
    assert_eq!(checkpoint.tree_size(), size);
    assert_eq!(merkle::root_from_inclusion(leaf, index, size, &hashes).unwrap(), checkpoint.root_hash());
    assert_eq!(digest(&proof["rootHash"]), checkpoint.root_hash());
}

fn digest(value: &Value) -> Sha256Digest {
    Sha256Digest::from_hex(value.as_str().unwrap()).unwrap()
}

#[cfg(unix)]
fn open_up(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
}
