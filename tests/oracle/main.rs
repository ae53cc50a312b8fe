//! Another verifier's opinion: what the crate sigstore-verify rejects, waxseal never verifies. It knows bundles and no Git,
//! so each signature is handed to it as a bundle about its signed attributes.
//!
//! Real objects lie outside the repository, in `../shared/corpus`; without them their tests say that they were skipped.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod bundle;
#[path = "../strict/der.rs"]
mod der;
#[expect(dead_code, reason = "the strict reading's tests need more of it")]
#[path = "../strict/forge.rs"]
mod forge;
#[expect(dead_code, reason = "the corpus' own tests need more of it")]
#[path = "../corpus/objects.rs"]
mod objects;
mod variations;

use jiff::Timestamp;
use sigstore_verify::trust_root::TrustedRoot as OtherTrustedRoot;
use sigstore_verify::types::Bundle;
use sigstore_verify::{VerificationPolicy, Verifier as Oracle};
use waxseal::cms::armor;
use waxseal::crypto::DigestAlgorithm;
use waxseal::git::{HashKind, SignedObject};
use waxseal::instance::{Instance, InstanceBounds};
use waxseal::signature::git::open;
use waxseal::trusted_root::TrustedRoot;
use waxseal::verify::{SctRequirement, Verdict, Verifier};

use forge::{Forge, Recipe};
use objects::Corpus;

/// What was made with one thing changed, right or wrong: both verifiers say what the table says, which has a reason for each
/// difference.
#[test]
fn forged_signatures_are_judged_alike() {
    let mut wrong = Vec::new();
    for variation in variations::all() {
        let forge = Forge::new();
        let mut recipe = Recipe::right(&forge);
        (variation.change)(&mut recipe);
        let oracle = oracle(&forge.instance(|_| {}).trusted_root.to_json());
        let armor = armor::encode(&forge.sign(&recipe));
        let ours = matches!(forge.verifier().verdict(&recipe.payload, armor.as_bytes()), Verdict::Verified(_));
        let theirs = opinion(&oracle, &recipe.payload, armor.as_bytes());
        if (ours, theirs.is_ok()) != variation.expected() {
            wrong.push(format!("{}: waxseal {ours}, sigstore-verify {theirs:?}", variation.name));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn what_the_oracle_rejects_of_real_objects_is_never_verified() {
    let mut asked = 0;
    for name in ["public-good", "real-servers"] {
        let Some(corpus) = Corpus::open(name) else { return };
        each_verified(&corpus, name, |oracle, _, object, oid| {
            asked += 1;
            assert_eq!(opinion(oracle, &object.payload, &object.signatures[0]), Ok(()), "{name} {oid}");
        });
    }
    assert!(asked >= 50, "{asked} objects were verified");
}

/// Some bytes of real offline signatures and of forged ones changed (`tests/strict` changes every one): what waxseal verifies
/// all the same (a token whose type is not a token's any more is no token) the oracle does, too.
#[test]
fn what_the_oracle_rejects_of_changed_signatures_is_never_verified() {
    let mut verified = 0;
    for kind in variations::KINDS {
        let forge = Forge::new();
        let mut recipe = Recipe::right(&forge);
        kind(&mut recipe);
        let oracle = oracle(&forge.instance(|_| {}).trusted_root.to_json());
        verified += agree_on_changes(&oracle, &forge.verifier(), &recipe.payload, &forge.sign(&recipe), 5);
    }
    for name in ["public-good", "real-servers"] {
        let Some(corpus) = Corpus::open(name) else { continue };
        each_verified(&corpus, name, |oracle, verifier, object, _| {
            let der = armor::decode(&object.signatures[0]).unwrap();
            verified += agree_on_changes(oracle, verifier, &object.payload, &der, 41);
        });
    }
    println!("{verified} changed signatures were verified by both");
}

/// Every object of a part of the corpus that waxseal verifies, with both verifiers and its id.
fn each_verified(corpus: &Corpus, name: &str, mut then: impl FnMut(&Oracle, &Verifier, &SignedObject, &str)) {
    let trusted_root = corpus.read("trust/trusted_root.json");
    let (oracle, verifier) = (oracle(&trusted_root), verifier(&trusted_root));
    for (batch, hash) in batches(name) {
        corpus.each(batch, |row, raw| {
            let object = SignedObject::parse(row.kind(), *hash, raw);
            if matches!(object.verdict(&verifier), Verdict::Verified(_)) {
                then(&oracle, &verifier, &object, row.oid());
            }
        });
    }
}

fn agree_on_changes(oracle: &Oracle, verifier: &Verifier, payload: &[u8], der: &[u8], step: usize) -> usize {
    let mut verified = 0;
    for position in (0..der.len()).step_by(step) {
        let mut changed = der.to_vec();
        changed[position] ^= 0x01;
        let armor = armor::encode(&changed);
        if matches!(verifier.verdict(payload, armor.as_bytes()), Verdict::Verified(_)) {
            verified += 1;
            assert_eq!(opinion(oracle, payload, armor.as_bytes()), Ok(()), "byte {position}");
        }
    }
    verified
}

/// What sigstore-verify says. It is told nothing of the payload, so its digest is looked for beforehand.
fn opinion(oracle: &Oracle, payload: &[u8], armor: &[u8]) -> Result<(), String> {
    let signature = open(payload, armor).map_err(|error| error.to_string())?;
    let digests = [DigestAlgorithm::Sha256, DigestAlgorithm::Sha384, DigestAlgorithm::Sha512]
        .map(|algorithm| algorithm.digest(payload));
    let bound = digests.iter().any(|digest| signature.message.windows(digest.len()).any(|window| window == digest));
    if !bound {
        return Err("the payload's digest is not among the signed attributes".to_owned());
    }
    let bundle = bundle::of(&signature).ok_or("a bundle has no place for this")?;
    let bundle = Bundle::from_json(&bundle).map_err(|error| error.to_string())?;
    let verified = oracle.verify(signature.message.as_slice(), &bundle, &VerificationPolicy::any_identity());
    verified.map(drop).map_err(|error| error.to_string())
}

fn oracle(trusted_root: &[u8]) -> Oracle {
    let trusted_root = OtherTrustedRoot::from_json(std::str::from_utf8(trusted_root).unwrap()).unwrap();
    Oracle::new(&trusted_root).unwrap()
}

fn verifier(trusted_root: &[u8]) -> Verifier {
    let trusted_root = TrustedRoot::parse(trusted_root).unwrap();
    let name = "corpus".parse().unwrap();
    let instance = Instance { name, trusted_root, signing_config: None, bounds: InstanceBounds::default() };
    let now: Timestamp = "2026-11-25T00:00:00Z".parse().unwrap();
    Verifier::new(vec![instance], now, SctRequirement::default()).unwrap()
}

fn batches(corpus: &str) -> &'static [(&'static str, HashKind)] {
    match corpus {
        "public-good" => &[("objects.batch", HashKind::Sha1)],
        _ => &[("objects.sha1.batch", HashKind::Sha1), ("objects.sha256.batch", HashKind::Sha256)],
    }
}
