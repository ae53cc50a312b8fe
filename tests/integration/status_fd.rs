//! What Git hears of each verdict, and what its users make of it.

use std::process::Stdio;

use super::sandbox::{ALICE, Ran, Sandbox, WAXSEAL, program};

const ALL: &str = "%G?|%GS|%GK|%GF|%GP|%GT";
const NO_POLICY: [&str; 2] = ["-c", "waxseal.allow="];

#[test]
fn every_verdict_in_git_s_words() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let gallery = sandbox.gallery();
    // Neither the network nor the service is needed for any of this.
    let (signer, bob) = ("alice@example.org (STACK/oidc)", "bob@example.org (STACK/oidc)");
    let good = format!("[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG SHA1 {signer}\n{VALID}");
    let mut told = Vec::new();
    for (what, commit, options, code, log, raw, words) in [
        (
            "allowed",
            &gallery.by_alice,
            &[][..],
            0,
            format!("G|{signer}|SHA1|SHA1|SHA256|fully"),
            format!("{good}[GNUPG:] TRUST_FULLY 0 shell\n"),
            "waxseal: good signature by alice@example.org via STACK/oidc, TIME, log 2, allowed (waxseal.allow alice@example.org)\n",
        ),
        (
            "no policy",
            &gallery.by_alice,
            &NO_POLICY,
            0,
            format!("U|{signer}|SHA1|SHA1|SHA256|undefined"),
            format!("{good}[GNUPG:] TRUST_UNDEFINED 0 shell\n"),
            "waxseal: good signature by alice@example.org via STACK/oidc, TIME, log 2, no policy\n\
             waxseal: hint: to admit this signer: git config --add waxseal.allow 'alice@example.org STACK/oidc home'\n",
        ),
        (
            "not allowed",
            &gallery.by_bob,
            &[],
            1,
            format!("U|{bob}|SHA1|SHA1|SHA256|never"),
            format!("{}[GNUPG:] TRUST_NEVER 0 shell\n", good.replace(signer, bob)),
            "waxseal: good signature by bob@example.org via STACK/oidc, TIME, log 1, NOT allowed\n\
             waxseal: hint: no rule of waxseal.allow admits it at the instance home\n",
        ),
        (
            "tampered",
            &gallery.tampered,
            &[],
            1,
            format!("B|{signer}|SHA1|||undefined"),
            format!("[GNUPG:] NEWSIG\n[GNUPG:] BADSIG SHA1 {signer}\n{UNDEFINED}"),
            "waxseal: BAD signature: the content is not what was signed (signed by alice@example.org via STACK/oidc)\n\
             waxseal: hint: payload-mismatch: do not trust it: it was changed after it was signed\n",
        ),
        (
            "unknown CA",
            &gallery.by_alice,
            &["-c", "waxseal.trust=public-good"],
            1,
            "E||-|||undefined".to_owned(),
            format!("{NOTHING_TO_VERIFY_WITH}{UNDEFINED}"),
            "waxseal: BAD signature: the certificate authority \"CN=waxseal intermediate,O=127.0.0.1:PORT\" is not trusted\n\
             waxseal: hint: unknown-ca: if you trust the instance that it is of, \"waxseal trust add\" adds it; if it is of a known one that \
             renewed its trusted root, \"waxseal trust refresh\" gets that; trusted now: public-good (trusted root of 2025-09-23)\n",
        ),
        (
            "online mode",
            &gallery.online,
            &[],
            1,
            "E||-|||undefined".to_owned(),
            format!("{NOTHING_TO_VERIFY_WITH}{UNDEFINED}"),
            "waxseal: cannot decide: the signature carries no log entry; only the log itself could show one\n\
             waxseal: hint: log-entry-absent: \"waxseal evidence fetch\" asks the log and keeps the proof; or ask the signer to sign again with the proof inside (gitsign: \"rekorMode = offline\")\n",
        ),
        (
            "garbled",
            &gallery.garbled,
            &[],
            1,
            "E||-|||undefined".to_owned(),
            format!("[GNUPG:] NEWSIG\n[GNUPG:] NODATA 4\n[GNUPG:] ERRSIG - 19 8 00 0 4\n{UNDEFINED}"),
            "waxseal: BAD signature: the signature is not base64\n\
             waxseal: hint: malformed-signature: ask the signer what made it, and to sign again\n",
        ),
        (
            "OpenPGP, were waxseal called for it",
            &gallery.openpgp,
            &["-c", "gpg.openpgp.program=PROGRAM"],
            1,
            "E||-|||undefined".to_owned(),
            format!("{NOTHING_TO_VERIFY_WITH}{UNDEFINED}"),
            "waxseal: cannot decide: an OpenPGP signature\n\
             waxseal: hint: openpgp-signature: \"waxseal verify\" judges it under a rule that names its key (\"docs/policy.md\"); so do \"git verify-commit\" and \"git verify-tag\", with \"gpg.program\"\n",
        ),
    ] {
        let git = |arguments: &[&str]| {
            let program = format!("gpg.openpgp.program={WAXSEAL}");
            let options = options.iter().map(|option| if option.ends_with("=PROGRAM") { &program } else { *option });
            sandbox.git(options.chain(arguments.iter().copied()))
        };
        let mask = |text: String| sandbox.masked(&text);
        assert_eq!(
            mask(git(&["log", "--no-walk", &format!("--format={ALL}"), commit]).success().line()),
            log,
            "{what}"
        );
        let first = git(&["verify-commit", "--raw", commit]).code(code);
        assert_eq!(mask(first.err()), raw, "{what}");
        assert_eq!(git(&["verify-commit", "--raw", commit]).stderr, first.stderr, "{what}, again");
        told.push((what, mask(git(&["verify-commit", commit]).code(code).err()), words));
    }
    let differing: Vec<_> = told.iter().filter(|(_, told, words)| told != words).collect();
    assert!(differing.is_empty(), "{differing:#?}");
    // Git itself does not ask.
    assert_eq!(sandbox.git(["log", "--no-walk", "--format=%G?", &gallery.unsigned]).line(), "N");
    sandbox.git(["verify-commit", &gallery.unsigned]).code(1);
}

#[test]
fn whatever_is_changed_or_added_is_noticed() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let gallery = sandbox.gallery();
    sandbox
        .git(["tag", "-s", "-m", "quoted:\n-----BEGIN PGP SIGNATURE-----\nnothing", "v1", &gallery.by_bob])
        .success();
    sandbox.git(["verify-tag", "v1"]).success();
    sandbox.git(["reset", "-q", "--hard", &gallery.by_alice]).success();
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "topic"]).success();
    sandbox.git(["tag", "-s", "-m", "to be merged", "v2"]).success();
    sandbox.git(["reset", "-q", "--hard", &gallery.by_alice]).success();
    sandbox.git(["merge", "-q", "--no-ff", "-S", "-m", "merged", "v2"]).success();

    let read = |kind: &str, name: &str| sandbox.git(["cat-file", kind, name]).success().out();
    let (commit, merge, tag) = (read("commit", &gallery.by_alice), read("commit", "HEAD"), read("tag", "v1"));
    let letter = |raw: &str| {
        let id = sandbox.hash_object("commit", raw.as_bytes());
        let own = sandbox.waxseal(["verify", &id]).code(1).out();
        let git = sandbox.git(["log", "--no-walk", "--format=%G?", &id]).success().line();
        format!("{git} {}", own.split(' ').next().unwrap())
    };
    let changed = |text: &str, from: &str, to: &str| {
        assert!(text.contains(from), "{from}: {text}");
        text.replacen(from, to, 1)
    };
    let parent = format!("\nparent {}\n", gallery.by_bob);
    assert_eq!(letter(&changed(&commit, "author Alice", "author Mallory")), "B REJECTED");
    assert_eq!(letter(&changed(&commit, " +0000\ngpgsig", " +0100\ngpgsig")), "B REJECTED");
    assert_eq!(letter(&changed(&commit, "\ngpgsig", "\nencoding UTF-8\ngpgsig")), "B REJECTED");
    assert_eq!(letter(&changed(&commit, &parent, &parent.repeat(2).replace("\n\n", "\n"))), "B REJECTED");
    assert_eq!(letter(&changed(&merge, " to be merged\n", " to be released\n")), "B REJECTED");
    // What Git leaves out of the payload is not signed, and nothing of it is believed.
    let signature = commit.split("gpgsig ").nth(1).unwrap().split("\n\n").next().unwrap();
    let twice = format!("\ngpgsig {signature}\ngpgsig {signature}\n\n");
    assert_eq!(letter(&changed(&commit, &format!("\ngpgsig {signature}\n\n"), &twice)), "E REJECTED");
    let openpgp = "gpgsig -----BEGIN PGP SIGNATURE-----\n AAAA\n -----END PGP SIGNATURE-----";
    let both = format!("\ngpgsig {signature}\n{openpgp}\n\n");
    assert_eq!(letter(&changed(&commit, &format!("\ngpgsig {signature}\n\n"), &both)), "E REJECTED");
    assert_eq!(letter(&changed(&commit, "\ngpgsig ", "\ngpgsig-sha256 ")), "N UNSIGNED");
    assert_eq!(letter(&changed(&commit, "\n -----END SIGNED MESSAGE-----", "")), "E REJECTED");

    for (from, to) in [("tag v1\n", "tag v9\n"), ("quoted:\n", "said:\n"), (gallery.by_bob.as_str(), &gallery.by_alice)]
    {
        let id = sandbox.hash_object("tag", changed(&tag, from, to).as_bytes());
        let told = sandbox.git(["verify-tag", "--raw", &id]).code(1).err();
        assert!(told.contains("\n[GNUPG:] BADSIG "), "{from}: {told}");
        assert!(sandbox.waxseal(["verify", &id]).code(1).out().starts_with("REJECTED "), "{from}");
    }
}

#[test]
fn a_signature_in_ssh_s_format_is_none_of_ours() {
    let sandbox = Sandbox::new();
    let signature = sandbox.write("signature", "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n");
    let verified = verify(&sandbox, signature.to_str().unwrap(), "-", b"payload").code(1);
    assert_eq!(verified.out(), format!("{NOTHING_TO_VERIFY_WITH}{UNDEFINED}"));
    assert_eq!(
        verified.err(),
        "waxseal: cannot decide: an SSH signature\n\
         waxseal: hint: ssh-signature: \"waxseal verify\" judges it under a rule that names its key (\"docs/policy.md\"); so do \"git verify-commit\" and \"git verify-tag\", with \"gpg.ssh.allowedSignersFile\"\n"
    );
}

#[test]
fn no_network_is_needed() {
    let mut sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "one"]).success();
    sandbox.kill_stack();
    sandbox.git(["verify-commit", "HEAD"]).success();
    // gpg.format chooses who signs; who verifies is chosen by the signature.
    sandbox.git(["-c", "gpg.format=openpgp", "verify-commit", "HEAD"]).success();
    sandbox.waxseal(["verify"]).success();
}

#[test]
fn verifying_opens_no_socket_and_starts_no_process() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let strace = program("strace").filter(|_| sandbox.sh("strace -o /dev/null true").code == Some(0));
    if strace.is_none() {
        println!("skipped: strace does not work here");
        return;
    }
    let gallery = sandbox.gallery();
    let trace = |arguments: &[&str]| {
        let mut strace = sandbox.command("strace");
        strace.args(["-f", "-qq", "-o", "../trace", "-e", "trace=%network,%process", WAXSEAL]).args(arguments);
        Ran::of(&mut strace, b"payload");
        let trace = std::fs::read_to_string(sandbox.path("trace")).unwrap();
        let calls = trace.lines().map(|line| line.split_once(' ').unwrap().1.trim_start().to_owned());
        calls.filter(|call| !call.starts_with("exit") && !call.starts_with("wait")).collect::<Vec<_>>()
    };
    let raw = sandbox.git(["cat-file", "commit", &gallery.by_alice]).success().out();
    let armor = raw.split("gpgsig ").nth(1).unwrap().split("\n\n").next().unwrap().replace("\n ", "\n");
    let signature = sandbox.write("signature", format!("{armor}\n"));
    for arguments in [
        &["--status-fd=1", "--verify", signature.to_str().unwrap(), "-"][..],
        &["verify", &gallery.by_alice, &gallery.tampered, &gallery.online, &gallery.unsigned],
    ] {
        let calls = trace(arguments);
        let forbidden: Vec<_> = calls.iter().skip(1).collect();
        assert!(calls[0].starts_with("execve("), "{calls:?}");
        assert!(forbidden.is_empty(), "{arguments:?}: {forbidden:?}");
    }
}

#[test]
fn merges_and_minimal_trust_heed_the_policy() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "base"]).success();
    let base = sandbox.git(["rev-parse", "HEAD"]).line();
    let gallery = sandbox.gallery();
    let merge = |options: &[&str], commit: &str| {
        sandbox.git(["reset", "-q", "--hard", &base]).success();
        sandbox.git(options.iter().chain(&["merge", "-q", "--verify-signatures", commit]))
    };
    merge(&[], &gallery.by_alice).success();
    let signer = sandbox.signer(ALICE);
    for (what, commit, options, why) in [
        (
            "no policy",
            &gallery.by_alice,
            &NO_POLICY[..],
            format!("has an untrusted GPG signature, allegedly by {signer}."),
        ),
        ("not allowed", &gallery.by_bob, &[], "has an untrusted GPG signature, allegedly by bob@".to_owned()),
        ("tampered", &gallery.tampered, &[], format!("has a bad GPG signature allegedly by {signer}.")),
        ("online mode", &gallery.online, &[], "does not have a GPG signature.".to_owned()),
        ("unsigned", &gallery.unsigned, &[], "does not have a GPG signature.".to_owned()),
    ] {
        let refused = merge(options, commit).code(128).err();
        assert!(refused.contains(&why), "{what}: {refused}");
    }

    let verify = |minimum: &str, policy: &[&str], commit: &str| {
        let minimum = format!("gpg.minTrustLevel={minimum}");
        sandbox.git(["-c", &minimum].iter().chain(policy).chain(&["verify-commit", commit])).code
    };
    assert_eq!(verify("fully", &[], &gallery.by_alice), Some(0));
    assert_eq!(verify("ultimate", &[], &gallery.by_alice), Some(1));
    assert_eq!(verify("undefined", &NO_POLICY, &gallery.by_alice), Some(0));
    assert_eq!(verify("marginal", &NO_POLICY, &gallery.by_alice), Some(1));
    assert_eq!(verify("undefined", &[], &gallery.by_bob), Some(1));
}

#[test]
fn whoever_looks_at_goodsig_alone_is_not_fooled() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    // jj and gitoxide hand over the payload as a file.
    let payload = sandbox.write("payload", "payload\n");
    let sign = |address: &str| {
        let mut sign = sandbox.command(WAXSEAL);
        let armor = Ran::of(sign.args(["-abu", address]).env("WAXSEAL_ID_TOKEN", sandbox.token(address)), b"payload\n");
        sandbox.write(&format!("by {address}"), armor.success().stdout).to_str().unwrap().to_owned()
    };
    let (by_alice, by_bob) = (sign(ALICE), sign("bob@example.org"));
    let file = payload.to_str().unwrap();
    assert!(verify(&sandbox, &by_alice, file, b"").success().out().contains("\n[GNUPG:] GOODSIG "));
    assert!(verify(&sandbox, &by_bob, "-", b"payload\n").code(1).out().contains("\n[GNUPG:] TRUST_NEVER "));
    let refusal = format!("{NOTHING_TO_VERIFY_WITH}{UNDEFINED}");
    let refused = verify(&sandbox, &by_bob, file, b"").code(1);
    assert_eq!(refused.out(), refusal);
    assert!(refused.err().contains(", NOT allowed\n"), "{}", refused.err());
    sandbox.config("waxseal.allow", "");
    let refused = verify(&sandbox, &by_alice, file, b"").code(1);
    assert_eq!(refused.out(), refusal);
    assert!(refused.err().contains(", no policy\n"), "{}", refused.err());
}

#[test]
fn a_hook_hears_nothing_good_of_a_push_that_is_not_allowed() {
    let sandbox = Sandbox::with_stack();
    sandbox.run_in(".", "git", ["init", "-q", "--bare", "server"]).success();
    sandbox.run_in("server", "git", ["config", "receive.certNonceSeed", "a secret of the server's"]).success();
    let hook = "#!/bin/sh\nprintf '%s|%s|%s\\n' \"$GIT_PUSH_CERT_STATUS\" \"$GIT_PUSH_CERT_SIGNER\" \"$GIT_PUSH_CERT_KEY\" >heard\n";
    let hook = sandbox.write("server/hooks/post-receive", hook);
    sandbox.run_in(".", "chmod", ["+x", hook.to_str().unwrap()]).success();
    let pushed = |branch: &str| {
        sandbox.git(["commit", "-q", "--allow-empty", "-m", "one"]).success();
        sandbox.git(["push", "-q", "--signed", "../server", &format!("HEAD:refs/heads/{branch}")]).success();
        std::fs::read_to_string(sandbox.path("server/heard")).unwrap()
    };
    assert_eq!(pushed("no-policy"), "E||-\n");
    sandbox.allow("somebody.else@example.org");
    assert_eq!(pushed("not-allowed"), "E||-\n");
}

#[test]
fn settings_that_cannot_be_read_decide_nothing() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let long = "a line of a commit message\n".repeat(8_000);
    let commit = sandbox.commit_tree(long.as_bytes());
    for (setting, words) in [
        (
            "waxseal.allow=alice@example.org",
            "waxseal: cannot decide: waxseal.allow \"alice@example.org\": the issuer that vouches for the identity is missing\n\
             waxseal: hint: an item is \"[glob:]IDENTITY ISSUER [INSTANCE]\", as in \"alice@example.org https://accounts.example.org\"\n",
        ),
        (
            "waxseal.trust=nobody",
            "waxseal: cannot decide: there is no instance nobody\n\
             waxseal: hint: \"waxseal trust list\" lists the instances; \"waxseal trust add\" adds one\n",
        ),
        (
            "waxseal.acceptPublic=perhaps",
            "waxseal: cannot decide: waxseal.acceptPublic is no boolean: \"perhaps\"\n\
             waxseal: hint: git's booleans are true, yes, on, 1 and false, no, off, 0\n",
        ),
    ] {
        assert_eq!(sandbox.git(["-c", setting, "verify-commit", &commit]).code(1).err(), words);
        let log = sandbox.git(["-c", setting, "log", "--no-walk", "--format=%G?%GT", &commit]).line();
        assert_eq!(log, "Eundefined");
    }
    let home = sandbox.path("home/.local/share/waxseal/instances/home");
    std::fs::write(home.join("trusted_root.json"), "{").unwrap();
    let refused = sandbox.git(["verify-commit", &commit]).code(1).err();
    assert_eq!(
        refused,
        "waxseal: cannot decide: the trusted root of instance home cannot be used: not a trusted root: EOF while parsing an object at line 1 column 1\n\
         waxseal: hint: if it was added before: \"waxseal trust remove home\", then add it again\n"
    );
}

#[test]
fn the_payload_is_taken_whole_even_when_verifying_fails_early() {
    let sandbox = Sandbox::new();
    let mut verify = sandbox.command(WAXSEAL);
    verify.args(["--status-fd=1", "--verify", "no-such-file", "-"]);
    let mut child = verify.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let payload = vec![b'x'; 1 << 20];
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), &payload).expect("all of it is read");
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    let said = String::from_utf8_lossy(&ended.stderr);
    let why = "waxseal: cannot decide: the signature cannot be read from no-such-file: No such file or directory (os error 2)\n";
    assert!(said.starts_with(why), "{said}");
}

#[test]
fn status_lines_that_nobody_gets_are_a_failure() {
    let sandbox = Sandbox::with_stack();
    let sign = r#"printf 'payload\n' | "$WAXSEAL" -abu alice@example.org"#;
    let signature = sandbox.sh(sign).success().stdout;
    sandbox.write("repository/signature", signature);
    let verify = r#"printf 'payload\n' | "$WAXSEAL" --verify signature -"#;
    let full = sandbox.sh(&format!("{verify} --status-fd=1 >/dev/full")).code(1);
    assert!(
        full.err().contains("waxseal: error: the status lines could not be written: No space left on device"),
        "{}",
        full.err()
    );
    // Another descriptor than the standard ones, and none at all.
    let other = sandbox.sh(&format!("{verify} --status-fd=7 7>status; cat status")).success().out();
    assert!(other.starts_with("[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG "), "{other}");
    assert_eq!(sandbox.sh(verify).success().out(), "");
    sandbox.sh(&format!("{verify} --status-fd=1 2>&-")).success();
    // What a caller has open for reading is not written to.
    sandbox.write("repository/precious", "precious\n");
    for (number, says) in [
        (7, "file descriptor 7 is open for reading only\n"),
        (1, "the status lines could not be written: standard output is not open for writing\n"),
        (2, ""),
    ] {
        let refused = sandbox.sh(&format!("{verify} --status-fd={number} {number}<precious")).code(1);
        assert!(refused.err().contains(says), "{}", refused.err());
    }
    assert_eq!(sandbox.sh("cat precious").success().out(), "precious\n");
    // Nobody wants them there, and nothing is wrong.
    sandbox.sh(&format!("{verify} --status-fd=1 1<>/dev/null")).success();
}

fn verify(sandbox: &Sandbox, signature: &str, payload: &str, stdin: &[u8]) -> Ran {
    let mut verify = sandbox.command(WAXSEAL);
    Ran::of(verify.args(["--status-fd=1", "--verify", signature, payload]), stdin)
}

const VALID: &str = "[GNUPG:] VALIDSIG SHA1 DATE SECONDS 0 0 0 19 8 00 SHA256\n";
const UNDEFINED: &str = "[GNUPG:] TRUST_UNDEFINED 0 shell\n";
const NOTHING_TO_VERIFY_WITH: &str = "[GNUPG:] NEWSIG\n[GNUPG:] ERRSIG - 19 8 00 0 9\n[GNUPG:] NO_PUBKEY -\n";
