//! Makes histories and measures beside them, for `scripts/bench-history`.
//!
//! - `histories make GIT_DIR STACK TRUSTED_ROOT CHAINS SIGNED UNSIGNED` has CHAINS branches of SIGNED commits each signed by the
//!   stack at this address, every one with a certificate and a log entry of its own, and puts UNSIGNED others after each. The
//!   identity token comes from standard input. What `git update-ref --stdin` wants is printed.
//! - `histories checks GIT_DIR TRUSTED_ROOT THREADS ROUNDS` runs the bare signature checks that these commits cannot do without,
//!   each once, with nothing around them. Prints commits, checks, seconds, and processor seconds, which hold for one thread.
//! - `histories read GIT_DIR ROUNDS` reads every commit, and does nothing else with it. Prints the same.
//! - `histories peak COMMAND…` runs a command and prints how much anonymous memory it had at most, in kB.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a tool for measuring ends by panicking, and prints"
)]

mod bare_check;
mod checks;
mod pack;

use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use gix::ObjectId;
use gix::objs::Kind;
use waxseal::cms::armor;
use waxseal::cms::attributes::SignedAttributes;
use waxseal::credential::Issuance;
use waxseal::git::{HashKind, ObjectKind, signed_bytes};
use waxseal::identity_token::IdentityToken;
use waxseal::instance::Instance;
use waxseal::services::event_loop::EventLoop;
use waxseal::services::http::Http;
use waxseal::services::{Services, TransparencyLog};
use waxseal::sign;
use waxseal::signature::git;
use waxseal::trust_store;

use checks::checks;
use pack::{COMMIT, store};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["make", git_dir, stack, trusted_root, chains, signed, unsigned] => make(&Making {
            git_dir,
            stack,
            instance: &instance(trusted_root, stack),
            token: std::io::read_to_string(std::io::stdin()).unwrap(),
            chains: chains.parse().unwrap(),
            signed: signed.parse().unwrap(),
            unsigned: unsigned.parse().unwrap(),
        }),
        ["checks", git_dir, trusted_root, threads, rounds] => {
            checks(git_dir, Path::new(trusted_root), threads.parse().unwrap(), rounds.parse().unwrap());
        }
        ["read", git_dir, rounds] => read(git_dir, rounds.parse().unwrap()),
        ["peak", ref command @ ..] => peak(command),
        _ => panic!("histories make|checks|read|peak …"),
    }
}

/// What is to be made.
struct Making<'a> {
    git_dir: &'a str,
    stack: &'a str,
    instance: &'a Instance,
    token: String,
    chains: usize,
    signed: usize,
    unsigned: usize,
}

/// The stack's; it believes its own issuer.
fn instance(trusted_root: &str, stack: &str) -> Instance {
    let mut instance = trust_store::from_file(Path::new(trusted_root)).unwrap();
    instance.bounds.oidc_issuers = Some(vec![format!("{}/oidc", stack.trim_end_matches('/'))]);
    instance
}

/// A chain is made by a thread: a commit names the one before it, so that there is no other way to sign many at once.
fn make(making: &Making<'_>) {
    let commits = Mutex::new(Vec::new());
    let tips: Vec<ObjectId> = thread::scope(|scope| {
        let chains: Vec<_> = (0..making.chains)
            .map(|number| {
                scope.spawn({
                    let commits = &commits;
                    move || chain(making, number, commits)
                })
            })
            .collect();
        chains.into_iter().map(|chain| chain.join().unwrap()).collect()
    });
    store(making.git_dir, &commits.into_inner().unwrap());
    for (number, tip) in tips.iter().enumerate() {
        println!("update refs/heads/chain-{number} {tip}");
    }
}

fn chain(making: &Making<'_>, number: usize, commits: &Mutex<Vec<(u8, Vec<u8>)>>) -> ObjectId {
    let mut signer = Signer::new(making);
    let (mut tip, mut made) = (None, Vec::new());
    for position in 0..making.signed {
        for after in 0..=making.unsigned {
            let date = FIRST_DATE + (position * (making.unsigned + 1) + after) * making.chains + number;
            let payload = payload(tip, date, &format!("chain {number}, commit {position}.{after}"));
            let bytes = if after == 0 { signer.signed(&payload) } else { payload };
            tip = Some(gix::objs::compute_hash(gix::hash::Kind::Sha1, Kind::Commit, &bytes).unwrap());
            made.push((COMMIT, bytes));
        }
    }
    commits.lock().unwrap().append(&mut made);
    tip.unwrap()
}

fn payload(parent: Option<ObjectId>, date: usize, message: &str) -> Vec<u8> {
    let parent = parent.map(|parent| format!("parent {parent}\n")).unwrap_or_default();
    let who = format!("Alice Example <alice@example.org> {date} +0000");
    format!("tree {EMPTY_TREE}\n{parent}author {who}\ncommitter {who}\n\n{message}\n").into_bytes()
}

/// Signs as waxseal does for Git, with a new key and certificate each time.
struct Signer<'a> {
    making: &'a Making<'a>,
    http: Http,
    services: Services,
    event_loop: EventLoop,
    token: IdentityToken,
}

impl<'a> Signer<'a> {
    fn new(making: &'a Making<'a>) -> Self {
        let stack = making.stack.trim_end_matches('/');
        Self {
            making,
            http: Http::default(),
            services: Services {
                certificate_authority: stack.to_owned(),
                oidc_issuer: None,
                transparency_log: TransparencyLog::RekorV1(format!("{stack}/rekor")),
                timestamp_authority: None,
            },
            event_loop: EventLoop::new().unwrap(),
            token: IdentityToken::parse(making.token.trim().to_owned()).unwrap(),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a tool for measuring")]
    fn signed(&mut self, payload: &[u8]) -> Vec<u8> {
        let now = jiff::Timestamp::now();
        let attributes = SignedAttributes::for_payload(payload, now).unwrap();
        let issuance = Issuance {
            instance: self.making.instance,
            certificate_authority: &self.services.certificate_authority,
            audience: "sigstore",
            signer: None,
        };
        let material = self.event_loop.run(async {
            let credential = issuance.issue(&self.http, &self.token, now).await.unwrap();
            let signature = credential.key.sign(attributes.message());
            let certificate = credential.certificate.certificate().clone();
            sign::record(attributes.message(), signature, certificate, &self.http, &self.services).await.unwrap()
        });
        let (certificate, entry) = (&material.certificate, material.log_entry.as_ref());
        let sealed = git::seal(&attributes, certificate, &material.signature, entry, &material.timestamps).unwrap();
        signed_bytes(ObjectKind::Commit, HashKind::Sha1, payload, armor::encode(&sealed).as_bytes()).unwrap()
    }
}

fn read(git_dir: &str, rounds: usize) {
    let ids = every_id(git_dir);
    let repository = gix::open(git_dir).unwrap();
    let best = best(rounds, || {
        let mut bytes = Vec::new();
        for id in &ids {
            let object = gix::objs::Find::try_find(&repository.objects, id, &mut bytes).unwrap().unwrap();
            assert_eq!(black_box(object).kind, Kind::Commit);
        }
    });
    println!("{} 0 {:.6} {:.6}", ids.len(), best.elapsed, best.busy);
}

fn every_commit(git_dir: &str) -> impl Iterator<Item = Vec<u8>> {
    let repository = gix::open(git_dir).unwrap();
    every_id(git_dir).into_iter().map(move |id| repository.find_object(id).unwrap().detach().data)
}

/// In the order in which Git lists them.
fn every_id(git_dir: &str) -> Vec<ObjectId> {
    let listed = Command::new("git").args(["--git-dir", git_dir, "rev-list", "--all"]).output().unwrap();
    assert!(listed.status.success());
    listed
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| ObjectId::from_hex(line).unwrap())
        .collect()
}

/// Seconds.
pub(crate) struct Took {
    /// By the clock on the wall.
    pub elapsed: f64,
    /// Of this thread on a processor: what others do in between is not in it.
    pub busy: f64,
}

/// The fastest round: other people's work only ever adds.
pub(crate) fn best(rounds: usize, mut work: impl FnMut()) -> Took {
    let mut best = Took { elapsed: f64::INFINITY, busy: f64::INFINITY };
    for _ in 0..rounds {
        let (start, busy) = (Instant::now(), busy());
        work();
        best.elapsed = best.elapsed.min(start.elapsed().as_secs_f64());
        best.busy = best.busy.min((self::busy() - busy).as_secs_f64());
    }
    best
}

/// How long the main thread was on a processor (proc_pid_schedstat(5)).
fn busy() -> Duration {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

fn peak(command: &[&str]) {
    let mut child =
        Command::new(command[0]).args(&command[1..]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let now = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        peak = peak.max(now.unwrap_or_default());
        thread::sleep(Duration::from_millis(2));
    }
    println!("{peak}");
}

const EMPTY_TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
const FIRST_DATE: usize = 1_700_000_000;
