//! What a forge merged or squashed rests on objects that are what their names say: whoever can write to a store of objects, or
//! has cloned only some of them, gets nothing admitted.

use serde_json::Value;
use waxseal::git::HashKind;

use super::forge_merges::FORGE;
use super::sandbox::ssh::SshSigner;
use super::sandbox::{Ran, Sandbox, WAXSEAL};

/// Alice's commits: a base, `ours` with a fix in a folder and a changed line, `theirs` with another file in that folder and
/// another changed line; and trees as they were never committed.
struct World {
    sandbox: Sandbox,
    forge: SshSigner,
    alice: SshSigner,
    base: String,
    ours: String,
    theirs: String,
    policy: String,
}

/// A merge by the forge, and a squash of `theirs`, that have the same tree.
struct Pair {
    merge: String,
    squash: String,
}

impl World {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let [forge, alice] = [9, 1].map(SshSigner::new);
        let rule = |name: &str, who: &SshSigner| {
            format!("[[rule]]\nname = '{name}'\nssh = ['{}']\nunbounded = true\n", who.public())
        };
        let text = format!(
            "version = 1\n{}{}[rule.forge]\ncommitter = ['{FORGE}']\nshape = ['merge', 'squash']\n",
            rule("alice", &alice),
            rule("forge", &forge)
        );
        let policy = sandbox.write("policy.toml", text).to_str().unwrap().to_owned();
        let [base, ours, theirs] = [const { String::new() }; 3];
        let mut world = Self { sandbox, forge, alice, base, ours, theirs, policy };
        world.base = world.work("Base", &[], &world.tree("first", "last", &[("hole", "there")]));
        world.ours = world.work("Fix", &[&world.base], &world.tree("FIRST", "last", &[("hole", "mended")]));
        let tree = world.tree("first", "LAST", &[("hole", "there"), ("new", "new")]);
        world.theirs = world.work("Work", &[&world.base], &tree);
        world.set("refs/heads/main", &world.ours);
        world.set("refs/pull/1/head", &world.theirs);
        world
    }

    /// A tree with a file, whose first and last line may be changed apart, and a folder of others.
    fn tree(&self, first: &str, last: &str, folder: &[(&str, &str)]) -> String {
        let middle: String = (0..30).map(|line| format!("{line}\n")).collect();
        let blob = |text: &str| self.sandbox.hash_object("blob", text.as_bytes());
        let lines: String = folder.iter().map(|(name, text)| format!("100644 blob {}\t{name}\n", blob(text))).collect();
        let file = blob(&format!("{first}\n{middle}{last}\n"));
        let root = format!("100644 blob {file}\tfile\n040000 tree {}\tfolder\n", self.mktree(&lines));
        self.mktree(&root)
    }

    fn mktree(&self, lines: &str) -> String {
        let mut command = self.sandbox.command("git");
        Ran::of(command.arg("mktree"), lines.as_bytes()).success().line()
    }

    fn by(&self, signer: &SshSigner, subject: &str, parents: &[&str], tree: &str, committer: &str) -> String {
        let parents: String = parents.iter().map(|parent| format!("parent {parent}\n")).collect();
        let raw =
            format!("tree {tree}\n{parents}author A <a@x> 1 +0000\ncommitter C <{committer}> 1 +0000\n\n{subject}\n");
        signer.signed(&self.sandbox, HashKind::Sha1, raw.as_bytes(), raw.as_bytes())
    }

    fn work(&self, subject: &str, parents: &[&str], tree: &str) -> String {
        self.by(&self.alice, subject, parents, tree, "alice@example.org")
    }

    /// What the forge makes of `ours` and `theirs`, if that has this tree.
    fn pair(&self, tree: &str) -> Pair {
        Pair {
            merge: self.by(&self.forge, "Merge", &[&self.ours, &self.theirs], tree, FORGE),
            squash: self.by(&self.forge, "Work (#1)", &[&self.ours], tree, FORGE),
        }
    }

    fn set(&self, reference: &str, id: &str) {
        self.sandbox.git(["update-ref", reference, id]).success();
    }

    fn name(&self, revision: &str) -> String {
        self.sandbox.git(["rev-parse", revision]).success().line()
    }

    /// What Git makes of `ours` and a commit.
    fn merged(&self, theirs: &str) -> String {
        self.sandbox.git(["merge-tree", "--write-tree", &self.ours, theirs]).success().line()
    }

    /// What is said in `folder` of each: whether it is allowed, the reason, the detail.
    fn judged(&self, folder: &str, pair: &Pair) -> [(String, String); 2] {
        // What is asked for beside a squash could be its head.
        [&pair.merge, &pair.squash].map(|id| {
            let ran = self.sandbox.run_in(folder, WAXSEAL, ["verify", "--policy", &self.policy, "--json", id]);
            let object = ran.out().lines().nth(1).map(|line| serde_json::from_str::<Value>(line).unwrap());
            let object = object.unwrap_or_else(|| panic!("{}{}", ran.out(), ran.err()));
            let text = |member: &str| object[member].as_str().unwrap_or("-").to_owned();
            (format!("{} {}", object["allowed"], text("reason")), text("detail"))
        })
    }

    /// Puts what `by` names in the place of an object, has `check` look, and puts it back.
    fn poisoned(&self, object: &str, by: &str, check: impl FnOnce()) {
        let path = |name: &str| self.sandbox.path(&object_path(name));
        let (file, kept) = (path(object), self.sandbox.path("kept"));
        std::fs::rename(&file, &kept).unwrap();
        std::fs::copy(path(by), &file).unwrap();
        check();
        std::fs::remove_file(&file).unwrap();
        std::fs::rename(&kept, &file).unwrap();
    }
}

fn object_path(name: &str) -> String {
    let (first, rest) = name.split_at(2);
    format!("repository/.git/objects/{first}/{rest}")
}

const YES: &str = "true -";
const UNDECIDED: &str = "null rule-undecided";

fn answers(judged: &[(String, String); 2]) -> [&str; 2] {
    judged.each_ref().map(|(answer, _)| answer.as_str())
}

#[test]
fn what_another_object_stands_for_is_not_what_was_merged() {
    let world = World::new();
    let World { base, ours, theirs, .. } = &world;
    let honest = world.pair(&world.merged(theirs));
    // What nobody signed: with another file, with another line.
    let evil_folder = world.tree("first", "LAST", &[("hole", "there"), ("new", "EVIL")]);
    let evil_file = world.tree("first", "EVIL", &[("hole", "there"), ("new", "new")]);
    let commit = |tree: &str| world.sandbox.git(["commit-tree", tree, "-p", base, "-m", "x"]).success().line();
    let (in_folder, in_file) = (commit(&evil_folder), commit(&evil_file));
    let root = |commit: &str| world.name(&format!("{commit}^{{tree}}"));
    let at = |commit: &str, path: &str| world.name(&format!("{commit}:{path}"));
    // An alternate of a clone, and the repository itself.
    world.sandbox.run_in(".", "git", ["clone", "-q", "--shared", "repository", "clone"]).success();
    let fetch = ["fetch", "-q", "origin", "+refs/pull/*/head:refs/pull/*/head"];
    world.sandbox.run_in("clone", "git", fetch).success();
    for folder in ["repository", "clone"] {
        assert_eq!(answers(&world.judged(folder, &honest)), [YES; 2], "{folder}");
    }
    for (what, object, by, tree) in [
        // The fix is lost.
        ("the base's root", root(base), root(ours), root(theirs)),
        ("our root", root(ours), root(base), root(theirs)),
        ("our folder", at(ours, "folder"), at(base, "folder"), at(theirs, "folder")),
        // Something slips in.
        ("their root", root(theirs), evil_folder, world.merged(&in_folder)),
        ("their folder", at(theirs, "folder"), at(&in_folder, "folder"), world.merged(&in_folder)),
        ("their file", at(theirs, "file"), at(&in_file, "file"), world.merged(&in_file)),
        ("their commit", theirs.clone(), in_file.clone(), world.merged(&in_file)),
    ] {
        // Of a folder alone the rest is as it should be.
        let tree = match what {
            "our folder" => {
                let file = at(&honest.merge, "file");
                world.mktree(&format!("100644 blob {file}\tfile\n040000 tree {tree}\tfolder\n"))
            }
            _ => tree,
        };
        let forged = world.pair(&tree);
        for folder in ["repository", "clone"] {
            let before = world.judged(folder, &forged);
            assert!(before.iter().all(|(answer, _)| answer.starts_with("false ")), "{what}, {folder}: {before:?}");
            world.poisoned(&object, &by, || {
                for pair in [&forged, &honest] {
                    let judged = world.judged(folder, pair);
                    assert_eq!(answers(&judged), [UNDECIDED; 2], "{what}, {folder}: {judged:?}");
                    let corrupt = "on which the merge rests: the object is corrupt: its bytes have another hash";
                    let of_squash = if what == "their commit" { "a ref leads to what cannot be read" } else { corrupt };
                    let [merge, squash] = &judged;
                    assert!(merge.1.contains(corrupt), "{what}, {folder}: {merge:?}");
                    assert!(squash.1.contains(of_squash), "{what}, {folder}: {squash:?}");
                }
            });
        }
    }
}

#[test]
fn a_list_of_commits_that_lies_is_not_asked() {
    let world = World::new();
    let World { sandbox, base, ours, theirs, .. } = &world;
    let (honest, forged) = (world.pair(&world.merged(theirs)), world.pair(&world.name(&format!("{theirs}^{{tree}}"))));
    // Under it the base has the fix already, so that theirs took it back.
    let lie = sandbox.git(["cat-file", "commit", base]).success().out();
    let [in_base, in_ours] = [base, ours].map(|commit| world.name(&format!("{commit}^{{tree}}")));
    let lie = sandbox.hash_object("commit", lie.replacen(&in_base, &in_ours, 1).as_bytes());
    world.poisoned(base, &lie, || {
        sandbox.git(["commit-graph", "write", "--reachable"]).success();
    });
    assert!(sandbox.path("repository/.git/objects/info/commit-graph").exists());
    assert_eq!(sandbox.git(["log", "-1", "--format=%T", base]).success().line(), in_ours, "Git believes it");
    assert_eq!(answers(&world.judged("repository", &honest)), [YES; 2]);
    assert_eq!(answers(&world.judged("repository", &forged)), ["false identity-not-allowed", "false squash-differs"]);
}

#[test]
fn a_clone_without_trees_decides_nothing() {
    let world = World::new();
    let World { sandbox, theirs, .. } = &world;
    let empty = world.mktree("");
    let pairs = [
        ("honest", world.pair(&world.merged(theirs)), YES),
        ("without the fix", world.pair(&world.name(&format!("{theirs}^{{tree}}"))), "false"),
        ("empty", world.pair(&empty), "false"),
    ];
    for (number, (_, pair, _)) in pairs.iter().enumerate() {
        world.set(&format!("refs/kept/merge{number}"), &pair.merge);
        world.set(&format!("refs/kept/squash{number}"), &pair.squash);
    }
    let from = format!("file://{}", sandbox.path("repository").display());
    sandbox.git(["config", "uploadpack.allowFilter", "true"]).success();
    sandbox.run_in(".", "git", ["clone", "-q", "--bare", "--filter=tree:0", &from, "treeless"]).success();
    let all = "+refs/*:refs/*";
    sandbox.run_in("treeless", "git", ["fetch", "-q", "origin", all]).success();
    for (what, pair, whole) in &pairs {
        let [merge, squash] = world.judged("repository", pair);
        assert!(merge.0.starts_with(whole) && squash.0.starts_with(whole), "{what}: {merge:?} {squash:?}");
        let judged = world.judged("treeless", pair);
        assert_eq!(answers(&judged), [UNDECIDED; 2], "{what}: {judged:?}");
        for (_, detail) in &judged {
            assert!(detail.contains("the repository does not have the object"), "{what}: {detail}");
        }
        let verify = ["verify", "--policy", &world.policy, &pair.merge];
        let said = sandbox.run_in("treeless", WAXSEAL, verify).code(3).err();
        assert!(said.contains("\"git fetch --refetch --no-filter origin\" gets all of it"), "{what}: {said}");
    }
    // What the hint says helps.
    sandbox.run_in("treeless", "git", ["fetch", "-q", "--refetch", "--no-filter", "origin", all]).success();
    for (what, pair, whole) in &pairs {
        let [merge, squash] = world.judged("treeless", pair);
        assert!(merge.0.starts_with(whole) && squash.0.starts_with(whole), "{what}: {merge:?} {squash:?}");
    }
}

#[test]
fn objects_may_come_from_as_far_as_git_reads() {
    let world = World::new();
    let honest = world.pair(&world.merged(&world.theirs));
    let mut before = "repository/.git".to_owned();
    // Git follows five, one behind the other.
    for number in 1..=6 {
        let folder = format!("borrows{number}.git");
        world.sandbox.run_in(".", "git", ["init", "-q", "--bare", &folder]).success();
        let objects = world.sandbox.path(&before).join("objects");
        world.sandbox.write(&format!("{folder}/objects/info/alternates"), format!("{}\n", objects.display()));
        before = folder;
    }
    world.sandbox.run_in(&before, "git", ["cat-file", "-e", &honest.merge]).success();
    world.sandbox.run_in(&before, "git", ["update-ref", "refs/pull/1/head", &world.theirs]).success();
    assert_eq!(answers(&world.judged(&before, &honest)), [YES; 2]);
}
