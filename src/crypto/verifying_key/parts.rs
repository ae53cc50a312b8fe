//! Keys and signatures from formats that have their numbers side by side, without ASN.1 around them: SSH's.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912::{ID_EC_PUBLIC_KEY, RSA_ENCRYPTION, SECP_256_R_1, SECP_384_R_1, SECP_521_R_1};
use const_oid::db::rfc8410::ID_ED_25519;
use der::asn1::{Any, AnyRef, BitString, UintRef};
use der::{Encode as _, Sequence};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use super::{KeyKind, UnsupportedKey, VerifyingKey};

/// A public key by its numbers.
#[derive(Clone, Copy, Debug)]
pub enum PublicKeyParts<'a> {
    /// A SEC1 point of the curve.
    Ecdsa(Curve, &'a [u8]),
    /// RFC 8032.
    Ed25519(&'a [u8; 32]),
    /// Both big-endian.
    Rsa {
        /// The modulus.
        modulus: &'a [u8],
        /// The public exponent.
        exponent: &'a [u8],
    },
}

/// The curves of RFC 5656 that OpenSSH signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// `nistp256`
    P256,
    /// `nistp384`
    P384,
    /// `nistp521`
    P521,
}

impl VerifyingKey {
    /// The key that these numbers are.
    ///
    /// # Errors
    /// [`UnsupportedKey`] when they are none.
    pub fn from_parts(parts: PublicKeyParts<'_>) -> Result<Self, UnsupportedKey> {
        let (oid, parameters, key) = match parts {
            PublicKeyParts::Ecdsa(curve, point) => (ID_EC_PUBLIC_KEY, Some(Any::from(curve.oid())), point.to_vec()),
            PublicKeyParts::Ed25519(key) => (ID_ED_25519, None, key.to_vec()),
            PublicKeyParts::Rsa { modulus, exponent } => (RSA_ENCRYPTION, Some(null()?), numbers(modulus, exponent)?),
        };
        let algorithm = AlgorithmIdentifierOwned { oid, parameters };
        let subject_public_key = BitString::from_bytes(&key).map_err(|_| UnsupportedKey::Malformed)?;
        let spki = SubjectPublicKeyInfoOwned { algorithm, subject_public_key };
        Self::from_spki_der(&spki.to_der().map_err(|_| UnsupportedKey::Malformed)?)
    }
}

impl Curve {
    /// The kind of the keys on it.
    #[must_use]
    pub fn key_kind(self) -> KeyKind {
        match self {
            Self::P256 => KeyKind::EcdsaP256,
            Self::P384 => KeyKind::EcdsaP384,
            Self::P521 => KeyKind::EcdsaP521,
        }
    }

    fn oid(self) -> ObjectIdentifier {
        match self {
            Self::P256 => SECP_256_R_1,
            Self::P384 => SECP_384_R_1,
            Self::P521 => SECP_521_R_1,
        }
    }
}

/// An ECDSA signature as [`VerifyingKey::verify`] takes it, from its two numbers (RFC 3279 §2.2.3). `None` where they are
/// none.
#[must_use]
pub fn ecdsa_signature(r: &[u8], s: &[u8]) -> Option<Vec<u8>> {
    numbers(r, s).ok()
}

/// `RSAPublicKey` (RFC 8017 §A.1.1) and `Ecdsa-Sig-Value` look the same.
fn numbers(first: &[u8], second: &[u8]) -> Result<Vec<u8>, UnsupportedKey> {
    #[derive(Sequence)]
    struct Two<'a> {
        first: UintRef<'a>,
        second: UintRef<'a>,
    }

    let number = |bytes| UintRef::new(bytes).map_err(|_| UnsupportedKey::Malformed);
    let two = Two { first: number(first)?, second: number(second)? };
    two.to_der().map_err(|_| UnsupportedKey::Malformed)
}

fn null() -> Result<Any, UnsupportedKey> {
    Any::encode_from(&AnyRef::NULL).map_err(|_| UnsupportedKey::Malformed)
}
