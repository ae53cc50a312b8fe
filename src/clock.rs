//! How far clocks may differ.

use jiff::SignedDuration;

/// What is ahead of the local clock by no more than this is not in the future: laptops are slow by that much without anybody
/// lying.
pub const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_mins(5);
