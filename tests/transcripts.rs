//! Every sentence that a user can meet without a server is the one that was agreed on: `transcripts/*.toml`, one
//! invocation each. `TRYCMD=overwrite cargo test --test transcripts` writes down what is said now.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and writes files that nobody else reads"
)]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ssh_key::private::Ed25519Keypair;
use ssh_key::{HashAlg, LineEnding, PrivateKey};
use tempfile::TempDir;

#[test]
fn every_sentence_is_the_one_that_was_agreed_on() {
    if std::env::var_os(IN_THE_WORLD).is_some() {
        let cases = trycmd::TestCases::new();
        cases.default_bin_path(env!("CARGO_BIN_EXE_waxseal"));
        cases.insert_var("[HOME]", std::env::var("HOME").unwrap()).unwrap();
        return cases.case(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts/*.toml")).run();
    }
    let world = World::new();
    // The same test again, in a process that has nothing of the caller's environment: a case may change what it finds
    // there, but not what trycmd would add. What a case does not say itself, it finds in the world's repository.
    let mut inside = Command::new(std::env::current_exe().unwrap());
    inside.args(["--exact", "every_sentence_is_the_one_that_was_agreed_on", "--nocapture"]);
    inside.args(std::env::args().filter(|argument| argument.starts_with("trycmd=")));
    inside.env_clear().envs(world.environment()).env(IN_THE_WORLD, "1").current_dir(world.path("repository"));
    for name in ["PATH", "TRYCMD"] {
        inside.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    assert!(inside.status().unwrap().success());
}

/// A home with some instances, and a repository that nobody signed anything in.
struct World {
    folder: TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self { folder: TempDir::new().unwrap() };
        for name in ["home/.config/git", "repository", "unborn", "run"] {
            std::fs::create_dir_all(world.path(name)).unwrap();
        }
        let root = include_bytes!("../src/trust_store/public_good/trusted_root.json");
        world.write("repository/trusted_root.json", root);
        world.write("repository/1.root.json", include_bytes!("../src/trust_store/public_good/root.json"));
        world.write("repository/broken.json", b"{");
        world.write("repository/empty.json", b"{}");
        world.write("repository/list.json", b"[]");
        world.write("repository/large.json", &vec![b' '; (1 << 20) + 1]);
        world.write("broken.gitconfig", b"[waxseal\n");
        world.write("repository/payload", b"payload\n");
        for (name, label) in [("ssh", "SSH SIGNATURE"), ("openpgp", "PGP SIGNATURE"), ("garbage", "SIGNED MESSAGE")] {
            let armor = format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
            world.write(&format!("repository/{name}.signature"), armor.as_bytes());
        }
        world.write("repository/other.signature", b"signed by hand\n");

        world.git("repository", &["init", "-q", "-b", "main"], b"");
        world.git("unborn", &["init", "-q", "-b", "main"], b"");
        world.git("repository", &["add", "payload"], b"");
        world.git("repository", &["commit", "-q", "-m", "An unsigned commit"], b"");
        world.git("repository", &["tag", "-m", "An unsigned tag", "v1"], b"");
        let raw = world.git("repository", &["cat-file", "commit", "HEAD"], b"");
        for (name, label) in [("openpgp", "PGP SIGNATURE"), ("ssh", "SSH SIGNATURE"), ("garbage", "SIGNED MESSAGE")] {
            let header = format!("\ngpgsig -----BEGIN {label}-----\n AAAA\n -----END {label}-----\n\n");
            let object = raw.replacen("\n\n", &header, 1);
            let id = world.git("repository", &["hash-object", "-t", "commit", "-w", "--stdin"], object.as_bytes());
            world.git("repository", &["tag", name, id.trim()], b"");
        }
        // On top of it, by a key and behind no ref: it has the same id each time.
        let parent = format!("\nparent {}\nauthor ", world.git("repository", &["rev-parse", "HEAD"], b"").trim());
        let payload = raw.replacen("\nauthor ", &parent, 1).replace("An unsigned commit", "A commit by a key");
        let key = PrivateKey::from(Ed25519Keypair::from_seed(&[1; 32]));
        let armor = key.sign("git", HashAlg::Sha512, payload.as_bytes()).unwrap().to_pem(LineEnding::LF).unwrap();
        let header = format!("\ngpgsig {}\n\n", armor.trim_end().replace('\n', "\n "));
        let object = payload.replacen("\n\n", &header, 1);
        let id = world.git("repository", &["hash-object", "-t", "commit", "-w", "--stdin"], object.as_bytes());
        assert_eq!(id.trim(), BY_KEY);
        let keys = format!(
            "version = 1\n[[rule]]\nname = \"alice's key\"\nssh = [\"{}\"]\nunbounded = true\n",
            key.public_key().to_openssh().unwrap()
        );
        world.write("keys.toml", keys.as_bytes());

        let home = |file: &str| format!("home/.local/share/waxseal/instances/{file}");
        for (name, record) in [("reads", ""), ("broken", ""), ("mistyped", "issuers = [\"https://a.example\"]\n")] {
            std::fs::create_dir_all(world.path(&home(name))).unwrap();
            world.write(&home(&format!("{name}/instance.toml")), record.as_bytes());
            world.write(&home(&format!("{name}/trusted_root.json")), root);
        }
        world.write(&home("broken/trusted_root.json"), b"{");
        let config = include_str!("../src/trust_store/public_good/signing_config.v0.2.json");
        let second = include_str!("../src/trust_store/public_good/signing_config_rekor_v2.v0.2.json");
        let tsa = "https://timestamp.sigstore.dev/api/v1/timestamp";
        let unstamped = config.replace("\"start\": \"2025-07-04T00:00:00Z\"", "\"start\": \"2999-01-01T00:00:00Z\"");
        let stolen = second.replace("https://fulcio.sigstore.dev", "https://evil.example");
        assert!(unstamped != config && stolen != second && config.contains(tsa));
        for (name, first, second) in [
            ("v1-only", config, None),
            ("v2-only", &second.replace("\"majorApiVersion\": 1", "\"majorApiVersion\": 3"), None),
            ("unstamped", &unstamped, None),
            ("stolen", config, Some(&stolen)),
            ("several", &config.replacen("\"ANY\"", "\"EXACT\",\"count\":2", 1), None),
        ] {
            std::fs::create_dir_all(world.path(&home(name))).unwrap();
            world.write(&home(&format!("{name}/instance.toml")), b"");
            world.write(&home(&format!("{name}/trusted_root.json")), root);
            world.write(&home(&format!("{name}/signing_config.v0.2.json")), first.as_bytes());
            if let Some(second) = second {
                world.write(&home(&format!("{name}/signing_config_rekor_v2.v0.2.json")), second.as_bytes());
            }
        }
        let rule = "[[rule]]\nname = \"people\"\nissuer = \"https://accounts.example.org\"\n";
        let good = format!("version = 1\n{rule}instance = \"reads\"\nemail = [\"alice@example.org\"]\n");
        world.write("repository/policy.toml", good.as_bytes());
        world.write("policy.toml", good.as_bytes());
        let head = world.git("repository", &["rev-parse", "HEAD"], b"");
        let exempt = format!("version = 1\n[[exempt]]\nobject = \"{}\"\nreason = \"before the law\"\n", head.trim());
        world.write("repository/exempting.toml", good.replace("version = 1\n", &exempt).as_bytes());
        let loose = format!("version = 1\n{rule}email = [\"regex:.*\"]\nuntil = 2020-01-01T00:00:00Z\n");
        world.write("repository/loose.toml", loose.as_bytes());
        world.write("repository/mistyped.toml", good.replace("email", "emial").as_bytes());
        world.write("repository/large.pem", &vec![b' '; (4 << 20) + 1]);
        world.write("repository/key.pem", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
        world
    }

    fn environment(&self) -> Vec<(&'static str, String)> {
        let path = |name: &str| self.path(name).to_str().unwrap().to_owned();
        let fixed = |text: &str| text.to_owned();
        vec![
            ("HOME", path("home")),
            ("XDG_RUNTIME_DIR", path("run")),
            ("GIT_CEILING_DIRECTORIES", path("")),
            ("GIT_CONFIG_NOSYSTEM", fixed("1")),
            ("GIT_TERMINAL_PROMPT", fixed("0")),
            ("GIT_AUTHOR_DATE", fixed(DATE)),
            ("GIT_COMMITTER_DATE", fixed(DATE)),
            ("LC_ALL", fixed("C")),
            ("TZ", fixed("UTC")),
            // Help pages are as wide as they were.
            ("COLUMNS", fixed("100")),
            // One of the instances cannot be read, which concerns those alone who ask for it.
            ("WAXSEAL_TRUST", fixed("public-good\nreads")),
        ]
    }

    fn git(&self, folder: &str, arguments: &[&str], stdin: &[u8]) -> String {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=Alice", "-c", "user.email=alice@example.org"]).args(arguments);
        let path = std::env::var_os("PATH").unwrap_or_default();
        git.env_clear().env("PATH", path).envs(self.environment()).current_dir(self.path(folder));
        let mut child = git.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(stdin).unwrap();
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success(), "git {arguments:?}");
        String::from_utf8(done.stdout).unwrap()
    }

    fn write(&self, name: &str, content: &[u8]) {
        std::fs::write(self.path(name), content).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(self.folder.path()).join(name)
    }
}

/// Set in the process that runs the cases.
const IN_THE_WORLD: &str = "WAXSEAL_TRANSCRIPTS";
/// The commit that a key signed.
const BY_KEY: &str = "bc05494acc4c7c879a6ac5b8cf09dbeae78f1ba1";
const DATE: &str = "2020-02-02T02:02:02Z";
