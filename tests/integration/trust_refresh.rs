//! Trust material is refreshed by TUF, and nothing that is older, frozen or changed on the way ever takes the place of what
//! was trusted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sigstore_tuf::canonical_json::to_canonical_bytes;
use waxseal::crypto::{ServiceKey, ServiceKeyKind};

use super::sandbox::front::{Front, Reply, nobody, reply};
use super::sandbox::{ALICE, Ran, Sandbox, WAXSEAL, http};

#[test]
fn an_instance_is_followed_through_a_rotation() {
    let mut sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "before"]).success();
    let added = trust_by_tuf(&sandbox);
    assert_eq!(added.out(), "instance tuf is trusted; to sign with it: git config --global waxseal.instance tuf\n");
    let shown = sandbox.waxseal(["trust", "show", "tuf"]).success().out();
    assert!(
        shown.starts_with(&format!("instance tuf, from the TUF repository at {}/tuf, as of ", sandbox.url())),
        "{shown}"
    );
    assert!(shown.contains("\nTUF root version 1, timestamp version "), "{shown}");
    // Both have the same documents.
    let line = |name: &str| {
        let shown = sandbox.waxseal(["trust", "show", name]).success().out();
        shown.lines().find(|line| line.starts_with("digest ")).unwrap().to_owned()
    };
    assert_eq!(line("tuf"), line("home"));
    assert_eq!(refresh(&sandbox, &[]).success().out().lines().count(), 1);

    rotate(&mut sandbox, "tuf");
    let refreshed = refresh(&sandbox, &[]).success().out();
    assert!(
        refreshed.starts_with("instance tuf: nothing has changed; its TUF timestamp vouches for that until 20"),
        "{refreshed}"
    );
    let shown = sandbox.waxseal(["trust", "show", "tuf"]).success().out();
    assert!(shown.contains("\nTUF root version 2, timestamp version "), "{shown}");
    // Whoever is new begins with the first root, and finds the way.
    sandbox.waxseal(["trust", "remove", "tuf"]).success();
    trust_by_tuf(&sandbox).success();
    sandbox.config("waxseal.instance", "tuf");
    sandbox.waxseal(["trust", "remove", "home"]).success();
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "after"]).success();
    sandbox.waxseal(["verify", "HEAD~1", "HEAD"]).success();
    let json = sandbox.waxseal(["verify", "--json", "HEAD"]).success().out();
    assert!(json.contains(r#""instance":"tuf""#), "{json}");
}

#[test]
fn an_older_copy_is_refused_and_the_trust_stays() {
    let mut sandbox = Sandbox::with_stack();
    let old = copy(&sandbox, "old");
    // Versions are seconds.
    std::thread::sleep(Duration::from_millis(1100));
    sandbox.start_stack();
    trust_by_tuf(&sandbox).success();
    let before = kept(&sandbox);
    let mirror = serve(&sandbox, &old);
    let refused = refresh(&sandbox, &["--mirror", &mirror.url]).code(4).err();
    let pattern = regex::Regex::new(
        r"^waxseal: error: the TUF repository at http://127.0.0.1:PORT: it is older than what was seen before: timestamp has version \d+, and had \d+
waxseal: hint: this is an old copy; try another mirror
$",
    );
    assert!(pattern.unwrap().is_match(&sandbox.masked(&refused)), "{refused}");
    assert_eq!(kept(&sandbox), before);
    // Also from before a rotation, when another key signed.
    let copied = copy(&sandbox, "before-rotation");
    rotate(&mut sandbox, "tuf");
    refresh(&sandbox, &[]).success();
    let before = kept(&sandbox);
    let mirror = serve(&sandbox, &copied);
    let refused = refresh(&sandbox, &["--mirror", &mirror.url]).code(4).err();
    assert!(
        refused.contains("timestamp.json is signed by 0 of the keys that must sign it, and 1 are needed"),
        "{refused}"
    );
    assert_eq!(kept(&sandbox), before);
    assert!(refresh(&sandbox, &[]).success().out().starts_with("instance tuf: nothing has changed"));
}

#[test]
fn a_copy_that_stands_still_is_refused() {
    let mut sandbox = Sandbox::with_stack();
    trust_by_tuf(&sandbox).success();
    let frozen = copy(&sandbox, "frozen");
    // As if more than a week had passed since somebody last saw it: all that was signed is valid until then.
    let seen = sandbox.path(&format!("{INSTANCES}/tuf/tuf/timestamp.json"));
    for timestamp in [&seen, &frozen.join("timestamp.json")] {
        resign(&sandbox, timestamp, |signed| signed["expires"] = json!("2026-08-28T12:00:00Z"));
    }
    let before = kept(&sandbox);
    let mirror = serve(&sandbox, &frozen);
    let refused = refresh(&sandbox, &["--mirror", &mirror.url]).code(4);
    let refused =
        regex::Regex::new(r"version \d+").unwrap().replace(&sandbox.masked(&refused.err()), "version N").into_owned();
    assert_eq!(
        refused,
        "waxseal: error: the TUF repository at http://127.0.0.1:PORT: timestamp.json, version N, expired on TIME\n\
         waxseal: hint: an old copy, or its operator is late; try another mirror, and look at this machine's \
         clock\n"
    );
    assert_eq!(kept(&sandbox), before);
    let (url, root) = (mirror.url.clone(), sandbox.path("1.root.json"));
    let refused = sandbox.waxseal(["trust", "add", "new", "--tuf", &url, "--root", root.to_str().unwrap()]).code(4);
    assert!(refused.err().contains("timestamp.json, version"), "{}", refused.err());
    // The stack itself has signed again since.
    sandbox.start_stack();
    refresh(&sandbox, &[]).success();
}

#[test]
fn a_mirror_that_lies_or_fails_is_refused() {
    let sandbox = Sandbox::with_stack();
    trust_by_tuf(&sandbox).success();
    let before = kept(&sandbox);
    let hint = |what: &str| format!("\nwaxseal: hint: {what}\n");
    let changed = hint("somebody changed it on the way, or it is another repository; try another mirror");
    let missing = hint("is this where the repository itself is? a copy must be whole");
    let bytes = |status: &str, headers: &str, body: &[u8]| Reply::Bytes(reply(status, headers, body));
    let at = "the source of trust material at http://127.0.0.1:PORT/tuf/";
    let edit = Reply::Edit(Arc::new(|document: &mut Value| document["signed"]["version"] = json!(9_999_999_999_u64)));
    let numbers = regex::Regex::new(r"\b\d{10}(\.targets)|pinned \d+").unwrap();
    for (path, answer, code, said) in [
        (
            "timestamp.json",
            edit,
            4,
            format!("timestamp.json is signed by 0 of the keys that must sign it, and 1 are needed{changed}"),
        ),
        (
            ".trusted_root.json",
            bytes("200 OK", "", b"{}"),
            4,
            format!("SHA256.trusted_root.json is not what was signed: trusted_root.json: length 2 != NUMBER{changed}"),
        ),
        (
            ".trusted_root.json",
            bytes("404 Not Found", "", b""),
            4,
            format!("targets/SHA256.trusted_root.json is missing{missing}"),
        ),
        (".targets.json", bytes("404 Not Found", "", b""), 4, format!("NUMBER.targets.json is missing{missing}")),
        ("timestamp.json", bytes("404 Not Found", "", b""), 4, format!("timestamp.json is missing{missing}")),
        (
            "timestamp.json",
            bytes("200 OK", "", b"<html>"),
            4,
            format!("timestamp.json is malformed: expected value at line 1 column 1{changed}"),
        ),
        (
            "2.root.json",
            bytes("200 OK", "", &vec![b' '; 10 << 20]),
            1,
            format!("{at}2.root.json answered with more than 1048576 bytes\n"),
        ),
        (
            "timestamp.json",
            bytes("200 OK", "", &vec![b' '; 20_000]),
            1,
            format!("{at}timestamp.json answered with more than 16384 bytes\n"),
        ),
        (
            "timestamp.json",
            bytes("302 Found", "Location: https://elsewhere.example/\r\n", b""),
            1,
            format!("{at}timestamp.json answered unexpectedly with status 302\n"),
        ),
        (
            "2.root.json",
            bytes("500 Internal Server Error", "", b""),
            1,
            format!("{at}2.root.json failed with status 500\n"),
        ),
    ] {
        let front = Front::new(sandbox.url(), move |request| {
            let asked = request.line.split(' ').nth(1).unwrap();
            if asked.ends_with(path) { answer.clone() } else { Reply::Pass }
        });
        // What is cached is not asked for again: whoever is new asks for all of it.
        sandbox.waxseal(["trust", "remove", "tuf"]).success();
        let root = sandbox.path("1.root.json");
        let root = root.to_str().unwrap();
        let url = format!("{}/tuf", front.url);
        let refused = sandbox.waxseal(["trust", "add", "tuf", "--tuf", &url, "--root", root]).code(code).err();
        let masked = sandbox.masked(&refused);
        let masked = numbers.replace_all(&masked, "NUMBER$1").into_owned();
        assert!(masked.ends_with(&said), "{masked}\n{said}");
        assert!(!sandbox.path(&format!("{INSTANCES}/tuf")).exists(), "nothing was added");
        trust_by_tuf(&sandbox).success();
    }
    let gone = nobody();
    let refused = refresh(&sandbox, &["--mirror", &gone]).code(1).err();
    assert!(refused.contains("/2.root.json cannot be reached: Connection refused"), "{refused}");
    assert_eq!(kept(&sandbox).keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
}

#[test]
fn many_processes_refresh_and_verify_at_once() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "one"]).success();
    trust_by_tuf(&sandbox).success();
    let run = |arguments: Vec<&'static str>| {
        let mut command = sandbox.command(WAXSEAL);
        command.args(arguments);
        move || Ran::of(&mut command, b"")
    };
    std::thread::scope(|scope| {
        let mut started = Vec::new();
        for number in 0..50 {
            started.push(scope.spawn(run(vec!["verify", "HEAD"])));
            if number % 3 == 0 {
                started.push(scope.spawn(run(vec!["trust", "refresh", "tuf"])));
            }
        }
        for ran in started {
            ran.join().unwrap().success();
        }
    });
    let mut names: Vec<_> =
        std::fs::read_dir(sandbox.path(INSTANCES)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, [".lock", "home", "tuf"], "nothing is left over");
    sandbox.waxseal(["trust", "list"]).success();
}

#[test]
fn documents_that_nobody_signed_are_vouched_for_anew() {
    let mut sandbox = Sandbox::new();
    let key = sandbox.path("root.pem");
    let key = key.to_str().unwrap().to_owned();
    let address = format!("http://127.0.0.1:{}", super::sandbox::free_port());
    operate(&sandbox, &["init", "--public-url", &address, "--root-key-out", &key]).success();
    sandbox.start_stack();
    let first = sandbox.digest().to_owned();
    sandbox.waxseal(["trust", "add", "home", "--url", &address, "--sha256", &first]).success();
    sandbox.config("waxseal.instance", "home");
    sandbox.allow(ALICE);
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "before"]).success();
    assert_eq!(sandbox.waxseal(["trust", "refresh", "home"]).success().out(), "instance home: nothing has changed\n");

    sandbox.kill_stack();
    operate(&sandbox, &["rotate", "intermediate", "--root-key", &key]).success();
    sandbox.start_stack();
    let second = sandbox.digest().to_owned();
    let refused = sandbox.waxseal(["trust", "refresh", "home"]).code(1).err();
    assert_eq!(
        refused,
        format!(
            "waxseal: error: nobody vouches for {address}: --sha256 was not given and nobody can be asked\n\
             waxseal: hint: if its operator names the same digest: waxseal trust refresh home --sha256 {second}\n"
        )
    );
    let refused = sandbox.waxseal(["trust", "refresh", "home", "--sha256", &first]).code(1).err();
    assert!(refused.contains(&format!("has digest {second}, not {first}")), "{refused}");
    let shown = sandbox.waxseal(["trust", "show", "home"]).success().out();
    assert!(shown.contains(&first), "{shown}");

    assert_eq!(
        sandbox.waxseal(["trust", "refresh", "home", "--sha256", &second]).success().out(),
        "instance home: renewed\n"
    );
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "after"]).success();
    sandbox.waxseal(["verify", "HEAD~1", "HEAD"]).success();
}

#[test]
fn one_instance_that_fails_does_not_keep_the_others() {
    let sandbox = Sandbox::with_stack();
    trust_by_tuf(&sandbox).success();
    let gone = nobody();
    let path = sandbox.path(&format!("{INSTANCES}/home/instance.toml"));
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace(sandbox.url(), &gone)).unwrap();
    sandbox.config("waxseal.trust", "home");
    sandbox.run_in(".", "git", ["config", "--global", "--add", "waxseal.trust", "tuf"]).success();
    let done = sandbox.waxseal(["trust", "refresh"]).code(1);
    assert!(done.out().starts_with("instance tuf: nothing has changed; "), "{}", done.out());
    assert!(
        done.err().starts_with("waxseal: error: instance home: the source of trust material at "),
        "{}",
        done.err()
    );
}

/// `waxseal trust add tuf --tuf …`, from the stack's first root.
fn trust_by_tuf(sandbox: &Sandbox) -> Ran {
    let root = http("GET", &format!("{}/tuf/1.root.json", sandbox.url()), "", b"");
    let root = sandbox.write("1.root.json", root.body);
    let url = format!("{}/tuf", sandbox.url());
    sandbox.waxseal(["trust", "add", "tuf", "--tuf", &url, "--root", root.to_str().unwrap()])
}

fn refresh(sandbox: &Sandbox, arguments: &[&str]) -> Ran {
    sandbox.waxseal(["trust", "refresh", "tuf"].iter().chain(arguments))
}

/// Puts a new key in the place of the stack's old one.
fn rotate(sandbox: &mut Sandbox, what: &str) {
    sandbox.kill_stack();
    operate(sandbox, &["rotate", what]).success();
    sandbox.start_stack();
}

/// `waxseal serve …` with the folder that the sandbox's stack lives in.
fn operate(sandbox: &Sandbox, arguments: &[&str]) -> Ran {
    let mut command = sandbox.command(WAXSEAL);
    command.arg("serve").args(arguments).arg("--data").arg(sandbox.path("sigstore"));
    Ran::of(&mut command, b"")
}

/// A copy of the stack's repository as it is now.
pub(super) fn copy(sandbox: &Sandbox, name: &str) -> PathBuf {
    let to = sandbox.path(name);
    let from = sandbox.path("sigstore/tuf");
    sandbox.run_in(".", "cp", ["-R", from.to_str().unwrap(), to.to_str().unwrap()]).success();
    to
}

/// A mirror that serves a copy.
fn serve(sandbox: &Sandbox, folder: &Path) -> Front {
    let folder = folder.to_owned();
    Front::new(sandbox.url(), move |request| {
        let path = request.line.split(' ').nth(1).unwrap();
        Reply::Bytes(match std::fs::read(folder.join(path.trim_start_matches('/'))) {
            Ok(bytes) => reply("200 OK", "", &bytes),
            Err(_absent) => reply("404 Not Found", "", b""),
        })
    })
}

/// Changes a document, and signs it with the stack's own key.
fn resign(sandbox: &Sandbox, path: &Path, change: impl Fn(&mut Value)) {
    let mut document: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    change(&mut document["signed"]);
    let mut keys = std::fs::read_dir(sandbox.path("sigstore/keys")).unwrap().map(|entry| entry.unwrap().path());
    let key = keys.find(|path| path.file_name().unwrap().to_str().unwrap().starts_with("tuf-")).unwrap();
    let key = ServiceKey::from_pkcs8_pem(ServiceKeyKind::EcdsaP256, &std::fs::read_to_string(key).unwrap()).unwrap();
    let signature = key.sign(&to_canonical_bytes(&document["signed"]).unwrap()).unwrap();
    document["signatures"][0]["sig"] = json!(hex::encode(signature));
    std::fs::write(path, document.to_string()).unwrap();
}

/// Every file that is kept of the instance `tuf`.
fn kept(sandbox: &Sandbox) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![sandbox.path(&format!("{INSTANCES}/tuf"))];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = std::fs::read(&path).unwrap();
                files.insert(path, bytes);
            }
        }
    }
    files
}

pub(super) const INSTANCES: &str = "home/.local/share/waxseal/instances";
