//! gitsign's configuration is enough to sign and to judge by, where it says what waxseal needs to know and nothing of
//! waxseal's own says otherwise.

use super::sandbox::{ALICE, Ran, Sandbox};

#[test]
fn both_services_of_an_instance_choose_it() {
    let sandbox = Sandbox::with_stack();
    sandbox.git(["config", "--global", "--unset", "waxseal.instance"]).success();
    let commit = |message: &str| sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", message]);
    assert!(commit("nothing chosen").code != Some(0));
    let (fulcio, rekor) = services(&sandbox);
    sandbox.config("gitsign.fulcio", &fulcio);
    assert!(commit("one of two").code != Some(0));
    assert!(sandbox.last_error().contains("(gitsign.fulcio) and no gitsign.rekor"), "{}", sandbox.last_error());
    sandbox.config("gitsign.rekor", "https://rekor.example.org");
    assert!(commit("of two instances").code != Some(0));
    let why = "and https://rekor.example.org (gitsign.rekor), which are not the services of just one instance";
    assert!(sandbox.last_error().contains(why), "{}", sandbox.last_error());
    // A slash at the end is the same address.
    sandbox.config("gitsign.rekor", &format!("{rekor}/"));
    commit("both").success();
    // A rule without an instance means it, too.
    sandbox.allow(ALICE);
    sandbox.waxseal(["verify"]).success();
    let list = sandbox.waxseal(["trust", "list"]).success().out();
    assert!(list.lines().any(|line| line.starts_with("home ") && line.ends_with(", signs")), "{list}");

    // Whoever chose with waxseal's own setting chose.
    sandbox.config("waxseal.instance", "elsewhere");
    assert!(commit("another one").code != Some(0));
    assert!(sandbox.last_error().contains("elsewhere"), "{}", sandbox.last_error());
}

#[test]
fn the_environment_chooses_as_well() {
    let sandbox = Sandbox::with_stack();
    sandbox.git(["config", "--global", "--unset", "waxseal.instance"]).success();
    let mut git = sandbox.command("git");
    git.args(["commit", "-q", "--allow-empty", "-S", "-m", "both"]);
    let (fulcio, rekor) = services(&sandbox);
    git.env("SIGSTORE_FULCIO_URL", fulcio).env("GITSIGN_REKOR_URL", rekor);
    Ran::of(&mut git, b"").success();
}

#[test]
fn why_they_choose_none_is_said_without_their_secrets() {
    let sandbox = Sandbox::with_stack();
    sandbox.git(["config", "--global", "--unset", "waxseal.instance"]).success();
    let commit = |variables: &[(&str, &str)]| {
        let mut git = sandbox.command("git");
        git.args(["commit", "-q", "--allow-empty", "-S", "-m", "one"]).envs(variables.iter().copied());
        let said = Ran::of(&mut git, b"").code(128).err() + &sandbox.last_error();
        assert!(!said.contains("s3cret"), "{said}");
        said
    };
    let said = commit(&[("SIGSTORE_FULCIO_URL", "https://u:s3cret@f.example:1/s3cret")]);
    assert!(said.contains("name https://f.example:1 (SIGSTORE_FULCIO_URL) and no gitsign.rekor"), "{said}");
    sandbox.config("gitsign.fulcio", "https://u:s3cret@f.example");
    let said = commit(&[("SIGSTORE_REKOR_URL", "https://r.example/?token=s3cret")]);
    assert!(said.contains("https://f.example (gitsign.fulcio) and https://r.example (SIGSTORE_REKOR_URL)"), "{said}");
}

/// Certificate authority and log of the instance.
fn services(sandbox: &Sandbox) -> (String, String) {
    let shown = sandbox.waxseal(["trust", "show", "home"]).success().out();
    let address = |what: &str| {
        let line = shown.lines().find_map(|line| line.strip_prefix(what)).unwrap_or_else(|| panic!("{shown}"));
        line.trim_start().split(' ').next().unwrap().trim_end_matches('/').to_owned()
    };
    (address("certificates from "), address("logs to "))
}
