//! Keys that a policy names sign beside certificates: they are believed where a rule says so, and as long as it does.

use serde_json::Value;
use waxseal::git::{HashKind, ObjectKind, signed_bytes};

use super::sandbox::ssh::{SshSigner, unsigned};
use super::sandbox::{ALICE, Ran, Sandbox};

/// A rule about keys.
fn rule(name: &str, keys: &[&SshSigner], more: &str) -> String {
    let keys: Vec<String> = keys.iter().map(|key| format!("'{}'", key.public())).collect();
    format!("[[rule]]\nname = '{name}'\nssh = [{}]\n{more}\n", keys.join(", "))
}

fn verify(sandbox: &Sandbox, rules: &str, arguments: &[&str]) -> Ran {
    let file = sandbox.write("policy.toml", format!("version = 1\n{rules}"));
    sandbox.waxseal(["verify", "--policy", file.to_str().unwrap()].iter().chain(arguments))
}

/// Verdict, allowed, reason of one object.
fn judged(sandbox: &Sandbox, rules: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let ran = verify(sandbox, rules, &[&["--json"], arguments].concat());
    let object = ran.object();
    let reason = object["reason"].as_str().unwrap_or("-");
    (ran.code, format!("{} {} {reason}", object["verdict"].as_str().unwrap(), object["allowed"]))
}

#[test]
fn an_ssh_key_is_believed_where_a_rule_names_it() {
    let sandbox = Sandbox::new();
    let (carol, mallory) = (SshSigner::new(1), SshSigner::new(2));
    let commit = carol.commit(&sandbox, "By Carol", &[]);
    let named = rule("carol", &[&carol], "unbounded = true");
    let ran = verify(&sandbox, &named, &["--json", &commit]).success();
    let object = ran.object();
    let fingerprint = carol.fingerprint();
    for (key, value) in [
        ("verdict", "verified"),
        ("rule", "carol"),
        ("identity", &fingerprint),
        ("identity_kind", "ssh-key"),
        ("key", &fingerprint),
        ("signature", "ssh"),
    ] {
        assert_eq!(object[key], value, "{key}");
    }
    for key in ["reason", "issuer", "instance", "time", "log", "certificate_sha256", "findings"] {
        assert_eq!(object[key], Value::Null, "{key}");
    }
    let ran = verify(&sandbox, &named, &[&commit]).success();
    assert!(
        ran.out().starts_with(&format!("verified     {}  SSH key {fingerprint}  By Carol", &commit[..10])),
        "{}",
        ran.out()
    );
    let payload = unsigned(&sandbox, "Something else", &[]);
    let other = carol.signed(&sandbox, HashKind::Sha1, &payload, b"what was signed");
    let armor = carol.armor("file", &payload);
    let for_files =
        sandbox.hash_object("commit", &signed_bytes(ObjectKind::Commit, HashKind::Sha1, &payload, &armor).unwrap());
    let text = String::from_utf8(sandbox.git(["cat-file", "commit", &commit]).stdout).unwrap();
    let broken = sandbox.hash_object("commit", text.replace("U1NI", "U1N!").as_bytes());
    let by_mallory = mallory.commit(&sandbox, "By Mallory", &[]);
    for (commit, code, expected) in [
        (&commit, 0, "verified true -"),
        (&other, 1, "rejected null bad-signature"),
        (&for_files, 1, "rejected null signature-purpose"),
        (&broken, 1, "rejected null malformed-signature"),
        (&by_mallory, 1, "other false ssh-signature"),
    ] {
        assert_eq!(judged(&sandbox, &named, &[commit]), (Some(code), expected.to_owned()), "{commit}");
    }
    // Nobody but a rule makes such a signature worth anything.
    sandbox.waxseal(["verify", "--any-identity", &commit]).code(3);
    sandbox.waxseal(["verify", &commit]).code(3);
    let identity =
        format!("[[rule]]\nname = 'a'\nissuer = 'https://i'\ninstance = 'public-good'\nemail = ['{ALICE}']\n");
    assert_eq!(judged(&sandbox, &identity, &[&commit]), (Some(1), "other false ssh-signature".to_owned()));
    let both = format!("{identity}{named}");
    assert_eq!(judged(&sandbox, &both, &[&commit]).1, "verified true -");
}

#[test]
fn what_a_rule_about_keys_asks_must_hold() {
    let sandbox = Sandbox::new();
    let carol = SshSigner::new(1);
    let commit = carol.commit(&sandbox, "By Carol", &[]);
    let with = |more: &str| {
        judged(
            &sandbox,
            &rule("carol", &[&carol], &format!("unbounded = true\n{more}")),
            &[&commit, "--ref", "refs/heads/main"],
        )
        .1
    };
    assert_eq!(with("refs = ['refs/heads/main']"), "verified true -");
    assert_eq!(with("refs = ['refs/heads/next']"), "verified false identity-not-allowed");
    // Nobody said whose key it is.
    assert_eq!(with("require = ['author-match']"), "verified false identity-not-allowed");
    let signers = |principal: &str| {
        sandbox.write("signers", format!("{principal} {}\n", carol.public()));
        let rules = "[[rule]]\nname = 'r'\nallowed_signers = 'signers'\nunbounded = true\nrequire = ['author-match']\n";
        judged(&sandbox, rules, &[&commit]).1
    };
    assert_eq!(signers(ALICE), "verified true -");
    assert_eq!(signers("bob@example.org"), "verified false identity-not-allowed");
    let ran =
        verify(&sandbox, "[[rule]]\nname = 'r'\nallowed_signers = 'signers'\nunbounded = true\n", &[&commit]).success();
    assert!(ran.out().contains(&format!("bob@example.org (SSH key {})", carol.fingerprint())), "{}", ran.out());
    // What waxseal cannot keep to is refused.
    sandbox.write("signers", format!("a@x valid-before=\"20300101\" {}\n", carol.public()));
    let refused =
        verify(&sandbox, "[[rule]]\nname = 'r'\nallowed_signers = 'signers'\nunbounded = true\n", &[&commit]).code(5);
    assert!(refused.err().contains("rule \"r\": signers: line 1: valid-before is a date"), "{}", refused.err());
    let dates = verify(&sandbox, &rule("r", &[&carol], "until = 2030-01-01T00:00:00Z"), &[&commit]).code(5);
    assert!(dates.err().contains("not by dates"), "{}", dates.err());
}

#[test]
fn a_key_is_believed_between_commits() {
    let sandbox = Sandbox::new();
    let carol = SshSigner::new(1);
    // one ← two ← three ← four, and a side branch off one that is merged by four.
    let one = carol.commit(&sandbox, "one", &[]);
    let two = carol.commit(&sandbox, "two", &[&one]);
    let three = carol.commit(&sandbox, "three", &[&two]);
    let side = carol.commit(&sandbox, "side", &[&one]);
    let four = carol.commit(&sandbox, "four", &[&three, &side]);
    let names = [(&one, "one"), (&two, "two"), (&three, "three"), (&side, "side"), (&four, "four")];
    sandbox.git(["update-ref", "refs/heads/main", &four]).success();
    let allowed = |more: &str, arguments: &[&str]| {
        let ran = verify(&sandbox, &rule("carol", &[&carol], more), arguments);
        let out = ran.out();
        let lines = out.lines().filter(|line| line.starts_with("verified "));
        let mut found: Vec<_> =
            lines.filter_map(|line| names.iter().find(|(id, _)| line.contains(&id[..10]))).map(|name| name.1).collect();
        found.sort_unstable();
        found.join(" ")
    };
    for (more, expected) in [
        ("unbounded = true".to_owned(), "four one side three two"),
        (format!("from_commit = '{two}'"), "four three two"),
        (format!("from_commit = '{side}'"), "four side"),
        (format!("from_commit = '{one}'"), "four one side three two"),
        (format!("until_commit = '{two}'"), "one two"),
        (format!("until_commit = '{side}'"), "one side"),
        (format!("from_commit = '{two}'\nuntil_commit = '{three}'"), "three two"),
    ] {
        assert_eq!(allowed(&more, &["--all"]), expected, "{more}");
        // One by one the same.
        let each: Vec<_> = names.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(allowed(&more, &each), expected, "{more}");
    }
    assert_eq!(allowed(&format!("from_commit = '{two}'"), &[&format!("{one}..{four}")]), "four three two");
    // A tag is in no history; what it names is.
    carol.tag(&sandbox, "v1", &two);
    let tag = |more: &str| judged(&sandbox, &rule("carol", &[&carol], more), &["v1"]).1;
    assert_eq!(tag("unbounded = true"), "verified true -");
    assert_eq!(tag(&format!("from_commit = '{two}'")), "verified true -");
    assert_eq!(tag(&format!("from_commit = '{three}'")), "verified false identity-not-allowed");
    assert_eq!(tag(&format!("until_commit = '{four}'")), "verified false identity-not-allowed");
    // A commit that is not there bounds nothing.
    let absent = format!("until_commit = '{}'", "1".repeat(40));
    let refused = verify(&sandbox, &rule("carol", &[&carol], &absent), &[&two]).code(5);
    assert!(refused.err().contains("until_commit: the repository has no commit 1111"), "{}", refused.err());
    // What lies behind the end of a shallow history is not known.
    let from = format!("file://{}", sandbox.path("repository").display());
    sandbox.run_in(".", "git", ["clone", "-q", "--depth=1", &from, "shallow"]).success();
    let file = sandbox.write(
        "policy.toml",
        format!("version = 1\n{}", rule("carol", &[&carol], &format!("until_commit = '{four}'"))),
    );
    let shallow = |arguments: &[&str]| {
        let file = file.to_str().unwrap();
        sandbox.run_in("shallow", super::sandbox::WAXSEAL, ["verify", "--policy", file].iter().chain(arguments))
    };
    shallow(&["HEAD"]).success();
    sandbox.run_in("shallow", "git", ["commit-tree", "-m", "x", "-p", "HEAD", "HEAD^{tree}"]).success();
}

#[test]
fn keys_come_from_where_the_policy_comes_from() {
    let sandbox = Sandbox::new();
    let carol = SshSigner::new(1);
    let commit_files = |message: &str| {
        sandbox.git(["add", "--all"]).success();
        sandbox.git(["-c", "commit.gpgSign=false", "commit", "-q", "-m", message]).success();
        sandbox.git(["rev-parse", "HEAD"]).line()
    };
    std::fs::create_dir_all(sandbox.path("repository/law/keys")).unwrap();
    let law = "version = 1\n[[rule]]\nname = 'r'\nallowed_signers = 'keys/signers'\nunbounded = true\n";
    sandbox.write("repository/law/policy.toml", law);
    sandbox.write("repository/law/keys/signers", format!("carol@example.org {}\n", carol.public()));
    let base = commit_files("The law");
    let policy = format!("{base}:law/policy.toml");
    let ran = |arguments: &[&str]| sandbox.waxseal(["verify", "--policy", &policy, "--json"].iter().chain(arguments));
    let tree = sandbox.git(["rev-parse", "HEAD^{tree}"]).line();
    let on_top = |message: &str, tree: &str| {
        let payload =
            format!("tree {tree}\nparent {base}\nauthor A <a@x> 1 +0000\ncommitter C <c@x> 1 +0000\n\n{message}\n");
        carol.signed(&sandbox, HashKind::Sha1, payload.as_bytes(), payload.as_bytes())
    };
    let work = ran(&[&on_top("Work", &tree)]).success().out();
    let header: Value = serde_json::from_str(work.lines().next().unwrap()).unwrap();
    assert_eq!(header["policy"]["files"]["keys/signers"].as_str().unwrap().len(), 64, "{work}");
    assert!(work.contains("\"identity\":\"carol@example.org\""), "{work}");
    // Who changes the keys changes the law.
    sandbox.write("repository/law/keys/signers", format!("mallory@example.org {}\n", SshSigner::new(2).public()));
    sandbox.git(["add", "--all"]).success();
    let other = sandbox.git(["write-tree"]).line();
    let changed = ran(&[&on_top("Other keys", &other)]).code(1).out();
    assert!(changed.contains("\"changes_policy\":true"), "{changed}");
    sandbox.git(["reset", "-q", "--hard"]).success();
    // Not from the work tree, not out of the repository, and from elsewhere only if it is pinned.
    for (path, wrong) in [
        ("../../signers", "it leads out of the repository"),
        ("nothing", "has no file \"law/nothing\""),
        (sandbox.path("signers").to_str().unwrap(), "a file outside the commit needs its sha256"),
    ] {
        sandbox.write("repository/law/policy.toml", law.replace("keys/signers", path));
        let commit = commit_files("Another law");
        let refused = sandbox.waxseal(["verify", "--policy", &format!("{commit}:law/policy.toml"), &base]).code(5);
        assert!(refused.err().contains(wrong), "{path}: {}", refused.err());
    }
    let inside = sandbox.path("repository/law/keys/signers");
    let inside = law.replace("keys/signers", inside.to_str().unwrap());
    let file = sandbox.write("policy.toml", inside);
    let refused = sandbox.waxseal(["verify", "--policy", file.to_str().unwrap(), &base]).code(5);
    assert!(refused.err().contains("it lies in the work tree"), "{}", refused.err());
}

#[test]
fn a_repository_that_hashes_otherwise_is_judged_alike() {
    let sandbox = Sandbox::new();
    let carol = SshSigner::new(1);
    sandbox.run_in(".", "git", ["init", "-q", "--object-format=sha256", "long"]).success();
    let git = |arguments: &[&str]| sandbox.run_in("long", "git", arguments);
    let tree = git(&["mktree"]).success().line();
    let payload = format!("tree {tree}\nauthor A <a@x> 1 +0000\ncommitter C <c@x> 1 +0000\n\nLong names\n");
    let raw =
        signed_bytes(ObjectKind::Commit, HashKind::Sha256, payload.as_bytes(), &carol.armor("git", payload.as_bytes()));
    let mut command = sandbox.command("git");
    command.current_dir(sandbox.path("long")).args(["hash-object", "-w", "-t", "commit", "--stdin"]);
    let id = Ran::of(&mut command, &raw.unwrap()).success().line();
    let rules = rule("carol", &[&carol], &format!("until_commit = '{id}'"));
    let file = sandbox.write("policy.toml", format!("version = 1\n{rules}"));
    sandbox.run_in("long", super::sandbox::WAXSEAL, ["verify", "--policy", file.to_str().unwrap(), &id]).success();
}

#[test]
fn a_proof_by_a_key_is_explained() {
    let sandbox = Sandbox::new();
    let carol = SshSigner::new(1);
    let commit = carol.commit(&sandbox, "By Carol", &[]);
    let next = carol.commit(&sandbox, "Too late", &[&commit]);
    let rules = rule("carol", &[&carol], &format!("until_commit = '{commit}'"));
    let file = sandbox.write("policy.toml", format!("version = 1\n{rules}"));
    let explain = |id: &str| sandbox.waxseal(["explain", "--policy", file.to_str().unwrap(), id]);
    let text = explain(&commit).success().out();
    for line in [
        "verdict    verified, and allowed by \"carol\"",
        &format!("signer     SSH key {}, as the policy says", carol.fingerprint()),
        "time       nothing proves when a key signed",
        "held     signature: the key that the policy names made it over this content  [PROTOCOL.sshsig]",
        "\"carol\" admits the signer",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let text = explain(&next).code(1).out();
    assert!(text.contains(&format!("it held until the commit {commit}, in whose history the object is not")), "{text}");
    let tampered = carol.signed(&sandbox, HashKind::Sha1, &unsigned(&sandbox, "x", &[]), b"y");
    let text = explain(&tampered).code(1).out();
    assert!(text.contains("WRONG    signature: the SSH signature does not verify"), "{text}");
}
