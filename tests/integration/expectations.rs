//! What a checkout brings along, and what strangers can push, raises no trust.

use super::sandbox::{ALICE, BOB, Sandbox};

#[test]
fn nothing_in_the_work_tree_changes_trust() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(BOB);
    let commit = sandbox.gallery().by_alice;
    let refused = sandbox.waxseal(["verify", &commit]).code(1);
    // Files of every name that some tool reads from a checkout, saying that Alice may sign and which program to run.
    let allow = format!(
        "[waxseal]\n\tallow = {ALICE} {}\n\tbrowser = touch ../was-run\n\ttokenCommand = touch ../was-run\n",
        sandbox.issuer()
    );
    let policy = format!(
        "version = 1\n[[rule]]\nname = \"all\"\nissuer = \"{}\"\ninstance = \"home\"\nemail = [\"{ALICE}\"]\n",
        sandbox.issuer()
    );
    for (file, text) in [
        (".gitconfig", &allow),
        (".waxseal", &allow),
        (".waxsealconfig", &allow),
        ("config", &allow),
        ("waxseal.toml", &policy),
        ("policy.toml", &policy),
        (".waxseal.toml", &policy),
        (".env", &format!("WAXSEAL_ALLOW={ALICE} {}\n", sandbox.issuer())),
        ("trusted_root.json", &"{}".to_owned()),
        ("instances/home/trusted_root.json", &"{}".to_owned()),
        (".gitmodules", &allow),
        (".gitattributes", &"* waxseal=allow\n".to_owned()),
    ] {
        let path = sandbox.path("repository").join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let again = sandbox.waxseal(["verify", &commit]).code(1);
    assert_eq!((again.out(), again.err()), (refused.out(), refused.err()));
    sandbox.git(["verify-commit", &commit]).code(1);
    assert!(!sandbox.path("was-run").exists());
}

#[test]
fn mailmap_committer_branches_and_notes_raise_no_trust() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    // Bob signs, and says in every place that is his to write that he is Alice.
    sandbox
        .git([
            "-c",
            &format!("waxseal.loginHint={BOB}"),
            "-c",
            "user.name=Alice",
            "commit",
            "--quiet",
            "--allow-empty",
            "-S",
            "-m",
            "As Alice",
            "-m",
            &format!("Signed-off-by: Alice <{ALICE}>"),
        ])
        .success();
    let commit = sandbox.git(["rev-parse", "HEAD"]).success().out().trim().to_owned();
    assert_eq!(sandbox.git(["log", "-1", "--format=%an %ae %cn %ce"]).out(), format!("Alice {ALICE} Alice {ALICE}\n"));
    let judged = || {
        let ran = sandbox.waxseal(["verify", &commit]).code(1);
        assert_eq!(sandbox.git(["verify-commit", &commit]).code, Some(1));
        let status = sandbox.git(["log", "-1", "--format=%G? %GS", &commit]).success().out();
        (ran.out(), ran.err(), status)
    };
    let before = judged();
    assert!(before.0.starts_with("NOT ALLOWED") && before.0.contains(BOB), "{}", before.0);
    assert_eq!(before.2, format!("U {}\n", sandbox.signer(BOB)));
    std::fs::write(sandbox.path("repository/.mailmap"), format!("Alice <{ALICE}> <{BOB}>\n")).unwrap();
    sandbox.git(["config", "log.mailmap", "true"]).success();
    sandbox.git(["branch", &format!("signed-by/{ALICE}")]).success();
    sandbox.git(["tag", "verified"]).success();
    for reference in ["refs/notes/commits", "refs/notes/waxseal-evidence", "refs/notes/signatures"] {
        let note = format!("verified, allowed: {ALICE}");
        sandbox.git(["notes", "--ref", reference, "add", "-f", "-m", &note, &commit]).success();
    }
    assert_eq!(judged(), before);
}
