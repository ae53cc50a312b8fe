//! The user's gpg, asked about signatures under the keys that it is given and under no others: in a home of its own, thrown
//! away with the run, without the user's keyring, agent, configuration or network.
//!
//! Each message that it is handed is one signature and the content that it is held against, built here
//! ([`OpenPgpSignature::message`](crate::openpgp::OpenPgpSignature::message)); many of them go into one process.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::child_process::{self, Budget, ChildError};
use crate::files::scratch::Scratch;
use crate::openpgp::{Said, sections};

/// A gpg with some keys.
#[derive(Debug)]
pub struct Gpg {
    home: Scratch,
    batches: AtomicU64,
}

impl Gpg {
    /// One that knows `keys`, each as a keyring has it.
    ///
    /// # Errors
    /// [`GpgError::Files`] when it gets no home.
    pub fn with_keys<'a>(keys: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, GpgError> {
        let home = Scratch::new("waxseal-gpg-")?;
        let mut keyring = create(&home.path().join(KEYRING))?;
        keys.into_iter().try_for_each(|key| keyring.write_all(key))?;
        Ok(Self { home, batches: AtomicU64::new(0) })
    }

    /// What it says of `messages`, in their order: of the first ones, at least of one. It ends at `deadline`.
    ///
    /// # Errors
    /// [`GpgError`] when it says nothing that can be relied upon.
    pub fn verify(&self, messages: &[&[u8]], deadline: Option<Instant>) -> Result<Vec<Said>, GpgError> {
        let count = u64::try_from(messages.len()).unwrap_or(u64::MAX);
        let (bytes, time) = (count.saturating_mul(MAX_STATUS), TIME + Duration::from_secs(count));
        let folder = self.home.path().join(self.batches.fetch_add(1, Ordering::Relaxed).to_string());
        fs::create_dir(&folder)?;
        let said = self.verify_in(&folder, messages, Budget { bytes, time, deadline });
        fs::remove_dir_all(&folder)?;
        said
    }

    fn verify_in(&self, folder: &Path, messages: &[&[u8]], budget: Budget) -> Result<Vec<Said>, GpgError> {
        let names: Vec<String> = (0..messages.len()).map(|place| format!("{place}.gpg")).collect();
        for (name, message) in names.iter().zip(messages) {
            create(&folder.join(name))?.write_all(message)?;
        }
        let complaints = folder.join("stderr");
        let mut command = Command::new(PROGRAM);
        command.arg("--homedir").arg(self.home.path()).args(OPTIONS);
        command.arg("--keyring").arg(self.home.path().join(KEYRING)).arg("--verify-files").args(&names);
        command.env("GNUPGHOME", self.home.path()).env("HOME", self.home.path()).env("LC_ALL", "C");
        command.current_dir(folder).stderr(create(&complaints)?);
        let output = child_process::output(command, Vec::new(), budget)?;
        let said = sections(&String::from_utf8_lossy(&output.said));
        if said.is_empty() || said.len() > messages.len() {
            let mut text = Vec::new();
            File::open(&complaints)?.take(MAX_COMPLAINT).read_to_end(&mut text)?;
            let text = String::from_utf8_lossy(&text);
            return Err(GpgError::Silent(text.lines().next().unwrap_or("nothing").to_owned()));
        }
        Ok(said)
    }
}

/// gpg gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum GpgError {
    /// It was not there, or gave no answer in time.
    #[error(transparent)]
    Child(#[from] ChildError),
    /// Its home, or what it is handed.
    #[error("its folder cannot be used: {0}")]
    Files(#[from] io::Error),
    /// It ended without a word that can be relied upon.
    #[error("it gave no answer, and said: {0}")]
    Silent(String),
}

impl GpgError {
    /// Whether it is about the first message alone: another one may have an answer.
    #[must_use]
    pub fn is_about_one(&self) -> bool {
        match self {
            Self::Silent(_) => true,
            Self::Child(_) | Self::Files(_) => false,
        }
    }
}

/// In a folder that is nobody else's.
fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

/// Wherever `PATH` has it.
const PROGRAM: &str = "gpg";

const KEYRING: &str = "keys.gpg";

/// No configuration, questions, agent, network, trust in owners or second keyring; and the status lines.
const OPTIONS: [&str; 14] = [
    "--no-options",
    "--batch",
    "--no-tty",
    "--no-autostart",
    "--disable-dirmngr",
    "--no-auto-key-retrieve",
    "--no-auto-check-trustdb",
    "--no-default-keyring",
    "--trust-model",
    "always",
    "--lock-never",
    "--exit-on-status-write-error",
    "--status-fd",
    "1",
];

/// Of each message: what gpg says of a signature has some 600 bytes, of which the user's name is what can grow.
const MAX_STATUS: u64 = 1 << 14;
const MAX_COMPLAINT: u64 = 1 << 10;

/// Until it is given up, and one more for each message.
const TIME: Duration = Duration::from_secs(20);
