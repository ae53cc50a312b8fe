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
use crate::trust_store::TrustStore;

/// Logs out. Where nobody is logged in, there is nothing to do.
///
/// # Errors
/// [`CommandError`] for settings, the runtime folder and an instance that is not there, when the agent or a key ring that is
/// wanted does not answer, and when stdout cannot be written.
pub fn run(request: &LogOut) -> Result<(), CommandError> {
    let place = Place::of_user(&Folders::of_user()).map_err(|error| agent_error(error.into()))?;
    let event_loop = EventLoop::new().map_err(CommandError::no_event_loop)?;
    let instance = request.instance.as_deref();
    // Neither an agent that does not answer nor a setting that cannot be read is a reason to keep what can be forgotten.
    let agent = event_loop.run(forget(&place, instance));
    let settings = configured::settings();
    let key_ring = match &settings {
        Ok(settings) => event_loop.run(empty_key_ring(settings, instance)),
        Err(_unreadable) => Emptied::default(),
    };
    let agent = agent?;
    for why in agent.unrevoked.iter().chain(&key_ring.forgotten.unrevoked) {
        warn(&format!("the login is forgotten here, but its token could not be revoked at the issuer: {why}"));
    }
    let was_anybody = agent.logins + key_ring.forgotten.logins > 0;
    if let (false, Some(name), Ok(settings)) = (was_anybody, instance, &settings) {
        // What is mistyped leaves somebody logged in.
        let name = name.parse().map_err(|error| CommandError::usage(format!("--instance \"{name}\": {error}")))?;
        let known = TrustStore::new(&settings.folders).load(&name);
        drop(known.map_err(|error| CommandError::usage(error).hint("\"waxseal trust list\" lists the instances"))?);
    }
    stdout::print(if was_anybody { "logged out\n" } else { "nobody was logged in\n" })?;
    drop(settings?);
    match key_ring.rest {
        None => Ok(()),
        Some(error) => Err(CommandError::failed(format!("the key ring may still keep a login: {error}"))
            .hint("unlock it, or go to where it can be reached, and log out again")),
    }
}

/// What became of the key ring's logins.
#[derive(Default)]
struct Emptied {
    forgotten: Forgotten,
    /// Why there may be more.
    rest: Option<KeyRingError>,
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

/// What no agent had, whatever `waxseal.credentialStore` says here and now. Where no key
/// ring was wanted, one that does not answer keeps nothing.
async fn empty_key_ring(settings: &Settings, instance: Option<&str>) -> Emptied {
    let is_wanted = settings.credential_store == CredentialStore::KeyRing;
    let kept = match KeptLogins::read(instance).await {
        Ok(kept) => kept,
        Err(error) => return Emptied { rest: is_wanted.then_some(error), ..Emptied::default() },
    };
    let forgotten = Forgotten { logins: kept.count(), unrevoked: revoke(settings, &kept).await };
    Emptied { forgotten, rest: kept.forget().await }
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

fn warn(what: &str) {
    // There is nobody left to tell that this failed.
    writeln!(io::stderr(), "waxseal: warning: {}", escape::terminal(what)).unwrap_or_default();
}
