//! What a signature looks like: one of them, one text, one signer, and what is signed.

use waxseal::cms::armor;
use waxseal::crypto::Sha256Digest;
use waxseal::git::{HashKind, ObjectKind, SignedObject};

use super::der::{BOOLEAN, INTEGER, OCTET_STRING, SEQUENCE, content, context, elements, explicit, oid, tlv, utc_time};
use super::forge::{CONTENT_TYPE, DATA, ECDSA_SHA384, Forge, MESSAGE_DIGEST, PAYLOAD, Recipe, SIGNING_TIME, attribute};
use super::parts::Parts;
use super::{verdict_of, word};

#[test]
fn one_signature_an_object() {
    let forge = Forge::new();
    let signature = armor::encode(&forge.sign(&Recipe::right(&forge)));
    let header = format!("gpgsig {}\n", signature.trim_end().replace('\n', "\n "));
    let (headers, message) = std::str::from_utf8(PAYLOAD).unwrap().split_once("\n\n").unwrap();
    let object = |signatures: &str| {
        let raw = format!("{headers}\n{signatures}\n{message}");
        SignedObject::parse(ObjectKind::Commit, HashKind::Sha1, raw.as_bytes()).verdict(&forge.verifier())
    };
    assert_eq!(word(&object(&header)), "verified");
    assert_eq!(word(&object(&header.repeat(2))), "rejected several-signatures");
    assert_eq!(word(&object("")), "unsigned unsigned");
    // Headers that are for another hash function, or for none, are nobody's word and would give the object other ids.
    for other in ["gpgsig-sha256", "gpgsig-evil"] {
        assert_eq!(word(&object(&format!("{header}{other} x\n y\n"))), "rejected several-signatures", "{other}");
    }
    // What was signed as a commit is no tag, and Git knows no commit whose signature stands before its tree.
    let tag = SignedObject::parse(ObjectKind::Tag, HashKind::Sha1, &[PAYLOAD, signature.as_bytes()].concat());
    assert_eq!(word(&tag.verdict(&forge.verifier())), "rejected malformed-object");
    let first = format!("{header}{}", std::str::from_utf8(PAYLOAD).unwrap());
    let first = SignedObject::parse(ObjectKind::Commit, HashKind::Sha1, first.as_bytes());
    assert_eq!(word(&first.verdict(&forge.verifier())), "rejected malformed-object");
    // What Git makes of two headers: both texts, one after the other.
    let twice = forge.verifier().verdict(PAYLOAD, signature.repeat(2).as_bytes());
    assert_eq!(word(&twice), "rejected malformed-signature");
}

#[test]
fn the_armor_is_one_block_and_nothing_else() {
    let forge = Forge::new();
    let good = armor::encode(&forge.sign(&Recipe::right(&forge)));
    let verdict = |armor: &str| word(&forge.verifier().verdict(PAYLOAD, armor.as_bytes()));
    assert_eq!(verdict(&good), "verified");
    assert_eq!(verdict(good.trim_end()), "verified", "a last line feed may be missing");
    for bad in [
        format!("{good}\n"),
        format!("{good}-----BEGIN PGP SIGNATURE-----\n"),
        good.replace('\n', "\r\n"),
        good.replacen('\n', "\nComment: x\n\n", 1),
        good.replacen('\n', "\n ", 2),
        good.replace("END SIGNED", "END PGP"),
        good[..good.len() / 2].to_owned(),
        good.replacen("\nMII", "\nM!I", 1),
    ] {
        assert_eq!(verdict(&bad), "rejected malformed-signature", "{bad}");
    }
    assert_eq!(verdict(&format!("\n{good}")), "other unknown-signature-format");
}

#[test]
fn the_cms_is_detached_and_has_one_signer() {
    let embeds = |recipe: &mut Recipe| recipe.content = Some(PAYLOAD.to_vec());
    assert_eq!(verdict_of(embeds), "rejected signature-form");
    let embeds_other = |recipe: &mut Recipe| recipe.content = Some(b"other".to_vec());
    assert_eq!(verdict_of(embeds_other), "rejected signature-form");
    assert_eq!(verdict_of(|recipe| recipe.content_type = "1.2.840.113549.1.9.16.1.4"), "rejected signature-form");
    assert_eq!(verdict_of(|recipe| recipe.cms_version = 3), "rejected signature-form");
    assert_eq!(verdict_of(|recipe| recipe.signers = 0), "rejected malformed-signature");
    assert_eq!(verdict_of(|recipe| recipe.signers = 2), "rejected malformed-signature");
    assert_eq!(verdict_of(|recipe| recipe.certificates = 0), "rejected malformed-signature");
    assert_eq!(verdict_of(|recipe| recipe.other_key_signs = true), "rejected bad-signature");
}

#[test]
fn ber_is_not_der() {
    let forge = Forge::new();
    let mut signature = forge.sign(&Recipe::right(&forge));
    // The outer length once more, in one octet more than it needs.
    signature[1] += 1;
    signature.insert(2, 0);
    let verdict = forge.verifier().verdict(PAYLOAD, armor::encode(&signature).as_bytes());
    assert_eq!(word(&verdict), "rejected malformed-signature");
    // A default that is written out, in the certificate. Whoever wrote it out did not make the certificate up.
    let mut parts = Parts::of(&forge.sign(&Recipe::right(&forge)));
    parts.signed_data[3] = tlv(context(0), &with_default(&elements(content(&parts.signed_data[3]))[0]));
    let verdict = forge.verifier().verdict(PAYLOAD, armor::encode(&parts.der()).as_bytes());
    assert_eq!(word(&verdict), "rejected signature-form");
    let mut trailing = forge.sign(&Recipe::right(&forge));
    trailing.push(0);
    let verdict = forge.verifier().verdict(PAYLOAD, armor::encode(&trailing).as_bytes());
    assert_eq!(word(&verdict), "rejected malformed-signature");
}

/// The certificate with `critical FALSE` in its first extension that is not critical.
fn with_default(certificate: &[u8]) -> Vec<u8> {
    let sequence = |elements: &[Vec<u8>]| tlv(SEQUENCE, &elements.concat());
    let mut outer = elements(content(certificate));
    let mut tbs = elements(content(&outer[0]));
    let mut extensions = elements(content(content(tbs.last().unwrap())));
    let extension = extensions.iter_mut().find(|extension| elements(content(extension)).len() == 2).unwrap();
    let [id, value] = elements(content(extension)).try_into().unwrap();
    *extension = sequence(&[id, tlv(BOOLEAN, &[0]), value]);
    *tbs.last_mut().unwrap() = explicit(3, &sequence(&extensions));
    outer[0] = sequence(&tbs);
    sequence(&outer)
}

#[test]
fn the_signed_attributes_hold_one_content_type_and_one_digest() {
    let digest = tlv(OCTET_STRING, Sha256Digest::of(PAYLOAD).as_ref());
    let content_type = attribute(CONTENT_TYPE, &[oid(DATA)]);
    let message_digest = attribute(MESSAGE_DIGEST, std::slice::from_ref(&digest));
    let cases: [Vec<Vec<u8>>; 7] = [
        vec![message_digest.clone()],
        vec![content_type.clone()],
        vec![attribute(CONTENT_TYPE, &[oid("1.2.840.113549.1.9.16.1.4")]), message_digest.clone()],
        vec![content_type.clone(), attribute(MESSAGE_DIGEST, &[tlv(OCTET_STRING, &[0; 32]), digest.clone()])],
        vec![content_type.clone(), attribute(MESSAGE_DIGEST, &[tlv(OCTET_STRING, &[0; 32])]), message_digest.clone()],
        vec![content_type.clone(), attribute(MESSAGE_DIGEST, &[tlv(INTEGER, &[1])])],
        vec![content_type, attribute(SIGNING_TIME, &[tlv(INTEGER, &[1])]), message_digest],
    ];
    for attributes in cases {
        let mut attributes = attributes;
        attributes.sort();
        let verdict = verdict_of(|recipe| recipe.signed_attributes = attributes.clone());
        assert!(["rejected signature-form", "rejected malformed-signature"].contains(&verdict.as_str()), "{verdict}");
    }
    let unordered = |recipe: &mut Recipe| recipe.signed_attributes.reverse();
    assert_eq!(verdict_of(unordered), "rejected bad-signature", "what is signed is the set in DER order");
}

#[test]
fn digests_are_sha_2_and_the_same_everywhere() {
    assert_eq!(verdict_of(|recipe| recipe.digest_algorithm = "1.3.14.3.2.26"), "rejected unsupported-algorithm");
    let sha1 = |recipe: &mut Recipe| recipe.signature_algorithm = "1.2.840.10045.4.1";
    assert_eq!(verdict_of(sha1), "rejected unsupported-algorithm");
    assert_eq!(verdict_of(|recipe| recipe.digest_algorithm = "2.16.840.1.101.3.4.2.3"), "rejected signature-form");
    assert_eq!(verdict_of(|recipe| recipe.signature_algorithm = ECDSA_SHA384), "rejected bad-signature");
}

#[test]
fn the_signing_time_is_a_claim() {
    let claims_other = |recipe: &mut Recipe| {
        recipe.signed_attributes[1] = attribute(SIGNING_TIME, &[utc_time("2049-01-01T00:00:00Z".parse().unwrap())]);
    };
    assert_eq!(verdict_of(claims_other), "verified");
}
