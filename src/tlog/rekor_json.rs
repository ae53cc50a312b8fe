//! A Rekor v1 server's answer about one entry: a JSON object with one member, named by the entry's ID.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{InclusionPromise, InclusionProof, KindVersion, MAX_PROOF_HASHES, TransparencyLogEntry, merkle};
use crate::crypto::Sha256Digest;
use crate::trusted_root::LogId;

/// Rekor v1's name for an entry, "UUID" in its messages: leaf hash, and before it the tree ID unless the tree is left
/// open. 80 or 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryId {
    /// Which shard of the log.
    pub tree_id: Option<u64>,
    /// Which leaf.
    pub leaf_hash: Sha256Digest,
}

impl FromStr for EntryId {
    type Err = MalformedAnswer;

    fn from_str(text: &str) -> Result<Self, MalformedAnswer> {
        let bytes = hex::decode(text).map_err(|_| MalformedAnswer::EntryId)?;
        let (tree_id, leaf_hash) = match bytes.len() {
            32 => (None, bytes.as_slice()),
            40 => bytes
                .split_first_chunk::<8>()
                .map(|(tree, leaf)| (Some(u64::from_be_bytes(*tree)), leaf))
                .ok_or(MalformedAnswer::EntryId)?,
            _ => return Err(MalformedAnswer::EntryId),
        };
        Ok(Self { tree_id, leaf_hash: Sha256Digest(leaf_hash.try_into().map_err(|_| MalformedAnswer::EntryId)?) })
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(tree_id) = self.tree_id {
            write!(f, "{tree_id:016x}")?;
        }
        write!(f, "{}", self.leaf_hash)
    }
}

/// Reads an answer to `POST` or `GET` of one entry. The body must be the one that the ID names; nothing else is
/// verified.
///
/// # Errors
/// [`MalformedAnswer`] names what is wrong.
pub fn read(json: &[u8]) -> Result<(EntryId, TransparencyLogEntry), MalformedAnswer> {
    read_one(serde_json::from_slice(json).map_err(|_| MalformedAnswer::Json)?)
}

/// Reads an answer about several entries, each as [`read`] does. What cannot be read is passed over: it may be a kind
/// that other people log.
///
/// # Errors
/// [`MalformedAnswer::Json`] when it is no list.
pub fn read_several(json: &[u8]) -> Result<Vec<(EntryId, TransparencyLogEntry)>, MalformedAnswer> {
    let answers: Vec<Value> = serde_json::from_slice(json).map_err(|_| MalformedAnswer::Json)?;
    let one = |answer| match answer {
        Value::Object(answer) => read_one(answer).ok(),
        _ => None,
    };
    Ok(answers.into_iter().filter_map(one).collect())
}

fn read_one(answer: Map<String, Value>) -> Result<(EntryId, TransparencyLogEntry), MalformedAnswer> {
    let mut members = answer.into_iter();
    let (Some((id, entry)), None) = (members.next(), members.next()) else { return Err(MalformedAnswer::Count) };
    let id: EntryId = id.parse()?;
    let entry: Entry = serde_json::from_value(entry).map_err(|_| MalformedAnswer::Json)?;
    let body = base64("body", &entry.body)?;
    if merkle::leaf_hash(&body) != id.leaf_hash {
        return Err(MalformedAnswer::OtherBody);
    }
    let kind_version = kind_version(&body).ok_or(MalformedAnswer::Member("body"))?;
    let promise = entry.verification.signed_entry_timestamp.map(|promise| base64("signedEntryTimestamp", &promise));
    Ok((
        id,
        TransparencyLogEntry {
            log_index: index("logIndex", entry.log_index)?,
            log_id: LogId(hash("logID", &entry.log_id)?.0),
            kind_version,
            integrated_time: entry.integrated_time,
            inclusion_promise: promise
                .transpose()?
                .map(|signed_entry_timestamp| InclusionPromise { signed_entry_timestamp }),
            inclusion_proof: entry.verification.inclusion_proof.map(Proof::read).transpose()?,
            canonicalized_body: body,
        },
    ))
}

/// The answer that [`read`] reads, with a server's member names and order.
#[must_use]
pub fn answer(id: &EntryId, entry: &TransparencyLogEntry) -> Value {
    let mut verification = Map::new();
    if let Some(proof) = &entry.inclusion_proof {
        let proof = json!({
            "checkpoint": proof.checkpoint,
            "hashes": proof.hashes.iter().map(Sha256Digest::to_string).collect::<Vec<_>>(),
            "logIndex": proof.leaf_index,
            "rootHash": proof.root_hash.to_string(),
            "treeSize": proof.tree_size,
        });
        verification.insert("inclusionProof".to_owned(), proof);
    }
    if let Some(promise) = &entry.inclusion_promise {
        let promise = STANDARD.encode(&promise.signed_entry_timestamp);
        verification.insert("signedEntryTimestamp".to_owned(), promise.into());
    }
    json!({ id.to_string(): {
        "body": STANDARD.encode(&entry.canonicalized_body),
        "integratedTime": entry.integrated_time,
        "logID": entry.log_id.to_string(),
        "logIndex": entry.log_index,
        "verification": verification,
    }})
}

/// Reads an answer to `GET /api/v1/log/proof`: the hashes of a consistency proof, which prove nothing by themselves.
///
/// # Errors
/// [`MalformedAnswer`] names what is wrong.
pub fn consistency_proof(json: &[u8]) -> Result<Vec<Sha256Digest>, MalformedAnswer> {
    #[derive(Deserialize)]
    struct Answer {
        hashes: Option<Vec<String>>,
    }
    let answer: Answer = serde_json::from_slice(json).map_err(|_| MalformedAnswer::NotAProof)?;
    let hashes = answer.hashes.unwrap_or_default();
    // One more than an audit path can have.
    if hashes.len() > MAX_PROOF_HASHES + 1 {
        return Err(MalformedAnswer::TooManyHashes);
    }
    hashes.iter().map(|text| hash("hashes", text)).collect()
}

/// Not a Rekor v1 server's answer about one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedAnswer {
    /// Not exactly one entry.
    #[error("the answer must be about exactly one entry")]
    Count,
    /// An entry ID of another length, or not hexadecimal.
    #[error("the entry ID is not 64 or 80 hexadecimal digits")]
    EntryId,
    /// Not JSON of this shape.
    #[error("the answer is not the JSON of a log entry")]
    Json,
    /// A member's value is not what it should be.
    #[error("{0} of the log entry is malformed")]
    Member(&'static str),
    /// Not JSON of a proof's shape.
    #[error("the answer is not the JSON of a consistency proof")]
    NotAProof,
    /// The entry ID is another body's.
    #[error("the log entry's ID is not that of its body")]
    OtherBody,
    /// More hashes than the largest tree demands.
    #[error("the inclusion proof has more than {MAX_PROOF_HASHES} hashes")]
    TooManyHashes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    body: String,
    integrated_time: i64,
    #[serde(rename = "logID")]
    log_id: String,
    log_index: u64,
    /// What of it is missing is for the verifier to say: whose entry it is can be told without.
    #[serde(default)]
    verification: Verification,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Verification {
    inclusion_proof: Option<Proof>,
    signed_entry_timestamp: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Proof {
    #[serde(default)]
    checkpoint: String,
    hashes: Vec<String>,
    log_index: u64,
    root_hash: String,
    tree_size: u64,
}

impl Proof {
    fn read(self) -> Result<InclusionProof, MalformedAnswer> {
        if self.hashes.len() > MAX_PROOF_HASHES {
            return Err(MalformedAnswer::TooManyHashes);
        }
        Ok(InclusionProof {
            leaf_index: index("inclusionProof.logIndex", self.log_index)?,
            root_hash: hash("rootHash", &self.root_hash)?,
            tree_size: index("treeSize", self.tree_size)?,
            hashes: self.hashes.iter().map(|text| hash("hashes", text)).collect::<Result<_, _>>()?,
            checkpoint: self.checkpoint,
        })
    }
}

/// Kind and version stand in the body only.
pub(crate) fn kind_version(body: &[u8]) -> Option<KindVersion> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Body {
        kind: String,
        api_version: String,
    }
    let body: Body = serde_json::from_slice(body).ok()?;
    Some(KindVersion { kind: body.kind, version: body.api_version })
}

fn base64(member: &'static str, text: &str) -> Result<Vec<u8>, MalformedAnswer> {
    STANDARD.decode(text).map_err(|_| MalformedAnswer::Member(member))
}

fn hash(member: &'static str, text: &str) -> Result<Sha256Digest, MalformedAnswer> {
    Sha256Digest::from_hex(text).ok_or(MalformedAnswer::Member(member))
}

/// The numbers are `int64` elsewhere.
fn index(member: &'static str, value: u64) -> Result<u64, MalformedAnswer> {
    i64::try_from(value).map(|_| value).map_err(|_| MalformedAnswer::Member(member))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry() -> (EntryId, TransparencyLogEntry) {
        let body = br#"{"apiVersion":"0.0.1","kind":"hashedrekord"}"#;
        let id = EntryId { tree_id: Some(0x703e_398d_3ed3_b17e), leaf_hash: merkle::leaf_hash(body) };
        let proof = InclusionProof {
            leaf_index: 1,
            root_hash: Sha256Digest([8; 32]),
            tree_size: 2,
            hashes: vec![Sha256Digest([9; 32])],
            checkpoint: "text".to_owned(),
        };
        let entry = TransparencyLogEntry {
            log_index: 1,
            log_id: LogId([7; 32]),
            kind_version: KindVersion { kind: "hashedrekord".to_owned(), version: "0.0.1".to_owned() },
            integrated_time: 1000,
            inclusion_promise: Some(InclusionPromise { signed_entry_timestamp: vec![1, 2] }),
            inclusion_proof: Some(proof),
            canonicalized_body: body.to_vec(),
        };
        (id, entry)
    }

    #[test]
    fn round_trip() {
        let (id, entry) = entry();
        assert_eq!(read(answer(&id, &entry).to_string().as_bytes()), Ok((id, entry)));
    }

    #[test]
    fn of_several_the_malformed_are_passed_over() {
        let (id, entry) = entry();
        let answers = json!([{}, answer(&id, &entry), 1, { "x": {} }]);
        assert_eq!(read_several(answers.to_string().as_bytes()), Ok(vec![(id, entry)]));
        assert_eq!(read_several(b"{}"), Err(MalformedAnswer::Json));
    }

    #[test]
    fn names_what_is_wrong() {
        let (id, entry) = entry();
        let text = answer(&id, &entry).to_string();
        let changed = |from: &str, to: &str| {
            assert!(text.contains(from), "{from}");
            read(text.replacen(from, to, 1).as_bytes()).map(|_| ())
        };
        assert_eq!(read(b"{}"), Err(MalformedAnswer::Count));
        assert_eq!(read(b"[]"), Err(MalformedAnswer::Json));
        assert_eq!(changed("703e398d", "703e398"), Err(MalformedAnswer::EntryId));
        assert_eq!(changed(&id.leaf_hash.to_string(), &"0".repeat(64)), Err(MalformedAnswer::OtherBody));
        assert_eq!(changed("\"logIndex\":1", "\"logIndex\":\"1\""), Err(MalformedAnswer::Json));
        assert_eq!(changed("\"logIndex\":1", "\"logIndex\":-1"), Err(MalformedAnswer::Json));
        assert_eq!(changed(&"07".repeat(32), "07"), Err(MalformedAnswer::Member("logID")));
        assert_eq!(changed("\"AQI=\"", "\"AQI\""), Err(MalformedAnswer::Member("signedEntryTimestamp")));
    }

    #[test]
    fn a_consistency_proof_is_a_list_of_hashes() {
        let hash = "07".repeat(32);
        let proof = consistency_proof(format!(r#"{{"rootHash":"{hash}","hashes":["{hash}"]}}"#).as_bytes());
        assert_eq!(proof, Ok(vec![Sha256Digest([7; 32])]));
        assert_eq!(consistency_proof(b"{}"), Ok(vec![]));
        assert_eq!(consistency_proof(b"[]"), Err(MalformedAnswer::NotAProof));
        assert_eq!(consistency_proof(br#"{"hashes":["x"]}"#), Err(MalformedAnswer::Member("hashes")));
        let many = vec![format!("{hash:?}"); 65].join(",");
        assert_eq!(
            consistency_proof(format!(r#"{{"hashes":[{many}]}}"#).as_bytes()),
            Err(MalformedAnswer::TooManyHashes)
        );
    }

    #[test]
    fn ids_of_both_lengths() {
        let (id, _) = entry();
        assert_eq!(id.to_string().parse(), Ok(id));
        let short = EntryId { tree_id: None, ..id };
        assert_eq!(short.to_string().parse(), Ok(short));
        assert_eq!("xyz".parse::<EntryId>(), Err(MalformedAnswer::EntryId));
    }

    proptest! {
        #[test]
        fn never_panics(at: prop::sample::Index, byte: u8, text in ".{0,80}") {
            let (id, entry) = entry();
            let mut bytes = answer(&id, &entry).to_string().into_bytes();
            let index = at.index(bytes.len());
            bytes[index] = byte;
            drop(read(&bytes));
            let _ = text.parse::<EntryId>();
        }
    }
}
