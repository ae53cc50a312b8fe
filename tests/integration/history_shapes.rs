//! A whole history in repositories of every shape: what takes another commit's place is not followed, what a partial clone
//! lacks is said and not fetched, and worktrees and hash functions make no difference.

use std::collections::BTreeSet;
use std::fs;

use super::sandbox::{ALICE, Ran, Sandbox, WAXSEAL};

fn ids(ran: &Ran) -> BTreeSet<String> {
    ran.objects().iter().map(|object| object["oid"].as_str().unwrap().to_owned()).collect()
}

/// Four commits by Alice, the first with a file.
fn signed() -> (Sandbox, Vec<String>) {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    sandbox.write("repository/file", "text\n");
    sandbox.git(["add", "file"]).success();
    for message in ["one", "two", "three", "four"] {
        sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", message]).success();
    }
    let commits = sandbox.git(["rev-list", "HEAD"]).out().lines().map(str::to_owned).collect();
    (sandbox, commits)
}

#[test]
fn replace_refs_and_grafts_change_no_history() {
    let (sandbox, commits) = signed();
    let own: BTreeSet<String> = commits.iter().cloned().collect();
    let all = || ids(&sandbox.waxseal(["verify", "--all", "--json"]).success());
    assert_eq!(all(), own);
    let listed = || sandbox.git(["rev-list", "HEAD"]).success().out().lines().count();
    // To Git, the third commit now has no parents, or the second one is the fourth's parent.
    fs::create_dir_all(sandbox.path("repository/.git/info")).unwrap();
    sandbox.write("repository/.git/info/grafts", format!("{}\n", commits[1]));
    assert_eq!(listed(), 2);
    assert_eq!(all(), own);
    sandbox.write("repository/.git/info/grafts", format!("{} {}\n", commits[0], commits[2]));
    assert_eq!(listed(), 3);
    assert_eq!(all(), own);
    fs::remove_file(sandbox.path("repository/.git/info/grafts")).unwrap();
    // The commit in the other's place is one of history, too: a ref leads to it, and nobody signed it.
    sandbox.git(["-c", "commit.gpgSign=false", "replace", "--graft", &commits[1]]).success();
    assert_eq!(listed(), 2);
    let replaced = sandbox.waxseal(["verify", "--json", &format!("{}..HEAD", commits[3])]).success();
    assert_eq!(ids(&replaced), own.iter().filter(|id| **id != commits[3]).cloned().collect());
    let refs = sandbox.waxseal(["verify", "--all", "--json"]);
    assert!(ids(&refs).is_superset(&own));
}

#[test]
fn a_partial_clone_has_its_history_and_fetches_nothing() {
    let (sandbox, commits) = signed();
    let own: BTreeSet<String> = commits.iter().cloned().collect();
    sandbox.git(["config", "uploadpack.allowFilter", "true"]).success();
    let source = format!("file://{}", sandbox.path("repository").display());
    for filter in ["tree:0", "blob:none"] {
        let name = filter.replace(':', "-");
        let clone = ["clone", "-q", "--no-checkout", &format!("--filter={filter}"), &source, &name];
        sandbox.run_in(".", "git", clone).success();
        let lacking = || sandbox.run_in(&name, "git", ["rev-list", "--objects", "--all", "--missing=print"]).out();
        let missing = lacking().matches("\n?").count();
        assert!(missing > 0, "{filter} leaves something out");
        let all = sandbox.run_in(&name, WAXSEAL, ["verify", "--all", "--json"]).success();
        assert_eq!(ids(&all), own);
        // A policy in a commit is out of reach, and that is said.
        let policy = sandbox.run_in(&name, WAXSEAL, ["verify", "--policy", "HEAD~1:file"]).code(5);
        let hint = "this clone is partial, and what it lacks is not fetched unasked: \"git fetch --refetch --no-filter origin\"";
        assert!(policy.err().contains(hint), "{}", policy.err());
        assert_eq!(lacking().matches("\n?").count(), missing);
    }
    // A commit that is not there, although the remote would give it.
    let objects = sandbox.path("tree-0/.git/objects");
    let packs = fs::read_dir(objects.join("pack")).unwrap().map(|entry| entry.unwrap().path());
    let pack = packs.into_iter().find(|path| path.extension().is_some_and(|ending| ending == "pack")).unwrap();
    let elsewhere = sandbox.path("elsewhere.pack");
    fs::rename(&pack, &elsewhere).unwrap();
    fs::remove_file(pack.with_extension("idx")).unwrap();
    let mut unpack = sandbox.command("git");
    unpack.args(["unpack-objects", "-q"]).current_dir(sandbox.path("tree-0"));
    Ran::of(&mut unpack, &fs::read(&elsewhere).unwrap()).success();
    let loose = objects.join(&commits[1][..2]).join(&commits[1][2..]);
    fs::remove_file(&loose).unwrap();
    let said = sandbox.run_in("tree-0", WAXSEAL, ["verify", "--all", "--list"]).code(3);
    assert!(
        said.out().contains(&format!("undecided    {}  the object is missing", &commits[1][..10])),
        "{}",
        said.out()
    );
    let hint = "waxseal: hint: this clone is partial, and what it lacks is not fetched unasked: \"git fetch --refetch --no-filter \
                origin\" gets all of it\n";
    assert!(said.err().contains(hint), "{}", said.err());
    let explained = sandbox.run_in("tree-0", WAXSEAL, ["explain", &commits[1]]).code(3);
    assert!(explained.out().contains(hint.trim_start_matches("waxseal: hint: ")), "{}", explained.out());
    assert!(!loose.exists());
    // A clone that is whole says nothing of the kind.
    sandbox.git(["cat-file", "-e", &commits[1]]).success();
    let whole = sandbox.waxseal(["verify", &"1".repeat(40)]).code(3);
    assert!(!whole.err().contains("partial"), "{}", whole.err());
    let explained = sandbox.waxseal(["explain", &"1".repeat(40)]).code(3);
    assert!(!explained.out().contains("this clone"), "{}", explained.out());
}

#[test]
fn linked_worktrees_and_sha256_have_whole_histories() {
    let (sandbox, commits) = signed();
    sandbox.git(["worktree", "add", "-q", "--detach", "../linked", "HEAD~1"]).success();
    sandbox.run_in("linked", "git", ["commit", "-q", "--allow-empty", "-S", "-m", "on no branch"]).success();
    let own: BTreeSet<String> = commits.into_iter().collect();
    let there = ids(&sandbox.run_in("linked", WAXSEAL, ["verify", "--all", "--json"]).success());
    let only_there: Vec<_> = there.difference(&own).collect();
    assert_eq!((only_there.len(), there.is_superset(&own)), (1, true));
    assert_eq!(ids(&sandbox.waxseal(["verify", "--all", "--json"]).success()), there);

    sandbox.run_in(".", "git", ["init", "-q", "--object-format=sha256", "wide"]).success();
    for message in ["one", "two", "three"] {
        sandbox.run_in("wide", "git", ["commit", "-q", "--allow-empty", "-S", "-m", message]).success();
    }
    sandbox.run_in("wide", "git", ["tag", "-s", "-m", "a release", "v1"]).success();
    let listed = sandbox.run_in("wide", "git", ["rev-list", "--all"]).out();
    let mut expected: BTreeSet<String> = listed.lines().map(str::to_owned).collect();
    expected.insert(sandbox.run_in("wide", "git", ["rev-parse", "v1"]).line());
    let verify = || sandbox.run_in("wide", WAXSEAL, ["verify", "--all", "--tags", "*", "--json"]).success();
    let (cold, warm) = (verify(), verify());
    assert_eq!((ids(&cold), ids(&warm)), (expected.clone(), expected));
    assert_eq!(warm.out().matches("\"cached\":true").count(), 4);
}
