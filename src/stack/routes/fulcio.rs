//! The certificate authority's paths, v2 and legacy v1.

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use jiff::Timestamp;
use serde_json::json;

use super::answers::{self, fulcio, json};
use super::strip_scheme;
use crate::stack::Stack;
use crate::stack::audit::AuditEvent;
use crate::stack::certificate_authority::{CertificateRequest, IssueError};
use crate::tlog::hashedrekord::{Verifier, pem};

/// Everything under `/api/` that is the authority's, and what is nobody's.
pub(super) fn routes(stack: &Stack, request: &Request<Vec<u8>>, now: Timestamp) -> Response<Vec<u8>> {
    let authority = &stack.certificate_authority;
    match (request.method(), request.uri().path()) {
        (&Method::POST, "/api/v2/signingCert") => match issue(stack, request, CertificateRequest::v2, now) {
            Ok(chain) => {
                let [leaf, ..] = &chain;
                let event = AuditEvent::certificate_issued(leaf);
                let certificates = chain.map(|der| pem(Verifier::Certificate(&der)).trim_end().to_owned());
                let answer = json!({ "signedCertificateEmbeddedSct": { "chain": { "certificates": certificates } } });
                AuditEvent::attach(event, json(StatusCode::OK, &answer))
            }
            Err(error) => answers::issue_error(&error),
        },
        (&Method::POST, "/api/v1/signingCert") => match issue(stack, request, CertificateRequest::v1, now) {
            Ok(chain) => {
                let [leaf, ..] = &chain;
                let event = AuditEvent::certificate_issued(leaf);
                let chain = chain.map(|der| pem(Verifier::Certificate(&der))).concat();
                AuditEvent::attach(event, pem_chain(StatusCode::CREATED, &chain))
            }
            Err(error) => answers::issue_error(&error),
        },
        (&Method::GET, "/api/v1/rootCert") => pem_chain(StatusCode::OK, &authority.root_certificates()),
        (&Method::GET, "/api/v2/trustBundle") => json(StatusCode::OK, &authority.trust_bundle()),
        (&Method::GET, "/api/v2/configuration") => json(StatusCode::OK, &authority.configuration()),
        (_, path) if PATHS.contains(&path) => fulcio(StatusCode::NOT_IMPLEMENTED, 12, "Method Not Allowed"),
        _ => fulcio(StatusCode::NOT_FOUND, 5, "Not Found"),
    }
}

fn issue(
    stack: &Stack,
    request: &Request<Vec<u8>>,
    read: impl FnOnce(&[u8], Option<&str>) -> Result<CertificateRequest, IssueError>,
    now: Timestamp,
) -> Result<[Vec<u8>; 3], IssueError> {
    let bearer = request.headers().get(AUTHORIZATION).and_then(|value| strip_scheme(value.to_str().ok()?, "bearer"));
    let issued = stack.certificate_authority.issue(&read(request.body(), bearer)?, &stack.ct_log, now)?;
    // What is signed with it must not be stamped before it is valid.
    stack.timestamp_authority.not_before(now);
    Ok(issued)
}

fn pem_chain(status: StatusCode, pem: &str) -> Response<Vec<u8>> {
    let mut response = Response::new(pem.as_bytes().to_vec());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/pem-certificate-chain"));
    response
}

const PATHS: [&str; 5] =
    ["/api/v1/rootCert", "/api/v1/signingCert", "/api/v2/configuration", "/api/v2/signingCert", "/api/v2/trustBundle"];
