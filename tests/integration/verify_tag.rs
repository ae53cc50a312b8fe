//! `waxseal verify-tag` takes tags by name, and refuses one that was given another name than its tagger's.

use serde_json::Value;

use super::sandbox::{ALICE, Ran, Sandbox, WAXSEAL};

#[test]
fn a_tag_is_what_its_tagger_called_it() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    sandbox.git(["commit", "-q", "--allow-empty", "-m", "one"]).success();
    sandbox.git(["tag", "-s", "-m", "first", "v1"]).success();
    sandbox.git(["tag", "-s", "-m", "in a folder", "release/v1"]).success();
    let good = sandbox.waxseal(["verify-tag", "v1", "release/v1"]).success();
    assert!(good.out().contains("2 objects, 2 verified\n"), "{}", good.out());

    // The same tag object under another name: its signature holds, and says nothing of the name.
    sandbox.git(["update-ref", "refs/tags/v2", "refs/tags/v1"]).success();
    let policy =
        format!("version = 1\n[[rule]]\nname = \"a\"\nissuer = \"{}\"\nemail = [\"{ALICE}\"]\n", sandbox.issuer());
    let policy = sandbox.write("policy.toml", policy);
    let policy = policy.to_str().unwrap();
    let id = sandbox.git(["rev-parse", "v1"]).line();
    for arguments in [
        &["verify-tag", "--json", "v2"][..],
        &["verify-tag", "--json", "--any-identity", "v2"],
        &["verify", "--json", "v2"],
        &["verify", "--json", "tags/v2"],
        &["verify", "--json", "refs/tags/v2"],
        &["verify", "--json", "v2^{tag}"],
        &["verify", "--json", "--policy", policy, "--tags", "*2"],
        &["policy", "test", "--json", "--policy", policy, "--tags", "*2"],
        &["ci", "--json", "--base", "v1", "--head", "v2"],
        &["ci", "--json", "--base", "v1", "--head", &id, "--ref", "refs/tags/v2", "--policy", policy],
    ] {
        let refused = sandbox.waxseal(arguments).code(1).out();
        let object: Value = serde_json::from_str(refused.lines().nth(1).unwrap()).unwrap();
        assert_eq!((&object["verdict"], &object["reason"]), (&"rejected".into(), &"tag-name".into()));
        let detail = "the tag says that it is \"v1\", and the repository has it as \"v2\"";
        assert_eq!((&object["detail"], &object["identity"]), (&detail.into(), &Value::Null));
    }
    assert!(sandbox.waxseal(["explain", "v2"]).code(1).out().contains("tag-name"));
    let by_line = Ran::of(sandbox.command(WAXSEAL).args(["verify", "--stdin", "--json"]), b"v1\nv2\n").code(1).out();
    assert_eq!(by_line.matches("\"reason\":\"tag-name\"").count(), 1, "{by_line}");
    // By its id, or where nobody asks for the tag, no name is known.
    for arguments in
        [&["verify", &id][..], &["verify", "v1"], &["ci", "--base", "v1~0", "--head", &id, "--allow-empty"]]
    {
        sandbox.waxseal(arguments).success();
    }
    // A name that is a part of another one is another one.
    sandbox.git(["update-ref", "refs/tags/other/release/v1", "refs/tags/release/v1"]).success();
    sandbox.waxseal(["verify-tag", "other/release/v1"]).code(1);
}

#[test]
fn an_exemption_is_of_the_object_and_not_of_a_new_name() {
    let sandbox = Sandbox::with_stack();
    sandbox.git(["commit", "-q", "--allow-empty", "-m", "one"]).success();
    sandbox.git(["tag", "-s", "-m", "first", "v1"]).success();
    sandbox.git(["update-ref", "refs/tags/v2", "refs/tags/v1"]).success();
    let (id, issuer) = (sandbox.git(["rev-parse", "v1"]).line(), sandbox.issuer());
    let rule = format!("[[rule]]\nname = \"nobody\"\nissuer = \"{issuer}\"\nemail = [\"nobody@example.org\"]\n");
    let exempt = format!("[[exempt]]\nobject = \"{id}\"\nreason = \"from before\"\n");
    let policy = sandbox.write("policy.toml", format!("version = 1\n{rule}{exempt}"));
    let policy = policy.to_str().unwrap();
    sandbox.waxseal(["verify-tag", "--policy", policy, "v1"]).success();
    sandbox.waxseal(["verify-tag", "--policy", policy, "v2"]).code(1);
}

#[test]
fn what_is_no_annotated_tag_is_no_tag() {
    let sandbox = Sandbox::with_stack();
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "one"]).success();
    sandbox.git(["tag", "light"]).success();
    sandbox.git(["branch", "refs/tags/v1"]).success();
    let id = sandbox.git(["rev-parse", "HEAD"]).line();
    for (name, sentence) in [
        (
            "light",
            "\"refs/tags/light\" is a lightweight tag: it points at a commit, and there is no tag that could be signed",
        ),
        ("main", "there is no tag \"refs/tags/main\""),
        ("v1", "there is no tag \"refs/tags/v1\""),
        ("HEAD", "there is no tag \"refs/tags/HEAD\""),
        (&id, &format!("there is no tag \"refs/tags/{id}\"")),
        ("refs/tags/light", "there is no tag \"refs/tags/refs/tags/light\""),
    ] {
        let refused = sandbox.waxseal(["verify-tag", "--any-identity", name]).code(2);
        assert_eq!(
            (refused.out().as_str(), refused.err().lines().next()),
            ("", Some(&*format!("waxseal: error: {sentence}")))
        );
    }
}
