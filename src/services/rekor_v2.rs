//! Rekor v2, `POST /api/v2/log/entries`: a signature becomes an entry, and the answer is the only copy of its proof.
//!
//! The log answers once a published checkpoint covers the entry, which takes seconds whatever the load. It can be asked
//! for nothing afterwards: no entry, no proof, no search. So an entry whose answer was lost is lost, too, and the
//! signature has to be made again; with another key it is another entry.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, Method, Response, StatusCode};
use serde_json::json;

use super::http::{Http, Problem, Repeat, request};
use super::{ServiceError, ServiceName, join};
use crate::crypto::Sha256Digest;
use crate::tlog::hashedrekord::{self, KeyDetails, Verifier};
use crate::tlog::{TransparencyLogEntry, proto_json};

/// Logs a signature over a message with this digest, by the key of `certificate` (DER), in the log at `base`. Gives the
/// log's answer, which is about this signature and of which nothing else is verified.
///
/// # Errors
/// [`ServiceError`]
pub async fn add(
    http: &Http,
    base: &str,
    message: &Sha256Digest,
    signature: &[u8],
    certificate: &[u8],
) -> Result<TransparencyLogEntry, ServiceError> {
    let address = join(base, ENTRIES);
    let body = json!({ "hashedRekordRequestV002": {
        "digest": STANDARD.encode(message),
        "signature": {
            "content": STANDARD.encode(signature),
            "verifier": { "x509Certificate": { "rawBytes": STANDARD.encode(certificate) }, "keyDetails": KEY.name() },
        },
    }});
    let request = request(SERVICE, Method::POST, &address, body.to_string().into_bytes())?;
    // Sent again after it may have arrived, it would be refused as an equal entry.
    let response = http.send(SERVICE, Repeat::UnlessTaken, &request).await?;
    match response.status() {
        StatusCode::CREATED => {}
        StatusCode::CONFLICT => {
            let problem = Problem::LoggedAlready { index: existing(&response) };
            return Err(ServiceError::new(SERVICE, &address, problem));
        }
        _ => return Err(ServiceError::refused(SERVICE, &address, &response)),
    }
    let entry = proto_json::read(response.body()).map_err(|what| ServiceError::garbage(SERVICE, &address, what))?;
    let kind_version = (entry.kind_version.kind.as_str(), entry.kind_version.version.as_str());
    let body = hashedrekord::canonical_body_0_0_2(message.as_ref(), signature, Verifier::Certificate(certificate), KEY);
    if kind_version != (hashedrekord::KIND, VERSION) || entry.canonicalized_body != body {
        return Err(ServiceError::garbage(SERVICE, &address, "the log entry is about another signature"));
    }
    Ok(entry)
}

/// The index of the equal entry. It is for people: nothing can be asked about it.
fn existing(response: &Response<Vec<u8>>) -> Option<u64> {
    response.headers().get(X_LOG_INDEX)?.to_str().ok()?.parse().ok()
}

const SERVICE: ServiceName = ServiceName::TransparencyLog;
const ENTRIES: &str = "api/v2/log/entries";
const VERSION: &str = "0.0.2";
const X_LOG_INDEX: HeaderName = HeaderName::from_static("x-log-index");
/// Of every key that waxseal makes.
const KEY: KeyDetails = KeyDetails::EcdsaP256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_equal_entry_is_named_by_a_header() {
        let index = |text: &str| existing(&Response::builder().header("x-log-index", text).body(vec![]).unwrap());
        assert_eq!((index("50"), index("-1"), index("x")), (Some(50), None, None));
        assert_eq!(existing(&Response::new(vec![])), None);
    }
}
