//! The end of a login at its issuer (RFC 7009).

use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, StatusCode};
use tokio::time::timeout;
use url::form_urlencoded::Serializer;

use super::provider::{Provider, send};
use super::{LoginError, RefreshToken};
use crate::services::ServiceError;
use crate::services::http::{Http, Problem, Repeat, ServiceName, is_web_address};

/// Has the issuer forget the login that `token` belongs to, where it takes that; where it does not, the token stays good
/// for whoever has it until it is too old. An issuer that is down is not waited for as one is whose answer is needed.
///
/// # Errors
/// [`LoginError`]
pub async fn revoke(http: &Http, issuer: &str, client_id: &str, token: &RefreshToken) -> Result<(), LoginError> {
    timeout(REVOCATION_TIME, ask(http, issuer, client_id, token)).await.unwrap_or_else(|_| {
        Err(ServiceError::new(ServiceName::OidcIssuer, issuer, Problem::TimedOut(REVOCATION_TIME)).into())
    })
}

async fn ask(http: &Http, issuer: &str, client_id: &str, token: &RefreshToken) -> Result<(), LoginError> {
    let provider = Provider::discover(http, issuer, client_id).await?;
    let Some(address) = &provider.metadata.additional_metadata().revocation_endpoint else { return Ok(()) };
    let bad_address = || ServiceError::new(ServiceName::OidcIssuer, address, Problem::BadAddress);
    if !is_web_address(address) {
        return Err(bad_address().into());
    }
    let form = [("token", token.expose()), ("token_type_hint", "refresh_token"), ("client_id", client_id)];
    let form = Serializer::new(String::new()).extend_pairs(form).finish();
    let mut request = Request::new(form.into_bytes());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = address.parse().map_err(|_| bad_address())?;
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    let response = send(http, Repeat::Always, request).await?;
    match response.status() {
        StatusCode::OK => Ok(()),
        _ => Err(ServiceError::refused(ServiceName::OidcIssuer, address, &response).into()),
    }
}

/// A person waits for it, and can do nothing about it.
const REVOCATION_TIME: Duration = Duration::from_secs(4);
