//! OpenPGP (RFC 9580), as far as it must be understood to hand signatures to somebody's gpg and to believe what it says: the
//! armor and the packets around signatures and keys, and gpg's status lines. Nothing is verified here.
//!
//! What is handed over is one signature packet and nothing else, whatever the armor in the object has besides, so that gpg
//! finds no second signature and no other content in it.

mod armor;
mod fingerprint;
mod issuer;
mod key_file;
mod packets;
mod public_key;
mod status;
mod version_4;

pub use armor::MalformedArmor;
pub use key_file::{BadKeyFile, keys};
pub use packets::MalformedPackets;
pub use public_key::PublicKey;
pub use status::{Said, Standing, sections};

use packets::packets;
use version_4::Version4;

/// One signature, read: nothing of it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenPgpSignature {
    packet: Vec<u8>,
    key: Option<String>,
}

impl OpenPgpSignature {
    /// Reads the armor, which must hold one signature over bytes as they are.
    ///
    /// # Errors
    /// [`BadOpenPgpSignature`]
    pub fn open(text: &[u8]) -> Result<Self, BadOpenPgpSignature> {
        if text.len() > MAX_BYTES {
            return Err(BadOpenPgpSignature::TooLong(text.len()));
        }
        let [block] = armor::blocks(text, SIGNATURE)?.try_into().map_err(|_| BadOpenPgpSignature::NotOne)?;
        let [packet] = packets(&block)?.try_into().map_err(|_| BadOpenPgpSignature::NotOne)?;
        // RFC 9580 §5.2.2 and §5.2.3: version 3 has the length of what it hashes before the type.
        let (kind, digest, key) = match (packet.tag, packet.body) {
            (packets::SIGNATURE, [4, ..]) => {
                let signature = Version4::read(packet.body)?;
                (signature.kind, signature.digest, issuer::of_subpackets(&signature.subpackets))
            }
            (packets::SIGNATURE, [3, 5, kind, rest @ ..]) => {
                // Behind time, key ID and the key's algorithm.
                let digest = *rest.get(4 + 8 + 1).ok_or(MalformedPackets::Length)?;
                (*kind, digest, issuer::of_version_3(packet.body))
            }
            (packets::SIGNATURE, [version, ..]) => return Err(BadOpenPgpSignature::Version(*version)),
            _ => return Err(BadOpenPgpSignature::NotOne),
        };
        if kind != OVER_BYTES {
            return Err(BadOpenPgpSignature::Kind(kind));
        }
        if !SHA_2.contains(&digest) {
            return Err(BadOpenPgpSignature::Digest(digest));
        }
        Ok(Self { packet: packet.whole.to_vec(), key })
    }

    /// What it says of the key that made it, primary or not: the fingerprint, else the key ID, in upper-case hexadecimal. Nothing
    /// proves it.
    #[must_use]
    pub fn claimed_key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// The signature with the content that it is held against, as one message: what `gpg --verify-files` takes. The literal
    /// data packet is ours, so that what gpg hashes is `payload` and nothing else.
    #[must_use]
    pub fn message(&self, payload: &[u8]) -> Vec<u8> {
        // Binary, without a name, without a date.
        const HEAD: [u8; 6] = [b'b', 0, 0, 0, 0, 0];
        let length = u32::try_from(payload.len().saturating_add(HEAD.len())).unwrap_or(u32::MAX);
        let mut message = self.packet.clone();
        message.extend([0xC0 | packets::LITERAL, 0xFF]);
        message.extend(length.to_be_bytes());
        message.extend(HEAD);
        message.extend(payload);
        message
    }
}

/// What is wrong with an OpenPGP signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadOpenPgpSignature {
    /// gpg does not know it.
    #[error("gpg does not support the algorithm of the OpenPGP signature")]
    Algorithm,
    /// The text around it.
    #[error("the OpenPGP signature: {0}")]
    Armor(#[from] MalformedArmor),
    /// MD5, SHA-1, RIPEMD-160 and what is not known.
    #[error("the OpenPGP signature's digest algorithm {0} is not supported: it must be SHA-2")]
    Digest(u8),
    /// Nobody proves when it was made, so nobody can tell whether it was over by then.
    #[error("the OpenPGP signature says that it expires")]
    Expires,
    /// Not over bytes as they are.
    #[error("an OpenPGP signature of type {0} is not one over a file")]
    Kind(u8),
    /// Several, none, or something beside it.
    #[error("the armor holds something else than one OpenPGP signature")]
    NotOne,
    /// What is in the armor.
    #[error("the OpenPGP signature: {0}")]
    Packets(#[from] MalformedPackets),
    /// The key did not make it over this content, or gpg may not judge it: it says the same of both.
    #[error(
        "gpg says that the OpenPGP signature is bad: its key signed something else, or called critical what gpg does not know"
    )]
    Signature,
    /// Larger than any signature.
    #[error("the OpenPGP signature has {0} bytes; at most {MAX_BYTES} are read")]
    TooLong(usize),
    /// gpg says something that is not known of signatures.
    #[error("gpg says of the OpenPGP signature: {0}")]
    Unknown(String),
    /// A later one hashes more than the content.
    #[error("OpenPGP signatures of version {0} are not supported")]
    Version(u8),
}

const SIGNATURE: &str = "SIGNATURE";

/// RFC 9580 §5.2.1.1.
const OVER_BYTES: u8 = 0;

/// RFC 9580 §9.5: SHA-256, SHA-384, SHA-512, SHA-224.
const SHA_2: std::ops::RangeInclusive<u8> = 8..=11;

/// One by an RSA key of 16,384 bits, with notations, has 8,000.
const MAX_BYTES: usize = 1 << 16;
