//! Who signs and who commits are two things: where they differ it is said, or the signature is not made.

use super::sandbox::{ALICE, BOB, Ran, Sandbox, WAXSEAL, http};

#[test]
fn another_signer_than_the_committer_is_told() {
    let sandbox = Sandbox::with_stack();
    let (alice, bob) = (sandbox.token(ALICE), sandbox.token(BOB));
    let warning = |word: &str| {
        format!(
            "waxseal: warning: the signature is by bob@example.org, and the {word} is alice@example.org; \
             waxseal.matchCommitter = require refuses that\n"
        )
    };
    for (payload, word) in PAYLOADS {
        assert!(!sign(&sandbox, payload, &alice).success().err().contains("warning"), "{word}");
        let said = sign(&sandbox, payload, &bob).success().err();
        assert!(said.ends_with(&warning(word)), "{said}");
    }
    assert!(!sign(&sandbox, "nobody's\n", &bob).success().err().contains("warning"));
}

#[test]
fn or_it_does_not_sign_at_all() {
    let sandbox = Sandbox::with_stack();
    sandbox.config("waxseal.matchCommitter", "require");
    let (alice, bob) = (sandbox.token(ALICE), sandbox.token(BOB));
    for (payload, word) in PAYLOADS {
        sign(&sandbox, payload, &alice).success();
        let entries = log_size(&sandbox);
        assert_eq!(
            refused(&sandbox, payload, &bob),
            "waxseal: error: the signature is wanted from alice@example.org, and the identity token is that of bob@example.org\n\
             waxseal: hint: waxseal.matchCommitter wants the committer: sign in as that one, change user.email, or set it to warn\n",
            "{word}"
        );
        assert_eq!(log_size(&sandbox), entries, "nothing was issued, nothing logged");
    }
    assert_eq!(
        refused(&sandbox, "nobody's\n", &alice),
        "waxseal: error: waxseal.matchCommitter is \"require\", and what is to be signed has no committer\n\
         waxseal: hint: it is no commit, tag or push certificate; \"warn\" signs it\n"
    );
    // What counts is what is signed, not what git config says.
    sandbox.config("user.email", BOB);
    let mut git = sandbox.command("git");
    git.args(["commit", "-q", "--allow-empty", "-S", "-m", "one"]).env("GIT_COMMITTER_EMAIL", ALICE);
    Ran::of(git.env("WAXSEAL_ID_TOKEN", &bob), b"").code(128);
    Ran::of(git.env("WAXSEAL_ID_TOKEN", &alice), b"").success();
    // gitsign's own setting means the same.
    sandbox.run_in(".", "git", ["config", "--global", "--unset", "waxseal.matchCommitter"]).success();
    sandbox.config("gitsign.matchCommitter", "true");
    Ran::of(git.env("WAXSEAL_ID_TOKEN", &bob), b"").code(128);
    sandbox.config("waxseal.matchCommitter", "warn");
    Ran::of(git.env("WAXSEAL_ID_TOKEN", &bob), b"").success();
    sandbox.config("waxseal.matchCommitter", "maybe");
    Ran::of(&mut git, b"").code(128);
    assert_eq!(
        sandbox.last_error(),
        "error: waxseal.matchCommitter cannot be \"maybe\"\nhint: it can be one of: warn, require\n"
    );
}

fn sign(sandbox: &Sandbox, payload: &str, token: &str) -> Ran {
    let mut sign = sandbox.command(WAXSEAL);
    Ran::of(sign.args(["--status-fd=2", "-bsau", ""]).env("WAXSEAL_ID_TOKEN", token), payload.as_bytes())
}

fn refused(sandbox: &Sandbox, payload: &str, token: &str) -> String {
    let said = sign(sandbox, payload, token).code(1).err();
    said.trim_start_matches("[GNUPG:] BEGIN_SIGNING H8\n").to_owned()
}

fn log_size(sandbox: &Sandbox) -> u64 {
    let log = http("GET", &format!("{}/rekor/api/v1/log", sandbox.url()), "", b"");
    log.json()["treeSize"].as_u64().unwrap()
}

const PAYLOADS: [(&str, &str); 3] = [
    (
        "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor Bob <bob@example.org> 1 +0000\n\
         committer Alice <alice@example.org> 1 +0000\n\nmessage\n",
        "committer",
    ),
    (
        "object 4b825dc642cb6eb9a060e54bf8d69288fbee4904\ntype tree\ntag v1\ntagger Alice <alice@example.org> 1 +0000\n\nv1\n",
        "tagger",
    ),
    (
        "certificate version 0.1\npusher Alice <alice@example.org> 1 +0000\npushee ../server\nnonce 1-2\n\n\
         0000000000000000000000000000000000000000 4b825dc642cb6eb9a060e54bf8d69288fbee4904 refs/heads/main\n",
        "pusher",
    ),
];
