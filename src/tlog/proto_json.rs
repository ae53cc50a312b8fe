//! A `TransparencyLogEntry` in protobuf's JSON: a Rekor v2 server's answer about one entry, and a line of a note.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{InclusionPromise, InclusionProof, KindVersion, MAX_PROOF_HASHES, TransparencyLogEntry};
use crate::crypto::Sha256Digest;
use crate::trusted_root::LogId;

/// Reads the entry as it stands there. Nothing in it is verified.
///
/// # Errors
/// [`MalformedEntryJson`] names what is wrong.
pub fn read(json: &[u8]) -> Result<TransparencyLogEntry, MalformedEntryJson> {
    let entry: Entry = serde_json::from_slice(json).map_err(|_| MalformedEntryJson::Json)?;
    let promise = entry.inclusion_promise.map(|promise| base64("inclusionPromise", &promise.signed_entry_timestamp));
    Ok(TransparencyLogEntry {
        log_index: entry.log_index.unsigned("logIndex")?,
        log_id: LogId(hash("logId", &entry.log_id.key_id)?.0),
        kind_version: KindVersion { kind: entry.kind_version.kind, version: entry.kind_version.version },
        integrated_time: entry.integrated_time.signed("integratedTime")?,
        inclusion_promise: promise
            .transpose()?
            .filter(|promise| !promise.is_empty())
            .map(|signed_entry_timestamp| InclusionPromise { signed_entry_timestamp }),
        inclusion_proof: entry.inclusion_proof.map(Proof::read).transpose()?,
        canonicalized_body: base64("canonicalizedBody", &entry.canonicalized_body)?,
    })
}

/// The JSON that [`read`] reads, on one line without its end. Members in alphabetical order: the same entry gives the same
/// line.
#[must_use]
pub fn line(entry: &TransparencyLogEntry) -> String {
    let mut value = json!({
        "canonicalizedBody": STANDARD.encode(&entry.canonicalized_body),
        "integratedTime": entry.integrated_time.to_string(),
        "kindVersion": { "kind": entry.kind_version.kind, "version": entry.kind_version.version },
        "logId": { "keyId": STANDARD.encode(entry.log_id.0) },
        "logIndex": entry.log_index.to_string(),
    });
    let mut insert =
        |name: &str, member: Value| value.as_object_mut().and_then(|entry| entry.insert(name.to_owned(), member));
    if let Some(promise) = &entry.inclusion_promise {
        let _absent = insert(
            "inclusionPromise",
            json!({ "signedEntryTimestamp": STANDARD.encode(&promise.signed_entry_timestamp) }),
        );
    }
    if let Some(proof) = &entry.inclusion_proof {
        let hashes: Vec<String> = proof.hashes.iter().map(|hash| STANDARD.encode(hash)).collect();
        let proof = json!({
            "checkpoint": { "envelope": proof.checkpoint },
            "hashes": hashes,
            "logIndex": proof.leaf_index.to_string(),
            "rootHash": STANDARD.encode(proof.root_hash),
            "treeSize": proof.tree_size.to_string(),
        });
        let _absent = insert("inclusionProof", proof);
    }
    value.to_string()
}

/// Not an entry in protobuf's JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedEntryJson {
    /// Not JSON of this shape.
    #[error("it is not the JSON of a log entry")]
    Json,
    /// A member's value is not what it should be.
    #[error("{0} of the log entry is malformed")]
    Member(&'static str),
    /// More hashes than the largest tree demands.
    #[error("the inclusion proof has more than {MAX_PROOF_HASHES} hashes")]
    TooManyHashes,
}

/// Members that are not known are passed over: a later version may have more.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(default)]
    log_index: Number,
    log_id: KeyId,
    kind_version: Kind,
    #[serde(default)]
    integrated_time: Number,
    inclusion_promise: Option<Promise>,
    inclusion_proof: Option<Proof>,
    #[serde(default)]
    canonicalized_body: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyId {
    key_id: String,
}

#[derive(Deserialize)]
struct Kind {
    kind: String,
    version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Promise {
    #[serde(default)]
    signed_entry_timestamp: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Proof {
    #[serde(default)]
    log_index: Number,
    root_hash: String,
    #[serde(default)]
    tree_size: Number,
    #[serde(default)]
    hashes: Vec<String>,
    checkpoint: Note,
}

#[derive(Deserialize)]
struct Note {
    envelope: String,
}

impl Proof {
    fn read(self) -> Result<InclusionProof, MalformedEntryJson> {
        if self.hashes.len() > MAX_PROOF_HASHES {
            return Err(MalformedEntryJson::TooManyHashes);
        }
        Ok(InclusionProof {
            leaf_index: self.log_index.unsigned("inclusionProof.logIndex")?,
            root_hash: hash("rootHash", &self.root_hash)?,
            tree_size: self.tree_size.unsigned("treeSize")?,
            hashes: self.hashes.iter().map(|text| hash("hashes", text)).collect::<Result<_, _>>()?,
            checkpoint: self.checkpoint.envelope,
        })
    }
}

/// An `int64`: a string, or, as every reader of protobuf's JSON must take it too, a number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Text(String),
    Plain(i64),
}

impl Default for Number {
    fn default() -> Self {
        Self::Plain(0)
    }
}

impl Number {
    fn signed(&self, member: &'static str) -> Result<i64, MalformedEntryJson> {
        match self {
            Self::Plain(value) => Ok(*value),
            Self::Text(text) => text.parse().map_err(|_| MalformedEntryJson::Member(member)),
        }
    }

    fn unsigned(&self, member: &'static str) -> Result<u64, MalformedEntryJson> {
        u64::try_from(self.signed(member)?).map_err(|_| MalformedEntryJson::Member(member))
    }
}

fn base64(member: &'static str, text: &str) -> Result<Vec<u8>, MalformedEntryJson> {
    STANDARD.decode(text).map_err(|_| MalformedEntryJson::Member(member))
}

fn hash(member: &'static str, text: &str) -> Result<Sha256Digest, MalformedEntryJson> {
    let bytes = base64(member, text)?;
    bytes.try_into().map(Sha256Digest).map_err(|_| MalformedEntryJson::Member(member))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer() -> String {
        let (zeros, ones) = (STANDARD.encode([0; 32]), STANDARD.encode([1; 32]));
        format!(
            r#"{{"logIndex":"7","logId":{{"keyId":"{zeros}"}},"kindVersion":{{"kind":"hashedrekord","version":"0.0.2"}},"integratedTime":"0","inclusionPromise":null,"inclusionProof":{{"logIndex":"7","rootHash":"{ones}","treeSize":"8","hashes":["{ones}"],"checkpoint":{{"envelope":"text"}}}},"canonicalizedBody":"e30="}}"#
        )
    }

    fn entry() -> TransparencyLogEntry {
        TransparencyLogEntry {
            log_index: 7,
            log_id: LogId([0; 32]),
            kind_version: KindVersion { kind: "hashedrekord".to_owned(), version: "0.0.2".to_owned() },
            integrated_time: 0,
            inclusion_promise: None,
            inclusion_proof: Some(InclusionProof {
                leaf_index: 7,
                root_hash: Sha256Digest([1; 32]),
                tree_size: 8,
                hashes: vec![Sha256Digest([1; 32])],
                checkpoint: "text".to_owned(),
            }),
            canonicalized_body: b"{}".to_vec(),
        }
    }

    #[test]
    fn an_answer_is_read_as_it_stands() {
        assert_eq!(read(answer().as_bytes()), Ok(entry()));
        // What protobuf's JSON allows besides: numbers, absent zeros, an empty promise, members of later versions.
        let changed = |from: &str, to: &str| {
            assert!(answer().contains(from), "{from}");
            read(answer().replace(from, to).as_bytes())
        };
        assert_eq!(changed(r#""treeSize":"8""#, r#""treeSize":8"#), Ok(entry()));
        assert_eq!(changed(r#""integratedTime":"0","#, ""), Ok(entry()));
        assert_eq!(
            changed(r#""inclusionPromise":null"#, r#""inclusionPromise":{"signedEntryTimestamp":""}"#),
            Ok(entry())
        );
        assert_eq!(changed(r#""integratedTime":"0""#, r#""integratedTime":"0","later":[1]"#), Ok(entry()));
    }

    #[test]
    fn a_line_is_read_again() {
        let with_promise = TransparencyLogEntry {
            inclusion_promise: Some(InclusionPromise { signed_entry_timestamp: vec![1, 2] }),
            integrated_time: 1_700_000_000,
            ..entry()
        };
        let bare = TransparencyLogEntry { inclusion_proof: None, ..entry() };
        for entry in [entry(), with_promise, bare] {
            let line = line(&entry);
            assert!(!line.contains('\n'));
            assert_eq!(read(line.as_bytes()), Ok(entry));
        }
    }

    #[test]
    fn names_what_is_wrong() {
        let changed = |from: &str, to: &str| {
            assert!(answer().contains(from), "{from}");
            read(answer().replacen(from, to, 1).as_bytes()).unwrap_err()
        };
        assert_eq!(read(b"[]"), Err(MalformedEntryJson::Json));
        assert_eq!(changed(r#""logIndex":"7""#, r#""logIndex":"-7""#), MalformedEntryJson::Member("logIndex"));
        assert_eq!(changed(r#""treeSize":"8""#, r#""treeSize":"x""#), MalformedEntryJson::Member("treeSize"));
        assert_eq!(changed(&STANDARD.encode([0; 32]), "AAAA"), MalformedEntryJson::Member("logId"));
        assert_eq!(changed("e30=", "e30"), MalformedEntryJson::Member("canonicalizedBody"));
        let many = vec![format!("{:?}", STANDARD.encode([1; 32])); 64].join(",");
        let one = format!("[{:?}]", STANDARD.encode([1; 32]));
        assert_eq!(changed(&one, &format!("[{many}]")), MalformedEntryJson::TooManyHashes);
    }

    #[test]
    fn real_answers_are_read_and_verify() {
        use crate::tlog::checkpoint::Checkpoint;
        use crate::tlog::merkle;
        let Some(corpus) = crate::tlog::tests::corpus() else { return };
        let log = &crate::tlog::tests::trusted_root(&corpus).transparency_logs[1];
        let exchanges = std::fs::read_to_string(corpus.join("exchanges.jsonl")).unwrap();
        let mut read_ones = 0;
        for line in exchanges.lines() {
            let exchange: Value = serde_json::from_str(line).unwrap();
            if exchange["server"] != "rekor-v2" || exchange["status"] != 201 {
                continue;
            }
            let entry = read(exchange["response_body"]["text"].as_str().unwrap().as_bytes()).unwrap();
            let proof = entry.inclusion_proof.as_ref().unwrap();
            let checkpoint = Checkpoint::verify(&proof.checkpoint, log).unwrap();
            let leaf = merkle::leaf_hash(&entry.canonicalized_body);
            let root = merkle::root_from_inclusion(leaf, entry.log_index, checkpoint.tree_size(), &proof.hashes);
            assert_eq!((root, entry.log_id), (Ok(checkpoint.root_hash()), log.log_id));
            read_ones += 1;
        }
        assert!(read_ones > 0);
    }

    proptest! {
        #[test]
        fn never_panics(at: prop::sample::Index, byte: u8) {
            let mut bytes = answer().into_bytes();
            let index = at.index(bytes.len());
            bytes[index] = byte;
            drop(read(&bytes));
        }
    }
}
