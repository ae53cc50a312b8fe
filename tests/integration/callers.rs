//! Whoever calls a signer as Git does gets a signature, and reads the verdict on it in its own way.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, Stdio};

use super::sandbox::{ALICE, Ran, Sandbox, WAXSEAL};

/// One program, with the arguments that it gives and what it makes of the answers.
struct Caller {
    name: &'static str,
    sign: &'static [&'static str],
    is_signed: fn(&Ran) -> bool,
    verify: Verify,
}

/// How it verifies: not at all, or with these arguments, in which `SIG` and `DATA` are files.
enum Verify {
    No,
    With(&'static [&'static str], fn(&Ran) -> Verdict),
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Good,
    Bad,
    Unknown,
}

use Verify::{No, With};

const GIT: &[&str] = &["--status-fd=2", "-bsau", "Alice <alice@example.org>"];
const TO_STDIN: &[&str] = &["--status-fd=1", "--verify", "SIG", "-"];
const TWO_FILES: &[&str] = &["--status-fd=1", "--verify", "SIG", "DATA"];

const CALLERS: [Caller; 13] = [
    Caller { name: "git", sign: GIT, is_signed: created_on_a_later_line, verify: With(TO_STDIN, as_git) },
    Caller {
        name: "git, old",
        sign: GIT,
        is_signed: created_on_a_later_line,
        verify: With(&["--keyid-format=long", "--status-fd=1", "--verify", "SIG", "-"], as_git),
    },
    Caller { name: "gix, the library", sign: GIT, is_signed: created, verify: With(TWO_FILES, as_gix) },
    Caller {
        name: "gix, the program",
        sign: &["--keyid-format=long", "--status-fd=2", "--detach-sign", "--sign", "--armor"],
        is_signed: ended_well,
        verify: No,
    },
    Caller { name: "jj", sign: &["-abu", ALICE], is_signed: said_nothing, verify: With(TWO_FILES, as_jj) },
    Caller { name: "jj, no e-mail", sign: &["-abu", ""], is_signed: said_nothing, verify: With(TWO_FILES, as_jj) },
    Caller {
        name: "EGit",
        sign: &["-bsau", "<alice@example.org>", "--status-fd", "2"],
        is_signed: first_and_last_line,
        verify: With(&["--status-fd", "1", "--verify", "SIG", "-"], as_egit),
    },
    Caller {
        name: "EGit before 2024, OmegaT",
        sign: &["-bsau", "<alice@example.org>", "--batch", "--no-tty", "--status-fd", "2", "--output", "-"],
        is_signed: first_and_last_line,
        verify: No,
    },
    Caller {
        name: "JGit's own command",
        sign: &["-bsau", "<alice@example.org>", "--status-fd", "2"],
        is_signed: ended_well,
        verify: With(&["--status-fd", "1", "--no-tty", "--verify", "SIG", "-"], as_egit),
    },
    Caller { name: "gitui", sign: GIT, is_signed: created_on_a_later_line, verify: No },
    Caller { name: "git2-ext, git-branchless", sign: GIT, is_signed: created_on_a_later_line, verify: No },
    Caller { name: "GitButler", sign: &["--status-fd=2", "-bsau", ALICE, "-"], is_signed: ended_well, verify: No },
    Caller {
        name: "seen in the wild",
        sign: &["--status-fd=2", "-bsau", ALICE, "--armor", "--detach-sign"],
        is_signed: created,
        verify: With(&["--keyid-format=long", "--status-fd=1", "--verify", "SIG", "-"], as_git),
    },
];

#[test]
fn every_caller_signs_and_verifies() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let token = sandbox.token(ALICE);
    let payload = sandbox.write("payload", PAYLOAD);
    let tampered = sandbox.write("tampered", PAYLOAD.replace("message", "massage"));
    for Caller { name, sign, is_signed, verify } in CALLERS {
        let signed = Ran::of(sandbox.command(WAXSEAL).args(sign).env("WAXSEAL_ID_TOKEN", &token), PAYLOAD.as_bytes());
        let signed = signed.success();
        assert!(is_signed(&signed), "{name}: {}{}", signed.out(), signed.err());
        let armor = String::from_utf8(signed.stdout).unwrap();
        assert!(armor.ends_with("\n-----END SIGNED MESSAGE-----\n") && armor.len() < 65_536, "{name}");
        assert!(!armor.contains('\r') && String::from_utf8(signed.stderr).is_ok(), "{name}");

        let With(arguments, read) = verify else { continue };
        let signature = sandbox.write("signature", armor);
        let verdict = |data: &Path| read(&verified(&sandbox, arguments, &signature, data));
        assert_eq!(verdict(&payload), Verdict::Good, "{name}");
        assert_ne!(verdict(&tampered), Verdict::Good, "{name}");
        // Nobody is allowed: some look at the exit code, some at the trust, some at GOODSIG alone.
        sandbox.config("waxseal.allow", "");
        assert_ne!(verdict(&payload), Verdict::Bad, "{name}");
        sandbox.run_in(".", "git", ["config", "--global", "--unset-all", "waxseal.allow"]).success();
        sandbox.allow(ALICE);
    }
}

#[test]
fn jj_knows_bad_from_unknown() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    let token = sandbox.token(ALICE);
    let signed =
        Ran::of(sandbox.command(WAXSEAL).args(["-abu", ALICE]).env("WAXSEAL_ID_TOKEN", token), PAYLOAD.as_bytes());
    let signature = sandbox.write("signature", signed.success().stdout);
    let verdict = |text: &str| as_jj(&verified(&sandbox, TWO_FILES, &signature, &sandbox.write("data", text)));
    assert_eq!(verdict(PAYLOAD), Verdict::Good);
    assert_eq!(verdict("something else\n"), Verdict::Bad);
    // It hears nothing of trust: without anybody's word for it there is no GOODSIG.
    sandbox.run_in(".", "git", ["config", "--global", "--unset-all", "waxseal.allow"]).success();
    assert_eq!(verdict(PAYLOAD), Verdict::Unknown);
}

#[test]
fn a_caller_may_have_no_standard_error_and_no_home() {
    let sandbox = Sandbox::with_stack();
    let token = sandbox.token(ALICE);
    sandbox.write("payload", PAYLOAD);
    let sign = |prefix: &str, redirect: &str| {
        let mut shell = sandbox.command("sh");
        let script = format!("{prefix} \"$WAXSEAL\" -abu alice@example.org <../payload {redirect}");
        shell.args(["-c", &script]).env("WAXSEAL", WAXSEAL).env("WAXSEAL_ID_TOKEN", &token);
        Ran::of(&mut shell, b"")
    };
    let begins = |ran: &Ran| ran.out().starts_with("-----BEGIN SIGNED MESSAGE-----\n");
    assert!(begins(&sign("", "2>&-").success()), "nobody hears what is said");
    let mute = sandbox
        .sh(&format!("WAXSEAL_ID_TOKEN={token} \"$WAXSEAL\" --status-fd=2 -bsau alice@example.org <../payload 2>&-"));
    assert!(begins(&mute.success()), "status lines on a descriptor that is closed go nowhere, and nowhere else");
    // The place of the last error and of what logs said is not there; the instance is.
    let home = sandbox.path("home");
    let data = format!(
        "XDG_DATA_HOME='{}' XDG_STATE_HOME=/proc/none XDG_CACHE_HOME=/proc/none",
        home.join(".local/share").display()
    );
    assert!(begins(&sign(&format!("HOME=/proc/none {data}"), "").success()), "a home that cannot be written");
}

#[test]
fn a_key_may_be_any_bytes() {
    use std::os::unix::ffi::OsStrExt as _;
    let sandbox = Sandbox::with_stack();
    let token = sandbox.token(ALICE);
    for key in [
        &b""[..],
        b"J\xc3\xb6rg <alice@example.org>",
        b"J\xf6rg <alice@example.org>",
        b"-u",
        b"--verify",
        b"0xDEADBEEF",
    ] {
        for arguments in [
            vec![OsString::from("-bsau"), OsStr::from_bytes(key).into()],
            vec![OsStr::from_bytes(&[b"-bsau", key].concat()).into()],
        ] {
            if arguments == [OsString::from("-bsau")] {
                continue;
            }
            let mut sign = sandbox.command(WAXSEAL);
            sign.arg("--status-fd=2").args(&arguments).env("WAXSEAL_ID_TOKEN", &token);
            let signed = Ran::of(&mut sign, PAYLOAD.as_bytes()).success();
            assert!(created_on_a_later_line(&signed), "{arguments:?}");
        }
    }
}

/// Runs it as the caller does: with the data on stdin where that is `-`, else with nothing there.
fn verified(sandbox: &Sandbox, arguments: &[&str], signature: &Path, data: &Path) -> Ran {
    let mut verify: Command = sandbox.command(WAXSEAL);
    for argument in arguments {
        match *argument {
            "SIG" => verify.arg(signature),
            "DATA" => verify.arg(data),
            other => verify.arg(other),
        };
    }
    if arguments.contains(&"DATA") {
        return Ran::silent(verify.stdin(Stdio::null()));
    }
    Ran::of(&mut verify, &std::fs::read(data).unwrap())
}

fn ended_well(signed: &Ran) -> bool {
    !signed.stdout.is_empty()
}

fn created(signed: &Ran) -> bool {
    signed.err().lines().any(|line| line.starts_with("[GNUPG:] SIG_CREATED "))
}

/// Git before 2.36, gitui and git2-ext look for a line feed before it.
fn created_on_a_later_line(signed: &Ran) -> bool {
    signed.err().contains("\n[GNUPG:] SIG_CREATED ")
}

/// Whoever asked for no status lines gets none.
fn said_nothing(signed: &Ran) -> bool {
    signed.err().is_empty() && ended_well(signed)
}

fn first_and_last_line(signed: &Ran) -> bool {
    let text = signed.out();
    let mut lines = text.lines();
    let ends = (lines.next(), lines.next_back());
    ends == (Some("-----BEGIN SIGNED MESSAGE-----"), Some("-----END SIGNED MESSAGE-----")) && created(signed)
}

fn status<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix("[GNUPG:] ")?.strip_prefix(word)?.strip_prefix(' '))
}

fn as_git(ran: &Ran) -> Verdict {
    let text = ran.out();
    match (ran.code, text.contains("\n[GNUPG:] GOODSIG ")) {
        (Some(0), true) => Verdict::Good,
        _ if text.contains("\n[GNUPG:] BADSIG ") => Verdict::Bad,
        _ => Verdict::Unknown,
    }
}

/// Its own parser: exit code, GOODSIG, and a trust of at least what is demanded.
fn as_gix(ran: &Ran) -> Verdict {
    let text = ran.out();
    let good = status(&text, "GOODSIG").is_some() && status(&text, "TRUST_FULLY").is_some();
    match ran.code {
        Some(0) if good => Verdict::Good,
        _ if status(&text, "BADSIG").is_some() => Verdict::Bad,
        _ => Verdict::Unknown,
    }
}

/// The first of these lines, whatever the exit code.
fn as_jj(ran: &Ran) -> Verdict {
    let text = ran.out();
    let found = text.lines().find_map(|line| {
        let word = line.strip_prefix("[GNUPG:] ")?.split(' ').next()?;
        match word {
            "GOODSIG" => Some(Verdict::Good),
            "EXPKEYSIG" | "BADSIG" => Some(Verdict::Bad),
            "NO_PUBKEY" => Some(Verdict::Unknown),
            _ => None,
        }
    });
    found.unwrap_or_else(|| panic!("jj calls this an invalid format: {text}"))
}

/// It shows the program's name from stderr, and wants a field after VALIDSIG's time.
fn as_egit(ran: &Ran) -> Verdict {
    let text = ran.out();
    assert!(ran.err().starts_with("waxseal: "), "{}", ran.err());
    if let Some(fields) = status(&text, "VALIDSIG") {
        let fields: Vec<&str> = fields.split(' ').collect();
        assert!(fields.len() > 3 && fields[2].parse::<u64>().is_ok(), "{fields:?}");
    }
    match (status(&text, "GOODSIG"), status(&text, "TRUST_FULLY"), status(&text, "BADSIG")) {
        (Some(_), Some(_), _) => Verdict::Good,
        (_, _, Some(_)) => Verdict::Bad,
        _ => Verdict::Unknown,
    }
}

const PAYLOAD: &str = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor Alice <alice@example.org> 1 +0000\n\
                       committer Alice <alice@example.org> 1 +0000\n\nmessage\n";

#[test]
fn a_home_that_is_relative_is_none() {
    let sandbox = Sandbox::with_stack();
    sandbox.allow(ALICE);
    sandbox.git(["commit", "-q", "--allow-empty", "-S", "-m", "one"]).success();
    // Whoever made the work tree put an instance there.
    let planted = "mkdir -p home/.local/share && cp -R \"$HOME/.local/share/waxseal\" home/.local/share/";
    sandbox.sh(planted).success();
    let relative = sandbox
        .sh("unset XDG_DATA_HOME XDG_STATE_HOME XDG_CACHE_HOME; HOME=home \"$WAXSEAL\" verify --any-identity")
        .code(1);
    assert!(relative.out().contains("is not trusted"), "{}{}", relative.out(), relative.err());
    assert_eq!(sandbox.sh("ls -A home").success().out(), ".local\n");
    // And said who may sign.
    sandbox
        .sh("git config waxseal.allow >allowed; mkdir home/git; git config --global --unset-all waxseal.allow")
        .success();
    for file in ["home/.gitconfig", "home/git/config"] {
        sandbox.sh(&format!("git config --file {file} waxseal.allow \"$(cat allowed)\"")).success();
    }
    for variables in ["HOME=home", "XDG_CONFIG_HOME=home HOME=/nonexistent"] {
        let script = format!(
            "export XDG_DATA_HOME=\"$HOME/.local/share\"; unset GIT_CONFIG_GLOBAL XDG_CONFIG_HOME; {variables} \"$WAXSEAL\" verify"
        );
        sandbox.sh(&script).code(5);
    }
}
