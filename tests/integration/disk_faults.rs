//! What a kill cannot show, for the page cache outlives a process: that a log writes, syncs and publishes in this order, and
//! what it does when any one of these calls fails. By strace, on the thread that appends; without strace the tests say so.

#![cfg(target_os = "linux")]

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use regex::Regex;
use serde_json::Value;

use super::durability::{Acknowledged, Signer, Witness, acknowledged, post};
use super::sandbox::{Sandbox, http};

/// The calls by which a log puts something on disk, its index included.
const CALLS: [&str; 7] = ["openat", "write", "fsync", RENAME, "fdatasync", "pwrite64", "ftruncate"];

/// What rename is called differs from one C library to the next.
const RENAME: &str = "/^rename";

const CLIENTS: usize = 16;

#[test]
fn tiles_are_on_disk_before_the_checkpoint_and_the_checkpoint_before_the_answer() {
    let mut world = World::new();
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
    let mut world = World::new();
    world.add().unwrap();
    // How often each call is made for one entry.
    let Some(trace) = world.traced(&format!("trace={}", CALLS.join(",")), |world| world.add().unwrap()) else {
        return;
    };
    let mut failed = 0;
    for call in CALLS {
        let times = trace.lines().filter(|line| line.starts_with(call.trim_start_matches("/^"))).count();
        for when in 1..=times {
            for error in ["ENOSPC", "EIO"] {
                let fault = format!("inject={call}:error={error}:when={when}");
                let mut refused = None;
                world.traced(&fault, |world| refused = world.add().err()).unwrap();
                world.is_readable();
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
}

/// An entry that completes a tile makes new folders; one that fails leaves the tile to the next.
#[test]
fn a_tile_is_completed_in_spite_of_failures() {
    let mut world = World::new();
    world.fill(255);
    let mut failed = 0;
    for when in 1.. {
        let mut refused = None;
        for error in ["ENOSPC", "EIO"] {
            let fault = format!("inject=mkdir:error={error}:when={when}");
            if world.traced(&fault, |world| refused = world.add().err()).is_none() {
                return;
            }
            world.is_readable();
            if let Some((status, answer)) = &refused {
                assert_eq!(*status, 503, "{fault}: {answer}");
                failed += 1;
                world.restart();
                world.check();
            }
        }
        if refused.is_none() {
            break;
        }
    }
    assert!(failed >= 4, "{failed}");
    world.add().unwrap();
    world.check();
}

#[test]
fn a_full_disk_is_waited_for() {
    let mut world = World::new();
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

struct World {
    sandbox: Sandbox,
    signer: Signer,
    witness: Witness,
    acknowledged: Vec<Acknowledged>,
}

impl World {
    fn new() -> Self {
        let mut sandbox = Sandbox::new();
        sandbox.start_stack();
        let witness = Witness::of(&sandbox);
        Self { sandbox, signer: Signer::new(), witness, acknowledged: Vec::new() }
    }

    fn add(&mut self) -> Result<(), (u16, Value)> {
        let address = format!("{}/rekor/api/v1/log/entries", self.sandbox.url());
        let (status, answer) = post(&address, &self.signer.proposal()).unwrap();
        let answer = serde_json::from_slice(&answer).unwrap();
        if status != 201 {
            return Err((status, answer));
        }
        self.acknowledged.push(acknowledged(&answer));
        Ok(())
    }

    /// Until the log has `size` entries.
    fn fill(&mut self, size: usize) {
        // One is the log's own.
        let (signer, url, missing) = (&self.signer, self.sandbox.url(), size - 1);
        let filled = std::thread::scope(|scope| {
            let add =
                move |client| (client..missing).step_by(CLIENTS).map(|_| signer.add(url).unwrap()).collect::<Vec<_>>();
            let clients: Vec<_> = (0..CLIENTS).map(|client| scope.spawn(move || add(client))).collect();
            clients.into_iter().flat_map(|client| client.join().unwrap()).collect::<Vec<_>>()
        });
        self.acknowledged.extend(filled);
    }

    fn add_three(&mut self) {
        for _ in 0..3 {
            self.add().unwrap();
        }
    }

    fn is_readable(&self) {
        let index = self.acknowledged.last().map_or(0, Acknowledged::index);
        let address = format!("{}/rekor/api/v1/log/entries?logIndex={index}", self.sandbox.url());
        assert_eq!(http("GET", &address, "", b"").status, 200);
    }

    fn restart(&mut self) {
        self.sandbox.kill_stack();
        self.sandbox.start_stack();
    }

    fn check(&mut self) {
        self.witness.check(&self.sandbox, std::mem::take(&mut self.acknowledged));
    }

    /// Runs `work` while strace watches the thread that appends to the log, and returns what it saw; `None` without strace.
    fn traced(&mut self, expression: &str, work: impl FnOnce(&mut Self)) -> Option<String> {
        let strace = Strace::attach(&self.sandbox, expression)?;
        work(self);
        Some(strace.stop())
    }
}

struct Strace {
    child: Child,
    output: PathBuf,
}

impl Strace {
    fn attach(sandbox: &Sandbox, expression: &str) -> Option<Self> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", sandbox.stack_pid())).unwrap();
        let thread = tasks.map(|task| task.unwrap()).find(|task| {
            std::fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.trim_end() == "rekor-v1")
        });
        let thread = thread.unwrap().file_name();
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
