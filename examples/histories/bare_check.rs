//! The signature checks that verifying a signature cannot do without, with nothing around them: what verification is measured
//! against, by the benchmark and by `examples/histories`.

use std::hint::black_box;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, UnparsedPublicKey, VerificationAlgorithm as Algorithm,
};
use waxseal::crypto::{Sha256Digest, VerifyingKey};
use waxseal::instance::Instance;
use waxseal::signature::git;
use waxseal::tlog::note::SignedNote;
use waxseal::tlog::{hashedrekord, promise};
use waxseal::x509::Certificate;
use waxseal::x509::sct::{SignedCertificateTimestamp, signed_message, tbs_without_scts};

/// One signature check with nothing around it.
pub(crate) struct BareCheck {
    algorithm: &'static dyn Algorithm,
    pub(crate) key: Vec<u8>,
    pub(crate) message: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

impl BareCheck {
    fn p256(key: &VerifyingKey, message: Vec<u8>, signature: &[u8]) -> Self {
        let (key, signature) = (key.key_bits().to_vec(), signature.to_vec());
        Self { algorithm: &ECDSA_P256_SHA256_ASN1, key, message, signature }
    }

    pub(crate) fn run(&self) {
        UnparsedPublicKey::new(self.algorithm, &self.key).verify(black_box(&self.message), &self.signature).unwrap();
    }
}

/// The certificate authority's check, the signer's, the CT log's, and the transparency log's of promise and checkpoint.
pub(crate) fn bare_checks(payload: &[u8], armor: &[u8], instance: &Instance) -> [BareCheck; 5] {
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
