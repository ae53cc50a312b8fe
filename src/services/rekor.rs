//! Rekor v1, `POST /api/v1/log/entries`: a signature becomes an entry of the transparency log.

use http::header::LOCATION;
use http::{Method, Response, StatusCode};

use super::http::{Http, Repeat, request};
use super::{ServiceError, ServiceName, join};
use crate::tlog::rekor_json::{self, EntryId, MalformedAnswer};
use crate::tlog::{TransparencyLogEntry, merkle};

/// Adds the entry with this canonical body (`hashedrekord` 0.0.1) to the log at `base`, or finds it there. Gives the
/// log's answer, which is about this body and of which nothing else is verified.
///
/// # Errors
/// [`ServiceError`]
pub async fn add(http: &Http, base: &str, canonical_body: Vec<u8>) -> Result<TransparencyLogEntry, ServiceError> {
    let address = join(base, ENTRIES);
    let leaf_hash = merkle::leaf_hash(&canonical_body);
    // The canonical body is itself a proposed entry. Sending it twice is safe: the log answers with the first entry.
    let request = request(SERVICE, Method::POST, &address, canonical_body)?;
    let response = http.send(SERVICE, Repeat::Always, &request).await?;
    let garbage = |what: MalformedAnswer| ServiceError::garbage(SERVICE, &address, what);
    let (id, entry) = match response.status() {
        StatusCode::CREATED => rekor_json::read(response.body()).map_err(garbage)?,
        StatusCode::CONFLICT => {
            let id = existing(&response)
                .ok_or_else(|| ServiceError::garbage(SERVICE, &address, "it does not say where the equal entry is"))?;
            let entry = http.get(SERVICE, &format!("{address}/{id}")).await?;
            rekor_json::read(&entry).map_err(garbage)?
        }
        _ => return Err(ServiceError::refused(SERVICE, &address, &response)),
    };
    // The ID is known to be that of the body.
    if id.leaf_hash != leaf_hash {
        return Err(ServiceError::garbage(SERVICE, &address, "the log entry is about another signature"));
    }
    Ok(entry)
}

/// The last part of `Location`, which names the entry that is there already. The rest of the address is not followed.
fn existing(response: &Response<Vec<u8>>) -> Option<EntryId> {
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    location.rsplit('/').next()?.parse().ok()
}

const SERVICE: ServiceName = ServiceName::TransparencyLog;
const ENTRIES: &str = "api/v1/log/entries";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_equal_entry_is_named_by_the_end_of_its_location() {
        let id = "1".repeat(80);
        let location = |text: &str| existing(&Response::builder().header(LOCATION, text).body(vec![]).unwrap());
        for text in [format!("/api/v1/log/entries/{id}"), format!("https://elsewhere.example/x/{id}"), id.clone()] {
            assert_eq!(location(&text).unwrap().to_string(), id);
        }
        assert_eq!(location("/api/v1/log/entries/../../secret"), None);
        assert_eq!(location(""), None);
        assert_eq!(existing(&Response::new(vec![])), None);
    }
}
