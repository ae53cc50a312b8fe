//! What a kill cannot show, for the page cache outlives a process: that a log writes, syncs and publishes in this order, and
//! what it does when any one of these calls fails. By strace, on the thread that appends; without strace the tests say so.

#![cfg(target_os = "linux")]

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use regex::Regex;

use super::durability::client::{Acknowledged, Client, Log, Refusal};
use super::durability::witness::Witness;
use super::sandbox::{Ran, Sandbox, http};

/// The calls by which a log puts something on disk, its index included.
const CALLS: [&str; 7] = ["openat", "write", "fsync", RENAME, "fdatasync", "pwrite64", "ftruncate"];

/// What rename is called differs from one C library to the next.
const RENAME: &str = "/^rename";

const CLIENTS: usize = 16;

#[test]
fn tiles_are_on_disk_before_the_checkpoint_and_the_checkpoint_before_the_answer() {
    Log::ALL.into_iter().for_each(writes_in_order);
}

fn writes_in_order(log: Log) {
    let mut world = World::new(log);
    // One before the first tile is complete, so that new folders are made, too.
    world.fill(255);
    let Some(trace) = world.traced(&format!("trace={},mkdir,futex", CALLS.join(",")), World::add_three) else { return };
    let lines: Vec<&str> = trace.lines().collect();
    for (call, at_least) in [("rename", 10), ("mkdir", 3), ("fsync", 3 * 6)] {
        let times = lines.iter().filter(|line| line.starts_with(call)).count();
        assert!(times >= at_least, "{times} times {call}\n{trace}");
    }
    let path = Regex::new(r#"^(\w+)\((?:\d+|AT_FDCWD)?<?([^>,"]*)>?"#).unwrap();
    let renamed = Regex::new(r#"^rename[^"]*"([^"]*)"[^"]*"([^"]*)".* = 0"#).unwrap();
    let made = Regex::new(r#"^mkdir\("([^"]*)""#).unwrap();
    let mut checkpoints = 0;
    // What is written and not synced yet, and what is synced and not yet known by name.
    let (mut unsynced, mut unnamed): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let mut published = None;
    for line in &lines {
        if let Some(names) = renamed.captures(line) {
            let (from, to) = (names[1].to_owned(), PathBuf::from(&names[2]));
            assert!(!unsynced.contains(&from), "renamed before it was synced: {line}\n{trace}");
            let folder = to.parent().unwrap().to_str().unwrap().to_owned();
            if to.ends_with("checkpoint") {
                checkpoints += 1;
                assert!(unsynced.is_empty(), "published before {unsynced:?} was synced\n{trace}");
                assert!(unnamed.is_empty(), "published before {unnamed:?} was synced\n{trace}");
                published = Some(folder.clone());
            }
            unnamed.push(folder);
            continue;
        }
        if let Some(name) = made.captures(line) {
            unnamed.push(PathBuf::from(&name[1]).parent().unwrap().to_str().unwrap().to_owned());
            continue;
        }
        let Some(call) = path.captures(line) else { continue };
        let (name, file) = (&call[1], call[2].to_owned());
        match name {
            // The index is no part of the promise: it can be built again.
            "write" if !file.ends_with("index.redb") => unsynced.push(file),
            "fsync" | "fdatasync" => {
                unsynced.retain(|other| *other != file);
                unnamed.retain(|other| *other != file);
                if published.as_ref() == Some(&file) {
                    published = None;
                }
            }
            "futex" if line.contains("FUTEX_WAKE") => {
                assert_eq!(published, None, "answered before the checkpoint was synced\n{trace}");
            }
            _ => {}
        }
    }
    assert_eq!(checkpoints, 3, "{trace}");
    assert!(unsynced.is_empty() && unnamed.is_empty(), "{unsynced:?} {unnamed:?}\n{trace}");
    world.check();
}

#[test]
fn whichever_call_fails_nothing_acknowledged_is_lost() {
    for log in Log::ALL {
        let mut world = World::new(log);
        world.add().unwrap();
        every_call_fails(&mut world, &CALLS, |_| {});
    }
}

/// The entry that completes a tile replaces partial files, and begins new folders.
#[test]
fn whichever_call_fails_a_tile_is_completed() {
    // They are all written by the same code; `WAXSEAL_ALL_FAULTS` asks for each.
    let logs = if std::env::var_os("WAXSEAL_ALL_FAULTS").is_some() { &Log::ALL[..] } else { &[Log::RekorV2] };
    for log in logs.iter().copied() {
        let mut world = World::new(log);
        world.fill(255);
        world.sandbox.kill_stack();
        world.copy("sigstore", "boundary");
        world.sandbox.start_stack();
        world.check();
        let witness = world.witness.clone();
        let calls = [&CALLS[..], &["mkdir"]].concat();
        every_call_fails(&mut world, &calls, |world| {
            world.sandbox.kill_stack();
            std::fs::remove_dir_all(world.sandbox.path("sigstore")).unwrap();
            world.copy("boundary", "sigstore");
            world.witness = witness.clone();
            world.acknowledged.clear();
            world.sandbox.start_stack();
        });
    }
}

/// Each of the `calls` that an entry takes fails once with ENOSPC and once with EIO; `prepare` is done before each time.
fn every_call_fails(world: &mut World, calls: &[&str], prepare: impl Fn(&mut World)) {
    // How often each call is made for one entry.
    let Some(trace) = world.traced(&format!("trace={}", calls.join(",")), |world| world.add().unwrap()) else { return };
    let mut failed = 0;
    for call in calls {
        let times = trace.lines().filter(|line| line.starts_with(call.trim_start_matches("/^"))).count();
        for when in 1..=times {
            for error in ["ENOSPC", "EIO"] {
                prepare(world);
                let fault = format!("inject={call}:error={error}:when={when}");
                let mut refused = None;
                world.traced(&fault, |world| refused = world.add().err()).unwrap();
                world.is_readable();
                let fault = format!("{:?}: {fault}", world.log);
                match (&refused, error) {
                    // What only full disks do: the next one is taken.
                    (Some(answer), "ENOSPC") => assert_eq!(answer.0, 503, "{fault}: {answer:?}"),
                    (Some(answer), _) => {
                        assert_eq!(answer.0, 503, "{fault}: {answer:?}");
                        assert_eq!(world.add().unwrap_err().0, 503, "{fault}: it goes on as if nothing had been");
                    }
                    (None, _) => {}
                }
                failed += usize::from(refused.is_some());
                if error == "EIO" {
                    world.restart();
                }
                world.add().unwrap_or_else(|answer| panic!("{fault}: not taken afterwards: {answer:?}"));
                world.check();
            }
        }
    }
    assert!(failed > 20, "hardly any call failed: {failed}\n{trace}");
    println!("{:?}: {failed} of the calls failed an entry\n", world.log);
}

/// A balancer sends nobody to a stack that does not call itself healthy.
#[test]
fn a_disk_that_is_not_full_any_more_is_noticed_by_itself() {
    let mut world = World::new(Log::RekorV2);
    let health = |world: &World| http("GET", &format!("{}/healthz", world.sandbox.url()), "", b"").status;
    let full = "inject=write,pwrite64,ftruncate,mkdir:error=ENOSPC:when=1+";
    let traced = world.traced(full, |world| {
        assert_eq!(world.add().unwrap_err().0, 503);
        std::thread::sleep(Duration::from_millis(2500));
        assert_eq!(health(world), 503);
    });
    if traced.is_none() {
        return;
    }
    let start = Instant::now();
    while health(&world) != 200 {
        assert!(start.elapsed() < Duration::from_secs(10), "it is still full");
        std::thread::sleep(Duration::from_millis(100));
    }
    world.add().unwrap();
    world.check();
}

#[test]
fn a_full_disk_is_waited_for() {
    for log in Log::ALL {
        let mut world = World::new(log);
        world.add().unwrap();
        let full = "inject=write,pwrite64,ftruncate,mkdir:error=ENOSPC:when=1+";
        let Some(_) = world.traced(full, |world| {
            for _ in 0..3 {
                let (status, answer) = world.add().unwrap_err();
                assert_eq!(
                    (status, &answer["message"]),
                    (503, &"the disk is full: nothing is logged until there is room".into())
                );
                world.is_readable();
            }
        }) else {
            return;
        };
        world.add().unwrap();
        world.check();
    }
}

/// One of the logs of a stack.
struct World {
    log: Log,
    sandbox: Sandbox,
    client: Client,
    witness: Witness,
    acknowledged: Vec<Acknowledged>,
}

impl World {
    fn new(log: Log) -> Self {
        let mut sandbox = Sandbox::new();
        sandbox.start_stack();
        let witness = Witness::of(&sandbox, log);
        Self { log, client: Client::of(&sandbox), sandbox, witness, acknowledged: Vec::new() }
    }

    fn add(&mut self) -> Result<(), Refusal> {
        self.acknowledged.push(self.client.try_add(self.sandbox.url(), self.log).unwrap()?);
        Ok(())
    }

    /// Until the log has `size` entries.
    fn fill(&mut self, size: usize) {
        let (client, url, log, missing) = (&self.client, self.sandbox.url(), self.log, size - self.log.own_entries());
        let filled = std::thread::scope(|scope| {
            let add = move |number| {
                (number..missing).step_by(CLIENTS).map(|_| client.add(url, log).unwrap()).collect::<Vec<_>>()
            };
            let clients: Vec<_> = (0..CLIENTS).map(|number| scope.spawn(move || add(number))).collect();
            clients.into_iter().flat_map(|client| client.join().unwrap()).collect::<Vec<_>>()
        });
        self.acknowledged.extend(filled);
    }

    fn add_three(&mut self) {
        for _ in 0..3 {
            self.add().unwrap();
        }
    }

    /// Disk faults are the log's own: it is read by other threads.
    fn is_readable(&self) {
        let path = match self.log {
            Log::Ct => "/ct/v1/get-entry-and-proof?leaf_index=0&tree_size=1",
            Log::RekorV1 => "/rekor/api/v1/log/entries?logIndex=0",
            Log::RekorV2 => "/rekor2/tile/entries/000.p/1",
        };
        assert_eq!(http("GET", &format!("{}{path}", self.sandbox.url()), "", b"").status, 200);
    }

    fn restart(&mut self) {
        self.sandbox.kill_stack();
        self.sandbox.start_stack();
    }

    fn check(&mut self) {
        self.witness.check(&self.sandbox, &self.client, std::mem::take(&mut self.acknowledged));
    }

    fn copy(&self, from: &str, to: &str) {
        let mut copy = Command::new("cp");
        Ran::of(copy.arg("-a").arg(self.sandbox.path(from)).arg(self.sandbox.path(to)), b"").success();
    }

    /// Runs `work` while strace watches the thread that appends to the log, and returns what it saw; `None` without strace.
    fn traced(&mut self, expression: &str, work: impl FnOnce(&mut Self)) -> Option<String> {
        let strace = Strace::attach(&self.sandbox, self.log, expression)?;
        work(self);
        Some(strace.stop())
    }
}

struct Strace {
    child: Child,
    output: PathBuf,
}

impl Strace {
    fn attach(sandbox: &Sandbox, log: Log, expression: &str) -> Option<Self> {
        let thread = thread(sandbox.stack().pid(), log.folder());
        let output = sandbox.path("trace");
        let mut strace = Command::new("strace");
        strace.args(["-y", "-e", expression, "-o"]).arg(&output).arg("-p").arg(thread);
        let spawned = strace.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let Ok(mut child) = spawned else {
            println!("skipped: there is no strace here");
            return None;
        };
        let mut said = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut said).unwrap();
        if !said.contains("attached") {
            drop(child.wait());
            assert!(said.contains("not permitted"), "{said}");
            println!("skipped: {said}");
            return None;
        }
        Some(Self { child, output })
    }

    /// Lets the thread go on by itself.
    fn stop(mut self) -> String {
        assert!(Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap().success());
        drop(self.child.wait());
        String::from_utf8_lossy(&std::fs::read(&self.output).unwrap()).into_owned()
    }
}

/// The thread of this name, which it gives itself when it begins.
fn thread(process: u32, name: &str) -> OsString {
    loop {
        let mut tasks = std::fs::read_dir(format!("/proc/{process}/task")).unwrap().map(|task| task.unwrap());
        let thread = tasks
            .find(|task| std::fs::read_to_string(task.path().join("comm")).is_ok_and(|other| other.trim_end() == name));
        match thread {
            Some(thread) => return thread.file_name(),
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    }
}
