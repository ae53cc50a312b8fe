//! A CI job verifies what it is about, by rules that what it verifies has no say in.

use super::sandbox::{ALICE, BOB, Ran, Server, WAXSEAL};

/// A server with the branch `main`, which has a policy: Alice may sign. A job is a clone of it.
struct World {
    server: Server,
    /// On main: the policy, and one commit more.
    first: String,
    second: String,
}

impl World {
    fn new() -> Self {
        let server = Server::new();
        std::fs::create_dir(server.sandbox.path("repository/.waxseal")).unwrap();
        let mut world = Self { server, first: String::new(), second: String::new() };
        world.law(&[ALICE]);
        world.first = world.server.commit(&world.server.alice, "The law");
        world.second = world.server.commit(&world.server.alice, "More");
        world
    }

    /// Puts a policy into the index that admits these.
    fn law(&self, people: &[&str]) {
        let people: Vec<String> = people.iter().map(|one| format!("\"{one}\"")).collect();
        let text = format!(
            "version = 1\n[[rule]]\nname = \"people\"\nissuer = \"{}\"\ninstance = \"home\"\nemail = [{}]\nmay_change_policy = true\n",
            self.server.sandbox.issuer(),
            people.join(",")
        );
        std::fs::write(self.server.sandbox.path("repository/.waxseal/policy.toml"), text).unwrap();
        self.git(&["add", ".waxseal"]);
    }

    fn git(&self, arguments: &[&str]) -> Ran {
        self.server.git(arguments).success()
    }

    fn push(&self) {
        self.git(&["push", "-q", "--force", "--all", "origin"]);
        self.git(&["push", "-q", "--force", "--tags", "origin"]);
    }

    /// A clone of the server, as a job has one.
    fn clone(&self, arguments: &[&str]) {
        let folder = self.server.sandbox.path("job");
        if folder.exists() {
            std::fs::remove_dir_all(&folder).unwrap();
        }
        let url = format!("file://{}", self.server.sandbox.path("server").display());
        let clone = [&["clone", "-q"], arguments, &[&url, "job"]].concat();
        self.server.sandbox.run_in(".", "git", clone).success();
    }

    /// What a step of the job says, with these variables.
    fn ci(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Ran {
        let mut command = self.server.sandbox.command(WAXSEAL);
        command.arg("ci").args(arguments).current_dir(self.server.sandbox.path("job"));
        Ran::of(command.envs(variables.iter().copied()), b"")
    }

    fn github(&self, event: &str, payload: &str, arguments: &[&str]) -> Ran {
        let path = self.server.sandbox.write("event.json", payload);
        let variables =
            [("GITHUB_ACTIONS", "true"), ("GITHUB_EVENT_NAME", event), ("GITHUB_EVENT_PATH", path.to_str().unwrap())];
        let head = self.server.sandbox.run_in("job", "git", ["rev-parse", "HEAD"]).success().line();
        let more = [("GITHUB_SHA", head.as_str()), ("GITHUB_REF", "refs/heads/main")];
        self.ci(&[&variables[..], &more[..]].concat(), arguments)
    }

    fn pull(&self, base: &str, head: &str) -> String {
        format!(
            r#"{{"pull_request":{{"number":7,"base":{{"ref":"main","sha":"{base}"}},"head":{{"ref":"x","sha":"{head}"}}}},
            "repository":{{"default_branch":"main"}}}}"#
        )
    }

    fn pushed(&self, reference: &str, before: &str, after: &str, forced: bool) -> String {
        format!(
            r#"{{"ref":"{reference}","before":"{before}","after":"{after}","forced":{forced},"repository":{{"default_branch":"main"}}}}"#
        )
    }
}

#[test]
fn a_job_on_github_verifies_what_it_is_about() {
    let world = World::new();
    let sandbox = &world.server.sandbox;
    let (first, second) = (world.first.as_str(), world.second.as_str());
    let none = "0".repeat(40);
    world.git(&["checkout", "-q", "-b", "topic", first]);
    world.server.commit(&world.server.alice, "On topic");
    let topic = world.server.commit(&world.server.alice, "More on topic");
    world.git(&["checkout", "-q", "-b", "stranger", first]);
    world.law(&[ALICE, BOB]);
    let stranger = world.server.commit(&world.server.bob, "Let me in");
    let strange_two = world.server.commit(&world.server.bob, "Work of mine");
    world.git(&["tag", "-a", "--no-sign", "-m", "v0", "v0", second]);
    world.server.git_as(&world.server.alice, &["tag", "-s", "-m", "v1", "v1", second]).success();
    let v1 = world.server.id("v1");
    world.push();
    world.clone(&[]);
    // GitHub checks out a merge of its own, which nobody signed.
    sandbox.run_in("job", "git", ["checkout", "-q", "--detach", "origin/main"]).success();
    sandbox.run_in("job", "git", ["merge", "-q", "--no-gpg-sign", "-m", "A merge", "origin/topic"]).success();

    let taken = world.github("pull_request", &world.pull(second, &topic), &[]).success();
    assert!(taken.out().contains("2 objects, 2 verified"), "{}", taken.out());
    assert!(
        taken.err().contains(&format!("waxseal: range: {second}..{topic}, for refs/heads/main\nwaxseal: why: GitHub pull_request, number 7: what the pull request adds to its base")),
        "{}",
        taken.err()
    );
    assert!(taken.err().contains(&format!("waxseal: policy: {second}:.waxseal/policy.toml\n")), "{}", taken.err());
    // Another policy in the head changes nothing, and neither does one on the branch before.
    let summary = sandbox.write("summary.md", "before\n");
    let path = sandbox.write("event.json", world.pull(second, &strange_two));
    let refused = world.ci(
        &[
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_EVENT_NAME", "pull_request_target"),
            ("GITHUB_EVENT_PATH", path.to_str().unwrap()),
            ("GITHUB_STEP_SUMMARY", summary.to_str().unwrap()),
        ],
        &["--junit", "report.xml"],
    );
    let refused = refused.code(1);
    assert!(refused.err().contains("::error"), "{}", refused.err());
    let summary = std::fs::read_to_string(summary).unwrap();
    assert!(summary.starts_with("before\n") && summary.contains("identity-not-allowed"), "{summary}");
    assert!(std::fs::read_to_string(sandbox.path("job/report.xml")).unwrap().contains("<failure"));
    world.github("push", &world.pushed("refs/heads/stranger", &stranger, &strange_two, false), &[]).code(1);

    let push = |reference: &str, before: &str, after: &str, forced: bool| {
        let ran = world.github("push", &world.pushed(reference, before, after, forced), &[]);
        let counted = ran
            .out()
            .lines()
            .find(|line| line.contains(" object"))
            .map(|line| line.split(',').next().unwrap().to_owned());
        (ran.code.unwrap(), counted.unwrap_or_default(), ran.err())
    };
    let gone = "1".repeat(40);
    for (reference, before, after, forced, code, counted) in [
        ("refs/heads/main", first, second, false, 0, "1 object"),
        ("refs/heads/topic", none.as_str(), topic.as_str(), false, 0, "2 objects"),
        // What was there before is gone from the clone.
        ("refs/heads/topic", &gone, &topic, true, 0, "2 objects"),
        ("refs/heads/main", &gone, second, true, 3, ""),
        ("refs/heads/topic", &gone, &topic, false, 3, ""),
        ("refs/tags/v1", &none, &v1, false, 0, "1 object"),
        ("refs/heads/x", first, &none, false, 3, ""),
    ] {
        let (is, objects, said) = push(reference, before, after, forced);
        assert_eq!((is, objects.as_str()), (code, counted), "{reference} {before} {forced}: {said}");
        let deletes = after == none;
        assert_eq!(said.contains("leave the job out where a ref is deleted"), deletes, "{said}");
    }
    // The first push of all has no policy behind it.
    assert_eq!(push("refs/heads/main", &none, second, false).0, 5);
    // A clone that has made a lightweight tag of a signed one lacks what is to be judged.
    sandbox.run_in("job", "git", ["tag", "-f", "v2", second]).success();
    let (code, _, said) = push("refs/tags/v2", &none, &v1, false);
    assert_eq!(code, 1, "{said}");
    sandbox.run_in("job", "git", ["tag", "-d", "v1"]).success();
    sandbox.run_in("job", "git", ["tag", "v1", first]).success();
    let (code, _, said) = push("refs/tags/v1", &none, second, false);
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("git fetch --force origin refs/tags/v1:refs/tags/v1"), "{said}");
    sandbox.run_in("job", "git", ["fetch", "-q", "--force", "origin", "refs/tags/v1:refs/tags/v1"]).success();
    assert_eq!(push("refs/tags/v1", &none, second, false).0, 0);
    assert_eq!(push("refs/tags/v0", &none, &world.server.id("v0"), false).0, 1);

    let group = format!(
        r#"{{"merge_group":{{"base_ref":"refs/heads/main","base_sha":"{second}","head_sha":"{topic}"}},"repository":{{"default_branch":"main"}}}}"#
    );
    world.github("merge_group", &group, &[]).success();
    sandbox.run_in("job", "git", ["checkout", "-q", "--detach", "origin/main"]).success();
    let by_hand = world.github("workflow_dispatch", r#"{"repository":{"default_branch":"main"}}"#, &[]).success();
    assert!(by_hand.out().contains("1 object,") && by_hand.err().contains("range: the commit "), "{}", by_hand.err());
    for event in ["issue_comment", "deployment"] {
        let unknown = world.github(event, "{}", &[]).code(3);
        assert!(unknown.err().contains("names no range of commits"), "{}", unknown.err());
    }
    assert!(world.github("", "{}", &[]).code(3).err().contains("GITHUB_EVENT_NAME is not set"));
    for payload in ["not JSON", "[]"] {
        let unread = world.github("push", payload, &[]).code(3);
        assert!(unread.err().contains("event.json, which GITHUB_EVENT_PATH names, is not"), "{}", unread.err());
    }

    // What an earlier run kept is not believed unasked.
    let cached = |arguments: &[&str]| {
        world.github("pull_request", &world.pull(second, &topic), &[&["--json"], arguments].concat()).success().out()
    };
    assert_eq!(cached(&[]).matches("\"cached\":false").count(), 2);
    cached(&["--cache"]);
    assert_eq!(cached(&["--cache"]).matches("\"cached\":true").count(), 2);
    assert_eq!(cached(&[]).matches("\"cached\":false").count(), 2);

    // A shallow clone: what to do is said, and nothing is passed.
    world.clone(&["--depth", "1", "--branch", "topic"]);
    let shallow = world.github("pull_request", &world.pull(second, &topic), &[]).code(3);
    assert!(shallow.err().contains("fetch-depth: 0"), "{}", shallow.err());
}

#[test]
fn a_job_elsewhere_verifies_what_it_is_about() {
    let world = World::new();
    let sandbox = &world.server.sandbox;
    let (first, second) = (world.first.as_str(), world.second.as_str());
    let none = "0".repeat(40);
    world.git(&["checkout", "-q", "-b", "topic", first]);
    let topic = world.server.commit(&world.server.alice, "On topic");
    let by_bob = world.server.commit(&world.server.bob, "On topic, too");
    world.git(&["checkout", "-q", "main"]);
    world.git(&["commit", "-q", "--allow-empty", "--no-gpg-sign", "-m", "Unsigned"]);
    let unsigned = world.server.id("HEAD");
    world.server.commit(&world.server.alice, "On it");
    world.server.git_as(&world.server.alice, &["tag", "-s", "-m", "v1", "v1", second]).success();
    world.push();
    world.clone(&[]);
    let gitlab = |variables: &[(&str, &str)]| {
        let always = [("GITLAB_CI", "true"), ("CI_DEFAULT_BRANCH", "main")];
        world.ci(&[&always[..], variables].concat(), &[])
    };
    let merge = |sha: &str| {
        gitlab(&[
            ("CI_PIPELINE_SOURCE", "merge_request_event"),
            ("CI_COMMIT_SHA", sha),
            ("CI_COMMIT_BEFORE_SHA", &none),
            ("CI_MERGE_REQUEST_DIFF_BASE_SHA", first),
            ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main"),
            ("CI_MERGE_REQUEST_IID", "3"),
        ])
    };
    let taken = merge(&topic).success();
    assert!(taken.err().contains("GitLab merge_request_event, number 3"), "{}", taken.err());
    merge(&by_bob).code(1);
    let push = |branch: &str, before: &str, sha: &str| {
        let source = ("CI_PIPELINE_SOURCE", "push");
        gitlab(&[source, ("CI_COMMIT_SHA", sha), ("CI_COMMIT_BEFORE_SHA", before), ("CI_COMMIT_BRANCH", branch)])
    };
    push("main", first, second).success();
    push("topic", &none, &topic).success();
    push("topic", &topic, &by_bob).code(1);
    push("main", &"1".repeat(40), second).code(3);
    gitlab(&[("CI_PIPELINE_SOURCE", "push"), ("CI_COMMIT_SHA", second), ("CI_COMMIT_TAG", "v1")]).success();
    // A clone may lack the tag, or have another of its name.
    let tagged = |name: &str, sha: &str| {
        gitlab(&[("CI_PIPELINE_SOURCE", "push"), ("CI_COMMIT_SHA", sha), ("CI_COMMIT_TAG", name)])
    };
    for (name, sha) in [("v2", second), ("v1", first)] {
        let lacking = tagged(name, sha).code(3);
        let fetch = format!("git fetch --force origin refs/tags/{name}:refs/tags/{name}");
        assert!(lacking.err().contains(&fetch), "{}", lacking.err());
    }
    // Of a lightweight one the commit is judged, wherever it is.
    for (name, sha, code) in
        [("light", second, 0), ("topical", &topic, 0), ("strange", &by_bob, 1), ("none", &unsigned, 1)]
    {
        sandbox.run_in("job", "git", ["update-ref", &format!("refs/tags/{name}"), sha]).success();
        let judged = tagged(name, sha).code(code);
        assert!(judged.err().contains("since nobody can sign a lightweight tag"), "{}", judged.err());
        assert!(judged.out().contains(&sha[..7]), "{}", judged.out());
    }
    gitlab(&[("CI_PIPELINE_SOURCE", "schedule"), ("CI_COMMIT_SHA", second), ("CI_COMMIT_BRANCH", "main")]).success();
    gitlab(&[("CI_PIPELINE_SOURCE", "external"), ("CI_COMMIT_SHA", second)]).code(3);

    // Anywhere else the ends are given.
    assert!(world.ci(&[], &[]).code(3).err().contains("WAXSEAL_CI_BASE"));
    world.ci(&[("WAXSEAL_CI_BASE", first), ("WAXSEAL_CI_HEAD", &topic)], &[]).success();
    world.ci(&[("WAXSEAL_CI_BASE", first), ("WAXSEAL_CI_HEAD", &by_bob)], &[]).code(1);
    // Each end for itself: by its flag, else by its variable; a head alone is none, whatever the event.
    world.ci(&[("WAXSEAL_CI_HEAD", &by_bob)], &["--base", first]).code(1);
    world.ci(&[("WAXSEAL_CI_HEAD", &by_bob)], &["--base", first, "--head", &topic]).success();
    world.ci(&[("WAXSEAL_CI_BASE", first)], &["--head", &by_bob]).code(1);
    world.ci(&[("WAXSEAL_CI_BASE", "nothing"), ("WAXSEAL_CI_HEAD", &by_bob)], &["--base", &topic]).code(1);
    let alone = ("WAXSEAL_CI_HEAD", topic.as_str());
    let event = [alone, ("GITLAB_CI", "true"), ("CI_PIPELINE_SOURCE", "push"), ("CI_COMMIT_SHA", &topic)];
    for variables in [&[alone][..], &event] {
        let refused = world.ci(variables, &[]).code(2);
        assert!(refused.err().contains("WAXSEAL_CI_HEAD needs --base or WAXSEAL_CI_BASE"), "{}", refused.err());
    }
    // Flags win, also over an event.
    world
        .ci(&[("WAXSEAL_CI_BASE", "nothing"), ("GITLAB_CI", "true")], &["--base", first, "--head", "origin/topic~"])
        .success();
    world.ci(&[], &["--base", "nothing"]).code(2);
    world.ci(&[], &["--base", first, "--head", first]).code(3);
    world.ci(&[], &["--base", first, "--head", first, "--allow-empty"]).success();
    world.ci(&[], &["--base", &format!("{first}..{topic}")]).code(2);
    // Who else may sign is said as ever, but by the work tree.
    world.ci(&[], &["--base", first, "--head", &by_bob, "--any-identity"]).success();
    let refused = world.ci(&[], &["--base", first, "--head", &topic, "--policy", ".waxseal/policy.toml"]).code(5);
    assert!(refused.err().contains("it lies in the work tree"), "{}", refused.err());
    sandbox.run_in("job", "git", ["config", "waxseal.allow", &format!("{BOB} {}", sandbox.issuer())]).success();
    world.ci(&[], &["--base", &topic, "--head", &by_bob]).success();
}
