//! GitHub's workflow commands: an annotation for each of the first failures, and of the first commits that change the policy.

use std::fmt::Write as _;

use super::{Failures, Report, Standing, grouped};
use crate::escape::{workflow_data, workflow_property};

/// The lines: of failures at most [`MAX_ANNOTATIONS`], and as many of changes of the policy.
#[must_use]
pub fn lines(report: &Report<'_>) -> String {
    let Report { about, totals, failures, changes, .. } = *report;
    let file = about.policy.as_ref().and_then(|policy| policy.path.as_deref());
    let file = file.map(|path| format!("file={},", workflow_property(path))).unwrap_or_default();
    let mut out = String::new();
    if failures.all() == 0 && totals.of(Standing::Unjudged) > 0 {
        // Writing into a String cannot fail.
        writeln!(out, "::warning title=waxseal::{}", workflow_data(totals.answer())).unwrap_or_default();
    }
    let shown = failures.first(room(failures));
    for row in &shown {
        let level = if row.standing == Standing::Failed { "error" } else { "warning" };
        let title = workflow_property(format!("{} {}", row.reason_words(), row.short_id()));
        let mut message = row.detail.clone().unwrap_or_default();
        message.extend(row.signer().map(|signer| format!("; signed by {signer}")));
        let subject = workflow_data(&row.subject);
        writeln!(out, "::{level} {file}title={title}::{}; subject: {subject}", workflow_data(message))
            .unwrap_or_default();
    }
    let more = unsaid(failures, shown.len());
    if more > 0 {
        writeln!(out, "::error title=waxseal::and {} more; \"waxseal verify --failed\" lists them", grouped(more))
            .unwrap_or_default();
    }
    let shown = changes.rows().iter().take(room(changes));
    for row in shown.clone() {
        let by = row.signer().map_or_else(|| "not verified".to_owned(), |signer| format!("signed by {signer}"));
        let squash = row.squash().map(|squash| format!("; {squash}")).unwrap_or_default();
        let (title, subject) = (workflow_property(row.short_id()), workflow_data(&row.subject));
        writeln!(
            out,
            "::notice {file}title={title} changes the policy file::{}; subject: {subject}",
            workflow_data(by + &squash)
        )
        .unwrap_or_default();
    }
    let more = unsaid(changes, shown.len());
    if more > 0 {
        writeln!(
            out,
            "::notice title=waxseal::{} more change the policy file; \"waxseal verify --list\"",
            grouped(more)
        )
        .unwrap_or_default();
    }
    out
}

/// How many have a line of their own: the last one may have to say how many more there are.
fn room(rows: &Failures) -> usize {
    let fits = rows.all() <= u64::try_from(MAX_ANNOTATIONS).unwrap_or_default();
    if fits { MAX_ANNOTATIONS } else { MAX_ANNOTATIONS - 1 }
}

fn unsaid(rows: &Failures, said: usize) -> u64 {
    rows.all().saturating_sub(u64::try_from(said).unwrap_or_default())
}

/// GitHub shows ten errors of a step, and ten notices.
pub const MAX_ANNOTATIONS: usize = 10;
