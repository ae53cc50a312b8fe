//! How a public key is called.

use super::packets::MalformedPackets;
use crate::crypto::{Sha256Digest, sha1_name};

/// RFC 9580 §5.5.4, and version 5 as GnuPG has it.
pub(super) fn fingerprint(body: &[u8]) -> Result<String, MalformedPackets> {
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
        Some(version) => Err(MalformedPackets::Version(*version)),
        None => Err(MalformedPackets::Length),
    }
}
