//! `waxseal whoami`: who is logged in at the agent, and for how long.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::agent_error::agent_error;
use super::stdout;
use crate::agent::{Connection, Place, SessionStatus};
use crate::cli::WhoAmI;
use crate::command_error::CommandError;
use crate::escape;
use crate::services::event_loop::EventLoop;
use crate::settings::Folders;

/// Prints each login, the newest first. The exit code is 1 when there is none.
///
/// # Errors
/// [`CommandError`], also when nobody is logged in.
pub fn run(request: &WhoAmI, now: Timestamp) -> Result<(), CommandError> {
    let place = Place::of_user(&Folders::of_user()).map_err(|error| agent_error(error.into()))?;
    let sessions = EventLoop::new().map_err(CommandError::no_event_loop)?.run(sessions(&place))?;
    if request.json {
        let lines: Result<Vec<Vec<u8>>, _> = sessions.iter().map(json_line).collect();
        let lines = lines.map_err(CommandError::failed)?.concat();
        stdout::print(&String::from_utf8_lossy(&lines))?;
    } else {
        stdout::print(&sessions.iter().map(|session| line(session, now)).collect::<String>())?;
    }
    if sessions.is_empty() {
        return Err(
            CommandError::failed("nobody is logged in").hint("\"waxseal login\" logs in; so does the first signature")
        );
    }
    Ok(())
}

async fn sessions(place: &Place) -> Result<Vec<SessionStatus>, CommandError> {
    match Connection::to_running(place).await.map_err(agent_error)? {
        Some(mut connection) => connection.sessions().await.map_err(agent_error),
        None => Ok(Vec::new()),
    }
}

/// `alice@example.org via https://issuer at home, certificate for 9 min, renewed without a question for 23 h`
fn line(session: &SessionStatus, now: Timestamp) -> String {
    let SessionStatus { instance, identity, issuer, certificate_until, renewed_until } = session;
    let mut line = format!("{identity} via {issuer} at {instance}");
    if let Some(until) = certificate_until {
        let _infallible = write!(line, ", certificate for {}", left(*until, now));
    }
    if let Some(until) = renewed_until.filter(|until| certificate_until.is_none_or(|end| *until > end)) {
        let _infallible = write!(line, ", renewed without a question for {}", left(until, now));
    }
    let mut line = escape::terminal(line);
    line.push('\n');
    line
}

fn json_line(session: &SessionStatus) -> serde_json::Result<Vec<u8>> {
    let SessionStatus { instance, identity, issuer, certificate_until, renewed_until } = session;
    let time = |time: &Option<Timestamp>| time.map(|time| format!("{time:.0}"));
    escape::json_line(&json!({
        "identity": identity,
        "issuer": issuer,
        "instance": instance,
        "certificate_until": time(certificate_until),
        "renewed_until": time(renewed_until),
    }))
}

/// Whole minutes, rounded up; hours from two on.
fn left(until: Timestamp, now: Timestamp) -> String {
    let minutes = (until.duration_since(now).max(SignedDuration::ZERO).as_secs() + 59) / 60;
    if minutes < 120 { format!("{minutes} min") } else { format!("{} h", minutes / 60) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_login() {
        let now: Timestamp = "2026-11-26T12:00:00Z".parse().unwrap();
        let after = |minutes| Some(now + SignedDuration::from_mins(minutes));
        let said = |certificate_until, renewed_until| {
            let (identity, issuer) = ("a\x1b@x".to_owned(), "https://i".to_owned());
            let instance = "home".to_owned();
            line(&SessionStatus { instance, identity, issuer, certificate_until, renewed_until }, now)
        };
        assert_eq!(said(after(9), None), "a%1B@x via https://i at home, certificate for 9 min\n");
        assert_eq!(said(after(9), after(1)), said(after(9), None));
        assert_eq!(
            said(after(9), after(1439)),
            "a%1B@x via https://i at home, certificate for 9 min, renewed without a question for 23 h\n"
        );
        assert_eq!(said(None, after(61)), "a%1B@x via https://i at home, renewed without a question for 61 min\n");
    }
}
