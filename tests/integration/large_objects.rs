//! Objects that are larger than what waxseal reads: nowhere are they taken, and nowhere are they called absent or damaged.

use super::sandbox::ssh::{SshSigner, unsigned};
use super::sandbox::{ALICE, Ran, Sandbox, Server, WAXSEAL};

const TOO_LARGE: &str = "the object is too large: waxseal reads none that takes more than 32 MiB";
const HINT: &str = "hint: nothing is broken: waxseal reads no object of more than 32 MiB";

/// A commit with forty million bytes that nobody signed.
fn large_commit(sandbox: &Sandbox, parents: &[&str]) -> String {
    let mut raw = unsigned(sandbox, "Large", parents);
    raw.resize(40_000_000, b'x');
    sandbox.hash_object("commit", &raw)
}

#[test]
fn a_hook_reads_of_a_push_no_more_than_verify_reads_afterwards() {
    let world = Server::new();
    let sandbox = &world.sandbox;
    sandbox.allow(ALICE);
    let good = world.commit(&world.alice, "One");
    world.script(
        "server",
        "pre-receive",
        &format!("'{WAXSEAL}' hook pre-receive; code=$?; echo code $code; exit $code"),
    );
    world.push(&["main"]).success();
    let commit = large_commit(sandbox, &[&good]);
    let mut tag = format!("object {good}\ntype commit\ntag large\ntagger A <a@example.org> 0 +0000\n\n").into_bytes();
    tag.resize(40_000_000, b'x');
    let tag = sandbox.hash_object("tag", &tag);
    // In quarantine there are files, or there is a pack.
    for limit in ["1000", "1"] {
        sandbox.run_in("server", "git", ["config", "receive.unpackLimit", limit]).success();
        for (object, name) in [(&commit, "refs/heads/large"), (&tag, "refs/tags/large")] {
            let refused = world.push(&[&format!("{object}:{name}")]).code(1);
            let said = world.said(&refused);
            let line = format!("  {} object-unreadable: the object cannot be read: {TOO_LARGE}", &object[..10]);
            assert!(said.contains(&line), "{said}");
            assert!(said.contains("hint: object-unreadable (too large): nothing is broken:"), "{said}");
            assert!(!said.contains("fsck"), "{said}");
            assert!(refused.err().contains("code 3"), "{}", refused.err());
        }
    }
    for object in [&commit, &tag] {
        let verified = sandbox.waxseal(["verify", "--json", object]).code(3).object();
        assert_eq!(verified["reason"], "object-unreadable");
        assert_eq!(verified["detail"], format!("the object cannot be read: {TOO_LARGE}"));
    }
}

#[test]
fn what_stands_before_a_large_commit_is_not_unknown() {
    let sandbox = Sandbox::new();
    let carol = SshSigner::new(1);
    let one = carol.commit(&sandbox, "One", &[]);
    let two = large_commit(&sandbox, &[&one]);
    sandbox.git(["update-ref", "refs/heads/main", &two]).success();
    let short = format!("{}~1", &two[..12]);
    for revision in ["main~1", "main~1..main", "main^", &short, &format!("{one}..main"), &format!("main..{one}")] {
        for command in ["verify", "who"] {
            let failed = sandbox.waxseal([command, revision]).code(3);
            let expected = format!("waxseal: error: \"{revision}\" cannot be followed: {TOO_LARGE}\nwaxseal: {HINT}\n");
            assert_eq!(failed.err(), expected, "{command}");
        }
    }
    let undecided = sandbox.waxseal(["verify", "main"]).code(3);
    assert!(undecided.out().contains(TOO_LARGE), "{}", undecided.out());
    assert!(undecided.err().contains("object-unreadable (too large): nothing is broken"), "{}", undecided.err());
    let explained = sandbox.waxseal(["explain", "main"]).code(3);
    assert!(explained.out().contains("nothing is broken") && !explained.out().contains("fsck"), "{}", explained.out());
    let three = carol.commit(&sandbox, "Three", &[&two]);
    let range = sandbox.waxseal(["verify", "--any-identity", &format!("{one}..{three}")]).code(3);
    assert!(range.out().contains(TOO_LARGE), "{}", range.out());
    assert!(sandbox.waxseal(["verify", "nothing~1"]).code(2).err().contains("unknown revision"));
}

#[test]
fn a_job_with_a_large_commit_needs_no_other_clone() {
    let sandbox = Sandbox::new();
    let one = SshSigner::new(1).commit(&sandbox, "One", &[]);
    let two = large_commit(&sandbox, &[&one]);
    for (base, head) in [(&one, &two), (&two, &one)] {
        let failed = sandbox.waxseal(["ci", "--any-identity", "--base", base, "--head", head]).code(3);
        let expected = format!("waxseal: error: {two} cannot be read: {TOO_LARGE}\nwaxseal: {HINT}\n");
        assert_eq!(failed.err(), expected);
    }
    for (before, after) in [(&one, &two), (&two, &one)] {
        let event = sandbox.write("event.json", format!(r#"{{"before":"{before}","after":"{after}"}}"#));
        let mut job = sandbox.command(WAXSEAL);
        job.args(["ci", "--any-identity"]).env("GITHUB_ACTIONS", "true").env("GITHUB_EVENT_NAME", "push");
        job.env("GITHUB_EVENT_PATH", event).env("GITHUB_SHA", after).env("GITHUB_REF", "refs/heads/main");
        let failed = Ran::of(&mut job, b"").code(3);
        assert!(failed.err().contains(&format!("error: {two} cannot be read: {TOO_LARGE}")), "{}", failed.err());
        assert!(failed.err().contains(HINT) && !failed.err().contains("fetch"), "{}", failed.err());
    }
}

#[test]
fn a_large_policy_is_no_damage() {
    let sandbox = Sandbox::new();
    let carol = SshSigner::new(1);
    let work = carol.commit(&sandbox, "Work", &[]);
    let law = |name: &str, entry: &str| {
        let tree = sandbox.write("tree", entry);
        let script = format!("git mktree <'{}'", tree.display());
        let tree = sandbox.sh(&script).success().line();
        let commit = sandbox.git(["commit-tree", "-m", "The law", &tree]).success().line();
        sandbox.git(["update-ref", &format!("refs/heads/{name}"), &commit]).success();
    };
    let large = sandbox.hash_object("blob", &vec![b'#'; 60_000_000]);
    law("large", &format!("100644 blob {large}\tpolicy.toml\n"));
    let text = "version = 1\n[[rule]]\nname = 'carol'\nallowed_signers = 'keys'\nunbounded = true\n";
    let small = sandbox.hash_object("blob", text.as_bytes());
    law("keys", &format!("100644 blob {large}\tkeys\n100644 blob {small}\tpolicy.toml\n"));
    sandbox.git(["update-ref", "refs/heads/commit", &large_commit(&sandbox, &[])]).success();
    for (name, says, hint) in [
        ("large:policy.toml", "\"policy.toml\" is too large", "docs/policy.md"),
        ("keys:policy.toml", "\"keys\" is too large", "docs/policy.md"),
        ("commit:policy.toml", TOO_LARGE, HINT),
        ("commit~1:policy.toml", TOO_LARGE, HINT),
    ] {
        let refused = sandbox.waxseal(["verify", "--policy", name, &work]).code(5);
        let said = refused.err();
        assert!(said.contains(says) && said.contains(hint) && !said.contains("fsck"), "{name}: {said}");
    }
}

#[test]
fn who_signs_what_verify_does_not_read_is_told_so() {
    let sandbox = Sandbox::with_stack();
    let warning = "waxseal: warning: \"waxseal verify\" and hooks read no object of more than 32 MiB, as this one is\n";
    let head = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor Alice <alice@example.org> 0 +0000\n\
                committer Alice <alice@example.org> 0 +0000\n\n";
    for (lines, is_warned) in [(1, false), (5_000_000, true)] {
        sandbox.write("repository/payload", format!("{head}{}", "a line\n".repeat(lines)));
        let signed = sandbox.sh("\"$WAXSEAL\" -bsau alice@example.org <payload").success();
        assert_eq!(signed.err().contains(warning), is_warned, "{}", signed.err());
    }
}
