//! SSH signatures as Git stores them (OpenSSH `PROTOCOL.sshsig`), and the keys that make them.
//!
//! A signature brings its key along: it verifies under that key or under none, and whether anybody is known by the key is
//! asked of a policy. Nothing in it says when it was made.

pub mod allowed_signers;
mod armor;

use std::fmt;

use ssh_key::encoding::{Decode as _, Encode as _};
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, EcdsaCurve, HashAlg, Mpint, PublicKey, SshSig};

use crate::crypto::{
    Curve, DigestAlgorithm, PublicKeyParts, Sha256Digest, SignatureAlgorithm, VerifyingKey, ecdsa_signature,
};

pub use armor::MalformedArmor;

/// A public key that signatures can be verified with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshKey {
    data: KeyData,
    verifying: VerifyingKey,
    comment: String,
}

impl SshKey {
    /// Reads a line as `ssh-keygen` writes it: algorithm, base64, and a comment if there is one.
    ///
    /// # Errors
    /// [`UnusableKey`]
    pub fn parse(line: &str) -> Result<Self, UnusableKey> {
        if line.len() > MAX_KEY_LINE {
            return Err(UnusableKey::Malformed);
        }
        let key = PublicKey::from_openssh(line.trim()).map_err(|_| UnusableKey::Malformed)?;
        let comment = key.comment().as_str().unwrap_or_default().to_owned();
        Ok(Self { comment, ..Self::of(key.key_data())? })
    }

    /// What `ssh-keygen -l` prints: `SHA256:` and base64.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.data.fingerprint(HashAlg::Sha256).to_string()
    }

    /// The line that [`SshKey::parse`] reads as this key, without a comment; `None` of a key with which it would be longer than
    /// one that is read.
    #[must_use]
    pub fn line(&self) -> Option<String> {
        let line = PublicKey::new(self.data.clone(), "").to_openssh().ok()?;
        (Self::parse(&line).is_ok_and(|key| key.data == self.data)).then_some(line)
    }

    /// What stood behind the key: whatever its owner wrote there.
    #[must_use]
    pub fn comment(&self) -> &str {
        &self.comment
    }

    fn of(data: &KeyData) -> Result<Self, UnusableKey> {
        let algorithm = || UnusableKey::Algorithm(data.algorithm().as_str().to_owned());
        let parts = match data {
            KeyData::Ed25519(key) => PublicKeyParts::Ed25519(&key.0),
            KeyData::SkEd25519(key) => PublicKeyParts::Ed25519(&key.public_key().0),
            KeyData::Ecdsa(key) => PublicKeyParts::Ecdsa(curve(key.curve()), key.as_sec1_bytes()),
            KeyData::SkEcdsaSha2NistP256(key) => PublicKeyParts::Ecdsa(Curve::P256, key.ec_point().as_bytes()),
            KeyData::Rsa(key) => match (key.n().as_positive_bytes(), key.e().as_positive_bytes()) {
                (Some(modulus), Some(exponent)) => PublicKeyParts::Rsa { modulus, exponent },
                _ => return Err(UnusableKey::Malformed),
            },
            KeyData::Certificate(_) => return Err(UnusableKey::Algorithm("certificate".to_owned())),
            // DSA, and what is not known.
            _ => return Err(algorithm()),
        };
        let verifying = VerifyingKey::from_parts(parts).map_err(|_| UnusableKey::Malformed)?;
        match verifying.rsa_bits() {
            Some(bits) if !RSA_BITS.contains(&bits) => Err(UnusableKey::RsaBits(bits)),
            _ => Ok(Self { data: data.clone(), verifying, comment: String::new() }),
        }
    }
}

impl fmt::Display for SshKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fingerprint())
    }
}

/// An SSH signature, read: nothing of it is verified.
#[derive(Clone, Debug)]
pub struct SshSignature {
    signature: SshSig,
    fingerprint: String,
}

impl SshSignature {
    /// Reads the armor. In it is nothing but the signature, at no place: what nobody signed would be a way to another object
    /// with the same signature.
    ///
    /// # Errors
    /// [`BadSshSignature`] when it is none.
    pub fn open(armor: &[u8]) -> Result<Self, BadSshSignature> {
        let bytes = armor::decode(armor)?;
        let signature = SshSig::decode(&mut bytes.as_slice()).map_err(|_| BadSshSignature::Malformed)?;
        // The decoder passes over what is left of a string.
        let is_exact = signature.encode_vec().is_ok_and(|written| written == bytes);
        if !is_exact || signature.version() != SshSig::VERSION || !signature.reserved().is_empty() {
            return Err(BadSshSignature::Malformed);
        }
        let fingerprint = signature.public_key().fingerprint(HashAlg::Sha256).to_string();
        Ok(Self { signature, fingerprint })
    }

    /// That of the key that came along: a claim until the signature is verified.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The key that came along, where it signed `payload` for Git.
    ///
    /// # Errors
    /// [`BadSshSignature`] says what is wrong.
    pub fn verify(&self, payload: &[u8]) -> Result<SshKey, BadSshSignature> {
        let signature = &self.signature;
        if signature.namespace() != GIT {
            return Err(BadSshSignature::Namespace(signature.namespace().to_owned()));
        }
        let key = SshKey::of(signature.public_key())?;
        let message =
            SshSig::signed_data(GIT, signature.hash_alg(), payload).map_err(|_| BadSshSignature::Malformed)?;
        let bytes = signature.signature_bytes();
        let (algorithm, signature, message) = match (&key.data, signature.algorithm()) {
            (KeyData::Ed25519(_), Algorithm::Ed25519) => (SignatureAlgorithm::Ed25519, bytes.to_vec(), message),
            (KeyData::Ecdsa(key), Algorithm::Ecdsa { curve: named }) if key.curve() == named => {
                (curve(named).key_kind().default_algorithm(), ecdsa(bytes)?, message)
            }
            (KeyData::Rsa(_), Algorithm::Rsa { hash: Some(hash) }) => {
                let digest = match hash {
                    HashAlg::Sha256 => DigestAlgorithm::Sha256,
                    HashAlg::Sha512 => DigestAlgorithm::Sha512,
                    _ => return Err(BadSshSignature::Algorithm(hash.to_string())),
                };
                (SignatureAlgorithm::RsaPkcs1(digest), bytes.to_vec(), message)
            }
            (KeyData::SkEd25519(key), Algorithm::SkEd25519) => {
                let (bytes, said) = split_trailer(bytes)?;
                (SignatureAlgorithm::Ed25519, bytes.to_vec(), of_token(key.application(), said, &message))
            }
            (KeyData::SkEcdsaSha2NistP256(key), Algorithm::SkEcdsaSha2NistP256) => {
                let (bytes, said) = split_trailer(bytes)?;
                let algorithm = Curve::P256.key_kind().default_algorithm();
                (algorithm, ecdsa(bytes)?, of_token(key.application(), said, &message))
            }
            (_, other) => return Err(BadSshSignature::Algorithm(other.as_str().to_owned())),
        };
        key.verifying.verify_with(algorithm, &message, &signature).map_err(|_| BadSshSignature::Signature)?;
        Ok(key)
    }
}

/// A key that nothing is verified with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusableKey {
    /// DSA, a certificate, or an algorithm that is not known.
    #[error("keys of the kind {0} are not supported")]
    Algorithm(String),
    /// Not as `ssh-keygen` writes it.
    #[error("it is no SSH public key, as \"ssh-ed25519 AAAA…\" is")]
    Malformed,
    /// Too small to be believed, or too large to be waited for.
    #[error("an RSA key has 2048 to 8192 bits, and this one {0}")]
    RsaBits(usize),
}

/// What is wrong with an SSH signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSshSignature {
    /// SHA-1, or one that does not fit the key.
    #[error("the SSH signature's algorithm {0} is not supported for its key")]
    Algorithm(String),
    /// The text around it.
    #[error(transparent)]
    Armor(#[from] MalformedArmor),
    /// The key.
    #[error("the SSH signature's key: {0}")]
    Key(#[from] UnusableKey),
    /// What is in the armor is no SSHSIG.
    #[error("the SSH signature is not as PROTOCOL.sshsig has it")]
    Malformed,
    /// It was made for something else.
    #[error("the SSH signature was made for \"{0}\", not for Git")]
    Namespace(String),
    /// The key did not make it over this content.
    #[error("the SSH signature does not verify: its key signed something else")]
    Signature,
}

/// PROTOCOL.u2f: a token signs the digests of application and message, and what it has to say between them.
fn of_token(application: &str, said: &[u8], message: &[u8]) -> Vec<u8> {
    let (application, message) = (Sha256Digest::of(application.as_bytes()), Sha256Digest::of(message));
    [application.as_ref(), said, message.as_ref()].concat()
}

/// The signature itself, and flags and counter of the token behind it.
fn split_trailer(bytes: &[u8]) -> Result<(&[u8], &[u8]), BadSshSignature> {
    let at = bytes.len().checked_sub(TRAILER).ok_or(BadSshSignature::Malformed)?;
    bytes.split_at_checked(at).ok_or(BadSshSignature::Malformed)
}

/// RFC 5656 §3.1.2: two numbers.
fn ecdsa(mut bytes: &[u8]) -> Result<Vec<u8>, BadSshSignature> {
    let mut number = || Mpint::decode(&mut bytes).map_err(|_| BadSshSignature::Malformed);
    let (r, s) = (number()?, number()?);
    let numbers = r.as_positive_bytes().zip(s.as_positive_bytes()).filter(|_| bytes.is_empty());
    numbers.and_then(|(r, s)| ecdsa_signature(r, s)).ok_or(BadSshSignature::Malformed)
}

fn curve(curve: EcdsaCurve) -> Curve {
    match curve {
        EcdsaCurve::NistP256 => Curve::P256,
        EcdsaCurve::NistP384 => Curve::P384,
        EcdsaCurve::NistP521 => Curve::P521,
    }
}

/// What Git has its signatures made for.
const GIT: &str = "git";

/// One byte of flags, four of a counter.
const TRAILER: usize = 5;

/// What aws-lc-rs verifies with.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// A key of 8192 bits has 1,400 characters.
const MAX_KEY_LINE: usize = 1 << 13;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_what_ssh_keygen_prints() {
        let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti user@example.com";
        let key = SshKey::parse(line).unwrap();
        assert_eq!(key.fingerprint(), "SHA256:UCUiLr7Pjs9wFFJMDByLgc3NrtdU344OgUM45wZPcIQ");
        assert_eq!(key.comment(), "user@example.com");
        assert_eq!(key.line().unwrap(), line.strip_suffix(" user@example.com").unwrap());
        for bad in ["", "ssh-ed25519", &line.replace("ssh-", "sk-"), &line.replace("AAAAC3", "AAAAD3"), "-----BEGIN"] {
            assert_eq!(SshKey::parse(bad), Err(UnusableKey::Malformed), "{bad}");
        }
        assert_eq!(SshKey::parse(&"a".repeat(1 << 14)), Err(UnusableKey::Malformed));
    }
}
