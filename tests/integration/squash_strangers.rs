//! Strangers open requests: none of theirs keeps an honest squash from being found, or takes long to be found wanting.

use super::sandbox::WAXSEAL;
use super::squashes::{ANYWHERE, NOT_ALLOWED, UNPROVEN, World};

#[test]
fn strangers_with_the_same_tree_veto_nothing() {
    let world = World::new();
    let tree = world.tree("FIRST", "last");
    let head = world.work("Work", &world.base, &tree);
    let squash = world.squash("Work (#700)", &world.base, &tree);
    let moved = world.work("Meanwhile", &world.base, &world.tree("first", "LAST"));
    let both = world.tree("FIRST", "LAST");
    let on_moved = world.squash("Work (#700)", &moved, &both);
    // More than are ever tried of either kind.
    for number in 0..70 {
        for (kind, tree) in [(1, &tree), (2, &both)] {
            let request = world.work(&format!("Request {number}"), &world.unsigned(&world.base, tree), tree);
            world.set(&format!("refs/pull/{kind}{number:03}/head"), &request);
        }
    }
    for squash in [&squash, &on_moved] {
        let (judged, object) = world.judged(ANYWHERE, &[squash]);
        assert_eq!(judged, NOT_ALLOWED, "{object}");
    }
    // Somebody else's request for the same commit takes its number from none.
    world.set("refs/pull/0500/head", &head);
    world.set("refs/pull/700/head", &head);
    for squash in [&squash, &on_moved] {
        let (judged, object) = world.judged(ANYWHERE, &[squash]);
        assert_eq!(judged, "true -", "{object}");
        assert_eq!(object["squashed_head"]["ref"], "refs/pull/700/head");
    }
    world.sandbox.git(["update-ref", "-d", "refs/pull/0500/head"]).success();
    // Nor where only who judges knows the head.
    world.sandbox.git(["update-ref", "-d", "refs/pull/700/head"]).success();
    assert_eq!(world.judged(ANYWHERE, &[&squash, &head]).0, "true -");
}

#[test]
fn edits_by_the_forge_do_not_prove_each_other_by_turns() {
    let world = World::new();
    let trees = ["1", "2", "3", "4"].map(|first| world.tree(first, "last"));
    // Twins: one tree on one parent. Chains: an edit, and another one that brings a tree that others have, too.
    let mut edits = Vec::new();
    for (number, tree) in trees.iter().cycle().take(24).enumerate() {
        edits.push(world.squash(&format!("Edit {number}"), &world.base, tree));
        let other = &trees[(number / 4 + 1) % trees.len()];
        world.set(&format!("refs/pull/{number}/head"), &edits[number]);
        let chained = world.squash(&format!("Edit {number} again"), &edits[number], other);
        world.set(&format!("refs/pull/{}/head", 100 + number), &chained);
    }
    for edit in edits.iter().take(4) {
        let (judged, object) = world.judged(ANYWHERE, &[edit]);
        assert_eq!(judged, NOT_ALLOWED, "{object}");
    }
    // One of them that somebody worked for proves its twins, and what stands on them.
    world.set("refs/pull/500/head", &world.work("Work", &world.base, &trees[0]));
    assert_eq!(world.judged(ANYWHERE, &[&edits[0]]).0, "true -");
    assert_eq!(world.judged(ANYWHERE, &[&edits[2]]).0, NOT_ALLOWED);
}

#[test]
fn what_waits_for_its_own_proof_is_looked_at_again() {
    let world = World::new();
    let [one, two] = ["1", "2"].map(|first| world.tree(first, "last"));
    // The first stands on the second's proof, and the second is asked for while the first is: once by a head that leads back.
    let first = world.squash("First", &world.base, &one);
    let second = world.squash("Second", &world.base, &two);
    world.set("refs/pull/1/head", &world.work("Back", &first, &two));
    world.set("refs/pull/2/head", &world.work("Over", &second, &one));
    assert_eq!(world.judged(ANYWHERE, &[&first]).0, NOT_ALLOWED);
    world.set("refs/pull/3/head", &world.work("Work", &world.base, &two));
    for squash in [&first, &second] {
        assert_eq!(world.judged(ANYWHERE, &[squash]).0, "true -");
    }
}

#[test]
fn a_revert_by_the_forge_is_not_an_older_request_that_conflicts() {
    let world = World::new();
    let tree = world.tree("FIRST", "last");
    world.set("refs/pull/1/head", &world.work("Work", &world.base, &tree));
    let squash = world.squash("Work (#1)", &world.base, &tree);
    let second = world.squash("More (#2)", &squash, &world.tree("Second", "last"));
    let revert = world.squash("Revert \"More (#2)\"", &second, &tree);
    let (judged, object) = world.judged(ANYWHERE, &[&revert]);
    assert_eq!(judged, UNPROVEN, "{object}");
}

#[test]
fn a_request_that_is_slow_to_merge_leaves_the_others_their_time() {
    let world = World::new();
    let head = world.work("Work", &world.base, &world.tree("FIRST", "last"));
    let moved = world.work("Meanwhile", &world.base, &world.tree("first", "LAST"));
    let squash = world.squash("Work", &moved, &world.tree("FIRST", "LAST"));
    for number in 0..5 {
        let slow = world.work("Slow", &world.base, &world.tree(&format!("{number}"), "last"));
        world.set(&format!("refs/pull/{number}/head"), &slow);
    }
    world.set("refs/pull/700/head", &head);
    // Git takes for ever with many at once, and with the first of those that it is asked about alone.
    let sandbox = &world.sandbox;
    let (git, met) = (sandbox.path("home/git"), sandbox.path("home/met"));
    let script = format!(
        "#!/bin/sh\nPATH=/usr/local/bin:/usr/bin:/bin\ncase \" $* \" in *' merge-tree '*) ;; *) exec git \"$@\" ;; esac\n\
         asked=$(cat)\nif [ \"$(printf '%s\\n' \"$asked\" | wc -l)\" -gt 1 ]; then exec sleep 600; fi\n\
         if [ ! -e '{met}' ]; then : >'{met}'; exec sleep 600; fi\nprintf '%s\\n' \"$asked\" | git \"$@\"\n",
        met = met.display()
    );
    std::fs::write(&git, script).unwrap();
    std::fs::set_permissions(&git, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    sandbox.run_in(".", "git", ["init", "--quiet", "--bare", "server"]).success();
    sandbox.git(["push", "-q", "../server", &format!("{moved}:refs/heads/main"), "refs/pull/*:refs/pull/*"]).success();
    let hook = format!(
        "#!/bin/sh\nPATH='{}':$PATH exec '{WAXSEAL}' hook pre-receive --max-time 12s --policy '{}'\n",
        sandbox.path("home").display(),
        world.policy(ANYWHERE)
    );
    let hook = sandbox.write("server/hooks/pre-receive", hook);
    std::fs::set_permissions(hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    sandbox.git(["push", "-q", "../server", &format!("{squash}:refs/heads/main")]).success();
    assert!(met.exists());
}

#[test]
fn a_request_over_which_git_aborts_takes_no_answer_from_the_others() {
    let world = World::new();
    let head = world.work("Work", &world.base, &world.tree("FIRST", "last"));
    let moved = world.work("Meanwhile", &world.base, &world.tree("first", "LAST"));
    let squash = world.squash("Work", &moved, &world.tree("FIRST", "LAST"));
    // A slash in a name: Git 2.39 ends by an assertion, and what it found before is lost.
    let file = hex::decode(world.sandbox.git(["rev-parse", &format!("{head}:file")]).success().line()).unwrap();
    let raw = [b"100644 a/b\0".as_slice(), &file, b"100644 file\0", &file].concat();
    let crashing = world.work("Crash", &world.base, &world.sandbox.hash_object("tree", &raw));
    world.set("refs/pull/700/head", &head);
    world.set("refs/pull/800/head", &crashing);
    let (judged, object) = world.judged(ANYWHERE, &[&squash]);
    assert_eq!(judged, "true -", "{object}");
}
