//! The signature checks that verifying a history cannot do without, with nothing around them.

use std::collections::HashSet;
use std::hint::black_box;
use std::path::Path;
use std::thread;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, UnparsedPublicKey, VerificationAlgorithm as Algorithm,
};
use waxseal::crypto::{Sha256Digest, VerifyingKey};
use waxseal::git::{HashKind, ObjectKind, SignedObject};
use waxseal::instance::Instance;
use waxseal::signature::git;
use waxseal::tlog::note::SignedNote;
use waxseal::tlog::{hashedrekord, promise};
use waxseal::trust_store;
use waxseal::x509::Certificate;
use waxseal::x509::sct::{SignedCertificateTimestamp, signed_message, tbs_without_scts};

use super::{best, every_commit};

pub(super) fn checks(git_dir: &str, trusted_root: &Path, threads: usize, rounds: usize) {
    let instance = trust_store::from_file(trusted_root).unwrap();
    let (mut checks, mut known, mut commits) = (Vec::new(), HashSet::new(), 0_u64);
    for raw in every_commit(git_dir) {
        let object = SignedObject::parse(ObjectKind::Commit, HashKind::Sha1, &raw);
        let Ok(armor) = object.signature() else { continue };
        commits += 1;
        // The same key over the same bytes is checked once.
        let distinct =
            |check: &BareCheck| known.insert(Sha256Digest::of_parts(&[&check.key, &check.message, &check.signature]).0);
        checks.extend(bare_checks(&object.payload, armor, &instance).into_iter().filter(distinct));
    }
    let share = checks.len().div_ceil(threads);
    let best = best(rounds, || {
        if threads == 1 {
            return checks.iter().for_each(BareCheck::run);
        }
        thread::scope(|scope| {
            for share in checks.chunks(share) {
                scope.spawn(|| share.iter().for_each(BareCheck::run));
            }
        });
    });
    println!("{commits} {} {:.6} {:.6}", checks.len(), best.elapsed, best.busy);
}

/// One signature check with nothing around it.
struct BareCheck {
    algorithm: &'static dyn Algorithm,
    key: Vec<u8>,
    message: Vec<u8>,
    signature: Vec<u8>,
}

impl BareCheck {
    fn p256(key: &VerifyingKey, message: Vec<u8>, signature: &[u8]) -> Self {
        let (key, signature) = (key.key_bits().to_vec(), signature.to_vec());
        Self { algorithm: &ECDSA_P256_SHA256_ASN1, key, message, signature }
    }

    fn run(&self) {
        UnparsedPublicKey::new(self.algorithm, &self.key).verify(black_box(&self.message), &self.signature).unwrap();
    }
}

/// The certificate authority's check, the signer's, the CT log's, and the transparency log's of promise and checkpoint.
fn bare_checks(payload: &[u8], armor: &[u8], instance: &Instance) -> [BareCheck; 5] {
    let opened = git::open(payload, armor).unwrap();
    let leaf = &opened.material.certificate;
    let authority = Certificate::from_der(&instance.trusted_root.certificate_authorities[0].chain[0]).unwrap();
    let authority = authority.public_key().unwrap();
    let sct = &SignedCertificateTimestamp::embedded_in(leaf).unwrap()[0];
    let tbs = tbs_without_scts(leaf).unwrap();
    let logged = signed_message(sct.timestamp_ms, authority.spki_sha256(), &tbs, &sct.extensions).unwrap();
    let entry = opened.material.log_entry.as_ref().unwrap();
    let log = instance.trusted_root.transparency_logs.iter().find(|log| log.log_id == entry.log_id).unwrap();
    let body = hashedrekord::canonical_body(
        &Sha256Digest::of(&opened.message),
        &opened.material.signature,
        hashedrekord::Verifier::Certificate(leaf.der()),
    );
    let promised = promise::message(&body, entry.integrated_time, &entry.log_id, entry.log_index);
    let promise = entry.inclusion_promise.as_ref().unwrap();
    let note = SignedNote::parse(&entry.inclusion_proof.as_ref().unwrap().checkpoint).unwrap();
    [
        BareCheck {
            algorithm: &ECDSA_P384_SHA384_ASN1,
            key: authority.key_bits().to_vec(),
            message: leaf.tbs_der().to_vec(),
            signature: leaf.signature().to_vec(),
        },
        BareCheck::p256(&leaf.public_key().unwrap(), opened.message, &opened.material.signature),
        BareCheck::p256(&instance.trusted_root.ct_logs[0].key, logged, &sct.signature),
        BareCheck::p256(&log.key, promised, &promise.signed_entry_timestamp),
        BareCheck::p256(&log.key, note.text.as_bytes().to_vec(), &note.signatures[0].signature),
    ]
}
