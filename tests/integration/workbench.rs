//! `waxseal policy suggest`, `test` and `diff`: a policy made of who signed, tried out on the history, and held against
//! another one.

use std::fs;

use serde_json::Value;

use super::sandbox::{ALICE, BOB, Ran, Sandbox};

fn lines(ran: &Ran) -> Vec<Value> {
    ran.json_lines()
}

fn of_type(ran: &Ran, kind: &str) -> Vec<Value> {
    lines(ran).into_iter().filter(|line| line["type"] == kind).collect()
}

/// Three commits of Alice's, one of Bob's, one that nobody signed; HEAD has all of them.
fn history(sandbox: &Sandbox) -> String {
    let (alice, bob) = (sandbox.token(ALICE), sandbox.token(BOB));
    for token in [&alice, &bob, &alice, &alice] {
        let mut git = sandbox.command("git");
        git.args(["commit", "-q", "--allow-empty", "-S", "-m", "Work"]).env("WAXSEAL_ID_TOKEN", token);
        Ran::of(&mut git, b"").success();
    }
    sandbox.git(["commit", "-q", "--allow-empty", "--no-gpg-sign", "-m", "Unsigned"]).success();
    sandbox.git(["rev-parse", "HEAD"]).line()
}

#[test]
fn a_suggested_policy_admits_who_signed_and_has_no_findings() {
    let sandbox = Sandbox::with_stack();
    history(&sandbox);
    let ran = sandbox.waxseal(["policy", "suggest", "--at-least", "1"]).success();
    let err = ran.err();
    assert!(err.contains("seen 2 signers in 5 objects; 2 of them made 100 % of the 4 signatures"), "{err}");
    assert!(err.contains("they say nothing of who may sign: 1 unsigned"), "{err}");
    let file = sandbox.write("suggested.toml", ran.out());
    let file = file.to_str().unwrap();
    assert_eq!(sandbox.waxseal(["policy", "check", file]).success().out(), "1 rule, 0 findings\n");
    sandbox.waxseal(["verify", "--policy", file, "HEAD~1"]).success();
    sandbox.waxseal(["verify", "--policy", file]).code(1);

    // Who signed once is left out, and that is said.
    let seldom = sandbox.waxseal(["policy", "suggest"]).success();
    assert!(!seldom.out().contains(BOB) && seldom.out().contains(ALICE), "{}", seldom.out());
    let err = seldom.err();
    assert!(
        err.contains("1 of them made 75 % of the 4 signatures that verified, and is suggested, in 1 rule"),
        "{err}"
    );
    assert!(err.contains("left out: 1 signer with fewer than 2 signatures (--at-least)"), "{err}");

    // Nobody is no policy.
    let nobody = sandbox.waxseal(["policy", "suggest", "HEAD"]).code(1);
    assert_eq!(nobody.out(), "");
    let hasty = sandbox.waxseal(["policy", "suggest", "--at-least", "9"]).code(1);
    assert_eq!(hasty.out(), "");
    assert!(hasty.err().contains("left out: 2 signers with fewer than 9 signatures"), "{}", hasty.err());
}

#[test]
fn a_test_shows_what_each_rule_admits() {
    let sandbox = Sandbox::with_stack();
    history(&sandbox);
    let issuer = sandbox.issuer();
    let rule = |name: &str, email: &str| {
        format!("[[rule]]\nname = \"{name}\"\nissuer = \"{issuer}\"\ninstance = \"home\"\nemail = [\"{email}\"]\n")
    };
    let text = format!("version = 1\n{}{}", rule("alice", ALICE), rule("carol", "carol@example.org"));
    // A file of the work tree can be tried out, though it cannot judge.
    sandbox.write("repository/policy.toml", text);
    let test = |more: &[&str]| sandbox.waxseal(["policy", "test", "--policy", "policy.toml"].iter().chain(more));
    sandbox.waxseal(["verify", "--policy", "policy.toml"]).code(5);
    let ran = test(&["HEAD~5..HEAD"]);
    assert_eq!(ran.code, Some(2), "{}", ran.err());
    let ran = test(&[]).code(1);
    let shown = sandbox.masked(&ran.out());
    let summary = shown.split_once("\n\n").unwrap();
    assert_eq!(
        summary.1,
        "        3  rule \"alice\"\n        0  rule \"carol\"  admitted nothing\n5 objects: 3 pass, 2 fail, 0 undecided, 0 exempt\n"
    );
    assert_eq!(summary.0.matches("passes     ").count(), 3, "{shown}");
    assert!(summary.0.contains(&format!("rule \"alice\"  {ALICE} (STACK/oidc)  Work")), "{shown}");
    assert!(summary.0.contains("there is no signature  unsigned  Unsigned"), "{shown}");
    // The exit codes are those of verify.
    test(&["HEAD~1"]).success();
    test(&["HEAD..HEAD"]).code(3);
    test(&["HEAD..HEAD", "--allow-empty"]).success();

    let ran = test(&["--json"]).code(1);
    let rules: Vec<_> =
        of_type(&ran, "rule").iter().map(|rule| (rule["name"].clone(), rule["admitted"].clone())).collect();
    assert_eq!(rules, [("alice".into(), 3.into()), ("carol".into(), 0.into())]);
    assert_eq!(of_type(&ran, "object").iter().filter(|object| object["rule"] == "alice").count(), 3);
    assert_eq!(lines(&ran).last().unwrap()["exit"], 1);

    // Committed, the same file would want leave for those who change it; it is taken as if it were committed.
    sandbox.git(["add", "policy.toml"]).success();
    sandbox.git(["commit", "-q", "-S", "-m", "The law"]).success();
    let ran = test(&["HEAD"]).code(1);
    assert!(ran.out().contains("the commit changes the policy file"), "{}", ran.out());

    // Without a file the settings say; and somebody must.
    sandbox.waxseal(["policy", "test"]).code(5);
    sandbox.allow(ALICE);
    let ran = sandbox.waxseal(["policy", "test", "HEAD"]).success();
    assert!(ran.out().contains(&format!("        1  rule \"waxseal.allow {ALICE}\"")), "{}", ran.out());
}

#[test]
fn a_diff_says_what_would_newly_pass_or_fail() {
    let sandbox = Sandbox::with_stack();
    let unsigned = history(&sandbox);
    let issuer = sandbox.issuer();
    let policy = |file: &str, name: &str, emails: &str, more: &str| {
        let text = format!(
            "version = 1\n{more}[[rule]]\nname = \"{name}\"\nissuer = \"{issuer}\"\ninstance = \"home\"\nemail = [{emails}]\n"
        );
        sandbox.write(file, text).to_str().unwrap().to_owned()
    };
    let (alice, bob) = (format!("\"{ALICE}\""), format!("\"{BOB}\""));
    let old = policy("old.toml", "people", &alice, "");
    let new = policy("new.toml", "people", &format!("{alice}, {bob}"), "");
    let diff = |old: &str, new: &str, more: &[&str]| sandbox.waxseal(["policy", "diff", old, new].iter().chain(more));
    let same = diff(&old, &old, &[]).success();
    assert_eq!(same.out(), "5 objects: 0 would newly pass, 0 newly fail\n");

    let ran = diff(&old, &new, &[]).code(1);
    let shown = ran.out();
    assert_eq!(shown.matches("newly passes  ").count(), 2, "{shown}");
    assert!(
        shown.contains(&format!(
            "        1  newly passes  {BOB} ({issuer})\n5 objects: 1 would newly pass, 0 newly fail\n"
        )),
        "{shown}"
    );
    assert!(shown.contains("was: fails (no rule admits this identity"), "{shown}");
    assert!(shown.contains("would be: passes (rule \"people\")"), "{shown}");

    let ran = diff(&new, &old, &["--json"]).code(1);
    let objects = of_type(&ran, "object");
    assert_eq!(objects.len(), 1);
    assert_eq!((&objects[0]["change"], &objects[0]["identity"]), (&"newly-fails".into(), &BOB.into()));
    assert_eq!((&objects[0]["outcome"], &objects[0]["rule"]), (&"passes".into(), &"people".into()));
    assert_eq!(
        (&objects[0]["new"]["outcome"], &objects[0]["new"]["reason"]),
        (&"fails".into(), &"identity-not-allowed".into())
    );
    let header = &of_type(&ran, "header")[0];
    assert_ne!(header["policy"]["sha256"], header["new_policy"]["sha256"]);
    let signers = of_type(&ran, "signer");
    assert_eq!((signers.len(), &signers[0]["identity"], &signers[0]["objects"]), (1, &BOB.into(), &1.into()));
    let footer = &of_type(&ran, "footer")[0];
    assert_eq!(
        (&footer["counts"]["newly_fail"], &footer["counts"]["objects"], &footer["exit"]),
        (&1.into(), &5.into(), &1.into())
    );

    // Another rule is no other outcome; an exemption is one.
    let renamed = policy("renamed.toml", "maintainers", &alice, "");
    let ran = diff(&old, &renamed, &[]).success();
    assert!(ran.out().contains("; 3 would pass by another rule"), "{}", ran.out());
    let exempt = format!("[[exempt]]\nobject = \"{unsigned}\"\nreason = \"before the law\"\n");
    let exempting = policy("exempting.toml", "people", &alice, &exempt);
    let ran = diff(&old, &exempting, &[]).code(1);
    assert!(ran.out().contains("        1  newly passes  unsigned\n"), "{}", ran.out());
    assert!(ran.out().contains("would be: exempt (before the law)"), "{}", ran.out());

    // What cannot be read or judged is no answer.
    sandbox.waxseal(["policy", "diff", &old, "nowhere.toml"]).code(5);
    sandbox.waxseal(["policy", "diff", &old, &new, "nowhere"]).code(2);
    sandbox.waxseal(["policy", "diff", &old, &new, "HEAD..HEAD"]).code(3);
    fs::remove_file(&new).unwrap();
    sandbox.waxseal(["policy", "diff", &old, &new]).code(5);
}
