//! `waxseal serve backup`, `check` and `clock`: what can be done to a stack's folder while it runs.

use std::io::{self, Write as _};
use std::path::Path;

use jiff::Timestamp;
use serde_json::json;

use super::tuf_check;
use crate::cli::ServeClock;
use crate::command_error::CommandError;
use crate::commands::stdout;
use crate::escape;
use crate::stack::log_store::CheckedLog;
use crate::stack::maintenance::{self, MaintenanceError};

/// Copies the stack and checks the copy; prints each log that holds.
pub(super) fn back_up(data: &Path, to: &Path) -> Result<(), CommandError> {
    let mut held = String::new();
    let left_out = maintenance::back_up(data, to, |name, log| held.push_str(&line(name, log)))?;
    for path in left_out {
        let shown = escape::terminal(path.display().to_string());
        let _closed = writeln!(io::stderr().lock(), "waxseal: \"{shown}\" is not the stack's, and is not in the copy");
    }
    stdout::print(&held)
}

/// Recomputes every log and goes along the TUF repository; prints what of it holds.
pub(super) fn check(data: &Path) -> Result<(), CommandError> {
    let mut held = String::new();
    let checked = maintenance::check(data, |name, log| held.push_str(&line(name, log)));
    let tuf = checked.map_err(CommandError::from).and_then(|()| tuf_check::check(data));
    held.extend(tuf.as_ref().ok().and_then(Option::as_deref));
    stdout::print(&held)?;
    tuf.map(drop)
}

/// Accepts the clock, or says what there is to accept.
pub(super) fn clock(request: &ServeClock, now: Timestamp) -> Result<(), CommandError> {
    let ahead = maintenance::ahead_of(&request.data, now)?;
    if request.accept {
        maintenance::accept_clock(&request.data, now)?;
    }
    let mut stderr = io::stderr().lock();
    for (name, last) in &ahead {
        let _closed = writeln!(stderr, "waxseal: {name}: the last entry came in at {last:.0}, the clock says {now:.0}");
    }
    let _closed = match (ahead.is_empty(), request.accept) {
        (true, false) => writeln!(stderr, "waxseal: the clock says {now:.0}, and no log has a later entry"),
        (true, true) => writeln!(
            stderr,
            "waxseal: the clock says {now:.0}, and no log has a later entry; accepted for an hour: the next timestamp may be earlier than the last"
        ),
        (false, true) => writeln!(stderr, "waxseal: accepted for an hour: the next entry may be earlier than the last"),
        (false, false) => writeln!(stderr, "waxseal: hint: if the clock is right now, say so with --accept"),
    };
    Ok(())
}

fn line(name: &str, log: CheckedLog) -> String {
    format!("{}\n", json!({ "log": name, "size": log.size, "root_hash": log.root.to_string() }))
}

impl From<MaintenanceError> for CommandError {
    fn from(error: MaintenanceError) -> Self {
        match error {
            MaintenanceError::Folder(error) => error.into(),
            MaintenanceError::Exists(_) => Self::failed(error).hint("give the backup a name that is not taken"),
            MaintenanceError::Inside { .. } => Self::usage(error)
                .hint("a copy in the folder that it is a copy of is lost with it: name a place elsewhere"),
            MaintenanceError::Log { .. } => {
                Self::failed(error).hint("keep this folder as it is, and start from the last backup that holds")
            }
            MaintenanceError::NoStack(_) | MaintenanceError::Store(_) | MaintenanceError::Url(_) => Self::failed(error),
        }
    }
}
