//! `waxseal policy suggest`: a policy on stdout for whoever signed a history, and on stderr what it leaves out.

use std::convert::Infallible;
use std::io::{self, Write as _};

use jiff::Timestamp;

use crate::cli::Verify;
use crate::command_error::{CommandError, ErrorKind};
use crate::commands::run::Run;
use crate::commands::run::judged::{Judged, Tally};
use crate::commands::run::selection::Selection;
use crate::commands::stdout::written;
use crate::commands::{hints, stdout};
use crate::escape;
use crate::policy::{Draft, DraftedKeys, NamedKeys, Signer, Suggestion};
use crate::signature::SignatureFormat;
use crate::verify::Verdict;

/// Runs the command. The exit code is 1 when there is nobody to suggest: a key in a comment is nobody.
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
        match &judged.verdict {
            Verdict::Verified(signature) => suggestion.add(&Signer::from(signature.as_ref()), signature.instance()),
            Verdict::OtherFormat(format) => add_by_key(&mut suggestion, *format, judged, &run),
            Verdict::Rejected(_) | Verdict::Undecided(_) | Verdict::Unsigned | Verdict::VerifiedByKey(_) => {}
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
    let code = if draft.signers == 0 { ErrorKind::Failed.exit_code() } else { 0 };
    match &draft.text {
        None => Ok(code),
        Some(text) => written(print(text).map(|()| code), ErrorKind::Failed),
    }
}

/// What a signature says of the key that made it, in a format in which nobody vouches for keys.
fn add_by_key(suggestion: &mut Suggestion, format: SignatureFormat, judged: &Judged<'_>, run: &Run<'_>) {
    let Ok(object) = &judged.found.content else { return };
    let object = run.split(object);
    let Ok(armor) = object.signature() else { return };
    match format {
        SignatureFormat::OpenPgp => suggestion.add_openpgp(armor),
        SignatureFormat::Ssh => suggestion.add_ssh(&object.payload, armor, judged.description().committer_email()),
        SignatureFormat::Unknown | SignatureFormat::X509 => {}
    }
}

fn print(text: &str) -> io::Result<()> {
    stdout::check_writable()?;
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn summary(suggestion: &Suggestion, draft: &Draft, tally: &Tally, at_least: u64) -> Vec<String> {
    let mut lines = Vec::new();
    let objects = plural(tally.objects(), "object", "objects");
    let (signers, signatures) = (suggestion.signers(), suggestion.signatures());
    let percent = draft.signatures.saturating_mul(100).checked_div(signatures);
    let signers = plural(signers, "signer", "signers");
    lines.push(match (percent, draft.signers) {
        (None, _) if draft.text.is_some() => {
            format!("seen {objects}, and no signature that verified: the draft has no rule yet that counts")
        }
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
    lines.extend(ssh_keys(draft.ssh, at_least));
    lines.extend(openpgp_keys(&draft.openpgp));
    let judged = tally.judged;
    let (by_ssh, by_openpgp) = (draft.ssh.all_signatures(), draft.openpgp.all_signatures());
    let others: Vec<_> = [
        (judged.unsigned, "unsigned"),
        (judged.rejected, "rejected"),
        (judged.undecided, "undecided"),
        (by_ssh, "by SSH keys"),
        (by_openpgp, "by OpenPGP keys"),
        (judged.other.saturating_sub(by_ssh).saturating_sub(by_openpgp), "of another format"),
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
    if draft.ssh.drafted > 0 {
        lines.push(format!("hint: {BY_SSH}"));
    }
    if !draft.openpgp.keys.is_empty() {
        lines.push(format!("hint: {BY_OPENPGP}"));
    }
    if draft.signers > 0 {
        lines.push("hint: who did sign is not who may: take out whom you do not know".to_owned());
        lines.push("hint: \"waxseal policy test --policy FILE\" shows what it makes of the history".to_owned());
    }
    lines
}

fn ssh_keys(ssh: DraftedKeys, at_least: u64) -> Vec<String> {
    let keys = |count: usize| plural(count, "SSH key", "SSH keys");
    let mut lines = Vec::new();
    if ssh.signatures > 0 {
        let (seen, good) = (keys(ssh.seen), plural(ssh.signatures, "good signature", "good signatures"));
        lines.push(match ssh.drafted {
            0 => format!("seen {seen} in {good}, and none for the draft"),
            1 => format!("seen {seen} in {good}; 1 is in the draft, as a comment: nobody has proven whose it is"),
            many => {
                format!("seen {seen} in {good}; {many} are in the draft, as comments: nobody has proven whose they are")
            }
        });
    }
    if ssh.few > 0 {
        lines.push(format!("left out: {} with fewer than {at_least} signatures (--at-least)", keys(ssh.few)));
    }
    if ssh.no_room > 0 {
        lines.push(format!("left out: {}, with which the draft would be too long", keys(ssh.no_room)));
    }
    if ssh.beyond > 0 {
        lines.push(format!("left out: {} of still more SSH keys", plural(ssh.beyond, "signature", "signatures")));
    }
    if ssh.bad > 0 {
        let (one, many) = (
            "SSH signature that is not good, whatever key it names",
            "SSH signatures that are not good, whatever key they name",
        );
        lines.push(format!("left out: {}", plural(ssh.bad, one, many)));
    }
    lines
}

fn openpgp_keys(openpgp: &NamedKeys) -> Vec<String> {
    let mut lines: Vec<_> = openpgp.keys.iter().take(MAX_NAMED).map(|key| format!("left out: {key}")).collect();
    if let Some(more) = openpgp.keys.len().checked_sub(MAX_NAMED).filter(|more| *more > 0) {
        lines.push(format!("left out: {}", plural(more, "more OpenPGP key", "more OpenPGP keys")));
    }
    if openpgp.beyond > 0 {
        let signatures = plural(openpgp.beyond, "signature", "signatures");
        lines.push(format!("left out: {signatures} of still more OpenPGP keys"));
    }
    if openpgp.unnamed > 0 {
        let unnamed = plural(openpgp.unnamed, "OpenPGP signature", "OpenPGP signatures");
        lines.push(format!("left out: {unnamed} in which no key can be read"));
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

const BY_SSH: &str =
    "compare an SSH key's fingerprint with its owner before its rule counts: \"Rules about keys\" in docs/policy.md";

const BY_OPENPGP: &str = "an OpenPGP signature names its key and does not bring it along: write it to a file, \"gpg --armor --export KEY > FILE\", \
     compare what \"gpg --show-keys --with-fingerprint FILE\" prints with its owner, and name both in a rule: \"Rules about keys\" in docs/policy.md";

/// More names than these are not worth a line each.
const MAX_NAMED: usize = 10;
