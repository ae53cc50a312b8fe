//! What went wrong with the agent, for whoever runs a command that needs it, with the next step.

use super::failure;
use crate::agent::{AgentError, Failure, PlaceError};
use crate::command_error::CommandError;

/// What the agent says happened to it while it did our work.
pub(super) fn of_agent(what: Failure) -> CommandError {
    match what {
        Failure::Service(error) => failure::service(error),
        Failure::Certificate(_) => CommandError::failed(what).hint(failure::UP_TO_DATE),
        Failure::NotConfirmed(_) => {
            CommandError::failed(what).hint("answer with y at the terminal where \"waxseal agent --forward\" runs")
        }
        Failure::Refused(_) | Failure::Token(_) => {
            CommandError::failed(what).hint("\"waxseal logout\" forgets the login; then try again")
        }
    }
}

/// An agent without which nothing goes on.
pub(super) fn agent_error(error: AgentError) -> CommandError {
    match error {
        AgentError::Failed(what) => of_agent(what),
        AgentError::Place(error) => {
            let hint = match &error {
                PlaceError::Foreign(_) | PlaceError::NotAFolder(_) => {
                    "it must be the user's own folder, with mode 0700: move what is there away, and waxseal makes it"
                }
                PlaceError::Io { .. } => "the agent's socket is there, in the user's own folder with mode 0700",
                PlaceError::NoFolder => "set HOME or XDG_RUNTIME_DIR",
                PlaceError::Open(_) => {
                    "it must be the user's own folder, with mode 0700: \"chmod 700\" closes it to others"
                }
            };
            CommandError::failed(error).hint(hint)
        }
        AgentError::Silent { ref who, .. } => {
            let hint = who.how_to_end();
            CommandError::failed(error).hint(hint)
        }
        AgentError::Broken(_)
        | AgentError::Newer(_)
        | AgentError::Older(_)
        | AgentError::OtherEnd(_)
        | AgentError::Stays
        | AgentError::Start(_) => CommandError::failed(error)
            .hint("\"waxseal agent --stop\" ends it, \"waxseal agent\" shows why it does not run"),
    }
}
