//! A forge's signature admits merges that Git makes again, and nothing else that somebody did there.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;
use waxseal::git::HashKind;

use super::sandbox::ssh::SshSigner;
use super::sandbox::{Ran, Sandbox, WAXSEAL};

/// A work tree with a base, a branch `ours` and a branch `theirs`, each with a change in the same file far from the other's.
pub(super) fn world() -> Sandbox {
    let sandbox = Sandbox::new();
    let lines = |first: &str, last: &str| {
        let middle: String = (0..30).map(|line| format!("{line}\n")).collect();
        format!("{first}\n{middle}{last}\n")
    };
    for (branch, from, text) in [
        ("base", None, lines("first", "last")),
        ("ours", Some("base"), lines("FIRST", "last")),
        ("theirs", Some("base"), lines("first", "LAST")),
        ("contrary", Some("base"), lines("1st", "last")),
    ] {
        let start: Vec<&str> = from.into_iter().collect();
        sandbox.git(["checkout", "-q", "-b", branch].iter().chain(&start)).success();
        sandbox.write("repository/file", text);
        sandbox.git(["add", "file"]).success();
        sandbox.git(["commit", "-q", "-m", branch]).success();
    }
    sandbox
}

/// A merge of two branches with this tree, by this committer, signed by the forge.
pub(super) fn merge(sandbox: &Sandbox, forge: &SshSigner, parents: &[&str], tree: &str, committer: &str) -> String {
    static SECONDS: AtomicU64 = AtomicU64::new(1);
    let mut raw = format!("tree {tree}\n");
    for parent in parents {
        raw += &format!("parent {}\n", sandbox.git(["rev-parse", parent]).success().line());
    }
    let seconds = SECONDS.fetch_add(1, Ordering::Relaxed);
    raw += &format!("author A <a@example.org> {seconds} +0000\ncommitter F <{committer}> {seconds} +0000\n\nMerge\n");
    forge.signed(sandbox, HashKind::Sha1, raw.as_bytes(), raw.as_bytes())
}

/// The tree of a branch after it merged another.
pub(super) fn merged(sandbox: &Sandbox, ours: &str, theirs: &str, more: &[&str]) -> String {
    sandbox.git(["checkout", "-q", "--detach", ours]).success();
    sandbox
        .git(["-c", "commit.gpgSign=false", "merge", "-q", "--no-edit"].iter().chain(more).chain(&[theirs]))
        .success();
    sandbox.git(["rev-parse", "HEAD^{tree}"]).success().line()
}

fn policy(sandbox: &Sandbox, forge: &SshSigner) -> String {
    let text = format!(
        "version = 1\n[[rule]]\nname = 'forge'\nssh = ['{}']\nunbounded = true\n[rule.forge]\ncommitter = ['noreply@forge.example']\nshape = ['merge']\n",
        forge.public()
    );
    sandbox.write("policy.toml", text).to_str().unwrap().to_owned()
}

/// Whether it is allowed, and the reason.
fn judged(ran: &Ran) -> String {
    object(ran.out().lines().nth(1).unwrap())
}

fn object(line: &str) -> String {
    let object: Value = serde_json::from_str(line).unwrap();
    format!("{} {}", object["allowed"], object["reason"].as_str().unwrap_or("-"))
}

pub(super) const FORGE: &str = "noreply@forge.example";

#[test]
fn a_forge_merges_and_does_nothing_else() {
    let sandbox = world();
    let forge = SshSigner::new(9);
    let policy = policy(&sandbox, &forge);
    let right = merged(&sandbox, "ours", "theirs", &[]);
    let tree = |branch: &str| sandbox.git(["rev-parse", &format!("{branch}^{{tree}}")]).success().line();
    let of = |parents: &[&str], tree: &str, committer: &str| merge(&sandbox, &forge, parents, tree, committer);
    for (why, id, expected) in [
        ("a merge", of(&["ours", "theirs"], &right, FORGE), "true -"),
        ("a merge of what is merged", of(&["ours", "base"], &tree("ours"), FORGE), "true -"),
        ("somebody else's name", of(&["ours", "theirs"], &right, "a@example.org"), "false identity-not-allowed"),
        ("one side alone", of(&["ours", "theirs"], &tree("ours"), FORGE), "false identity-not-allowed"),
        ("something slipped in", of(&["ours", "theirs"], &tree("contrary"), FORGE), "false identity-not-allowed"),
        ("an edit in the browser", of(&["ours"], &tree("contrary"), FORGE), "false identity-not-allowed"),
        ("a first commit", of(&[], &tree("base"), FORGE), "false identity-not-allowed"),
        ("a conflict", of(&["ours", "contrary"], &tree("ours"), FORGE), "false identity-not-allowed"),
        ("three", of(&["ours", "theirs", "base"], &right, FORGE), "false identity-not-allowed"),
    ] {
        let ran = sandbox.waxseal(["verify", "--policy", &policy, "--json", &id]);
        assert_eq!(judged(&ran), expected, "{why}: {}{}", ran.out(), ran.err());
    }
    forge.tag(&sandbox, "v1", &sandbox.git(["rev-parse", "ours"]).line());
    assert_eq!(judged(&sandbox.waxseal(["verify", "--policy", &policy, "--json", "v1"])), "false identity-not-allowed");
    let id = of(&["ours", "theirs"], &right, FORGE);
    let text = sandbox.waxseal(["explain", "--policy", &policy, &id]).success().out();
    assert!(text.contains("\"forge\" admits the signer"), "{text}");
    let id = of(&["ours"], &right, FORGE);
    let text = sandbox.waxseal(["explain", "--policy", &policy, &id]).code(1).out();
    assert!(text.contains("it admits merges, and"), "{text}");
    // A commit whose parents are not here is nothing that anybody can tell.
    let absent = format!(
        "tree {right}\nparent {one}\nparent {one}\nauthor A <a@x> 1 +0000\ncommitter F <{FORGE}> 1 +0000\n\nm\n",
        one = "1".repeat(40)
    );
    let absent = forge.signed(&sandbox, HashKind::Sha1, absent.as_bytes(), absent.as_bytes());
    let ran = sandbox.waxseal(["verify", "--policy", &policy, "--json", &absent]).code(3);
    assert_eq!(judged(&ran), "null rule-undecided");
    assert_eq!(std::fs::read_dir(sandbox.path("tmp")).unwrap().count(), 0);
}

#[test]
fn nobodys_merge_drivers_have_a_say() {
    let sandbox = world();
    let forge = SshSigner::new(9);
    let policy = policy(&sandbox, &forge);
    let right = merged(&sandbox, "ours", "theirs", &[]);
    // A driver that takes one side of everything, in force in the work tree, in the repository and for the user.
    for scope in ["--local", "--global"] {
        sandbox.git(["config", scope, "merge.mine.driver", "true"]).success();
        sandbox.git(["config", scope, "core.attributesFile", sandbox.path("attributes").to_str().unwrap()]).success();
        sandbox.git(["config", scope, "merge.default", "mine"]).success();
    }
    for name in ["attributes", "repository/.gitattributes", "repository/.git/info/attributes"] {
        sandbox.write(name, "* merge=mine\n");
    }
    let driven = merged(&sandbox, "ours", "theirs", &[]);
    assert_ne!(driven, right);
    for (tree, expected) in [(&right, "true -"), (&driven, "false identity-not-allowed")] {
        let id = merge(&sandbox, &forge, &["ours", "theirs"], tree, FORGE);
        let ran = sandbox.waxseal(["verify", "--policy", &policy, "--json", &id]);
        assert_eq!(judged(&ran), expected, "{}{}", ran.out(), ran.err());
    }
}

#[test]
fn many_merges_are_made_together() {
    let sandbox = world();
    let forge = SshSigner::new(9);
    let policy = policy(&sandbox, &forge);
    let right = merged(&sandbox, "ours", "theirs", &[]);
    let lone = sandbox.git(["commit-tree", "-m", "x", &right]).success().line();
    sandbox.git(["branch", "lone", &lone]).success();
    // Git stops at what it cannot read, and at histories that have nothing in common: nobody else hears of that.
    let absent = "1".repeat(40);
    let absent = |round: u8| {
        let people = format!("author A <a@x> 1 +0000\ncommitter F <{FORGE}> 1 +0000");
        format!("tree {right}\nparent {absent}\nparent {absent}\n{people}\n\n{round}\n").into_bytes()
    };
    let mut expected = Vec::new();
    for round in 0..40_u8 {
        let (id, answer) = match round % 4 {
            0 => (merge(&sandbox, &forge, &["ours", "theirs"], &right, FORGE), "true -"),
            1 => (forge.signed(&sandbox, HashKind::Sha1, &absent(round), &absent(round)), "null rule-undecided"),
            2 => (merge(&sandbox, &forge, &["ours", "contrary"], &right, FORGE), "false identity-not-allowed"),
            _ => (merge(&sandbox, &forge, &["ours", "lone"], &right, FORGE), "false identity-not-allowed"),
        };
        expected.push((id, answer));
    }
    let ids: Vec<&str> = expected.iter().map(|(id, _)| id.as_str()).collect();
    let ran = sandbox.waxseal(["verify", "--policy", &policy, "--json"].iter().chain(&ids)).code(1);
    let found: Vec<String> = ran.out().lines().skip(1).take(ids.len()).map(object).collect();
    assert_eq!(found, expected.iter().map(|(_, answer)| (*answer).to_owned()).collect::<Vec<_>>());
}

#[test]
fn a_repository_may_lie_anywhere() {
    let sandbox = world();
    let forge = SshSigner::new(9);
    let policy = policy(&sandbox, &forge);
    let right = merged(&sandbox, "ours", "theirs", &[]);
    let id = merge(&sandbox, &forge, &["ours", "theirs"], &right, FORGE);
    sandbox.git(["update-ref", "refs/heads/merged", &id]).success();
    for folder in ["#new\nline", "\"quoted\"", "back\\slash", "a b,c:d é"] {
        sandbox.git(["clone", "-q", "--bare", ".", sandbox.path(folder).to_str().unwrap()]).success();
        let ran = sandbox.run_in(folder, WAXSEAL, ["verify", "--policy", &policy, "--json", &id]);
        assert_eq!(judged(&ran), "true -", "{folder:?}: {}{}", ran.out(), ran.err());
    }
}
