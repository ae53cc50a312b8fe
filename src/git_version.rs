//! Which Git is installed. The one place that starts it: for `waxseal doctor`, never for signing or verifying.

use std::fmt;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::child_process::{self, Budget, ChildError};

/// Git's version, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GitVersion {
    /// 2 of 2.47.3
    pub major: u32,
    /// 47 of 2.47.3
    pub minor: u32,
}

/// Why the version is not known.
#[derive(Debug, thiserror::Error)]
pub enum GitVersionError {
    /// It does not start, or not end.
    #[error(transparent)]
    Child(#[from] ChildError),
    /// It says something else.
    #[error("\"git --version\" does not say a version")]
    Unclear,
}

impl GitVersion {
    /// Asks the `git` that `PATH` leads to.
    ///
    /// # Errors
    /// [`GitVersionError`] after [`WAIT`] at the latest.
    pub fn installed() -> Result<Self, GitVersionError> {
        let mut git = Command::new("git");
        git.arg("--version").stderr(Stdio::null());
        let output = child_process::output(git, Vec::new(), Budget { bytes: MAX_BYTES, time: WAIT, deadline: None })?;
        Self::parse(&String::from_utf8_lossy(&output.said)).ok_or(GitVersionError::Unclear)
    }

    /// `git version 2.39.3 (Apple Git-145)`
    fn parse(said: &str) -> Option<Self> {
        let mut numbers = said.strip_prefix("git version ")?.split(['.', ' ', '\n']);
        Some(Self { major: numbers.next()?.parse().ok()?, minor: numbers.next()?.parse().ok()? })
    }
}

impl fmt::Display for GitVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Git answers in milliseconds; a file system over the network may not.
const WAIT: Duration = Duration::from_secs(5);
/// A line.
const MAX_BYTES: u64 = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_they_are_said() {
        let version = |major, minor| Some(GitVersion { major, minor });
        assert_eq!(GitVersion::parse("git version 2.39.5\n"), version(2, 39));
        assert_eq!(GitVersion::parse("git version 2.39.3 (Apple Git-145)\n"), version(2, 39));
        assert_eq!(GitVersion::parse("git version 2.50\n"), version(2, 50));
        assert_eq!(GitVersion::parse("git version 2.45.1.windows.1\n"), version(2, 45));
        assert_eq!(GitVersion::parse("hub version 2.14.2\n"), None);
        assert!(GitVersion { major: 2, minor: 39 } < GitVersion { major: 2, minor: 40 });
    }
}
