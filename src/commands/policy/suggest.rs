//! `waxseal policy suggest`: a policy on stdout for whoever signed a history, and on stderr what it leaves out.

use std::convert::Infallible;
use std::io::{self, Write as _};

use jiff::Timestamp;

use crate::cli::Verify;
use crate::command_error::{CommandError, ErrorKind};
use crate::commands::run::Run;
use crate::commands::run::judged::Tally;
use crate::commands::run::selection::Selection;
use crate::commands::stdout::written;
use crate::commands::{hints, stdout};
use crate::escape;
use crate::policy::{Draft, Signer, Suggestion};
use crate::verify::Verdict;

/// Runs the command. The exit code is 1 when there is nobody to suggest.
///
/// # Errors
/// [`CommandError`], as `waxseal verify`.
pub(super) fn run(request: &Verify, at_least: u64, now: Timestamp) -> Result<u8, CommandError> {
    let run = Run::prepare(request, now, |repository, _policy| {
        Ok(Selection { once: true, ..Selection::of(request, repository)? })
    })?;
    let (mut suggestion, mut tally) = (Suggestion::default(), Tally::default());
    let Ok(trouble) = run.each(|judged| {
        tally.count(judged);
        if let Verdict::Verified(signature) = &judged.verdict {
            suggestion.add(&Signer::from(signature.as_ref()), signature.instance());
        }
        Ok::<_, Infallible>(())
    });
    let draft = suggestion.draft(at_least, now);
    if draft.is_too_long() {
        return Err(CommandError::failed("the policy would be longer than one may be")
            .hint("--at-least leaves out who signed seldom"));
    }
    let mut lines = summary(&suggestion, &draft, &tally, at_least);
    lines.extend(trouble.map(|error| format!("hint: {}", hints::for_cache(&error))));
    // Who closed stderr did not want to be told.
    let _told = tell(&lines);
    match &draft.text {
        None => Ok(ErrorKind::Failed.exit_code()),
        Some(text) => written(print(text), ErrorKind::Failed),
    }
}

fn print(text: &str) -> io::Result<u8> {
    if stdout::was_closed() {
        return Err(stdout::closed());
    }
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(0)
}

fn summary(suggestion: &Suggestion, draft: &Draft, tally: &Tally, at_least: u64) -> Vec<String> {
    let mut lines = Vec::new();
    let objects = plural(tally.objects(), "object", "objects");
    let (signers, signatures) = (suggestion.signers(), suggestion.signatures());
    let percent = draft.signatures.saturating_mul(100).checked_div(signatures);
    let signers = plural(signers, "signer", "signers");
    lines.push(match (percent, draft.signers) {
        (None, _) => format!("seen {objects}, and no signature that verified: there is nobody to suggest"),
        (Some(_), 0) => format!("seen {signers} in {objects}, and none to suggest"),
        (Some(percent), suggested) => {
            let verified = plural(signatures, "signature that verified", "signatures that verified");
            let (are, rules) = (if suggested == 1 { "is" } else { "are" }, plural(draft.rules, "rule", "rules"));
            format!("seen {signers} in {objects}; {suggested} of them made {percent} % of the {verified}, and {are} suggested, in {rules}")
        }
    });
    if draft.few > 0 {
        let few = plural(draft.few, "signer", "signers");
        lines.push(format!("left out: {few} with fewer than {at_least} signatures (--at-least)"));
    }
    for one in draft.left_out.iter().take(MAX_NAMED) {
        lines.push(format!("left out: {} ({}): {}", one.signer, one.issuer, one.why));
    }
    if let Some(more) = draft.left_out.len().checked_sub(MAX_NAMED).filter(|more| *more > 0) {
        lines.push(format!("left out: {} for the like", plural(more, "more signer", "more signers")));
    }
    if draft.beyond > 0 {
        lines.push(format!("left out: {} of still more signers", plural(draft.beyond, "signature", "signatures")));
    }
    let judged = tally.judged;
    let others: Vec<_> = [
        (judged.unsigned, "unsigned"),
        (judged.rejected, "rejected"),
        (judged.undecided, "undecided"),
        (judged.other, "of another format"),
    ]
    .iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, word)| format!("{count} {word}"))
    .collect();
    if !others.is_empty() {
        lines.push(format!("they say nothing of who may sign: {}", others.join(", ")));
    }
    if tally.reasons.contains(&"log-entry-absent") {
        lines.push("hint: \"waxseal evidence fetch\" gets what signatures of gitsign's online mode lack".to_owned());
    }
    if ["ssh-signature", "openpgp-signature"].iter().any(|reason| tally.reasons.contains(reason)) {
        lines.push(format!("hint: {BY_KEYS}"));
    }
    if draft.text.is_some() {
        lines.push("hint: who did sign is not who may: take out whom you do not know".to_owned());
        lines.push("hint: \"waxseal policy test --policy FILE\" shows what it makes of the history".to_owned());
    }
    lines
}

/// Advice is worth less than the policy.
fn tell(lines: &[String]) -> io::Result<()> {
    let mut err = io::stderr().lock();
    lines.iter().try_for_each(|line| writeln!(err, "waxseal: {}", escape::terminal(line)))
}

fn plural<T: std::fmt::Display>(count: T, one: &str, many: &str) -> String {
    let count = count.to_string();
    let word = if count == "1" { one } else { many };
    format!("{count} {word}")
}

const BY_KEYS: &str =
    "what SSH and OpenPGP keys signed counts where a rule names the key: \"Rules about keys\" in docs/policy.md";

/// More names than these are not worth a line each.
const MAX_NAMED: usize = 10;
