//! The ephemeral key of one signature, or of one credential's few minutes.

use p256::ecdsa::signature::{RandomizedSigner as _, Signer as _};
use p256::elliptic_curve::Generate as _;
use p256::elliptic_curve::common::getrandom::SysRng;
use p256::pkcs8::EncodePublicKey as _;

use super::VerifyingKey;

/// An ephemeral ECDSA P-256 key (FIPS 186-5). It exists in memory only, is overwritten when dropped, and leaves this
/// module as signatures and as a public key.
pub struct SigningKey(p256::ecdsa::SigningKey);

impl SigningKey {
    /// A fresh key from the operating system's random number generator.
    #[must_use]
    pub fn generate() -> Self {
        Self(p256::ecdsa::SigningKey::generate())
    }

    /// ECDSA with SHA-256 over `message`; DER `Ecdsa-Sig-Value` (RFC 3279 §2.2.3).
    ///
    /// Two signatures over one message differ (RFC 6979 §3.6): a key of several minutes may sign one payload twice in a
    /// second, and a log takes an equal entry only once. Without random bytes they are equal, which is no less safe.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature: p256::ecdsa::Signature =
            self.0.try_sign_with_rng(&mut SysRng, message).unwrap_or_else(|_| self.0.sign(message));
        signature.to_der().as_bytes().to_vec()
    }

    /// The public half as DER `SubjectPublicKeyInfo` (RFC 5480).
    ///
    /// # Panics
    /// Never: a P-256 point has a fixed encoding.
    #[must_use]
    #[expect(clippy::expect_used, reason = "the encoding of a P-256 point cannot fail")]
    pub fn public_key_der(&self) -> Vec<u8> {
        self.0.verifying_key().to_public_key_der().expect("a P-256 key has a DER form").into_vec()
    }

    /// The public half, ready to verify with.
    ///
    /// # Panics
    /// Never: P-256 is supported.
    #[must_use]
    #[expect(clippy::expect_used, reason = "P-256 is one of the supported kinds")]
    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey::from_spki_der(&self.public_key_der()).expect("P-256 is supported")
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(P-256)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_is_never_signed_alike_twice() {
        let key = SigningKey::generate();
        let signatures = [key.sign(b"message"), key.sign(b"message")];
        assert_ne!(signatures[0], signatures[1]);
        for signature in signatures {
            assert!(key.verifying_key().verify(b"message", &signature).is_ok());
        }
    }
}
