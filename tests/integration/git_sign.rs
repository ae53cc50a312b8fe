//! What Git signs, Git verifies.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use waxseal::cms::armor;

use super::sandbox::{ALICE, BOB, Ran, Sandbox, WAXSEAL, http, words};

#[test]
fn what_git_signs_git_verifies() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "one"]).success();
    let log = || sandbox.git(["log", "-1", "--format=%G? %GS %GT"]).success().line();
    assert_eq!(log(), format!("G {} fully", sandbox.signer(ALICE)));
    let verified = sandbox.git(["verify-commit", "HEAD"]).success();
    assert_eq!(
        sandbox.masked(&verified.err()),
        "waxseal: good signature by alice@example.org via STACK/oidc, TIME, log 1, allowed (waxseal.allow alice@example.org)\n"
    );

    sandbox.git(["commit", "-q", "--amend", "-S", "--allow-empty", "-m", "one, amended"]).success();
    assert_eq!(log(), format!("G {} fully", sandbox.signer(ALICE)));
    assert_eq!(sandbox.git(["cat-file", "-p", "HEAD"]).out().matches("gpgsig ").count(), 1);
    // As Git has it: without -S the amended commit is unsigned, whatever it was before.
    sandbox.git(["commit", "-q", "--amend", "--allow-empty", "-m", "one, unsigned"]).success();
    assert_eq!(log(), "N  undefined");

    sandbox.config("commit.gpgSign", "true");
    sandbox.config("tag.gpgSign", "true");
    sandbox.git(["commit", "-q", "--allow-empty", "-m", "two"]).success();
    sandbox.git(["tag", "-m", "annotated", "v1"]).success();
    assert_eq!(log(), format!("G {} fully", sandbox.signer(ALICE)));
    sandbox.git(["verify-tag", "v1"]).success();
}

#[test]
fn a_merge_of_a_signed_tag_carries_the_tag() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "base"]).success();
    sandbox.git(["checkout", "-q", "-b", "topic"]).success();
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "topic"]).success();
    sandbox.git(["tag", "-s", "-m", "a release", "v1"]).success();
    sandbox.git(["checkout", "-q", "main"]).success();
    sandbox.git(["merge", "-q", "--no-ff", "--no-edit", "-S", "v1"]).success();

    let merge = sandbox.git(["cat-file", "-p", "HEAD"]).success().out();
    assert_eq!(merge.matches("\nmergetag object ").count(), 1, "{merge}");
    sandbox.git(["verify-commit", "HEAD"]).success();
    let shown = sandbox.git(["log", "-1", "--show-signature"]).success().out();
    assert_eq!(shown.matches("waxseal: good signature by alice@example.org").count(), 3, "{shown}");
    // Git puts what the verifier says into the message: nothing of this machine stands there, and no control character.
    let message = merge.rsplit_once("\n\n").unwrap().1;
    assert!(message.contains("# waxseal: good signature by alice@example.org"), "{message}");
    assert!(!message.contains(sandbox.path("").to_str().unwrap()) && !message.contains('\x1b'), "{message}");
}

#[test]
fn rebase_signs_every_commit() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    sandbox.git(["commit", "-q", "--allow-empty", "-m", "base"]).success();
    for number in 1..=5 {
        sandbox.write(&format!("repository/file{number}"), "content");
        sandbox.git(["add", "."]).success();
        sandbox.git(["commit", "-q", "-m", &format!("change {number}")]).success();
    }
    sandbox.git(["rebase", "-q", "--force-rebase", "-S", "HEAD~5"]).success();
    let log = sandbox.git(["log", "--format=%G? %s"]).success().out();
    assert_eq!(log, "G change 5\nG change 4\nG change 3\nG change 2\nG change 1\nN base\n");
}

#[test]
fn a_signed_push_reaches_the_hook() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    sandbox.run_in(".", "git", ["init", "-q", "--bare", "server"]).success();
    sandbox.run_in("server", "git", ["config", "receive.certNonceSeed", "a secret of the server's"]).success();
    let hook = sandbox.write(
        "server/hooks/post-receive",
        "#!/bin/sh\nprintf '%s|%s|%s\\n' \"$GIT_PUSH_CERT_STATUS\" \"$GIT_PUSH_CERT_SIGNER\" \"$GIT_PUSH_CERT_NONCE_STATUS\" >heard\n",
    );
    sandbox.run_in(".", "chmod", ["+x", hook.to_str().unwrap()]).success();
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "one"]).success();
    sandbox.git(["push", "-q", "--signed", "../server", "main"]).success();
    let heard = std::fs::read_to_string(sandbox.path("server/heard")).unwrap();
    assert_eq!(heard, format!("G|{}|OK\n", sandbox.signer(ALICE)));
}

#[test]
fn payloads_are_bytes() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let good = |commit: &str| sandbox.git(["verify-commit", commit]).success();
    good(&sandbox.commit_tree(b"subject\r\n\r\nbody with CRLF\r\n"));
    good(&sandbox.commit_tree(b"no final newline"));
    good(&sandbox.commit_tree(b""));
    good(&sandbox.commit_tree(format!("subject\n\n{}\n", "x".repeat(70_000)).as_bytes()));
    good(&sandbox.commit_tree("a line of a commit message\n".repeat(8_000).as_bytes()));
    good(&sandbox.commit_tree(b"-----BEGIN PGP SIGNATURE-----\nquoted\n-----BEGIN SIGNED MESSAGE-----\nquoted\n"));
    sandbox.config("i18n.commitEncoding", "ISO-8859-1");
    let latin = sandbox.commit_tree(b"Gr\xfc\xdfe");
    assert!(sandbox.git(["cat-file", "-p", &latin]).out().contains("\nencoding ISO-8859-1\n"));
    good(&latin);

    // Git writes no NUL, and signs and verifies one all the same.
    let tree = sandbox.git(["mktree"]).success().line();
    let person = "Alice <alice@example.org> 1580608922 +0000";
    let payload = format!("tree {tree}\nauthor {person}\ncommitter {person}\n\nsubject\0rest\n");
    let signature = sign(&sandbox, &words("--status-fd=2 -bsau alice@example.org"), payload.as_bytes()).success().out();
    let header = format!("gpgsig {}\n\nsubject", signature.trim_end().replace('\n', "\n "));
    good(&sandbox.hash_object("commit", payload.replace("\nsubject", &header).as_bytes()));

    // In a tag Git looks for the beginning of a line.
    sandbox.write("message", "no final newline");
    let tag = ["tag", "-s", "--cleanup=verbatim", "-F", "../message", "v1", &latin];
    sandbox.git(tag).code(128);
    assert_eq!(
        sandbox.last_error(),
        "error: the tag's message does not end in a line feed, so Git would not find the signature after it\n\
         hint: end the message with a line feed, or leave out --cleanup=verbatim\n"
    );
    assert_eq!(sandbox.git(["tag"]).out(), "");
}

#[test]
fn a_sha256_repository_is_signed_too() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    sandbox.run_in(".", "git", ["init", "-q", "--object-format=sha256", "long"]).success();
    let git = |arguments: &[&str]| sandbox.run_in("long", "git", arguments).success();
    git(&["commit", "-q", "--allow-empty", "-S", "-m", "one"]);
    git(&["tag", "-s", "-m", "one", "v1"]);
    assert!(git(&["cat-file", "-p", "HEAD"]).out().contains("\ngpgsig-sha256 -----BEGIN SIGNED MESSAGE-----\n"));
    git(&["verify-commit", "HEAD"]);
    git(&["verify-tag", "v1"]);
    sandbox.run_in("long", WAXSEAL, ["verify", "HEAD", "v1"]).success();
}

#[test]
fn a_linked_worktree_has_its_own_settings() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    sandbox.allow(BOB);
    sandbox.git(["commit", "-q", "--allow-empty", "-m", "base"]).success();
    sandbox.git(["config", "extensions.worktreeConfig", "true"]).success();
    sandbox.git(["worktree", "add", "-q", "../linked"]).success();
    let linked = |arguments: &[&str]| sandbox.run_in("linked", "git", arguments).success();
    linked(&["config", "--worktree", "waxseal.loginHint", BOB]);
    linked(&["commit", "-q", "--allow-empty", "-S", "-m", "by Bob"]);
    assert_eq!(linked(&["log", "-1", "--format=%G? %GS"]).line(), format!("G {}", sandbox.signer(BOB)));
    sandbox.run_in("linked", WAXSEAL, ["verify"]).success();
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "by Alice"]).success();
    assert_eq!(sandbox.git(["log", "-1", "--format=%GS"]).line(), sandbox.signer(ALICE));
    // What `git -c` sets wins.
    sandbox
        .git(["-c", "waxseal.loginHint=bob@example.org", "commit", "-q", "--allow-empty", "-S", "-m", "x"])
        .success();
    assert_eq!(sandbox.git(["log", "-1", "--format=%GS"]).line(), sandbox.signer(BOB));
}

#[test]
fn a_key_is_the_identity_to_come_or_nobody_s() {
    let sandbox = Sandbox::with_stack();
    let commit = |key: &str| sandbox.git(["commit", "-q", "--allow-empty", "-m", "one", &format!("-S{key}")]);
    for key in ["alice@example.org", "<alice@example.org>", "Somebody <alice@example.org>", "0xDEADBEEF", "Alice"] {
        commit(key).success();
    }
    sandbox.config("user.signingKey", "");
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "an empty key"]).success();
    sandbox.config("user.signingKey", "~/.ssh/id_ed25519.pub");
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "of another tool"]).success();

    let head = sandbox.git(["rev-parse", "HEAD"]).line();
    let entries = log_size(&sandbox);
    for key in
        ["mallory@example.org", "Mallory <mallory@example.org>", "ALICE@example.org", "https://example.org/workflow"]
    {
        commit(key).code(128);
        let address = key.rsplit(['<', ' ']).next().unwrap().trim_end_matches('>');
        let error = if key.contains("://") {
            format!(
                "error: the signature is wanted from {address}, and the identity token is that of alice@example.org\n\
                 hint: sign in as the one who is wanted, or change user.signingKey\n"
            )
        } else {
            // It is suggested at the login, and here nobody else can log in.
            format!(
                "error: the issuer refused the login: access_denied: nobody can log in under the address of login_hint\n\
                 hint: run the command again to sign in anew\n\
                 hint: the signature is wanted from {address}: so say user.signingKey, the caller's key or \
                 waxseal.matchCommitter\n"
            )
        };
        assert_eq!(sandbox.last_error(), error);
    }
    assert_eq!(sandbox.git(["rev-parse", "HEAD"]).line(), head);
    assert_eq!(log_size(&sandbox), entries, "nothing was issued, nothing logged");
}

#[test]
fn without_armor_the_signature_is_der() {
    let sandbox = Sandbox::with_stack();
    let signed = sign(&sandbox, &words("--status-fd=2 --sign --detach-sign"), b"payload\n").success();
    assert_eq!(signed.stdout[0], 0x30);
    let signature = sandbox.write("signature", armor::encode(&signed.stdout));
    let mut verify = sandbox.command(WAXSEAL);
    verify.args(["--status-fd=1", "--verify"]).arg(signature).arg("-");
    let verified = Ran::of(&mut verify, b"payload\n").success();
    assert!(verified.err().starts_with("waxseal: good signature by alice@example.org via "), "{}", verified.err());

    // -o: the file is whole, and stdout empty.
    let file = sandbox.path("file.pem");
    let arguments = ["--status-fd=2".into(), "-bsao".into(), file.clone().into_os_string()];
    assert_eq!(sign(&sandbox, &arguments, b"payload\n").success().out(), "");
    assert!(std::fs::read_to_string(file).unwrap().ends_with("-----END SIGNED MESSAGE-----\n"));
}

#[test]
fn a_token_in_the_environment_needs_no_login() {
    let sandbox = Sandbox::with_stack();
    sandbox.config("waxseal.browser", "false");
    let commit = |variables: &[(&str, &str)]| {
        let mut git = sandbox.command("git");
        git.args(["commit", "-q", "--allow-empty", "-S", "-m", "one"]).envs(variables.iter().copied());
        Ran::of(&mut git, b"")
    };
    let (alice, bob) = (sandbox.token(ALICE), sandbox.token(BOB));
    let signer = || sandbox.git(["log", "-1", "--format=%GS"]).line();
    commit(&[("SIGSTORE_ID_TOKEN", &bob)]).success();
    assert_eq!(signer(), sandbox.signer(BOB));
    commit(&[("SIGSTORE_ID_TOKEN", &bob), ("WAXSEAL_ID_TOKEN", &format!("{alice}\n"))]).success();
    assert_eq!(signer(), sandbox.signer(ALICE));
    commit(&[]).code(128);
    assert_eq!(
        sandbox.last_error(),
        "error: no browser could be started (false of waxseal.browser: exit status: 1), and nobody can be asked to open the \
         address: GIT_TERMINAL_PROMPT keeps waxseal from the terminal\n\
         hint: set waxseal.browser to one that starts, unset GIT_TERMINAL_PROMPT, or give an identity token in WAXSEAL_ID_TOKEN\n"
    );
}

#[test]
fn many_may_sign_at_once() {
    let sandbox = Sandbox::with_stack();
    let names = ["a", "b", "c", "d"];
    for name in names {
        sandbox.run_in(".", "git", ["init", "-q", name]).success();
    }
    let children: Vec<_> = names
        .iter()
        .map(|name| {
            let mut git = sandbox.command("git");
            git.args(["commit", "-q", "--allow-empty", "-S", "-m", name]).current_dir(sandbox.path(name));
            git.stdin(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let index = |name: &&str| {
        let shown = sandbox.run_in(name, "git", ["verify-commit", "HEAD"]).success().err();
        let line = shown.lines().next().unwrap().to_owned();
        line.split(", ").find_map(|part| part.strip_prefix("log ")).unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(names.iter().map(index).collect::<BTreeSet<_>>(), BTreeSet::from([1, 2, 3, 4]));
}

#[test]
fn half_a_signature_is_none() {
    let sandbox = Sandbox::with_stack();
    let sign = r#"printf 'payload\n' | "$WAXSEAL" --status-fd=2 -bsau alice@example.org"#;
    for (stdout, why) in [
        (">/dev/full", "waxseal: error: the signature cannot be written: No space left on device (os error 28)\n"),
        (">&-", "waxseal: error: standard output is closed, or leads nowhere\n"),
        ("1<>/dev/null", "waxseal: error: standard output is closed, or leads nowhere\n"),
        ("1</dev/zero", "waxseal: error: standard output is closed, or leads nowhere\n"),
        ("-o no/folder/signature", "waxseal: error: there is no folder no/folder\nwaxseal: hint: "),
        ("-o .git", "waxseal: error: the signature cannot be written to .git: "),
    ] {
        let refused = sandbox.sh(&format!("{sign} {stdout}")).code(1);
        assert!(refused.err().contains(why), "{stdout}: {}", refused.err());
        assert!(!refused.err().contains("SIG_CREATED"), "{stdout}: {}", refused.err());
        assert_eq!(refused.out(), "");
    }
    let mut sign = sandbox.command(WAXSEAL);
    let unread = Ran::unread(sign.args(["--status-fd=2", "-bsau", ALICE]), b"payload\n").code(1).err();
    assert!(unread.contains("waxseal: error: whoever wanted the signature has gone\n"), "{unread}");
    assert!(!unread.contains("SIG_CREATED"), "{unread}");
}

#[test]
fn the_payload_is_taken_whole_even_when_signing_fails_early() {
    let sandbox = Sandbox::new();
    // More than a pipe holds: whoever writes it would be killed, or wait for ever, were it not read.
    let long = "a line of a commit message\n".repeat(20_000);
    let mut git = sandbox.command("git");
    git.args(["commit", "-q", "--allow-empty", "-S", "-F", "-"]);
    Ran::of(&mut git, long.as_bytes()).code(128);
    let error = sandbox.last_error();
    assert!(error.starts_with("error: no Sigstore instance is chosen to sign with\nhint: "), "{error}");
    assert_eq!(sandbox.git(["rev-parse", "--verify", "-q", "HEAD"]).code(1).out(), "");
}

#[test]
fn an_interrupted_login_leaves_nothing_behind() {
    let sandbox = Sandbox::with_stack();
    sandbox.config("waxseal.browser", "sleep 5");
    let mut signer = sandbox.command(WAXSEAL);
    signer.args(["--status-fd=2", "-bsau", ALICE, "../message"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    sandbox.write("message", "payload\n");
    let child = signer.stdin(Stdio::null()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(700));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let ended = child.wait_with_output().unwrap();
    assert!(!ended.status.success());
    assert_eq!(String::from_utf8_lossy(&ended.stdout), "");
    assert!(!String::from_utf8_lossy(&ended.stderr).contains("SIG_CREATED"));
    assert_eq!(std::fs::read_dir(sandbox.path("tmp")).unwrap().count(), 0);
}

fn sign(sandbox: &Sandbox, arguments: &[impl AsRef<std::ffi::OsStr>], payload: &[u8]) -> Ran {
    Ran::of(sandbox.command(WAXSEAL).args(arguments), payload)
}

fn log_size(sandbox: &Sandbox) -> u64 {
    let log = http("GET", &format!("{}/rekor/api/v1/log", sandbox.url()), "", b"");
    log.json()["treeSize"].as_u64().unwrap()
}
