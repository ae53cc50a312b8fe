//! Paths to actors' methods, and their errors to what Fulcio, Rekor and dex answer in their place.

mod answers;
mod fulcio;
mod timestamp;
mod trust;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, ETAG, HOST, LOCATION};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use jiff::Timestamp;

pub use self::answers::Fault;

use self::answers::{html, json, oidc, page, rekor, text};
use super::oidc_issuer::{AuthorizationError, RedirectUri};
use super::transparency_log::LogError;
use super::{REKOR, Stack, TIMESTAMPS};
use crate::tlog::TransparencyLogEntry;
use crate::tlog::rekor_json::{self, EntryId};

/// The largest request body that is read: a Rekor entry of 64 KiB, in base64 and with room around it.
pub(super) const MAX_BODY_BYTES: usize = 128 * 1024;

/// An ID token of the greatest length, and as much again.
const MAX_HEADER_BYTES: usize = 128 * 1024;

pub(super) fn handle(stack: &Stack, request: &Request<Vec<u8>>, now: Timestamp) -> Response<Vec<u8>> {
    let headers = request.headers();
    let header_bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if header_bytes > MAX_HEADER_BYTES {
        return text(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "the header is too large");
    }
    if request.body().len() > MAX_BODY_BYTES {
        return text(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large");
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| request.uri().authority().map(http::uri::Authority::as_str));
    if !host.is_some_and(|host| stack.public_url.admits_host(host)) {
        return text(StatusCode::MISDIRECTED_REQUEST, "this is not the host that you asked for");
    }
    let path = request.uri().path();
    let get = request.method() == Method::GET;
    let post = request.method() == Method::POST;
    if let Some(path) = path.strip_prefix(REKOR) {
        return rekor_routes(stack, request, path, now);
    }
    let timestamp_path = path.strip_prefix(TIMESTAMPS).unwrap_or(path);
    if timestamp_path != path || timestamp_path.starts_with(timestamp::STAMP) {
        return timestamp::routes(stack, request, timestamp_path, now);
    }
    match path {
        "/healthz" if get => text(StatusCode::OK, "ok"),
        "/oidc/.well-known/openid-configuration" if get => json(StatusCode::OK, &stack.oidc_issuer.discovery()),
        "/oidc/keys" if get => key_document(stack),
        "/oidc/auth" if get => authorize(stack, request, now),
        "/oidc/token" if post => token(stack, request, now),
        "/healthz" | "/oidc/keys" | "/oidc/auth" | "/oidc/token" => {
            text(StatusCode::METHOD_NOT_ALLOWED, "another method is needed")
        }
        _ if path.starts_with("/trust/") || path.starts_with("/tuf/") => trust::routes(stack, request, now),
        _ if path.starts_with("/api/") => fulcio::routes(stack, request, now),
        _ => text(StatusCode::NOT_FOUND, "nothing is here"),
    }
}

fn key_document(stack: &Stack) -> Response<Vec<u8>> {
    match stack.oidc_issuer.key_document() {
        Ok(keys) => {
            let mut response = json(StatusCode::OK, &keys);
            let value = HeaderValue::from_static("max-age=600, must-revalidate");
            response.headers_mut().insert(CACHE_CONTROL, value);
            response
        }
        Err(error) => Fault::attach(text(StatusCode::INTERNAL_SERVER_ERROR, "no keys"), &error),
    }
}

fn authorize(stack: &Stack, request: &Request<Vec<u8>>, now: Timestamp) -> Response<Vec<u8>> {
    match stack.oidc_issuer.authorize(request.uri().query().unwrap_or_default(), now) {
        Ok(to) | Err(AuthorizationError::Redirect(to)) => send_browser(&to),
        Err(AuthorizationError::Page(sentence)) => page(StatusCode::BAD_REQUEST, "Bad Request", sentence),
    }
}

fn send_browser(to: &RedirectUri) -> Response<Vec<u8>> {
    match to {
        RedirectUri::Loopback { url, .. } => {
            let mut response = html(StatusCode::SEE_OTHER, "");
            match HeaderValue::from_str(url.as_str()) {
                Ok(location) => response.headers_mut().insert(LOCATION, location),
                Err(_) => return page(StatusCode::BAD_REQUEST, "Bad Request", "Unregistered redirect_uri."),
            };
            response
        }
        RedirectUri::OutOfBand(Some(code)) => page(StatusCode::OK, "Copy this code", code),
        RedirectUri::OutOfBand(None) => page(StatusCode::FORBIDDEN, "Login refused", "Nobody was logged in."),
    }
}

fn token(stack: &Stack, request: &Request<Vec<u8>>, now: Timestamp) -> Response<Vec<u8>> {
    let Ok(form) = std::str::from_utf8(request.body()) else {
        return oidc(super::oidc_issuer::TokenError::InvalidRequest("the form is not UTF-8"));
    };
    if media_type(request) != "application/x-www-form-urlencoded" {
        return oidc(super::oidc_issuer::TokenError::InvalidRequest("a form is needed"));
    }
    let basic = request.headers().get(AUTHORIZATION).map(|value| basic_credentials(value).unwrap_or_default());
    match stack.oidc_issuer.token(form, basic, now) {
        Ok(tokens) => {
            let mut response = json(StatusCode::OK, &tokens);
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response.headers_mut().insert(http::header::PRAGMA, HeaderValue::from_static("no-cache"));
            response
        }
        Err(error) => oidc(error),
    }
}

/// RFC 7617, with name and secret form-encoded as RFC 6749 §2.3.1 wants them.
fn basic_credentials(header: &HeaderValue) -> Option<(String, String)> {
    let decoded = STANDARD.decode(strip_scheme(header.to_str().ok()?, "basic")?).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (name, secret) = decoded.split_once(':')?;
    let form_decoded = |text: &str| {
        url::form_urlencoded::parse(format!("v={text}").as_bytes()).next().map(|(_, value)| value.into_owned())
    };
    Some((form_decoded(name)?, form_decoded(secret)?))
}

fn strip_scheme<'a>(value: &'a str, scheme: &str) -> Option<&'a str> {
    let (found, rest) = value.split_once(' ')?;
    found.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

fn rekor_routes(stack: &Stack, request: &Request<Vec<u8>>, path: &str, now: Timestamp) -> Response<Vec<u8>> {
    let log = &stack.transparency_log;
    let mut response = match (request.method(), path) {
        (&Method::GET, "/api/v1/log") => match log.info() {
            Ok(info) => json(StatusCode::OK, &info),
            Err(error) => answers::log_error(&error),
        },
        (&Method::GET, "/api/v1/log/publicKey") => {
            let mut response = Response::new(log.public_key().into_bytes());
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-pem-file"));
            response
        }
        (&Method::GET, "/api/v1/log/entries") => match log_index(request.uri().query().unwrap_or_default()) {
            Some(index) => found(log.by_index(index)),
            None => rekor(StatusCode::UNPROCESSABLE_ENTITY, 602, "logIndex in query is required"),
        },
        (&Method::POST, "/api/v1/log/entries") => return add_entry(stack, request, now),
        (method, path) => match path.strip_prefix("/api/v1/log/entries/") {
            Some(id) if method == Method::GET => match id.parse::<EntryId>() {
                Ok(id) => found(log.by_id(&id)),
                Err(_) => rekor(StatusCode::UNPROCESSABLE_ENTITY, 605, BAD_ENTRY_ID),
            },
            _ => rekor(StatusCode::NOT_FOUND, 404, "nothing is here"),
        },
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(REKOR_CACHE_CONTROL));
    response
}

fn found(entry: Result<Option<(EntryId, TransparencyLogEntry)>, LogError>) -> Response<Vec<u8>> {
    match entry {
        Ok(Some((id, entry))) => json(StatusCode::OK, &rekor_json::answer(&id, &entry)),
        Ok(None) => {
            let mut response = Response::new(Vec::new());
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }
        Err(error) => answers::log_error(&error),
    }
}

fn add_entry(stack: &Stack, request: &Request<Vec<u8>>, now: Timestamp) -> Response<Vec<u8>> {
    let media_type = media_type(request);
    if media_type != "application/json" {
        let message = format!("unsupported media type {media_type:?}, only [application/json] are allowed");
        return rekor(StatusCode::UNSUPPORTED_MEDIA_TYPE, 415, &message);
    }
    let (id, mut response) = match stack.transparency_log.add(request.body(), now) {
        Ok((id, entry)) => {
            let mut response = json(StatusCode::CREATED, &rekor_json::answer(&id, &entry));
            if let Ok(etag) = HeaderValue::from_str(&id.to_string()) {
                response.headers_mut().insert(ETAG, etag);
            }
            (id, response)
        }
        Err(LogError::Duplicate(id)) => (id, answers::log_error(&LogError::Duplicate(id))),
        Err(error) => return answers::log_error(&error),
    };
    if let Ok(location) = HeaderValue::from_str(&format!("{REKOR}/api/v1/log/entries/{id}")) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

fn log_index(query: &str) -> Option<u64> {
    let index = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "logIndex")?.1;
    index.parse().ok().filter(|number: &u64| number.to_string() == index)
}

/// Without its parameters.
fn media_type(request: &Request<Vec<u8>>) -> String {
    let value = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

const BAD_ENTRY_ID: &str = "entryUUID in path should match '^([0-9a-fA-F]{64}|[0-9a-fA-F]{80})$'";
const REKOR_CACHE_CONTROL: &str = "no-cache, no-store, no-transform, must-revalidate, private, max-age=0";
