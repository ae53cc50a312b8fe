//! Verifying one offline signature, beside the bare signature checks that nobody can leave out: the certificate
//! authority's (P-384), the signer's, the CT log's, the transparency log's over its checkpoint and its promise (P-256).
//!
//! `cargo bench --bench verify` fails when the whole costs more than [`LIMIT`] times the bare checks.

#![expect(clippy::indexing_slicing, clippy::print_stdout, clippy::unwrap_used, reason = "a bench fails by panicking")]

#[path = "../tests/strict/der.rs"]
mod der;
#[expect(dead_code, reason = "the strict reading's tests make bad signatures, too")]
#[path = "../tests/strict/forge.rs"]
mod forge;

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, UnparsedPublicKey, VerificationAlgorithm as Algorithm,
};
use criterion::Criterion;
use forge::{Forge, Recipe};
use waxseal::cms::armor;
use waxseal::crypto::{Sha256Digest, VerifyingKey};
use waxseal::instance::Instance;
use waxseal::signature::git;
use waxseal::tlog::note::SignedNote;
use waxseal::tlog::{hashedrekord, promise};
use waxseal::verify::Verdict;
use waxseal::x509::Certificate;
use waxseal::x509::sct::{SignedCertificateTimestamp, signed_message, tbs_without_scts};

/// The whole verification in units of the bare checks: what may be spent on reading, hashing and proofs.
const LIMIT: f64 = 1.3;

fn main() -> ExitCode {
    let forge = Forge::new();
    let recipe = Recipe::right(&forge);
    let armor = armor::encode(&forge.sign(&recipe));
    let verifier = forge.verifier();
    let checks = bare_checks(&recipe.payload, armor.as_bytes(), &forge.instance(|_| {}));
    let verify = || {
        let verdict = verifier.verdict(black_box(&recipe.payload), black_box(armor.as_bytes()));
        assert!(matches!(verdict, Verdict::Verified(_)));
    };
    let bare = || checks.iter().for_each(BareCheck::run);

    let mut criterion = Criterion::default().configure_from_args();
    criterion.bench_function("verify", |bencher| bencher.iter(verify));
    criterion.bench_function("bare signature checks", |bencher| bencher.iter(bare));
    criterion.final_summary();

    let (verify, bare) = side_by_side(verify, bare);
    let ratio = verify / bare;
    println!("verify {verify:.0} µs, bare signature checks {bare:.0} µs: ratio {ratio:.2}, limit {LIMIT}");
    if ratio <= LIMIT { ExitCode::SUCCESS } else { ExitCode::FAILURE }
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
        Self {
            algorithm: &ECDSA_P256_SHA256_ASN1,
            key: key.key_bits().to_vec(),
            message,
            signature: signature.to_vec(),
        }
    }

    fn run(&self) {
        UnparsedPublicKey::new(self.algorithm, &self.key).verify(black_box(&self.message), &self.signature).unwrap();
    }
}

/// The five checks over the very bytes that the signature carries.
fn bare_checks(payload: &[u8], armor: &[u8], instance: &Instance) -> [BareCheck; 5] {
    let opened = git::open(payload, armor).unwrap();
    let leaf = &opened.material.certificate;
    let authority = Certificate::from_der(&instance.trusted_root.certificate_authorities[0].chain[0]).unwrap();
    let authority = authority.public_key().unwrap();
    let sct = &SignedCertificateTimestamp::embedded_in(leaf).unwrap()[0];
    let tbs = tbs_without_scts(leaf).unwrap();
    let logged = signed_message(sct.timestamp_ms, authority.spki_sha256(), &tbs, &sct.extensions).unwrap();
    let entry = opened.material.log_entry.as_ref().unwrap();
    let log = &instance.trusted_root.transparency_logs[0].key;
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
        BareCheck::p256(log, promised, &promise.signed_entry_timestamp),
        BareCheck::p256(log, note.text.as_bytes().to_vec(), &note.signatures[0].signature),
    ]
}

/// The microseconds of one run of each. Turn about, because a shared machine changes its speed by the minute; and the
/// lowest tenth, because other people's work only ever adds, and mostly falls between two runs.
fn side_by_side(one: impl Fn(), other: impl Fn()) -> (f64, f64) {
    const ROUNDS: usize = 2000;
    let time = |work: &dyn Fn()| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64() * 1e6
    };
    let (mut ones, mut others): (Vec<_>, Vec<_>) = (0..ROUNDS).map(|_| (time(&one), time(&other))).unzip();
    ones.sort_by(f64::total_cmp);
    others.sort_by(f64::total_cmp);
    (ones[ROUNDS / 10], others[ROUNDS / 10])
}
