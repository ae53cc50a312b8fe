//! Who may sign: flags, `waxseal.allow`, the instance that a rule means, and the exit code of every answer.

use super::sandbox::{ALICE, BOB, Ran, Sandbox, Stack, WAXSEAL};

#[test]
fn flags_name_who_may_sign() {
    let sandbox = Sandbox::with_stack();
    let commit = sandbox.gallery().by_alice;
    let issuer = sandbox.issuer();
    let verify = |flags: &[&str]| sandbox.waxseal(["verify"].iter().chain(flags).chain(&[commit.as_str()]));
    let exact = |identity: &str, issuer: &str| {
        verify(&["--certificate-identity", identity, "--certificate-oidc-issuer", issuer])
    };
    let pattern = |identity: &str, issuer: &str| {
        verify(&["--certificate-identity-regexp", identity, "--certificate-oidc-issuer-regexp", issuer])
    };
    exact(ALICE, &issuer).success();
    let refused = exact(BOB, &issuer).code(1);
    assert_eq!(
        sandbox.masked(&refused.out()).split_once("  ").unwrap(),
        (
            "NOT ALLOWED",
            format!(
                "{}  alice@example.org (STACK/oidc)  TIME  Say hello\n1 object, 1 verified, 1 not allowed\n",
                &commit[..10]
            )
            .as_str()
        )
    );
    exact("Alice@example.org", &issuer).code(1);
    exact(ALICE, &format!("{issuer}/")).code(1);
    exact(ALICE, "https://accounts.google.com").code(1);
    exact("alice@example.o.g", &issuer).code(1);

    pattern(r"[a-z]+@example\.org", "http://127.*").success();
    pattern("alice@example", &issuer).code(1);
    pattern("lice@example.org", &issuer).code(1);
    pattern("alice|alice@example.org|bob", &issuer).success();
    pattern(ALICE, "http://127.0.0.1").code(1);
    let bad = pattern("a)|(.*", &issuer).code(2);
    assert!(
        bad.err().starts_with("waxseal: error: --certificate-identity-regexp: not a usable pattern: "),
        "{}",
        bad.err()
    );

    verify(&["--any-identity"]).success();
    // Flags take the place of the settings, and are not added to them.
    sandbox.allow(ALICE);
    verify(&[]).success();
    exact(BOB, &issuer).code(1);
    exact(ALICE, &issuer).success();
}

#[test]
fn settings_name_who_may_sign() {
    let sandbox = Sandbox::with_stack();
    let gallery = sandbox.gallery();
    let issuer = sandbox.issuer();
    for (rule, alice, bob) in [
        ("alice@example.org", 0, 1),
        ("ALICE@example.org", 1, 1),
        ("glob:*@example.org", 0, 0),
        ("glob:alice@*", 0, 1),
        ("glob:*", 1, 1),
        ("glob:*@*", 0, 0),
        ("glob:al*e@example.org", 0, 1),
        ("glob:alice@example.or?", 1, 1),
        ("glob:lice@example.org", 1, 1),
        ("*@example.org", 1, 1),
    ] {
        let verify = |commit: &str| {
            let setting = format!("waxseal.allow={rule} {issuer}");
            let in_git = sandbox.git(["-c", &setting, "verify-commit", commit]).code;
            let mut own = sandbox.command(WAXSEAL);
            own.args(["verify", commit]).env("WAXSEAL_ALLOW", format!("{rule} {issuer}"));
            assert_eq!(Ran::of(&mut own, b"").code, in_git, "{rule}: Git and waxseal agree");
            in_git
        };
        assert_eq!((verify(&gallery.by_alice), verify(&gallery.by_bob)), (Some(alice), Some(bob)), "{rule}");
    }
    // One a value; an empty one forgets those before it.
    sandbox.allow(ALICE);
    sandbox.allow(BOB);
    sandbox.waxseal(["verify", &gallery.by_alice, &gallery.by_bob]).success();
    sandbox.git(["config", "--add", "waxseal.allow", ""]).success();
    sandbox.git(["config", "--add", "waxseal.allow", &format!("{BOB} {issuer}")]).success();
    sandbox.waxseal(["verify", &gallery.by_bob]).success();
    sandbox.waxseal(["verify", &gallery.by_alice]).code(1);
}

#[test]
fn an_instance_vouches_for_nobody_elsewhere() {
    let sandbox = Sandbox::with_stack();
    let commit = sandbox.gallery().by_alice;
    let other = Stack::start(sandbox.serve("other", ["--auto-login", ALICE]));
    sandbox.waxseal(["trust", "add", "other", "--url", other.url(), "--sha256", other.digest()]).success();
    let issuer = sandbox.issuer();
    let verify = |settings: &[&str], flags: &[&str]| {
        let mut command = sandbox.command(WAXSEAL);
        command.arg("verify").args(flags).arg(&commit).env("WAXSEAL_INSTANCE", settings[0]);
        command.env("WAXSEAL_ALLOW", settings.get(1).copied().unwrap_or_default());
        Ran::of(&mut command, b"").code
    };
    let rule = |instance: &str| format!("{ALICE} {issuer} {instance}");
    // A rule without an instance means the one that signs, else public-good.
    assert_eq!(verify(&["home", &rule("")], &[]), Some(0));
    assert_eq!(verify(&["other", &rule("")], &[]), Some(1));
    assert_eq!(verify(&["public-good", &rule("")], &[]), Some(1));
    assert_eq!(verify(&["other", &rule("home")], &[]), Some(0));
    assert_eq!(verify(&["home", &rule("other")], &[]), Some(1));
    let identity = ["--certificate-identity", ALICE, "--certificate-oidc-issuer", &issuer];
    let with = |more: &[&'static str]| [&identity[..], more].concat();
    assert_eq!(verify(&["home"], &identity), Some(0));
    assert_eq!(verify(&["other"], &identity), Some(1));
    assert_eq!(verify(&["other"], &with(&["--instance", "home"])), Some(0));
    assert_eq!(verify(&["home"], &with(&["--instance", "other"])), Some(1));
    assert_eq!(verify(&["home"], &with(&["--instance", "nobody"])), Some(2));
    // A trusted root from a file is an instance of its own.
    let instances = sandbox.path("home/.local/share/waxseal/instances");
    let root = |name: &str| instances.join(name).join("trusted_root.json").to_str().unwrap().to_owned();
    let (home, other) = (root("home"), root("other"));
    let from_file =
        |file: &str, settings: &[&str], flags: &[&str]| verify(settings, &[flags, &["--trusted-root", file]].concat());
    assert_eq!(from_file(&home, &["home"], &identity), Some(0));
    assert_eq!(from_file(&home, &["home", &rule("")], &[]), Some(0));
    assert_eq!(from_file(&home, &["home", &rule("home")], &[]), Some(1));
    assert_eq!(from_file(&home, &["home", &rule("file")], &[]), Some(0));
    assert_eq!(from_file(&home, &["home"], &with(&["--instance", "home"])), Some(2));
    let unknown = sandbox.waxseal(["verify", "--any-identity", "--trusted-root", &other, &commit]).code(1);
    assert_eq!(
        sandbox.masked(&unknown.out()).lines().next().unwrap(),
        format!(
            "REJECTED     {}  the certificate authority \"CN=waxseal intermediate,O=127.0.0.1:PORT\" is not trusted; \
             claims to be alice@example.org (STACK/oidc)  Say hello",
            &commit[..10]
        )
    );
    let hint = "waxseal: hint: unknown-ca: if you trust the instance that it is of, \"waxseal trust add\" adds it; if it is of a known one that \
             renewed its trusted root, \"waxseal trust refresh\" gets that; trusted now: file (trusted root of ";
    assert!(unknown.err().starts_with(hint), "{}", unknown.err());
}

#[test]
fn every_answer_has_its_exit_code() {
    let sandbox = Sandbox::with_stack();
    let gallery = sandbox.gallery();
    let home = sandbox.path("home/.local/share/waxseal/instances/home/trusted_root.json");
    sandbox.write("broken.json", "{}");
    let broken = ["--trusted-root", "../broken.json"];
    let policy = |address: &str| format!("{address} {}", sandbox.issuer());
    let verify = |allow: &str, flags: &[&str], objects: &[&String]| {
        let mut command = sandbox.command(WAXSEAL);
        command.arg("verify").args(flags).args(objects).env("WAXSEAL_ALLOW", allow);
        Ran::of(&mut command, b"").code.unwrap()
    };
    let alice = policy(ALICE);
    let (none, any) = ("", ["--any-identity"]);
    let nowhere = "refs/heads/nowhere".to_owned();

    // Alone.
    for (what, object, under_policy, without, anybody) in [
        ("by Alice", &gallery.by_alice, 0, 5, 0),
        ("by Bob", &gallery.by_bob, 1, 5, 0),
        ("tampered", &gallery.tampered, 1, 1, 1),
        ("garbled", &gallery.garbled, 1, 1, 1),
        ("unsigned", &gallery.unsigned, 1, 1, 1),
        ("online mode", &gallery.online, 3, 3, 3),
        ("OpenPGP", &gallery.openpgp, 1, 3, 3),
        ("SSH", &gallery.ssh, 1, 3, 3),
        ("unknown revision", &nowhere, 2, 2, 2),
    ] {
        assert_eq!(verify(&alice, &[], &[object]), under_policy, "{what}, under a policy");
        assert_eq!(verify(none, &[], &[object]), without, "{what}, without");
        assert_eq!(verify(none, &any, &[object]), anybody, "{what}, anybody");
    }
    // Leaving evidence out is no way around a policy that could never admit the signer.
    assert_eq!(verify(&policy(BOB), &[], &[&gallery.online]), 1);

    // Together: 2, 4, an invalid policy (5), 1, 3, no policy (5), 0.
    let all = [&gallery.by_alice, &gallery.online, &gallery.unsigned];
    assert_eq!(verify("half", &broken, &[&gallery.by_alice, &nowhere]), 2);
    assert_eq!(verify("half", &broken, &all), 4);
    assert_eq!(verify("half", &[], &all), 5);
    assert_eq!(verify(none, &[], &all), 1);
    assert_eq!(verify(none, &[], &all[..2]), 3);
    assert_eq!(verify(none, &[], &all[..1]), 5);
    assert_eq!(verify(&alice, &[], &all[..1]), 0);

    // Trust material that cannot be read is nobody's fault but its own.
    std::fs::write(home, "{").unwrap();
    assert_eq!(verify(&alice, &[], &[&gallery.by_alice]), 4);
}
