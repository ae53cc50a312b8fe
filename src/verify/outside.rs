//! Log entries from outside the object: what a note keeps or a search found. Untrusted, and worth what each proves.
//!
//! They can turn "undecided, there is no log entry" into another answer and nothing else. What an object carries itself
//! is never made up for by them, and what does not match or does not hold leaves the verdict as it was: otherwise whoever
//! can push a note could turn other people's commits into rejected ones.

use super::error::{Missing, VerifyError};
use super::findings::{Finding, Findings, Outcome, Step};
use super::{Undecided, Verdict, Verifier};
use crate::evidence::{self, LoggedName, Stranger};
use crate::signature::git::open;
use crate::tlog::TransparencyLogEntry;

/// A verdict, and what became of the entries from outside.
#[derive(Clone, Debug)]
pub struct Given {
    /// The verdict.
    pub verdict: Verdict,
    /// The entry that it rests on, by its place among those that were given.
    pub used: Option<usize>,
    /// Those that were about this object, or claimed to be, and prove nothing: their places, and why.
    pub refused: Vec<(usize, Refusal)>,
}

/// Why an entry from outside counts for nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is about something else.
    #[error(transparent)]
    Stranger(#[from] Stranger),
    /// It is about this object, and something is wrong.
    #[error(transparent)]
    Wrong(VerifyError),
    /// It is about this object, and something is missing.
    #[error(transparent)]
    Missing(Missing),
    /// More entries about one object than anybody logs.
    #[error("more than {MAX_MATCHING} entries are about this object; this one was not looked at")]
    TooMany,
}

impl Verifier {
    /// `verdict`, the one on the object that Git hashed as `payload` and `armor`, with log entries from outside.
    #[must_use]
    pub fn reconsider(
        &self,
        verdict: Verdict,
        payload: &[u8],
        armor: &[u8],
        entries: &[TransparencyLogEntry],
    ) -> Given {
        let mut given = Given { verdict, used: None, refused: Vec::new() };
        if !given.verdict.wants_log_entry() || entries.is_empty() {
            return given;
        }
        let (Some(name), Ok(signature)) = (LoggedName::of(payload, armor), open(payload, armor)) else { return given };
        let mut matching = 0;
        for (place, entry) in entries.iter().enumerate() {
            if let Err(stranger) = evidence::matches(entry, &name, &signature.material.certificate) {
                given.refused.push((place, stranger.into()));
                continue;
            }
            matching += 1;
            if matching > MAX_MATCHING {
                given.refused.push((place, Refusal::TooMany));
                continue;
            }
            match self.verify(&signature, Some(entry), |_weighing| ()).0 {
                verified @ Verdict::Verified(_) => return Given { verdict: verified, used: Some(place), ..given },
                Verdict::Undecided(undecided) if undecided.has_log_entry() => {
                    // What else is missing is missing still, and said in its place.
                    given.verdict = Verdict::Undecided(undecided);
                    given.used = given.used.or(Some(place));
                }
                Verdict::Undecided(undecided) => {
                    given.refused.push((place, Refusal::Missing(undecided.missing().clone())));
                }
                Verdict::Rejected(rejection) => {
                    given.refused.push((place, Refusal::Wrong(rejection.error().clone())));
                }
                Verdict::OtherFormat(_) | Verdict::Unsigned | Verdict::VerifiedByKey(_) => {}
            }
        }
        given
    }
}

impl Verifier {
    /// What each step finds with an entry from outside that the verdict was found to rest on.
    #[must_use]
    pub fn findings_given(&self, payload: &[u8], armor: &[u8], entry: &TransparencyLogEntry) -> Findings {
        let findings = open(payload, armor).ok().and_then(|signature| {
            let (_, findings) = self.verify(&signature, Some(entry), |weighing| weighing.findings());
            findings
        });
        findings.unwrap_or_default()
    }
}

impl Verdict {
    /// Whether nothing is wrong and a log entry from outside could help: the signature is of gitsign's online mode.
    #[must_use]
    pub fn wants_log_entry(&self) -> bool {
        match self {
            Self::Undecided(undecided) => undecided.missing.contains(&Missing::LogEntry),
            Self::OtherFormat(_) | Self::Rejected(_) | Self::Unsigned | Self::Verified(_) | Self::VerifiedByKey(_) => {
                false
            }
        }
    }

    /// The same verdict once a log was asked: `outcome` says why there is no entry all the same.
    #[must_use]
    pub fn after_search(self, outcome: Missing) -> Self {
        match self {
            Self::Undecided(undecided) => Self::Undecided(undecided.with_log_entry_missing(&outcome)),
            other => other,
        }
    }
}

impl Undecided {
    /// Whether the log entry was there and held.
    fn has_log_entry(&self) -> bool {
        let entry = self.findings.steps.iter().find(|finding| finding.step == Step::LogEntry);
        matches!(entry, Some(Finding { outcome: Outcome::Held(_), .. }))
    }

    fn with_log_entry_missing(mut self, outcome: &Missing) -> Self {
        let entries = self.missing.iter_mut().filter(|missing| **missing == Missing::LogEntry);
        entries.for_each(|missing| missing.clone_from(outcome));
        for finding in self.findings.steps.iter_mut().filter(|finding| finding.step == Step::LogEntry) {
            finding.outcome = Outcome::Missing(outcome.clone());
        }
        self
    }
}

/// gitsign logs once.
const MAX_MATCHING: usize = 16;
