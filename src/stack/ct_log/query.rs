//! RFC 6962 §4: what is asked of the log, but for submissions.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::crypto::Sha256Digest;

/// One of the requests for reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadQuery {
    /// `get-sth-consistency`
    Consistency {
        /// The smaller tree.
        first: u64,
        /// The larger tree.
        second: u64,
    },
    /// `get-entries`
    Entries {
        /// The first index.
        start: u64,
        /// The last index.
        end: u64,
    },
    /// `get-entry-and-proof`
    EntryAndProof {
        /// The entry.
        leaf_index: u64,
        /// In which tree.
        tree_size: u64,
    },
    /// `get-proof-by-hash`
    ProofByHash {
        /// The entry's leaf hash.
        hash: Sha256Digest,
        /// In which tree.
        tree_size: u64,
    },
    /// `get-sth`
    TreeHead,
}

impl ReadQuery {
    /// Reads the last element of the path and the query string; `None` when there is no such request.
    #[must_use]
    pub fn parse(name: &str, query: &str) -> Option<Result<Self, BadQuery>> {
        let parameters = Parameters(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect());
        Some(match name {
            "get-entries" => parameters.entries(),
            "get-entry-and-proof" => parameters.entry_and_proof(),
            "get-proof-by-hash" => parameters.proof_by_hash(),
            "get-sth" => Ok(Self::TreeHead),
            "get-sth-consistency" => parameters.consistency(),
            _ => return None,
        })
    }
}

struct Parameters(HashMap<String, String>);

impl Parameters {
    fn consistency(&self) -> Result<ReadQuery, BadQuery> {
        let (first, second) = (self.number("first")?, self.number("second")?);
        if first > second {
            Err(BadQuery::Order("first", "second"))
        } else {
            Ok(ReadQuery::Consistency { first, second })
        }
    }

    fn entries(&self) -> Result<ReadQuery, BadQuery> {
        let (start, end) = (self.number("start")?, self.number("end")?);
        if start > end { Err(BadQuery::Order("start", "end")) } else { Ok(ReadQuery::Entries { start, end }) }
    }

    fn entry_and_proof(&self) -> Result<ReadQuery, BadQuery> {
        let (leaf_index, tree_size) = (self.number("leaf_index")?, self.number("tree_size")?);
        if leaf_index >= tree_size {
            return Err(BadQuery::Order("leaf_index", "tree_size"));
        }
        Ok(ReadQuery::EntryAndProof { leaf_index, tree_size })
    }

    fn proof_by_hash(&self) -> Result<ReadQuery, BadQuery> {
        // Clients forget to write the `+` of base64 as `%2B`.
        let hash = self.text("hash")?.replace(' ', "+");
        let hash = STANDARD.decode(hash).ok().and_then(|hash| hash.try_into().ok());
        let hash = Sha256Digest(hash.ok_or(BadQuery::Malformed("hash"))?);
        Ok(ReadQuery::ProofByHash { hash, tree_size: self.number("tree_size")? })
    }

    fn number(&self, name: &'static str) -> Result<u64, BadQuery> {
        let text = self.text(name)?;
        let number = text.parse().ok().filter(|number: &u64| number.to_string() == text);
        number.ok_or(BadQuery::Malformed(name))
    }

    fn text(&self, name: &'static str) -> Result<&str, BadQuery> {
        self.0.get(name).map(String::as_str).ok_or(BadQuery::Missing(name))
    }
}

/// A request that cannot be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadQuery {
    /// A parameter that is not a number, or not a hash.
    #[error("parameter {0:?} is malformed")]
    Malformed(&'static str),
    /// A parameter that is not there.
    #[error("parameter {0:?} is missing")]
    Missing(&'static str),
    /// Two parameters in the wrong order.
    #[error("parameter {0:?} is beyond {1:?}")]
    Order(&'static str, &'static str),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parameters_are_read_strictly() {
        let read = |name, query| ReadQuery::parse(name, query).unwrap();
        assert_eq!(read("get-entries", "start=0&end=7"), Ok(ReadQuery::Entries { start: 0, end: 7 }));
        assert_eq!(read("get-entries", "start=8&end=7"), Err(BadQuery::Order("start", "end")));
        assert_eq!(read("get-entries", "start=+8&end=7"), Err(BadQuery::Malformed("start")));
        assert_eq!(read("get-entries", "end=7"), Err(BadQuery::Missing("start")));
        let order = Err(BadQuery::Order("first", "second"));
        assert_eq!(read("get-sth-consistency", "first=2&second=1"), order);
        let order = Err(BadQuery::Order("leaf_index", "tree_size"));
        assert_eq!(read("get-entry-and-proof", "leaf_index=1&tree_size=1"), order);
        let hash = Sha256Digest([0xfb; 32]);
        let bare = format!("hash={}&tree_size=1", STANDARD.encode(hash));
        assert!(bare.contains('+'));
        assert_eq!(read("get-proof-by-hash", &bare), Ok(ReadQuery::ProofByHash { hash, tree_size: 1 }));
        assert_eq!(read("get-proof-by-hash", "hash=AAAA&tree_size=1"), Err(BadQuery::Malformed("hash")));
        assert_eq!(ReadQuery::parse("get-nothing", ""), None);
    }

    proptest! {
        #[test]
        fn never_panics(query in ".{0,60}") {
            for name in ["get-entries", "get-entry-and-proof", "get-proof-by-hash", "get-sth-consistency"] {
                let _ = ReadQuery::parse(name, &query);
            }
        }
    }
}
