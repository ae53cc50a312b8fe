//! The command line: two grammars, one [`Invocation`]. Touches nothing, reads nothing but its arguments.
//!
//! Git and the programs that do as Git does call waxseal in gpgsm's grammar ([`gpg_flags`]); people and scripts call its
//! commands. The first argument decides, so that a signer named `verify` (`-u verify`) is never taken for a command.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::{Args, Command, CommandFactory, FromArgMatches, Parser, Subcommand};

mod agent_flags;
mod ci_flags;
mod completions;
mod doctor_flags;
mod evidence_flags;
mod gpg_flags;
mod hook_flags;
mod judging_flags;
mod manual;
mod policy_flags;
mod report_flags;
mod selection_flags;
mod serve_flags;
mod setup_flags;
mod show_flags;
mod trust_flags;
mod usage_error;
mod verify_flags;
mod who_flags;

pub use agent_flags::{Agent, LogIn, LogOut, WhoAmI};
pub use ci_flags::Ci;
pub use doctor_flags::Doctor;
pub use evidence_flags::EvidenceCommand;
pub use hook_flags::{BadTime, Hook, HookEvent, MaxTime};
pub use manual::Manual;
pub use policy_flags::PolicyCommand;
pub use report_flags::{Listing, Reports};
pub use serve_flags::{
    BadRateLimit, Client, LimitedClass, Listen, OneUser, RateLimit, Serve, ServeBackup, ServeClock, ServeCommand,
    ServeEnv, ServeInit, ServeRotate, ServeUser,
};
pub use trust_flags::{Trust, TrustAdd, TrustImport, TrustRefresh, TrustSource};

pub use setup_flags::Setup;
pub use show_flags::{Show, ShowFormat};
pub use usage_error::UsageError;
pub use who_flags::Who;

use ci_flags::CiFlags;
use completions::CompletionsFlags;
use hook_flags::HookCommand;
use manual::{ManFlags, Pages};
use policy_flags::PolicyLine;
use serve_flags::ServeLine;
use show_flags::ShowFlags;
use verify_flags::{ExplainFlags, VerifyFlags, VerifyTagFlags};
use who_flags::WhoFlags;

/// What one run of the program is to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Invocation {
    /// Keep logins in memory and sign with them.
    Agent(Agent),
    /// Verify what a CI job is about.
    Ci(Ci),
    /// Look at everything that signing and verifying depend on.
    Doctor(Doctor),
    /// Get and keep what signatures do not carry.
    Evidence(EvidenceCommand),
    /// Verify one object and say why.
    Explain(Verify),
    /// The hidden browser of tests and of `scripts/try`.
    FollowLogin(FollowLogin),
    /// Sign the payload as Git asks for it.
    GitSign(GitSign),
    /// Verify one signature as Git asks for it.
    GitVerify(GitVerify),
    /// Judge a push.
    Hook(Hook),
    /// Write the manual pages.
    Man(Manual),
    /// Log in, for the signatures to come.
    LogIn(LogIn),
    /// Log out.
    LogOut(LogOut),
    /// Open a browser, in a process of its own.
    OpenBrowser(OpenBrowser),
    /// Look after policy files.
    Policy(PolicyCommand),
    /// Print this text on stdout: a help page, a shell's completions or the version.
    Print(String),
    /// Run the embedded Sigstore.
    Serve(Serve),
    /// Look after the folder of an embedded Sigstore.
    ServeCommand(ServeCommand),
    /// Tell Git to sign with waxseal.
    Setup(Setup),
    /// Show what an object claims.
    Show(Show),
    /// Look after the instances that are trusted.
    Trust(Trust),
    /// Verify objects of the repository.
    Verify(Verify),
    /// Verify tags by name.
    VerifyTag(Verify),
    /// Say who signed a history.
    Who(Who),
    /// Say who is logged in.
    WhoAmI(WhoAmI),
}

/// `waxseal --status-fd=2 -bsau KEY`, and the other spellings of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct GitSign {
    /// Who is asked to sign: Git's `user.signingKey`, or `Name <address>` of the committer; may be empty or not UTF-8.
    pub local_user: Option<OsString>,
    /// Where status lines go; `None`: there are none.
    pub status_fd: Option<StatusFd>,
    /// PEM is wanted, not DER.
    pub armor: bool,
    /// It is said why things are done as they are.
    pub verbose: bool,
    /// Where the payload is.
    pub payload: Input,
    /// Where the signature goes; `None`: stdout.
    pub output: Option<PathBuf>,
}

/// `waxseal --status-fd=1 --verify SIGNATURE PAYLOAD`
#[derive(Debug, PartialEq, Eq)]
pub struct GitVerify {
    /// Where status lines go; `None`: there are none.
    pub status_fd: Option<StatusFd>,
    /// Where the armored signature is.
    pub signature: Input,
    /// Where the payload is. Git passes `-`; jj and gitoxide pass a file.
    pub payload: Input,
}

/// Bytes to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Input {
    /// A file.
    File(PathBuf),
    /// Standard input: `-`, or no operand.
    #[default]
    Stdin,
}

/// `--status-fd N`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusFd {
    /// 1
    Stdout,
    /// 2
    Stderr,
    /// An inherited descriptor from 3 on.
    Inherited(u32),
}

/// `waxseal verify`, `waxseal verify-tag`, `waxseal explain`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verify {
    /// Revisions and ranges, or names of tags, as they were typed; empty: HEAD.
    pub revisions: Vec<OsString>,
    /// Every commit that a ref leads to, besides.
    pub all: bool,
    /// Patterns for names of tags, which are verified besides.
    pub tags: Vec<String>,
    /// Standard input names more revisions.
    pub stdin: bool,
    /// JSON lines, not lines for people.
    pub json: bool,
    /// Which objects people see a line of.
    pub listing: Listing,
    /// What is written besides.
    pub reports: Reports,
    /// What earlier runs found is not looked at, and what this one finds is not kept.
    pub no_cache: bool,
    /// The log is asked for what a signature does not carry.
    pub online: bool,
    /// No connection is opened, whatever the settings say.
    pub offline: bool,
    /// The only trusted root of this run.
    pub trusted_root: Option<PathBuf>,
    /// Who may have signed.
    pub admitted: AdmittedFlags,
    /// The full name of the ref that the policy is to judge for.
    pub reference: Option<String>,
    /// The instance that must have vouched for the identity that the flags name.
    pub instance: Option<String>,
    /// No object at all is no failure.
    pub allow_empty: bool,
    /// Certificates need not prove that they were logged.
    pub insecure_ignore_sct: bool,
    /// How old trust material may be, as it was typed.
    pub max_trust_age: Option<String>,
}

/// Who may sign, as far as flags say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AdmittedFlags {
    /// `--any-identity`
    Anyone,
    /// `--certificate-identity…` and `--certificate-oidc-issuer…`
    Identity {
        /// The subject alternative name.
        identity: Pattern,
        /// The OIDC issuer.
        issuer: Pattern,
    },
    /// `--policy`: a path, or `REF:PATH`.
    Policy(PathBuf),
    /// No flag: the settings say.
    #[default]
    Unsaid,
}

/// A value, or a regular expression for values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Byte for byte.
    Exact(String),
    /// Must match the whole.
    Regexp(String),
}

/// `waxseal follow-login`
#[derive(Args, Debug, PartialEq, Eq)]
pub struct FollowLogin {
    /// Where the login begins
    pub url: String,
}

/// `waxseal open-browser`: how waxseal starts itself to open a browser (`oidc/opener.rs`)
#[derive(Args, Debug, PartialEq, Eq)]
pub struct OpenBrowser {
    /// What to show
    pub url: String,
}

/// Reads the command line, program name first.
///
/// # Errors
/// [`UsageError`] when nothing can be made of it: exit code 2, and nothing on stdout.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Invocation, UsageError> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let operands = arguments.get(1..).unwrap_or_default();
    match operands.first().map(|first| first.as_os_str()) {
        None => Err(UsageError::Nothing { help: OwnCommandLine::command().render_help().to_string() }),
        Some(first) if speaks_gpg(first, operands) => gpg_flags::parse(operands),
        Some(_) => own_command(&arguments),
    }
}

/// Whether the arguments are in gpgsm's grammar.
fn speaks_gpg(first: &OsStr, operands: &[OsString]) -> bool {
    let own = |argument: &OsStr| ["--help", "-h", "--version", "-V"].iter().any(|flag| argument == *flag);
    if first.as_encoded_bytes().starts_with(b"-") {
        return !own(first);
    }
    // A signature file may come before "--verify".
    let command = OwnCommandLine::command().get_subcommands().any(|command| first == command.get_name());
    !command && first != "help" && operands.iter().any(|argument| argument == "--verify")
}

fn own_command(arguments: &[OsString]) -> Result<Invocation, UsageError> {
    let parsed = OwnCommandLine::command()
        .try_get_matches_from(arguments)
        .and_then(|mut matches| OwnCommandLine::from_arg_matches_mut(&mut matches));
    match parsed {
        Ok(line) => match line.command {
            OwnCommand::Ci(flags) => flags.resolve().map(Invocation::Ci),
            OwnCommand::Completions(flags) => Ok(Invocation::Print(flags.script(public_commands()))),
            OwnCommand::Doctor(doctor) => Ok(Invocation::Doctor(doctor)),
            OwnCommand::Evidence { command } => Ok(Invocation::Evidence(command)),
            OwnCommand::Hook { command } => command.resolve().map(Invocation::Hook),
            OwnCommand::FollowLogin(follow) => Ok(Invocation::FollowLogin(follow)),
            OwnCommand::Man(flags) => Ok(match flags.pages(public_commands()) {
                Pages::First(page) => Invocation::Print(page),
                Pages::Manual(manual) => Invocation::Man(manual),
            }),
            OwnCommand::Agent(agent) => Ok(Invocation::Agent(agent)),
            OwnCommand::Login(login) => Ok(Invocation::LogIn(login)),
            OwnCommand::Logout(logout) => Ok(Invocation::LogOut(logout)),
            OwnCommand::OpenBrowser(open) => Ok(Invocation::OpenBrowser(open)),
            OwnCommand::Serve(line) => {
                line.resolve().ok_or_else(|| UsageError::Command("waxseal serve needs --data".to_owned()))
            }
            OwnCommand::Policy { command } => Ok(Invocation::Policy(command.resolve())),
            OwnCommand::Setup(setup) => Ok(Invocation::Setup(setup)),
            OwnCommand::Show(flags) => Ok(Invocation::Show(flags.resolve())),
            OwnCommand::Trust { command } => Ok(Invocation::Trust(command)),
            OwnCommand::Explain(flags) => flags.resolve().map(Invocation::Explain),
            OwnCommand::Verify(flags) => flags.resolve().map(Invocation::Verify),
            OwnCommand::VerifyTag(flags) => flags.resolve().map(Invocation::VerifyTag),
            OwnCommand::Who(flags) => flags.resolve().map(Invocation::Who),
            OwnCommand::Whoami(whoami) => Ok(Invocation::WhoAmI(whoami)),
        },
        Err(error) if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            Err(UsageError::Nothing { help: error.render().to_string() })
        }
        Err(error) if error.use_stderr() => {
            let text = error.render().to_string();
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            Err(UsageError::Command(text.trim_end().to_owned()))
        }
        Err(help_or_version) => Ok(Invocation::Print(help_or_version.render().to_string())),
    }
}

/// The commands that people call, without the hidden ones.
fn public_commands() -> Command {
    let all = OwnCommandLine::command();
    let public = all.get_subcommands().filter(|command| !command.is_hide_set()).cloned().collect::<Vec<_>>();
    let about = all.get_about().cloned().unwrap_or_default();
    let long_about = all.get_long_about().cloned().unwrap_or_default();
    Command::new("waxseal").version(env!("CARGO_PKG_VERSION")).about(about).long_about(long_about).subcommands(public)
}

/// Keyless signing and verification of Git commits
///
/// Git calls waxseal by itself once it is set up:
///
///   waxseal setup --instance NAME
#[derive(Parser)]
#[command(name = "waxseal", version, verbatim_doc_comment, subcommand_required = true)]
struct OwnCommandLine {
    #[command(subcommand)]
    command: OwnCommand,
}

#[derive(Subcommand)]
enum OwnCommand {
    /// Keep logins in memory and sign with them; starts by itself when it is needed
    Agent(Agent),
    /// Verify what a CI job is about: a pull request, a push, a tag
    Ci(CiFlags),
    /// Print what a shell needs to complete commands and flags
    Completions(CompletionsFlags),
    /// Look for what would keep Git from signing and verifying, and say what helps
    Doctor(Doctor),
    /// Get and keep the log entries that signatures do not carry
    Evidence {
        #[command(subcommand)]
        command: EvidenceCommand,
    },
    /// Show the whole proof of one object, and what would change the verdict
    Explain(ExplainFlags),
    #[command(hide = true)]
    FollowLogin(FollowLogin),
    /// Judge a push, as a hook of Git's: before a server takes it, or before it leaves
    Hook {
        #[command(subcommand)]
        command: HookCommand,
    },
    /// Print or write the manual pages
    Man(ManFlags),
    /// Log in now, for the signatures to come
    Login(LogIn),
    /// Forget logins
    Logout(LogOut),
    #[command(hide = true)]
    OpenBrowser(OpenBrowser),
    /// Look after policy files: who may sign
    Policy {
        #[command(subcommand)]
        command: PolicyLine,
    },
    /// Run a Sigstore of your own: login, certificate authority, logs
    Serve(ServeLine),
    /// Tell Git to sign with waxseal, or put back what was there before
    Setup(Setup),
    /// Show what a signature claims; verifies nothing
    Show(ShowFlags),
    /// Add, list, show, refresh and remove trusted Sigstore instances
    Trust {
        #[command(subcommand)]
        command: Trust,
    },
    /// Verify signed commits and tags
    Verify(VerifyFlags),
    /// Verify signed tags by name
    VerifyTag(VerifyTagFlags),
    /// Show who signed a history, how much, and when that is proven to have been
    Who(WhoFlags),
    /// Show who is logged in, and for how long
    Whoami(WhoAmI),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &[&str]) -> Result<Invocation, UsageError> {
        parse(std::iter::once("waxseal").chain(line.iter().copied()).map(OsString::from))
    }

    #[test]
    fn the_grammars_are_told_apart() {
        assert!(matches!(parsed(&["--status-fd=2", "-bsau", "verify"]), Ok(Invocation::GitSign(_))));
        assert!(matches!(parsed(&["sig", "--verify", "-"]), Ok(Invocation::GitVerify(_))));
        assert!(matches!(parsed(&["-"]), Err(UsageError::OneOperation)));
        assert!(matches!(parsed(&["verify", "--any-identity"]), Ok(Invocation::Verify(_))));
        assert!(matches!(parsed(&["verify", "--verify"]), Err(UsageError::Command(_))));
        assert!(matches!(parsed(&["verfy"]), Err(UsageError::Command(text)) if text.contains("'verify'")));
        assert!(matches!(parsed(&[]), Err(UsageError::Nothing { help }) if help.contains("Usage")));
        assert!(matches!(parsed(&["--version"]), Ok(Invocation::Print(text)) if text.starts_with("waxseal ")));
        assert!(matches!(parsed(&["verify", "--help"]), Ok(Invocation::Print(_))));
        assert!(matches!(parsed(&["--help"]), Ok(Invocation::Print(text)) if !text.contains("follow-login")));
    }

    #[test]
    fn an_identity_is_an_address_and_who_vouched_for_it() {
        let flags = |line: &[&str]| match parsed(&[&["verify"], line].concat()) {
            Ok(Invocation::Verify(verify)) => Ok(verify.admitted),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.to_string()),
        };
        let (identity, issuer) = ("--certificate-identity", "--certificate-oidc-issuer");
        assert_eq!(flags(&["HEAD"]), Ok(AdmittedFlags::Unsaid));
        assert_eq!(flags(&["--any-identity"]), Ok(AdmittedFlags::Anyone));
        assert_eq!(
            flags(&[identity, "a@example.org", "--certificate-oidc-issuer-regexp", "https://.*"]),
            Ok(AdmittedFlags::Identity {
                identity: Pattern::Exact("a@example.org".into()),
                issuer: Pattern::Regexp("https://.*".into())
            })
        );
        assert_eq!(flags(&[identity, "a"]), Err("--certificate-identity needs --certificate-oidc-issuer".into()));
        assert_eq!(flags(&["--instance", "own"]), Err("--instance needs --certificate-identity".into()));
        assert_eq!(flags(&[issuer, "a"]), Err("--certificate-oidc-issuer needs --certificate-identity".into()));
        assert!(flags(&["--any-identity", identity, "a", issuer, "b"]).unwrap_err().contains("cannot be used with"));
        assert!(flags(&[identity, "a", "--certificate-identity-regexp", "b", issuer, "c"]).is_err());
    }

    #[test]
    fn an_instance_comes_from_one_place() {
        let add = |line: &[&str]| parsed(&[&["trust", "add", "own"], line].concat());
        assert!(add(&[]).is_err());
        assert!(add(&["--url", "https://x", "--trusted-root", "f"]).is_err());
        assert!(add(&["--trusted-root", "f", "--sha256", "00"]).is_err());
        assert!(add(&["--tuf", "https://x"]).is_err(), "a root comes from somewhere else");
        assert!(add(&["--root", "f"]).is_err());
        assert!(add(&["--tuf", "https://x", "--url", "https://x", "--root", "f"]).is_err());
        assert!(add(&["--tuf", "https://x", "--root", "f", "--sha256", "00"]).is_err());
        assert!(matches!(add(&["--tuf", "https://x", "--root", "f"]), Ok(Invocation::Trust(Trust::Add(_)))));
        assert!(matches!(add(&["--url", "https://x", "--sha256", "00"]), Ok(Invocation::Trust(Trust::Add(_)))));
        assert!(matches!(add(&["--trusted-root", "f"]), Ok(Invocation::Trust(Trust::Add(_)))));
    }

    #[test]
    fn no_password_in_the_arguments() {
        let add = ["serve", "user", "add", "--data", "d", "alice@example.org"];
        assert!(matches!(parsed(&add), Ok(Invocation::ServeCommand(ServeCommand::User(ServeUser::Add(_))))));
        assert!(parsed(&[&add[..], &["correct horse"]].concat()).is_err());
    }

    #[test]
    fn clap_finds_no_contradiction() {
        OwnCommandLine::command().debug_assert();
    }
}
