//! Copying a code: a browser anywhere shows it at the end of a login, and the person types it here. What issuers had
//! before the device flow; Sigstore's still have it.

use tokio::time::{Instant, timeout_at};

use super::authorization::AuthorizationRequest;
use super::provider::Provider;
use super::{Flow, Login, LoginError, Obtained};
use crate::services::http::Http;
use crate::terminal::Terminal;

pub(super) async fn sign_in(
    login: &Login<'_>,
    provider: &Provider<'_>,
    http: &Http,
    terminal: &Terminal,
) -> Result<Obtained, LoginError> {
    provider.demand_pkce()?;
    let request = AuthorizationRequest::new(login, provider, REDIRECT.to_owned())?;
    terminal.news("to sign, sign in with a browser on any machine at");
    terminal.address(&request.address);
    let end = Instant::now() + login.limit;
    let mut tries_left = TRIES;
    loop {
        let code = timeout_at(end, code(terminal)).await;
        let code = code.map_err(|_| LoginError::TimedOut(login.limit))?.ok_or(LoginError::NoCode)?;
        tries_left -= 1;
        // RFC 9207 cannot be kept where a person carries the answer: only the code comes back. The verifier and the nonce
        // still tie it to this login and this issuer.
        match request.token(&code, provider, http, Flow::OutOfBand).await {
            Err(LoginError::Refused { error, .. }) if error == WRONG_CODE && tries_left > 0 => {
                terminal.news("the issuer does not know this code; type it once more, or copy it");
            }
            outcome => return outcome,
        }
    }
}

/// What the person types; an empty line was a slip.
async fn code(terminal: &Terminal) -> Option<String> {
    loop {
        let line = terminal.line("type the code that the page shows:").await?;
        let code = line.trim();
        if !code.is_empty() {
            return Some(code.to_owned());
        }
    }
}

/// Somebody who mistypes it more often does something else than typing.
const TRIES: u32 = 4;
/// RFC 6749 §5.2
const WRONG_CODE: &str = "invalid_grant";
/// What Google made up once, and every client of Sigstore's uses.
const REDIRECT: &str = "urn:ietf:wg:oauth:2.0:oob";
