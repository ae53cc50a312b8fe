//! Tokens that are handed over, the key ring, and the last error.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::{Finding, Signing};
use crate::credential::Issuance;
use crate::files;
use crate::identity_token::IdentityToken;
use crate::key_ring;
use crate::oidc;
use crate::settings::{CredentialStore, DEFAULT_CLIENT_ID, Settings, programs};

pub(super) fn findings(settings: &Settings, signing: Option<&Signing>, now: Timestamp) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(token(settings, signing, now));
    findings.extend(token_command(settings));
    findings.extend(browser(settings));
    findings.extend(last_error(settings, now));
    findings
}

/// The one in the environment.
fn token(settings: &Settings, signing: Option<&Signing>, now: Timestamp) -> Option<Finding> {
    let text = settings.identity_token.as_ref()?;
    let token = match IdentityToken::parse(text.expose().to_owned()) {
        Ok(token) => token,
        Err(error) => return Some(Finding::problem(TOKEN, error.to_string(), ANOTHER)),
    };
    let claims = token.claims();
    let what = format!("{} of {}, for {}", token.identity(), claims.issuer, claims.audiences.join(", "));
    let Some(Signing { instance, services, .. }) = signing else {
        return Some(Finding::ok(TOKEN, format!("{what}; no instance is chosen that it could be held against")));
    };
    let audience = settings.client_id.as_deref().or(instance.bounds.audience.as_deref()).unwrap_or(DEFAULT_CLIENT_ID);
    let issuance =
        Issuance { instance, certificate_authority: &services.certificate_authority, audience, signer: None };
    Some(match issuance.check(&token, now) {
        Ok(()) => Finding::ok(TOKEN, what),
        Err(error) => Finding::problem(TOKEN, format!("{what}: {error}"), ANOTHER),
    })
}

/// The program that prints tokens is not started: it may ask somebody, or cost something.
fn token_command(settings: &Settings) -> Option<Finding> {
    let command = settings.token_command.as_deref()?;
    Some(program(TOKEN_COMMAND, "waxseal.tokenCommand", command, "{audience}"))
}

/// Nor is the browser.
fn browser(settings: &Settings) -> Option<Finding> {
    let command = settings.browser.as_deref()?;
    Some(program(BROWSER, "waxseal.browser", command, "{url}"))
}

fn program(check: &'static str, key: &str, command: &str, placeholder: &str) -> Finding {
    let program = match oidc::words(command, placeholder) {
        Ok(words) => words.into_iter().next().unwrap_or_default(),
        Err(error) => {
            let fix = "a program and its arguments, split at white space, without a shell; docs/login.md";
            return Finding::problem(check, format!("{key} cannot be \"{command}\": {error}"), fix);
        }
    };
    if programs::find(Path::new(&program)).is_none() {
        let what = format!("{key}: there is no program {program}");
        Finding::problem(check, what, "give its whole path, or put it on PATH")
    } else {
        Finding::ok(check, format!("{key} is set; it is not started here"))
    }
}

/// Whether it answers, where it is wanted. It is not unlocked.
pub(super) async fn key_ring(settings: &Settings) -> Option<Finding> {
    match settings.credential_store {
        CredentialStore::Agent => None,
        CredentialStore::KeyRing => Some(match key_ring::look().await {
            Ok(()) => Finding::ok(KEY_RING, "it answers"),
            Err(error) => {
                let what = format!("{error}; the agent alone keeps logins");
                Finding::warning(KEY_RING, what, "start or unlock it; or log out and unset waxseal.credentialStore")
            }
        }),
    }
}

/// What signing left in the state folder when it failed.
fn last_error(settings: &Settings, now: Timestamp) -> Option<Finding> {
    let path = settings.folders.state.as_ref()?.join("last-error");
    let text = match files::read(&path, MAX_ERROR_BYTES) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.is_absent() => return Some(Finding::ok(LAST_ERROR, "none is kept")),
        Err(error) => {
            let what = format!("{} cannot be read: {error}", path.display());
            return Some(Finding::warning(LAST_ERROR, what, "remove it"));
        }
    };
    let mut lines = text.lines();
    let when = lines.next().unwrap_or_default();
    let error = lines.next().map(|line| line.strip_prefix("error: ").unwrap_or(line)).unwrap_or_default();
    let hint = lines.find_map(|line| line.strip_prefix("hint: ")).map(str::to_owned);
    let what = format!("at {when}: {error}");
    let is_new = when.parse::<Timestamp>().is_ok_and(|when| now.duration_since(when) < NEW);
    let fix = hint.unwrap_or_else(|| format!("once it is dealt with, remove {}", path.display()));
    Some(if is_new { Finding::warning(LAST_ERROR, what, fix) } else { Finding::ok(LAST_ERROR, what) })
}

const TOKEN: &str = "identity-token";
const TOKEN_COMMAND: &str = "token-command";
const BROWSER: &str = "browser";
const KEY_RING: &str = "key-ring";
const LAST_ERROR: &str = "last-error";
const ANOTHER: &str = "give another one in WAXSEAL_ID_TOKEN, or unset it to log in";
/// A sentence and its hints.
const MAX_ERROR_BYTES: u64 = 1 << 16;
/// Later, it is history.
const NEW: SignedDuration = SignedDuration::from_hours(24);
