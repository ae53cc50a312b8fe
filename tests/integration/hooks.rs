//! A server takes what the policy admits, and says of the rest why not: real pushes to a real bare repository.

use std::os::unix::fs::PermissionsExt as _;

use super::sandbox::{ALICE, BOB, Ran, Sandbox, Server, WAXSEAL, rule};

const REMEDY: &str =
    "hint: to sign what you made, on its branch: git commit --amend --no-edit --gpg-sign; then push again";

/// What is pushed, on top of `base`, which the server has.
struct Pushed {
    base: String,
    tampered: String,
    by_bob: String,
    unsigned: String,
    on_unsigned: String,
    good: String,
    v1: String,
    v2: String,
}

impl Pushed {
    /// Alice may push.
    fn to(world: &Server) -> Self {
        let sandbox = &world.sandbox;
        sandbox.allow(ALICE);
        let base = world.commit(&world.alice, "One");
        world.push(&["main"]).success();
        let raw = String::from_utf8(sandbox.git(["cat-file", "commit", &base]).stdout).unwrap();
        let tampered = sandbox.hash_object("commit", raw.replace("\n\nOne", "\n\nTwo").as_bytes());
        let by_bob = world.commit(&world.bob, "Three");
        world.git(&["reset", "-q", "--hard", &base]).success();
        world.git(&["commit", "-q", "--allow-empty", "--no-gpg-sign", "-m", "Four \x1b[31mred"]).success();
        let unsigned = world.id("HEAD");
        let on_unsigned = world.commit(&world.alice, "Five");
        world.git(&["reset", "-q", "--hard", &base]).success();
        let good = world.commit(&world.alice, "Six");
        world.git_as(&world.alice, &["tag", "-s", "-m", "v1", "v1", &good]).success();
        world.git(&["tag", "-a", "--no-sign", "-m", "v2", "v2", &good]).success();
        let (v1, v2) = (world.id("v1"), world.id("v2"));
        Self { base, tampered, by_bob, unsigned, on_unsigned, good, v1, v2 }
    }
}

/// Removes refs of the server.
fn clean(world: &Server, refs: &str) {
    for name in refs.split(' ') {
        world.sandbox.run_in("server", "git", ["update-ref", "-d", name]).success();
    }
}

#[test]
fn an_empty_repository_without_a_policy_takes_nothing() {
    let world = Server::new();
    world.hook("server", "pre-receive", "");
    world.commit(&world.alice, "One");
    let refused = world.push(&["main"]).code(1);
    let said = world.said(&refused);
    assert_eq!(said.lines().next().unwrap(), "error: nobody said who may sign here", "{said}");
    assert!(said.contains("git config --add waxseal.allow"), "{said}");
    world.sandbox.allow(ALICE);
    let taken = world.push(&["main"]).success();
    assert_eq!(world.said(&taken), "refs/heads/main: 1 new object verified");
}

#[test]
fn a_server_takes_what_the_policy_admits_and_nothing_else() {
    let world = Server::new();
    let sandbox = &world.sandbox;
    let Pushed { base, tampered, by_bob, unsigned, on_unsigned, good, v1, v2 } = &Pushed::to(&world);
    let blob = sandbox.hash_object("blob", b"a file");
    let (signer, other) = (sandbox.masked(&sandbox.signer(ALICE)), sandbox.masked(&sandbox.signer(BOB)));
    assert!(signer.contains("STACK"));
    let short = |id: &str| id[..10].to_owned();
    let refused = format!(
        "1 of 1 new object refused\n  {} unsigned: there is no signature (Four %1B[31mred)\nerror: the push is \
         refused\n{REMEDY}",
        short(unsigned)
    );
    let cases = [
        (format!("{unsigned}:refs/heads/new"), 1, format!("refs/heads/new: {refused}")),
        (
            format!("{on_unsigned}:refs/heads/main"),
            1,
            format!(
                "refs/heads/main: 1 of 2 new objects refused\n  {0} unsigned: there is no signature (Four %1B[31mred)\n\
                 error: the push is refused\nhint: to sign what you made, on its branch: git rebase \
                 --force-rebase --rebase-merges --gpg-sign {0}~; then push again",
                short(unsigned)
            ),
        ),
        (
            format!("{tampered}:refs/heads/forged"),
            1,
            format!(
                "refs/heads/forged: 1 of 1 new object refused\n  {} payload-mismatch: the content is not what was \
                 signed (Two)\nerror: the push is refused\n{REMEDY}\nhint: payload-mismatch: do not trust it: it was changed \
                 after it was signed",
                short(tampered)
            ),
        ),
        (
            format!("{by_bob}:refs/heads/bob"),
            1,
            format!(
                "refs/heads/bob: 1 of 1 new object refused\n  {} identity-not-allowed: {other}: no rule admits this \
                 identity (Three)\nerror: the push is refused\nhint: who looks after the policy says who \
                 may sign for refs/heads/bob; \"waxseal whoami\" says who you are",
                short(by_bob)
            ),
        ),
        (
            format!("{v2}:refs/tags/v2"),
            1,
            format!(
                "refs/tags/v2: 1 of 2 new objects refused\n  tag {} unsigned: there is no signature (v2)\nerror: the \
                 push is refused\nhint: to sign the tag: git tag --force --sign v2 'v2^{{}}'; then push again",
                short(v2)
            ),
        ),
        (
            format!("{v1}:refs/tags/v3"),
            1,
            format!(
                "refs/tags/v3: 1 of 2 new objects refused\n  tag {} tag-name: the tag says that it is \"v1\", and the \
                 repository has it as \"v3\" (v1)\nerror: the push is refused\nhint: to sign the tag: git tag --force \
                 --sign v3 'v3^{{}}'; then push again\nhint: tag-name: do not trust the name: \"git tag -v\" shows what \
                 the tagger called it; fetch the tag from its origin, or name the object by its id",
                short(v1)
            ),
        ),
        (
            format!("{blob}:refs/tags/file"),
            1,
            "refs/tags/file: it points at a file or a folder, and only commits and tags are signed\nrefs/tags/file: 0 \
             new objects verified\nerror: the push is refused"
                .to_owned(),
        ),
        (format!("{good}:refs/heads/main"), 0, "refs/heads/main: 1 new object verified".to_owned()),
        (format!("{v1}:refs/tags/v1"), 0, "refs/tags/v1: 1 new object verified".to_owned()),
        // Everything is there already.
        (format!("{good}:refs/heads/next"), 0, "refs/heads/next: 0 new objects verified".to_owned()),
        // A forced push brings nothing new either; Git's own receive.denyNonFastForwards is for that.
        (format!("+{base}:refs/heads/main"), 0, "refs/heads/main: 0 new objects verified".to_owned()),
        (":refs/heads/next".to_owned(), 0, String::new()),
        // Nobody can sign notes.
        (format!("{unsigned}:refs/notes/commits"), 0, String::new()),
        // And they vouch for nothing.
        (format!("{unsigned}:refs/heads/new"), 1, format!("refs/heads/new: {refused}")),
    ];
    // Both hooks come to the same, each alone.
    for hook in ["pre-receive", "update"] {
        world.hook("server", hook, "");
        for (refspec, code, expected) in &cases {
            let ran = world.push(&[refspec]).code(*code);
            assert_eq!(world.said(&ran), *expected, "{hook} {refspec}: {}", ran.err());
        }
        clean(&world, "refs/heads/main refs/tags/v1 refs/notes/commits");
        sandbox.run_in("server", "git", ["update-ref", "refs/heads/main", base]).success();
        world.no_hook(hook);
    }
}

#[test]
fn one_bad_ref_is_enough_and_what_is_only_reported_goes_through() {
    let world = Server::new();
    let sandbox = &world.sandbox;
    let Pushed { unsigned, good, .. } = &Pushed::to(&world);
    // pre-receive takes none; update judges each.
    let both = [format!("{good}:refs/heads/good"), format!("{unsigned}:refs/heads/bad")];
    let both: Vec<&str> = both.iter().map(String::as_str).collect();
    let heads = || sandbox.run_in("server", "git", ["for-each-ref", "--format=%(refname:short)"]).success().out();
    world.hook("server", "pre-receive", "");
    world.push(&both).code(1);
    assert_eq!(heads(), "main\n");
    // What is only reported goes through, whatever it is.
    world.hook("server", "pre-receive", "--report-only --max-failures 0");
    let reported = world.push(&both).success();
    assert_eq!(
        world.said(&reported),
        format!(
            "refs/heads/good and 1 more: 1 of 2 new objects refused\n  and 1 more\nerror: the push would be \
             refused\n{REMEDY}\nreport only: the push goes on"
        )
    );
    assert_eq!(heads(), "bad\ngood\nmain\n");
    clean(&world, "refs/heads/bad refs/heads/good");
    sandbox.config("waxseal.policy", "/nowhere/policy.toml");
    let reported = world.push(&both).success();
    assert!(world.said(&reported).ends_with("\nreport only: the push goes on"), "{}", reported.err());
    sandbox.git(["config", "--global", "--unset", "waxseal.policy"]).success();
    clean(&world, "refs/heads/bad refs/heads/good");
    world.no_hook("pre-receive");
    world.hook("server", "update", "");
    world.push(&both).code(1);
    assert_eq!(heads(), "good\nmain\n");
    world.no_hook("update");
}

#[test]
fn what_is_not_judged_is_refused_as_undecided() {
    let world = Server::new();
    let Pushed { by_bob, good, .. } = &Pushed::to(&world);
    world.hook("server", "pre-receive", "--max-objects 1");
    let refused = world.push(&[&format!("{by_bob}:refs/heads/two")]).code(1);
    assert!(world.said(&refused).contains("\nerror: the push is refused\n"), "{}", refused.err());
    world.git(&["reset", "-q", "--hard", good]).success();
    world.commit(&world.alice, "Seven");
    world.commit(&world.alice, "Eight");
    let refused = world.push(&["HEAD:refs/heads/two"]).code(1);
    assert_eq!(
        world.said(&refused),
        "refs/heads/two: 1 new object verified\nnot everything was judged: there are more than 1 objects to judge; push in \
         parts\nerror: the push is refused: not all of it can be decided"
    );
    // A hundred refs are one walk.
    world.hook("server", "pre-receive", "");
    let many: Vec<String> = (0..100).map(|number| format!("HEAD:refs/heads/many/{number:02}")).collect();
    let taken = world.push(&many.iter().map(String::as_str).collect::<Vec<_>>()).success();
    assert_eq!(world.said(&taken), "refs/heads/many/00 and 99 more: 3 new objects verified");
}

#[test]
fn the_policy_is_the_servers_and_of_before_the_push() {
    let world = Server::new();
    let sandbox = &world.sandbox;
    let alice = rule(sandbox, "maintainers", ALICE, "may_change_policy = true");
    let bob = rule(sandbox, "contributors", BOB, "refs = [\"glob:refs/heads/wip-*\"]");
    let policy = |rules: &[&str]| {
        std::fs::write(sandbox.path("repository/policy.toml"), format!("version = 1\n{}", rules.concat())).unwrap();
        world.git(&["add", "policy.toml"]).success();
    };
    policy(&[&alice]);
    let first = world.commit(&world.alice, "The law");
    world.hook("server", "pre-receive", "--policy main:policy.toml");
    // What is pushed does not say by what it is judged.
    let refused = world.push(&["main"]).code(1);
    assert!(
        refused.err().contains("does not name one commit") || refused.err().contains("unknown revision"),
        "{}",
        refused.err()
    );
    assert!(refused.err().contains("to begin, whoever looks after"), "{}", refused.err());
    world.no_hook("pre-receive");
    world.push(&["main"]).success();
    sandbox.run_in("server", "git", ["config", "receive.denyDeleteCurrent", "ignore"]).success();
    for hook in ["pre-receive", "update"] {
        world.hook("server", hook, "--policy main:policy.toml");
        // Bob is let in by a commit of his own, or on a branch of his own.
        world.git(&["checkout", "-q", "-B", "main", &first]).success();
        policy(&[&alice, &bob]);
        world.commit(&world.bob, "Let me in");
        let refused = world.push(&["main"]).code(1);
        assert!(world.said(&refused).contains("identity-not-allowed"), "{}", refused.err());
        world.push(&["main:refs/heads/wip-1"]).code(1);
        // By Alice's he is: for what comes after it.
        world.git(&["checkout", "-q", "-B", "main", &first]).success();
        policy(&[&alice, &bob]);
        let second = world.commit(&world.alice, "Let Bob in");
        let third = world.commit(&world.bob, "Work");
        world.push(&[&format!("{third}:refs/heads/wip-1")]).code(1);
        let taken = world.push(&[&format!("{second}:refs/heads/main")]).success();
        assert!(world.said(&taken).contains("changes the policy file"), "{}", taken.err());
        world.push(&[&format!("{third}:refs/heads/wip-1")]).success();
        // What is on his branch is not on its way to others by that: main and a lightweight tag would have it.
        for other in ["refs/heads/main", "refs/tags/light", "refs/heads/next"] {
            let refused = world.push(&[&format!("{third}:{other}")]).code(1);
            assert!(world.said(&refused).contains("it is not for refs/"), "{}", refused.err());
        }
        // Alice's signed tag stands for what it names.
        world.git_as(&world.alice, &["tag", "-f", "-s", "-m", "v1", "v1", &third]).success();
        world.push(&["v1"]).success();
        world.push(&[&format!("{third}:refs/heads/main")]).code(1);
        // He may not change the policy, not even where he may sign.
        policy(&[&alice, &bob, &rule(sandbox, "others", BOB, "")]);
        let fourth = world.commit(&world.bob, "Let me in everywhere");
        let refused = world.push(&[&format!("{fourth}:refs/heads/wip-1")]).code(1);
        assert!(world.said(&refused).contains("changes the policy file"), "{}", refused.err());
        // Nobody puts back the old law, or none.
        for refspec in [format!("+{first}:refs/heads/main"), ":refs/heads/main".to_owned()] {
            let refused = world.push(&[&refspec]).code(1);
            assert!(refused.err().contains("where the policy comes from"), "{}", refused.err());
        }
        world.no_hook(hook);
        for gone in ["refs/heads/wip-1", "refs/tags/v1"] {
            sandbox.run_in("server", "git", ["update-ref", "-d", gone]).success();
        }
        sandbox.run_in("server", "git", ["update-ref", "refs/heads/main", &first]).success();
    }
}

#[test]
fn a_push_is_signed_by_somebody_who_may() {
    let world = Server::new();
    let sandbox = &world.sandbox;
    sandbox.allow(ALICE);
    world.commit(&world.alice, "One");
    let push = |token: &str, arguments: &[&str]| {
        let mut git = sandbox.command("git");
        git.args(["push", "-q"]).args(arguments).arg("origin").env("WAXSEAL_ID_TOKEN", token);
        Ran::of(&mut git, b"")
    };
    world.hook("server", "pre-receive", "--require-signed-push");
    let refused = push(&world.alice, &["--no-signed", "--all"]).code(1);
    assert!(refused.err().contains("the push is not signed"), "{}", refused.err());
    sandbox.run_in("server", "git", ["config", "receive.certNonceSeed", "secret"]).success();
    push(&world.alice, &["--no-signed", "--all"]).code(1);
    let refused = push(&world.bob, &["--signed", "--all"]).code(1);
    assert!(
        refused.err().contains(&format!("{BOB} ({}) may not push to refs/heads/main", sandbox.issuer())),
        "{}",
        refused.err()
    );
    let taken = push(&world.alice, &["--signed", "--all"]).success();
    assert_eq!(
        world.said(&taken),
        sandbox.masked(&format!(
            "the push is signed by {}\nrefs/heads/main: 1 new object verified",
            sandbox.signer(ALICE)
        ))
    );
    // The certificate of that push, again: for other refs, or with another nonce than this session's.
    let kept = sandbox.write("kept", "");
    let hook = format!(
        "#!/bin/sh\ncat > '{0}.stdin'\ngit cat-file blob \"$GIT_PUSH_CERT\" > '{0}'\nenv | grep GIT_PUSH_CERT > '{0}.env'\n",
        kept.display()
    );
    let path = sandbox.write("server/hooks/pre-receive", hook);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    world.commit(&world.alice, "Three");
    push(&world.alice, &["--signed", "--all"]).success();
    let text = |name: &str| std::fs::read_to_string(sandbox.path(name)).unwrap();
    let (certificate, environment, stdin) = (text("kept"), text("kept.env"), text("kept.stdin"));
    let again = |certificate: &str, status: &str, stdin: &str| {
        let file = sandbox.write("changed", certificate);
        let blob = sandbox.run_in("server", "git", ["hash-object", "-w", file.to_str().unwrap()]).success().line();
        let mut hook = sandbox.command(WAXSEAL);
        hook.args(["hook", "pre-receive", "--require-signed-push"])
            .current_dir(sandbox.path("server"))
            .env("GIT_DIR", ".");
        for line in environment.lines() {
            let (name, value) = line.split_once('=').unwrap();
            hook.env(name, value);
        }
        hook.env("GIT_PUSH_CERT", blob).env("GIT_PUSH_CERT_NONCE_STATUS", status);
        Ran::of(&mut hook, stdin.as_bytes())
    };
    again(&certificate, "OK", &stdin).success();
    for status in ["BAD", "MISSING", "SLOP"] {
        let refused = again(&certificate, status, &stdin).code(1);
        assert!(refused.err().contains("its nonce was not made for this push"), "{}", refused.err());
    }
    let elsewhere = again(&certificate, "OK", &stdin.replace("refs/heads/main", "refs/heads/next")).code(1);
    assert!(elsewhere.err().contains("it does not say what is pushed to refs/heads/next"), "{}", elsewhere.err());
    let forged = certificate.replace("refs/heads/main", "refs/heads/next");
    let forged = again(&forged, "OK", &stdin.replace("refs/heads/main", "refs/heads/next")).code(1);
    assert!(forged.err().contains("the push certificate: the content is not what was signed"), "{}", forged.err());
    let unsigned = certificate.split("-----BEGIN").next().unwrap();
    assert!(again(unsigned, "OK", &stdin).code(1).err().contains("the push certificate: it is not signed"));
    assert!(again("anything", "OK", &stdin).code(1).err().contains("the push certificate: it is none"));
}

#[test]
fn a_client_hears_what_a_server_would_refuse() {
    let world = Server::new();
    let sandbox = &world.sandbox;
    sandbox.allow(ALICE);
    world.hook("repository/.git", "pre-push", "");
    world.git(&["commit", "-q", "--allow-empty", "--no-gpg-sign", "-m", "Old"]).success();
    // Git's way around a hook.
    world.push(&["--no-verify", "main"]).success();
    let good = world.commit(&world.alice, "One");
    // What the remote has is not judged, and nothing is said of what is good.
    let taken = world.push(&["main"]).success();
    assert_eq!(world.said(&taken), "");
    let by_bob = world.commit(&world.bob, "Two");
    let refused = world.push(&["main"]).code(1);
    assert_eq!(
        world.said(&refused).lines().next().unwrap(),
        "refs/heads/main: 1 of 1 new object refused",
        "{}",
        refused.err()
    );
    assert!(refused.err().contains("error: the push would be refused"), "{}", refused.err());
    assert_eq!(world.id("HEAD"), by_bob);
    // A push by address knows nothing of the remote but the refs that it changes.
    world.git(&["push", "-q", "../server", &format!("{by_bob}:refs/heads/main")]).code(1);
    world.git(&["push", "-q", "../server", &format!("+{good}~:refs/heads/main")]).success();
    world.push(&[":refs/heads/main"]).code(1);
    world.hook("repository/.git", "pre-push", "--report-only");
    let reported = world.push(&["main"]).success();
    assert!(reported.err().contains("report only: the push goes on"), "{}", reported.err());
}

#[test]
fn each_verdict_has_its_exit_code() {
    let sandbox = Sandbox::with_stack();
    let gallery = sandbox.gallery();
    let none = "0".repeat(40);
    let update = |id: &str, arguments: &[&str]| {
        sandbox.waxseal([&["hook", "update", "refs/heads/x", &none, id], arguments].concat()).code.unwrap()
    };
    let pushed = |hook: &str, id: &str, arguments: &[&str]| {
        let line = match hook {
            "pre-push" => format!("HEAD {id} refs/heads/x {none}\n"),
            _ => format!("{none} {id} refs/heads/x\n"),
        };
        Ran::of(sandbox.command(WAXSEAL).args(["hook", hook]).args(arguments), line.as_bytes()).code.unwrap()
    };
    // The branch has them all in its history, but for what is judged; a policy commit stands for what is before.
    sandbox.git(["checkout", "-q", "--detach", &gallery.by_bob]).success();
    sandbox.git(["branch", "-f", "main", &gallery.by_bob]).success();
    let policy = sandbox.write("policy.toml", format!("version = 1\n{}", rule(&sandbox, "people", ALICE, "")));
    let late = sandbox.write("late.toml", "version = 2");
    let (policy, late) = (policy.to_str().unwrap(), late.to_str().unwrap());
    let absent = "1".repeat(40);
    let broken = sandbox.write("broken.json", "{");
    let cases: [(&str, &[&str], i32); 14] = [
        (&gallery.by_alice, &["--policy", policy], 0),
        (&gallery.by_alice, &["--any-identity"], 0),
        (&gallery.by_bob, &["--policy", policy], 0),
        (&gallery.tampered, &["--any-identity"], 1),
        (&gallery.garbled, &["--any-identity"], 1),
        (&gallery.unsigned, &["--policy", policy], 1),
        (&gallery.openpgp, &["--policy", policy], 1),
        (&gallery.ssh, &["--any-identity"], 3),
        (&gallery.online, &["--policy", policy], 3),
        (&absent, &["--any-identity"], 3),
        (&gallery.by_alice, &["--any-identity", "--trusted-root", broken.to_str().unwrap()], 4),
        (&gallery.by_alice, &["--policy", late], 5),
        (&gallery.by_alice, &[], 5),
        ("x", &["--any-identity"], 2),
    ];
    for (id, arguments, code) in cases {
        assert_eq!(update(id, arguments), code, "update {id} {arguments:?}");
        assert_eq!(pushed("pre-receive", id, arguments), code, "pre-receive {id} {arguments:?}");
        let report = [arguments, &["--report-only"]].concat();
        assert_eq!(pushed("pre-receive", id, &report), 0, "{id} {report:?}");
        // A client knows nothing of the remote here, and so judges Bob's commit, too.
        let all = match code {
            0 | 3 if arguments.contains(&"--policy") => 1,
            code => code,
        };
        assert_eq!(pushed("pre-push", id, arguments), all, "pre-push {id} {arguments:?}");
    }
}
