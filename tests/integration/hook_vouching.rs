//! What a server has already is judged again unless a branch or a tag has it: of other refs no hook was asked.

use super::sandbox::{ALICE, Server};

/// What forges make of what anybody proposes, and Git keeps beside.
const OTHERS: [&str; 7] = [
    "refs/changes/01/1/1",
    "refs/environments/production",
    "refs/keep-around/1",
    "refs/merge-requests/1/head",
    "refs/pipelines/1",
    "refs/pull/1/head",
    "refs/remotes/mirror/main",
];

#[test]
fn refs_that_a_forge_makes_vouch_for_nothing() {
    let world = Server::new();
    let sandbox = &world.sandbox;
    sandbox.allow(ALICE);
    let base = world.commit(&world.alice, "One");
    world.push(&["main"]).success();
    world.git(&["commit", "-q", "--allow-empty", "--no-gpg-sign", "-m", "Two"]).success();
    let unsigned = world.id("HEAD");
    let on_unsigned = world.commit(&world.alice, "Three");
    world.git_as(&world.alice, &["tag", "-s", "-m", "v1", "v1", &on_unsigned]).success();
    let on_server = |arguments: &[&str]| sandbox.run_in("server", "git", arguments).success();
    for (hook, others) in [("pre-receive", &OTHERS[..]), ("update", &OTHERS[..1])] {
        world.hook("server", hook, "");
        for name in others {
            on_server(&["fetch", "-q", "--no-tags", "../repository", &format!("+{on_unsigned}:{name}")]);
            for (refspec, objects) in [
                (format!("{unsigned}:refs/heads/main"), 1),
                (format!("{on_unsigned}:refs/heads/new"), 2),
                (format!("{unsigned}:refs/tags/light"), 1),
                ("refs/tags/v1".to_owned(), 3),
                // What it was is not its own witness either.
                (format!("+{unsigned}:{name}"), 1),
            ] {
                let refused = world.push(&[&refspec]).code(1);
                let expected = format!("1 of {objects} new object{} refused", if objects == 1 { "" } else { "s" });
                assert!(world.said(&refused).contains(&expected), "{hook} {name} {refspec}: {}", refused.err());
            }
            // Nor is it in the same push, which makes way for another.
            let refused = world.push(&[&format!("+{base}:{name}"), &format!("{unsigned}:refs/heads/main")]).code(1);
            assert!(world.said(&refused).contains("1 of 1 new object refused"), "{hook} {name}: {}", refused.err());
            on_server(&["update-ref", "-d", name]);
        }
        world.no_hook(hook);
    }
    // What a branch or a tag has came past a hook, or was there before.
    world.hook("server", "pre-receive", "");
    for name in ["refs/heads/old", "refs/tags/old"] {
        on_server(&["fetch", "-q", "--no-tags", "../repository", &format!("+{unsigned}:{name}")]);
        let taken = world.push(&[&format!("{on_unsigned}:refs/heads/new")]).success();
        assert_eq!(world.said(&taken), "refs/heads/new: 1 new object verified");
        world.push(&[":refs/heads/new"]).success();
        on_server(&["update-ref", "-d", name]);
    }
}

#[test]
fn a_lightweight_tag_is_judged_by_the_commit_that_it_names() {
    let world = Server::new();
    let sandbox = &world.sandbox;
    sandbox.allow(ALICE);
    world.git(&["commit", "-q", "--allow-empty", "--no-gpg-sign", "-m", "One"]).success();
    let unsigned = world.id("HEAD");
    let by_bob = world.commit(&world.bob, "Two");
    let by_alice = world.commit(&world.alice, "Three");
    let last = world.commit(&world.alice, "Four");
    world.git_as(&world.alice, &["tag", "-s", "-m", "v1", "v1"]).success();
    // From before there was a hook.
    world.push(&["main", "v1"]).success();
    for hook in ["pre-receive", "update"] {
        world.hook("server", hook, "");
        for (commit, reason) in [(&unsigned, "unsigned"), (&by_bob, "identity-not-allowed")] {
            for refspecs in [
                &[format!("{commit}:refs/tags/light")][..],
                &[format!("+{commit}:refs/tags/v1")],
                &[format!("{commit}:refs/heads/{hook}-{reason}"), format!("{commit}:refs/tags/light")],
            ] {
                let refspecs: Vec<&str> = refspecs.iter().map(String::as_str).collect();
                let refused = world.push(&refspecs).code(1);
                let said = world.said(&refused);
                assert!(said.contains("1 of 1 new object refused") && said.contains(reason), "{hook}: {said}");
            }
        }
        let taken = world.push(&[&format!("{by_alice}:refs/tags/light")]).success();
        assert_eq!(world.said(&taken), "refs/tags/light: 1 new object verified");
        // A commit that is new is judged once.
        let next = world.commit(&world.alice, "Five");
        let taken = world.push(&[&format!("{next}:refs/tags/next"), &format!("{last}:refs/tags/last")]).success();
        if hook == "pre-receive" {
            assert_eq!(world.said(&taken), "refs/tags/next and 1 more: 2 new objects verified");
        }
        world.push(&[":refs/tags/light", ":refs/tags/next", ":refs/tags/last"]).success();
        world.no_hook(hook);
    }
}
