//! Transparency-log entries and what proves them: Merkle proofs, checkpoints, inclusion promises.
//!
//! Names and shapes are those of protobuf-specs `sigstore_rekor.proto`. Three serialisations lead here: [`proto`], as
//! gitsign stores an entry inside a signature, [`rekor_json`], as a Rekor v1 server answers, and [`proto_json`], as
//! Rekor v2 does.

pub mod checkpoint;
pub mod dsse;
pub mod entry_key;
pub mod hashedrekord;
pub mod merkle;
pub mod note;
pub mod promise;
pub mod proposed;
pub mod proto;
pub mod proto_json;
pub mod rekor_json;
pub mod rekor_v2;
pub mod tiles;
mod verifier;

use crate::crypto::{DigestAlgorithm, KeyKind, Sha256Digest, SignatureAlgorithm};
use crate::trusted_root::LogId;

/// An entry of a transparency log with its evidence (protobuf-specs `TransparencyLogEntry`). Nothing in it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransparencyLogEntry {
    /// The entry's number across all shards of the log. Not the leaf index of a sharded log.
    pub log_index: u64,
    /// Which log.
    pub log_id: LogId,
    /// What the body is.
    pub kind_version: KindVersion,
    /// Seconds since 1970. A claim until [`promise::VerifiedPromise`] says so; 0 in Rekor v2.
    pub integrated_time: i64,
    /// The log's promise to include the entry; Rekor v1 only.
    pub inclusion_promise: Option<InclusionPromise>,
    /// That the tree under a checkpoint has the entry.
    pub inclusion_proof: Option<InclusionProof>,
    /// What was logged. Empty when it was not sent along, as in Git signatures: whoever verifies rebuilds it.
    pub canonicalized_body: Vec<u8>,
}

/// Kind and version of an entry's body, such as `hashedrekord` and `0.0.1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindVersion {
    /// `hashedrekord`, `dsse`, …
    pub kind: String,
    /// `0.0.1`, …
    pub version: String,
}

/// Rekor v1's signed entry timestamp (protobuf-specs `InclusionPromise`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InclusionPromise {
    /// The log's signature over [`promise::message`].
    pub signed_entry_timestamp: Vec<u8>,
}

/// A Merkle audit path with the checkpoint that it leads to (protobuf-specs `InclusionProof`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InclusionProof {
    /// The leaf's number in the tree of its shard.
    pub leaf_index: u64,
    /// Claimed; the checkpoint's counts.
    pub root_hash: Sha256Digest,
    /// Claimed; the checkpoint's counts.
    pub tree_size: u64,
    /// RFC 6962 §2.1.1 order: from the leaf up.
    pub hashes: Vec<Sha256Digest>,
    /// The signed note. Empty when it was not sent along.
    pub checkpoint: String,
}

/// What logs sign checkpoints and promises with: SHA-256 whatever the curve, Ed25519 over the text itself.
fn log_signature_algorithm(kind: KeyKind) -> SignatureAlgorithm {
    match kind {
        KeyKind::EcdsaP256 | KeyKind::EcdsaP384 | KeyKind::EcdsaP521 => {
            SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha256)
        }
        KeyKind::Ed25519 => SignatureAlgorithm::Ed25519,
        KeyKind::Rsa => SignatureAlgorithm::RsaPkcs1(DigestAlgorithm::Sha256),
    }
}

/// An audit path in a tree of 2^63 leaves has 63 hashes.
const MAX_PROOF_HASHES: usize = 63;

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::checkpoint::Checkpoint;
    use super::*;
    use crate::trusted_root::TrustedRoot;

    /// What the real servers wrote, where it is at hand.
    pub(super) fn corpus() -> Option<PathBuf> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let found = ["../shared", "../../shared"].map(|shared| root.join(shared).join("corpus/real-servers"));
        let found = found.into_iter().find(|corpus| corpus.is_dir());
        if found.is_none() {
            println!("skipped: no ../shared/corpus/real-servers");
        }
        found
    }

    pub(super) fn trusted_root(corpus: &std::path::Path) -> TrustedRoot {
        TrustedRoot::parse(&std::fs::read(corpus.join("trust/trusted_root.json")).unwrap()).unwrap()
    }

    #[test]
    fn the_root_of_a_real_log_is_recomputed() {
        let Some(corpus) = corpus() else { return };
        let read = |name: &str| std::fs::read(corpus.join("rekor-v2-log").join(name)).unwrap();
        let mut entries = [read("tile/entries/000"), read("tile/entries/001.p/44")].concat();
        let mut leaves = Vec::new();
        while let [high, low, ..] = entries[..] {
            let end = 2 + usize::from(u16::from_be_bytes([high, low]));
            leaves.push(merkle::leaf_hash(&entries[2..end]));
            entries.drain(..end);
        }
        let stored = [read("tile/0/000"), read("tile/0/001.p/44")].concat();
        assert_eq!(leaves.iter().flat_map(|leaf| leaf.0).collect::<Vec<_>>(), stored);
        let mut nodes = std::collections::HashMap::new();
        for (index, leaf) in (0..).zip(&leaves) {
            let mut read = |level, index| Ok::<_, std::convert::Infallible>(nodes[&(level, index)]);
            let Ok(completed) = merkle::completed_by(index, *leaf, &mut read);
            nodes.extend(completed.into_iter().map(|(level, index, hash)| ((level, index), hash)));
        }
        assert_eq!(nodes[&(8, 0)].0.as_slice(), read("tile/1/000.p/1"));
        let mut read_node = |level, index| Ok::<_, std::convert::Infallible>(nodes[&(level, index)]);
        let Ok(root) = merkle::root(300, &mut read_node);
        let log = &trusted_root(&corpus).transparency_logs[1];
        let text = String::from_utf8(read("checkpoint")).unwrap();
        let checkpoint = Checkpoint::verify(&text, log).unwrap();
        assert_eq!((checkpoint.tree_size(), checkpoint.root_hash()), (300, root));
        for index in [0, 1, 255, 256, 299] {
            let Ok(path) = merkle::inclusion_proof(index, 300, &mut read_node);
            let leaf = leaves[usize::try_from(index).unwrap()];
            assert_eq!(merkle::root_from_inclusion(leaf, index, 300, &path), Ok(root));
        }
    }

    #[test]
    fn a_real_rekor_servers_answers_verify() {
        let Some(corpus) = corpus() else { return };
        let log = &trusted_root(&corpus).transparency_logs[0];
        let exchanges = std::fs::read_to_string(corpus.join("exchanges.jsonl")).unwrap();
        let mut verified = 0;
        for line in exchanges.lines() {
            let exchange: serde_json::Value = serde_json::from_str(line).unwrap();
            let answer = exchange["response_body"]["text"].as_str().unwrap_or_default();
            if exchange["server"] != "rekor-v1" || !answer.contains("signedEntryTimestamp") || !answer.starts_with('{')
            {
                continue;
            }
            let (id, entry) = rekor_json::read(answer.as_bytes()).unwrap();
            assert_eq!(rekor_json::answer(&id, &entry).to_string(), answer.trim_end());
            assert_eq!(proto::decode(&proto::encode(&entry)).as_ref(), Ok(&entry));
            let body = &entry.canonicalized_body;
            let promise = entry.inclusion_promise.as_ref().unwrap().verify(&entry, body, log).unwrap();
            assert_eq!(promise.integrated_time().as_second(), entry.integrated_time);
            let proof = entry.inclusion_proof.as_ref().unwrap();
            let checkpoint = Checkpoint::verify(&proof.checkpoint, log).unwrap();
            let leaf = merkle::leaf_hash(body);
            let root = merkle::root_from_inclusion(leaf, proof.leaf_index, checkpoint.tree_size(), &proof.hashes);
            assert_eq!(root, Ok(checkpoint.root_hash()));
            if exchange["method"] == "POST" && entry.kind_version.kind == hashedrekord::KIND {
                let proposed = exchange["request_body"]["text"].as_str().unwrap();
                let proposed = proposed::ProposedEntry::read(proposed.as_bytes()).unwrap();
                assert_eq!(proposed.canonical_body(), *body, "{}", exchange["name"]);
            }
            verified += 1;
        }
        assert!(verified >= 10, "{verified}");
    }
}
