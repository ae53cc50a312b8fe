//! SARIF 2.1.0, as code scanning reads it: a rule for each reason code that was met, a result for each failure.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Value, json};

use super::{About, Failures, Head, Row, Standing, reasons};
use crate::escape;

/// The whole document.
///
/// # Errors
/// None: everything in it can be serialised.
pub fn document(about: &About, failures: &Failures, exit_code: u8) -> serde_json::Result<Vec<u8>> {
    let codes: BTreeSet<&str> = failures.rows().iter().map(code).collect();
    let left_out = failures.all().saturating_sub(u64::try_from(failures.rows().len()).unwrap_or_default());
    let notifications = (left_out > 0).then(|| {
        let text = format!("{left_out} more objects failed; \"waxseal verify --failed\" lists them");
        json!({ "level": "warning", "message": { "text": text } })
    });
    escape::json_line(&json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "waxseal",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": codes.iter().map(|code| rule(code)).collect::<Vec<_>>(),
            }},
            "automationDetails": { "id": "waxseal/" },
            "invocations": [{
                "executionSuccessful": true,
                "exitCode": exit_code,
                "toolExecutionNotifications": notifications.into_iter().collect::<Vec<_>>(),
            }],
            "properties": {
                "range": escape::terminal(&about.range),
                "facts": about.facts().into_iter().map(|(name, value)| format!("{name}: {}", escape::terminal(value)))
                    .collect::<Vec<_>>(),
            },
            "results": failures.rows().iter().map(|row| result(row, about)).collect::<Vec<_>>(),
        }],
    }))
}

fn code(row: &Row) -> &'static str {
    row.reason.unwrap_or(row.verdict)
}

/// What `docs/errors.md` says.
fn rule(code: &str) -> Value {
    let (meaning, remedy) = match reasons::explain(code) {
        Some(explanation) => (explanation.meaning, explanation.remedy),
        None => (code, "waxseal explain says more"),
    };
    json!({
        "id": code,
        "name": code,
        "shortDescription": { "text": code.replace('-', " ") },
        "fullDescription": { "text": reasons::plain(meaning) },
        "help": {
            "text": format!("{}. What to do: {}", reasons::plain(meaning), reasons::plain(remedy)),
            "markdown": format!("{meaning}\n\n**What to do:** {remedy}"),
        },
        "properties": { "tags": ["security", "commit-signing"] },
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifResult<'a> {
    rule_id: &'static str,
    level: &'static str,
    message: Value,
    locations: Value,
    partial_fingerprints: Value,
    properties: Properties<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Properties<'a> {
    oid: &'a str,
    verdict: &'static str,
    /// The one that came nearest, of a commit that is no squash of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    nearest_head: Option<Value>,
}

fn result<'a>(row: &'a Row, about: &About) -> SarifResult<'a> {
    let level = if row.standing == Standing::Failed { "error" } else { "warning" };
    let kind = row.kind.unwrap_or("object");
    let mut text = format!("{kind} {}: {}", row.short_id(), row.reason_words());
    let mut add = |before: &str, more: &[u8]| {
        if !more.is_empty() {
            text.push_str(before);
            text.push_str(&escape::sarif_message(more));
        }
    };
    add(": ", row.detail.as_deref().unwrap_or_default().as_bytes());
    add("; signed by ", row.signer().unwrap_or_default().as_bytes());
    add("; subject: ", &row.subject);
    // The same alert as long as object and reason are the same, whatever the policy file's lines are.
    let fingerprint = format!("{}:{}", row.oid, code(row));
    SarifResult {
        rule_id: code(row),
        level,
        message: json!({ "text": text }),
        locations: json!([{ "physicalLocation": {
            "artifactLocation": { "uri": uri(about), "uriBaseId": "%SRCROOT%" },
            "region": { "startLine": 1 },
        }}]),
        partial_fingerprints: json!({ "waxseal/v1": fingerprint, "primaryLocationLineHash": fingerprint }),
        properties: Properties { oid: &row.oid, verdict: row.verdict, nearest_head: row.head.as_ref().map(head) },
    }
}

fn head(head: &Head) -> Value {
    json!({ "oid": head.oid, "ref": head.reference.as_ref().map(escape::terminal) })
}

/// Code scanning wants a file: the policy that was asked, where it is one of the repository's; else words in the place of
/// a path, as others without a file put there.
fn uri(about: &About) -> String {
    let path = about.policy.as_ref().and_then(|policy| policy.path.as_deref()).unwrap_or("no file associated");
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    path.bytes().map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
