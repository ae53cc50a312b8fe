//! A path may lead to a FIFO that nobody ever writes to, by mistake or malice: it is refused, and not waited for.

use super::outage::sign;
use super::sandbox::{ALICE, OnlineSigner, Sandbox, http};
use super::trust_refresh::{INSTANCES, copy};

#[test]
fn nobody_waits_for_a_fifo() {
    let sandbox = Sandbox::with_stack();
    let fifo = sandbox.path("fifo");
    let fifo = fifo.to_str().unwrap();
    sandbox.sh(&format!("mkfifo '{fifo}'")).success();

    let refused = sandbox.waxseal(["policy", "check", fifo]).code(5).err();
    assert!(refused.contains("fifo: it is not a regular file\nwaxseal: hint: "), "{refused}");
    sandbox.waxseal(["verify", "--policy", fifo]).code(5);
    let refused = sandbox.waxseal(["trust", "import", "home", fifo]).code(4).err();
    assert!(refused.contains("fifo is not a regular file\n"), "{refused}");

    let root = sandbox.write("1.root.json", http("GET", &format!("{}/tuf/1.root.json", sandbox.url()), "", b"").body);
    let folder = copy(&sandbox, "copy");
    std::fs::remove_file(folder.join("timestamp.json")).unwrap();
    sandbox.sh(&format!("mkfifo '{}/timestamp.json'", folder.display())).success();
    let import = ["trust", "import", "air", folder.to_str().unwrap(), "--root", root.to_str().unwrap()];
    let refused = sandbox.waxseal(import).code(4).err();
    assert!(refused.contains("timestamp.json is not a regular file\n"), "{refused}");
    // In the place of a folder, and of the lock.
    let folder = copy(&sandbox, "another");
    sandbox.sh(&format!("cd '{0}' && rm -r targets && mkfifo targets", folder.display())).success();
    let import = ["trust", "import", "air", folder.to_str().unwrap(), "--root", root.to_str().unwrap()];
    let refused = sandbox.waxseal(import).code(4).err();
    assert!(refused.contains("hint: something else is where there must be a folder"), "{refused}");
    let lock = sandbox.path(INSTANCES).join(".lock");
    sandbox.sh(&format!("rm '{0}' && mkfifo '{0}'", lock.display())).success();
    let refused = sandbox.waxseal(["trust", "refresh", "home"]).code(1).err();
    assert!(refused.contains(".lock is not a regular file\nwaxseal: hint: nothing was changed"), "{refused}");

    // What is kept of the log is warned about, as if it were unreadable otherwise.
    let token = sandbox.token(ALICE);
    sign(&sandbox, &token).success();
    let replace = "for file in *.json; do rm \"$file\" && mkfifo \"$file\"; done";
    sandbox.sh(&format!("cd ../home/.local/state/waxseal/checkpoints && {replace}")).success();
    let said = sign(&sandbox, &token).success().err();
    assert!(said.contains("is not a file of checkpoints that waxseal wrote"), "{said}");
}

#[test]
fn nobody_waits_for_a_fifo_in_a_repository() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let signer = OnlineSigner::new(&sandbox, ALICE);
    for message in ["one", "two"] {
        let commit = signer.commit(&sandbox, message);
        sandbox.git(["update-ref", "refs/heads/main", &commit]).success();
    }
    sandbox.waxseal(["evidence", "fetch", "HEAD"]).success();
    let verify = |revision: &str| sandbox.sh(&format!("timeout 20 \"$WAXSEAL\" verify '{revision}'"));
    let with_fifo = |name: &str, check: &dyn Fn()| {
        let place = format!("mkdir -p \"$(dirname .git/{name})\" && {{ mv .git/{name} kept || true; }} 2>&-");
        sandbox.sh(&format!("{place} && mkfifo .git/{name}")).success();
        check();
        sandbox.sh(&format!("rm .git/{name} && {{ mv kept .git/{name} || true; }} 2>&-")).success();
    };
    verify("HEAD").success();

    // Evidence is absent, then, and it is said why.
    with_fifo("refs/notes/waxseal-evidence", &|| {
        let said = verify("HEAD").code(3).out();
        assert!(said.contains("waxseal-evidence: it is not a regular file"), "{said}");
        let said = sandbox.sh("timeout 20 git verify-commit HEAD").code(1).err();
        assert!(said.contains("carries no log entry"), "{said}");
        let refused = sandbox.sh("timeout 20 \"$WAXSEAL\" evidence fetch HEAD~1").code(1).err();
        assert!(refused.contains("it is not a regular file\nwaxseal: hint: "), "{refused}");
    });
    for (name, revision) in [
        ("HEAD", "main"),
        ("config", "main"),
        ("commondir", "main"),
        ("packed-refs", "main"),
        ("objects/info/commit-graph", "main~1"),
        ("objects/pack/multi-pack-index", "main"),
        ("refs/heads/main", "HEAD"),
        ("refs/tags/main", "main~1..main"),
        ("logs/HEAD", "@{1}"),
    ] {
        with_fifo(name, &|| {
            let refused = verify(revision).code(2).err();
            let path = sandbox.path("repository/.git").join(name);
            assert!(refused.starts_with("waxseal: error: the repository cannot be read: "), "{refused}");
            assert!(refused.contains(path.to_str().unwrap()) && refused.contains("\nwaxseal: hint: "), "{refused}");
        });
    }
    verify("HEAD").success();
    // What is no repository is none: whoever can write in a folder above keeps nobody from working below it.
    sandbox.sh("mkdir ../below && mkfifo ../below/.git && cd ../below && timeout 20 \"$WAXSEAL\" trust list").success();
}
