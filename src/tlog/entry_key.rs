//! The certificate or public key in an entry: read as leniently as logs read it, written in one form only.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use der::{Decode as _, Encode as _};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use super::verifier::{CERTIFICATE, PUBLIC_KEY, Verifier, pem};
use crate::crypto::{Sha256Digest, UnsupportedKey, VerifyingKey};

/// A certificate or public key that was read, and the key in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryKey {
    der: Vec<u8>,
    /// The names that a certificate speaks for; `None` for a bare key.
    subjects: Option<Vec<String>>,
    key: VerifyingKey,
}

impl EntryKey {
    /// Reads PEM: exactly one block; line ends and line lengths are free, as Rekor has it.
    ///
    /// # Errors
    /// [`BadEntryKey`] names what is wrong.
    pub fn from_pem(text: &[u8]) -> Result<Self, BadEntryKey> {
        match read_pem(text).ok_or(BadEntryKey::Pem)? {
            (CERTIFICATE, der) => Self::from_certificate(&der),
            (_, der) => Self::from_public_key(&der),
        }
    }

    /// Reads a DER certificate.
    ///
    /// # Errors
    /// [`BadEntryKey`] names what is wrong.
    pub fn from_certificate(der: &[u8]) -> Result<Self, BadEntryKey> {
        let certificate = x509_cert::Certificate::from_der(der).map_err(|_| BadEntryKey::Certificate)?;
        let tbs = certificate.tbs_certificate();
        let spki = tbs.subject_public_key_info().to_der().map_err(|_| BadEntryKey::Certificate)?;
        let key = VerifyingKey::from_spki_der(&spki)?;
        let names = tbs.get_extension::<SubjectAltName>().map_err(|_| BadEntryKey::Certificate)?;
        let subjects = names.map(|(_, names)| names.0.iter().filter_map(subject).collect()).unwrap_or_default();
        Ok(Self { der: der.to_vec(), subjects: Some(subjects), key })
    }

    /// Reads a DER `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    /// [`BadEntryKey`] names what is wrong.
    pub fn from_public_key(der: &[u8]) -> Result<Self, BadEntryKey> {
        Ok(Self { der: der.to_vec(), subjects: None, key: VerifyingKey::from_spki_der(der)? })
    }

    /// The key that verifies.
    #[must_use]
    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// The names that the certificate speaks for; none of a bare key.
    #[must_use]
    pub fn subjects(&self) -> &[String] {
        self.subjects.as_deref().unwrap_or_default()
    }

    /// What an entry holds.
    #[must_use]
    pub fn verifier(&self) -> Verifier<'_> {
        match self.subjects {
            Some(_) => Verifier::Certificate(&self.der),
            None => Verifier::PublicKey(&self.der),
        }
    }

    /// In PEM of 64 columns, whatever it came in.
    #[must_use]
    pub fn canonical_pem(&self) -> String {
        pem(self.verifier())
    }

    /// What it is searched for by: SHA-256 of [`canonical_pem`](Self::canonical_pem).
    #[must_use]
    pub fn search_digest(&self) -> Sha256Digest {
        Sha256Digest::of(self.canonical_pem().as_bytes())
    }
}

/// Not a certificate or key that logs take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadEntryKey {
    /// The certificate cannot be read.
    #[error("the certificate cannot be parsed")]
    Certificate,
    /// The key is of a kind that logs do not take.
    #[error(transparent)]
    Key(#[from] UnsupportedKey),
    /// Not exactly one PEM certificate or public key.
    #[error("failure decoding PEM")]
    Pem,
}

fn read_pem(text: &[u8]) -> Option<(&'static str, Vec<u8>)> {
    let text = std::str::from_utf8(text).ok()?.trim().strip_prefix("-----BEGIN ")?;
    let label = [CERTIFICATE, PUBLIC_KEY].into_iter().find(|label| text.starts_with(*label))?;
    let inner = text.strip_prefix(label)?.strip_prefix("-----")?;
    let inner = inner.strip_suffix("-----")?.strip_suffix(label)?.strip_suffix("-----END ")?;
    let encoded: String = inner.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(encoded).ok().map(|der| (label, der))
}

fn subject(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.to_string()),
        GeneralName::Rfc822Name(name) => Some(name.to_string()),
        GeneralName::UniformResourceIdentifier(name) => Some(name.to_string()),
        // Fulcio's user names; other kinds hold no text of this type.
        GeneralName::OtherName(other) => other.value.decode_as::<String>().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::crypto::SigningKey;

    #[test]
    fn any_pem_is_the_same_key() {
        let der = SigningKey::generate().public_key_der();
        let canonical = pem(Verifier::PublicKey(&der));
        let one_line = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", STANDARD.encode(&der));
        let expected = EntryKey::from_public_key(&der).unwrap();
        for other in [canonical.replace('\n', "\r\n"), canonical.trim_end().to_owned(), one_line] {
            let read = EntryKey::from_pem(other.as_bytes()).unwrap();
            assert_eq!((&read, read.canonical_pem()), (&expected, canonical.clone()), "{other:?}");
        }
        assert_eq!(EntryKey::from_pem(canonical.repeat(2).as_bytes()), Err(BadEntryKey::Pem));
        let labelled = canonical.replace("PUBLIC KEY", "CERTIFICATE");
        assert_eq!(EntryKey::from_pem(labelled.as_bytes()), Err(BadEntryKey::Certificate));
        assert!(matches!(EntryKey::from_public_key(b"x"), Err(BadEntryKey::Key(_))));
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,100}") {
            drop(EntryKey::from_pem(text.as_bytes()));
            drop(EntryKey::from_pem(format!("-----BEGIN CERTIFICATE-----{text}-----END CERTIFICATE-----").as_bytes()));
        }
    }
}
