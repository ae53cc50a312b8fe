//! Copying a code: a browser anywhere shows it at the end of a login, and the person types it here. What issuers had
//! before the device flow; Sigstore's still have it.

use super::authorization::AuthorizationRequest;
use super::provider::Provider;
use super::{Flow, LOGIN_TIME, Login, LoginError, Obtained};
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
    let code = tokio::time::timeout(LOGIN_TIME, code(terminal)).await;
    let code = code.map_err(|_| LoginError::TimedOut(LOGIN_TIME))?.ok_or(LoginError::NoCode)?;
    // RFC 9207 cannot be kept where a person carries the answer: only the code comes back. The verifier and the nonce
    // still tie it to this login and this issuer.
    request.token(&code, provider, http, Flow::OutOfBand).await
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

/// What Google made up once, and every client of Sigstore's uses.
const REDIRECT: &str = "urn:ietf:wg:oauth:2.0:oob";
