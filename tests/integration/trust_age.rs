//! A verdict needs no fresh trust material, unless somebody demands it; and what an instance may vouch for is bounded by its
//! user.

use super::sandbox::{ALICE, Ran, Sandbox};
use super::trust_refresh::INSTANCES;

#[test]
fn old_trust_material_is_good_until_somebody_demands_better() {
    let mut sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "one"]).success();
    sandbox.config("waxseal.trust", "home");
    sandbox.waxseal(["verify", "--max-trust-age", "1h"]).success();
    let record = sandbox.path(&format!("{INSTANCES}/home/instance.toml"));
    let text = std::fs::read_to_string(&record).unwrap();
    let lines: String = text
        .lines()
        .map(|line| {
            if line.starts_with("refreshed") {
                "refreshed = \"2020-01-01T00:00:00Z\"\n".to_owned()
            } else {
                format!("{line}\n")
            }
        })
        .collect();
    std::fs::write(&record, lines).unwrap();

    sandbox.waxseal(["verify"]).success();
    sandbox.git(["verify-commit", "HEAD"]).success();
    let days = regex::Regex::new(r"\d+ days old").unwrap();
    let aged = |text: &str| days.replace_all(text, "N days old").into_owned();
    let stale = |ran: Ran| aged(&ran.err());
    let sentence = "the trust material of instance home is N days old, and may be N days old at most\n\
                    waxseal: hint: \"waxseal trust refresh home\" asks for it anew; where it is not needed, waxseal.trust leaves it out\n";
    assert_eq!(
        stale(sandbox.waxseal(["verify", "--max-trust-age", "30d"]).code(4)),
        format!("waxseal: error: {sentence}")
    );
    // What a policy file demands holds besides what the user does.
    let rule = format!(
        "[[rule]]\nname = \"r\"\nissuer = \"{}\"\ninstance = \"home\"\nemail = [\"{ALICE}\"]\n",
        sandbox.issuer()
    );
    let policy = sandbox.write("policy.toml", format!("version = 1\nmax_trust_age = \"30d\"\n{rule}"));
    let policy = policy.to_str().unwrap();
    for more in [&[][..], &["--max-trust-age", "9000d"]] {
        let ran = sandbox.waxseal([&["verify", "--policy", policy], more].concat());
        assert_eq!(stale(ran.code(4)), format!("waxseal: error: {sentence}"));
    }
    sandbox.config("waxseal.policy", policy);
    assert_eq!(stale(sandbox.git(["verify-commit", "HEAD"]).code(1)), format!("waxseal: cannot decide: {sentence}"));
    sandbox.run_in(".", "git", ["config", "--global", "--unset", "waxseal.policy"]).success();
    sandbox.config("waxseal.maxTrustAge", "30d");
    sandbox.waxseal(["verify"]).code(4);
    // Nor is anything signed that could not be verified then.
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "two"]).code(128);
    let refused = aged(&sandbox.last_error());
    assert!(refused.contains(sentence.lines().next().unwrap()), "{refused}");
    assert_eq!(stale(sandbox.waxseal(["login"]).code(4)), format!("waxseal: error: {sentence}"));
    sandbox.waxseal(["verify", "--max-trust-age", "9000d"]).success();
    assert_eq!(stale(sandbox.git(["verify-commit", "HEAD"]).code(1)), format!("waxseal: cannot decide: {sentence}"));
    let shown = sandbox.git(["log", "-1", "--format=%G?"]).success().out();
    assert_eq!(shown, "E\n");
    // Whoever names a trusted root's file vouches for it.
    let root = sandbox.path(&format!("{INSTANCES}/home/trusted_root.json"));
    sandbox.waxseal(["verify", "--trusted-root", root.to_str().unwrap(), "--any-identity"]).success();

    sandbox.waxseal(["trust", "refresh", "home"]).success();
    sandbox.waxseal(["verify"]).success();
    sandbox.git(["verify-commit", "HEAD"]).success();
    sandbox.kill_stack();
    sandbox.waxseal(["verify"]).success();
}

#[test]
fn an_instance_vouches_for_no_issuer_but_those_that_its_user_named() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "one"]).success();
    let url = sandbox.url().to_owned();
    let add = |issuers: &[&str]| {
        sandbox.waxseal(["trust", "remove", "home"]).success();
        let digest = sandbox.digest();
        let mut arguments = vec!["trust", "add", "home", "--url", &url, "--sha256", digest];
        issuers.iter().for_each(|issuer| arguments.extend(["--oidc-issuer", issuer]));
        sandbox.waxseal(arguments).success();
    };
    let issuer = sandbox.issuer();
    add(&["https://accounts.example.org"]);
    let bound = "may vouch for identities of https://accounts.example.org only";
    assert!(sandbox.waxseal(["trust", "show", "home"]).success().out().contains(bound));
    let json = sandbox.waxseal(["verify", "--json"]).code(1).out();
    assert!(json.contains("\"issuer-not-admitted\""), "{json}");
    // A refresh does not loosen it.
    sandbox.waxseal(["trust", "refresh", "home"]).success();
    assert!(sandbox.waxseal(["trust", "show", "home"]).success().out().contains(bound));
    sandbox.waxseal(["verify"]).code(1);
    add(&["https://accounts.example.org", &issuer]);
    sandbox.waxseal(["verify"]).success();
}
