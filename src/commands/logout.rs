//! `waxseal logout`: the agent forgets, the key ring too, and issuers that take that are told.

use std::io::{self, Write as _};
use std::sync::Arc;

use tokio::task::{JoinSet, LocalSet};

use super::agent_error::agent_error;
use super::{configured, stdout};
use crate::agent::{AgentError, Connection, Forgotten, KeptLogins, Place};
use crate::cli::LogOut;
use crate::command_error::CommandError;
use crate::escape;
use crate::key_ring::KeyRingError;
use crate::oidc;
use crate::services::event_loop::EventLoop;
use crate::services::http::{Http, Network};
use crate::settings::{CredentialStore, Folders, Settings};

/// Logs out. Where nobody is logged in, there is nothing to do.
///
/// # Errors
/// [`CommandError`] for settings and the runtime folder, when the agent does not answer, and when stdout cannot be written.
pub fn run(request: &LogOut) -> Result<(), CommandError> {
    let place = Place::of_user(&Folders::of_user()).map_err(|error| agent_error(error.into()))?;
    let event_loop = EventLoop::new().map_err(CommandError::no_event_loop)?;
    let instance = request.instance.as_deref();
    // Neither an agent that does not answer nor a setting that cannot be read is a reason to keep what can be forgotten.
    let agent = event_loop.run(forget(&place, instance));
    let settings = configured::settings();
    let key_ring = settings
        .as_ref()
        .map_or_else(|_unreadable| Forgotten::default(), |settings| event_loop.run(empty_key_ring(settings, instance)));
    let agent = agent?;
    for why in agent.unrevoked.iter().chain(&key_ring.unrevoked) {
        warn(&format!("the login is forgotten here, but its token could not be revoked at the issuer: {why}"));
    }
    stdout::print(if agent.logins + key_ring.logins > 0 { "logged out\n" } else { "nobody was logged in\n" })?;
    settings.map_or_else(|error| Err(error.into()), |_read| Ok(()))
}

async fn forget(place: &Place, instance: Option<&str>) -> Result<Forgotten, CommandError> {
    match Connection::to_running(place).await {
        Ok(Some(mut connection)) => connection.forget(instance).await.map_err(agent_error),
        Ok(None) => Ok(Forgotten::default()),
        // It knows no other word that we do, and takes its logins with it.
        Err(older @ AgentError::Older(_)) => {
            Connection::stop_running(place).await.map_err(agent_error)?;
            warn(&format!("{older}; it was ended, whoever was logged in there"));
            Ok(Forgotten { logins: 1, unrevoked: Vec::new() })
        }
        Err(error) => Err(agent_error(error)),
    }
}

/// What no agent had, whatever `waxseal.credentialStore` says here and now. What could not be forgotten is said; not where
/// no key ring was wanted, and none answers.
async fn empty_key_ring(settings: &Settings, instance: Option<&str>) -> Forgotten {
    let is_wanted = settings.credential_store == CredentialStore::KeyRing;
    let kept = match KeptLogins::read(instance).await {
        Ok(kept) => kept,
        // There is none, so it keeps nothing.
        Err(KeyRingError::NotThere(_)) => return Forgotten::default(),
        Err(error) => {
            if is_wanted {
                warn_of_rest(&error);
            }
            return Forgotten::default();
        }
    };
    let unrevoked = revoke(settings, &kept).await;
    let logins = kept.count();
    if let Some(error) = kept.forget().await {
        warn_of_rest(&error);
    }
    Forgotten { logins, unrevoked }
}

/// Has the issuers forget them. Gives why they did not.
async fn revoke(settings: &Settings, kept: &KeptLogins) -> Vec<String> {
    let http = match Network::new(&settings.network) {
        Ok(network) => Arc::new(Http::new(network)),
        Err(error) => return vec![error.to_string()],
    };
    let (here, mut revocations) = (LocalSet::new(), JoinSet::new());
    for login in kept.logins() {
        let http = Arc::clone(&http);
        let revoked = async move {
            let token = login.refresh_token()?;
            let revoked = oidc::revoke(&http, login.issuer(), login.client_id(), &token).await;
            revoked.err().map(|error| error.to_string())
        };
        revocations.spawn_local_on(revoked, &here);
    }
    // All at once: issuers that are down are waited for together.
    here.run_until(revocations.join_all()).await.into_iter().flatten().collect()
}

fn warn_of_rest(error: &KeyRingError) {
    warn(&format!("the key ring may still keep a login: {error}"));
}

fn warn(what: &str) {
    // There is nobody left to tell that this failed.
    writeln!(io::stderr(), "waxseal: warning: {}", escape::terminal(what)).unwrap_or_default();
}
