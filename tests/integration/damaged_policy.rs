//! A policy whose commits or files the repository does not give: what is in the way is said, and what helps.

use super::sandbox::ssh::SshSigner;
use super::sandbox::{Ran, Sandbox, WAXSEAL};

fn rule(signer: &SshSigner, start: &str, bound: &str) -> String {
    format!("version = 1\n{start}\n[[rule]]\nname = 'carol'\nssh = ['{}']\n{bound}\n", signer.public())
}

#[test]
fn a_commit_named_by_the_other_hash_function_is_said_to_be_that() {
    let sandbox = Sandbox::new();
    let carol = SshSigner::new(1);
    let commit = carol.commit(&sandbox, "one", &[]);
    sandbox.run_in(".", "git", ["init", "-q", "--object-format=sha256", "long"]).success();
    let ours = ["repository", "long"].map(|folder| {
        let hash = sandbox.run_in(folder, "git", ["hash-object", "-w", "-t", "tree", "/dev/null"]).success().line();
        sandbox.run_in(folder, "git", ["commit-tree", "-m", "one", &hash]).success().line()
    });
    for (folder, other, digits) in [("repository", &ours[1], 40), ("long", &ours[0], 64)] {
        let head = if folder == "long" { &ours[1] } else { &commit };
        for (what, start, bound) in [
            ("start", format!("start = '{other}'"), "unbounded = true".to_owned()),
            ("from_commit", String::new(), format!("from_commit = '{other}'")),
            ("until_commit", String::new(), format!("until_commit = '{other}'")),
        ] {
            let file = sandbox.write("policy.toml", rule(&carol, &start, &bound));
            let refused = sandbox.run_in(folder, WAXSEAL, ["verify", "--policy", file.to_str().unwrap(), head]).code(5);
            let says = format!(
                "{what}: {other} has the length of another hash function's names: those of this repository have {digits} digits"
            );
            assert!(refused.err().contains(&says), "{}", refused.err());
            assert!(refused.err().contains("hint: the same commit has another name here"), "{}", refused.err());
            assert!(!refused.err().contains("shallow"), "{}", refused.err());
        }
    }
}

#[test]
fn what_is_damaged_is_told_from_what_was_not_fetched() {
    let sandbox = Sandbox::new();
    let carol = SshSigner::new(1);
    let id = |revision: &str| sandbox.git(["rev-parse", revision]).success().line();
    let text = format!(
        "version = 1\n[[rule]]\nname = 'carol'\nallowed_signers = 'keys'\nunbounded = true\n[[rule]]\nname = 'dave'\nssh = ['{}']\nunbounded = true\n",
        SshSigner::new(2).public()
    );
    std::fs::create_dir(sandbox.path("repository/law")).unwrap();
    sandbox.write("repository/law/policy.toml", text);
    sandbox.write("repository/law/keys", format!("carol@example.org {}\n", carol.public()));
    sandbox.git(["add", "law"]).success();
    sandbox.git(["commit", "-q", "--no-gpg-sign", "-m", "The law"]).success();
    sandbox.git(["update-ref", "refs/heads/law", "HEAD"]).success();
    let work = carol.commit(&sandbox, "Work", &[]);
    let verify = || -> Ran { sandbox.waxseal(["verify", "--policy", "refs/heads/law:law/policy.toml", &work]) };
    verify().success();
    let object = |id: &str| sandbox.path("repository/.git/objects").join(&id[..2]).join(&id[2..]);
    let other = object(&sandbox.hash_object("blob", b"something else"));
    let other_commit = object(&work);
    for (revision, other) in [
        ("law", &other_commit),
        ("law^{tree}", &other),
        ("law:law", &other),
        ("law:law/policy.toml", &other),
        ("law:law/keys", &other),
    ] {
        let file = object(&id(revision));
        let kept = std::fs::read(&file).unwrap();
        for damage in ["another object", "no object", "nothing"] {
            std::fs::remove_file(&file).unwrap();
            match damage {
                "another object" => drop(std::fs::copy(other, &file).unwrap()),
                "no object" => std::fs::write(&file, "no object").unwrap(),
                _ => {}
            }
            let refused = verify().code(5);
            if (revision, damage) == ("law", "nothing") {
                assert!(refused.err().contains("unknown revision"), "{}", refused.err());
            } else {
                let hint = "hint: the repository is damaged: \"git fsck --full\" lists what is";
                assert!(refused.err().contains(hint), "{revision}, {damage}: {}", refused.err());
            }
            drop(std::fs::remove_file(&file));
            std::fs::write(&file, &kept).unwrap();
        }
    }
    verify().success();
    // In a clone that fetches files when they are asked for, one that is missing is none that is damaged.
    let blob = object(&id("law:law/policy.toml"));
    sandbox.git(["config", "remote.origin.promisor", "true"]).success();
    sandbox.git(["config", "remote.origin.partialclonefilter", "blob:none"]).success();
    std::fs::remove_file(&blob).unwrap();
    assert!(verify().code(5).err().contains("hint: this clone is partial"), "{}", verify().err());
    std::fs::copy(&other, &blob).unwrap();
    assert!(verify().code(5).err().contains("hint: the repository is damaged"), "{}", verify().err());
}
