//! What people read beside the objects: sums, what the verdicts do not cover, and what to do next.

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::commands::hints;
use crate::commands::run::Run;
use crate::commands::run::judged::Tally;
use crate::escape;
use crate::finding_cache::CacheError;
use crate::policy::IdentityPolicy;
use crate::report::plural;
use crate::verify::SctRequirement;

/// How many of each.
pub(super) fn totals(out: &mut impl Write, tally: &Tally) -> io::Result<()> {
    let objects = tally.objects();
    let mut line = format!("{objects} object{}", plural(objects));
    for (count, word) in [
        (tally.judged.verified, "verified"),
        (tally.judged.rejected, "rejected"),
        (tally.judged.unsigned, "unsigned"),
        (tally.judged.undecided, "undecided"),
        (tally.judged.other, "of another format"),
        (tally.not_allowed, "not allowed"),
        (tally.cannot_tell, "that a rule cannot decide"),
        (tally.exempt.sum(), "exempt"),
    ] {
        if count > 0 {
            // Writing into a String cannot fail.
            write!(line, ", {count} {word}").unwrap_or_default();
        }
    }
    writeln!(out, "{line}")
}

/// What the verdicts do not cover.
pub(super) fn limits(out: &mut impl Write, tally: &Tally, scts: SctRequirement) -> io::Result<()> {
    if tally.tags > 0 {
        writeln!(out, "of a tag the tag itself was judged, not what it points to")?;
    }
    if scts == SctRequirement::InsecureIgnore {
        writeln!(out, "--insecure-ignore-sct: nobody was asked whether the certificates were logged")?;
    }
    Ok(())
}

/// What to do next.
pub(super) fn advice(out: &mut impl Write, tally: &Tally, run: &Run<'_>, cache: Option<&CacheError>) -> io::Result<()> {
    let mut lines = Vec::new();
    lines.extend(cache.map(hints::for_cache));
    if tally.objects() == 0 && !run.request.allow_empty {
        lines.push("nothing was there to verify; --allow-empty makes that a success".to_owned());
    }
    lines.extend(hints::for_reasons(&tally.reasons, run.verifier.instances()));
    lines.extend(hints::for_clone(&run.repository, &tally.reasons));
    if matches!(run.policy, IdentityPolicy::NotGiven) && tally.judged.verified > 0 {
        lines.push("nobody said who may sign, and anyone can get a certificate; name who may:".to_owned());
        lines.extend(tally.unjudged.iter().map(|item| format!("  git config --add waxseal.allow '{item}'")));
        lines.push("for one run: --certificate-identity and --certificate-oidc-issuer, or --any-identity".to_owned());
    }
    for line in lines {
        writeln!(out, "waxseal: hint: {}", escape::terminal(line))?;
    }
    Ok(())
}
