//! What a sceptic checks first, one promise a test: those that the clauses of the strict reading do not already name.
//! `docs/security-tests.md` lists which test holds which promise, and is held to the sources here.

use std::path::{Path, PathBuf};

use jiff::SignedDuration;
use proptest::prelude::*;
use waxseal::cms::armor;
use waxseal::crypto::{DigestAlgorithm, Sha256Digest};
use waxseal::git::status_fd::{Reader, answer};
use waxseal::git::{HashKind, ObjectKind, SignedObject};
use waxseal::policy::{Allowed, CertificateIdentity, Circumstances, IdentityPolicy, Pattern};
use waxseal::tlog::TransparencyLogEntry;
use waxseal::verify::{SctRequirement, Verdict, Verifier};

use super::der::{OCTET_STRING, UTF8_STRING, context, explicit, oid, tlv};
use super::forge::{Forge, ISSUER, MESSAGE_DIGEST, PAYLOAD, Recipe, Rekor, SAN, attribute, extension, san};
use super::parts::Parts;
use super::swap::{Kind, Object};
use super::{verdict_of, word};

#[test]
fn a_second_tree_first_or_last_is_rejected() {
    let (tree, rest) = std::str::from_utf8(PAYLOAD).unwrap().split_once('\n').unwrap();
    let other = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4905";
    let (people, message) = rest.split_once("\n\n").unwrap();
    for payload in [
        format!("{tree}\n{other}\n{rest}"),
        format!("{other}\n{tree}\n{rest}"),
        format!("{tree}\n{people}\n{other}\n\n{message}"),
        format!("{people}\n{tree}\n\n{message}"),
        format!("{tree}\n{people}\nparent 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\n{message}"),
        format!("{tree}\n{people}\n{people}\n\n{message}"),
        format!("{tree}\n{}\n\n{message}", people.split('\n').rev().collect::<Vec<_>>().join("\n")),
    ] {
        assert_eq!(signed_and_judged(&payload), "rejected malformed-object", "{payload}");
    }
    assert_eq!(signed_and_judged(std::str::from_utf8(PAYLOAD).unwrap()), "verified");
}

#[test]
fn odd_continuation_lines_are_part_of_what_was_signed_or_rejected() {
    let forge = Forge::new();
    let object = Object::new(&forge, Kind::V1, 0);
    let raw = String::from_utf8(object.raw()).unwrap();
    let judge = |raw: &str| {
        word(&SignedObject::parse(ObjectKind::Commit, HashKind::Sha1, raw.as_bytes()).verdict(&forge.verifier()))
    };
    assert_eq!(judge(&raw), "verified");
    for (what, changed) in [
        ("two spaces before a line of the signature", raw.replacen("\n M", "\n  M", 1)),
        ("a tab before a line of the signature", raw.replacen("\n M", "\n\tM", 1)),
        ("no space before a line of the signature", raw.replacen("\n M", "\nM", 1)),
        ("an empty line in the signature", raw.replacen("\n M", "\n\n M", 1)),
        (
            "a line after the signature",
            raw.replacen("-----END SIGNED MESSAGE-----\n", "-----END SIGNED MESSAGE-----\n more\n", 1),
        ),
        ("a line after the committer", raw.replacen("\ngpgsig", "\n continued\ngpgsig", 1)),
        ("a line before everything", format!(" continued\n{raw}")),
        ("the signature's header in capitals", raw.replacen("\ngpgsig", "\nGPGSIG", 1)),
    ] {
        let verdict = judge(&changed);
        assert!(verdict.starts_with("rejected ") || verdict == "unsigned unsigned", "{what}: {verdict}");
    }
}

#[test]
fn a_tags_signature_does_not_fit_a_commit_nor_a_commits_a_tag() {
    let forge = Forge::new();
    let [commit, tag] = [Kind::V1, Kind::Tag].map(|kind| Object::new(&forge, kind, 0));
    for (payload, der) in [(&commit.payload, &tag.der), (&tag.payload, &commit.der)] {
        assert_eq!(
            word(&forge.verifier().verdict(payload, armor::encode(der).as_bytes())),
            "rejected payload-mismatch"
        );
    }
}

#[test]
fn the_signers_certificate_counts_wherever_it_stands() {
    let forge = Forge::new();
    let [one, other] = [0, 1].map(|number| Object::new(&forge, Kind::V1, number));
    let [parts, others] = [&one, &other].map(|object| Parts::of(&object.der));
    let [own, foreign] = [&parts, &others].map(|parts| super::der::content(&parts.signed_data[3]).to_vec());
    // The forge gives every leaf the same number; a stranger has another.
    let mut stranger = foreign.clone();
    let serial = stranger.windows(3).position(|window| window == [2, 1, 0x2a]).unwrap();
    stranger[serial + 2] = 0x2b;
    let judge = |certificates: &[&[u8]]| {
        let mut parts = parts.clone();
        let mut certificates = certificates.to_vec();
        certificates.sort_unstable();
        parts.signed_data[3] = tlv(context(0), &certificates.concat());
        word(&forge.verifier().verdict(&one.payload, armor::encode(&parts.der()).as_bytes()))
    };
    assert_eq!(judge(&[&own]), "verified");
    assert_eq!(judge(&[&stranger, &own]), "verified", "whatever else is in the bag");
    assert_eq!(judge(&[&stranger]), "rejected malformed-signature", "the signer's own is not there");
    assert_eq!(judge(&[&foreign]), "rejected bad-signature", "another of the same name and number");
    assert_eq!(judge(&[&own, &foreign]), "rejected malformed-signature", "two of the same name and number");
    assert_eq!(judge(&[own.as_slice(); 17]), "rejected malformed-signature", "more than any chain has");
}

#[test]
fn huge_signatures_are_refused_by_their_size() {
    let forge = Forge::new();
    let padded = |bytes: usize| {
        verdict_of(move |recipe| {
            recipe.unsigned_attributes = vec![attribute("1.2.3.4", &[tlv(OCTET_STRING, &vec![7; bytes])])];
        })
    };
    assert_eq!(padded(1000), "verified", "an unsigned attribute that nobody knows says nothing");
    assert_eq!(padded(4 << 20), "rejected malformed-signature");
    let endless = [armor::BEGIN.as_bytes(), b"\n", &vec![b'A'; 8 << 20]].concat();
    assert_eq!(word(&forge.verifier().verdict(PAYLOAD, &endless)), "rejected malformed-signature");
}

#[test]
fn the_log_entry_is_about_this_signature_and_not_another_by_the_same_key() {
    // Whoever holds the key may have signed something else; its entry proves nothing here.
    for kind in Kind::ALL {
        let forge = Forge::new();
        let [one, other] = [0, 1].map(|number| Object::new(&forge, kind, number));
        let parts = Parts::of(&one.der);
        let (_, foreign) = Parts::of(&other.der).entry();
        let verdict =
            forge.verifier().verdict(&one.payload, armor::encode(&parts.with_entry(&foreign).der()).as_bytes());
        assert_eq!(word(&verdict), "rejected log-entry-mismatch", "{kind:?}");
    }
}

#[test]
fn the_log_is_believed_under_the_trusted_roots_key_only() {
    let [forge, stranger] = [Forge::new(), Forge::new()];
    let object = Object::new(&forge, Kind::V1, 0);
    let armor = armor::encode(&object.der);
    let under = |change: &dyn Fn(&mut waxseal::trusted_root::TrustedRoot)| {
        let instance = forge.instance(|root| change(root));
        let verifier = Verifier::new(vec![instance], forge.now(), SctRequirement::default()).unwrap();
        word(&verifier.verdict(&object.payload, armor.as_bytes()))
    };
    let foreign = stranger.instance(|_| {}).trusted_root.transparency_logs[0].clone();
    assert_eq!(under(&|_| {}), "verified");
    assert_eq!(under(&|root| root.transparency_logs[0] = foreign.clone()), "rejected unknown-log");
    // Under the ID that the entry names stands another key: then the entry's own word for its log is worth nothing.
    assert_eq!(under(&|root| root.transparency_logs[0].key = foreign.key.clone()), "rejected checkpoint");
}

#[test]
fn a_stolen_certificate_and_key_sign_nothing_later() {
    // Logged an hour after: whatever the object or the signer claim, and though the certificate was good when it was made.
    let late = |recipe: &mut Recipe| recipe.integrated_time = recipe.not_before + SignedDuration::from_hours(1);
    assert_eq!(verdict_of(late), "rejected certificate-outside-validity");
    let stamped_late = |recipe: &mut Recipe| {
        late(recipe);
        recipe.log_on_v2(Rekor::V2);
    };
    assert_eq!(verdict_of(stamped_late), "rejected certificate-outside-validity");
    // With nothing that proves a time, nothing is assumed.
    let unlogged = |recipe: &mut Recipe| recipe.entry = None;
    assert_eq!(verdict_of(unlogged), "undecided log-entry-absent");
}

#[test]
fn a_time_counts_only_after_it_was_verified() {
    // A promise that does not hold gives no time, however well it would fit.
    let forged = |recipe: &mut Recipe| {
        recipe.integrated_time = recipe.not_before + SignedDuration::from_hours(1);
        let good = recipe.not_before.as_second() + 2;
        recipe.entry = Some(Box::new(move |entry| entry.integrated_time = good));
    };
    assert_eq!(verdict_of(forged), "rejected inclusion-promise");
    let unpromised = |recipe: &mut Recipe| {
        recipe.entry = Some(Box::new(|entry| entry.inclusion_promise = None));
    };
    assert_eq!(verdict_of(unpromised), "undecided inclusion-promise-absent");
    // One time that holds does not make up for one that does not.
    let both = |recipe: &mut Recipe| {
        let mut late = recipe.token();
        late.gen_time = recipe.not_before + SignedDuration::from_hours(1);
        recipe.tokens = vec![late];
    };
    assert_eq!(verdict_of(both), "rejected certificate-outside-validity");
}

#[test]
fn a_promise_alone_is_no_proof_and_for_v2_there_is_none() {
    let without_proof = |entry: &mut TransparencyLogEntry| entry.inclusion_proof = None;
    assert_eq!(verdict_of(|recipe| recipe.entry = Some(Box::new(without_proof))), "undecided inclusion-proof-absent");
    let v2_with_promise = |recipe: &mut Recipe| {
        recipe.log_on_v2(Rekor::V2);
        recipe.entry = Some(Box::new(|entry| {
            entry.inclusion_proof = None;
            entry.inclusion_promise = Some(waxseal::tlog::InclusionPromise { signed_entry_timestamp: vec![0; 70] });
        }));
    };
    assert_eq!(verdict_of(v2_with_promise), "rejected inclusion-promise");
}

#[test]
fn an_entry_of_an_unknown_kind_or_version_is_rejected() {
    for (kind, version) in [
        ("hashedrekord", "0.0.3"),
        ("hashedrekord", "0.0.1 "),
        ("hashedrekord", ""),
        ("HashedRekord", "0.0.1"),
        ("dsse", "0.0.1"),
        ("intoto", "0.0.2"),
        ("rekord", "0.0.1"),
        ("", ""),
    ] {
        let relabelled = move |recipe: &mut Recipe| {
            recipe.entry = Some(Box::new(move |entry| {
                (entry.kind_version.kind, entry.kind_version.version) = (kind.to_owned(), version.to_owned());
            }));
        };
        assert_eq!(verdict_of(relabelled), "rejected log-entry-kind", "{kind} {version}");
    }
}

#[test]
fn an_identity_is_name_and_issuer_byte_for_byte() {
    let forge = Forge::new();
    let signed = |name: &str| {
        let mut recipe = Recipe::right(&forge);
        recipe.replace_extension("2.5.29.17", Some(san(&[tlv(0x81, name.as_bytes())])));
        let Verdict::Verified(signature) = forge.verdict(&recipe) else { panic!("{name}") };
        signature
    };
    let judge = |name: &str, rule: Pattern, issuer: Pattern| {
        let rule =
            CertificateIdentity { name: "rule".to_owned(), san: rule, issuer, instance: "forge".parse().unwrap() };
        IdentityPolicy::OneOf(vec![rule]).judge(&mut signed(name), &Circumstances::default())
    };
    let exact = |text: &str| Pattern::Exact(text.to_owned());
    let yes = Allowed::Yes("rule".to_owned());
    assert_eq!(judge(SAN, exact(SAN), exact(ISSUER)), yes);
    for (name, rule, issuer) in [
        (SAN, SAN, "https://accounts.example.org/"),
        (SAN, SAN, "http://accounts.example.org"),
        (SAN, SAN, "https://ACCOUNTS.example.org"),
        (SAN, "Alice@example.org", ISSUER),
        (SAN, "alice@EXAMPLE.ORG", ISSUER),
        ("Alice@example.org", SAN, ISSUER),
        ("alice+tag@example.org", SAN, ISSUER),
        ("al.ice@example.org", SAN, ISSUER),
        (" alice@example.org", SAN, ISSUER),
        ("alice@example.org.", SAN, ISSUER),
        ("alice@example.org\0@evil.example", SAN, ISSUER),
        ("xn--alice-9ra@example.org", "alic\u{e9}@example.org", ISSUER),
        (SAN, "alice@example.org\u{200b}", ISSUER),
        (SAN, "\u{430}lice@example.org", ISSUER),
    ] {
        assert_eq!(judge(name, exact(rule), exact(issuer)), Allowed::No(None), "{name:?} under {rule:?} {issuer:?}");
    }
    // Patterns are for the whole text.
    let regex = |text: &str| Pattern::regex(text).unwrap();
    assert_eq!(judge(SAN, regex("alice@example\\.org"), exact(ISSUER)), yes);
    for part in ["alice", "lice@example\\.org", "alice@example\\.or", "bob|alice@example", "^alice", "org$"] {
        assert_eq!(judge(SAN, regex(part), exact(ISSUER)), Allowed::No(None), "{part}");
    }
}

#[test]
fn the_payloads_digest_is_of_this_object() {
    let forge = Forge::new();
    // A digest of something else that is correctly signed and logged.
    for digest in [
        DigestAlgorithm::Sha256.digest(b""),
        DigestAlgorithm::Sha256.digest(&PAYLOAD[..PAYLOAD.len() - 1]),
        DigestAlgorithm::Sha256.digest(PAYLOAD)[..31].to_vec(),
        DigestAlgorithm::Sha512.digest(PAYLOAD)[..32].to_vec(),
        vec![],
    ] {
        let mut recipe = Recipe::right(&forge);
        recipe.signed_attributes[2] = attribute(MESSAGE_DIGEST, &[tlv(OCTET_STRING, &digest)]);
        recipe.signed_attributes.sort();
        assert_eq!(word(&forge.verdict(&recipe)), "rejected payload-mismatch", "{digest:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Git reads status lines by their beginnings: a certificate's name or issuer must not begin one.
    #[test]
    fn no_name_in_a_certificate_forges_a_status_line(name in HOSTILE, issuer in HOSTILE, as_username: bool) {
        let forge = Forge::new();
        let mut recipe = Recipe::right(&forge);
        let other_name = [oid("1.3.6.1.4.1.57264.1.7"), explicit(0, &tlv(UTF8_STRING, name.as_bytes()))].concat();
        let ascii: String = name.chars().filter(char::is_ascii).collect();
        let name = if as_username { tlv(context(0), &other_name) } else { tlv(0x81, ascii.as_bytes()) };
        recipe.replace_extension("2.5.29.17", Some(san(&[name])));
        recipe.replace_extension("1.3.6.1.4.1.57264.1.1", None);
        let issuer = tlv(UTF8_STRING, issuer.as_bytes());
        recipe.replace_extension("1.3.6.1.4.1.57264.1.8", Some(extension("1.3.6.1.4.1.57264.1.8", false, &issuer)));
        let tampered = forge.verifier().verdict(&[PAYLOAD, b"more"].concat(), armor::encode(&forge.sign(&recipe)).as_bytes());
        for verdict in [forge.verdict(&recipe), tampered] {
            for (allowed, reader) in [(Allowed::AnyIdentity, Reader::Careful), (Allowed::NobodyAsked, Reader::Careful),
                                      (Allowed::No(None), Reader::Careful), (Allowed::No(None), Reader::GoodsigAlone)] {
                let status = answer(&verdict, &allowed, reader).status;
                prop_assert!(status.ends_with('\n'));
                let keywords: Vec<_> = status.lines().map(|line| line.split(' ').nth(1).unwrap_or_default()).collect();
                prop_assert!(status.lines().all(|line| line.starts_with("[GNUPG:] ")), "{status:?}");
                prop_assert_eq!(keywords.iter().filter(|word| **word == "NEWSIG").count(), 1);
                let ends = ["GOODSIG", "BADSIG", "ERRSIG"];
                prop_assert_eq!(keywords.iter().filter(|word| ends.contains(word)).count(), 1, "{}", status);
                prop_assert_eq!(keywords.iter().filter(|word| word.starts_with("TRUST_")).count(), 1);
                let raw = status.contains(['\r', '\0', '\u{1b}', '\u{85}', '\u{202e}', '\u{2028}']);
                prop_assert!(keywords.len() <= 4 && !raw, "{}", status);
                prop_assert!(!keywords.contains(&"TRUST_FULLY") || allowed == Allowed::AnyIdentity);
            }
        }
    }
}

/// What would forge a line, turn the text or move the cursor, among letters.
const HOSTILE: &str = "([a-z@.%]|\\n|\\r|\\x00|\\x1b\\[2K|\u{85}|\u{202e}|\u{2028}|\u{200b}|\\[GNUPG:\\] GOODSIG |\\n\\[GNUPG:\\] TRUST_FULLY 0 shell\\n){1,24}";

/// Each row of `docs/security-tests.md` names tests, and each of them is there and is run.
#[test]
fn every_promise_of_the_documentation_has_its_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = std::fs::read_to_string(root.join("docs/security-tests.md")).unwrap();
    let mut rows = 0;
    let mut wrong = Vec::new();
    for row in document.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| promise")) {
        rows += 1;
        let tests: Vec<&str> = row.rsplit('|').nth(1).unwrap().split('`').skip(1).step_by(2).collect();
        if tests.is_empty() {
            wrong.push(format!("no test: {row}"));
        }
        for test in tests {
            let exists = match test.split_once("::") {
                Some((file, name)) => has_test(&root.join(file), name),
                None => test.ends_with(".toml") && root.join(test).exists(),
            };
            if !exists {
                wrong.push(format!("{test} is not there"));
            }
        }
    }
    assert!(rows > 40 && wrong.is_empty(), "{rows} rows\n{}", wrong.join("\n"));
}

/// Whether the file has a test function of this name that is not ignored.
fn has_test(file: &PathBuf, name: &str) -> bool {
    let Ok(source) = std::fs::read_to_string(file) else { return false };
    let Some(at) = source.find(&format!("fn {name}(")) else { return false };
    let attributes = source[..at].rsplit("\n\n").next().unwrap();
    attributes.contains("#[test]") && !attributes.contains("#[ignore")
}

/// A commit with this payload, signed as it is.
fn signed_and_judged(payload: &str) -> String {
    let forge = Forge::new();
    let mut recipe = Recipe::right(&forge);
    recipe.payload = payload.as_bytes().to_vec();
    let digest = tlv(OCTET_STRING, Sha256Digest::of(&recipe.payload).as_ref());
    recipe.signed_attributes[2] = attribute(MESSAGE_DIGEST, &[digest]);
    let armor = armor::encode(&forge.sign(&recipe)).trim_end().replace('\n', "\n ");
    let raw = payload.replacen("\n\n", &format!("\ngpgsig {armor}\n\n"), 1);
    let object = SignedObject::parse(ObjectKind::Commit, HashKind::Sha1, raw.as_bytes());
    assert_eq!(object.payload, recipe.payload);
    word(&object.verdict(&forge.verifier()))
}
