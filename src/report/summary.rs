//! A summary in Markdown, as GitHub shows it for a step: the answer, the sums, the first failures, what to do.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use super::{Failures, Report, Row, Standing, grouped, reasons};
use crate::escape::markdown;

/// The whole text.
#[must_use]
pub fn text(report: &Report<'_>) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    write_all(&mut out, report).unwrap_or_default();
    out
}

fn write_all(out: &mut String, report: &Report<'_>) -> fmt::Result {
    let Report { about, totals, failures, changes, squashes, exit_code } = *report;
    let mark = if exit_code == 0 { "✅" } else { "❌" };
    writeln!(out, "## {mark} waxseal: {}\n", markdown(totals.answer()))?;
    writeln!(out, "{}, exit code {exit_code}\n", literal(&about.range))?;
    writeln!(out, "| | objects | |\n|---|---:|---|")?;
    for standing in [Standing::Ok, Standing::Exempt, Standing::Unjudged, Standing::Failed, Standing::Unknown] {
        let count = totals.of(standing);
        if count > 0 || !matches!(standing, Standing::Exempt | Standing::Unjudged) {
            writeln!(out, "| {} | {} | {} |", standing.word(), grouped(count), totals.breakdown(standing))?;
        }
    }
    writeln!(out)?;
    for (name, value) in about.facts() {
        writeln!(out, "- {name}: {}", literal(value))?;
    }
    let changes_shown: Vec<_> = changes.rows().iter().collect();
    if !changes_shown.is_empty() {
        table(out, "Commits that change the policy file", &changes_shown, changes, "--list")?;
    }
    let shown = failures.first(MAX_SHOWN);
    if !shown.is_empty() {
        table(out, "First failures", &shown, failures, "--failed")?;
    }
    let squashes_shown: Vec<_> = squashes.rows().iter().take(MAX_SHOWN).collect();
    if !squashes_shown.is_empty() {
        table(out, "Squashes and the heads that prove them", &squashes_shown, squashes, "--list")?;
    }
    let mut codes: BTreeSet<&str> = failures.rows().iter().filter_map(|row| row.reason).collect();
    codes.extend(totals.parts(Standing::Unjudged).map(|(code, _)| code));
    if codes.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n### What to do\n")?;
    for explanation in codes.iter().filter_map(|code| reasons::explain(code)) {
        writeln!(out, "- **{}**: {}", explanation.code, explanation.remedy)?;
    }
    if let Some(row) = shown.first() {
        writeln!(out, "\nThe whole proof of one object:\n\n```sh\nwaxseal explain {}\n```", row.short_id())?;
    }
    Ok(())
}

fn table(out: &mut String, title: &str, shown: &[&Row], of: &Failures, flag: &str) -> fmt::Result {
    writeln!(out, "\n### {title}\n\n| object | why | subject |\n|---|---|---|")?;
    for row in shown {
        writeln!(out, "| `{}` | {} | {} |", row.short_id(), why(row), literal(&row.subject))?;
    }
    let more = of.all().saturating_sub(u64::try_from(shown.len()).unwrap_or_default());
    if more > 0 {
        writeln!(out, "\nand {} more: `waxseal verify {flag}`", grouped(more))?;
    }
    Ok(())
}

fn why(row: &Row) -> String {
    let signer = row.signer().map(|signer| format!("<br>{}", literal(signer))).unwrap_or_default();
    let detail = row.detail.as_deref().map(|detail| format!("<br>{}", literal(detail))).unwrap_or_default();
    let squash = row.squash().map(|squash| format!("<br>{}", literal(squash))).unwrap_or_default();
    let word = if row.reason.is_some() { row.reason_words() } else { "in order".to_owned() };
    format!("**{word}**{detail}{squash}{signer}")
}

/// What others wrote. GitHub looks for mentions and issues in what Markdown became, but not in code.
fn literal(text: impl AsRef<[u8]>) -> String {
    let text = text.as_ref();
    if text.is_empty() { String::new() } else { format!("<code>{}</code>", markdown(text)) }
}

/// A step's summary may have a megabyte, and a reader has less.
const MAX_SHOWN: usize = 30;
