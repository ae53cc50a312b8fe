//! Evidence from outside for real signatures of gitsign's online mode: the name that gitsign logs is the object's name,
//! and entries that a real Rekor answered prove the object that they are about, and no other.

use waxseal::crypto::Sha256Digest;
use waxseal::evidence::LoggedName;
use waxseal::git::{HashKind, SignedObject};
use waxseal::tlog::{TransparencyLogEntry, rekor_json};
use waxseal::verify::Verdict;

use super::objects::Corpus;
use super::verifier;

#[test]
fn what_gitsign_logs_is_the_objects_name() {
    for (name, batch) in [("public-good", "objects.batch"), ("real-servers", "objects.sha1.batch")] {
        let Some(corpus) = Corpus::open(name) else { continue };
        corpus.each(batch, |row, raw| {
            let object = SignedObject::parse(row.kind(), HashKind::Sha1, raw);
            let logged = LoggedName::of(&object.payload, &object.signatures[0]).unwrap();
            assert_eq!(logged.as_str(), row.oid());
        });
    }
}

#[test]
fn recorded_entries_prove_what_they_are_about_and_nothing_else() {
    let Some(corpus) = Corpus::open("real-servers") else { return };
    let entries = recorded_entries(&corpus);
    assert!(entries.len() >= 10, "{}", entries.len());
    let verifier = verifier(&corpus);
    let mut proved = 0;
    for (batch, hash) in [("objects.sha1.batch", HashKind::Sha1), ("objects.sha256.batch", HashKind::Sha256)] {
        corpus.each(batch, |row, raw| {
            let object = SignedObject::parse(row.kind(), hash, raw);
            let armor = &object.signatures[0];
            let name = LoggedName::of(&object.payload, armor).unwrap();
            let digest = Sha256Digest::of(name.as_str().as_bytes()).to_string();
            let about = |entry: &TransparencyLogEntry| {
                let body: serde_json::Value = serde_json::from_slice(&entry.canonicalized_body).unwrap();
                body.pointer("/spec/data/hash/value").is_some_and(|value| *value == digest)
            };
            let without = object.verdict(&verifier);
            let given = verifier.reconsider(without.clone(), &object.payload, armor, &entries);
            if without.wants_log_entry() && entries.iter().any(about) {
                proved += 1;
                assert!(matches!(given.verdict, Verdict::Verified(_)), "{}: {:?}", row.oid(), given.refused);
            } else {
                assert_eq!((given.used, given.verdict.reason()), (None, without.reason()), "{}", row.oid());
            }
        });
    }
    assert_eq!(proved, 1, "the commit that gitsign signed while the exchanges were recorded");
}

/// Every entry that the recorded Rekor v1 answered.
fn recorded_entries(corpus: &Corpus) -> Vec<TransparencyLogEntry> {
    let exchanges = String::from_utf8(corpus.read("exchanges.jsonl")).unwrap();
    let exchanges = exchanges.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let answers = exchanges.filter(|exchange| exchange["server"] == "rekor-v1");
    let texts = answers.filter_map(|exchange| exchange["response_body"]["text"].as_str().map(str::to_owned));
    let one_or_several = |text: String| {
        let several = rekor_json::read_several(text.as_bytes()).unwrap_or_default();
        several.into_iter().chain(rekor_json::read(text.as_bytes())).map(|(_, entry)| entry)
    };
    texts.flat_map(one_or_several).collect()
}
