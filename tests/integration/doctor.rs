//! `waxseal doctor` finds what would keep Git from signing and verifying, and changes nothing.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use super::sandbox::{ALICE, Ran, Sandbox, WAXSEAL, http};

/// What `waxseal doctor --json` found: check, state and detail of each.
fn doctor(sandbox: &Sandbox, environment: &[(&str, &str)], code: i32) -> Vec<(String, String, String)> {
    let mut command = sandbox.command(WAXSEAL);
    command.args(["doctor", "--json"]).envs(environment.iter().copied());
    let out = Ran::of(&mut command, b"").code(code).out();
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [header, findings @ .., footer] = &lines[..] else { panic!("{out}") };
    assert_eq!((&header["type"], &header["schema"]), (&"header".into(), &1.into()));
    assert_eq!((&footer["type"], &footer["exit"]), (&"footer".into(), &code.into()));
    let total: u64 = footer["counts"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(total, u64::try_from(findings.len()).unwrap());
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap().to_owned();
    for finding in findings {
        // Whatever is not as it should be says what helps.
        let is_bad = ["warning", "problem"].contains(&&*text(finding, "state"));
        assert!(!is_bad || finding["fix"].is_string(), "{finding}");
    }
    findings.iter().map(|finding| ["check", "state", "detail"].map(|name| text(finding, name)).into()).collect()
}

/// Must have found this.
#[track_caller]
fn finds(findings: &[(String, String, String)], check: &str, state: &str, detail: &str) {
    let found = findings.iter().any(|(c, s, d)| c == check && s == state && d.contains(detail));
    assert!(found, "{check} {state} {detail:?} is not among {findings:#?}");
}

#[test]
fn all_is_well() {
    let sandbox = Sandbox::with_stack();
    let token = sandbox.token(ALICE);
    let findings = doctor(&sandbox, &[("WAXSEAL_ID_TOKEN", &token)], 0);
    for (check, detail) in [
        ("git-format", "gpg.format = x509 in "),
        ("git-program", "gpg.x509.program = "),
        ("git-signs", "commit.gpgSign is not set"),
        ("instance", "home signs"),
        ("trust", "home, from http://"),
        ("trust", "public-good, built in"),
        ("identity-token", "alice@example.org of http://"),
        ("checkpoints", "none is kept"),
        ("agent", "it does not run"),
        ("last-error", "none is kept"),
        ("network", "no proxy"),
        ("service", "the certificate authority at 127.0.0.1:"),
        ("service", "the OpenID Connect issuer at 127.0.0.1:"),
        ("service", "the transparency log at 127.0.0.1:"),
        ("service", "the source of trust material at 127.0.0.1:"),
        ("clock", "the clock agrees with that of 127.0.0.1:"),
        ("dry-signature", "a commit was signed, logged, stamped and verified"),
    ] {
        finds(&findings, check, "ok", detail);
    }
    // Nothing is left, and no token was shown.
    assert_eq!(std::fs::read_dir(sandbox.path("tmp")).unwrap().count(), 0);
    assert!(!findings.iter().any(|(_, _, detail)| detail.contains(&token)));
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "one"]).success();
    finds(&doctor(&sandbox, &[], 0), "agent", "ok", "it runs; logged in: alice@example.org at home");
    let offline = sandbox.waxseal(["doctor", "--offline"]).success().out();
    assert!(offline.contains("skipped  service        not asked (--offline)\n"), "{offline}");
    assert!(offline.ends_with(" warnings\n") || offline.ends_with(" warning\n"), "{offline}");
}

#[test]
fn whatever_is_wrong_with_git_is_found() {
    let sandbox = Sandbox::with_stack();
    let with = |key: &str, value: &str, code: i32| {
        let mut environment = vec![("GIT_CONFIG_COUNT", "1"), ("GIT_CONFIG_KEY_0", key), ("GIT_CONFIG_VALUE_0", value)];
        environment.retain(|(_, value)| !value.is_empty());
        doctor(&sandbox, &environment, code)
    };
    finds(&with("gpg.format", "openpgp", 0), "git-format", "warning", "in the environment or on the command line");
    finds(&with("gpg.x509.program", "/bin/sh", 1), "git-program", "problem", "it is /bin/sh, and not waxseal");
    finds(&with("gpg.x509.program", "no-such-program", 1), "git-program", "problem", "there is no such program");
    finds(&with("user.signingKey", "0xDEADBEEFDEADBEEF", 0), "signing-key", "warning", "a key of another tool");
    finds(&with("user.signingKey", "bob@example.org", 0), "signing-key", "ok", "only bob@example.org may sign");
    finds(&with("gitsign.fulcio", "https://f.example", 0), "gitsign", "warning", "gitsign.fulcio (command)");
    finds(&with("waxseal.instance", "nowhere", 1), "instance", "problem", "there is no instance nowhere");
    finds(&with("waxseal.trust", "public-good", 1), "instance", "problem", "waxseal.trust does not list home");
    // It goes on, whatever cannot be read.
    let findings = with("waxseal.timestamp", "perhaps", 1);
    finds(&findings, "settings", "problem", "waxseal.timestamp cannot be \"perhaps\"");
    finds(&findings, "dry-signature", "ok", "");
    // Each by its name, and what can be read besides is looked at.
    let two = [
        ("GIT_CONFIG_COUNT", "2"),
        ("GIT_CONFIG_KEY_0", "waxseal.login"),
        ("GIT_CONFIG_VALUE_0", "foo"),
        ("GIT_CONFIG_KEY_1", "waxseal.policy"),
        ("GIT_CONFIG_VALUE_1", "/no/such.toml"),
        ("WAXSEAL_MATCH_COMMITTER", "perhaps"),
    ];
    let findings = doctor(&sandbox, &two, 1);
    finds(&findings, "settings", "problem", "waxseal.login cannot be \"foo\"");
    finds(&findings, "settings", "problem", "WAXSEAL_MATCH_COMMITTER cannot be \"perhaps\"");
    finds(&findings, "instance", "ok", "home");
    finds(&findings, "policy", "problem", "/no/such.toml");
    finds(&with("waxseal.allow", "foo", 1), "policy", "problem", "waxseal.allow");
    finds(&with("waxseal.tokenCommand", "sh \"", 1), "token-command", "problem", "a quote that is not closed");
    finds(&with("waxseal.browser", "no-such-program {url}", 1), "browser", "problem", "no-such-program");

    let other = sandbox.path("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::copy(WAXSEAL, other.join("waxseal")).unwrap();
    let other = other.join("waxseal");
    let findings = with("gpg.x509.program", other.to_str().unwrap(), 0);
    finds(&findings, "git-program", "warning", "and not the waxseal that looks");

    let bin = sandbox.path("bin");
    std::fs::create_dir(&bin).unwrap();
    let path = [("PATH", bin.to_str().unwrap())];
    finds(&doctor(&sandbox, &path, 1), "git-version", "problem", "there is no program git in PATH");
    let git = sandbox.write("bin/git", "#!/bin/sh\nwhile :; do /bin/sleep 0.1; done\n");
    std::fs::set_permissions(&git, std::fs::Permissions::from_mode(0o755)).unwrap();
    finds(&doctor(&sandbox, &path, 1), "git-version", "problem", "git has not answered within 5 s");
    sandbox.write("bin/git", "#!/bin/sh\necho git version 2.11.0\n");
    finds(&doctor(&sandbox, &path, 1), "git-version", "problem", "Git 2.11 knows no X.509 signatures");
}

#[test]
fn whatever_is_wrong_with_the_rest_is_found() {
    let mut sandbox = Sandbox::with_stack();
    let findings = doctor(&sandbox, &[("WAXSEAL_ID_TOKEN", "x.y.z")], 1);
    finds(&findings, "identity-token", "problem", "");
    let token = sandbox.token(ALICE);
    let findings = doctor(&sandbox, &[("WAXSEAL_ID_TOKEN", &token), ("WAXSEAL_CLIENT_ID", "another")], 1);
    finds(&findings, "identity-token", "problem", "another");

    let command = |text| doctor(&sandbox, &[("WAXSEAL_TOKEN_COMMAND", text)], i32::from(text != "sh -c x"));
    finds(&command("sh -c x"), "token-command", "ok", "it is not started here");
    finds(&command("no-such-program x"), "token-command", "problem", "no-such-program");

    let proxy = [("https_proxy", "http://user:secret@proxy.example:1"), ("no_proxy", "a.example")];
    let findings = doctor(&sandbox, &proxy, 0);
    finds(&findings, "network", "ok", "the proxy of https_proxy, but for a.example");
    assert!(!findings.iter().any(|(_, _, detail)| detail.contains("secret")));
    finds(&doctor(&sandbox, &[("WAXSEAL_CA_FILE", "/no/such.pem")], 1), "network", "problem", "/no/such.pem");
    finds(&doctor(&sandbox, &[("WAXSEAL_MAX_TRUST_AGE", "1h")], 1), "trust", "problem", "public-good");
    finds(&doctor(&sandbox, &[("TMPDIR", "/no/such/folder")], 1), "dry-signature", "problem", "no temporary folder");

    sandbox.git(["-c", "waxseal.instance=", "commit", "-q", "--allow-empty", "-S", "-m", "x"]).code(128);
    let findings = doctor(&sandbox, &[], 0);
    finds(&findings, "last-error", "warning", "no Sigstore instance is chosen to sign with");

    // A mirror is asked for what a refresh begins with.
    let root = sandbox.write("1.root.json", http("GET", &format!("{}/tuf/1.root.json", sandbox.url()), "", b"").body);
    let mirror = format!("{}/tuf", sandbox.url());
    sandbox.waxseal(["trust", "add", "mirrored", "--tuf", &mirror, "--root", root.to_str().unwrap()]).success();
    let mirrored = [("WAXSEAL_INSTANCE", "mirrored")];
    finds(&doctor(&sandbox, &mirrored, 0), "service", "ok", "the source of trust material at 127.0.0.1:");
    let record = sandbox.path("home/.local/share/waxseal/instances/mirrored/instance.toml");
    let moved = std::fs::read_to_string(&record).unwrap().replace("/tuf\"", "/nowhere\"");
    std::fs::write(&record, moved).unwrap();
    finds(&doctor(&sandbox, &mirrored, 0), "service", "warning", "answers, but with status 404");

    sandbox.kill_stack();
    let findings = doctor(&sandbox, &[], 1);
    finds(&findings, "service", "problem", "the certificate authority");
    finds(&findings, "service", "warning", "the source of trust material at http://127.0.0.1:");
    finds(&findings, "clock", "skipped", "no service said what time it is");
    sandbox.write("home/.local/share/waxseal/instances/home/trusted_root.json", "{");
    finds(&doctor(&sandbox, &[], 1), "trust", "problem", "the trusted root of instance home cannot be used");
}
