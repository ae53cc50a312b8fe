use std::collections::BTreeSet;

use super::super::tests::Scratch;
use super::*;

fn id(number: u32) -> ObjectId {
    gix::objs::compute_hash(gix::hash::Kind::Sha1, gix::objs::Kind::Blob, &number.to_be_bytes()).unwrap()
}

fn now() -> Timestamp {
    "2026-11-26T00:00:00Z".parse().unwrap()
}

/// Adds the line `text` to a note that has not got it.
fn line(text: &'static str) -> impl Fn(&ObjectId, &[u8]) -> Option<Vec<u8>> {
    move |_, present| {
        let has = present.split(|byte| *byte == b'\n').any(|line| line == text.as_bytes());
        (!has).then(|| [present, text.as_bytes(), b"\n"].concat())
    }
}

#[test]
fn many_notes_are_in_folders_as_git_has_them() {
    let scratch = Scratch::new(&[]);
    let repository = scratch.open();
    assert_eq!(repository.evidence(id(0)), EvidenceNote::default());
    let ids: Vec<ObjectId> = (0..600).map(id).collect();
    assert_eq!(repository.add_evidence(&ids, line("one"), now()), Ok(vec![]));
    assert_eq!(scratch.git(&["rev-list", "--count", EVIDENCE_REF]), "1");
    // A second time there is nothing to add, and no commit of it.
    assert_eq!(repository.add_evidence(&ids, line("one"), now()), Ok(vec![]));
    assert_eq!(scratch.git(&["rev-list", "--count", EVIDENCE_REF]), "1");
    assert!(scratch.git(&["ls-tree", EVIDENCE_REF]).lines().all(|line| line.contains(" tree ")), "folders");
    let listed = scratch.git(&["notes", "--ref=waxseal-evidence", "list"]);
    let listed: BTreeSet<&str> = listed.lines().map(|line| line.split_once(' ').unwrap().1).collect();
    let expected: Vec<String> = ids.iter().map(ToString::to_string).collect();
    assert_eq!(listed, expected.iter().map(String::as_str).collect());
    assert_eq!(repository.evidence(id(599)).text, b"one\n\n");

    assert_eq!(repository.add_evidence(&[id(7)], line("two"), now()), Ok(vec![]));
    assert_eq!(repository.evidence(id(7)).text, b"one\ntwo\n\n");
    assert_eq!(repository.evidence(id(8)).text, b"one\n\n");
    let author = scratch.git(&["log", "-1", "--format=%at %ct", EVIDENCE_REF]);
    assert_eq!(author, format!("{0} {0}", now().as_second()));
    scratch.git(&["fsck", "--strict"]);
}

#[test]
fn a_ref_that_moved_is_read_again() {
    let scratch = Scratch::new(&[]);
    let repository = scratch.open();
    let other = scratch.open();
    let moved = std::cell::Cell::new(false);
    let slow = |object: &ObjectId, present: &[u8]| {
        if !moved.replace(true) {
            other.add_evidence(&[*object], line("theirs"), now()).unwrap();
        }
        line("ours")(object, present)
    };
    assert_eq!(repository.add_evidence(&[id(1)], slow, now()), Ok(vec![]));
    assert_eq!(repository.evidence(id(1)).text, b"theirs\nours\n\n");
}

#[test]
fn a_full_disk_is_told_from_another_writer() {
    let unmoved = |kind: io::ErrorKind| unmoved(&gix::Error::from_error(io::Error::from(kind)));
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::ReadOnlyFilesystem, io::ErrorKind::PermissionDenied] {
        assert!(matches!(unmoved(kind), NotesError::Unwritten(_)), "{kind}");
    }
    assert!(matches!(unmoved(io::ErrorKind::AlreadyExists), NotesError::Moved(_)), "the lock");
}

#[test]
fn a_note_that_would_be_too_large_is_left_alone() {
    let scratch = Scratch::new(&[]);
    let repository = scratch.open();
    let limit = usize::try_from(MAX_NOTE_BYTES).unwrap();
    for (size, in_the_way) in [(limit - 1, true), (limit - 4, false)] {
        let first = move |_: &ObjectId, _: &[u8]| Some(vec![b'x'; size]);
        assert_eq!(repository.add_evidence(&[id(1)], first, now()), Ok(vec![]));
        let present = repository.evidence(id(1)).text;
        let expected = if in_the_way { vec![id(1)] } else { vec![] };
        assert_eq!(repository.add_evidence(&[id(1)], line("ab"), now()), Ok(expected));
        assert_eq!(repository.evidence(id(1)).text == present, in_the_way);
    }
}

#[test]
fn notes_in_two_places_are_both_read_and_junk_beside_them_is_not() {
    let scratch = Scratch::new(&[]);
    let repository = scratch.open();
    let name = id(1).to_string();
    let blob = |text: &str| repository.inner.write_blob(text).unwrap().detach().to_string();
    let inner = scratch.tree(&[("100644 blob", &blob("deep\n"), &name[2..])]);
    let root = scratch.tree(&[
        ("100644 blob", &blob("flat\n"), &name),
        ("040000 tree", &inner, &name[..2]),
        ("100644 blob", &blob("junk\n"), "README"),
        ("120000 blob", &blob("link\n"), &id(2).to_string()),
    ]);
    let commit = scratch.git(&["commit-tree", &root, "-m", "by hand"]);
    scratch.git(&["update-ref", EVIDENCE_REF, &commit]);
    let mut lines: Vec<u8> = repository.evidence(id(1)).text;
    lines.retain(|byte| *byte != b'\n');
    assert!([b"flatdeep", b"deepflat"].iter().any(|both| **both == *lines), "{lines:?}");
    let link = repository.evidence(id(2));
    assert!(link.text.is_empty() && matches!(link.unreadable, Some(NotesError::Unreadable(_))), "{link:?}");
    // To which of the two something is to be added is not for waxseal to say.
    let refused = repository.add_evidence(&[id(1)], line("three"), now());
    assert!(matches!(refused, Err(NotesError::Unreadable(_))), "{refused:?}");
    assert_eq!(scratch.git(&["rev-parse", EVIDENCE_REF]), commit);
    // What is no note stays.
    let root = scratch.tree(&[("040000 tree", &inner, &name[..2]), ("100644 blob", &blob("junk\n"), "README")]);
    let commit = scratch.git(&["commit-tree", &root, "-m", "by hand"]);
    scratch.git(&["update-ref", EVIDENCE_REF, &commit]);
    assert_eq!(repository.add_evidence(&[id(3)], line("three"), now()), Ok(vec![]));
    assert!(scratch.git(&["ls-tree", "--name-only", EVIDENCE_REF]).lines().any(|line| line == "README"));
}

#[test]
fn what_is_in_the_way_of_a_note_is_said() {
    let scratch = Scratch::new(&[]);
    let repository = scratch.open();
    let name = id(1).to_string();
    let blob = repository.inner.write_blob("junk\n").unwrap().detach().to_string();
    let empty = scratch.tree(&[]);
    // From the last folder up.
    let nested = |last: &str, levels: usize| {
        (0..levels).rev().fold(last.to_owned(), |below, level| {
            scratch.tree(&[("040000 tree", &below, &name[level * 2..level * 2 + 2])])
        })
    };
    for (entry, digits, levels, why) in [
        (("040000 tree", &empty), &name[38..], 19, "the object's note is no plain file"),
        (("160000 commit", &name), &name[38..], 19, "the object's note is no plain file"),
        (("040000 tree", &empty), &name[..], 0, "the object's note is no plain file"),
        (("100644 blob", &blob), &name[4..6], 2, "the folder of the object's note is no folder"),
        (("120000 blob", &blob), &name[..2], 0, "the folder of the object's note is no folder"),
    ] {
        let root = nested(&scratch.tree(&[(entry.0, entry.1, digits)]), levels);
        let commit = scratch.git(&["commit-tree", &root, "-m", "by hand"]);
        scratch.git(&["update-ref", EVIDENCE_REF, &commit]);
        let said = repository.evidence(id(1)).unreadable.map(|error| error.to_string());
        assert_eq!(said, Some(format!("{EVIDENCE_REF} cannot be read: {why}")), "{entry:?} {digits}");
    }
}

#[test]
fn a_tree_that_names_a_folder_a_thousand_times_is_not_read_a_thousand_times() {
    let scratch = Scratch::new(&[]);
    let repository = scratch.open();
    let name = id(1).to_string();
    let mut tree = scratch.tree(&[]);
    for level in (0..10).rev() {
        let folder = &name[level * 2..level * 2 + 2];
        let entry = [format!("40000 {folder}\0").into_bytes(), hex_bytes(&tree)].concat();
        tree = scratch.hash_tree(&entry.repeat(1000));
    }
    let commit = scratch.git(&["commit-tree", &tree, "-m", "by hand"]);
    scratch.git(&["update-ref", EVIDENCE_REF, &commit]);
    let note = repository.evidence(id(1));
    assert!(note.text.is_empty() && matches!(note.unreadable, Some(NotesError::Unreadable(_))), "{note:?}");
}

fn hex_bytes(text: &str) -> Vec<u8> {
    ObjectId::from_hex(text.as_bytes()).unwrap().as_bytes().to_vec()
}
