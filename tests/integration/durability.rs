//! Whatever an embedded log acknowledged is there after a kill at any moment, with a proof; and its files can be read by
//! others. Checked by code that is not waxseal's: `tlog_tiles` and `signed_note` of Cloudflare's azul, and
//! `sigstore-merkle`.

use std::cell::Cell;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::signature::Verifier as _;
use p256::pkcs8::DecodePublicKey as _;
use serde_json::{Value, json};
use sigstore_merkle::verify_inclusion_proof;
use tlog_tiles::tile::{Tile, TileHashReader, TileReader};
use tlog_tiles::tlog::{Error, Hash, HashReader, check_record, prove_record, record_hash, stored_hashes, tree_hash};
use waxseal::crypto::{ServiceKey, ServiceKeyKind, Sha256Digest};

use super::sandbox::{JSON, Sandbox, http};

/// `WAXSEAL_CRASH_ROUNDS` asks for more.
const ROUNDS: usize = 10;
const CLIENTS: u64 = 8;

#[test]
fn killed_at_any_moment_a_log_keeps_what_it_acknowledged() {
    let rounds = std::env::var("WAXSEAL_CRASH_ROUNDS").ok().map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let mut sandbox = Sandbox::new();
    sandbox.start_stack();
    let signer = Signer::new();
    let mut witness = Witness::of(&sandbox);
    let mut seen = 0;
    for round in 0..rounds {
        let url = sandbox.url().to_owned();
        let acknowledged: Vec<Acknowledged> = std::thread::scope(|scope| {
            let client = || std::iter::from_fn(|| signer.add(&url)).collect::<Vec<_>>();
            let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
            // Long enough for some batches, and never the same.
            std::thread::sleep(Duration::from_millis(150 + signer.entropy() % 600));
            sandbox.kill_stack();
            clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
        });
        sandbox.start_stack();
        seen += acknowledged.len();
        witness.check(&sandbox, acknowledged);
        assert!(witness.size() > u64::try_from(seen).unwrap(), "round {round}");
    }
    assert!(seen >= rounds, "hardly anything was acknowledged: {seen} entries in {rounds} rounds");
    println!("{rounds} kills, {seen} entries acknowledged, {} in the log", witness.size());
}

/// One that a client has in hand.
pub(super) struct Acknowledged {
    index: u64,
    body: Vec<u8>,
    size: u64,
    root: Hash,
}

impl Acknowledged {
    pub(super) fn index(&self) -> u64 {
        self.index
    }
}

/// Makes entries that were never logged before.
pub(super) struct Signer {
    key: ServiceKey,
    next: AtomicU64,
}

impl Signer {
    pub(super) fn new() -> Self {
        Self { key: ServiceKey::generate(ServiceKeyKind::EcdsaP256).unwrap(), next: AtomicU64::new(0) }
    }

    fn entropy(&self) -> u64 {
        u64::from_be_bytes(waxseal::crypto::random_bytes())
    }

    pub(super) fn proposal(&self) -> Vec<u8> {
        let message = self.next.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let key = STANDARD.encode(self.key.verifying_key().spki_der());
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----\n");
        let proposal = json!({"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": {
            "data": {"hash": {"algorithm": "sha256", "value": Sha256Digest::of(&message).to_string()}},
            "signature": {
                "content": STANDARD.encode(self.key.sign(&message).unwrap()),
                "publicKey": {"content": STANDARD.encode(pem)},
            },
        }});
        proposal.to_string().into_bytes()
    }

    /// `None` once nobody answers; an answer that breaks off acknowledges nothing.
    pub(super) fn add(&self, url: &str) -> Option<Acknowledged> {
        let (status, answer) = post(&format!("{url}/rekor/api/v1/log/entries"), &self.proposal())?;
        let answer: Value = serde_json::from_slice(&answer).ok()?;
        assert_eq!(status, 201, "{answer}");
        Some(acknowledged(&answer))
    }
}

pub(super) fn post(address: &str, body: &[u8]) -> Option<(u16, Vec<u8>)> {
    let (host, path) = address.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).ok()?;
    let head = format!(
        "POST /{path} HTTP/1.1\r\nHost: {host}\r\n{JSON}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).ok()?;
    let mut answer = Vec::new();
    // A reset after the answer is as good as an end.
    drop(stream.read_to_end(&mut answer));
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let status = std::str::from_utf8(&answer[..end]).unwrap().split(' ').nth(1)?.parse().ok()?;
    Some((status, answer[end + 4..].to_vec()))
}

/// Reads an answer of Rekor v1's API, and checks the proof in it.
pub(super) fn acknowledged(answer: &Value) -> Acknowledged {
    let (_, entry) = answer.as_object().unwrap().iter().next().unwrap();
    let body = STANDARD.decode(entry["body"].as_str().unwrap()).unwrap();
    let proof = &entry["verification"]["inclusionProof"];
    let (index, size) = (proof["logIndex"].as_u64().unwrap(), proof["treeSize"].as_u64().unwrap());
    let root = hash(&proof["rootHash"]);
    let path: Vec<Hash> = proof["hashes"].as_array().unwrap().iter().map(hash).collect();
    check_record(&path, size, root, index, record_hash(&body)).unwrap();
    let bytes = |hash: &Hash| sigstore_types::Sha256Hash::new(hash.0);
    let theirs: Vec<_> = path.iter().map(bytes).collect();
    let leaf = sigstore_merkle::hash_leaf(&body);
    verify_inclusion_proof(&leaf, index, size, &theirs, &bytes(&root)).unwrap();
    Acknowledged { index, body, size, root }
}

fn hash(hexadecimal: &Value) -> Hash {
    Hash(hex::decode(hexadecimal.as_str().unwrap()).unwrap().try_into().unwrap())
}

/// Remembers everything that the log ever said, and holds the log to it.
pub(super) struct Witness {
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
    pub(super) fn of(sandbox: &Sandbox) -> Self {
        let folder = sandbox.path("sigstore/rekor-v1");
        Self { folder, acknowledged: Vec::new(), hashes: Vec::new(), size: 0 }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// The checkpoint is signed, its tree is that of the entries, and every earlier checkpoint's is a beginning of it; each
    /// entry that was ever acknowledged is where it was, and those of this round can be asked for.
    pub(super) fn check(&mut self, sandbox: &Sandbox, acknowledged: Vec<Acknowledged>) {
        let (size, root) = self.checkpoint(sandbox);
        assert!(size >= self.size, "shrank from {} to {size}", self.size);
        let entries = entries(&self.folder, size);
        for index in self.size..size {
            let hashes = stored_hashes(index, &entries[usize::try_from(index).unwrap()], self).unwrap();
            self.hashes.extend(hashes);
        }
        self.size = size;
        assert_eq!(tree_hash(size, self).unwrap(), root);
        for new in &acknowledged {
            let address = format!("{}/rekor/api/v1/log/entries?logIndex={}", sandbox.url(), new.index);
            assert_eq!(acknowledged_at(&address).body, new.body);
        }
        self.acknowledged.extend(acknowledged);
        for kept in &self.acknowledged {
            assert_eq!(entries[usize::try_from(kept.index).unwrap()], kept.body, "entry {}", kept.index);
            assert_eq!(tree_hash(kept.size, self).unwrap(), kept.root, "checkpoint of {}", kept.size);
        }
        // As a stranger would, from static files alone: the reader checks each tile against the root hash.
        let files = StaticFiles { folder: self.folder.clone(), read: Cell::new(0) };
        let reader = TileHashReader::new(size, root, &files);
        for index in [0, size / 3, size / 2, size - 1] {
            let proof = prove_record(size, index, &reader).unwrap();
            let leaf = record_hash(&entries[usize::try_from(index).unwrap()]);
            check_record(&proof, size, root, index, leaf).unwrap();
        }
        assert!(files.read.get() > 0);
    }

    fn checkpoint(&self, sandbox: &Sandbox) -> (u64, Hash) {
        let key = http("GET", &format!("{}/rekor/api/v1/log/publicKey", sandbox.url()), "", b"");
        let key = LogKey::new(std::str::from_utf8(&key.body).unwrap());
        let note = signed_note::Note::from_bytes(&std::fs::read(self.folder.join("checkpoint")).unwrap()).unwrap();
        note.verify(&signed_note::VerifierList::new(vec![Box::new(key)])).unwrap();
        let text = std::str::from_utf8(note.text()).unwrap();
        let [origin, size, root] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
        assert!(origin.starts_with("127.0.0.1 - "), "{origin}");
        (size.parse().unwrap(), Hash(STANDARD.decode(root).unwrap().try_into().unwrap()))
    }
}

fn acknowledged_at(address: &str) -> Acknowledged {
    acknowledged(&http("GET", address, "", b"").json())
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
    assert!(index < 1000);
    let partial = if width < 256 { format!(".p/{width}") } else { String::new() };
    let path = folder.join(format!("tile/{level}/{index:03}{partial}"));
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

/// Rekor v1's key for checkpoints: ECDSA, which signed-note leaves to each log.
struct LogKey {
    key: p256::ecdsa::VerifyingKey,
    id: u32,
}

impl LogKey {
    fn new(pem: &str) -> Self {
        let key = p256::ecdsa::VerifyingKey::from_public_key_pem(pem).unwrap();
        let (_, spki) = der::pem::decode_vec(pem.as_bytes()).unwrap();
        let digest = tlog_digest(&spki);
        Self { key, id: u32::from_be_bytes(*digest.first_chunk().unwrap()) }
    }
}

impl signed_note::Verifier for LogKey {
    fn name(&self) -> &str {
        "127.0.0.1"
    }

    fn key_id(&self) -> u32 {
        self.id
    }

    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        p256::ecdsa::DerSignature::from_bytes(signature)
            .is_ok_and(|signature| self.key.verify(text, &signature).is_ok())
    }
}

/// SHA-256.
fn tlog_digest(bytes: &[u8]) -> [u8; 32] {
    Sha256Digest::of(bytes).0
}
