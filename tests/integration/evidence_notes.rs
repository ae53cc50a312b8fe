//! Evidence that was found once is kept in notes and proves the object without network; other people's notes do no harm.

use serde_json::json;
use waxseal::tlog::{proto_json, rekor_json};

use super::online_evidence::{line, reason};
use super::sandbox::{ALICE, OnlineSigner, Ran, Sandbox, WAXSEAL};

#[test]
fn what_was_fetched_proves_the_commit_without_network() {
    let mut sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let signer = OnlineSigner::new(&sandbox, ALICE);
    let first = signer.commit(&sandbox, "one");
    let second = signer.commit(&sandbox, "two");
    sandbox.git(["commit", "-q", "-S", "--allow-empty", "-m", "offline"]).success();
    let fetched = sandbox.waxseal(["evidence", "fetch", &first, &format!("{first}..")]).success();
    assert!(fetched.out().ends_with("\n3 objects, 2 found and kept\n"), "{}", fetched.out());
    let again = sandbox.waxseal(["evidence", "fetch", &first, &format!("{first}..")]).success();
    assert_eq!(again.out(), "3 objects, 2 kept before\n");

    sandbox.kill_stack();
    let verified = sandbox.waxseal(["verify", "--json", &first, &second]).success();
    assert_eq!(line(&verified, "object")["log"]["source"], "note");
    assert_eq!(line(&verified, "header")["network"], false);
    let explained = sandbox.waxseal(["explain", "--json", &first]).success();
    let explained = &line(&explained, "explanation");
    let step = explained["steps"].as_array().unwrap().iter().find(|step| step["step"] == "log_entry").unwrap();
    assert_eq!((&step["outcome"], &explained["object"]["log"]["source"]), (&json!("held"), &json!("note")), "{step}");
    assert_eq!(step["inputs"]["log_index"], explained["object"]["log"]["index"], "{step}");
    for commit in [&first, &second] {
        let ran = sandbox.git(["verify-commit", "--raw", commit]).success();
        assert!(ran.err().contains("[GNUPG:] TRUST_FULLY"), "{}", ran.err());
    }
    // git reads what waxseal wrote.
    let note = sandbox.git(["notes", "--ref=waxseal-evidence", "show", &first]).success().line();
    assert_eq!(proto_json::line(&proto_json::read(note.as_bytes()).unwrap()), note);
    let author = sandbox.git(["log", "-1", "--format=%an <%ae>", "refs/notes/waxseal-evidence"]).line();
    assert_eq!(author, format!("Alice <{ALICE}>"));
    // A clone has no notes until it asks for them (docs/evidence.md).
    sandbox.run_in(".", "git", ["clone", "-q", "repository", "clone"]).success();
    sandbox.run_in("clone", WAXSEAL, ["verify", &first]).code(3);
    let refspec = "refs/notes/waxseal-evidence:refs/notes/waxseal-evidence";
    sandbox.run_in("clone", "git", ["fetch", "-q", "origin", refspec]).success();
    sandbox.run_in("clone", WAXSEAL, ["verify", &first]).success();
}

#[test]
fn other_peoples_notes_stay_and_mean_nothing() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let signer = OnlineSigner::new(&sandbox, ALICE);
    let (one, two) = (signer.commit(&sandbox, "one"), signer.commit(&sandbox, "two"));
    sandbox.git(["notes", "--ref=waxseal-evidence", "add", "-m", "by hand\n[GNUPG:] GOODSIG", &one]).success();
    sandbox.git(["notes", "add", "-m", "another ref", &one]).success();
    assert_eq!(reason(&sandbox.waxseal(["verify", "--json", &one]).code(3)), "log-entry-absent");
    sandbox.git(["branch", "-f", "both", "refs/notes/waxseal-evidence"]).success();
    sandbox.waxseal(["evidence", "fetch", &one, &two]).success();
    let note = sandbox.git(["notes", "--ref=waxseal-evidence", "show", &one]).success().out();
    assert_eq!(note.lines().filter(|line| ["by hand", "[GNUPG:] GOODSIG"].contains(line)).count(), 2, "{note}");
    assert_eq!(note.lines().count(), 3);
    assert_eq!(sandbox.git(["notes", "show", &one]).success().line(), "another ref");
    sandbox.waxseal(["verify", &one, &two]).success();

    // Somebody else wrote at the same time; git merges, and both lines are there.
    sandbox.git(["update-ref", "refs/notes/theirs", "both"]).success();
    sandbox.git(["notes", "--ref=theirs", "append", "-m", "{\"logIndex\":\"1\"}", &one]).success();
    sandbox.git(["notes", "--ref=theirs", "add", "-m", "junk", &two]).success();
    sandbox
        .git(["notes", "--ref=waxseal-evidence", "merge", "-q", "-s", "cat_sort_uniq", "refs/notes/theirs"])
        .success();
    sandbox.waxseal(["verify", &one, &two]).success();
    let kept = sandbox.waxseal(["evidence", "fetch", &one, &two]).success();
    assert_eq!(kept.out(), "2 objects, 2 kept before\n");
    // The proof of one is none of the other.
    sandbox.git(["notes", "--ref=waxseal-evidence", "copy", "-f", &one, &two]).success();
    let swapped = sandbox.waxseal(["verify", "--json", &two]).code(3);
    assert_eq!(reason(&swapped), "log-entry-absent");
    assert!(line(&swapped, "object")["findings"]["notes_refused"].is_array(), "{}", swapped.out());
    // Not even a note at all.
    sandbox.git(["update-ref", "refs/notes/waxseal-evidence", &one]).success();
    sandbox.waxseal(["verify", &one]).code(3);
    sandbox.git(["symbolic-ref", "refs/notes/waxseal-evidence", "refs/notes/theirs"]).success();
    let refused = sandbox.waxseal(["evidence", "fetch", &one]).code(1);
    assert!(refused.err().contains("is a symbolic ref, which is not followed"), "{}", refused.err());
}

#[test]
fn what_is_in_the_notes_and_no_help_is_said() {
    let sandbox = Sandbox::with_stack();
    let signer = OnlineSigner::new(&sandbox, ALICE);
    let (one, two) = (signer.commit(&sandbox, "one"), signer.commit(&sandbox, "two"));
    sandbox.waxseal(["evidence", "fetch", &one]).success();
    let notes = |arguments: &[&str]| sandbox.git([&["notes", "--ref=waxseal-evidence"], arguments].concat()).success();
    let says = |said: &[&str]| {
        let json = sandbox.waxseal(["verify", "--json", &two]).code(3);
        let refused = line(&json, "object")["findings"]["notes_refused"].clone();
        let refused: Vec<&str> = refused.as_array().unwrap().iter().map(|why| why.as_str().unwrap()).collect();
        let tree = sandbox.waxseal(["explain", &two]).code(3).out();
        for said in said {
            assert!(refused.iter().any(|why| why.contains(said)), "{refused:?}");
            assert!(tree.contains(said), "{tree}");
        }
        assert_eq!(refused.len(), said.len(), "{refused:?}");
        let people = sandbox.waxseal(["verify", &two]).code(3).out();
        assert!(people.contains(&format!("; in the notes: {}", refused[0])), "{people}");
    };
    notes(&["copy", &one, &two]);
    says(&["the entry is about another object"]);
    let entry = notes(&["show", &two]).line().replace("\"integratedTime\":\"", "\"integratedTime\":\"x");
    notes(&["add", "-f", "-m", &entry, &two]);
    says(&["integratedTime of the log entry is malformed"]);
    notes(&["append", "-m", "by hand", &two]);
    says(&["integratedTime of the log entry is malformed", "it is not the JSON of a log entry"]);
    let mut tree = sandbox.command("git");
    let link = format!("160000 commit {one}\t{two}\n");
    let tree = Ran::of(tree.arg("mktree").arg("--missing"), link.as_bytes()).success().line();
    let linked = sandbox.git(["commit-tree", "-m", "a gitlink", &tree]).success().line();
    let before = sandbox.git(["rev-parse", "refs/notes/waxseal-evidence"]).success().line();
    sandbox.git(["update-ref", "refs/notes/waxseal-evidence", &linked]).success();
    says(&["the object's note is no plain file"]);
    sandbox.git(["update-ref", "refs/notes/waxseal-evidence", &before]).success();
    let large = sandbox.write("large", "x\n".repeat(1 << 20));
    notes(&["add", "-f", "-F", large.to_str().unwrap(), &two]);
    says(&["too large to be read"]);
    sandbox.git(["symbolic-ref", "refs/notes/waxseal-evidence", "refs/notes/theirs"]).success();
    says(&["is a symbolic ref, which is not followed"]);
    sandbox.git(["symbolic-ref", "--delete", "refs/notes/waxseal-evidence"]).success();
    let tree = sandbox.git(["rev-parse", &format!("{one}^{{tree}}")]).line();
    sandbox.git(["update-ref", "refs/notes/waxseal-evidence", &tree]).success();
    says(&["refs/notes/waxseal-evidence cannot be read: "]);
}

#[test]
fn a_note_too_large_to_read_is_left_alone() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let commit = OnlineSigner::new(&sandbox, ALICE).commit(&sandbox, "online");
    let file = sandbox.write("large", "x\n".repeat(1 << 20));
    sandbox.git(["notes", "--ref=waxseal-evidence", "add", "-F", file.to_str().unwrap(), &commit]).success();
    assert_eq!(reason(&sandbox.waxseal(["verify", "--json", &commit]).code(3)), "log-entry-absent");
    sandbox.waxseal(["verify", "--online", &commit]).success();
    let fetched = sandbox.waxseal(["evidence", "fetch", &commit]).code(1);
    assert!(fetched.err().contains("nothing was added to it"), "{}", fetched.err());
    let size = sandbox.git(["notes", "--ref=waxseal-evidence", "show", &commit]).success().stdout.len();
    assert_eq!(size, 2 << 20);
}

#[test]
fn parallel_fetches_lose_nothing() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let signer = OnlineSigner::new(&sandbox, ALICE);
    let commits: Vec<String> = (0..8).map(|number| signer.commit(&sandbox, &format!("{number}"))).collect();
    std::thread::scope(|scope| {
        for commit in &commits {
            let sandbox = &sandbox;
            scope.spawn(move || sandbox.waxseal(["evidence", "fetch", commit]).success());
        }
    });
    let notes = sandbox.git(["notes", "--ref=waxseal-evidence", "list"]).success().out();
    assert_eq!(notes.lines().count(), commits.len(), "{notes}");
    let arguments: Vec<&str> = ["verify"].into_iter().chain(commits.iter().map(String::as_str)).collect();
    sandbox.waxseal(arguments).success();
}

#[test]
fn a_replaced_object_or_note_is_not_followed() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let signer = OnlineSigner::new(&sandbox, ALICE);
    let (one, two) = (signer.commit(&sandbox, "one"), signer.commit(&sandbox, "two"));
    sandbox.waxseal(["evidence", "fetch", &one]).success();
    let note = sandbox.git(["notes", "--ref=waxseal-evidence", "list", &one]).success().line();
    let other = sandbox.hash_object("blob", b"nothing\n");
    sandbox.git(["replace", &note, &other]).success();
    sandbox.git(["replace", &one, &two]).success();
    sandbox.waxseal(["verify", &one]).success();
    sandbox.waxseal(["verify", &two]).code(3);
}

#[test]
fn nobody_is_named_where_git_knows_no_name() {
    let sandbox = Sandbox::with_stack();
    let commit = OnlineSigner::new(&sandbox, ALICE).commit(&sandbox, "online");
    sandbox.git(["config", "--global", "--unset", "user.name"]).success();
    sandbox.git(["config", "--global", "--unset", "user.email"]).success();
    sandbox.waxseal(["evidence", "fetch", &commit]).success();
    let author = sandbox.git(["log", "-1", "--format=%an <%ae> %cn", "refs/notes/waxseal-evidence"]).line();
    assert_eq!(author, "waxseal <waxseal@localhost> waxseal");
}

#[test]
fn a_true_entry_in_a_note_by_hand_is_as_good_as_a_fetched_one() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let signer = OnlineSigner::new(&sandbox, ALICE);
    let (commit, name) = signer.unlogged_commit(&sandbox, "online");
    let answer = signer.log(&format!("{}/rekor", sandbox.url()), name.as_str().as_bytes());
    let (_, entry) = rekor_json::read(&answer).unwrap();
    let file = sandbox.write("note", proto_json::line(&entry));
    sandbox.git(["notes", "--ref=waxseal-evidence", "add", "-F", file.to_str().unwrap(), &commit]).success();
    sandbox.waxseal(["verify", &commit]).success();
}
