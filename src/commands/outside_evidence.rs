//! Log entries from outside an object, for signatures of gitsign's online mode: from its note, and from the log itself if
//! the user asks for the network. Reads and asks only where the verdict wants an entry.

use std::time::Duration;

use crate::command_error::CommandError;
use crate::evidence::note;
use crate::git::repository::{ObjectId, Repository};
use crate::instance::Instance;
use crate::services::http::{Http, Network};
use crate::services::rekor_search::{LogSearch, SearchError, searchable};
use crate::settings::NetworkSettings;
use crate::signature::git::open;
use crate::tlog::TransparencyLogEntry;
use crate::verify::error::Missing;
use crate::verify::{Refusal, Verdict, Verifier};

/// Where an object's log entry came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntrySource {
    /// The log was asked.
    Log,
    /// A note below `refs/notes/waxseal-evidence`.
    Note,
    /// The object carries it.
    Signature,
}

impl EntrySource {
    /// The name in JSON.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Note => "note",
            Self::Signature => "signature",
        }
    }
}

/// A verdict, and what outside evidence did to it.
pub(super) struct Completed {
    pub verdict: Verdict,
    pub source: EntrySource,
    /// The entry that the verdict rests on, if it came from outside.
    pub entry: Option<TransparencyLogEntry>,
    /// The log that gave it just now.
    pub log: Option<String>,
    /// What was in the note and proves nothing: why, each once.
    pub refused: Vec<Refusal>,
}

impl Completed {
    pub(super) fn of(verdict: Verdict) -> Self {
        Self { verdict, source: EntrySource::Signature, entry: None, log: None, refused: Vec::new() }
    }
}

/// One signed object, as Git hands it to a verifier.
#[derive(Clone, Copy)]
pub(super) struct Object<'a> {
    pub payload: &'a [u8],
    pub armor: &'a [u8],
}

/// The network, if the user wants it asked.
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
    search: Option<&mut LogSearch>,
) -> Completed {
    if !verdict.wants_log_entry() {
        return Completed::of(verdict);
    }
    let noted = id.and_then(|(repository, id)| repository.evidence(id)).unwrap_or_default();
    let noted = with_entries(verifier, verdict, object, note::read(&noted), EntrySource::Note);
    match search {
        Some(search) if noted.verdict.wants_log_entry() => {
            let refused = noted.refused;
            let found = from_log(verifier, noted.verdict, object, search);
            Completed { refused, ..found }
        }
        _ => noted,
    }
}

fn with_entries(
    verifier: &Verifier,
    verdict: Verdict,
    Object { payload, armor }: Object<'_>,
    entries: Vec<TransparencyLogEntry>,
    source: EntrySource,
) -> Completed {
    let given = verifier.reconsider(verdict, payload, armor, &entries);
    let mut refused = Vec::new();
    for (_, refusal) in given.refused {
        if !refused.contains(&refusal) {
            refused.push(refusal);
        }
    }
    match given.used.and_then(|place| entries.into_iter().nth(place)) {
        Some(entry) => Completed { verdict: given.verdict, source, entry: Some(entry), log: None, refused },
        None => Completed { refused, ..Completed::of(given.verdict) },
    }
}

/// Asks each log of the instance whose authority issued the certificate.
fn from_log(verifier: &Verifier, verdict: Verdict, object: Object<'_>, search: &mut LogSearch) -> Completed {
    let Verdict::Undecided(undecided) = &verdict else { return Completed::of(verdict) };
    let name = undecided.findings().instance.clone();
    let instance = verifier.instances().find(|instance| Some(&instance.name) == name.as_ref());
    let (Some(instance), Ok(signature)) = (instance, open(object.payload, object.armor)) else {
        return Completed::of(verdict);
    };
    let certificate = signature.material.certificate.der();
    let mut outcome = Missing::LogNotSearchable(instance.name.clone());
    for log in logs(instance) {
        let found = search.find(log, certificate, |entries| {
            let entries = entries.to_vec();
            let completed = with_entries(verifier, verdict.clone(), object, entries, EntrySource::Log);
            completed.entry.is_some().then_some(completed)
        });
        let missing = match found {
            Ok(Some(completed)) => return Completed { log: Some(log.to_owned()), ..completed },
            Ok(None) => Missing::LogEntryNotFound,
            Err(SearchError::Incomplete) => Missing::LogSearchIncomplete,
            Err(SearchError::Unavailable(why)) => Missing::LogUnavailable(why),
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
        Missing::LogUnavailable(_) => 3,
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
