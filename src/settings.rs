//! What the user chose: `waxseal.*` in git config and `WAXSEAL_*` in the environment, read once.
//!
//! The environment wins over git config; flags win over both, in the commands that have them. Where neither says anything,
//! gitsign's configuration is asked ([`gitsign`]). Nothing else in waxseal reads a configuration file or the environment.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use etcetera::{AppStrategy as _, AppStrategyArgs};
use gix::config::File;
use zeroize::Zeroizing;

use crate::trust_age::MaxTrustAge;

mod choices;
mod ci_job;
pub mod config_file;
pub mod effective;
mod error;
mod git_config;
mod git_parameters;
pub mod gitsign;
mod hook_variables;
mod keys;
mod network;
pub mod programs;
mod source;
mod surroundings;

pub use choices::{CredentialStore, LogChoice, LoginChoice, MatchCommitter, TimestampChoice};
pub use ci_job::{CiJob, GithubJob, GitlabJob};
pub use error::SettingsError;
pub use git_config::{FoundRepository, Refusal};
pub use hook_variables::HookVariables;
pub use keys::{KEYS, Key, Shape};
pub use network::{NetworkSettings, ProxySetting};
pub use surroundings::{CiVariables, Surroundings};

use gitsign::{Fallbacks, GitsignServices};
use keys::{
    ACCEPT_PUBLIC, ALLOW, AUTOCLOSE, BROWSER, CLIENT_ID, CONNECTOR_ID, CREDENTIAL_STORE, INSTANCE, LOG, LOGIN,
    LOGIN_HINT, MATCH_COMMITTER, MAX_TRUST_AGE, ONLINE, POLICY, TIMESTAMP, TOKEN_COMMAND, TRUST,
};
use source::{Source, boolean};

/// The settings of one run.
#[derive(Debug, Default)]
pub struct Settings {
    /// `waxseal.instance`: the name of the instance that signs.
    pub instance: Option<String>,
    /// The services that gitsign was told to use, where `waxseal.instance` is not set.
    pub gitsign: GitsignServices,
    /// `waxseal.trust`: the names of the instances whose signatures are verified; `None`: all.
    pub trust: Option<Vec<String>>,
    /// `waxseal.allow`: who may sign, one `[glob:]IDENTITY ISSUER [INSTANCE]` an item.
    pub allow: Vec<String>,
    /// `waxseal.policy`: a policy file's path, or `REF:PATH`.
    pub policy: Option<PathBuf>,
    /// `waxseal.browser`: the command that opens a login page, `{url}` standing for its address.
    pub browser: Option<String>,
    /// `waxseal.login`: how to sign in.
    pub login: LoginChoice,
    /// `waxseal.tokenCommand`: the command that prints an identity token, `{audience}` standing for whom it is made for.
    pub token_command: Option<String>,
    /// `waxseal.connectorId`: the account provider behind a dex issuer.
    pub connector_id: Option<String>,
    /// `waxseal.credentialStore`: where a login is kept.
    pub credential_store: CredentialStore,
    /// `waxseal.autoclose`: the page after a login closes itself.
    pub autoclose: bool,
    /// `waxseal.loginHint`: the account that the login page suggests.
    pub login_hint: Option<String>,
    /// `waxseal.clientId`: the OAuth client that waxseal is to the OIDC issuer; `None`: [`DEFAULT_CLIENT_ID`].
    pub client_id: Option<String>,
    /// `waxseal.acceptPublic`: what is signed at the public-good instance may become public without a question.
    pub accept_public: bool,
    /// `waxseal.log`: which log takes the signatures.
    pub log: LogChoice,
    /// `waxseal.timestamp`: when a timestamp authority is asked.
    pub timestamp: TimestampChoice,
    /// `waxseal.matchCommitter`: what becomes of a signature by another than the payload's committer.
    pub match_committer: MatchCommitter,
    /// `waxseal.maxTrustAge`: how old trust material may be; `None`: as old as it is.
    pub max_trust_age: Option<MaxTrustAge>,
    /// `waxseal.online`: verifying may ask logs for what signatures do not carry.
    pub online: bool,
    /// How this machine reaches others.
    pub network: NetworkSettings,
    /// `WAXSEAL_ID_TOKEN`, else `SIGSTORE_ID_TOKEN`: an identity token, so that no login is needed.
    pub identity_token: Option<Secret>,
    /// `GIT_TERMINAL_PROMPT` is not false: the user may be asked on the terminal.
    pub may_prompt: bool,
    /// `WAXSEAL_VERBOSE`: it is said why things are done as they are.
    pub verbose: bool,
    /// Where this runs, as far as variables tell.
    pub surroundings: Surroundings,
    /// What a CI system tells its job.
    pub ci: CiJob,
    /// What Git tells the hooks of a push.
    pub hook: HookVariables,
    /// Where waxseal keeps its files.
    pub folders: Folders,
    /// The repository that the working directory lies in, as far as git would use it.
    pub repository: FoundRepository,
}

/// What waxseal is called at an OIDC issuer that was not told otherwise: Sigstore's own public client.
pub const DEFAULT_CLIENT_ID: &str = "sigstore";

/// The user's folders (XDG Base Directory Specification), `waxseal` below each; `None` where there is no home.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folders {
    /// Instances; worth a backup.
    pub data: Option<PathBuf>,
    /// The last error, what was agreed to.
    pub state: Option<PathBuf>,
    /// What can be made again.
    pub cache: Option<PathBuf>,
    /// Sockets; gone after logout.
    pub runtime: Option<PathBuf>,
}

/// A text that must not be shown.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Settings {
    /// Reads git config and the environment as git itself would in the working directory.
    ///
    /// # Errors
    /// [`SettingsError`], naming the key or file.
    pub fn read() -> Result<Self, SettingsError> {
        Self::read_without(&[])
    }

    /// The same without those settings that cannot be read, and why they cannot.
    ///
    /// # Errors
    /// [`SettingsError`] where it is no single setting.
    pub fn read_what_can_be() -> Result<(Self, Vec<SettingsError>), SettingsError> {
        let mut unreadable: Vec<SettingsError> = Vec::new();
        loop {
            let without: Vec<&str> = unreadable.iter().filter_map(SettingsError::setting).collect();
            match Self::read_without(&without) {
                Ok(settings) => return Ok((settings, unreadable)),
                Err(error) if error.setting().is_some_and(|name| !without.contains(&name)) => unreadable.push(error),
                Err(error) => return Err(error),
            }
        }
    }

    /// `without`: keys and variables that are taken as not set.
    fn read_without(without: &[&str]) -> Result<Self, SettingsError> {
        let environment = |name: &str| if without.contains(&name) { None } else { variable(name) };
        let directory = std::env::current_dir().map_err(SettingsError::WorkingDirectory)?;
        let (config, repository) = git_config::read(&directory, &environment)?;
        let home = home(&environment);
        let settings = Self::resolve(&config, without, home.as_deref(), &environment)?;
        let surroundings = Surroundings::read(&environment, std::env::vars_os());
        let hook = HookVariables::read(&environment, &directory);
        let ci = CiJob::read(&environment);
        Ok(Self { folders: Folders::of_user(), repository, surroundings, ci, hook, ..settings })
    }

    /// Everything that a key or a variable says.
    fn resolve(
        config: &File,
        without: &[&str],
        home: Option<&Path>,
        environment: &impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, SettingsError> {
        let source = Source { config, without, environment };
        let identity_token = match source.variable("WAXSEAL_ID_TOKEN")? {
            Some(token) => Some(token),
            None => source.variable("SIGSTORE_ID_TOKEN")?,
        };
        let may_prompt = match source.variable("GIT_TERMINAL_PROMPT")? {
            Some(value) => boolean("GIT_TERMINAL_PROMPT", &value)?,
            None => true,
        };
        let verbose = match source.variable("WAXSEAL_VERBOSE")? {
            Some(value) => boolean("WAXSEAL_VERBOSE", &value)?,
            None => false,
        };
        let gitsign = Fallbacks::read(&source)?;
        let instance = source.text(&INSTANCE)?;
        Ok(Self {
            gitsign: if instance.is_none() { gitsign.services } else { GitsignServices::default() },
            instance,
            trust: source.list(&TRUST)?,
            allow: source.list(&ALLOW)?.unwrap_or_default(),
            policy: source.path(&POLICY, home)?,
            browser: source.text(&BROWSER)?.or(gitsign.browser),
            login: source.choice(&LOGIN)?.or(gitsign.login).unwrap_or_default(),
            token_command: source.text(&TOKEN_COMMAND)?,
            connector_id: source.text(&CONNECTOR_ID)?.or(gitsign.connector_id),
            credential_store: source.choice(&CREDENTIAL_STORE)?.unwrap_or_default(),
            autoclose: source.boolean(&AUTOCLOSE)?,
            login_hint: source.text(&LOGIN_HINT)?,
            client_id: source.text(&CLIENT_ID)?.or(gitsign.client_id),
            accept_public: source.boolean(&ACCEPT_PUBLIC)?,
            log: source.choice(&LOG)?.or(gitsign.log).unwrap_or_default(),
            timestamp: source.choice(&TIMESTAMP)?.unwrap_or_default(),
            match_committer: source.choice(&MATCH_COMMITTER)?.or(gitsign.match_committer).unwrap_or_default(),
            max_trust_age: source.age(&MAX_TRUST_AGE)?,
            online: source.boolean(&ONLINE)?,
            network: source.network(home)?,
            identity_token: identity_token.map(|token| Secret::new(token.trim().to_owned())),
            may_prompt,
            verbose,
            surroundings: Surroundings::default(),
            ci: CiJob::default(),
            hook: HookVariables::default(),
            folders: Folders::default(),
            repository: FoundRepository::NotFound,
        })
    }
}

impl NetworkSettings {
    /// What the environment says, without git config: for a server, which is nobody's git.
    ///
    /// # Errors
    /// [`SettingsError::NotUtf8`], naming the variable.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn of_environment() -> Result<Self, SettingsError> {
        Source { config: &File::default(), without: &[], environment: &|name: &str| std::env::var_os(name) }
            .network(None)
    }
}

impl Folders {
    /// As the environment and the user's home say.
    pub(crate) fn of_user() -> Self {
        let app = AppStrategyArgs { app_name: "waxseal".to_owned(), ..AppStrategyArgs::default() };
        let Ok(folders) = etcetera::choose_app_strategy(app) else { return Self::default() };
        // A HOME that is relative is wherever one stands, as in the work tree of somebody else's repository.
        let absolute = |folder: PathBuf| folder.is_absolute().then_some(folder);
        Self {
            data: absolute(folders.data_dir()),
            state: absolute(folders.state_dir().unwrap_or_else(|| folders.data_dir())),
            cache: absolute(folders.cache_dir()),
            runtime: folders.runtime_dir().and_then(absolute),
        }
    }
}

/// What the environment says. A home folder that is relative is wherever one stands, as in the work tree of somebody else's
/// repository: it counts as not set, though git goes there.
#[expect(clippy::disallowed_methods, reason = "settings read the environment")]
fn variable(name: &str) -> Option<OsString> {
    let is_home = ["HOME", "XDG_CONFIG_HOME"].contains(&name);
    std::env::var_os(name).filter(|value| !is_home || value.is_empty() || Path::new(value).is_absolute())
}

/// What `~/` stands for.
fn home(environment: &impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    environment("HOME").map(PathBuf::from).or_else(std::env::home_dir).filter(|home| home.is_absolute())
}

#[cfg(test)]
mod tests;
