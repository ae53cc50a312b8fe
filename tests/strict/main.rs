//! The strict reading of signatures, clause by clause: under an instance with keys of its own, one signature with
//! everything right, and many with exactly one thing wrong, each of which gets the reason that it deserves.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test fails by panicking")]

mod der;
mod expectations;
mod forge;
mod outside;
mod parts;
mod swap;
mod tamper;

use der::{BOOLEAN, INTEGER, OCTET_STRING, SEQUENCE, UTF8_STRING, oid, tlv, utc_time};
use forge::{
    CONTENT_TYPE, Change, DATA, ECDSA_SHA384, EntryAbout, Forge, ISSUER, MESSAGE_DIGEST, PAYLOAD, Recipe, Rekor, SAN,
    SIGNING_TIME, Sct, Token, attribute, extension, san,
};
use jiff::SignedDuration;
use waxseal::cms::armor;
use waxseal::crypto::Sha256Digest;
use waxseal::git::{HashKind, ObjectKind, SignedObject};
use waxseal::instance::InstanceBounds;
use waxseal::policy::{Allowed, CertificateIdentity, IdentityPolicy, Pattern};
use waxseal::tlog::{InclusionPromise, TransparencyLogEntry};
use waxseal::trusted_root::{LogId, TrustedRoot};
use waxseal::verify::{RekorVersion, SctRequirement, Verdict, Verifier};

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
    let mut trailing = forge.sign(&Recipe::right(&forge));
    trailing.push(0);
    let verdict = forge.verifier().verdict(PAYLOAD, armor::encode(&trailing).as_bytes());
    assert_eq!(word(&verdict), "rejected malformed-signature");
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
fn the_leaf_is_for_code_signing_has_one_name_and_never_issues() {
    let without = |dotted: &'static str| move |recipe: &mut Recipe| recipe.replace_extension(dotted, None);
    let with = |dotted: &'static str, extension: Vec<u8>| {
        move |recipe: &mut Recipe| recipe.replace_extension(dotted, Some(extension.clone()))
    };
    let email = |name: &str| tlv(0x81, name.as_bytes());
    let client_auth = extension("2.5.29.37", false, &tlv(SEQUENCE, &oid("1.3.6.1.5.5.7.3.2")));
    let issuing = extension("2.5.29.19", true, &tlv(SEQUENCE, &tlv(BOOLEAN, &[0xff])));
    let other_issuer = extension("1.3.6.1.4.1.57264.1.8", false, &tlv(UTF8_STRING, b"https://other.example"));
    let cases: [(&str, Change<Recipe>); 13] = [
        ("no EKU", Box::new(without("2.5.29.37"))),
        ("EKU for something else", Box::new(with("2.5.29.37", client_auth))),
        ("no name", Box::new(without("2.5.29.17"))),
        ("two names", Box::new(with("2.5.29.17", san(&[email(SAN), email("bob@example.org")])))),
        ("an empty name", Box::new(with("2.5.29.17", san(&[email("")])))),
        ("an address", Box::new(with("2.5.29.17", san(&[tlv(0x87, &[127, 0, 0, 1])])))),
        ("unknown and critical", Box::new(with("1.2.3.4", extension("1.2.3.4", true, &[5, 0])))),
        ("poison", Box::new(with("1.3.6.1.4.1.11129.2.4.3", extension("1.3.6.1.4.1.11129.2.4.3", true, &[5, 0])))),
        ("issuers disagree", Box::new(with("1.3.6.1.4.1.57264.1.8", other_issuer))),
        ("CA:TRUE", Box::new(with("2.5.29.19", issuing))),
        ("keyCertSign", Box::new(with("2.5.29.15", extension("2.5.29.15", true, &[3, 2, 2, 0x84])))),
        ("key usage without signing", Box::new(with("2.5.29.15", extension("2.5.29.15", true, &[3, 2, 5, 0x20])))),
        (
            "no issuer",
            Box::new(|recipe: &mut Recipe| {
                recipe.replace_extension("1.3.6.1.4.1.57264.1.1", None);
                recipe.replace_extension("1.3.6.1.4.1.57264.1.8", None);
            }),
        ),
    ];
    for (what, change) in cases {
        assert_eq!(verdict_of(change), "rejected certificate-form", "{what}");
    }
    let unknown = |recipe: &mut Recipe| recipe.extensions.push(extension("1.2.3.4", false, &[5, 0]));
    assert_eq!(verdict_of(unknown), "verified", "what is unknown and not critical does not matter");
    let twice = |recipe: &mut Recipe| recipe.extensions.push(extension("1.3.6.1.4.1.57264.1.1", false, b"x"));
    assert_eq!(verdict_of(twice), "rejected malformed-signature");
}

#[test]
fn the_certificate_leads_to_a_trusted_authority() {
    assert_eq!(verdict_of(|recipe| recipe.ca_name = "stranger"), "rejected unknown-ca");
    assert_eq!(verdict_of(|recipe| recipe.foreign_ca = true), "rejected certificate-signature");
    let forge = Forge::new();
    let mut closed = forge.instance(|root| {
        root.certificate_authorities[0].valid_for.end = Some(root.certificate_authorities[0].valid_for.start);
    });
    let armor = armor::encode(&forge.sign(&Recipe::right(&forge)));
    let verdict = |instance| {
        let verifier = Verifier::new(vec![instance], forge.now(), SctRequirement::default()).unwrap();
        word(&verifier.verdict(PAYLOAD, armor.as_bytes()))
    };
    assert_eq!(verdict(closed.clone()), "rejected authority-outside-validity");
    let mut reopened = closed.clone();
    let mut again = reopened.trusted_root.certificate_authorities[0].clone();
    again.valid_for.end = None;
    reopened.trusted_root.certificate_authorities.push(again);
    assert_eq!(verdict(reopened), "verified", "the same authority, trusted at other times too");
    closed.trusted_root.certificate_authorities[0].valid_for.end = None;
    closed.bounds = InstanceBounds { oidc_issuers: Some(vec!["https://other.example".to_owned()]), audience: None };
    assert_eq!(verdict(closed), "rejected issuer-not-admitted");
}

#[test]
fn a_second_instance_with_the_same_authority_hides_nothing() {
    let forge = Forge::new();
    let named = |name: &str, change: fn(&mut TrustedRoot)| {
        let mut instance = forge.instance(change);
        instance.name = name.parse().unwrap();
        instance
    };
    let armor = armor::encode(&forge.sign(&Recipe::right(&forge)));
    let judge = |instances, rule: &str| {
        let verifier = Verifier::new(instances, forge.now(), SctRequirement::default()).unwrap();
        let Verdict::Verified(mut signature) = verifier.verdict(PAYLOAD, armor.as_bytes()) else { panic!() };
        let policy = IdentityPolicy::OneOf(vec![CertificateIdentity {
            name: "rule".to_owned(),
            san: Pattern::Exact(SAN.to_owned()),
            issuer: Pattern::Exact(ISSUER.to_owned()),
            instance: rule.parse().unwrap(),
        }]);
        let allowed = policy.judge(&mut signature, &waxseal::policy::Circumstances::default());
        (allowed, signature.instance().to_string())
    };
    let yes = Allowed::Yes("rule".to_owned());
    for name in ["a", "b"] {
        let both = vec![named("a", |_| {}), named("b", |_| {})];
        assert_eq!(judge(both, name), (yes.clone(), name.to_owned()));
    }
    // A copy with other logs verifies nothing, and takes nothing away.
    let other_logs = |root: &mut TrustedRoot| root.transparency_logs.clear();
    assert_eq!(judge(vec![named("a", other_logs), named("b", |_| {})], "b"), (yes, "b".to_owned()));
    assert_eq!(judge(vec![named("a", other_logs), named("b", |_| {})], "a").0, Allowed::No(None));
}

#[test]
fn certificate_timestamps_are_demanded_and_checked() {
    assert_eq!(verdict_of(|recipe| recipe.sct = Sct::Absent), "undecided sct-absent");
    assert_eq!(verdict_of(|recipe| recipe.sct = Sct::WrongSignature), "rejected sct");
    assert_eq!(verdict_of(|recipe| recipe.sct = Sct::OfStranger), "rejected unknown-log");
    let forge = Forge::new();
    let mut recipe = Recipe::right(&forge);
    recipe.sct = Sct::Absent;
    let armor = armor::encode(&forge.sign(&recipe));
    let verdict = |change: fn(&mut TrustedRoot), scts| {
        let verifier = Verifier::new(vec![forge.instance(change)], forge.now(), scts).unwrap();
        verifier.verdict(PAYLOAD, armor.as_bytes())
    };
    assert_eq!(word(&verdict(|root| root.ct_logs.clear(), SctRequirement::default())), "verified", "no CT log, no SCT");
    let Verdict::Verified(signature) = verdict(|_| {}, SctRequirement::InsecureIgnore) else { panic!() };
    assert!(signature.scts_ignored());
}

#[test]
fn promise_proof_and_checkpoint_are_checked_whatever_the_others_say() {
    let entry = |change: fn(&mut TransparencyLogEntry)| verdict_of(|recipe| recipe.entry = Some(Box::new(change)));
    assert_eq!(
        entry(|entry| {
            let promise = entry.inclusion_promise.as_mut().unwrap();
            *promise.signed_entry_timestamp.last_mut().unwrap() ^= 1;
        }),
        "rejected inclusion-promise"
    );
    assert_eq!(entry(|entry| entry.integrated_time += 1), "rejected inclusion-promise");
    assert_eq!(entry(|entry| entry.log_index += 1), "rejected inclusion-promise");
    assert_eq!(
        entry(|entry| entry.inclusion_proof.as_mut().unwrap().hashes[0].0[0] ^= 1),
        "rejected log-entry-mismatch"
    );
    assert_eq!(entry(|entry| entry.inclusion_proof.as_mut().unwrap().leaf_index = 0), "rejected log-entry-mismatch");
    assert_eq!(entry(|entry| entry.inclusion_proof.as_mut().unwrap().leaf_index = 9), "rejected inclusion-proof");
    assert_eq!(entry(|entry| entry.inclusion_proof.as_mut().unwrap().hashes.truncate(1)), "rejected inclusion-proof");
    assert_eq!(entry(|entry| entry.inclusion_proof.as_mut().unwrap().tree_size = 4), "rejected checkpoint");
    assert_eq!(entry(|entry| entry.inclusion_proof.as_mut().unwrap().root_hash.0[0] ^= 1), "rejected checkpoint");
    assert_eq!(
        entry(|entry| {
            let checkpoint = &mut entry.inclusion_proof.as_mut().unwrap().checkpoint;
            *checkpoint = checkpoint.replacen("\n3\n", "\n4\n", 1);
        }),
        "rejected checkpoint"
    );
    assert_eq!(entry(|entry| entry.log_id = LogId([7; 32])), "rejected unknown-log");
    assert_eq!(entry(|entry| entry.kind_version.kind = "dsse".to_owned()), "rejected log-entry-kind");
    assert_eq!(entry(|entry| entry.canonicalized_body = b"{}".to_vec()), "rejected log-entry-mismatch");
    // A wrong promise is not mended by a proof that is not there, nor a wrong proof by a missing promise.
    assert_eq!(
        entry(|entry| {
            entry.inclusion_proof = None;
            entry.integrated_time += 1;
        }),
        "rejected inclusion-promise"
    );
    assert_eq!(
        entry(|entry| {
            entry.inclusion_promise = None;
            entry.inclusion_proof.as_mut().unwrap().hashes[0].0[0] ^= 1;
        }),
        "rejected log-entry-mismatch"
    );
}

#[test]
fn evidence_that_is_absent_leaves_it_undecided() {
    let entry = |change: fn(&mut TransparencyLogEntry)| verdict_of(|recipe| recipe.entry = Some(Box::new(change)));
    assert_eq!(verdict_of(|recipe| recipe.entry = None), "undecided log-entry-absent");
    assert_eq!(entry(|entry| entry.inclusion_proof = None), "undecided inclusion-proof-absent");
    assert_eq!(entry(|entry| entry.inclusion_promise = None), "undecided inclusion-promise-absent");
    assert_eq!(
        entry(|entry| entry.inclusion_proof.as_mut().unwrap().checkpoint.clear()),
        "undecided checkpoint-absent"
    );
    let without_checkpoint_and_wrong = |entry: &mut TransparencyLogEntry| {
        let proof = entry.inclusion_proof.as_mut().unwrap();
        proof.checkpoint.clear();
        proof.hashes[0].0[0] ^= 1;
    };
    assert_eq!(entry(without_checkpoint_and_wrong), "rejected log-entry-mismatch");
    let without_time = |recipe: &mut Recipe| {
        recipe.log_on_v2(Rekor::V2);
        recipe.tokens.clear();
    };
    assert_eq!(verdict_of(without_time), "undecided time-absent");
    let by_field = attribute("1.3.6.1.4.1.57264.3.2", &[tlv(INTEGER, &[1])]);
    let by_field = |recipe: &mut Recipe| {
        recipe.entry = None;
        recipe.unsigned_attributes = vec![by_field.clone()];
    };
    assert_eq!(verdict_of(by_field), "undecided unsupported-evidence");
}

#[test]
fn an_entry_of_rekor_v2_is_proved_whatever_it_is_labelled() {
    for rekor in [Rekor::V2, Rekor::V2Labelled001] {
        let forge = Forge::new();
        let mut recipe = Recipe::right(&forge);
        recipe.log_on_v2(rekor);
        let Verdict::Verified(signature) = forge.verdict(&recipe) else { panic!("{:?}", forge.verdict(&recipe)) };
        assert_eq!((signature.rekor_version(), signature.time_source()), (RekorVersion::V2, "timestamp"));
        let changed = |change: fn(&mut TransparencyLogEntry)| {
            verdict_of(|recipe| {
                recipe.log_on_v2(rekor);
                recipe.entry = Some(Box::new(change));
            })
        };
        assert_eq!(changed(|entry| entry.log_index = 2), "rejected inclusion-proof");
        assert_eq!(
            changed(|entry| entry.inclusion_proof.as_mut().unwrap().leaf_index = 0),
            "rejected log-entry-mismatch"
        );
        assert_eq!(
            changed(|entry| entry.inclusion_proof.as_mut().unwrap().hashes[0].0[0] ^= 1),
            "rejected log-entry-mismatch"
        );
        let promise = |entry: &mut TransparencyLogEntry| {
            entry.inclusion_promise = Some(InclusionPromise { signed_entry_timestamp: vec![0; 64] });
        };
        assert_eq!(changed(promise), "rejected inclusion-promise");
    }
    // A label that promises less than the log gives does not help either.
    let relabelled = |recipe: &mut Recipe| {
        recipe.entry = Some(Box::new(|entry| entry.kind_version.version = "0.0.2".to_owned()));
    };
    assert_eq!(verdict_of(relabelled), "rejected log-entry-mismatch");
}

#[test]
fn every_token_that_is_there_holds() {
    let tokens = |change: fn(&mut Token)| {
        verdict_of(|recipe| {
            let good = recipe.token();
            let mut other = good.clone();
            change(&mut other);
            recipe.tokens = vec![good, other];
        })
    };
    assert_eq!(tokens(|token| token.certificates = false), "verified");
    assert_eq!(tokens(|token| token.of_another_signature = true), "rejected timestamp-token");
    assert_eq!(tokens(|token| token.by_stranger = true), "rejected timestamp-token");
    assert_eq!(
        tokens(|token| token.gen_time += SignedDuration::from_mins(10)),
        "rejected certificate-outside-validity"
    );
    let garbage = attribute("1.2.840.113549.1.9.16.2.14", &[tlv(SEQUENCE, &[])]);
    assert_eq!(verdict_of(|recipe| recipe.unsigned_attributes = vec![garbage.clone()]), "rejected timestamp-token");
    // The authority's own windows.
    let forge = Forge::new();
    let mut recipe = Recipe::right(&forge);
    recipe.tokens = vec![recipe.token()];
    let armor = armor::encode(&forge.sign(&recipe));
    let verdict = |change: fn(&mut TrustedRoot)| {
        let instance = forge.instance(change);
        let verifier = Verifier::new(vec![instance], forge.now(), SctRequirement::default()).unwrap();
        word(&verifier.verdict(PAYLOAD, armor.as_bytes()))
    };
    assert_eq!(verdict(|_| {}), "verified");
    assert_eq!(verdict(|root| root.timestamp_authorities.clear()), "rejected unknown-tsa");
    let closed = |root: &mut TrustedRoot| {
        let valid_for = &mut root.timestamp_authorities[0].valid_for;
        valid_for.end = Some(valid_for.start);
    };
    assert_eq!(verdict(closed), "rejected authority-outside-validity");
}

#[test]
fn an_entry_is_about_this_signature_and_there_is_one() {
    assert_eq!(verdict_of(|recipe| recipe.entry_about = EntryAbout::AnotherSignature), "rejected log-entry-mismatch");
    let second = attribute("1.3.6.1.4.1.57264.3.1", &[tlv(OCTET_STRING, &[])]);
    assert_eq!(verdict_of(|recipe| recipe.unsigned_attributes = vec![second.clone()]), "rejected malformed-signature");
}

#[test]
fn a_checkpoints_origin_is_its_key_name() {
    assert_eq!(verdict_of(|recipe| recipe.origin = "other.example.org - 42"), "rejected checkpoint");
    assert_eq!(verdict_of(|recipe| recipe.origin = "log.example.org - 042"), "rejected checkpoint");
    assert_eq!(verdict_of(|recipe| recipe.checkpoint_name = "log.example"), "rejected checkpoint");
}

#[test]
fn the_proven_time_lies_inside_every_validity() {
    let at = |offset: i64| {
        move |recipe: &mut Recipe| recipe.integrated_time = recipe.not_before + SignedDuration::from_secs(offset)
    };
    assert_eq!(verdict_of(at(0)), "verified", "both ends are inclusive");
    assert_eq!(verdict_of(at(600)), "verified", "both ends are inclusive");
    assert_eq!(verdict_of(at(-1)), "rejected certificate-outside-validity");
    assert_eq!(verdict_of(at(601)), "rejected certificate-outside-validity");
    let forge = Forge::new();
    let armor = armor::encode(&forge.sign(&Recipe::right(&forge)));
    let closed = forge.instance(|root| {
        root.transparency_logs[0].valid_for.end = Some(root.transparency_logs[0].valid_for.start);
    });
    let verdict = |instance, now| {
        let verifier = Verifier::new(vec![instance], now, SctRequirement::default()).unwrap();
        word(&verifier.verdict(PAYLOAD, armor.as_bytes()))
    };
    assert_eq!(verdict(closed, forge.now()), "rejected log-outside-validity");
    let time = Recipe::right(&forge).integrated_time;
    let open = || forge.instance(|_| {});
    assert_eq!(verdict(open(), time - SignedDuration::from_mins(5)), "verified", "a clock that is five minutes slow");
    assert_eq!(verdict(open(), time - SignedDuration::from_secs(301)), "undecided clock");
    let stolen = |recipe: &mut Recipe| recipe.not_before += SignedDuration::from_hours(2);
    assert_eq!(verdict_of(stolen), "rejected certificate-outside-validity", "a certificate from later than its entry");
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

#[test]
fn the_signing_time_is_a_claim() {
    let claims_other = |recipe: &mut Recipe| {
        recipe.signed_attributes[1] = attribute(SIGNING_TIME, &[utc_time("2049-01-01T00:00:00Z".parse().unwrap())]);
    };
    assert_eq!(verdict_of(claims_other), "verified");
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
        Verdict::Verified(_) => return "verified".to_owned(),
        Verdict::Rejected(_) => "rejected",
        Verdict::Undecided(_) => "undecided",
        Verdict::Unsigned => "unsigned",
        Verdict::OtherFormat(_) => "other",
    };
    format!("{word} {}", verdict.reason().unwrap())
}
