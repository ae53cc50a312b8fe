//! The certificate of a signed push (`git push --signed`): who pushed, as a signature of waxseal's, which Git does not
//! judge.

use std::collections::HashSet;

use super::updates::{Update, pre_receive};
use crate::command_error::{CommandError, ErrorKind};
use crate::commands::hints;
use crate::commands::run::Run;
use crate::git::repository::ObjectId;
use crate::policy::{Allowed, Circumstances, Start};
use crate::settings::HookVariables;
use crate::signature::SignatureFormat;
use crate::signature::payload::{PayloadKind, header, message};
use crate::verify::{Verdict, VerifiedSignature};

/// Who pushed: verified, admitted for every ref that the push moves, and signing for this push and no other, as Git told it.
///
/// # Errors
/// [`CommandError`] with what is wrong: 1 for what is there and wrong, 3 for what cannot be decided.
pub(super) fn check(run: &Run<'_>, told: &[Update], moved: &[Update]) -> Result<String, CommandError> {
    let hook = &run.settings.hook;
    let Some(blob) = &hook.push_certificate else {
        return Err(CommandError::failed("the push is not signed, and this repository takes signed pushes only")
            .hint("\"git push --signed\" signs it, where the server offers that: it needs receive.certNonceSeed"));
    };
    let bytes = ObjectId::from_hex(blob.as_bytes()).ok().and_then(|id| run.repository.blob(id, MAX_BYTES));
    let bytes = bytes.ok_or_else(|| {
        CommandError::new(ErrorKind::Undecided, format!("the push certificate {blob} cannot be read"))
            .hint("Git puts it among the objects before it calls pre-receive: \"git fsck\" on the server says more")
    })?;
    let (payload, armor) = split(&bytes);
    let wrong = |what: String| {
        CommandError::failed(format!("the push certificate: {what}"))
            .hint("push again, with \"git push --signed\"; docs/hooks.md says what the server needs for it")
    };
    if PayloadKind::of(payload) != PayloadKind::PushCertificate {
        return Err(wrong("it is none".to_owned()));
    }
    if armor.is_empty() {
        return Err(wrong("it is not signed".to_owned()));
    }
    check_nonce(hook, payload).map_err(wrong)?;
    let listed = message(payload).split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let listed: HashSet<Update> = listed.map(pre_receive).collect::<Result<_, _>>()?;
    if let Some(other) = told.iter().find(|update| !listed.contains(update)) {
        return Err(wrong(format!("it does not say what is pushed to {}", other.reference)));
    }
    let unwell = |what: String, reason: Option<&'static str>, kind: ErrorKind| {
        let error = CommandError::new(kind, format!("the push certificate: {what}"));
        let reason: Vec<_> = reason.into_iter().collect();
        hints::for_reasons(&reason, run.verifier.instances()).into_iter().fold(error, CommandError::hint)
    };
    let verdict = run.verifier.verdict(payload, armor);
    let reason = verdict.reason();
    let mut signature = match verdict {
        Verdict::Verified(signature) => signature,
        Verdict::Rejected(rejection) => return Err(unwell(rejection.error().to_string(), reason, ErrorKind::Failed)),
        Verdict::Undecided(undecided) => {
            return Err(unwell(undecided.missing().to_string(), reason, ErrorKind::Undecided));
        }
        Verdict::Unsigned => return Err(unwell("it is not signed".to_owned(), reason, ErrorKind::Failed)),
        // Rules about keys are about objects.
        Verdict::OtherFormat(_) | Verdict::VerifiedByKey(_) => {
            return Err(unwell("its signature is in another format".to_owned(), reason, ErrorKind::Failed));
        }
    };
    for update in moved {
        admitted(run, &mut signature, &update.reference)?;
    }
    Ok(format!("{} ({})", signature.san(), signature.issuer()))
}

/// Whether the policy admits whoever pushed, for this ref.
fn admitted(run: &Run<'_>, signature: &mut VerifiedSignature, reference: &str) -> Result<(), CommandError> {
    let circumstances = Circumstances {
        reference: Some(reference),
        changes_policy: Some(false),
        // A push is of today.
        start: Start::Judged,
        ..Circumstances::default()
    };
    let (kind, why) = match run.policy.judge(signature, &circumstances) {
        Allowed::AnyIdentity | Allowed::Yes(_) | Allowed::Exempt(_) => return Ok(()),
        Allowed::No(nearest) => {
            let nearest = nearest.map(|(rule, mismatch)| format!("; nearest is \"{rule}\": {mismatch}"));
            (ErrorKind::Failed, format!("no rule admits this identity{}", nearest.unwrap_or_default()))
        }
        Allowed::CannotTell { asks, .. } => (ErrorKind::Undecided, asks.to_string()),
        Allowed::NobodyAsked => (ErrorKind::Policy, "nobody said who may push".to_owned()),
    };
    let who = format!("{} ({})", signature.san(), signature.issuer());
    Err(CommandError::new(kind, format!("the push certificate: {who} may not push to {reference}: {why}"))
        .hint("who looks after the policy says who may; \"waxseal whoami\" says who you are"))
}

/// Whether the certificate was made for this session of this server: Git compares the nonce, the hook asks what came of it.
fn check_nonce(hook: &HookVariables, payload: &[u8]) -> Result<(), String> {
    let own = header(payload, "nonce");
    match (hook.nonce_status.as_deref(), hook.nonce_slop) {
        (Some("OK"), _) if own.is_some() && own == hook.nonce.as_deref().map(str::as_bytes) => Ok(()),
        (Some("OK"), _) => Err("its nonce is another one than the server's".to_owned()),
        // Over HTTP it is always of an earlier session, by as long as the push took to begin.
        (Some("SLOP"), Some(seconds)) if own.is_some() && seconds.unsigned_abs() <= MAX_SLOP_SECONDS => Ok(()),
        (Some("SLOP"), Some(seconds)) => Err(format!("its nonce is {seconds} seconds from this session's")),
        (Some(status), _) => Err(format!("its nonce was not made for this push (Git says {status})")),
        (None, _) => Err("it has no nonce: without receive.certNonceSeed an old one could be used again".to_owned()),
    }
}

/// As Git does: the signature begins at the last line that begins one.
fn split(certificate: &[u8]) -> (&[u8], &[u8]) {
    let mut start = 0;
    let mut begins = certificate.len();
    for line in certificate.split_inclusive(|byte| *byte == b'\n') {
        if SignatureFormat::of(line) != SignatureFormat::Unknown {
            begins = start;
        }
        start += line.len();
    }
    certificate.split_at(begins)
}

/// Each ref takes some hundred bytes.
const MAX_BYTES: u64 = 32 << 20;

/// What clocks may differ by, elsewhere too.
const MAX_SLOP_SECONDS: u64 = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_of_this_push() {
        let payload = b"certificate version 0.1\npusher a 1 +0000\nnonce 1-abc\n\n";
        let hook = |status: &str, nonce: &str, slop: Option<i64>| HookVariables {
            nonce_status: (!status.is_empty()).then(|| status.to_owned()),
            nonce: Some(nonce.to_owned()),
            nonce_slop: slop,
            ..HookVariables::default()
        };
        let another = "its nonce is another one than the server's";
        let unmade = |status: &str| format!("its nonce was not made for this push (Git says {status})");
        for (status, nonce, slop, wrong) in [
            ("OK", "1-abc", None, ""),
            ("OK", "2-abc", None, another),
            ("SLOP", "2-abc", Some(-300), ""),
            ("SLOP", "2-abc", Some(301), "its nonce is 301 seconds from this session's"),
            ("SLOP", "2-abc", None, &unmade("SLOP")),
            ("BAD", "1-abc", None, &unmade("BAD")),
            ("MISSING", "1-abc", None, &unmade("MISSING")),
            ("UNSOLICITED", "1-abc", None, &unmade("UNSOLICITED")),
            ("", "1-abc", None, "it has no nonce: without receive.certNonceSeed an old one could be used again"),
        ] {
            let said = check_nonce(&hook(status, nonce, slop), payload).err().unwrap_or_default();
            assert_eq!(said, wrong, "{status} {nonce} {slop:?}");
        }
        let beside = b"certificate version 0.1\n\nnonce \n";
        assert_eq!(check_nonce(&hook("OK", "", None), beside).unwrap_err(), another);
    }

    #[test]
    fn the_signature_begins_at_the_last_marker() {
        let text = b"certificate version 0.1\n-----BEGIN PGP SIGNATURE-----\n-----BEGIN SIGNED MESSAGE-----\nMIIB\n";
        let (payload, armor) = split(text);
        assert!(payload.ends_with(b"-----BEGIN PGP SIGNATURE-----\n") && armor.ends_with(b"MIIB\n"));
        assert_eq!(split(b"certificate"), (&b"certificate"[..], &b""[..]));
    }
}
