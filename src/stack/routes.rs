//! Paths to actors' methods, and their errors to what Fulcio, Rekor and dex answer in their place.

mod answers;
mod class;
mod ct_log;
mod fulcio;
mod health;
mod oidc;
mod pages;
mod rekor_v1;
mod rekor_v2;
mod timestamp;
mod trust;

use http::header::{CONTENT_TYPE, HOST};
use http::{Method, Request, Response, StatusCode};
use jiff::Timestamp;

pub use self::answers::Fault;

pub(super) use self::class::{RequestClass, route};
pub(super) use self::health::health;

use self::answers::{fulcio, json, rekor, text};
use super::Stack;
use super::paths::{OIDC, REKOR, REKOR_V2, TIMESTAMPS};

impl Stack {
    /// Answers one request. Faults of the stack's own travel with the answer as [`Fault`], for the log of the server.
    pub fn handle(&self, request: &Request<Vec<u8>>, now: Timestamp) -> Response<Vec<u8>> {
        let headers = request.headers();
        let header_bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if header_bytes > MAX_HEADER_BYTES {
            return text(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "the header is too large");
        }
        if request.body().len() > max_body_bytes(request.uri().path()) {
            return text(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large");
        }
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let host = host.or_else(|| request.uri().authority().map(http::uri::Authority::as_str));
        if !host.is_some_and(|host| self.public_url.admits_host(host)) {
            let path = request.uri().path();
            return refusal(path, StatusCode::MISDIRECTED_REQUEST, "this is not the host that you asked for");
        }
        let path = request.uri().path();
        let get = request.method() == Method::GET;
        if let Some(path) = below(REKOR_V2, path) {
            return rekor_v2::routes(self, request, path, now);
        }
        if let Some(path) = below(REKOR, path) {
            return rekor_v1::routes(self, request, path, now);
        }
        // Whoever has the log's own address from the trusted root adds `/ct/v1` to it; whoever has the stack's, too.
        if let Some(path) = below("/ct/ct/v1", path).or_else(|| below("/ct/v1", path)) {
            return ct_log::routes(self, request, path, now);
        }
        if let Some(path) = below(OIDC, path) {
            return oidc::routes(self, request, path, now);
        }
        let timestamp_path = path.strip_prefix(TIMESTAMPS).unwrap_or(path);
        if timestamp_path != path || timestamp_path.starts_with(timestamp::STAMP) {
            return timestamp::routes(self, request, timestamp_path, now);
        }
        match path {
            "/healthz" if get || request.method() == Method::HEAD => health(self, now),
            "/healthz" => text(StatusCode::METHOD_NOT_ALLOWED, "another method is needed"),
            _ if path.starts_with("/trust/") || path.starts_with("/tuf/") => trust::routes(self, request, now),
            _ if path.starts_with("/api/") => fulcio::routes(self, request, now),
            _ => text(StatusCode::NOT_FOUND, "nothing is here"),
        }
    }
}

/// The largest body that is read of a request for `path`: 4 MiB, as by Rekor v2, where envelopes come with their
/// payload; elsewhere a Rekor entry of 64 KiB, in base64 and with room around it.
pub(super) fn max_body_bytes(path: &str) -> usize {
    let takes_envelopes = [REKOR, REKOR_V2].iter().any(|prefix| path.starts_with(*prefix));
    if takes_envelopes { 4 << 20 } else { 128 << 10 }
}

/// An ID token of the greatest length, and as much again.
pub(super) const MAX_HEADER_BYTES: usize = 128 * 1024;

/// What is answered in the place of the service that `path` belongs to, in its words.
pub(super) fn refusal(path: &str, status: StatusCode, sentence: &str) -> Response<Vec<u8>> {
    let is_timestamps = path.starts_with(TIMESTAMPS) || path.starts_with(timestamp::STAMP);
    if is_timestamps || below(REKOR, path).is_some() {
        rekor(status, status.as_u16(), sentence)
    } else if path.starts_with("/api/") || below(REKOR_V2, path).is_some() {
        fulcio(status, grpc_code(status), sentence)
    } else if matches!(below(OIDC, path), Some("/token" | "/device/code" | "/revoke")) {
        // RFC 6749 §4.1.2.1 has the word, for another endpoint.
        let error = if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            "temporarily_unavailable"
        } else {
            "invalid_request"
        };
        json(status, &serde_json::json!({ "error": error, "error_description": sentence }))
    } else if below(OIDC, path).is_some_and(pages::is_read) {
        pages::refusal(status, sentence)
    } else {
        text(status, sentence)
    }
}

/// `google.rpc.Code`, as grpc-gateway has it.
fn grpc_code(status: StatusCode) -> u8 {
    match status {
        StatusCode::BAD_REQUEST
        | StatusCode::MISDIRECTED_REQUEST
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => 3,
        StatusCode::REQUEST_TIMEOUT => 4,
        StatusCode::TOO_MANY_REQUESTS => 8,
        StatusCode::SERVICE_UNAVAILABLE => 14,
        _ => 13,
    }
}

/// What follows `prefix` and a slash, with the slash.
fn below<'a>(prefix: &str, path: &'a str) -> Option<&'a str> {
    path.strip_prefix(prefix).filter(|rest| rest.starts_with('/'))
}

fn strip_scheme<'a>(value: &'a str, scheme: &str) -> Option<&'a str> {
    let (found, rest) = value.split_once(' ')?;
    found.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

/// Without its parameters.
fn media_type(request: &Request<Vec<u8>>) -> String {
    let value = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// What Rekor and the timestamp authority say of whatever may change.
const REKOR_CACHE_CONTROL: &str = "no-cache, no-store, no-transform, must-revalidate, private, max-age=0";
