//! Each error of the four APIs: status, body, and whether the operator is told. That requests lead to them is tested with
//! the stack; what only a broken disk or key leads to is tested here.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::crypto::{ServiceKeyError, Sha256Digest, UnsupportedKey};
use crate::identity_token::IdentityTokenError;
use crate::stack::certificate_authority::IdentityError;
use crate::stack::ct_log::{BadQuery, BadSubmission};
use crate::stack::issuer_keys::KeysUnavailable;
use crate::stack::transparency_log::Invalid;
use crate::tlog::checkpoint::CheckpointError;
use crate::tlog::dsse::MalformedEnvelope;
use crate::tlog::entry_key::BadEntryKey;
use crate::tlog::rekor_json::EntryId;
use crate::x509::MalformedCertificate;
use crate::x509::sct::SctError;

const REFUSED: ServiceKeyError = ServiceKeyError::Refused;

/// Status, body, and whether it is a fault of the stack's own.
fn parts(answer: &Response<Vec<u8>>) -> (u16, Value, bool) {
    let fault = answer.extensions().get::<Fault>().is_some();
    let body = if answer.headers()[CONTENT_TYPE] == "application/json" {
        serde_json::from_slice(answer.body()).unwrap()
    } else {
        std::str::from_utf8(answer.body()).unwrap().into()
    };
    (answer.status().as_u16(), body, fault)
}

fn gateway(code: u8, message: &str) -> Value {
    json!({ "code": code, "message": message, "details": [] })
}

fn plain(code: u16, message: &str) -> Value {
    json!({ "code": code, "message": message })
}

/// Every reason for which a log takes nothing, and what clients are told.
fn unavailable_logs() -> Vec<(StoreError, &'static str)> {
    let stopped = "the log has stopped";
    let io = |kind: std::io::ErrorKind| StoreError::Io { path: PathBuf::from("x"), error: Arc::new(kind.into()) };
    let (now, last) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
    vec![
        (StoreError::Busy, "too many requests wait: come again"),
        (StoreError::ClockWentBack { now, last }, "the clock went back"),
        (StoreError::Full(PathBuf::from("x")), "the disk is full: nothing is logged until there is room"),
        (StoreError::Checkpoint(CheckpointError::Signature), stopped),
        (StoreError::IndexBroken, stopped),
        (io(std::io::ErrorKind::Other), stopped),
        (StoreError::Key(REFUSED), stopped),
        (StoreError::Missing("tile"), stopped),
        (StoreError::OtherLog { found: "a".to_owned(), expected: "b".to_owned() }, stopped),
        (StoreError::OtherTree { tree_size: 1 }, stopped),
        (StoreError::PutBack { checkpoint: 1, indexed: 2 }, stopped),
        (StoreError::Stopped("why".into()), stopped),
    ]
}

#[test]
fn a_log_that_takes_nothing_says_so_in_the_words_of_each_api() {
    for (error, sentence) in unavailable_logs() {
        let ct = || CtLogError::Store(error.clone());
        assert_eq!(parts(&ct_log_error(&ct())), (503, format!("{sentence}\n").into(), true), "{error}");
        assert_eq!(parts(&issue_error(&IssueError::CtLog(ct()))), (503, gateway(14, sentence), true), "{error}");
        assert_eq!(parts(&tile_log_error(&error.clone().into())), (503, gateway(14, sentence), true), "{error}");
        assert_eq!(parts(&log_error(&error.clone().into())), (503, plain(503, sentence), true), "{error}");
    }
}

#[test]
fn fulcios() {
    let backend = "error communicating with CA backend";
    let token = "There was an error processing the identity token";
    let not_json = "the request is not JSON of a CreateSigningCertificateRequest";
    let oid = "1.2.3".parse().unwrap();
    for (error, status, code, message) in [
        (IssueError::Json(true), 400, 3, "unexpected EOF"),
        (IssueError::Json(false), 400, 3, not_json),
        (IssueError::Identity(IdentityError::Email), 400, 3, token),
        (IssueError::Token(IdentityTokenError::Signature), 400, 3, token),
        (IssueError::UnknownIssuer, 400, 3, token),
        (
            IssueError::IssuerKeys(KeysUnavailable::Fetch("timeout".to_owned())),
            503,
            14,
            "The issuer of the identity token cannot be asked for its keys",
        ),
        (
            IssueError::Key(UnsupportedKey::Malformed),
            400,
            3,
            "The public key supplied in the request could not be parsed",
        ),
        (IssueError::InsecureKey, 400, 3, "The public key supplied in the request is insecure"),
        (IssueError::ProofOfPossession, 400, 3, "The signature supplied in the request could not be verified"),
        (IssueError::SigningAlgorithm(oid), 400, 3, "signing algorithm not permitted: 1.2.3"),
        (IssueError::SigningRequest, 400, 3, "The certificate signing request could not be parsed"),
        (IssueError::CtLog(CtLogError::Key(REFUSED)), 500, 13, "Error entering certificate in CTL"),
        (IssueError::CtLog(CtLogError::Sct(SctError::Malformed)), 500, 13, "Error entering certificate in CTL"),
        (IssueError::CtLog(StoreError::TooLarge(70_000).into()), 500, 13, "Error entering certificate in CTL"),
        (IssueError::Certificate(MalformedCertificate::NotDer), 500, 13, backend),
        (IssueError::Encoding(der::ErrorKind::Failed.into()), 500, 13, backend),
        (IssueError::OtherRootKey, 500, 13, backend),
        (IssueError::Sct(SctError::Malformed), 500, 13, backend),
        (IssueError::Signing(REFUSED), 500, 13, backend),
        (IssueError::Submission(BadSubmission::Chain), 500, 13, backend),
    ] {
        assert_eq!(parts(&issue_error(&error)), (status, gateway(code, message), status >= 500), "{error}");
    }
}

#[test]
fn the_ct_logs() {
    for (error, status, message) in [
        (CtLogError::BeyondTree(7), 400, "the log has 7 entries"),
        (CtLogError::Query(BadQuery::Missing("start")), 400, "parameter \"start\" is missing"),
        (CtLogError::Sct(SctError::Malformed), 400, ""),
        (StoreError::TooLarge(70_000).into(), 400, "an entry of 70000 bytes is too long"),
        (CtLogError::Submission(BadSubmission::Json), 400, "the body is not JSON of a certificate chain"),
        (CtLogError::UnknownHash, 404, "no entry of that tree has this hash"),
        (CtLogError::Clock(Timestamp::UNIX_EPOCH), 500, "the log failed"),
        (CtLogError::Key(REFUSED), 500, "the log failed"),
    ] {
        let message = if message.is_empty() { error.to_string() } else { message.to_owned() };
        let expected = (status, format!("{message}\n").into(), status >= 500);
        assert_eq!(parts(&ct_log_error(&error)), expected, "{error}");
    }
}

#[test]
fn rekor_v1s() {
    let id = EntryId { tree_id: Some(1), leaf_hash: Sha256Digest([0; 32]) };
    let equivalent = format!("an equivalent entry already exists in the transparency log with UUID {id}");
    for (error, status, code, message) in [
        (
            LogError::BeyondTree { asked: 9, size: 3 },
            400,
            400,
            "the tree size requested(9) was greater than what is currently observable(3)",
        ),
        (LogError::Duplicate(id), 409, 409, equivalent.as_str()),
        (LogError::FirstBeyondLast { first: 9, last: 3 }, 400, 400, "firstSize(9) must be less than lastSize(3)"),
        (
            LogError::Invalid(Invalid::Required { name: "logIndex", place: "query" }),
            422,
            602,
            "logIndex in query is required",
        ),
        (
            LogError::Invalid(Invalid::Json { name: "entry", why: "x".to_owned() }),
            400,
            400,
            "parsing entry body from \"\" failed, because x",
        ),
        (LogError::OtherTree(7), 400, 400, "tree 7 is not one of this log's"),
        (ProposedEntryError::Json("unexpected EOF".to_owned()).into(), 500, 500, "unexpected EOF"),
        (ProposedEntryError::Kind("nope".to_owned()).into(), 422, 422, "invalid kind value: \"nope\""),
        (ProposedEntryError::Required("kind").into(), 422, 602, "kind in body is required"),
        (ProposedEntryError::Hash.into(), 400, 400, "error processing entry: invalid value for hash"),
        (
            ProposedEntryError::Key(BadEntryKey::Pem).into(),
            400,
            400,
            "error processing entry: invalid public key: failure decoding PEM",
        ),
        (ProposedEntryError::SignatureEncoding.into(), 400, 400, "error processing entry: the signature is not base64"),
        (ProposedEntryError::Envelope(MalformedEnvelope::SignatureCount(0)).into(), 400, 400, ""),
        (LogError::SearchedKey, 400, 400, "public key provided could not be parsed"),
        (LogError::SearchedKeyFormat, 400, 400, "the PKI format requested is not supported by this server"),
        (LogError::TooMany, 422, 422, "more than max allowed 10 entries in request"),
        (StoreError::TooLarge(70_000).into(), 413, 413, "an entry of 70000 bytes is too long"),
        (LogError::Key(REFUSED), 500, 500, "error processing entry"),
    ] {
        let answer = parts(&log_error(&error));
        let is_fault = matches!(error, LogError::Key(_));
        let message = if message.is_empty() { format!("error processing entry: {error}") } else { message.to_owned() };
        assert_eq!(answer, (status, plain(code, &message), is_fault), "{error}");
    }
}

#[test]
fn rekor_v2s() {
    let duplicate = tile_log_error(&TileLogError::Duplicate(7));
    let message = "an equivalent entry already exists in the transparency log with index 7";
    assert_eq!(parts(&duplicate), (409, gateway(6, message), false));
    assert_eq!(duplicate.headers()["x-log-index"], "7");
    for (error, status, code, message) in [
        (TileLogError::Request(RequestError::Entry), 400, 3, "invalid hashedrekord request"),
        (TileLogError::Request(RequestError::Json("unexpected EOF".to_owned())), 400, 3, "unexpected EOF"),
        (TileLogError::Request(RequestError::Kind), 400, 3, "invalid type, must be hashedrekord"),
        (StoreError::TooLarge(70_000).into(), 400, 3, "an entry of 70000 bytes is too long"),
        (TileLogError::Key(REFUSED), 500, 2, "failed to integrate entry"),
    ] {
        assert_eq!(parts(&tile_log_error(&error)), (status, gateway(code, message), status >= 500), "{error}");
    }
}

#[test]
fn timestamp_authoritys() {
    let failed = "Error generating timestamp response";
    let (now, last) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
    for (error, status, message) in [
        (StampError::ClockWentBack { now, last }, 503, "the clock went back"),
        (StampError::DigestLength, 400, "Message digest has incorrect length for specified algorithm"),
        (StampError::Malformed, 400, failed),
        (StampError::Policy, 400, "unaccepted policy: requested TSA policy is not supported by the TSA"),
        (StampError::Signing, 500, failed),
        (StampError::WeakHash, 400, "Weak hash algorithm in timestamp request"),
    ] {
        assert_eq!(parts(&stamp_error(&error)), (status, plain(status, message), status >= 500), "{error}");
    }
}
