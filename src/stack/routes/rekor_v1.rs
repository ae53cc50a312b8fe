//! Rekor v1's paths.

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, LOCATION};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use jiff::Timestamp;
use serde_json::Value;

use super::answers::{json, log_error, rekor, text};
use super::{REKOR_CACHE_CONTROL, media_type};
use crate::stack::Stack;
use crate::stack::audit::AuditEvent;
use crate::stack::paths::REKOR;
use crate::stack::transparency_log::{
    LogError, ProofQuery, RetrieveQuery, SearchQuery, log_index, path_entry_id, tree_id,
};
use crate::tlog::TransparencyLogEntry;
use crate::tlog::rekor_json::{self, EntryId};

/// `path` is what follows the log's address. A slash at its end means nothing: sigstore-python writes one.
pub(super) fn routes(stack: &Stack, request: &Request<Vec<u8>>, path: &str, now: Timestamp) -> Response<Vec<u8>> {
    let log = &stack.transparency_log;
    let path = path.strip_suffix('/').unwrap_or(path);
    let Some(allowed) = allowed(path) else {
        return rekor(StatusCode::NOT_FOUND, 404, &format!("path {path} was not found"));
    };
    if !allowed.contains(request.method()) {
        return method_not_allowed(request.method(), allowed);
    }
    if request.method() == Method::POST {
        return if media_type(request) == "application/json" {
            post(stack, request, path, now)
        } else {
            not_json(request)
        };
    }
    let query = request.uri().query().unwrap_or_default();
    let mut response = match path {
        "/ping" => return text(StatusCode::OK, "."),
        "/api/v1/log" => json(StatusCode::OK, &log.info()),
        "/api/v1/log/entries" => found(log_index(query).map_err(LogError::from).and_then(|at| log.by_index(at))),
        "/api/v1/log/proof" => {
            let proof = ProofQuery::read(query).map_err(LogError::from);
            answer(proof.and_then(|query| log.consistency_proof(&query)))
        }
        "/api/v1/log/publicKey" => {
            let key = tree_id(query).map_err(LogError::from).and_then(|tree_id| log.public_key(tree_id));
            key.map_or_else(|error| log_error(&error), pem_file)
        }
        entry => {
            let id = entry.strip_prefix(ENTRIES).unwrap_or_default();
            found(path_entry_id(id).map_err(LogError::from).and_then(|id| log.by_id(&id)))
        }
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(REKOR_CACHE_CONTROL));
    response
}

fn post(stack: &Stack, request: &Request<Vec<u8>>, path: &str, now: Timestamp) -> Response<Vec<u8>> {
    let log = &stack.transparency_log;
    let body = request.body();
    match path {
        "/api/v1/index/retrieve" => {
            let found = SearchQuery::read(body).and_then(|query| log.search(&query));
            answer(found.map(|ids| ids.iter().map(EntryId::to_string).collect()))
        }
        "/api/v1/log/entries/retrieve" => {
            let found = RetrieveQuery::read(body).and_then(|query| log.retrieve(&query));
            answer(found.map(|entries| entries.iter().map(|(id, entry)| rekor_json::answer(id, entry)).collect()))
        }
        _ => add(stack, body, now),
    }
}

fn add(stack: &Stack, body: &[u8], now: Timestamp) -> Response<Vec<u8>> {
    if body.is_empty() {
        return rekor(StatusCode::UNPROCESSABLE_ENTITY, 602, "proposedEntry in body is required");
    }
    let (id, mut response) = match stack.transparency_log.add(body, now) {
        Ok((id, entry)) => {
            let mut response = json(StatusCode::CREATED, &rekor_json::answer(&id, &entry));
            if let Ok(etag) = HeaderValue::from_str(&id.to_string()) {
                response.headers_mut().insert(ETAG, etag);
            }
            let event = AuditEvent::EntryLogged { log: "rekor-v1", index: entry.log_index, uuid: Some(id.to_string()) };
            let response = AuditEvent::attach(Some(event), response);
            (id, response)
        }
        Err(LogError::Duplicate(id)) => (id, log_error(&LogError::Duplicate(id))),
        Err(error) => return log_error(&error),
    };
    if let Ok(location) = HeaderValue::from_str(&format!("{REKOR}{ENTRIES}{id}")) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

fn answer(outcome: Result<Value, LogError>) -> Response<Vec<u8>> {
    outcome.map_or_else(|error| log_error(&error), |value| json(StatusCode::OK, &value))
}

fn found(entry: Result<Option<(EntryId, TransparencyLogEntry)>, LogError>) -> Response<Vec<u8>> {
    match entry {
        Ok(Some((id, entry))) => json(StatusCode::OK, &rekor_json::answer(&id, &entry)),
        Ok(None) => {
            let mut response = Response::new(Vec::new());
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }
        Err(error) => log_error(&error),
    }
}

fn pem_file(pem: String) -> Response<Vec<u8>> {
    let mut response = Response::new(pem.into_bytes());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-pem-file"));
    response
}

fn not_json(request: &Request<Vec<u8>>) -> Response<Vec<u8>> {
    let media_type = media_type(request);
    let message = format!("unsupported media type {media_type:?}, only [application/json] are allowed");
    rekor(StatusCode::UNSUPPORTED_MEDIA_TYPE, 415, &message)
}

fn method_not_allowed(method: &Method, allowed: &[Method]) -> Response<Vec<u8>> {
    let names = allowed.iter().map(Method::as_str).collect::<Vec<_>>().join(",");
    let message = format!("method {method} is not allowed, but [{names}] are");
    let mut response = rekor(StatusCode::METHOD_NOT_ALLOWED, 405, &message);
    if let Ok(names) = HeaderValue::from_str(&names) {
        response.headers_mut().insert(ALLOW, names);
    }
    response
}

/// The methods for a path that there is.
fn allowed(path: &str) -> Option<&'static [Method]> {
    Some(match path {
        "/api/v1/index/retrieve" | "/api/v1/log/entries/retrieve" => &[Method::POST],
        "/api/v1/log/entries" => &[Method::GET, Method::POST],
        "/api/v1/log" | "/api/v1/log/proof" | "/api/v1/log/publicKey" | "/ping" => &[Method::GET],
        entry if entry.strip_prefix(ENTRIES).is_some_and(|id| !id.contains('/')) => &[Method::GET],
        _ => return None,
    })
}

const ENTRIES: &str = "/api/v1/log/entries/";
