//! A forge's signature admits a squashed head that is good itself, and whose merge gives the same tree; nothing else.

use serde_json::Value;
use waxseal::git::HashKind;

use super::sandbox::ssh::SshSigner;
use super::sandbox::{Ran, Sandbox, WAXSEAL, program};

const FORGE: &str = "noreply@forge.example";

/// A repository without branches, people with keys, and a forge.
pub(super) struct World {
    pub(super) sandbox: Sandbox,
    forge: SshSigner,
    alice: SshSigner,
    mallory: SshSigner,
    pub(super) base: String,
}

impl World {
    pub(super) fn new() -> Self {
        let sandbox = Sandbox::new();
        let [forge, alice, mallory] = [9, 1, 2].map(SshSigner::new);
        let mut world = Self { sandbox, forge, alice, mallory, base: String::new() };
        world.base = world.by(&world.alice, "Base", &[], &world.tree("first", "last"), "alice@example.org");
        world
    }

    /// A tree with one file, whose first and last line may be changed apart.
    pub(super) fn tree(&self, first: &str, last: &str) -> String {
        let middle: String = (0..30).map(|line| format!("{line}\n")).collect();
        let file = self.sandbox.hash_object("blob", format!("{first}\n{middle}{last}\n").as_bytes());
        let mut command = self.sandbox.command("git");
        command.args(["mktree"]);
        Ran::of(&mut command, format!("100644 blob {file}\tfile\n").as_bytes()).success().line()
    }

    fn payload(subject: &str, parents: &[&str], tree: &str, committer: &str) -> String {
        let parents: String = parents.iter().map(|parent| format!("parent {parent}\n")).collect();
        format!(
            "tree {tree}\n{parents}author A <a@example.org> 1 +0000\ncommitter C <{committer}> 1 +0000\n\n{subject}\n"
        )
    }

    fn by(&self, signer: &SshSigner, subject: &str, parents: &[&str], tree: &str, committer: &str) -> String {
        let payload = Self::payload(subject, parents, tree, committer);
        signer.signed(&self.sandbox, HashKind::Sha1, payload.as_bytes(), payload.as_bytes())
    }

    pub(super) fn work(&self, subject: &str, parent: &str, tree: &str) -> String {
        self.by(&self.alice, subject, &[parent], tree, "alice@example.org")
    }

    pub(super) fn squash(&self, subject: &str, parent: &str, tree: &str) -> String {
        self.by(&self.forge, subject, &[parent], tree, FORGE)
    }

    pub(super) fn unsigned(&self, parent: &str, tree: &str) -> String {
        self.sandbox.hash_object("commit", Self::payload("Unsigned", &[parent], tree, "x@example.org").as_bytes())
    }

    pub(super) fn set(&self, reference: &str, id: &str) {
        self.sandbox.git(["update-ref", reference, id]).success();
    }

    /// A policy under which Alice may work, by `alice`, and the forge may squash.
    pub(super) fn policy(&self, alice: &str) -> String {
        let text = format!(
            "version = 1\n{}\n[[rule]]\nname = 'alice'\nssh = ['{}']\n{}\n[[rule]]\nname = 'forge'\nssh = ['{}']\nunbounded = true\n[rule.forge]\ncommitter = ['{FORGE}']\nshape = ['squash', 'merge']\n",
            alice.split_once("---").map_or("", |(before, _)| before),
            self.alice.public(),
            alice.split_once("---").map_or(alice, |(_, rule)| rule),
            self.forge.public(),
        );
        self.sandbox.write("policy.toml", text).to_str().unwrap().to_owned()
    }

    fn run(&self, alice: &str, arguments: &[&str]) -> Ran {
        self.sandbox.waxseal(["verify", "--json", "--policy", &self.policy(alice)].iter().chain(arguments))
    }

    /// Whether the first object is allowed, why not, and the head behind it.
    pub(super) fn judged(&self, alice: &str, arguments: &[&str]) -> (String, Value) {
        let ran = self.run(alice, arguments);
        let object = ran.out().lines().nth(1).map(|line| serde_json::from_str::<Value>(line).unwrap());
        let object = object.unwrap_or_else(|| panic!("{}{}", ran.out(), ran.err()));
        (format!("{} {}", object["allowed"], object["reason"].as_str().unwrap_or("-")), object)
    }
}

pub(super) const ANYWHERE: &str = "unbounded = true";
pub(super) const UNPROVEN: &str = "false squash-unproven";
const DIFFERS: &str = "false squash-differs";
pub(super) const NOT_ALLOWED: &str = "false squash-head-not-allowed";

#[test]
fn a_squash_is_worth_what_its_head_is_worth() {
    let world = World::new();
    let (changed, more) = (world.tree("FIRST", "last"), world.tree("First of all", "last"));
    let half = world.work("Half of it", &world.base, &changed);
    let head = world.work("All of it", &half, &more);
    // Nobody knows the head.
    let squash = world.squash("All of it (#7)", &world.base, &more);
    let (judged, object) = world.judged(ANYWHERE, &[&squash]);
    assert_eq!(judged, UNPROVEN, "{object}");
    assert!(object["detail"].as_str().unwrap().contains("none of the 0 heads here gives its tree"), "{object}");
    let text = world.sandbox.waxseal(["verify", "--policy", &world.policy(ANYWHERE), &squash]).code(1).err();
    assert!(text.contains("'+refs/pull/*/head:refs/pull/*/head'"), "{text}");
    // It is asked for, or a ref leads there.
    let (judged, object) = world.judged(ANYWHERE, &[&squash, &head]);
    assert_eq!(judged, "true -");
    assert_eq!(object["squashed_head"], serde_json::json!({ "oid": head, "ref": null }));
    assert_eq!(object["identity"], world.forge.fingerprint());
    for reference in ["refs/pull/7/head", "refs/merge-requests/7/head", "refs/heads/work", "refs/remotes/origin/pull/7"]
    {
        world.set(reference, &head);
        let (judged, object) = world.judged(ANYWHERE, &[&squash]);
        assert_eq!(judged, "true -", "{reference}");
        assert_eq!(object["squashed_head"], serde_json::json!({ "oid": head, "ref": reference }));
        world.sandbox.git(["update-ref", "-d", reference]).success();
    }
    for reference in ["refs/pull/7/merge", "refs/tags/work", "refs/notes/work"] {
        world.set(reference, &head);
        assert_eq!(world.judged(ANYWHERE, &[&squash]).0, UNPROVEN, "{reference}");
        world.sandbox.git(["update-ref", "-d", reference]).success();
    }
    // The branch went on before it was squashed: Git merges.
    world.set("refs/pull/7/head", &head);
    let parent = world.work("Meanwhile", &world.base, &world.tree("first", "LAST"));
    let both = world.tree("First of all", "LAST");
    for (why, tree, expected, unnumbered) in [
        ("the merge", &both, "true -", "true -"),
        ("a line slipped in", &world.tree("First of all", "LAST, and more"), DIFFERS, UNPROVEN),
        ("the head alone", &more, DIFFERS, DIFFERS),
        ("nothing", &world.tree("first", "LAST"), DIFFERS, UNPROVEN),
        ("half of it, which is no head", &world.tree("FIRST", "LAST"), DIFFERS, UNPROVEN),
    ] {
        let (judged, object) = world.judged(ANYWHERE, &[&world.squash("All of it (#7)", &parent, tree)]);
        assert_eq!(judged, expected, "{why}: {object}");
        // The number is a hint and no more.
        let (judged, object) = world.judged(ANYWHERE, &[&world.squash("All of it (#8)", &parent, tree)]);
        assert_eq!(judged, unnumbered, "{why}: {object}");
    }
    // The head is here: fetching it is no help.
    let slipped = world.squash("All of it (#7)", &parent, &world.tree("First of all", "LAST, and more"));
    let clashing = world.work("Clash", &world.base, &world.tree("Not that", "last"));
    for (parent, says) in [(&parent, "gives another tree"), (&clashing, "conflicts")] {
        let squash = world.squash("All of it (#7)", parent, &world.tree("First of all", "LAST, and more"));
        let ran = world.sandbox.waxseal(["verify", "--policy", &world.policy(ANYWHERE), &squash]).code(1);
        let shown =
            format!("refs/pull/7/head ({}) is here, and merged into the commit's parent it {says}", &head[..10]);
        assert!(ran.out().contains(&shown), "{}", ran.out());
        assert!(
            ran.err().contains("hint: squash-differs: look what differs: \"git diff TREE COMMIT\""),
            "{}",
            ran.err()
        );
        assert!(!ran.err().contains("git fetch"), "{}", ran.err());
    }
    let explained = world.sandbox.waxseal(["explain", "--policy", &world.policy(ANYWHERE), &slipped]).code(1).out();
    assert!(explained.contains("git diff TREE COMMIT"), "{explained}");
    let by_somebody = world.by(&world.forge, "All of it (#7)", &[&world.base], &more, "alice@example.org");
    assert_eq!(world.judged(ANYWHERE, &[&by_somebody]).0, "false identity-not-allowed");
    let rule = "shape = ['squash', 'merge']";
    let merges_only = std::fs::read_to_string(world.policy(ANYWHERE)).unwrap().replace(rule, "shape = ['merge']");
    let merges_only = world.sandbox.write("merges.toml", merges_only);
    let ran = world.sandbox.waxseal(["verify", "--policy", merges_only.to_str().unwrap(), &squash]).code(1);
    assert!(ran.out().contains("it admits merges, and"), "{}", ran.out());
    // For people.
    let explained = world.sandbox.waxseal(["explain", "--policy", &world.policy(ANYWHERE), &squash]).success().out();
    let shown = format!("squash     of refs/pull/7/head ({}), each commit of which is admitted", &head[..10]);
    assert!(explained.contains(&shown), "{explained}");
    let tested =
        world.sandbox.waxseal(["policy", "test", "--policy", &world.policy(ANYWHERE), &squash]).success().out();
    assert!(tested.contains(&format!("rule \"forge\", squash of refs/pull/7/head ({})", &head[..10])), "{tested}");
}

#[test]
fn every_commit_of_the_head_is_admitted() {
    let world = World::new();
    let tree = world.tree("FIRST", "last");
    let squash = world.squash("Work", &world.base, &tree);
    let one = |parent: &str| world.work("Work", parent, &tree);
    let unsigned = world.unsigned(&world.base, &world.tree("1", "last"));
    let edit = world.squash("An edit in the browser", &world.base, &world.tree("1", "last"));
    let mallory = world.by(&world.mallory, "By Mallory", &[&world.base], &tree, FORGE);
    for (why, head, says) in [
        ("unsigned", one(&unsigned), "is not allowed: there is no signature"),
        ("an edit by the forge", one(&edit), "is not allowed: no rule admits this identity"),
        (
            "nothing but an edit by the forge",
            world.squash("Another", &world.base, &tree),
            "its proof would rest on itself",
        ),
        ("a key that nobody knows", mallory, "is not allowed"),
        ("a commit that is not here", world.work("Work", &"1".repeat(40), &tree), ""),
    ] {
        world.set("refs/pull/1/head", &head);
        let (judged, object) = world.judged(ANYWHERE, &[&squash]);
        let expected = if says.is_empty() { "null rule-undecided" } else { NOT_ALLOWED };
        assert_eq!(judged, expected, "{why}: {object}");
        assert!(object["detail"].as_str().unwrap().contains(says), "{why}: {object}");
    }
    // Whatever the repository puts in the place of a commit.
    let head = one(&unsigned);
    world.set("refs/pull/1/head", &head);
    world.set(&format!("refs/replace/{unsigned}"), &one(&world.base));
    assert_eq!(world.judged(ANYWHERE, &[&squash]).0, NOT_ALLOWED);
    let hint = world.sandbox.waxseal(["verify", "--policy", &world.policy(ANYWHERE), &squash]).code(1).err();
    assert!(hint.contains("squash-head-not-allowed: \"waxseal explain\", with the same policy"), "{hint}");
    assert!(!hint.contains("git fetch"), "{hint}");
    // One head that is good is enough.
    world.set("refs/pull/2/head", &one(&world.base));
    assert_eq!(world.judged(ANYWHERE, &[&squash]).0, "true -");
    world.sandbox.git(["update-ref", "-d", "refs/pull/2/head"]).success();
    // What the policy does not judge is not what it admits.
    let exempt = format!("[[exempt]]\nobject = '{unsigned}'\nreason = 'old'\n---{ANYWHERE}");
    let (judged, object) = world.judged(&exempt, &[&squash]);
    assert_eq!(judged, NOT_ALLOWED);
    assert!(object["detail"].as_str().unwrap().contains("is exempt, which admits nothing: old"), "{object}");
    // The bounds of a rule are those of the head's own commits, for the ref that is judged.
    world.set("refs/pull/1/head", &one(&world.base));
    let main = ["--ref", "refs/heads/main", &squash];
    for (alice, expected) in [
        (ANYWHERE.to_owned(), "true -"),
        (format!("from_commit = '{}'", world.base), "true -"),
        (format!("until_commit = '{}'", world.base), NOT_ALLOWED),
        (format!("until_commit = '{squash}'"), NOT_ALLOWED),
        (format!("from_commit = '{squash}'"), NOT_ALLOWED),
        (format!("{ANYWHERE}\nrefs = ['refs/heads/main']"), "true -"),
        (format!("{ANYWHERE}\nrefs = ['refs/heads/work']"), NOT_ALLOWED),
    ] {
        assert_eq!(world.judged(&alice, &main).0, expected, "{alice}");
    }
}

#[test]
fn nothing_proves_itself() {
    let world = World::new();
    let tree = world.tree("FIRST", "last");
    // Two edits in the browser, each the other's head; and one with a revert behind it.
    let [one, two] = ["One", "Two"].map(|subject| world.squash(subject, &world.base, &tree));
    let behind = world.work("Behind", &one, &tree);
    for (number, head) in [&one, &two, &behind].into_iter().enumerate() {
        world.set(&format!("refs/pull/{number}/head"), head);
    }
    for id in [&one, &two] {
        assert_eq!(world.judged(ANYWHERE, &[id]).0, NOT_ALLOWED);
    }
    let ran = world.run(ANYWHERE, &[&one, &two, &behind]).code(1);
    assert_eq!(ran.out().matches("squash-head-not-allowed").count(), 2, "{}", ran.out());
    // Where nothing was done there is no head: the parent itself, and what is in its history.
    let empty = world.squash("Nothing", &behind, &tree);
    world.set("refs/heads/parent", &behind);
    assert_eq!(world.judged(ANYWHERE, &[&empty]).0, NOT_ALLOWED);
    // A head that is good makes all of them good.
    world.set("refs/pull/9/head", &world.work("Signed", &world.base, &tree));
    world.run(ANYWHERE, &[&one, &two, &behind]).success();
    // A head with a squash in it.
    let stacked = world.work("On top", &two, &world.tree("FIRST", "LAST"));
    world.set("refs/pull/10/head", &stacked);
    let squash = world.squash("All", &world.base, &world.tree("FIRST", "LAST"));
    assert_eq!(world.judged(ANYWHERE, &[&squash]).0, "true -");
    world.sandbox.git(["update-ref", "-d", "refs/pull/9/head"]).success();
    assert_eq!(world.judged(ANYWHERE, &[&squash]).0, NOT_ALLOWED);
}

#[test]
fn what_is_cut_off_may_be_the_head() {
    let world = World::new();
    let tree = world.tree("FIRST", "last");
    let head = world.work("Work", &world.base, &tree);
    let squash = world.squash("Work", &world.base, &tree);
    world.set("refs/heads/main", &squash);
    world.set("refs/pull/1/head", &head);
    world.sandbox.git(["symbolic-ref", "HEAD", "refs/heads/main"]).success();
    let from = format!("file://{}", world.sandbox.path("repository").display());
    let policy = world.policy(ANYWHERE);
    world.sandbox.run_in(".", "git", ["clone", "-q", "--depth=1", &from, "shallow"]).success();
    let verify = |folder: &str| world.sandbox.run_in(folder, WAXSEAL, ["verify", "--json", "--policy", &policy]);
    let ran = verify("shallow").code(3);
    assert!(ran.out().contains("\"reason\":\"rule-undecided\""), "{}", ran.out());
    world.sandbox.run_in(".", "git", ["clone", "-q", &from, "whole"]).success();
    verify("whole").code(1);
    world.sandbox.run_in("whole", "git", ["fetch", "-q", "origin", "+refs/pull/*/head:refs/pull/*/head"]).success();
    verify("whole").success();
}

#[test]
fn squashes_of_one_history_are_merged_together() {
    let world = World::new();
    let state = |odd: u32, even: u32| world.tree(&format!("first {odd}"), &format!("last {even}"));
    // Each head left the branch two commits before it was squashed, and changes what the one between does not.
    let mut main = vec![world.base.clone(), world.work("Start", &world.base, &state(0, 0))];
    let (mut odd, mut even) = (0, 0);
    for number in 1..=32_u32 {
        let (parent, left) = (main[main.len() - 1].clone(), main[main.len() - 2].clone());
        let (before_odd, before_even) = (odd, even);
        let own = if number % 2 == 1 { &mut odd } else { &mut even };
        *own = number;
        let head = match number {
            1 => world.work("One", &parent, &state(odd, even)),
            _ if number % 2 == 1 => world.work("Odd", &left, &state(odd, before_even.saturating_sub(2))),
            _ => world.work("Even", &left, &state(before_odd.saturating_sub(2), even)),
        };
        world.set(&format!("refs/pull/{number}/head"), &head);
        main.push(world.squash(&format!("Work (#{number})"), &parent, &state(odd, even)));
    }
    // It notes which of its commands makes merges.
    let (starts, git) = (world.sandbox.path("starts"), program("git").unwrap());
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *merge-tree*) echo >>'{}';; esac\nexec '{}' \"$@\"\n",
        starts.display(),
        git.display()
    );
    let counting = world.sandbox.write("home/git", script);
    std::fs::set_permissions(counting, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = std::env::join_paths([world.sandbox.path("home"), "/usr/bin".into(), "/bin".into()]).unwrap();
    let mut command = world.sandbox.command(WAXSEAL);
    command.args(["verify", "--json", "--policy", &world.policy(ANYWHERE)]).args(&main[2..]).env("PATH", path);
    let shown = Ran::of(&mut command, b"").success().out();
    assert_eq!(shown.matches("\"squashed_head\":{\"oid\"").count(), 32, "{shown}");
    let starts = std::fs::read(starts).unwrap().len();
    assert_eq!(starts, 1);
}

#[test]
fn a_head_without_a_number_is_found_among_all_that_came_later() {
    let world = World::new();
    let dated = |signer: &SshSigner, date: u32, subject: &str, parent: &str, tree: &str, committer: &str| {
        let payload = World::payload(subject, &[parent], tree, committer);
        let payload = payload.replace(" 1 +0000", &format!(" {date} +0000"));
        signer.signed(&world.sandbox, HashKind::Sha1, payload.as_bytes(), payload.as_bytes())
    };
    let work = |date, subject: &str, parent: &str, tree: &str| {
        dated(&world.alice, date, subject, parent, tree, "alice@example.org")
    };
    let with_another = |tree: &str, name: &str| {
        let mut list = world.sandbox.git(["ls-tree", tree]).success().out();
        list += &format!("100644 blob {}\t{name}\n", world.sandbox.hash_object("blob", name.as_bytes()));
        let mut command = world.sandbox.command("git");
        Ran::of(command.arg("mktree"), list.as_bytes()).success().line()
    };
    let head = work(10, "The head", &world.base, &world.tree("FIRST", "last"));
    let parent = work(11, "Meanwhile", &world.base, &world.tree("first", "LAST"));
    let both = world.tree("FIRST", "LAST");
    let squash = dated(&world.forge, 12, "Squashed", &parent, &both, FORGE);
    // More than are tried, all of which have what the squash changed.
    for number in 0..40 {
        let later = work(4_000 + number, "Later", &squash, &with_another(&both, &format!("zz{number}")));
        world.set(&format!("refs/heads/a{number}"), &later);
    }
    world.set("refs/heads/z", &head);
    let (judged, object) = world.judged(ANYWHERE, &[&squash]);
    assert_eq!(judged, "true -", "{object}");
    assert_eq!(object["squashed_head"], serde_json::json!({ "oid": head, "ref": "refs/heads/z" }));
    // A date is a hint and no more.
    let early = dated(&world.forge, 5, "Squashed", &parent, &world.tree("FIRST", "LAST, and more"), FORGE);
    assert_eq!(world.judged(ANYWHERE, &[&early]).0, UNPROVEN);
}

#[test]
fn a_server_takes_a_squash_with_its_head() {
    let world = World::new();
    let sandbox = &world.sandbox;
    sandbox.run_in(".", "git", ["init", "--quiet", "--bare", "server"]).success();
    let push =
        |refs: &[String]| sandbox.git(["push", "-q", "../server"].into_iter().chain(refs.iter().map(String::as_str)));
    push(&[format!("{}:refs/heads/main", world.base)]).success();
    let script = format!("#!/bin/sh\nexec '{}' hook pre-receive --policy '{}'\n", WAXSEAL, world.policy(ANYWHERE));
    let hook = sandbox.write("server/hooks/pre-receive", script);
    std::fs::set_permissions(hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let tree = world.tree("FIRST", "last");
    let head = world.work("Work", &world.base, &tree);
    let forged = world.by(&world.mallory, "Work", &[&world.base], &tree, "alice@example.org");
    let squash = world.squash("Work (#1)", &world.base, &tree);
    let main = format!("{squash}:refs/heads/main");
    let refused = push(std::slice::from_ref(&main)).code(1);
    assert!(refused.err().contains("squash-unproven"), "{}", refused.err());
    // Who brings a head brings what is judged: neither it nor the squash is taken.
    let refused = push(&[main.clone(), format!("{forged}:refs/pull/1/head")]).code(1);
    assert!(refused.err().contains("in it is not allowed"), "{}", refused.err());
    push(&[main, format!("{head}:refs/pull/1/head")]).success();
    // Or it is there before.
    let more = world.tree("FIRST", "LAST");
    push(&[format!("{}:refs/heads/work", world.work("More", &squash, &more))]).success();
    push(&[format!("{}:refs/heads/main", world.squash("More", &squash, &more))]).success();
}

#[test]
fn reports_name_the_head_behind_a_squash() {
    let world = World::new();
    let changed = world.tree("FIRST", "last");
    let head = world.work("Work", &world.base, &changed);
    world.set("refs/pull/7/head", &head);
    let stray = world.unsigned(&world.base, &world.tree("first", "LAST"));
    world.set("refs/pull/8/head", &stray);
    let squash = world.squash("Work (#7)", &world.base, &changed);
    let unproven = world.squash("Stray (#8)", &world.base, &world.tree("first", "LAST"));
    let differs = world.squash("Work, and more (#7)", &world.base, &world.tree("FIRST, and more", "last"));
    let policy = world.policy(ANYWHERE);
    let flags = ["--junit", "j.xml", "--sarif", "s.sarif", "--html", "h.html", "--markdown", "m.md"];
    let arguments = ["verify", "--policy", &policy].into_iter().chain(flags).chain([&*squash, &unproven, &differs]);
    let ran = world.sandbox.waxseal(arguments).code(1);
    assert!(ran.out().contains(&format!("squash of refs/pull/7/head ({})", &head[..10])), "{}", ran.out());
    let read = |name: &str| std::fs::read_to_string(world.sandbox.path("repository").join(name)).unwrap();

    let junit = read("j.xml");
    let document = roxmltree::Document::parse(&junit).unwrap();
    let notes: Vec<_> =
        document.descendants().filter(|node| node.has_tag_name("system-out")).filter_map(|node| node.text()).collect();
    assert_eq!(
        notes,
        [
            format!("squash of refs/pull/7/head, {head}"),
            format!("nearest head refs/pull/8/head, {stray}"),
            format!("nearest head refs/pull/7/head, {head}"),
        ]
    );

    let sarif: Value = serde_json::from_str(&read("s.sarif")).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let nearest = |result: &Value| (result["ruleId"].clone(), result["properties"]["nearestHead"].clone());
    let of = |code: &str, oid: &str, number: u32| {
        (code.into(), serde_json::json!({ "oid": oid, "ref": format!("refs/pull/{number}/head") }))
    };
    assert_eq!(
        results.iter().map(nearest).collect::<Vec<_>>(),
        [of("squash-head-not-allowed", &stray, 8), of("squash-differs", &head, 7)]
    );

    let shown = |id: &str| format!("<code title=\"{id}\">{}</code>", &id[..10]);
    let html = read("h.html");
    let (failures, squashes) = html.split_once("<h2>Squashes and the heads that prove them</h2>").unwrap();
    assert!(squashes.contains(&format!("squash of refs/pull/7/head {}", shown(&head))), "{squashes}");
    assert!(squashes.contains(&shown(&squash)), "{squashes}");
    for (number, id) in [(8, &stray), (7, &head)] {
        assert!(failures.contains(&format!("nearest head refs/pull/{number}/head {}", shown(id))), "{failures}");
    }

    let markdown = read("m.md");
    let (_, squashes) = markdown.split_once("### Squashes and the heads that prove them\n").unwrap();
    let line = format!("squash of refs/pull/7/head &#40;{}&#41;</code>", &head[..10]);
    assert!(squashes.contains(&line), "{markdown}");
    assert!(markdown.contains(&format!("refs/pull/8/head &#40;{}&#41; gives its tree", &stray[..10])), "{markdown}");
}
