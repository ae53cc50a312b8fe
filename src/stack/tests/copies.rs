//! What looking after a stack's folder must not do.

use std::fs;
use std::path::Path;

use super::*;
use crate::stack::data_folder::write_durably;
use crate::stack::maintenance::{self, MaintenanceError};

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.collect();
    names.sort();
    names
}

/// By whatever way: otherwise it would be a copy of itself, without an end.
#[test]
fn no_copy_is_made_within_what_is_copied() {
    let world = World::new();
    let data = world.folder.path();
    let before = names(data);
    let elsewhere = tempfile::tempdir().unwrap();
    let mut places = vec![data.join("copy"), data.join("rekor-v1/copy"), data.join("keys/../copy")];
    #[cfg(unix)]
    {
        let link = elsewhere.path().join("link");
        std::os::unix::fs::symlink(data, &link).unwrap();
        places.push(link.join("copy"));
        let moved = elsewhere.path().join("rekor-v2");
        fs::rename(data.join("rekor-v2"), &moved).unwrap();
        std::os::unix::fs::symlink(&moved, data.join("rekor-v2")).unwrap();
        places.push(moved.join("copy"));
    }
    for to in places {
        let refused = maintenance::back_up(data, &to, |_, _| {});
        assert!(matches!(&refused, Err(MaintenanceError::Inside { to: named, .. }) if *named == to), "{refused:?}");
    }
    assert_eq!(names(data), before);
    maintenance::back_up(data, &elsewhere.path().join("copy"), |_, _| {}).unwrap();
}

#[test]
fn what_is_not_the_stacks_is_not_copied() {
    let world = World::new();
    let data = world.folder.path();
    write_durably(&data.join("old.unfinished/keys/k.pem"), b"").unwrap();
    write_durably(&data.join("clients/gitsign/root.json"), b"").unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    #[cfg(unix)]
    {
        write_durably(&elsewhere.path().join("issuers"), b"# none yet\n").unwrap();
        std::os::unix::fs::symlink(elsewhere.path().join("issuers"), data.join("issuers.toml")).unwrap();
    }
    let to = elsewhere.path().join("copy");
    let left_out = maintenance::back_up(data, &to, |_, _| {}).unwrap();
    assert_eq!(left_out, [data.join("old.unfinished")]);
    let mut expected = names(data);
    expected.retain(|name| !["clients", "lock", "old.unfinished"].contains(&name.as_str()));
    assert_eq!(names(&to), expected);
    #[cfg(unix)]
    assert_eq!(fs::read(to.join("issuers.toml")).unwrap(), b"# none yet\n");
}

#[test]
fn nothing_is_left_of_a_copy_that_failed() {
    let world = World::new();
    fs::remove_dir_all(world.folder.path().join("rekor-v2/tile")).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    maintenance::back_up(world.folder.path(), &elsewhere.path().join("copy"), |_, _| {}).unwrap_err();
    assert_eq!(names(elsewhere.path()), [""; 0]);
}
