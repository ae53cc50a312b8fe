//! The law of a server is the one that its administrator named: no push puts another ref in its place.

use super::sandbox::{ALICE, BOB, Server, rule};

/// A server whose `main` has `policy.toml`: Alice may sign, and change it. Of Alice's own clone the law is at `first`.
fn with_law() -> (Server, String) {
    let world = Server::new();
    law(&world, &[&rule(&world.sandbox, "maintainers", ALICE, "may_change_policy = true")]);
    let first = world.commit(&world.alice, "The law");
    world.push(&["main"]).success();
    (world, first)
}

/// Puts a policy into the index.
fn law(world: &Server, rules: &[&str]) {
    let path = world.sandbox.path("repository/policy.toml");
    std::fs::write(path, format!("version = 1\n{}", rules.concat())).unwrap();
    world.git(&["add", "policy.toml"]).success();
}

/// The policy of the server.
fn set_policy(world: &Server, policy: &str) {
    world.sandbox.run_in("server", "git", ["config", "waxseal.policy", policy]).success();
}

#[test]
fn a_name_that_two_refs_have_is_no_law() {
    let (world, first) = with_law();
    let sandbox = &world.sandbox;
    let everybody = rule(sandbox, "others", BOB, "may_change_policy = true");
    law(&world, &[&rule(sandbox, "maintainers", ALICE, "may_change_policy = true"), &everybody]);
    let both = world.commit(&world.alice, "Bob may");
    law(&world, &[&rule(sandbox, "maintainers", ALICE, "may_change_policy = true")]);
    let one = world.commit(&world.alice, "Bob may not");
    let by_bob = world.commit(&world.bob, "Work");
    world.push(&[&format!("{one}:refs/heads/main")]).success();
    for hook in ["pre-receive", "update"] {
        set_policy(&world, "main:policy.toml");
        world.hook("server", hook, "");
        world.push(&[&format!("{by_bob}:refs/heads/x")]).code(1);
        // Nobody makes another `main`: neither for an older law, nor to lock everybody out.
        for name in ["refs/tags/main", "refs/remotes/main", "refs/remotes/main/HEAD"] {
            let refused = world.push(&[&format!("{both}:{name}")]).code(1);
            let expected = format!("error: the push makes {name}, and main, where the policy comes from, ambiguous");
            assert_eq!(world.said(&refused).lines().next().unwrap(), expected, "{}", refused.err());
        }
        world.push(&[&format!("{both}:refs/tags/v1"), &format!("{both}:refs/heads/x")]).success();
        // Where there is one already, no law is found.
        sandbox.run_in("server", "git", ["update-ref", "refs/tags/main", &both]).success();
        let refused = world.push(&[&format!("{by_bob}:refs/heads/y")]).code(1);
        assert!(
            refused.err().contains("\"main\" is ambiguous: it could be refs/heads/main or refs/tags/main"),
            "{}",
            refused.err()
        );
        assert!(refused.err().contains("write the whole name, as refs/heads/main:policy.toml"), "{}", refused.err());
        // The whole name is of that ref.
        set_policy(&world, "refs/heads/main:policy.toml");
        let refused = world.push(&[&format!("{by_bob}:refs/heads/y")]).code(1);
        assert!(world.said(&refused).contains("identity-not-allowed"), "{}", refused.err());
        world.push(&[&format!("{both}:refs/tags/refs/heads/main")]).success();
        world.push(&[&format!("{by_bob}:refs/heads/y")]).code(1);
        // Of a commit's short id nobody makes a name either.
        set_policy(&world, &format!("{}:policy.toml", &first[..12]));
        world.push(&[&format!("{both}:refs/tags/{}", &first[..12])]).code(1);
        world.no_hook(hook);
        for gone in ["refs/tags/main", "refs/tags/v1", "refs/heads/x", "refs/tags/refs/heads/main"] {
            sandbox.run_in("server", "git", ["update-ref", "-d", gone]).success();
        }
    }
}

#[test]
fn a_name_that_two_refs_have_judges_nothing() {
    let (world, first) = with_law();
    let sandbox = &world.sandbox;
    let second = world.commit(&world.alice, "Work");
    world.git(&["fetch", "-q", "origin"]).success();
    let judged = |policy: &str, revision: &str| sandbox.waxseal(["verify", "--policy", policy, revision]);
    judged("origin/main:policy.toml", &second).success();
    judged(&format!("{}:policy.toml", &first[..10]), &second).success();
    for name in ["origin/main", &first[..10]] {
        world.git(&["update-ref", &format!("refs/tags/{name}"), &first]).success();
        let refused = judged(&format!("{name}:policy.toml"), &second).code(5);
        assert!(refused.err().contains(&format!("\"{name}\" is ambiguous: it could be ")), "{}", refused.err());
        judged(&format!("{name}^0:policy.toml"), &second).code(5);
    }
    judged("refs/remotes/origin/main:policy.toml", &second).success();
    judged("refs/tags/origin/main:policy.toml", &second).success();
    judged(&format!("{first}:policy.toml"), &second).success();
    // One that is not there has no other's law.
    world.git(&["update-ref", "refs/tags/refs/heads/gone", &first]).success();
    judged("refs/heads/gone:policy.toml", &second).code(5);
    // In Git's own calls neither.
    sandbox.config("waxseal.policy", "origin/main:policy.toml");
    assert!(world.git(&["verify-commit", "HEAD"]).err().contains("is ambiguous"));
    let ends = |base: &str, head: &str| sandbox.waxseal(["ci", "--base", base, "--head", head, "--any-identity"]);
    ends(&first, "HEAD").success();
    world.git(&["update-ref", "refs/tags/main", &first]).success();
    for (base, head) in [("origin/main", "HEAD"), (&first, "main")] {
        let refused = ends(base, head).code(2);
        assert!(refused.err().contains("give the whole name, as refs/"), "{}", refused.err());
    }
    ends(&first, "refs/heads/main").success();
}

#[test]
fn what_came_in_under_another_law_does_not_become_the_law() {
    let (world, first) = with_law();
    let sandbox = &world.sandbox;
    law(&world, &[&rule(sandbox, "others", BOB, "may_change_policy = true")]);
    let by_bob = world.commit(&world.bob, "Bob's law");
    for hook in ["pre-receive", "update"] {
        world.hook("server", hook, "");
        sandbox.allow(ALICE);
        sandbox.allow(BOB);
        world.push(&[&format!("{by_bob}:refs/heads/x")]).success();
        set_policy(&world, "main:policy.toml");
        let refused = world.push(&[&format!("{by_bob}:refs/heads/main")]).code(1);
        assert!(world.said(&refused).contains("refs/heads/main: 1 of 1 new object refused"), "{}", refused.err());
        // Nor beside another ref that has it.
        world.push(&[&format!("{by_bob}:refs/heads/y"), &format!("{by_bob}:refs/heads/main")]).code(1);
        // What is no law's is there already.
        world.push(&[&format!("{by_bob}:refs/heads/z")]).success();
        world.push(&[&format!("{first}:refs/heads/main")]).success();
        world.no_hook(hook);
        for gone in ["refs/heads/x", "refs/heads/y", "refs/heads/z"] {
            sandbox.run_in("server", "git", ["update-ref", "-d", gone]).success();
        }
        sandbox.run_in("server", "git", ["config", "--unset", "waxseal.policy"]).success();
    }
}

#[test]
fn a_symbolic_ref_is_another_name_of_the_one_that_it_moves() {
    let (world, first) = with_law();
    let sandbox = &world.sandbox;
    let alice = rule(sandbox, "maintainers", ALICE, "may_change_policy = true");
    law(&world, &[&alice, &rule(sandbox, "contributors", BOB, "refs = [\"refs/heads/wip\"]")]);
    let second = world.commit(&world.alice, "Bob may, on wip");
    world.push(&["main"]).success();
    let by_bob = world.commit(&world.bob, "Work");
    let on_server = |arguments: &[&str]| sandbox.run_in("server", "git", arguments).success();
    on_server(&["config", "receive.denyDeleteCurrent", "ignore"]);
    on_server(&["symbolic-ref", "refs/heads/master", "refs/heads/main"]);
    for hook in ["pre-receive", "update"] {
        world.hook("server", hook, "");
        for policy in ["main:policy.toml", "master:policy.toml", "HEAD:policy.toml"] {
            set_policy(&world, policy);
            for name in ["main", "master"] {
                for refspec in [format!("+{first}:refs/heads/{name}"), format!(":refs/heads/{name}")] {
                    let refused = world.push(&[&refspec]).code(1);
                    assert!(
                        refused.err().contains("refs/heads/main, where the policy comes from"),
                        "{}",
                        refused.err()
                    );
                }
            }
        }
        world.push(&[&format!("{by_bob}:refs/heads/wip")]).success();
        on_server(&["symbolic-ref", "refs/heads/wip", "refs/heads/main"]);
        let refused = world.push(&[&format!("{by_bob}:refs/heads/wip")]).code(1);
        assert!(world.said(&refused).contains("it is not for refs/heads/main"), "{}", refused.err());
        on_server(&["symbolic-ref", "--delete", "refs/heads/wip"]);
        // What is to be admitted is.
        world.git(&["checkout", "-q", "--detach", &second]).success();
        let third = world.commit(&world.alice, "Work");
        let taken = world.push(&[&format!("{third}:refs/heads/master")]).success();
        assert_eq!(world.said(&taken), "refs/heads/main: 1 new object verified");
        on_server(&["update-ref", "refs/heads/main", &second]);
        world.no_hook(hook);
    }
}

/// The policy is what its ref had before the push: a tag of that commit changes nothing of it.
#[test]
fn the_commit_that_has_the_law_can_be_released() {
    let (world, first) = with_law();
    world.git(&["fetch", "-q", "origin"]).success();
    let tag = |token: &str, name: &str| {
        world.git_as(token, &["tag", "-s", "-m", name, name, &first]).success();
    };
    tag(&world.alice, "v1");
    tag(&world.bob, "v2");
    for hook in ["pre-receive", "update"] {
        world.hook("server", hook, "");
        for policy in ["main:policy.toml", "HEAD:policy.toml", &format!("{first}:policy.toml")] {
            set_policy(&world, policy);
            let taken = world.push(&["v1"]).success();
            assert_eq!(world.said(&taken), "refs/tags/v1: 1 new object verified", "{hook} {policy}");
            world.push(&[":refs/tags/v1"]).success();
            let refused = world.push(&["v2"]).code(1);
            assert!(world.said(&refused).contains("identity-not-allowed"), "{}", refused.err());
        }
        world.no_hook(hook);
    }
    world.hook("repository/.git", "pre-push", "--policy origin/main:policy.toml");
    assert!(world.push(&["v2"]).code(1).err().contains("identity-not-allowed"));
    world.push(&["v1"]).success();
    // What is pushed brings no law of its own there, either.
    world.hook("repository/.git", "pre-push", "--policy main:policy.toml");
    world.git_as(&world.bob, &["commit", "-q", "-S", "--allow-empty", "-m", "bob's"]).success();
    let refused = world.push(&["main"]).code(1);
    assert!(refused.err().contains("is among those to judge"), "{}", refused.err());
    assert!(refused.err().contains("origin/main"), "{}", refused.err());
}

#[test]
fn a_law_that_cannot_be_read_locks_nobody_out() {
    let (world, _) = with_law();
    set_policy(&world, "main:policy.toml");
    let maintainers = rule(&world.sandbox, "maintainers", ALICE, "may_change_policy = true");
    for (hook, more) in [("pre-receive", ""), ("update", "# Once more\n")] {
        world.hook("server", hook, "");
        for broken in [Some("invalid = x\n"), Some("version = 1\n"), None] {
            match broken {
                Some(text) => {
                    std::fs::write(world.sandbox.path("repository/policy.toml"), text).unwrap();
                    world.git(&["add", "policy.toml"]).success();
                }
                None => drop(world.git(&["rm", "-q", "policy.toml"]).success()),
            }
            world.commit(&world.alice, "No law");
            let refused = world.push(&["main"]).code(1);
            let said = world.said(&refused);
            let sentence = "error: the push leaves refs/heads/main without a policy that can be read: the policy ";
            assert!(said.starts_with(sentence), "{broken:?}: {said}");
            // On another branch it is nobody's law.
            world.push(&["main:refs/heads/work"]).success();
            world.push(&[":refs/heads/work"]).success();
            world.git(&["reset", "-q", "--hard", "HEAD~"]).success();
        }
        law(&world, &[&maintainers, more, &rule(&world.sandbox, "others", BOB, "")]);
        world.commit(&world.alice, "Another law");
        world.push(&["main"]).success();
        world.no_hook(hook);
    }
}
