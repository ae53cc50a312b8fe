//! Bodies in the shapes of the three APIs, and the one place where an error becomes a status.

use std::fmt::Display;

use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

use crate::stack::certificate_authority::IssueError;
use crate::stack::ct_log::CtLogError;
use crate::stack::log_store::StoreError;
use crate::stack::oidc_issuer::TokenError;
use crate::stack::rekor_v2::TileLogError;
use crate::stack::timestamp_authority::StampError;
use crate::stack::transparency_log::LogError;
use crate::tlog::proposed::ProposedEntryError;
use crate::tlog::rekor_v2::RequestError;

/// What went wrong inside the stack, as an extension of the response: for the server's own log, not for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault(pub String);

impl Fault {
    pub(super) fn attach(mut response: Response<Vec<u8>>, error: &impl Display) -> Response<Vec<u8>> {
        response.extensions_mut().insert(Self(error.to_string()));
        response
    }
}

/// Fulcio's errors (grpc-gateway): every fault of the token is the same 400, so that nothing is learnt about tokens.
pub(super) fn issue_error(error: &IssueError) -> Response<Vec<u8>> {
    let bad_request = |message: &str| fulcio(StatusCode::BAD_REQUEST, 3, message);
    if let IssueError::CtLog(CtLogError::Store(store)) = error
        && let Some(sentence) = unavailable(store)
    {
        return Fault::attach(fulcio(StatusCode::SERVICE_UNAVAILABLE, 14, sentence), error);
    }
    match error {
        IssueError::Json(true) => bad_request("unexpected EOF"),
        IssueError::Json(false) => bad_request("the request is not JSON of a CreateSigningCertificateRequest"),
        // Fulcio calls a claim that its templates miss a fault of its own (500); but it is the token's.
        IssueError::Identity(_) | IssueError::Token(_) | IssueError::UnknownIssuer => {
            bad_request("There was an error processing the identity token")
        }
        // Fulcio calls this a fault of the token (400), and its clients give up; this one tells them to try again.
        IssueError::IssuerKeys(_) => {
            let message = "The issuer of the identity token cannot be asked for its keys";
            Fault::attach(fulcio(StatusCode::SERVICE_UNAVAILABLE, 14, message), error)
        }
        IssueError::Key(_) => bad_request("The public key supplied in the request could not be parsed"),
        IssueError::InsecureKey => bad_request("The public key supplied in the request is insecure"),
        IssueError::ProofOfPossession => bad_request("The signature supplied in the request could not be verified"),
        IssueError::SigningAlgorithm(algorithm) => {
            bad_request(&format!("signing algorithm not permitted: {algorithm}"))
        }
        IssueError::SigningRequest => bad_request("The certificate signing request could not be parsed"),
        IssueError::CtLog(error) => {
            let answer = fulcio(StatusCode::INTERNAL_SERVER_ERROR, 13, "Error entering certificate in CTL");
            Fault::attach(answer, error)
        }
        IssueError::Certificate(_)
        | IssueError::Encoding(_)
        | IssueError::OtherRootKey
        | IssueError::Sct(_)
        | IssueError::Signing(_)
        | IssueError::Submission(_) => {
            let answer = fulcio(StatusCode::INTERNAL_SERVER_ERROR, 13, "error communicating with CA backend");
            Fault::attach(answer, error)
        }
    }
}

/// Rekor v1's errors. It calls broken JSON a fault of its own (500); so it is answered here, but no fault is reported.
pub(super) fn log_error(error: &LogError) -> Response<Vec<u8>> {
    let message = error.to_string();
    let bad_request = |message: &str| rekor(StatusCode::BAD_REQUEST, 400, message);
    if let LogError::Store(store) = error
        && let Some(sentence) = unavailable(store)
    {
        return Fault::attach(rekor(StatusCode::SERVICE_UNAVAILABLE, 503, sentence), error);
    }
    match error {
        LogError::Duplicate(_) => rekor(StatusCode::CONFLICT, 409, &message),
        LogError::Invalid(invalid) if invalid.code() < 600 => bad_request(&message),
        LogError::Invalid(invalid) => rekor(StatusCode::UNPROCESSABLE_ENTITY, invalid.code(), &message),
        LogError::Proposed(ProposedEntryError::Json(_)) => rekor(StatusCode::INTERNAL_SERVER_ERROR, 500, &message),
        LogError::Proposed(ProposedEntryError::Kind(_)) | LogError::TooMany => {
            rekor(StatusCode::UNPROCESSABLE_ENTITY, 422, &message)
        }
        LogError::Proposed(ProposedEntryError::Required(_)) => rekor(StatusCode::UNPROCESSABLE_ENTITY, 602, &message),
        LogError::Proposed(wrong) => bad_request(&format!("error processing entry: {wrong}")),
        LogError::BeyondTree { .. }
        | LogError::FirstBeyondLast { .. }
        | LogError::OtherTree(_)
        | LogError::SearchedKey
        | LogError::SearchedKeyFormat => bad_request(&message),
        LogError::Store(StoreError::TooLarge(_)) => rekor(StatusCode::PAYLOAD_TOO_LARGE, 413, &message),
        LogError::Key(_) | LogError::Store(_) => {
            Fault::attach(rekor(StatusCode::INTERNAL_SERVER_ERROR, 500, "error processing entry"), error)
        }
    }
}

/// Rekor v2's errors (grpc-gateway).
pub(super) fn tile_log_error(error: &TileLogError) -> Response<Vec<u8>> {
    let message = error.to_string();
    if let TileLogError::Store(store) = error
        && let Some(sentence) = unavailable(store)
    {
        return Fault::attach(fulcio(StatusCode::SERVICE_UNAVAILABLE, 14, sentence), error);
    }
    match error {
        TileLogError::Duplicate(index) => {
            let mut response = fulcio(StatusCode::CONFLICT, 6, &message);
            response.headers_mut().insert("x-log-index", HeaderValue::from(*index));
            response
        }
        TileLogError::Request(RequestError::Entry | RequestError::Json(_) | RequestError::Kind)
        | TileLogError::Store(StoreError::TooLarge(_)) => fulcio(StatusCode::BAD_REQUEST, 3, &message),
        TileLogError::Key(_) | TileLogError::Store(_) => {
            Fault::attach(fulcio(StatusCode::INTERNAL_SERVER_ERROR, 2, "failed to integrate entry"), error)
        }
    }
}

/// The CT log's errors: RFC 6962 §4 leaves their bodies open.
pub(super) fn ct_log_error(error: &CtLogError) -> Response<Vec<u8>> {
    let bad_request = || text(StatusCode::BAD_REQUEST, &error.to_string());
    if let CtLogError::Store(store) = error
        && let Some(sentence) = unavailable(store)
    {
        return Fault::attach(text(StatusCode::SERVICE_UNAVAILABLE, sentence), error);
    }
    match error {
        CtLogError::BeyondTree(_)
        | CtLogError::Query(_)
        | CtLogError::Sct(_)
        | CtLogError::Store(StoreError::TooLarge(_))
        | CtLogError::Submission(_) => bad_request(),
        CtLogError::UnknownHash => text(StatusCode::NOT_FOUND, &error.to_string()),
        CtLogError::Clock(_) | CtLogError::Key(_) | CtLogError::Store(_) => {
            Fault::attach(text(StatusCode::INTERNAL_SERVER_ERROR, "the log failed"), error)
        }
    }
}

/// What a client is told while a log takes no entries; `None`: the entry itself is what is wrong.
pub(super) fn unavailable(error: &StoreError) -> Option<&'static str> {
    match error {
        StoreError::Busy => Some("too many requests wait: come again"),
        StoreError::ClockWentBack { .. } => Some("the clock went back"),
        StoreError::Full(_) => Some("the disk is full: nothing is logged until there is room"),
        StoreError::Checkpoint(_)
        | StoreError::Inconsistent(_)
        | StoreError::Index(_)
        | StoreError::IndexBroken
        | StoreError::Io { .. }
        | StoreError::Key(_)
        | StoreError::Missing(_)
        | StoreError::OtherLog { .. }
        | StoreError::OtherTree { .. }
        | StoreError::PutBack { .. }
        | StoreError::Stopped(_) => Some("the log has stopped"),
        StoreError::TooLarge(_) => None,
    }
}

/// timestamp-authority's errors. It calls their JSON a time-stamp reply; here it is called JSON.
pub(super) fn stamp_error(error: &StampError) -> Response<Vec<u8>> {
    let bad_request = |message: &str| rekor(StatusCode::BAD_REQUEST, 400, message);
    match error {
        StampError::ClockWentBack { .. } => {
            Fault::attach(rekor(StatusCode::SERVICE_UNAVAILABLE, 503, "the clock went back"), error)
        }
        StampError::DigestLength => bad_request("Message digest has incorrect length for specified algorithm"),
        StampError::Malformed => bad_request("Error generating timestamp response"),
        StampError::Policy => bad_request("unaccepted policy: requested TSA policy is not supported by the TSA"),
        StampError::Signing => {
            let answer = rekor(StatusCode::INTERNAL_SERVER_ERROR, 500, "Error generating timestamp response");
            Fault::attach(answer, error)
        }
        StampError::WeakHash => bad_request("Weak hash algorithm in timestamp request"),
    }
}

/// RFC 6749 §5.2, RFC 8628 §3.5. Polls get no description, as from dex: they are not for people.
pub(super) fn oidc(error: TokenError) -> Response<Vec<u8>> {
    let body = json!({ "error": error.code(), "error_description": error.to_string() });
    match error {
        TokenError::AccessDenied
        | TokenError::AuthorizationPending
        | TokenError::ExpiredToken
        | TokenError::SlowDown => json(StatusCode::BAD_REQUEST, &json!({ "error": error.code() })),
        TokenError::InvalidClient { by_basic } => {
            let mut response = json(StatusCode::UNAUTHORIZED, &body);
            if by_basic {
                let challenge = HeaderValue::from_static("Basic realm=\"waxseal\"");
                response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            }
            response
        }
        TokenError::InvalidCode
        | TokenError::InvalidCodeVerifier
        | TokenError::InvalidDeviceCode
        | TokenError::InvalidRefreshToken
        | TokenError::InvalidRequest(_)
        | TokenError::InvalidScope
        | TokenError::UnsupportedGrantType => json(StatusCode::BAD_REQUEST, &body),
        TokenError::Key(_) | TokenError::Storage(_) => {
            let body = json!({ "error": error.code(), "error_description": "Internal server error." });
            Fault::attach(json(StatusCode::INTERNAL_SERVER_ERROR, &body), &error)
        }
        TokenError::DiskFull | TokenError::TooManyDevices => json(StatusCode::SERVICE_UNAVAILABLE, &body),
    }
}

/// `google.rpc.Status`, as Fulcio answers.
pub(super) fn fulcio(status: StatusCode, code: u8, message: &str) -> Response<Vec<u8>> {
    json(status, &json!({ "code": code, "message": message, "details": [] }))
}

pub(super) fn rekor(status: StatusCode, code: u16, message: &str) -> Response<Vec<u8>> {
    json(status, &json!({ "code": code, "message": message }))
}

pub(super) fn json(status: StatusCode, body: &Value) -> Response<Vec<u8>> {
    let mut bytes = body.to_string().into_bytes();
    bytes.push(b'\n');
    respond(status, "application/json", bytes)
}

pub(super) fn text(status: StatusCode, sentence: &str) -> Response<Vec<u8>> {
    respond(status, "text/plain; charset=utf-8", format!("{sentence}\n").into_bytes())
}

pub(super) fn respond(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Response<Vec<u8>> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests;
