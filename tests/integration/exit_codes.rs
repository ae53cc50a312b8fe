//! The exit code of every answer of every command that judges: decisions are scripts' to rely on, whichever command they ask.

use std::process::{Command, Stdio};

use waxseal::git::{HashKind, ObjectKind, SignedObject};

use super::sandbox::{ALICE, BOB, Gallery, Ran, Sandbox, WAXSEAL, without_log_entry};

/// What is asked about.
struct Row<'a> {
    what: &'static str,
    commit: &'a str,
    tag: Option<&'static str>,
    /// Who may sign; `None` where nobody said.
    allow: Option<&'static str>,
    /// Of `verify`, and of all that decides as it does.
    code: i32,
    /// Of `who`, which says who signed and not who may.
    who: i32,
    /// Where Git asks.
    git: i32,
}

/// A repository whose branch `main` has one commit; those that are judged stand on it, and on no branch.
struct World {
    sandbox: Sandbox,
    gallery: Gallery,
    root: String,
    missing: String,
    unreadable: String,
}

impl World {
    fn new() -> Self {
        let sandbox = Sandbox::with_stack();
        let mut gallery = sandbox.gallery();
        // What the others stand on is there, and another of his is judged.
        let root = gallery.by_bob.clone();
        sandbox.git(["reset", "-q", "--hard", &root]).success();
        let mut git = sandbox.command("git");
        git.args(["commit", "-q", "--allow-empty", "-S", "-m", "More"]).env("WAXSEAL_ID_TOKEN", sandbox.token(BOB));
        Ran::of(&mut git, b"").success();
        gallery.by_bob = sandbox.git(["rev-parse", "HEAD"]).line();
        sandbox.git(["reset", "-q", "--hard", &root]).success();
        let unreadable = "2".repeat(40);
        std::fs::create_dir_all(sandbox.path("repository/.git/objects/22")).unwrap();
        sandbox.write(&format!("repository/.git/objects/22/{}", &unreadable[2..]), "no object");
        sandbox.git(["update-ref", "refs/remotes/origin/main", &root]).success();
        let world = Self { sandbox, gallery, root, missing: "1".repeat(40), unreadable };
        world.make_tags();
        world
    }

    /// A tag for each verdict, under its name.
    fn make_tags(&self) {
        let sandbox = &self.sandbox;
        let (alice, bob) = (sandbox.token(ALICE), sandbox.token(BOB));
        let signed = |name: &str, token: &str| {
            let mut git = sandbox.command("git");
            git.args(["tag", "-s", "-m", "Say hello", name, &self.root]).env("WAXSEAL_ID_TOKEN", token);
            Ran::of(&mut git, b"").success();
            String::from_utf8(sandbox.git(["cat-file", "tag", name]).success().stdout).unwrap()
        };
        let replace = |name: &str, raw: &str| {
            let id = sandbox.hash_object("tag", raw.as_bytes());
            sandbox.git(["update-ref", &format!("refs/tags/{name}"), &id]).success();
        };
        signed("allowed", &alice);
        signed("by-bob", &bob);
        let raw = signed("tampered", &alice);
        replace("tampered", &raw.replace("Say hello", "Say goodbye"));
        let raw = signed("online", &alice);
        let object = SignedObject::parse(ObjectKind::Tag, HashKind::Sha1, raw.as_bytes());
        let armor = std::str::from_utf8(&object.signatures[0]).unwrap();
        replace("online", &raw.replace(armor, &without_log_entry(&object.payload, armor)));
        sandbox.git(["tag", "-a", "--no-sign", "-m", "Say hello", "unsigned", &self.root]).success();
        let raw = sandbox.git(["cat-file", "tag", "unsigned"]).success().out().replace("tag unsigned", "tag foreign");
        replace("foreign", &format!("{raw}-----BEGIN SSH SIGNATURE-----\n\nAAAA\n-----END SSH SIGNATURE-----\n"));
    }

    fn rows(&self) -> Vec<Row<'_>> {
        let Gallery { by_alice, by_bob, tampered, online, garbled, unsigned, openpgp, ssh } = &self.gallery;
        let row =
            |what, commit, tag, allow, [code, who, git]: [i32; 3]| Row { what, commit, tag, allow, code, who, git };
        let (alice, bob) = (Some(ALICE), Some(BOB));
        vec![
            row("allowed", by_alice, Some("allowed"), alice, [0, 0, 0]),
            row("verified without policy", by_alice, Some("allowed"), None, [5, 0, 0]),
            row("not allowed", by_bob, Some("by-bob"), alice, [1, 0, 1]),
            row("rejected", tampered, Some("tampered"), alice, [1, 0, 1]),
            row("rejected without policy", tampered, Some("tampered"), None, [1, 0, 1]),
            row("malformed", garbled, None, alice, [1, 0, 1]),
            row("undecided", online, Some("online"), alice, [3, 3, 1]),
            row("undecided without policy", online, Some("online"), None, [3, 3, 1]),
            row("undecided, and a stranger's", online, Some("online"), bob, [1, 3, 1]),
            row("unsigned", unsigned, Some("unsigned"), alice, [1, 0, 1]),
            row("unsigned without policy", unsigned, Some("unsigned"), None, [1, 0, 1]),
            row("SSH without rule", ssh, Some("foreign"), alice, [1, 3, 1]),
            row("SSH without policy", ssh, Some("foreign"), None, [3, 3, 1]),
            row("OpenPGP without rule", openpgp, None, alice, [1, 3, 1]),
            row("OpenPGP without policy", openpgp, None, None, [3, 3, 1]),
            row("missing", &self.missing, None, alice, [3, 3, 1]),
            row("unreadable", &self.unreadable, None, alice, [3, 3, 1]),
        ]
    }

    fn command(&self, allow: Option<&str>, arguments: &[&str]) -> Command {
        let mut command = self.sandbox.command(WAXSEAL);
        command.args(arguments);
        self.allow(&mut command, allow);
        command
    }

    fn allow(&self, command: &mut Command, allow: Option<&str>) {
        if let Some(address) = allow {
            command.env("WAXSEAL_ALLOW", format!("{address} {}", self.sandbox.issuer()));
        }
    }

    /// The commands that say of a commit what `verify` says, and what Git tells them.
    fn deciding(&self, commit: &str) -> Vec<(Vec<String>, String)> {
        let (none, new) = ("0".repeat(40), "refs/heads/new");
        let line = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        vec![
            (line(&format!("verify {commit}")), String::new()),
            (line(&format!("verify --json {commit}")), String::new()),
            (line("verify --stdin"), format!("{commit}\n")),
            (line(&format!("explain {commit}")), String::new()),
            (line(&format!("explain --json {commit}")), String::new()),
            (line(&format!("ci --base {} --head {commit}", self.root)), String::new()),
            (line(&format!("policy test {commit}")), String::new()),
            (line("hook pre-receive"), format!("{none} {commit} {new}\n")),
            (line(&format!("hook update {new} {none} {commit}")), String::new()),
            (line("hook pre-push origin"), format!("{new} {commit} {new} {none}\n")),
        ]
    }
}

/// Every command that ended with another code than it should have.
#[derive(Default)]
struct Wrong(Vec<String>);

impl Wrong {
    fn ends(&mut self, what: &str, mut command: Command, stdin: impl AsRef<[u8]>, code: i32) {
        let ran = Ran::of(&mut command, stdin.as_ref());
        if ran.code != Some(code) {
            let arguments: Vec<_> = command.get_args().collect();
            let (out, err) = (ran.out(), ran.err());
            self.0.push(format!("{what}: {arguments:?} ended with {:?} and not {code}\n{out}{err}", ran.code));
        }
    }

    fn none(self) {
        assert!(self.0.is_empty(), "{}", self.0.join("\n"));
    }
}

#[test]
fn every_command_has_the_code_of_the_verdict() {
    let world = World::new();
    let mut wrong = Wrong::default();
    for Row { what, commit, tag, allow, code, who, git } in world.rows() {
        for (arguments, stdin) in world.deciding(commit) {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let code = match arguments[..] {
                // Who asks what a policy makes of something has one.
                ["policy", ..] | ["hook", ..] if allow.is_none() => 5,
                _ => code,
            };
            wrong.ends(what, world.command(allow, &arguments), &stdin, code);
        }
        wrong.ends(what, world.command(allow, &["who", commit]), "", who);
        // Of a broken object Git itself says so.
        if what != "unreadable" {
            let mut command = world.sandbox.command("git");
            // Git asks other programs about other formats; here they are waxseal, too.
            command.args(["-c", &format!("gpg.program={WAXSEAL}"), "-c", &format!("gpg.ssh.program={WAXSEAL}")]);
            command.args(["verify-commit", commit]);
            world.allow(&mut command, allow);
            wrong.ends(what, command, "", git);
        }
        if let Some(tag) = tag {
            wrong.ends(what, world.command(allow, &["verify", tag]), "", code);
            wrong.ends(what, world.command(allow, &["verify-tag", tag]), "", code);
            let mut command = world.sandbox.command("git");
            command.args(["verify-tag", tag]);
            world.allow(&mut command, allow);
            wrong.ends(what, command, "", git);
        }
        // As Git calls it; what has no signature it does not ask about.
        let raw = world.sandbox.git(["cat-file", "commit", commit]).stdout;
        let object = SignedObject::parse(ObjectKind::Commit, HashKind::Sha1, &raw);
        if let [signature] = &object.signatures[..] {
            let file = world.sandbox.write("signature", signature);
            let command = world.command(allow, &["--status-fd=1", "--verify", file.to_str().unwrap(), "-"]);
            wrong.ends(what, command, &object.payload, git);
        }
    }
    // Whoever it is.
    for (commit, code) in [(&world.gallery.by_bob, 0), (&world.gallery.unsigned, 1), (&world.gallery.ssh, 3)] {
        for (mut arguments, stdin) in world.deciding(commit) {
            if arguments[0] != "policy" {
                arguments.push("--any-identity".to_owned());
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                wrong.ends("anybody", world.command(None, &arguments), &stdin, code);
            }
        }
    }
    wrong.none();
}

#[test]
fn what_ends_a_run_early_outranks_every_verdict() {
    let world = World::new();
    let mut wrong = Wrong::default();
    let sandbox = &world.sandbox;
    let bad = sandbox.write("bad.toml", "version = 2\n").to_str().unwrap().to_owned();
    let good = sandbox
        .write(
            "good.toml",
            format!(
                "version = 1\n[[rule]]\nname = \"alice\"\nissuer = \"{}\"\ninstance = \"home\"\nemail = [\"{ALICE}\"]\n",
                sandbox.issuer()
            ),
        )
        .to_str()
        .unwrap()
        .to_owned();
    // Trust that cannot be read, in the place of what can.
    let data = sandbox.path("home/.local/share");
    sandbox.run_in(".", "cp", ["-R", data.to_str().unwrap(), "broken"]).success();
    sandbox.write("broken/waxseal/instances/home/trusted_root.json", "{");
    let broken = sandbox.path("broken");
    let broken = Some(broken.as_path());
    let (good, bad) = (good.as_str(), bad.as_str());
    let (alice, unsigned) = (world.gallery.by_alice.as_str(), world.gallery.unsigned.as_str());

    let run = |arguments: &[&str], policy: &str, data: Option<&std::path::Path>| {
        let mut command = world.command(None, arguments);
        command.env("WAXSEAL_POLICY", policy);
        if let Some(data) = data {
            command.env("XDG_DATA_HOME", data);
        }
        command
    };
    for commit in [alice, unsigned] {
        for (arguments, stdin) in world.deciding(commit) {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let verdict = if commit == alice { 0 } else { 1 };
            let mut ends = |what, policy, data, code| wrong.ends(what, run(&arguments, policy, data), &stdin, code);
            ends("nothing wrong", good, None, verdict);
            ends("broken trust", good, broken, 4);
            ends("an invalid policy", bad, None, 5);
            ends("no policy file", "/nowhere/policy.toml", None, 5);
            ends("broken trust and an invalid policy", bad, broken, 4);
        }
        for (policy, data, code) in [(good, None, 0), (good, broken, 4), (bad, None, 5), (bad, broken, 4)] {
            wrong.ends("who", run(&["who", commit], policy, data), "", code);
            let code = if (code, commit) == (0, unsigned) { 1 } else { code };
            let tag = if commit == alice { "allowed" } else { "unsigned" };
            wrong.ends("verify-tag", run(&["verify-tag", tag], policy, data), "", code);
            let mut command = sandbox.command("git");
            command.args(["verify-commit", commit]).env("WAXSEAL_POLICY", policy);
            if let Some(data) = data {
                command.env("XDG_DATA_HOME", data);
            }
            wrong.ends("Git", command, "", i32::from(code != 0));
        }
    }
    // A revision that nobody knows, and what is no argument, come first.
    let unknown = [
        &["verify", "nowhere"][..],
        &["verify", "nowhere..HEAD"],
        &["verify-tag", "nowhere"],
        &["explain", "nowhere"],
        &["who", "nowhere"],
        &["ci", "--base", "nowhere"],
        &["ci", "--base", "HEAD", "--head", "nowhere"],
        &["policy", "test", "nowhere"],
        &["policy", "suggest", "nowhere"],
        &["policy", "diff", good, bad, "nowhere"],
        &["hook", "update", "refs/heads/main", "nowhere", "nowhere"],
        &["hook", "update", "HEAD", alice, alice],
        &["verify", "--nonsense"],
        &["verify-tag", "--nonsense"],
        &["explain", "--nonsense"],
        &["explain", "HEAD..HEAD"],
        &["who", "--nonsense"],
        &["ci", "--nonsense"],
        &["policy", "test", "--nonsense"],
        &["policy", "suggest", "--nonsense"],
        &["policy", "diff", good],
        &["policy", "check"],
        &["policy"],
        &["hook", "pre-receive", "--nonsense"],
        &["hook", "update", "refs/heads/main"],
        &["hook", "pre-push", "--nonsense"],
        &["hook"],
        &["--verify", "--nonsense"],
    ];
    for arguments in unknown {
        for (policy, data) in [(good, None), (good, broken), (bad, None), (bad, broken)] {
            wrong.ends("wrong usage", run(arguments, policy, data), "", 2);
        }
    }
    for command in ["hook pre-receive", "hook pre-push"].map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        run(&words, bad, broken)
    }) {
        wrong.ends("nonsense", command, "nonsense\n", 2);
    }
    // Outside of a repository.
    for arguments in ["verify", "verify-tag v1", "explain", "who", "ci --base HEAD", "policy test", "policy suggest"] {
        let words: Vec<&str> = arguments.split(' ').collect();
        let mut command = run(&words, bad, broken);
        command.current_dir(sandbox.path("home"));
        wrong.ends("no repository", command, "", 2);
    }
    wrong.none();
}

#[test]
fn nothing_to_verify_and_nowhere_to_write_are_no_success() {
    let world = World::new();
    let mut wrong = Wrong::default();
    let sandbox = &world.sandbox;
    let issuer = sandbox.issuer();
    let law = |file: &str, address: &str| {
        let text = format!(
            "version = 1\n[[rule]]\nname = \"one\"\nissuer = \"{issuer}\"\ninstance = \"home\"\nemail = [\"{address}\"]\n"
        );
        sandbox.write(file, text).to_str().unwrap().to_owned()
    };
    let (alice, bob) = (law("alice.toml", ALICE), law("bob.toml", BOB));
    let doubtful = sandbox
        .write("doubtful.toml", "version = 1\n[[rule]]\nname = \"any\"\nissuer = \"regex:.*\"\nemail = [\"a@b.c\"]\n");
    let (alice, bob, doubtful) = (alice.as_str(), bob.as_str(), doubtful.to_str().unwrap());
    let gallery = &world.gallery;
    for (arguments, code) in [
        (vec!["verify", "HEAD..HEAD"], 3),
        (vec!["verify", "HEAD..HEAD", "--allow-empty"], 0),
        (vec!["verify", "--tags", "none*"], 3),
        (vec!["verify", "--stdin"], 3),
        (vec!["who", "HEAD..HEAD"], 3),
        (vec!["who", "HEAD..HEAD", "--allow-empty"], 0),
        (vec!["ci", "--base", "HEAD", "--head", "HEAD"], 3),
        (vec!["ci", "--base", "HEAD", "--head", "HEAD", "--allow-empty"], 0),
        (vec!["ci"], 3),
        (vec!["policy", "test", "HEAD..HEAD"], 3),
        (vec!["policy", "test", "HEAD..HEAD", "--allow-empty"], 0),
        (vec!["policy", "diff", alice, bob, "HEAD..HEAD"], 3),
        (vec!["policy", "diff", alice, bob, "HEAD..HEAD", "--allow-empty"], 0),
        (vec!["policy", "suggest", "HEAD..HEAD"], 1),
        // Git tells this one of a ref at least; the other of none where nothing is to be pushed.
        (vec!["hook", "pre-receive"], 2),
        (vec!["hook", "pre-push"], 0),
        (vec!["hook", "update", "refs/heads/main", &world.root, &world.root], 0),
        // What becomes of each under another policy.
        (vec!["policy", "diff", alice, alice, &gallery.by_alice], 0),
        (vec!["policy", "diff", alice, bob, &gallery.by_alice], 1),
        (vec!["policy", "diff", alice, bob, &gallery.tampered], 0),
        (vec!["policy", "diff", alice, bob, &gallery.unsigned], 0),
        (vec!["policy", "diff", alice, bob, &gallery.ssh], 0),
        (vec!["policy", "diff", alice, alice, &gallery.online], 0),
        (vec!["policy", "diff", alice, bob, &gallery.online], 1),
        (vec!["policy", "diff", alice, bob, &world.missing], 0),
        (vec!["policy", "diff", alice, "/nowhere/policy.toml", &gallery.by_alice], 5),
        (vec!["policy", "diff", "/nowhere/policy.toml", alice, &gallery.by_alice], 5),
        (vec!["policy", "check", alice], 0),
        (vec!["policy", "check", doubtful], 1),
        (vec!["policy", "check", "/nowhere/policy.toml"], 5),
        (vec!["policy", "check", "nowhere:policy.toml"], 5),
        (vec!["policy", "suggest", "--at-least", "1", &gallery.by_alice], 0),
        (vec!["policy", "suggest", &gallery.by_alice], 1),
        (vec!["policy", "suggest", "--at-least", "1", &gallery.tampered], 1),
        (vec!["policy", "suggest", "--at-least", "1", &gallery.online], 1),
        (vec!["policy", "suggest", "--at-least", "1", &gallery.unsigned], 1),
        (vec!["policy", "suggest", "--at-least", "1", &gallery.ssh], 1),
        (vec!["policy", "suggest", "--at-least", "1", &world.missing], 1),
    ] {
        wrong.ends("alone", world.command(Some(ALICE), &arguments), "", code);
    }
    wrong.none();
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full");
    if full().is_err() {
        println!("skipped: there is no /dev/full");
        return;
    }
    let good = gallery.by_alice.as_str();
    for (arguments, code) in [
        (vec!["verify", good], 3),
        (vec!["verify", "--json", good], 3),
        (vec!["verify-tag", "allowed"], 3),
        (vec!["explain", good], 3),
        (vec!["explain", "--json", good], 3),
        (vec!["who", good], 3),
        (vec!["who", "--json", good], 3),
        (vec!["ci", "--base", &world.root, "--head", good], 3),
        (vec!["policy", "test", good], 3),
        (vec!["policy", "diff", alice, alice, good], 3),
        (vec!["policy", "check", alice], 3),
        (vec!["policy", "suggest", "--at-least", "1", good], 1),
    ] {
        let mut command = world.command(Some(ALICE), &arguments);
        let status = command.stdin(Stdio::null()).stdout(full().unwrap()).stderr(Stdio::null()).status().unwrap();
        assert_eq!(status.code(), Some(code), "{command:?}");
    }
}
