//! What users are given to trust, one by one and as a TUF repository.

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use jiff::Timestamp;

use super::answers::{Fault, text};
use crate::stack::Stack;
use crate::stack::paths::TUF;

/// `/trust/…` and `/tuf/…`.
pub(super) fn routes(stack: &Stack, request: &Request<Vec<u8>>, now: Timestamp) -> Response<Vec<u8>> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return text(StatusCode::METHOD_NOT_ALLOWED, "another method is needed");
    }
    let path = request.uri().path();
    match path {
        "/trust/client_trust_config.json" => document(&stack.trust.client_trust_config),
        "/trust/signing_config_rekor_v2.v0.2.json" => document(&stack.trust.signing_config_v2),
        "/trust/signing_config.v0.2.json" => document(&stack.trust.signing_config),
        "/trust/trusted_root.json" => document(&stack.trust.trusted_root),
        _ => match path.strip_prefix(TUF).and_then(|path| path.strip_prefix('/')) {
            Some(file) => tuf(stack, file, now),
            None => text(StatusCode::NOT_FOUND, "nothing is here"),
        },
    }
}

/// A client asks for the root after its newest until there is none: 404.
fn tuf(stack: &Stack, file: &str, now: Timestamp) -> Response<Vec<u8>> {
    let (bytes, renewed) = stack.tuf.file(file, now);
    let mut response = match bytes {
        Some(bytes) => {
            let mut response = document(&bytes);
            if file.starts_with("targets/") && !file.ends_with(".json") {
                let value = HeaderValue::from_static("application/octet-stream");
                response.headers_mut().insert(CONTENT_TYPE, value);
            }
            // Only the timestamp ever changes under its name.
            if file != "timestamp.json" {
                let value = HeaderValue::from_static("public, max-age=86400, immutable");
                response.headers_mut().insert(CACHE_CONTROL, value);
            }
            response
        }
        None => text(StatusCode::NOT_FOUND, "nothing is here"),
    };
    if let Err(error) = renewed {
        response = Fault::attach(response, &error);
    }
    response
}

fn document(bytes: &[u8]) -> Response<Vec<u8>> {
    let mut response = Response::new(bytes.to_vec());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
