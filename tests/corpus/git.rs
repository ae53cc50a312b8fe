//! The same objects through Git: it hashes them to the same ids, cuts the same payloads, and hears the same verdicts.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use super::objects::Corpus;

#[test]
fn git_drives_waxseal_over_public_good_objects() {
    let Some(corpus) = Corpus::open("public-good") else { return };
    let git = Git::new("sha1");
    let mut kinds: HashMap<&'static str, Vec<String>> = HashMap::new();
    corpus.each("objects.batch", |row, raw| {
        assert_eq!(git.write(row.get("type"), raw), row.oid(), "git gives the object its id");
        let kind = match (row.get("type"), row.get("certificate_authority"), row.get("rekor")) {
            ("tag", "public-good", "offline") => "offline tag",
            (_, "public-good", "offline") => "offline",
            ("commit", "public-good", "online") => "online",
            ("commit", "public-good", "per-field") => "per-field",
            ("commit", "other-ca", _) => "other-ca",
            _ => "online tag",
        };
        kinds.entry(kind).or_default().push(row.oid().to_owned());
    });

    for commit in &kinds["offline"] {
        assert_eq!(git.log(commit, "%G? %GS"), "U billy@chainguard.dev (https://accounts.google.com)");
        assert!(git.run(&["verify-commit", commit]).status.success());
    }
    git.config("waxseal.allow", "billy@chainguard.dev https://accounts.google.com public-good");
    for commit in &kinds["offline"] {
        assert_eq!(git.log(commit, "%G? %GT"), "G fully");
    }
    for tag in &kinds["offline tag"] {
        assert!(git.run(&["verify-tag", tag]).status.success());
    }
    git.config("waxseal.allow", "");
    git.config("waxseal.allow", "someone.else@chainguard.dev https://accounts.google.com public-good");
    let offline = &kinds["offline"][0];
    assert_eq!(git.log(offline, "%G? %GT"), "U never");
    assert_eq!(git.run(&["verify-commit", offline]).status.code(), Some(1));

    // Every kind that is not good: ERRSIG and a trust line, whatever the version of Git makes of its absence.
    for kind in ["online", "per-field", "other-ca"] {
        for commit in kinds[kind].iter().take(20) {
            assert_eq!(git.log(commit, "%G?"), "E", "{kind} {commit}");
            let raw = git.run(&["verify-commit", "--raw", commit]);
            let raw = String::from_utf8_lossy(&raw.stderr).into_owned();
            assert!(raw.starts_with("[GNUPG:] NEWSIG\n[GNUPG:] ERRSIG "), "{raw}");
            assert!(raw.contains("[GNUPG:] TRUST_UNDEFINED 0 shell\n"), "{raw}");
        }
    }
    for tag in kinds["online tag"].iter().take(5) {
        assert_eq!(git.run(&["verify-tag", tag]).status.code(), Some(1));
    }
}

#[test]
fn git_drives_waxseal_over_real_servers_objects() {
    let Some(corpus) = Corpus::open("real-servers") else { return };
    for (batch, hash) in [("objects.sha1.batch", "sha1"), ("objects.sha256.batch", "sha256")] {
        let git = Git::new(hash);
        git.trust("private", &corpus.path("trust/trusted_root.json"));
        corpus.each(batch, |row, raw| {
            let oid = git.write(row.get("type"), raw);
            assert_eq!(oid, row.oid());
            let verify = if row.get("type") == "tag" { "verify-tag" } else { "verify-commit" };
            let good = git.run(&[verify, &oid]).status.success();
            assert_eq!(good, row.get("embedded_verdict") == "verified", "{oid} {}", row.get("written_with"));
        });
    }
}

/// A repository, a home and a configuration of its own.
struct Git {
    folder: TempDir,
}

impl Git {
    fn new(object_format: &str) -> Self {
        let git = Self { folder: TempDir::new().unwrap() };
        std::fs::create_dir(git.folder.path().join("home")).unwrap();
        let done = git.run(&["init", "-q", "--object-format", object_format, "."]);
        assert!(done.status.success(), "{done:?}");
        git.config("gpg.x509.program", WAXSEAL);
        git
    }

    fn config(&self, key: &str, value: &str) {
        assert!(self.run(&["config", "--add", key, value]).status.success());
    }

    fn trust(&self, name: &str, trusted_root: &Path) {
        let mut command = self.command(WAXSEAL);
        command.args(["trust", "add", name, "--trusted-root"]).arg(trusted_root);
        let done = command.output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }

    fn write(&self, kind: &str, raw: &[u8]) -> String {
        let mut command = self.command("git");
        command.args(["hash-object", "-w", "-t", kind, "--literally", "--stdin"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(raw).unwrap();
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    fn log(&self, commit: &str, format: &str) -> String {
        let done = self.run(&["log", "--no-walk", &format!("--format={format}"), commit]);
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).unwrap().trim_end().to_owned()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command("git").args(arguments).output().unwrap()
    }

    fn command(&self, program: &str) -> Command {
        let home: PathBuf = self.folder.path().join("home");
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .env_clear()
            .envs(std::env::vars_os().filter(|(name, _)| name == "PATH"));
        command.env("HOME", home).env("GIT_CONFIG_NOSYSTEM", "1");
        command
    }
}

const WAXSEAL: &str = env!("CARGO_BIN_EXE_waxseal");
