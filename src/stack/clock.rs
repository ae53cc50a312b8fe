//! A clock that went back, and the operator's word that it is right now.
//!
//! The word is a file in the log's folder: `waxseal serve clock --accept` writes it, a running log takes it away when it has
//! used it. Another, in the stack's folder, is for the timestamp authority, which goes on when all logs do. It holds for an hour, so that one that was not needed does not excuse a later jump.

use std::fs;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::disk::write_durably;

/// Accepts that the clock says `now`, for the log or the stack in `folder`.
pub(super) fn accept(folder: &Path, now: Timestamp) -> std::io::Result<()> {
    write_durably(&folder.join(ACCEPTED), now.to_string().as_bytes())
}

/// Whether the operator has accepted this clock within the last hour.
pub(super) fn is_accepted(folder: &Path, now: Timestamp) -> bool {
    let accepted = fs::read_to_string(folder.join(ACCEPTED)).ok().and_then(|text| text.parse::<Timestamp>().ok());
    accepted.is_some_and(|accepted| now.duration_since(accepted).abs() <= HOLDS_FOR)
}

/// Takes the word away.
pub(super) fn forget_acceptance(folder: &Path) {
    // It loses its force all the same.
    let _left_behind = fs::remove_file(folder.join(ACCEPTED));
}

/// The word's name.
pub(super) const ACCEPTED: &str = "clock-accepted";
const HOLDS_FOR: SignedDuration = SignedDuration::from_hours(1);
