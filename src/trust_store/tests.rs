use super::*;

fn store(home: &tempfile::TempDir) -> TrustStore {
    TrustStore::new(&Folders { data: Some(home.path().join("data")), ..Folders::default() })
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
    store.add(&name("own"), &public_good(), origin.clone()).unwrap();
    store.add(&name("zoo"), &Documents { signing_config: None, ..public_good() }, Origin::Files).unwrap();
    assert_eq!(names(&store), ["own", "public-good", "zoo"]);
    assert_eq!(store.origin(&name("own")).unwrap(), origin);
    let own = store.load(&name("own")).unwrap();
    assert_eq!((own.name, own.bounds), (name("own"), InstanceBounds::default()));
    assert!(store.load(&name("zoo")).unwrap().signing_config.is_none());

    assert!(matches!(store.add(&name("own"), &public_good(), Origin::Files), Err(TrustStoreError::Exists(_))));
    assert_eq!(store.origin(&name("own")).unwrap(), origin);
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
    assert!(matches!(store.add(&name("own"), &broken, Origin::Files), Err(TrustStoreError::TrustedRoot { .. })));
    let broken = Documents { signing_config: Some(b"{}".to_vec()), ..public_good() };
    assert!(matches!(store.add(&name("own"), &broken, Origin::Files), Err(TrustStoreError::SigningConfig { .. })));
    assert!(!home.path().join("data").exists());
    let killed = home.path().join("data/instances/.unfinished-x");
    fs::create_dir_all(killed.join("own")).unwrap();
    assert_eq!(names(&store), ["public-good"]);
    store.add(&name("own"), &public_good(), Origin::Files).unwrap();
    let left: Vec<_> =
        fs::read_dir(home.path().join("data/instances")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn some_names_are_taken_from_the_start() {
    let home = tempfile::tempdir().unwrap();
    let store = store(&home);
    assert!(matches!(
        store.add(&InstanceName::public_good(), &public_good(), Origin::Files),
        Err(TrustStoreError::BuiltIn)
    ));
    assert!(matches!(store.remove(&InstanceName::public_good()), Err(TrustStoreError::BuiltIn)));
    assert!(matches!(
        store.add(&InstanceName::file(), &public_good(), Origin::Files),
        Err(TrustStoreError::Reserved(_))
    ));
    let nowhere = TrustStore { folder: None };
    assert!(matches!(nowhere.add(&name("own"), &public_good(), Origin::Files), Err(TrustStoreError::NoFolder)));
}

#[test]
fn settings_choose() {
    let home = tempfile::tempdir().unwrap();
    let store = store(&home);
    store.add(&name("own"), &public_good(), Origin::Files).unwrap();
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
    File::create_new(&path).unwrap().set_len(MAX_DOCUMENT_BYTES + 1).unwrap();
    assert!(matches!(from_file(&path), Err(TrustStoreError::TooLarge(_))));
    assert!(matches!(from_file(&home.path().join("absent")), Err(TrustStoreError::File { .. })));
}
