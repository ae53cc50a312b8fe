//! The authorization code flow in a browser: OpenID Connect Core §3.1 with PKCE (RFC 7636) and a loopback redirect
//! (RFC 8252 §7.3).

use openidconnect::core::CoreAuthenticationFlow;
use openidconnect::{AuthorizationCode, CsrfToken, LoginHint, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl};
use url::Url;

use super::callback::{Callback, Outcome, Response};
use super::page::Page;
use super::provider::{Client, Provider, send};
use super::{Flow, LOGIN_TIME, Login, LoginError, Obtained, Opener};
use crate::services::http::{Http, Repeat, is_web_address};
use crate::terminal::Terminal;

pub(super) async fn sign_in(
    login: &Login<'_>,
    provider: &Provider<'_>,
    http: &Http,
    terminal: &Terminal,
) -> Result<Obtained, LoginError> {
    provider.demand_pkce()?;
    let opener = login.opener()?;
    let callback = Callback::listen().await.map_err(LoginError::Listen)?;
    let request = AuthorizationRequest::new(login, provider, callback.redirect_uri())?;
    let response = request.response(&opener, &callback, terminal).await?;
    let outcome = request.token(&response, provider, http).await;
    response
        .show(match &outcome {
            Ok(obtained) => Page::signed_in(obtained.token.identity()),
            Err(error) => Page::failed(&error.to_string()),
        })
        .await;
    outcome
}

/// What is kept until the browser comes back.
struct AuthorizationRequest {
    client: Client,
    address: Url,
    state: CsrfToken,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
}

impl AuthorizationRequest {
    fn new(login: &Login<'_>, provider: &Provider<'_>, redirect_uri: String) -> Result<Self, LoginError> {
        let unusable = |_| provider.garbage("the redirect address is not one");
        let client = provider.client.clone().set_redirect_uri(RedirectUrl::new(redirect_uri).map_err(unusable)?);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let mut request = client
            .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
            .add_scopes(provider.scopes())
            .set_pkce_challenge(challenge);
        if let Some(hint) = &login.settings.login_hint {
            request = request.set_login_hint(LoginHint::new(hint.clone()));
        }
        let (address, state, nonce) = request.url();
        if !is_web_address(address.as_str()) {
            return Err(LoginError::AuthorizationEndpoint(provider.metadata.authorization_endpoint().to_string()));
        }
        Ok(Self { client, address, state, nonce, verifier })
    }

    /// Sends the user to the login page and waits until the browser comes back.
    async fn response(
        &self,
        opener: &Opener,
        callback: &Callback,
        terminal: &Terminal,
    ) -> Result<Response, LoginError> {
        terminal.news("to sign, sign in with the browser at");
        terminal.address(&self.address);
        let opened = opener.open(&self.address);
        let no_browser = async {
            match opened.await {
                Ok(Err(error)) if terminal.is_there() => {
                    terminal.news(format_args!("no browser could be started ({error}); open the address yourself"));
                    std::future::pending().await
                }
                Ok(Err(error)) => LoginError::NoBrowser(error),
                // It runs, or it has handed the address over.
                Ok(Ok(())) | Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            response = callback.response(self.state.secret()) => Ok(response),
            error = no_browser => Err(error),
            () = tokio::time::sleep(LOGIN_TIME) => Err(LoginError::TimedOut(LOGIN_TIME)),
        }
    }

    /// Changes the code for an ID token, and checks that (OpenID Connect Core §3.1.3).
    async fn token(self, response: &Response, provider: &Provider<'_>, http: &Http) -> Result<Obtained, LoginError> {
        let parameters = &response.parameters;
        let promised = provider.metadata.additional_metadata().authorization_response_iss_parameter_supported;
        match &parameters.issuer {
            Some(issuer) if issuer != provider.issuer => return Err(LoginError::OtherIssuer(issuer.clone())),
            None if promised => return Err(LoginError::UnnamedIssuer),
            _ => {}
        }
        let code = match &parameters.outcome {
            Outcome::Code(code) => AuthorizationCode::new(code.clone()),
            Outcome::Error { error, description } => {
                return Err(LoginError::Refused { error: error.clone(), description: description.clone() });
            }
        };
        let sender = |request| send(http, Repeat::UnlessSent, request);
        let answer = self
            .client
            .exchange_code(code)
            .map_err(|_| provider.garbage("the discovery document names no token endpoint"))?
            .set_pkce_verifier(self.verifier)
            .request_async(&sender)
            .await
            .map_err(|error| provider.token_error(error))?;
        provider.obtained(&answer, Some(&self.nonce), Flow::Browser)
    }
}
