//! The timestamp authority's paths, under a prefix of their own and, since they clash with nobody's, without one.

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use jiff::Timestamp;

use super::answers::{self, rekor, text};
use super::{REKOR_CACHE_CONTROL, media_type};
use crate::stack::Stack;
use crate::stack::timestamp_authority::StampError;
use crate::tlog::hashedrekord::{Verifier, pem};

pub(super) fn routes(stack: &Stack, request: &Request<Vec<u8>>, path: &str, now: Timestamp) -> Response<Vec<u8>> {
    let mut response = match (request.method(), path) {
        (&Method::POST, STAMP) => stamp(stack, request, now),
        (&Method::GET, CHAIN) => return chain(stack),
        (&Method::GET, "/ping") => text(StatusCode::OK, "."),
        (_, STAMP | CHAIN | "/ping") => {
            let message = format!("method {} is not allowed", request.method());
            rekor(StatusCode::METHOD_NOT_ALLOWED, 405, &message)
        }
        _ => rekor(StatusCode::NOT_FOUND, 404, "nothing is here"),
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(REKOR_CACHE_CONTROL));
    response
}

fn stamp(stack: &Stack, request: &Request<Vec<u8>>, now: Timestamp) -> Response<Vec<u8>> {
    let authority = &stack.timestamp_authority;
    let media_type = media_type(request);
    let make: &dyn Fn() -> Result<Vec<u8>, StampError> = match media_type.as_str() {
        "application/timestamp-query" => &|| authority.stamp(request.body(), now),
        "application/json" => &|| authority.stamp_json(request.body(), now),
        _ => {
            let allowed = "only [application/timestamp-query application/json] are allowed";
            let message = format!("unsupported media type {media_type:?}, {allowed}");
            return rekor(StatusCode::UNSUPPORTED_MEDIA_TYPE, 415, &message);
        }
    };
    authority.logged(stack.last_logged());
    let answer = match make() {
        Err(StampError::ClockWentBack { .. }) if stack.clock_is_accepted(now) => {
            authority.begin_again_at(now);
            make()
        }
        answer => answer,
    };
    match answer {
        Ok(der) => {
            let mut response = Response::new(der);
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/timestamp-reply"));
            response
        }
        Err(error) => answers::stamp_error(&error),
    }
}

/// The signer first, the root last.
fn chain(stack: &Stack) -> Response<Vec<u8>> {
    let pem = stack.timestamp_authority.chain().map(|der| pem(Verifier::Certificate(der))).concat();
    let mut response = Response::new(pem.into_bytes());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/pem-certificate-chain"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=86400"));
    response
}

pub(super) const STAMP: &str = "/api/v1/timestamp";
const CHAIN: &str = "/api/v1/timestamp/certchain";
