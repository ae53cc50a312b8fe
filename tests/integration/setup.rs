//! `waxseal setup` tells Git what it needs to know to sign, shows it first, and puts back what was there.

use super::sandbox::{ALICE, Sandbox, WAXSEAL};

#[test]
fn a_repository_signs_by_itself_and_what_was_there_comes_back() {
    let sandbox = Sandbox::with_stack();
    let global = std::fs::read_to_string(sandbox.path("home/.gitconfig")).unwrap();
    sandbox.write("home/.gitconfig", global.replace("[gpg", "[not").replace("\tinstance = home\n", ""));
    sandbox.allow(ALICE);
    let config = || std::fs::read(sandbox.path("repository/.git/config")).unwrap();
    sandbox.sh(
        "printf '[gpg]\\n  format=openpgp   # ours\\n[commit]\\n\\tgpgsign = no\\n[tag]\\n\\tgpgSign\\n' >>.git/config",
    );
    let before = config();

    let setup = ["setup", "--instance", "home", "--yes"];
    let shown = sandbox.waxseal([&setup[..], &["--dry-run"]].concat()).success();
    let diff = "SANDBOX/repository/.git/config (local)\n  +waxseal.instance = home\n  -gpg.format = openpgp\n  \
                +gpg.format = x509\n  +gpg.x509.program = waxseal\n  -commit.gpgSign = no\n  +commit.gpgSign = true\n\
                there is no remote origin, so no evidence in notes is fetched (--remote)\n";
    assert_eq!(sandbox.masked(&shown.out()), diff);
    assert_eq!(config(), before);

    // Nobody is there to agree.
    let refused = sandbox.waxseal(["setup", "--instance", "home"]).code(1).err();
    assert!(refused.contains("nobody is there to agree"), "{refused}");
    assert_eq!(config(), before);

    let changed = sandbox.waxseal(setup).success();
    let undo = "changed\n\"waxseal setup --local --undo\" puts back what was there\n";
    assert_eq!(sandbox.masked(&changed.out()), format!("{diff}{undo}"));
    sandbox.git(["commit", "-q", "--allow-empty", "-m", "one"]).success();
    assert_eq!(sandbox.git(["log", "-1", "--format=%G?"]).line(), "G");
    sandbox.git(["tag", "-m", "one", "v1"]).success();
    sandbox.git(["verify-tag", "v1"]).success();

    let after = config();
    let again = sandbox.waxseal(setup).success().out();
    assert!(again.starts_with("nothing to change in "), "{again}");
    assert_eq!(config(), after);

    // Repositories are moved.
    std::fs::rename(sandbox.path("repository"), sandbox.path("moved")).unwrap();
    std::os::unix::fs::symlink("moved", sandbox.path("repository")).unwrap();
    sandbox.waxseal(["setup", "--undo", "--yes"]).success();
    assert_eq!(String::from_utf8_lossy(&config()), String::from_utf8_lossy(&before));
    sandbox.waxseal(["setup", "--undo", "--yes"]).code(1);
}

#[test]
fn what_others_changed_meanwhile_stays() {
    let sandbox = Sandbox::with_stack();
    let value = |key: &str| sandbox.git(["config", "--local", "--get-all", key]).out();
    let setup = ["setup", "--instance", "home", "--yes"];
    sandbox.waxseal(setup).success();
    sandbox.git(["config", "alias.lg", "log"]).success();
    sandbox.git(["config", "tag.sort", "refname"]).success();
    let file = std::fs::read_to_string(sandbox.path("repository/.git/config")).unwrap();
    sandbox.waxseal(["setup", "--undo", "--yes"]).success();
    let undone = std::fs::read_to_string(sandbox.path("repository/.git/config")).unwrap();
    assert_eq!((value("alias.lg"), value("tag.sort")), ("log\n".to_owned(), "refname\n".to_owned()));
    assert_eq!((value("tag.gpgsign"), value("gpg.format")), (String::new(), String::new()));
    assert!(file.contains("[waxseal]") && !undone.contains("[waxseal]") && !undone.contains("[gpg"), "{undone}");

    // Twice with different instances: what was there first comes back.
    sandbox.git(["config", "waxseal.instance", "first"]).success();
    sandbox.waxseal(setup).success();
    sandbox.waxseal(["setup", "--instance", "public-good", "--yes"]).success();
    assert_eq!(value("waxseal.instance"), "public-good\n");
    sandbox.git(["config", "commit.gpgsign", "false"]).success();
    let refused = sandbox.waxseal(["setup", "--undo", "--yes"]).code(1).err();
    assert!(refused.contains("somebody changed commit.gpgSign in "), "{refused}");
    assert_eq!(value("waxseal.instance"), "public-good\n");
    sandbox.waxseal(["setup", "--undo", "--yes", "--force"]).success();
    assert_eq!(value("waxseal.instance"), "first\n");
    assert_eq!(value("commit.gpgsign"), "false\n");
}

#[test]
fn the_users_own_configuration_as_git_would_write_it() {
    let sandbox = Sandbox::with_stack();
    // git makes the file; setup makes it, too, and removes it again.
    std::fs::remove_file(sandbox.path("home/.gitconfig")).unwrap();
    let setup = |arguments: &[&str]| sandbox.waxseal([&["setup", "--global", "--yes"], arguments].concat());
    setup(&["--instance", "home"]).success();
    let get = |key: &str| sandbox.git(["config", "--global", key]).line();
    assert_eq!((get("waxseal.instance"), get("gpg.format")), ("home".to_owned(), "x509".to_owned()));
    assert_eq!((get("commit.gpgsign"), get("gpg.x509.program")), ("true".to_owned(), WAXSEAL.to_owned()));
    setup(&["--undo"]).success();
    assert!(!sandbox.path("home/.gitconfig").exists());

    // Whatever wins over it is said.
    sandbox.git(["config", "gpg.format", "ssh"]).success();
    let said = setup(&["--instance", "home"]).success().out();
    assert!(
        said.contains("warning: gpg.format = ssh in ") && said.contains(".git/config (local) wins over it\n"),
        "{said}"
    );
    let again = setup(&["--instance", "home"]).success().out();
    assert!(again.starts_with("nothing to change") && again.contains("\nwarning: gpg.format = ssh in "), "{again}");
    setup(&["--undo"]).success();

    // So is what becomes public, under whatever name.
    let of_public_good = |name: &str| format!("{}/src/trust_store/public_good/{name}", env!("CARGO_MANIFEST_DIR"));
    let (root, signing) = (of_public_good("trusted_root.json"), of_public_good("signing_config.v0.2.json"));
    sandbox.waxseal(["trust", "add", "mine", "--trusted-root", &root, "--signing-config", &signing]).success();
    for (instance, public) in [("home", false), ("mine", true), ("public-good", true)] {
        let said = setup(&["--instance", instance, "--dry-run"]).success().out();
        assert_eq!(said.contains("every signature makes public for ever"), public, "{said}");
    }

    // One program's PATH is another program's path.
    let mut found = sandbox.command(WAXSEAL);
    let folder = std::path::Path::new(WAXSEAL).parent().unwrap();
    found.args(["setup", "--global", "--dry-run", "--instance", "home"]).env("PATH", folder);
    let shown = super::sandbox::Ran::of(&mut found, b"").success().out();
    assert!(shown.contains("+gpg.x509.program = waxseal\n"), "{shown}");

    // A linked worktree of its own.
    let refused = sandbox.waxseal(["setup", "--worktree", "--instance", "home", "--yes"]).code(2).err();
    assert!(refused.contains("one configuration for all of its worktrees"), "{refused}");
    let who = ["-c", "user.name=Alice", "-c", "user.email=alice@example.org"];
    sandbox.git([&who[..], &["commit", "-q", "--allow-empty", "-m", "x"]].concat()).success();
    sandbox.git(["worktree", "add", "-q", "../linked"]).success();
    sandbox.git(["config", "extensions.worktreeConfig", "true"]).success();
    let linked = |arguments: &[&str]| sandbox.run_in("linked", WAXSEAL, [&["setup", "--worktree"], arguments].concat());
    linked(&["--instance", "home", "--yes"]).success();
    let instance = |folder: &str| sandbox.run_in(folder, "git", ["config", "waxseal.instance"]).out();
    assert_eq!((instance("linked"), instance("repository")), ("home\n".to_owned(), String::new()));
    linked(&["--undo", "--yes"]).success();
    assert_eq!(instance("linked"), "");
}

#[test]
fn evidence_of_others_is_fetched_and_merged() {
    let sandbox = Sandbox::with_stack();
    sandbox.run_in(".", "git", ["init", "-q", "--bare", "remote.git"]).success();
    sandbox.git(["remote", "add", "origin", "../remote.git"]).success();
    let setup = ["setup", "--instance", "home", "--yes"];
    let refused = sandbox.waxseal([&setup[..], &["--remote", "orgin"]].concat()).code(2).err();
    assert!(refused.contains("no remote \"orgin\"\nwaxseal: hint: --remote takes one of: origin\n"), "{refused}");
    // Git's own lock.
    sandbox.write("repository/.git/config.lock", "");
    let refused = sandbox.waxseal(setup).code(1).err();
    assert!(refused.contains("config.lock is there\nwaxseal: hint: nothing was changed; try again, "), "{refused}");
    std::fs::remove_file(sandbox.path("repository/.git/config.lock")).unwrap();
    let said = sandbox.waxseal(setup).success().out();
    assert!(said.contains("evidence is pushed by \"git push origin refs/notes/waxseal-evidence\"\n"), "{said}");
    sandbox.git(["commit", "-q", "--allow-empty", "-m", "one"]).success();
    // Neither does a remote without notes end a fetch, nor is anything but the branch pushed.
    sandbox.git(["push", "-q", "-u", "origin", "main"]).success();
    sandbox.git(["fetch"]).success();
    sandbox.git(["commit", "-q", "--allow-empty", "-m", "two"]).success();
    sandbox.git(["push", "-q"]).success();
    assert_eq!(sandbox.git(["rev-parse", "main"]).line(), sandbox.git(["rev-parse", "origin/main"]).line());

    let note = |text: &str, object: &str| {
        let add = ["-c", "core.editor=true", "notes", "--ref=waxseal-evidence", "add", "-f", "-m", text, object];
        sandbox.git(add).success();
    };
    note("theirs", "main");
    sandbox.git(["push", "-q", "origin", "refs/notes/waxseal-evidence"]).success();
    note("ours", "main~1");
    sandbox.git(["update-ref", "refs/notes/kept", "refs/notes/waxseal-evidence~1"]).success();
    sandbox.git(["update-ref", "-d", "refs/notes/waxseal-evidence"]).success();
    note("ours", "main");
    sandbox.git(["fetch", "-q", "--prune"]).success();
    sandbox.git(["notes", "--ref=waxseal-evidence", "merge", "-q", "origin/waxseal-evidence"]).success();
    let merged = sandbox.git(["notes", "--ref=waxseal-evidence", "show", "main"]).success().out();
    assert!(merged.contains("ours\n") && merged.contains("theirs\n"), "{merged}");

    // Who pushes by refspecs already pushes evidence as well.
    sandbox.git(["config", "remote.origin.push", "HEAD"]).success();
    sandbox.waxseal(setup).success();
    let push = sandbox.git(["config", "--get-all", "remote.origin.push"]).out();
    assert_eq!(push, "HEAD\nrefs/notes/waxseal-evidence*:refs/notes/waxseal-evidence*\n");
    sandbox.git(["push", "-q"]).success();
    assert_eq!(
        sandbox.git(["ls-remote", "origin", "refs/notes/waxseal-evidence"]).line().split('\t').next(),
        Some(&*sandbox.git(["rev-parse", "refs/notes/waxseal-evidence"]).line())
    );
}

#[test]
fn a_killed_setup_leaves_nothing_that_the_next_one_does_not_mend() {
    let sandbox = Sandbox::with_stack();
    let setup = ["setup", "--instance", "home", "--yes"];
    let folder = sandbox.path("repository/.git/waxseal");
    let before = std::fs::read(sandbox.path("repository/.git/config")).unwrap();
    sandbox.waxseal(setup).success();
    // Killed after the change, before its record was in its place; and another one before the change.
    std::fs::rename(folder.join("setup-local.json"), folder.join(".setup-local-abcdef")).unwrap();
    std::fs::write(folder.join(".setup-local-ghijkl"), "{").unwrap();
    sandbox.waxseal(setup).success();
    let left: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["setup-local.json"]);
    sandbox.waxseal(["setup", "--undo", "--yes"]).success();
    assert_eq!(std::fs::read(sandbox.path("repository/.git/config")).unwrap(), before);
    assert!(!folder.exists());

    // Nor does --force leave a file where there was none.
    std::fs::remove_file(sandbox.path("home/.gitconfig")).unwrap();
    sandbox.waxseal([&setup[..], &["--global"]].concat()).success();
    sandbox.git(["config", "--global", "--unset", "tag.gpgsign"]).success();
    sandbox.waxseal(["setup", "--global", "--undo", "--yes", "--force"]).success();
    assert!(!sandbox.path("home/.gitconfig").exists());
}
