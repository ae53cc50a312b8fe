//! The agent that another one keeps busy, that hangs, or that is of another version: nobody waits without end, nor unasked.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::agent::{
    Counts, agent_of, commit, counted, is_alive, payload, read_frame, sign, wait_for, world, write_frame,
};
use super::sandbox::WAXSEAL;

/// Git was killed while somebody should have logged in. Its signer has nobody to sign for, and others want to log in.
#[test]
fn who_waits_for_another_one_s_login_is_told_and_waits_for_no_dead_git() {
    let sandbox = world();
    let mut git = sandbox.command("git");
    // A browser at which nobody sits.
    git.args(["-c", "waxseal.browser=true", "commit", "-q", "--allow-empty", "-S", "-m", "one"]);
    let mut git = git.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let children = format!("/proc/{0}/task/{0}/children", git.id());
    let signer = || std::fs::read_to_string(&children).unwrap_or_default().trim().parse::<u32>().ok();
    wait_for(|| signer().is_some() && sandbox.path("run/waxseal/agent.sock").exists());
    let orphan = signer().unwrap();
    // It has its turn once it waits for the browser.
    wait_for(|| listens(orphan));

    let mut second = sandbox.command(WAXSEAL);
    second.args(["--status-fd=2", "-bsau", ""]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut second = second.spawn().unwrap();
    second.stdin.take().unwrap().write_all(payload().as_bytes()).unwrap();
    let mut said = BufReader::new(second.stderr.take().unwrap());
    let mut lines = String::new();
    while !lines.contains("waiting") && said.read_line(&mut lines).unwrap() > 0 {}
    assert_eq!(
        lines,
        format!(
            "[GNUPG:] BEGIN_SIGNING H8\nwaxseal: another program (process {orphan}) is just logging in for the same; waiting \
             for that, at most 120 s\n"
        )
    );
    git.kill().unwrap();
    git.wait().unwrap();
    wait_for(|| !is_alive(orphan));
    // It is its turn now.
    assert!(second.wait_with_output().unwrap().status.success());
    assert_eq!(counted(&sandbox), Counts { logins: 1, tokens: 1, certificates: 1 });
}

/// Whether a process has a TCP socket that listens.
fn listens(process: u32) -> bool {
    let listening: Vec<String> = ["tcp", "tcp6"]
        .iter()
        .flat_map(|kind| {
            let table = std::fs::read_to_string(format!("/proc/{process}/net/{kind}")).unwrap_or_default();
            let rows = table.lines().skip(1).map(|row| row.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
            rows.filter(|row| row[3] == "0A").map(|row| format!("socket:[{}]", row[9])).collect::<Vec<_>>()
        })
        .collect();
    let files = std::fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
    let mut targets = files.filter_map(|file| std::fs::read_link(file.path()).ok());
    targets.any(|target| target.to_str().is_some_and(|target| listening.iter().any(|socket| socket == target)))
}

/// A stopped one takes connections and says nothing.
#[test]
fn one_that_hangs_is_named_and_waited_for_no_longer_than_seconds() {
    let sandbox = world();
    commit(&sandbox, "one").success();
    let agent = agent_of(&sandbox);
    let tell = |signal: &str| Command::new("kill").args([signal, &agent.to_string()]).status().unwrap();
    tell("-STOP");
    let began = Instant::now();
    let error = format!(
        "waxseal: error: the agent (process {agent}, waxseal) has not answered within 5 s\n\
         waxseal: hint: \"kill -KILL {agent}\" ends it, and its logins with it; one that was only stopped goes on after \
         \"kill -CONT {agent}\"\n"
    );
    for command in [&["whoami"][..], &["logout"], &["agent", "--stop"], &["login"]] {
        assert_eq!(sandbox.waxseal(command).code(1).err(), error, "{command:?}");
    }
    // A signature is still to be had.
    let signed = sign(&sandbox).success().err();
    let warning = format!("5 s; this login is good for one signature only; \"kill -KILL {agent}\" ends it");
    assert!(signed.contains(&warning), "{signed}");
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    tell("-CONT");
    sandbox.waxseal(["whoami"]).success();
}

#[test]
fn an_agent_of_another_version() {
    let sandbox = world();
    let run = sandbox.path("run/waxseal");
    std::fs::create_dir(&run).unwrap();
    std::fs::set_permissions(&run, std::fs::Permissions::from_mode(0o700)).unwrap();
    // What the last of so many clients asks for, after the greeting.
    let listen_for = |hello: &'static str, clients: usize| {
        let socket = run.join("agent.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        std::thread::spawn(move || {
            let requests = (0..clients).map(|_| {
                let (mut stream, _) = listener.accept().unwrap();
                read_frame(&mut stream);
                write_frame(&mut stream, hello.as_bytes());
                let request = read_frame(&mut stream);
                if !request.is_empty() {
                    std::fs::remove_file(&socket).unwrap();
                    write_frame(&mut stream, br#"{"answer":"stopping"}"#);
                }
                request
            });
            requests.fold(Vec::new(), |_, request| request)
        })
    };
    let listen = |hello| listen_for(hello, 1);
    let older = listen(r#"{"protocol":0,"version":"0.0.1"}"#);
    commit(&sandbox, "one").success();
    assert_eq!(older.join().unwrap(), br#"{"request":"stop"}"#);
    sandbox.waxseal(["whoami"]).success();

    // Who only asks does not end it; who logs out does: it knows no other word.
    sandbox.waxseal(["agent", "--stop"]).success();
    wait_for(|| !run.join("agent.sock").exists());
    let older = listen(r#"{"protocol":1,"version":"0.0.1"}"#);
    let error = "waxseal: error: an agent of waxseal 0.0.1 runs, which is older\n";
    assert!(sandbox.waxseal(["whoami"]).code(1).err().starts_with(error));
    assert_eq!(older.join().unwrap(), b"");
    std::fs::remove_file(run.join("agent.sock")).unwrap();
    let (greeted, ended) = (r#"{"protocol":1,"version":"0.0.1"}"#, br#"{"request":"stop"}"#);
    let older = listen_for(greeted, 2);
    let logout = sandbox.waxseal(["logout"]).success();
    let warning =
        "waxseal: warning: an agent of waxseal 0.0.1 runs, which is older; it was ended, whoever was logged in there\n";
    assert_eq!((logout.out().as_str(), logout.err().as_str()), ("logged out\n", warning));
    assert_eq!(older.join().unwrap(), ended);

    // What is newer is not ours to end. There is still a signature.
    sandbox.waxseal(["agent", "--stop"]).success();
    wait_for(|| !run.join("agent.sock").exists());
    let newer = listen(r#"{"protocol":4000000000,"version":"9.0.0","more":1}"#);
    let signed = sign(&sandbox).success();
    assert!(signed.err().contains(
        "waxseal: warning: an agent of waxseal 9.0.0 runs, which is newer; this login is good for one signature only\n"
    ), "{}", signed.err());
    assert_eq!(newer.join().unwrap(), b"");
}
