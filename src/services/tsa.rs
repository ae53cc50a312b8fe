//! A timestamp authority (RFC 3161 §3.4): the digest of a signature becomes a token that says when it was there.

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Method, StatusCode};

use super::http::{Http, Repeat, request};
use super::{ServiceError, ServiceName};
use crate::crypto::random_bytes;
use crate::timestamp::{TimeStampReq, TimeStampResp};

/// Asks the authority at `address`, which is the whole address of its endpoint, for a token over `signature`. It carries
/// the authority's certificate, and it answers this request; who signed it is not verified here.
///
/// # Errors
/// [`ServiceError`]
pub async fn stamp(http: &Http, address: &str, signature: &[u8]) -> Result<Vec<u8>, ServiceError> {
    let garbage = |what: &dyn std::fmt::Display| ServiceError::garbage(SERVICE, address, what);
    let wanted = TimeStampReq::for_message(signature, random_bytes()).map_err(|error| garbage(&error))?;
    let mut request = request(SERVICE, Method::POST, address, wanted.to_der().map_err(|error| garbage(&error))?)?;
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(QUERY));
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static(REPLY));
    let response = http.send(SERVICE, Repeat::Always, &request).await?;
    // Some answer 201, as if they kept it.
    if !matches!(response.status(), StatusCode::OK | StatusCode::CREATED) {
        return Err(ServiceError::refused(SERVICE, address, &response));
    }
    if response.headers().get(CONTENT_TYPE).is_none_or(|found| found != REPLY) {
        return Err(garbage(&format_args!("it is not of the type {REPLY}")));
    }
    let answer = TimeStampResp::from_der(response.body()).map_err(|error| garbage(&error))?;
    let token = match (answer.status, answer.token) {
        // Granted, or granted with changes: which of them matter is checked by content.
        (0 | 1, Some(token)) => token,
        (0 | 1, None) => return Err(garbage(&"it grants a token and holds none")),
        (status, _) => return Err(garbage(&format_args!("no token was granted (PKIStatus {status})"))),
    };
    wanted.is_answered_by(&token).map_err(|error| garbage(&error))?;
    Ok(token)
}

const SERVICE: ServiceName = ServiceName::TimestampAuthority;
const QUERY: &str = "application/timestamp-query";
const REPLY: &str = "application/timestamp-reply";
