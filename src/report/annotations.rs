//! GitHub's workflow commands: an annotation for each of the first failures.

use std::fmt::Write as _;

use super::{Report, Standing, grouped};
use crate::escape::{workflow_data, workflow_property};

/// The lines, at most [`MAX_ANNOTATIONS`].
#[must_use]
pub fn lines(report: &Report<'_>) -> String {
    let Report { about, totals, failures, .. } = *report;
    if failures.all() == 0 && totals.of(Standing::Unjudged) > 0 {
        return format!("::warning title=waxseal::{}\n", workflow_data(totals.answer()));
    }
    let file = about.policy.as_ref().and_then(|policy| policy.path.as_deref());
    let file = file.map(|path| format!("file={},", workflow_property(path))).unwrap_or_default();
    let fits = failures.all() <= u64::try_from(MAX_ANNOTATIONS).unwrap_or_default();
    let shown = failures.first(if fits { MAX_ANNOTATIONS } else { MAX_ANNOTATIONS - 1 });
    let mut out = String::new();
    for row in &shown {
        let level = if row.standing == Standing::Failed { "error" } else { "warning" };
        let title = workflow_property(format!("{} {}", row.reason_words(), row.short_id()));
        let mut message = row.detail.clone().unwrap_or_default();
        message.extend(row.signer().map(|signer| format!("; signed by {signer}")));
        let subject = workflow_data(&row.subject);
        // Writing into a String cannot fail.
        writeln!(out, "::{level} {file}title={title}::{}; subject: {subject}", workflow_data(message))
            .unwrap_or_default();
    }
    if !fits {
        let more = failures.all().saturating_sub(u64::try_from(shown.len()).unwrap_or_default());
        writeln!(out, "::error title=waxseal::and {} more; \"waxseal verify --failed\" lists them", grouped(more))
            .unwrap_or_default();
    }
    out
}

/// GitHub shows ten errors of a step.
pub const MAX_ANNOTATIONS: usize = 10;
