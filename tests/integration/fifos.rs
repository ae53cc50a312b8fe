//! A path may lead to a FIFO that nobody ever writes to, by mistake or malice: it is refused, and not waited for.

use super::outage::sign;
use super::sandbox::{ALICE, Sandbox, http};
use super::trust_refresh::copy;

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

    // What is kept of the log is warned about, as if it were unreadable otherwise.
    let token = sandbox.token(ALICE);
    sign(&sandbox, &token).success();
    let replace = "for file in *.json; do rm \"$file\" && mkfifo \"$file\"; done";
    sandbox.sh(&format!("cd ../home/.local/state/waxseal/checkpoints && {replace}")).success();
    let said = sign(&sandbox, &token).success().err();
    assert!(said.contains("is not a file of checkpoints that waxseal wrote"), "{said}");
}
