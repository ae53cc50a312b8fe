use std::path::PathBuf;

use super::*;
use crate::crypto::{ServiceKey, ServiceKeyKind, Sha256Digest};
use crate::stack::clock;
use crate::tlog::note;

impl LogStore {
    /// Recomputes every leaf, root and proof from the entries alone.
    pub(in crate::stack) fn assert_consistent(&self) {
        let snapshot = self.snapshot();
        let size = snapshot.size();
        let mut nodes = std::collections::HashMap::new();
        let mut roots = vec![Sha256Digest::of(b"")];
        let mut last_time = None;
        for index in 0..size {
            let entry = snapshot.entry(index).unwrap().unwrap();
            assert!(last_time <= Some(entry.time));
            last_time = Some(entry.time);
            let leaf = merkle::leaf_hash(&entry.bytes);
            assert_eq!(snapshot.find(&leaf).unwrap(), Some(index));
            let mut read = |level, index| Ok::<_, std::convert::Infallible>(nodes[&(level, index)]);
            let Ok(completed) = merkle::completed_by(index, leaf, &mut read);
            nodes.extend(completed.into_iter().map(|(level, index, hash)| ((level, index), hash)));
            let Ok(root) =
                merkle::root(index + 1, &mut |level, index| Ok::<_, std::convert::Infallible>(nodes[&(level, index)]));
            assert_eq!(snapshot.root_at(index + 1).unwrap(), Some(root));
            roots.push(root);
        }
        let root = snapshot.root();
        assert_eq!(roots.last(), Some(&root));
        for index in 0..size {
            let path = snapshot.inclusion_proof(index).unwrap();
            let leaf = nodes[&(0, index)];
            assert_eq!(merkle::root_from_inclusion(leaf, index, size, &path), Ok(root), "{index} of {size}");
            let first = index + 1;
            let path = snapshot.consistency_proof(first, size).unwrap();
            let first = (first, roots[usize::try_from(first).unwrap()]);
            assert_eq!(merkle::verify_consistency(first, (size, root), &path), Ok(()), "{first:?} to {size}");
        }
        assert_eq!(snapshot.entry(size).unwrap(), None);
        assert_eq!(snapshot.root_at(size + 1).unwrap(), None);
    }
}

pub(super) fn signer() -> CheckpointSigner {
    static KEY: std::sync::LazyLock<Arc<ServiceKey>> =
        std::sync::LazyLock::new(|| Arc::new(ServiceKey::generate(ServiceKeyKind::Ed25519).unwrap()));
    let key = Arc::clone(&KEY);
    let log_id = note::log_id("log.example", key.verifying_key());
    CheckpointSigner { origin: "log.example".to_owned(), name: "log.example".to_owned(), key, log_id }
}

pub(super) fn store(folder: &Path) -> LogStore {
    open(folder).unwrap()
}

pub(super) fn entry(index: u64) -> Vec<u8> {
    format!("entry {index}").into_bytes()
}

fn open(folder: &Path) -> Result<LogStore, StoreError> {
    LogStore::open(folder, signer(), |bytes| vec![Sha256Digest::of(bytes.last_chunk::<1>().unwrap())])
}

fn add(store: &LogStore, bytes: &[u8], second: i64) -> Result<Appended, StoreError> {
    store.append(NewEntry { bytes: bytes.to_vec(), beside: Vec::new() }, at(second))
}

/// Appends these entries in this order, in as few batches as it takes.
fn add_all(store: &LogStore, numbers: std::ops::Range<u64>, second: i64) -> Vec<Appended> {
    let waiting = numbers.map(|number| {
        let (answer, answered) = sync_channel(1);
        let entry = NewEntry { bytes: entry(number), beside: Vec::new() };
        let leaf = merkle::leaf_hash(&entry.bytes);
        let keys = (store.shared.keys_of)(&entry.bytes);
        store.queue.as_ref().unwrap().send(Append { entry, leaf, keys, now: at(second), answer }).unwrap();
        answered
    });
    let waiting: Vec<_> = waiting.collect();
    waiting.into_iter().map(|answered| answered.recv().unwrap().unwrap()).collect()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

#[test]
fn every_entry_and_proof_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(folder.path());
    store.assert_consistent();
    for size in [1, 2, 255, 256, 257, 513, 519, 520] {
        let before = store.snapshot().size();
        for (index, appended) in (before..).zip(add_all(&store, before..size, 1000)) {
            assert_eq!((appended.index, appended.time, appended.is_duplicate), (index, at(1000), false));
            assert!(index < appended.log.size());
        }
        drop(store);
        store = open(folder.path()).unwrap();
        assert_eq!(store.snapshot().size(), size);
        store.assert_consistent();
    }
    let again = add(&store, b"entry 7", 2000).unwrap();
    assert_eq!((again.index, again.time, again.is_duplicate), (7, at(1000), true));
    let snapshot = store.snapshot();
    let tile = snapshot.tile(0, 1, 256).unwrap().unwrap();
    assert_eq!(tile.first_chunk::<32>(), Some(&merkle::leaf_hash(b"entry 256").0));
    assert_eq!(snapshot.tile(0, 2, 8).unwrap().unwrap().len(), 8 * 32);
    assert_eq!(snapshot.tile(0, 2, 9).unwrap(), None);
    assert_eq!(snapshot.tile(1, 0, 2).unwrap().unwrap().len(), 2 * 32);
    assert_eq!(snapshot.bundle(2, 1).unwrap().unwrap(), b"\x00\x09entry 512");
    assert_eq!(snapshot.size(), 520);
    // Of the partial files, those of the tiles that are not complete are left.
    assert!(!folder.path().join("tile/entries/001.p").exists());
    assert!(folder.path().join("tile/entries/002.p/8").exists());
    let found = snapshot.with_key(&Sha256Digest::of(b"7"), 3).unwrap();
    assert_eq!(found, [7, 17, 27]);
}

#[test]
fn many_at_once_share_batches_and_each_gets_a_proof() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    std::thread::scope(|scope| {
        for client in 0..16_u64 {
            let store = &store;
            scope.spawn(move || {
                for index in 0..40 {
                    let bytes = entry(client * 1000 + index);
                    let new = NewEntry { bytes: bytes.clone(), beside: bytes.clone() };
                    let appended = store.append(new, at(5)).unwrap();
                    let path = appended.log.inclusion_proof(appended.index).unwrap();
                    let size = appended.log.size();
                    let root = merkle::root_from_inclusion(merkle::leaf_hash(&bytes), appended.index, size, &path);
                    assert_eq!(root, Ok(appended.log.root()));
                    assert_eq!(appended.log.entry(appended.index).unwrap().unwrap().beside, bytes);
                }
            });
        }
    });
    assert_eq!(store.counts().entries, 640);
    assert!(store.counts().batches < 640);
    store.assert_consistent();
    drop(store);
    assert_eq!(check(folder.path(), &signer()).unwrap().size, 640);
}

#[test]
fn time_does_not_run_backwards_unless_somebody_accepts_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    add(&store, b"a", 10_000).unwrap();
    assert_eq!(add(&store, b"b", 9995).unwrap().time, at(10_000));
    assert!(matches!(add(&store, b"c", 9994), Err(StoreError::ClockWentBack { .. })));
    assert_eq!([9994, 9995].map(|second| store.state(at(second))), [StoreState::ClockBehind, StoreState::Open]);
    assert_eq!(add(&store, b"c", 10_001).unwrap().index, 2);
    clock::accept(folder.path(), at(500)).unwrap();
    assert_eq!([5000, 501].map(|second| store.state(at(second))), [StoreState::ClockBehind, StoreState::Open]);
    assert!(matches!(add(&store, b"d", 5000), Err(StoreError::ClockWentBack { .. })), "accepted too long ago");
    assert_eq!(add(&store, b"d", 501).unwrap().time, at(501));
    assert!(matches!(add(&store, b"e", 400), Err(StoreError::ClockWentBack { .. })), "accepted once");
    assert_eq!([400, 501].map(|second| store.state(at(second))), [StoreState::ClockBehind, StoreState::Open]);
}

#[test]
fn entries_have_a_limit() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    assert!(matches!(add(&store, &[0; MAX_ENTRY_BYTES + 1], 1), Err(StoreError::TooLarge(_))));
    assert_eq!(add(&store, &[0; MAX_ENTRY_BYTES], 1).unwrap().index, 0);
    assert_eq!(store.snapshot().entry(0).unwrap().unwrap().bytes.len(), MAX_ENTRY_BYTES);
}

/// What a crash may leave beyond the checkpoint, and files that grew up halfway.
#[test]
fn what_the_checkpoint_does_not_cover_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let log = store(folder.path());
    add_all(&log, 0..254, 1);
    drop(log);
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        crate::stack::disk::write_durably(&path, bytes).unwrap();
    };
    write("tile/0/000.p/255", b"half a ti");
    write("tile/0/000", &[7; 8192]);
    write("tile/1/000.p/1", &[7; 32]);
    write("tile/entries/000", b"torn");
    write("unfinished/.tmpabc", b"torn");
    let mut times = std::fs::read(folder.path().join("times")).unwrap();
    times.extend_from_slice(&[9; 21]);
    write("times", &times);
    let log = store(folder.path());
    add_all(&log, 254..260, 1);
    log.assert_consistent();
    assert_eq!(std::fs::read_dir(folder.path().join("unfinished")).unwrap().count(), 0);
}

#[test]
fn an_index_is_built_again_and_the_log_checked_then() {
    let folder = tempfile::tempdir().unwrap();
    let log = store(folder.path());
    add_all(&log, 0..300, 1);
    drop(log);
    std::fs::remove_file(folder.path().join("index.redb")).unwrap();
    let log = store(folder.path());
    log.assert_consistent();
    assert_eq!(log.snapshot().with_key(&Sha256Digest::of(b"7"), 2).unwrap(), [7, 17]);
    drop(log);
    std::fs::remove_file(folder.path().join("index.redb")).unwrap();
    flip(&folder.path().join("tile/entries/000"));
    assert!(matches!(open(folder.path()), Err(StoreError::OtherTree { tree_size: 300 })));
}

#[test]
fn an_index_that_was_torn_is_built_again() {
    let folder = tempfile::tempdir().unwrap();
    let log = store(folder.path());
    add_all(&log, 0..40, 1);
    drop(log);
    let path = folder.path().join("index.redb");
    let whole = std::fs::read(&path).unwrap();
    let zeroed = [&[0; 4096], &whole[4096..]].concat();
    for torn in [&whole[..0], &whole[..100], &whole[..4096], &whole[..whole.len() / 2], &zeroed] {
        crate::stack::disk::write_durably(&path, torn).unwrap();
        let log = store(folder.path());
        log.assert_consistent();
    }
}

#[test]
fn every_changed_file_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let log = store(folder.path());
    add_all(&log, 0..300, 1);
    drop(log);
    check(folder.path(), &signer()).unwrap();
    for name in
        ["tile/0/000", "tile/entries/000", "tile/0/001.p/44", "tile/entries/001.p/44", "tile/1/000.p/1", "checkpoint"]
    {
        let path = folder.path().join(name);
        let good = std::fs::read(&path).unwrap();
        flip(&path);
        let found = check(folder.path(), &signer()).unwrap_err();
        let fits = match name {
            "tile/0/000" => matches!(&found, Discrepancy::Tile(at) if at == Path::new(name)),
            "tile/entries/000" => matches!(found, Discrepancy::Tile(_) | Discrepancy::Bundle(_)),
            "tile/entries/001.p/44" => matches!(found, Discrepancy::Tile(_) | Discrepancy::Bundle(_)),
            "checkpoint" => matches!(found, Discrepancy::Store(StoreError::Checkpoint(_))),
            _ => matches!(found, Discrepancy::Store(StoreError::OtherTree { .. })),
        };
        assert!(fits, "{name}: {found}");
        crate::stack::disk::write_durably(&path, &good).unwrap();
    }
    std::fs::remove_file(folder.path().join("tile/entries/000")).unwrap();
    assert!(matches!(check(folder.path(), &signer()), Err(Discrepancy::Store(StoreError::Missing("entry")))));
}

fn flip(path: &PathBuf) {
    let mut bytes = std::fs::read(path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    crate::stack::disk::write_durably(path, &bytes).unwrap();
}

#[test]
fn a_log_never_forgets_what_it_published() {
    let folder = tempfile::tempdir().unwrap();
    let log = store(folder.path());
    add(&log, b"a", 1).unwrap();
    let older = std::fs::read(folder.path().join("checkpoint")).unwrap();
    add(&log, b"b", 1).unwrap();
    drop(log);
    crate::stack::disk::write_durably(&folder.path().join("checkpoint"), &older).unwrap();
    assert!(matches!(open(folder.path()), Err(StoreError::PutBack { checkpoint: 1, indexed: 2 })));
    std::fs::remove_file(folder.path().join("checkpoint")).unwrap();
    assert!(matches!(open(folder.path()), Err(StoreError::Missing("checkpoint"))));
}

#[test]
fn a_log_is_copied_while_it_grows() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let copies = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for client in 0..8_u64 {
            let store = &store;
            scope.spawn(move || {
                for index in 0..60 {
                    let bytes = entry(client * 1000 + index);
                    store.append(NewEntry { bytes: bytes.clone(), beside: bytes }, at(5)).unwrap();
                }
            });
        }
        for number in 0..5 {
            let to = copies.path().join(number.to_string());
            copy(folder.path(), &signer(), &to).unwrap();
            let checked = check(&to, &signer()).unwrap();
            let copied = open(&to).unwrap();
            assert_eq!((copied.snapshot().size(), copied.snapshot().root()), (checked.size, checked.root));
            assert_eq!(store.snapshot().root_at(checked.size).unwrap(), Some(checked.root));
            if let Some(last) = checked.size.checked_sub(1) {
                let entry = copied.snapshot().entry(last).unwrap().unwrap();
                assert_eq!(entry.beside, entry.bytes);
                assert_eq!(last_time(&to, &signer()).unwrap(), Some(at(5)));
            }
        }
    });
}
