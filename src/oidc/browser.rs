//! Signing in with a browser on this machine, which comes back to a loopback address (RFC 8252 §7.3).

use super::authorization::AuthorizationRequest;
use super::callback::{Callback, Outcome, Parameters, Response};
use super::page::Page;
use super::provider::Provider;
use super::{Flow, Login, LoginError, Obtained, Opener};
use crate::services::http::Http;
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
    let response = response(login, &request, &opener, &callback, terminal).await?;
    let outcome = match code(&response.parameters, provider) {
        Ok(code) => request.token(code, provider, http, Flow::Browser).await,
        Err(error) => Err(error),
    };
    response
        .show(match &outcome {
            Ok(obtained) => Page::signed_in(obtained.token.identity(), login.settings.autoclose),
            Err(error) => Page::failed(&error.to_string()),
        })
        .await;
    outcome
}

/// Sends the user to the login page and waits until the browser comes back.
async fn response(
    login: &Login<'_>,
    request: &AuthorizationRequest,
    opener: &Opener,
    callback: &Callback,
    terminal: &Terminal,
) -> Result<Response, LoginError> {
    terminal.announce("to sign, sign in with the browser at", &request.address);
    let opened = opener.open(&request.address);
    let no_browser = async {
        match opened.await {
            Ok(Err(error)) => match terminal.absence() {
                None => {
                    terminal.news(format_args!(
                        "no browser could be started ({opener}: {error}); open the address yourself"
                    ));
                    std::future::pending().await
                }
                Some(reason) => LoginError::NoBrowser { opener: opener.clone(), error, reason },
            },
            // It runs, or it has handed the address over.
            Ok(Ok(())) | Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        response = callback.response(request.state.secret()) => Ok(response),
        error = no_browser => Err(error),
        () = tokio::time::sleep(login.limit) => Err(match terminal.is_there() {
            true => LoginError::TimedOut(login.limit),
            false => LoginError::NobodyCameBack(login.limit),
        }),
    }
}

/// The code, from the right issuer (RFC 9207).
fn code<'a>(parameters: &'a Parameters, provider: &Provider<'_>) -> Result<&'a str, LoginError> {
    let promised = provider.metadata.additional_metadata().authorization_response_iss_parameter_supported;
    match &parameters.issuer {
        Some(issuer) if issuer != provider.issuer => return Err(LoginError::OtherIssuer(issuer.clone())),
        None if promised => return Err(LoginError::UnnamedIssuer),
        _ => {}
    }
    match &parameters.outcome {
        Outcome::Code(code) => Ok(code),
        Outcome::Error { error, description } => {
            Err(LoginError::Refused { error: error.clone(), description: description.clone() })
        }
    }
}
