//! What would change a verdict: for each thing that stands in its way a sentence or a command.

use crate::commands::verify::Run;
use crate::commands::verify::judged::{Judged, asked};
use crate::commands::{hints, identity_policy};
use crate::git::ObjectKind;
use crate::policy::{Allowed, IdentityPolicy};
use crate::verify::{Verdict, VerifiedSignature};

pub(super) fn of(run: &Run<'_>, judged: &Judged<'_>) -> Vec<String> {
    let mut next = Vec::new();
    if let Allowed::Exempt(reason) = &judged.allowed {
        next.push(format!("the policy does not judge it ({reason}); without that its verdict would count"));
    }
    match &judged.verdict {
        Verdict::Verified(signature) => next.extend(for_verified(run, judged, signature)),
        Verdict::Rejected(rejection) => {
            let reasons = rejection.errors().iter().map(|error| (error.reason(), error.to_string()));
            next.extend(for_reasons(run, reasons));
        }
        Verdict::Undecided(undecided) => {
            let reasons = undecided.all_missing().iter().map(|missing| (missing.reason(), missing.to_string()));
            next.extend(for_reasons(run, reasons));
            if matches!(judged.allowed, Allowed::No(_)) {
                next.push("even if all of that were there, no rule would admit the signer that it claims".to_owned());
            }
        }
        Verdict::Unsigned => next.push(match judged.kind() {
            Some(ObjectKind::Tag) => {
                "sign a new tag: git tag -s; one that others have keeps its id for ever".to_owned()
            }
            Some(ObjectKind::Commit) | None => {
                "sign a new commit: git commit --amend -S, or git rebase --exec; one that others have keeps its id"
                    .to_owned()
            }
        }),
        Verdict::OtherFormat(_) => {
            next.extend(for_reasons(run, judged.reason().map(|r| (r, String::new())).into_iter()))
        }
    }
    next
}

fn for_reasons<'r>(run: &Run<'_>, reasons: impl Iterator<Item = (&'r str, String)>) -> Vec<String> {
    let mut next: Vec<String> = Vec::new();
    for (reason, what) in reasons {
        // Several reasons may have the same remedy.
        let remedy = hints::for_reason(reason, run.verifier.instances()).unwrap_or(what);
        let remedy = remedy.strip_prefix(&format!("{reason}: ")).map(str::to_owned).unwrap_or(remedy);
        if !next.contains(&remedy) {
            next.push(remedy);
        }
    }
    next
}

fn for_verified(run: &Run<'_>, judged: &Judged<'_>, signature: &VerifiedSignature) -> Vec<String> {
    let item = identity_policy::item_admitting(signature);
    let allow = item.map(|item| format!("to admit the signer: git config --add waxseal.allow '{item}'"));
    let in_words =
        || format!("a rule for {} of {} at the instance {}", signature.san(), signature.issuer(), signature.instance());
    match (&judged.allowed, &run.policy) {
        (Allowed::Yes(_) | Allowed::Exempt(_), _) => Vec::new(),
        (Allowed::AnyIdentity, _) => {
            vec!["--any-identity admits everyone; without it a policy would be asked".to_owned()]
        }
        (Allowed::NobodyAsked, _) => {
            let once =
                "for one run: --certificate-identity and --certificate-oidc-issuer, or --any-identity".to_owned();
            vec![allow.unwrap_or_else(in_words), once]
        }
        (Allowed::CannotTell { rule, asks }, _) => vec![
            asked(rule.as_deref(), asks),
            "--ref says for which ref; a rule about a start commit needs the whole history".to_owned(),
        ],
        (Allowed::No(_), IdentityPolicy::File(_)) => {
            vec![format!(
                "{}, in the policy file that judges it; \"waxseal policy check\" reads it before you trust it",
                in_words()
            )]
        }
        (Allowed::No(_), _) => vec![allow.unwrap_or_else(in_words)],
    }
}
