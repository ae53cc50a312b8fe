//! The protobuf wire form of an entry, as gitsign stores it in the CMS attribute 1.3.6.1.4.1.57264.3.1.

use prost::Message as _;

use super::{InclusionPromise, InclusionProof, KindVersion, MAX_PROOF_HASHES, TransparencyLogEntry};
use crate::crypto::Sha256Digest;
use crate::trusted_root::LogId;

/// Decodes strictly: bytes that this encoder would not have written (unknown or reordered fields, zero values spelled
/// out, padded numbers) are refused, for no signature covers them. A promise without a signature in it, which gitsign
/// writes for Rekor v2, is no promise.
///
/// # Errors
/// [`MalformedEntry`] names what is wrong.
pub fn decode(bytes: &[u8]) -> Result<TransparencyLogEntry, MalformedEntry> {
    if bytes.len() > MAX_ENTRY_BYTES {
        return Err(MalformedEntry::TooLarge);
    }
    let entry = Entry::decode(bytes).map_err(|_| MalformedEntry::Protobuf)?;
    if entry.encode_to_vec() != bytes {
        return Err(MalformedEntry::NotCanonical);
    }
    let log_id = entry.log_id.ok_or(MalformedEntry::Missing("log_id"))?.key_id;
    let kind_version = entry.kind_version.ok_or(MalformedEntry::Missing("kind_version"))?;
    Ok(TransparencyLogEntry {
        log_index: index("log_index", entry.log_index)?,
        log_id: LogId(fixed("log_id", log_id)?),
        kind_version: KindVersion { kind: kind_version.kind, version: kind_version.version },
        integrated_time: entry.integrated_time,
        inclusion_promise: entry
            .inclusion_promise
            .filter(|promise| !promise.signed_entry_timestamp.is_empty())
            .map(|promise| InclusionPromise { signed_entry_timestamp: promise.signed_entry_timestamp }),
        inclusion_proof: entry.inclusion_proof.map(Proof::read).transpose()?,
        canonicalized_body: entry.canonicalized_body,
    })
}

/// Encodes in ascending field order, zero values left out.
#[must_use]
pub fn encode(entry: &TransparencyLogEntry) -> Vec<u8> {
    Entry {
        log_index: entry.log_index,
        log_id: Some(KeyId { key_id: entry.log_id.0.to_vec() }),
        kind_version: Some(Kind { kind: entry.kind_version.kind.clone(), version: entry.kind_version.version.clone() }),
        integrated_time: entry.integrated_time,
        inclusion_promise: entry
            .inclusion_promise
            .as_ref()
            .map(|promise| Promise { signed_entry_timestamp: promise.signed_entry_timestamp.clone() }),
        inclusion_proof: entry.inclusion_proof.as_ref().map(|proof| Proof {
            log_index: proof.leaf_index,
            root_hash: proof.root_hash.0.to_vec(),
            tree_size: proof.tree_size,
            hashes: proof.hashes.iter().map(|hash| hash.0.to_vec()).collect(),
            checkpoint: (!proof.checkpoint.is_empty()).then(|| Note { envelope: proof.checkpoint.clone() }),
        }),
        canonicalized_body: entry.canonicalized_body.clone(),
    }
    .encode_to_vec()
}

/// Not an entry in protobuf form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedEntry {
    /// A field has the wrong number of bytes.
    #[error("field {0} of the log entry must have 32 bytes, this one has {1}")]
    Length(&'static str, usize),
    /// A field that every entry has is missing.
    #[error("the log entry has no field {0}")]
    Missing(&'static str),
    /// A number that must not be negative.
    #[error("field {0} of the log entry is negative")]
    Negative(&'static str),
    /// It decodes, but is not encoded the one right way.
    #[error("the log entry is not canonical protobuf")]
    NotCanonical,
    /// Not protobuf of this shape.
    #[error("the log entry is not protobuf of a TransparencyLogEntry")]
    Protobuf,
    /// More bytes than any entry.
    #[error("the log entry has more than {MAX_ENTRY_BYTES} bytes")]
    TooLarge,
    /// More hashes than the largest tree demands.
    #[error("the log entry's inclusion proof has more than {MAX_PROOF_HASHES} hashes")]
    TooManyHashes,
}

impl Proof {
    fn read(self) -> Result<InclusionProof, MalformedEntry> {
        if self.hashes.len() > MAX_PROOF_HASHES {
            return Err(MalformedEntry::TooManyHashes);
        }
        let hashes = self.hashes.into_iter().map(|hash| fixed("hashes", hash).map(Sha256Digest));
        Ok(InclusionProof {
            leaf_index: index("inclusion_proof.log_index", self.log_index)?,
            root_hash: Sha256Digest(fixed("root_hash", self.root_hash)?),
            tree_size: index("tree_size", self.tree_size)?,
            hashes: hashes.collect::<Result<_, _>>()?,
            checkpoint: self.checkpoint.map(|note| note.envelope).unwrap_or_default(),
        })
    }
}

fn fixed(field: &'static str, bytes: Vec<u8>) -> Result<[u8; 32], MalformedEntry> {
    let length = bytes.len();
    bytes.try_into().map_err(|_| MalformedEntry::Length(field, length))
}

/// The fields are `int64`; read as `uint64`, which is the same on the wire, a negative one has the highest bit set.
fn index(field: &'static str, value: u64) -> Result<u64, MalformedEntry> {
    i64::try_from(value).map(|_| value).map_err(|_| MalformedEntry::Negative(field))
}

/// protobuf-specs `dev.sigstore.rekor.v1.TransparencyLogEntry`.
#[derive(Clone, PartialEq, prost::Message)]
struct Entry {
    #[prost(uint64, tag = "1")]
    log_index: u64,
    #[prost(message, optional, tag = "2")]
    log_id: Option<KeyId>,
    #[prost(message, optional, tag = "3")]
    kind_version: Option<Kind>,
    #[prost(int64, tag = "4")]
    integrated_time: i64,
    #[prost(message, optional, tag = "5")]
    inclusion_promise: Option<Promise>,
    #[prost(message, optional, tag = "6")]
    inclusion_proof: Option<Proof>,
    #[prost(bytes = "vec", tag = "7")]
    canonicalized_body: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct KeyId {
    #[prost(bytes = "vec", tag = "1")]
    key_id: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Kind {
    #[prost(string, tag = "1")]
    kind: String,
    #[prost(string, tag = "2")]
    version: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Promise {
    #[prost(bytes = "vec", tag = "1")]
    signed_entry_timestamp: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Proof {
    #[prost(uint64, tag = "1")]
    log_index: u64,
    #[prost(bytes = "vec", tag = "2")]
    root_hash: Vec<u8>,
    #[prost(uint64, tag = "3")]
    tree_size: u64,
    #[prost(bytes = "vec", repeated, tag = "4")]
    hashes: Vec<Vec<u8>>,
    #[prost(message, optional, tag = "5")]
    checkpoint: Option<Note>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Note {
    #[prost(string, tag = "1")]
    envelope: String,
}

/// Real ones have 1.0 to 1.6 KiB; with a body and a chain of witnesses 20 KiB. Rekor v2 allows bodies of 64 KiB.
pub const MAX_ENTRY_BYTES: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry() -> TransparencyLogEntry {
        TransparencyLogEntry {
            log_index: 145,
            log_id: LogId([7; 32]),
            kind_version: KindVersion { kind: "hashedrekord".to_owned(), version: "0.0.1".to_owned() },
            integrated_time: 1_795_401_640,
            inclusion_promise: Some(InclusionPromise { signed_entry_timestamp: vec![1, 2] }),
            inclusion_proof: Some(InclusionProof {
                leaf_index: 145,
                root_hash: Sha256Digest([8; 32]),
                tree_size: 146,
                hashes: vec![Sha256Digest([9; 32])],
                checkpoint: "text".to_owned(),
            }),
            canonicalized_body: vec![],
        }
    }

    #[test]
    fn round_trip() {
        assert_eq!(decode(&encode(&entry())), Ok(entry()));
        let bare = TransparencyLogEntry { inclusion_promise: None, inclusion_proof: None, ..entry() };
        assert_eq!(decode(&encode(&bare)), Ok(bare));
    }

    #[test]
    fn an_empty_promise_is_none() {
        let none = TransparencyLogEntry { inclusion_promise: None, inclusion_proof: None, ..entry() };
        let mut bytes = encode(&none);
        bytes.extend([0x2a, 0x00]);
        assert_eq!(decode(&bytes), Ok(none));
    }

    #[test]
    fn names_what_is_wrong() {
        let good = encode(&entry());
        let with = |suffix: &[u8]| decode(&[good.as_slice(), suffix].concat());
        assert_eq!(with(&[0x40, 0x01]), Err(MalformedEntry::NotCanonical), "unknown field");
        assert_eq!(with(&[0x08, 0x05]), Err(MalformedEntry::NotCanonical), "field twice");
        assert_eq!(with(&[0x3a, 0x00]), Err(MalformedEntry::NotCanonical), "empty body spelled out");
        assert_eq!(with(&[0xff]), Err(MalformedEntry::Protobuf));
        assert_eq!(decode(&[]), Err(MalformedEntry::Missing("log_id")));
        assert_eq!(decode(&vec![0; MAX_ENTRY_BYTES + 1]), Err(MalformedEntry::TooLarge));
        let encoded = |change: fn(&mut TransparencyLogEntry)| {
            let mut entry = entry();
            change(&mut entry);
            decode(&encode(&entry))
        };
        assert_eq!(encoded(|entry| entry.log_index = u64::MAX), Err(MalformedEntry::Negative("log_index")));
        let many = encoded(|entry| entry.inclusion_proof.as_mut().unwrap().hashes = vec![Sha256Digest([0; 32]); 64]);
        assert_eq!(many, Err(MalformedEntry::TooManyHashes));
        let key_id = KeyId { key_id: vec![1; 31] };
        let kind_version = Some(Kind { kind: String::new(), version: String::new() });
        let short = Entry { log_id: Some(key_id), kind_version, ..Entry::default() };
        assert_eq!(decode(&short.encode_to_vec()), Err(MalformedEntry::Length("log_id", 31)));
    }

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), at: prop::sample::Index, byte: u8) {
            drop(decode(&bytes));
            let mut damaged = encode(&entry());
            let index = at.index(damaged.len());
            damaged[index] = byte;
            if let Ok(decoded) = decode(&damaged) {
                // One encoding a value, save for the empty promise.
                prop_assert!(encode(&decoded) == damaged || decoded.inclusion_promise.is_none());
            }
        }
    }
}
