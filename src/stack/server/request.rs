//! One request: read within its limits, worked on away from the sockets, answered.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use http::header::HOST;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use jiff::Timestamp;

use super::connection::{Activity, Answer, MAX_HEADERS};
use super::{Door, Server, client};
use crate::stack::routes::{max_body_bytes, refusal};
use crate::stack::{ClientAddress, Fault};

pub(super) async fn answer(
    server: Arc<Server>,
    door: Door,
    activity: Arc<Activity>,
    peer: Option<IpAddr>,
    request: Request<Incoming>,
) -> Response<Answer> {
    let handling = activity.handle();
    let limits = server.options.limits;
    let until = Instant::now() + limits.body + limits.answer;
    let from = client::address(peer, server.options.behind_proxy, request.headers());
    let response = match read(&server, from, request).await {
        Ok(request) => work(server, door, request).await,
        Err(response) => response,
    };
    response.map(|body| handling.send(body, until))
}

/// The whole request, or what is answered to one that breaks a limit.
async fn read(
    server: &Server,
    from: IpAddr,
    request: Request<Incoming>,
) -> Result<Request<Vec<u8>>, Response<Vec<u8>>> {
    let (mut head, body) = request.into_parts();
    let path = head.uri.path();
    if head.headers.len() > MAX_HEADERS {
        return Err(refusal(path, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "there are too many headers"));
    }
    // Whoever says so beforehand need not send it.
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > max_body_bytes(path) {
        return Err(refusal(path, StatusCode::PAYLOAD_TOO_LARGE, "the body is too large"));
    }
    let whole = Limited::new(body, max_body_bytes(path)).collect();
    let body = match tokio::time::timeout(server.options.limits.body, whole).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            return Err(refusal(path, StatusCode::PAYLOAD_TOO_LARGE, "the body is too large"));
        }
        Ok(Err(_)) => return Err(refusal(path, StatusCode::BAD_REQUEST, "the body cannot be read")),
        Err(_) => return Err(refusal(path, StatusCode::REQUEST_TIMEOUT, "the body did not come in time")),
    };
    // RFC 9113 §8.3.1: what HTTP/2 has for it.
    if let Some(authority) = head.uri.authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok()) {
        head.headers.insert(HOST, authority);
    }
    head.extensions.insert(ClientAddress(from));
    Ok(Request::from_parts(head, body.into()))
}

/// Signing and syncing to disk take milliseconds: on threads of their own, so that the sockets are not held up.
async fn work(server: Arc<Server>, _door: Door, request: Request<Vec<u8>>) -> Response<Vec<u8>> {
    let path = request.uri().path().to_owned();
    let answer = server.options.limits.answer;
    let worked = tokio::time::timeout(answer, async move {
        let permit = Arc::clone(&server.at_once).acquire_owned().await.ok()?;
        let work = tokio::task::spawn_blocking(move || {
            #[expect(clippy::disallowed_methods, reason = "the server reads the clock, once a request")]
            let now = Timestamp::now();
            let response = server.stack.handle(&request, now);
            if let Some(Fault(fault)) = response.extensions().get::<Fault>() {
                (server.options.report)(&format!("fault: {} {}: {fault}", request.method(), request.uri().path()));
            }
            // It is done even when the client has gone meanwhile.
            drop(permit);
            response
        });
        work.await.ok()
    });
    match worked.await {
        Ok(Some(response)) => response,
        Ok(None) => refusal(&path, StatusCode::INTERNAL_SERVER_ERROR, "the server failed"),
        Err(_) => refusal(&path, StatusCode::SERVICE_UNAVAILABLE, "the server is too busy"),
    }
}
