//! When an entry comes in: never before an earlier one, and not at all while the clock is far behind.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::error::StoreError;
use crate::stack::clock;

/// The time of an entry that comes in at `now` after one that came in at `last`.
pub(super) fn not_before(last: Option<Timestamp>, now: Timestamp) -> Result<Timestamp, StoreError> {
    match last {
        Some(last) if last.duration_since(now) > MAX_CLOCK_STEP_BACK => Err(StoreError::ClockWentBack { now, last }),
        Some(last) => Ok(now.max(last)),
        None => Ok(now),
    }
}

/// Whether an entry that comes in at `now` is not too long before the last one, or the operator has accepted this clock
/// for the log in `folder`.
pub(super) fn is_believed(folder: &Path, last: Option<Timestamp>, now: Timestamp) -> bool {
    not_before(last, now).is_ok() || clock::is_accepted(folder, now)
}

/// An adjusted clock steps back by less.
const MAX_CLOCK_STEP_BACK: SignedDuration = SignedDuration::from_secs(5);
