//! Why nothing was signed, in words, with what to do next; and the ways in which that reaches the user.

mod login;

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

use jiff::Timestamp;

pub(in crate::commands) use self::login::login;
use crate::address;
use crate::command_error::CommandError;
use crate::credential::{CertificateError, CredentialError, TokenError};
use crate::escape;
use crate::files;
use crate::instance::InstanceName;
use crate::seen_checkpoints::ObserveError;
use crate::services::{NoService, Problem, ServiceError, ServiceName, Services};
use crate::settings::gitsign::{GitsignAddress, GitsignServices};
use crate::signature::payload::PayloadKind;
use crate::terminal::Terminal;
use crate::verify::error::{Missing, VerifyError};
use crate::verify::{Verdict, VerifiedSignature};
use crate::x509::path::PathError;

/// Shows `error` on the terminal, unless that is where stderr goes anyway, and keeps it in the state folder.
pub(in crate::commands) fn tell(error: &CommandError, terminal: &Terminal, state: Option<&Path>, now: Timestamp) {
    let hints = || error.hints().iter().map(|hint| format!("hint: {hint}"));
    let lines = std::iter::once(format!("error: {}", error.message())).chain(hints());
    if !io::stderr().is_terminal() {
        lines.clone().for_each(|line| terminal.news(line));
    }
    let text = lines.fold(format!("{now:.0}\n"), |text, line| text + &escape::terminal(line) + "\n");
    // There is nobody left to tell that this failed.
    state.map_or(Ok(()), |state| keep(&state.join(LAST_ERROR), &text)).unwrap_or_default();
}

fn keep(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::NotFound)?;
    std::fs::create_dir_all(folder)?;
    files::replace(path, text.as_bytes())
}

pub(in crate::commands) fn no_instance(gitsign: &GitsignServices) -> CommandError {
    let error = CommandError::failed("no Sigstore instance is chosen to sign with");
    gitsign_chose_none(gitsign)
        .into_iter()
        .fold(error, CommandError::hint)
        .hint(
            "\"git config --global waxseal.instance public-good\" signs at sigstore.dev, where your address, the time \
             and the signature become public for ever",
        )
        .hint(
            "\"waxseal trust add NAME --url URL\", then \"git config --global waxseal.instance NAME\", signs at an \
             instance of your own",
        )
}

/// Why gitsign's settings, where there are any, did not choose either. They may hold passwords and tokens.
fn gitsign_chose_none(services: &GitsignServices) -> Option<String> {
    let named = |GitsignAddress { address, set_in }: &GitsignAddress| format!("{} ({set_in})", address::place(address));
    let alone = |set: &GitsignAddress, missing: &str| {
        format!("gitsign's settings name {} and no {missing}: only both together choose an instance", named(set))
    };
    match (&services.fulcio, &services.rekor) {
        (Some(fulcio), Some(rekor)) => Some(format!(
            "gitsign's settings name {} and {}, which are not the services of just one instance that is known \
             here (\"waxseal trust list\")",
            named(fulcio),
            named(rekor)
        )),
        (Some(fulcio), None) => Some(alone(fulcio, "gitsign.rekor")),
        (None, Some(rekor)) => Some(alone(rekor, "gitsign.fulcio")),
        (None, None) => None,
    }
}

pub(in crate::commands) fn no_signing_config(name: &InstanceName) -> CommandError {
    CommandError::failed(format_args!("the instance {name} has no signing config, so it can only verify"))
        .hint("add it again under another name with --url, or with --signing-config")
}

pub(in crate::commands) fn no_service(name: &InstanceName, error: NoService) -> CommandError {
    let hint = match error {
        NoService::NoTime => "\"git config --global waxseal.timestamp auto\" asks for a timestamp where one is needed",
        NoService::OnlyRekorV1 | NoService::OnlyRekorV2 => {
            "\"git config --global waxseal.log auto\" takes what the instance prefers"
        }
        NoService::TimestampAuthority => {
            "\"waxseal.timestamp = auto\" with \"waxseal.log = v1\" needs none, where the instance has such a log"
        }
        NoService::CertificateAuthority | NoService::Several | NoService::TransparencyLog => {
            "choose another instance with \"git config --global waxseal.instance NAME\""
        }
    };
    CommandError::failed(format_args!("cannot sign at the instance {name}: {error}")).hint(hint)
}

pub(in crate::commands) fn no_issuer(name: &InstanceName) -> CommandError {
    CommandError::failed(format_args!("the signing config of the instance {name} lists no OpenID Connect issuer"))
        .hint("give an identity token in WAXSEAL_ID_TOKEN")
}

pub(in crate::commands) fn not_trusted(name: &InstanceName) -> CommandError {
    CommandError::failed(format_args!("waxseal.trust does not list {name}, so what it signs would not verify"))
        .hint(format_args!("\"git config --global --add waxseal.trust {name}\" trusts it"))
}

/// An error that elsewhere has an exit code of its own; Git knows one only.
pub(in crate::commands) fn failed(error: impl Into<CommandError>) -> CommandError {
    let error = error.into();
    error.hints().iter().fold(CommandError::failed(error.message()), CommandError::hint)
}

pub(in crate::commands) fn credential(error: CredentialError) -> CommandError {
    let hint = match &error {
        CredentialError::Service(error) => return service(error.clone()),
        CredentialError::Certificate(CertificateError::Clock { .. }) => "set the clock; nothing was signed",
        CredentialError::Certificate(_) => UP_TO_DATE,
        CredentialError::Token(TokenError::Expired { .. }) => {
            "get a new identity token, and see that the clock is right"
        }
        CredentialError::Token(TokenError::Audience { .. }) => "\"waxseal.clientId\" says for whom tokens are made",
        CredentialError::Token(TokenError::IssuerNotAdmitted { .. }) => {
            "instance.toml lists the issuers that the instance may vouch for"
        }
        CredentialError::Token(TokenError::OtherSigner { requested, .. }) if requested.is_person() => {
            "waxseal.matchCommitter wants the committer: sign in as that one, change user.email, or set it to warn"
        }
        CredentialError::Token(TokenError::OtherSigner { .. }) => {
            "sign in as the one who is wanted, or change user.signingKey"
        }
        CredentialError::Token(TokenError::Replayable { .. }) => {
            "sign in with the instance's own issuer, or list this issuer in its instance.toml"
        }
    };
    CommandError::failed(error).hint(hint)
}

pub(in crate::commands) fn service(error: ServiceError) -> CommandError {
    let (hint, is_outage) = (service_hint(&error), error.problem.is_outage());
    CommandError::failed(error).hint(hint).of_outage(is_outage)
}

/// What goes on without the service that is down. It is said, never done: an unsigned commit is the user's decision.
pub(super) fn meanwhile(error: CommandError, payload: &[u8]) -> CommandError {
    if !error.is_outage() {
        return error;
    }
    match PayloadKind::of(payload) {
        PayloadKind::Commit => error.hint(
            "meanwhile \"git -c commit.gpgsign=false commit\", without -S, commits unsigned, and \"git commit --amend \
             --no-edit -S\" signs that later; verifying needs no service",
        ),
        PayloadKind::Tag => error.hint(
            "meanwhile \"git tag --annotate --no-sign\" makes an unsigned tag, which \"git tag --sign --force\" replaces \
             later; verifying needs no service",
        ),
        PayloadKind::PushCertificate => {
            error.hint("meanwhile \"git push --no-signed\" pushes without a certificate, where the server takes that")
        }
        PayloadKind::Other => error,
    }
}

fn service_hint(error: &ServiceError) -> &'static str {
    match (error.service, &error.problem) {
        (_, Problem::Unreachable(_) | Problem::TimedOut(_)) => {
            "is the network up, and the service running? then try again"
        }
        (ServiceName::CertificateAuthority, Problem::Refused { status: 400 | 401 | 403, .. }) => {
            "the identity token may be too old or not for this instance; sign in anew"
        }
        (ServiceName::TransparencyLog, Problem::Refused { status: 405, .. }) => {
            "the log was closed, or the address is not a log's; its operator's newest signing config names the one in use"
        }
        (_, Problem::LoggedAlready { .. }) => "run the command again: with a new key it is another entry",
        (_, Problem::Certificate(_)) => {
            "waxseal.caFile names the authorities of a private network; without one, find out who answers there"
        }
        (_, Problem::Refused { status: 429, .. }) => {
            "it turns requests away because there are too many; try again later"
        }
        (_, Problem::Refused { status: 400 | 413 | 415 | 422, .. }) => {
            "it does not take what was sent; whoever runs it, or a proxy before it, can say why"
        }
        (_, Problem::Refused { status: 401 | 403, .. }) => {
            "it, or a proxy before it, does not let everybody in; ask whoever runs it"
        }
        (_, Problem::Refused { status: 500.., .. }) => "the service has trouble of its own; try again later",
        (_, Problem::Insecure | Problem::BadAddress) => "the instance's signing config holds the address",
        (_, Problem::NoClient(_)) => "are the system's certificates installed, and those of waxseal.caFile whole?",
        (_, Problem::Broken(_) | Problem::Garbage(_) | Problem::TooLarge(_) | Problem::Refused { .. }) => {
            "is this the address of the service? the instance's signing config holds it"
        }
    }
}

/// A log that contradicts itself.
pub(in crate::commands) fn of_log(error: ObserveError) -> CommandError {
    CommandError::from(error).hint("the finished signature was not written")
}

/// Says what is no failure, on the terminal and on stderr: Git shows the latter to nobody, other callers may.
pub(in crate::commands) fn warn(notice: &str, terminal: &Terminal) {
    say(format_args!("warning: {notice}"), terminal);
}

/// The same for what goes on.
pub(super) fn say(notice: impl Display, terminal: &Terminal) {
    let mut stderr = io::stderr();
    let notice = notice.to_string();
    if !stderr.is_terminal() {
        terminal.news(&notice);
    }
    // There is nobody left to tell that this failed.
    writeln!(stderr, "waxseal: {}", escape::terminal(notice)).unwrap_or_default();
}

pub(in crate::commands) fn bug(error: impl Display) -> CommandError {
    CommandError::failed(format_args!("the signature could not be put together: {error}"))
        .hint("this is a bug in waxseal; please report it")
}

/// The verified signature, or who made the mistake.
pub(in crate::commands) fn of_self_check(
    verdict: Verdict,
    services: &Services,
) -> Result<VerifiedSignature, CommandError> {
    let at = |service, address: &str| {
        let ServiceError { service, address, .. } = ServiceError::garbage(service, address, "");
        format!("{service} at {address}")
    };
    let log = at(ServiceName::TransparencyLog, services.transparency_log.address());
    let authority = services.timestamp_authority.as_deref();
    let authority = authority.map(|address| at(ServiceName::TimestampAuthority, address));
    let clock = authority.as_ref().unwrap_or(&log);
    let up_to_date = "is the instance's trusted root up to date?";
    let error = match verdict {
        Verdict::Verified(signature) => return Ok(*signature),
        Verdict::Rejected(rejection) => match (rejection.error(), &authority) {
            (VerifyError::Entry(error), _) => {
                CommandError::failed(format_args!("{log} gave an entry that does not hold: {error}")).hint(up_to_date)
            }
            (VerifyError::Token(error), Some(authority)) => {
                CommandError::failed(format_args!("{authority} gave a token that does not hold: {error}"))
                    .hint(up_to_date)
            }
            // The certificate was checked when it came, for the local clock's time.
            (VerifyError::Path(error @ PathError::LeafOutsideValidity { .. }), _) => {
                CommandError::failed(format_args!("{clock} gives another time than the certificate authority: {error}"))
                    .hint("one of their clocks is wrong; tell whoever runs them")
            }
            (other, _) => bug(other),
        },
        Verdict::Undecided(undecided) => match undecided.missing() {
            missing @ Missing::Clock { .. } => CommandError::failed(missing)
                .hint(format_args!("set the clock, or find out why that of {clock} is wrong")),
            missing @ (Missing::Checkpoint | Missing::InclusionProof | Missing::Promise) => {
                CommandError::failed(format_args!("{log} gave half an answer: {missing}"))
                    .hint("tell whoever runs the log")
            }
            other => bug(other),
        },
        Verdict::Unsigned | Verdict::OtherFormat(_) | Verdict::VerifiedByKey(_) => bug("it reads as something else"),
    };
    Err(error.hint("the finished signature did not pass its check, so it was not written"))
}

pub(in crate::commands) const UP_TO_DATE: &str = "nothing was signed; is the instance's trusted root up to date?";
const LAST_ERROR: &str = "last-error";
