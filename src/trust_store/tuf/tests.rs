//! A repository that a test signs as it likes, and the clock as it likes.

use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::path::Path;

use serde_json::{Map, Value, json};
use sigstore_tuf::canonical_json::to_canonical_bytes;
use tempfile::TempDir;

use super::*;
use crate::crypto::{ServiceKey, ServiceKeyKind, Sha256Digest};
use crate::services::http::{Http, Limits, Problem};
use crate::tlog::hashedrekord::{Verifier, pem};

const SOON: &str = "2026-02-01T00:00:00Z";
const LATER: &str = "2027-01-01T00:00:00Z";
const NOW: &str = "2026-01-15T00:00:00Z";

struct Key {
    key: ServiceKey,
    id: String,
}

impl Key {
    fn new() -> Self {
        let key = ServiceKey::generate(ServiceKeyKind::EcdsaP256).unwrap();
        let id = Sha256Digest::of(key.verifying_key().spki_der()).to_string();
        Self { key, id }
    }
}

/// What a test publishes, whole by default.
struct Published<'a> {
    key: &'a Key,
    versions: [u64; 3],
    expires: [&'a str; 3],
    target: &'a [u8],
}

impl<'a> Published<'a> {
    fn by(key: &'a Key) -> Self {
        Self { key, versions: [1; 3], expires: [SOON, LATER, LATER], target: b"{}" }
    }
}

struct Repository(TempDir);

impl Repository {
    /// With one root, and everything else.
    fn new(key: &Key) -> Self {
        let repository = Self(tempfile::tempdir().unwrap());
        fs::create_dir(repository.0.path().join("targets")).unwrap();
        repository.root(1, key, &[key], LATER);
        repository.publish(&Published::by(key));
        repository
    }

    fn root(&self, version: u64, key: &Key, signers: &[&Key], expires: &str) {
        let role = json!({ "keyids": [key.id], "threshold": 1 });
        let public = pem(Verifier::PublicKey(key.key.verifying_key().spki_der()));
        let key_document =
            json!({ "keytype": "ecdsa", "scheme": "ecdsa-sha2-nistp256", "keyval": { "public": public } });
        let rest = json!({
            "consistent_snapshot": true,
            "keys": { key.id.as_str(): key_document },
            "roles": { "root": role, "timestamp": role, "snapshot": role, "targets": role },
        });
        self.sign(&format!("{version}.root.json"), "root", version, expires, rest, signers);
    }

    fn publish(&self, published: &Published<'_>) {
        let [timestamp, snapshot, targets] = published.versions;
        let digest = Sha256Digest::of(published.target).to_string();
        self.write(&format!("targets/{digest}.trusted_root.json"), published.target);
        let target = json!({ "hashes": { "sha256": digest }, "length": published.target.len() });
        let sign = |name: &str, role, version, expires, rest| {
            self.sign(name, role, version, expires, rest, &[published.key]);
        };
        let [timestamp_expires, snapshot_expires, targets_expires] = published.expires;
        let rest = json!({ "targets": { "trusted_root.json": target } });
        sign(&format!("{targets}.targets.json"), "targets", targets, targets_expires, rest);
        let rest = json!({ "meta": { "targets.json": { "version": targets } } });
        sign(&format!("{snapshot}.snapshot.json"), "snapshot", snapshot, snapshot_expires, rest);
        let rest = json!({ "meta": { "snapshot.json": { "version": snapshot } } });
        sign("timestamp.json", "timestamp", timestamp, timestamp_expires, rest);
    }

    fn sign(&self, name: &str, role: &str, version: u64, expires: &str, rest: Value, signers: &[&Key]) {
        let mut signed: Map<String, Value> = rest.as_object().unwrap().clone();
        for (member, value) in [
            ("_type", json!(role)),
            ("spec_version", json!("1.0.31")),
            ("version", json!(version)),
            ("expires", json!(expires)),
        ] {
            signed.insert(member.to_owned(), value);
        }
        let signed = Value::from(signed);
        let bytes = to_canonical_bytes(&signed).unwrap();
        let signature = |key: &&Key| json!({ "keyid": key.id, "sig": hex::encode(key.key.sign(&bytes).unwrap()) });
        let signatures: Vec<_> = signers.iter().map(signature).collect();
        self.write(name, json!({ "signatures": signatures, "signed": signed }).to_string().as_bytes());
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let mut file = tempfile::NamedTempFile::new_in(self.0.path()).unwrap();
        std::io::Write::write_all(&mut file, bytes).unwrap();
        file.persist(self.0.path().join(name)).unwrap();
    }

    fn first_root(&self) -> TufState {
        let root = fs::read(self.0.path().join("1.root.json")).unwrap();
        TufState::pinned(&root, Path::new("1.root.json")).unwrap()
    }

    fn follow(&self, state: TufState, now: &str) -> Result<Followed, TufProblem> {
        follow_folder(self.0.path(), state, now)
    }
}

fn follow_folder(folder: &Path, state: TufState, now: &str) -> Result<Followed, TufProblem> {
    followed(Source::Folder(folder.to_owned()), state, now)
}

fn followed(source: Source, state: TufState, now: &str) -> Result<Followed, TufProblem> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(follow(source, state, now.parse().unwrap())).map_err(|error| error.problem)
}

fn said(result: Result<Followed, TufProblem>) -> String {
    result.map(|followed| followed.state.versions()).unwrap_err().to_string()
}

#[test]
fn what_is_signed_is_taken_and_remembered() {
    let key = Key::new();
    let repository = Repository::new(&key);
    let first = repository.follow(repository.first_root(), NOW).unwrap();
    assert_eq!(first.documents.trusted_root, b"{}");
    assert_eq!((first.documents.signing_config, first.state.versions()), (None, (1, 1)));
    assert_eq!(first.state.expires(), Some(SOON.parse().unwrap()));
    // The same again is fine, and so is something newer.
    let again = repository.follow(first.state.clone(), NOW).unwrap();
    assert_eq!(again.state, first.state);
    repository.publish(&Published { versions: [2, 2, 2], target: b"{ }", ..Published::by(&key) });
    let second = repository.follow(first.state, NOW).unwrap();
    assert_eq!((second.documents.trusted_root.as_slice(), second.state.versions()), (&b"{ }"[..], (1, 2)));
}

#[test]
fn what_is_kept_is_what_was_there() {
    let key = Key::new();
    let repository = Repository::new(&key);
    let state = repository.follow(repository.first_root(), NOW).unwrap().state;
    let kept = tempfile::tempdir().unwrap();
    state.save(kept.path()).unwrap();
    assert_eq!(TufState::load(kept.path()).unwrap(), state);
    assert_eq!(TufState::load(&kept.path().join("nowhere")).unwrap(), TufState::default());
    // And what a client kept is a repository, if somebody brings it with the targets.
    fs::create_dir(kept.path().join("targets")).unwrap();
    fs::copy(
        repository.0.path().join("targets").join(format!("{}.trusted_root.json", Sha256Digest::of(b"{}"))),
        kept.path().join("targets/trusted_root.json"),
    )
    .unwrap();
    assert_eq!(follow_folder(kept.path(), repository.first_root(), NOW).unwrap().state, state);
}

#[test]
fn keys_change_hands_as_roots_say() {
    let (old, new) = (Key::new(), Key::new());
    let repository = Repository::new(&old);
    let before = repository.follow(repository.first_root(), NOW).unwrap().state;
    repository.root(2, &new, &[&old, &new], LATER);
    let unsigned = |file: &str| format!("{file} is signed by 0 of the keys that must sign it, and 1 are needed");
    // The other roles are still signed by the old key.
    assert_eq!(said(repository.follow(before.clone(), NOW)), unsigned("timestamp.json"));
    // Numbers may begin anew: what the old key signed is no floor any more.
    repository.publish(&Published::by(&new));
    let after = repository.follow(before.clone(), NOW).unwrap().state;
    assert_eq!(after.versions(), (2, 1));
    assert_eq!(repository.follow(repository.first_root(), NOW).unwrap().state, after);

    // Only the new key, only the old one, the number left out.
    for (version, signers, said_) in [
        (2, vec![&new], unsigned("2.root.json")),
        (2, vec![&old], unsigned("2.root.json")),
        (3, vec![&old, &new], "2.root.json is not what was signed: it has version 3, and comes after 1".to_owned()),
    ] {
        repository.root(version, &new, &signers, LATER);
        if version == 3 {
            fs::rename(repository.0.path().join("3.root.json"), repository.0.path().join("2.root.json")).unwrap();
        }
        assert_eq!(said(repository.follow(before.clone(), NOW)), said_);
    }
}

#[test]
fn an_older_repository_is_refused() {
    let key = Key::new();
    let repository = Repository::new(&key);
    repository.publish(&Published { versions: [5, 5, 5], ..Published::by(&key) });
    let state = repository.follow(repository.first_root(), NOW).unwrap().state;
    for (versions, role, trusted, offered) in [
        ([4, 5, 5], "timestamp", 5, 4),
        ([6, 4, 5], "snapshot (via timestamp)", 5, 4),
        ([6, 6, 4], "targets.json (via snapshot)", 5, 4),
    ] {
        repository.publish(&Published { versions, ..Published::by(&key) });
        let expected =
            format!("it is older than what was seen before: {role} has version {offered}, and had {trusted}");
        assert_eq!(said(repository.follow(state.clone(), NOW)), expected);
        // After an expired timestamp, too, it is known what was seen.
        let late = "2026-03-01T00:00:00Z";
        repository.publish(&Published { versions, expires: [LATER; 3], ..Published::by(&key) });
        assert_eq!(said(repository.follow(state.clone(), late)), expected);
    }
}

#[test]
fn a_repository_that_stands_still_is_refused() {
    let key = Key::new();
    let repository = Repository::new(&key);
    let state = repository.follow(repository.first_root(), NOW).unwrap().state;
    let late = "2026-02-01T00:00:01Z";
    let expired = "timestamp.json, version 1, expired on 2026-02-01T00:00:00Z";
    assert_eq!(said(repository.follow(repository.first_root(), late)), expired);
    assert_eq!(said(repository.follow(state, late)), expired, "what was seen before does not make it fresh");
    assert!(repository.follow(repository.first_root(), "2026-02-01T00:00:00Z").is_ok());
    for (expires, file) in [([LATER, SOON, LATER], "2.snapshot.json"), ([LATER, LATER, SOON], "2.targets.json")] {
        repository.publish(&Published { versions: [2; 3], expires, ..Published::by(&key) });
        let expected = format!("{file}, version 2, expired on 2026-02-01T00:00:00Z");
        assert_eq!(said(repository.follow(repository.first_root(), late)), expected);
    }
    repository.root(2, &key, &[&key], SOON);
    let expected = "the newest root, version 2, expired on 2026-02-01T00:00:00Z";
    assert_eq!(said(repository.follow(repository.first_root(), late)), expected);
    // A root that expired may lead to one that has not.
    repository.root(3, &key, &[&key], LATER);
    repository.publish(&Published { versions: [3; 3], expires: [LATER; 3], ..Published::by(&key) });
    assert_eq!(repository.follow(repository.first_root(), late).unwrap().state.versions(), (3, 3));
}

#[test]
fn what_is_not_whole_is_refused() {
    let key = Key::new();
    let broken = |what: &dyn Fn(&Repository)| {
        let repository = Repository::new(&key);
        what(&repository);
        said(repository.follow(repository.first_root(), NOW))
    };
    let target = format!("targets/{}.trusted_root.json", Sha256Digest::of(b"{}"));
    let remove = |name: &str| broken(&|repository| fs::remove_file(repository.0.path().join(name)).unwrap());
    for name in ["timestamp.json", "1.snapshot.json", "1.targets.json", target.as_str()] {
        assert_eq!(remove(name), format!("{name} is missing"));
    }
    assert_eq!(
        broken(&|repository| repository.write(&target, b"[]")),
        format!("{target} is not what was signed: trusted_root.json: sha256 mismatch")
    );
    assert_eq!(broken(&|repository| repository.write(&target, b"{}\n")), format!("{target}: it has more than 2 bytes"));
    assert_eq!(
        broken(&|repository| repository.write("timestamp.json", b"{")),
        "timestamp.json is malformed: EOF while parsing an object at line 1 column 1"
    );
    assert_eq!(
        broken(&|repository| repository.write("timestamp.json", &vec![b' '; 20_000])),
        "timestamp.json: it has more than 16384 bytes"
    );
    assert_eq!(
        broken(&|repository| {
            let rest = json!({ "targets": {} });
            repository.sign("1.targets.json", "targets", 1, LATER, rest, &[&key]);
        }),
        "it has no target trusted_root.json"
    );
    let forged = broken(&|repository| {
        let text = fs::read_to_string(repository.0.path().join("timestamp.json")).unwrap();
        repository.write("timestamp.json", text.replace(SOON, LATER).as_bytes());
    });
    assert_eq!(forged, "timestamp.json is signed by 0 of the keys that must sign it, and 1 are needed");
    let other = TufState::pinned(b"{}", Path::new("x")).unwrap_err();
    assert!(other.to_string().starts_with("the file x: not a TUF root: "), "{other}");
    assert!(matches!(follow_folder(Path::new("nowhere"), TufState::default(), NOW), Err(TufProblem::NoRoot)));
}

#[test]
fn a_thousand_roots_are_too_many() {
    let key = Key::new();
    let repository = Repository::new(&key);
    for version in 2..=1000 {
        repository.root(version, &key, &[&key], LATER);
    }
    let problem = repository.follow(repository.first_root(), NOW).unwrap_err();
    assert!(matches!(problem, TufProblem::TooManyRoots(256)), "{problem}");
    // From a newer one it is not as far.
    let root = fs::read(repository.0.path().join("744.root.json")).unwrap();
    let state = TufState::pinned(&root, Path::new("744.root.json")).unwrap();
    assert!(matches!(repository.follow(state, NOW), Err(TufProblem::TooManyRoots(256))));
    let root = fs::read(repository.0.path().join("745.root.json")).unwrap();
    let state = TufState::pinned(&root, Path::new("745.root.json")).unwrap();
    assert_eq!(repository.follow(state, NOW).unwrap().state.versions(), (1000, 1));
}

#[test]
fn nobody_waits_for_a_mirror_that_says_nothing() {
    let key = Key::new();
    let state = Repository::new(&key).first_root();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // Takes the request, and thinks.
            std::thread::spawn(move || stream.unwrap().read_to_end(&mut Vec::new()));
        }
    });
    let whole = Duration::from_millis(200);
    let http = Http::default().with_limits(Limits { whole, ..Limits::default() });
    let Err(TufProblem::Service(error)) = followed(Source::Web { http: Box::new(http), address }, state, NOW) else {
        panic!("it was believed");
    };
    assert_eq!(error.problem, Problem::TimedOut(whole));
    assert!(error.address.ends_with("/2.root.json"), "{error}");
}
