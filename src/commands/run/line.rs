//! An object as a line for people. It may change; [`json`](super::json) is the interface.

use std::io::{self, Write};

use super::judged::{Judged, STRANGER, asked};
use crate::escape;
use crate::git::ObjectKind;
use crate::policy::Allowed;
use crate::report::{SHORT_ID, headline};
use crate::signature::SignatureFormat;
use crate::verify::findings::{Findings, Outcome};
use crate::verify::{KeySignature, Verdict};
use crate::x509::CertificateClaims;

/// One line: verdict, short id, who and when where that was proven, subject.
pub(in crate::commands) fn object(out: &mut impl Write, judged: &Judged<'_>) -> io::Result<()> {
    let id = judged.found.id.to_hex_with_len(SHORT_ID);
    let (word, what) = match &judged.verdict {
        Verdict::Verified(signature) => {
            let time = signature.time().strftime("%Y-%m-%dT%H:%M:%SZ");
            let label = signature.mislabelled().map(|label| format!("  {label}")).unwrap_or_default();
            (word_of_verified(judged), format!("{} ({})  {time}{label}", signature.san(), signature.issuer()))
        }
        Verdict::VerifiedByKey(signature) => (word_of_verified(judged), by_key(signature)),
        Verdict::Rejected(rejection) => {
            let claims = rejection.claims().or(rejection.findings().claims.as_ref());
            ("REJECTED", format!("{}{}", rejection.error(), claimed(claims)))
        }
        Verdict::Undecided(undecided) => {
            let findings = undecided.findings();
            let word = if matches!(judged.allowed, Allowed::No(_)) { "NOT ALLOWED" } else { "undecided" };
            let claims = claimed(findings.claims.as_ref());
            let stranger = match judged.allowed {
                Allowed::No(_) => format!("{STRANGER}; besides, "),
                _ => String::new(),
            };
            (word, format!("{stranger}{}{}{}{claims}", undecided.missing(), refused(judged), held(findings)))
        }
        Verdict::Unsigned => ("UNSIGNED", "no signature".to_owned()),
        Verdict::OtherFormat(format) => {
            let word = if matches!(judged.allowed, Allowed::No(_)) { "NOT ALLOWED" } else { "other" };
            let format = match format {
                SignatureFormat::OpenPgp => "an OpenPGP signature",
                SignatureFormat::Ssh => "an SSH signature",
                SignatureFormat::Unknown | SignatureFormat::X509 => "a signature of an unknown format",
            };
            (word, format!("{format}, which no rule covers"))
        }
    };
    let (word, what) = match &judged.allowed {
        Allowed::Exempt(reason) => ("exempt", reason.clone()),
        Allowed::CannotTell { rule, asks } => (word, format!("{what}  {}", asked(rule.as_deref(), asks))),
        Allowed::No(Some((rule, mismatch))) => (word, format!("{what}  nearest rule \"{rule}\": {mismatch}")),
        Allowed::AnyIdentity | Allowed::No(None) | Allowed::NobodyAsked | Allowed::Yes(_) => (word, what),
    };
    let what = match &judged.squashed {
        Some(head) => format!("{what}  squash of {head}"),
        None => what,
    };
    let what = if judged.changes_policy { format!("{what}  changes the policy file") } else { what };
    let subject = headline(&escape::terminal(judged.description().subject()));
    let tag = if judged.kind() == Some(ObjectKind::Tag) { "tag: " } else { "" };
    let line = format!("{word:<11}  {id}  {}  {tag}{subject}", escape::terminal(what));
    writeln!(out, "{}", line.trim_end())
}

fn word_of_verified(judged: &Judged<'_>) -> &'static str {
    match &judged.allowed {
        Allowed::CannotTell { .. } => "undecided",
        Allowed::No(_) => "NOT ALLOWED",
        Allowed::AnyIdentity | Allowed::Exempt(_) | Allowed::NobodyAsked | Allowed::Yes(_) => "verified",
    }
}

/// Whose key, and which. There is no time: nothing proves one.
fn by_key(signature: &KeySignature) -> String {
    let (format, identity, fingerprint) = (signature.format().name(), signature.identity(), signature.fingerprint());
    if identity == fingerprint {
        format!("{format} key {fingerprint}")
    } else {
        format!("{identity} ({format} key {fingerprint})")
    }
}

fn claimed(claims: Option<&CertificateClaims>) -> String {
    claims.map(|claims| format!("; claims to be {} ({})", claims.san, claims.issuer)).unwrap_or_default()
}

/// Why the object's note is no help, if it has one.
fn refused(judged: &Judged<'_>) -> String {
    let others = judged.refused.len().saturating_sub(1);
    let more = if others > 0 { format!(" (and {others} more; \"waxseal explain\" shows all)") } else { String::new() };
    judged.refused.first().map(|refusal| format!("; in the notes: {refusal}{more}")).unwrap_or_default()
}

fn held(findings: &Findings) -> String {
    let held = findings.steps.iter().filter(|finding| matches!(finding.outcome, Outcome::Held(_)));
    let names: Vec<String> = held.map(|finding| finding.step.name().replace('_', " ")).collect();
    if names.is_empty() { String::new() } else { format!("; held: {}", names.join(", ")) }
}
