//! Whatever an embedded log acknowledged is there after a kill at any moment, with a proof; and its files can be read by
//! others. Checked by code that is not waxseal's: `tlog_tiles` and `signed_note` of Cloudflare's azul, and
//! `sigstore-merkle`.

pub(crate) mod client;
mod logcheck;
pub(crate) mod witness;

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use self::client::{Acknowledged, Client, Log};
use self::logcheck::LogCheck;
use self::witness::Witness;
use super::sandbox::{Ran, Sandbox, WAXSEAL};

/// `WAXSEAL_CRASH_ROUNDS` asks for more.
const ROUNDS: usize = 10;
const CLIENTS: usize = 8;
const PATIENCE: Duration = Duration::from_secs(20);

/// Each client writes to both transparency logs by turns; two more ask for certificates, which fills the CT log.
#[test]
fn killed_at_any_moment_a_log_keeps_what_it_acknowledged() {
    let rounds = std::env::var("WAXSEAL_CRASH_ROUNDS").ok().map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let mut sandbox = Sandbox::new();
    sandbox.start_stack();
    let mut client = Client::of(&sandbox);
    let mut witnesses = Log::ALL.map(|log| Witness::of(&sandbox, log));
    let logcheck = LogCheck::find();
    let mut seen = [0; Log::ALL.len()];
    for round in 0..rounds {
        client.log_in_again(&sandbox);
        let acknowledged = load_until_killed(&mut sandbox, &client);
        sandbox.start_stack();
        for ((log, witness), seen) in Log::ALL.into_iter().zip(&mut witnesses).zip(&mut seen) {
            let new: Vec<_> = acknowledged.iter().filter(|entry| entry.log == log).cloned().collect();
            *seen += new.len();
            witness.check(&sandbox, &client, new);
            if let Some(logcheck) = &logcheck {
                logcheck.check(&sandbox, log, witness.acknowledged());
            }
            assert!(witness.size() >= u64::try_from(*seen + log.own_entries()).unwrap(), "{log:?}, round {round}");
        }
    }
    assert!(
        seen.iter().all(|seen| *seen >= rounds / 2),
        "hardly anything was acknowledged: {seen:?} in {rounds} rounds"
    );
    let judge = if logcheck.is_some() { "Go's sumdb, too" } else { "no Go program: WAXSEAL_LOGCHECK is not set" };
    println!(
        "{rounds} kills ({judge}), {seen:?} entries acknowledged, {:?} in the logs",
        witnesses.map(|log| log.size())
    );
}

fn load_until_killed(sandbox: &mut Sandbox, client: &Client) -> Vec<Acknowledged> {
    let url = &sandbox.url().to_owned();
    let count = &AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let add = move |logs: &'static [Log]| {
            let add = logs.iter().cycle().map_while(|log| client.add(url, *log));
            let mut acknowledged = Vec::new();
            for entry in add {
                acknowledged.push(entry);
                count.fetch_add(1, Ordering::Relaxed);
            }
            acknowledged
        };
        let mut clients: Vec<_> =
            (0..CLIENTS).map(|_| scope.spawn(move || add(&[Log::RekorV1, Log::RekorV2]))).collect();
        clients.extend((0..2).map(|_| scope.spawn(move || add(&[Log::Ct]))));
        // Mostly long enough for some batches, however busy the machine is, and never the same.
        let random = u64::from_be_bytes(waxseal::crypto::random_bytes());
        let begun = Instant::now();
        while random % 8 != 0 && count.load(Ordering::Relaxed) < 2 * CLIENTS && begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(50 + random % 600));
        sandbox.kill_stack();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    })
}

/// Beginning together, so that none finds the folder finished.
#[test]
fn of_many_processes_one_has_the_folder() {
    let sandbox = Sandbox::new();
    let children: Vec<_> = (0..4)
        .map(|_| {
            let mut serve = sandbox.serve("sigstore", []);
            serve.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let mut serving = Vec::new();
    let mut refused = 0;
    for mut child in children {
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if line.is_empty() {
            let ended = child.wait_with_output().unwrap();
            let why = String::from_utf8(ended.stderr).unwrap();
            assert!(ended.status.code() == Some(1) && why.contains("is in use by another process"), "{why}");
            refused += 1;
        } else {
            serving.push(child);
        }
    }
    assert_eq!((serving.len(), refused), (1, 3));
    for mut child in serving {
        child.kill().unwrap();
        drop(child.wait());
    }
    let check = || {
        let mut check = sandbox.command(WAXSEAL);
        Ran::of(check.args(["serve", "check", "--data"]).arg(sandbox.path("sigstore")), b"")
    };
    let held = check().success().out();
    assert_eq!((held.matches("{\"log\":").count(), held.matches("{\"tuf_root\":1,").count()), (3, 1), "{held}");
    // Clients would find no way to what they shall trust.
    let targets = std::fs::read_dir(sandbox.path("sigstore/tuf/targets")).unwrap();
    let target = targets
        .map(|target| target.unwrap().path())
        .find(|path| path.to_str().unwrap().ends_with(".trusted_root.json"));
    std::fs::write(target.unwrap(), "{}").unwrap();
    let broken = check().code(1);
    assert!(broken.out().contains("{\"log\":") && broken.err().contains("waxseal: error: tuf: "), "{}", broken.err());
    assert!(broken.err().contains("waxseal: hint: keep this folder as it is"), "{}", broken.err());
}
