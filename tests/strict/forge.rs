//! An instance with keys of its own, and signatures made under it with exactly one thing wrong.
//!
//! Everything is put together from bytes here, because what the product refuses to write must be written too.

use jiff::{SignedDuration, Timestamp};
use waxseal::cms::armor;
use waxseal::crypto::{DigestAlgorithm, ServiceKey, ServiceKeyKind, Sha256Digest, SigningKey};
use waxseal::instance::{Instance, InstanceBounds};
use waxseal::tlog::checkpoint::Checkpoint;
use waxseal::tlog::{InclusionPromise, InclusionProof, KindVersion, TransparencyLogEntry, hashedrekord, merkle, proto};
use waxseal::trusted_root::{CertificateAuthority, LogId, TimeRange, TransparencyLogInstance, TrustedRoot};
use waxseal::verify::{SctRequirement, Verdict, Verifier};
use waxseal::x509::sct::{SignedCertificateTimestamp, signed_message};

use super::der::{
    self, BOOLEAN, INTEGER, OCTET_STRING, SEQUENCE, SET, UTF8_STRING, bit_string, context, explicit, oid, tlv, utc_time,
};

pub(crate) const PAYLOAD: &[u8] =
    b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A <a@example.org> 1764000000 +0000\n\
    committer A <a@example.org> 1764000000 +0000\n\nmessage\n";
pub(crate) const SAN: &str = "alice@example.org";
pub(crate) const ISSUER: &str = "https://accounts.example.org";

/// The keys of one instance.
pub(crate) struct Forge {
    ca: ServiceKey,
    ct_log: ServiceKey,
    log: ServiceKey,
    stranger: ServiceKey,
    pub start: Timestamp,
}

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

impl Forge {
    pub(crate) fn new() -> Self {
        let key = |kind| ServiceKey::generate(kind).unwrap();
        Self {
            ca: key(ServiceKeyKind::EcdsaP384),
            ct_log: key(ServiceKeyKind::EcdsaP256),
            log: key(ServiceKeyKind::EcdsaP256),
            stranger: key(ServiceKeyKind::EcdsaP256),
            start: "2026-01-01T00:00:00Z".parse().unwrap(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.start + SignedDuration::from_hours(24)
    }

    pub(crate) fn instance(&self, change: impl FnOnce(&mut TrustedRoot)) -> Instance {
        let valid_for = TimeRange { start: self.start, end: None };
        let log = |key: &ServiceKey| TransparencyLogInstance {
            base_url: "https://log.example.org".to_owned(),
            key: key.verifying_key().clone(),
            log_id: log_id(key),
            valid_for,
        };
        let authority = CertificateAuthority {
            organization: "example".to_owned(),
            common_name: "forge".to_owned(),
            uri: "https://ca.example.org".to_owned(),
            chain: vec![self.ca_certificate()],
            valid_for,
        };
        let mut trusted_root = TrustedRoot::new(vec![authority], vec![log(&self.ct_log)], vec![], vec![log(&self.log)]);
        change(&mut trusted_root);
        Instance {
            name: "forge".parse().unwrap(),
            trusted_root,
            signing_config: None,
            bounds: InstanceBounds::default(),
        }
    }

    pub(crate) fn verifier(&self) -> Verifier {
        Verifier::new(vec![self.instance(|_| {})], self.now(), SctRequirement::default()).unwrap()
    }

    pub(crate) fn verdict(&self, recipe: &Recipe) -> Verdict {
        self.verifier().verdict(&recipe.payload, armor::encode(&self.sign(recipe)).as_bytes())
    }

    /// The DER of the signature.
    pub(crate) fn sign(&self, recipe: &Recipe) -> Vec<u8> {
        let key = SigningKey::generate();
        let leaf = self.leaf(recipe, &key);
        let attributes = recipe.signed_attributes.concat();
        let message = tlv(SET, &attributes);
        let signature = if recipe.other_key_signs { SigningKey::generate().sign(&message) } else { key.sign(&message) };
        let mut unsigned = recipe.unsigned_attributes.clone();
        if let Some(change) = &recipe.entry {
            let mut entry = self.entry(recipe, &message, &signature, &leaf);
            change(&mut entry);
            let value = tlv(OCTET_STRING, &proto::encode(&entry));
            unsigned.push(attribute("1.3.6.1.4.1.57264.3.1", &[value]));
        }
        unsigned.sort();
        let unsigned = if unsigned.is_empty() { vec![] } else { tlv(context(1), &unsigned.concat()) };
        let algorithm = |name| tlv(SEQUENCE, &oid(name));
        let signer = tlv(
            SEQUENCE,
            &[
                tlv(INTEGER, &[1]),
                tlv(SEQUENCE, &[name(recipe.ca_name), tlv(INTEGER, SERIAL)].concat()),
                algorithm(recipe.digest_algorithm),
                tlv(context(0), &attributes),
                algorithm(recipe.signature_algorithm),
                tlv(OCTET_STRING, &signature),
                unsigned,
            ]
            .concat(),
        );
        let content = recipe.content.as_ref().map_or(vec![], |content| explicit(0, &tlv(OCTET_STRING, content)));
        let signed_data = tlv(
            SEQUENCE,
            &[
                tlv(INTEGER, &[recipe.cms_version]),
                tlv(SET, &algorithm(recipe.digest_algorithm)),
                tlv(SEQUENCE, &[oid(recipe.content_type), content].concat()),
                if recipe.certificates == 0 { vec![] } else { tlv(context(0), &leaf) },
                tlv(SET, &vec![signer; recipe.signers].concat()),
            ]
            .concat(),
        );
        tlv(SEQUENCE, &[oid("1.2.840.113549.1.7.2"), explicit(0, &signed_data)].concat())
    }

    fn entry(&self, recipe: &Recipe, message: &[u8], signature: &[u8], leaf: &[u8]) -> TransparencyLogEntry {
        let message = match recipe.entry_about {
            EntryAbout::ThisSignature => Sha256Digest::of(message),
            EntryAbout::AnotherSignature => Sha256Digest::of(b"another message"),
        };
        let body = hashedrekord::canonical_body(&message, signature, hashedrekord::Verifier::Certificate(leaf));
        // A tree of three: someone else's leaf, ours, someone else's.
        let others = [merkle::leaf_hash(b"left"), merkle::leaf_hash(b"right")];
        let root = merkle::node_hash(&merkle::node_hash(&others[0], &merkle::leaf_hash(&body)), &others[1]);
        let checkpoint =
            Checkpoint { origin: recipe.origin.to_owned(), tree_size: 3, root_hash: root, extension_lines: vec![] };
        let log_id = log_id(&self.log);
        let integrated_time = recipe.integrated_time.as_second();
        TransparencyLogEntry {
            log_index: 1001,
            log_id,
            kind_version: KindVersion { kind: "hashedrekord".to_owned(), version: "0.0.1".to_owned() },
            integrated_time,
            inclusion_promise: Some(InclusionPromise::make(&body, integrated_time, &log_id, 1001, &self.log).unwrap()),
            inclusion_proof: Some(InclusionProof {
                leaf_index: 1,
                root_hash: root,
                tree_size: 3,
                hashes: others.to_vec(),
                checkpoint: checkpoint.sign(recipe.checkpoint_name, &self.log, &log_id).unwrap(),
            }),
            canonicalized_body: vec![],
        }
    }

    fn leaf(&self, recipe: &Recipe, key: &SigningKey) -> Vec<u8> {
        let ca = if recipe.foreign_ca { &self.stranger } else { &self.ca };
        let algorithm = if recipe.foreign_ca { ECDSA_SHA256 } else { ECDSA_SHA384 };
        let tbs = |extensions: &[Vec<u8>]| {
            let not_after = recipe.not_before + SignedDuration::from_mins(10);
            tlv(
                SEQUENCE,
                &[
                    explicit(0, &tlv(INTEGER, &[2])),
                    tlv(INTEGER, SERIAL),
                    tlv(SEQUENCE, &oid(algorithm)),
                    name(recipe.ca_name),
                    tlv(SEQUENCE, &[utc_time(recipe.not_before), utc_time(not_after)].concat()),
                    tlv(SEQUENCE, &[]),
                    key.public_key_der(),
                    explicit(3, &tlv(SEQUENCE, &extensions.concat())),
                ]
                .concat(),
            )
        };
        let mut extensions = recipe.extensions.clone();
        if recipe.sct != Sct::Absent {
            let ct_log = if recipe.sct == Sct::OfStranger { &self.stranger } else { &self.ct_log };
            let timestamp_ms = u64::try_from(recipe.not_before.as_millisecond()).unwrap();
            let sct_extensions = if recipe.sct == Sct::WithExtensions { vec![0, 0, 5, 0, 0, 0, 0, 7] } else { vec![] };
            let issuer_key_hash = ca.verifying_key().spki_sha256();
            let mut message =
                signed_message(timestamp_ms, issuer_key_hash, &tbs(&extensions), &sct_extensions).unwrap();
            if recipe.sct == Sct::WrongSignature {
                message.push(0);
            }
            let sct = SignedCertificateTimestamp {
                log_id: log_id(ct_log),
                timestamp_ms,
                extensions: sct_extensions,
                algorithm: waxseal::crypto::SignatureAlgorithm::Ecdsa(DigestAlgorithm::Sha256),
                signature: ct_log.sign(&message).unwrap(),
            };
            let value = SignedCertificateTimestamp::extension_value(vec![sct]).unwrap();
            extensions.push(extension("1.3.6.1.4.1.11129.2.4.2", false, &value));
        }
        certificate(&tbs(&extensions), algorithm, ca)
    }

    fn ca_certificate(&self) -> Vec<u8> {
        let tbs = tlv(
            SEQUENCE,
            &[
                explicit(0, &tlv(INTEGER, &[2])),
                tlv(INTEGER, &[1]),
                tlv(SEQUENCE, &oid(ECDSA_SHA384)),
                name(CA_NAME),
                tlv(
                    SEQUENCE,
                    &[utc_time(self.start), utc_time(self.start + SignedDuration::from_hours(24 * 3650))].concat(),
                ),
                name(CA_NAME),
                self.ca.verifying_key().spki_der().to_vec(),
                explicit(
                    3,
                    &tlv(
                        SEQUENCE,
                        &[
                            extension("2.5.29.15", true, &[3, 2, 1, 6]),
                            extension("2.5.29.19", true, &tlv(SEQUENCE, &tlv(BOOLEAN, &[0xff]))),
                        ]
                        .concat(),
                    ),
                ),
            ]
            .concat(),
        );
        certificate(&tbs, ECDSA_SHA384, &self.ca)
    }
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
        }
    }

    /// The extension `oid` replaced by `with`, or taken away.
    pub(crate) fn replace_extension(&mut self, dotted: &str, with: Option<Vec<u8>>) {
        let prefix = oid(dotted);
        self.extensions.retain(|extension| !der::content(extension).starts_with(&prefix));
        self.extensions.extend(with);
    }
}

pub(crate) fn extension(dotted: &str, critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = if critical { tlv(BOOLEAN, &[0xff]) } else { vec![] };
    tlv(SEQUENCE, &[oid(dotted), critical, tlv(OCTET_STRING, value)].concat())
}

pub(crate) fn san(names: &[Vec<u8>]) -> Vec<u8> {
    extension("2.5.29.17", true, &tlv(SEQUENCE, &names.concat()))
}

pub(crate) fn code_signing() -> Vec<u8> {
    extension("2.5.29.37", false, &tlv(SEQUENCE, &oid("1.3.6.1.5.5.7.3.3")))
}

pub(crate) fn attribute(dotted: &str, values: &[Vec<u8>]) -> Vec<u8> {
    tlv(SEQUENCE, &[oid(dotted), tlv(SET, &values.concat())].concat())
}

fn certificate(tbs: &[u8], algorithm: &str, ca: &ServiceKey) -> Vec<u8> {
    let signature = ca.sign(tbs).unwrap();
    tlv(SEQUENCE, &[tbs.to_vec(), tlv(SEQUENCE, &oid(algorithm)), bit_string(&signature)].concat())
}

fn name(common_name: &str) -> Vec<u8> {
    let common_name = [oid("2.5.4.3"), tlv(UTF8_STRING, common_name.as_bytes())].concat();
    tlv(SEQUENCE, &tlv(SET, &tlv(SEQUENCE, &common_name)))
}

fn log_id(key: &ServiceKey) -> LogId {
    LogId(key.verifying_key().spki_sha256().0)
}

pub(crate) const CA_NAME: &str = "forge";
pub(crate) const CONTENT_TYPE: &str = "1.2.840.113549.1.9.3";
pub(crate) const DATA: &str = "1.2.840.113549.1.7.1";
pub(crate) const ECDSA_SHA256: &str = "1.2.840.10045.4.3.2";
pub(crate) const ECDSA_SHA384: &str = "1.2.840.10045.4.3.3";
pub(crate) const MESSAGE_DIGEST: &str = "1.2.840.113549.1.9.4";
pub(crate) const SHA256: &str = "2.16.840.1.101.3.4.2.1";
pub(crate) const SIGNING_TIME: &str = "1.2.840.113549.1.9.5";
const SERIAL: &[u8] = &[0x2a];
