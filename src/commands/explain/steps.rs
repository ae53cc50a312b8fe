//! The steps of a proof with their outcomes, those too that were never taken.

use super::inputs::Inputs;
use super::key_steps;
use super::step_report::StepReport;
use crate::cms::SignedData;
use crate::cms::armor;
use crate::commands::outside_evidence::Completed;
use crate::commands::run::Run;
use crate::git::repository::FoundObject;
use crate::signature::git::{BindingError, open};
use crate::verify::Verdict;
use crate::verify::error::{Missing, VerifyError};
use crate::verify::findings::{Findings, Outcome, Step};

/// Every step in the order in which people ask: what is this, who is it by, what proves it, is it about this content.
pub(super) fn of(run: &Run<'_>, found: &FoundObject, completed: &Completed, findings: &Findings) -> Vec<StepReport> {
    let verdict = &completed.verdict;
    let object = found.content.as_ref().ok().map(|object| run.split(object));
    let armor = object.as_ref().and_then(|object| object.signature().ok());
    let signed_data = armor.and_then(|armor| SignedData::from_der(&armor::decode(armor).ok()?).ok());
    let mut opened = object.as_ref().zip(armor).and_then(|(object, armor)| open(&object.payload, armor).ok());
    if let (Some(opened), Some(entry)) = (&mut opened, completed.from.outside()) {
        opened.material.log_entry = Some(entry.clone());
    }
    let inputs = Inputs {
        run,
        payload: object.as_ref().map(|object| object.payload.as_slice()),
        signed_data: signed_data.as_ref(),
        opened: opened.as_ref(),
        from: &completed.from,
        refused: &completed.refused,
        instance: findings.instance.as_ref(),
        authority: findings.authority,
    };
    let stopped = if findings.steps.is_empty() { stopped_at(verdict) } else { None };
    let object_step = match &found.content {
        Ok(_) => Outcome::Held("its bytes have the hash that is its name".to_owned()),
        Err(error) => Outcome::Missing(Missing::from(error)),
    };
    let mut steps =
        vec![StepReport { name: "object", standard: "Git", outcome: Some(object_step), inputs: inputs.object(found) }];
    if let Some(of_key) = key_steps::of(verdict, inputs.envelope(armor)) {
        steps.extend(of_key);
        return steps;
    }
    let envelope = match &stopped {
        Some((None, outcome)) => Some(outcome.clone()),
        _ if opened.is_some() => Some(Outcome::Held("one CMS signature of one signer".to_owned())),
        _ => None,
    };
    let standard = "RFC 7468, RFC 5652";
    steps.push(StepReport { name: "envelope", standard, outcome: envelope, inputs: inputs.envelope(armor) });
    for step in ORDER {
        let taken = findings.steps.iter().find(|finding| finding.step == step).map(|finding| finding.outcome.clone());
        let outcome = match (&stopped, taken) {
            (_, Some(outcome)) => Some(outcome),
            (Some((Some(at), outcome)), None) if *at == step => Some(outcome.clone()),
            _ => None,
        };
        steps.push(StepReport { name: step.name(), standard: standard_of(step), outcome, inputs: inputs.of(step) });
    }
    steps
}

/// Where the pipeline was never entered: which step, or the envelope, prevented that.
fn stopped_at(verdict: &Verdict) -> Option<(Option<Step>, Outcome)> {
    match verdict {
        Verdict::Rejected(rejection) => {
            let error = rejection.error();
            let step = match error {
                VerifyError::Path(_) => Some(Step::Path),
                VerifyError::Malformed(_)
                | VerifyError::SeveralSignatures(_)
                | VerifyError::Binding(BindingError::Headers) => None,
                // Found by the pipeline, which has steps, or by whoever asked for a name.
                VerifyError::Binding(_)
                | VerifyError::Entry(_)
                | VerifyError::IssuerNotAdmitted { .. }
                | VerifyError::Leaf(_)
                | VerifyError::OpenPgp(_)
                | VerifyError::Sct(_)
                | VerifyError::Signature
                | VerifyError::SignatureAlgorithm
                | VerifyError::Ssh(_)
                | VerifyError::TagName { .. }
                | VerifyError::Token(_) => return None,
            };
            Some((step, Outcome::Wrong(error.clone())))
        }
        Verdict::Undecided(undecided) => match undecided.missing() {
            missing @ Missing::TrustMaterial { .. } => Some((Some(Step::Path), Outcome::Missing(missing.clone()))),
            _ => None,
        },
        Verdict::Verified(_) | Verdict::VerifiedByKey(_) | Verdict::Unsigned | Verdict::OtherFormat(_) => None,
    }
}

fn standard_of(step: Step) -> &'static str {
    match step {
        Step::Certificate => "RFC 5280 §4.2, Fulcio",
        Step::Issuer => "instance.toml",
        Step::LogEntry => "RFC 6962 §2.1, C2SP tlog-checkpoint",
        Step::Path => "RFC 5280 §6",
        Step::Payload => "RFC 5652 §11.2",
        Step::Sct => "RFC 6962 §3.2",
        Step::Signature => "RFC 5652 §5.4",
        Step::Time => "RFC 3161, Rekor v1",
    }
}

const ORDER: [Step; 8] = [
    Step::Path,
    Step::Certificate,
    Step::Issuer,
    Step::Sct,
    Step::Signature,
    Step::LogEntry,
    Step::Time,
    Step::Payload,
];
