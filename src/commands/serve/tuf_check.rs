//! Whether a stack's TUF repository leads a client from its first root to its documents.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::command_error::CommandError;
use crate::services::event_loop::EventLoop;
use crate::trust_store::tuf::{Source, TufState, follow};
use crate::trust_store::{TrustStoreError, read};

/// Goes along it as `waxseal trust refresh` does. Returns a line for its output; none where there is no repository yet, as
/// in the folder of an earlier version.
pub(super) fn check(data: &Path) -> Result<Option<String>, CommandError> {
    let folder = data.join("tuf");
    if folder.symlink_metadata().is_err() {
        return Ok(None);
    }
    let broken = |error: &dyn std::fmt::Display| {
        CommandError::failed(format_args!("tuf: {error}"))
            .hint("keep this folder as it is, and start from the last backup that holds")
    };
    let first = folder.join("1.root.json");
    let root = read(&first).map_err(|error| broken(&error))?;
    let state = TufState::pinned(&root, &first).map_err(|error| broken(&error))?;
    // What expired since a stack was stopped is signed again when it starts.
    let then = last_moment(&folder).map_err(|error| broken(&error))?;
    let event_loop = EventLoop::new().map_err(CommandError::no_event_loop)?;
    let followed = event_loop.run(follow(Source::Folder(folder), state, then)).map_err(|error| broken(&error))?;
    let (root, timestamp) = followed.state.versions();
    Ok(Some(format!("{}\n", json!({ "tuf_root": root, "tuf_timestamp": timestamp }))))
}

/// The last second at which clients take the newest timestamp; everything else is valid for longer. What is no timestamp is
/// found afterwards.
fn last_moment(folder: &Path) -> Result<Timestamp, TrustStoreError> {
    let bytes = read(&folder.join("timestamp.json"))?;
    let document: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let expires = document.pointer("/signed/expires").and_then(|expires| expires.as_str()?.parse::<Timestamp>().ok());
    let last = expires.and_then(|expires| expires.checked_sub(SignedDuration::from_secs(1)).ok());
    Ok(last.unwrap_or(Timestamp::UNIX_EPOCH))
}
