//! An instance with keys of its own, and signatures made under it with exactly one thing wrong.
//!
//! Everything is put together from bytes here, because what the product refuses to write must be written too.

// Other test programs have this file by its path; from there these are found only so.
#[path = "forge/certificates.rs"]
mod certificates;
#[path = "forge/recipe.rs"]
mod recipe;

use std::sync::OnceLock;

use jiff::{SignedDuration, Timestamp};
use waxseal::cms::armor;
use waxseal::crypto::{ServiceKey, ServiceKeyKind, Sha256Digest, SigningKey};
use waxseal::instance::{Instance, InstanceBounds};
use waxseal::timestamp::{TimeStampReq, TimestampSigner};
use waxseal::tlog::checkpoint::Checkpoint;
use waxseal::tlog::{
    InclusionPromise, InclusionProof, KindVersion, TransparencyLogEntry, hashedrekord, merkle, note, proto,
};
use waxseal::trusted_root::{CertificateAuthority, LogId, TimeRange, TransparencyLogInstance, TrustedRoot};
use waxseal::verify::findings::Outcome;
use waxseal::verify::{SctRequirement, Verdict, Verifier};
use waxseal::x509::Certificate;

use super::der::{BOOLEAN, INTEGER, OCTET_STRING, SEQUENCE, SET, UTF8_STRING, context, explicit, oid, tlv};

pub(crate) use self::recipe::*;

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
    log_v2: ServiceKey,
    stranger: ServiceKey,
    tsa: ServiceKey,
    tsa_root: ServiceKey,
    /// Signed once: signing again would give another certificate.
    tsa_certificate: OnceLock<Vec<u8>>,
    pub start: Timestamp,
}

impl Forge {
    pub(crate) fn new() -> Self {
        let key = |kind| ServiceKey::generate(kind).unwrap();
        Self {
            ca: key(ServiceKeyKind::EcdsaP384),
            ct_log: key(ServiceKeyKind::EcdsaP256),
            log: key(ServiceKeyKind::EcdsaP256),
            log_v2: key(ServiceKeyKind::Ed25519),
            stranger: key(ServiceKeyKind::EcdsaP256),
            tsa: key(ServiceKeyKind::EcdsaP256),
            tsa_root: key(ServiceKeyKind::EcdsaP256),
            tsa_certificate: OnceLock::new(),
            start: "2026-01-01T00:00:00Z".parse().unwrap(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.start + SignedDuration::from_hours(24)
    }

    pub(crate) fn instance(&self, change: impl FnOnce(&mut TrustedRoot)) -> Instance {
        let valid_for = TimeRange { start: self.start, end: None };
        let log = |key: &ServiceKey, log_id| TransparencyLogInstance {
            base_url: "https://log.example.org".to_owned(),
            key: key.verifying_key().clone(),
            log_id,
            valid_for,
        };
        let authority = |chain| CertificateAuthority {
            organization: "example".to_owned(),
            common_name: "forge".to_owned(),
            uri: "https://ca.example.org".to_owned(),
            chain,
            valid_for,
        };
        let mut trusted_root = TrustedRoot::new(
            vec![authority(vec![self.ca_certificate()])],
            vec![log(&self.ct_log, log_id(&self.ct_log))],
            vec![authority(vec![self.own_tsa_certificate(), self.tsa_root_certificate()])],
            vec![log(&self.log, log_id(&self.log)), log(&self.log_v2, self.log_v2_id())],
        );
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
        let (verifier, armor) = (self.verifier(), armor::encode(&self.sign(recipe)));
        let verdict = verifier.verdict(&recipe.payload, armor.as_bytes());
        // Whoever asks why hears the same, and of a verified one that every step held.
        let (explained, findings) = verifier.explain(&recipe.payload, armor.as_bytes());
        assert_eq!(format!("{explained:?}"), format!("{verdict:?}"));
        let held = findings.steps.iter().filter(|finding| matches!(finding.outcome, Outcome::Held(_))).count();
        assert_eq!(matches!(verdict, Verdict::Verified(_)), held == 8, "{findings:?}");
        verdict
    }

    /// The DER of the signature.
    pub(crate) fn sign(&self, recipe: &Recipe) -> Vec<u8> {
        self.sign_with(recipe, &SigningKey::generate())
    }

    /// The same by this key.
    pub(crate) fn sign_with(&self, recipe: &Recipe, key: &SigningKey) -> Vec<u8> {
        let leaf = self.leaf(recipe, key);
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
        if !recipe.tokens.is_empty() {
            let mut tokens: Vec<Vec<u8>> = recipe.tokens.iter().map(|token| self.token(token, &signature)).collect();
            tokens.sort();
            unsigned.push(attribute("1.2.840.113549.1.9.16.2.14", &tokens));
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
        let verifier = hashedrekord::Verifier::Certificate(leaf);
        let body = match recipe.rekor {
            Rekor::V1 => hashedrekord::canonical_body(&message, signature, verifier),
            Rekor::V2 | Rekor::V2Labelled001 => {
                let key = hashedrekord::KeyDetails::EcdsaP256;
                hashedrekord::canonical_body_0_0_2(message.as_ref(), signature, verifier, key)
            }
        };
        self.logged(recipe, &body)
    }

    /// The log's entry with this body, which is left out.
    pub(crate) fn logged(&self, recipe: &Recipe, body: &[u8]) -> TransparencyLogEntry {
        // A tree of three: someone else's leaf, ours, someone else's. Or one of two: ours first.
        let others = [b"left", b"more"].map(|leaf| merkle::leaf_hash(&[leaf, &[recipe.number][..]].concat()));
        let own = merkle::leaf_hash(body);
        let (leaf_index, tree_size, hashes) =
            if recipe.number == 0 { (1, 3, &others[..]) } else { (0, 2, &others[..1]) };
        let root = if recipe.number == 0 {
            merkle::node_hash(&merkle::node_hash(&others[0], &own), &others[1])
        } else {
            merkle::node_hash(&own, &others[0])
        };
        let checkpoint =
            Checkpoint { origin: recipe.origin.to_owned(), tree_size, root_hash: root, extension_lines: vec![] };
        let is_v1 = recipe.rekor == Rekor::V1;
        let (key, log_id) = if is_v1 { (&self.log, log_id(&self.log)) } else { (&self.log_v2, self.log_v2_id()) };
        let log_index = if is_v1 { 1001 + u64::from(recipe.number) } else { leaf_index };
        let integrated_time = if is_v1 { recipe.integrated_time.as_second() } else { 0 };
        let version = if recipe.rekor == Rekor::V2 { "0.0.2" } else { "0.0.1" };
        TransparencyLogEntry {
            log_index,
            log_id,
            kind_version: KindVersion { kind: "hashedrekord".to_owned(), version: version.to_owned() },
            integrated_time,
            inclusion_promise: match recipe.rekor {
                Rekor::V1 => Some(InclusionPromise::make(body, integrated_time, &log_id, log_index, key).unwrap()),
                Rekor::V2 => None,
                Rekor::V2Labelled001 => Some(InclusionPromise { signed_entry_timestamp: vec![] }),
            },
            inclusion_proof: Some(InclusionProof {
                leaf_index,
                root_hash: root,
                tree_size,
                hashes: hashes.to_vec(),
                checkpoint: checkpoint.sign(recipe.checkpoint_name, key, &log_id).unwrap(),
            }),
            canonicalized_body: vec![],
        }
    }

    fn token(&self, token: &Token, signature: &[u8]) -> Vec<u8> {
        let stamped = if token.of_another_signature { b"another" } else { signature };
        let mut request = TimeStampReq::for_message(stamped, [7; 16]).unwrap();
        request.certificates = token.certificates;
        let (key, certificate) = if token.by_stranger {
            (&self.stranger, self.tsa_certificate(&self.stranger))
        } else {
            (&self.tsa, self.own_tsa_certificate())
        };
        let certificate = Certificate::from_der(&certificate).unwrap();
        let policy = const_oid::ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.2");
        TimestampSigner { key, certificate: &certificate, policy }.stamp(&request, &[9], token.gen_time).unwrap()
    }

    fn log_v2_id(&self) -> LogId {
        note::log_id("log.example.org", self.log_v2.verifying_key())
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
