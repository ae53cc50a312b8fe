//! The proof for people: a tree, the steps its branches, what each looked at below it.

use std::io::{self, Write};

use super::Explanation;
use super::json::words;
use super::step_report::StepReport;
use crate::commands::facts::Facts;
use crate::commands::run::json::policy;
use crate::escape;
use crate::policy::{Allowed, IdentityPolicy};
use crate::verify::{SctRequirement, Verdict};
use crate::x509::CertificateClaims;

pub(super) fn print(out: &mut impl Write, explanation: &Explanation<'_>) -> io::Result<()> {
    let mut lines = head(explanation);
    let idle = |step: &&StepReport| step.outcome.is_none() && step.inputs == Facts::default();
    for step in explanation.steps.iter().filter(|step| !idle(step)) {
        let (outcome, reason, detail) = words(step.outcome.as_ref());
        let mark = match outcome {
            "held" => "held",
            "wrong" => "WRONG",
            "missing" => "MISSING",
            _ => "not run",
        };
        let name = step.name.replace('_', " ");
        let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
        let detail = detail.map(|detail| format!(": {detail}")).unwrap_or_default();
        let title = format!("{mark:<8} {name}{detail}{reason}");
        lines.push(format!("├─ {}  [{}]", escape::terminal(title), step.standard));
        // They are escaped already.
        lines.extend(step.inputs.lines().into_iter().map(|line| format!("│      {line}")));
    }
    let names: Vec<_> = explanation.steps.iter().filter(idle).map(|step| step.name.replace('_', " ")).collect();
    if !names.is_empty() {
        lines.push(format!("├─ not run  {}: nothing to look at", names.join(", ")));
    }
    lines.extend(rules(explanation));
    if !explanation.next.is_empty() {
        lines.push(String::new());
        lines.push("what would change that:".to_owned());
        lines.extend(explanation.next.iter().map(|next| format!("  - {}", escape::terminal(next))));
    }
    for line in lines {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// What it is, what was decided, and who it is by, proved or claimed.
fn head(explanation: &Explanation<'_>) -> Vec<String> {
    let judged = &explanation.judged;
    let kind = judged.kind().map_or("object", |kind| kind.as_str());
    let mut lines = vec![format!("{kind} {}  {}", judged.found.id, escape::terminal(judged.description().subject()))];
    let verdict = match &judged.verdict {
        Verdict::Verified(_) | Verdict::VerifiedByKey(_) => "verified",
        Verdict::Rejected(_) => "REJECTED",
        Verdict::Undecided(_) => "undecided",
        Verdict::Unsigned => "UNSIGNED",
        Verdict::OtherFormat(_) => "of another format",
    };
    let allowed = match &judged.allowed {
        Allowed::AnyIdentity => ", whoever signed".to_owned(),
        Allowed::CannotTell { .. } => ", and the policy cannot decide here".to_owned(),
        Allowed::Exempt(_) => ", and exempt".to_owned(),
        Allowed::No(_) => ", NOT ALLOWED".to_owned(),
        Allowed::NobodyAsked if matches!(judged.verdict, Verdict::Verified(_)) => {
            ", and nobody said who may sign".to_owned()
        }
        Allowed::NobodyAsked => String::new(),
        Allowed::Yes(rule) => format!(", and allowed by \"{rule}\""),
    };
    let why = match (judged.reason(), judged.detail()) {
        (Some(reason), Some(detail)) => format!("  {reason}: {detail}"),
        (Some(reason), None) => format!("  {reason}"),
        _ => String::new(),
    };
    lines.push(escape::terminal(format!("verdict    {verdict}{allowed}")));
    lines.extend(judged.squashed.as_ref().map(|head| {
        escape::terminal(format!(
            "squash     of {head}, each commit of which is admitted; who wrote it nothing proves here"
        ))
    }));
    if !why.is_empty() {
        lines.push(escape::terminal(format!("because  {why}")));
    }
    let claimed = |claims: Option<&CertificateClaims>| {
        claims.map(|claims| format!("claimed    {} ({}), which nothing proves", claims.san, claims.issuer))
    };
    match &judged.verdict {
        Verdict::Verified(signature) => {
            let (san, issuer, instance) = (signature.san(), signature.issuer(), signature.instance());
            lines.push(escape::terminal(format!("signer     {san} ({issuer}), for the instance {instance}")));
            lines.push(format!("time       {}, proved by the {}", signature.time(), signature.time_source()));
        }
        Verdict::VerifiedByKey(signature) => {
            let (identity, format, key) = (signature.identity(), signature.format().name(), signature.fingerprint());
            let owner = if identity == key { String::new() } else { format!("{identity}, ") };
            lines.push(escape::terminal(format!("signer     {owner}{format} key {key}, as the policy says")));
            lines.push("time       nothing proves when a key signed".to_owned());
        }
        Verdict::Rejected(rejection) => match rejection.payload_alone() {
            Some(signature) => {
                let (san, issuer, time) = (signature.san(), signature.issuer(), signature.time());
                lines
                    .push(escape::terminal(format!("signed by  {san} ({issuer}) at {time}: something else than this")));
            }
            None => lines.extend(claimed(rejection.claims()).map(escape::terminal)),
        },
        Verdict::Undecided(undecided) => {
            lines.extend(claimed(undecided.findings().claims.as_ref()).map(escape::terminal));
        }
        Verdict::Unsigned | Verdict::OtherFormat(_) => {}
    }
    if explanation.run.verifier.scts() == SctRequirement::InsecureIgnore {
        lines.push("--insecure-ignore-sct: nobody was asked whether the certificate was logged".to_owned());
    }
    lines
}

/// The policy with each rule's answer: the tree's last branch.
fn rules(explanation: &Explanation<'_>) -> Vec<String> {
    let run = explanation.run;
    let title = match (policy(run), &run.policy) {
        (None, _) => "nobody said who may sign".to_owned(),
        (Some(_), IdentityPolicy::AnyIdentity) => "--any-identity".to_owned(),
        (Some(policy), _) => format!("{}, sha256 {}", policy.source, policy.sha256),
    };
    let answer = match (&explanation.judged.allowed, &explanation.judged.verdict) {
        (Allowed::AnyIdentity | Allowed::Yes(_), _) => "held",
        (Allowed::No(_), _) => "NO",
        (Allowed::CannotTell { .. }, _) => "unknown",
        (Allowed::Exempt(_), _) => "exempt",
        (Allowed::NobodyAsked, _) => "not run",
    };
    let mut lines = vec![format!("└─ {answer:<8} policy: {}  [docs/policy.md]", escape::terminal(title))];
    lines.extend(explanation.rules.iter().map(|rule| {
        let line = match (&rule.answer, &explanation.judged.verdict) {
            (Ok(()), Verdict::Undecided(_)) => format!("\"{}\" could admit the claimed signer", rule.rule),
            (Ok(()), _) => format!("\"{}\" admits the signer", rule.rule),
            (Err(mismatch), _) => format!("\"{}\" does not: {mismatch}", rule.rule),
        };
        format!("       {}", escape::terminal(line))
    }));
    lines
}
