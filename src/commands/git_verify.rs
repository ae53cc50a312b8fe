//! `git verify-commit`, `git log --show-signature` and every other caller: one signature, one payload, status lines.
//!
//! Reads two inputs and the settings; opens no socket, no terminal, and starts no process.

use std::fs::File;
use std::io::{self, Read as _, Write as _};

use jiff::Timestamp;

use super::identity_policy;
use super::status_fd::StatusOutput;
use crate::cli::{GitVerify, Input, StatusFd};
use crate::command_error::CommandError;
use crate::escape;
use crate::git::status_fd::{Answer, Reader, answer, failure};
use crate::settings::Settings;
use crate::signature::SignatureFormat;
use crate::signature::payload::PayloadKind;
use crate::trust_store::TrustStore;
use crate::verify::error::{Missing, VerifyError};
use crate::verify::policy::{Allowed, IdentityPolicy};
use crate::verify::{SctRequirement, Verdict, VerifiedSignature, Verifier};

/// Verifies, prints, and returns the exit code: 0, 1, or 2 where the inputs cannot be read.
///
/// # Errors
/// [`CommandError`]: 2 when an input cannot be read, 1 when the answer cannot be written.
pub fn run(request: &GitVerify, now: Timestamp) -> Result<u8, CommandError> {
    // The payload first and whole, whatever becomes of the rest: Git takes a pipe that nobody drains for a failure.
    let payload = read(&request.payload, "payload")?;
    let signature = read(&request.signature, "signature")?;
    let reader = match (&request.payload, PayloadKind::of(&payload)) {
        (Input::File(_), _) | (_, PayloadKind::PushCertificate) => Reader::GoodsigAlone,
        (Input::Stdin, PayloadKind::Commit | PayloadKind::Other | PayloadKind::Tag) => Reader::Careful,
    };
    let (answer, words) = match judge(&payload, &signature, now) {
        Ok((verdict, allowed)) => (answer(&verdict, &allowed, reader), words(&verdict, &allowed, &payload)),
        Err(error) => (failure(), cannot_decide(error.message(), error.hints())),
    };
    print(request, &answer, &words)
}

/// Tells Git that waxseal itself failed, from wherever it did.
pub fn report_failure(status_fd: Option<StatusFd>) {
    let _closed = StatusOutput::open(status_fd).and_then(|mut output| output.write(&failure().status));
}

fn judge(payload: &[u8], signature: &[u8], now: Timestamp) -> Result<(Verdict, Allowed), CommandError> {
    let settings = Settings::read()?;
    let policy = identity_policy::from_settings(&settings, &identity_policy::default_instance(&settings)?)?;
    let instances = TrustStore::new(&settings.folders).trusted(&settings)?;
    let verifier = Verifier::new(instances, now, SctRequirement::default())?;
    let verdict = verifier.verdict(payload, signature);
    let allowed = match &verdict {
        Verdict::Verified(signature) => policy.judge(signature),
        Verdict::OtherFormat(_) | Verdict::Rejected(_) | Verdict::Undecided(_) | Verdict::Unsigned => match policy {
            IdentityPolicy::AnyIdentity | IdentityPolicy::NotGiven => Allowed::NobodyAsked,
            IdentityPolicy::OneOf(_) => Allowed::No,
        },
    };
    Ok((verdict, allowed))
}

fn print(request: &GitVerify, answer: &Answer, words: &str) -> Result<u8, CommandError> {
    let status = StatusOutput::open(request.status_fd).and_then(|mut output| output.write(&answer.status));
    status.map_err(|error| CommandError::failed(format!("the status lines could not be written: {error}")))?;
    // What people read is worth less than the status lines: a closed stderr changes nothing.
    let mut stderr = io::stderr().lock();
    let _closed = stderr.write_all(words.as_bytes()).and_then(|()| stderr.flush());
    Ok(answer.exit_code)
}

fn read(input: &Input, name: &str) -> Result<Vec<u8>, CommandError> {
    let mut bytes = Vec::new();
    let done = match input {
        Input::File(path) => File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)),
        Input::Stdin => io::stdin().lock().read_to_end(&mut bytes),
    };
    match done {
        Ok(_) => Ok(bytes),
        Err(error) => {
            let place = match input {
                Input::File(path) => escape::terminal(path.as_os_str().as_encoded_bytes()),
                Input::Stdin => "standard input".to_owned(),
            };
            Err(CommandError::usage(format!("the {name} cannot be read from {place}: {error}")))
        }
    }
}

/// The lines for people. What stands behind the first word was verified, or is marked as a reason.
fn words(verdict: &Verdict, allowed: &Allowed, payload: &[u8]) -> String {
    match verdict {
        Verdict::Verified(signature) => good(signature, allowed),
        Verdict::Rejected(rejection) => {
            let why = escape::terminal(rejection.error().to_string());
            let hint = rejected_hint(rejection.error());
            let by = match rejection.payload_alone() {
                Some(signature) => format!(" (signed by {} via {})", signature.san(), signature.issuer()),
                None => String::new(),
            };
            format!("waxseal: BAD signature: {why}{}\n{}", escape::terminal(by), hint_line(hint))
        }
        Verdict::Undecided(undecided) => {
            cannot_decide(&undecided.missing().to_string(), &[undecided_hint(undecided.missing()).to_owned()])
        }
        Verdict::OtherFormat(format) => {
            let name = match format {
                SignatureFormat::OpenPgp => "an OpenPGP signature",
                SignatureFormat::Ssh => "an SSH signature",
                SignatureFormat::Unknown | SignatureFormat::X509 => "a signature of an unknown format",
            };
            cannot_decide(name, &["waxseal verifies X.509 signatures; see gpg.format in git-config(1)".to_owned()])
        }
        Verdict::Unsigned => {
            let kind = if PayloadKind::of(payload) == PayloadKind::Tag { "tag" } else { "object" };
            cannot_decide(&format!("the {kind} is not signed"), &[])
        }
    }
}

fn good(signature: &VerifiedSignature, allowed: &Allowed) -> String {
    let judged = match allowed {
        Allowed::AnyIdentity => ", any identity allowed".to_owned(),
        Allowed::NobodyAsked => ", no policy".to_owned(),
        Allowed::No => ", NOT allowed".to_owned(),
        Allowed::Yes(rule) => format!(", allowed ({rule})"),
    };
    let line = format!(
        "good signature by {} via {}, {}, log {}{judged}",
        signature.san(),
        signature.issuer(),
        signature.time(),
        signature.log_index()
    );
    let hint = match allowed {
        Allowed::NobodyAsked => allow_hint(signature),
        Allowed::AnyIdentity | Allowed::No | Allowed::Yes(_) => String::new(),
    };
    format!("waxseal: {}\n{}", escape::terminal(line), hint_line(&hint))
}

/// The command that admits the identity, ready to be pasted into a shell: so only where no byte of it means anything to
/// a shell, or to the setting's own grammar.
fn allow_hint(signature: &VerifiedSignature) -> String {
    match identity_policy::item_admitting(signature) {
        Some(item) => format!("to admit this signer: git config --add waxseal.allow '{item}'"),
        None => "say who may sign with waxseal.allow, see docs/configuration.md".to_owned(),
    }
}

fn cannot_decide(why: &str, hints: &[String]) -> String {
    let hints: String = hints.iter().map(|hint| hint_line(hint)).collect();
    format!("waxseal: cannot decide: {}\n{hints}", escape::terminal(why))
}

fn hint_line(hint: &str) -> String {
    if hint.is_empty() { String::new() } else { format!("waxseal: hint: {}\n", escape::terminal(hint)) }
}

fn rejected_hint(error: &VerifyError) -> &'static str {
    match error.reason() {
        "unknown-ca" => "add the instance whose authority this is with \"waxseal trust add\", if you trust it",
        "unknown-log" => "the trusted root does not list this log; add the instance again if its operator renewed it",
        _ => "",
    }
}

fn undecided_hint(missing: &Missing) -> &'static str {
    match missing {
        Missing::Clock { .. } => "set the local clock",
        Missing::LogEntry => "the signer used gitsign's online mode; only Rekor's search could show the entry",
        Missing::TrustMaterial { .. } => "remove the instance and add it again",
        Missing::InclusionProof
        | Missing::ObjectMissing
        | Missing::ObjectUnreadable(_)
        | Missing::Promise
        | Missing::Sct
        | Missing::Time
        | Missing::Unsupported(_) => "",
    }
}
