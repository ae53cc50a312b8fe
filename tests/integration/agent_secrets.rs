//! What an agent holds, nobody else gets: not another user, not a file, not a core dump. And what comes over its socket is
//! what Git signs, or nothing.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::agent::{agent_of, commit, is_alive, read_frame, socket, wait_for, write_frame};
use super::sandbox::{Sandbox, WAXSEAL};

#[test]
fn another_user_is_not_answered() {
    let sandbox = Sandbox::new();
    let run = sandbox.path("run/waxseal");
    if !am_root() || !can_run_as(NOBODY) {
        println!("skipped: only root can be two users, and this machine's files must be open to the other one");
        return;
    }
    // The agent is nobody's. Root passes every permission in the file system, and is another user all the same.
    chown(sandbox.path("run"), Some(NOBODY), None).unwrap();
    fs::set_permissions(sandbox.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = sandbox.command(WAXSEAL);
    let mut agent = command.arg("agent").current_dir("/").uid(NOBODY).stdout(Stdio::null()).spawn().unwrap();
    // Bound first, closed then, in a folder that is closed all the time.
    wait_for(|| run.join("agent.sock").metadata().is_ok_and(|socket| socket.mode() & 0o777 == 0o600));
    assert_eq!(run.metadata().unwrap().mode() & 0o777, 0o700);
    let mut stream = UnixStream::connect(run.join("agent.sock")).unwrap();
    // It may have hung up already.
    drop(std::io::Write::write_all(&mut stream, b"\0\0\0\x20{\"protocol\":1,\"version\":\"0.1.0\"}"));
    assert_eq!(read_frame(&mut stream), b"");
    // Nobody itself is answered.
    let whoami = sandbox.command(WAXSEAL).arg("whoami").current_dir("/").uid(NOBODY).output().unwrap();
    assert!(String::from_utf8_lossy(&whoami.stderr).contains("nobody is logged in"));
    // Its memory is not even open to other programs of the same user: the kernel gives these files to root.
    let environment = format!("/proc/{}/environ", agent.id());
    assert_eq!(fs::metadata(&environment).unwrap().uid(), 0);

    // Nor does a client of root's take nobody's folder for its own.
    let signed = sandbox.waxseal(["whoami"]).code(1).err();
    assert!(signed.contains("nobody is logged in"), "{signed}");
    drop(agent.kill());
    drop(agent.wait());
}

#[test]
fn the_key_is_in_no_file_argument_environment_or_log() {
    let sandbox = Sandbox::with_stack_and(&["--audit-log", "../audit.log", "--access-log", "../access.log"]);
    // What Git has open must not stay open in the agent.
    let script = "exec 9>../left-open && export SECRET=hush && git commit -q --allow-empty -S -m one";
    sandbox.sh(script).success();
    let agent = agent_of(&sandbox);
    let proc = |name: &str| Path::new("/proc").join(agent.to_string()).join(name);
    assert_eq!(fs::read(proc("cmdline")).unwrap(), format!("{WAXSEAL}\0agent\0--detached\0").into_bytes());
    let environment = String::from_utf8(fs::read(proc("environ")).unwrap()).unwrap();
    let mut names: Vec<&str> = environment.split_terminator('\0').map(|pair| pair.split_once('=').unwrap().0).collect();
    names.sort_unstable();
    assert_eq!(names, ["HOME", "PATH", "XDG_RUNTIME_DIR"]);
    assert_eq!(fs::read_link(proc("cwd")).unwrap(), Path::new("/"));
    // A session of its own, and no terminal: number 6 and 7 of proc(5)'s stat.
    let stat = fs::read_to_string(proc("stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    assert_eq!((fields[3], fields[4]), (agent.to_string().as_str(), "0"));

    for entry in fs::read_dir(proc("fd")).unwrap().flatten() {
        let target = fs::read_link(entry.path()).unwrap();
        let target = target.to_str().unwrap();
        let is_known = ["socket:", "anon_inode:", "/dev/null"].iter().any(|known| target.starts_with(known));
        let is_signal_pipe = target.starts_with("pipe:");
        let number: u32 = entry.file_name().to_str().unwrap().parse().unwrap();
        assert!(
            is_known || is_signal_pipe && number > 2 || target.ends_with("/run/waxseal/agent.lock"),
            "{number} {target}"
        );
    }

    // No file of the client's or of the agent's holds a private key or a token, and the lock holds nothing.
    assert_eq!(fs::read(sandbox.path("run/waxseal/agent.lock")).unwrap(), b"");
    let mut in_run: Vec<_> =
        fs::read_dir(sandbox.path("run/waxseal")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    in_run.sort();
    assert_eq!(in_run, ["agent.lock", "agent.sock"]);
    for folder in ["home", "run", "tmp", "repository", "audit.log", "access.log"] {
        for (path, content) in files(&sandbox.path(folder)) {
            for secret in [&b"PRIVATE KEY"[..], ECDSA_P256_PKCS8, b"eyJ"] {
                assert!(!content.windows(secret.len()).any(|part| part == secret), "{}", path.display());
            }
        }
    }
}

#[test]
fn there_is_no_core_dump() {
    let sandbox = Sandbox::with_stack();
    sandbox.sh("ulimit -c unlimited 2>/dev/null; git commit -q --allow-empty -S -m one").success();
    let agent = agent_of(&sandbox);
    let limits = fs::read_to_string(format!("/proc/{agent}/limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"], "{core}");
    let before = files_in_root();
    std::process::Command::new("kill").args(["-ABRT", &agent.to_string()]).status().unwrap();
    wait_for(|| !is_alive(agent));
    assert_eq!(files_in_root(), before, "its working directory is the root");
}

#[test]
fn only_what_git_signs_is_signed() {
    let sandbox = Sandbox::with_stack();
    commit(&sandbox, "one").success();
    let mut stream = UnixStream::connect(socket(&sandbox)).unwrap();
    write_frame(&mut stream, HELLO);
    assert!(String::from_utf8(read_frame(&mut stream)).unwrap().starts_with(r#"{"protocol":2,"#));
    let mut ask = |payload: &[u8]| {
        write_frame(&mut stream, br#"{"request":"sign","session":0}"#);
        write_frame(&mut stream, payload);
        String::from_utf8(read_frame(&mut stream)).unwrap()
    };
    let people = "author A <a@x> 1 +0000\ncommitter A <a@x> 1 +0000\n";
    let refused = r#"{"answer":"failed","failure":{"refused":"it signs commits, tags and push certificates only"}}"#;
    for payload in [
        "".to_owned(),
        "hello".to_owned(),
        // DER of signed attributes, which would be a signature over anything.
        "1\u{1a}0\u{18}".to_owned(),
        format!("tree 1\ntree 2\n{people}\n"),
        // Only dressed up as what Git signs.
        format!("tree 1\n{people}\nm"),
        "certificate version 0.1\nwhatever\n".to_owned(),
        "object 1\n\nm\n".to_owned(),
    ] {
        assert_eq!(ask(payload.as_bytes()), refused, "{payload:?}");
    }
    let id = "0123456789abcdef0123456789abcdef01234567";
    for payload in [
        format!("tree {id}\n{people}\nm"),
        format!("object {id}\ntype commit\ntag v\ntagger A <a@x> 1 +0000\n\nm\n"),
        format!("certificate version 0.1\npusher A <a@x> 1 +0000\n\n{id} {id} refs/heads/main\n"),
    ] {
        assert!(ask(payload.as_bytes()).starts_with(r#"{"answer":"signed","#), "{payload:?}");
    }
    write_frame(&mut stream, br#"{"request":"sign","session":17}"#);
    write_frame(&mut stream, b"tree 1\n");
    assert_eq!(read_frame(&mut stream), br#"{"answer":"missing"}"#);
}

#[test]
fn one_client_s_nonsense_is_not_another_one_s_trouble() {
    let sandbox = Sandbox::with_stack();
    commit(&sandbox, "one").success();
    let agent = agent_of(&sandbox);
    let connect = || UnixStream::connect(socket(&sandbox)).unwrap();
    let after_hello = |bytes: &[u8]| {
        let mut stream = connect();
        write_frame(&mut stream, HELLO);
        read_frame(&mut stream);
        std::io::Write::write_all(&mut stream, bytes).unwrap();
        read_frame(&mut stream)
    };
    // Lengths that nobody pays for, and what is no message: the connection ends.
    for bytes in
        [&b"\xff\xff\xff\xff"[..], b"\0\0\0\x02{}", b"\0\0\0\x04\xff\xff\xff\xff", b"\0\0\0\x13{\"request\":\"fetch\"}"]
    {
        assert_eq!(after_hello(bytes), b"", "{bytes:?}");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(after_hello(&[&100_000_u32.to_be_bytes()[..], deep.as_bytes()].concat()), b"");
    // Some who say nothing, some who say half of it: they are cut off, and meanwhile others are served.
    let mut silent: Vec<UnixStream> = (0..20).map(|_| connect()).collect();
    let mut slow: Vec<UnixStream> = (0..20)
        .map(|_| {
            let mut stream = connect();
            std::io::Write::write_all(&mut stream, b"\0\0").unwrap();
            stream
        })
        .collect();
    let start = Instant::now();
    commit(&sandbox, "two").success();
    sandbox.waxseal(["whoami"]).success();
    assert!(start.elapsed() < Duration::from_secs(60));
    for stream in silent.iter_mut().chain(&mut slow) {
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        assert_eq!(read_frame(stream), b"");
    }
    // More than it takes at once wait until there is room.
    let _crowd: Vec<UnixStream> = (0..100).map(|_| connect()).collect();
    commit(&sandbox, "three").success();
    assert_eq!(agent_of(&sandbox), agent, "it is still the same");
}

fn files(path: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let metadata = path.symlink_metadata().unwrap();
    if metadata.is_dir() {
        fs::read_dir(path).unwrap().flat_map(|entry| files(&entry.unwrap().path())).collect()
    } else if metadata.is_file() {
        vec![(path.to_owned(), fs::read(path).unwrap())]
    } else {
        Vec::new()
    }
}

fn files_in_root() -> Vec<std::ffi::OsString> {
    let mut names: Vec<_> = fs::read_dir("/").unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

fn am_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

fn can_run_as(user: u32) -> bool {
    let mut command = std::process::Command::new(WAXSEAL);
    command.arg("--version").current_dir("/").uid(user).stdout(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// `nobody`, on most systems; any will do.
const NOBODY: u32 = 65_534;
const HELLO: &[u8] = br#"{"protocol":2,"version":"0.1.0"}"#;
/// RFC 5208 with the identifiers of RFC 5480: how every PKCS #8 file of a P-256 key goes on after its version.
const ECDSA_P256_PKCS8: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x04";
