//! One login for many signatures: the agent starts by itself, is shared, renews what it has, and ends.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use waxseal::agent::{self, Idle, Place};
use waxseal::settings::Folders;

use super::outage::services;
use super::sandbox::front::{Front, Reply, reply};
use super::sandbox::{ALICE, BOB, Ran, Sandbox, WAXSEAL};

#[test]
fn a_rebase_of_a_hundred_commits_is_one_login_and_one_certificate() {
    let sandbox = world();
    commits(&sandbox, 100);
    sandbox.git(["rebase", "-q", "--force-rebase", "-S", "base"]).success();
    let signed = sandbox.git(["log", "--format=%G? %GS", "base.."]).success().out();
    assert_eq!(signed, format!("G {}\n", sandbox.signer(ALICE)).repeat(100));
    assert_eq!(counted(&sandbox), Counts { logins: 1, tokens: 1, certificates: 1 });
}

#[test]
fn two_parallel_rebases_share_a_login() {
    let sandbox = world();
    commits(&sandbox, 12);
    sandbox.git(["worktree", "add", "-q", "../second", "-b", "second"]).success();
    let rebase = |folder: &str| {
        let mut git = sandbox.command("git");
        git.args(["rebase", "-q", "--force-rebase", "-S", "base"]).current_dir(sandbox.path(folder));
        git.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    // Nobody is logged in yet: one of them logs in, the other one waits for that.
    let both: Vec<Child> = ["repository", "second"].map(rebase).into();
    for mut rebase in both {
        assert!(rebase.wait().unwrap().success());
    }
    for branch in ["main", "second"] {
        assert_eq!(sandbox.git(["log", "--format=%G?", &format!("base..{branch}")]).out(), "G\n".repeat(12));
    }
    assert_eq!(counted(&sandbox), Counts { logins: 1, tokens: 1, certificates: 1 });
}

/// How far the clock of the agent in this test is ahead, in seconds.
static AHEAD: AtomicI64 = AtomicI64::new(0);

fn clock() -> Timestamp {
    Timestamp::now() + SignedDuration::from_secs(AHEAD.load(Ordering::Relaxed))
}

#[test]
fn a_certificate_that_ends_is_replaced_without_a_question() {
    let sandbox = world();
    let place = Place::of_user(&Folders { runtime: Some(sandbox.path("run/waxseal")), ..Folders::default() }).unwrap();
    let (ready, is_ready) = std::sync::mpsc::channel();
    let served = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(agent::serve(&place, None, Idle::default(), clock, || ready.send(()).unwrap())).unwrap();
    });
    is_ready.recv().unwrap();
    commit(&sandbox, "one").success();
    commit(&sandbox, "two").success();
    assert_eq!(counted(&sandbox), Counts { logins: 1, tokens: 1, certificates: 1 });
    // 15 s before the end the certificate is too old for a log that takes its time, and the ID token is as old.
    AHEAD.store(585, Ordering::Relaxed);
    let late = commit(&sandbox, "late").success();
    assert!(!late.err().contains("warning"), "{}", late.err());
    assert_eq!(counted(&sandbox), Counts { logins: 1, tokens: 1, certificates: 2 });
    AHEAD.store(601, Ordering::Relaxed);
    let later = sandbox.waxseal(["whoami"]).success().out();
    assert_eq!(
        sandbox.masked(&later),
        "alice@example.org via STACK/oidc at home, renewed without a question for 24 h\n"
    );
    AHEAD.store(0, Ordering::Relaxed);
    sandbox.waxseal(["agent", "--stop"]).success();
    served.join().unwrap();
    assert_eq!(sandbox.waxseal(["whoami"]).code(1).err(), NOBODY);
}

#[test]
fn a_refresh_token_gives_a_day_s_work() {
    let sandbox = world();
    commit(&sandbox, "one").success();
    // The stack says that the token is too old, long before it is: the refresh token gives another one.
    let line = sandbox.waxseal(["whoami", "--json"]).success().line();
    let login: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(login["identity"], ALICE);
    assert_eq!(login["instance"], "home");
    assert_eq!(login["issuer"], sandbox.issuer());
    let until = |name: &str| login[name].as_str().unwrap().parse::<Timestamp>().unwrap();
    let left = |name: &str| until(name).duration_since(Timestamp::now()).as_secs();
    assert!((540..=600).contains(&left("certificate_until")), "{login}");
    assert!((86_300..=86_400).contains(&left("renewed_until")), "{login}");
}

#[test]
fn who_logs_in_and_out() {
    let sandbox = world();
    assert_eq!(sandbox.waxseal(["whoami"]).code(1).err(), NOBODY);
    assert_eq!(sandbox.waxseal(["logout"]).success().out(), "nobody was logged in\n");
    let login = sandbox.waxseal(["login"]).success().out();
    assert_eq!(sandbox.masked(&login), "logged in as alice@example.org via STACK/oidc at home\n");
    let whoami = sandbox.waxseal(["whoami"]).success().out();
    assert_eq!(
        sandbox.masked(&whoami),
        "alice@example.org via STACK/oidc at home, certificate for 10 min, renewed without a question for 24 h\n"
    );
    commit(&sandbox, "one").success();
    assert_eq!(counted(&sandbox), Counts { logins: 1, tokens: 1, certificates: 1 });

    // Another account is another session, and nobody signs as somebody else.
    sandbox.config("waxseal.loginHint", BOB);
    commit(&sandbox, "two").success();
    assert_eq!(
        sandbox.git(["log", "-2", "--format=%GS"]).out(),
        format!("{}\n{}\n", sandbox.signer(BOB), sandbox.signer(ALICE))
    );
    let key = ["-c", "user.signingKey=alice@example.org", "-c", "user.email=carol@example.org"];
    let key = [&key[..], &["commit", "-q", "--allow-empty", "-S", "-m", "as Alice, whatever is suggested"]].concat();
    sandbox.git(key).success();
    assert_eq!(sandbox.git(["log", "-1", "--format=%GS"]).line(), sandbox.signer(ALICE));
    assert_eq!(counted(&sandbox), Counts { logins: 2, tokens: 2, certificates: 2 });
    assert_eq!(sandbox.waxseal(["whoami"]).success().out().lines().count(), 2);

    // The issuer forgets them, too: what it keeps of a login is a file.
    let kept = || std::fs::read_dir(sandbox.path("sigstore/refresh-tokens")).unwrap().count();
    assert_eq!(kept(), 2);
    assert_eq!(
        sandbox.waxseal(["logout", "--instance", "other"]).code(2).err(),
        "waxseal: error: there is no instance other\nwaxseal: hint: \"waxseal trust list\" lists the instances\n"
    );
    assert_eq!(sandbox.waxseal(["logout", "--instance", "public-good"]).success().out(), "nobody was logged in\n");
    assert_eq!(sandbox.waxseal(["logout"]).success().out(), "logged out\n");
    assert_eq!(kept(), 0);
    assert_eq!(sandbox.waxseal(["whoami"]).code(1).err(), NOBODY);
    commit(&sandbox, "three").success();
    assert_eq!(counted(&sandbox).logins, 3);
}

/// Alice is the first of those who could log in.
#[test]
fn who_is_demanded_is_suggested_at_the_login() {
    let sandbox = world();
    let key = format!("user.signingKey={BOB}");
    sandbox.git(["-c", &key, "commit", "-q", "--allow-empty", "-S", "-m", "as Bob"]).success();
    assert_eq!(sandbox.git(["log", "-1", "--format=%GS"]).line(), sandbox.signer(BOB));
    assert_eq!(counted(&sandbox), Counts { logins: 1, tokens: 1, certificates: 1 });
    // Who demands nobody is not signed for by Bob.
    commit(&sandbox, "as Alice").success();
    assert_eq!(sandbox.git(["log", "-1", "--format=%GS"]).line(), sandbox.signer(ALICE));
}

/// Longer than the agent waits for the first word of anybody who has connected to it.
#[test]
fn a_person_may_take_their_time_to_log_in() {
    let sandbox = world();
    let slow = sandbox.write("slow", format!("#!/bin/sh\nsleep 7\nexec '{WAXSEAL}' follow-login \"$@\"\n"));
    std::fs::set_permissions(&slow, std::fs::Permissions::from_mode(0o755)).unwrap();
    sandbox.config("waxseal.browser", &format!("'{}'", slow.display()));
    sandbox.waxseal(["login"]).success();
    sandbox.waxseal(["logout"]).success();
    commit(&sandbox, "one").success();
    assert_eq!(counted(&sandbox), Counts { logins: 2, tokens: 2, certificates: 2 });
}

#[test]
fn an_authority_that_is_down_costs_no_second_login() {
    let sandbox = world();
    let is_down = Arc::new(AtomicBool::new(true));
    let down = Arc::clone(&is_down);
    let front = Front::new(sandbox.url(), move |request| {
        if request.line.starts_with("POST /api/v2/signingCert") && down.load(Ordering::SeqCst) {
            Reply::Bytes(reply("503 Service Unavailable", "", b""))
        } else {
            Reply::Pass
        }
    });
    services(&sandbox, "caUrls", &front.url);
    let bounds = format!("oidc_issuers = [\"{}\"]\n", sandbox.issuer());
    sandbox.write("home/.local/share/waxseal/instances/home/instance.toml", bounds);
    for _try in ["one", "two"] {
        let failed = sign(&sandbox).code(1).err();
        assert!(failed.contains("failed with status 503"), "{failed}");
    }
    assert_eq!(counted(&sandbox), Counts { logins: 1, tokens: 1, certificates: 0 });
    is_down.store(false, Ordering::SeqCst);
    sign(&sandbox).success();
    assert_eq!(counted(&sandbox), Counts { logins: 1, tokens: 1, certificates: 1 });
}

#[test]
fn an_issuer_that_is_down_keeps_nobody_logged_in() {
    let sandbox = world();
    commit(&sandbox, "one").success();
    // It takes connections, and answers to none.
    let stack = sandbox.stack().pid();
    let tell = |signal: &str| Command::new("kill").args([signal, &stack.to_string()]).status().unwrap();
    tell("-STOP");
    let began = Instant::now();
    let out = sandbox.waxseal(["logout"]).success();
    tell("-CONT");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(out.out(), "logged out\n");
    assert_eq!(
        sandbox.masked(&out.err()),
        "waxseal: warning: the login is forgotten here, but its token could not be revoked at the issuer: the OpenID \
         Connect issuer at STACK/oidc did not answer within 4 s\n"
    );
    assert_eq!(sandbox.waxseal(["whoami"]).code(1).err(), NOBODY);
}

#[test]
fn an_instance_that_changed_is_another_one() {
    let sandbox = world();
    commit(&sandbox, "one").success();
    let config = sandbox.path("home/.local/share/waxseal/instances/home/instance.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("oidc_issuers = [\"{}\"]\n{text}", sandbox.issuer())).unwrap();
    commit(&sandbox, "two").success();
    assert_eq!(counted(&sandbox).logins, 2);
}

#[test]
fn it_ends_when_it_is_told_to_and_when_nobody_can_find_it() {
    let sandbox = world();
    let run = sandbox.path("run/waxseal");
    let starts = || {
        commit(&sandbox, "one").success();
        agent_of(&sandbox)
    };
    let first = starts();
    // SIGTERM: it leaves no socket.
    Command::new("kill").arg(first.to_string()).status().unwrap();
    wait_for(|| !is_alive(first));
    assert!(!run.join("agent.sock").exists());
    // SIGKILL: what it left is no obstacle.
    let second = starts();
    Command::new("kill").args(["-KILL", &second.to_string()]).status().unwrap();
    wait_for(|| !is_alive(second));
    assert!(run.join("agent.sock").exists());
    let third = starts();
    assert_eq!(sandbox.waxseal(["agent", "--stop"]).success().out(), "");
    wait_for(|| !is_alive(third));
    assert_eq!(sandbox.waxseal(["agent", "--stop"]).success().out(), "");
    let fourth = starts();
    std::fs::remove_dir_all(&run).unwrap();
    wait_for(|| !is_alive(fourth));

    // In the foreground, until nobody has asked for a while.
    let mut command = sandbox.command(WAXSEAL);
    let mut foreground = command.args(["agent", "--idle", "1s"]).stdout(Stdio::piped()).spawn().unwrap();
    wait_for(|| run.join("agent.sock").exists());
    assert_eq!(
        sandbox.masked(&sandbox.waxseal(["agent"]).code(1).err()),
        "waxseal: error: an agent runs already\n\
         waxseal: hint: \"waxseal whoami\" shows who is logged in there, \"waxseal agent --stop\" ends it\n"
    );
    assert!(foreground.wait().unwrap().success());
    let mut said = String::new();
    foreground.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(sandbox.masked(&said), "the agent listens at SANDBOX/run/waxseal/agent.sock\n");
}

/// As systemd does it, with the units in `contrib/systemd`.
#[test]
fn a_service_manager_has_the_socket() {
    let sandbox = world();
    let run = sandbox.path("run/waxseal");
    std::fs::create_dir(&run).unwrap();
    std::fs::set_permissions(&run, std::fs::Permissions::from_mode(0o700)).unwrap();
    let listener = UnixListener::bind(run.join("agent.sock")).unwrap();
    let mut shell = sandbox.command("sh");
    let script = format!("exec 3<&0 </dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec '{WAXSEAL}' agent --idle 1s");
    shell.args(["-c", &script]).stdin(std::os::fd::OwnedFd::from(listener)).stdout(Stdio::null());
    let mut agent = shell.spawn().unwrap();
    commit(&sandbox, "one").success();
    commit(&sandbox, "two").success();
    assert_eq!(counted(&sandbox), Counts { logins: 1, tokens: 1, certificates: 1 });
    sandbox.waxseal(["logout"]).success();
    // It ends, and the socket is the manager's still.
    assert!(agent.wait().unwrap().success());
    assert!(run.join("agent.sock").exists());

    let unit = |name: &str| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/systemd/");
        std::fs::read_to_string(format!("{folder}{name}")).unwrap()
    };
    assert!(
        unit("waxseal-agent.socket")
            .contains("\nListenStream=%t/waxseal/agent.sock\nSocketMode=0600\nDirectoryMode=0700\n")
    );
    assert!(unit("waxseal-agent.service").contains("\nExecStart=waxseal agent\n"));
}

#[test]
fn without_an_agent_there_is_a_login_for_each_signature() {
    let sandbox = world();
    std::fs::create_dir(sandbox.path("run/waxseal")).unwrap();
    std::fs::set_permissions(sandbox.path("run/waxseal"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let signed = sign(&sandbox).success();
    assert!(
        sandbox.masked(&signed.err()).contains(
            "waxseal: warning: other users may enter the folder SANDBOX/run/waxseal; this login is good for one signature only\n"
        ),
        "{}",
        signed.err()
    );
    commit(&sandbox, "one").success();
    assert_eq!(counted(&sandbox), Counts { logins: 2, tokens: 2, certificates: 2 });
    let said_by = |command: &[&str]| {
        let ran = sandbox.waxseal(command).code(1);
        assert_eq!(ran.out(), "", "{command:?}");
        sandbox.masked(&ran.err())
    };
    let open = "waxseal: error: other users may enter the folder SANDBOX/run/waxseal\n\
                waxseal: hint: it must be the user's own folder, with mode 0700: \"chmod 700\" closes it to others\n";
    let linked = "waxseal: error: SANDBOX/run/waxseal is not a folder\n\
                  waxseal: hint: it must be the user's own folder, with mode 0700: move what is there away, and waxseal \
                  makes it\n";
    // Whether somebody is logged in cannot be told then, and nothing is forgotten or ended.
    let commands: [&[&str]; 5] = [&["login"], &["logout"], &["whoami"], &["whoami", "--json"], &["agent", "--stop"]];
    commands.iter().for_each(|command| assert_eq!(said_by(command), open, "{command:?}"));
    std::fs::rename(sandbox.path("run/waxseal"), sandbox.path("run/elsewhere")).unwrap();
    std::os::unix::fs::symlink("elsewhere", sandbox.path("run/waxseal")).unwrap();
    commands.iter().for_each(|command| assert_eq!(said_by(command), linked, "{command:?}"));
}

#[test]
fn a_program_s_token_does_not_need_it() {
    let sandbox = world();
    let mut git = sandbox.command("git");
    git.args(["commit", "-q", "--allow-empty", "-S", "-m", "one"]).env("WAXSEAL_ID_TOKEN", sandbox.token(ALICE));
    Ran::of(&mut git, b"").success();
    assert!(!sandbox.path("run/waxseal").exists());
}

/// The login of `sandbox`'s stack is counted, and Alice may sign.
pub(crate) fn world() -> Sandbox {
    let sandbox = Sandbox::with_stack_and(&["--audit-log", "../audit.log"]);
    sandbox.allow(ALICE);
    sandbox.allow(BOB);
    sandbox
}

pub(crate) fn commit(sandbox: &Sandbox, message: &str) -> Ran {
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", message])
}

/// As Git would, with all that is said.
pub(crate) fn sign(sandbox: &Sandbox) -> Ran {
    Ran::of(sandbox.command(WAXSEAL).args(["--status-fd=2", "-bsau", ""]), payload().as_bytes())
}

pub(crate) fn payload() -> String {
    format!("tree {}\nauthor A <a@x> 1 +0000\ncommitter A <a@x> 1 +0000\n\nm\n", "0".repeat(40))
}

/// Unsigned commits with a file each after the tag `base`.
fn commits(sandbox: &Sandbox, count: u32) {
    sandbox.git(["commit", "-q", "--allow-empty", "-m", "base"]).success();
    sandbox.git(["tag", "base"]).success();
    sandbox
        .sh(&format!(
            "for i in $(seq {count}); do echo x >file$i; git add file$i; git commit -q -m \"change $i\"; done"
        ))
        .success();
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) logins: usize,
    pub(crate) tokens: usize,
    pub(crate) certificates: usize,
}

/// What the stack's audit log says.
pub(crate) fn counted(sandbox: &Sandbox) -> Counts {
    let text = std::fs::read_to_string(sandbox.path("audit.log")).unwrap();
    let count = |event: &str| text.matches(&format!("\"event\":\"{event}\"")).count();
    Counts { logins: count("logged-in"), tokens: count("token-issued"), certificates: count("certificate-issued") }
}

/// The process that holds the sandbox's socket.
pub(crate) fn agent_of(sandbox: &Sandbox) -> u32 {
    let runtime = format!("XDG_RUNTIME_DIR={}\0", sandbox.path("run").display()).into_bytes();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut agents = processes.filter_map(|process| {
        let id = process.file_name().to_str()?.parse().ok()?;
        let is_agent = std::fs::read(process.path().join("cmdline")).ok()?.ends_with(b"\0agent\0--detached\0");
        let environment = std::fs::read(process.path().join("environ")).ok()?;
        let is_ours = environment.windows(runtime.len()).any(|part| part == runtime);
        (is_agent && is_ours && is_alive(id)).then_some(id)
    });
    let agent = agents.next().unwrap();
    assert_eq!(agents.next(), None, "one is enough");
    agent
}

pub(crate) fn is_alive(process: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    !status.is_empty() && !status.contains(") Z ")
}

pub(crate) fn wait_for(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub(crate) fn socket(sandbox: &Sandbox) -> PathBuf {
    let socket = sandbox.path("run/waxseal/agent.sock");
    assert!(socket.metadata().unwrap().file_type().is_socket());
    socket
}

pub(crate) fn write_frame(stream: &mut UnixStream, bytes: &[u8]) {
    stream.write_all(&u32::try_from(bytes.len()).unwrap().to_be_bytes()).unwrap();
    stream.write_all(bytes).unwrap();
}

/// Nothing, when the other end went away.
pub(crate) fn read_frame(stream: &mut UnixStream) -> Vec<u8> {
    let mut length = [0; 4];
    if stream.read_exact(&mut length).is_err() {
        return Vec::new();
    }
    let mut bytes = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

const NOBODY: &str = "waxseal: error: nobody is logged in\n\
                      waxseal: hint: \"waxseal login\" logs in; so does the first signature\n";
