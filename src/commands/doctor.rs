//! `waxseal doctor`: looks at everything that signing and verifying depend on, and says for each thing what would help.
//!
//! It changes nothing. Every look has a budget of seconds, and one that fails is a finding, not the end.

mod agent;
mod checkpoints;
mod credentials;
mod dry_signature;
mod finding;
mod git;
mod policy;
mod services;
mod trust;

use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

use self::finding::{Finding, Report};
use crate::cli::Doctor;
use crate::command_error::CommandError;
use crate::commands::configured;
use crate::instance::Instance;
use crate::services::Services;
use crate::services::event_loop::EventLoop;
use crate::settings::effective::EffectiveConfig;
use crate::settings::{Folders, FoundRepository, Settings};

/// Prints every finding. Exit code 0 where none is a problem, else 1.
///
/// # Errors
/// [`CommandError`] when the output does not get out.
pub fn run(request: &Doctor, now: Timestamp) -> Result<u8, CommandError> {
    let mut report = Report::begin(request.json, !request.offline)?;
    let began = Instant::now();
    let settings = match configured::settings_that_can_be_read() {
        Ok((settings, unreadable)) => {
            report.all(unreadable.into_iter().map(|error| Finding::of_error("settings", error)).collect())?;
            settings
        }
        Err(error) => {
            report.add(Finding::of_error("settings", error))?;
            Settings { folders: Folders::of_user(), may_prompt: true, ..Settings::default() }
        }
    };
    if let FoundRepository::Refused { path, .. } = &settings.repository {
        let what = format!("Git refuses the repository {}, so its configuration is not read", path.display());
        report.add(Finding::warning("repository", what, "\"git status\" there says why, and what to do"))?;
    }
    report.all(git::version())?;
    if let Ok((config, _)) = EffectiveConfig::read() {
        report.all(git::findings(&config, settings.instance.is_some()))?;
    }
    let (signing, findings) = trust::signing(&settings, now);
    report.all(findings)?;
    report.all(trust::findings(&settings, now))?;
    report.all(checkpoints::findings(&settings))?;
    report.add(policy::finding(&settings))?;
    report.all(credentials::findings(&settings, signing.as_ref(), now))?;
    let event_loop = EventLoop::new().map_err(CommandError::no_event_loop)?;
    report.add(event_loop.run(agent::finding(&settings)))?;
    report.all(event_loop.run(credentials::key_ring(&settings)).into_iter().collect())?;
    // The clock is not read again: it is asked whether it is right.
    let later = || now + SignedDuration::try_from(began.elapsed()).unwrap_or_default();
    report.all(services::network(&settings))?;
    report.all(event_loop.run(services::findings(&settings, signing.as_ref(), request.offline, later)))?;
    report.add(dry_signature::finding(&event_loop, later))?;
    report.end()
}

/// The instance that signs, with its services.
struct Signing {
    instance: Instance,
    services: Services,
    /// Where `waxseal trust refresh` asks first, if there is an address to ask.
    source: Option<String>,
}
