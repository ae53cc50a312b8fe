//! One request: read within its limits, worked on away from the sockets, answered, and written down.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{CONTENT_TYPE, HOST, RETRY_AFTER};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use jiff::Timestamp;
use serde_json::json;

use super::activity::{Activity, Answer};
use super::body::{self, BodyError, HeldBytes};
use super::limits::MAX_HEADERS;
use super::shared::{Door, Server, now};
use super::{client, metrics_page};
use crate::stack::audit::AuditEvent;
use crate::stack::routes::{RequestClass, health, max_body_bytes, refusal, route};
use crate::stack::{ClientAddress, Fault};

pub(super) async fn answer(
    server: Arc<Server>,
    door: Door,
    activity: Arc<Activity>,
    peer: Option<IpAddr>,
    request: Request<Incoming>,
) -> Response<Answer> {
    let handling = activity.handle();
    let start = Instant::now();
    let limits = server.options.limits;
    let from = client::address(peer, server.options.behind_proxy, request.headers());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let class = RequestClass::of(&method, &path);
    // Before anything of the body is read: what is refused costs as little as it can.
    let counted = if door == Door::Monitoring || server.is_private { Ok(()) } else { server.rates.count(from, class) };
    let response = match counted {
        Err(wait) => {
            server.metrics.limited(class);
            body::discard(request.into_body(), max_body_bytes(&path)).await;
            come_again(&path, StatusCode::TOO_MANY_REQUESTS, "there were too many requests: come again later", wait)
        }
        Ok(()) => match read(&server, from, request).await {
            Err(refused) => refused,
            Ok((request, held)) => {
                let is_own = path == METRICS && server.is_private && is_meant(&server, &request);
                if door == Door::Monitoring || is_own {
                    monitoring(&server, &request)
                } else {
                    work(&server, class, from, request, held).await
                }
            }
        },
    };
    let took = start.elapsed();
    server.metrics.answered(route(&path), response.status(), took);
    if let Some(log) = &server.options.access_log {
        let mut members = vec![
            ("client", client::logged(from)),
            ("method", json!(method.as_str())),
            ("path", json!(path.chars().take(MAX_LOGGED).collect::<String>())),
        ];
        members.push(("status", json!(response.status().as_u16())));
        members.push(("bytes", json!(response.body().len())));
        members.push(("us", json!(u64::try_from(took.as_micros()).unwrap_or(u64::MAX))));
        log.write("access", now(), members);
    }
    response.map(|body| handling.send(body, start + limits.body + limits.answer))
}

/// The whole request, or what is answered to one that breaks a limit.
async fn read(
    server: &Server,
    from: IpAddr,
    request: Request<Incoming>,
) -> Result<(Request<Vec<u8>>, HeldBytes), Response<Vec<u8>>> {
    let (mut head, mut incoming) = request.into_parts();
    let path = head.uri.path();
    if head.headers.len() > MAX_HEADERS {
        return Err(refusal(path, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "there are too many headers"));
    }
    if !client::names_one_host(head.version, &head.headers) {
        return Err(refusal(path, StatusCode::BAD_REQUEST, "exactly one Host header is needed"));
    }
    let mut held = server.bodies.begin(from);
    let most = max_body_bytes(path);
    let body = match body::read(&mut incoming, &mut held, most, server.options.limits.body).await {
        Ok(body) => body,
        Err(error) => {
            drop(held);
            let sentence = error.to_string();
            return Err(match error {
                BodyError::NoRoom => {
                    body::discard(incoming, most).await;
                    come_again(path, StatusCode::SERVICE_UNAVAILABLE, &sentence, Duration::from_secs(1))
                }
                BodyError::TooLarge => refusal(path, StatusCode::PAYLOAD_TOO_LARGE, &sentence),
                BodyError::TooLate => refusal(path, StatusCode::REQUEST_TIMEOUT, &sentence),
                BodyError::Unreadable => refusal(path, StatusCode::BAD_REQUEST, &sentence),
            });
        }
    };
    // RFC 9113 §8.3.1: what HTTP/2 has for it.
    if let Some(authority) = head.uri.authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok()) {
        head.headers.insert(HOST, authority);
    }
    head.extensions.insert(ClientAddress(from));
    Ok((Request::from_parts(head, body), held))
}

/// Signing and syncing to disk take milliseconds: on threads of their own, so that the sockets are not held up.
async fn work(
    server: &Arc<Server>,
    class: RequestClass,
    from: IpAddr,
    request: Request<Vec<u8>>,
    held: HeldBytes,
) -> Response<Vec<u8>> {
    let path = request.uri().path().to_owned();
    let worked = tokio::time::timeout(server.options.limits.answer, async {
        let (_, at_once) = server.at_once.iter().find(|(of, _)| *of == class)?;
        let permit = Arc::clone(at_once).acquire_owned().await.ok()?;
        let server = Arc::clone(server);
        let work = tokio::task::spawn_blocking(move || {
            let now = now();
            let response = server.stack.handle(&request, now);
            if let Some(Fault(fault)) = response.extensions().get() {
                server.metrics.fault();
                (server.options.report)(&format!("fault: {} {}: {fault}", request.method(), request.uri().path()));
            }
            // Written down here, for it is done even when the client has gone meanwhile.
            if let Some(event) = response.extensions().get() {
                audit(&server, event, from, now);
            }
            drop((permit, request, held));
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

fn audit(server: &Server, event: &AuditEvent, from: IpAddr, now: Timestamp) {
    server.metrics.happened(event);
    if let Some(log) = &server.options.audit_log {
        let mut members = event.members();
        members.push(("client", client::logged(from)));
        log.write("audit", now, members);
    }
}

/// `/metrics` and `/healthz`, and nothing else.
fn monitoring(server: &Server, request: &Request<Vec<u8>>) -> Response<Vec<u8>> {
    let path = request.uri().path();
    match (request.method(), path) {
        (&Method::GET | &Method::HEAD, METRICS) => {
            let mut response = Response::new(metrics_page::page(server, now()).into_bytes());
            let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, content_type);
            response
        }
        (&Method::GET | &Method::HEAD, "/healthz") => health(&server.stack, now()),
        (_, METRICS | "/healthz") => refusal(path, StatusCode::METHOD_NOT_ALLOWED, "another method is needed"),
        _ => refusal(path, StatusCode::NOT_FOUND, "nothing is here"),
    }
}

/// Not from a web page whose host name was made to resolve to this machine.
fn is_meant(server: &Server, request: &Request<Vec<u8>>) -> bool {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    host.is_some_and(|host| server.stack.public_url().admits_host(host))
}

fn come_again(path: &str, status: StatusCode, sentence: &str, wait: Duration) -> Response<Vec<u8>> {
    let mut response = refusal(path, status, sentence);
    let seconds = HeaderValue::from(wait.as_secs() + u64::from(wait.subsec_nanos() > 0));
    response.headers_mut().insert(RETRY_AFTER, seconds);
    response
}

const METRICS: &str = "/metrics";

/// Characters of a path in the log: more than any path that leads to something.
const MAX_LOGGED: usize = 256;
