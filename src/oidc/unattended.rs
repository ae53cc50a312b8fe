//! Identity tokens that nobody has to sign in for.

use super::{Flow, LoginError, Obtained};
use crate::identity_token::IdentityToken;
use crate::services::http::Http;
use crate::settings::Settings;

/// Where such a token may come from.
#[derive(Clone, Copy, Debug)]
pub struct UnattendedSources<'a> {
    /// What the user and the environment say.
    pub settings: &'a Settings,
    /// Whom the token must be made for.
    pub audience: &'a str,
}

/// The token of the environment, if there is one.
///
/// # Errors
/// [`LoginError`] when a source is there and gives nothing that can be used: no other one is tried then.
pub async fn unattended(sources: &UnattendedSources<'_>, _http: &Http) -> Result<Option<Obtained>, LoginError> {
    let Some(token) = &sources.settings.identity_token else { return Ok(None) };
    let token = IdentityToken::parse(token.expose().to_owned()).map_err(LoginError::Environment)?;
    Ok(Some(Obtained { token, refresh_token: None, flow: Flow::Environment }))
}
