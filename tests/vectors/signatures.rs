//! Signatures alone: Wycheproof's, for every kind of key and digest that waxseal verifies with.

use std::collections::BTreeMap;

use waxseal::crypto::DigestAlgorithm::{self, Sha256, Sha384, Sha512};
use waxseal::crypto::{SignatureAlgorithm, VerifyingKey};
use wycheproof::TestResult;
use wycheproof::ecdsa::TestName as Ecdsa;
use wycheproof::eddsa::TestName as Eddsa;
use wycheproof::rsa_pkcs1_verify::TestName as Rsa;

#[test]
fn wycheproof_ecdsa() {
    let sets: [(Ecdsa, DigestAlgorithm); 6] = [
        (Ecdsa::EcdsaSecp256r1Sha256, Sha256),
        (Ecdsa::EcdsaSecp256r1Sha512, Sha512),
        (Ecdsa::EcdsaSecp384r1Sha256, Sha256),
        (Ecdsa::EcdsaSecp384r1Sha384, Sha384),
        (Ecdsa::EcdsaSecp384r1Sha512, Sha512),
        (Ecdsa::EcdsaSecp521r1Sha512, Sha512),
    ];
    for (name, digest) in sets {
        let mut counts = Counts::default();
        for group in wycheproof::ecdsa::TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                let verified = verifies(&group.der, SignatureAlgorithm::Ecdsa(digest), &test.msg, &test.sig);
                counts.add(&format!("{name:?} {} {}", test.tc_id, test.comment), test.result, verified);
            }
        }
        counts.check(&format!("{name:?}"), 300);
    }
}

#[test]
fn wycheproof_ed25519() {
    let mut counts = Counts::default();
    for group in wycheproof::eddsa::TestSet::load(Eddsa::Ed25519).unwrap().test_groups {
        for test in group.tests {
            let verified = verifies(&group.der, SignatureAlgorithm::Ed25519, &test.msg, &test.sig);
            counts.add(&format!("{} {}", test.tc_id, test.comment), test.result, verified);
        }
    }
    counts.check("Ed25519", 100);
}

#[test]
fn wycheproof_rsa_pkcs1() {
    let sets: [(Rsa, DigestAlgorithm); 9] = [
        (Rsa::Rsa2048Sha256, Sha256),
        (Rsa::Rsa2048Sha384, Sha384),
        (Rsa::Rsa2048Sha512, Sha512),
        (Rsa::Rsa3072Sha256, Sha256),
        (Rsa::Rsa3072Sha384, Sha384),
        (Rsa::Rsa3072Sha512, Sha512),
        (Rsa::Rsa4096Sha256, Sha256),
        (Rsa::Rsa4096Sha384, Sha384),
        (Rsa::Rsa4096Sha512, Sha512),
    ];
    for (name, digest) in sets {
        let mut counts = Counts::default();
        for group in wycheproof::rsa_pkcs1_verify::TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                let verified = verifies(&group.der, SignatureAlgorithm::RsaPkcs1(digest), &test.msg, &test.sig);
                counts.add(&format!("{name:?} {} {}", test.tc_id, test.comment), test.result, verified);
            }
        }
        counts.check(&format!("{name:?}"), 200);
    }
}

/// A key that cannot be read verifies nothing.
fn verifies(key: &[u8], algorithm: SignatureAlgorithm, message: &[u8], signature: &[u8]) -> bool {
    let Ok(key) = VerifyingKey::from_spki_der(key) else { return false };
    let verified = key.verify_with(algorithm, message, signature).is_ok();
    // A digest alone says the same, as a log verifies it.
    if let Some(digest) = algorithm.digest() {
        assert_eq!(key.verify_digest(digest, &digest.digest(message), signature).is_ok(), verified);
    }
    verified
}

/// What Wycheproof calls acceptable (a missing NULL in a DigestInfo) nobody need accept; nothing that waxseal reads has it.
#[derive(Default)]
struct Counts {
    verified: usize,
    refused: usize,
    wrong: BTreeMap<String, bool>,
}

impl Counts {
    fn add(&mut self, what: &str, expected: TestResult, verified: bool) {
        let right = match expected {
            TestResult::Valid => verified,
            TestResult::Invalid | TestResult::Acceptable => !verified,
        };
        if !right {
            self.wrong.insert(format!("{what}: {expected:?}"), verified);
        }
        if verified { self.verified += 1 } else { self.refused += 1 }
    }

    fn check(&self, set: &str, least: usize) {
        assert!(self.wrong.is_empty(), "{set}: {:#?}", self.wrong);
        let enough = self.verified > 0 && self.refused > 0 && self.verified + self.refused >= least;
        assert!(enough, "{set}: {} verified, {} refused", self.verified, self.refused);
    }
}
