//! A summary in Markdown, as GitHub shows it for a step: the answer, the sums, the first failures, what to do.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{About, Failures, Row, Standing, Totals, grouped, reasons};
use crate::escape::markdown;

/// The whole text.
#[must_use]
pub fn text(about: &About, totals: &Totals, failures: &Failures, exit_code: u8) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    write_all(&mut out, about, totals, failures, exit_code).unwrap_or_default();
    out
}

fn write_all(
    out: &mut String,
    about: &About,
    totals: &Totals,
    failures: &Failures,
    exit_code: u8,
) -> Result<(), std::fmt::Error> {
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
    let shown = failures.first(MAX_SHOWN);
    if shown.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n### First failures\n\n| object | why | subject |\n|---|---|---|")?;
    for row in &shown {
        writeln!(out, "| `{}` | {} | {} |", row.short_id(), why(row), literal(&row.subject))?;
    }
    let more = failures.all().saturating_sub(u64::try_from(shown.len()).unwrap_or_default());
    if more > 0 {
        writeln!(out, "\nand {} more: `waxseal verify --failed`", grouped(more))?;
    }
    writeln!(out, "\n### What to do\n")?;
    let codes: BTreeSet<&str> = failures.rows().iter().filter_map(|row| row.reason).collect();
    for explanation in codes.iter().filter_map(|code| reasons::explain(code)) {
        writeln!(out, "- **{}**: {}", explanation.code, explanation.remedy)?;
    }
    if let Some(row) = shown.first() {
        writeln!(out, "\nThe whole proof of one object:\n\n```sh\nwaxseal explain {}\n```", row.short_id())?;
    }
    Ok(())
}

fn why(row: &Row) -> String {
    let signer = row.signer().map(|signer| format!("<br>{}", literal(signer))).unwrap_or_default();
    let detail = row.detail.as_deref().map(|detail| format!("<br>{}", literal(detail))).unwrap_or_default();
    format!("**{}**{detail}{signer}", row.reason_words())
}

/// What others wrote. GitHub looks for mentions and issues in what Markdown became, but not in code.
fn literal(text: impl AsRef<[u8]>) -> String {
    let text = text.as_ref();
    if text.is_empty() { String::new() } else { format!("<code>{}</code>", markdown(text)) }
}

/// A step's summary may have a megabyte, and a reader has less.
const MAX_SHOWN: usize = 30;
