//! Rekor v2's paths: one to write to, and the static files, which any web server could serve in its place.

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use jiff::Timestamp;
use serde_json::json;

use super::answers::{fulcio, json, tile_log_error};
use crate::stack::Stack;
use crate::stack::audit::AuditEvent;
use crate::stack::rekor_v2::StaticPath;
use crate::tlog::rekor_v2;

/// `path` is what follows the log's address. The files are there with and without `/api/v2`: the write API's description
/// has them below it, readers look for them beside the checkpoint.
pub(super) fn routes(stack: &Stack, request: &Request<Vec<u8>>, path: &str, now: Timestamp) -> Response<Vec<u8>> {
    let get = request.method() == Method::GET;
    match path {
        "/api/v2/log/entries" if request.method() == Method::POST => match stack.tile_log.add(request.body(), now) {
            Ok(entry) => {
                let event = AuditEvent::EntryLogged { log: "rekor-v2", index: entry.log_index, uuid: None };
                AuditEvent::attach(Some(event), json(StatusCode::CREATED, &rekor_v2::answer(&entry)))
            }
            Err(error) => tile_log_error(&error),
        },
        "/healthz" if get => json(StatusCode::OK, &json!({ "status": "SERVING" })),
        _ => {
            let name = path.strip_prefix("/api/v2").unwrap_or(path).strip_prefix('/');
            let file = name.and_then(StaticPath::parse);
            match file {
                Some(file) if get => static_file(stack, file),
                _ if file.is_some() || PATHS.contains(&path) => {
                    fulcio(StatusCode::NOT_IMPLEMENTED, 12, "Method Not Allowed")
                }
                _ => fulcio(StatusCode::NOT_FOUND, 5, "Not Found"),
            }
        }
    }
}

fn static_file(stack: &Stack, path: StaticPath) -> Response<Vec<u8>> {
    match stack.tile_log.file(path) {
        Ok(Some(bytes)) => {
            let (content_type, cache_control) = if path.is_immutable() {
                ("application/octet-stream", "public, max-age=31536000, immutable")
            } else {
                ("text/plain; charset=utf-8", "no-cache")
            };
            let mut response = Response::new(bytes);
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(cache_control));
            response
        }
        // It may be there in a moment.
        Ok(None) => {
            let mut response = fulcio(StatusCode::NOT_FOUND, 5, "Not Found");
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(error) => tile_log_error(&error),
    }
}

const PATHS: [&str; 2] = ["/api/v2/log/entries", "/healthz"];
