//! `waxseal verify`: one object, a range, a tag; for people and as JSON.

use std::collections::BTreeSet;

use serde_json::Value;

use super::sandbox::{ALICE, BOB, Ran, Sandbox, WAXSEAL};

#[test]
fn a_range_is_git_s_range() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let commit = |arguments: &[&str]| sandbox.git(["commit", "-q", "--allow-empty"].iter().chain(arguments)).success();
    commit(&["-m", "before anybody signed"]);
    sandbox.git(["tag", "start"]).success();
    commit(&["-S", "-m", "one"]);
    sandbox.git(["checkout", "-q", "-b", "topic"]).success();
    commit(&["-S", "-m", "topic"]);
    sandbox.git(["checkout", "-q", "main"]).success();
    commit(&["-S", "-m", "two"]);
    sandbox.git(["merge", "-q", "--no-ff", "-S", "-m", "merge", "topic"]).success();

    let verified = sandbox.waxseal(["verify", "start.."]).success();
    let subjects = |ran: &Ran| {
        let text = ran.out();
        let lines = text.lines().filter(|line| line.starts_with("verified") || line.starts_with("UNSIGNED"));
        lines.map(|line| line.rsplit("  ").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let log = sandbox.git(["log", "--format=%s", "start.."]).out();
    assert_eq!(
        subjects(&verified).iter().collect::<BTreeSet<_>>(),
        log.lines().map(str::to_owned).collect::<Vec<_>>().iter().collect()
    );
    assert_eq!(subjects(&verified)[0], "merge");
    assert_eq!(subjects(&verified)[3], "one");
    assert!(verified.out().ends_with("\n4 objects, 4 verified\n"));
    assert_eq!(verified.err(), "");

    // None means HEAD, several are taken together and nothing twice, a branch is its tip.
    assert_eq!(subjects(&sandbox.waxseal(["verify"]).success()), ["merge"]);
    assert_eq!(subjects(&sandbox.waxseal(["verify", "topic", "HEAD^..HEAD"]).success()), ["topic", "merge"]);
    let with_start = sandbox.waxseal(["verify", "start", "start.."]).code(1);
    assert_eq!(subjects(&with_start).len(), 5);
    assert!(with_start.out().ends_with("\n5 objects, 4 verified, 1 unsigned\n"));

    let empty = sandbox.waxseal(["verify", "HEAD..HEAD"]).code(3);
    assert_eq!(
        (empty.out(), empty.err()),
        (
            "0 objects\n".to_owned(),
            "waxseal: hint: nothing was there to verify; --allow-empty makes that a success\n".to_owned()
        )
    );
    sandbox.waxseal(["verify", "--allow-empty", "HEAD..HEAD"]).success();
}

#[test]
fn a_tag_is_the_tag_and_not_what_it_names() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    sandbox.git(["commit", "-q", "--allow-empty", "-m", "unsigned"]).success();
    sandbox.git(["tag", "-s", "-m", "a release", "v1"]).success();
    let tag = sandbox.git(["rev-parse", "v1"]).line();
    let verified = sandbox.waxseal(["verify", "v1"]).success();
    assert_eq!(
        sandbox.masked(&verified.out()),
        format!(
            "verified     {}  alice@example.org (STACK/oidc)  TIME  tag: a release\n1 object, 1 verified\n\
             of a tag the tag itself was judged, not what it points to\n",
            &tag[..10]
        )
    );
    sandbox.waxseal(["verify", "v1^{commit}"]).code(1);
    sandbox.git(["tag", "-m", "annotated", "v2"]).success();
    sandbox.waxseal(["verify", "v2"]).code(1);
    // A lightweight tag is the commit.
    sandbox.git(["tag", "v3"]).success();
    assert!(sandbox.waxseal(["verify", "v3"]).code(1).out().starts_with("UNSIGNED "));
}

#[test]
fn without_a_policy_everything_is_shown_and_nothing_accepted() {
    let sandbox = Sandbox::with_stack();
    let gallery = sandbox.gallery();
    let verified = sandbox.waxseal(["verify", &gallery.by_alice, &gallery.by_bob]).code(5);
    let short = |id: &str| id[..10].to_owned();
    assert_eq!(
        sandbox.masked(&verified.out()),
        format!(
            "verified     {}  alice@example.org (STACK/oidc)  TIME  Say hello\n\
             verified     {}  bob@example.org (STACK/oidc)  TIME  Say hello\n\
             2 objects, 2 verified\n",
            short(&gallery.by_alice),
            short(&gallery.by_bob)
        )
    );
    assert_eq!(
        sandbox.masked(&verified.err()),
        "waxseal: hint: nobody said who may sign, and anyone can get a certificate; name who may:\n\
         waxseal: hint:   git config --add waxseal.allow 'alice@example.org STACK/oidc home'\n\
         waxseal: hint:   git config --add waxseal.allow 'bob@example.org STACK/oidc home'\n\
         waxseal: hint: for one run: --certificate-identity and --certificate-oidc-issuer, or --any-identity\n"
    );

    sandbox.allow(ALICE);
    let all = [
        &gallery.by_alice,
        &gallery.by_bob,
        &gallery.tampered,
        &gallery.online,
        &gallery.unsigned,
        &gallery.openpgp,
        &gallery.ssh,
    ];
    let mixed = sandbox.waxseal(["verify"].into_iter().chain(all.iter().map(|id| id.as_str()))).code(1);
    let expected: String = [
        ("verified     ", "alice@example.org (STACK/oidc)  TIME  Say hello"),
        ("NOT ALLOWED  ", "bob@example.org (STACK/oidc)  TIME  Say hello"),
        (
            "REJECTED     ",
            "the content is not what was signed; claims to be alice@example.org (STACK/oidc)  Say goodbye",
        ),
        (
            "undecided    ",
            "the signature carries no log entry; only the log itself could show one; held: certificate, path, sct, \
             signature, payload, issuer; claims to be alice@example.org (STACK/oidc)  Say hello",
        ),
        ("UNSIGNED     ", "no signature  Say hello"),
        ("NOT ALLOWED  ", "an OpenPGP signature, which no rule covers  Say hello"),
        ("NOT ALLOWED  ", "an SSH signature, which no rule covers  Say hello"),
    ]
    .iter()
    .zip(all)
    .map(|((word, rest), id)| format!("{word}{}  {rest}\n", short(id)))
    .collect();
    let totals = "7 objects, 2 verified, 1 rejected, 1 unsigned, 1 undecided, 2 of another format, 3 not allowed\n";
    assert_eq!(sandbox.masked(&mixed.out()), expected + totals);
    assert_eq!(
        mixed.err(),
        "waxseal: hint: payload-mismatch: do not trust it: it was changed after it was signed\n\
         waxseal: hint: log-entry-absent: \"waxseal evidence fetch\" asks the log and keeps the proof; or ask the signer to sign again with the proof inside (gitsign: \"rekorMode = offline\")\n\
         waxseal: hint: openpgp-signature: \"waxseal verify\" judges it under a rule that names its key (\"docs/policy.md\"); so do \"git verify-commit\" and \"git verify-tag\", with \"gpg.program\"\n\
         waxseal: hint: ssh-signature: \"waxseal verify\" judges it under a rule that names its key (\"docs/policy.md\"); so do \"git verify-commit\" and \"git verify-tag\", with \"gpg.ssh.allowedSignersFile\"\n"
    );
}

#[test]
fn what_was_replaced_is_not_what_was_signed() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let gallery = sandbox.gallery();
    sandbox.git(["replace", &gallery.unsigned, &gallery.by_alice]).success();
    // Git shows the replacement, waxseal the object that was asked for.
    sandbox.git(["verify-commit", &gallery.unsigned]).success();
    sandbox.waxseal(["verify", &gallery.unsigned]).code(1);
    sandbox.git(["replace", "-d", &gallery.unsigned]).success();
    sandbox.git(["replace", &gallery.by_alice, &gallery.unsigned]).success();
    sandbox.waxseal(["verify", &gallery.by_alice]).success();
}

#[test]
fn a_shallow_clone_says_where_it_ends() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    for message in ["one", "two", "three"] {
        sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", message]).success();
    }
    let first = sandbox.git(["rev-parse", "HEAD~2"]).line();
    let source = format!("file://{}", sandbox.path("repository").display());
    sandbox.run_in(".", "git", ["clone", "-q", "--depth=2", &source, "shallow"]).success();
    let verify = |arguments: &[&str]| sandbox.run_in("shallow", WAXSEAL, ["verify"].iter().chain(arguments));
    let said = verify(&["HEAD^..HEAD"]).success();
    assert_eq!(said.err(), "");
    // What was cut off could be anything.
    let cut_off = verify(&["--all"]).code(3);
    assert!(cut_off.out().ends_with("\n3 objects, 2 verified, 1 undecided\n"), "{}", cut_off.out());
    let hint = "waxseal: hint: this clone is shallow, and lacks what was cut off: \"git fetch --unshallow\"";
    assert!(cut_off.err().contains(hint), "{}", cut_off.err());
    let missing = verify(&[&first]).code(3);
    assert_eq!(missing.out(), format!("undecided    {}  the object is missing\n1 object, 1 undecided\n", &first[..10]));
    assert!(
        missing.err().starts_with("waxseal: hint: object-missing: fetch the object, then ask again\n"),
        "{}",
        missing.err()
    );
}

#[test]
fn an_unreadable_object_is_undecided() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let gallery = sandbox.gallery();
    let loose = |id: &str| sandbox.path("repository/.git/objects").join(&id[..2]).join(&id[2..]);
    let replace = |id: &str, bytes: &[u8]| {
        std::fs::remove_file(loose(id)).unwrap();
        std::fs::write(loose(id), bytes).unwrap();
    };
    // Another object's bytes, and no object's.
    let others = std::fs::read(loose(&gallery.unsigned)).unwrap();
    replace(&gallery.by_alice, &others);
    let corrupt = sandbox.waxseal(["verify", &gallery.by_alice]).code(3);
    assert_eq!(
        corrupt.out(),
        format!(
            "undecided    {}  the object cannot be read: the object is corrupt: its bytes have another hash\n\
             1 object, 1 undecided\n",
            &gallery.by_alice[..10]
        )
    );
    replace(&gallery.by_bob, b"garbage");
    let garbage = sandbox.waxseal(["verify", &gallery.by_bob]).code(3);
    let line = garbage.out().lines().next().unwrap().to_owned();
    assert!(
        line.starts_with(&format!("undecided    {}  the object cannot be read: ", &gallery.by_bob[..10])),
        "{line}"
    );
    let json = sandbox.waxseal(["verify", "--json", &gallery.by_bob]).code(3).objects();
    assert_eq!((json[0]["reason"].as_str(), &json[0]["kind"]), (Some("object-unreadable"), &Value::Null));
}

#[test]
fn json_is_schema_1() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let gallery = sandbox.gallery();
    let all = [
        &gallery.by_alice,
        &gallery.by_bob,
        &gallery.tampered,
        &gallery.online,
        &gallery.unsigned,
        &gallery.openpgp,
        &gallery.ssh,
    ];
    let arguments = ["verify", "--json"].into_iter().chain(all.iter().map(|id| id.as_str()));
    let ran = sandbox.waxseal(arguments).code(1);
    assert_eq!(ran.err(), "");
    let lines = ran.json_lines();
    let [header, objects @ .., footer] = &lines[..] else { panic!("{lines:?}") };

    assert_eq!(members(header), ["instances", "network", "policy", "range", "schema", "tool", "type"]);
    assert_eq!(
        (header["type"].as_str(), header["schema"].as_u64(), &header["network"]),
        (Some("header"), Some(1), &Value::Bool(false))
    );
    assert_eq!(header["policy"]["source"], "waxseal.allow");
    assert_eq!(header["instances"][0]["name"], "home");
    assert_eq!(header["instances"][1]["name"], "public-good");
    assert_eq!(members(footer), ["counts", "exit", "type"]);
    assert_eq!(footer["exit"], 1);
    let counts = r#"{"allowed":1,"exempt":0,"not_allowed":3,"objects":7,"other":2,"rejected":1,"rule_undecided":0,"undecided":1,"unsigned":1,"verified":2}"#;
    assert_eq!(footer["counts"], serde_json::from_str::<Value>(counts).unwrap());

    for (object, id) in objects.iter().zip(all) {
        let members = members(object);
        assert_eq!(
            members,
            [
                "allowed",
                "author",
                "cached",
                "certificate_sha256",
                "committer",
                "detail",
                "findings",
                "identity",
                "identity_kind",
                "instance",
                "issuer",
                "kind",
                "log",
                "oid",
                "reason",
                "rule",
                "signature",
                "subject",
                "time",
                "type",
                "verdict",
            ]
        );
        assert_eq!((object["oid"].as_str(), object["kind"].as_str()), (Some(id.as_str()), Some("commit")));
        let verified = object["verdict"] == "verified";
        for member in ["identity", "identity_kind", "issuer", "instance", "time", "log", "certificate_sha256"] {
            assert_eq!(object[member].is_null(), !verified, "{member} of {object}");
        }
    }
    let summary: Vec<_> = objects
        .iter()
        .map(|object| {
            let word = |member: &str| object[member].as_str().unwrap_or("-").to_owned();
            format!(
                "{} {} {} {} {}",
                word("verdict"),
                object["allowed"],
                word("reason"),
                word("signature"),
                word("subject")
            )
        })
        .collect();
    assert_eq!(
        summary,
        [
            "verified true - keyless Say hello",
            "verified false identity-not-allowed keyless Say hello",
            "rejected null payload-mismatch keyless Say goodbye",
            "undecided null log-entry-absent keyless Say hello",
            "unsigned null unsigned - Say hello",
            "other false openpgp-signature openpgp Say hello",
            "other false ssh-signature ssh Say hello",
        ]
    );
    assert_eq!(objects[0]["rule"], "waxseal.allow alice@example.org");
    assert_eq!(objects[0]["time"]["source"], "log");
    assert_eq!(objects[0]["log"]["version"], "1");
    assert_eq!(objects[3]["findings"]["claimed"]["identity"], ALICE);
    assert_eq!(objects[3]["findings"]["steps"]["path"]["outcome"], "held");
    assert_eq!(objects[3]["findings"]["steps"]["log_entry"]["reason"], "log-entry-absent");
    assert_eq!(objects[2]["findings"]["steps"]["payload"]["reason"], "payload-mismatch");
}

#[test]
fn nothing_in_an_object_reaches_a_terminal_or_json_raw() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    sandbox.config("user.name", "Al\u{202e}ice");
    sandbox.commit_tree(b"x");
    let id = sandbox.commit_tree("\x1b[2K\u{1b}]0;title\x07 verified\u{202e} \u{9b}1m\rfake\n".as_bytes());
    let shown = sandbox.waxseal(["verify", &id]).success();
    assert!(shown.out().contains("  %1B[2K%1B]0;title%07 verified%E2%80%AE %C2%9B1m%0Dfake\n"), "{}", shown.out());
    let json = sandbox.waxseal(["verify", "--json", &id]).success();
    assert!(json.stdout.is_ascii(), "{}", json.out());
    assert_eq!(json.objects()[0]["subject"], "\x1b[2K\u{1b}]0;title\x07 verified\u{202e} \u{9b}1m\rfake");
    assert_eq!(json.objects()[0]["author"], "Al\u{202e}ice <alice@example.org>");
    sandbox.config("i18n.commitEncoding", "ISO-8859-1");
    let latin = sandbox.commit_tree(b"Gr\xfc\xdfe\n");
    let json = sandbox.waxseal(["verify", "--json", &latin]).success().objects();
    assert_eq!(json[0]["subject"], serde_json::json!({ "base64": "R3L832U=" }));
}

#[test]
fn output_that_nobody_gets_is_a_failure() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "one"]).success();
    for flags in ["", "--json"] {
        let full = sandbox.sh(&format!("\"$WAXSEAL\" verify {flags} >/dev/full")).code(3);
        assert_eq!(
            full.err(),
            "waxseal: error: the output could not be written: No space left on device (os error 28)\n"
        );
    }
    // Read-only, as nobody leaves it but by mistake.
    let refused = sandbox.sh("\"$WAXSEAL\" verify 1</dev/zero").code(3);
    assert_eq!(
        refused.err(),
        "waxseal: error: the output could not be written: standard output is not open for writing\n"
    );
    // What a caller does not want to see may be thrown away: a script's exit code is what it asked for, and reports are.
    let unwanted = sandbox.sh("\"$WAXSEAL\" verify --junit report.xml 1<>/dev/null").success();
    assert_eq!(unwanted.err(), "");
    assert!(sandbox.sh("cat report.xml").success().out().contains("<testsuites"));
    // Whoever closed the pipe does not want to hear of it, but no script may take that for a success.
    let mut verify = sandbox.command(WAXSEAL);
    let unread = Ran::unread(verify.arg("verify"), b"").code(3);
    assert_eq!(unread.err(), "");
}

#[test]
fn a_thousand_commits_take_one_process() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    sandbox.allow(BOB);
    let gallery = sandbox.gallery();
    // fast-import writes many at once.
    let mut stream = String::new();
    for number in 0..1000 {
        let from = if number == 0 { format!("from {}\n", gallery.by_alice) } else { String::new() };
        stream += &format!("commit refs/heads/long\ncommitter A <a@example.org> 1580608922 +0000\ndata 1\nx{from}\n");
    }
    let mut import = sandbox.command("git");
    Ran::of(import.args(["fast-import", "--quiet"]), stream.as_bytes()).success();
    let verified = sandbox.waxseal(["verify", &format!("{}^..long", gallery.by_alice)]).code(1);
    assert!(verified.out().starts_with("1,000 of 1,001 commits fail\n"), "{}", verified.out());
    assert!(verified.out().contains("   unsigned 1,000\n"), "{}", verified.out());
}

#[test]
fn a_repository_that_git_refuses_is_refused() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "one"]).success();
    sandbox.run_in(".", "git", ["clone", "-q", "--bare", "repository", "bare"]).success();
    sandbox.run_in("bare", WAXSEAL, ["verify"]).success();
    sandbox.config("safe.bareRepository", "explicit");
    let refused = sandbox.run_in("bare", WAXSEAL, ["verify"]).code(2).err();
    assert_eq!(
        sandbox.masked(&refused),
        "waxseal: error: git does not use the bare repository SANDBOX/bare unasked\n\
         waxseal: hint: safe.bareRepository is explicit: name it with GIT_DIR\n"
    );
    let mut named = sandbox.command(WAXSEAL);
    Ran::of(named.arg("verify").env("GIT_DIR", "../bare"), b"").success();

    if sandbox.run_in(".", "chown", ["-R", "12345", "repository"]).code != Some(0) {
        println!("skipped: only root can give a repository to somebody else");
        return;
    }
    sandbox.git(["rev-parse"]).code(128);
    let refused = sandbox.waxseal(["verify"]).code(2).err();
    assert_eq!(
        sandbox.masked(&refused),
        "waxseal: error: the repository SANDBOX/repository belongs to somebody else\n\
         waxseal: hint: if you trust it: git config --global --add safe.directory SANDBOX/repository\n"
    );
    sandbox.config("safe.directory", sandbox.path("repository").to_str().unwrap());
    sandbox.waxseal(["verify"]).success();
}

fn members(value: &Value) -> Vec<&str> {
    let mut members: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    members
}
