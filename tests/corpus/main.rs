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

mod evidence;
mod git;
mod objects;
mod trust;

use std::collections::BTreeMap;

use jiff::Timestamp;
use objects::{Corpus, Row};
use waxseal::cms::armor;
use waxseal::cms::attributes::SignedAttributes;
use waxseal::git::{HashKind, SignedObject};
use waxseal::instance::{Instance, InstanceBounds, InstanceName};
use waxseal::signature;
use waxseal::trusted_root::TrustedRoot;
use waxseal::verify::findings::{Findings, Outcome, Step};
use waxseal::verify::{RekorVersion, SctRequirement, Verdict, Verifier};

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

/// Each column of the index that says what an independent verifier finds is compared: verdict, what the entry was proved
/// as, its label, the token.
#[test]
fn real_servers_objects_get_their_verdicts() {
    let Some(corpus) = Corpus::open("real-servers") else { return };
    let verifier = verifier(&corpus);
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (batch, hash) in REAL_SERVERS {
        corpus.each(batch, |row, raw| {
            let object = SignedObject::parse(row.kind(), hash, raw);
            assert_eq!(object.to_bytes().as_deref(), Some(raw), "{}", row.oid());
            let opened = signature::git::open(&object.payload, &object.signatures[0]).unwrap();
            let token = if opened.material.timestamps.is_empty() { "-" } else { "yes" };
            assert_eq!(token, row.get("tsa_token"), "{}", row.oid());
            let label = opened.material.log_entry.as_ref().map(|entry| &entry.kind_version);
            let label = label.map_or("-".to_owned(), |label| format!("{}/{}", label.kind, label.version));
            assert_eq!(label, row.get("log_entry"), "{}", row.oid());

            let verdict = object.verdict(&verifier);
            let (explained, findings) = object.explain(&verifier);
            assert_eq!(format!("{explained:?}"), format!("{verdict:?}"), "{}", row.oid());
            assert_eq!(findings.steps.len(), 8, "{}", row.oid());
            let (word, proved_as, source) = match &verdict {
                Verdict::Verified(signature) => {
                    let san = row.get("subject_alternative_name");
                    assert_eq!(signature.san().as_str(), san.strip_prefix("otherName:").unwrap_or(san));
                    assert_eq!(signature.issuer(), row.get("oidc_issuer"));
                    assert_eq!(format!("hashedrekord/{}", signature.entry_label().as_str()), label);
                    let mislabelled = signature.rekor_version() == RekorVersion::V2;
                    assert_eq!(signature.mislabelled().is_some(), mislabelled, "gitsign labels everything 0.0.1");
                    ("verified", format!("v{}", signature.rekor_version().as_str()), signature.time_source())
                }
                Verdict::Undecided(undecided) => {
                    held_offline(row, &verdict);
                    let missing = if row.get("log_entry") == "-" { "log-entry-absent" } else { "time-absent" };
                    assert_eq!(undecided.missing().reason(), missing, "{}", row.oid());
                    let proved_as = match outcome(undecided.findings(), Step::LogEntry) {
                        Some(Outcome::Held(detail)) if detail.contains("an entry of Rekor v2") => "v2",
                        Some(Outcome::Held(_)) => "v1",
                        Some(Outcome::Missing(_)) => "-",
                        other => panic!("{}: {other:?}", row.oid()),
                    };
                    let source = match outcome(undecided.findings(), Step::Time) {
                        Some(Outcome::Held(detail)) if detail.ends_with("(timestamp)") => "timestamp",
                        Some(Outcome::Missing(_)) => "-",
                        other => panic!("{}: {other:?}", row.oid()),
                    };
                    ("undecided", proved_as.to_owned(), source)
                }
                _ => panic!("{} {}: {verdict:#?}", row.oid(), row.get("written_with")),
            };
            assert_eq!(word, row.get("embedded_verdict"), "{}", row.oid());
            assert_eq!(proved_as, row.get("proved_as"), "{}", row.oid());
            let expected = match (row.get("tsa_token"), row.get("log_entry")) {
                ("yes", _) => "timestamp",
                (_, "-") => "-",
                _ if proved_as == "v1" => "log",
                _ => "-",
            };
            assert_eq!(source, expected, "{}", row.oid());
            *seen
                .entry(format!("{word} {} {}", row.get("written_with"), row.get("gitsign_verify_commit")))
                .or_default() += 1;
        });
    }
    assert_eq!(seen.values().sum::<usize>(), 97);
    let count =
        |which: &str| seen.iter().filter(|(kind, _)| kind.contains(which)).map(|(_, count)| count).sum::<usize>();
    assert_eq!((count("verified "), count("undecided "), count(" accepts")), (57, 40, 40), "{seen:?}");
}

/// Certificate, time, digest, signature and evidence determine the text that gitsign writes. What is read is all there is.
#[test]
fn what_gitsign_wrote_is_written_again_byte_for_byte() {
    let mut again = 0;
    for (name, batches) in
        [("public-good", &[("objects.batch", HashKind::Sha1)][..]), ("real-servers", &REAL_SERVERS[..])]
    {
        let Some(corpus) = Corpus::open(name) else { return };
        for (batch, hash) in batches {
            corpus.each(batch, |row, raw| {
                let object = SignedObject::parse(row.kind(), *hash, raw);
                let opened = signature::git::open(&object.payload, &object.signatures[0]).unwrap();
                // One certificate, gitsign's own algorithms, no layout by field.
                if opened.material.unsupported.is_some() || name == "public-good" && row.get("certificates") != "1" {
                    return;
                }
                if name == "public-good" && row.get("certificate_authority") != "public-good" {
                    return;
                }
                // An empty promise, as gitsign has it in entries of Rekor v2, is none.
                if name == "real-servers" && row.get("written_with").starts_with("v2") {
                    return;
                }
                let attributes = SignedAttributes::for_payload(&object.payload, opened.signing_time.unwrap()).unwrap();
                assert_eq!(attributes.message(), opened.message, "{}", row.oid());
                let material = &opened.material;
                let (certificate, signature) = (&material.certificate, &material.signature);
                let entry = material.log_entry.as_ref();
                let der =
                    signature::git::seal(&attributes, certificate, signature, entry, &material.timestamps).unwrap();
                assert!(armor::encode(&der).as_bytes() == object.signatures[0], "{name} {}", row.oid());
                again += 1;
            });
        }
    }
    assert!(again > 1000, "{again}");
}

/// Some hold the intermediate, too, which comes first in a set; some have CRLF, some no final line feed.
#[test]
fn real_objects_with_two_certificates_and_with_odd_line_ends_are_read_as_git_cuts_them() {
    let Some(corpus) = Corpus::open("public-good") else { return };
    let verifier = verifier(&corpus);
    let [mut two, mut crlf, mut open_ended] = [0; 3];
    corpus.each("objects.batch", |row, raw| {
        let object = SignedObject::parse(row.kind(), HashKind::Sha1, raw);
        let several = row.get("certificates") != "1" && row.get("certificate_authority") == "public-good";
        let message =
            object.payload.windows(2).position(|two| two == b"\n\n").map_or(&[][..], |end| &object.payload[end..]);
        let (has_crlf, ends_open) = (message.windows(2).any(|two| two == b"\r\n"), !message.ends_with(b"\n"));
        two += usize::from(several);
        crlf += usize::from(has_crlf);
        open_ended += usize::from(ends_open);
        if several || (has_crlf || ends_open) && row.get("certificate_authority") == "public-good" {
            let verdict = object.verdict(&verifier);
            if !matches!(verdict, Verdict::Verified(_)) {
                held_offline(row, &verdict);
            }
        }
    });
    assert!(two > 0 && crlf > 0 && open_ended > 0, "{two} {crlf} {open_ended}");
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
    let outcome = |step: Step| outcome(undecided.findings(), step);
    for step in [Step::Certificate, Step::Path, Step::Signature, Step::Payload] {
        assert!(matches!(outcome(step), Some(Outcome::Held(_))), "{}: {step:?} {:?}", row.oid(), outcome(step));
    }
    match (row.get("sct"), outcome(Step::Sct)) {
        ("True" | "embedded", Some(Outcome::Held(_))) => {}
        // docs/from-gitsign.md says what becomes of certificates of before June 2022.
        ("False", Some(Outcome::Missing(missing))) => {
            assert_eq!((missing.reason(), undecided.missing().reason()), ("sct-absent", "log-entry-absent"));
        }
        (sct, other) => panic!("{}: sct {sct} {other:?}", row.oid()),
    }
}

fn outcome(findings: &Findings, step: Step) -> Option<&Outcome> {
    findings.steps.iter().find(|finding| finding.step == step).map(|finding| &finding.outcome)
}

fn verifier(corpus: &Corpus) -> Verifier {
    let trusted_root = TrustedRoot::parse(&corpus.read("trust/trusted_root.json")).unwrap();
    let name: InstanceName = "corpus".parse().unwrap();
    let instance = Instance { name, trusted_root, signing_config: None, bounds: InstanceBounds::default() };
    let now: Timestamp = "2026-11-25T00:00:00Z".parse().unwrap();
    Verifier::new(vec![instance], now, SctRequirement::default()).unwrap()
}

const REAL_SERVERS: [(&str, HashKind); 2] =
    [("objects.sha1.batch", HashKind::Sha1), ("objects.sha256.batch", HashKind::Sha256)];
