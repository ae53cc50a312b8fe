//! What users are given to trust, and how it follows a rotation or an older folder.

use super::*;
use crate::stack::certificate_authority::IssueError;
use crate::stack::data_folder::DataFolderError;
use crate::x509::path::Authorities;

fn tuf_targets(world: &World) -> serde_json::Map<String, Value> {
    let json = |path: &str| {
        let answer = world.get(path);
        assert_eq!(
            (answer.status, &answer.headers[CONTENT_TYPE]),
            (200, &"application/json".parse().unwrap()),
            "{path}"
        );
        answer.json()["signed"].clone()
    };
    assert_eq!(json("/tuf/1.root.json")["consistent_snapshot"], true);
    let timestamp = json("/tuf/timestamp.json");
    let version = |meta: &Value, name: &str| meta["meta"][name]["version"].clone();
    let snapshot = json(&format!("/tuf/{}.snapshot.json", version(&timestamp, "snapshot.json")));
    let targets = json(&format!("/tuf/{}.targets.json", version(&snapshot, "targets.json")));
    targets["targets"].as_object().unwrap().clone()
}

fn fetch(world: &World, targets: &serde_json::Map<String, Value>, name: &str) -> Vec<u8> {
    world.get(&format!("/tuf/targets/{}.{name}", targets[name]["hashes"]["sha256"].as_str().unwrap())).body
}

#[test]
fn the_tuf_repository_has_what_is_served_beside_it() {
    let world = World::new();
    let targets = tuf_targets(&world);
    for name in ["trusted_root.json", "signing_config.v0.2.json"] {
        assert_eq!(fetch(&world, &targets, name), world.get(&format!("/trust/{name}")).body, "{name}");
    }
    let fulcio =
        Certificate::from_pem(std::str::from_utf8(&fetch(&world, &targets, "fulcio.crt.pem")).unwrap()).unwrap();
    assert_eq!(fulcio.der(), world.trusted_root().certificate_authorities[0].chain[1]);
    let custom = json!({"sigstore": {"status": "Active", "uri": format!("http://{HERE}"), "usage": "Fulcio"}});
    assert_eq!(targets["fulcio.crt.pem"]["custom"], custom);
    assert_eq!(world.get("/tuf/2.root.json").status, 404);
    assert_eq!(world.get("/tuf/../stack.json").status, 404);
    assert_eq!(world.get("/tuf/targets").status, 404);
    assert_eq!(world.post("/tuf/timestamp.json", "application/json", b"").status, 405);
}

#[test]
fn sigstore_python_gets_both_documents_in_one() {
    let world = World::new();
    let config = world.get("/trust/client_trust_config.json").json();
    assert_eq!(config["mediaType"], "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json");
    assert_eq!(config["trustedRoot"], world.get("/trust/trusted_root.json").json());
    assert_eq!(config["signingConfig"], world.get("/trust/signing_config.v0.2.json").json());
    assert_eq!(config["signingConfig"]["tsaUrls"][0]["url"], format!("http://{HERE}/tsa/api/v1/timestamp"));
}

#[test]
fn what_an_earlier_intermediate_issued_stays_good() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let now = Timestamp::from_second(1_795_000_000).unwrap();
    let url: PublicUrl = format!("http://{HERE}").parse().unwrap();
    let (root_key, pem) = Stack::new_root_key().unwrap();
    drop(Stack::create(&data, &url, &root_key, now).unwrap());
    assert!(matches!(Stack::create(&data, &url, &root_key, now), Err(StackError::MadeAlready)));
    for entry in std::fs::read_dir(data.join("keys")).unwrap() {
        assert_ne!(std::fs::read_to_string(entry.unwrap().path()).unwrap(), *pem);
    }

    let options = StackOptions { auto_login: vec!["alice@example.org".to_owned()], ..StackOptions::default() };
    let open = |now| Stack::open(&data, &url, options.clone(), now).unwrap();
    let world = |stack, now| World { folder: tempfile::tempdir().unwrap(), stack, now };
    let key = SigningKey::generate();
    let before = world(open(now), now);
    assert!(!before.stack.trust_changed());
    let old_leaf = before.certificate_for(&key).remove(0);
    let old_root = before.trusted_root();
    drop(before);

    let later = now + SignedDuration::from_hours(24);
    let rotated = Stack::rotate_intermediate(&data, &Stack::read_root_key(&pem).unwrap(), later).unwrap();
    assert!(rotated.trust_changed());
    drop(rotated);
    let after = world(open(later), later);
    assert!(!after.stack.trust_changed());
    let chain = after.certificate_for(&key);
    let trusted_root = after.trusted_root();
    let [new, old] = trusted_root.certificate_authorities.as_slice() else { panic!("{trusted_root:?}") };
    assert_eq!(new.chain, [chain[1].der(), chain[2].der()]);
    assert_eq!((&old.chain, new.valid_for.end), (&old_root.certificate_authorities[0].chain, None));
    assert_eq!(old.valid_for.start, old_root.certificate_authorities[0].valid_for.start);
    assert_eq!(new.chain[1], old.chain[1]);
    let until = old.valid_for.end.unwrap();
    assert!(until > later && until < later + SignedDuration::from_mins(15), "{until}");
    assert_eq!(trusted_root.ct_logs[0].valid_for, old_root.ct_logs[0].valid_for);

    let authorities = Authorities::new(&trusted_root).unwrap();
    authorities.issuer_of(&old_leaf).unwrap().valid_at(&old_leaf, now).unwrap();
    authorities.issuer_of(&chain[0]).unwrap().valid_at(&chain[0], later).unwrap();
    assert!(Authorities::new(&old_root).unwrap().issuer_of(&chain[0]).is_err());
    let targets = tuf_targets(&after);
    assert_eq!(fetch(&after, &targets, "trusted_root.json"), after.stack.trusted_root());
    assert_eq!(targets["fulcio_intermediate_v1.crt.pem"]["custom"]["sigstore"]["status"], "Expired");
    assert_eq!(targets["fulcio_intermediate_v2.crt.pem"]["custom"]["sigstore"]["status"], "Active");
    assert_eq!(after.get("/api/v2/trustBundle").json()["chains"].as_array().unwrap().len(), 2);
}

#[test]
fn another_root_makes_no_intermediate() {
    let World { folder, stack, now } = World::new();
    drop(stack);
    let (other, _) = Stack::new_root_key().unwrap();
    let refused = Stack::rotate_intermediate(folder.path(), &other, now).map(|_| ());
    assert!(matches!(refused, Err(StackError::Authority(IssueError::OtherRootKey))));
    let nowhere = Stack::rotate_intermediate(&folder.path().join("x"), &other, now).map(|_| ());
    assert!(matches!(nowhere, Err(StackError::NotMade)));
    drop(open(&folder, now).unwrap());
}

/// A folder of a version without timestamps and TUF gains both; what was trusted before stays as it was.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test makes a file as an older version wrote it")]
fn an_older_folder_gains_what_it_lacks() {
    let world = World::new();
    let trusted_root = world.trusted_root();
    let World { folder, stack, now } = world;
    drop(stack);
    let old = TrustedRoot::new(
        trusted_root.certificate_authorities.clone(),
        trusted_root.ct_logs.clone(),
        Vec::new(),
        trusted_root.transparency_logs.clone(),
    );
    std::fs::write(folder.path().join("trust/trusted_root.json"), old.to_json()).unwrap();
    for gone in ["certificates/timestamp.pem", "keys/timestamp-authority.pem"] {
        std::fs::remove_file(folder.path().join(gone)).unwrap();
    }
    std::fs::remove_dir_all(folder.path().join("tuf")).unwrap();
    let later = now + SignedDuration::from_hours(1000);
    let stack = open(&folder, later).unwrap();
    assert!(stack.trust_changed());
    let world = World { folder, stack, now: later };
    let gained = world.trusted_root();
    assert_eq!(gained.transparency_logs[0].valid_for, trusted_root.transparency_logs[0].valid_for);
    let since = gained.timestamp_authorities[0].valid_for.start;
    assert!(later - SignedDuration::from_mins(2) < since && since <= later, "{since}");
    assert_eq!(fetch(&world, &tuf_targets(&world), "trusted_root.json"), world.stack.trusted_root());
    let world = world.restart();
    assert!(!world.stack.trust_changed());
    std::fs::remove_file(world.folder.path().join("keys/timestamp-authority.pem")).unwrap();
    let World { folder, stack, now } = world;
    drop(stack);
    assert!(matches!(open(&folder, now), Err(StackError::Folder(DataFolderError::Io { .. }))));
}

/// A folder of a version without Rekor v2 lacks its key and its log, and nobody was told of them.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test makes a file as an older version wrote it")]
fn an_older_folder_gains_the_v2_log() {
    let world = World::new();
    let trusted_root = world.trusted_root();
    let World { folder, stack, now } = world;
    drop(stack);
    let old = TrustedRoot::new(
        trusted_root.certificate_authorities.clone(),
        trusted_root.ct_logs.clone(),
        trusted_root.timestamp_authorities.clone(),
        trusted_root.transparency_logs[..1].to_vec(),
    );
    std::fs::write(folder.path().join("trust/trusted_root.json"), old.to_json()).unwrap();
    std::fs::remove_file(folder.path().join("keys/rekor-v2.pem")).unwrap();
    std::fs::remove_dir_all(folder.path().join("rekor-v2")).unwrap();
    maintenance::check(folder.path(), |_, _| {}).unwrap();
    let later = now + SignedDuration::from_hours(1000);
    let world = World { stack: open(&folder, later).unwrap(), folder, now: later };
    assert!(world.stack.trust_changed());
    let gained = world.trusted_root();
    let (kept, earlier) = (&gained.transparency_logs[0], &trusted_root.transparency_logs[0]);
    assert_eq!((kept.log_id, kept.valid_for), (earlier.log_id, earlier.valid_for));
    assert_ne!(gained.transparency_logs[1].log_id, trusted_root.transparency_logs[1].log_id);
    assert!(later - SignedDuration::from_mins(2) < gained.transparency_logs[1].valid_for.start);
    assert_eq!(world.get("/rekor2/checkpoint").status, 200);
    world.assert_consistent();
}

#[test]
fn a_log_that_is_gone_is_not_begun_again() {
    let World { folder, stack, now } = World::new();
    drop(stack);
    for name in ["ct-log", "rekor-v1", "rekor-v2"] {
        let (log, elsewhere) = (folder.path().join(name), folder.path().join("trust/elsewhere"));
        std::fs::rename(&log, &elsewhere).unwrap();
        assert!(matches!(open(&folder, now), Err(StackError::LostLog(lost)) if lost == name));
        let checked = maintenance::check(folder.path(), |_, _| {});
        assert!(matches!(checked, Err(maintenance::MaintenanceError::Log { name: lost, .. }) if lost == name));
        assert!(!log.exists());
        std::fs::rename(&elsewhere, &log).unwrap();
    }
    drop(open(&folder, now).unwrap());
}
