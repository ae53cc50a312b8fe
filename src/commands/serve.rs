//! `waxseal serve`: runs the embedded stack in the foreground until it is told to stop.

mod env;
mod init;
mod issuer_keys;
mod listening;
mod maintenance;
mod options;
mod rotate;
mod tuf_check;
mod user;

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use jiff::Timestamp;

use self::issuer_keys::key_fetcher;
use crate::cli::{Listen, Serve, ServeCommand};
use crate::command_error::CommandError;
use crate::escape;
use crate::services::http::Network;
use crate::settings::NetworkSettings;
use crate::stack::accounts::AccountFile;
use crate::stack::certificate_authority::IssueError;
use crate::stack::data_folder::{DataFolder, DataFolderError};
use crate::stack::public_url::BadPublicUrl;
use crate::stack::rekor_v2::TileLogError;
use crate::stack::server::{commands_from_signals, serve_until};
use crate::stack::transparency_log::LogError;
use crate::stack::tuf::TufError;
use crate::stack::{Stack, StackError, StackOptions};

/// Opens the stack, says on stdout where it is and what its trust documents' digest is, and serves.
///
/// # Errors
/// [`CommandError`]: 1 when the stack cannot be opened or served, 2 when it is asked for what it does not do.
pub fn run(request: &Serve, now: Timestamp) -> Result<(), CommandError> {
    listening::check(request)?;
    for address in &request.auto_login {
        if !address.contains('@') || !address.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(CommandError::usage(format!("--auto-login \"{address}\" is not an e-mail address")));
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| CommandError::failed(format!("no runtime: {error}")))?;
    let served = runtime.block_on(serve(request, now));
    // Whatever still runs is cut: the logs are whole at every moment.
    runtime.shutdown_timeout(LAST_MOMENT);
    served
}

/// Looks after the folder of a stack.
///
/// # Errors
/// [`CommandError`]: 1 when it cannot be done, 2 when it is asked for what cannot be.
pub fn command(request: &ServeCommand, now: Timestamp) -> Result<(), CommandError> {
    match request {
        ServeCommand::Backup(request) => maintenance::back_up(&request.data, &request.to),
        ServeCommand::Check { data } => maintenance::check(data),
        ServeCommand::Clock(request) => maintenance::clock(request, now),
        ServeCommand::Env(request) => env::run(request),
        ServeCommand::Init(request) => init::run(request, now),
        ServeCommand::Rotate(request) => rotate::run(request, now),
        ServeCommand::User(request) => user::run(request, now),
    }
}

async fn serve(request: &Serve, now: Timestamp) -> Result<(), CommandError> {
    let fixed = DataFolder::peek(&request.data)?;
    let listener = listening::listen(&request.listen, fixed.as_ref()).await?;
    let metrics_listener = options::metrics_listener(request).await?;
    let public_url = listening::public_url(request, fixed.as_ref(), listener.address())?;
    let found_port = match (&request.listen, listener.address()) {
        (Listen::Tcp(asked), Some(bound)) if asked.port() == 0 => Some(bound.port()),
        _ => None,
    };
    let has_accounts = !AccountFile::in_folder(&request.data).read()?.is_empty();
    if has_accounts && !request.auto_login.is_empty() {
        return Err(CommandError::usage("--auto-login is for a stack without accounts, and this one has some")
            .hint("leave it out: people log in with their passwords"));
    }
    let tls = listening::tls(request)?;
    let logs = options::logs(request)?;
    let mut settings = NetworkSettings::of_environment()?;
    settings.ca_file = request.ca_file.clone().or(settings.ca_file);
    let fetch_keys = Some(key_fetcher(tokio::runtime::Handle::current(), Network::new(&settings)?));
    let options = StackOptions { auto_login: request.auto_login.clone(), fetch_keys, found_port };
    let stack = Stack::open(&request.data, &public_url, options, now)?;
    let commands = commands_from_signals();
    let commands = commands.map_err(|error| CommandError::failed(format!("cannot listen for signals: {error}")))?;
    announce(&stack, request, listener.address(), has_accounts)?;
    let server = options::server(request, tls, metrics_listener, logs);
    serve_until(stack, listener, server, commands).await;
    Ok(())
}

/// One line of JSON on stdout, for programs; what a person must know on stderr.
fn announce(stack: &Stack, request: &Serve, bound: Option<SocketAddr>, has_accounts: bool) -> Result<(), CommandError> {
    let auto_login = &request.auto_login;
    let mut stderr = io::stderr().lock();
    if let Some(bound) = bound
        && !request.behind_proxy
        && stack.public_url().port() != bound.port()
    {
        let _closed = writeln!(stderr, "waxseal: clients use {}, but it is {bound} that is served", stack.public_url());
    }
    if auto_login.is_empty() && !has_accounts && !stack.has_other_issuers() {
        let _closed = writeln!(
            stderr,
            "waxseal: nobody can log in: that takes accounts (waxseal serve user add), other issuers (issuers.toml) or --auto-login EMAIL"
        );
    }
    if let ([first, others @ ..], Some(bound)) = (auto_login.as_slice(), bound) {
        let others = others.iter().map(|other| format!(", or as {other} if they ask for it")).collect::<String>();
        // A closed stderr is no reason not to serve.
        let _closed = writeln!(
            stderr,
            "waxseal: WARNING: anyone who reaches {bound} is logged in as {}{}, and asked nothing",
            escape::terminal(first),
            escape::terminal(others)
        );
    }
    for shortcoming in stack.shortcomings() {
        let _closed = writeln!(stderr, "waxseal: {}", escape::terminal(&shortcoming));
    }
    if stack.trust_changed() {
        announce_changed_trust();
    }
    let ready = identification(stack);
    let mut stdout = io::stdout().lock();
    let written = writeln!(stdout, "{ready}").and_then(|()| stdout.flush());
    written.map_err(|error| CommandError::failed(format!("the output could not be written: {error}")))
}

/// Where a stack is, and what its users pin.
fn identification(stack: &Stack) -> serde_json::Value {
    serde_json::json!({
        "url": stack.public_url().to_string(),
        "trust_sha256": stack.trust_digest().to_string(),
    })
}

fn announce_changed_trust() {
    let _closed = writeln!(
        io::stderr().lock(),
        "waxseal: the trusted root or signing config is another one now: whoever trusts it by digest \
         needs waxseal trust remove and waxseal trust add; what was signed stays good, and TUF clients follow by themselves"
    );
}

fn report(news: &str) {
    let _closed = writeln!(io::stderr().lock(), "waxseal: {}", escape::terminal(news));
}

/// Whether a log that does not open today may open tomorrow.
fn passes(cause: &StackError) -> bool {
    match cause {
        StackError::Store(error)
        | StackError::Log(LogError::Store(error))
        | StackError::TileLog(TileLogError::Store(error)) => error.passes(),
        _ => false,
    }
}

/// As `waxseal serve check` says.
const FROM_BACKUP: &str = "keep this folder as it is, and start from the last backup that holds";

/// For what is left when everything has been answered.
const LAST_MOMENT: Duration = Duration::from_secs(5);

impl From<BadPublicUrl> for CommandError {
    fn from(error: BadPublicUrl) -> Self {
        Self::usage(error)
    }
}

impl From<DataFolderError> for CommandError {
    fn from(error: DataFolderError) -> Self {
        let hint = match &error {
            DataFolderError::InUse(_) => Some("stop the other waxseal serve first: a folder has one process"),
            DataFolderError::NotOurs(_) => Some("give --data a folder that is empty, or that does not exist yet"),
            DataFolderError::ReadableByOthers(_) => {
                Some("take the permissions of group and others away with chmod go= if nobody else can have read it")
            }
            DataFolderError::Key(..) | DataFolderError::Malformed(_) => Some(FROM_BACKUP),
            DataFolderError::Io { path, error } => match error.kind() {
                io::ErrorKind::NotFound if path.extension().is_some_and(|extension| extension == "pem") => {
                    Some(FROM_BACKUP)
                }
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some("make room on the disk"),
                _ => None,
            },
        };
        let failed = Self::failed(error);
        match hint {
            Some(hint) => failed.hint(hint),
            None => failed,
        }
    }
}

impl From<StackError> for CommandError {
    fn from(error: StackError) -> Self {
        match error {
            StackError::Folder(error) => error.into(),
            StackError::OtherPublicUrl { .. } => Self::usage(error).hint(
                "names and addresses in its certificates and logs follow from the public URL: begin a new folder",
            ),
            StackError::LostLog(_) => Self::failed(error).hint(
                "put its folder back, or start a copy that \"waxseal serve backup\" made: a log that begins again contradicts itself",
            ),
            StackError::MadeAlready => {
                Self::failed(error).hint("a root is chosen once: begin a new folder, or start the one that is there")
            }
            StackError::NotMade => {
                Self::failed(error).hint("make one with waxseal serve --data DIR, or waxseal serve init")
            }
            StackError::Authority(IssueError::OtherRootKey) => {
                Self::failed(error).hint("give the file that waxseal serve init wrote when this stack was made")
            }
            StackError::BeforeItsTime { .. } => Self::failed(error).hint("set the clock right"),
            StackError::OpenLog { error: ref cause, .. } if passes(cause) => Self::failed(error).hint("try again when that has passed"),
            StackError::Certificates(_)
            | StackError::OidcKey(_)
            | StackError::OpenLog { .. }
            | StackError::Trust(_)
            | StackError::Tuf(TufError::Malformed(_)) => Self::failed(error).hint(FROM_BACKUP),
            StackError::Issuers(_) => {
                Self::failed(error).hint("docs/stack.md says what issuers.toml may hold; without the file the stack has its own issuer only")
            }
            StackError::Tuf(TufError::Folder(error)) => error.into(),
            StackError::Authority(_)
            | StackError::Key(_)
            | StackError::Log(_)
            | StackError::Store(_)
            | StackError::TileLog(_)
            | StackError::Tuf(TufError::Key(_)) => Self::failed(error),
        }
    }
}
