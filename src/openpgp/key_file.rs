//! Files of public keys, as `gpg --export` and forges give them.

use super::armor::{self, MalformedArmor};
use super::fingerprint::fingerprint;
use super::packets::{self, MalformedPackets, packets};
use super::public_key::PublicKey;

/// The keys in a file, armored or not; a key that it has twice is two.
///
/// # Errors
/// [`BadKeyFile`]
pub fn keys(file: &[u8]) -> Result<Vec<PublicKey>, BadKeyFile> {
    // A packet begins with a byte that no text has.
    let blocks = match file.first() {
        Some(first) if first & 0x80 != 0 => vec![file.to_vec()],
        _ => armor::blocks(file, PUBLIC_KEY_BLOCK)?,
    };
    let mut keys: Vec<PublicKey> = Vec::new();
    for block in &blocks {
        for packet in packets(block)? {
            match (packet.tag, keys.last_mut()) {
                (packets::SECRET_KEY | packets::SECRET_SUBKEY, _) => return Err(BadKeyFile::Secret),
                (packets::PUBLIC_KEY, _) => keys.push(PublicKey::new(fingerprint(packet.body)?, packet)),
                (_, Some(key)) => key.push(packet),
                (_, None) => return Err(BadKeyFile::NoKey),
            }
        }
    }
    if keys.is_empty() { Err(BadKeyFile::NoKey) } else { Ok(keys) }
}

/// A file that holds no public keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKeyFile {
    /// The text around them.
    #[error(transparent)]
    Armor(#[from] MalformedArmor),
    /// Something else.
    #[error("it holds no OpenPGP public key")]
    NoKey,
    /// What is in it.
    #[error(transparent)]
    Packets(#[from] MalformedPackets),
    /// That does not belong where others read it.
    #[error("it holds a secret key: export the public one")]
    Secret,
}

const PUBLIC_KEY_BLOCK: &str = "PUBLIC KEY BLOCK";
