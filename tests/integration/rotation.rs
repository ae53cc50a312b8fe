//! A root's key that was taken away brings a new intermediate: old commits stay good, new ones are good too, and other
//! people's clients are told by what they fetch.

use std::os::unix::fs::PermissionsExt as _;

use waxseal::trusted_root::TrustedRoot;

use super::sandbox::{ALICE, Ran, Sandbox, WAXSEAL, free_port, http};

/// `waxseal serve …` with the folder that the sandbox's stack lives in.
fn serve(sandbox: &Sandbox, arguments: &[&str]) -> Ran {
    let mut command = sandbox.command(WAXSEAL);
    command.arg("serve").args(arguments).arg("--data").arg(sandbox.path("sigstore"));
    Ran::of(&mut command, b"")
}

fn trust_again(sandbox: &Sandbox) {
    let url = sandbox.url().to_owned();
    let digest = sandbox.digest().to_owned();
    sandbox.waxseal(["trust", "remove", "home"]).success();
    sandbox.waxseal(["trust", "add", "home", "--url", &url, "--sha256", &digest]).success();
}

#[test]
fn commits_from_before_and_after_a_rotation_are_good() {
    let mut sandbox = Sandbox::new();
    let key = sandbox.path("root.pem");
    let key = key.to_str().unwrap();
    let url = format!("http://127.0.0.1:{}", free_port());
    let made = serve(&sandbox, &["init", "--public-url", &url, "--root-key-out", key]).success();
    assert!(made.out().contains(&url), "{}", made.out());
    assert_eq!(std::fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600);
    let secret = std::fs::read_to_string(key).unwrap();
    for file in std::fs::read_dir(sandbox.path("sigstore/keys")).unwrap() {
        assert_ne!(std::fs::read_to_string(file.unwrap().path()).unwrap(), secret);
    }

    sandbox.start_stack();
    assert_eq!(sandbox.url(), url);
    let digest = sandbox.digest().to_owned();
    sandbox.waxseal(["trust", "add", "home", "--url", &url, "--sha256", &digest]).success();
    sandbox.config("waxseal.instance", "home");
    sandbox.allow(ALICE);
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "before"]).success();

    let refused = serve(&sandbox, &["rotate", "intermediate", "--root-key", key]).code(1);
    assert!(refused.err().contains("in use by another process"), "{}", refused.err());
    sandbox.kill_stack();
    let rotated = serve(&sandbox, &["rotate", "intermediate", "--root-key", key]).success();
    assert!(!rotated.out().contains(&digest) && rotated.err().contains("trust add"), "{}", rotated.err());
    serve(&sandbox, &["rotate", "tuf"]).success();
    sandbox.start_stack();

    trust_again(&sandbox);
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "after"]).success();
    sandbox.waxseal(["verify", "HEAD~1", "HEAD"]).success();
    let served = http("GET", &format!("{url}/trust/trusted_root.json"), "", b"");
    let trusted_root = TrustedRoot::parse(&served.body).unwrap();
    assert_eq!(trusted_root.certificate_authorities.len(), 2);
    assert_eq!(http("GET", &format!("{url}/tuf/2.root.json"), "", b"").status, 200);
}

#[test]
fn another_program_is_told_what_it_needs() {
    let sandbox = Sandbox::with_stack();
    let files = sandbox.path("clients files");
    let files = files.to_str().unwrap();
    let url = sandbox.url();
    for client in ["cosign", "gitsign", "sigstore-js", "sigstore-python"] {
        let told = serve(&sandbox, &["env", client, "--files", files]).success();
        assert!(told.out().contains(url), "{}", told.out());
        // A shell takes all of it, and every file that is named is there.
        std::fs::write(sandbox.path("lines"), &told.stdout).unwrap();
        let script =
            "set -eu; . ../lines; for f in ${SIGSTORE_ROOT_FILE:+\"$SIGSTORE_ROOT_FILE\"}; do test -s \"$f\"; done";
        sandbox.sh(script).success();
        for word in told.out().split('\'').filter(|word| word.starts_with(files) && !word.ends_with("cache")) {
            assert!(std::fs::metadata(word).unwrap().len() > 0, "{word}");
        }
    }
    for key in [
        "rekor.pub",
        "ctfe.pub",
        "fulcio.pem",
        "1.root.json",
        "client_trust_config.json",
        "client_trust_config_rekor_v2.json",
    ] {
        assert!(std::fs::metadata(format!("{files}/{key}")).is_ok(), "{key}");
    }
}
