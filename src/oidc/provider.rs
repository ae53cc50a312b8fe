//! An OpenID Connect issuer: what it says of itself, and its tokens, checked.

use http::StatusCode;
use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod, CoreErrorResponseType,
    CoreGrantType, CoreIdToken, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm,
    CoreJwsSigningAlgorithm, CoreResponseMode, CoreResponseType, CoreSubjectIdentifierType, CoreTokenResponse,
};
use openidconnect::{
    AccessTokenHash, AdditionalProviderMetadata, AuthType, ClientId, DeviceAuthorizationUrl, DiscoveryError,
    EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IssuerUrl, Nonce,
    OAuth2TokenResponse as _, ProviderMetadata, RequestTokenError, Scope, StandardErrorResponse,
};
use serde::{Deserialize, Serialize};

use super::{Flow, LoginError, Obtained, RefreshToken};
use crate::identity_token::IdentityToken;
use crate::services::ServiceError;
use crate::services::http::{Http, Problem, Repeat, ServiceName};

/// An issuer that was asked what it offers, and the client that waxseal is to it.
#[derive(Debug)]
pub(super) struct Provider<'a> {
    pub(super) issuer: &'a str,
    pub(super) metadata: Metadata,
    pub(super) client: Client,
}

impl<'a> Provider<'a> {
    /// OpenID Connect Discovery §4, with the keys.
    pub(super) async fn discover(http: &Http, issuer: &'a str, client_id: &str) -> Result<Self, LoginError> {
        let metadata = discover(http, issuer).await?;
        let client = CoreClient::from_provider_metadata(metadata.clone(), ClientId::new(client_id.to_owned()), None)
            // A public client has no secret to prove itself with (RFC 6749 §3.2.1).
            .set_auth_type(AuthType::RequestBody);
        Ok(Self { issuer, metadata, client })
    }

    /// What is asked for beside `openid`: the address that the certificate will name and, where the issuer has such a
    /// thing (OpenID Connect Core §11), a refresh token.
    pub(super) fn scopes(&self) -> impl Iterator<Item = Scope> {
        let offline = self.has_offline_access().then(|| Scope::new(OFFLINE_ACCESS.to_owned()));
        std::iter::once(Scope::new("email".to_owned())).chain(offline)
    }

    /// Whether there are refresh tokens for who asks for that. sigstore.dev lists them, and its tokens cannot be refreshed
    /// with one: asking would cost a page of consent for nothing.
    pub(super) fn has_offline_access(&self) -> bool {
        self.issuer != PUBLIC_GOOD
            && self.metadata.scopes_supported().into_iter().flatten().any(|scope| scope.as_str() == OFFLINE_ACCESS)
    }

    /// What the issuer gave, once its ID token was verified; `nonce` where the flow has one.
    pub(super) fn obtained(
        &self,
        answer: &CoreTokenResponse,
        nonce: Option<&Nonce>,
        flow: Flow,
    ) -> Result<Obtained, LoginError> {
        let id_token = answer.extra_fields().id_token().ok_or(LoginError::NoIdToken)?;
        self.verify(id_token, answer, nonce)?;
        Ok(Obtained {
            token: IdentityToken::parse(id_token.to_string())?,
            refresh_token: answer.refresh_token().map(|token| RefreshToken::new(token.secret().clone())),
            flow,
        })
    }

    /// Signature, issuer, audience, nonce, and, if it is there, the access token's hash. The library reads the clock for
    /// the expiry: this is the moment after a login.
    fn verify(
        &self,
        id_token: &CoreIdToken,
        answer: &CoreTokenResponse,
        nonce: Option<&Nonce>,
    ) -> Result<(), LoginError> {
        let verifier = self.client.id_token_verifier().set_allowed_algs(SIGNING_ALGORITHMS);
        let claims = match nonce {
            Some(nonce) => id_token.claims(&verifier, nonce),
            None => id_token.claims(&verifier, |_: Option<&Nonce>| Ok(())),
        };
        let claims = claims.map_err(LoginError::IdToken)?;
        let Some(expected) = claims.access_token_hash() else { return Ok(()) };
        let algorithm = id_token.signing_alg().map_err(|_| LoginError::AccessTokenHash)?;
        let key = id_token.signing_key(&verifier).map_err(|_| LoginError::AccessTokenHash)?;
        match AccessTokenHash::from_token(answer.access_token(), algorithm, key) {
            Ok(hash) if hash == *expected => Ok(()),
            _ => Err(LoginError::AccessTokenHash),
        }
    }

    /// RFC 8628 §4, where the issuer has that flow.
    pub(super) fn device_endpoint(&self) -> Option<DeviceAuthorizationUrl> {
        self.metadata.additional_metadata().device_authorization_endpoint.clone()
    }

    /// Without PKCE with S256 a stolen code is as good as a login.
    pub(super) fn demand_pkce(&self) -> Result<(), LoginError> {
        let methods = &self.metadata.additional_metadata().code_challenge_methods_supported;
        let offered = methods.iter().any(|method| method == "S256");
        if offered { Ok(()) } else { Err(LoginError::NoPkce(self.issuer.to_owned())) }
    }

    pub(super) fn garbage(&self, what: &'static str) -> LoginError {
        garbage(self.issuer, what)
    }

    pub(super) fn token_error(
        &self,
        error: RequestTokenError<ServiceError, StandardErrorResponse<CoreErrorResponseType>>,
    ) -> LoginError {
        match error {
            RequestTokenError::Request(error) => LoginError::Service(error),
            RequestTokenError::ServerResponse(response) => LoginError::Refused {
                error: response.error().to_string(),
                description: response.error_description().cloned().unwrap_or_default(),
            },
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
                self.garbage("its token answer has another shape than OpenID Connect's")
            }
        }
    }
}

async fn discover(http: &Http, issuer: &str) -> Result<Metadata, LoginError> {
    let address = IssuerUrl::new(issuer.to_owned())
        .map_err(|_| ServiceError::new(ServiceName::OidcIssuer, issuer, Problem::BadAddress))?;
    let sender = |request| send(http, Repeat::Always, request);
    Metadata::discover_async(address, &sender).await.map_err(|error| match error {
        DiscoveryError::Request(error) => LoginError::Service(error),
        DiscoveryError::Response(status, _, _) if status.is_success() => {
            garbage(issuer, "the discovery document or the key set is not JSON")
        }
        DiscoveryError::Response(status, body, _) => {
            let mut response = http::Response::new(body);
            *response.status_mut() = status;
            ServiceError::refused(ServiceName::OidcIssuer, issuer, &response).into()
        }
        DiscoveryError::Validation(says) => LoginError::IssuerMismatch { issuer: issuer.to_owned(), says },
        DiscoveryError::UrlParse(_) => ServiceError::new(ServiceName::OidcIssuer, issuer, Problem::BadAddress).into(),
        _ => garbage(issuer, "its discovery document or key set has another shape than OpenID Connect's"),
    })
}

pub(super) async fn send(http: &Http, repeat: Repeat, request: HttpRequest) -> Result<HttpResponse, ServiceError> {
    let address = request.uri().to_string();
    let response = http.send(ServiceName::OidcIssuer, repeat, &request).await?;
    if !is_oauth(&response) {
        return Err(ServiceError::refused(ServiceName::OidcIssuer, &address, &response));
    }
    Ok(response)
}

/// Whether `response` is an answer or an error of OAuth (RFC 6749 §5.2). A proxy's page about a server that is down is
/// neither, and no mistake in one; nor is the word that there are too many requests, unless it is about polling (RFC 8628
/// §3.5, which some send with that status).
fn is_oauth(response: &HttpResponse) -> bool {
    let error = || {
        let body: serde_json::Value = serde_json::from_slice(response.body()).ok()?;
        Some(body.get("error")?.as_str()?.to_owned())
    };
    match response.status() {
        status if status.is_success() => true,
        status if status.is_server_error() => false,
        StatusCode::TOO_MANY_REQUESTS => error().is_some_and(|error| POLLING.contains(&error.as_str())),
        _ => error().is_some(),
    }
}

fn garbage(issuer: &str, what: &'static str) -> LoginError {
    ServiceError::garbage(ServiceName::OidcIssuer, issuer, what).into()
}

/// Members of the discovery document that the library does not know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Extensions {
    /// RFC 8414 §2.
    #[serde(default)]
    pub(super) code_challenge_methods_supported: Vec<String>,
    /// RFC 8628 §4.
    #[serde(default)]
    pub(super) device_authorization_endpoint: Option<DeviceAuthorizationUrl>,
    /// RFC 9207 §3.
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
    /// RFC 8414 §2.
    #[serde(default)]
    pub(super) revocation_endpoint: Option<String>,
}

impl AdditionalProviderMetadata for Extensions {}

pub(super) type Metadata = ProviderMetadata<
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

pub(super) type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

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

/// RFC 8628 §3.5
const POLLING: [&str; 2] = ["authorization_pending", "slow_down"];

/// The OpenID Connect issuer of the public-good instance.
const PUBLIC_GOOD: &str = "https://oauth2.sigstore.dev/auth";

/// OpenID Connect Core §11.
const OFFLINE_ACCESS: &str = "offline_access";
