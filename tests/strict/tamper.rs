//! Every byte of a good signature changed, for each kind of signature: never verified, never a panic, and never softer than
//! rejected, but for the few bytes that are listed with their reason.

use std::num::NonZero;
use std::thread;

use waxseal::cms::armor;
use waxseal::git::{HashKind, ObjectKind, SignedObject};
use waxseal::verify::Verifier;

use super::der::oid;
use super::forge::Forge;
use super::parts::{LOG_ENTRY, TOKEN};
use super::word;

use super::swap::{Kind, Object};

#[test]
fn no_changed_byte_of_the_der_verifies() {
    for kind in Kind::ALL {
        let forge = Forge::new();
        let verifier = forge.verifier();
        let object = Object::new(&forge, kind, 0);
        let judge = |der: &[u8]| word(&verifier.verdict(&object.payload, armor::encode(der).as_bytes()));
        let masks: &[u8] = if kind == Kind::V1 { &[0x01, 0x80, 0xff] } else { &[0x01] };
        for (position, mask, verdict) in softened(&object.der, masks, judge) {
            let allowed = is_excused(&object, position, &verdict);
            assert!(allowed, "{kind:?}: byte {position} xor {mask:#x}: {verdict}");
        }
    }
}

#[test]
fn no_changed_byte_of_the_armor_verifies() {
    let forge = Forge::new();
    let verifier = forge.verifier();
    for kind in [Kind::V1, Kind::V2] {
        let object = Object::new(&forge, kind, 0);
        let good = armor::encode(&object.der).into_bytes();
        // The last line feed may be missing, so its loss is no change.
        let whole = &good[..good.len() - 1];
        let judge = |armor: &[u8]| word(&verifier.verdict(&object.payload, armor));
        for (position, mask, verdict) in softened(whole, &[0x01, 0x20, 0x80], judge) {
            // A text that begins otherwise is of another format, and nobody's yes either.
            let allowed = if position < armor::BEGIN.len() {
                verdict.starts_with("other ")
            } else {
                let mut changed = whole.to_vec();
                changed[position] ^= mask;
                let changed = armor::decode(&changed).unwrap();
                let differs = |at: &usize| changed.get(*at) != object.der.get(*at);
                (0..changed.len()).filter(differs).all(|at| is_excused(&object, at, &verdict))
            };
            assert!(allowed, "{kind:?}: byte {position} xor {mask:#x}: {verdict}");
        }
        for position in 0..whole.len() {
            let without = [&whole[..position], &whole[position + 1..]].concat();
            let verdict = judge(&without);
            assert!(
                verdict.starts_with("rejected ") || verdict.starts_with("other "),
                "without byte {position}: {verdict}"
            );
            for space in [b' ', b'\n', b'\r', b'\t'] {
                let with = [&whole[..position], &[space], &whole[position..]].concat();
                let verdict = judge(&with);
                assert!(
                    verdict.starts_with("rejected ") || verdict.starts_with("other "),
                    "{space:#x} at {position}: {verdict}"
                );
            }
        }
    }
}

#[test]
fn no_changed_byte_of_the_payload_verifies() {
    let forge = Forge::new();
    let verifier = forge.verifier();
    for kind in Kind::ALL {
        let object = Object::new(&forge, kind, 0);
        let armor = armor::encode(&object.der);
        for position in 0..object.payload.len() {
            let mut changed = object.payload.clone();
            changed[position] ^= 0x01;
            let verdict = word(&verifier.verdict(&changed, armor.as_bytes()));
            assert!(
                ["rejected payload-mismatch", "rejected malformed-object"].contains(&verdict.as_str()),
                "{verdict}"
            );
        }
    }
}

#[test]
fn no_changed_byte_of_a_raw_commit_or_tag_verifies() {
    let forge = Forge::new();
    for kind in [Kind::V1, Kind::Tag] {
        let object = Object::new(&forge, kind, 0);
        let raw = object.raw();
        let verifier = forge.verifier();
        let judge = |raw: &[u8]| judge_raw(&verifier, kind, raw);
        assert_eq!(judge(&raw), "verified");
        let begin = raw.windows(armor::BEGIN.len()).position(|window| window == armor::BEGIN.as_bytes()).unwrap();
        let header = begin - if kind == Kind::Tag { 1 } else { "\ngpgsig ".len() };
        // The armor's last line feed may be missing.
        let whole = if kind == Kind::Tag { &raw[..raw.len() - 1] } else { &raw };
        for (position, mask, verdict) in softened(whole, &[0x01, 0x80], judge) {
            // Of another format, or not signed at all for all that Git can see: both are failures.
            let begins = (header..begin + armor::BEGIN.len()).contains(&position);
            let allowed = if begins {
                verdict.starts_with("other ") || verdict == "unsigned unsigned"
            } else {
                verdict == "undecided log-entry-absent" || verdict == "undecided unsupported-evidence"
            };
            assert!(allowed, "{kind:?}: byte {position} xor {mask:#x}: {verdict}");
        }
    }
}

fn judge_raw(verifier: &Verifier, kind: Kind, raw: &[u8]) -> String {
    let git = if kind == Kind::Tag { ObjectKind::Tag } else { ObjectKind::Commit };
    word(&SignedObject::parse(git, HashKind::Sha1, raw).verdict(verifier))
}

/// Each position and mask for which the verdict is anything but rejected.
fn softened(good: &[u8], masks: &[u8], judge: impl Fn(&[u8]) -> String + Sync) -> Vec<(usize, u8, String)> {
    assert_eq!(judge(good), "verified");
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let worker = |first: usize| {
        let mut soft = Vec::new();
        for position in (first..good.len()).step_by(threads) {
            for mask in masks {
                let mut changed = good.to_vec();
                changed[position] ^= mask;
                let verdict = judge(&changed);
                if !verdict.starts_with("rejected ") {
                    soft.push((position, *mask, verdict));
                }
            }
        }
        soft
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|first| scope.spawn(move || worker(first))).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}

/// An unsigned attribute of a type that nobody knows is no evidence and no contradiction: whoever changes its type could as
/// well take it away. Without the entry nothing is decided; without the token, which Rekor v1 does not need, the log's own
/// time remains.
///
/// And what an entry of Rekor v2 calls itself is no evidence either: gitsign labels it 0.0.1, and its checkpoint gives it
/// away.
fn is_excused(object: &Object, position: usize, verdict: &str) -> bool {
    let names = |dotted: &str| {
        let name = oid(dotted);
        let found = object.der.windows(name.len()).rposition(|window| window == name);
        found.is_some_and(|at| (at + 2..at + name.len()).contains(&position))
    };
    match verdict {
        "undecided log-entry-absent" | "undecided unsupported-evidence" => names(LOG_ENTRY),
        "undecided time-absent" => names(TOKEN),
        "verified" if object.kind == Kind::WithToken => names(TOKEN),
        "verified" if object.kind == Kind::V2 => {
            let label = object.der.windows(5).position(|window| window == b"0.0.2");
            label.is_some_and(|at| position == at + 4)
        }
        _ => false,
    }
}
