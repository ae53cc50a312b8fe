//! A policy file judges who may sign: from where it may come, and every condition that a rule can have.

use super::sandbox::{ALICE, BOB, Ran, Sandbox, WAXSEAL};

/// A rule for one person, with more conditions.
fn rule(sandbox: &Sandbox, name: &str, email: &str, more: &str) -> String {
    let issuer = sandbox.issuer();
    format!("[[rule]]\nname = \"{name}\"\nissuer = \"{issuer}\"\ninstance = \"home\"\nemail = [\"{email}\"]\n{more}\n")
}

fn verify(sandbox: &Sandbox, policy: &str, revisions: &[&str]) -> Ran {
    let file = sandbox.path("policy.toml");
    std::fs::write(&file, format!("version = 1\n{policy}")).unwrap();
    let file = file.to_str().unwrap();
    sandbox.waxseal(["verify", "--policy", file].iter().chain(revisions))
}

#[test]
fn every_condition_of_a_rule_counts() {
    let sandbox = Sandbox::with_stack();
    let commit = sandbox.gallery().by_alice;
    let judged = |more: &str| {
        let ran = verify(&sandbox, &rule(&sandbox, "people", ALICE, more), &[&commit, "--ref", "refs/heads/main"]);
        (ran.code.unwrap(), ran.out().lines().next().unwrap().to_owned())
    };
    for (more, allowed) in [
        ("", true),
        ("until = 2100-01-01T00:00:00Z", true),
        ("from = 2100-01-01T00:00:00Z", false),
        ("until = 2020-01-01T00:00:00Z", false),
        ("refs = [\"refs/heads/main\"]", true),
        ("refs = [\"glob:refs/heads/*\"]", true),
        ("refs = [\"refs/heads/next\", \"refs/tags/main\"]", false),
        ("require = [\"author-match\", \"log\"]", true),
        ("require = [\"timestamp\"]", false),
    ] {
        let (code, line) = judged(more);
        assert_eq!(code, i32::from(!allowed), "{more}: {line}");
        assert!(line.starts_with(if allowed { "verified" } else { "NOT ALLOWED" }), "{more}: {line}");
    }
    let (_, line) = judged("until = 2020-01-01T00:00:00Z");
    assert!(line.contains("nearest rule \"people\": it held until 2020-01-01T00:00:00Z"), "{line}");
    // Somebody else's rule, another instance's, a workflow's.
    assert_eq!(verify(&sandbox, &rule(&sandbox, "bob", BOB, ""), &[&commit]).code, Some(1));
    let elsewhere = rule(&sandbox, "people", ALICE, "").replace("\"home\"", "\"public-good\"");
    assert_eq!(verify(&sandbox, &elsewhere, &[&commit]).code, Some(1));
    let workflow = rule(&sandbox, "ci", BOB, "workflow = { repository_id = \"1\" }");
    assert_eq!(verify(&sandbox, &workflow, &[&commit]).code, Some(1));
    // A ref that nobody named decides nothing.
    let ran = verify(&sandbox, &rule(&sandbox, "people", ALICE, "refs = [\"refs/heads/main\"]"), &[&commit, "--json"]);
    assert_eq!(ran.code, Some(3));
    assert!(ran.out().contains("\"reason\":\"rule-undecided\""), "{}", ran.out());
    // Flags take the place of a policy, and a policy that of waxseal.allow.
    sandbox.config("waxseal.policy", sandbox.path("policy.toml").to_str().unwrap());
    sandbox.waxseal(["verify", "--any-identity", &commit]).success();
    sandbox.allow(ALICE);
    std::fs::write(sandbox.path("policy.toml"), format!("version = 1\n{}", rule(&sandbox, "bob", BOB, ""))).unwrap();
    sandbox.waxseal(["verify", &commit]).code(1);
    sandbox.git(["verify-commit", &commit]).code(1);
    std::fs::write(sandbox.path("policy.toml"), "version = 1").unwrap();
    assert!(sandbox.waxseal(["verify", &commit]).code(5).err().contains("it has no rule"));
    // To git, a rule that asks for a ref is undecided: good, and not trusted.
    let main = rule(&sandbox, "people", ALICE, "refs = [\"refs/heads/main\"]");
    std::fs::write(sandbox.path("policy.toml"), format!("version = 1\n{main}")).unwrap();
    let git = sandbox.git(["log", "-1", "--format=%G?", &commit]).success();
    assert_eq!(git.out(), "U\n");
    std::fs::write(sandbox.path("policy.toml"), format!("version = 1\n{}", rule(&sandbox, "people", ALICE, "")))
        .unwrap();
    assert_eq!(sandbox.git(["log", "-1", "--format=%G?", &commit]).success().out(), "G\n");
}

#[test]
fn who_is_judged_does_not_write_the_law() {
    let sandbox = Sandbox::with_stack();
    let law = |more: &str| format!("version = 1\n{}", rule(&sandbox, "people", ALICE, more));
    std::fs::create_dir(sandbox.path("repository/rules")).unwrap();
    let write = |text: &str| std::fs::write(sandbox.path("repository/rules/policy.toml"), text).unwrap();
    let commit = |message: &str| {
        sandbox.git(["add", "rules"]).success();
        sandbox.git(["commit", "--quiet", "--allow-empty", "-S", "-m", message]).success();
        sandbox.git(["rev-parse", "HEAD"]).success().out().trim().to_owned()
    };
    write(&law(""));
    let first = commit("The law");
    let policy = format!("{first}:rules/policy.toml");
    let second = commit("Work");
    write(&law("# more"));
    let third = commit("Another law");
    // The work tree, by whatever way.
    std::os::unix::fs::symlink(sandbox.path("repository/rules"), sandbox.path("elsewhere")).unwrap();
    for path in ["rules/policy.toml", "../elsewhere/policy.toml"] {
        let refused = sandbox.waxseal(["verify", "--policy", path, &second]).code(5);
        assert!(refused.err().contains("it lies in the work tree"), "{}", refused.err());
        assert!(refused.err().contains("origin/main:rules/policy.toml"), "{}", refused.err());
    }
    // No commit has what lies beside the objects.
    std::fs::write(sandbox.path("repository/.git/pol.toml"), law("")).unwrap();
    let refused = sandbox.waxseal(["verify", "--policy", ".git/pol.toml", &second]).code(5);
    assert!(refused.err().contains("keep it in a folder outside"), "{}", refused.err());
    // Itself judged, alone or in a range.
    sandbox.waxseal(["verify", "--policy", &policy, &first]).code(5);
    sandbox
        .waxseal(["verify", "--policy", &format!("{second}:rules/policy.toml"), &format!("{first}..{third}")])
        .code(5);
    sandbox.waxseal(["verify", "--policy", &policy, &second]).success();
    // Whoever changes the law needs leave.
    let range = format!("{first}..{third}");
    let refused = sandbox.waxseal(["verify", "--policy", &policy, &range]).code(1);
    assert!(refused.out().contains("the commit changes the policy file"), "{}", refused.out());
    assert_eq!(refused.out().matches("NOT ALLOWED").count(), 1, "{}", refused.out());
    // A file elsewhere is nobody's to change.
    let elsewhere = sandbox.path("elsewhere.toml");
    std::fs::write(&elsewhere, law("")).unwrap();
    sandbox.waxseal(["verify", "--policy", elsewhere.to_str().unwrap(), &range]).success();
    sandbox.git(["-c", &format!("waxseal.policy={policy}"), "verify-commit", &second]).success();
    sandbox.git(["-c", &format!("waxseal.policy={policy}"), "verify-commit", &third]).code(1);
    let own = sandbox.git(["-c", &format!("waxseal.policy={policy}"), "verify-commit", &first]).code(1);
    assert!(own.err().contains("this is the commit that the policy comes from"), "{}", own.err());
    write(&law("may_change_policy = true"));
    let fourth = commit("A law that lets Alice change it");
    write(&law("# once more"));
    let fifth = commit("And another");
    let ran =
        sandbox.waxseal(["verify", "--policy", &format!("{fourth}:rules/policy.toml"), "--json", &fifth]).success();
    assert!(ran.out().contains("\"changes_policy\":true"), "{}", ran.out());
    for missing in ["HEAD:nothing.toml", "HEAD:rules", "nowhere:rules/policy.toml", "/nowhere/policy.toml"] {
        sandbox.waxseal(["verify", "--policy", missing, &second]).code(5);
    }
}

#[test]
fn a_tag_does_not_name_the_law_that_judges_it() {
    let sandbox = Sandbox::with_stack();
    let law = format!("version = 1\n{}", rule(&sandbox, "people", ALICE, ""));
    std::fs::write(sandbox.path("repository/p.toml"), law).unwrap();
    sandbox.git(["add", "p.toml"]).success();
    for message in ["The law", "Work"] {
        sandbox.git(["commit", "--quiet", "--allow-empty", "-S", "-m", message]).success();
    }
    sandbox.git(["tag", "-s", "-m", "release", "v1"]).success();
    sandbox.git(["tag", "-s", "-m", "release", "nested", "v1"]).success();
    let tag_id = sandbox.git(["rev-parse", "v1"]).success().line();
    sandbox.git(["commit", "--quiet", "--allow-empty", "-S", "-m", "More"]).success();
    // The commit behind the tag, by whatever name; or another one, but named through the tag.
    for (reference, tag) in [
        ("HEAD~1", "v1"),
        ("HEAD~1", "nested"),
        ("v1", "v1"),
        ("nested", "v1"),
        ("v1~1", "v1"),
        ("v1^{}~1", "v1"),
        ("refs/tags/v1^", "v1"),
        ("nested~1", "v1"),
        ("nested~1", "nested"),
        (&format!("{tag_id}~1"), "v1"),
        (&format!("{}^1", &tag_id[..12]), "v1"),
    ] {
        let policy = format!("{reference}:p.toml");
        let refused = sandbox.waxseal(["verify", "--policy", &policy, tag]).code(5);
        assert!(refused.err().contains("who is judged does not write the law"), "{policy}: {}", refused.err());
        let setting = format!("waxseal.policy={policy}");
        let refused = sandbox.git(["-c", &setting, "verify-tag", tag]).code(1);
        assert!(refused.err().contains("who is judged does not write the law"), "{policy}: {}", refused.err());
        sandbox.config("waxseal.policy", &policy);
        sandbox.waxseal(["verify-tag", tag]).code(5);
    }
    // A branch has its commit whatever tags name it: the ordinary release.
    sandbox.git(["branch", "release", "v1^{}"]).success();
    sandbox.git(["update-ref", "refs/remotes/origin/main", "v1^{}"]).success();
    for reference in
        ["release", "refs/heads/release", "release~0", "release~1", "origin/main", "refs/remotes/origin/main"]
    {
        let policy = format!("{reference}:p.toml");
        for tag in ["v1", "nested"] {
            sandbox.waxseal(["verify", "--policy", &policy, tag]).success();
            sandbox.waxseal(["verify-tag", "--policy", &policy, tag]).success();
            sandbox.git(["-c", &format!("waxseal.policy={policy}"), "verify-tag", tag]).success();
        }
        // The commit itself is another thing.
        if !reference.contains("~1") {
            sandbox.waxseal(["verify", "--policy", &policy, "v1", "v1^{}"]).code(5);
            sandbox.git(["-c", &format!("waxseal.policy={policy}"), "verify-commit", "v1^{}"]).code(1);
        }
    }
    // From before the tag, by a name of its own; or through a tag that is not judged.
    for (reference, tag) in [("HEAD~2", "v1"), ("HEAD~2", "nested"), ("v1~1", "nested"), ("HEAD", "v1")] {
        let policy = format!("{reference}:p.toml");
        sandbox.waxseal(["verify", "--policy", &policy, tag]).success();
        sandbox.git(["-c", &format!("waxseal.policy={policy}"), "verify-tag", tag]).success();
        sandbox.config("waxseal.policy", &policy);
        sandbox.waxseal(["verify-tag", tag]).success();
    }
}

/// Whoever trusts `main` trusts what it took in, and who is judged can add nothing to it any more.
#[test]
fn what_came_later_may_be_the_law() {
    let (sandbox, _policy) = with_law_and_work();
    sandbox.git(["tag", "-s", "-m", "release", "v1", "HEAD~1"]).success();
    for judged in ["v1", "HEAD~1", "HEAD~2..HEAD~1"] {
        sandbox.waxseal(["verify", "--policy", "HEAD:p.toml", judged]).success();
    }
}

#[test]
fn a_tag_of_a_tag_that_is_not_here_is_not_judged_by_a_commit() {
    let (sandbox, elsewhere) = with_law_and_work();
    sandbox.git(["tag", "-s", "-m", "release", "inner"]).success();
    sandbox.git(["tag", "-s", "-m", "release", "outer", "inner"]).success();
    let inner = sandbox.git(["rev-parse", "inner"]).success().line();
    sandbox.git(["tag", "-d", "inner"]).success();
    std::fs::remove_file(sandbox.path(&format!("repository/.git/objects/{}/{}", &inner[..2], &inner[2..]))).unwrap();
    let refused = sandbox.waxseal(["verify", "--policy", "HEAD:p.toml", "outer"]).code(5);
    assert!(refused.err().contains("what a tag to judge names is not here"), "{}", refused.err());
    let refused = sandbox.git(["-c", "waxseal.policy=HEAD:p.toml", "verify-tag", "outer"]).code(1);
    assert!(refused.err().contains("what this tag names is not here"), "{}", refused.err());
    sandbox.waxseal(["verify", "--policy", &elsewhere, "outer"]).success();
}

#[test]
fn the_reflog_names_the_law_as_every_name_does() {
    let (sandbox, _policy) = with_law_and_work();
    let judged = |policy: &str, revision: &str| sandbox.waxseal(["verify", "--policy", policy, revision]).code.unwrap();
    let branch = sandbox.git(["branch", "--show-current"]).success().line();
    assert_eq!(judged(&format!("{branch}@{{1}}:p.toml"), "HEAD"), 0);
    assert_eq!(judged("HEAD@{1}:p.toml", "HEAD"), 0);
    // Whoever is judged chose its parents.
    assert_eq!(judged("HEAD@{0}~1:p.toml", "HEAD"), 5);
    assert_eq!(judged("HEAD~1:p.toml", "HEAD"), 5);
    assert_eq!(judged(&format!("{branch}@{{0}}:p.toml"), "HEAD"), 5);
    assert_eq!(judged(&format!("{branch}@{{1}}:p.toml"), "HEAD~1"), 5);
    // Git's colons in braces are not the one before the path.
    sandbox.git(["tag", "-s", "-m", "release", "v1"]).success();
    let at_a_time = format!("{branch}@{{2038-01-01 12:00:00 +0000}}:p.toml");
    sandbox.waxseal(["verify", "--policy", &at_a_time, "v1"]).success();
}

/// A repository with the file `p.toml`, then two commits of work; and a path outside of it with the same policy.
fn with_law_and_work() -> (Sandbox, String) {
    let sandbox = Sandbox::with_stack();
    let law = format!("version = 1\n{}", rule(&sandbox, "people", ALICE, ""));
    let elsewhere = sandbox.path("elsewhere.toml");
    std::fs::write(&elsewhere, &law).unwrap();
    std::fs::write(sandbox.path("repository/p.toml"), law).unwrap();
    sandbox.git(["add", "p.toml"]).success();
    for message in ["The law", "Work", "More"] {
        sandbox.git(["commit", "--quiet", "--allow-empty", "-S", "-m", message]).success();
    }
    let elsewhere = elsewhere.to_str().unwrap().to_owned();
    (sandbox, elsewhere)
}

#[test]
fn history_before_the_start_and_exemptions_are_not_judged() {
    let sandbox = Sandbox::with_stack();
    let commit = |arguments: &[&str]| {
        sandbox.git(["commit", "--quiet", "--allow-empty", "-m", "x"].iter().chain(arguments)).success();
        sandbox.git(["rev-parse", "HEAD"]).success().out().trim().to_owned()
    };
    let root = commit(&[]);
    let old = commit(&[]);
    let start = commit(&["-S"]);
    let forgotten = commit(&[]);
    let last = commit(&["-S"]);
    let range = format!("{root}..{last}");
    let people = rule(&sandbox, "people", ALICE, "");
    assert_eq!(verify(&sandbox, &people, &[&range]).code, Some(1));
    let from_start = format!("start = \"{start}\"\n{people}");
    let ran = verify(&sandbox, &from_start, &[&range]);
    assert_eq!((ran.code, ran.out().matches("exempt ").count()), (Some(1), 1), "{}", ran.out());
    let excused =
        format!("start = \"{start}\"\n[[exempt]]\nobject = \"{forgotten}\"\nreason = \"in a hurry\"\n{people}");
    let ran = verify(&sandbox, &excused, &[&range, "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.out());
    assert!(ran.out().contains("\"exempt\":2"), "{}", ran.out());
    // The footer counts what the lines say.
    for verdict in ["verified", "rejected", "undecided", "unsigned", "other"] {
        let lines = ran.out().matches(&format!("\"verdict\":\"{verdict}\"")).count();
        assert!(ran.out().contains(&format!("\"{verdict}\":{lines}")), "{verdict}: {}", ran.out());
    }
    // Git knows no history: good, and trusted by nobody.
    let policy = format!("waxseal.policy={}", sandbox.path("policy.toml").display());
    let trust = |object: &str| sandbox.git(["-c", &policy, "log", "-1", "--format=%G?", object]).success().out();
    assert_eq!(trust(&last), "U\n");
    let stranger = format!("[[exempt]]\nobject = \"{last}\"\nreason = \"known\"\n{}", rule(&sandbox, "bob", BOB, ""));
    assert_eq!(verify(&sandbox, &stranger, &[&last]).code, Some(0));
    sandbox.git(["-c", &policy, "verify-commit", &last]).success();
    sandbox.git(["-c", &policy, "verify-commit", &start]).code(1);
    // A new tag of an old commit is new.
    sandbox.git(["tag", "-a", "-m", "new", "v0", &old]).success();
    assert_eq!(verify(&sandbox, &excused, &["v0"]).code, Some(1));
    // A start that is not here, or not all of whose history is, decides nothing.
    let absent = from_start.replace(&start, &"0".repeat(40));
    assert_eq!(verify(&sandbox, &absent, &[&range]).code, Some(5));
    sandbox
        .git([
            "clone",
            "--quiet",
            "--depth",
            "2",
            &format!("file://{}", sandbox.path("repository").display()),
            "../shallow",
        ])
        .success();
    let mut own = sandbox.command(WAXSEAL);
    let shallow_start = from_start.replace(&start, &last);
    std::fs::write(sandbox.path("policy.toml"), format!("version = 1\n{shallow_start}")).unwrap();
    own.args(["verify", "--policy"]).arg(sandbox.path("policy.toml")).current_dir(sandbox.path("shallow"));
    assert_eq!(Ran::of(&mut own, b"").code, Some(3));
}

#[test]
fn a_merge_puts_no_older_law_back() {
    let sandbox = Sandbox::with_stack();
    let (alice, bob) = (rule(&sandbox, "alice", ALICE, "may_change_policy = true"), rule(&sandbox, "bob", BOB, ""));
    let head = || sandbox.git(["rev-parse", "HEAD"]).success().line();
    let law = |text: &str| {
        std::fs::write(sandbox.path("repository/p.toml"), format!("version = 1\n{text}")).unwrap();
        sandbox.git(["add", "p.toml"]).success();
        sandbox.git(["commit", "--quiet", "-S", "-m", "The law"]).success();
        head()
    };
    let as_bob = format!("waxseal.loginHint={BOB}");
    let by_bob = |arguments: &[&str]| {
        sandbox.git(["-c", &as_bob, "commit", "--quiet", "--allow-empty", "-S"].iter().chain(arguments)).success();
        head()
    };
    let pinned = law(&format!("{alice}{bob}"));
    sandbox.git(["checkout", "-q", "-b", "side"]).success();
    by_bob(&["-m", "Work"]);
    sandbox.git(["checkout", "-q", "main"]).success();
    law(&alice);
    let policy = format!("{pinned}:p.toml");
    let git = |commit: &str| sandbox.git(["-c", &format!("waxseal.policy={policy}"), "verify-commit", commit]);

    // As merging has it, either way around: nobody changes anything but Alice, who may.
    sandbox.git(["checkout", "-q", "--detach"]).success();
    sandbox.git(["merge", "-q", "--no-commit", "--no-ff", "side"]).success();
    let honest = by_bob(&["-m", "Merge"]);
    sandbox.git(["checkout", "-q", "--detach", "side"]).success();
    sandbox.git(["merge", "-q", "--no-commit", "--no-ff", "main"]).success();
    let update = by_bob(&["-m", "Merge main"]);
    for commit in [honest, update] {
        let ran = sandbox.waxseal(["verify", "--policy", &policy, "--json", &format!("{pinned}..{commit}")]).success();
        assert_eq!(ran.out().matches("\"changes_policy\":true").count(), 1, "{}", ran.out());
        git(&commit).success();
    }
    // With Bob's own idea of the law.
    sandbox.git(["checkout", "-q", "--detach", "main"]).success();
    sandbox.git(["merge", "-q", "--no-commit", "--no-ff", "side"]).success();
    sandbox.git(["checkout", "-q", &pinned, "--", "p.toml"]).success();
    let back = by_bob(&["-m", "Merge"]);
    let ran = sandbox.waxseal(["verify", "--policy", &policy, "--json", &format!("{pinned}..{back}")]).code(1);
    assert_eq!(ran.out().matches("\"changes_policy\":true").count(), 2, "{}", ran.out());
    git(&back).code(1);
}
