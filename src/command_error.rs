//! What a failed command tells its user: one sentence, what to do next, and an exit code.

use std::fmt::Display;

/// A command that did not do its job.
///
/// Printed as `waxseal: error: …` and one `waxseal: hint: …` line a hint. The sentence is lower case, has no full stop,
/// and reads well inside git's own "gpg failed to sign the data:".
#[derive(Debug)]
pub struct CommandError {
    kind: ErrorKind,
    message: String,
    hints: Vec<String>,
}

impl CommandError {
    /// The job was understood and failed: exit code 1.
    pub fn failed(message: impl Display) -> Self {
        Self::new(ErrorKind::Failed, message)
    }

    /// The command line, the repository or a revision is wrong: exit code 2.
    pub fn usage(message: impl Display) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    /// An error of the given kind.
    pub fn new(kind: ErrorKind, message: impl Display) -> Self {
        Self { kind, message: message.to_string(), hints: Vec::new() }
    }

    /// The same with one more thing to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Display) -> Self {
        self.hints.push(hint.to_string());
        self
    }

    /// Which exit code it has.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it.
    #[must_use]
    pub fn hints(&self) -> &[String] {
        &self.hints
    }
}

/// Why a command failed, as its exit code tells it (`docs/errors.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// 1: the job failed.
    Failed,
    /// 5: no policy was given, or it is invalid.
    Policy,
    /// 4: trust material is missing, unreadable or too old.
    TrustMaterial,
    /// 3: it could not be decided, or the output could not be written.
    Undecided,
    /// 2: usage, no repository, unknown revision.
    Usage,
}

impl ErrorKind {
    /// The exit code.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Undecided => 3,
            Self::TrustMaterial => 4,
            Self::Policy => 5,
        }
    }
}
