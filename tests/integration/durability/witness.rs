//! Remembers everything that a log ever said, and holds the log to it.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::signature::Verifier as _;
use p256::pkcs8::DecodePublicKey as _;
use serde_json::Value;
use sigstore_merkle::verify_inclusion_proof;
use tlog_tiles::tile::{Tile, TileHashReader, TileReader};
use tlog_tiles::tlog::{Error, Hash, HashReader, check_record, prove_record, record_hash, stored_hashes, tree_hash};

use super::client::{Acknowledged, Client, Log, Proof};
use crate::sandbox::{Sandbox, http};

#[derive(Clone)]
pub(crate) struct Witness {
    log: Log,
    folder: PathBuf,
    acknowledged: Vec<Acknowledged>,
    /// Of the entries, in the order that `tlog_tiles` stores them.
    hashes: Vec<Hash>,
    size: u64,
}

impl HashReader for Witness {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, Error> {
        Ok(indexes.iter().map(|index| self.hashes[usize::try_from(*index).unwrap()]).collect())
    }
}

impl Witness {
    pub(crate) fn of(sandbox: &Sandbox, log: Log) -> Self {
        let folder = sandbox.path("sigstore").join(log.folder());
        Self { log, folder, acknowledged: Vec::new(), hashes: Vec::new(), size: 0 }
    }

    /// Everything that was ever acknowledged and checked.
    pub(super) fn acknowledged(&self) -> &[Acknowledged] {
        &self.acknowledged
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The checkpoint is signed, its tree is that of the entries, and every earlier checkpoint's is a beginning of it; each
    /// entry that was ever acknowledged is where it was, and those of this round can be asked for.
    pub(crate) fn check(&mut self, sandbox: &Sandbox, client: &Client, mut acknowledged: Vec<Acknowledged>) {
        let key = LogKey::of(sandbox, self.log);
        let (size, root) = key.open(&std::fs::read(self.folder.join("checkpoint")).unwrap());
        assert!(size >= self.size, "shrank from {} to {size}", self.size);
        let entries = entries(&self.folder, size);
        for index in self.size..size {
            let hashes = stored_hashes(index, &entries[usize::try_from(index).unwrap()], self).unwrap();
            self.hashes.extend(hashes);
        }
        self.size = size;
        assert_eq!(tree_hash(size, self).unwrap(), root);
        for new in &mut acknowledged {
            assert_eq!(new.log, self.log);
            let proof = client.ask_again(sandbox.url(), new, size);
            proof.check(&new.leaf);
            match &new.proof {
                Some(earlier) => assert_eq!(earlier.index, proof.index),
                // A promise alone does not say where.
                None => assert_eq!(proof.root, root),
            }
            let earlier = new.proof.get_or_insert(proof);
            if let Some(checkpoint) = &earlier.checkpoint {
                assert_eq!(key.open(checkpoint.as_bytes()), (earlier.size, earlier.root));
            }
        }
        self.acknowledged.extend(acknowledged);
        for kept in &self.acknowledged {
            let proof = kept.proof.as_ref().unwrap();
            assert_eq!(entries[usize::try_from(proof.index).unwrap()], kept.leaf, "entry {}", proof.index);
            assert_eq!(tree_hash(proof.size, self).unwrap(), proof.root, "checkpoint of {}", proof.size);
        }
        // As a stranger would, from static files alone: the reader checks each tile against the root hash.
        // One entry alone is its own proof.
        if size < 2 {
            return;
        }
        let files = StaticFiles { folder: self.folder.clone(), read: Cell::new(0) };
        let reader = TileHashReader::new(size, root, &files);
        for index in [0, size / 3, size / 2, size - 1] {
            let proof = prove_record(size, index, &reader).unwrap();
            let leaf = record_hash(&entries[usize::try_from(index).unwrap()]);
            check_record(&proof, size, root, index, leaf).unwrap();
        }
        assert!(files.read.get() > 0);
    }
}

impl Proof {
    /// By two implementations.
    pub(crate) fn check(&self, leaf: &[u8]) {
        check_record(&self.path, self.size, self.root, self.index, record_hash(leaf)).unwrap();
        let bytes = |hash: &Hash| sigstore_types::Sha256Hash::new(hash.0);
        let theirs: Vec<_> = self.path.iter().map(bytes).collect();
        let leaf = sigstore_merkle::hash_leaf(leaf);
        verify_inclusion_proof(&leaf, self.index, self.size, &theirs, &bytes(&self.root)).unwrap();
    }
}

/// C2SP tlog-tiles, read without waxseal's code.
fn entries(folder: &Path, size: u64) -> Vec<Vec<u8>> {
    let mut entries = Vec::new();
    for bundle in 0..size.div_ceil(256) {
        let width = (size - bundle * 256).min(256);
        let mut bytes = &static_file(folder, "entries", bundle, width)[..];
        for _ in 0..width {
            let (length, rest) = bytes.split_first_chunk::<2>().unwrap();
            let (entry, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)));
            entries.push(entry.to_vec());
            bytes = rest;
        }
        assert!(bytes.is_empty());
    }
    entries
}

fn static_file(folder: &Path, level: &str, index: u64, width: u64) -> Vec<u8> {
    assert!(index < 1_000_000);
    let number = match index {
        0..1000 => format!("{index:03}"),
        _ => format!("x{:03}/{:03}", index / 1000, index % 1000),
    };
    let partial = if width < 256 { format!(".p/{width}") } else { String::new() };
    let path = folder.join(format!("tile/{level}/{number}{partial}"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

struct StaticFiles {
    folder: PathBuf,
    read: Cell<usize>,
}

impl TileReader for StaticFiles {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, Error> {
        self.read.set(self.read.get() + tiles.len());
        let read =
            |tile: &Tile| static_file(&self.folder, &tile.level().to_string(), tile.level_index(), tile.width().into());
        Ok(tiles.iter().map(read).collect())
    }

    fn save_tiles(&self, _tiles: &[Tile], _data: &[Vec<u8>]) {}
}

/// What a log's checkpoints are verified with, from the trusted root.
enum LogKey {
    /// ECDSA, which signed-note leaves to each log.
    Ecdsa { name: &'static str, key: p256::ecdsa::VerifyingKey, id: u32 },
    /// `NAME+ID+KEY`
    Ed25519(String),
}

impl LogKey {
    fn of(sandbox: &Sandbox, log: Log) -> Self {
        let spki = STANDARD.decode(spki_base64(sandbox, log)).unwrap();
        let id = |digest: Hash| u32::from_be_bytes(*digest.0.first_chunk().unwrap());
        match log {
            Log::Ct => Self::Ecdsa { name: "127.0.0.1/ct", key: ecdsa(&spki), id: id(sha256(&spki)) },
            Log::RekorV1 => Self::Ecdsa { name: "127.0.0.1", key: ecdsa(&spki), id: id(sha256(&spki)) },
            Log::RekorV2 => {
                const ED25519: &[u8] = &[1];
                let key = [ED25519, spki.last_chunk::<32>().unwrap()].concat();
                let id = signed_note::key_id("127.0.0.1", &key);
                Self::Ed25519(format!("127.0.0.1+{id:08x}+{}", STANDARD.encode(key)))
            }
        }
    }

    /// Size and root hash in a checkpoint that the log signed.
    fn open(&self, checkpoint: &[u8]) -> (u64, Hash) {
        let note = signed_note::Note::from_bytes(checkpoint).unwrap();
        let verifier: Box<dyn signed_note::Verifier> = match self {
            Self::Ecdsa { name, key, id } => Box::new(EcdsaVerifier { name, key: *key, id: *id }),
            Self::Ed25519(key) => Box::new(signed_note::StandardVerifier::new(key).unwrap()),
        };
        let name = verifier.name().to_owned();
        note.verify(&signed_note::VerifierList::new(vec![verifier])).unwrap();
        let text = std::str::from_utf8(note.text()).unwrap();
        let [origin, size, root] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
        // Rekor v1 has its tree's number there.
        assert!(origin == name || origin.starts_with(&format!("{name} - ")), "{origin}");
        (size.parse().unwrap(), Hash(STANDARD.decode(root).unwrap().try_into().unwrap()))
    }
}

fn spki_base64(sandbox: &Sandbox, log: Log) -> String {
    let trusted = http("GET", &format!("{}/trust/trusted_root.json", sandbox.url()), "", b"").json();
    let (list, position) = match log {
        Log::Ct => ("ctlogs", 0),
        Log::RekorV1 => ("tlogs", 0),
        Log::RekorV2 => ("tlogs", 1),
    };
    trusted[list][position]["publicKey"]["rawBytes"].as_str().unwrap().to_owned()
}

/// What other programs take.
pub(super) fn spki_pem(sandbox: &Sandbox, log: Log) -> String {
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", spki_base64(sandbox, log))
}

struct EcdsaVerifier {
    name: &'static str,
    key: p256::ecdsa::VerifyingKey,
    id: u32,
}

impl signed_note::Verifier for EcdsaVerifier {
    fn name(&self) -> &str {
        self.name
    }

    fn key_id(&self) -> u32 {
        self.id
    }

    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        p256::ecdsa::DerSignature::from_bytes(signature)
            .is_ok_and(|signature| self.key.verify(text, &signature).is_ok())
    }
}

fn ecdsa(spki: &[u8]) -> p256::ecdsa::VerifyingKey {
    p256::ecdsa::VerifyingKey::from_public_key_der(spki).unwrap()
}

fn sha256(bytes: &[u8]) -> Hash {
    Hash(waxseal::crypto::Sha256Digest::of(bytes).0)
}

/// Hexadecimal or base64.
pub(super) fn hash(value: &Value) -> Hash {
    let text = value.as_str().unwrap();
    let bytes = if text.len() == 64 { hex::decode(text).unwrap() } else { STANDARD.decode(text).unwrap() };
    Hash(bytes.try_into().unwrap())
}
