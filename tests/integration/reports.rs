//! `waxseal verify --junit`, `--sarif`, `--markdown`, `--annotations`: what a run found, for CI systems, whole or not at
//! all.

use std::fs;

use serde_json::Value;

use super::sandbox::{ALICE, Ran, Sandbox, WAXSEAL};

#[test]
fn every_report_of_one_run() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let gallery = sandbox.gallery();
    let every = [&gallery.by_alice, &gallery.by_bob, &gallery.tampered, &gallery.online, &gallery.unsigned];
    let flags = ["--junit", "j.xml", "--sarif", "s.sarif", "--html", "h.html", "--markdown", "m.md", "--annotations"];
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

    let html = read("h.html");
    assert!(html.contains("<h1 class=\"verdict\">3 of 5 commits fail, 1 cannot be decided</h1>"), "{html}");
    for id in [&gallery.by_bob, &gallery.tampered, &gallery.online, &gallery.unsigned] {
        assert!(html.contains(&format!("<code title=\"{id}\">{}</code>", &id[..10])), "{html}");
    }
    assert!(html.contains("alice@example.org: 1 signature, 2"), "{html}");

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

#[test]
fn a_subject_is_no_command_to_whoever_runs_the_job() {
    let sandbox = Sandbox::new();
    for subject in ["##[stop-commands]x", "see ##vso[task.complete result=Succeeded;]done", "##teamcity[buildStop]"] {
        sandbox.git(["commit", "-q", "--allow-empty", "-m", subject]).success();
    }
    let range = "HEAD~2..";
    let runs: [&[&str]; 3] = [&["verify", range], &["verify", "--json", range], &["ci", "--base", "HEAD~2"]];
    for arguments in runs {
        let ran = sandbox.waxseal(arguments.iter().copied().chain(["--annotations"])).code(1);
        let both = ran.out() + &ran.err();
        assert!(both.contains("task.complete") && both.contains("buildStop"), "{both}");
        assert!(["##[", "##vso[", "##teamcity["].iter().all(|command| !both.contains(command)), "{both}");
    }
    let ran = sandbox.waxseal(["verify", "HEAD~2"]).code(1);
    assert!(ran.out().contains("no signature  %23#[stop-commands]x\n"), "{}", ran.out());
    let json: Value =
        serde_json::from_str(sandbox.waxseal(["verify", "--json"]).code(1).out().lines().nth(1).unwrap()).unwrap();
    assert!(json.to_string().contains("##teamcity[buildStop]"), "{json}");
}

#[cfg(unix)]
#[test]
fn two_reports_are_two_files() {
    let sandbox = Sandbox::new();
    sandbox.git(["commit", "-q", "--allow-empty", "-m", "unsigned"]).success();
    fs::create_dir(sandbox.path("repository/folder")).unwrap();
    std::os::unix::fs::symlink("folder", sandbox.path("repository/link")).unwrap();
    sandbox.write("repository/old", "of an earlier run");
    for (one, other) in [("new", "./new"), ("new", "folder/../new"), ("folder/new", "link/new"), ("old", ".//old")] {
        let ran = sandbox.waxseal(["verify", "--junit", one, "--markdown", "m", "--sarif", other]).code(2);
        assert!(ran.err().contains("error: two reports in one file: "), "{}", ran.err());
        assert_eq!(ran.out(), "");
    }
    let names = ["new", "m"].map(|name| sandbox.path(&format!("repository/{name}")).exists());
    assert_eq!(names, [false; 2]);
    assert_eq!(fs::read_to_string(sandbox.path("repository/old")).unwrap(), "of an earlier run");
}

#[cfg(unix)]
#[test]
fn a_report_is_not_where_the_verdicts_go() {
    let sandbox = Sandbox::new();
    sandbox.git(["commit", "-q", "--allow-empty", "-m", "unsigned"]).success();
    for (script, stream) in [
        ("--html o >o", "standard output"),
        ("--html ./o >>o", "standard output"),
        ("--junit /dev/stdout >o", "standard output"),
        ("--annotations --markdown o 2>o", "standard error"),
        ("--sarif o --json >o 2>&1", "standard output"),
    ] {
        let ran = sandbox.sh(&format!("rm -f o; \"$WAXSEAL\" verify {script}; code=$?; cat o >&2; exit $code")).code(2);
        assert!(ran.err().contains(&format!(" and {stream} are one file")), "{script}: {}", ran.err());
    }
    let ran = sandbox.waxseal(["verify", "--html", "-"]).code(2);
    assert!(ran.err().contains("\"-\" is no file, and standard output has the verdicts"), "{}", ran.err());
    assert_eq!((ran.out().as_str(), sandbox.path("repository/-").exists()), ("", false));
    sandbox.sh("\"$WAXSEAL\" verify --html page >o; test -s o && test -s page").success();
}

#[cfg(target_os = "linux")]
#[test]
fn annotations_that_nobody_takes_leave_it_undecided() {
    let sandbox = Sandbox::new();
    sandbox.git(["commit", "-q", "--allow-empty", "-m", "unsigned"]).success();
    sandbox.sh("\"$WAXSEAL\" verify --annotations 2> /dev/full").code(3);
    sandbox.sh("\"$WAXSEAL\" verify --annotations 2< /dev/zero").code(3);
    sandbox.sh("\"$WAXSEAL\" verify 2> /dev/full").code(1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_link_to_a_pipe_or_device_is_refused_and_stays() {
    let sandbox = Sandbox::new();
    sandbox.git(["commit", "-q", "--allow-empty", "-m", "unsigned"]).success();
    // As /dev/stdout is one.
    let ran = sandbox.sh("\"$WAXSEAL\" verify --junit /dev/stdout | cat");
    assert!(ran.err().contains("the report /dev/stdout cannot be written: it is not a regular file"), "{}", ran.err());
    for to in ["/proc/self/fd/1", "/dev/full", ".git/config", "not-there"] {
        let script = format!("ln -sf {to} link; {{ \"$WAXSEAL\" verify --junit link; echo \"code $?\"; }} | cat");
        let ran = sandbox.sh(&script);
        assert!(ran.err().contains("the report link cannot be written: it is a link: name the file"), "{}", ran.err());
        assert_eq!(ran.out(), "code 3\n");
        assert_eq!(fs::read_link(sandbox.path("repository/link")).unwrap().to_str(), Some(to));
    }
}

/// A branch may bring a link where a job writes its report.
#[cfg(unix)]
#[test]
fn a_branch_does_not_choose_where_a_report_goes() {
    let sandbox = Sandbox::new();
    sandbox.git(["commit", "-q", "--allow-empty", "-m", "base"]).success();
    std::os::unix::fs::symlink(".git/config", sandbox.path("repository/waxseal-junit.xml")).unwrap();
    sandbox.git(["add", "waxseal-junit.xml"]).success();
    sandbox.git(["commit", "-q", "-m", "a link"]).success();
    let config = || fs::read(sandbox.path("repository/.git/config")).unwrap();
    let before = config();
    for flag in ["--junit", "--sarif", "--html", "--markdown"] {
        let ran = sandbox.waxseal(["ci", "--base", "HEAD~", "--any-identity", flag, "waxseal-junit.xml"]).code(3);
        assert!(
            ran.err().contains("error: the report waxseal-junit.xml cannot be written: it is a link"),
            "{}",
            ran.err()
        );
        assert_eq!((ran.out().as_str(), config()), ("", before.clone()));
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

#[test]
fn a_long_history_is_a_table_and_a_short_one_a_line_each() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let commit = |more: &[&str]| drop(sandbox.git(["commit", "-q", "--allow-empty"].iter().chain(more)).success());
    commit(&["-S", "-m", "signed"]);
    (0..19).for_each(|number| commit(&["-m", &format!("unsigned {number}")]));
    let few = sandbox.waxseal(["verify", "--all"]).code(1);
    assert_eq!(few.out().lines().count(), 21, "{}", few.out());
    assert!(few.out().ends_with("\n20 objects, 1 verified, 19 unsigned\n"), "{}", few.out());

    commit(&["-S", "-m", "signed too"]);
    let many = sandbox.waxseal(["verify", "--all"]).code(1).out();
    let lines: Vec<_> = many.lines().collect();
    assert_eq!(lines[..2], ["19 of 21 commits fail", "policy   waxseal.allow"], "{many}");
    assert!(lines[4].starts_with("21 commits in "), "{many}");
    assert_eq!(
        lines[5..8],
        ["  ok                2   keyless 2", "  FAIL             19   unsigned 19", "  unknown           0"]
    );
    assert!(lines[8].starts_with("First failures (all: "), "{many}");
    assert_eq!(lines.iter().filter(|line| line.starts_with("UNSIGNED ")).count(), 10, "{many}");

    let lines_with = |flag: &str, word: &str| {
        let out = sandbox.waxseal(["verify", "--all", flag]).code(1).out();
        assert!(out.contains("\n19 of 21 commits fail\n") && !out.contains("First failures"), "{out}");
        out.lines().filter(|line| line.starts_with(word)).count()
    };
    assert_eq!((lines_with("--failed", "UNSIGNED "), lines_with("--failed", "verified ")), (19, 0));
    assert_eq!((lines_with("--list", "UNSIGNED "), lines_with("--list", "verified ")), (19, 2));
}

#[cfg(unix)]
#[test]
fn what_was_found_before_an_interrupt_is_kept() {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::process::Stdio;

    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "signed"]).success();
    let mut command = sandbox.command(WAXSEAL);
    command.args(["verify", "--stdin", "--json"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut verify = command.spawn().unwrap();
    verify.stdin.take().unwrap().write_all("HEAD\n".repeat(20_000).as_bytes()).unwrap();
    // What reads no further is waited for: the run goes no further than what a pipe and its own queues hold.
    let mut lines = BufReader::new(verify.stdout.take().unwrap()).lines();
    assert_eq!(lines.by_ref().take(1_200).count(), 1_200);
    // A second's work is what may be lost.
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    assert_eq!(lines.by_ref().take(1_200).count(), 1_200);
    assert!(Ran::of(sandbox.command("kill").args(["-INT", &verify.id().to_string()]), b"").success().err().is_empty());
    assert!(!verify.wait().unwrap().success());
    assert!(!lines.any(|line| line.is_ok_and(|line| line.contains("footer"))));

    let again = sandbox.waxseal(["verify", "--json"]).success();
    assert!(again.out().contains("\"cached\":true"), "{}", again.out());
}
