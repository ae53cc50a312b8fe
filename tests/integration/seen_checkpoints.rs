//! What a log said last of its own size is kept: one that was put back, or tells two stories, is found out, nothing is
//! signed, and a log that is merely down is not accused.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use serde_json::Value;

use waxseal::seen_checkpoints::{AlarmKind, Before, LiveCheckpoint, ObserveError, Observed, SeenCheckpoints};
use waxseal::services::TransparencyLog;
use waxseal::services::http::Http;
use waxseal::settings::Folders;
use waxseal::trusted_root::{LogId, TransparencyLogInstance, TrustedRoot};

use super::outage::{refused, services, sign};
use super::sandbox::front::{Front, Reply, Request, reply};
use super::sandbox::{ALICE, Ran, Sandbox, WAXSEAL, http};

const LOGS: [&str; 2] = ["v1", "v2"];

#[test]
fn the_last_checkpoint_of_each_log_is_kept() {
    let sandbox = Sandbox::with_stack();
    let token = sandbox.token(ALICE);
    for (count, log) in LOGS.into_iter().enumerate() {
        sandbox.config("waxseal.log", log);
        let sizes: Vec<u64> = (0..3)
            .map(|_| {
                sign(&sandbox, &token).success();
                let kept = newest(&sandbox);
                assert_eq!(kept.seen.len(), 1, "each extends the one before");
                assert!(kept.seen[0].address.starts_with(sandbox.url()));
                size(&kept.seen[0].checkpoint)
            })
            .collect();
        // Entry 0 is the log's own.
        assert_eq!(sizes, [2, 3, 4]);
        assert_eq!(files(&sandbox).len(), count + 1);
    }
    // Verifying looks at none of it.
    std::fs::remove_dir_all(folder(&sandbox)).unwrap();
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "signed"]).success();
    std::fs::remove_dir_all(folder(&sandbox)).unwrap();
    sandbox.git(["verify-commit", "HEAD"]).success();
    assert!(!folder(&sandbox).exists());
}

#[test]
fn a_log_that_was_put_back_is_an_alarm_and_nothing_is_signed() {
    for log in LOGS {
        let mut sandbox = Sandbox::with_stack();
        sandbox.config("waxseal.log", log);
        let token = sandbox.token(ALICE);
        sign(&sandbox, &token).success();
        let copy = backup(&mut sandbox);
        for _ in 0..3 {
            sign(&sandbox, &token).success();
        }
        restore(&mut sandbox, &copy);
        let kept = newest(&sandbox);
        let error = refused(&sandbox, &token);
        let alarm = alarm_file(&sandbox);
        let entries = |size, file: &Path| {
            let file = sandbox.masked(file.to_str().unwrap());
            format!("{size} entries with root hash SHA256 at TIME (kept in {file})")
        };
        let (first, second) = (entries(5, &kept.path), entries(3, &alarm));
        let doctor = sandbox.waxseal(["doctor"]).out();
        assert!(doctor.contains("a log contradicted what it said before: "), "{doctor}");
        let said = format!("went back: {first}, and {second}\n");
        assert!(error.starts_with("waxseal: error: the log \"127.0.0.1"), "{error}");
        assert!(error.contains(&said), "{said}\n{error}");
        assert!(error.ends_with("waxseal: hint: the finished signature was not written\n"), "{error}");
        assert!(error.contains("\nwaxseal: hint: if it was put back from a backup and you accept that, remove "));
        assert_eq!(size(&read(&alarm).seen[0].checkpoint), 3);

        // Again and again, until it has caught up; and then it has another history.
        assert!(refused(&sandbox, &token).contains("went back: "));
        assert!(refused(&sandbox, &token).contains("shows two histories: "), "of the same size");
        let error = refused(&sandbox, &token);
        assert!(error.contains("shows two histories: 5 entries "), "{error}");
        assert!(error.contains(", and 6 entries "), "{error}");
        // Who accepts it begins anew.
        std::fs::remove_file(&kept.path).unwrap();
        sign(&sandbox, &token).success();
        sign(&sandbox, &token).success();
        assert_eq!(size(&newest(&sandbox).seen[0].checkpoint), 8);
    }
}

#[test]
fn a_forked_log_with_the_same_key_is_an_alarm() {
    for log in LOGS {
        let mut sandbox = Sandbox::with_stack();
        sandbox.config("waxseal.log", log);
        let token = sandbox.token(ALICE);
        sign(&sandbox, &token).success();
        let copy = backup(&mut sandbox);
        sign(&sandbox, &token).success();
        let kept = newest(&sandbox);
        // The other branch grows in front of somebody else, and then beyond what Alice has seen.
        restore(&mut sandbox, &copy);
        let hidden = sandbox.path("hidden");
        std::fs::rename(folder(&sandbox), &hidden).unwrap();
        for _ in 0..3 {
            sign(&sandbox, &token).success();
        }
        std::fs::remove_dir_all(folder(&sandbox)).unwrap();
        std::fs::rename(&hidden, folder(&sandbox)).unwrap();
        let mut commit = sandbox.command("git");
        commit.args(["commit", "-q", "--allow-empty", "-S", "-m", "x"]).env("WAXSEAL_ID_TOKEN", &token);
        Ran::of(&mut commit, b"").code(128);
        assert_eq!(sandbox.git(["rev-list", "--all", "--count"]).line(), "0", "no commit was made");
        let error = sandbox.last_error();
        assert!(error.contains("shows two histories: 3 entries with root hash SHA256 at TIME (kept in "), "{error}");
        assert!(error.contains("), and 6 entries with root hash SHA256 at TIME (kept in "), "{error}");
        assert_eq!(read(&kept.path).seen, kept.seen, "what was kept stays");
        assert_eq!(size(&read(&alarm_file(&sandbox)).seen[0].checkpoint), 6);
    }
}

#[test]
fn a_log_that_gives_no_proof_is_not_accused_and_both_are_kept() {
    for (log, service, path) in [("v1", "rekor", "/rekor/api/v1/log/proof"), ("v2", "rekor2", "/tile/")] {
        let mut sandbox = Sandbox::with_stack();
        sandbox.config("waxseal.log", log);
        let token = sandbox.token(ALICE);
        let url = sandbox.url().to_owned();
        let copy = backup(&mut sandbox);
        let down = Front::new(&url, move |request| {
            if request.line.contains(path) {
                Reply::Bytes(reply("500 Internal Server Error", "", b""))
            } else {
                Reply::Pass
            }
        });
        use_log(&sandbox, service, &down.url);
        sign(&sandbox, &token).success();
        for unproved in 2..4 {
            let said = sign(&sandbox, &token).success().err();
            assert!(said.contains("waxseal: warning: whether the log \"127.0.0.1"), "{said}");
            assert!(said.contains("could not be proved, so both of its checkpoints are kept in "), "{said}");
            assert!(said.contains(" failed with status 500\n"), "{said}");
            assert_eq!(newest(&sandbox).seen.len(), unproved);
        }
        // As soon as it can be asked, everything that was kept is proved.
        use_log(&sandbox, service, &url);
        assert!(!sign(&sandbox, &token).success().err().contains("warning"));
        assert_eq!(newest(&sandbox).seen.len(), 1);

        // One whose other story was only kept is found out by the same question.
        use_log(&sandbox, service, &down.url);
        sign(&sandbox, &token).success();
        let both = newest(&sandbox).seen.len();
        assert_eq!(both, 2);
        restore(&mut sandbox, &copy);
        let error = refused(&sandbox, &token);
        assert!(error.contains("went back: "), "{error}");
    }
}

#[test]
fn a_wrong_proof_is_an_alarm_and_garbage_is_not() {
    let sandbox = Sandbox::with_stack();
    let token = sandbox.token(ALICE);
    let is_proof = |request: &Request| request.line.contains("/api/v1/log/proof");
    let url = sandbox.url().to_owned();
    sign(&sandbox, &token).success();
    sign(&sandbox, &token).success();
    sign(&sandbox, &token).success();
    let garbage =
        Front::new(
            &url,
            move |request| {
                if is_proof(request) { Reply::Bytes(reply("200 OK", "", b"<html>")) } else { Reply::Pass }
            },
        );
    use_log(&sandbox, "rekor", &garbage.url);
    let said = sign(&sandbox, &token).success().err();
    assert!(said.contains("the answer is not the JSON of a consistency proof"), "{said}");
    let zeros = Value::from("00".repeat(32));
    let wrong = Front::new(&url, move |request| {
        let zeros = zeros.clone();
        if is_proof(request) {
            Reply::Edit(Arc::new(move |proof| proof["hashes"][0] = zeros.clone()))
        } else {
            Reply::Pass
        }
    });
    use_log(&sandbox, "rekor", &wrong.url);
    assert!(refused(&sandbox, &token).contains("shows two histories: "));
}

#[test]
fn what_cannot_be_read_or_kept_is_said_and_stops_nobody() {
    let sandbox = Sandbox::with_stack();
    let token = sandbox.token(ALICE);
    sign(&sandbox, &token).success();
    let path = newest(&sandbox).path;
    let good = std::fs::read_to_string(&path).unwrap();
    for (bad, why) in [
        (String::new(), "is not a file of checkpoints that waxseal wrote"),
        (good.replace("\"version\": 1", "\"version\": 9"), "is not a file of checkpoints that waxseal wrote"),
        (" ".repeat((1 << 20) + 1), "is not a file of checkpoints that waxseal wrote"),
        (good.replace("\\n2\\n", "\\n7\\n"), "the log's signature of the checkpoint does not verify"),
    ] {
        std::fs::write(&path, &bad).unwrap();
        let said = sign(&sandbox, &token).success().err();
        assert!(said.contains("waxseal: warning: the log's checkpoint is not kept: "), "{said}");
        assert!(said.contains(why) && said.contains("; find out who wrote that file, and remove it"), "{said}");
        let doctor = sandbox.waxseal(["doctor", "--offline", "--json"]).code(1).out();
        let problem = [r#""check":"checkpoints""#, r#""state":"problem""#, why];
        assert!(doctor.lines().any(|line| problem.iter().all(|part| line.contains(part))), "{doctor}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), bad, "nothing is written over it");
    }
    std::fs::remove_dir_all(folder(&sandbox)).unwrap();
    std::fs::write(folder(&sandbox), "").unwrap();
    let said = sign(&sandbox, &token).success().err();
    assert!(said.contains("waxseal: warning: the log's checkpoint is not kept: "), "{said}");
}

#[test]
fn signers_at_the_same_time_accuse_nobody() {
    let sandbox = Sandbox::with_stack();
    for log in LOGS {
        sandbox.config("waxseal.log", log);
        let token = sandbox.token(ALICE);
        std::thread::scope(|scope| {
            let signers: Vec<_> = (0..12).map(|_| scope.spawn(|| sign(&sandbox, &token))).collect();
            for signer in signers {
                let signed = signer.join().unwrap().success();
                assert!(!signed.err().contains("warning"), "{}", signed.err());
            }
        });
        let kept = newest(&sandbox);
        assert_eq!((kept.seen.len(), size(&kept.seen[0].checkpoint)), (1, 13), "the largest is kept");
    }
}

/// An answer that was on its way while another process stored a newer one is not later than that, and yet of one history.
#[test]
fn an_answer_to_a_request_that_began_before_is_not_an_older_log() {
    let sandbox = Sandbox::with_stack();
    let token = sandbox.token(ALICE);
    let root = TrustedRoot::parse(&http("GET", &format!("{}/trust/trusted_root.json", sandbox.url()), "", b"").body);
    let log = &root.unwrap().transparency_logs[0];
    let service = TransparencyLog::RekorV1(format!("{}/rekor", sandbox.url()));
    let state = sandbox.path("home/.local/state/waxseal");
    let seen = SeenCheckpoints::new(&Folders { state: Some(state), ..Folders::default() });
    let http = Http::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let observe = |envelope: &str, before: &Before| {
        let at = "2026-11-26T00:00:00Z".parse().unwrap();
        runtime.block_on(seen.observe(&http, &LiveCheckpoint { log, service: &service, envelope, at }, before))
    };
    sign(&sandbox, &token).success();
    sign(&sandbox, &token).success();
    let older = newest(&sandbox).seen[0].checkpoint.clone();
    std::fs::remove_file(newest(&sandbox).path).unwrap();

    let began = seen.before_request();
    sign(&sandbox, &token).success();
    let newer = newest(&sandbox).seen;
    assert!(matches!(observe(&older, &began), Ok(Observed::Extends)));
    assert_eq!(newest(&sandbox).seen, newer, "the larger one stays");
    let Err(ObserveError::Alarm(alarm)) = observe(&older, &seen.before_request()) else { panic!("the same, later") };
    assert_eq!((alarm.kind, alarm.kept.tree_size, alarm.new.tree_size), (AlarmKind::Shrunk, 4, 3));
    let other_log = TransparencyLogInstance { log_id: LogId([0; 32]), ..log.clone() };
    let at = "2026-11-26T00:00:00Z".parse().unwrap();
    let answer = LiveCheckpoint { log: &other_log, service: &service, envelope: &older, at };
    let other = runtime.block_on(seen.observe(&http, &answer, &began));
    assert!(matches!(other, Err(ObserveError::Checkpoint(_))), "{other:?}");
    // Where nothing can be kept, that is said.
    let nowhere = SeenCheckpoints::new(&Folders::default());
    let answer = LiveCheckpoint { log: &other_log, ..answer };
    assert!(runtime.block_on(nowhere.observe(&http, &answer, &nowhere.before_request())).is_err());
    let answer = LiveCheckpoint { log, ..answer };
    let observed = runtime.block_on(nowhere.observe(&http, &answer, &nowhere.before_request())).unwrap();
    assert!(observed.notice().unwrap().starts_with("there is no home folder to keep the log's checkpoint in"));
}

struct Kept {
    path: PathBuf,
    seen: Vec<Seen>,
}

#[derive(Debug, PartialEq)]
struct Seen {
    address: String,
    checkpoint: String,
}

fn folder(sandbox: &Sandbox) -> PathBuf {
    sandbox.path("home/.local/state/waxseal/checkpoints")
}

fn files(sandbox: &Sandbox) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder(sandbox)).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|end| end == "json")).collect()
}

/// The file that was written last, alarms apart.
fn newest(sandbox: &Sandbox) -> Kept {
    let written = |path: &PathBuf| std::fs::metadata(path).unwrap().modified().unwrap();
    let files = files(sandbox).into_iter().filter(|path| !path.to_str().unwrap().contains(".alarm-"));
    read(&files.max_by_key(written).unwrap())
}

fn alarm_file(sandbox: &Sandbox) -> PathBuf {
    let mut alarms = files(sandbox).into_iter().filter(|path| path.to_str().unwrap().contains(".alarm-"));
    let alarm = alarms.next().unwrap();
    assert_eq!(alarms.next(), None);
    alarm
}

fn read(path: &Path) -> Kept {
    let document: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let text = |seen: &Value, member: &str| seen[member].as_str().unwrap().to_owned();
    let seen = document["seen"].as_array().unwrap().iter();
    let seen = seen.map(|seen| Seen { address: text(seen, "address"), checkpoint: text(seen, "checkpoint") });
    Kept { path: path.to_owned(), seen: seen.collect() }
}

fn size(checkpoint: &str) -> u64 {
    checkpoint.lines().nth(1).unwrap().parse().unwrap()
}

/// A copy of the stack's folder as it is now. The stack goes on.
fn backup(sandbox: &mut Sandbox) -> PathBuf {
    let copy = sandbox.path("copy");
    let mut backup = sandbox.command(WAXSEAL);
    backup.args(["serve", "backup", "--data"]).arg(sandbox.path("sigstore")).arg(&copy);
    Ran::of(&mut backup, b"").success();
    copy
}

/// Starts the stack again from that copy.
fn restore(sandbox: &mut Sandbox, copy: &Path) {
    sandbox.kill_stack();
    let data = sandbox.path("sigstore");
    std::fs::remove_dir_all(&data).unwrap();
    assert!(Command::new("cp").arg("-a").args([copy, &data]).status().unwrap().success());
    sandbox.start_stack();
}

/// Signs to the log behind `front`, whichever is chosen.
fn use_log(sandbox: &Sandbox, service: &str, front: &str) {
    if service == "rekor2" {
        let path = sandbox.path("home/.local/share/waxseal/instances/home/signing_config.v0.2.json");
        let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        config["rekorTlogUrls"][0]["majorApiVersion"] = Value::from(2);
        std::fs::write(path, config.to_string()).unwrap();
    }
    services(sandbox, "rekorTlogUrls", &format!("{front}/{service}"));
}
