//! What proves it: entries, their proofs and promises, tokens, and the times in them.

use jiff::SignedDuration;
use waxseal::cms::armor;
use waxseal::tlog::{InclusionPromise, TransparencyLogEntry};
use waxseal::trusted_root::{LogId, TrustedRoot};
use waxseal::verify::{RekorVersion, SctRequirement, Verdict, Verifier};

use super::der::{INTEGER, OCTET_STRING, SEQUENCE, tlv};
use super::forge::{EntryAbout, Forge, PAYLOAD, Recipe, Rekor, Token, attribute};
use super::{verdict_of, word};

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
