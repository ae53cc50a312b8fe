//! `waxseal logout`: the agent forgets, the key ring too, and issuers that take that are told.

use std::io::{self, Write as _};
use std::sync::Arc;

use tokio::task::{JoinSet, LocalSet};

use super::git_sign::agent_error;
use super::{configured, stdout};
use crate::agent::{Connection, Kept, Place};
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
/// [`CommandError`] when the agent does not answer.
pub fn run(request: &LogOut) -> Result<(), CommandError> {
    let place = Place::of_user(&Folders::of_user()).map_err(|error| agent_error(error.into()))?;
    let event_loop = EventLoop::new().map_err(CommandError::no_event_loop)?;
    let instance = request.instance.as_deref();
    let agent = event_loop.run(forget(&place, instance));
    let settings = configured::settings()?;
    let key_ring = match settings.credential_store {
        CredentialStore::Agent => (0, Vec::new()),
        CredentialStore::KeyRing => event_loop.run(empty_key_ring(&settings, instance))?,
    };
    // Not before: an agent that does not answer is no reason to leave logins in the key ring.
    let agent = agent?;
    for why in agent.1.iter().chain(&key_ring.1) {
        warn(&format!("the login is forgotten here, but its token could not be revoked at the issuer: {why}"));
    }
    stdout::print(match agent.0 + key_ring.0 {
        0 => "nobody was logged in\n",
        1 => "logged out\n",
        _ => "logged out everywhere\n",
    })
}

async fn forget(place: &Place, instance: Option<&str>) -> Result<(usize, Vec<String>), CommandError> {
    match Connection::to_running(place).await.map_err(agent_error)? {
        Some(mut connection) => connection.forget(instance).await.map_err(agent_error),
        None => Ok((0, Vec::new())),
    }
}

/// What no agent had. What could not be forgotten is said.
async fn empty_key_ring(settings: &Settings, instance: Option<&str>) -> Result<(usize, Vec<String>), CommandError> {
    let kept = match Kept::take_all(instance).await {
        Ok(kept) => kept,
        // There is none, so it keeps nothing.
        Err(KeyRingError::NotThere(_)) => return Ok((0, Vec::new())),
        Err(error) => {
            warn(&format!("the key ring may still keep a login: {error}"));
            return Ok((0, Vec::new()));
        }
    };
    let http = Arc::new(Http::new(Network::new(&settings.network)?));
    let count = kept.len();
    let (here, mut revocations) = (LocalSet::new(), JoinSet::new());
    for login in kept {
        let http = Arc::clone(&http);
        revocations.spawn_local_on(
            async move {
                let token = login.refresh_token()?;
                oidc::revoke(&http, login.issuer(), login.client_id(), &token)
                    .await
                    .err()
                    .map(|error| error.to_string())
            },
            &here,
        );
    }
    // All at once: issuers that are down are waited for together.
    Ok((count, here.run_until(revocations.join_all()).await.into_iter().flatten().collect()))
}

fn warn(what: &str) {
    // There is nobody left to tell that this failed.
    writeln!(io::stderr(), "waxseal: warning: {}", escape::terminal(what)).unwrap_or_default();
}
