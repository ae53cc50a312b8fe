//! What looking after a stack's folder must not do.

use std::fs;
use std::path::Path;

use super::*;
use crate::stack::disk::write_durably;
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

#[test]
fn a_running_stack_is_copied_checked_and_started_again() {
    let world = World::new();
    let key = SigningKey::generate();
    let leaf = world.certificate_for(&key).remove(0);
    let answer = world.post("/rekor/api/v1/log/entries", "application/json", &proposal(b"m", &key, &leaf));
    assert_eq!(answer.status, 201);
    let (id, _) = rekor_json::read(&answer.body).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let to = elsewhere.path().join("copy");
    let mut held = Vec::new();
    maintenance::back_up(world.folder.path(), &to, |name, log| held.push((name, log.size))).unwrap();
    assert_eq!(held, [("ct-log", 1), ("rekor-v1", 2), ("rekor-v2", 1)]);
    let again = maintenance::back_up(world.folder.path(), &to, |_, _| {});
    assert!(matches!(again, Err(MaintenanceError::Exists(_))));
    #[cfg(unix)]
    for name in ["", "keys", "keys/rekor-v1.pem", "keys/certificate-authority.pem"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(to.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name}");
    }
    let options = StackOptions { auto_login: vec!["alice@example.org".to_owned()], ..StackOptions::default() };
    let copy = Stack::open(&to, &format!("http://{HERE}").parse().unwrap(), options, world.now).unwrap();
    assert_eq!(copy.trust_digest(), world.stack.trust_digest());
    let world = World { folder: elsewhere, stack: copy, now: world.now };
    let found = world.get(&format!("/rekor/api/v1/log/entries/{id}"));
    assert_eq!(found.status, 200);
    world.certificate_for(&key);
    assert_eq!(maintenance::ahead_of(&to, world.now).unwrap(), []);
    let earlier = world.now - SignedDuration::from_mins(1);
    let ahead: Vec<_> = maintenance::ahead_of(&to, earlier).unwrap().iter().map(|(name, _)| *name).collect();
    assert_eq!(ahead, ["ct-log", "rekor-v1", "rekor-v2"]);
    let mut world = World { now: earlier, ..world };
    let post = |world: &World| {
        let request = Request::post("/rekor/api/v1/log/entries").header(HOST, HERE);
        let request = request.header(CONTENT_TYPE, "application/json").body(proposal(b"n", &key, &leaf)).unwrap();
        world.stack.handle(&request, world.now).status()
    };
    assert_eq!(post(&world), 503);
    maintenance::accept_clock(&to, earlier).unwrap();
    world.now += SignedDuration::from_secs(1);
    assert_eq!(post(&world), 201);
}

/// Refresh tokens come and go, and files on their way to their names, while a stack is copied.
#[test]
#[expect(clippy::disallowed_methods, reason = "files that nobody needs")]
fn what_vanishes_while_it_is_copied_is_left_out() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let world = World::new();
    let tokens = world.folder.path().join("refresh-tokens");
    let kept = tokens.join("kept.json");
    write_durably(&kept, b"{}").unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let names: Vec<_> = (0..200).map(|number| tokens.join(format!("{number}.json"))).collect();
                names.iter().for_each(|name| drop(fs::File::create(name).unwrap()));
                names.iter().for_each(|name| fs::remove_file(name).unwrap());
            }
        });
        for number in 0..8 {
            let to = elsewhere.path().join(number.to_string());
            let copied = maintenance::back_up(world.folder.path(), &to, |_, _| {});
            done.fetch_or(copied.is_err(), Ordering::Relaxed);
            copied.unwrap();
            assert_eq!(fs::read(to.join("refresh-tokens/kept.json")).unwrap(), b"{}");
        }
        done.store(true, Ordering::Relaxed);
    });
}

/// A copy is checked whole when it is made and when it is first started, of whichever log a byte was changed.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test damages a file")]
fn a_copy_that_was_damaged_is_not_started() {
    let world = World::new();
    let key = SigningKey::generate();
    let leaf = world.certificate_for(&key).remove(0);
    assert_eq!(world.post_json("/rekor2/api/v2/log/entries", &rekor_v2::request(b"m", &key, &leaf)).status, 201);
    let body = proposal(b"m", &key, &leaf);
    assert_eq!(world.post("/rekor/api/v1/log/entries", "application/json", &body).status, 201);
    for file in [
        "ct-log/tile/entries/000.p/1",
        "rekor-v1/tile/entries/000.p/2",
        "rekor-v2/tile/entries/000.p/2",
        "ct-log/tile/0/000.p/1",
        "rekor-v2/tile/0/000.p/2",
        "rekor-v2/checkpoint",
    ] {
        let elsewhere = tempfile::tempdir().unwrap();
        let to = elsewhere.path().join("copy");
        maintenance::back_up(world.folder.path(), &to, |_, _| {}).unwrap();
        let mut bytes = fs::read(to.join(file)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(to.join(file), bytes).unwrap();
        let name = file.split('/').next().unwrap();
        let found = maintenance::check(&to, |_, _| {});
        assert!(matches!(&found, Err(MaintenanceError::Log { name: log, .. }) if *log == name), "{file}: {found:?}");
        let started = Stack::open(&to, world.stack.public_url(), StackOptions::default(), world.now).map(|_| ());
        assert!(matches!(&started, Err(StackError::OpenLog { name: log, .. }) if *log == name), "{file}: {started:?}");
    }
}
