//! Signatures of gitsign's online mode: the log is asked only when the user says so, and what it answers is believed only if
//! it proves the object.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use waxseal::git::{HashKind, ObjectKind};

use super::outage::services;
use super::sandbox::front::{Front, Reply, nobody, reply};
use super::sandbox::{ALICE, BOB, OnlineSigner, Ran, Sandbox, Stack, WAXSEAL};

#[test]
fn the_log_is_asked_only_when_the_user_says_so() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let commit = OnlineSigner::new(&sandbox, ALICE).commit(&sandbox, "online");
    let front = watched(&sandbox);
    let absent = sandbox.waxseal(["verify", "--json", &commit]).code(3);
    assert_eq!(reason(&absent), "log-entry-absent");
    assert_eq!(line(&absent, "header")["network"], false);
    sandbox.git(["verify-commit", &commit]).code(1);
    sandbox.waxseal(["verify", "--offline", &commit]).code(3);
    let mut offline = sandbox.command(WAXSEAL);
    Ran::of(offline.args(["verify", "--offline", &commit]).env("WAXSEAL_ONLINE", "true"), b"").code(3);
    assert_eq!(front.seen(), [""; 0]);

    let found = sandbox.waxseal(["verify", "--online", "--json", &commit]).success();
    assert_eq!(line(&found, "header")["network"], true);
    let object = line(&found, "object");
    assert_eq!((&object["identity"], &object["log"]["source"]), (&json!(ALICE), &json!("log")));
    assert_eq!(object["time"]["source"], "log");
    assert_eq!(front.seen().len(), 2);
    sandbox.git(["-c", "waxseal.online=true", "verify-commit", &commit]).success();
    let mut online = sandbox.command(WAXSEAL);
    Ran::of(online.args(["verify", &commit]).env("WAXSEAL_ONLINE", "true"), b"").success();
    // Nothing was kept.
    sandbox.waxseal(["verify", &commit]).code(3);
    assert_eq!(sandbox.git(["for-each-ref", "refs/notes"]).success().out(), "");
}

#[test]
fn one_search_serves_all_commits_of_a_certificate() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let signer = OnlineSigner::new(&sandbox, ALICE);
    let first = signer.commit(&sandbox, "one");
    signer.commit(&sandbox, "two");
    signer.commit(&sandbox, "three");
    sandbox.git(["tag", "base", &format!("{first}~0")]).success();
    let front = watched(&sandbox);
    let verified = sandbox.waxseal(["verify", "--online", "base", "base.."]).success();
    assert!(verified.out().ends_with("\n3 objects, 3 verified\n"), "{}", verified.out());
    assert_eq!(
        front.seen(),
        ["POST /rekor/api/v1/index/retrieve HTTP/1.1", "POST /rekor/api/v1/log/entries/retrieve HTTP/1.1"]
    );
}

#[test]
fn strangers_entries_are_passed_over() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let rekor = format!("{}/rekor", sandbox.url());
    let signer = OnlineSigner::new(&sandbox, ALICE);
    // The same certificate, other artifacts: more than one answer has.
    for number in 0..12 {
        signer.log(&rekor, format!("artifact {number}").as_bytes());
    }
    let (commit, name) = signer.unlogged_commit(&sandbox, "online");
    // The same artifact, another key; the log is made to name it.
    let bob = OnlineSigner::new(&sandbox, BOB);
    let stranger: Value = serde_json::from_slice(&bob.log(&rekor, name.as_str().as_bytes())).unwrap();
    let stranger = stranger.as_object().unwrap().keys().next().unwrap().clone();
    let front = Front::new(sandbox.url(), move |request| {
        let stranger = stranger.clone();
        if !request.line.contains("index/retrieve") {
            return Reply::Pass;
        }
        Reply::Edit(Arc::new(move |ids: &mut Value| ids.as_array_mut().unwrap().insert(0, json!(stranger))))
    });
    services(&sandbox, "rekorTlogUrls", &format!("{}/rekor", front.url));
    assert_eq!(reason(&sandbox.waxseal(["verify", "--online", "--json", &commit]).code(3)), "log-entry-not-found");
    signer.log(&rekor, name.as_str().as_bytes());
    let found = sandbox.waxseal(["verify", "--online", "--json", &commit]).success();
    assert_eq!(line(&found, "object")["identity"], ALICE);

    // Ours, but of a log that is not trusted.
    let other = Stack::start(sandbox.serve("other", []));
    let (commit, name) = signer.unlogged_commit(&sandbox, "logged elsewhere");
    let elsewhere = format!("{}/rekor", other.url());
    signer.log(&elsewhere, name.as_str().as_bytes());
    services(&sandbox, "rekorTlogUrls", &elsewhere);
    let refused = sandbox.waxseal(["verify", "--online", "--json", &commit]).code(3);
    assert_eq!(reason(&refused), "log-unavailable");
    assert!(line(&refused, "object")["detail"].as_str().unwrap().ends_with(" is not trusted"), "{}", refused.out());
    let fetched = sandbox.waxseal(["evidence", "fetch", &commit]).code(1);
    assert!(fetched.out().ends_with("\n1 object, 1 lacking\n"), "{}", fetched.out());
    assert_eq!(sandbox.git(["for-each-ref", "refs/notes"]).success().out(), "");
}

#[test]
fn an_entry_that_proves_nothing_is_told_apart_from_none() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let commit = OnlineSigner::new(&sandbox, ALICE).commit(&sandbox, "online");
    for (member, wrong, why) in [
        ("/integratedTime", Some(json!(1)), "promise"),
        ("/verification/inclusionProof/rootHash", Some(json!("00".repeat(32))), "different trees"),
        ("/verification/inclusionProof/checkpoint", None, "checkpoint"),
        ("/verification", None, "promise"),
    ] {
        let front = Front::new(sandbox.url(), move |request| {
            if !request.line.contains("entries/retrieve") {
                return Reply::Pass;
            }
            let wrong = wrong.clone();
            Reply::Edit(Arc::new(move |answer: &mut Value| {
                let entry = answer[0].as_object_mut().unwrap().values_mut().next().unwrap();
                let (parent, name) = member.rsplit_once('/').unwrap();
                let parent = entry.pointer_mut(parent).unwrap().as_object_mut().unwrap();
                match wrong.clone() {
                    Some(wrong) => parent.insert(name.to_owned(), wrong),
                    None => parent.remove(name),
                };
            }))
        });
        services(&sandbox, "rekorTlogUrls", &format!("{}/rekor", front.url));
        let refused = sandbox.waxseal(["verify", "--online", "--json", &commit]).code(3);
        assert_eq!(reason(&refused), "log-unavailable");
        let detail = line(&refused, "object")["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(" does not count: ") && detail.contains(why), "{detail}");
        let fetched = sandbox.waxseal(["evidence", "fetch", &commit]).code(1);
        assert!(fetched.out().starts_with("lacking ") && fetched.out().contains(&detail), "{}", fetched.out());
    }
}

#[test]
fn a_log_that_does_not_answer_is_told_apart_from_one_without_the_entry() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let signer = OnlineSigner::new(&sandbox, ALICE);
    let (unlogged, _) = signer.unlogged_commit(&sandbox, "never logged");
    assert_eq!(reason(&sandbox.waxseal(["verify", "--online", "--json", &unlogged]).code(3)), "log-entry-not-found");
    let commits = [signer.commit(&sandbox, "one"), signer.commit(&sandbox, "two")];
    let lying: [(Vec<u8>, usize); 5] = [
        (reply("503 Service Unavailable", "Retry-After: 0\r\n", b""), 3),
        (reply("429 Too Many Requests", "Retry-After: 0\r\n", b"{\"code\":429,\"message\":\"slower\"}"), 3),
        (reply("500 Internal Server Error", "", b""), 1),
        (reply("200 OK", "", b"{}"), 1),
        (reply("200 OK", "", &vec![b' '; 2 << 20]), 1),
    ];
    for (answer, asked) in lying {
        let front = Front::new(sandbox.url(), move |_| Reply::Bytes(answer.clone()));
        services(&sandbox, "rekorTlogUrls", &format!("{}/rekor", front.url));
        let ran = sandbox.waxseal(["verify", "--online", "--json", &commits[0], &commits[1]]).code(3);
        assert_eq!(reason(&ran), "log-unavailable");
        assert_eq!(front.seen().len(), asked, "the second commit does not wait for it again");
        let said = sandbox.git(["-c", "waxseal.online=true", "verify-commit", &commits[0]]).code(1).err();
        assert!(said.contains("waxseal: cannot decide: the signature carries no log entry, and the log could not be"));
    }
    services(&sandbox, "rekorTlogUrls", &format!("{}/rekor", nobody()));
    assert_eq!(reason(&sandbox.waxseal(["verify", "--online", "--json", &commits[0]]).code(3)), "log-unavailable");
    let fetched = sandbox.waxseal(["evidence", "fetch", &commits[0]]).code(1);
    assert!(fetched.out().contains("the log could not be searched"), "{}", fetched.out());
}

#[test]
fn what_no_entry_can_help_is_named() {
    let sandbox = Sandbox::with_stack();
    let online = OnlineSigner::new(&sandbox, ALICE).commit(&sandbox, "online");
    let tampered = sandbox.gallery().tampered;
    let fetched = sandbox.waxseal(["evidence", "fetch", &tampered, &online, "HEAD"]).code(1);
    let lines: Vec<String> = fetched.out().lines().map(str::to_owned).collect();
    assert!(lines[0].starts_with(&format!("rejected    {}  ", &tampered[..10])), "{lines:?}");
    assert!(lines[1].starts_with(&format!("found       {}  ", &online[..10])), "{lines:?}");
    assert_eq!(lines[2..], ["3 objects, 1 found and kept, 1 rejected"]);

    let mut stranger = sandbox.command(WAXSEAL);
    stranger.args(["evidence", "fetch", &online]).envs([("WAXSEAL_TRUST", "public-good"), ("WAXSEAL_INSTANCE", "")]);
    let stranger = Ran::of(&mut stranger, b"").code(1);
    assert!(
        stranger.out().contains("  the certificate authority \"")
            && stranger.out().ends_with("\n1 object, 1 rejected\n")
    );
    assert!(stranger.err().starts_with("waxseal: hint: unknown-ca: "), "{}", stranger.err());
}

#[test]
fn a_tag_and_a_repository_of_sha256_are_proved_by_what_gitsign_logs() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let signer = OnlineSigner::new(&sandbox, ALICE);
    let rekor = format!("{}/rekor", sandbox.url());
    let init = sandbox.run_in(".", "git", ["init", "-q", "--object-format=sha256", "wide"]);
    init.success();
    let git = |arguments: &[&str]| sandbox.run_in("wide", "git", arguments).success();
    git(&["commit", "-q", "--allow-empty", "-m", "unsigned"]);
    let write = |kind: &str, raw: &[u8]| {
        let mut command = sandbox.command("git");
        command.current_dir(sandbox.path("wide"));
        Ran::of(command.args(["hash-object", "-w", "-t", kind, "--literally", "--stdin"]), raw).success().line()
    };
    let payload = git(&["cat-file", "commit", "HEAD"]).stdout;
    let (raw, name) = signer.finished(ObjectKind::Commit, HashKind::Sha256, &payload);
    let commit = write("commit", &raw);
    // gitsign names it with SHA-1 all the same.
    assert_eq!((commit.len(), name.as_str().len()), (64, 40));
    signer.log(&rekor, name.as_str().as_bytes());
    let tag = format!("object {commit}\ntype commit\ntag v1\ntagger A <a@example.org> 1 +0000\n\nrelease\n");
    let (raw, name) = signer.finished(ObjectKind::Tag, HashKind::Sha256, tag.as_bytes());
    let tag = write("tag", &raw);
    signer.log(&rekor, name.as_str().as_bytes());
    git(&["update-ref", "refs/tags/v1", &tag]);

    sandbox.run_in("wide", WAXSEAL, ["verify", &commit, &tag]).code(3);
    sandbox.run_in("wide", WAXSEAL, ["verify", "--online", &commit, &tag]).success();
    sandbox.run_in("wide", WAXSEAL, ["evidence", "fetch", &commit, "v1"]).success();
    sandbox.run_in("wide", WAXSEAL, ["verify", &commit, "v1"]).success();
    git(&["verify-commit", &commit]);
    git(&["verify-tag", "v1"]);
}

#[test]
fn an_instance_without_a_log_that_can_be_searched_says_so() {
    let sandbox = Sandbox::with_stack();
    let commit = OnlineSigner::new(&sandbox, ALICE).commit(&sandbox, "online");
    let folder = sandbox.path("home/.local/share/waxseal/instances/home");
    let path = folder.join("trusted_root.json");
    let mut root: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let logs = root["tlogs"].as_array_mut().unwrap();
    logs.retain(|log| log["publicKey"]["keyDetails"] == "PKIX_ED25519");
    assert_eq!(logs.len(), 1);
    std::fs::write(&path, root.to_string()).unwrap();
    for config in ["signing_config.v0.2.json", "signing_config_rekor_v2.v0.2.json"] {
        drop(std::fs::remove_file(folder.join(config)));
    }
    let mut verify = sandbox.command(WAXSEAL);
    verify.args(["verify", "--online", "--json", &commit]).env("WAXSEAL_INSTANCE", "");
    assert_eq!(reason(&Ran::of(&mut verify, b"").code(3)), "log-not-searchable");
}

#[test]
fn thousands_of_strangers_entries_are_not_read() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let commit = OnlineSigner::new(&sandbox, ALICE).commit(&sandbox, "online");
    for (strangers, reason_after) in [(490, None), (5000, Some("log-search-incomplete"))] {
        let front = Front::new(sandbox.url(), move |request| {
            if !request.line.contains("index/retrieve") {
                return Reply::Pass;
            }
            Reply::Edit(Arc::new(move |ids: &mut Value| {
                let strangers = (0..strangers).map(|number| json!(format!("{number:064x}")));
                let own = std::mem::take(ids.as_array_mut().unwrap());
                *ids = strangers.chain(own).collect();
            }))
        });
        services(&sandbox, "rekorTlogUrls", &format!("{}/rekor", front.url));
        let ran = sandbox.waxseal(["verify", "--online", "--json", &commit]);
        assert_eq!(line(&ran, "object")["reason"].as_str(), reason_after, "{}", ran.out());
        // One search, and ten entries a request: five hundred at most.
        assert_eq!(front.seen().len(), 51);
    }
}

#[test]
fn a_log_that_went_back_gives_no_evidence() {
    let sandbox = Sandbox::with_stack();
    let signer = OnlineSigner::new(&sandbox, ALICE);
    let first = signer.commit(&sandbox, "one");
    let kept = Arc::new(Mutex::new(None));
    let front = Front::new(sandbox.url(), move |request| match request.line.contains("entries/retrieve") {
        true => Reply::Replay(Arc::clone(&kept)),
        false => Reply::Pass,
    });
    services(&sandbox, "rekorTlogUrls", &format!("{}/rekor", front.url));
    sandbox.waxseal(["evidence", "fetch", &first]).success();
    let second = OnlineSigner::new(&sandbox, ALICE).commit(&sandbox, "two");
    services(&sandbox, "rekorTlogUrls", &format!("{}/rekor", sandbox.url()));
    let more = sandbox.waxseal(["evidence", "fetch", &second]).success();
    assert_eq!(more.err(), "", "the larger tree extends the one that was kept");
    sandbox.git(["update-ref", "-d", "refs/notes/waxseal-evidence"]).success();
    // Its old answer again, as if the log had been put back.
    services(&sandbox, "rekorTlogUrls", &format!("{}/rekor", front.url));
    let alarm = sandbox.waxseal(["evidence", "fetch", &first]).code(1).err();
    assert!(alarm.contains("went back: ") && alarm.contains("nothing was added to the notes"), "{alarm}");
    assert_eq!(sandbox.git(["for-each-ref", "refs/notes"]).success().out(), "");
}

#[test]
fn a_log_that_went_back_proves_nothing_to_who_verifies() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let first = OnlineSigner::new(&sandbox, ALICE).commit(&sandbox, "one");
    let kept = Arc::new(Mutex::new(None));
    let old = Front::new(sandbox.url(), move |request| match request.line.contains("entries/retrieve") {
        true => Reply::Replay(Arc::clone(&kept)),
        false => Reply::Pass,
    });
    services(&sandbox, "rekorTlogUrls", &format!("{}/rekor", old.url));
    sandbox.waxseal(["verify", "--online", &first]).success();
    let second = OnlineSigner::new(&sandbox, ALICE).commit(&sandbox, "two");
    services(&sandbox, "rekorTlogUrls", &format!("{}/rekor", sandbox.url()));
    let more = sandbox.waxseal(["verify", "--online", &first, &second]).success();
    assert!(!more.err().contains("warning"), "the larger tree extends the one that was kept: {}", more.err());
    // Its old answer again, as if the log had been put back: for no command of those that ask does it count.
    services(&sandbox, "rekorTlogUrls", &format!("{}/rekor", old.url));
    for command in ["verify", "explain"] {
        let alarm = sandbox.waxseal([command, "--online", &first]).code(3);
        assert!(alarm.out().contains("does not count: the log ") && alarm.out().contains(" went back: "));
        assert!(alarm.out().contains("(kept in "), "{}", alarm.out());
    }
    let alarm = sandbox.waxseal(["verify", "--online", "--json", &first]).code(3);
    assert_eq!(reason(&alarm), "log-contradiction");
    let said = sandbox.git(["-c", "waxseal.online=true", "verify-commit", &first]).code(1).err();
    assert!(said.contains("waxseal: cannot decide: ") && said.contains(" went back: "), "{said}");
    // What was kept stays, and offline nothing of it is looked at.
    services(&sandbox, "rekorTlogUrls", &format!("{}/rekor", sandbox.url()));
    sandbox.waxseal(["verify", "--online", &first]).success();
    assert_eq!(reason(&sandbox.waxseal(["verify", "--json", &first]).code(3)), "log-entry-absent");
}

/// The instance's log, behind somebody who counts.
pub(super) fn watched(sandbox: &Sandbox) -> Front {
    let front = Front::new(sandbox.url(), |_| Reply::Pass);
    services(sandbox, "rekorTlogUrls", &format!("{}/rekor", front.url));
    front
}

/// The last line of this type.
pub(super) fn line(ran: &Ran, kind: &str) -> Value {
    ran.json_lines().into_iter().rfind(|line| line["type"] == kind).unwrap()
}

pub(super) fn reason(ran: &Ran) -> String {
    line(ran, "object")["reason"].as_str().unwrap_or_default().to_owned()
}
