//! Trust on a machine without network: what somebody brought is held against the same rules.

use super::sandbox::{ALICE, Sandbox, http};
use super::trust_refresh::{INSTANCES, copy};

#[test]
fn a_folder_is_verified_as_a_mirror_would_be() {
    let mut sandbox = Sandbox::with_stack();
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "one"]).success();
    let root = sandbox.write("1.root.json", http("GET", &format!("{}/tuf/1.root.json", sandbox.url()), "", b"").body);
    let root = root.to_str().unwrap();
    let old = copy(&sandbox, "old");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    sandbox.start_stack();
    let new = copy(&sandbox, "new");
    let (old, new) = (old.to_str().unwrap(), new.to_str().unwrap());
    sandbox.allow(ALICE);
    sandbox.waxseal(["trust", "remove", "home"]).success();
    // From here on nobody is there.
    sandbox.kill_stack();

    let refused = sandbox.waxseal(["trust", "import", "air", new]).code(2).err();
    assert!(refused.starts_with("waxseal: error: the new instance air needs --root\nwaxseal: hint: "), "{refused}");
    sandbox.waxseal(["trust", "import", "air", new, "--root", root]).success();
    let shown = sandbox.waxseal(["trust", "show", "air"]).success().out();
    assert!(shown.starts_with("instance air, from the folder of a TUF repository, as of "), "{shown}");
    assert!(shown.contains("\nTUF root version 1, timestamp version "), "{shown}");
    sandbox.waxseal(["verify", "--offline", "--any-identity", "HEAD"]).success();

    let again = sandbox.waxseal(["trust", "import", "air", new]).success().out();
    assert!(again.starts_with("instance air: nothing has changed; "), "{again}");
    let refused = sandbox.waxseal(["trust", "import", "air", old]).code(4).err();
    assert!(refused.contains("old: it is older than what was seen before: timestamp has version "), "{refused}");
    let refused = sandbox.waxseal(["trust", "import", "air", new, "--root", root]).code(2).err();
    assert!(refused.contains("the instance air has a TUF root already"), "{refused}");
    let refused = sandbox.waxseal(["trust", "refresh", "air"]).code(1).err();
    assert!(refused.contains("the instance air has no address to ask"), "{refused}");
    // A folder that is not whole.
    std::fs::remove_file(sandbox.path("new/timestamp.json")).unwrap();
    let refused = sandbox.waxseal(["trust", "import", "air", new]).code(4).err();
    assert!(refused.contains("timestamp.json is missing"), "{refused}");
    // A repository of somebody else is none of public-good's.
    let refused = sandbox.waxseal(["trust", "import", "public-good", old]).code(4).err();
    assert!(refused.contains("the newest root, version 15, expired on 2026-11-20T"), "{refused}");
    sandbox.waxseal(["verify", "--offline", "--any-identity", "HEAD"]).success();
}

#[test]
fn a_file_takes_the_place_of_what_was_trusted_only_by_its_digest() {
    let mut sandbox = Sandbox::with_stack();
    let old = sandbox.path(&format!("{INSTANCES}/home/trusted_root.json"));
    let old = sandbox.write("old.json", std::fs::read(old).unwrap());
    let text = std::fs::read_to_string(&old).unwrap();
    let new = sandbox.write("new.json", format!("{text}\n"));
    let (old, new) = (old.to_str().unwrap(), new.to_str().unwrap());
    let digest = sandbox.digest().to_owned();
    sandbox.kill_stack();

    // Even the same documents, which would count as fresh from now on.
    sandbox.waxseal(["trust", "import", "home", old]).code(1);
    let same = sandbox.waxseal(["trust", "import", "home", old, "--sha256", &digest]).success().out();
    assert_eq!(same, "instance home: nothing has changed\n");
    let refused = sandbox.waxseal(["trust", "import", "home", new]).code(1).err();
    let (line, hint) = refused.trim_end().split_once('\n').unwrap();
    assert_eq!(
        line,
        format!("waxseal: error: nobody vouches for {new}: --sha256 was not given and nobody can be asked")
    );
    let digest = hint.rsplit_once(' ').unwrap().1;
    let renewed = sandbox.waxseal(["trust", "import", "home", new, "--sha256", digest]).success().out();
    assert_eq!(renewed, "instance home: renewed\n");
    assert_eq!(
        std::fs::read_to_string(sandbox.path(&format!("{INSTANCES}/home/trusted_root.json"))).unwrap(),
        format!("{text}\n")
    );
    assert!(sandbox.waxseal(["trust", "show", "home"]).success().out().contains(digest));
    // The one that waxseal brings with it is older than what the stack began with.
    let older = concat!(env!("CARGO_MANIFEST_DIR"), "/src/trust_store/public_good/trusted_root.json");
    let refused = sandbox.waxseal(["trust", "import", "home", older]).code(4).err();
    assert!(refused.contains("is older than the trusted root of instance home: its newest key is of 20"), "{refused}");
    // A new instance is what the file says, as with "trust add".
    sandbox.waxseal(["trust", "import", "copied", new]).success();
    let list = sandbox.waxseal(["trust", "list"]).success().out();
    assert!(list.contains("copied               from files, as of 20"), "{list}");
}

#[test]
fn a_file_over_a_tuf_instance_is_a_files_word_and_the_floor_stays() {
    let mut sandbox = Sandbox::with_stack();
    sandbox.git(["commit", "-q", "--allow-empty", "-m", "one"]).success();
    let root = sandbox.write("1.root.json", http("GET", &format!("{}/tuf/1.root.json", sandbox.url()), "", b"").body);
    let root = root.to_str().unwrap();
    let url = format!("{}/tuf", sandbox.url());
    let old = copy(&sandbox, "old");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    sandbox.start_stack();
    let new = copy(&sandbox, "new");
    let (old, new) = (old.to_str().unwrap(), new.to_str().unwrap());
    sandbox.waxseal(["trust", "add", "tuf", "--tuf", &url, "--root", root]).success();
    let digest = sandbox.digest().to_owned();
    sandbox.kill_stack();
    let record = sandbox.path(&format!("{INSTANCES}/tuf/instance.toml"));
    let text = std::fs::read_to_string(&record).unwrap();
    let text =
        regex::Regex::new("(?m)^refreshed = .*$").unwrap().replace(&text, "refreshed = \"2026-01-01T00:00:00Z\"");
    std::fs::write(&record, text.as_bytes()).unwrap();

    // The same documents: what signed them has not signed them anew.
    let there = sandbox.path(&format!("{INSTANCES}/tuf/trusted_root.json"));
    let there = there.to_str().unwrap();
    let same = sandbox.waxseal(["trust", "import", "tuf", there, "--sha256", &digest]).success().out();
    assert!(same.starts_with("instance tuf: nothing has changed"), "{same}");
    let from = format!("from the TUF repository at {url}, as of 2026-01-01");
    let shown = sandbox.waxseal(["trust", "show", "tuf"]).success().out();
    assert!(shown.starts_with(&format!("instance tuf, {from}\n")), "{shown}");

    let text = std::fs::read_to_string(there).unwrap();
    let file = sandbox.write("file.json", format!("{text}\n"));
    let file = file.to_str().unwrap();
    let refused = sandbox.waxseal(["trust", "import", "tuf", file]).code(1).err();
    let digest = refused.trim_end().rsplit_once(' ').unwrap().1;
    let renewed = sandbox.waxseal(["trust", "import", "tuf", file, "--sha256", digest]).success().out();
    assert_eq!(renewed, "instance tuf: renewed; it is a file's, and its TUF repository does not vouch for that\n");
    let day = regex::Regex::new("brought on 20[0-9-]{8};").unwrap();
    let source = format!("from a file that was brought on TODAY; before, {from}");
    let shown = sandbox.waxseal(["trust", "show", "tuf"]).success().out();
    let shown = day.replace(&shown, "brought on TODAY;");
    assert!(shown.starts_with(&format!("instance tuf, {source}\n")), "{shown}");
    assert!(shown.contains(": not of this file, but nothing older is followed\n"), "{shown}");
    assert!(!shown.contains("valid until 20"), "{shown}");
    let list = sandbox.waxseal(["trust", "list"]).success().out();
    assert!(day.replace(&list, "brought on TODAY;").contains(&format!("tuf                  {source}\n")), "{list}");
    // Nor does it make anything fresh that TUF did not.
    sandbox.config("waxseal.trust", "tuf");
    let stale = sandbox.waxseal(["verify", "--any-identity", "--max-trust-age", "1d", "HEAD"]).code(4).err();
    assert!(stale.starts_with("waxseal: error: the trust material of instance tuf is "), "{stale}");

    let refused = sandbox.waxseal(["trust", "import", "tuf", old]).code(4).err();
    assert!(refused.contains("old: it is older than what was seen before: timestamp has version "), "{refused}");
    let followed = sandbox.waxseal(["trust", "import", "tuf", new]).success().out();
    assert!(followed.starts_with("instance tuf: renewed; its TUF timestamp vouches for that until 20"), "{followed}");
    let shown = sandbox.waxseal(["trust", "show", "tuf"]).success().out();
    assert!(!shown.contains("brought") && shown.contains(", valid until 20"), "{shown}");
}
