//! A key ring that is not there, or does not answer, costs seconds and no signature.

use std::io::Read as _;
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::time::{Duration, Instant};

use super::sandbox::{ALICE, Ran, Sandbox, WAXSEAL};

#[test]
fn without_a_session_bus_the_agent_keeps_the_login() {
    let sandbox = world();
    let began = Instant::now();
    let first = sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "one"]).success();
    assert_eq!(first.err(), "");
    let second = sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "two"]).success();
    assert_eq!(second.err(), "");
    assert!(began.elapsed() < ONE_CALL * 2, "{:?}", began.elapsed());
    assert_eq!(sandbox.git(["log", "--format=%G?"]).out(), "G\nG\n");
    // Elsewhere, on the desktop, there may be one that keeps an earlier login.
    let logout = sandbox.waxseal(["logout"]).code(1);
    assert_eq!(logout.out(), "logged out\n");
    assert!(logout.err().starts_with("waxseal: error: the key ring may still keep a login: there is no key ring: "));
    let doctor = sandbox.waxseal(["doctor", "--json", "--offline"]).out();
    let finding = doctor.lines().find(|line| line.contains("\"key-ring\"")).unwrap();
    assert!(finding.contains("there is no key ring: ") && finding.contains("warning"), "{finding}");
}

#[test]
fn a_bus_that_does_not_answer_is_waited_for_and_no_longer() {
    let sandbox = world();
    let bus = UnixListener::bind(sandbox.path("run/bus")).unwrap();
    std::thread::spawn(move || {
        let reads = bus.incoming().flatten().map(|mut client| {
            std::thread::spawn(move || {
                let mut said = Vec::new();
                // Until it goes.
                client.read_to_end(&mut said).unwrap_or_default();
            })
        });
        reads.for_each(drop);
    });
    let began = Instant::now();
    let signed = sign(with_bus(&sandbox, &mut sandbox.command(WAXSEAL))).success();
    // Once to read, once to write; the agent then gives up.
    assert!(began.elapsed() < ONE_CALL * 5 / 2, "{:?}", began.elapsed());
    assert!(!signed.err().contains("key ring"), "{}", signed.err());
    let began = Instant::now();
    sign(with_bus(&sandbox, &mut sandbox.command(WAXSEAL))).success();
    assert!(began.elapsed() < ONE_CALL, "the agent has the login: {:?}", began.elapsed());
    // This one cannot be quiet: what is not deleted may still be used.
    let logout = Ran::of(with_bus(&sandbox, &mut sandbox.command(WAXSEAL)).arg("logout"), b"").code(1);
    let error = "waxseal: error: the key ring may still keep a login: the key ring has not answered within 5 seconds\n\
                 waxseal: hint: unlock it, or go to where it can be reached, and log out again\n";
    assert_eq!((logout.out().as_str(), logout.err().as_str()), ("logged out\n", error));
}

fn world() -> Sandbox {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    sandbox.config("waxseal.credentialStore", "keyring");
    sandbox
}

fn with_bus<'a>(sandbox: &Sandbox, command: &'a mut Command) -> &'a mut Command {
    command.env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", sandbox.path("run/bus").display()))
}

fn sign(command: &mut Command) -> Ran {
    let payload = format!(
        "tree {}\nauthor A <alice@example.org> 1 +0000\ncommitter A <alice@example.org> 1 +0000\n\nm\n",
        "0".repeat(40)
    );
    Ran::of(command.args(["--status-fd=2", "-bsau", ""]), payload.as_bytes())
}

/// What a call of the key ring may take.
const ONE_CALL: Duration = Duration::from_secs(5);
