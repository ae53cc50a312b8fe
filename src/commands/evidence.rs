//! `waxseal evidence fetch`: what signatures of gitsign's online mode do not carry is asked of the log, verified, and kept
//! in notes, so that nobody needs the log again.

use std::collections::HashMap;
use std::io::{self, Write as _};

use jiff::Timestamp;

use super::outside_evidence::{self, BUDGET_OF_FETCH, EntryFrom, Object, completed_by_log, from_note};
use super::{configured, hints, stdout};
use crate::cli::EvidenceCommand;
use crate::command_error::CommandError;
use crate::escape;
use crate::evidence::note;
use crate::git::repository::{EVIDENCE_REF, FoundObject, ObjectId, Repository};
use crate::git::{HashKind, SignedObject};
use crate::report::{SHORT_ID, plural};
use crate::seen_checkpoints::{Before, LiveCheckpoint, SeenCheckpoints};
use crate::services::TransparencyLog;
use crate::services::http::Http;
use crate::services::rekor_search::LogSearch;
use crate::signature::git::open;
use crate::tlog::TransparencyLogEntry;
use crate::trusted_root::LogId;
use crate::verify::error::Missing;
use crate::verify::{SctRequirement, Verdict, Verifier};

/// Runs the command. The exit code is 1 when an object still lacks its entry, or is rejected, which no entry changes.
///
/// # Errors
/// [`CommandError`]: 1 when the notes cannot be written, 2 for repository and revisions, 4 for trust material.
pub fn run(command: &EvidenceCommand, now: Timestamp) -> Result<u8, CommandError> {
    let EvidenceCommand::Fetch { revisions } = command;
    let settings = configured::settings()?;
    let repository = configured::repository(&settings.repository)?;
    let selected = repository.select(revisions)?;
    if selected.is_empty() {
        return Err(CommandError::usage("HEAD has no commit yet"));
    }
    let instances = configured::trusted(&settings, None)?;
    let seen = SeenCheckpoints::new(&settings.folders);
    let mut fetch = Fetch {
        hash: repository.hash_kind()?,
        verifier: Verifier::new(instances, now, SctRequirement::default())?,
        search: outside_evidence::search(&settings.network, BUDGET_OF_FETCH)?,
        repository: &repository,
        now,
        before: seen.before_request(),
        seen,
        trees: HashMap::new(),
        unwritten: Vec::new(),
        written: 0,
        tally: Tally::default(),
    };
    stdout::check_writable().map_err(|error| unwritten(&error))?;
    for found in repository.objects(&selected) {
        fetch.object(&found)?;
    }
    fetch.keep()?;
    fetch.tally.print(&fetch.verifier).map_err(|error| unwritten(&error))?;
    Ok(u8::from(fetch.tally.lacking + fetch.tally.rejected > 0))
}

/// One run.
struct Fetch<'a> {
    hash: HashKind,
    verifier: Verifier,
    search: LogSearch,
    repository: &'a Repository,
    now: Timestamp,
    /// What was known of logs before they were asked.
    before: Before,
    seen: SeenCheckpoints,
    /// What the logs say of themselves, not yet held against that.
    trees: HashMap<LogId, Tree>,
    /// Found, and not yet in the notes.
    unwritten: Vec<(ObjectId, TransparencyLogEntry)>,
    /// How many were found and are dealt with.
    written: usize,
    tally: Tally,
}

impl Fetch<'_> {
    fn object(&mut self, found: &FoundObject) -> Result<(), CommandError> {
        self.tally.objects += 1;
        let object = match &found.content {
            Ok(object) => SignedObject::parse(object.kind, self.hash, &object.bytes),
            Err(error) => {
                self.tally.lacking += 1;
                return line("unreadable", found, &error.to_string());
            }
        };
        let verdict = object.verdict(&self.verifier);
        let (true, Ok(armor)) = (verdict.wants_log_entry(), object.signature()) else {
            return self.not_asked_for(found, &object, &verdict);
        };
        let signed = Object { payload: &object.payload, armor };
        let id = Some((self.repository, found.id));
        let noted = from_note(&self.verifier, verdict, signed, id);
        // What the log says of itself is looked at before anything is kept.
        let completed = completed_by_log(&self.verifier, noted, signed, &mut self.search, |_, _, _| None);
        match completed.from {
            EntryFrom::Log { entry, address } => {
                self.remember_tree(&entry, address);
                self.tally.found += 1;
                let what = format!("index {} of log {}", entry.log_index, entry.log_id);
                self.unwritten.push((found.id, *entry));
                line("found", found, &what)?;
                if self.unwritten.len() >= WRITTEN_AT_ONCE { self.keep() } else { Ok(()) }
            }
            EntryFrom::Note(_) => {
                self.tally.kept += 1;
                Ok(())
            }
            EntryFrom::Signature => self.lacking(found, &completed.verdict),
        }
    }

    /// An object for which no log can be asked: it has its entry or needs none, or something else stands in the way.
    fn not_asked_for(
        &mut self,
        found: &FoundObject,
        object: &SignedObject,
        verdict: &Verdict,
    ) -> Result<(), CommandError> {
        match verdict {
            Verdict::Rejected(rejection) => {
                self.tally.rejected += 1;
                self.tally.because(verdict);
                line("rejected", found, &rejection.error().to_string())
            }
            Verdict::Undecided(_) if !carries_entry(object) => self.lacking(found, verdict),
            Verdict::OtherFormat(_)
            | Verdict::Undecided(_)
            | Verdict::Unsigned
            | Verdict::Verified(_)
            | Verdict::VerifiedByKey(_) => Ok(()),
        }
    }

    fn lacking(&mut self, found: &FoundObject, verdict: &Verdict) -> Result<(), CommandError> {
        self.tally.lacking += 1;
        self.tally.because(verdict);
        match verdict {
            Verdict::Undecided(undecided) => match undecided.missing() {
                // Only who looked at all of them may say so.
                missing @ Missing::LogEntryNotFound => line("not found", found, &missing.to_string()),
                missing => line("lacking", found, &missing.to_string()),
            },
            Verdict::OtherFormat(_)
            | Verdict::Rejected(_)
            | Verdict::Unsigned
            | Verdict::Verified(_)
            | Verdict::VerifiedByKey(_) => line("lacking", found, ""),
        }
    }

    /// Of each log the entry with the largest tree: what the log says of itself now.
    fn remember_tree(&mut self, entry: &TransparencyLogEntry, address: String) {
        let Some(proof) = &entry.inclusion_proof else { return };
        let newest =
            self.trees.entry(entry.log_id).or_insert_with(|| Tree { size: 0, checkpoint: String::new(), address });
        if proof.tree_size > newest.size {
            newest.size = proof.tree_size;
            newest.checkpoint.clone_from(&proof.checkpoint);
        }
    }

    /// Holds what the logs say of themselves against what they said before. Nothing of a log that contradicts itself is
    /// kept.
    fn observe(&mut self) -> Result<(), CommandError> {
        for (log_id, tree) in std::mem::take(&mut self.trees) {
            let mut roots = self.verifier.instances().map(|instance| &instance.trusted_root);
            let log = roots.find_map(|root| root.transparency_logs.iter().find(|log| log.log_id == log_id));
            let Some(log) = log else { continue };
            let service = TransparencyLog::RekorV1(tree.address);
            let answer = LiveCheckpoint { log, service: &service, envelope: &tree.checkpoint, at: self.now };
            let (seen, before) = (&self.seen, &self.before);
            let observed = self.search.with_http(async |http: &Http| seen.observe(http, &answer, before).await);
            let observed = observed.map_err(|error| {
                let added = match self.written {
                    0 => "nothing was added to the notes".to_owned(),
                    written => format!(
                        "of what was found since the first {written} entries were kept, nothing was added to the notes"
                    ),
                };
                CommandError::from(error).hint(added)
            })?;
            if let Some(notice) = observed.notice() {
                let _closed = writeln!(io::stderr().lock(), "waxseal: warning: {}", escape::terminal(notice));
            }
        }
        Ok(())
    }

    /// Puts what was found into the notes.
    fn keep(&mut self) -> Result<(), CommandError> {
        self.observe()?;
        let found = std::mem::take(&mut self.unwritten);
        self.written += found.len();
        let objects: Vec<ObjectId> = found.iter().map(|(id, _)| *id).collect();
        let added = |object: &ObjectId, present: &[u8]| {
            let own = found.iter().filter(|(id, _)| id == object).map(|(_, entry)| entry.clone());
            note::with(present, &own.collect::<Vec<_>>())
        };
        for object in self.repository.add_evidence(&objects, added, self.now)? {
            self.tally.found = self.tally.found.saturating_sub(1);
            self.tally.lacking += 1;
            let text = escape::terminal(format!(
                "the note of {object} in {EVIDENCE_REF} cannot be read, or is too large for one entry more; nothing was \
                 added to it"
            ));
            let _closed = writeln!(io::stderr().lock(), "waxseal: hint: {text}");
        }
        Ok(())
    }
}

/// A log's newest tree that an answer spoke of.
struct Tree {
    size: u64,
    checkpoint: String,
    /// Where the log was asked.
    address: String,
}

/// How many of each.
#[derive(Default)]
struct Tally {
    objects: usize,
    /// In the notes since just now.
    found: usize,
    /// In the notes before.
    kept: usize,
    lacking: usize,
    rejected: usize,
    /// Why they lack it or are rejected, each once.
    reasons: Vec<&'static str>,
}

impl Tally {
    fn because(&mut self, verdict: &Verdict) {
        self.reasons.extend(verdict.reason().filter(|reason| !self.reasons.contains(reason)));
    }

    fn print(&self, verifier: &Verifier) -> io::Result<()> {
        let Self { objects, found, kept, lacking, rejected, .. } = self;
        let mut text = format!("{objects} object{}", plural(*objects));
        for (count, word) in
            [(found, "found and kept"), (kept, "kept before"), (lacking, "lacking"), (rejected, "rejected")]
        {
            if *count > 0 {
                text.push_str(&format!(", {count} {word}"));
            }
        }
        if found + kept + lacking + rejected == 0 && *objects > 0 {
            text.push_str(", none in need of a log entry");
        }
        text.push('\n');
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()?;
        let mut stderr = io::stderr().lock();
        for hint in hints::for_reasons(&self.reasons, verifier.instances()) {
            // Advice is worth less than the exit code.
            let _closed = writeln!(stderr, "waxseal: hint: {}", escape::terminal(hint));
        }
        Ok(())
    }
}

/// Whether there is a log entry in the signature.
fn carries_entry(object: &SignedObject) -> bool {
    let signature = object.signature().ok().and_then(|armor| open(&object.payload, armor).ok());
    signature.is_some_and(|signature| signature.material.log_entry.is_some())
}

fn line(word: &str, found: &FoundObject, what: &str) -> Result<(), CommandError> {
    let id = found.id.to_hex_with_len(SHORT_ID);
    let line = format!("{word:<10}  {id}  {}", escape::terminal(what));
    writeln!(io::stdout().lock(), "{}", line.trim_end()).map_err(|error| unwritten(&error))
}

fn unwritten(error: &io::Error) -> CommandError {
    CommandError::failed(format!("the output could not be written: {error}"))
}

/// A commit of notes for each of so many objects, before which the logs are looked at: whoever interrupts a long run loses
/// little.
const WRITTEN_AT_ONCE: usize = 200;
