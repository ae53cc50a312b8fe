//! Long-lived keys of the embedded stack: CA, logs, OIDC issuer.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use der::asn1::UintRef;
use der::pem::LineEnding;
use der::{Decode as _, Sequence};
use zeroize::Zeroizing;

use super::{UnsupportedKey, VerifyingKey};

/// A private key that a service keeps on disk as PKCS #8 (RFC 5958). No `Clone`, no derived `Debug`.
pub struct ServiceKey {
    pair: KeyPair,
    verifying_key: VerifyingKey,
}

enum KeyPair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl ServiceKey {
    /// A fresh key.
    ///
    /// # Errors
    /// [`ServiceKeyError::Refused`] when the cryptographic library cannot make one.
    pub fn generate(kind: ServiceKeyKind) -> Result<Self, ServiceKeyError> {
        let pair = match kind {
            ServiceKeyKind::EcdsaP256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map(KeyPair::Ecdsa),
            ServiceKeyKind::EcdsaP384 => EcdsaKeyPair::generate(&ECDSA_P384_SHA384_ASN1_SIGNING).map(KeyPair::Ecdsa),
            ServiceKeyKind::Ed25519 => Ed25519KeyPair::generate().map(KeyPair::Ed25519),
            ServiceKeyKind::Rsa2048 => RsaKeyPair::generate(KeySize::Rsa2048).map(KeyPair::Rsa),
        };
        Self::new(pair.map_err(|_| ServiceKeyError::Refused)?)
    }

    /// Reads what [`ServiceKey::to_pkcs8_pem`] wrote.
    ///
    /// # Errors
    /// [`ServiceKeyError`] when the text is not PEM, or not a key of this kind.
    pub fn from_pkcs8_pem(kind: ServiceKeyKind, pem: &str) -> Result<Self, ServiceKeyError> {
        let (label, der) = der::pem::decode_vec(pem.as_bytes()).map_err(|_| ServiceKeyError::NotPem)?;
        let der = Zeroizing::new(der);
        if label != PEM_LABEL {
            return Err(ServiceKeyError::NotPem);
        }
        let ecdsa =
            |algorithm: &'static EcdsaSigningAlgorithm| EcdsaKeyPair::from_pkcs8(algorithm, &der).map(KeyPair::Ecdsa);
        let pair = match kind {
            ServiceKeyKind::EcdsaP256 => ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING),
            ServiceKeyKind::EcdsaP384 => ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING),
            ServiceKeyKind::Ed25519 => Ed25519KeyPair::from_pkcs8(&der).map(KeyPair::Ed25519),
            ServiceKeyKind::Rsa2048 => RsaKeyPair::from_pkcs8(&der).map(KeyPair::Rsa),
        };
        Self::new(pair.map_err(|_| ServiceKeyError::WrongKind(kind))?)
    }

    /// PKCS #8 in PEM (RFC 7468 §10), wiped from memory when dropped.
    ///
    /// # Errors
    /// [`ServiceKeyError::Refused`] when the cryptographic library does not give the key out.
    pub fn to_pkcs8_pem(&self) -> Result<Zeroizing<String>, ServiceKeyError> {
        let document = match &self.pair {
            KeyPair::Ecdsa(pair) => Zeroizing::new(pair.to_pkcs8v1().map_err(refused)?.as_ref().to_vec()),
            KeyPair::Ed25519(pair) => Zeroizing::new(pair.to_pkcs8v1().map_err(refused)?.as_ref().to_vec()),
            KeyPair::Rsa(pair) => Zeroizing::new(pair.as_der().map_err(refused)?.as_ref().to_vec()),
        };
        der::pem::encode_string(PEM_LABEL, LineEnding::LF, &document)
            .map(Zeroizing::new)
            .map_err(|_| ServiceKeyError::Refused)
    }

    /// Signs with the default algorithm of the key's kind ([`super::KeyKind::default_algorithm`]); ECDSA as DER.
    ///
    /// # Errors
    /// [`ServiceKeyError::Refused`] when the cryptographic library fails.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ServiceKeyError> {
        let random = SystemRandom::new();
        match &self.pair {
            KeyPair::Ecdsa(pair) => Ok(pair.sign(&random, message).map_err(refused)?.as_ref().to_vec()),
            KeyPair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            KeyPair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map_err(refused)?;
                Ok(signature)
            }
        }
    }

    /// The public half.
    #[must_use]
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying_key
    }

    /// Modulus and exponent as big-endian bytes, for a JWK (RFC 7518 §6.3.1); `None` unless RSA.
    #[must_use]
    pub fn rsa_components(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        let KeyPair::Rsa(pair) = &self.pair else { return None };
        let public = RsaPublicKey::from_der(pair.public_key().as_ref()).ok()?;
        Some((public.modulus.as_bytes().to_vec(), public.exponent.as_bytes().to_vec()))
    }

    fn new(pair: KeyPair) -> Result<Self, ServiceKeyError> {
        let spki = match &pair {
            KeyPair::Ecdsa(pair) => pair.public_key().as_der().map(|der| der.as_ref().to_vec()),
            KeyPair::Ed25519(pair) => pair.public_key().as_der().map(|der| der.as_ref().to_vec()),
            KeyPair::Rsa(pair) => pair.public_key().as_der().map(|der| der.as_ref().to_vec()),
        };
        let verifying_key = VerifyingKey::from_spki_der(&spki.map_err(refused)?)?;
        Ok(Self { pair, verifying_key })
    }
}

impl std::fmt::Debug for ServiceKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ServiceKey({:?})", self.verifying_key)
    }
}

/// What the embedded stack signs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceKeyKind {
    /// CT log and Rekor v1 log: promises and SCTs are ECDSA P-256.
    EcdsaP256,
    /// Certificate authority, as the public-good instance has it.
    EcdsaP384,
    /// Rekor v2 checkpoints.
    Ed25519,
    /// ID tokens, RS256.
    Rsa2048,
}

/// A service key could not be made, read, written or used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServiceKeyError {
    /// Not a PEM block labelled `PRIVATE KEY`.
    #[error("not a PEM block labelled PRIVATE KEY")]
    NotPem,
    /// The cryptographic library refused.
    #[error("the cryptographic library refused the key")]
    Refused,
    /// The public half is of a kind that cannot be verified with.
    #[error(transparent)]
    Unsupported(#[from] UnsupportedKey),
    /// PKCS #8, but not of the kind that was asked for.
    #[error("not a private key of kind {0:?}")]
    WrongKind(ServiceKeyKind),
}

/// RFC 8017 §A.1.1.
#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}

fn refused(_: aws_lc_rs::error::Unspecified) -> ServiceKeyError {
    ServiceKeyError::Refused
}

const PEM_LABEL: &str = "PRIVATE KEY";
