//! What is asked of a Rekor v1 log, but for searches.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Invalid, LogError};
use crate::tlog::proposed::ProposedEntry;
use crate::tlog::rekor_json::EntryId;

/// `POST /api/v1/log/entries/retrieve`: not more than ten entries in all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetrieveQuery {
    /// By their IDs.
    pub entry_ids: Vec<EntryId>,
    /// By what was proposed.
    pub entries: Vec<ProposedEntry>,
    /// By their log indexes.
    pub log_indexes: Vec<u64>,
}

impl RetrieveQuery {
    /// Reads the body.
    ///
    /// # Errors
    /// [`LogError`] names what is wrong.
    pub fn read(json: &[u8]) -> Result<Self, LogError> {
        let raw: RawRetrieveQuery<'_> = Invalid::read_json("entry", json)?;
        let within = |name, count: Option<usize>| match count {
            Some(0) => Err(Invalid::MinItems(name)),
            Some(count) if count > MAX_RETRIEVED => Err(Invalid::MaxItems { name, limit: MAX_RETRIEVED }),
            _ => Ok(count.unwrap_or(0)),
        };
        let mut count = within("entries", raw.entries.as_ref().map(Vec::len))?;
        count += within("entryUUIDs", raw.entry_uuids.as_ref().map(Vec::len))?;
        count += within("logIndexes", raw.log_indexes.as_ref().map(Vec::len))?;
        let entry_ids = raw.entry_uuids.unwrap_or_default().into_iter().enumerate().map(|(at, id)| {
            let name = || format!("entryUUIDs.{at}");
            entry_id(&id).ok_or_else(|| Invalid::Pattern { name: name(), place: "body", pattern: ENTRY_ID_PATTERN })
        });
        let entry_ids = entry_ids.collect::<Result<_, _>>()?;
        let log_indexes = raw.log_indexes.unwrap_or_default().into_iter().enumerate().map(|(at, index)| {
            let name = || format!("logIndexes.{at}");
            u64::try_from(index).map_err(|_| Invalid::Minimum { name: name(), place: "body", least: 0 })
        });
        let log_indexes = log_indexes.collect::<Result<_, _>>()?;
        if count > MAX_RETRIEVED {
            return Err(LogError::TooMany);
        }
        let entries = raw.entries.unwrap_or_default();
        let entries = entries.into_iter().map(|entry| ProposedEntry::read(entry.get().as_bytes()));
        Ok(Self { entry_ids, entries: entries.collect::<Result<_, _>>()?, log_indexes })
    }
}

/// `GET /api/v1/log/proof`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProofQuery {
    /// 1 unless it is given.
    pub first_size: u64,
    /// The larger tree.
    pub last_size: u64,
    /// Whose; the log's only tree unless it is given.
    pub tree_id: Option<u64>,
}

impl ProofQuery {
    /// Reads the query string.
    ///
    /// # Errors
    /// [`Invalid`] names what is wrong.
    pub fn read(query: &str) -> Result<Self, Invalid> {
        let first_size = parameter(query, "firstSize").map(|text| Invalid::read_number("firstSize", &text, 1));
        let last_size = parameter(query, "lastSize").ok_or(Invalid::Required { name: "lastSize", place: "query" })?;
        Ok(Self {
            first_size: first_size.transpose()?.unwrap_or(1),
            last_size: Invalid::read_number("lastSize", &last_size, 1)?,
            tree_id: tree_id(query)?,
        })
    }
}

/// `logIndex` of a query string.
///
/// # Errors
/// [`Invalid`] when it is missing, or not a number.
pub fn log_index(query: &str) -> Result<u64, Invalid> {
    let index = parameter(query, "logIndex").ok_or(Invalid::Required { name: "logIndex", place: "query" })?;
    Invalid::read_number("logIndex", &index, 0)
}

/// `treeID` of a query string.
///
/// # Errors
/// [`Invalid`] when it is not a number.
pub fn tree_id(query: &str) -> Result<Option<u64>, Invalid> {
    let Some(text) = parameter(query, "treeID") else { return Ok(None) };
    let number = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    let wrong = Invalid::Pattern { name: "treeID".to_owned(), place: "query", pattern: "^[0-9]+$" };
    number.map(Some).ok_or(wrong)
}

/// The ID in a path.
///
/// # Errors
/// [`Invalid`] when it is not 64 or 80 hexadecimal digits.
pub fn path_entry_id(text: &str) -> Result<EntryId, Invalid> {
    let name = || "entryUUID".to_owned();
    entry_id(text).ok_or_else(|| Invalid::Pattern { name: name(), place: "path", pattern: ENTRY_ID_PATTERN })
}

fn entry_id(text: &str) -> Option<EntryId> {
    text.to_ascii_lowercase().parse().ok()
}

fn parameter(query: &str, wanted: &str) -> Option<String> {
    let found = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == wanted);
    found.map(|(_, value)| value.into_owned())
}

#[derive(Deserialize)]
struct RawRetrieveQuery<'a> {
    #[serde(borrow)]
    entries: Option<Vec<&'a RawValue>>,
    #[serde(rename = "entryUUIDs")]
    entry_uuids: Option<Vec<String>>,
    #[serde(rename = "logIndexes")]
    log_indexes: Option<Vec<i64>>,
}

const ENTRY_ID_PATTERN: &str = "^([0-9a-fA-F]{64}|[0-9a-fA-F]{80})$";

/// Rekor's.
pub(super) const MAX_RETRIEVED: usize = 10;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn faults_have_go_openapis_words() {
        let retrieve = |json: &str| match RetrieveQuery::read(json.as_bytes()).unwrap_err() {
            LogError::Invalid(invalid) => (invalid.code(), invalid.to_string()),
            other => (0, other.to_string()),
        };
        let fault = |code, message: &str| (code, message.to_owned());
        assert_eq!(retrieve(""), fault(602, "entry in body is required"));
        assert_eq!(retrieve("{"), fault(400, "parsing entry body from \"\" failed, because unexpected EOF"));
        let many = |name: &str, item: &str| format!("{{\"{name}\":[{}]}}", [item; 11].join(","));
        assert_eq!(retrieve(&many("logIndexes", "1")), fault(611, "logIndexes in body should have at most 10 items"));
        assert_eq!(retrieve(r#"{"entries":[]}"#), fault(612, "entries in body should have at least 1 items"));
        let pattern = format!("entryUUIDs.0 in body should match '{ENTRY_ID_PATTERN}'");
        assert_eq!(retrieve(r#"{"entryUUIDs":["xyz"]}"#), fault(605, &pattern));
        let negative = "logIndexes.1 in body should be greater than or equal to 0";
        assert_eq!(retrieve(r#"{"logIndexes":[1,-1]}"#), fault(609, negative));
        let both = format!(r#"{{"logIndexes":[{0}],"entryUUIDs":["{1}"]}}"#, ["1"; 10].join(","), "A".repeat(64));
        assert_eq!(retrieve(&both), fault(0, "more than max allowed 10 entries in request"));
        assert_eq!(RetrieveQuery::read(b"{}").unwrap(), RetrieveQuery::default());

        let proof = |query: &str| ProofQuery::read(query).map_err(|invalid| (invalid.code(), invalid.to_string()));
        assert_eq!(proof("firstSize=3"), Err(fault(602, "lastSize in query is required")));
        assert_eq!(proof("lastSize=x"), Err(fault(601, "lastSize in query must be of type int64: \"x\"")));
        let least = "firstSize in query should be greater than or equal to 1";
        assert_eq!(proof("firstSize=0&lastSize=2"), Err(fault(609, least)));
        assert_eq!(proof("lastSize=2&treeID=-1"), Err(fault(605, "treeID in query should match '^[0-9]+$'")));
        let expected = ProofQuery { first_size: 1, last_size: 2, tree_id: Some(7) };
        assert_eq!(proof("lastSize=2&treeID=7"), Ok(expected));
        assert_eq!(log_index("").map_err(|invalid| invalid.code()), Err(602));
        assert_eq!(log_index("logIndex=-5").map_err(|invalid| invalid.code()), Err(609));
        assert_eq!(log_index("logIndex=5"), Ok(5));
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,80}") {
            drop(RetrieveQuery::read(text.as_bytes()));
            drop(RetrieveQuery::read(format!(r#"{{"logIndexes":[{text}]}}"#).as_bytes()));
            drop(ProofQuery::read(&text));
            drop(ProofQuery::read(&format!("lastSize={text}")));
            drop(log_index(&format!("logIndex={text}")));
            drop(path_entry_id(&text));
        }
    }
}
