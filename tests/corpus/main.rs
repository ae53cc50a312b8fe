//! Real signed objects, made by other people's tools: every one gets the verdict that it deserves, offline.
//!
//! The objects lie outside the repository, in `../shared/corpus`; without them each test says that it was skipped.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and says what it skips"
)]

mod git;
mod objects;

use jiff::Timestamp;
use objects::{Corpus, Row};
use waxseal::cms::armor;
use waxseal::git::{HashKind, SignedObject};
use waxseal::instance::{Instance, InstanceBounds, InstanceName};
use waxseal::trusted_root::TrustedRoot;
use waxseal::verify::findings::{Outcome, Step};
use waxseal::verify::{SctRequirement, Verdict, Verifier};

#[test]
fn public_good_objects_get_their_verdicts() {
    let Some(corpus) = Corpus::open("public-good") else { return };
    let verifier = verifier(&corpus);
    let mut seen = [0; 4];
    corpus.each("objects.batch", |row, raw| {
        let object = SignedObject::parse(row.kind(), HashKind::Sha1, raw);
        assert_eq!(object.to_bytes().as_deref(), Some(raw), "{}: payload and armor give the object again", row.oid());
        let verdict = object.verdict(&verifier);
        match (row.get("certificate_authority"), row.get("rekor"), &verdict) {
            ("public-good", "offline", Verdict::Verified(signature)) => {
                seen[0] += 1;
                assert_eq!(signature.san().as_str(), row.get("subject_alternative_name"));
                assert_eq!(signature.issuer(), row.get("oidc_issuer"));
            }
            ("public-good", "online", Verdict::Undecided(undecided)) => {
                seen[1] += 1;
                assert_eq!(undecided.missing().reason(), "log-entry-absent", "{}", row.oid());
                held_offline(row, &verdict);
            }
            ("public-good", "per-field", Verdict::Undecided(undecided)) => {
                seen[2] += 1;
                assert_eq!(undecided.missing().reason(), "unsupported-evidence");
            }
            ("other-ca", _, Verdict::Rejected(rejection)) => {
                seen[3] += 1;
                assert_eq!(rejection.error().reason(), "unknown-ca", "{}", row.oid());
            }
            _ => panic!("{}: {verdict:#?}", row.oid()),
        }
    });
    assert_eq!(seen, [12, 1040, 1, 4]);
}

#[test]
fn real_servers_objects_get_their_verdicts() {
    let Some(corpus) = Corpus::open("real-servers") else { return };
    let verifier = verifier(&corpus);
    let mut seen = 0;
    for (batch, hash) in [("objects.sha1.batch", HashKind::Sha1), ("objects.sha256.batch", HashKind::Sha256)] {
        corpus.each(batch, |row, raw| {
            seen += 1;
            let object = SignedObject::parse(row.kind(), hash, raw);
            assert_eq!(object.to_bytes().as_deref(), Some(raw), "{}", row.oid());
            let verdict = object.verdict(&verifier);
            match (row.get("embedded_verdict"), &verdict) {
                ("verified", Verdict::Verified(signature)) => {
                    let san = row.get("subject_alternative_name");
                    assert_eq!(signature.san().as_str(), san.strip_prefix("otherName:").unwrap_or(san));
                    assert_eq!(format!("v{}", signature.rekor_version().as_str()), row.get("proved_as"));
                    let source = if row.get("tsa_token") == "yes" { "timestamp" } else { "log" };
                    assert_eq!(signature.time_source(), source);
                }
                ("undecided", Verdict::Undecided(undecided)) => {
                    let missing = if row.get("log_entry") == "-" { "log-entry-absent" } else { "time-absent" };
                    assert_eq!(undecided.missing().reason(), missing, "{}", row.oid());
                    held_offline(row, &verdict);
                }
                _ => panic!("{} {}: {verdict:#?}", row.oid(), row.get("written_with")),
            }
        });
    }
    assert_eq!(seen, 97);
}

/// Each byte of three real offline signatures changed, in the DER and in the text around it: never verified, never a
/// panic. No byte is excused: each is signed by somebody, or has one form only.
#[test]
fn no_changed_byte_of_three_real_signatures_verifies() {
    let Some(corpus) = Corpus::open("public-good") else { return };
    let verifier = verifier(&corpus);
    let mut left = 3;
    corpus.each("objects.batch", |row, raw| {
        if row.get("rekor") != "offline" || left == 0 {
            return;
        }
        left -= 1;
        let object = SignedObject::parse(row.kind(), HashKind::Sha1, raw);
        let armor = &object.signatures[0];
        let verifies = |armor: &[u8]| matches!(verifier.verdict(&object.payload, armor), Verdict::Verified(_));
        assert!(verifies(armor));
        let der = armor::decode(armor).unwrap();
        for position in 0..der.len() {
            let mut changed = der.clone();
            changed[position] ^= 0x01;
            assert!(!verifies(armor::encode(&changed).as_bytes()), "{}: byte {position} of the DER", row.oid());
        }
        // The last line feed may be missing, so its loss is no change.
        for position in 0..armor.len() - 1 {
            let mut changed = armor.clone();
            changed[position] ^= 0x01;
            assert!(!verifies(&changed), "{}: byte {position} of the armor", row.oid());
        }
    });
    assert_eq!(left, 0);
}

/// Of an undecided object the path, the SCT where there is one, the CMS signature and the digest held.
fn held_offline(row: &Row, verdict: &Verdict) {
    let Verdict::Undecided(undecided) = verdict else { panic!("{verdict:?}") };
    let outcome = |step: Step| {
        undecided.findings().steps.iter().find(|finding| finding.step == step).map(|finding| &finding.outcome)
    };
    for step in [Step::Certificate, Step::Path, Step::Signature, Step::Payload] {
        assert!(matches!(outcome(step), Some(Outcome::Held(_))), "{}: {step:?} {:?}", row.oid(), outcome(step));
    }
    match (row.get("sct"), outcome(Step::Sct)) {
        ("True" | "embedded", Some(Outcome::Held(_))) => {}
        ("False", Some(Outcome::Missing(missing))) => assert_eq!(missing.reason(), "sct-absent"),
        (sct, other) => panic!("{}: sct {sct} {other:?}", row.oid()),
    }
}

fn verifier(corpus: &Corpus) -> Verifier {
    let trusted_root = TrustedRoot::parse(&corpus.read("trust/trusted_root.json")).unwrap();
    let name: InstanceName = "corpus".parse().unwrap();
    let instance = Instance { name, trusted_root, signing_config: None, bounds: InstanceBounds::default() };
    let now: Timestamp = "2026-11-25T00:00:00Z".parse().unwrap();
    Verifier::new(vec![instance], now, SctRequirement::default()).unwrap()
}
