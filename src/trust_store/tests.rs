use super::*;

fn store(home: &tempfile::TempDir) -> TrustStore {
    TrustStore::new(&Folders { data: Some(home.path().join("data")), ..Folders::default() })
}

fn add(store: &TrustStore, name: &str, documents: Documents, origin: Origin) -> Result<(), TrustStoreError> {
    let material = Material { documents, origin, refreshed: None, brought: None, tuf: TufState::default() };
    store.add(&name.parse().unwrap(), &material, InstanceBounds::default())
}

fn name(text: &str) -> InstanceName {
    text.parse().unwrap()
}

fn names(store: &TrustStore) -> Vec<String> {
    store.names().unwrap().iter().map(ToString::to_string).collect()
}

#[test]
fn public_good_is_always_there() {
    let instance = TrustStore { folder: None }.load(&InstanceName::public_good()).unwrap();
    let sha256 = "6494e21ea73fa7ee769f85f57d5a3e6a08725eae1e38c755fc3517c9e6bc0b66";
    assert_eq!(instance.trusted_root.sha256().to_string(), sha256);
    assert_eq!(instance.signing_config.unwrap().rekor_tlog_urls[0].url, "https://rekor.sigstore.dev");
}

#[test]
fn what_was_added_is_there_until_it_is_removed() {
    let home = tempfile::tempdir().unwrap();
    let store = store(&home);
    assert_eq!(names(&store), ["public-good"]);
    let origin = Origin::Url("https://sigstore.example.org/\"x".to_owned());
    add(&store, "own", public_good(), origin.clone()).unwrap();
    add(&store, "zoo", Documents { signing_config: None, ..public_good() }, Origin::Files).unwrap();
    assert_eq!(names(&store), ["own", "public-good", "zoo"]);
    assert_eq!(*store.stored(&name("own")).unwrap().origin(), origin);
    let own = store.load(&name("own")).unwrap();
    assert_eq!((own.name, own.bounds), (name("own"), InstanceBounds::default()));
    assert!(store.load(&name("zoo")).unwrap().signing_config.is_none());

    assert!(matches!(add(&store, "own", public_good(), Origin::Files), Err(TrustStoreError::Exists(_))));
    assert_eq!(*store.stored(&name("own")).unwrap().origin(), origin);
    store.remove(&name("own")).unwrap();
    assert_eq!(names(&store), ["public-good", "zoo"]);
    assert!(matches!(store.load(&name("own")), Err(TrustStoreError::Unknown(_))));
    assert!(matches!(store.remove(&name("own")), Err(TrustStoreError::Unknown(_))));
}

#[test]
fn nothing_half_written_is_left() {
    let home = tempfile::tempdir().unwrap();
    let store = store(&home);
    let broken = Documents { trusted_root: b"{}".to_vec(), ..public_good() };
    assert!(matches!(add(&store, "own", broken, Origin::Files), Err(TrustStoreError::TrustedRoot { .. })));
    let broken = Documents { signing_config: Some(b"{}".to_vec()), ..public_good() };
    assert!(matches!(add(&store, "own", broken, Origin::Files), Err(TrustStoreError::SigningConfig { .. })));
    assert!(!home.path().join("data").exists());
    let killed = home.path().join("data/instances/.unfinished-x");
    fs::create_dir_all(killed.join("own")).unwrap();
    assert_eq!(names(&store), ["public-good"]);
    add(&store, "own", public_good(), Origin::Files).unwrap();
    let left: Vec<_> =
        fs::read_dir(home.path().join("data/instances")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn some_names_are_taken_from_the_start() {
    let home = tempfile::tempdir().unwrap();
    let store = store(&home);
    assert!(matches!(add(&store, "public-good", public_good(), Origin::Files), Err(TrustStoreError::BuiltIn)));
    assert!(matches!(store.remove(&InstanceName::public_good()), Err(TrustStoreError::BuiltIn)));
    assert!(matches!(add(&store, "file", public_good(), Origin::Files), Err(TrustStoreError::Reserved(_))));
    let nowhere = TrustStore { folder: None };
    assert!(matches!(add(&nowhere, "own", public_good(), Origin::Files), Err(TrustStoreError::NoFolder)));
}

#[test]
fn settings_choose() {
    let home = tempfile::tempdir().unwrap();
    let store = store(&home);
    add(&store, "own", public_good(), Origin::Files).unwrap();
    let all = store.trusted(&Settings::default()).unwrap();
    assert_eq!(all.len(), 2);
    let only = Settings { trust: Some(vec!["own".to_owned()]), ..Settings::default() };
    assert_eq!(store.trusted(&only).unwrap().len(), 1);
    let unknown = Settings { trust: Some(vec!["x".to_owned()]), ..Settings::default() };
    assert_eq!(store.trusted(&unknown).unwrap_err().to_string(), "there is no instance x");
    let bad = Settings { instance: Some("../x".to_owned()), ..Settings::default() };
    assert!(matches!(store.signing(&bad), Err(TrustStoreError::BadName { .. })));
    assert!(store.signing(&Settings::default()).unwrap().is_none());
}

#[test]
fn a_document_has_a_bounded_length() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("large");
    fs::File::create_new(&path).unwrap().set_len(MAX_DOCUMENT_BYTES + 1).unwrap();
    assert!(matches!(from_file(&path), Err(TrustStoreError::TooLarge(_))));
    assert!(matches!(from_file(&home.path().join("absent")), Err(TrustStoreError::File { .. })));
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn newer(refreshed: &str) -> Material {
    let mut documents = public_good();
    documents.trusted_root.push(b'\n');
    let origin = Origin::Tuf(Some(PUBLIC_GOOD_MIRROR.to_owned()));
    Material { documents, origin, refreshed: Some(at(refreshed)), brought: None, tuf: TufState::default() }
}

#[test]
fn public_good_is_the_newer_of_what_is_built_in_and_what_was_refreshed() {
    assert_eq!(PUBLIC_GOOD_OF, at("2026-08-21T00:00:00Z"));
    let home = tempfile::tempdir().unwrap();
    let store = store(&home);
    let public_good_name = InstanceName::public_good();
    let built_in = public_good();
    assert_eq!(store.stored_with_tuf(&public_good_name).unwrap().1.versions(), (15, 0));
    assert!(matches!(store.remove(&public_good_name), Err(TrustStoreError::BuiltIn)));

    let state = || store.stored_with_tuf(&public_good_name).unwrap().1;
    let earlier = Material { tuf: state(), ..newer("2026-08-20T00:00:00Z") };
    assert_eq!(store.renew(&store.stored(&public_good_name).unwrap(), &earlier).unwrap(), Renewed::Changed);
    assert_eq!(*store.stored(&public_good_name).unwrap().documents(), built_in, "waxseal itself is newer");
    assert_eq!(*store.stored(&public_good_name).unwrap().origin(), Origin::BuiltIn);

    let later = Material { tuf: state(), ..newer("2026-11-26T00:00:00Z") };
    assert_eq!(store.renew(&store.stored(&public_good_name).unwrap(), &later).unwrap(), Renewed::Changed);
    assert_eq!(store.renew(&store.stored(&public_good_name).unwrap(), &later).unwrap(), Renewed::Unchanged);
    assert_eq!(*store.stored(&public_good_name).unwrap().documents(), later.documents);
    assert_eq!(store.stored(&public_good_name).unwrap().refreshed(), later.refreshed);
    assert_eq!(names(&store), ["public-good"]);
    let behind = Material { tuf: TufState::default(), ..newer("2026-11-27T00:00:00Z") };
    assert_eq!(store.renew(&store.stored(&public_good_name).unwrap(), &behind).unwrap(), Renewed::Overtaken);

    store.remove(&public_good_name).unwrap();
    assert_eq!(*store.stored(&public_good_name).unwrap().documents(), built_in);
}

#[test]
fn newer_material_takes_the_place_of_older_and_leaves_the_bounds() {
    let home = tempfile::tempdir().unwrap();
    let store = store(&home);
    let material = newer("2026-11-26T00:00:00Z");
    assert!(matches!(store.stored(&name("own")), Err(TrustStoreError::Unknown(_))));
    let bounds = InstanceBounds { oidc_issuers: Some(vec!["https://a".to_owned()]), audience: None };
    store.add(&name("own"), &newer("2026-11-25T00:00:00Z"), bounds.clone()).unwrap();
    assert_eq!(store.renew(&store.stored(&name("own")).unwrap(), &material).unwrap(), Renewed::Unchanged);
    assert_eq!(store.load(&name("own")).unwrap().bounds, bounds);
    assert_eq!(store.stored(&name("own")).unwrap().refreshed(), material.refreshed);

    let broken = Documents { trusted_root: b"{".to_vec(), ..public_good() };
    let broken = Material { documents: broken, ..material.clone() };
    assert!(matches!(
        store.renew(&store.stored(&name("own")).unwrap(), &broken),
        Err(TrustStoreError::TrustedRoot { .. })
    ));
    assert_eq!(*store.stored(&name("own")).unwrap().documents(), material.documents);
    let folder = home.path().join("data/instances");
    assert_eq!(fs::read_dir(folder).unwrap().count(), 2, "the lock and the instance");
}

#[test]
fn a_slow_refresher_puts_nothing_back() {
    let home = tempfile::tempdir().unwrap();
    let store = store(&home);
    add(&store, "own", public_good(), Origin::Url("https://x".to_owned())).unwrap();
    let started = store.stored(&name("own")).unwrap();
    let with = |more: &[u8]| {
        let mut material = Material { origin: started.origin().clone(), ..newer("2026-11-26T00:00:00Z") };
        material.documents.trusted_root.extend(more);
        material
    };
    assert_eq!(store.renew(&started, &with(b" ")).unwrap(), Renewed::Changed);
    assert_eq!(store.renew(&started, &with(b"  ")).unwrap(), Renewed::Overtaken);
    assert_eq!(*store.stored(&name("own")).unwrap().documents(), with(b" ").documents);
    assert_eq!(store.renew(&started, &with(b" ")).unwrap(), Renewed::Unchanged);
    // Another instance has taken its name.
    store.remove(&name("own")).unwrap();
    add(&store, "own", public_good(), Origin::Files).unwrap();
    assert_eq!(store.renew(&started, &with(b"  ")).unwrap(), Renewed::Overtaken);
    assert_eq!(*store.stored(&name("own")).unwrap().origin(), Origin::Files);
}

#[test]
fn a_file_over_public_good_counts_until_waxseal_is_newer() {
    let home = tempfile::tempdir().unwrap();
    let store = store(&home);
    let (started, tuf) = store.stored_with_tuf(&InstanceName::public_good()).unwrap();
    let file = Material {
        refreshed: started.refreshed(),
        brought: Some(at("2026-11-26T00:00:00Z")),
        tuf,
        ..newer("2026-11-26T00:00:00Z")
    };
    assert_eq!(store.renew(&started, &file).unwrap(), Renewed::Changed);
    let stored = store.stored(&InstanceName::public_good()).unwrap();
    assert_eq!(*stored.documents(), file.documents);
    assert_eq!(
        stored.source(),
        "from a file that was brought on 2026-11-26; before, from the TUF repository at https://tuf-repo-cdn.sigstore.dev, as of 2026-08-21"
    );
    assert!(stored.demand_fresh("30d".parse().unwrap(), at("2026-11-26T00:00:00Z")).is_err());
    let file =
        Material { refreshed: Some(at("2026-08-19T00:00:00Z")), brought: Some(at("2026-08-20T00:00:00Z")), ..file };
    assert_eq!(store.renew(&stored, &file).unwrap(), Renewed::Unchanged);
    assert_eq!(*store.stored(&InstanceName::public_good()).unwrap().origin(), Origin::BuiltIn);
}

#[test]
fn trust_material_may_be_too_old() {
    let home = tempfile::tempdir().unwrap();
    let store = store(&home);
    add(&store, "files", public_good(), Origin::Files).unwrap();
    let demand = |name_: InstanceName, max: &str, now: &str| {
        let demanded = store.stored(&name_).unwrap().demand_fresh(max.parse().unwrap(), at(now));
        demanded.map_err(|error| error.to_string())
    };
    let public_good = InstanceName::public_good;
    assert_eq!(demand(public_good(), "30d", "2026-09-20T00:00:00Z"), Ok(()));
    assert_eq!(
        demand(public_good(), "30d", "2026-11-26T00:00:00Z"),
        Err("the trust material of instance public-good is 97 days old, and may be 30 days old at most".to_owned())
    );
    assert_eq!(
        demand(name("files"), "30d", "2026-11-26T00:00:00Z"),
        Err("the trust material of instance files was never refreshed, and may be 30 days old at most".to_owned())
    );
}

#[test]
fn who_reads_while_others_write_never_sees_a_mixture() {
    let home = tempfile::tempdir().unwrap();
    let store = store(&home);
    let material = |number: usize| {
        // Each document is as long as the number says.
        let mut material = newer("2026-11-26T00:00:00Z");
        material.refreshed =
            Some(at("2026-11-26T00:00:00Z") + jiff::SignedDuration::from_secs(i64::try_from(number).unwrap()));
        material.documents.trusted_root.extend(vec![b' '; number]);
        material.documents.signing_config.as_mut().unwrap().extend(vec![b' '; number]);
        material
    };
    store.add(&name("own"), &material(0), InstanceBounds::default()).unwrap();
    let Documents { trusted_root, signing_config, .. } = store.stored(&name("own")).unwrap().documents().clone();
    let (first, second) = (trusted_root.len(), signing_config.unwrap().len());
    let done = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut reads = 0;
                    while !done.load(std::sync::atomic::Ordering::Relaxed) {
                        let found = store.stored(&name("own")).unwrap().documents().clone();
                        assert_eq!(found.trusted_root.len() - first, found.signing_config.unwrap().len() - second);
                        reads += 1;
                    }
                    reads
                })
            })
            .collect();
        for number in 1..=50 {
            store.renew(&store.stored(&name("own")).unwrap(), &material(number)).unwrap();
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(readers.into_iter().all(|reader| reader.join().unwrap() > 0));
    });
}

#[test]
fn what_cannot_be_an_instance_stops_nobody() {
    let home = tempfile::tempdir().unwrap();
    let store = store(&home);
    add(&store, "own", public_good(), Origin::Files).unwrap();
    let folder = home.path().join("data/instances");
    for name in ["crashed", "public-good", "Not A Name", ".hidden"] {
        fs::create_dir(folder.join(name)).unwrap();
    }
    write(&folder.join("notes"), b"").unwrap();
    assert_eq!(names(&store), ["own", "public-good"]);
    store.trusted(&Settings::default()).unwrap();
    let strays: Vec<String> = store.strays().iter().map(ToString::to_string).collect();
    let left_out = |name: &str, why| format!("{} is left out, because {why}; remove it", folder.join(name).display());
    assert_eq!(
        strays,
        [
            left_out("Not A Name", "no instance has such a name"),
            left_out("crashed", "the folder is empty"),
            left_out("notes", "it is not a folder"),
            left_out("public-good", "the folder is empty"),
        ]
    );
    // An empty folder is no instance that could be in the way; a file is nobody's.
    add(&store, "crashed", public_good(), Origin::Files).unwrap();
    assert!(store.load(&name("crashed")).is_ok());
    assert!(matches!(add(&store, "notes", public_good(), Origin::Files), Err(TrustStoreError::InTheWay(_))));
    // What was an instance is not left out.
    fs::remove_file(folder.join("own").join(RECORD)).unwrap();
    let error = store.trusted(&Settings::default()).unwrap_err();
    assert!(matches!(&error, TrustStoreError::Broken { name, .. } if name.as_str() == "own"), "{error}");
    assert!(error.to_string().starts_with(&folder.join("own").join(RECORD).display().to_string()), "{error}");
    store.remove(&name("own")).unwrap();
    store.trusted(&Settings::default()).unwrap();
}
