//! Log entries from outside the object: a true one proves a signature of gitsign's online mode, and nothing that anybody
//! else writes there makes a verdict worse, or better than the object deserves.

use jiff::SignedDuration;
use waxseal::cms::armor;
use waxseal::crypto::{Sha256Digest, SigningKey};
use waxseal::evidence::{LoggedName, note};
use waxseal::signature::git::open;
use waxseal::tlog::hashedrekord::{self, canonical_body};
use waxseal::tlog::{TransparencyLogEntry, proto_json};
use waxseal::trusted_root::LogId;
use waxseal::verify::{Given, Verdict, Verifier};

use super::forge::{EntryAbout, Forge, PAYLOAD, Recipe, Rekor, Sct, Token};
use super::word;

/// A signature of online mode, with what only the log has.
struct Online {
    key: SigningKey,
    armor: String,
    entry: TransparencyLogEntry,
}

impl Online {
    fn new(forge: &Forge, change: impl FnOnce(&mut Recipe)) -> Self {
        let mut recipe = Recipe::right(forge);
        recipe.entry = None;
        change(&mut recipe);
        let key = SigningKey::generate();
        let armor = armor::encode(&forge.sign_with(&recipe, &key));
        let name = LoggedName::of(PAYLOAD, armor.as_bytes()).unwrap();
        let entry = logged(forge, &recipe, name.as_str().as_bytes(), &key, &armor);
        Self { key, armor, entry }
    }

    fn given(&self, verifier: &Verifier, entries: &[TransparencyLogEntry]) -> Given {
        given(verifier, PAYLOAD, &self.armor, entries)
    }
}

fn given(verifier: &Verifier, payload: &[u8], armor: &str, entries: &[TransparencyLogEntry]) -> Given {
    let verdict = verifier.verdict(payload, armor.as_bytes());
    verifier.reconsider(verdict, payload, armor.as_bytes(), entries)
}

/// The log's entry of a signature by `key` over `message`, under the certificate of `armor`.
fn logged(forge: &Forge, recipe: &Recipe, message: &[u8], key: &SigningKey, armor: &str) -> TransparencyLogEntry {
    let certificate = open(PAYLOAD, armor.as_bytes()).unwrap().material.certificate;
    let verifier = hashedrekord::Verifier::Certificate(certificate.der());
    let body = canonical_body(&Sha256Digest::of(message), &key.sign(message), verifier);
    TransparencyLogEntry { canonicalized_body: body.clone(), ..forge.logged(recipe, &body) }
}

const ABSENT: &str = "undecided log-entry-absent";

#[test]
fn the_true_entry_proves_the_object() {
    let forge = Forge::new();
    let online = Online::new(&forge, |_| {});
    let verifier = forge.verifier();
    assert_eq!(word(&online.given(&verifier, &[]).verdict), ABSENT);
    let given = online.given(&verifier, std::slice::from_ref(&online.entry));
    let Verdict::Verified(signature) = &given.verdict else { panic!("{given:?}") };
    assert_eq!((signature.log_index(), signature.time_source()), (1001, "log"));
    assert_eq!((given.used, given.refused.len()), (Some(0), 0));
    // Among others, in a note, and with a token of its own.
    let stranger = Online::new(&forge, |_| {}).entry;
    let given = online.given(&verifier, &[stranger.clone(), online.entry.clone()]);
    assert_eq!((word(&given.verdict).as_str(), given.used, given.refused.len()), ("verified", Some(1), 1));
    let text = note::with(b"by hand\n", &[stranger, online.entry.clone()]).unwrap();
    assert_eq!(word(&online.given(&verifier, &note::read(&text)).verdict), "verified");
    let stamped = Online::new(&forge, |recipe| recipe.tokens = vec![recipe.token()]);
    let Verdict::Verified(signature) = stamped.given(&verifier, std::slice::from_ref(&stamped.entry)).verdict else {
        panic!()
    };
    assert_eq!(signature.time_source(), "timestamp");
}

#[test]
fn what_proves_nothing_changes_nothing() {
    let forge = Forge::new();
    let verifier = forge.verifier();
    let online = Online::new(&forge, |_| {});
    let recipe = Recipe::right(&forge);
    let name = LoggedName::of(PAYLOAD, online.armor.as_bytes()).unwrap();
    let name = name.as_str().as_bytes();
    let changed = |change: &dyn Fn(&mut TransparencyLogEntry)| {
        let mut entry = online.entry.clone();
        change(&mut entry);
        entry
    };
    let mut late = Recipe::right(&forge);
    late.integrated_time = recipe.not_before + SignedDuration::from_mins(11);
    let mut early = Recipe::right(&forge);
    early.integrated_time = forge.start - SignedDuration::from_secs(1);
    let mut future = Recipe::right(&forge);
    future.integrated_time = forge.now() + SignedDuration::from_mins(6);
    let mut v2 = Recipe::right(&forge);
    v2.log_on_v2(Rekor::V2Labelled001);
    let other = Online::new(&forge, |_| {});
    let body = &online.entry.canonicalized_body;
    let cases: Vec<(&str, TransparencyLogEntry)> = vec![
        ("the same certificate, another artifact", logged(&forge, &recipe, b"another", &online.key, &online.armor)),
        ("the same artifact, another certificate", logged(&forge, &recipe, name, &other.key, &other.armor)),
        ("the same artifact, another key", logged(&forge, &recipe, name, &other.key, &online.armor)),
        ("the digest in the place of the name", {
            logged(&forge, &recipe, &Sha256Digest::of(name).0, &online.key, &online.armor)
        }),
        ("logged after the certificate expired", logged(&forge, &late, name, &online.key, &online.armor)),
        ("logged before the log was trusted", logged(&forge, &early, name, &online.key, &online.armor)),
        ("logged in the future", logged(&forge, &future, name, &online.key, &online.armor)),
        ("from a log with another key", changed(&|entry| entry.log_id = LogId([0; 32]))),
        ("labelled as v1, proved by a v2 log", {
            TransparencyLogEntry { canonicalized_body: body.clone(), ..forge.logged(&v2, body) }
        }),
        ("without its body", changed(&|entry| entry.canonicalized_body.clear())),
        ("with a space more in its body", changed(&|entry| entry.canonicalized_body.push(b' '))),
        ("without promise", changed(&|entry| entry.inclusion_promise = None)),
        ("without proof", changed(&|entry| entry.inclusion_proof = None)),
        ("without checkpoint", changed(&|entry| entry.inclusion_proof.as_mut().unwrap().checkpoint.clear())),
        ("at another time", changed(&|entry| entry.integrated_time += 1)),
        ("at another index", changed(&|entry| entry.log_index += 1)),
        ("at another leaf", changed(&|entry| entry.inclusion_proof.as_mut().unwrap().leaf_index = 0)),
        ("in another version", changed(&|entry| entry.kind_version.version = "0.0.2".to_owned())),
        ("of another kind", changed(&|entry| entry.kind_version.kind = "dsse".to_owned())),
    ];
    for (what, entry) in &cases {
        let given = online.given(&verifier, std::slice::from_ref(entry));
        assert_eq!((word(&given.verdict).as_str(), given.used), (ABSENT, None), "{what}");
        assert_eq!(given.refused.len(), 1, "{what}: {:?}", given.refused);
    }
    // All of them together do not hide the true one.
    let all: Vec<_> = cases.into_iter().map(|(_, entry)| entry).chain([online.entry.clone()]).collect();
    assert_eq!(word(&online.given(&verifier, &all).verdict), "verified");
}

#[test]
fn what_the_object_carries_itself_is_not_made_up_for() {
    let forge = Forge::new();
    let verifier = forge.verifier();
    let with = |change: &dyn Fn(&mut Recipe)| {
        let online = Online::new(&forge, |recipe| change(recipe));
        let without = word(&online.given(&verifier, &[]).verdict);
        let given = online.given(&verifier, std::slice::from_ref(&online.entry));
        assert_eq!(given.used.is_some(), without != word(&given.verdict));
        (without, word(&given.verdict))
    };
    let stays = |word: &str| (word.to_owned(), word.to_owned());
    // An entry of its own that is another signature's, or lacks a part.
    let wrong = with(&|recipe| {
        recipe.entry = Some(Box::new(|_| {}));
        recipe.entry_about = EntryAbout::AnotherSignature;
    });
    assert_eq!(wrong, stays("rejected log-entry-mismatch"));
    let half = with(&|recipe| recipe.entry = Some(Box::new(|entry| entry.inclusion_promise = None)));
    assert_eq!(half, stays("undecided inclusion-promise-absent"));
    assert_eq!(with(&|recipe| recipe.entry = Some(Box::new(|_| {}))), stays("verified"));
    // Anything else that is wrong.
    assert_eq!(with(&|recipe| recipe.other_key_signs = true), stays("rejected bad-signature"));
    assert_eq!(with(&|recipe| recipe.foreign_ca = true), stays("rejected certificate-signature"));
    assert_eq!(with(&|recipe| recipe.sct = Sct::WrongSignature), stays("rejected sct"));
    let wrong_token = with(&|recipe| recipe.tokens = vec![Token { of_another_signature: true, ..recipe.token() }]);
    assert_eq!(wrong_token, stays("rejected timestamp-token"));
    // What else is missing stays missing, and is then what is said.
    let absent = (ABSENT.to_owned(), "undecided sct-absent".to_owned());
    assert_eq!(with(&|recipe| recipe.sct = Sct::Absent), absent);
}

#[test]
fn an_entry_is_of_one_object_only() {
    let forge = Forge::new();
    let verifier = forge.verifier();
    let online = Online::new(&forge, |_| {});
    let entries = [online.entry.clone()];
    // The same signature over the same payload, its text written otherwise: another object.
    let text = online.armor.replace("-----END", "\n-----END");
    assert_ne!(word(&given(&verifier, PAYLOAD, &text, &entries).verdict), "verified");
    let payload = [PAYLOAD, b"more\n"].concat();
    let tampered = given(&verifier, &payload, &online.armor, &entries);
    assert_ne!(word(&tampered.verdict), "verified");
    let tag = PAYLOAD.strip_prefix(b"tree").unwrap();
    let tag = [b"object".as_slice(), tag].concat();
    assert_ne!(word(&given(&verifier, &tag, &online.armor, &entries).verdict), "verified");
}

#[test]
fn no_changed_byte_of_a_note_makes_a_verdict_worse_or_wrongly_better() {
    let forge = Forge::new();
    let verifier = forge.verifier();
    let online = Online::new(&forge, |_| {});
    let line = proto_json::line(&online.entry).into_bytes();
    let mut unsigned = Vec::new();
    for position in 0..line.len() {
        for mask in [0x01, 0x20] {
            let mut changed = line.clone();
            changed[position] ^= mask;
            let entries = note::read(&changed);
            let verdict = online.given(&verifier, &entries).verdict;
            match &verdict {
                Verdict::Verified(signature) => {
                    assert_eq!(
                        (signature.log_index(), signature.time()),
                        (1001, Recipe::right(&forge).integrated_time)
                    );
                    unsigned.push((position, mask));
                }
                _ => assert_eq!(word(&verdict), ABSENT, "byte {position} xor {mask:#x}"),
            }
        }
    }
    assert!(unsigned.is_empty(), "every byte is signed by somebody, or has one form only: {unsigned:?}");
}
