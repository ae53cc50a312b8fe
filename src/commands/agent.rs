//! `waxseal agent`: logins in memory, and what signs with them.

use crate::agent::{self, Connection, Idle, PassedSocket, Place, ServeError};
use crate::cli::Agent;
use crate::command_error::CommandError;
use crate::services::event_loop::EventLoop;
use crate::settings::Folders;
use crate::terminal::{Attendant, Terminal};

use super::agent_error::agent_error;
use super::git_sign::clock;
use super::{configured, stdout};

/// Runs the agent until it has nothing more to do, or has the one that runs end. It reads nothing of a repository.
///
/// # Errors
/// [`CommandError`]
pub fn run(request: &Agent) -> Result<(), CommandError> {
    if request.detached {
        agent::detach().map_err(|error| CommandError::failed(format_args!("cannot let go of the caller: {error}")))?;
    }
    let place = Place::of_user(&Folders::of_user()).map_err(|error| agent_error(error.into()))?;
    let event_loop = EventLoop::new().map_err(CommandError::no_event_loop)?;
    if request.stop {
        return event_loop.run(stop(&place));
    }
    if request.forward {
        return forward(&place, &event_loop);
    }
    // What a client inherited was not passed to its agent.
    let passed = if request.detached { Ok(None) } else { PassedSocket::from_service_manager() };
    let passed = passed.map_err(|error| CommandError::failed(ServeError::Socket(error)))?;
    let ready = || match request.detached {
        true => Ok(()),
        false => stdout::print(&format!("the agent listens at {}\n", place.socket().display())),
    };
    match event_loop.run(agent::serve(&place, passed.as_ref(), Idle(request.idle), clock, ready)) {
        // Another client was faster, and its agent will do for this one's, too.
        Err(ServeError::AlreadyThere) if request.detached => Ok(()),
        Err(ServeError::AlreadyThere) => Err(CommandError::failed(ServeError::AlreadyThere)
            .hint("\"waxseal whoami\" shows who is logged in there, \"waxseal agent --stop\" ends it")),
        Err(error) => Err(unserved(error)),
        Ok(said) => said,
    }
}

/// Signs for other machines, as long as somebody is there to say yes.
fn forward(place: &Place, event_loop: &EventLoop) -> Result<(), CommandError> {
    let terminal = Terminal::open_if(configured::settings()?.may_prompt);
    let attendant = Attendant::new(terminal).ok_or_else(|| {
        CommandError::failed("there is no terminal, and each signature for another machine is confirmed at one")
            .hint("leave \"waxseal agent --forward\" running in a terminal's foreground")
    })?;
    let ready =
        || stdout::print(&format!("ready to sign for other machines at {}\n", place.forward_socket().display()));
    match event_loop.run(agent::forward(place, attendant, ready)) {
        Err(ServeError::AlreadyThere) => Err(CommandError::failed("\"waxseal agent --forward\" runs already")),
        Err(error) => Err(unserved(error)),
        Ok(said) => said,
    }
}

fn unserved(error: ServeError) -> CommandError {
    match error {
        ServeError::Place(error) => agent_error(error.into()),
        ServeError::AlreadyThere | ServeError::Signals(_) | ServeError::Socket(_) => CommandError::failed(error),
    }
}

async fn stop(place: &Place) -> Result<(), CommandError> {
    Connection::stop_running(place).await.map_err(agent_error)
}
