use std::process::Command;

use super::*;

/// A repository made by git itself, away from the user's configuration.
pub(super) struct Scratch {
    folder: tempfile::TempDir,
    clock: i64,
}

impl Scratch {
    pub(super) fn new(arguments: &[&str]) -> Self {
        let scratch = Self { folder: tempfile::tempdir().unwrap(), clock: 1_700_000_000 };
        scratch.git(&[&["init", "--quiet", "--initial-branch=main"], arguments].concat());
        scratch
    }

    pub(super) fn git(&self, arguments: &[&str]) -> String {
        self.git_at(self.clock, arguments)
    }

    pub(super) fn git_at(&self, seconds: i64, arguments: &[&str]) -> String {
        let date = format!("@{seconds} +0000");
        let output = Command::new("git")
            .args(["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "protocol.file.allow=always"])
            .args(arguments)
            .current_dir(self.folder.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .envs([("GIT_COMMITTER_DATE", &date), ("GIT_AUTHOR_DATE", &date)])
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// A commit without content, on top of `parents`.
    pub(super) fn commit(&self, seconds: i64, message: &str, parents: &[&str]) -> String {
        let tree = self.git(&["hash-object", "-w", "-t", "tree", "/dev/null"]);
        let mut arguments = vec!["commit-tree", &tree, "-m", message];
        for parent in parents {
            arguments.extend(["-p", parent]);
        }
        self.git_at(seconds, &arguments)
    }

    pub(super) fn open(&self) -> Repository {
        Repository::open(Path::new(&self.git(&["rev-parse", "--absolute-git-dir"]))).unwrap()
    }

    /// A tree of `(mode and kind, id, name)`.
    pub(super) fn tree(&self, entries: &[(&str, &str, &str)]) -> String {
        let lines: String = entries.iter().map(|(what, id, name)| format!("{what} {id}\t{name}\n")).collect();
        self.git_with(&["mktree"], lines.as_bytes())
    }

    /// A tree as it should not be.
    pub(super) fn hash_tree(&self, raw: &[u8]) -> String {
        self.git_with(&["hash-object", "-w", "-t", "tree", "--literally", "--stdin"], raw)
    }

    pub(super) fn git_with(&self, arguments: &[&str], stdin: &[u8]) -> String {
        let file = tempfile::NamedTempFile::new_in(&self.folder).unwrap();
        std::io::Write::write_all(&mut file.as_file(), stdin).unwrap();
        let output = Command::new("git")
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(file.reopen().unwrap())
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    pub(super) fn open_at(&self, folder: &str) -> Repository {
        Repository::open(&self.path(folder)).unwrap()
    }

    pub(super) fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn object_file(&self, id: &str) -> std::path::PathBuf {
        self.folder.path().join(".git/objects").join(&id[..2]).join(&id[2..])
    }
}

fn ids(repository: &Repository, revisions: &[&str]) -> Vec<String> {
    let revisions: Vec<OsString> = revisions.iter().map(OsString::from).collect();
    let selected = repository.select(&revisions).unwrap();
    repository.objects(&selected).map(|found| found.id.to_string()).collect()
}

fn refusal(repository: &Repository, revision: &str) -> String {
    repository.select(&[revision.into()]).unwrap_err().to_string()
}

#[test]
fn a_revision_is_exactly_one_object() {
    let scratch = Scratch::new(&[]);
    assert_eq!(ids(&scratch.open(), &[]), Vec::<String>::new());
    scratch.git(&["commit", "--quiet", "--allow-empty", "-m", "one"]);
    scratch.git(&["commit", "--quiet", "--allow-empty", "-m", "two"]);
    scratch.git(&["tag", "-m", "release", "v1"]);
    let head = scratch.git(&["rev-parse", "HEAD"]);
    let repository = scratch.open();
    assert_eq!(ids(&repository, &[]), std::slice::from_ref(&head));
    assert_eq!(ids(&repository, &["main", "HEAD~1", "v1", "v1^{}"])[0], head);
    let tag = scratch.git(&["rev-parse", "v1"]);
    let found: Vec<_> = repository.objects(&repository.select(&["v1".into()]).unwrap()).collect();
    assert_eq!(found[0].id.to_string(), tag);
    let content = found[0].content.as_ref().unwrap();
    assert_eq!(content.kind, ObjectKind::Tag);
    assert_eq!(String::from_utf8_lossy(&content.bytes).trim_end(), scratch.git(&["cat-file", "tag", "v1"]));

    assert_eq!(refusal(&repository, "nowhere"), "unknown revision \"nowhere\"");
    assert_eq!(refusal(&repository, "nowhere..HEAD"), "unknown revision \"nowhere..HEAD\"");
    assert_eq!(refusal(&repository, "HEAD^{tree}"), "\"HEAD^{tree}\" is a tree, and only commits and tags are signed");
    assert_eq!(refusal(&repository, "^HEAD"), "\"^HEAD\" is neither one revision nor a range A..B");
    assert_eq!(refusal(&repository, "HEAD~1...HEAD"), "\"HEAD~1...HEAD\" is neither one revision nor a range A..B");
}

#[test]
fn replace_refs_are_not_followed() {
    let scratch = Scratch::new(&[]);
    let real = scratch.commit(1, "real", &[]);
    let other = scratch.commit(2, "other", &[]);
    scratch.git(&["replace", &real, &other]);
    let repository = scratch.open();
    let found = repository.objects(&repository.select(&[real.into()]).unwrap()).next().unwrap();
    assert!(found.content.unwrap().bytes.ends_with(b"real\n"));
}

/// Sixty commits on two branches that merge each other, with clocks that run back, stand still and lie.
fn tangle(scratch: &Scratch) -> Vec<String> {
    let base = 1_700_000_000;
    let mut made = vec![scratch.commit(base, "root", &[])];
    for step in 1..60_usize {
        let date =
            base + i64::try_from(step * 7919 % 83).unwrap() * 50 - if step % 13 == 0 { 1_000_000_000 } else { 0 };
        let first = made[step.saturating_sub(1 + step % 3)].clone();
        let second = made[step * 5 % step.max(1) / 2].clone();
        let third = made[step / 2].clone();
        let parents: Vec<&str> = match step % 4 {
            0 if first != third => vec![&first, &third],
            1 if first != second => vec![&first, &second],
            _ => vec![&first],
        };
        made.push(scratch.commit(date, &format!("commit {step}"), &parents));
    }
    made
}

#[test]
fn a_range_is_gits_whatever_the_dates_say() {
    let scratch = Scratch::new(&[]);
    let made = tangle(&scratch);
    let repository = scratch.open();
    for (from, to) in [(0, 59), (20, 59), (40, 57), (58, 59), (59, 20), (31, 47), (10, 11), (59, 59)] {
        let range = format!("{}..{}", made[from], made[to]);
        let expected = scratch.git(&["rev-list", &range]);
        let expected: Vec<&str> = expected.lines().collect();
        assert_eq!(ids(&repository, &[&range]), expected, "{from}..{to}");
    }
}

#[test]
fn what_lies_before_and_behind_a_commit_is_gits() {
    let scratch = Scratch::new(&[]);
    let made = tangle(&scratch);
    let repository = scratch.open();
    let all = repository.select(&[format!("{}..{}", made[0], made[59]).into(), made[58].as_str().into()]).unwrap();
    for at in [0, 1, 7, 20, 40, 58, 59] {
        let one = made[at].as_str();
        let up_to = scratch.git(&["rev-list", one]);
        let behind = scratch.git(&["rev-list", "--ancestry-path", &made[58], &made[59], &format!("^{one}")]);
        let found = [repository.before(one), repository.up_to(one), repository.from_on(one, &all)].map(Result::unwrap);
        for (place, id) in made.iter().enumerate() {
            let answers = found.each_ref().map(|commits| commits.contains(id.parse().unwrap()).unwrap());
            let is_up_to = up_to.contains(id);
            assert_eq!(
                answers,
                [is_up_to && place != at, is_up_to, place == at || behind.contains(id)],
                "{at}, {place}"
            );
        }
    }
    // Without time nothing is read, and nothing said.
    repository.read_until(Instant::now());
    let (one, other) = (made[20].as_str(), made[40].parse().unwrap());
    let late = [repository.before(one), repository.up_to(one), repository.from_on(one, &all)].map(Result::unwrap);
    assert_eq!(late.map(|commits| commits.contains(other)), [None; 3]);
}

#[test]
fn an_annotated_tag_ends_a_range_at_its_commit() {
    let scratch = Scratch::new(&[]);
    let one = scratch.commit(1, "one", &[]);
    let two = scratch.commit(2, "two", &[&one]);
    scratch.git(&["tag", "-m", "t", "first", &one]);
    scratch.git(&["tag", "-m", "t", "second", &two]);
    assert_eq!(ids(&scratch.open(), &["first..second"]), [two]);
    assert_eq!(ids(&scratch.open(), &["first..first"]), Vec::<String>::new());
}

#[test]
fn an_object_that_cannot_be_read_is_not_the_end() {
    let scratch = Scratch::new(&[]);
    let one = scratch.commit(1, "one", &[]);
    let two = scratch.commit(2, "two", &[&one]);
    let three = scratch.commit(3, "three", &[&two]);
    let contents = |repository: &Repository, revision: &str| -> Vec<Result<ObjectKind, UnreadableObject>> {
        let selected = repository.select(&[revision.into()]).unwrap();
        repository.objects(&selected).map(|found| found.content.map(|object| object.kind)).collect()
    };
    let absent = "00000000000000000000000000000000000000ff";
    assert_eq!(contents(&scratch.open(), absent), [Err(UnreadableObject::Missing)]);

    // Another commit's bytes under this commit's name.
    std::fs::remove_file(scratch.object_file(&two)).unwrap();
    std::fs::copy(scratch.object_file(&one), scratch.object_file(&two)).unwrap();
    assert_eq!(contents(&scratch.open(), &two), [Err(UnreadableObject::Corrupt)]);
    // It is there, so that a range that ends in it is not unknown.
    let range = scratch.open().select(&[format!("{one}..{two}").into()]);
    assert!(matches!(range, Err(RepositoryError::Unreadable { why: UnreadableObject::Corrupt, .. })), "{range:?}");
    std::fs::remove_file(scratch.object_file(&two)).unwrap();
    assert_eq!(contents(&scratch.open(), &two), [Err(UnreadableObject::Missing)]);
    scratch.git(&["update-ref", "refs/heads/main", &three]);
    #[expect(clippy::disallowed_methods, reason = "a ref that git would not write")]
    std::fs::write(scratch.folder.path().join(".git/refs/heads/broken"), format!("{two}\n")).unwrap();
    assert_eq!(contents(&scratch.open(), "broken"), [Err(UnreadableObject::Missing)]);
    assert_eq!(contents(&scratch.open(), "HEAD"), [Ok(ObjectKind::Commit)]);
    assert_eq!(
        contents(&scratch.open(), &format!("{one}..{three}")),
        [Ok(ObjectKind::Commit), Err(UnreadableObject::Missing)]
    );
}

#[test]
fn of_a_tag_whose_commit_is_missing_the_commit_is_among_all() {
    let scratch = Scratch::new(&[]);
    let one = scratch.commit(1, "one", &[]);
    scratch.git(&["tag", "-m", "t", "v1", &one]);
    std::fs::remove_file(scratch.object_file(&one)).unwrap();
    let repository = scratch.open();
    let all = repository.select_all().unwrap();
    let found: Vec<_> = repository.objects(&[all]).map(|found| (found.id.to_string(), found.content)).collect();
    assert_eq!(found, [(one, Err(UnreadableObject::Missing))]);
}

#[test]
fn every_kind_of_repository_is_read() {
    let scratch = Scratch::new(&["--object-format=sha256"]);
    scratch.git(&["commit", "--quiet", "--allow-empty", "-m", "one"]);
    let repository = scratch.open();
    assert_eq!(repository.hash_kind().unwrap(), HashKind::Sha256);
    assert_eq!(ids(&repository, &[]), [scratch.git(&["rev-parse", "HEAD"])]);

    let scratch = Scratch::new(&[]);
    scratch.git(&["commit", "--quiet", "--allow-empty", "-m", "one"]);
    scratch.git(&["commit", "--quiet", "--allow-empty", "-m", "two"]);
    scratch.git(&["worktree", "add", "--quiet", "--detach", "linked", "HEAD~1"]);
    let linked = scratch.git(&["-C", "linked", "rev-parse", "--absolute-git-dir"]);
    let repository = Repository::open(Path::new(&linked)).unwrap();
    assert_eq!(ids(&repository, &["HEAD"]), [scratch.git(&["rev-parse", "HEAD~1"])]);

    scratch.git(&["clone", "--quiet", "--bare", ".", "bare"]);
    let bare = Repository::open(&scratch.folder.path().join("bare")).unwrap();
    assert_eq!(ids(&bare, &["HEAD~1..HEAD"]), [scratch.git(&["rev-parse", "HEAD"])]);
    assert!(!bare.is_shallow());

    let here = format!("file://{}", scratch.folder.path().display());
    scratch.git(&["clone", "--quiet", "--depth=1", &here, "shallow"]);
    let shallow = Repository::open(&scratch.folder.path().join("shallow/.git")).unwrap();
    assert!(shallow.is_shallow());
    assert_eq!(ids(&shallow, &["HEAD"]), [scratch.git(&["rev-parse", "HEAD"])]);
}

#[test]
fn grafts_and_alternates_change_no_object() {
    let scratch = Scratch::new(&[]);
    let one = scratch.commit(1, "one", &[]);
    let two = scratch.commit(2, "two", &[&one]);
    let three = scratch.commit(3, "three", &[&two]);
    let range = format!("{one}..{three}");
    let expected = ids(&scratch.open(), &[&range]);
    assert_eq!(expected, [three.clone(), two.clone()]);
    #[expect(clippy::disallowed_methods, reason = "what git reads, and nobody signed")]
    let write = |file: &str, text: String| {
        let path = scratch.folder.path().join(".git").join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    // Git would leave the second commit out.
    write("info/grafts", format!("{three} {one}\n"));
    assert_eq!(ids(&scratch.open(), &[&range]), expected);
    // An object from elsewhere is held to its name like any other.
    let other = Scratch::new(&[]);
    let far = other.commit(4, "far", &[]);
    write("objects/info/alternates", format!("{}\n", other.folder.path().join(".git/objects").display()));
    let content = |id: &str| {
        let repository = scratch.open();
        let selected = repository.select(&[id.into()]).unwrap();
        repository.objects(&selected).next().unwrap().content.map(|object| object.kind)
    };
    assert_eq!(content(&far), Ok(ObjectKind::Commit));
    std::fs::remove_file(other.object_file(&far)).unwrap();
    std::fs::copy(scratch.object_file(&one), other.object_file(&far)).unwrap();
    assert_eq!(content(&far), Err(UnreadableObject::Corrupt));
}

#[test]
fn what_a_policy_asks_rests_on_no_object_under_a_false_name() {
    let scratch = Scratch::new(&[]);
    let blob = |text: &str| scratch.git_with(&["hash-object", "-w", "--stdin"], text.as_bytes());
    let tree_of = |blob: &str| {
        let keys = scratch.tree(&[("100644 blob", blob, "policy.toml")]);
        (scratch.tree(&[("040000 tree", &keys, "keys")]), keys)
    };
    let (good, evil) = (blob("good"), blob("evil"));
    let ((tree, folder), (evil_tree, evil_folder)) = (tree_of(&good), tree_of(&evil));
    let commit = |tree: &str, message: &str| scratch.git(&["commit-tree", tree, "-m", message]);
    let (law, evil_law) = (commit(&tree, "law"), commit(&evil_tree, "evil"));
    let child = scratch.git(&["commit-tree", &tree, "-p", &law, "-m", "child"]);
    let tip = scratch.git(&["commit-tree", &tree, "-p", &child, "-m", "tip"]);
    scratch.git(&["tag", "-m", "t", "v1", &tip]);
    let tag = scratch.git(&["rev-parse", "v1"]);
    scratch.git(&["tag", "-m", "t", "v2", &evil_law]);
    let evil_tag = scratch.git(&["rev-parse", "v2"]);
    let file = || scratch.open().file_at(&law, "keys/policy.toml", 100).map(|found| found.bytes);
    assert_eq!(file().unwrap(), b"good");
    let corrupt = |answer: Result<Vec<u8>, HistoryError>| {
        matches!(answer, Err(HistoryError::Unreadable(UnreadableObject::Corrupt)))
    };
    let replaced = |name: &str, other: &str, check: &dyn Fn()| {
        let (path, kept) = (scratch.object_file(name), scratch.folder.path().join("kept"));
        std::fs::rename(&path, &kept).unwrap();
        std::fs::copy(scratch.object_file(other), &path).unwrap();
        check();
        std::fs::rename(&kept, &path).unwrap();
    };
    for (name, other) in [(&good, &evil), (&folder, &evil_folder), (&tree, &evil_tree)] {
        replaced(name, other, &|| assert!(corrupt(file()), "{name}"));
    }
    replaced(&law, &evil_law, &|| {
        assert!(corrupt(file()));
        let corrupt = |answer| matches!(answer, Err(HistoryError::Unreadable(UnreadableObject::Corrupt)));
        assert!(corrupt(scratch.open().up_to(&law)) && corrupt(scratch.open().before(&law)));
    });
    replaced(&child, &evil_law, &|| {
        let histories = scratch.open().from_on(&law, &scratch.open().select(&["v1".into()]).unwrap()).unwrap();
        assert_eq!(histories.contains(tip.parse().unwrap()), None);
    });
    replaced(&tag, &evil_tag, &|| {
        let behind = scratch.open().pushed(tag.parse().unwrap());
        assert_eq!(behind.end, PushedEnd::Unreadable(tag.parse().unwrap()));
    });
    assert_eq!(file().unwrap(), b"good");
}

#[test]
fn a_name_of_the_other_hash_function_is_no_object_here() {
    let scratch = Scratch::new(&[]);
    let one = scratch.commit(1, "one", &[]);
    let long = "1".repeat(64);
    assert!(matches!(scratch.open().before(&long), Err(HistoryError::OtherHash { digits: 40, .. })));
    assert!(matches!(scratch.open().up_to(&long), Err(HistoryError::OtherHash { digits: 40, .. })));
    let tree = scratch.git(&["rev-parse", &format!("{one}^{{tree}}")]);
    let person = "A <a@example.org> 2 +0000";
    let raw = format!("tree {tree}\nparent {long}\nauthor {person}\ncommitter {person}\n\ntwo\n");
    let two = scratch.git_with(&["hash-object", "-w", "--literally", "-t", "commit", "--stdin"], raw.as_bytes());
    let repository = scratch.open();
    let range = repository.select(&[format!("{one}..{two}").into()]).unwrap();
    let found: Vec<_> = repository.objects(&range).map(|found| found.content.err()).collect();
    assert_eq!(found, [None, Some(UnreadableObject::Missing)]);
    let tag = format!("object {long}\ntype commit\ntag t\ntagger {person}\n\nt\n");
    let tag = scratch.git_with(&["hash-object", "-w", "--literally", "-t", "tag", "--stdin"], tag.as_bytes());
    let unreadable = PushedEnd::Unreadable(long.parse().unwrap());
    assert_eq!(repository.pushed(tag.parse().unwrap()).end, unreadable);
    let other = Scratch::new(&["--object-format=sha256"]);
    other.git(&["commit", "--quiet", "--allow-empty", "-m", "one"]);
    assert!(matches!(other.open().before(&one), Err(HistoryError::OtherHash { digits: 64, .. })));
}

#[test]
fn all_refs_are_git_s() {
    let scratch = Scratch::new(&[]);
    scratch.git(&["commit", "--quiet", "--allow-empty", "-m", "one"]);
    // What is left when the remote's branch has gone.
    scratch.git(&["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/gone"]);
    scratch.git(&["worktree", "add", "--quiet", "--detach", "linked"]);
    scratch.git(&["-C", "linked", "commit", "--quiet", "--allow-empty", "-m", "on no branch"]);
    let expected: HashSet<String> = scratch.git(&["rev-list", "--all"]).lines().map(str::to_owned).collect();
    assert_eq!(expected.len(), 2);
    let linked = scratch.git(&["-C", "linked", "rev-parse", "--absolute-git-dir"]);
    for repository in [scratch.open(), Repository::open(Path::new(&linked)).unwrap()] {
        let all = [repository.select_all().unwrap()];
        let found: HashSet<_> = repository.objects(&all).map(|found| found.id.to_string()).collect();
        assert_eq!(found, expected);
    }
}
