//! The settings of a command, with the instance that signs, those that are trusted, and the repository.

use std::io::{self, Write as _};

use jiff::Timestamp;

use crate::command_error::CommandError;
use crate::escape;
use crate::git::repository::Repository;
use crate::instance::Instance;
use crate::settings::gitsign::GitsignServices;
use crate::settings::{FoundRepository, Refusal, Settings, SettingsError};
use crate::signing_config::Service;
use crate::trust_age::MaxTrustAge;
use crate::trust_store::{TrustStore, TrustStoreError};

/// Reads the settings. Where `waxseal.instance` is not set and gitsign was told to use both services of an instance that
/// is known, it is that one.
///
/// # Errors
/// [`SettingsError`] names the setting.
pub(super) fn settings() -> Result<Settings, SettingsError> {
    Settings::read().map(with_gitsign_s_instance)
}

/// The same without those settings that cannot be read, and why they cannot.
///
/// # Errors
/// [`SettingsError`] where nothing can be read.
pub(super) fn settings_that_can_be_read() -> Result<(Settings, Vec<SettingsError>), SettingsError> {
    let (settings, unreadable) = Settings::read_what_can_be()?;
    Ok((with_gitsign_s_instance(settings), unreadable))
}

fn with_gitsign_s_instance(mut settings: Settings) -> Settings {
    if let GitsignServices { fulcio: Some(fulcio), rekor: Some(rekor) } = &settings.gitsign {
        let store = TrustStore::new(&settings.folders);
        // An instance that cannot be read is none that could sign, and whoever asks for it by name will hear why.
        let names = store.names().unwrap_or_default();
        let known = names.iter().filter_map(|name| store.load(name).ok());
        let mut found = known.filter(|instance| is_of(instance, &fulcio.address, &rekor.address));
        // Two of them are a question that only the user can answer.
        settings.instance = match (found.next(), found.next()) {
            (Some(one), None) => Some(one.name.to_string()),
            _ => None,
        };
    }
    settings
}

/// The repository, if there is one that Git would use.
pub(super) fn repository(found: &FoundRepository) -> Result<Repository, CommandError> {
    match found {
        FoundRepository::At(git_dir) => Ok(Repository::open(git_dir)?),
        FoundRepository::NotFound => {
            Err(CommandError::usage("there is no Git repository here")
                .hint("go into one, or name its folder with GIT_DIR"))
        }
        FoundRepository::Refused { path, refusal: Refusal::Bare } => {
            Err(CommandError::usage(format!("git does not use the bare repository {} unasked", path.display()))
                .hint("safe.bareRepository is explicit: name it with GIT_DIR"))
        }
        FoundRepository::Refused { path, refusal: Refusal::Owner } => {
            Err(CommandError::usage(format!("the repository {} belongs to somebody else", path.display())).hint(
                format!(
                    "if you trust it: git config --global --add safe.directory {}",
                    escape::shell(&path.display().to_string())
                ),
            ))
        }
    }
}

/// The instances that the settings trust. Where an age is demanded at a time, each must have been refreshed lately enough.
///
/// # Errors
/// [`TrustStoreError`] names the first that cannot be used.
pub(super) fn trusted(
    settings: &Settings,
    demanded: Option<(MaxTrustAge, Timestamp)>,
) -> Result<Vec<Instance>, TrustStoreError> {
    let store = TrustStore::new(&settings.folders);
    if settings.trust.is_none() {
        warn_of_strays(&store);
    }
    store.trusted_lately(settings, demanded)
}

/// Says what lies among the instances and is none: somebody may believe that it is.
pub(super) fn warn_of_strays(store: &TrustStore) {
    for stray in store.strays() {
        let _closed = writeln!(io::stderr().lock(), "waxseal: warning: {}", escape::terminal(stray.to_string()));
    }
}

fn is_of(instance: &Instance, fulcio: &str, rekor: &str) -> bool {
    let Some(config) = &instance.signing_config else { return false };
    let at = |service: &Service, address: &str| service.url.trim_end_matches('/') == address.trim_end_matches('/');
    let mut logs = config.rekor_tlog_urls.iter().chain(config.opt_in_logs());
    config.ca_urls.iter().any(|authority| at(authority, fulcio)) && logs.any(|log| at(log, rekor))
}
