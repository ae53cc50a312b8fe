//! HMAC-SHA-256 (RFC 2104), for what this process gives away and gets back.

use aws_lc_rs::hmac::{self, HMAC_SHA256};

use super::random_bytes;

/// A key that lives as long as the process. No `Clone`, no derived `Debug`.
pub struct MacKey(hmac::Key);

impl MacKey {
    /// A fresh key.
    #[must_use]
    pub fn generate() -> Self {
        Self(hmac::Key::new(HMAC_SHA256, &random_bytes::<32>()))
    }

    /// The code that goes with `message`.
    #[must_use]
    pub fn tag(&self, message: &[u8]) -> Vec<u8> {
        hmac::sign(&self.0, message).as_ref().to_vec()
    }

    /// Whether `tag` was made with this key for `message`, in constant time.
    #[must_use]
    pub fn verifies(&self, message: &[u8], tag: &[u8]) -> bool {
        hmac::verify(&self.0, message, tag).is_ok()
    }
}

impl std::fmt::Debug for MacKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MacKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_goes_with_its_message_and_its_key() {
        let (key, other) = (MacKey::generate(), MacKey::generate());
        let tag = key.tag(b"message");
        assert!(key.verifies(b"message", &tag));
        assert!(!key.verifies(b"massage", &tag));
        assert!(!key.verifies(b"message", tag.split_at(16).0));
        assert!(!other.verifies(b"message", &tag));
    }
}
