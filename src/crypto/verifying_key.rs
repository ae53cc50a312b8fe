//! Public keys and the signatures they verify.

mod ed25519ph;
mod met_again;
mod parts;

use std::fmt;
use std::sync::OnceLock;

use aws_lc_rs::digest::Digest;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P256_SHA512_ASN1, ECDSA_P384_SHA256_ASN1,
    ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA512_ASN1, ECDSA_P521_SHA256_ASN1, ECDSA_P521_SHA384_ASN1,
    ECDSA_P521_SHA512_ASN1, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, UnparsedPublicKey, VerificationAlgorithm,
};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912::{
    ECDSA_WITH_SHA_256, ECDSA_WITH_SHA_384, ECDSA_WITH_SHA_512, ID_EC_PUBLIC_KEY, RSA_ENCRYPTION, SECP_256_R_1,
    SECP_384_R_1, SECP_521_R_1, SHA_256_WITH_RSA_ENCRYPTION, SHA_384_WITH_RSA_ENCRYPTION, SHA_512_WITH_RSA_ENCRYPTION,
};
use const_oid::db::rfc8410::ID_ED_25519;
use der::{Decode as _, Reader as _};
use serde::{Deserialize, Serialize};
use spki::SubjectPublicKeyInfoRef;

use super::{DigestAlgorithm, Sha256Digest};

pub use parts::{Curve, PublicKeyParts, ecdsa_signature};

/// A public key, kept with the `SubjectPublicKeyInfo` bytes it came in.
#[derive(Clone)]
pub struct VerifyingKey {
    kind: KeyKind,
    spki_der: Vec<u8>,
    /// The `subjectPublicKey` bits: a SEC1 point, an `RSAPublicKey`, or 32 bytes of Ed25519.
    key: Vec<u8>,
    /// The same, ready for the default algorithm, once a signature asks: authorities and logs sign the whole history.
    /// `None` where it is no key of its kind.
    ready: OnceLock<Option<ParsedPublicKey>>,
}

impl VerifyingKey {
    /// Reads a DER `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7).
    ///
    /// # Errors
    /// [`UnsupportedKey`] when it is not DER or its algorithm is not one of [`KeyKind`].
    pub fn from_spki_der(spki_der: &[u8]) -> Result<Self, UnsupportedKey> {
        let spki = SubjectPublicKeyInfoRef::from_der(spki_der).map_err(|_| UnsupportedKey::Malformed)?;
        let kind = match spki.algorithm.oid {
            ID_EC_PUBLIC_KEY => match spki.algorithm.parameters_oid().map_err(|_| UnsupportedKey::Malformed)? {
                SECP_256_R_1 => KeyKind::EcdsaP256,
                SECP_384_R_1 => KeyKind::EcdsaP384,
                SECP_521_R_1 => KeyKind::EcdsaP521,
                curve => return Err(UnsupportedKey::Algorithm(curve)),
            },
            RSA_ENCRYPTION => KeyKind::Rsa,
            ID_ED_25519 => KeyKind::Ed25519,
            other => return Err(UnsupportedKey::Algorithm(other)),
        };
        let key = spki.subject_public_key.as_bytes().ok_or(UnsupportedKey::Malformed)?.to_vec();
        Ok(Self { kind, spki_der: spki_der.to_vec(), key, ready: OnceLock::new() })
    }

    /// What kind of key this is.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// DER `SubjectPublicKeyInfo`.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.spki_der
    }

    /// The bits of `subjectPublicKey` alone, as SHA-1 key identifiers and Ed25519 note keys want them.
    #[must_use]
    pub fn key_bits(&self) -> &[u8] {
        &self.key
    }

    /// Bits of the modulus; `None` unless RSA.
    #[must_use]
    pub fn rsa_bits(&self) -> Option<usize> {
        if self.kind != KeyKind::Rsa {
            return None;
        }
        let mut fields = der::SliceReader::new(&self.key).ok()?;
        let bits = |reader: &mut der::SliceReader<'_>| {
            let modulus = der::asn1::UintRef::decode(reader)?;
            let leading = modulus.as_bytes().first().map_or(0, |byte| byte.leading_zeros());
            let bits = modulus.as_bytes().len() * 8 - usize::try_from(leading).unwrap_or_default();
            der::asn1::UintRef::decode(reader)?;
            Ok::<_, der::Error>(bits)
        };
        fields.sequence(bits).ok()
    }

    /// SHA-256 of the `SubjectPublicKeyInfo`: RFC 6962 §3.2 `LogID`, `issuer_key_hash`.
    #[must_use]
    pub fn spki_sha256(&self) -> Sha256Digest {
        Sha256Digest::of(&self.spki_der)
    }

    /// Verifies `signature` over `message` with the algorithm that Sigstore takes by default for this kind of key
    /// ([`KeyKind::default_algorithm`]). ECDSA signatures are DER.
    ///
    /// # Errors
    /// [`BadSignature`] when it does not verify.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        self.verify_with(self.kind.default_algorithm(), message, signature)
    }

    /// Verifies with the algorithm that the format names beside the signature.
    ///
    /// # Errors
    /// [`BadSignature`] when it does not verify, or `algorithm` is not one for this kind of key.
    pub fn verify_with(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), BadSignature> {
        let verification = self.verification(algorithm).ok_or(BadSignature)?;
        let held = if algorithm == self.kind.default_algorithm() {
            let ready = self.ready.get_or_init(|| ParsedPublicKey::new(verification, &self.key).ok());
            ready.as_ref().ok_or(BadSignature)?.verify_sig(message, signature)
        } else {
            UnparsedPublicKey::new(verification, &self.key).verify(message, signature)
        };
        held.map_err(|_| BadSignature)
    }

    /// The same for signatures that are met again and again, as those of an authority on a leaf and of a log on a checkpoint
    /// are within one history. What held is remembered for a while, and not verified again.
    ///
    /// # Errors
    /// [`BadSignature`] when it does not verify, or `algorithm` is not one for this kind of key.
    pub fn verify_met_again(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), BadSignature> {
        let held = met_again::Held { algorithm, spki_der: &self.spki_der, message };
        met_again::unless_held(&held, signature, || self.verify_with(algorithm, message, signature))
    }

    /// Verifies a signature over a message of which only the digest is known, as a transparency log must.
    /// `digest` has the length of `algorithm`'s output. Pure Ed25519 has no such form: signatures of an Ed25519 key are
    /// Ed25519ph (RFC 8032 §5.1), over SHA-512.
    ///
    /// # Errors
    /// [`BadSignature`] when it does not verify.
    pub fn verify_digest(
        &self,
        algorithm: DigestAlgorithm,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), BadSignature> {
        let scheme = match self.kind {
            KeyKind::EcdsaP256 | KeyKind::EcdsaP384 | KeyKind::EcdsaP521 => SignatureAlgorithm::Ecdsa(algorithm),
            KeyKind::Rsa => SignatureAlgorithm::RsaPkcs1(algorithm),
            KeyKind::Ed25519 if algorithm == DigestAlgorithm::Sha512 => {
                return ed25519ph::verify(&self.key, digest, signature);
            }
            KeyKind::Ed25519 => return Err(BadSignature),
        };
        let verification = self.verification(scheme).ok_or(BadSignature)?;
        let digest = Digest::import_less_safe(digest, algorithm.algorithm()).map_err(|_| BadSignature)?;
        UnparsedPublicKey::new(verification, &self.key).verify_digest(&digest, signature).map_err(|_| BadSignature)
    }

    fn verification(&self, algorithm: SignatureAlgorithm) -> Option<&'static dyn VerificationAlgorithm> {
        use DigestAlgorithm::{Sha256, Sha384, Sha512};
        use SignatureAlgorithm::{Ecdsa, Ed25519, RsaPkcs1};
        Some(match (self.kind, algorithm) {
            (KeyKind::EcdsaP256, Ecdsa(Sha256)) => &ECDSA_P256_SHA256_ASN1,
            (KeyKind::EcdsaP256, Ecdsa(Sha384)) => &ECDSA_P256_SHA384_ASN1,
            (KeyKind::EcdsaP256, Ecdsa(Sha512)) => &ECDSA_P256_SHA512_ASN1,
            (KeyKind::EcdsaP384, Ecdsa(Sha256)) => &ECDSA_P384_SHA256_ASN1,
            (KeyKind::EcdsaP384, Ecdsa(Sha384)) => &ECDSA_P384_SHA384_ASN1,
            (KeyKind::EcdsaP384, Ecdsa(Sha512)) => &ECDSA_P384_SHA512_ASN1,
            (KeyKind::EcdsaP521, Ecdsa(Sha256)) => &ECDSA_P521_SHA256_ASN1,
            (KeyKind::EcdsaP521, Ecdsa(Sha384)) => &ECDSA_P521_SHA384_ASN1,
            (KeyKind::EcdsaP521, Ecdsa(Sha512)) => &ECDSA_P521_SHA512_ASN1,
            (KeyKind::Rsa, RsaPkcs1(Sha256)) => &RSA_PKCS1_2048_8192_SHA256,
            (KeyKind::Rsa, RsaPkcs1(Sha384)) => &RSA_PKCS1_2048_8192_SHA384,
            (KeyKind::Rsa, RsaPkcs1(Sha512)) => &RSA_PKCS1_2048_8192_SHA512,
            (KeyKind::Ed25519, Ed25519) => &ED25519,
            _ => return None,
        })
    }
}

impl PartialEq for VerifyingKey {
    fn eq(&self, other: &Self) -> bool {
        self.spki_der == other.spki_der
    }
}

impl Eq for VerifyingKey {}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({:?}, {})", self.kind, self.spki_sha256())
    }
}

/// The kinds of key that Sigstore's algorithm registry knows and waxseal verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum KeyKind {
    /// NIST P-256.
    EcdsaP256,
    /// NIST P-384.
    EcdsaP384,
    /// NIST P-521.
    EcdsaP521,
    /// Pure Ed25519 (RFC 8032).
    Ed25519,
    /// RSA of 2048 to 8192 bits.
    Rsa,
}

impl KeyKind {
    /// What a bare key signs with wherever no algorithm is named beside the signature.
    #[must_use]
    pub fn default_algorithm(self) -> SignatureAlgorithm {
        match self {
            Self::EcdsaP256 => SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha256),
            Self::EcdsaP384 => SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha384),
            Self::EcdsaP521 => SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha512),
            Self::Ed25519 => SignatureAlgorithm::Ed25519,
            Self::Rsa => SignatureAlgorithm::RsaPkcs1(DigestAlgorithm::Sha256),
        }
    }
}

/// A signature scheme with its digest, as `AlgorithmIdentifier`s name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignatureAlgorithm {
    /// `ecdsa-with-SHA…` (RFC 5758 §3.2).
    Ecdsa(DigestAlgorithm),
    /// `id-Ed25519` (RFC 8410).
    Ed25519,
    /// `sha…WithRSAEncryption` (RFC 4055 §5).
    RsaPkcs1(DigestAlgorithm),
}

impl SignatureAlgorithm {
    /// The scheme that `oid` names, if it is one of these. SHA-1 and MD5 are not.
    #[must_use]
    pub fn from_oid(oid: ObjectIdentifier) -> Option<Self> {
        Some(match oid {
            ECDSA_WITH_SHA_256 => Self::Ecdsa(DigestAlgorithm::Sha256),
            ECDSA_WITH_SHA_384 => Self::Ecdsa(DigestAlgorithm::Sha384),
            ECDSA_WITH_SHA_512 => Self::Ecdsa(DigestAlgorithm::Sha512),
            SHA_256_WITH_RSA_ENCRYPTION => Self::RsaPkcs1(DigestAlgorithm::Sha256),
            SHA_384_WITH_RSA_ENCRYPTION => Self::RsaPkcs1(DigestAlgorithm::Sha384),
            SHA_512_WITH_RSA_ENCRYPTION => Self::RsaPkcs1(DigestAlgorithm::Sha512),
            ID_ED_25519 => Self::Ed25519,
            _ => return None,
        })
    }

    /// The digest that the scheme begins with; pure Ed25519 has none that shows.
    #[must_use]
    pub fn digest(self) -> Option<DigestAlgorithm> {
        match self {
            Self::Ecdsa(digest) | Self::RsaPkcs1(digest) => Some(digest),
            Self::Ed25519 => None,
        }
    }
}

/// The signature does not verify. Why is not told: it would only help whoever forges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct BadSignature;

/// A public key that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsupportedKey {
    /// Neither a supported algorithm nor a supported curve.
    #[error("public key algorithm {0} is not supported")]
    Algorithm(ObjectIdentifier),
    /// Not a DER `SubjectPublicKeyInfo`.
    #[error("the public key is not a DER SubjectPublicKeyInfo")]
    Malformed,
}
