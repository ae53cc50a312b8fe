//! Every byte of a good signature changed: never verified, never a panic.

use waxseal::cms::armor;

use super::forge::{Forge, PAYLOAD, Recipe, Rekor};
use super::word;

#[test]
fn no_changed_byte_of_the_der_verifies() {
    let forge = Forge::new();
    let verifier = forge.verifier();
    let good = forge.sign(&Recipe::right(&forge));
    for position in 0..good.len() {
        for mask in [0x01, 0x80, 0xff] {
            let mut changed = good.clone();
            changed[position] ^= mask;
            let verdict = word(&verifier.verdict(PAYLOAD, armor::encode(&changed).as_bytes()));
            assert_ne!(verdict, "verified", "byte {position} xor {mask:#x}");
        }
    }
}

#[test]
fn no_changed_byte_of_a_v2_signature_with_a_token_verifies() {
    let forge = Forge::new();
    let verifier = forge.verifier();
    let mut recipe = Recipe::right(&forge);
    recipe.log_on_v2(Rekor::V2);
    let good = forge.sign(&recipe);
    assert_eq!(word(&verifier.verdict(PAYLOAD, armor::encode(&good).as_bytes())), "verified");
    let mut unsigned = Vec::new();
    for position in 0..good.len() {
        let mut changed = good.clone();
        changed[position] ^= 0x01;
        if word(&verifier.verdict(PAYLOAD, armor::encode(&changed).as_bytes())) == "verified" {
            unsigned.push(position);
        }
    }
    assert_eq!(unsigned, [0; 0], "every byte is signed by somebody, or has one form only");
}

#[test]
fn no_changed_byte_of_the_armor_verifies() {
    let forge = Forge::new();
    let verifier = forge.verifier();
    let good = armor::encode(&forge.sign(&Recipe::right(&forge)));
    for position in 0..good.len() - 1 {
        let mut changed = good.clone().into_bytes();
        changed[position] ^= 0x01;
        assert_ne!(word(&verifier.verdict(PAYLOAD, &changed)), "verified", "byte {position}");
    }
}

#[test]
fn no_changed_byte_of_the_payload_verifies() {
    let forge = Forge::new();
    let verifier = forge.verifier();
    let armor = armor::encode(&forge.sign(&Recipe::right(&forge)));
    for position in 0..PAYLOAD.len() {
        let mut changed = PAYLOAD.to_vec();
        changed[position] ^= 0x01;
        let verdict = word(&verifier.verdict(&changed, armor.as_bytes()));
        assert!(["rejected payload-mismatch", "rejected malformed-object"].contains(&verdict.as_str()), "{verdict}");
    }
}
