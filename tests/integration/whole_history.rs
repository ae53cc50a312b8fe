//! `waxseal verify --all`, `--tags` and `--stdin`: many objects at once; and what one run found, the next need not find
//! again.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::Value;

use super::sandbox::{ALICE, BOB, Ran, Sandbox, WAXSEAL};

fn ids(ran: &Ran) -> BTreeSet<String> {
    ran.objects().iter().map(|object| object["oid"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_ref_a_pattern_of_tags_and_standard_input() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let commit = |message: &str| sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", message]).success();
    (0..3).for_each(|number| drop(commit(&format!("main {number}"))));
    sandbox.git(["tag", "-s", "-m", "a release", "v1.0"]).success();
    sandbox.git(["checkout", "-q", "-b", "topic/deep"]).success();
    commit("topic");
    sandbox.git(["tag", "-s", "-m", "another", "deep/v2"]).success();
    sandbox.git(["tag", "light", "HEAD~1"]).success();
    sandbox.git(["checkout", "-q", "--detach"]).success();
    commit("on no branch");
    // Git's and waxseal's own: not what anybody signed.
    sandbox.git(["notes", "add", "-m", "a note", "HEAD"]).success();
    sandbox.write("repository/file", "changed");
    sandbox.git(["add", "file"]).success();
    sandbox.git(["stash", "push", "-q"]).success();

    let all = sandbox.waxseal(["verify", "--all", "--json"]).success();
    let left_out = ["--exclude=refs/notes/*", "--exclude=refs/stash", "--all", "HEAD"];
    let expected = sandbox.git(["rev-list"].iter().chain(&left_out)).out();
    assert_eq!(ids(&all), expected.lines().map(str::to_owned).collect());
    assert_eq!(all.objects().len(), 5);

    let tags = |glob: &str| sandbox.waxseal(["verify", "--tags", glob, "--json"]).success().objects();
    assert_eq!(tags("v*").iter().map(|tag| tag["kind"].clone()).collect::<Vec<_>>(), ["tag"]);
    // As in "git tag --list", a star takes in slashes; a lightweight tag is its commit.
    assert_eq!(tags("*").len(), 3);
    sandbox.waxseal(["verify", "--tags", "nothing*"]).code(3);
    sandbox.waxseal(["verify", "--tags", "nothing*", "--allow-empty"]).success();

    let both = sandbox.waxseal(["verify", "--all", "--tags", "v*", "--tags", "*1.0", "--json"]).success();
    assert_eq!(both.objects().len(), 6);

    let read = |arguments: &[&str], lines: &str| {
        Ran::of(sandbox.command(WAXSEAL).args(["verify", "--stdin"]).args(arguments), lines.as_bytes())
    };
    assert_eq!(read(&["--json", "v1.0"], "HEAD\n\nmain~2..main\n").success().objects().len(), 4);
    // What histories share counts once; who names an object has an answer each time, and what is counted is not more by it.
    let shared = ["verify", "main~2..main", "main~1..main", "--json"];
    assert_eq!(sandbox.waxseal(shared).success().objects().len(), 2);
    assert_eq!(sandbox.waxseal(["verify", "main", "main", "--json"]).success().objects().len(), 2);
    let who = sandbox.waxseal(["who", "main", "main", "main~1..main"]).success();
    assert!(who.out().contains("1 of 1"), "{}", who.out());
    let wrong = read(&[], "HEAD\nnowhere\n").code(2);
    assert!(wrong.err().contains("unknown revision \"nowhere\""), "{}", wrong.err());
    // What is cut off of a line would be a revision of its own.
    let long = read(&[], &format!("v1.0\n{}HEAD\n", " ".repeat(1 << 16))).code(2);
    assert!(long.err().contains("line 2 of standard input is no revision"), "{}", long.err());
    assert!(long.err().contains("longer than 65536 bytes"), "{}", long.err());
}

#[test]
fn what_was_found_is_kept_and_judged_anew() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let gallery = sandbox.gallery();
    let every = [&gallery.by_alice, &gallery.by_bob, &gallery.tampered, &gallery.online, &gallery.unsigned];
    let verify = |more: &[&str]| {
        let arguments = ["verify", "--json"].into_iter().chain(more.iter().copied());
        sandbox.waxseal(arguments.chain(every.iter().map(|id| id.as_str()))).code(1)
    };
    let cached = |ran: &Ran| ran.objects().iter().map(|object| object["cached"].as_bool().unwrap()).collect::<Vec<_>>();
    let first = verify(&[]);
    assert_eq!(cached(&first), [false; 5]);
    let second = verify(&[]);
    // What is wrong, missing or not there is looked at each time.
    assert_eq!(cached(&second), [true, true, false, false, false]);
    assert_eq!(
        first.out().replace("\"cached\":false", "\"cached\":true"),
        second.out().replace("\"cached\":false", "\"cached\":true")
    );

    // A finding is no verdict: who may sign is asked each time.
    assert_eq!(second.objects()[1]["allowed"], false);
    sandbox.git(["config", "--global", "--unset-all", "waxseal.allow"]).success();
    sandbox.allow(BOB);
    let other = verify(&[]);
    assert_eq!(cached(&other)[..2], [true, true]);
    assert_eq!(
        (&other.objects()[0]["allowed"], &other.objects()[1]["allowed"]),
        (&Value::Bool(false), &Value::Bool(true))
    );

    assert_eq!(cached(&verify(&["--no-cache"])), [false; 5]);
    // What is found without a step is no finding, and other trust finds for itself.
    assert_eq!(cached(&verify(&["--insecure-ignore-sct"])), [false; 5]);
    let root = sandbox.path("home/.local/share/waxseal/instances/home/trusted_root.json");
    let mut text = fs::read_to_string(root).unwrap();
    text.push('\n');
    let changed = sandbox.write("other_root.json", &text);
    let with_file = verify(&["--trusted-root", changed.to_str().unwrap()]);
    assert_eq!(cached(&with_file), [false; 5]);
}

#[test]
fn git_s_own_calls_know_what_was_found() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "one"]).success();
    let shown = sandbox.git(["verify-commit", "--raw", "HEAD"]).success();
    let again = sandbox.git(["verify-commit", "--raw", "HEAD"]).success();
    assert_eq!(shown.err(), again.err());
    let known = sandbox.waxseal(["verify", "--json"]).success();
    assert_eq!(known.objects()[0]["cached"], true);
}

#[test]
fn a_cache_that_cannot_be_believed_is_not_and_that_is_said() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "one"]).success();
    sandbox.waxseal(["verify"]).success();
    let folder = sandbox.path("home/.cache/waxseal/findings");
    assert!(Command::new("chmod").arg("755").arg(&folder).status().unwrap().success());
    let verified = sandbox.waxseal(["verify"]).success();
    assert!(verified.err().contains("is open to other users"), "{}", verified.err());
    assert!(verified.err().contains("--no-cache"), "{}", verified.err());
    assert_eq!(sandbox.waxseal(["verify", "--no-cache"]).success().err(), "");
}
