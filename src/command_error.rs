//! What a failed command tells its user: one sentence, what to do next, and an exit code.

use std::fmt::Display;
use std::io;

use crate::cli::UsageError;
use crate::escape;
use crate::files::LockError;
use crate::git::repository::{EVIDENCE_REF, NotesError, RepositoryError, UnreadableObject};
use crate::instance::InstanceName;
use crate::seen_checkpoints::ObserveError;
use crate::services::http::{NetworkError, Problem, ServiceError};
use crate::settings::SettingsError;
use crate::trust_store::TrustStoreError;
use crate::verify::UnusableInstance;

mod tuf;

/// A command that did not do its job.
///
/// Printed as `waxseal: error: …` and one `waxseal: hint: …` line a hint. The sentence is lower case, has no full stop,
/// and reads well inside git's own "gpg failed to sign the data:".
#[derive(Debug)]
pub struct CommandError {
    kind: ErrorKind,
    message: String,
    /// The message is clap's, whose lines stay lines. In any other, a line feed may come from anywhere, and after it what
    /// Git takes for a status line.
    has_lines: bool,
    hints: Vec<String>,
    is_outage: bool,
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

    /// The system gives no event loop, without which no network is asked.
    #[expect(clippy::needless_pass_by_value, reason = "for map_err")]
    pub fn no_event_loop(error: io::Error) -> Self {
        Self::failed(format_args!("cannot set up network access: {error}"))
    }

    /// An error of the given kind.
    pub fn new(kind: ErrorKind, message: impl Display) -> Self {
        Self { kind, message: message.to_string(), has_lines: false, hints: Vec::new(), is_outage: false }
    }

    /// The same with one more thing to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Display) -> Self {
        self.hints.push(hint.to_string());
        self
    }

    /// The same as the fault of a service that is down; what was asked of it may be right.
    #[must_use]
    pub fn of_outage(self, is_outage: bool) -> Self {
        Self { is_outage, ..self }
    }

    /// Whether a service was down.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        self.is_outage
    }

    /// The same with what it is about before the sentence.
    #[must_use]
    pub fn about(mut self, what: impl Display) -> Self {
        self.message.insert_str(0, &format!("{what}: "));
        self
    }

    /// Prints it: `waxseal: error: …`, and one `waxseal: hint: …` line a hint, escaped for a terminal.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn print(&self, out: &mut impl io::Write) -> io::Result<()> {
        let mut text = String::from("waxseal: error: ");
        if self.has_lines {
            text.push_str(&self.message.lines().map(escape::terminal).collect::<Vec<_>>().join("\n"));
        } else {
            text.push_str(&escape::terminal(&self.message));
        }
        text.push('\n');
        for hint in &self.hints {
            text.push_str("waxseal: hint: ");
            text.push_str(&escape::terminal(hint));
            text.push('\n');
        }
        out.write_all(text.as_bytes())
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

impl From<ObserveError> for CommandError {
    fn from(error: ObserveError) -> Self {
        let contradiction = match error {
            ObserveError::Alarm(alarm) => alarm,
            ObserveError::Checkpoint(error) => return Self::failed(error),
        };
        let failed = Self::failed(&contradiction)
            .hint("a log only ever grows: ask its operator what happened, and show the two files to others who use it");
        match &contradiction.kept.file {
            Some(file) => failed.hint(format_args!(
                "if it was put back from a backup and you accept that, remove {}: the log is believed anew then",
                file.display()
            )),
            None => failed,
        }
    }
}

impl From<NetworkError> for CommandError {
    fn from(error: NetworkError) -> Self {
        let text = Self::usage(&error);
        match error {
            NetworkError::CaFile { .. } | NetworkError::CaFileTooLarge(_) | NetworkError::NoCertificates(_) => {
                text.hint("it is a file of PEM certificates (BEGIN CERTIFICATE), one after the other")
            }
            NetworkError::ProxyAddress(_) | NetworkError::ProxyScheme { .. } => {
                text.hint("a proxy is http://HOST:PORT or https://HOST:PORT")
            }
        }
    }
}

impl From<NotesError> for CommandError {
    fn from(error: NotesError) -> Self {
        let text = Self::failed(&error);
        match error {
            NotesError::Moved(_) => text.hint("another program may be writing notes; try again"),
            NotesError::Special(_) => text.hint(NOT_READ),
            NotesError::Symbolic => text.hint(format!("\"git symbolic-ref --delete {EVIDENCE_REF}\" removes it")),
            NotesError::Unreadable(_) => text.hint("\"git fsck\" says more"),
            NotesError::TooLarge | NotesError::Unwritten(_) => text,
        }
    }
}

impl From<RepositoryError> for CommandError {
    fn from(error: RepositoryError) -> Self {
        let text = match &error {
            RepositoryError::Unreadable { .. } => Self::new(ErrorKind::Undecided, &error),
            _ => Self::usage(&error),
        };
        match error {
            RepositoryError::Form(_) => text.hint("give a revision, or a range A..B; several may be given"),
            RepositoryError::BrokenRef(_) => text.hint("\"git update-ref -d\" removes it; \"git fsck\" says more"),
            RepositoryError::LightweightTag { .. } => {
                text.hint("\"waxseal verify\" judges the commit; \"git tag -s\" makes a tag that is signed")
            }
            RepositoryError::NoTag(_) => {
                text.hint("\"git tag --list\" lists them; \"waxseal verify\" takes any revision")
            }
            RepositoryError::Special(_) => text.hint(NOT_READ),
            RepositoryError::Unreadable { why: UnreadableObject::TooLarge, .. } => text.hint(TOO_LARGE),
            RepositoryError::Unreadable { .. } => text.hint(DAMAGED),
            RepositoryError::NotSignable { .. } | RepositoryError::Unknown(_) | RepositoryError::Unusable(_) => text,
        }
    }
}

impl From<ServiceError> for CommandError {
    fn from(error: ServiceError) -> Self {
        let text = Self::failed(&error);
        match error.problem {
            Problem::Insecure => text.hint("waxseal speaks plain http with this machine only; give an https address"),
            Problem::TimedOut(_) | Problem::Unreachable(_) => text.hint("check the network and the address"),
            Problem::BadAddress => text.hint("an address begins with https://"),
            Problem::Certificate(_) => text.hint("waxseal.caFile names the authorities of a private network"),
            Problem::Broken(_)
            | Problem::Garbage(_)
            | Problem::LoggedAlready { .. }
            | Problem::NoClient(_)
            | Problem::Refused { .. }
            | Problem::TooLarge(_) => text,
        }
    }
}

impl From<SettingsError> for CommandError {
    fn from(error: SettingsError) -> Self {
        let text = Self::usage(&error);
        match error {
            SettingsError::NoValue(key) => {
                text.hint(format!("\"git config --show-origin {key}\" says where it stands"))
            }
            SettingsError::NotAChoice { words, .. } => text.hint(format!("it can be one of: {words}")),
            SettingsError::NotAnAge { .. } => text.hint("write 12h, 30d or 8w: hours, days or weeks"),
            SettingsError::NotBoolean { .. } => text.hint("git's booleans are true, yes, on, 1 and false, no, off, 0"),
            SettingsError::GitConfig(_) => text.hint("\"git config --list --show-origin\" says what git makes of it"),
            SettingsError::Special(_) => text.hint(NOT_READ),
            SettingsError::GitParameters(_)
            | SettingsError::NoHome(_)
            | SettingsError::NotUtf8(_)
            | SettingsError::WorkingDirectory(_) => text,
        }
    }
}

impl From<TrustStoreError> for CommandError {
    fn from(error: TrustStoreError) -> Self {
        let kind = match &error {
            TrustStoreError::BadName { .. } | TrustStoreError::BuiltIn | TrustStoreError::Reserved(_) => {
                ErrorKind::Usage
            }
            TrustStoreError::Exists(_) | TrustStoreError::InTheWay(_) | TrustStoreError::Lock(_) => ErrorKind::Failed,
            TrustStoreError::Broken { .. }
            | TrustStoreError::File { .. }
            | TrustStoreError::HalfReplaced(_)
            | TrustStoreError::NoFolder
            | TrustStoreError::NotRegular(_)
            | TrustStoreError::NotUtf8(_)
            | TrustStoreError::Record { .. }
            | TrustStoreError::RekorV2SigningConfig { .. }
            | TrustStoreError::Restless(_)
            | TrustStoreError::SigningConfig { .. }
            | TrustStoreError::Stale { .. }
            | TrustStoreError::TooLarge(_)
            | TrustStoreError::TrustedRoot { .. }
            | TrustStoreError::TrustedRootFile { .. }
            | TrustStoreError::Unknown(_) => ErrorKind::TrustMaterial,
        };
        let text = Self::new(kind, &error);
        match &error {
            TrustStoreError::Broken { name, error } => text.hint(cure(name, error)),
            TrustStoreError::InTheWay(_) => text.hint("remove it, or take another name"),
            TrustStoreError::BuiltIn => text.hint("waxseal.trust names the instances to trust where not all shall be"),
            TrustStoreError::Exists(name) => {
                text.hint(format!("\"waxseal trust remove {name}\" forgets it; \"waxseal trust show {name}\" shows it"))
            }
            TrustStoreError::NoFolder => text.hint("set HOME or XDG_DATA_HOME"),
            TrustStoreError::SigningConfig { name, .. } | TrustStoreError::TrustedRoot { name, .. }
                if *name == InstanceName::public_good() =>
            {
                text.hint("\"waxseal trust remove public-good\" goes back to what is built in")
            }
            TrustStoreError::SigningConfig { name, .. } | TrustStoreError::TrustedRoot { name, .. }
                if *name != InstanceName::file() =>
            {
                text.hint(format!("if it was added before: \"waxseal trust remove {name}\", then add it again"))
            }
            TrustStoreError::RekorV2SigningConfig { .. } => text
                .hint("its operator should know; a second config that names other services is how tokens are stolen"),
            TrustStoreError::Stale { name, refreshable: true, .. } => text.hint(format!(
                "\"waxseal trust refresh {name}\" asks for it anew; where it is not needed, waxseal.trust leaves it out"
            )),
            TrustStoreError::Stale { name, refreshable: false, .. } => text.hint(format!(
                "\"waxseal trust import {name}\" takes what is newer (a folder, if it is from a TUF repository); where it is not needed, waxseal.trust leaves it out"
            )),
            TrustStoreError::Unknown(_) => {
                text.hint("\"waxseal trust list\" lists the instances; \"waxseal trust add\" adds one")
            }
            TrustStoreError::BadName { .. } => text.hint(
                "waxseal.instance and waxseal.trust hold names; \"waxseal trust list\" lists those that are known",
            ),
            TrustStoreError::Lock(LockError::Held(_)) => text
                .hint("nothing was changed; a waxseal that hangs or was stopped holds it: end that one, and try again"),
            TrustStoreError::File { error, .. } | TrustStoreError::Lock(LockError::Io { error, .. }) => {
                match error.kind() {
                    io::ErrorKind::NotFound => text.hint("is the path right?"),
                    io::ErrorKind::PermissionDenied => text.hint(PERMISSION),
                    io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                        text.hint("something else is where there must be a folder: look at each part of the path, and remove it")
                    }
                    _ => text,
                }
            }
            TrustStoreError::Lock(LockError::NotRegular(_)) => {
                text.hint("nothing was changed; it is no lock of waxseal's: remove it, and try again")
            }
            TrustStoreError::NotRegular(_) => text.hint("name a file that can be read from its beginning to its end"),
            TrustStoreError::NotUtf8(_)
            | TrustStoreError::Record { .. }
            | TrustStoreError::HalfReplaced(_)
            | TrustStoreError::Reserved(_)
            | TrustStoreError::Restless(_)
            | TrustStoreError::SigningConfig { .. }
            | TrustStoreError::TooLarge(_)
            | TrustStoreError::TrustedRoot { .. }
            | TrustStoreError::TrustedRootFile { .. } => text,
        }
    }
}

/// What to do about an instance that is broken on the disk.
fn cure(name: &InstanceName, error: &TrustStoreError) -> String {
    let anew = if *name == InstanceName::public_good() {
        format!("\"waxseal trust remove {name}\" goes back to what is built in")
    } else {
        format!("\"waxseal trust remove {name}\" forgets the instance; then add it again")
    };
    match error {
        TrustStoreError::Record { .. } | TrustStoreError::NotUtf8(_) => {
            format!("correct the file, or begin anew: {anew}")
        }
        TrustStoreError::File { error, .. } if error.kind() == io::ErrorKind::PermissionDenied => PERMISSION.to_owned(),
        _ => anew,
    }
}

/// What to do about an object that waxseal does not read for its size alone.
pub const TOO_LARGE: &str = "nothing is broken: waxseal reads no object of more than 32 MiB";

/// What to do about an object that the repository should give.
pub const DAMAGED: &str =
    "the repository is damaged: \"git fsck --full\" lists what is; get that again, as with a new clone";

const NOT_READ: &str = "nothing but a regular file is read there; remove it";

const PERMISSION: &str = "whoever runs waxseal must be able to read it: look at its owner and its permissions";

impl From<UnusableInstance> for CommandError {
    fn from(error: UnusableInstance) -> Self {
        Self::new(ErrorKind::TrustMaterial, error)
    }
}

impl From<UsageError> for CommandError {
    fn from(error: UsageError) -> Self {
        let text = match &error {
            UsageError::Nothing { help } => Self::usage(format!("{error}\n\n{}", help.trim_end())),
            _ => Self::usage(&error),
        };
        error.hint().into_iter().fold(Self { has_lines: true, ..text }, Self::hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_chose_stays_on_one_line() {
        let printed = |error: CommandError| {
            let mut out = Vec::new();
            error.print(&mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let error = CommandError::failed("no \x1b[2K\n[GNUPG:] SIG_CREATED ").hint("do\nthis");
        let text = "waxseal: error: no %1B[2K%0A[GNUPG:] SIG_CREATED \nwaxseal: hint: do%0Athis\n";
        assert_eq!(printed(error), text);
        let clap = CommandError::from(UsageError::Command("no \x1b[2K\nsecond".to_owned()));
        assert_eq!(printed(clap), "waxseal: error: no %1B[2K\nsecond\n");
    }
}
