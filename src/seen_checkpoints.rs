//! What each log said last of its own size, kept so that a log that forgets, or tells two stories, is noticed.
//!
//! ```text
//! STATE/checkpoints/LOGID-ORIGIN.json            the last checkpoint that was fetched live from this log
//! STATE/checkpoints/LOGID-ORIGIN.alarm-….json    one that contradicts it
//! ```
//! A log is its key and its origin (Rekor v1: its origin ends in the tree ID, so each shard is one). Only what came as
//! the answer to a request counts: signing, and fetching evidence. A checkpoint inside a signature was true when the
//! signature was made, and says nothing about now. That the new one extends the kept one is proved by the log, and a log
//! that cannot be asked is no liar: then both are kept until one that comes later extends both.

mod comparison;
mod record;

use std::fmt;
use std::path::PathBuf;

use jiff::Timestamp;

use self::comparison::{Comparison, Contradiction};
pub use self::record::RecordError;
use self::record::{Record, Sighting};
use crate::crypto::Sha256Digest;
use crate::services::http::Http;
use crate::services::{ServiceError, TransparencyLog};
use crate::settings::Folders;
use crate::tlog::checkpoint::{Checkpoint, CheckpointError};
use crate::trusted_root::{LogId, TransparencyLogInstance};

/// The user's kept checkpoints.
#[derive(Clone, Debug)]
pub struct SeenCheckpoints {
    /// `None` where the user has no state folder.
    folder: Option<PathBuf>,
}

impl SeenCheckpoints {
    /// Those in the user's state folder. Reads nothing yet.
    #[must_use]
    pub fn new(folders: &Folders) -> Self {
        Self { folder: folders.state.as_ref().map(|state| state.join(FOLDER)) }
    }

    /// What is kept now, to be taken before a log is asked: its answer must not be older than this. What other processes
    /// store while the answer is on its way may be.
    #[must_use]
    pub fn before_request(&self) -> Before {
        Before(self.folder.as_deref().map(record::sizes).unwrap_or_default())
    }

    /// How many files are kept, and those that stop the next checkpoint of a log from being held against them. `logs` says
    /// whose keys are known.
    #[must_use]
    pub fn examine(&self, logs: &[&TransparencyLogInstance]) -> (usize, Vec<RecordError>) {
        self.folder.as_deref().map(|folder| record::examine(folder, logs)).unwrap_or_default()
    }

    /// The files that keep what a log said against its earlier word.
    #[must_use]
    pub fn alarms(&self) -> Vec<PathBuf> {
        self.folder.as_deref().map(record::alarms).unwrap_or_default()
    }

    /// Holds the checkpoint of a log's answer against those that are kept, and keeps it in their place.
    ///
    /// # Errors
    /// [`ObserveError::Alarm`] when the log contradicts itself: whatever was being done must fail.
    pub async fn observe(
        &self,
        http: &Http,
        answer: &LiveCheckpoint<'_>,
        before: &Before,
    ) -> Result<Observed, ObserveError> {
        let checkpoint = Checkpoint::verify(answer.envelope, answer.log)?;
        let Some(folder) = &self.folder else { return Ok(Observed::NotKept(NotKept::NoFolder)) };
        let record = Record::new(folder, answer.log, checkpoint.origin());
        let new = Sighting {
            fetched: answer.at,
            address: answer.service.address().to_owned(),
            envelope: answer.envelope.to_owned(),
            checkpoint,
        };
        for _ in 0..ATTEMPTS {
            let seen = match record.read() {
                Ok(seen) => seen,
                Err(error) => return Ok(Observed::NotKept(error.into())),
            };
            let comparison = match comparison::compare(&seen, &new, |kept| before.has(&record, kept)) {
                Ok(without_proof) => comparison::prove(without_proof, http, answer.service, &new).await,
                Err(contradiction) => Err(contradiction),
            };
            let Comparison { left, unproved } = match comparison {
                Ok(comparison) => comparison,
                Err(contradiction) => return Err(alarm(&record, answer.log.log_id, contradiction, &new)),
            };
            match if left == seen { Ok(true) } else { record.replace(&seen, &left) } {
                Ok(true) => {
                    let unproved = unproved.map(|(kept, error)| Unproved {
                        origin: new.checkpoint.origin().to_owned(),
                        kept: kept.fetched,
                        error,
                        file: record.path().to_owned(),
                    });
                    return Ok(unproved.map_or(Observed::Extends, Observed::Unproved));
                }
                // Another process was faster: what it kept is looked at, too.
                Ok(false) => {}
                Err(error) => return Ok(Observed::NotKept(error.into())),
            }
        }
        // Each time something newer was there, and this one was found to agree with it.
        Ok(Observed::Extends)
    }
}

/// What was kept when a request was made.
#[derive(Clone, Debug, Default)]
pub struct Before(record::Sizes);

impl Before {
    fn has(&self, record: &Record, kept: &Sighting) -> bool {
        let (size, root) = (kept.checkpoint.tree_size(), kept.checkpoint.root_hash());
        self.0.get(record.name()).is_some_and(|sizes| sizes.contains(&(size, root)))
    }
}

/// A checkpoint as a log's answer brought it.
#[derive(Clone, Copy, Debug)]
pub struct LiveCheckpoint<'a> {
    /// The log, from the trusted root.
    pub log: &'a TransparencyLogInstance,
    /// Where it was asked, and can be asked for proofs.
    pub service: &'a TransparencyLog,
    /// The signed note.
    pub envelope: &'a str,
    /// When.
    pub at: Timestamp,
}

/// A checkpoint that contradicts no other.
#[derive(Debug)]
pub enum Observed {
    /// It is the first of its log, or was proved to be of one history with those that are kept.
    Extends,
    /// It could not be kept, or not be held against what is. To be said.
    NotKept(NotKept),
    /// The log gave no proof. To be said.
    Unproved(Unproved),
}

impl Observed {
    /// What to tell the user, if there is something to tell.
    #[must_use]
    pub fn notice(&self) -> Option<String> {
        match self {
            Self::Extends => None,
            Self::NotKept(why) => Some(why.to_string()),
            Self::Unproved(unproved) => Some(unproved.to_string()),
        }
    }
}

/// Nothing was noticed, and nothing could have been.
#[derive(Debug, thiserror::Error)]
pub enum NotKept {
    /// No home, no `XDG_STATE_HOME`.
    #[error("there is no home folder to keep the log's checkpoint in, so nobody would notice if it shrank")]
    NoFolder,
    /// The file.
    #[error("the log's checkpoint is not kept: {0}; {step}", step = .0.next_step())]
    Record(#[from] RecordError),
}

/// The log was not there to prove what it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "whether the log \"{origin}\" still is the one of {kept:.0} could not be proved, so both of its checkpoints are kept \
     in {}: {error}", .file.display()
)]
pub struct Unproved {
    origin: String,
    kept: Timestamp,
    error: ServiceError,
    file: PathBuf,
}

/// The answer must not be used.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// The log contradicts itself.
    #[error(transparent)]
    Alarm(Box<Alarm>),
    /// It is no checkpoint of this log.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

/// A log contradicts what it said before. Both statements carry its signature: together they convict it.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.sentence())]
pub struct Alarm {
    /// How.
    pub kind: AlarmKind,
    /// The log, in its own words.
    pub origin: String,
    /// The log's key.
    pub log_id: LogId,
    /// What was kept.
    pub kept: Statement,
    /// What came now.
    pub new: Statement,
}

/// How a log contradicts itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlarmKind {
    /// Of two trees neither extends the other.
    Forked,
    /// The later tree is smaller.
    Shrunk,
}

/// One of the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Number of leaves.
    pub tree_size: u64,
    /// The hash over them.
    pub root_hash: Sha256Digest,
    /// When it was fetched.
    pub fetched: Timestamp,
    /// Where it is kept; `None` where it could not be.
    pub file: Option<PathBuf>,
}

impl Alarm {
    fn sentence(&self) -> String {
        let Self { origin, kept, new, .. } = self;
        let what = match self.kind {
            AlarmKind::Forked => "shows two histories",
            AlarmKind::Shrunk => "went back",
        };
        format!("the log \"{origin}\" {what}: {kept}, and {new}")
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tree_size, root_hash, fetched, file } = self;
        write!(f, "{tree_size} entries with root hash {root_hash} at {fetched:.0} ")?;
        match file {
            Some(file) => write!(f, "(kept in {})", file.display()),
            None => f.write_str("(not kept)"),
        }
    }
}

fn alarm(record: &Record, log_id: LogId, contradiction: Contradiction, new: &Sighting) -> ObserveError {
    let statement = |sighting: &Sighting, file| Statement {
        tree_size: sighting.checkpoint.tree_size(),
        root_hash: sighting.checkpoint.root_hash(),
        fetched: sighting.fetched,
        file,
    };
    ObserveError::Alarm(Box::new(Alarm {
        kind: contradiction.kind,
        origin: new.checkpoint.origin().to_owned(),
        log_id,
        kept: statement(&contradiction.kept, Some(record.path().to_owned())),
        new: statement(new, record.keep_beside(new).ok()),
    }))
}

/// Below the state folder.
const FOLDER: &str = "checkpoints";

/// Each failed one means that another process kept a newer checkpoint meanwhile.
const ATTEMPTS: usize = 8;
