//! JUnit XML, as Jenkins, GitLab and GitHub's actions read it: a suite is what was asked for, a case an object.
//!
//! Cases come before the sums are known: whoever writes them puts [`head`] before and [`TAIL`] after them.

use std::fmt::Write as _;

use super::{About, Row, Standing, Totals, reasons};
use crate::escape::markup;

/// What comes before the cases.
#[must_use]
pub fn head(about: &About, totals: &Totals) -> String {
    let counts = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"0\"",
        totals.objects(),
        totals.of(Standing::Failed),
        totals.of(Standing::Unknown) + totals.of(Standing::Unjudged),
        totals.of(Standing::Exempt)
    );
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"waxseal\" {counts}>\n\
         <testsuite name=\"{}\" {counts} timestamp=\"{}\">\n<properties>\n",
        markup(&about.range),
        about.now.strftime("%Y-%m-%dT%H:%M:%S")
    );
    let facts = [("tool", about.tool.to_owned())].into_iter().chain(about.facts());
    for (name, value) in facts {
        // Writing into a String cannot fail.
        writeln!(out, "<property name=\"{name}\" value=\"{}\"/>", markup(value)).unwrap_or_default();
    }
    out.push_str("</properties>\n");
    out
}

/// One object.
#[must_use]
pub fn case(row: &Row) -> String {
    let mut out = format!(
        "<testcase name=\"{} {}\" classname=\"waxseal.{}\" time=\"0\"",
        row.short_id(),
        markup(&row.subject),
        row.kind.unwrap_or("object")
    );
    let reason = row.reason.unwrap_or(row.verdict);
    let detail = row.detail.as_deref().map(markup).unwrap_or_default();
    let note = note(row);
    let element = match row.standing {
        Standing::Ok if note.is_empty() => {
            out.push_str("/>\n");
            return out;
        }
        Standing::Ok => {
            writeln!(out, ">{note}</testcase>").unwrap_or_default();
            return out;
        }
        Standing::Exempt => {
            writeln!(out, "><skipped message=\"exempt: {detail}\"/>{note}</testcase>").unwrap_or_default();
            return out;
        }
        Standing::Failed => "failure",
        Standing::Unjudged | Standing::Unknown => "error",
    };
    writeln!(out, ">\n<{element} type=\"{reason}\" message=\"{}: {detail}\">{}", row.reason_words(), row.oid)
        .unwrap_or_default();
    if let Some(signer) = row.signer() {
        writeln!(out, "signed by {}", markup(signer)).unwrap_or_default();
    }
    let maker = if row.kind == Some("tag") { "tagger" } else { "author" };
    writeln!(out, "{maker}, as claimed: {}", markup(&row.author)).unwrap_or_default();
    if let Some(explanation) = reasons::explain(reason) {
        let remedy = reasons::plain(explanation.remedy);
        writeln!(out, "what to do: {}\nall of it: waxseal explain {}", markup(remedy), row.short_id())
            .unwrap_or_default();
    }
    writeln!(out, "</{element}>{note}\n</testcase>").unwrap_or_default();
    out
}

/// What else there is to say of an object, whatever the verdict: a line each.
fn note(row: &Row) -> String {
    let changes = row.changes_policy.then(|| "changes the policy file".to_owned());
    let head = row.head.as_ref().map(|head| {
        let reference = head.reference.as_ref().map(|reference| format!("{reference}, ")).unwrap_or_default();
        markup(format!("{} {reference}{}", head.word(), head.oid))
    });
    let lines: Vec<_> = changes.into_iter().chain(head).collect();
    if lines.is_empty() { String::new() } else { format!("<system-out>{}</system-out>", lines.join("\n")) }
}

/// What comes after the cases.
pub const TAIL: &str = "</testsuite>\n</testsuites>\n";
