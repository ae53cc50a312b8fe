//! What is said of a TUF repository that is not followed. What was trusted before stays trusted.

use super::{CommandError, ErrorKind};
use crate::trust_store::tuf::{TufError, TufProblem};

impl From<TufError> for CommandError {
    fn from(error: TufError) -> Self {
        let place = error.place;
        let (problem, what) = match error.problem {
            TufProblem::Service(error) => return Self::from(error),
            TufProblem::Disk(error) => return Self::from(error),
            // It is the user's own file.
            problem @ TufProblem::Root(_) => {
                let what = format!("the file {}: {problem}", place.trim_start_matches("in "));
                (problem, what)
            }
            problem => {
                let what = format!("the TUF repository {place}: {problem}");
                (problem, what)
            }
        };
        let again = if place.starts_with("at ") { "try another mirror" } else { "copy the repository again" };
        let hint = match problem {
            TufProblem::Expired { .. } => {
                format!("an old copy, or its operator is late; {again}, and look at this machine's clock")
            }
            TufProblem::Rollback { .. } => format!("this is an old copy; {again}"),
            TufProblem::Unsigned { .. } | TufProblem::Integrity { .. } | TufProblem::Malformed { .. } => {
                format!("somebody changed it on the way, or it is another repository; {again}")
            }
            TufProblem::Missing(_) => "is this where the repository itself is? a copy must be whole".to_owned(),
            TufProblem::NoRoot | TufProblem::Root(_) => {
                "a TUF root is a file such as 1.root.json, from the instance's operator".to_owned()
            }
            TufProblem::NoTarget(_) => "it is a repository of something else than a Sigstore instance".to_owned(),
            TufProblem::TooManyRoots(_) => {
                "its operator can give you a newer root: remove the instance, and add it again with that one".to_owned()
            }
            TufProblem::Disk(_) | TufProblem::Service(_) | TufProblem::TimedOut(_) | TufProblem::TooLarge { .. } => {
                again.to_owned()
            }
        };
        Self::new(ErrorKind::TrustMaterial, what).hint(hint)
    }
}
