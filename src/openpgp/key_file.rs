//! Files of public keys, as `gpg --export` and forges give them.

use super::armor::{self, MalformedArmor};
use super::packets::{self, MalformedPackets, packets};
use super::public_key::PublicKey;
use crate::crypto::{Sha256Digest, sha1_name};

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

/// RFC 9580 §5.5.4, and version 5 as GnuPG has it.
pub(super) fn fingerprint(body: &[u8]) -> Result<String, BadKeyFile> {
    let long = || u32::try_from(body.len()).map_err(|_| MalformedPackets::Length);
    match body.first() {
        Some(4) => {
            let length = u16::try_from(body.len()).map_err(|_| MalformedPackets::Length)?;
            Ok(sha1_name(&[&[0x99], &length.to_be_bytes(), body]).to_ascii_uppercase())
        }
        Some(version @ (5 | 6)) => {
            let first = 0x95 + version;
            let digest = Sha256Digest::of_parts(&[&[first], &long()?.to_be_bytes(), body]);
            Ok(digest.to_string().to_ascii_uppercase())
        }
        Some(version) => Err(BadKeyFile::Version(*version)),
        None => Err(MalformedPackets::Length.into()),
    }
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
    /// Too old.
    #[error("keys of version {0} are not supported")]
    Version(u8),
}

const PUBLIC_KEY_BLOCK: &str = "PUBLIC KEY BLOCK";
