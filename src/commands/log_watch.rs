//! What logs say of themselves while they are searched, held against what they said before: a log that contradicts itself
//! proves nothing in that run.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::{self, Write as _};

use jiff::Timestamp;

use crate::crypto::Sha256Digest;
use crate::escape;
use crate::seen_checkpoints::{Before, LiveCheckpoint, ObserveError, SeenCheckpoints};
use crate::services::TransparencyLog;
use crate::services::http::Http;
use crate::services::rekor_search::LogSearch;
use crate::settings::Folders;
use crate::tlog::TransparencyLogEntry;
use crate::trusted_root::LogId;
use crate::verify::Verifier;
use crate::verify::error::Missing;

/// One run's.
pub(super) struct LogWatch {
    seen: SeenCheckpoints,
    /// What was known of logs before they were asked.
    before: Before,
    now: Timestamp,
    /// The last few checkpoints that held; the entries of one answer have the same one.
    held: VecDeque<Sha256Digest>,
    /// Logs that contradicted themselves, and how: none is believed again.
    convicted: HashMap<LogId, Missing>,
    /// Logs of which the user was warned.
    told: HashSet<LogId>,
}

impl LogWatch {
    /// To be made before any log is asked.
    pub(super) fn new(folders: &Folders, now: Timestamp) -> Self {
        let seen = SeenCheckpoints::new(folders);
        let before = seen.before_request();
        let (held, convicted, told) = (VecDeque::new(), HashMap::new(), HashSet::new());
        Self { seen, before, now, held, convicted, told }
    }

    /// Why the entry that the log at `address` gave just now counts for nothing; `None` where it counts.
    pub(super) fn objection(
        &mut self,
        verifier: &Verifier,
        search: &LogSearch,
        address: &str,
        entry: &TransparencyLogEntry,
    ) -> Option<Missing> {
        if let Some(missing) = self.convicted.get(&entry.log_id) {
            return Some(missing.clone());
        }
        // Without a checkpoint the entry held nothing, and the verdict says so.
        let envelope = &entry.inclusion_proof.as_ref()?.checkpoint;
        let digest = Sha256Digest::of(envelope.as_bytes());
        if self.held.contains(&digest) {
            return None;
        }
        let mut roots = verifier.instances().map(|instance| &instance.trusted_root);
        let log = roots.find_map(|root| root.transparency_logs.iter().find(|log| log.log_id == entry.log_id))?;
        let service = TransparencyLog::RekorV1(address.to_owned());
        let answer = LiveCheckpoint { log, service: &service, envelope, at: self.now };
        let (seen, before) = (&self.seen, &self.before);
        match search.within_budget(async |http: &Http| seen.observe(http, &answer, before).await) {
            Ok(Ok(observed)) => {
                if let Some(notice) = observed.notice().filter(|_| self.told.insert(entry.log_id)) {
                    let _closed = writeln!(io::stderr().lock(), "waxseal: warning: {}", escape::terminal(notice));
                }
                self.held.truncate(HELD - 1);
                self.held.push_front(digest);
                None
            }
            Ok(Err(ObserveError::Alarm(alarm))) => {
                let missing = Missing::LogContradiction(alarm.to_string());
                self.convicted.insert(entry.log_id, missing.clone());
                Some(missing)
            }
            Ok(Err(ObserveError::Checkpoint(error))) => Some(Missing::LogUnavailable(error.to_string())),
            Err(over) => Some(Missing::LogUnavailable(over)),
        }
    }
}

/// More than logs and certificates that alternate in one history.
const HELD: usize = 64;
