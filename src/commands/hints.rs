//! What to do about a reason code of `docs/errors.md`.

use std::io::{self, Write as _};

use crate::command_error::{DAMAGED, TOO_LARGE};
use crate::escape;
use crate::finding_cache::CacheError;
use crate::git::repository::{HistoryError, Repository, UnreadableObject};
use crate::instance::Instance;
use crate::report::{Trusted, reasons};

/// What a clone that is not whole may lack, where one of these reasons was met.
pub(super) fn for_clone(repository: &Repository, reasons: &[&str]) -> Vec<String> {
    if !["object-missing", "rule-undecided"].iter().any(|reason| reasons.contains(reason)) {
        return Vec::new();
    }
    let shallow = repository.is_shallow().then(|| {
        let fix = "\"git fetch --unshallow\" gets the rest; in CI, check out the whole history (fetch-depth: 0)";
        format!("this clone is shallow, and lacks what was cut off: {fix}")
    });
    shallow.into_iter().chain(repository.promisor().map(|promisor| for_partial_clone(&promisor))).collect()
}

/// What a partial clone lacks, and how to get it: never fetched in silence.
pub(super) fn for_partial_clone(promisor: &str) -> String {
    let promisor = escape::shell(promisor);
    format!(
        "this clone is partial, and what it lacks is not fetched unasked: \"git fetch --refetch --no-filter {promisor}\" gets \
         all of it"
    )
}

/// What to do where a policy asks for a commit that the repository does not give.
pub(super) fn for_history(repository: &Repository, error: &HistoryError) -> String {
    match error {
        HistoryError::NoStart(_) => "a shallow clone may lack it: \"git fetch --unshallow\"".to_owned(),
        HistoryError::NotACommit(name) => {
            format!("\"git cat-file -t {}\" says what it is; name one commit", escape::shell(name))
        }
        HistoryError::OtherHash { .. } => {
            "the same commit has another name here: \"git log\" shows the names that this repository has".to_owned()
        }
        HistoryError::NoFile { .. }
        | HistoryError::NotAFile { .. }
        | HistoryError::Revision(_)
        | HistoryError::TooLarge(_) => "docs/policy.md says what a policy file is".to_owned(),
        HistoryError::Unreadable(unreadable) => for_unreadable(repository, unreadable),
    }
}

/// What to do about an object that the repository should have. That one was not fetched is not that one is damaged.
pub(super) fn for_unreadable(repository: &Repository, unreadable: &UnreadableObject) -> String {
    match unreadable {
        UnreadableObject::Missing => {
            repository.promisor().map_or_else(|| DAMAGED.to_owned(), |promisor| for_partial_clone(&promisor))
        }
        UnreadableObject::Corrupt
        | UnreadableObject::OtherKind
        | UnreadableObject::OutOfTime
        | UnreadableObject::Storage(_) => DAMAGED.to_owned(),
        UnreadableObject::TooLarge => TOO_LARGE.to_owned(),
    }
}

/// What was found is found again the next time.
pub(super) fn for_cache(error: &CacheError) -> String {
    let remedy = match error {
        CacheError::Io { .. } => "see to that",
        CacheError::Foreign(_) | CacheError::NotAFolder(_) | CacheError::Open(_) => "remove it",
    };
    format!("what was found is not kept for the next run: {error}; {remedy}, or verify with --no-cache")
}

/// Says it on standard error, if there is something to say.
pub(super) fn say_for_cache(error: Option<&CacheError>) {
    let Some(error) = error else { return };
    // Advice is worth less than the exit code.
    let _closed = writeln!(io::stderr().lock(), "waxseal: hint: {}", escape::terminal(for_cache(error)));
}

/// What to do about some reasons, each remedy once; nothing about those where everything held, or where the object has nothing
/// that could be mended.
pub(super) fn for_reasons<'a>(
    reasons: &[&'static str],
    trusted: impl Iterator<Item = &'a Instance> + Clone,
) -> Vec<String> {
    let mut grouped: Vec<(String, Vec<&str>)> = Vec::new();
    for reason in reasons {
        let Some(remedy) = remedy(reason, trusted.clone()) else { continue };
        match grouped.iter_mut().find(|(other, _)| *other == remedy) {
            Some((_, reasons)) => reasons.push(reason),
            None => grouped.push((remedy, vec![reason])),
        }
    }
    grouped.into_iter().map(|(remedy, reasons)| format!("{}: {remedy}", reasons.join(", "))).collect()
}

/// What `docs/errors.md` says, and who is trusted where that is the question.
pub(super) fn remedy<'a>(reason: &str, trusted: impl Iterator<Item = &'a Instance>) -> Option<String> {
    // What to do about these depends on the signer or the policy: those who print them know.
    if matches!(reason, "exempt" | "identity-not-allowed" | "no-policy" | "unsigned") {
        return None;
    }
    if reason == OBJECT_TOO_LARGE {
        return Some(TOO_LARGE.to_owned());
    }
    let remedy = reasons::plain(reasons::explain(reason)?.remedy);
    Some(match reason {
        "unknown-ca" | "unknown-log" | "unknown-tsa" => {
            let known: Vec<String> = trusted.map(|instance| Trusted::from(instance).to_string()).collect();
            format!("{remedy}; trusted now: {}", known.join(", "))
        }
        _ => remedy,
    })
}

/// What is said instead of the reason where an object that cannot be read is only too large.
pub(super) const OBJECT_TOO_LARGE: &str = "object-unreadable (too large)";

impl From<&Instance> for Trusted {
    fn from(instance: &Instance) -> Self {
        Self { name: instance.name.to_string(), newest: instance.trusted_root.newest_start() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_remedy_is_said_once() {
        let hints = for_reasons(&["checkpoint-absent", "unsigned", "clock", "inclusion-proof-absent"], [].iter());
        let again =
            "checkpoint-absent, inclusion-proof-absent: ask the signer to sign again: part of the proof was left out";
        assert_eq!(hints, [again, "clock: set the local clock"]);
    }
}
