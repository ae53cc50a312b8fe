//! `waxseal login`: the login of the signatures to come.

use jiff::Timestamp;

use super::failure;
use super::git_sign::public_consent::{PublicConsent, Purpose};
use super::git_sign::{SignIn, instances};
use super::{configured, stdout};
use crate::agent;
use crate::cli::LogIn;
use crate::command_error::CommandError;
use crate::escape;
use crate::services::Services;
use crate::services::event_loop::EventLoop;
use crate::services::http::{Http, Network};
use crate::terminal::Terminal;

/// Lets the user log in, whoever was logged in before.
///
/// # Errors
/// [`CommandError`]
pub fn run(request: &LogIn, now: Timestamp) -> Result<(), CommandError> {
    agent::keep_out_of_dumps();
    let mut settings = configured::settings()?;
    if let Some(name) = &request.instance {
        settings.instance = Some(name.clone());
    }
    let terminal = Terminal::open_if(settings.may_prompt);
    let terminal = terminal.that_says_why(request.verbose || settings.verbose);
    // What Git would then not verify is not worth a login.
    let (instance, _trusted) = instances(&settings, now)?;
    let config = instance.signing_config.as_ref().ok_or_else(|| failure::no_signing_config(&instance.name))?;
    let services = Services::select(config, settings.log, settings.timestamp, now)
        .map_err(|error| failure::no_service(&instance.name, error))?;
    let http = Http::new(Network::new(&settings.network)?);
    let consent = PublicConsent::new(&instance, &settings, &terminal, Purpose::Login)?;
    let sign_in = SignIn {
        settings: &settings,
        terminal: &terminal,
        instance: &instance,
        services: &services,
        http: &http,
        consent: &consent,
    };
    let found = EventLoop::new().map_err(CommandError::no_event_loop)?.run(sign_in.log_in())?;
    let said = format!("logged in as {} via {} at {}", found.identity, found.issuer, instance.name);
    stdout::print(&format!("{}\n", escape::terminal(said)))
}
