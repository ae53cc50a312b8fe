//! What goes into a signature, and what is wrong with it.

use jiff::{SignedDuration, Timestamp};
use waxseal::crypto::Sha256Digest;
use waxseal::tlog::TransparencyLogEntry;

use super::super::der::{self, OCTET_STRING, UTF8_STRING, oid, tlv, utc_time};
use super::{
    CA_NAME, CONTENT_TYPE, DATA, ECDSA_SHA256, Forge, ISSUER, MESSAGE_DIGEST, PAYLOAD, SAN, SHA256, SIGNING_TIME,
    attribute, code_signing, extension, san,
};

/// What goes into a signature. Right as it comes from [`Recipe::right`]; a test changes one member.
pub(crate) struct Recipe {
    pub payload: Vec<u8>,
    pub extensions: Vec<Vec<u8>>,
    pub not_before: Timestamp,
    pub ca_name: &'static str,
    pub foreign_ca: bool,
    pub sct: Sct,
    pub content: Option<Vec<u8>>,
    pub content_type: &'static str,
    pub digest_algorithm: &'static str,
    pub signature_algorithm: &'static str,
    pub cms_version: u8,
    pub signed_attributes: Vec<Vec<u8>>,
    pub signers: usize,
    pub certificates: usize,
    pub unsigned_attributes: Vec<Vec<u8>>,
    pub other_key_signs: bool,
    /// What happens to the log entry before it is embedded; `None`: no entry.
    pub entry: Option<Change<TransparencyLogEntry>>,
    pub integrated_time: Timestamp,
    pub origin: &'static str,
    pub checkpoint_name: &'static str,
    pub entry_about: EntryAbout,
    pub rekor: Rekor,
    pub tokens: Vec<Token>,
    /// Entries of different numbers stand elsewhere in the log, beside other leaves.
    pub number: u8,
}

/// Which log takes the entry.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Rekor {
    V1,
    V2,
    /// As gitsign stores an entry of v2: labelled 0.0.1, with an empty promise.
    V2Labelled001,
}

/// An RFC 3161 token.
#[derive(Clone)]
pub(crate) struct Token {
    pub gen_time: Timestamp,
    pub of_another_signature: bool,
    pub by_stranger: bool,
    pub certificates: bool,
}

/// What a test does to something that was right.
pub(crate) type Change<T> = Box<dyn Fn(&mut T)>;

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Sct {
    Absent,
    Good,
    OfStranger,
    WithExtensions,
    WrongSignature,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum EntryAbout {
    ThisSignature,
    AnotherSignature,
}

impl Recipe {
    /// Everything right.
    pub(crate) fn right(forge: &Forge) -> Self {
        let not_before = forge.start + SignedDuration::from_hours(1);
        let digest = Sha256Digest::of(PAYLOAD);
        Self {
            payload: PAYLOAD.to_vec(),
            extensions: vec![
                extension("2.5.29.15", true, &[3, 2, 7, 0x80]),
                code_signing(),
                san(&[tlv(0x81, SAN.as_bytes())]),
                extension("1.3.6.1.4.1.57264.1.1", false, ISSUER.as_bytes()),
                extension("1.3.6.1.4.1.57264.1.8", false, &tlv(UTF8_STRING, ISSUER.as_bytes())),
            ],
            not_before,
            ca_name: CA_NAME,
            foreign_ca: false,
            sct: Sct::Good,
            content: None,
            content_type: DATA,
            digest_algorithm: SHA256,
            signature_algorithm: ECDSA_SHA256,
            cms_version: 1,
            signed_attributes: vec![
                attribute(CONTENT_TYPE, &[oid(DATA)]),
                attribute(SIGNING_TIME, &[utc_time(not_before)]),
                attribute(MESSAGE_DIGEST, &[tlv(OCTET_STRING, digest.as_ref())]),
            ],
            signers: 1,
            certificates: 1,
            unsigned_attributes: vec![],
            other_key_signs: false,
            entry: Some(Box::new(|_| {})),
            integrated_time: not_before + SignedDuration::from_secs(2),
            origin: "log.example.org - 42",
            checkpoint_name: "log.example.org",
            entry_about: EntryAbout::ThisSignature,
            rekor: Rekor::V1,
            tokens: vec![],
            number: 0,
        }
    }

    /// An entry on Rekor v2, and a token for the time.
    pub(crate) fn log_on_v2(&mut self, rekor: Rekor) {
        self.rekor = rekor;
        self.origin = "log.example.org";
        self.tokens = vec![self.token()];
    }

    /// A good token.
    pub(crate) fn token(&self) -> Token {
        Token { gen_time: self.integrated_time, of_another_signature: false, by_stranger: false, certificates: true }
    }

    /// The extension `oid` replaced by `with`, or taken away.
    pub(crate) fn replace_extension(&mut self, dotted: &str, with: Option<Vec<u8>>) {
        let prefix = oid(dotted);
        self.extensions.retain(|extension| !der::content(extension).starts_with(&prefix));
        self.extensions.extend(with);
    }
}
