//! Keys, signatures and digests. The only place that names an algorithm crate: `p256` makes the ephemeral keys,
//! aws-lc-rs verifies and hashes everything and holds the embedded stack's service keys, `argon2` hashes passwords.

mod digest;
mod mac;
mod password;
mod service_key;
mod signing_key;
mod verifying_key;

pub use digest::{DigestAlgorithm, Sha256Digest, sha1_name};
pub use mac::MacKey;
pub use password::{HashedPassword, PasswordHashError};
pub use service_key::{ServiceKey, ServiceKeyError, ServiceKeyKind};
pub use signing_key::SigningKey;
pub use verifying_key::{
    BadSignature, Curve, KeyKind, PublicKeyParts, SignatureAlgorithm, UnsupportedKey, VerifyingKey, ecdsa_signature,
};

/// `N` bytes from the operating system's random number generator.
///
/// Aborts the process when there is none: no secret may be made without it.
#[must_use]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    use aws_lc_rs::rand::{SecureRandom, SystemRandom};
    let mut bytes = [0; N];
    if SystemRandom::new().fill(&mut bytes).is_err() {
        std::process::abort();
    }
    bytes
}
