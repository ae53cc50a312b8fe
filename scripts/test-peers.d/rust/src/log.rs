//! A log's static files: checkpoint, tiles, entries, inclusion, consistency.

use std::cell::RefCell;
use std::collections::HashMap;
use std::error::Error;
use std::path::Path;
use std::{fmt, fs};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use signed_note::{Note, StandardVerifier, VerifierList};
use sigstore_sign::reqwest;
use sigstore_verify::crypto::VerificationKey;
use sigstore_verify::types::{DerPublicKey, SignatureBytes};
use tlog_tiles::{
    Checkpoint, Hash, HashReader as _, Tile, TileHashReader, TileReader, check_record, check_tree, prove_record,
    prove_tree, record_hash, stored_hash_index,
};
use tokio::runtime::Runtime;

use crate::Outcome;

pub fn check(runtime: &Runtime, base: &str, key: &str, heads: &str, acknowledged: Option<&str>) -> Outcome {
    let log = Log { runtime, base, read: RefCell::default() };
    let (size, root) = checkpoint(&log.file("checkpoint")?, &fs::read_to_string(key)?)?;
    let reader = TileHashReader::new(size, root, &log);
    let entries = log.entries(size)?;
    for (index, entry) in (0..size).zip(&entries) {
        // The reader believes no tile that does not lead to the root.
        let published = reader.read_hashes(&[stored_hash_index(0, index)]).map_err(failed)?;
        if published != [record_hash(entry)] {
            return Err(format!("entry {index} is not what its tile says").into());
        }
    }
    let lines = acknowledged.map(fs::read_to_string).transpose()?.unwrap_or_default();
    for line in lines.lines() {
        let (index, hash) = line.split_once(' ').ok_or("a line without a hash")?;
        let index = index.parse()?;
        let hash = hash.get(hash.len().saturating_sub(64)..).ok_or("not a hash")?;
        let proof = prove_record(size, index, &reader).map_err(failed)?;
        check_record(&proof, size, root, index, from_hexadecimal(hash)?).map_err(failed)?;
    }
    let mut earlier = 0;
    fs::create_dir_all(heads)?;
    for file in fs::read_dir(heads)? {
        let file = file?;
        let old_size = file.file_name().to_string_lossy().parse()?;
        let old_root = Hash::parse_hash(&fs::read_to_string(file.path())?).map_err(failed)?;
        let proof = prove_tree(size, old_size, &reader).map_err(failed)?;
        check_tree(&proof, size, root, old_size, old_root).map_err(failed)?;
        earlier += 1;
    }
    fs::write(Path::new(heads).join(size.to_string()), root.to_string())?;
    println!("{size} entries, {} acknowledged, {earlier} earlier checkpoints", lines.lines().count());
    Ok(())
}

fn failed(error: impl fmt::Debug) -> Box<dyn Error> {
    format!("{error:?}").into()
}

fn from_hexadecimal(text: &str) -> Result<Hash, Box<dyn Error>> {
    let mut hash = [0; 32];
    for (index, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2).ok_or("a short hash")?, 16)?;
    }
    Ok(Hash(hash))
}

fn checkpoint(bytes: &[u8], key: &str) -> Result<(u64, Hash), Box<dyn Error>> {
    let note = Note::from_bytes(bytes)?;
    let text = Checkpoint::from_bytes(note.text()).map_err(failed)?;
    let name = text.origin().split(" - ").next().unwrap_or_default();
    let key = DerPublicKey::from_pem(key)?;
    // RFC 8410 has twelve bytes before an Ed25519 key; the standard's note keys have a one.
    let verifiers: VerifierList = match key.as_bytes().split_at_checked(12) {
        Some((_, ed25519)) if ed25519.len() == 32 => {
            let encoded = [&[1], ed25519].concat();
            let id = signed_note::key_id(name, &encoded);
            let text = format!("{name}+{id:08x}+{}", STANDARD.encode(encoded));
            VerifierList::new(vec![Box::new(StandardVerifier::new(&text)?)])
        }
        _ => VerifierList::new(vec![Box::new(EcdsaKey::new(name, &key)?)]),
    };
    note.verify(&verifiers).map_err(failed)?;
    Ok((text.size(), *text.hash()))
}

/// Rekor's, of which signed-note says nothing; the key ID is the beginning of the key's SHA-256.
struct EcdsaKey {
    name: String,
    id: u32,
    key: VerificationKey,
}

impl EcdsaKey {
    fn new(name: &str, key: &DerPublicKey) -> Result<Self, Box<dyn Error>> {
        let digest = sigstore_verify::crypto::sha256(key.as_bytes());
        let id = u32::from_be_bytes(*digest.as_bytes().first_chunk().ok_or("no digest")?);
        Ok(Self { name: name.to_owned(), id, key: VerificationKey::from_spki(key)? })
    }
}

impl signed_note::Verifier for EcdsaKey {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        self.id
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.verify(message, &SignatureBytes::new(signature.to_vec())).is_ok()
    }
}

struct Log<'a> {
    runtime: &'a Runtime,
    base: &'a str,
    /// Every file once.
    read: RefCell<HashMap<String, Vec<u8>>>,
}

impl Log<'_> {
    fn file(&self, path: &str) -> Result<Vec<u8>, Box<dyn Error>> {
        if let Some(bytes) = self.read.borrow().get(path) {
            return Ok(bytes.clone());
        }
        let address = format!("{}/{path}", self.base);
        let bytes = if address.contains("://") {
            self.runtime.block_on(async { reqwest::get(&address).await?.error_for_status()?.bytes().await })?.to_vec()
        } else {
            fs::read(&address).map_err(|error| format!("{address}: {error}"))?
        };
        self.read.borrow_mut().insert(path.to_owned(), bytes.clone());
        Ok(bytes)
    }

    /// C2SP tlog-tiles: each after its length, 256 a file.
    fn entries(&self, size: u64) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
        let mut entries = Vec::new();
        for bundle in 0..size.div_ceil(256) {
            let width = u32::try_from((size - bundle * 256).min(256))?;
            let path = path(&Tile::new(HEIGHT, 0, bundle, width, true));
            let bytes = self.file(&path)?;
            let mut rest = bytes.as_slice();
            for _ in 0..width {
                let (length, after) = rest.split_first_chunk().ok_or("a short bundle")?;
                let (entry, after) =
                    after.split_at_checked(u16::from_be_bytes(*length).into()).ok_or("a short bundle")?;
                entries.push(entry.to_vec());
                rest = after;
            }
            if !rest.is_empty() {
                return Err(format!("{path} goes on after its last entry").into());
            }
        }
        Ok(entries)
    }
}

impl TileReader for Log<'_> {
    fn height(&self) -> u8 {
        HEIGHT
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let read = |tile| self.file(&path(tile)).map_err(|error| tlog_tiles::Error::InvalidInput(error.to_string()));
        tiles.iter().map(read).collect()
    }

    fn save_tiles(&self, _tiles: &[Tile], _data: &[Vec<u8>]) {}
}

/// As C2SP has it: without the height, and entries are "entries".
fn path(tile: &Tile) -> String {
    tile.path().replacen("tile/8/", "tile/", 1).replacen("tile/data/", "tile/entries/", 1)
}

const HEIGHT: u8 = 8;
