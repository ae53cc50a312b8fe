//! The CT log's paths (RFC 6962 §4).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::CACHE_CONTROL;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use jiff::Timestamp;
use serde_json::json;

use super::answers::{ct_log_error, json, text};
use crate::stack::Stack;
use crate::stack::audit::AuditEvent;
use crate::stack::ct_log::{CtLog, CtLogError, ReadQuery, Submission};

/// `path` is what follows `/ct/v1`.
pub(super) fn routes(stack: &Stack, request: &Request<Vec<u8>>, path: &str, now: Timestamp) -> Response<Vec<u8>> {
    let name = path.strip_prefix('/').unwrap_or(path);
    let authority = stack.certificate_authority.chains();
    let read = ReadQuery::parse(name, request.uri().query().unwrap_or_default());
    let is_known = read.is_some() || ["add-chain", "add-pre-chain", "get-roots"].contains(&name);
    let outcome = match (request.method(), name, read) {
        (&Method::POST, "add-chain", _) => add(stack, Submission::read_chain(request.body(), authority.pairs()), now),
        (&Method::POST, "add-pre-chain", _) => {
            add(stack, Submission::read_pre_chain(request.body(), authority.pairs()), now)
        }
        (&Method::GET, "get-roots", _) => Ok((json!({ "certificates": roots(stack) }), None)),
        (&Method::GET, _, Some(read)) => {
            read.map_err(CtLogError::from).and_then(|query| Ok((stack.ct_log.read(&query, now)?, None)))
        }
        _ if is_known => return text(StatusCode::METHOD_NOT_ALLOWED, "another method is needed"),
        _ => return text(StatusCode::NOT_FOUND, "nothing is here"),
    };
    let mut response = match outcome {
        Ok((answer, event)) => AuditEvent::attach(event, json(StatusCode::OK, &answer)),
        Err(error) => ct_log_error(&error),
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

fn add(
    stack: &Stack,
    submission: Result<Submission, crate::stack::ct_log::BadSubmission>,
    now: Timestamp,
) -> Result<(serde_json::Value, Option<AuditEvent>), CtLogError> {
    let submission = submission?;
    let promise = stack.ct_log.add(&submission, now)?;
    Ok((CtLog::json_sct(&promise), Some(AuditEvent::CertificateLogged { sha256: submission.fingerprint() })))
}

/// Each once: a rotation keeps the root.
fn roots(stack: &Stack) -> Vec<String> {
    let pairs = stack.certificate_authority.chains().pairs();
    let mut roots: Vec<String> = pairs.map(|[_, root]| STANDARD.encode(root.der())).collect();
    roots.dedup();
    roots
}
