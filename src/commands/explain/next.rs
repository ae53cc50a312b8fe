//! What would change a verdict: for each thing that stands in its way a sentence or a command.

use crate::commands::run::Run;
use crate::commands::run::judged::{Judged, asked};
use crate::commands::{hints, identity_policy};
use crate::git::ObjectKind;
use crate::policy::{Allowed, IdentityPolicy, Mismatch, Requirement};
use crate::verify::{KeySignature, Verdict, VerifiedSignature};

pub(super) fn of(run: &Run<'_>, judged: &Judged<'_>) -> Vec<String> {
    let mut next = Vec::new();
    if let Allowed::Exempt(reason) = &judged.allowed {
        next.push(format!("the policy does not judge it ({reason}); without that its verdict would count"));
    }
    match &judged.verdict {
        Verdict::Verified(signature) => next.extend(for_verified(run, judged, signature)),
        Verdict::VerifiedByKey(signature) => next.extend(for_key(run, judged, signature)),
        Verdict::Rejected(rejection) => {
            let reasons = rejection.errors().iter().map(|error| (error.reason(), error.to_string()));
            next.extend(for_reasons(run, judged, reasons));
        }
        Verdict::Undecided(undecided) => {
            let reasons = undecided.all_missing().iter().map(|missing| (missing.reason(), missing.to_string()));
            next.extend(for_reasons(run, judged, reasons));
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
            next.extend(judged.verdict.reason().and_then(|reason| for_reason(run, judged, reason)));
        }
    }
    next.extend(hints::for_clone(&run.repository, judged.reason().as_slice()));
    next
}

fn for_reasons<'r>(
    run: &Run<'_>,
    judged: &Judged<'_>,
    reasons: impl Iterator<Item = (&'r str, String)>,
) -> Vec<String> {
    let mut next: Vec<String> = Vec::new();
    for (reason, what) in reasons {
        // Several reasons may have the same remedy.
        let remedy = for_reason(run, judged, reason).unwrap_or(what);
        if !next.contains(&remedy) {
            next.push(remedy);
        }
    }
    next
}

/// For one object more can be said than for many.
fn for_reason(run: &Run<'_>, judged: &Judged<'_>, reason: &str) -> Option<String> {
    let id = judged.found.id;
    let verify = if judged.kind() == Some(ObjectKind::Tag) { "git verify-tag" } else { "git verify-commit" };
    match reason {
        "log-entry-absent" => Some(format!(
            "the log has the proof: waxseal explain --online {id} asks it once, waxseal evidence fetch {id} keeps what it says"
        )),
        "object-unreadable" => hints::remedy(judged.hinted().unwrap_or(reason), run.verifier.instances()),
        "openpgp-signature" => Some(format!(
            "a rule of a policy file that names its key (docs/policy.md); or Git judges it: {verify} {id}, with gpg.program"
        )),
        "payload-mismatch" => Some(
            "nothing: no signature will fit what somebody changed; fetch the object that was signed, from where it comes"
                .to_owned(),
        ),
        "sct-absent" => Some(format!(
            "not to ask whether the certificate was logged, as for those of before June 2022: waxseal explain \
             --insecure-ignore-sct {id}"
        )),
        "ssh-signature" => Some(format!(
            "a rule of a policy file that names its key (docs/policy.md); or Git judges it: {verify} {id}, with gpg.ssh.allowedSignersFile"
        )),
        "unknown-ca" => {
            let known: Vec<_> = run.verifier.instances().map(|instance| instance.name.as_str()).collect();
            Some(format!(
                "if you trust the instance that it is of: waxseal trust add NAME --url URL --sha256 HEX, as its operator \
                 says; if it is of a known one that renewed its trusted root: waxseal trust refresh; asked were {}",
                known.join(", ")
            ))
        }
        _ => hints::remedy(reason, run.verifier.instances()),
    }
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
        (Allowed::No(Some((rule, missed))), IdentityPolicy::File(_)) if missed.is_beside_the_signer() => {
            let cure = match missed {
                Mismatch::Requirement(Requirement::AuthorMatch) => {
                    format!("; an author with the address {}", signature.san())
                }
                Mismatch::Requirement(Requirement::Timestamp) => "; waxseal.timestamp = always gives one".to_owned(),
                Mismatch::ChangesPolicy => "; may_change_policy = true in that rule does".to_owned(),
                _ => String::new(),
            };
            vec![format!("the nearest rule is \"{rule}\", which is about the signer: {missed}{cure}")]
        }
        (Allowed::No(_), IdentityPolicy::File(_)) => {
            vec![format!(
                "{}, in the policy file that judges it; \"waxseal policy check\" reads it before you trust it",
                in_words()
            )]
        }
        (Allowed::No(_), _) => vec![allow.unwrap_or_else(in_words)],
    }
}

fn for_key(run: &Run<'_>, judged: &Judged<'_>, signature: &KeySignature) -> Vec<String> {
    let key = || format!("{} key {}", signature.format().name(), signature.fingerprint());
    match &judged.allowed {
        Allowed::AnyIdentity | Allowed::Exempt(_) | Allowed::Yes(_) => Vec::new(),
        Allowed::CannotTell { rule, asks } => vec![
            asked(rule.as_deref(), asks),
            "--ref says for which ref; a rule about commits needs the whole history".to_owned(),
        ],
        Allowed::No(Some((rule, missed))) if missed.is_beside_the_signer() => {
            let nearest = format!("the nearest rule is \"{rule}\", which names the key: {missed}");
            let remedy = judged.reason().and_then(|reason| hints::remedy(reason, run.verifier.instances()));
            std::iter::once(nearest).chain(remedy).collect()
        }
        Allowed::No(_) | Allowed::NobodyAsked => {
            vec![format!("a rule for the {}, in the policy file that judges it", key())]
        }
    }
}
