//! `waxseal explain` shows every step of a proof, and decides what `waxseal verify` decides.

use serde_json::Value;

use super::sandbox::{ALICE, BOB, Ran, Sandbox};

#[test]
fn every_object_of_the_gallery_is_explained() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let gallery = sandbox.gallery();
    for (object, reason, steps) in [
        (&gallery.by_alice, None, "held held held held held held held held held held"),
        (&gallery.by_bob, Some("identity-not-allowed"), "held held held held held held held held held held"),
        (&gallery.tampered, Some("payload-mismatch"), "held held held held held held held held held wrong"),
        (&gallery.online, Some("log-entry-absent"), "held held held held held held held missing missing held"),
        (
            &gallery.garbled,
            Some("malformed-signature"),
            "held wrong not-run not-run not-run not-run not-run not-run not-run not-run",
        ),
        (
            &gallery.unsigned,
            Some("unsigned"),
            "held not-run not-run not-run not-run not-run not-run not-run not-run not-run",
        ),
        (
            &gallery.openpgp,
            Some("openpgp-signature"),
            "held not-run not-run not-run not-run not-run not-run not-run not-run not-run",
        ),
    ] {
        let verify = sandbox.waxseal(["verify", "--json", object]);
        let line: Value = serde_json::from_str(verify.out().lines().nth(1).unwrap()).unwrap();
        let explained = sandbox.waxseal(["explain", "--json", object]).code(verify.code.unwrap());
        let document: Value = serde_json::from_str(&explained.line()).unwrap();
        assert_eq!(document["object"], line);
        assert_eq!(document["object"]["reason"], reason.map_or(Value::Null, Value::from));
        assert_eq!(document["exit"], verify.code.unwrap());
        let outcomes: Vec<_> =
            document["steps"].as_array().unwrap().iter().map(|step| step["outcome"].as_str().unwrap()).collect();
        assert_eq!(outcomes.join(" "), steps, "{reason:?}");
        assert_eq!(document["next"].as_array().unwrap().is_empty(), reason.is_none(), "{reason:?}");
        let for_people = sandbox.waxseal(["explain", object]).code(verify.code.unwrap()).out();
        assert_eq!(for_people.contains("what would change that:"), reason.is_some(), "{for_people}");
    }
}

#[test]
fn each_step_names_what_it_looked_at() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "Say hello"]).success();
    let document: Value = serde_json::from_str(&sandbox.waxseal(["explain", "--json"]).success().line()).unwrap();
    let step = |name: &str| {
        let steps = document["steps"].as_array().unwrap();
        &steps.iter().find(|step| step["step"] == name).unwrap()["inputs"]
    };
    assert_eq!(step("path")["instance"], "home");
    assert_eq!(step("path")["trusted_root"], format!("from {}", sandbox.url()));
    assert_eq!(step("path")["trusted_root_sha256"], document["instances"][0]["trusted_root_sha256"]);
    assert!(step("path")["authority_trusted"].is_string());
    assert_eq!(step("certificate")["identity"], ALICE);
    assert_eq!(step("certificate")["sha256"], document["object"]["certificate_sha256"]);
    assert!(step("sct")["sct"][0]["time"].is_string() && step("sct")["ct_log"][0]["trusted"].is_string());
    assert_eq!(step("log_entry")["source"], document["object"]["log"]["source"]);
    assert_eq!(step("log_entry")["log_id"], document["object"]["log"]["id"]);
    assert_eq!(step("log_entry")["log_index"], document["object"]["log"]["index"]);
    assert_eq!(step("log_entry")["tree_size"], step("log_entry")["checkpoint_tree_size"]);
    assert_eq!(step("log_entry")["root_hash"], step("log_entry")["checkpoint_root_hash"]);
    assert!(step("log_entry")["checkpoint_origin"].is_string());
    assert_eq!(step("time")["log_says"], document["object"]["time"]["value"]);
    assert_eq!(step("payload")["signed_digest"], step("payload")["digest_of_the_content"]);
}

#[test]
fn the_authority_that_is_shown_is_the_one_that_counted() {
    let sandbox = Sandbox::with_stack();
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "Say hello"]).success();
    let path = sandbox.path("home/.local/share/waxseal/instances/home/trusted_root.json");
    let mut root: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let authorities = root["certificateAuthorities"].as_array_mut().unwrap();
    // The same key, listed for an earlier time as well.
    let mut before = authorities[0].clone();
    before["validFor"] = serde_json::json!({ "start": "2020-01-01T00:00:00Z", "end": "2021-01-01T00:00:00Z" });
    before["uri"] = "https://before.example".into();
    let uri = authorities[0]["uri"].clone();
    authorities.insert(0, before);
    std::fs::write(&path, root.to_string()).unwrap();
    let explained = sandbox.waxseal(["explain", "--json", "--any-identity"]).success();
    let document: Value = serde_json::from_str(&explained.line()).unwrap();
    assert_eq!(document["steps"][2]["inputs"]["authority"], uri, "{}", document["steps"][2]);
}

#[test]
fn what_is_missing_is_said_as_it_is() {
    let sandbox = Sandbox::with_stack();
    let explained = sandbox.waxseal(["explain", "--any-identity", &sandbox.gallery().online]).code(3).out();
    assert!(!explained.contains("the log gives no time"), "{explained}");
    assert!(explained.contains("MISSING  time: no log entry that holds gives a time"), "{explained}");
    let mut stranger = sandbox.command(super::sandbox::WAXSEAL);
    stranger.args(["explain", &sandbox.gallery().by_alice]);
    stranger.envs([("WAXSEAL_TRUST", "public-good"), ("WAXSEAL_INSTANCE", "")]);
    let stranger = Ran::of(&mut stranger, b"").code(1).out();
    assert!(stranger.contains("renewed its trusted root: waxseal trust refresh; asked were public-good"), "{stranger}");
}

#[test]
fn a_token_names_its_authority() {
    let sandbox = Sandbox::with_stack();
    sandbox.config("waxseal.timestamp", "always");
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "Say hello"]).success();
    let explained = sandbox.waxseal(["explain", "--json", "--any-identity"]).success();
    let document: Value = serde_json::from_str(&explained.line()).unwrap();
    let time = document["steps"].as_array().unwrap().iter().find(|step| step["step"] == "time").unwrap();
    let token = &time["inputs"]["token"][0];
    assert_eq!(token["time"], document["object"]["time"]["value"]);
    assert!(token["signed_by"].as_str().unwrap().starts_with("certificate "), "{token}");
}

#[test]
fn each_rule_says_why_not() {
    let sandbox = Sandbox::with_stack();
    let issuer = sandbox.issuer();
    let rule = |name: &str, more: &str| format!("[[rule]]\nname = \"{name}\"\nissuer = \"{issuer}\"\n{more}\n");
    let policy = format!(
        "version = 1\n{}{}{}",
        rule("others", &format!("email = [\"{BOB}\"]")),
        rule("over", &format!("email = [\"{ALICE}\"]\nuntil = 2020-01-01T00:00:00Z")),
        rule("stamped", &format!("email = [\"{ALICE}\"]\nrequire = [\"timestamp\"]")),
    );
    let policy = sandbox.write("policy.toml", policy);
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "Say hello"]).success();
    let explained = sandbox.waxseal(["explain", "--json", "--policy", policy.to_str().unwrap()]).code(1);
    let document: Value = serde_json::from_str(&explained.line()).unwrap();
    let rules = document["policy"]["rules"].as_array().unwrap();
    let said: Vec<_> =
        rules.iter().map(|rule| (rule["rule"].as_str().unwrap(), rule["answer"].as_str().unwrap())).collect();
    assert_eq!(said, [("others", "no"), ("over", "no"), ("stamped", "no")]);
    assert_eq!(rules[0]["detail"], "it is about others");
    assert!(rules[1]["detail"].as_str().unwrap().starts_with("it held until 2020-01-01T00:00:00Z"));
    assert_eq!(rules[2]["detail"], "it wants a timestamp");
    let next = document["next"].as_array().unwrap();
    assert_eq!(next.len(), 1);
    let nearest = "the nearest rule is \"stamped\", which is about the signer: it wants a timestamp; ";
    assert!(next[0].as_str().unwrap().starts_with(nearest), "{next:?}");
}

#[test]
fn leaving_evidence_out_is_no_way_around_a_condition() {
    let sandbox = Sandbox::with_stack();
    let issuer = sandbox.issuer();
    for (more, exit_code) in [
        (format!("email = [\"{ALICE}\"]"), 3),
        (format!("email = [\"{ALICE}\"]\nuntil = 2020-01-01T00:00:00Z"), 1),
        (format!("email = [\"{ALICE}\"]\nfrom = 2190-01-01T00:00:00Z"), 1),
        ("workflow = { repository_id = \"999\" }".to_owned(), 1),
    ] {
        let rule = format!("version = 1\n[[rule]]\nname = \"r\"\nissuer = \"{issuer}\"\n{more}\n");
        let policy = sandbox.write("policy.toml", rule);
        let arguments = ["explain", "--policy", policy.to_str().unwrap(), &sandbox.gallery().online];
        let explained = sandbox.waxseal(arguments).code(exit_code).out();
        assert_eq!(explained.contains("could admit"), exit_code == 3, "{explained}");
    }
}

#[test]
fn what_was_not_asked_is_said() {
    let sandbox = Sandbox::with_stack();
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "Say hello"]).success();
    let arguments = ["explain", "--any-identity", "--insecure-ignore-sct"];
    let for_people = sandbox.waxseal(arguments).success().out();
    assert!(for_people.contains("\n--insecure-ignore-sct: nobody was asked"), "{for_people}");
    let document: Value =
        serde_json::from_str(&sandbox.waxseal(arguments.iter().chain(&["--json"])).success().line()).unwrap();
    assert_eq!(document["insecure_ignore_sct"], true);
    let sct = document["steps"].as_array().unwrap().iter().find(|step| step["step"] == "sct").unwrap();
    assert_eq!(sct["detail"], "not demanded");
}

#[test]
fn who_the_author_is_said_to_be_changes_nothing() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    sandbox.write("repository/.mailmap", format!("Alice <{ALICE}> <{BOB}>\n"));
    sandbox.git(["add", ".mailmap"]).success();
    let mut git = sandbox.command("git");
    git.args(["-c", &format!("waxseal.loginHint={BOB}"), "commit", "-q", "-S", "-m", &format!("By {ALICE}")]);
    Ran::of(&mut git, b"").success();
    let document: Value = serde_json::from_str(&sandbox.waxseal(["explain", "--json"]).code(1).line()).unwrap();
    assert_eq!((&document["object"]["identity"], &document["object"]["allowed"]), (&BOB.into(), &false.into()));
    assert_eq!(document["object"]["author"], format!("Alice <{ALICE}>"));
}

#[test]
fn a_range_has_no_one_proof() {
    let sandbox = Sandbox::new();
    sandbox.git(["commit", "-q", "--allow-empty", "-m", "one"]).success();
    let refused = sandbox.waxseal(["explain", "HEAD..HEAD"]).code(2);
    assert_eq!(refused.out(), "");
    assert!(refused.err().starts_with("waxseal: error: a range has no one proof\n"), "{}", refused.err());
}
