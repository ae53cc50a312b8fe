//! Over SSH: what another machine wants signed is signed where the user sits, after a yes to what it says itself.

use std::io::Write as _;
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::agent::{read_frame, wait_for, write_frame};
use super::sandbox::{ALICE, Ran, Sandbox, Typist, WAXSEAL};

#[test]
fn a_signature_for_another_machine_needs_a_yes_here() {
    let sandbox = world();
    sandbox.waxseal(["login"]).success();
    let Some(mut person) = person(&sandbox) else { return };
    assert_eq!(sandbox.path("run/waxseal/forward.sock").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let _ssh = ssh(&sandbox);

    // What was typed before the question does not answer it.
    person.types("y\n");
    let mut git = far_commit(&sandbox, "one\n\nsecond \u{1b}[2Jparagraph");
    person.sees(r"sign that\? \[y/N\] $");
    std::thread::sleep(Duration::from_millis(300));
    assert!(git.try_wait().unwrap().is_none());
    let tree = sandbox.git(["write-tree"]).line();
    let shown = person.shown();
    let shown = shown.split_once("another machine").unwrap().1;
    assert!(shown.contains(&format!("\nwaxseal:   tree       {tree}\n")), "{shown}");
    let shown = sandbox.masked(shown);
    for there in [
        "\nwaxseal:   kind       commit\n".to_owned(),
        format!("\nwaxseal:   author     Alice <{ALICE}> "),
        format!("\nwaxseal:   committer  Alice <{ALICE}> "),
        "\nwaxseal:   message    one\nwaxseal:   message\nwaxseal:   message    second %1B[2Jparagraph\n".to_owned(),
        format!("\nwaxseal:   identity   {ALICE}\nwaxseal:   issuer     STACK/oidc\nwaxseal:   instance   home\n"),
        "\nwaxseal: the other machine says of itself, and nothing proves it:\nwaxseal:   host       ".to_owned(),
        "\nwaxseal:   repository SANDBOX/repository\nwaxseal:   folder     SANDBOX/repository\n".to_owned(),
    ] {
        assert!(shown.contains(&there), "{there:?}:\n{shown}");
    }
    person.types("y\n");
    assert!(git.wait().unwrap().success());
    let judged = Ran::of(far(&sandbox, "git").args(["log", "--format=%G? %GS"]), b"").success().out();
    assert_eq!(judged, format!("G {}\n", sandbox.signer(ALICE)));

    // A no is a no: no login is asked for instead.
    let mut git = far_commit(&sandbox, "two");
    person.sees(r"(?s)(sign that\?.*){2}");
    person.types("n\n");
    assert_eq!(git.wait().unwrap().code(), Some(128));
    // Git before 2.40 drops what a failing signer says.
    let said = std::fs::read_to_string(sandbox.path("far-home/.local/state/waxseal/last-error")).unwrap();
    assert!(said.contains("not confirmed where the login is: the answer was no\n"), "{said}");
    assert!(said.contains("answer with y at the terminal where \"waxseal agent --forward\" runs"), "{said}");
    assert_eq!(sandbox.git(["log", "--format=%s"]).out(), "one\n");

    // Who goes away is not waited for, and the next one is asked about anew.
    let mut payload = far(&sandbox, WAXSEAL);
    payload.args(["--status-fd=2", "-bsau", ""]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut gone = payload.spawn().unwrap();
    gone.stdin.take().unwrap().write_all(PAYLOAD).unwrap();
    person.sees(r"(?s)(sign that\?.*){3}");
    gone.kill().unwrap();
    gone.wait().unwrap();
    person.sees("never mind: the other side has gone");
    let mut git = far_commit(&sandbox, "three");
    person.sees(r"(?s)(sign that\?.*){4}");
    person.types("yes\n");
    assert!(git.wait().unwrap().success());

    // There was one login, and the other machine has neither agent nor key.
    let audit = std::fs::read_to_string(sandbox.path("audit.log")).unwrap();
    assert_eq!(audit.matches("\"event\":\"logged-in\"").count(), 1);
    assert_eq!(audit.matches("\"event\":\"certificate-issued\"").count(), 1);
    assert!(!sandbox.path("far-run/waxseal/agent.sock").exists());

    // Nobody is logged in any more: that machine asks for a login of its own.
    sandbox.waxseal(["logout"]).success();
    let git = far_commit(&sandbox, "four").wait_with_output().unwrap();
    assert!(git.status.success(), "{}", String::from_utf8_lossy(&git.stderr));
    assert_eq!(person.shown().matches("sign that?").count(), 4);
    Ran::of(far(&sandbox, WAXSEAL).args(["agent", "--stop"]), b"").success();

    // It ends with its socket.
    std::fs::remove_file(sandbox.path("run/waxseal/forward.sock")).unwrap();
    assert_eq!(person.leaves().0, 0);
}

/// Who presses Ctrl-C at the question did not say yes, and another login would pass them over.
#[test]
fn who_ends_it_at_the_question_has_not_said_yes() {
    let sandbox = world();
    sandbox.waxseal(["login"]).success();
    let Some(mut person) = person(&sandbox) else { return };
    let _ssh = ssh(&sandbox);
    let mut git = far_commit(&sandbox, "one");
    person.sees(r"sign that\? \[y/N\] $");
    person.types("\u{3}");
    assert_eq!(git.wait().unwrap().code(), Some(128));
    let said = std::fs::read_to_string(sandbox.path("far-home/.local/state/waxseal/last-error")).unwrap();
    assert!(said.contains("not confirmed where the login is: no answer came: the connection was closed\n"), "{said}");
    let audit = std::fs::read_to_string(sandbox.path("audit.log")).unwrap();
    assert_eq!(audit.matches("\"event\":\"logged-in\"").count(), 1);
}

#[test]
fn nothing_but_signatures_is_to_be_had_there() {
    let sandbox = world();
    sandbox.waxseal(["login"]).success();
    let Some(person) = person(&sandbox) else { return };
    let ask = |request: &[u8], more: &[&[u8]]| {
        let mut stream = UnixStream::connect(sandbox.path("run/waxseal/forward.sock")).unwrap();
        write_frame(&mut stream, br#"{"protocol":2,"version":"0.1.0"}"#);
        read_frame(&mut stream);
        write_frame(&mut stream, request);
        more.iter().for_each(|frame| write_frame(&mut stream, frame));
        let answer = String::from_utf8(read_frame(&mut stream)).unwrap();
        assert_eq!(read_frame(&mut stream), b"", "one request a connection");
        answer
    };
    let refused = |why: &str| format!(r#"{{"answer":"failed","failure":{{"refused":"{why}"}}}}"#);
    for request in [
        &br#"{"request":"status"}"#[..],
        br#"{"request":"forget","instance":null}"#,
        br#"{"request":"stop"}"#,
        br#"{"request":"sign","session":0}"#,
        br#"{"request":"find","query":{}}"#,
        br#"{"request":"admit","admission":{}}"#,
        b"[]",
    ] {
        assert_eq!(ask(request, &[]), refused("nothing but signatures is to be had through a forwarded socket"));
    }
    let wanted = br#"{"request":"sign","wanted":{"asked":{"instance":"home","instance_sha256":"","issuer":"i",
        "client_id":"c","connector_id":null,"login_hint":null},"signer":null,
        "claims":{"host":null,"repository":null,"folder":null}}}"#;
    assert_eq!(ask(wanted, &[b"hello"]), refused("it signs commits, tags and push certificates only"));
    // Another instance of the same name: nobody is logged in there, and nobody is asked.
    assert_eq!(ask(wanted, &[PAYLOAD]), r#"{"answer":"missing"}"#);
    assert!(!person.shown().contains("sign that?"));
    sandbox.waxseal(["whoami"]).success();
}

#[test]
fn without_a_terminal_nobody_says_yes() {
    let sandbox = Sandbox::new();
    assert_eq!(
        sandbox.waxseal(["agent", "--forward"]).code(1).err(),
        "waxseal: error: there is no terminal, and each signature for another machine is confirmed at one\n\
         waxseal: hint: leave \"waxseal agent --forward\" running in a terminal's foreground\n"
    );
}

/// Two machines: the other one has a home of its own, with the same settings and the same instance.
fn world() -> Sandbox {
    let sandbox = Sandbox::with_stack_and(&["--audit-log", "../audit.log"]);
    sandbox.allow(ALICE);
    assert!(
        Command::new("cp").arg("-R").args([sandbox.path("home"), sandbox.path("far-home")]).status().unwrap().success()
    );
    for folder in ["far-run", "far-run/waxseal"] {
        std::fs::create_dir(sandbox.path(folder)).unwrap();
        std::fs::set_permissions(sandbox.path(folder), std::fs::Permissions::from_mode(0o700)).unwrap();
    }
    sandbox
}

/// `program` on the other machine.
fn far(sandbox: &Sandbox, program: &str) -> Command {
    let mut command = sandbox.command(program);
    command.env("HOME", sandbox.path("far-home")).env("XDG_RUNTIME_DIR", sandbox.path("far-run"));
    command.env("GIT_CONFIG_GLOBAL", sandbox.path("far-home/.gitconfig"));
    command
}

fn far_commit(sandbox: &Sandbox, message: &str) -> Child {
    let mut git = far(sandbox, "git");
    git.args(["commit", "-q", "--allow-empty", "-S", "--cleanup=verbatim", "-m", message]);
    git.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Who sits at this machine.
fn person(sandbox: &Sandbox) -> Option<Typist> {
    let person = Typist::at(sandbox, "\"$WAXSEAL\" agent --forward", &[])?;
    person.sees("ready to sign for other machines at ");
    Some(person)
}

/// What sshd and ssh do with a socket (RemoteForward): each side's end is held by a process of that user.
fn ssh(sandbox: &Sandbox) -> PathBuf {
    let (far, near) = (sandbox.path("far-run/waxseal/forwarded.sock"), sandbox.path("run/waxseal/forward.sock"));
    let listener = UnixListener::bind(&far).unwrap();
    std::thread::spawn(move || {
        for here in listener.incoming().flatten() {
            let Ok(there) = UnixStream::connect(&near) else { continue };
            for (mut from, mut to) in [(here.try_clone().unwrap(), there.try_clone().unwrap()), (there, here)] {
                std::thread::spawn(move || {
                    drop(std::io::copy(&mut from, &mut to));
                    drop(to.shutdown(Shutdown::Write));
                });
            }
        }
    });
    wait_for(|| far.exists());
    far
}

const PAYLOAD: &[u8] = b"tree 1111111111111111111111111111111111111111\nauthor A <alice@example.org> 1 +0000\n\
                         committer A <alice@example.org> 1 +0000\n\nm\n";
