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

fn version(world: &World, role: &str) -> u64 {
    let names = world.versions();
    let versions = names.iter().filter_map(|name| name.strip_suffix(&format!(".{role}.json"))?.parse().ok());
    versions.max().unwrap()
}

#[test]
fn a_client_gets_the_targets_at_every_start() {
    let mut world = World::new();
    let targets = [target("a.json", b"{}"), target("b", b"b")];
    for _ in 0..5 {
        assert_eq!(update(&world.open(&targets), world.now), expected(&targets));
        world.now += SignedDuration::from_secs(1);
    }
    // The ones in force and those before them.
    let seconds = world.now.as_second() - 1;
    let names = [seconds - 1, seconds].map(|at| [format!("{at}.snapshot.json"), format!("{at}.targets.json")]);
    let mut names = names.concat();
    names.splice(0..0, ["1.root.json".to_owned()]);
    names.extend(["targets".to_owned(), TIMESTAMP.to_owned()]);
    assert_eq!(world.versions(), names);
}

#[test]
fn other_targets_are_another_version() {
    let world = World::new();
    drop(world.open(&[target("a", b"1"), target("b", b"b")]));
    let before = version(&world, "targets");
    let targets = [target("a", b"2")];
    assert_eq!(update(&world.open(&targets), world.now), expected(&targets));
    assert!(version(&world, "targets") > before);
}

/// A client that saw what came after the copy does not take the restored folder for an attack.
#[test]
fn a_restored_copy_is_ahead_of_what_clients_saw() {
    let mut world = World::new();
    let copy = World::new();
    let targets = [target("a", b"1")];
    drop(world.open(&targets));
    for folder in ["keys", "tuf", "tuf/targets"] {
        fs::create_dir_all(copy.path.path().join(folder)).unwrap();
        for entry in fs::read_dir(world.path.path().join(folder)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                fs::copy(entry.path(), copy.path.path().join(folder).join(entry.file_name())).unwrap();
            }
        }
    }
    let repository = world.open(&targets);
    for _ in 0..3 {
        world.now += SignedDuration::from_hours(24 * 200);
        update(&repository, world.now);
    }
    let seen = [version(&world, "snapshot"), version(&world, "targets")];
    let copy = World { now: world.now + SignedDuration::from_secs(1), ..copy };
    update(&copy.open(&targets), copy.now);
    let found = [version(&copy, "snapshot"), version(&copy, "targets")];
    assert!(found > seen && found[1] > seen[1], "{found:?} {seen:?}");
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
    for missing in [&[][..], &["snapshot"], &["snapshot", "targets"]] {
        let world = World::new();
        drop(world.open(&targets));
        let tuf = world.path.path().join(FOLDER);
        let committed = fs::read(tuf.join(TIMESTAMP)).unwrap();
        world.open(&changed).rotate(&world.folder, world.now).unwrap();
        fs::write(tuf.join(TIMESTAMP), committed).unwrap();
        for role in missing {
            fs::remove_file(tuf.join(format!("{}.{role}.json", version(&world, role)))).unwrap();
        }
        assert_eq!(update(&world.open(&changed), world.now), expected(&changed), "{missing:?}");
    }
}

/// A copy of a running stack may have the timestamp of a change and not the rest of it.
#[test]
fn what_is_missing_behind_the_commit_point_is_made_again() {
    let world = World::new();
    let targets = [target("a", b"1")];
    drop(world.open(&targets));
    fs::remove_file(world.path.path().join(FOLDER).join(snapshot_name(version(&world, "snapshot")))).unwrap();
    assert_eq!(update(&world.open(&targets), world.now), expected(&targets));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test leaves behind what a broken disk would")]
fn a_root_that_cannot_be_read_is_said() {
    let world = World::new();
    drop(world.open(&[]));
    fs::write(world.path.path().join("tuf/1.root.json"), b"{}").unwrap();
    let refused = TufRepository::open(&world.folder, Vec::new(), world.now);
    assert!(matches!(refused, Err(TufError::Malformed(name)) if name == "1.root.json"));
}
