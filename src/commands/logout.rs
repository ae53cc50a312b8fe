//! `waxseal logout`: the agent forgets, and issuers that take that are told.

use std::io::{self, Write as _};

use super::git_sign::agent_error;
use super::stdout;
use crate::agent::{Connection, Place};
use crate::cli::LogOut;
use crate::command_error::CommandError;
use crate::escape;
use crate::services::event_loop::EventLoop;
use crate::settings::Folders;

/// Logs out. Where nobody is logged in, there is nothing to do.
///
/// # Errors
/// [`CommandError`] when the agent does not answer.
pub fn run(request: &LogOut) -> Result<(), CommandError> {
    let place = Place::of_user(&Folders::of_user()).map_err(|error| agent_error(error.into()))?;
    let event_loop = EventLoop::new().map_err(CommandError::no_event_loop)?;
    let (count, unrevoked) = event_loop.run(forget(&place, request.instance.as_deref()))?;
    for why in unrevoked {
        let why = escape::terminal(why);
        let notice = "waxseal: warning: the login is forgotten here, but its token could not be revoked at the issuer";
        // There is nobody left to tell that this failed.
        writeln!(io::stderr(), "{notice}: {why}").unwrap_or_default();
    }
    stdout::print(match count {
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
