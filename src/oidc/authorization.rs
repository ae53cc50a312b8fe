//! The authorization request that a browser is sent with, and the code that it ends in: OpenID Connect Core §3.1 with PKCE
//! (RFC 7636).

use openidconnect::core::{CoreAuthPrompt, CoreAuthenticationFlow};
use openidconnect::{AuthorizationCode, CsrfToken, LoginHint, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl};
use url::Url;

use super::provider::{Client, Provider, send};
use super::{Flow, Login, LoginError, Obtained};
use crate::services::http::{Http, Repeat, is_web_address};

/// What is kept until the code is here.
pub(super) struct AuthorizationRequest {
    client: Client,
    pub(super) address: Url,
    pub(super) state: CsrfToken,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
}

impl AuthorizationRequest {
    pub(super) fn new(login: &Login<'_>, provider: &Provider<'_>, redirect_uri: String) -> Result<Self, LoginError> {
        let unusable = |_| provider.garbage("the redirect address is not one");
        let client = provider.client.clone().set_redirect_uri(RedirectUrl::new(redirect_uri).map_err(unusable)?);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let mut request = client
            .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
            .add_scopes(provider.scopes())
            .set_pkce_challenge(challenge);
        if provider.has_offline_access() {
            // OpenID Connect Core §11 ignores the wish for a refresh token without this, and so does oidc-provider.
            request = request.add_prompt(CoreAuthPrompt::Consent);
        }
        if let Some(hint) = login.account.or(login.settings.login_hint.as_deref()) {
            request = request.set_login_hint(LoginHint::new(hint.to_owned()));
        }
        if let Some(connector) = &login.settings.connector_id {
            // dex's own, by which its page of account providers is passed over.
            request = request.add_extra_param("connector_id", connector.clone());
        }
        let (address, state, nonce) = request.url();
        if !is_web_address(address.as_str()) {
            return Err(LoginError::AuthorizationEndpoint(provider.metadata.authorization_endpoint().to_string()));
        }
        Ok(Self { client, address, state, nonce, verifier })
    }

    /// Changes the code for an ID token, and checks that (OpenID Connect Core §3.1.3). Another code may follow one that the
    /// issuer did not take.
    pub(super) async fn token(
        &self,
        code: &str,
        provider: &Provider<'_>,
        http: &Http,
        flow: Flow,
    ) -> Result<Obtained, LoginError> {
        let sender = |request| send(http, Repeat::UnlessSent, request);
        let answer = self
            .client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|_| provider.garbage("the discovery document names no token endpoint"))?
            .set_pkce_verifier(PkceCodeVerifier::new(self.verifier.secret().clone()))
            .request_async(&sender)
            .await
            .map_err(|error| provider.token_error(error))?;
        provider.obtained(&answer, Some(&self.nonce), flow)
    }
}
