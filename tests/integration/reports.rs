//! `waxseal verify --junit`, `--sarif`, `--markdown`, `--annotations`: what a run found, for CI systems, whole or not at
//! all.

use std::fs;

use serde_json::Value;

use super::sandbox::{ALICE, Sandbox};

#[test]
fn every_report_of_one_run() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let gallery = sandbox.gallery();
    let every = [&gallery.by_alice, &gallery.by_bob, &gallery.tampered, &gallery.online, &gallery.unsigned];
    let flags = ["--junit", "j.xml", "--sarif", "s.sarif", "--markdown", "m.md", "--annotations"];
    let arguments = ["verify"].into_iter().chain(flags).chain(every.iter().map(|id| id.as_str()));
    let ran = sandbox.waxseal(arguments).code(1);
    let read = |name: &str| fs::read_to_string(sandbox.path(&format!("repository/{name}"))).unwrap();

    let junit = read("j.xml");
    assert!(junit.contains(" tests=\"5\" failures=\"3\" errors=\"1\" skipped=\"0\""), "{junit}");
    for (id, part) in [
        (&gallery.by_bob, "<failure type=\"identity-not-allowed\""),
        (&gallery.tampered, "<failure type=\"payload-mismatch\""),
        (&gallery.online, "<error type=\"log-entry-absent\""),
        (&gallery.unsigned, "<failure type=\"unsigned\""),
    ] {
        let case = junit.split("<testcase ").find(|case| case.contains(&format!("name=\"{} ", &id[..10]))).unwrap();
        assert!(case.contains(part), "{case}");
    }

    let sarif: Value = serde_json::from_str(&read("s.sarif")).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let of: Vec<_> = results.iter().map(|result| result["properties"]["oid"].as_str().unwrap()).collect();
    assert_eq!(of, [&gallery.by_bob, &gallery.tampered, &gallery.online, &gallery.unsigned]);
    assert_eq!(sarif["runs"][0]["invocations"][0]["exitCode"], 1);

    let markdown = read("m.md");
    assert!(markdown.starts_with("## ❌ waxseal: 3 of 5 commits fail, 1 cannot be decided\n"), "{markdown}");
    assert!(markdown.contains("| ok | 1 | keyless 1 |\n"), "{markdown}");

    let annotations = ran.err().lines().filter(|line| line.starts_with("::")).count();
    assert_eq!(annotations, 4, "{}", ran.err());
    // What is printed is what would be printed anyway.
    let without = sandbox.waxseal(["verify"].into_iter().chain(every.iter().map(|id| id.as_str()))).code(1);
    assert_eq!(ran.out(), without.out());

    // A report of the run before is replaced, and JSON lines stay JSON lines.
    let again = sandbox.waxseal(["verify", "--json", "--annotations", "--junit", "j.xml", &gallery.by_alice]).success();
    assert!(again.out().lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{}", again.out());
    assert!(read("j.xml").contains(" tests=\"1\" failures=\"0\""));
}

#[test]
fn a_report_that_cannot_be_written_is_named_before_anything_is_verified() {
    let sandbox = Sandbox::new();
    sandbox.git(["commit", "-q", "--allow-empty", "-m", "unsigned"]).success();
    for place in ["nowhere/report.xml", ".", "/dev/full"] {
        let ran = sandbox.waxseal(["verify", "--sarif", "s.sarif", "--junit", place]).code(3);
        assert!(ran.err().contains(&format!("error: the report {place} cannot be written: ")), "{}", ran.err());
        assert_eq!(ran.out(), "");
        assert!(!sandbox.path("repository/s.sarif").exists());
    }
}

#[cfg(unix)]
#[test]
fn a_full_disk_leaves_no_half_report() {
    let sandbox = Sandbox::new();
    sandbox.git(["commit", "-q", "--allow-empty", "-m", "unsigned"]).success();
    sandbox.write("repository/j.xml", "of an earlier run");
    // Files of more than a block are refused, as a full disk would refuse them.
    let ran = sandbox.sh("ulimit -f 0; trap '' XFSZ; \"$WAXSEAL\" verify --json --no-cache --junit j.xml | cat");
    assert!(ran.err().contains("j.xml: "), "{}", ran.err());
    assert!(!ran.out().contains("footer"), "{}", ran.out());
    assert_eq!(fs::read_to_string(sandbox.path("repository/j.xml")).unwrap(), "of an earlier run");
    let names = fs::read_dir(sandbox.path("repository")).unwrap();
    assert_eq!(names.map(|name| name.unwrap().file_name()).filter(|name| name != ".git").count(), 1);
}

#[cfg(unix)]
#[test]
fn others_may_read_a_report() {
    use std::os::unix::fs::PermissionsExt as _;

    let sandbox = Sandbox::new();
    sandbox.git(["commit", "-q", "--allow-empty", "-m", "unsigned"]).success();
    sandbox.sh("umask 022; \"$WAXSEAL\" verify --junit j.xml").code(1);
    let metadata = fs::metadata(sandbox.path("repository/j.xml")).unwrap();
    assert_eq!(metadata.permissions().mode() & 0o777, 0o644);
}
