//! The workbench where keys and CI jobs sign: what another policy makes of signatures whose keys only one of both names,
//! and what a draft says of them.

use serde_json::Value;
use waxseal::cms::armor;
use waxseal::crypto::Sha256Digest;
use waxseal::git::{HashKind, ObjectKind, signed_bytes};

use super::der::{OCTET_STRING, UTF8_STRING, oid, tlv, utc_time};
use super::forge::{
    CONTENT_TYPE, DATA, Forge, ISSUER, MESSAGE_DIGEST, Recipe, SIGNING_TIME, attribute, extension, san,
};
use super::forge_merges::{self, FORGE, merge, merged};
use super::openpgp;
use super::sandbox::ssh::{SshSigner, unsigned};
use super::sandbox::{Ran, Sandbox, WAXSEAL, program};

fn policy(sandbox: &Sandbox, file: &str, rules: &str) -> String {
    sandbox.write(file, format!("version = 1\n{rules}")).to_str().unwrap().to_owned()
}

fn rule(name: &str, key: &SshSigner, more: &str) -> String {
    format!("[[rule]]\nname = '{name}'\nssh = ['{}']\n{more}\n", key.public())
}

fn diff(sandbox: &Sandbox, policies: [&str; 2], revisions: &[&str]) -> Ran {
    sandbox.waxseal(["policy", "diff"].iter().chain(&policies).chain(revisions))
}

/// Change, identity, outcome under the old and under the new policy of each object, and the counts.
fn changes(sandbox: &Sandbox, policies: [&str; 2], revisions: &[&str]) -> (Vec<String>, String) {
    let ran = diff(sandbox, policies, &[&["--json"], revisions].concat());
    let lines = ran.json_lines();
    let of = |kind: &'static str| lines.iter().filter(move |line| line["type"] == kind);
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let objects = of("object").map(|line| {
        format!(
            "{} {}: {} {}, {} {}",
            text(&line["oid"]),
            text(&line["change"]),
            text(&line["outcome"]),
            text(&line["identity"]),
            text(&line["new"]["outcome"]),
            text(&line["new"]["identity"])
        )
    });
    let signers = of("signer").map(|line| format!("{} {}", text(&line["change"]), text(&line["identity"])));
    (objects.collect(), signers.collect::<Vec<_>>().join("; "))
}

#[test]
fn a_key_that_one_policy_names_is_somebody_in_the_diff() {
    let sandbox = Sandbox::new();
    let (carol, dora) = (SshSigner::new(1), SshSigner::new(2));
    let one = carol.commit(&sandbox, "one", &[]);
    let two = carol.commit(&sandbox, "two", &[&one]);
    let by_dora = dora.commit(&sandbox, "by Dora", &[]);
    let tampered = carol.signed(&sandbox, HashKind::Sha1, &unsigned(&sandbox, "x", &[]), b"y");
    let all: Vec<&str> = [&one, &two, &by_dora, &tampered].map(String::as_str).to_vec();
    let unbounded = "unbounded = true";
    let nobody = "[[rule]]\nname = 'a'\nissuer = 'https://i'\ninstance = 'public-good'\nemail = ['a@example.org']\n";
    let none = policy(&sandbox, "none.toml", nobody);
    let carols = policy(&sandbox, "carols.toml", &rule("carol", &carol, unbounded));
    let both = policy(&sandbox, "both.toml", &(rule("carol", &carol, unbounded) + &rule("dora", &dora, unbounded)));
    let until = policy(&sandbox, "until.toml", &rule("carol", &carol, &format!("until_commit = '{one}'")));
    sandbox.write("signers", format!("carol@example.org {}\n", carol.public()));
    let named =
        policy(&sandbox, "named.toml", "[[rule]]\nname = 'signers'\nallowed_signers = 'signers'\nunbounded = true\n");
    let (carol, dora) = (carol.fingerprint(), dora.fingerprint());

    // A new key: whose objects pass is said, although the old policy knew of nobody.
    let (objects, signers) = changes(&sandbox, [&carols, &both], &all);
    assert_eq!(objects, [format!("{by_dora} newly-passes: fails -, passes {dora}")]);
    assert_eq!(signers, format!("newly-passes {dora}"));
    let shown = diff(&sandbox, [&carols, &both], &all).code(1).out();
    assert!(
        shown.contains(&format!(
            "        1  newly passes  {dora} (by key)\n4 objects: 1 would newly pass, 0 newly fail\n"
        )),
        "{shown}"
    );
    assert!(shown.contains(&format!("newly passes  {}  {dora} (by key)  was: fails (", &by_dora[..10])), "{shown}");
    // A key that goes.
    let (objects, signers) = changes(&sandbox, [&carols, &none], &all);
    assert_eq!(objects, [&one, &two].map(|id| format!("{id} newly-fails: passes {carol}, fails -")));
    assert_eq!(signers, format!("newly-fails {carol}"));
    // A key that is lost: what came later fails.
    let (objects, _) = changes(&sandbox, [&carols, &until], &all);
    assert_eq!(objects, [format!("{two} newly-fails: passes {carol}, fails {carol}")]);
    let shown = diff(&sandbox, [&carols, &until], &all).code(1).out();
    assert!(shown.contains(&format!("it held until the commit {one}")), "{shown}");
    // The same keys under another name pass by another rule.
    let same = diff(&sandbox, [&carols, &named], &all).success().out();
    assert_eq!(same, "4 objects: 0 would newly pass, 0 newly fail; 2 would pass by another rule\n");
    // Whether anybody looks at what is tampered with changes nothing.
    assert!(changes(&sandbox, [&none, &carols], &[&tampered]).0.is_empty());
    let (objects, _) = changes(&sandbox, [&none, &named], &[&one]);
    assert_eq!(objects, [format!("{one} newly-passes: fails -, passes carol@example.org")]);
}

#[test]
fn what_a_host_merges_is_held_against_its_new_shape() {
    let sandbox = forge_merges::world();
    let host = SshSigner::new(9);
    let right = merged(&sandbox, "ours", "theirs", &[]);
    let clean = merge(&sandbox, &host, &["ours", "theirs"], &right, FORGE);
    let tree = sandbox.git(["rev-parse", "ours^{tree}"]).line();
    let evil = merge(&sandbox, &host, &["ours", "theirs"], &tree, FORGE);
    let shape = format!("unbounded = true\n[rule.forge]\ncommitter = ['{FORGE}']\nshape = ['merge']");
    let wide = policy(&sandbox, "wide.toml", &rule("host", &host, "unbounded = true"));
    let narrow = policy(&sandbox, "narrow.toml", &rule("host", &host, &shape));
    let print = host.fingerprint();
    let (objects, signers) = changes(&sandbox, [&wide, &narrow], &[&clean, &evil]);
    assert_eq!(objects, [format!("{evil} newly-fails: passes {print}, fails {print}")]);
    assert_eq!(signers, format!("newly-fails {print}"));
    let (objects, _) = changes(&sandbox, [&narrow, &wide], &[&clean, &evil]);
    assert_eq!(objects, [format!("{evil} newly-passes: fails {print}, passes {print}")]);
}

#[test]
fn openpgp_keys_come_and_go_in_a_diff() {
    let sandbox = Sandbox::new();
    if !openpgp::has_gpg() {
        return;
    }
    openpgp::KEYS.iter().for_each(|(name, key)| drop(sandbox.write(name, key)));
    let by_dave = openpgp::commit(&sandbox, openpgp::PAYLOAD, openpgp::DAVES);
    let by_mallory = openpgp::commit(&sandbox, openpgp::PAYLOAD, openpgp::MALLORYS);
    let with = policy(&sandbox, "with.toml", &openpgp::rule(openpgp::DAVE, "dave.asc", "unbounded = true"));
    let without = policy(&sandbox, "without.toml", &rule("carol", &SshSigner::new(1), "unbounded = true"));
    let all = [by_dave.as_str(), by_mallory.as_str()];
    let dave = openpgp::DAVE;
    let (objects, signers) = changes(&sandbox, [&with, &without], &all);
    assert_eq!(objects, [format!("{by_dave} newly-fails: passes {dave}, fails -")]);
    assert_eq!(signers, format!("newly-fails {dave}"));
    let (objects, signers) = changes(&sandbox, [&without, &with], &all);
    assert_eq!(objects, [format!("{by_dave} newly-passes: fails -, passes {dave}")]);
    assert_eq!(signers, format!("newly-passes {dave}"));
}

#[test]
fn a_diff_asks_gpg_about_many_objects_at_once() {
    let sandbox = Sandbox::new();
    let Some(gpg) = program("gpg").filter(|_| openpgp::has_gpg()) else { return };
    openpgp::KEYS.iter().for_each(|(name, key)| drop(sandbox.write(name, key)));
    let by_dave = openpgp::commit(&sandbox, openpgp::PAYLOAD, openpgp::DAVES);
    let unbounded = openpgp::rule(openpgp::DAVE, "dave.asc", "unbounded = true");
    let with = policy(&sandbox, "with.toml", &unbounded);
    let never = openpgp::rule(openpgp::DAVE, "dave.asc", &format!("from_commit = '{by_dave}'\nrefs = ['refs/x']"));
    let narrow = policy(&sandbox, "narrow.toml", &never);
    // It notes that it was started.
    let script = format!("#!/bin/sh\necho >>'{}'\nexec '{}' \"$@\"\n", sandbox.path("starts").display(), gpg.display());
    let counting = sandbox.write("home/gpg", script);
    std::fs::set_permissions(&counting, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = std::env::join_paths([sandbox.path("home"), "/usr/bin".into(), "/bin".into()]).unwrap();
    let objects = vec![by_dave.as_str(); 32];
    let mut command = sandbox.command(WAXSEAL);
    command
        .args(["policy", "diff", &with, &narrow])
        .args(["--ref", "refs/heads/main"])
        .args(&objects)
        .env("PATH", path);
    let shown = Ran::of(&mut command, b"").code(1).out();
    assert!(shown.contains("32 objects: 0 would newly pass, 32 newly fail"), "{shown}");
    let starts = std::fs::read(sandbox.path("starts")).unwrap().len();
    // Once under each policy.
    assert_eq!(starts, 2);
}

/// A commit that a job of `forge.example` made: for this ref, after this event.
fn by_job(sandbox: &Sandbox, forge: &Forge, message: &str, (path, reference, trigger): (&str, &str, &str)) -> String {
    let payload = unsigned(sandbox, message, &[]);
    let repository = "https://forge.example/owner/project";
    let config = format!("{repository}/{path}@{reference}");
    let mut recipe = Recipe::right(forge);
    recipe.signed_attributes = vec![
        attribute(CONTENT_TYPE, &[oid(DATA)]),
        attribute(SIGNING_TIME, &[utc_time(recipe.not_before)]),
        attribute(MESSAGE_DIGEST, &[tlv(OCTET_STRING, Sha256Digest::of(&payload).as_ref())]),
    ];
    recipe.payload = payload.clone();
    recipe.replace_extension("2.5.29.17", None);
    recipe.extensions.push(san(&[tlv(0x86, config.as_bytes())]));
    for (number, value) in [(12, repository), (14, reference), (15, "4711"), (18, &config), (20, trigger)] {
        let name = format!("1.3.6.1.4.1.57264.1.{number}");
        recipe.extensions.push(extension(&name, false, &tlv(UTF8_STRING, value.as_bytes())));
    }
    let signature = armor::encode(&forge.sign(&recipe));
    let raw = signed_bytes(ObjectKind::Commit, HashKind::Sha1, &payload, signature.as_bytes()).unwrap();
    sandbox.hash_object("commit", &raw)
}

#[test]
fn a_draft_has_the_jobs_of_a_history_and_names_what_only_keys_signed() {
    let sandbox = Sandbox::new();
    let forge = Forge::new();
    let root = sandbox.write("root.json", forge.instance(|_| {}).trusted_root.to_json());
    sandbox.waxseal(["trust", "add", "own", "--trusted-root", root.to_str().unwrap()]).success();
    let job = |message: &str, about| by_job(&sandbox, &forge, message, about);
    let release = ".github/workflows/release.yml";
    let jobs = [
        job("one", (release, "refs/tags/v1", "push")),
        job("two", (release, "refs/tags/v2", "workflow_dispatch")),
        job("three", (".github/workflows/nightly.yml", "refs/heads/main", "schedule")),
        job("four", (".github/workflows/nightly.yml", "refs/heads/main", "schedule")),
    ];
    let other = job("other", (".github/workflows/other.yml", "refs/pull/7/merge", "pull_request"));
    let by_key = SshSigner::new(1).commit(&sandbox, "By Carol", &[]);
    let all: Vec<&str> = jobs.iter().chain([&other, &by_key]).map(String::as_str).collect();
    let ran = sandbox.waxseal(["policy", "suggest"].iter().chain(&all)).success();
    let (draft, err) = (ran.out(), ran.err());
    for part in [
        &format!("issuer = \"{ISSUER}\"\ninstance = \"own\"\n"),
        "repository_id = \"4711\"\npath = \".github/workflows/release.yml\"\nref = \"glob:refs/tags/v*\"\n\
         trigger = [\"push\", \"workflow_dispatch\"]\n",
        "path = \".github/workflows/nightly.yml\"\nref = \"refs/heads/main\"\ntrigger = [\"schedule\"]\n",
    ] {
        assert!(draft.contains(part), "{part}\n{draft}");
    }
    assert!(!draft.contains("other.yml"), "{draft}");
    for part in [
        "seen 3 signers in 6 objects; 2 of them made 80 % of the 5 signatures that verified, and are suggested, in 2 rules",
        "left out: 1 signer with fewer than 2 signatures (--at-least)",
        "seen 1 SSH key in 1 good signature, and none for the draft",
        "left out: 1 SSH key with fewer than 2 signatures (--at-least)",
        "they say nothing of who may sign: 1 by SSH keys\n",
    ] {
        assert!(err.contains(part), "{part}\n{err}");
    }
    let draft = sandbox.write("draft.toml", draft);
    let draft = draft.to_str().unwrap();
    assert_eq!(sandbox.waxseal(["policy", "check", draft]).success().out(), "2 rules, 0 findings\n");
    sandbox.waxseal(["verify", "--policy", draft].iter().chain(&all[..4])).success();
    sandbox.waxseal(["verify", "--policy", draft, &other]).code(1);
    // The next release passes, and the same file for a branch does not.
    let next = job("next", (release, "refs/tags/v3", "push"));
    sandbox.waxseal(["verify", "--policy", draft, &next]).success();
    let branch = job("branch", (release, "refs/heads/main", "push"));
    sandbox.waxseal(["verify", "--policy", draft, &branch]).code(1);
    // Where only keys signed there is nobody to suggest, and that is said; the key is there for whoever asks its owner.
    let none = sandbox.waxseal(["policy", "suggest", &by_key]).code(1);
    assert_eq!(none.out(), "");
    assert!(none.err().contains("there is nobody to suggest"), "{}", none.err());
    let key = sandbox.waxseal(["policy", "suggest", "--at-least", "1", &by_key]).code(1);
    assert!(key.err().contains("no signature that verified: the draft has no rule yet that counts"), "{}", key.err());
    let key = sandbox.write("key.toml", key.out());
    let check = sandbox.waxseal(["policy", "check", key.to_str().unwrap()]).code(5);
    assert!(check.err().contains("it has no rule"), "{}", check.err());
}

/// The draft as whoever compared the fingerprints makes it a policy: with a `#` less before each line of the rules.
fn uncommented(draft: &str) -> String {
    let (head, keys) = draft.split_once("\n## ").unwrap();
    let keys = format!("## {keys}");
    let lines = keys.lines().map(|line| line.strip_prefix('#').unwrap_or(line));
    format!("{head}\n{}\n", lines.collect::<Vec<_>>().join("\n"))
}

#[test]
fn ssh_keys_are_in_a_draft_and_admit_nobody_before_somebody_compared_them() {
    let sandbox = Sandbox::new();
    let (carol, mallory) = (SshSigner::new(1), SshSigner::new(2));
    let by = |signer: &SshSigner, message: &str, committer: &str| {
        let payload = String::from_utf8(unsigned(&sandbox, message, &[])).unwrap();
        let (head, rest) = payload.split_once("\ncommitter ").unwrap();
        let (_, rest) = rest.split_once('>').unwrap();
        let payload = format!("{head}\ncommitter C <{committer}>{rest}");
        signer.signed(&sandbox, HashKind::Sha1, payload.as_bytes(), payload.as_bytes())
    };
    let hostile = "x\u{1b}[2J\u{202e}\" # ##[stop]\\";
    let good =
        [by(&carol, "one", "carol@example.org"), by(&carol, "two", "carol@example.org"), by(&carol, "three", hostile)];
    // Whoever has a key writes whose address they like, and somebody else's signature is no reason to name a key.
    let in_her_name = by(&mallory, "in her name", "carol@example.org");
    let payload = unsigned(&sandbox, "x", &[]);
    let stolen = ["a", "b"].map(|signed| {
        let other = SshSigner::new(3);
        other.signed(&sandbox, HashKind::Sha1, &payload, signed.as_bytes())
    });
    let all: Vec<&str> = good.iter().chain([&in_her_name]).chain(&stolen).map(String::as_str).collect();
    let ran = sandbox.waxseal(["policy", "suggest", "--at-least", "1"].iter().chain(&all)).code(1);
    let (draft, err) = (ran.out(), ran.err());
    for part in [
        "waxseal: seen 2 SSH keys in 4 good signatures; 2 are in the draft, as comments: nobody has proven whose they are\n",
        "waxseal: left out: 2 SSH signatures that are not good, whatever key they name\n",
        "waxseal: they say nothing of who may sign: 6 by SSH keys\n",
        "waxseal: hint: compare an SSH key's fingerprint with its owner before its rule counts: ",
    ] {
        assert!(err.contains(part), "{part}\n{err}");
    }
    for part in [
        "## 3 signatures, under \"carol@example.org\" (2, and other keys too), \"x%1B[2J%E2%80%AE\\\" # %23#[stop]\\\\\" (1)\n",
        "## 1 signature, under \"carol@example.org\" (1, and other keys too)\n",
        &format!("# ssh = [\"{}\"]\n", carol.public()),
        &format!("# ssh = [\"{}\"]\n", mallory.public()),
    ] {
        assert!(draft.contains(part), "{part}\n{draft}");
    }
    assert!(!draft.contains(&SshSigner::new(3).public()), "{draft}");
    // As it is written nobody passes by it.
    let file = sandbox.write("draft.toml", &draft);
    sandbox.waxseal(["verify", "--policy", file.to_str().unwrap(), all[0]]).code(5);
    let file = sandbox.write("draft.toml", uncommented(&draft));
    let file = file.to_str().unwrap();
    assert_eq!(sandbox.waxseal(["policy", "check", file]).success().out(), "2 rules, 0 findings\n");
    sandbox.waxseal(["verify", "--policy", file].iter().chain(&all[..4])).success();
    sandbox.waxseal(["verify", "--policy", file, all[4]]).code(1);
    let test = sandbox.waxseal(["policy", "test", "--policy", file].iter().chain(&all[..4])).success().out();
    for (signer, admitted) in [(&carol, 3), (&mallory, 1)] {
        let line = format!("        {admitted}  rule \"SSH key {}\"\n", signer.fingerprint());
        assert!(test.contains(&line), "{line}{test}");
    }
}

#[test]
fn what_git_has_signed_by_ssh_keygen_is_drafted_too() {
    if program("ssh-keygen").is_none() {
        println!("skipped: there is no ssh-keygen");
        return;
    }
    let sandbox = Sandbox::new();
    let mut lines = Vec::new();
    for (kind, bits) in [("ed25519", "256"), ("ecdsa", "384"), ("rsa", "2048")] {
        let file = sandbox.path(kind);
        let mut keygen = sandbox.command("ssh-keygen");
        keygen.args(["-q", "-t", kind, "-b", bits, "-N", "", "-C", "somebody's", "-f"]).arg(&file);
        Ran::of(&mut keygen, b"").success();
        let public = std::fs::read_to_string(file.with_extension("pub")).unwrap();
        lines.push(public.strip_suffix(" somebody's\n").unwrap().to_owned());
        for message in ["one", "two"] {
            let program = program("ssh-keygen").unwrap();
            sandbox
                .git([
                    "-c",
                    "gpg.format=ssh",
                    "-c",
                    &format!("gpg.ssh.program={}", program.display()),
                    "-c",
                    &format!("user.signingKey={}", file.display()),
                    "commit",
                    "-q",
                    "--allow-empty",
                    "-S",
                    "-m",
                    message,
                ])
                .success();
        }
    }
    sandbox.git(["commit", "-q", "--allow-empty", "--no-gpg-sign", "-m", "Unsigned"]).success();
    let draft = sandbox.waxseal(["policy", "suggest"]).code(1).out();
    assert_eq!(draft.matches("# [[rule]]\n").count(), 3, "{draft}");
    for line in &lines {
        assert!(draft.contains(&format!("# ssh = [\"{line}\"]\n")), "{line}\n{draft}");
    }
    let policy = sandbox.write("draft.toml", uncommented(&draft));
    let policy = policy.to_str().unwrap();
    let signed = sandbox.git(["rev-list", "HEAD~1"]).success().out();
    let signed: Vec<&str> = signed.lines().collect();
    assert_eq!(signed.len(), 6);
    sandbox.waxseal(["verify", "--policy", policy].iter().chain(&signed)).success();
    let test = sandbox.waxseal(["policy", "test", "--policy", policy].iter().chain(&signed)).success().out();
    assert_eq!(test.matches("        2  rule \"SSH key SHA256:").count(), 3, "{test}");
    sandbox.waxseal(["verify", "--policy", policy]).code(1);
}

#[test]
fn openpgp_signatures_name_their_keys_in_what_is_left_out() {
    let sandbox = Sandbox::new();
    let of = |armor: &str| openpgp::commit(&sandbox, openpgp::PAYLOAD, armor);
    let (dave, mallory) = (of(openpgp::DAVES), of(openpgp::MALLORYS));
    let ran = sandbox.waxseal(["policy", "suggest", &dave, &mallory]).code(1);
    assert_eq!(ran.out(), "");
    for part in [
        &format!("waxseal: left out: the OpenPGP key {}, named by 1 signature\n", openpgp::DAVE),
        "waxseal: they say nothing of who may sign: 2 by OpenPGP keys\n",
        "waxseal: hint: an OpenPGP signature names its key and does not bring it along: write it to a file, \"gpg --armor \
         --export KEY > FILE\", compare what \"gpg --show-keys --with-fingerprint FILE\" prints with its owner, and name both \
         in a rule: \"Rules about keys\" in docs/policy.md\n",
    ] {
        assert!(ran.err().contains(part), "{part}\n{}", ran.err());
    }
}
