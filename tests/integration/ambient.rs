//! Signing where nobody can sign in: a CI system's token, a program's, and no other once one is there.

use std::time::{Duration, Instant};

use serde_json::json;

use super::sandbox::front::{Front, Reply, nobody, reply};
use super::sandbox::{ALICE, Ran, Sandbox, WAXSEAL};

/// A machine where nobody sits.
fn machine() -> Sandbox {
    let sandbox = Sandbox::with_stack();
    sandbox.git(["config", "--global", "--unset", "waxseal.browser"]).success();
    sandbox.allow(ALICE);
    sandbox
}

fn commit(sandbox: &Sandbox, variables: &[(&str, &str)]) -> Ran {
    let mut git = sandbox.command("git");
    git.args(["commit", "-q", "--allow-empty", "-S", "-m", "one"]).envs(variables.iter().copied());
    Ran::of(&mut git, b"")
}

/// What is said when nothing is signed; git before 2.40 drops it.
fn refusal(sandbox: &Sandbox, variables: &[(&str, &str)]) -> String {
    let mut direct = sandbox.command(WAXSEAL);
    direct.args(["-bsau", "x"]).envs(variables.iter().copied());
    let ran = Ran::of(&mut direct, b"payload\n").code(1);
    assert_eq!(ran.out(), "");
    ran.err()
}

#[test]
fn a_job_at_github_actions_signs() {
    let sandbox = machine();
    let token = sandbox.token(ALICE);
    let answer = reply("200 OK", "", json!({ "value": token }).to_string().as_bytes());
    let front = Front::new(sandbox.url(), move |_| Reply::Bytes(answer.clone()));
    let address = format!("{}/idtoken?api-version=2.0", front.url);
    let job = [
        ("GITHUB_ACTIONS", "true"),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", address.as_str()),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "s3cret"),
    ];
    commit(&sandbox, &job).success();
    assert_eq!(sandbox.git(["log", "-1", "--format=%G? %GS"]).line(), format!("G {}", sandbox.signer(ALICE)));
    assert_eq!(front.seen(), ["GET /idtoken?api-version=2.0&audience=sigstore HTTP/1.1"]);

    assert_eq!(commit(&sandbox, &job[..1]).code, Some(128));
    let denied = refusal(&sandbox, &job[..1]);
    assert!(
        denied.contains(
            "waxseal: error: GitHub Actions gives no identity token: the job needs \"permissions: id-token: write\"\n\
             waxseal: hint: docs/login.md says what each CI system needs; WAXSEAL_ID_TOKEN takes a token from elsewhere\n"
        ),
        "{denied}"
    );
    // What holds the address, and what lets the job have a token, is said.
    let gone = [job[0], ("ACTIONS_ID_TOKEN_REQUEST_URL", &*format!("{}/idtoken", nobody())), job[2]];
    let gone = refusal(&sandbox, &gone);
    assert!(
        gone.contains(
            "waxseal: hint: is the network up? ACTIONS_ID_TOKEN_REQUEST_URL holds it, as the runner sets it\n"
        ),
        "{gone}"
    );
    let front = Front::new(sandbox.url(), |_| Reply::Bytes(reply("403 Forbidden", "", b"no")));
    let forbidden = [job[0], ("ACTIONS_ID_TOKEN_REQUEST_URL", front.url.as_str()), job[2]];
    let forbidden = refusal(&sandbox, &forbidden);
    assert!(
        forbidden.contains(
            "refused with status 403: \"no\"\nwaxseal: hint: the job needs \"permissions: id-token: write\", which jobs of \
             a fork's pull request never get\n"
        ),
        "{forbidden}"
    );
    // Who says it is somebody else's turn is obeyed.
    let forced = [job[0], job[1], job[2], ("WAXSEAL_LOGIN", "token")];
    let forced = refusal(&sandbox, &forced);
    assert!(forced.contains("waxseal: error: waxseal.login wants an identity token, and there is none\n"), "{forced}");
}

#[test]
fn a_program_prints_the_token() {
    let sandbox = machine();
    let token = sandbox.token(ALICE);
    std::fs::write(sandbox.path("token"), format!("{token}\n")).unwrap();
    let file = sandbox.path("token");
    // It reads nothing of what git passes.
    let program = format!("sh -c 'test -z \"$(cat)\" && cat {}'", file.display());
    let variables = [("WAXSEAL_TOKEN_COMMAND", program.as_str()), ("WAXSEAL_VERBOSE", "1")];
    commit(&sandbox, &variables).success();
    assert_eq!(sandbox.git(["log", "-1", "--format=%G?"]).line(), "G");

    let failing = [("WAXSEAL_TOKEN_COMMAND", "sh -c 'echo \"no account\" >&2; exit 3'")];
    let failed = refusal(&sandbox, &failing);
    assert!(
        failed.contains(
            "waxseal: error: waxseal.tokenCommand gave no identity token: it ended with exit status: 3: \"no account\"\n\
             waxseal: hint: it must print an identity token and nothing else, and end with 0\n"
        ),
        "{failed}"
    );
    let missing = refusal(&sandbox, &[("WAXSEAL_TOKEN_COMMAND", "no-such-program --quiet")]);
    assert!(
        missing.contains(
            "waxseal: error: waxseal.tokenCommand gave no identity token: the program no-such-program cannot be started: No \
             such file or directory (os error 2)\n\
             waxseal: hint: install no-such-program, or have waxseal.tokenCommand name another program\n"
        ),
        "{missing}"
    );
    // What it leaves behind in the background is not waited for.
    let leaves = format!("sh -c 'sleep 50 & cat {}'", file.display());
    let begun = Instant::now();
    commit(&sandbox, &[("WAXSEAL_TOKEN_COMMAND", leaves.as_str())]).success();
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let mut direct = sandbox.command(WAXSEAL);
    direct.args(["-vbsau", "x"]).env("WAXSEAL_TOKEN_COMMAND", &program);
    let said = Ran::of(&mut direct, b"payload\n").success().err();
    assert!(said.contains("waxseal: the identity token is from waxseal.tokenCommand\n"), "{said}");
}
