//! A test's world: a home, a Git without any outside configuration, a running embedded Sigstore, and a repository that
//! signs through it as Alice.

use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use regex::Regex;
use serde_json::Value;
use tempfile::TempDir;
use waxseal::cms::armor;
use waxseal::cms::attributes::SignedAttributes;
use waxseal::crypto::Sha256Digest;
use waxseal::git::{HashKind, ObjectKind, SignedObject};
use waxseal::signature;

mod authority;
mod client;
#[path = "../strict/der.rs"]
pub(crate) mod der;
pub(crate) mod front;
pub(crate) mod made;
mod online;
pub(crate) mod served;
mod server;
pub(crate) mod ssh;
mod stack;
mod typist;

pub(crate) use authority::Authority;
pub(crate) use client::{Answer, FORM, JSON, http, token_form};
pub(crate) use online::OnlineSigner;
pub(crate) use server::{Server, rule};
pub(crate) use stack::{Stack, free_port};
pub(crate) use typist::Typist;

pub(crate) const WAXSEAL: &str = env!("CARGO_BIN_EXE_waxseal");
pub(crate) const ALICE: &str = "alice@example.org";
pub(crate) const BOB: &str = "bob@example.org";

/// All of it goes when it is dropped.
pub(crate) struct Sandbox {
    stack: Option<Stack>,
    folder: TempDir,
}

impl Sandbox {
    /// Home and Git only, with the empty repository `repository`.
    pub(crate) fn new() -> Self {
        let sandbox = Self { stack: None, folder: TempDir::new().unwrap() };
        for name in ["home", "run", "tmp"] {
            std::fs::create_dir(sandbox.path(name)).unwrap();
        }
        for (key, value) in [
            ("init.defaultBranch", "main"),
            ("user.name", "Alice"),
            ("user.email", ALICE),
            ("gpg.format", "x509"),
            ("gpg.x509.program", WAXSEAL),
            ("waxseal.browser", &format!("'{WAXSEAL}' follow-login")),
            ("waxseal.loginHint", ALICE),
            ("gc.auto", "0"),
            ("advice.detachedHead", "false"),
        ] {
            sandbox.run_in(".", "git", ["config", "--global", key, value]).success();
        }
        sandbox.run_in(".", "git", ["init", "--quiet", "repository"]).success();
        sandbox
    }

    /// The whole world. The instance is called `home`; Alice and Bob can log in; nobody said who may sign.
    pub(crate) fn with_stack() -> Self {
        Self::with_stack_and(&[])
    }

    /// The same, with a stack that was given these arguments at its first start.
    pub(crate) fn with_stack_and(arguments: &[&str]) -> Self {
        let mut sandbox = Self::new();
        sandbox.start_stack_with(arguments);
        sandbox.waxseal(["trust", "add", "home", "--url", sandbox.url(), "--sha256", sandbox.digest()]).success();
        sandbox.config("waxseal.instance", "home");
        sandbox
    }

    /// Starts the stack in the folder `sigstore`; the second time it is the same one again.
    pub(crate) fn start_stack(&mut self) {
        self.start_stack_with(&[]);
    }

    fn start_stack_with(&mut self, arguments: &[&str]) {
        self.stack = None;
        let mut serve = self.serve("sigstore", ["--auto-login", ALICE, "--auto-login", BOB]);
        serve.args(arguments);
        self.stack = Some(Stack::start(serve));
    }

    /// `waxseal serve` in the folder `data`, not yet started.
    pub(crate) fn serve<const N: usize>(&self, data: &str, arguments: [&str; N]) -> Command {
        let mut serve = self.command(WAXSEAL);
        serve.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(self.path(data)).args(arguments);
        serve
    }

    /// Kills the stack, as a power cut would.
    pub(crate) fn kill_stack(&mut self) {
        self.stack = None;
    }

    /// The stack that runs.
    pub(crate) fn stack(&self) -> &Stack {
        self.stack.as_ref().unwrap()
    }

    /// The stack's address.
    pub(crate) fn url(&self) -> &str {
        self.stack().url()
    }

    /// The digest of what the stack is trusted by.
    pub(crate) fn digest(&self) -> &str {
        self.stack().digest()
    }

    /// The stack's OpenID Connect issuer.
    pub(crate) fn issuer(&self) -> String {
        format!("{}/oidc", self.url())
    }

    /// `SAN (issuer)`, as Git shows it.
    pub(crate) fn signer(&self, address: &str) -> String {
        format!("{address} ({})", self.issuer())
    }

    /// Lets `address` sign.
    pub(crate) fn allow(&self, address: &str) {
        let item = format!("{address} {}", self.issuer());
        self.run_in(".", "git", ["config", "--global", "--add", "waxseal.allow", &item]).success();
    }

    /// Sets a key in the user's configuration.
    pub(crate) fn config(&self, key: &str, value: &str) {
        self.run_in(".", "git", ["config", "--global", key, value]).success();
    }

    /// An ID token of the stack's, by the authorization code flow with PKCE.
    pub(crate) fn token(&self, address: &str) -> String {
        let code = self.code(address, &[]);
        let form = token_form(&code, VERIFIER, REDIRECT);
        let answer = http("POST", &format!("{}/token", self.issuer()), FORM, form.as_bytes());
        answer.json()["id_token"].as_str().unwrap().to_owned()
    }

    /// An authorization code for a login as `address`; `changed` parameters are sent in the place of the right ones.
    pub(crate) fn code(&self, address: &str, changed: &[(&str, &str)]) -> String {
        let location = self.authorize(address, changed).header("location").unwrap();
        let code = location.split(['?', '&']).find_map(|pair| pair.strip_prefix("code="));
        code.unwrap_or_else(|| panic!("no code in {location}")).to_owned()
    }

    /// What the stack answers to a login as `address`.
    pub(crate) fn authorize(&self, address: &str, changed: &[(&str, &str)]) -> Answer {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256Digest::of(VERIFIER.as_bytes()));
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in [
            ("client_id", "sigstore"),
            ("response_type", "code"),
            ("scope", "openid email"),
            ("redirect_uri", REDIRECT),
            ("state", "state"),
            ("nonce", "nonce"),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
            ("login_hint", address),
        ] {
            let value = changed.iter().find(|(other, _)| *other == name).map_or(value, |(_, value)| value);
            query.append_pair(name, value);
        }
        http("GET", &format!("{}/auth?{}", self.issuer(), query.finish()), "", b"")
    }

    /// Git, in the repository.
    pub(crate) fn git<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Ran {
        self.run_in("repository", "git", arguments)
    }

    /// waxseal, in the repository.
    pub(crate) fn waxseal<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Ran {
        self.run_in("repository", WAXSEAL, arguments)
    }

    /// A shell command, in the repository; `$WAXSEAL` is the program.
    pub(crate) fn sh(&self, script: &str) -> Ran {
        Ran::of(self.command("sh").args(["-c", script]).env("WAXSEAL", WAXSEAL), b"")
    }

    /// A program, in a folder.
    pub(crate) fn run_in<S: AsRef<OsStr>>(
        &self,
        folder: &str,
        program: &str,
        arguments: impl IntoIterator<Item = S>,
    ) -> Ran {
        Ran::of(self.command(program).args(arguments).current_dir(self.path(folder)), b"")
    }

    /// A program in the repository, with nothing of the caller's environment but `PATH`.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env_clear().env("PATH", path).current_dir(self.path("repository"));
        for (name, folder) in [
            ("HOME", "home"),
            ("XDG_RUNTIME_DIR", "run"),
            ("TMPDIR", "tmp"),
            ("GIT_CONFIG_GLOBAL", "home/.gitconfig"),
            ("GIT_CEILING_DIRECTORIES", ""),
        ] {
            command.env(name, self.path(folder));
        }
        for (name, value) in [
            ("GIT_CONFIG_NOSYSTEM", "1"),
            // Wherever the tests run.
            ("NO_GCE_CHECK", "true"),
            // Nobody sits at the terminal that the tests may have.
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_AUTHOR_DATE", DATE),
            ("GIT_COMMITTER_DATE", DATE),
            ("GIT_EDITOR", "true"),
            ("LC_ALL", "C"),
            ("TZ", "UTC"),
        ] {
            command.env(name, value);
        }
        command
    }

    /// Commits that deserve a verdict each, on no branch.
    pub(crate) fn gallery(&self) -> Gallery {
        let (alice, bob) = (self.token(ALICE), self.token(BOB));
        let commit = |token: &str| {
            let mut git = self.command("git");
            git.args(["commit", "-q", "--allow-empty", "-S", "-m", "Say hello"]).env("WAXSEAL_ID_TOKEN", token);
            Ran::of(&mut git, b"").success();
            self.git(["rev-parse", "HEAD"]).line()
        };
        let (by_bob, by_alice) = (commit(&bob), commit(&alice));
        let raw = self.git(["cat-file", "commit", &by_alice]).success().stdout;
        let signed = SignedObject::parse(ObjectKind::Commit, HashKind::Sha1, &raw);
        let text = String::from_utf8(raw.clone()).unwrap();
        let replace = |from: &str, to: &str| self.hash_object("commit", text.replace(from, to).as_bytes());
        let header = |armor: &str| format!("gpgsig {}\n", armor.trim_end().replace('\n', "\n "));
        let armor = std::str::from_utf8(&signed.signatures[0]).unwrap();
        let other =
            |format: &str| format!("-----BEGIN {format} SIGNATURE-----\n\nAAAA\n-----END {format} SIGNATURE-----\n");
        Gallery {
            tampered: replace("Say hello", "Say goodbye"),
            online: replace(&header(armor), &header(&without_log_entry(&signed.payload, armor))),
            garbled: replace(&header(armor), &header(&armor.replace("MII", "!II"))),
            unsigned: replace(&header(armor), ""),
            openpgp: replace(&header(armor), &header(&other("PGP"))),
            ssh: replace(&header(armor), &header(&other("SSH"))),
            by_alice,
            by_bob,
        }
    }

    /// Why the last signature failed, without the time. Git before 2.40 drops what a failing signer says on stderr.
    pub(crate) fn last_error(&self) -> String {
        let text = std::fs::read_to_string(self.path("home/.local/state/waxseal/last-error")).unwrap();
        self.masked(text.split_once('\n').unwrap().1)
    }

    /// A place in the sandbox.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file in the sandbox.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Writes a signed commit with this message, byte for byte, and returns its ID.
    pub(crate) fn commit_tree(&self, message: &[u8]) -> String {
        let tree = self.git(["mktree"]).success().line();
        let mut command = self.command("git");
        command.args(["commit-tree", "-S", "-F", "-", &tree]);
        Ran::of(&mut command, message).success().line()
    }

    /// Writes a raw object, whatever it is worth.
    pub(crate) fn hash_object(&self, kind: &str, raw: &[u8]) -> String {
        let mut command = self.command("git");
        command.args(["hash-object", "-w", "-t", kind, "--literally", "--stdin"]);
        Ran::of(&mut command, raw).success().line()
    }

    /// What changes from run to run gets a name: addresses, times, hexadecimal digests, folders.
    pub(crate) fn masked(&self, text: &str) -> String {
        let mut text = text.replace(self.folder.path().to_str().unwrap(), "SANDBOX").replace(WAXSEAL, "waxseal");
        if let Some(stack) = &self.stack {
            text = text.replace(stack.url(), "STACK");
        }
        for (pattern, name) in [
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
            (r"\b\d{4}-\d\d-\d\d \d{10} ", "DATE SECONDS "),
            // Nothing shorter: ten digits may be an abbreviated object ID.
            (r"SIG_CREATED D 19 8 00 \d{10}\b", "SIG_CREATED D 19 8 00 SECONDS"),
            (r"\b[0-9a-f]{64}\b", "SHA256"),
            (r"\b[0-9a-f]{40}\b", "SHA1"),
            (r"\b127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
        ] {
            text = Regex::new(pattern).unwrap().replace_all(&text, name).into_owned();
        }
        text
    }
}

/// Object IDs.
pub(crate) struct Gallery {
    pub(crate) by_alice: String,
    pub(crate) by_bob: String,
    /// Alice's with another message.
    pub(crate) tampered: String,
    /// Alice's as gitsign writes it in its online mode.
    pub(crate) online: String,
    /// Alice's with a byte that is not base64.
    pub(crate) garbled: String,
    pub(crate) unsigned: String,
    pub(crate) openpgp: String,
    pub(crate) ssh: String,
}

/// The same signature without its proof.
pub(crate) fn without_log_entry(payload: &[u8], armor: &str) -> String {
    let opened = signature::git::open(payload, armor.as_bytes()).unwrap();
    let attributes = SignedAttributes::for_payload(payload, opened.signing_time.unwrap()).unwrap();
    assert_eq!(attributes.message(), opened.message);
    let material = &opened.material;
    armor::encode(&signature::git::seal(&attributes, &material.certificate, &material.signature, None, &[]).unwrap())
}

/// How a program ended, and what it said.
#[derive(Clone)]
pub(crate) struct Ran {
    command: String,
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl Ran {
    /// Runs `command` with `stdin`.
    pub(crate) fn of(command: &mut Command, stdin: &[u8]) -> Self {
        Self::with_stdout(command, stdin, Stdio::piped())
    }

    /// Runs `command` with the stdin that it has.
    pub(crate) fn silent(command: &mut Command) -> Self {
        let done = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
        Self { command: format!("{command:?}"), code: done.status.code(), stdout: done.stdout, stderr: done.stderr }
    }

    /// Runs `command` with a stdout that nobody reads.
    pub(crate) fn unread(command: &mut Command, stdin: &[u8]) -> Self {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        Self::with_stdout(command, stdin, writer.into())
    }

    fn with_stdout(command: &mut Command, stdin: &[u8], stdout: Stdio) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
        let mut pipe = child.stdin.take().unwrap();
        let stdin = stdin.to_vec();
        // Whoever does not read to the end gets no more.
        let writer = std::thread::spawn(move || drop(pipe.write_all(&stdin)));
        let done = child.wait_with_output().unwrap();
        writer.join().unwrap();
        let arguments: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
        Self {
            command: format!("{} {}", command.get_program().to_string_lossy(), arguments.join(" ")),
            code: done.status.code(),
            stdout: done.stdout,
            stderr: done.stderr,
        }
    }

    #[track_caller]
    pub(crate) fn success(self) -> Self {
        self.code(0)
    }

    /// Must have ended with this exit code.
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}{}", self.command, self.out(), self.err());
        self
    }

    pub(crate) fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    pub(crate) fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// The one line on stdout.
    #[track_caller]
    pub(crate) fn line(&self) -> String {
        let text = self.out();
        assert_eq!(text.lines().count(), 1, "{}\n{text}", self.command);
        text.trim_end().to_owned()
    }

    /// Every line on stdout, of JSON.
    #[track_caller]
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        let parsed: Result<Vec<Value>, _> = self.out().lines().map(serde_json::from_str).collect();
        parsed.unwrap_or_else(|error| panic!("{}: {error}\n{}{}", self.command, self.out(), self.err()))
    }

    /// Those of objects, of a stream that is whole.
    #[track_caller]
    pub(crate) fn objects(&self) -> Vec<Value> {
        let lines = self.json_lines();
        let is_whole = lines.last().is_some_and(|line| line["type"] == "footer");
        assert!(is_whole, "{}\n{}{}", self.command, self.out(), self.err());
        lines.into_iter().filter(|line| line["type"] == "object").collect()
    }

    /// The one of the only object.
    #[track_caller]
    pub(crate) fn object(&self) -> Value {
        let objects = self.objects();
        let [object] = &objects[..] else { panic!("{}: {objects:?}", self.command) };
        object.clone()
    }
}

/// Lines of arguments for a loop.
pub(crate) fn words(line: &str) -> Vec<OsString> {
    line.split(' ').map(OsString::from).collect()
}

/// The path of a program, if this machine has it.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| Path::is_file(file))
}

pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const REDIRECT: &str = "http://localhost:39911/auth/callback";
/// Long ago, so that nothing can take a claimed date for a proven one.
const DATE: &str = "2020-02-02T02:02:02Z";
