//! What is said of one step of a proof.

use crate::commands::facts::Facts;
use crate::verify::findings::Outcome;

/// One step.
pub(super) struct StepReport {
    /// Its name, in JSON too.
    pub(super) name: &'static str,
    /// What says how it is done.
    pub(super) standard: &'static str,
    /// `None`: it was not taken, because there was nothing to take it with.
    pub(super) outcome: Option<Outcome>,
    /// What it looked at.
    pub(super) inputs: Facts,
}
