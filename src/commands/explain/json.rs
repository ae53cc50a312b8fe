//! `waxseal explain --json`, schema 1: one object on one line (`docs/explain.md`).

use std::io::{self, Write};

use serde::Serialize;

use super::Explanation;
use crate::commands::facts::Facts;
use crate::commands::run::json::{Instance, Object, TOOL, instances, object_of, policy};
use crate::escape;
use crate::verify::SctRequirement;
use crate::verify::findings::Outcome;

#[derive(Serialize)]
struct Document<'a> {
    r#type: &'static str,
    schema: u32,
    tool: &'static str,
    network: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    insecure_ignore_sct: bool,
    instances: Vec<Instance<'a>>,
    object: Object<'a>,
    steps: Vec<Step<'a>>,
    policy: Option<Policy<'a>>,
    next: &'a [String],
    exit: u8,
}

#[derive(Serialize)]
struct Step<'a> {
    step: &'static str,
    standard: &'static str,
    outcome: &'static str,
    reason: Option<&'static str>,
    detail: Option<String>,
    inputs: &'a Facts,
}

#[derive(Serialize)]
struct Policy<'a> {
    source: String,
    sha256: String,
    rules: Vec<Rule<'a>>,
}

#[derive(Serialize)]
struct Rule<'a> {
    rule: &'a str,
    answer: &'static str,
    detail: Option<String>,
}

pub(super) fn print(out: &mut impl Write, explanation: &Explanation<'_>) -> io::Result<()> {
    let steps = explanation.steps.iter().map(|step| {
        let (outcome, reason, detail) = words(step.outcome.as_ref());
        Step { step: step.name, standard: step.standard, outcome, reason, detail, inputs: &step.inputs }
    });
    let rules = explanation.rules.iter().map(|rule| Rule {
        rule: &rule.rule,
        answer: match &rule.answer {
            Ok(()) => "yes",
            Err(mismatch) if mismatch.is_unknown() => "unknown",
            Err(_) => "no",
        },
        detail: rule.answer.as_ref().err().map(ToString::to_string),
    });
    let document = Document {
        r#type: "explanation",
        schema: 1,
        tool: TOOL,
        network: explanation.run.asks_network(),
        insecure_ignore_sct: explanation.run.verifier.scts() == SctRequirement::InsecureIgnore,
        instances: instances(explanation.run),
        object: object_of(&explanation.judged),
        steps: steps.collect(),
        policy: policy(explanation.run).map(|policy| Policy {
            source: policy.source,
            sha256: policy.sha256,
            rules: rules.collect(),
        }),
        next: &explanation.next,
        exit: explanation.exit_code,
    };
    out.write_all(&escape::json_line(&document)?)
}

/// Outcome, reason code and sentence, of a step that was not taken too.
pub(super) fn words(outcome: Option<&Outcome>) -> (&'static str, Option<&'static str>, Option<String>) {
    match outcome {
        Some(outcome) => (outcome.name(), outcome.reason(), Some(outcome.detail())),
        None => ("not-run", None, None),
    }
}
