use super::*;
use crate::crypto::{Sha256Digest, VerifyingKey};
use crate::stack::data_folder::DataFolder;

/// What a client does (TUF §5), from the first root on; gives back the targets that it ends with.
fn update(repository: &TufRepository, now: Timestamp) -> BTreeMap<String, Vec<u8>> {
    let get = |name: &str| {
        let (bytes, renewed) = repository.file(name, now);
        renewed.unwrap();
        bytes
    };
    let mut root: Value = serde_json::from_slice(&repository.first_root()).unwrap();
    assert_signed(&root, &root, "root");
    while let Some(next) = get(&root_name(root["signed"]["version"].as_u64().unwrap() + 1)) {
        let next: Value = serde_json::from_slice(&next).unwrap();
        assert_signed(&next, &root, "root");
        assert_signed(&next, &next, "root");
        root = next;
    }
    let document = |name: &str, role: &str| {
        let document: Value = serde_json::from_slice(&get(name).unwrap()).unwrap();
        assert_signed(&document, &root, role);
        let expires = document["signed"]["expires"].as_str().unwrap();
        assert!(!expires.contains('.') && expires.parse::<Timestamp>().unwrap() > now, "{name}: {expires}");
        document["signed"].clone()
    };
    let timestamp = document(TIMESTAMP, "timestamp");
    let version = timestamp["meta"]["snapshot.json"]["version"].as_u64().unwrap();
    let snapshot = document(&snapshot_name(version), "snapshot");
    let version = snapshot["meta"]["targets.json"]["version"].as_u64().unwrap();
    let targets = document(&targets_name(version), "targets");
    let targets = targets["targets"].as_object().unwrap().iter().map(|(name, meta)| {
        let sha256 = meta["hashes"]["sha256"].as_str().unwrap();
        let bytes = get(&format!("targets/{sha256}.{name}")).unwrap();
        assert_eq!(Sha256Digest::of(&bytes).to_string(), sha256);
        assert_eq!(meta["length"], bytes.len());
        (name.clone(), bytes)
    });
    targets.collect()
}

/// Whether one of the keys that `root` lists for `role` signed `document`; the keys' names are their digests.
fn assert_signed(document: &Value, root: &Value, role: &str) {
    assert_eq!(document["signed"]["_type"], role);
    let signed = metadata::canonical(&document["signed"]);
    let role = &root["signed"]["roles"][role];
    let good = document["signatures"].as_array().unwrap().iter().filter(|signature| {
        let id = &signature["keyid"];
        if !role["keyids"].as_array().unwrap().contains(id) {
            return false;
        }
        let key = &root["signed"]["keys"][id.as_str().unwrap()];
        assert_eq!(Sha256Digest::of(&metadata::canonical(key)).to_string(), *id);
        let (_, spki) = der::pem::decode_vec(key["keyval"]["public"].as_str().unwrap().as_bytes()).unwrap();
        let key = VerifyingKey::from_spki_der(&spki).unwrap();
        key.verify(&signed, &hex::decode(signature["sig"].as_str().unwrap()).unwrap()).is_ok()
    });
    assert_eq!(Value::from(good.count()), role["threshold"]);
}

fn target(name: &str, bytes: &[u8]) -> Target {
    Target { name: name.to_owned(), bytes: bytes.to_vec(), custom: Some(serde_json::json!({"sigstore": {}})) }
}

fn expected(targets: &[Target]) -> BTreeMap<String, Vec<u8>> {
    targets.iter().map(|target| (target.name.clone(), target.bytes.clone())).collect()
}

struct World {
    path: tempfile::TempDir,
    folder: DataFolder,
    now: Timestamp,
}

impl World {
    fn new() -> Self {
        let path = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(path.path()).unwrap();
        Self { path, folder, now: Timestamp::from_second(1_795_000_000).unwrap() }
    }

    fn open(&self, targets: &[Target]) -> TufRepository {
        TufRepository::open(&self.folder, targets.to_vec(), self.now).unwrap()
    }

    fn versions(&self) -> Vec<String> {
        let names = fs::read_dir(self.path.path().join(FOLDER)).unwrap();
        let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn a_client_gets_the_targets_and_nothing_is_signed_twice() {
    let world = World::new();
    let targets = [target("a.json", b"{}"), target("b", b"b")];
    assert_eq!(update(&world.open(&targets), world.now), expected(&targets));
    let before = fs::read(world.path.path().join("tuf/timestamp.json")).unwrap();
    assert_eq!(update(&world.open(&targets), world.now), expected(&targets));
    assert_eq!(fs::read(world.path.path().join("tuf/timestamp.json")).unwrap(), before);
    assert_eq!(world.versions(), ["1.root.json", "1.snapshot.json", "1.targets.json", "targets", "timestamp.json"]);
}

#[test]
fn other_targets_are_another_version() {
    let world = World::new();
    drop(world.open(&[target("a", b"1"), target("b", b"b")]));
    let targets = [target("a", b"2")];
    assert_eq!(update(&world.open(&targets), world.now), expected(&targets));
    assert!(world.versions().contains(&"2.targets.json".to_owned()));
}

#[test]
fn whoever_asks_finds_nothing_expired() {
    let mut world = World::new();
    let targets = [target("a", b"1")];
    let repository = world.open(&targets);
    for days in [1, 2, 8, 100, 400, 4000, 10_000] {
        world.now += SignedDuration::from_hours(24 * days);
        assert_eq!(update(&repository, world.now), expected(&targets), "{days}");
    }
    drop(repository);
    assert_eq!(update(&world.open(&targets), world.now), expected(&targets));
}

#[test]
fn a_new_key_is_signed_for_by_the_old_one() {
    let world = World::new();
    let targets = [target("a", b"1")];
    let repository = world.open(&targets);
    let keys = || fs::read_dir(world.path.path().join("keys")).unwrap().count();
    for _ in 0..3 {
        repository.rotate(&world.folder, world.now).unwrap();
        assert_eq!(update(&repository, world.now), expected(&targets));
        assert_eq!(keys(), 1);
    }
    drop(repository);
    let repository = world.open(&targets);
    assert_eq!(update(&repository, world.now), expected(&targets));
    assert!(world.versions().contains(&"4.root.json".to_owned()));
}

/// Killed before the commit point, with any of the files before it written or not.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test leaves behind what a killed process would")]
fn an_interrupted_change_is_finished_by_the_next_start() {
    let targets = [target("a", b"1")];
    let changed = [target("a", b"2")];
    let missing: [&[&str]; 4] = [
        &[],
        &["3.snapshot.json"],
        &["3.snapshot.json", "3.targets.json"],
        &["3.snapshot.json", "3.targets.json", "2.snapshot.json", "2.targets.json"],
    ];
    for missing in missing {
        let world = World::new();
        drop(world.open(&targets));
        let tuf = world.path.path().join(FOLDER);
        let committed = fs::read(tuf.join(TIMESTAMP)).unwrap();
        world.open(&changed).rotate(&world.folder, world.now).unwrap();
        fs::write(tuf.join(TIMESTAMP), committed).unwrap();
        for name in missing {
            fs::remove_file(tuf.join(name)).unwrap();
        }
        assert_eq!(update(&world.open(&changed), world.now), expected(&changed), "{missing:?}");
    }
}

#[test]
fn what_is_missing_behind_the_commit_point_is_said() {
    let world = World::new();
    drop(world.open(&[target("a", b"1")]));
    fs::remove_file(world.path.path().join("tuf/1.snapshot.json")).unwrap();
    let refused = TufRepository::open(&world.folder, Vec::new(), world.now);
    assert!(matches!(refused, Err(TufError::Malformed(name)) if name == "1.snapshot.json"));
}
