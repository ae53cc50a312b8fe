//! What is said of a TUF repository that is not followed. What was trusted before stays trusted.

use super::{CommandError, ErrorKind};
use crate::trust_store::tuf::{TufError, TufPlace, TufProblem};

impl From<TufError> for CommandError {
    fn from(error: TufError) -> Self {
        let what = error.to_string();
        let again = match error.place {
            TufPlace::Mirror(_) => "try another mirror",
            TufPlace::File(_) | TufPlace::Folder(_) => "copy the repository again",
        };
        let problem = match error.problem {
            TufProblem::Service(error) => return Self::from(error),
            TufProblem::Disk(error) => return Self::from(error),
            problem => problem,
        };
        let hint = match problem {
            TufProblem::Expired { .. } => {
                format!("an old copy, or its operator is late; {again}, and look at this machine's clock")
            }
            TufProblem::OldKeys(_) => {
                "public-good's roots 1 to 4 are such, and its chain begins with 5 here: give that or a later one"
                    .to_owned()
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
