//! A hook that another script calls is told what Git told that, or refuses.

use super::sandbox::{ALICE, Ran, Server, WAXSEAL};

#[test]
fn a_hook_that_hears_of_no_ref_refuses() {
    let world = Server::new();
    let sandbox = &world.sandbox;
    sandbox.allow(ALICE);
    world.commit(&world.alice, "One");
    world.git(&["commit", "-q", "--allow-empty", "--no-gpg-sign", "-m", "Two"]).success();
    let hook = |script: &str| world.script("server", "pre-receive", script);
    for script in [
        format!("cat >/dev/null; exec '{WAXSEAL}' hook pre-receive"),
        format!("exec '{WAXSEAL}' hook pre-receive <&-"),
        format!("echo | '{WAXSEAL}' hook pre-receive"),
    ] {
        hook(&script);
        let refused = world.push(&["HEAD~:refs/heads/main"]).code(1);
        let expected = "error: standard input names no ref: something before waxseal read it, or closed it";
        assert_eq!(world.said(&refused).lines().next().unwrap(), expected, "{script}: {}", refused.err());
    }
    // As the hint has it.
    let handed_on = format!("updates=$(cat); echo \"$updates\" | '{WAXSEAL}' hook pre-receive");
    hook(&handed_on);
    world.push(&["HEAD~:refs/heads/main"]).success();
    let refused = world.push(&["HEAD:refs/heads/main"]).code(1);
    assert!(world.said(&refused).contains("1 of 1 new object refused"), "{}", refused.err());
    // A client may have nothing to push.
    Ran::of(sandbox.command(WAXSEAL).args(["hook", "pre-push", "origin"]), b"").success();
    let mut alone = sandbox.command(WAXSEAL);
    Ran::of(alone.args(["hook", "pre-receive"]), b"").code(2);
}
