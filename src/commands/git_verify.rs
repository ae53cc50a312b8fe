//! `git verify-commit`, `git log --show-signature` and every other caller: one signature, one payload, status lines.
//!
//! Reads two inputs, the settings, what earlier runs found, and the object's note where the signature carries no log entry;
//! opens no terminal, starts no process, and no socket unless `waxseal.online` says so.

use std::fs::File;
use std::io::{self, Read as _, Write as _};

use jiff::Timestamp;

use super::findings::Findings;
use super::outside_evidence::Online;
use super::policy_source::LoadedPolicy;
use super::status_fd::{self, StatusOutput};
use super::{configured, hints, identity_policy, outside_evidence, trust_age};
use crate::cli::{GitVerify, Input, StatusFd};
use crate::command_error::CommandError;
use crate::escape;
use crate::git::ObjectKind;
use crate::git::description::Description;
use crate::git::repository::{ObjectId, Repository};
use crate::git::status_fd::{Answer, Reader, answer, failure, undecided};
use crate::policy::{Allowed, Circumstances, IdentityPolicy, Start};
use crate::settings::{FoundRepository, Settings};
use crate::signature::SignatureFormat;
use crate::signature::payload::PayloadKind;
use crate::verify::{SctRequirement, Verdict, VerifiedSignature, Verifier};

/// Verifies, prints, and returns the exit code, 0 or 1.
///
/// # Errors
/// [`CommandError`] when the answer cannot be written.
pub fn run(request: &GitVerify, now: Timestamp) -> Result<u8, CommandError> {
    // The payload first and whole, whatever becomes of the rest: Git takes a pipe that nobody drains for a failure.
    let payload = read(&request.payload, "payload", MAX_PAYLOAD_BYTES);
    let signature = read(&request.signature, "signature", MAX_SIGNATURE_BYTES);
    let (payload, signature) = match (payload, signature) {
        (Ok(payload), Ok(signature)) => (payload, signature),
        (Err(error), _) | (_, Err(error)) => {
            return print(request, &undecided(), &cannot_decide(error.message(), error.hints()));
        }
    };
    let reader = match (&request.payload, PayloadKind::of(&payload)) {
        (Input::File(_), _) | (_, PayloadKind::PushCertificate) => Reader::GoodsigAlone,
        (Input::Stdin, PayloadKind::Commit | PayloadKind::Other | PayloadKind::Tag) => Reader::Careful,
    };
    let (answer, words) = match Judgement::pass(&payload, &signature, now) {
        Ok(judgement) => (answer(&judgement.verdict, &judgement.allowed, reader), judgement.words(&payload)),
        Err(error) => (undecided(), cannot_decide(error.message(), error.hints())),
    };
    print(request, &answer, &words)
}

/// Tells Git that waxseal itself failed, from wherever it did.
pub fn report_failure(status_fd: Option<StatusFd>) {
    let _closed = StatusOutput::open(status_fd).and_then(|mut output| output.write(&failure().status));
}

/// What is to be said of the object, and who was believed.
struct Judgement {
    verdict: Verdict,
    allowed: Allowed,
    verifier: Verifier,
}

impl Judgement {
    fn pass(payload: &[u8], signature: &[u8], now: Timestamp) -> Result<Self, CommandError> {
        let settings = configured::settings()?;
        refuse_foreign(&settings.repository)?;
        let default = identity_policy::default_instance(&settings)?;
        let repository = match (&settings.policy, &settings.repository) {
            (Some(_), FoundRepository::At(git_dir)) => Some(Repository::open(git_dir)?),
            _ => None,
        };
        let loaded = match &settings.policy {
            Some(source) => Some(LoadedPolicy::read(source, repository.as_ref(), &default)?),
            None => None,
        };
        let object = object_id(repository.as_ref(), payload, signature);
        let circumstances = circumstances(loaded.as_ref(), repository.as_ref(), object.as_deref(), payload)?;
        let policy = match loaded {
            Some(loaded) => IdentityPolicy::File(Box::new(loaded.file)),
            None => identity_policy::from_settings(&settings, &default)?,
        };
        let demanded = trust_age::strictest(settings.max_trust_age, Some(&policy));
        let instances = configured::trusted(&settings, demanded.map(|max| (max, now)))?;
        let verifier = Verifier::new(instances, now, SctRequirement::default())?;
        // A cache that cannot be used makes nothing wrong; "waxseal verify" says what is the matter with it.
        let findings = Findings::of(&verifier, &settings.folders).ok().flatten();
        let verdict = match findings {
            Some(findings) => match findings.recall(&verifier, payload, signature) {
                (_name, Some(recalled)) => recalled.verdict,
                (name, None) => {
                    let verdict = verifier.verdict(payload, signature);
                    findings.keep(name, &verdict, object.as_deref());
                    verdict
                }
            },
            None => verifier.verdict(payload, signature),
        };
        let mut verdict = if verdict.wants_log_entry() {
            complete(&verifier, verdict, payload, signature, &settings, now)?
        } else {
            verdict
        };
        let allowed = match &mut verdict {
            Verdict::Verified(signature) => policy.judge(signature, &circumstances),
            Verdict::OtherFormat(_)
            | Verdict::Rejected(_)
            | Verdict::Undecided(_)
            | Verdict::Unsigned
            | Verdict::VerifiedByKey(_) => Allowed::NobodyAsked,
        };
        Ok(Self { verdict, allowed, verifier })
    }

    /// The lines for people. What stands behind the first word was verified, or is marked as a reason.
    fn words(&self, payload: &[u8]) -> String {
        let reason: Vec<&str> = self.verdict.reason().into_iter().collect();
        let hint = hints::for_reasons(&reason, self.verifier.instances());
        match &self.verdict {
            Verdict::Verified(signature) => good(signature, &self.allowed),
            Verdict::Rejected(rejection) => {
                let by = match rejection.payload_alone() {
                    Some(signature) => format!(" (signed by {} via {})", signature.san(), signature.issuer()),
                    None => String::new(),
                };
                let why = escape::terminal(format!("{}{by}", rejection.error()));
                format!("waxseal: BAD signature: {why}\n{}", hint_lines(&hint))
            }
            Verdict::Undecided(undecided) => cannot_decide(&undecided.missing().to_string(), &hint),
            // No policy is asked for keys: Git has other programs for them.
            Verdict::VerifiedByKey(signature) => {
                cannot_decide(&format!("a signature by a key of {}", signature.format().name()), &hint)
            }
            Verdict::OtherFormat(SignatureFormat::OpenPgp) => cannot_decide("an OpenPGP signature", &hint),
            Verdict::OtherFormat(SignatureFormat::Ssh) => cannot_decide("an SSH signature", &hint),
            Verdict::OtherFormat(SignatureFormat::Unknown | SignatureFormat::X509) => {
                cannot_decide("a signature of an unknown format", &hint)
            }
            Verdict::Unsigned => {
                let kind = if PayloadKind::of(payload) == PayloadKind::Tag { "tag" } else { "object" };
                cannot_decide(&format!("the {kind} is not signed"), &hint)
            }
        }
    }
}

/// What the object's note, and the log if it may be asked, know of a signature that carries no log entry.
fn complete(
    verifier: &Verifier,
    verdict: Verdict,
    payload: &[u8],
    armor: &[u8],
    settings: &Settings,
    now: Timestamp,
) -> Result<Verdict, CommandError> {
    let repository = match &settings.repository {
        // What cannot be opened has no notes; that must not make a signature worse.
        FoundRepository::At(git_dir) => Repository::open(git_dir).ok(),
        FoundRepository::NotFound | FoundRepository::Refused { .. } => None,
    };
    let id = repository.as_ref().and_then(|repository| {
        let id = repository.id_of(object_kind(payload)?, payload, armor)?;
        Some((repository, id))
    });
    let budget = outside_evidence::BUDGET_OF_GIT;
    let mut online = settings.online.then(|| Online::new(settings, budget, now)).transpose()?;
    let object = outside_evidence::Object { payload, armor };
    Ok(outside_evidence::complete(verifier, verdict, object, id, online.as_mut()).verdict)
}

fn print(request: &GitVerify, answer: &Answer, words: &str) -> Result<u8, CommandError> {
    let status = StatusOutput::open(request.status_fd).and_then(|mut output| output.write(&answer.status));
    status.map_err(|error| {
        CommandError::failed(format!("the status lines could not be written: {error}")).hint(status_fd::HINT)
    })?;
    // What people read is worth less than the status lines: a closed stderr changes nothing.
    let mut stderr = io::stderr().lock();
    let _closed = stderr.write_all(words.as_bytes()).and_then(|()| stderr.flush());
    Ok(answer.exit_code)
}

/// Reads at most `limit` bytes; of a pipe the rest too, so that whoever writes it can end.
fn read(input: &Input, name: &str, limit: u64) -> Result<Vec<u8>, CommandError> {
    let mut bytes = Vec::new();
    let done = match input {
        Input::File(path) => File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes)),
        Input::Stdin => {
            let mut stdin = io::stdin().lock();
            let read = stdin.by_ref().take(limit + 1).read_to_end(&mut bytes);
            read.and_then(|read| io::copy(&mut stdin, &mut io::sink()).map(|_rest| read))
        }
    };
    match done {
        Ok(read) if u64::try_from(read).is_ok_and(|read| read > limit) => {
            Err(CommandError::failed(format!("the {name} has more than {limit} bytes")))
        }
        Ok(_) => Ok(bytes),
        Err(error) => {
            let place = match input {
                // It is escaped where it is printed.
                Input::File(path) => path.display().to_string(),
                Input::Stdin => "standard input".to_owned(),
            };
            let unreadable = CommandError::failed(format!("the {name} cannot be read from {place}: {error}"));
            Err(match input {
                Input::File(_) => unreadable.hint("is the path right, and may whoever runs waxseal read it?"),
                Input::Stdin => unreadable,
            })
        }
    }
}

/// What a rule may ask of one object. Git says neither under which ref nor in which history it stands.
fn circumstances<'a>(
    policy: Option<&LoadedPolicy>,
    repository: Option<&Repository>,
    object: Option<&'a str>,
    payload: &'a [u8],
) -> Result<Circumstances<'a>, CommandError> {
    let Some(kind) = object_kind(payload) else {
        return Ok(Circumstances { changes_policy: Some(false), ..Circumstances::default() });
    };
    let description = Description::of(kind, payload);
    let (author_email, start) = match kind {
        ObjectKind::Commit => (description.author_email(), Start::Unknown),
        // A tag is judged wherever it points.
        ObjectKind::Tag => (description.committer_email(), Start::Judged),
    };
    let changes_policy = match (policy.and_then(|policy| policy.in_repository.as_ref()), repository) {
        (Some(place), Some(repository)) => {
            let names = |id: &ObjectId| object == Some(id.to_string().as_str());
            let behind = place.tags_choose().then(|| repository.behind(kind, payload).contains(place.commit));
            let own = if names(&place.commit) {
                Some("this is the commit that the policy comes from")
            } else if behind == Some(Some(true)) {
                Some("this tag names the commit that the policy comes from")
            } else if place.through.iter().any(names) {
                Some("waxseal.policy names its commit through this object")
            } else if behind == Some(None) {
                Some("what this tag names is not here, and could be a tag of the commit that the policy comes from")
            } else {
                None
            };
            if let Some(own) = own {
                return Err(CommandError::failed(own)
                    .hint("who is judged does not write the law: name an older commit in waxseal.policy"));
            }
            repository.changes_any_of(kind, payload, policy.map_or(&[], |policy| &policy.paths))
        }
        _ => Some(false),
    };
    Ok(Circumstances { author_email, changes_policy, object, start, ..Circumstances::default() })
}

fn object_kind(payload: &[u8]) -> Option<ObjectKind> {
    match PayloadKind::of(payload) {
        PayloadKind::Commit => Some(ObjectKind::Commit),
        PayloadKind::Tag => Some(ObjectKind::Tag),
        PayloadKind::Other | PayloadKind::PushCertificate => None,
    }
}

/// The id of the object that Git took apart.
fn object_id(repository: Option<&Repository>, payload: &[u8], signature: &[u8]) -> Option<String> {
    Some(repository?.id_of(object_kind(payload)?, payload, signature)?.to_string())
}

fn good(signature: &VerifiedSignature, allowed: &Allowed) -> String {
    let judged = match allowed {
        Allowed::AnyIdentity => ", any identity allowed".to_owned(),
        Allowed::CannotTell { .. } => ", the policy cannot decide here".to_owned(),
        Allowed::Exempt(reason) => format!(", not judged ({reason})"),
        Allowed::NobodyAsked => ", no policy".to_owned(),
        Allowed::No(_) => ", NOT allowed".to_owned(),
        Allowed::Yes(rule) => format!(", allowed ({rule})"),
    };
    let label = signature.mislabelled().map(|label| format!(" ({label})")).unwrap_or_default();
    let line = format!(
        "good signature by {} via {}, {}, log {}{label}{judged}",
        signature.san(),
        signature.issuer(),
        signature.time(),
        signature.log_index()
    );
    let hint = match allowed {
        Allowed::CannotTell { rule, asks } => {
            let rule = rule.as_ref().map(|rule| format!("rule \"{rule}\": ")).unwrap_or_default();
            vec![format!("{rule}{asks}; \"waxseal verify\" with the range can tell")]
        }
        Allowed::NobodyAsked => vec![allow_hint(signature)],
        Allowed::No(Some((rule, mismatch))) => vec![format!("no rule admits it; nearest is \"{rule}\": {mismatch}")],
        Allowed::No(None) => {
            vec![format!("no rule of waxseal.allow admits it at the instance {}", signature.instance())]
        }
        Allowed::AnyIdentity | Allowed::Exempt(_) | Allowed::Yes(_) => Vec::new(),
    };
    format!("waxseal: {}\n{}", escape::terminal(line), hint_lines(&hint))
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
    format!("waxseal: cannot decide: {}\n{}", escape::terminal(why), hint_lines(hints))
}

fn hint_lines(hints: &[String]) -> String {
    hints.iter().map(|hint| format!("waxseal: hint: {}\n", escape::terminal(hint))).collect()
}

/// What Git would not touch, waxseal does not touch either.
fn refuse_foreign(repository: &FoundRepository) -> Result<(), CommandError> {
    match repository {
        FoundRepository::At(_) | FoundRepository::NotFound => Ok(()),
        FoundRepository::Refused { path, .. } => {
            let path = path.display();
            Err(CommandError::failed(format!("Git does not trust the repository at {path}"))
                .hint("see safe.directory and safe.bareRepository in git-config(1)"))
        }
    }
}

/// A commit with a file of this size as its message is not a commit.
const MAX_PAYLOAD_BYTES: u64 = 1 << 30;

/// The armor reader's own limit is this too.
const MAX_SIGNATURE_BYTES: u64 = 1 << 20;
