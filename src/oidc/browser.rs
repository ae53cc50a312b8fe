//! The authorization code flow in a browser: OpenID Connect Core §3.1 with PKCE (RFC 7636) and a loopback redirect
//! (RFC 8252 §7.3).

use std::time::Duration;

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthenticationFlow, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod,
    CoreErrorResponseType, CoreGrantType, CoreIdToken, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm, CoreJwsSigningAlgorithm, CoreResponseMode, CoreResponseType,
    CoreSubjectIdentifierType, CoreTokenResponse,
};
use openidconnect::{
    AccessTokenHash, AdditionalProviderMetadata, AuthType, AuthorizationCode, ClientId, CsrfToken, DiscoveryError,
    EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IssuerUrl, LoginHint, Nonce,
    OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, ProviderMetadata, RedirectUrl, RequestTokenError,
    Scope, StandardErrorResponse,
};
use serde::{Deserialize, Serialize};
use url::Url;

use super::callback::{Callback, Outcome, Response};
use super::page::Page;
use super::{Login, LoginError};
use crate::identity_token::IdentityToken;
use crate::services::ServiceError;
use crate::services::http::{Http, Problem, Repeat, ServiceName, is_web_address};
use crate::terminal::Terminal;

pub(super) async fn sign_in(login: &Login<'_>, http: &Http, terminal: &Terminal) -> Result<IdentityToken, LoginError> {
    let metadata = discover(login, http).await?;
    let callback = Callback::listen().await.map_err(LoginError::Listen)?;
    let request = AuthorizationRequest::new(login, &metadata, callback.redirect_uri())?;
    let response = request.response(login, &callback, terminal).await?;
    let outcome = request.token(&response, login, &metadata, http).await;
    response
        .show(match &outcome {
            Ok(token) => Page::signed_in(token.identity()),
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
    fn new(login: &Login<'_>, metadata: &Metadata, redirect_uri: String) -> Result<Self, LoginError> {
        let unusable = |_| garbage(login, "the redirect address is not one");
        let client_id = ClientId::new(login.client_id.to_owned());
        let client = CoreClient::from_provider_metadata(metadata.clone(), client_id, None)
            // A public client has no secret to prove itself with (RFC 6749 §3.2.1).
            .set_auth_type(AuthType::RequestBody)
            .set_redirect_uri(RedirectUrl::new(redirect_uri).map_err(unusable)?);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let mut request = client
            .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
            .add_scope(Scope::new("email".to_owned()))
            .set_pkce_challenge(challenge);
        if let Some(hint) = login.login_hint {
            request = request.set_login_hint(LoginHint::new(hint.to_owned()));
        }
        let (address, state, nonce) = request.url();
        if !is_web_address(address.as_str()) {
            return Err(LoginError::AuthorizationEndpoint(metadata.authorization_endpoint().to_string()));
        }
        Ok(Self { client, address, state, nonce, verifier })
    }

    /// Sends the user to the login page and waits until the browser comes back.
    async fn response(
        &self,
        login: &Login<'_>,
        callback: &Callback,
        terminal: &Terminal,
    ) -> Result<Response, LoginError> {
        terminal.news("to sign, sign in with the browser at");
        terminal.address(&self.address);
        let opened = login.opener.open(&self.address);
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
    async fn token(
        self,
        response: &Response,
        login: &Login<'_>,
        metadata: &Metadata,
        http: &Http,
    ) -> Result<IdentityToken, LoginError> {
        let parameters = &response.parameters;
        let promised = metadata.additional_metadata().authorization_response_iss_parameter_supported;
        match &parameters.issuer {
            Some(issuer) if issuer != login.issuer => return Err(LoginError::OtherIssuer(issuer.clone())),
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
            .map_err(|_| garbage(login, "the discovery document names no token endpoint"))?
            .set_pkce_verifier(self.verifier)
            .request_async(&sender)
            .await
            .map_err(|error| token_error(login, error))?;
        let id_token = answer.extra_fields().id_token().ok_or(LoginError::NoIdToken)?;
        verify(&self.client, id_token, &answer, &self.nonce)?;
        Ok(IdentityToken::parse(id_token.to_string())?)
    }
}

/// OpenID Connect Discovery §4, with the keys.
async fn discover(login: &Login<'_>, http: &Http) -> Result<Metadata, LoginError> {
    let issuer = IssuerUrl::new(login.issuer.to_owned())
        .map_err(|_| ServiceError::new(ServiceName::OidcIssuer, login.issuer, Problem::BadAddress))?;
    let sender = |request| send(http, Repeat::Always, request);
    let metadata = Metadata::discover_async(issuer, &sender).await.map_err(|error| match error {
        DiscoveryError::Request(error) => LoginError::Service(error),
        DiscoveryError::Response(status, _, _) if status.is_success() => {
            garbage(login, "the discovery document or the key set is not JSON")
        }
        DiscoveryError::Response(status, body, _) => {
            let mut response = http::Response::new(body);
            *response.status_mut() = status;
            ServiceError::refused(ServiceName::OidcIssuer, login.issuer, &response).into()
        }
        DiscoveryError::Validation(says) => LoginError::IssuerMismatch { issuer: login.issuer.to_owned(), says },
        DiscoveryError::UrlParse(_) => {
            ServiceError::new(ServiceName::OidcIssuer, login.issuer, Problem::BadAddress).into()
        }
        _ => garbage(login, "its discovery document or key set has another shape than OpenID Connect's"),
    })?;
    let methods = &metadata.additional_metadata().code_challenge_methods_supported;
    if !methods.iter().any(|method| method == "S256") {
        return Err(LoginError::NoPkce(login.issuer.to_owned()));
    }
    Ok(metadata)
}

/// Signature, issuer, audience, nonce, and, if it is there, the access token's hash. The library reads the clock for the
/// expiry: this is the moment after a login.
fn verify(
    client: &Client,
    id_token: &CoreIdToken,
    answer: &CoreTokenResponse,
    nonce: &Nonce,
) -> Result<(), LoginError> {
    let verifier = client.id_token_verifier().set_allowed_algs(SIGNING_ALGORITHMS);
    let claims = id_token.claims(&verifier, nonce).map_err(LoginError::IdToken)?;
    let Some(expected) = claims.access_token_hash() else { return Ok(()) };
    let algorithm = id_token.signing_alg().map_err(|_| LoginError::AccessTokenHash)?;
    let key = id_token.signing_key(&verifier).map_err(|_| LoginError::AccessTokenHash)?;
    let hash = AccessTokenHash::from_token(answer.access_token(), algorithm, key);
    match hash {
        Ok(hash) if hash == *expected => Ok(()),
        _ => Err(LoginError::AccessTokenHash),
    }
}

async fn send(http: &Http, repeat: Repeat, request: HttpRequest) -> Result<HttpResponse, ServiceError> {
    http.send(ServiceName::OidcIssuer, repeat, &request).await
}

fn token_error(
    login: &Login<'_>,
    error: RequestTokenError<ServiceError, StandardErrorResponse<CoreErrorResponseType>>,
) -> LoginError {
    match error {
        RequestTokenError::Request(error) => LoginError::Service(error),
        RequestTokenError::ServerResponse(response) => LoginError::Refused {
            error: response.error().to_string(),
            description: response.error_description().cloned().unwrap_or_default(),
        },
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            garbage(login, "its token answer has another shape than OpenID Connect's")
        }
    }
}

fn garbage(login: &Login<'_>, what: &'static str) -> LoginError {
    ServiceError::garbage(ServiceName::OidcIssuer, login.issuer, what).into()
}

/// Members of the discovery document that the library does not know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Extensions {
    /// RFC 8414 §2.
    #[serde(default)]
    code_challenge_methods_supported: Vec<String>,
    /// RFC 9207 §3.
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for Extensions {}

type Metadata = ProviderMetadata<
    Extensions,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// What gitsign and cosign wait, too.
const LOGIN_TIME: Duration = Duration::from_secs(120);

/// Every signature of JWA (RFC 7518 §3.1, RFC 8037) but the symmetric ones and `none`.
const SIGNING_ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
];
