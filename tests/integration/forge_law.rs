//! What a forge merges or squashes into the policy file is worth what those are worth who had a part in it.

use serde_json::Value;
use waxseal::git::HashKind;

use super::sandbox::ssh::SshSigner;
use super::sandbox::{Ran, Sandbox};

const FORGE: &str = "noreply@forge.example";
const ALICE: &str = "alice@example.org";
const BOSS: &str = "boss@example.org";

/// A repository whose policy lets the boss and the forge change it, and Alice work.
struct World {
    sandbox: Sandbox,
    forge: SshSigner,
    alice: SshSigner,
    boss: SshSigner,
}

impl World {
    fn new() -> Self {
        let [forge, alice, boss] = [9, 1, 3].map(SshSigner::new);
        Self { sandbox: Sandbox::new(), forge, alice, boss }
    }

    fn law(&self, more: &str) -> String {
        let [forge, alice, boss] = [&self.forge, &self.alice, &self.boss].map(SshSigner::public);
        // Long enough for Git to see where it went, whatever is added.
        let comment: String = (0..40).map(|line| format!("# line {line} of a comment\n")).collect();
        format!(
            "version = 1\n{comment}[[rule]]\nname = 'alice'\nssh = ['{alice}']\nunbounded = true\n\
             [[rule]]\nname = 'boss'\nssh = ['{boss}']\nunbounded = true\nmay_change_policy = true\n\
             [[rule]]\nname = 'forge'\nssh = ['{forge}']\nunbounded = true\nmay_change_policy = true\n\
             [rule.forge]\ncommitter = ['{FORGE}']\nshape = ['squash', 'merge']\n{comment}{more}"
        )
    }

    /// A law that lets somebody else in.
    fn lax(&self) -> String {
        self.law(&format!("[[rule]]\nname = 'm'\nssh = ['{}']\nunbounded = true\n", SshSigner::new(66).public()))
    }

    fn commit(&self, who: &str, parents: &[&str], files: [(&str, &str); 2]) -> String {
        let entry = |(name, text): (&str, &str)| {
            format!("100644 blob {}\t{name}\n", self.sandbox.hash_object("blob", text.as_bytes()))
        };
        let mut command = self.sandbox.command("git");
        command.arg("mktree");
        let tree = Ran::of(&mut command, files.map(entry).concat().as_bytes()).success().line();
        let parents: String = parents.iter().map(|parent| format!("parent {parent}\n")).collect();
        let payload = format!(
            "tree {tree}\n{parents}author A <{who}> 1 +0000\ncommitter C <{who}> 1 +0000\n\n{who} of {parents}\n"
        );
        let signer = match who {
            FORGE => &self.forge,
            ALICE => &self.alice,
            _ => &self.boss,
        };
        signer.signed(&self.sandbox, HashKind::Sha1, payload.as_bytes(), payload.as_bytes())
    }

    fn set(&self, reference: &str, id: &str) {
        self.sandbox.git(["update-ref", reference, id]).success();
    }

    /// Whether a commit is allowed under the law of main, and why not.
    fn judged(&self, commit: &str) -> (String, String) {
        let ran = self.sandbox.waxseal(["verify", "--json", "--policy", "refs/heads/main:policy.toml", commit]);
        let line = ran.out();
        let object: Value =
            serde_json::from_str(line.lines().nth(1).unwrap_or_else(|| panic!("{}", ran.err()))).unwrap();
        let text = |field: &str| object[field].as_str().unwrap_or("-").to_owned();
        (format!("{} {}", object["allowed"], text("reason")), text("detail"))
    }
}

#[test]
fn who_may_not_change_the_policy_does_not_by_a_rename() {
    let world = World::new();
    let (law, lax) = (world.law(""), world.lax());
    let base = world.commit(BOSS, &[], [("draft.toml", &law), ("file", "1")]);
    let main = world.commit(BOSS, &[&base], [("file", "1"), ("policy.toml", &law)]);
    world.set("refs/heads/main", &main);
    for (who, squashed, merged) in
        [(ALICE, "false squash-head-not-allowed", "false identity-not-allowed"), (BOSS, "true -", "true -")]
    {
        // The file is not the law there, so this changes none. Git follows it to its new place.
        let head = world.commit(who, &[&base], [("draft.toml", &lax), ("file", "1")]);
        assert_eq!(world.judged(&head).0, "true -");
        world.set("refs/pull/1/head", &head);
        let squash = world.commit(FORGE, &[&main], [("file", "1"), ("policy.toml", &lax)]);
        let merge = world.commit(FORGE, &[&main, &head], [("file", "1"), ("policy.toml", &lax)]);
        // As a button has it that brings a request up to date: the other side is the one that is merged.
        let update = world.commit(FORGE, &[&head, &main], [("file", "1"), ("policy.toml", &lax)]);
        let onto_head = world.commit(FORGE, &[&head], [("file", "1"), ("policy.toml", &lax)]);
        for (commit, expected) in [(squash, squashed), (onto_head, squashed), (merge, merged), (update, merged)] {
            let (judged, detail) = world.judged(&commit);
            assert_eq!(judged, expected, "{who}: {detail}");
            let says = format!("the commit {} ", &head[..10]);
            let whose = "is by somebody who may not change the policy file";
            assert!(who == BOSS || detail.contains(&says) && detail.contains(whose), "{detail}");
        }
    }
}

#[test]
fn a_law_that_was_taken_back_is_not_squashed_in_again_by_whoever_stands_on_it() {
    let world = World::new();
    let (law, lax) = (world.law(""), world.lax());
    let base = world.commit(BOSS, &[], [("file", "1"), ("policy.toml", &law)]);
    let once = world.commit(BOSS, &[&base], [("file", "1"), ("policy.toml", &lax)]);
    let squashed = world.commit(FORGE, &[&base], [("file", "1"), ("policy.toml", &lax)]);
    let main = world.commit(BOSS, &[&squashed], [("file", "1"), ("policy.toml", &law)]);
    world.set("refs/heads/main", &main);
    world.set("refs/pull/5/head", &once);
    assert_eq!(world.judged(&squashed).0, "true -");
    // Who works on that head has a part in what is squashed.
    world.set("refs/pull/7/head", &world.commit(ALICE, &[&once], [("file", "2"), ("policy.toml", &lax)]));
    let (judged, detail) = world.judged(&world.commit(FORGE, &[&main], [("file", "2"), ("policy.toml", &lax)]));
    assert_eq!(judged, "false squash-head-not-allowed", "{detail}");
    // What leaves the law alone is Alice's to do.
    world.set("refs/pull/8/head", &world.commit(ALICE, &[&main], [("file", "3"), ("policy.toml", &law)]));
    let (judged, detail) = world.judged(&world.commit(FORGE, &[&main], [("file", "3"), ("policy.toml", &law)]));
    assert_eq!(judged, "true -", "{detail}");
}

#[test]
fn a_merge_may_bring_the_law_to_a_branch() {
    let world = World::new();
    let (law, lax) = (world.law(""), world.lax());
    let base = world.commit(BOSS, &[], [("file", "1"), ("policy.toml", &law)]);
    let main = world.commit(BOSS, &[&base], [("file", "1"), ("policy.toml", &lax)]);
    world.set("refs/heads/main", &main);
    let work = world.commit(ALICE, &[&base], [("file", "2"), ("policy.toml", &law)]);
    for parents in [[&main, &work], [&work, &main]] {
        let merge = world.commit(FORGE, &parents.map(String::as_str), [("file", "2"), ("policy.toml", &lax)]);
        assert_eq!(world.judged(&merge).0, "true -");
    }
    // Both changed it, in different places: nobody's file comes out.
    let more = law.replacen("# line 0 of", "# first line of", 1);
    let both = lax.replacen("# line 0 of", "# first line of", 1);
    for (who, expected) in [(ALICE, "false identity-not-allowed"), (BOSS, "true -")] {
        let theirs = world.commit(who, &[&base], [("file", "2"), ("policy.toml", &more)]);
        let merge = world.commit(FORGE, &[&main, &theirs], [("file", "2"), ("policy.toml", &both)]);
        let (judged, detail) = world.judged(&merge);
        assert_eq!(judged, expected, "{detail}");
    }
}

#[test]
fn a_request_that_was_brought_up_to_date_is_worth_its_own_commits() {
    let world = World::new();
    let (law, lax) = (world.law(""), world.lax());
    let base = world.commit(BOSS, &[], [("file", "1"), ("policy.toml", &law)]);
    let request = world.commit(BOSS, &[&base], [("file", "1"), ("policy.toml", &lax)]);
    let main = world.commit(ALICE, &[&base], [("file", "2"), ("policy.toml", &law)]);
    world.set("refs/heads/main", &main);
    let update = world.commit(FORGE, &[&request, &main], [("file", "2"), ("policy.toml", &lax)]);
    world.set("refs/pull/1/head", &update);
    let (judged, detail) = world.judged(&world.commit(FORGE, &[&main], [("file", "2"), ("policy.toml", &lax)]));
    assert_eq!(judged, "true -", "{detail}");
}

#[test]
fn merges_that_ask_for_merges_end_somewhere() {
    const MERGES: usize = 60;
    let world = World::new();
    let law = |changed: &[usize]| {
        let word = |line| if changed.contains(&line) { "changed" } else { "as it was" };
        (0..MERGES * 4 + 8).fold(world.law(""), |law, line| format!("{law}# {line} {}\n", word(line)))
    };
    let commit = |who, parents: &[&str], changed: &[usize]| {
        world.commit(who, parents, [("file", "1"), ("policy.toml", &law(changed))])
    };
    let base = commit(BOSS, &[], &[]);
    world.set("refs/heads/main", &base);
    // Each joins the one before with another change of the law, so that each asks for all before.
    let (mut changed, mut tip) = (vec![0], commit(BOSS, &[&base], &[0]));
    for merge in 1..=MERGES {
        let ours = commit(BOSS, &[&base], &[4 * merge]);
        changed.push(4 * merge);
        tip = commit(FORGE, &[&ours, &tip], &changed);
        match merge {
            4 => assert_eq!(world.judged(&tip).0, "true -"),
            MERGES => {
                let (judged, detail) = world.judged(&tip);
                assert_eq!(judged, "null rule-undecided", "{detail}");
            }
            _ => {}
        }
    }
}
