//! `waxseal serve`: running the embedded stack, and looking after its folder.

use std::fmt;
use std::net::{AddrParseError, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand, ValueEnum};

use super::Invocation;

/// The whole line: a command, or the flags of running.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct ServeLine {
    #[command(subcommand)]
    command: Option<ServeCommand>,
    #[command(flatten)]
    run: Option<Serve>,
}

impl ServeLine {
    pub(super) fn resolve(self) -> Option<Invocation> {
        match (self.command, self.run) {
            (Some(command), _) => Some(Invocation::ServeCommand(command)),
            (None, Some(run)) => Some(Invocation::Serve(run)),
            // The grammar demands --data.
            (None, None) => None,
        }
    }
}

/// `waxseal serve`
#[derive(Args, Debug, PartialEq, Eq)]
pub struct Serve {
    /// Folder for keys and logs; made when it is not there
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Where to listen: an address, or a socket for this user's programs; port 0 finds a free one, once
    #[arg(long, value_name = "ADDRESS:PORT|unix:PATH", default_value = "127.0.0.1:8080")]
    pub listen: Listen,
    /// Serve https with this certificate and those that lead from it to an authority (PEM); read again when it changes
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The key of the certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// A proxy in front has TLS, and says in X-Forwarded-For or Forwarded where requests come from
    #[arg(long)]
    pub behind_proxy: bool,
    /// The address that clients use, https except on loopback; fixed at the first start
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// Where /metrics and /healthz are served beside; without it, where the stack is, if only this machine reaches that
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub metrics_listen: Option<SocketAddr>,
    /// A line of JSON for each request to the end of FILE; - is standard output
    #[arg(long, value_name = "FILE")]
    pub access_log: Option<PathBuf>,
    /// A line of JSON for each certificate, log entry, login and failed login to the end of FILE; - is standard output
    #[arg(long, value_name = "FILE")]
    pub audit_log: Option<PathBuf>,
    /// How often one client elsewhere may ask: certificates, login, reads or writes, each =PER_SECOND or =off; or off (may be
    /// given several times)
    #[arg(long, value_name = "CLASS=PER_SECOND|off")]
    pub rate_limit: Vec<RateLimit>,
    /// Connections at once
    #[arg(long, value_name = "NUMBER", default_value = "800")]
    pub max_connections: NonZeroU32,
    /// Connections at once of one client
    #[arg(long, value_name = "NUMBER", default_value = "400")]
    pub max_connections_per_client: NonZeroU32,
    /// Log in everyone who asks as this address, while there are no accounts (may be given several times; loopback only)
    #[arg(long, value_name = "EMAIL")]
    pub auto_login: Vec<String>,
    /// PEM certificates that may vouch for other issuers, beside the system's; else what WAXSEAL_CA_FILE names
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
}

/// Where the stack listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// On an address.
    Tcp(SocketAddr),
    /// In the file system.
    Unix(PathBuf),
}

impl Listen {
    /// Whether only this machine reaches it.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

impl FromStr for Listen {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<Self, AddrParseError> {
        match text.strip_prefix("unix:") {
            Some(path) if !path.is_empty() => Ok(Self::Unix(path.into())),
            _ => text.parse().map(Self::Tcp),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "\"{}\"", path.display()),
        }
    }
}

/// How often one client may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests of which kind; `None`: of every one.
    pub class: Option<LimitedClass>,
    /// How often; `None`: as often as it likes.
    pub per_second: Option<NonZeroU32>,
}

/// Requests that are limited together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitedClass {
    /// For certificates.
    Certificates,
    /// For logins and tokens.
    Login,
    /// That change nothing.
    Reads,
    /// For log entries and timestamps.
    Writes,
}

impl FromStr for RateLimit {
    type Err = BadRateLimit;

    fn from_str(text: &str) -> Result<Self, BadRateLimit> {
        if text == "off" {
            return Ok(Self { class: None, per_second: None });
        }
        let (class, often) = text.split_once('=').ok_or(BadRateLimit)?;
        let class = match class {
            "certificates" => LimitedClass::Certificates,
            "login" => LimitedClass::Login,
            "reads" => LimitedClass::Reads,
            "writes" => LimitedClass::Writes,
            _ => return Err(BadRateLimit),
        };
        let per_second = if often == "off" { None } else { Some(often.parse().map_err(|_| BadRateLimit)?) };
        Ok(Self { class: Some(class), per_second })
    }
}

/// Not `certificates=N`, `login=N`, `reads=N`, `writes=N` or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it takes certificates, login, reads or writes, then = and a number a second or off; or off alone")]
pub struct BadRateLimit;

/// `waxseal serve COMMAND`
#[derive(Debug, PartialEq, Eq, Subcommand)]
pub enum ServeCommand {
    /// Copy a stack, running or not, and check the copy
    Backup(ServeBackup),
    /// Recompute every log of a stack, running or not, from its entries, and follow its TUF repository
    Check {
        /// The stack's folder
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
    /// Compare the clock with the logs, after it went back
    Clock(ServeClock),
    /// Print what another program must be told to use this stack
    Env(ServeEnv),
    /// Make a stack without starting it, and take its root's key away
    Init(ServeInit),
    /// Put a new key in the place of one, while the stack is stopped
    #[command(subcommand)]
    Rotate(ServeRotate),
    /// Add, remove and list those who can log in, also while the stack runs
    #[command(subcommand)]
    User(ServeUser),
}

/// `waxseal serve backup`
#[derive(Args, Debug, PartialEq, Eq)]
pub struct ServeBackup {
    /// The stack's folder
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Folder to make: a stack that can be started, with its keys
    #[arg(value_name = "COPY")]
    pub to: PathBuf,
}

/// `waxseal serve clock`
#[derive(Args, Debug, PartialEq, Eq)]
pub struct ServeClock {
    /// The stack's folder
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Take entries again, though their times will be earlier than the last ones
    #[arg(long)]
    pub accept: bool,
}

/// `waxseal serve env`
#[derive(Args, Debug, PartialEq, Eq)]
pub struct ServeEnv {
    /// For which program
    #[arg(value_enum)]
    pub client: Client,
    /// The stack's folder
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Where to put the files that the program wants [default: DIR/clients]
    #[arg(long, value_name = "DIR")]
    pub files: Option<PathBuf>,
}

/// Other people's programs that can use the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Client {
    /// cosign 3
    Cosign,
    /// gitsign
    Gitsign,
    /// @sigstore/cli
    SigstoreJs,
    /// sigstore for Python
    SigstorePython,
}

/// `waxseal serve init`
#[derive(Args, Debug, PartialEq, Eq)]
pub struct ServeInit {
    /// Folder for keys and logs; made when it is not there
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// The address that clients will use
    #[arg(long, value_name = "URL")]
    pub public_url: String,
    /// Where to write the root's key, to be taken away; not into DIR
    #[arg(long, value_name = "FILE")]
    pub root_key_out: PathBuf,
}

/// `waxseal serve rotate`
#[derive(Debug, PartialEq, Eq, Subcommand)]
pub enum ServeRotate {
    /// A new issuing certificate under the same root
    Intermediate {
        /// The stack's folder
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// The root's key, as `waxseal serve init` wrote it
        #[arg(long, value_name = "FILE")]
        root_key: PathBuf,
    },
    /// A new key for the TUF repository; its next root is signed by both
    Tuf {
        /// The stack's folder
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
}

/// `waxseal serve user`
#[derive(Debug, PartialEq, Eq, Subcommand)]
pub enum ServeUser {
    /// Let someone log in; the password is asked for on the terminal, or read from standard input
    Add(OneUser),
    /// List those who can log in
    List {
        /// The stack's folder
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
    /// Let someone log in no more
    Remove(OneUser),
}

/// Someone with an account, or about to have one.
#[derive(Args, Debug, PartialEq, Eq)]
pub struct OneUser {
    /// The stack's folder; made when it is not there
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Their e-mail address, which certificates will name
    pub email: String,
}
