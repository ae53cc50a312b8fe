//! Log entries from outside an object, for signatures of gitsign's online mode: from its note, and from the log itself if
//! the user asks for the network. Reads and asks only where the verdict wants an entry.

use std::time::Duration;

use jiff::Timestamp;

use super::log_watch::LogWatch;
use crate::command_error::CommandError;
use crate::evidence::note;
use crate::git::repository::{NotesError, ObjectId, Repository};
use crate::instance::Instance;
use crate::services::http::{Http, Network};
use crate::services::rekor_search::{LogSearch, SearchError, searchable};
use crate::settings::{NetworkSettings, Settings};
use crate::signature::git::open;
use crate::tlog::TransparencyLogEntry;
use crate::tlog::proto_json::MalformedEntryJson;
use crate::verify::error::Missing;
use crate::verify::{Refusal, Verdict, Verifier};

/// Where the log entry came from that an object's verdict rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum EntryFrom {
    /// The log was asked.
    Log { entry: Box<TransparencyLogEntry>, address: String },
    /// A note below `refs/notes/waxseal-evidence`.
    Note(Box<TransparencyLogEntry>),
    /// The object carries it, or there is none.
    Signature,
}

impl EntryFrom {
    /// The name in JSON.
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::Log { .. } => "log",
            Self::Note(_) => "note",
            Self::Signature => "signature",
        }
    }

    /// The entry, if it came from outside the object.
    pub(super) fn outside(&self) -> Option<&TransparencyLogEntry> {
        match self {
            Self::Log { entry, .. } | Self::Note(entry) => Some(entry),
            Self::Signature => None,
        }
    }
}

/// A verdict, and what outside evidence did to it.
#[derive(Clone, Debug)]
pub(super) struct Completed {
    pub verdict: Verdict,
    pub from: EntryFrom,
    /// What in the notes proves nothing: why, each once.
    pub refused: Vec<NoteRefusal>,
}

impl Completed {
    pub(super) fn of(verdict: Verdict) -> Self {
        Self { verdict, from: EntryFrom::Signature, refused: Vec::new() }
    }
}

/// Why something in the notes counts for nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoteRefusal {
    /// An entry.
    #[error(transparent)]
    Entry(#[from] Refusal),
    /// A line that is none.
    #[error("a line of the note does not count: {0}")]
    Line(#[from] MalformedEntryJson),
    /// What could not be read.
    #[error(transparent)]
    Unreadable(#[from] NotesError),
}

/// One signed object, as Git hands it to a verifier.
#[derive(Clone, Copy)]
pub(super) struct Object<'a> {
    pub payload: &'a [u8],
    pub armor: &'a [u8],
}

/// The network, where the user wants it asked.
pub(super) struct Online {
    search: LogSearch,
    watch: LogWatch,
}

impl Online {
    /// Asks nobody yet. No longer than `budget` will be asked.
    pub(super) fn new(settings: &Settings, budget: Duration, now: Timestamp) -> Result<Self, CommandError> {
        Ok(Self { search: search(&settings.network, budget)?, watch: LogWatch::new(&settings.folders, now) })
    }
}

/// Searches alone, for who holds what the logs say of themselves against what they said before.
pub(super) fn search(settings: &NetworkSettings, budget: Duration) -> Result<LogSearch, CommandError> {
    let http = Http::new(Network::new(settings)?);
    LogSearch::new(http, budget).map_err(CommandError::no_event_loop)
}

/// `verdict` with what the object's note and, where that does not help, the log know.
pub(super) fn complete(
    verifier: &Verifier,
    verdict: Verdict,
    object: Object<'_>,
    id: Option<(&Repository, ObjectId)>,
    online: Option<&mut Online>,
) -> Completed {
    let noted = from_note(verifier, verdict, object, id);
    let Some(Online { search, watch }) = online else { return noted };
    completed_by_log(verifier, noted, object, search, |search, log, entry| {
        watch.objection(verifier, search, log, entry)
    })
}

/// The same with what the note knows alone.
pub(super) fn from_note(
    verifier: &Verifier,
    verdict: Verdict,
    object: Object<'_>,
    id: Option<(&Repository, ObjectId)>,
) -> Completed {
    if !verdict.wants_log_entry() {
        return Completed::of(verdict);
    }
    let Some((repository, id)) = id else { return Completed::of(verdict) };
    let note = repository.evidence(id);
    let mut refused: Vec<NoteRefusal> = note.unreadable.into_iter().map(Into::into).collect();
    let mut entries = Vec::new();
    for line in note::read_lines(&note.text) {
        match line {
            Ok(entry) => entries.push(entry),
            Err(malformed) => refused.push(malformed.into()),
        }
    }
    let (completed, refusals) = with_entries(verifier, verdict, object, entries, EntryFrom::Note);
    refused.extend(refusals.map(NoteRefusal::from));
    let mut each = Vec::new();
    for refusal in refused {
        if !each.contains(&refusal) {
            each.push(refusal);
        }
    }
    Completed { refused: each, ..completed }
}

/// The same with what the log knows, where a note did not help. `objection` says why an entry does not count that the log
/// at an address gave.
pub(super) fn completed_by_log(
    verifier: &Verifier,
    noted: Completed,
    object: Object<'_>,
    search: &mut LogSearch,
    objection: impl FnMut(&LogSearch, &str, &TransparencyLogEntry) -> Option<Missing>,
) -> Completed {
    if !noted.verdict.wants_log_entry() {
        return noted;
    }
    let found = from_log(verifier, noted.verdict, object, search, objection);
    Completed { refused: noted.refused, ..found }
}

/// The verdict with `entries`, and why some of them prove nothing.
fn with_entries(
    verifier: &Verifier,
    verdict: Verdict,
    Object { payload, armor }: Object<'_>,
    entries: Vec<TransparencyLogEntry>,
    from: impl FnOnce(Box<TransparencyLogEntry>) -> EntryFrom,
) -> (Completed, impl Iterator<Item = Refusal>) {
    let given = verifier.reconsider(verdict, payload, armor, &entries);
    let completed = match given.used.and_then(|place| entries.into_iter().nth(place)) {
        Some(entry) => Completed { from: from(Box::new(entry)), ..Completed::of(given.verdict) },
        None => Completed::of(given.verdict),
    };
    (completed, given.refused.into_iter().map(|(_, refusal)| refusal))
}

/// Asks each log of the instance whose authority issued the certificate.
fn from_log(
    verifier: &Verifier,
    verdict: Verdict,
    object: Object<'_>,
    search: &mut LogSearch,
    mut objection: impl FnMut(&LogSearch, &str, &TransparencyLogEntry) -> Option<Missing>,
) -> Completed {
    let Verdict::Undecided(undecided) = &verdict else { return Completed::of(verdict) };
    let name = undecided.findings().instance.clone();
    let instance = verifier.instances().find(|instance| Some(&instance.name) == name.as_ref());
    let (Some(instance), Ok(signature)) = (instance, open(object.payload, object.armor)) else {
        return Completed::of(verdict);
    };
    let certificate = signature.material.certificate.der();
    let mut outcome = Missing::LogNotSearchable(instance.name.clone());
    for log in logs(instance) {
        // Why an entry that is about this object proves nothing; strangers' are passed over.
        let mut refused = None;
        let found = search.find(log, certificate, |entries| {
            let entries = entries.to_vec();
            let from = |entry| EntryFrom::Log { entry, address: log.to_owned() };
            let (completed, mut refusals) = with_entries(verifier, verdict.clone(), object, entries, from);
            let own = refusals.find(|refusal| !matches!(refusal, Refusal::Stranger(_)));
            refused = refused.take().or(own);
            completed.from.outside().is_some().then_some(completed)
        });
        let missing = match found {
            Ok(Some(completed)) => match completed.from.outside().and_then(|entry| objection(search, log, entry)) {
                Some(missing) => missing,
                None => return completed,
            },
            outcome => match (refused, outcome) {
                (Some(refusal), _) => Missing::LogAnswer(refusal.to_string()),
                (None, Ok(_)) => Missing::LogEntryNotFound,
                (None, Err(SearchError::Incomplete)) => Missing::LogSearchIncomplete,
                (None, Err(SearchError::Unavailable(why))) => Missing::LogUnavailable(why),
            },
        };
        // What remains open weighs more than what another log answered.
        if weight(&missing) >= weight(&outcome) {
            outcome = missing;
        }
    }
    Completed::of(verdict.after_search(outcome))
}

fn logs(instance: &Instance) -> Vec<&str> {
    searchable(&instance.trusted_root, instance.signing_config.as_ref())
}

fn weight(missing: &Missing) -> u8 {
    match missing {
        Missing::LogContradiction(_) => 4,
        Missing::LogAnswer(_) | Missing::LogUnavailable(_) => 3,
        Missing::LogSearchIncomplete => 2,
        Missing::LogEntryNotFound => 1,
        _ => 0,
    }
}

/// What the searches of one `waxseal verify` may take together.
pub(super) const BUDGET: Duration = Duration::from_secs(120);

/// Those of one `waxseal evidence fetch`, which goes on where an earlier one ended.
pub(super) const BUDGET_OF_FETCH: Duration = Duration::from_secs(15 * 60);

/// What one of Git's own calls may take: `git log --show-signature` makes one for each commit.
pub(super) const BUDGET_OF_GIT: Duration = Duration::from_secs(20);
