//! The one digest by which a user pins an instance: over its trusted root and its signing config together.

use crate::crypto::Sha256Digest;

/// SHA-256 over both documents as they are served, each after its length in bytes as 8 big-endian bytes: the trusted
/// root first. `waxseal serve` prints it, `waxseal trust add --sha256` demands it.
#[must_use]
pub fn trust_digest(trusted_root: &[u8], signing_config: &[u8]) -> Sha256Digest {
    let length = |document: &[u8]| u64::try_from(document.len()).unwrap_or(u64::MAX).to_be_bytes();
    Sha256Digest::of_parts(&[&length(trusted_root), trusted_root, &length(signing_config), signing_config])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn covers_both_documents_and_where_the_first_ends() {
        let digest = trust_digest(b"ab", b"c");
        assert_eq!(digest, Sha256Digest::of(b"\0\0\0\0\0\0\0\x02ab\0\0\0\0\0\0\0\x01c"));
        assert_ne!(digest, trust_digest(b"a", b"bc"));
        assert_ne!(digest, trust_digest(b"c", b"ab"));
    }
}
