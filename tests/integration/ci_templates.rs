//! What `contrib/` gives CI systems runs as it stands there: the steps of the action and of the template, in clones as these
//! systems make them.

use std::collections::BTreeMap;

use super::sandbox::{ALICE, Ran, Server, WAXSEAL, rule};

/// A script of a YAML file: the block behind `marker`, without its indentation, and the variables beside it.
struct Step {
    script: String,
    variables: BTreeMap<String, String>,
}

/// The scripts of a file, each with the nearest mapping called `mapping` before it.
fn steps(file: &str, marker: &str, mapping: &str) -> Vec<Step> {
    let path = format!("{}/contrib/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let depth = |line: &str| line.len() - line.trim_start().len();
    let block = |at: usize| {
        let inside = |line: &&&str| line.trim().is_empty() || depth(line) > depth(lines[at]);
        lines[at + 1..].iter().take_while(inside).copied().collect::<Vec<&str>>()
    };
    let starts = (0..lines.len()).filter(|at| lines[*at].trim() == marker);
    let step = |at: usize| {
        let body = block(at);
        let indent = depth(body[0]);
        let script: Vec<&str> = body.iter().map(|line| line.get(indent..).unwrap_or_default()).collect();
        let before = (0..at).rev().find(|before| lines[*before].trim() == mapping).unwrap();
        let variables = block(before).into_iter().filter_map(|line| line.trim().split_once(": "));
        let variables = variables.filter(|(name, _)| !name.starts_with('#'));
        let variables = variables.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned())).collect();
        Step { script: script.join("\n"), variables }
    };
    starts.map(step).collect()
}

/// A server with a policy on `main`, a branch of Alice's and one of Bob's, and a signed tag.
struct World {
    server: Server,
    main: String,
}

impl World {
    fn new() -> Self {
        let server = Server::new();
        let sandbox = &server.sandbox;
        std::fs::create_dir(sandbox.path("repository/.waxseal")).unwrap();
        let policy = format!("version = 1\n{}", rule(sandbox, "people", ALICE, ""));
        std::fs::write(sandbox.path("repository/.waxseal/policy.toml"), policy).unwrap();
        server.git(&["add", ".waxseal"]).success();
        server.commit(&server.alice, "One");
        let main = server.commit(&server.alice, "Two");
        server.git_as(&server.alice, &["tag", "-s", "-m", "v1", "v1"]).success();
        for (branch, token) in [("good", &server.alice), ("bad", &server.bob)] {
            server.git(&["checkout", "-q", "-b", branch, "main"]).success();
            server.commit(token, "Three");
        }
        let refs = [
            "main",
            "v1",
            "good",
            "bad",
            "good:refs/pull/1/head",
            "bad:refs/pull/2/head",
            "good:refs/merge-requests/1/head",
        ];
        server.push(&refs).success();
        Self { server, main }
    }

    fn tip(&self, branch: &str) -> String {
        self.server.id(branch)
    }

    /// A clone with one commit of the branch, as a checkout makes it, and a home that trusts nobody yet.
    fn checkout(&self, branch: &str) {
        for folder in ["job", "fresh"] {
            let path = self.server.sandbox.path(folder);
            if path.exists() {
                std::fs::remove_dir_all(path).unwrap();
            }
        }
        let url = format!("file://{}", self.server.sandbox.path("server").display());
        let clone = ["clone", "-q", "--depth", "1", "--no-tags", "--branch", branch, &url, "job"];
        self.server.sandbox.run_in(".", "git", clone).success();
        std::fs::create_dir(self.server.sandbox.path("fresh")).unwrap();
    }

    fn instance(&self) -> String {
        format!("home {} {}", self.server.sandbox.url(), self.server.sandbox.digest())
    }

    fn run(&self, step: &Step, variables: &[(&str, &str)]) -> Ran {
        let mut shell = self.server.sandbox.command("sh");
        shell.args(["-e", "-c", &step.script]).current_dir(self.server.sandbox.path("job"));
        shell.env("HOME", self.server.sandbox.path("fresh")).envs(&step.variables).envs(variables.iter().copied());
        shell.env_remove("GIT_CONFIG_GLOBAL");
        Ran::of(&mut shell, b"")
    }
}

#[test]
fn the_action_runs() {
    let world = World::new();
    let steps = steps("action/action.yml", "run: |", "env:");
    let [fetch, verify] = &steps[..] else { panic!("{} steps", steps.len()) };
    let names = ["ALLOW_EMPTY", "ARGUMENTS", "INSTANCE", "POLICY", "REPORT_ONLY", "WAXSEAL"];
    assert_eq!(verify.variables.keys().collect::<Vec<_>>(), names);
    let output = world.server.sandbox.write("output", "");
    let job = |branch: &str, event: &str, payload: &str, pull: &str, reference: &str, more: &[(&str, &str)]| {
        world.checkout(branch);
        let instance = world.instance();
        let path = world.server.sandbox.write("event.json", payload);
        let variables = [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_EVENT_NAME", event),
            ("GITHUB_EVENT_PATH", path.to_str().unwrap()),
            ("GITHUB_OUTPUT", output.to_str().unwrap()),
            ("PULL", pull),
            ("REF", reference),
            ("WAXSEAL", WAXSEAL),
            ("POLICY", ""),
            ("INSTANCE", &instance),
            ("ARGUMENTS", "--junit\nreport of it.xml\n"),
            ("ALLOW_EMPTY", "true"),
            ("REPORT_ONLY", "false"),
        ];
        let variables = [&variables[..], more].concat();
        world.run(fetch, &variables).success();
        world.run(verify, &variables)
    };
    let main = &world.main;
    for (branch, number, code) in [("good", "1", 0), ("bad", "2", 1)] {
        let payload = format!(
            r#"{{"pull_request":{{"number":{number},"base":{{"ref":"main","sha":"{main}"}},"head":{{"ref":"x","sha":"{}"}}}}}}"#,
            world.tip(branch)
        );
        // What is checked out is the base.
        let ran = job("main", "pull_request_target", &payload, number, "refs/heads/main", &[]).code(code);
        assert!(ran.out().contains("1 object, 1 verified"), "{}{}", ran.out(), ran.err());
        assert!(world.server.sandbox.path("job/report of it.xml").exists());
        let said = std::fs::read_to_string(&output).unwrap();
        assert!(said.ends_with(&format!("exit-code={code}\n")), "{said}");
        let more = [("REPORT_ONLY", "true"), ("ARGUMENTS", "")];
        job("main", "pull_request", &payload, number, "refs/pull/1/merge", &more).success();
        // Heads that were squashed are there where they are asked for.
        let head = |expected| {
            world
                .server
                .sandbox
                .run_in("job", "git", ["rev-parse", "--verify", "-q", "refs/pull/1/head"])
                .code(expected)
        };
        head(1);
        let more = [("REPORT_ONLY", "true"), ("HEADS", "true")];
        job("main", "pull_request", &payload, number, "refs/pull/1/merge", &more).success();
        assert_eq!(head(0).line(), world.tip("good"));
    }
    let none = "0".repeat(40);
    let pushed = |reference: &str, after: &str| {
        format!(
            r#"{{"ref":"{reference}","before":"{none}","after":"{after}","repository":{{"default_branch":"main"}}}}"#
        )
    };
    // The commit is told, and the tag is meant.
    let tag = job("main", "push", &pushed("refs/tags/v1", main), "", "refs/tags/v1", &[]).success();
    assert!(tag.out().contains("1 object, 1 verified"), "{}{}", tag.out(), tag.err());
    job("bad", "push", &pushed("refs/heads/bad", &world.tip("bad")), "", "refs/heads/bad", &[]).code(1);
    // A branch without commits of its own.
    job("main", "push", &pushed("refs/heads/new", main), "", "refs/heads/new", &[]).success();
    let strict = [("ALLOW_EMPTY", "false")];
    job("main", "push", &pushed("refs/heads/new", main), "", "refs/heads/new", &strict).code(3);
}

#[test]
fn the_template_for_gitlab_runs() {
    let world = World::new();
    let steps = steps("gitlab/waxseal.yml", "- |", "variables:");
    let [verify] = &steps[..] else { panic!("{} steps", steps.len()) };
    assert_eq!(verify.variables["GIT_DEPTH"], "0");
    let job = |more: &[(&str, &str)]| {
        world.checkout("main");
        // The runner obeys GIT_DEPTH.
        world
            .server
            .sandbox
            .run_in("job", "git", ["fetch", "-q", "--unshallow", "origin", "refs/heads/*:refs/pipelines/*"])
            .success();
        let instance = world.instance();
        let always = [
            ("GITLAB_CI", "true"),
            ("CI_DEFAULT_BRANCH", "main"),
            ("WAXSEAL", WAXSEAL),
            ("SIGNATURES_INSTANCE", &instance),
        ];
        world.run(verify, &[&always[..], more].concat())
    };
    for (branch, code) in [("good", 0), ("bad", 1)] {
        let sha = world.tip(branch);
        let merge = [
            ("CI_PIPELINE_SOURCE", "merge_request_event"),
            ("CI_COMMIT_SHA", &sha),
            ("CI_MERGE_REQUEST_DIFF_BASE_SHA", &world.main),
            ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main"),
        ];
        job(&merge).code(code);
        let report = std::fs::read_to_string(world.server.sandbox.path("job/waxseal-junit.xml")).unwrap();
        assert_eq!(report.contains("<failure"), code == 1, "{report}");
        job(&[&merge[..], &[("SIGNATURES_REPORT_ONLY", "true")]].concat()).success();
        job(&[&merge[..], &[("SIGNATURES_REPORT_ONLY", "true"), ("SIGNATURES_HEADS", "true")]].concat()).success();
        let head = world.server.sandbox.run_in("job", "git", ["rev-parse", "refs/merge-requests/1/head"]);
        assert_eq!(head.success().line(), world.tip("good"));
        job(&[("CI_PIPELINE_SOURCE", "push"), ("CI_COMMIT_SHA", &sha), ("CI_COMMIT_BRANCH", branch)]).code(code);
    }
    job(&[("CI_PIPELINE_SOURCE", "push"), ("CI_COMMIT_SHA", &world.main), ("CI_COMMIT_TAG", "v1")]).success();
    // A new branch without commits of its own.
    let new = [("CI_PIPELINE_SOURCE", "push"), ("CI_COMMIT_SHA", &world.main), ("CI_COMMIT_BRANCH", "new")];
    job(&new).success();
    job(&[&new[..], &[("SIGNATURES_ALLOW_EMPTY", "false")]].concat()).code(3);
}
