//! `waxseal show` prints claims, says first that they are claims, and makes gitsign's statement of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::sandbox::{ALICE, Sandbox};

#[test]
fn it_says_first_that_nothing_is_verified() {
    let sandbox = Sandbox::with_stack();
    let gallery = sandbox.gallery();
    for object in [
        &gallery.by_alice,
        &gallery.tampered,
        &gallery.online,
        &gallery.garbled,
        &gallery.unsigned,
        &gallery.openpgp,
        &gallery.ssh,
    ] {
        let shown = sandbox.waxseal(["show", object]).success().out();
        assert!(shown.starts_with("UNVERIFIED: "), "{shown}");
        let document: Value =
            serde_json::from_str(&sandbox.waxseal(["show", "--json", object]).success().line()).unwrap();
        assert_eq!((&document["verified"], &document["claims"]["commit"]), (&false.into(), &object.as_str().into()));
    }
    let claims = |object: &str| -> Value {
        let document: Value =
            serde_json::from_str(&sandbox.waxseal(["show", "--json", object]).success().line()).unwrap();
        document["claims"].clone()
    };
    let of_alice = claims(&gallery.by_alice);
    assert_eq!(of_alice["certificate"]["identity"], ALICE);
    assert_eq!(of_alice["certificate"]["fulcio_extensions"]["issuer_v2"], sandbox.issuer());
    assert!(of_alice["log_entry"]["checkpoint_origin"].is_string());
    assert_eq!(claims(&gallery.tampered)["certificate"], of_alice["certificate"]);
    assert_eq!(claims(&gallery.online)["log_entry"], Value::Null);
    assert!(claims(&gallery.garbled)["unreadable"].is_string());
    assert_eq!(claims(&gallery.unsigned)["signature"], "none");
    assert!(claims(&gallery.openpgp)["signature"].as_str().unwrap().starts_with("OpenPGP"));
}

#[test]
fn a_hostile_name_stays_on_its_line() {
    let sandbox = Sandbox::new();
    let tree = sandbox.git(["mktree"]).success().line();
    let raw =
        format!("tree {tree}\nauthor \x1b[2K\u{202e}X <x@x> 1 +0000\ncommitter C <c@x> 2 +0000\n\n\x1b]0;title\x07\n");
    let id = sandbox.hash_object("commit", raw.as_bytes());
    for arguments in
        [vec!["show", &id], vec!["show", "--json", &id], vec!["show", "--format=in-toto", &id], vec!["explain", &id]]
    {
        let shown = sandbox.waxseal(arguments).out();
        assert!(!shown.contains(['\x1b', '\x07', '\u{202e}']), "{shown:?}");
    }
}

#[test]
fn the_statement_of_a_commit_is_gitsigns() {
    let sandbox = Sandbox::with_stack();
    sandbox.git(["remote", "add", "origin", "ssh://git:s3cret@forge.example/o/r.git?token=s3cret"]).success();
    sandbox.git(["remote", "add", "other", "git@forge.example:o/r.git"]).success();
    sandbox.git(["commit", "-q", "--allow-empty", "-m", "before"]).success();
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "Say <hello> & go"]).success();
    let text = sandbox.waxseal(["show", "--format=in-toto"]).success().out();
    assert!(text.starts_with("{\n  \"_type\": \"https://in-toto.io/Statement/v1\",\n  \"subject\": [\n"), "{text}");
    assert!(text.contains("\"Say \\u003chello\\u003e \\u0026 go\\n\""), "{text}");
    let statement: Value = serde_json::from_str(&text).unwrap();
    let id = sandbox.git(["rev-parse", "HEAD"]).line();
    let line = |arguments: &[&str]| sandbox.git(arguments).line();
    let raw = sandbox.git(["cat-file", "commit", "HEAD"]).out();
    let signature = raw.split_once("gpgsig ").unwrap().1.split_once("\n\n").unwrap().0.replace("\n ", "\n") + "\n";
    let person = json!({ "name": "Alice", "email": ALICE, "date": "2020-02-02T02:02:02Z" });
    let (tree, parent) = (line(&["rev-parse", "HEAD^{tree}"]), line(&["rev-parse", "HEAD^"]));
    assert_eq!(statement["subject"], json!([{ "name": "ssh://forge.example/o/r.git", "digest": { "sha1": id } }]));
    assert_eq!(statement["predicateType"], "https://gitsign.sigstore.dev/predicate/git/v0.1");
    assert_eq!(
        statement["predicate"]["source"],
        json!({ "author": person, "committer": person, "message": "Say <hello> & go\n", "parents": [parent], "tree": tree })
    );
    assert_eq!(statement["predicate"]["signature"], signature);
    let signer = &statement["predicate"]["signer_info"][0];
    let attributes = STANDARD.decode(signer["attributes"].as_str().unwrap()).unwrap();
    assert_eq!((attributes.len(), attributes[0]), (107, 0x31));
    assert!(signer["certificate"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE-----\n"));
    let other = sandbox.waxseal(["show", "--format=in-toto", "-r", "other", "HEAD^"]).success().out();
    let other: Value = serde_json::from_str(&other).unwrap();
    assert_eq!(other["subject"][0]["name"], "git@forge.example:o/r.git");
    let mut members: Vec<_> = other["predicate"].as_object().unwrap().keys().collect();
    members.extend(other["predicate"]["source"].as_object().unwrap().keys());
    assert_eq!(members, ["source", "author", "committer", "message", "tree"]);
}

#[test]
fn the_statement_of_a_tag_is_gitsigns() {
    let sandbox = Sandbox::with_stack();
    sandbox.git(["commit", "-q", "--allow-empty", "-m", "one"]).success();
    sandbox.git(["tag", "-s", "-m", "first", "v1"]).success();
    let text = sandbox.waxseal(["show", "--format=in-toto", "v1"]).success().out();
    let statement: Value = serde_json::from_str(&text).unwrap();
    let (tag, commit) = (sandbox.git(["rev-parse", "v1"]).line(), sandbox.git(["rev-parse", "HEAD"]).line());
    assert_eq!(statement["subject"], json!([{ "digest": { "gitTag": tag, "sha1": tag } }]));
    assert_eq!(statement["predicateType"], "https://gitsign.sigstore.dev/predicate/tag/v0.1");
    let tagger = json!({ "name": "Alice", "email": ALICE, "date": "2020-02-02T02:02:02Z" });
    assert_eq!(
        statement["predicate"]["source"],
        json!({ "message": "first\n", "object": commit, "object_type": "commit", "tag": "v1", "tagger": tagger })
    );
    assert!(statement["predicate"]["signature"].as_str().unwrap().starts_with("-----BEGIN SIGNED MESSAGE-----\n"));
}

#[test]
fn an_openpgp_signature_stands_in_the_statement_as_it_came() {
    // gitsign's own fixture `pkg/attest/testdata/gpg.in.txt` in short: CRLF, no line feed at the end, a blank line in the armor.
    let sandbox = Sandbox::new();
    let tree = sandbox.git(["mktree"]).success().line();
    let raw = format!(
        "tree {tree}\nauthor Billy Lynch <b@x> 1668000929 -0500\ncommitter GitHub <noreply@x> 1668000929 -0500\n\
         gpgsig -----BEGIN PGP SIGNATURE-----\n \n AAAA\n =/vdg\n -----END PGP SIGNATURE-----\n \n\none\r\ntwo"
    );
    let id = sandbox.hash_object("commit", raw.as_bytes());
    let statement: Value =
        serde_json::from_str(&sandbox.waxseal(["show", "--format=in-toto", &id]).success().out()).unwrap();
    let person = |name: &str, email: &str| json!({ "name": name, "email": email, "date": "2022-11-09T13:35:29Z" });
    assert_eq!(
        statement["predicate"],
        json!({
            "signature": "-----BEGIN PGP SIGNATURE-----\n\nAAAA\n=/vdg\n-----END PGP SIGNATURE-----\n\n",
            "source": {
                "author": person("Billy Lynch", "b@x"), "committer": person("GitHub", "noreply@x"),
                "message": "one\r\ntwo", "tree": tree,
            },
        })
    );
}

#[test]
fn two_headers_of_one_name_have_no_statement() {
    let sandbox = Sandbox::new();
    let tree = sandbox.git(["mktree"]).success().line();
    let raw = format!("tree {tree}\ntree {tree}\nauthor A <a@x> 1 +0000\ncommitter C <c@x> 2 +0000\n\nm\n");
    let id = sandbox.hash_object("commit", raw.as_bytes());
    let refused = sandbox.waxseal(["show", "--format=in-toto", &id]).code(1);
    assert_eq!(refused.out(), "");
    let sentence =
        format!("waxseal: error: no statement can be made of {id}: malformed git object: duplicate tree header\n");
    assert!(refused.err().starts_with(&sentence), "{}", refused.err());
}

#[test]
fn output_that_nobody_gets_is_a_failure_and_no_undecided_verdict() {
    let sandbox = Sandbox::with_stack();
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "one"]).success();
    for (command, code) in [("show", 1), ("evidence fetch", 1), ("explain --any-identity", 3)] {
        let full = sandbox.sh(&format!("\"$WAXSEAL\" {command} >/dev/full")).code(code).err();
        let sentence = "waxseal: error: the output could not be written: No space left on device (os error 28)\n";
        assert_eq!(full, sentence, "{command}");
    }
}
