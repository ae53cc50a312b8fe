//! A new ID token for a login that was made before (RFC 6749 §6, OpenID Connect Core §12).

use super::provider::{Provider, send};
use super::{Flow, LoginError, Obtained, RefreshToken};
use crate::services::http::{Http, Repeat};

/// Has a refresh token changed for an ID token. Nobody is asked anything.
///
/// Where [`Obtained::refresh_token`] is `None` afterwards, `token` stays good; otherwise the new one takes its place, and
/// `token` may not be used again: an issuer that sees it twice ends the login (RFC 9700 §4.14.2).
///
/// # Errors
/// [`LoginError`]; [`LoginError::Refused`] when the issuer does not take the token any more.
pub async fn refresh(http: &Http, issuer: &str, client_id: &str, token: &RefreshToken) -> Result<Obtained, LoginError> {
    let provider = Provider::discover(http, issuer, client_id).await?;
    let sender = |request| send(http, Repeat::UnlessSent, request);
    let token = openidconnect::RefreshToken::new(token.expose().to_owned());
    let answer = provider
        .client
        .exchange_refresh_token(&token)
        .map_err(|_| provider.garbage("the discovery document names no token endpoint"))?
        .request_async(&sender)
        .await
        .map_err(|error| provider.token_error(error))?;
    provider.obtained(&answer, None, Flow::Refresh)
}
