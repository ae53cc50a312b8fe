//! Which Git is installed. The one place that starts it: for `waxseal doctor`, never for signing or verifying.

use std::fmt;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

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
    /// It cannot be started.
    #[error("git cannot be started: {0}")]
    NotStarted(std::io::Error),
    /// It does not come to an end.
    #[error("\"git --version\" has not answered within {} seconds", WAIT.as_secs())]
    Silent,
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
        git.arg("--version").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = git.spawn().map_err(GitVersionError::NotStarted)?;
        let began = Instant::now();
        // So few bytes fit into the pipe: nobody has to read before the end.
        while child.try_wait().map_err(GitVersionError::NotStarted)?.is_none() {
            if began.elapsed() > WAIT {
                drop(child.kill());
                drop(child.wait());
                return Err(GitVersionError::Silent);
            }
            thread::sleep(PAUSE);
        }
        let mut said = String::new();
        let stdout = child.stdout.take().ok_or(GitVersionError::Unclear)?;
        stdout.take(MAX_BYTES).read_to_string(&mut said).map_err(|_error| GitVersionError::Unclear)?;
        Self::parse(&said).ok_or(GitVersionError::Unclear)
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
const PAUSE: Duration = Duration::from_millis(2);
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
