//! How a step of the pipeline ended, with what it found.

use super::error::{Missing, VerifyError};
use super::findings::Outcome;

/// How a step ended: what it found, or what keeps it from finding anything.
#[derive(Clone, Debug)]
pub(super) enum Checked<T> {
    Held(T),
    Missing(Missing),
    Wrong(VerifyError),
}

impl<T> Checked<T> {
    /// For the findings, with what `detail` says of what was found.
    pub(super) fn outcome(&self, detail: impl FnOnce(&T) -> String) -> Outcome {
        match self {
            Self::Held(value) => Outcome::Held(detail(value)),
            Self::Missing(missing) => Outcome::Missing(missing.clone()),
            Self::Wrong(error) => Outcome::Wrong(error.clone()),
        }
    }
}
