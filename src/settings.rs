//! What the user chose: `waxseal.*` in git config and `WAXSEAL_*` in the environment, read once.
//!
//! The environment wins over git config; flags win over both, in the commands that have them. Nothing else in waxseal
//! reads a configuration file or the environment.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use choices::Choice;
use etcetera::{AppStrategy as _, AppStrategyArgs};
use gix::config::path::interpolate::{Context, home_for_user};
use gix::config::{Boolean, File};
use network::{NO_PROXY_VARIABLES, PROXY_VARIABLES};
use zeroize::Zeroizing;

mod choices;
mod git_config;
mod git_parameters;
mod network;

pub use choices::{LogChoice, TimestampChoice};
pub use git_config::{FoundRepository, Refusal};
pub use network::{NetworkSettings, ProxySetting};

/// The settings of one run.
#[derive(Debug, Default)]
pub struct Settings {
    /// `waxseal.instance`: the name of the instance that signs.
    pub instance: Option<String>,
    /// `waxseal.trust`: the names of the instances whose signatures are verified; `None`: all.
    pub trust: Option<Vec<String>>,
    /// `waxseal.allow`: who may sign, one `[glob:]IDENTITY ISSUER [INSTANCE]` an item.
    pub allow: Vec<String>,
    /// `waxseal.policy`: a policy file's path, or `REF:PATH`.
    pub policy: Option<PathBuf>,
    /// `waxseal.browser`: the command that opens a login page, `{url}` standing for its address.
    pub browser: Option<String>,
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
    /// How this machine reaches others.
    pub network: NetworkSettings,
    /// `WAXSEAL_ID_TOKEN`, else `SIGSTORE_ID_TOKEN`: an identity token, so that no login is needed.
    pub identity_token: Option<Secret>,
    /// `GIT_TERMINAL_PROMPT` is not false: the user may be asked on the terminal.
    pub may_prompt: bool,
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
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn read() -> Result<Self, SettingsError> {
        let environment = |name: &str| std::env::var_os(name);
        let directory = std::env::current_dir().map_err(SettingsError::WorkingDirectory)?;
        let (config, repository) = git_config::read(&directory, &environment)?;
        let home = environment("HOME").map(PathBuf::from).or_else(std::env::home_dir);
        let settings = Self::resolve(&config, home.as_deref(), &environment)?;
        Ok(Self { folders: Folders::of_user(), repository, ..settings })
    }

    /// Everything that a key or a variable says.
    fn resolve(
        config: &File,
        home: Option<&Path>,
        environment: &impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, SettingsError> {
        let source = Source { config, environment };
        let identity_token = match source.variable("WAXSEAL_ID_TOKEN")? {
            Some(token) => Some(token),
            None => source.variable("SIGSTORE_ID_TOKEN")?,
        };
        let may_prompt = match source.variable("GIT_TERMINAL_PROMPT")? {
            Some(value) => boolean("GIT_TERMINAL_PROMPT", &value)?,
            None => true,
        };
        Ok(Self {
            instance: source.text(&INSTANCE)?,
            trust: source.list(&TRUST)?,
            allow: source.list(&ALLOW)?.unwrap_or_default(),
            policy: source.path(&POLICY, home)?,
            browser: source.text(&BROWSER)?,
            login_hint: source.text(&LOGIN_HINT)?,
            client_id: source.text(&CLIENT_ID)?,
            accept_public: source.boolean(&ACCEPT_PUBLIC)?,
            log: source.choice(&LOG)?,
            timestamp: source.choice(&TIMESTAMP)?,
            network: source.network(home)?,
            identity_token: identity_token.map(|token| Secret(Zeroizing::new(token.trim().to_owned()))),
            may_prompt,
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
        Source { config: &File::default(), environment: &|name: &str| std::env::var_os(name) }.network(None)
    }
}

impl Folders {
    /// As the environment and the user's home say.
    pub(crate) fn of_user() -> Self {
        let app = AppStrategyArgs { app_name: "waxseal".to_owned(), ..AppStrategyArgs::default() };
        let Ok(folders) = etcetera::choose_app_strategy(app) else { return Self::default() };
        Self {
            data: Some(folders.data_dir()),
            state: Some(folders.state_dir().unwrap_or_else(|| folders.data_dir())),
            cache: Some(folders.cache_dir()),
            runtime: folders.runtime_dir(),
        }
    }
}

/// One setting, as `docs/configuration.md` lists it.
#[derive(Debug)]
pub struct Key {
    /// Its name in git config, below `waxseal.`.
    pub name: &'static str,
    /// Its name in the environment.
    pub variable: &'static str,
    /// What reads it: signing, verifying, or both.
    pub scope: &'static str,
    /// What a value is.
    pub value: Shape,
    /// What holds when it is not set.
    pub default: &'static str,
    /// What it does.
    pub about: &'static str,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// git's booleans: `true`, `yes`, `on`, a number other than 0, no value at all; `false`, `no`, `off`, 0.
    Boolean,
    /// One of these words.
    Choice(&'static str),
    /// Many values in git config, where an empty one forgets those before it; in the environment one a line.
    List,
    /// A file; in git config `~/` is the home folder.
    Path,
    /// One text.
    Text,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Boolean => "boolean",
            Self::Choice(words) => words,
            Self::List => "list",
            Self::Path => "path",
            Self::Text => "text",
        })
    }
}

/// Every setting.
pub const KEYS: [&Key; 11] =
    [&ACCEPT_PUBLIC, &ALLOW, &BROWSER, &CA_FILE, &CLIENT_ID, &INSTANCE, &LOG, &LOGIN_HINT, &POLICY, &TIMESTAMP, &TRUST];

const ACCEPT_PUBLIC: Key = Key {
    name: "acceptPublic",
    variable: "WAXSEAL_ACCEPT_PUBLIC",
    scope: "signing",
    value: Shape::Boolean,
    default: "false",
    about: "sign at the public-good instance without asking first whether your identity may become public",
};
const ALLOW: Key = Key {
    name: "allow",
    variable: "WAXSEAL_ALLOW",
    scope: "verifying",
    value: Shape::List,
    default: "nobody",
    about: "who may sign: `[glob:]IDENTITY ISSUER [INSTANCE]`, see below",
};
const BROWSER: Key = Key {
    name: "browser",
    variable: "WAXSEAL_BROWSER",
    scope: "signing",
    value: Shape::Text,
    default: "the system's",
    about: "the command that opens the login page, without a shell; `{url}` stands for the address",
};
const CA_FILE: Key = Key {
    name: "caFile",
    variable: "WAXSEAL_CA_FILE",
    scope: "signing",
    value: Shape::Path,
    default: "none",
    about: "PEM certificates that may vouch for https services, beside the system's; `waxseal trust add` reads it too",
};
const CLIENT_ID: Key = Key {
    name: "clientId",
    variable: "WAXSEAL_CLIENT_ID",
    scope: "signing",
    value: Shape::Text,
    default: DEFAULT_CLIENT_ID,
    about: "the OAuth client that waxseal is to the OIDC issuer",
};
const INSTANCE: Key = Key {
    name: "instance",
    variable: "WAXSEAL_INSTANCE",
    scope: "both",
    value: Shape::Text,
    default: "none: nothing is signed",
    about: "the instance that signs",
};
const LOG: Key = Key {
    name: "log",
    variable: "WAXSEAL_LOG",
    scope: "signing",
    value: Shape::Choice(choices::LOGS),
    default: "auto: what the instance's signing config prefers",
    about: "the log that takes the signatures: Rekor v1 or v2, see below",
};
const LOGIN_HINT: Key = Key {
    name: "loginHint",
    variable: "WAXSEAL_LOGIN_HINT",
    scope: "signing",
    value: Shape::Text,
    default: "none",
    about: "the account that the login page suggests",
};
const POLICY: Key = Key {
    name: "policy",
    variable: "WAXSEAL_POLICY",
    scope: "verifying",
    value: Shape::Path,
    default: "none",
    about: "the policy file: a path outside the work tree, or `REF:PATH`; it takes the place of `waxseal.allow`",
};
const TIMESTAMP: Key = Key {
    name: "timestamp",
    variable: "WAXSEAL_TIMESTAMP",
    scope: "signing",
    value: Shape::Choice(choices::TIMESTAMPS),
    default: "auto: where the log gives no time",
    about: "whether a timestamp authority is asked, see below",
};
const TRUST: Key = Key {
    name: "trust",
    variable: "WAXSEAL_TRUST",
    scope: "both",
    value: Shape::List,
    default: "every instance added, and public-good",
    about: "the instances whose signatures are verified; the one that signs must be among them",
};

/// Both places where a value may stand.
struct Source<'a, E> {
    config: &'a File,
    environment: &'a E,
}

impl<E: Fn(&str) -> Option<OsString>> Source<'_, E> {
    /// A variable of the environment; an empty one is not set.
    fn variable(&self, name: &'static str) -> Result<Option<String>, SettingsError> {
        match (self.environment)(name).filter(|value| !value.is_empty()) {
            Some(value) => value.into_string().map(Some).map_err(|_bytes| SettingsError::NotUtf8(name.to_owned())),
            None => Ok(None),
        }
    }

    /// One text; an empty one is not set.
    fn text(&self, key: &Key) -> Result<Option<String>, SettingsError> {
        if let Some(value) = self.variable(key.variable)? {
            return Ok(Some(value));
        }
        match self.config.string_implicit_by("waxseal", None, key.name) {
            Some(Some(value)) if value.is_empty() => Ok(None),
            Some(Some(value)) => utf8(key, value.into()).map(Some),
            Some(None) => Err(SettingsError::NoValue(full_name(key))),
            None => Ok(None),
        }
    }

    fn network(&self, home: Option<&Path>) -> Result<NetworkSettings, SettingsError> {
        Ok(NetworkSettings {
            ca_file: self.path(&CA_FILE, home)?,
            proxy: self
                .first_of(&PROXY_VARIABLES)?
                .map(|(variable, address)| ProxySetting { variable, address: Secret(Zeroizing::new(address)) }),
            no_proxy: self.first_of(&NO_PROXY_VARIABLES)?.map(|(_, hosts)| hosts),
        })
    }

    /// The first of these variables that is set.
    fn first_of(&self, names: &[&'static str]) -> Result<Option<(&'static str, String)>, SettingsError> {
        for name in names {
            if let Some(value) = self.variable(name)? {
                return Ok(Some((name, value)));
            }
        }
        Ok(None)
    }

    fn choice<C: Choice + Default>(&self, key: &Key) -> Result<C, SettingsError> {
        let Some(text) = self.text(key)? else { return Ok(C::default()) };
        match C::WORDS.iter().find(|(word, _)| *word == text) {
            Some((_, choice)) => Ok(*choice),
            None => {
                let words = C::WORDS.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
                let name = match self.variable(key.variable)? {
                    Some(_) => key.variable.to_owned(),
                    None => full_name(key),
                };
                Err(SettingsError::NotAChoice { name, value: text, words })
            }
        }
    }

    /// A path as git has it; an empty one is not set.
    fn path(&self, key: &Key, home: Option<&Path>) -> Result<Option<PathBuf>, SettingsError> {
        if let Some(value) = (self.environment)(key.variable).filter(|value| !value.is_empty()) {
            return Ok(Some(value.into()));
        }
        if self.text(key)?.is_none() {
            return Ok(None);
        }
        let Some(path) = self.config.path_by("waxseal", None, key.name) else { return Ok(None) };
        let context = Context { git_install_dir: None, home_dir: home, home_for_user: Some(home_for_user) };
        let path = path.interpolate(context).map_err(|_error| SettingsError::NoHome(full_name(key)))?;
        Ok(Some(path))
    }

    fn list(&self, key: &Key) -> Result<Option<Vec<String>>, SettingsError> {
        if let Some(lines) = self.variable(key.variable)? {
            let items = lines.lines().map(str::trim).filter(|line| !line.is_empty());
            return Ok(Some(items.map(str::to_owned).collect()));
        }
        let Some(values) = self.config.strings_by("waxseal", None, key.name) else { return Ok(None) };
        let mut items = Vec::new();
        for value in values {
            if value.is_empty() {
                items.clear();
            } else {
                items.push(utf8(key, value.into())?);
            }
        }
        Ok(Some(items))
    }

    fn boolean(&self, key: &Key) -> Result<bool, SettingsError> {
        if let Some(value) = self.variable(key.variable)? {
            return boolean(key.variable, &value);
        }
        match self.config.string_implicit_by("waxseal", None, key.name) {
            Some(Some(value)) => boolean(&full_name(key), &utf8(key, value.into())?),
            Some(None) => Ok(true),
            None => Ok(false),
        }
    }
}

/// git's rules for booleans.
fn boolean(name: &str, value: &str) -> Result<bool, SettingsError> {
    Boolean::try_from(value)
        .map(bool::from)
        .map_err(|_error| SettingsError::NotBoolean { name: name.to_owned(), value: value.to_owned() })
}

fn utf8(key: &Key, value: Vec<u8>) -> Result<String, SettingsError> {
    String::from_utf8(value).map_err(|_bytes| SettingsError::NotUtf8(full_name(key)))
}

fn full_name(key: &Key) -> String {
    format!("waxseal.{}", key.name)
}

/// Settings that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A configuration file that git would not read either.
    #[error("git config cannot be read: {0}")]
    GitConfig(String),
    /// What `git -c` hands to its children is not in git's quoting.
    #[error("GIT_CONFIG_PARAMETERS cannot be read: {0}")]
    GitParameters(git_parameters::MalformedParameters),
    /// A path that begins with `~`.
    #[error("{0} begins with a home folder that cannot be found")]
    NoHome(String),
    /// A key that needs a value has none.
    #[error("{0} has no value")]
    NoValue(String),
    /// Not one of the words.
    #[error("{name} cannot be {value:?}")]
    NotAChoice {
        /// The key.
        name: String,
        /// Its value.
        value: String,
        /// What it can be.
        words: String,
    },
    /// Not one of git's booleans.
    #[error("{name} is no boolean: {value:?}")]
    NotBoolean {
        /// The key or variable.
        name: String,
        /// Its value.
        value: String,
    },
    /// Not a text.
    #[error("{0} is not UTF-8")]
    NotUtf8(String),
    /// There is no working directory.
    #[error("the working directory cannot be found: {0}")]
    WorkingDirectory(std::io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "where git is")]
    pub(super) fn path_of_programs() -> OsString {
        std::env::var_os("PATH").unwrap_or_default()
    }

    fn settings(config: &str, environment: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let config = File::try_from(config).unwrap();
        Settings::resolve(&config, Some(Path::new("/home/alice")), &|name| {
            environment.iter().find(|(variable, _)| *variable == name).map(|(_, value)| value.into())
        })
    }

    #[test]
    fn the_environment_wins_over_git_config() {
        let config = "[waxseal]\ninstance = one\nallow = a b\nallow = c d\ntrust = t\nacceptPublic\n[waxseal \"x\"]\ninstance = no\n";
        let read = settings(config, &[]).unwrap();
        assert_eq!(read.instance.as_deref(), Some("one"));
        assert_eq!(read.allow, ["a b", "c d"]);
        assert_eq!(read.trust, Some(vec!["t".to_owned()]));
        assert!(read.accept_public && read.may_prompt && read.client_id.is_none());
        let read = settings(
            config,
            &[
                ("WAXSEAL_INSTANCE", "two"),
                ("WAXSEAL_ALLOW", "e f\n\n g h \n"),
                ("WAXSEAL_ACCEPT_PUBLIC", "off"),
                ("WAXSEAL_TRUST", ""),
                ("GIT_TERMINAL_PROMPT", "0"),
            ],
        )
        .unwrap();
        assert_eq!(read.instance.as_deref(), Some("two"));
        assert_eq!(read.allow, ["e f", "g h"]);
        assert_eq!(read.trust, Some(vec!["t".to_owned()]));
        assert!(!read.accept_public && !read.may_prompt);
    }

    #[test]
    fn an_empty_value_takes_back_those_before_it() {
        let read = settings("[waxseal]\nallow = a b\nallow =\nallow = c d\ninstance = x\ninstance =\n", &[]).unwrap();
        assert_eq!(read.allow, ["c d"]);
        assert_eq!(read.instance, None);
        assert_eq!(settings("[waxseal]\ntrust =\n", &[]).unwrap().trust, Some(vec![]));
    }

    #[test]
    fn booleans_are_gits() {
        for (value, expected) in
            [("yes", true), ("ON", true), ("1k", true), ("-1", true), ("", false), ("no", false), ("0", false)]
        {
            let read = settings(&format!("[waxseal]\nacceptPublic = {value}\n"), &[]).unwrap();
            assert_eq!(read.accept_public, expected, "{value:?}");
        }
        let bad = settings("[waxseal]\nacceptPublic = maybe\n", &[]).unwrap_err();
        assert_eq!(bad.to_string(), "waxseal.acceptPublic is no boolean: \"maybe\"");
        let bad = settings("", &[("WAXSEAL_ACCEPT_PUBLIC", "2x")]).unwrap_err();
        assert_eq!(bad.to_string(), "WAXSEAL_ACCEPT_PUBLIC is no boolean: \"2x\"");
    }

    #[test]
    fn a_text_is_a_text() {
        assert_eq!(settings("[waxseal]\ninstance\n", &[]).unwrap_err().to_string(), "waxseal.instance has no value");
        let config = File::try_from(gix::bstr::BStr::new(b"[waxseal]\nbrowser = \xff\n")).unwrap();
        let error = Settings::resolve(&config, None, &|_| None).unwrap_err();
        assert_eq!(error.to_string(), "waxseal.browser is not UTF-8");
    }

    #[test]
    fn a_token_is_not_shown() {
        let read = settings("", &[("SIGSTORE_ID_TOKEN", "later"), ("WAXSEAL_ID_TOKEN", "first\n")]).unwrap();
        assert_eq!(read.identity_token.as_ref().unwrap().expose(), "first");
        assert!(!format!("{read:?}").contains("first"));
        let read = settings("", &[("SIGSTORE_ID_TOKEN", "later"), ("WAXSEAL_ID_TOKEN", "")]).unwrap();
        assert_eq!(read.identity_token.unwrap().expose(), "later");
    }

    #[test]
    fn choices_are_words_and_paths_may_begin_at_home() {
        let read = settings("[waxseal]\nlog = v2\ntimestamp = always\ncaFile = ~/ca.pem\n", &[]).unwrap();
        assert_eq!((read.log, read.timestamp), (LogChoice::V2, TimestampChoice::Always));
        assert_eq!(read.network.ca_file.as_deref(), Some(Path::new("/home/alice/ca.pem")));
        let read = settings("[waxseal]\nlog =\ncaFile =\n", &[("WAXSEAL_TIMESTAMP", "never")]).unwrap();
        assert_eq!((read.log, read.timestamp), (LogChoice::Auto, TimestampChoice::Never));
        assert_eq!(read.network.ca_file, None);
        let read = settings("[waxseal]\ncaFile = x\n", &[("WAXSEAL_CA_FILE", "/y")]).unwrap();
        assert_eq!(read.network.ca_file.as_deref(), Some(Path::new("/y")));
        let bad = settings("[waxseal]\nlog = v3\n", &[]).unwrap_err();
        assert_eq!(bad.to_string(), "waxseal.log cannot be \"v3\"");
        let bad = settings("", &[("WAXSEAL_TIMESTAMP", "Always")]).unwrap_err();
        assert_eq!(bad.to_string(), "WAXSEAL_TIMESTAMP cannot be \"Always\"");
    }

    #[test]
    fn the_proxy_is_that_of_curl_and_is_not_shown() {
        let read = settings("", &[("ALL_PROXY", "http://b"), ("HTTPS_PROXY", "http://u:pass@a"), ("NO_PROXY", "x")]);
        let network = read.unwrap().network;
        let proxy = network.proxy.as_ref().unwrap();
        assert_eq!((proxy.variable, proxy.address.expose()), ("HTTPS_PROXY", "http://u:pass@a"));
        assert_eq!(network.no_proxy.as_deref(), Some("x"));
        assert!(!format!("{network:?}").contains("pass"));
        assert!(settings("", &[("https_proxy", ""), ("http_proxy", "x")]).unwrap().network.proxy.is_none());
    }

    #[test]
    fn every_key_has_its_variable() {
        for key in KEYS {
            let snake = key.name.chars().fold(String::from("WAXSEAL_"), |mut snake, letter| {
                if letter.is_ascii_uppercase() {
                    snake.push('_');
                }
                snake.push(letter.to_ascii_uppercase());
                snake
            });
            assert_eq!(key.variable, snake);
        }
    }
}
