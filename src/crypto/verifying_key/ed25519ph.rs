//! RFC 8032 Ed25519ph: Ed25519 over a SHA-512 digest that somebody else computed.

use ed25519_dalek::ed25519::signature::digest::{
    FixedOutput, HashMarker, Output, OutputSizeUser, Update, typenum::U64,
};
use ed25519_dalek::{Signature, VerifyingKey};

use super::BadSignature;

/// Verifies without a context, as Sigstore signs. Weak keys and signatures of two readings are refused.
pub(super) fn verify(key: &[u8], sha512: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
    let key = VerifyingKey::from_bytes(key.try_into().map_err(|_| BadSignature)?).map_err(|_| BadSignature)?;
    let signature = Signature::from_slice(signature).map_err(|_| BadSignature)?;
    let digest = Computed(sha512.try_into().map_err(|_| BadSignature)?);
    key.verify_prehashed_strict(digest, None, &signature).map_err(|_| BadSignature)
}

/// A digest that is finished already. ed25519-dalek wants one that it can finish.
#[derive(Clone)]
struct Computed([u8; 64]);

impl Default for Computed {
    fn default() -> Self {
        Self([0; 64])
    }
}

impl HashMarker for Computed {}

impl OutputSizeUser for Computed {
    type OutputSize = U64;
}

impl Update for Computed {
    /// Nobody adds to it.
    fn update(&mut self, _data: &[u8]) {}
}

impl FixedOutput for Computed {
    fn finalize_into(self, out: &mut Output<Self>) {
        out.copy_from_slice(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032 §7.3.
    #[test]
    fn the_vector_of_the_rfc() {
        let bytes = |text: &str| hex::decode(text).unwrap();
        let key = bytes("ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf");
        let signature = bytes(concat!(
            "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41",
            "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"
        ));
        let digest = crate::crypto::DigestAlgorithm::Sha512.digest(b"abc");
        assert_eq!(verify(&key, &digest, &signature), Ok(()));
        let other = crate::crypto::DigestAlgorithm::Sha512.digest(b"abd");
        assert_eq!(verify(&key, &other, &signature), Err(BadSignature));
        assert_eq!(verify(&key, &digest, &signature[1..]), Err(BadSignature));
        assert_eq!(verify(&key[1..], &digest, &signature), Err(BadSignature));
    }
}
