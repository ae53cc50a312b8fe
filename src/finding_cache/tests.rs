use super::*;

fn name(number: u8) -> Sha256Digest {
    // All in one file.
    let mut name = Sha256Digest::of(&[number]);
    name.0[0] = 7;
    name
}

fn finding(number: u8) -> Vec<u8> {
    vec![number; 20 + usize::from(number)]
}

fn kept(folder: &Path, numbers: std::ops::Range<u8>) {
    let cache = FindingCache::open(folder).unwrap();
    numbers.for_each(|number| cache.keep(name(number), finding(number)));
    cache.finish().unwrap();
}

fn recalled(folder: &Path) -> Vec<u8> {
    let cache = FindingCache::open(folder).unwrap();
    (0..100).filter(|number| cache.recall(&name(*number)).is_some_and(|bytes| bytes == finding(*number))).collect()
}

#[test]
fn what_one_run_keeps_the_next_recalls() {
    let folder = tempfile::tempdir().unwrap();
    assert!(recalled(folder.path()).is_empty());
    kept(folder.path(), 0..3);
    kept(folder.path(), 3..5);
    assert_eq!(recalled(folder.path()), [0, 1, 2, 3, 4]);
}

#[test]
fn a_record_that_is_cut_off_or_damaged_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    kept(folder.path(), 0..4);
    let path = folder.path().join("findings/03");
    let whole = fs::read(&path).unwrap();
    for length in 0..whole.len() {
        files::replace(&path, &whole[..length]).unwrap();
        let before = recalled(folder.path());
        assert!(before.len() < 4);
        // What comes later has its place behind the last that is whole.
        kept(folder.path(), 50..51);
        assert_eq!(recalled(folder.path()), [before, vec![50]].concat());
    }
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        files::replace(&path, &damaged).unwrap();
        assert!(recalled(folder.path()).len() < 4, "{at}");
    }
}

#[test]
fn runs_side_by_side_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    thread::scope(|scope| {
        for start in (0..80).step_by(10) {
            let folder = folder.path();
            scope.spawn(move || (start..start + 10).for_each(|number| kept(folder, number..number + 1)));
        }
    });
    assert_eq!(recalled(folder.path()), (0..80).collect::<Vec<_>>());
}

#[test]
fn a_full_file_begins_again() {
    let folder = tempfile::tempdir().unwrap();
    let cache = FindingCache::open(folder.path()).unwrap();
    let large = vec![0; usize::from(u16::MAX)];
    for number in 0..100 {
        cache.keep(name(number), large.clone());
        cache.finish().unwrap();
    }
    let length = fs::metadata(folder.path().join("findings/03")).unwrap().len();
    assert!((1..=MAX_FILE_BYTES).contains(&length), "{length}");
    let cache = FindingCache::open(folder.path()).unwrap();
    assert_eq!(cache.recall(&name(99)).unwrap(), large);
    assert_eq!(cache.recall(&name(0)), None);
}

#[cfg(unix)]
#[test]
fn only_a_folder_of_ours_that_is_closed_is_believed() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    kept(folder.path(), 0..1);
    let findings = folder.path().join("findings");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&findings), mode(&findings.join("03"))), (0o700, 0o600));
    fs::set_permissions(&findings, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(matches!(FindingCache::open(folder.path()), Err(CacheError::Open(path)) if path == findings));
    fs::set_permissions(&findings, fs::Permissions::from_mode(0o700)).unwrap();
    let elsewhere = folder.path().join("elsewhere");
    fs::rename(&findings, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &findings).unwrap();
    assert!(matches!(FindingCache::open(folder.path()), Err(CacheError::NotAFolder(path)) if path == findings));
}
