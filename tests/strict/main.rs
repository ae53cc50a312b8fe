//! The strict reading of signatures, clause by clause: under an instance with keys of its own, one signature with
//! everything right, and many with exactly one thing wrong, each of which gets the reason that it deserves.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

mod certificate;
mod der;
mod evidence;
mod expectations;
mod forge;
mod form;
mod outside;
mod parts;
mod swap;
mod tamper;

use der::{OCTET_STRING, tlv};
use forge::{Forge, ISSUER, MESSAGE_DIGEST, PAYLOAD, Recipe, SAN, Sct, attribute};
use waxseal::crypto::Sha256Digest;
use waxseal::verify::Verdict;

#[test]
fn everything_right_is_verified() {
    let forge = Forge::new();
    let Verdict::Verified(signature) = forge.verdict(&Recipe::right(&forge)) else { panic!() };
    assert_eq!((signature.san().as_str(), signature.issuer()), (SAN, ISSUER));
    assert_eq!((signature.instance().as_str(), signature.log_index()), ("forge", 1001));
    assert_eq!(signature.time(), Recipe::right(&forge).integrated_time);
    assert_eq!(verdict_of(|recipe| recipe.sct = Sct::WithExtensions), "verified");
    assert_eq!(verdict_of(|recipe| recipe.replace_extension("1.3.6.1.4.1.57264.1.8", None)), "verified");
    assert_eq!(verdict_of(|recipe| recipe.replace_extension("1.3.6.1.4.1.57264.1.1", None)), "verified");
    assert_eq!(verdict_of(|recipe| drop(recipe.signed_attributes.remove(1))), "verified", "without signing time");
}

#[test]
fn what_is_wrong_outweighs_what_is_missing_and_the_payload_comes_last() {
    let tampered = |recipe: &mut Recipe| recipe.payload = [PAYLOAD, b"more"].concat();
    let forge = Forge::new();
    let mut recipe = Recipe::right(&forge);
    tampered(&mut recipe);
    let Verdict::Rejected(rejection) = forge.verdict(&recipe) else { panic!() };
    assert_eq!(rejection.error().reason(), "payload-mismatch");
    assert_eq!(rejection.payload_alone().unwrap().san().as_str(), SAN, "all but the content held");
    // Stripped of its entry it is still wrong, and nobody is named.
    recipe.entry = None;
    let Verdict::Rejected(rejection) = forge.verdict(&recipe) else { panic!() };
    assert_eq!(rejection.error().reason(), "payload-mismatch");
    assert!(rejection.payload_alone().is_none());
    // With something else wrong too, that is the reason.
    recipe.other_key_signs = true;
    assert_eq!(word(&forge.verdict(&recipe)), "rejected bad-signature");
    let two_trees = |recipe: &mut Recipe| {
        recipe.payload = [b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4905\n", PAYLOAD].concat();
        let digest = tlv(OCTET_STRING, Sha256Digest::of(&recipe.payload).as_ref());
        recipe.signed_attributes[2] = attribute(MESSAGE_DIGEST, &[digest]);
    };
    assert_eq!(verdict_of(two_trees), "rejected malformed-object");
}

fn verdict_of(change: impl Fn(&mut Recipe)) -> String {
    let forge = Forge::new();
    let mut recipe = Recipe::right(&forge);
    change(&mut recipe);
    word(&forge.verdict(&recipe))
}

/// The verdict and its reason.
pub(crate) fn word(verdict: &Verdict) -> String {
    let word = match verdict {
        Verdict::Verified(_) | Verdict::VerifiedByKey(_) => return "verified".to_owned(),
        Verdict::Rejected(_) => "rejected",
        Verdict::Undecided(_) => "undecided",
        Verdict::Unsigned => "unsigned",
        Verdict::OtherFormat(_) => "other",
    };
    format!("{word} {}", verdict.reason().unwrap())
}
