//! Two good signatures of each kind, and every field of one in the place of the other's: never verified, always rejected.
//! And every attribute and every member of the log entry taken away: what was signed is missed, what was not leaves it
//! undecided, and nothing that is there and wrong is forgiven for it.

use jiff::SignedDuration;
use waxseal::cms::armor;
use waxseal::crypto::Sha256Digest;
use waxseal::tlog::TransparencyLogEntry;

use super::der::{OCTET_STRING, content, oid, tlv};
use super::forge::{Forge, MESSAGE_DIGEST, PAYLOAD, Recipe, Rekor, attribute};
use super::parts::{LOG_ENTRY, Parts, TOKEN};
use super::word;

/// The kinds of signature that are verified offline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A commit, logged by Rekor v1.
    V1,
    /// A tag.
    Tag,
    /// With a timestamp token, too.
    WithToken,
    /// Logged by Rekor v2, with a token.
    V2,
    /// The same as gitsign stores it.
    V2Labelled001,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] = [Self::V1, Self::Tag, Self::WithToken, Self::V2, Self::V2Labelled001];
}

/// A good signature.
pub(crate) struct Object {
    pub(crate) kind: Kind,
    pub(crate) payload: Vec<u8>,
    pub(crate) der: Vec<u8>,
}

impl Object {
    /// Objects of different numbers have nothing in common that could differ.
    pub(crate) fn new(forge: &Forge, kind: Kind, number: u8) -> Self {
        let mut recipe = Recipe::right(forge);
        let text = if kind == Kind::Tag { TAG } else { PAYLOAD };
        recipe.payload = [text, &[b'0' + number], b"\n"].concat();
        recipe.number = number;
        recipe.integrated_time += SignedDuration::from_secs(i64::from(number));
        let digest = tlv(OCTET_STRING, Sha256Digest::of(&recipe.payload).as_ref());
        recipe.signed_attributes[2] = attribute(MESSAGE_DIGEST, &[digest]);
        match kind {
            Kind::V1 | Kind::Tag => {}
            Kind::WithToken => recipe.tokens = vec![recipe.token()],
            Kind::V2 => recipe.log_on_v2(Rekor::V2),
            Kind::V2Labelled001 => recipe.log_on_v2(Rekor::V2Labelled001),
        }
        Self { kind, der: forge.sign(&recipe), payload: recipe.payload }
    }

    /// The object as Git stores it.
    pub(crate) fn raw(&self) -> Vec<u8> {
        let armor = armor::encode(&self.der);
        if self.kind == Kind::Tag {
            return [&self.payload, armor.as_bytes()].concat();
        }
        let payload = std::str::from_utf8(&self.payload).unwrap();
        let (headers, message) = payload.split_once("\n\n").unwrap();
        format!("{headers}\ngpgsig {}\n\n{message}", armor.trim_end().replace('\n', "\n ")).into_bytes()
    }
}

#[test]
fn no_field_of_another_signature_fits() {
    for kind in Kind::ALL {
        let forge = Forge::new();
        let verifier = forge.verifier();
        let [one, other] = [0, 1].map(|number| Object::new(&forge, kind, number));
        let [parts, others] = [&one, &other].map(|object| Parts::of(&object.der));
        assert_eq!(parts.der(), one.der);
        let judge = |what: &str, parts: &Parts| {
            let verdict = word(&verifier.verdict(&one.payload, armor::encode(&parts.der()).as_bytes()));
            assert!(verdict.starts_with("rejected "), "{kind:?}: {what} of another signature: {verdict}");
        };
        let mut swapped = 0;
        for (at, field) in others.signed_data.iter().enumerate().filter(|(at, field)| parts.signed_data[*at] != **field)
        {
            let mut changed = parts.clone();
            changed.signed_data[at] = field.clone();
            judge(&format!("field {at} of the SignedData"), &changed);
            swapped += 1;
        }
        for (at, field) in others.signer.iter().enumerate().filter(|(at, field)| parts.signer[*at] != **field) {
            let mut changed = parts.clone();
            changed.signer[at] = field.clone();
            judge(&format!("field {at} of the SignerInfo"), &changed);
            swapped += 1;
        }
        // The certificate; the signed attributes, the signature, the evidence.
        assert_eq!(swapped, 4, "{kind:?}");
        let [own, foreign] = [&parts, &others].map(Parts::signed_attributes);
        for (at, attribute) in foreign.iter().enumerate().filter(|(at, attribute)| own[*at] != **attribute) {
            let mut changed = own.clone();
            changed[at] = attribute.clone();
            judge(&format!("signed attribute {at}"), &parts.with_signed_attributes(&changed));
        }
        let [own, foreign] = [&parts, &others].map(Parts::unsigned_attributes);
        for (at, attribute) in foreign.iter().enumerate() {
            let mut changed = own.clone();
            changed[at] = attribute.clone();
            judge(&format!("unsigned attribute {at}"), &parts.with_unsigned_attributes(&changed));
            let both = [own.as_slice(), std::slice::from_ref(attribute)].concat();
            judge(&format!("unsigned attribute {at} beside its own"), &parts.with_unsigned_attributes(&both));
        }
        // Signature and evidence together: everything but whom the message is about.
        let mut changed = others.clone();
        changed.signer[3] = parts.signer[3].clone();
        judge("all but the signed attributes", &changed);
        judge("everything", &others);
    }
}

#[test]
fn no_member_of_another_log_entry_fits() {
    type Take = fn(&mut TransparencyLogEntry, &TransparencyLogEntry);
    let members: [(&str, Take); 12] = [
        ("log index", |entry, other| entry.log_index = other.log_index),
        ("log ID", |entry, other| entry.log_id = other.log_id),
        ("kind and version", |entry, other| entry.kind_version = other.kind_version.clone()),
        ("integrated time", |entry, other| entry.integrated_time = other.integrated_time),
        ("promise", |entry, other| entry.inclusion_promise = other.inclusion_promise.clone()),
        ("promise and time", |entry, other| {
            entry.inclusion_promise = other.inclusion_promise.clone();
            entry.integrated_time = other.integrated_time;
            entry.log_index = other.log_index;
        }),
        ("proof", |entry, other| entry.inclusion_proof = other.inclusion_proof.clone()),
        ("leaf index", |entry, other| proof(entry).leaf_index = other.inclusion_proof.as_ref().unwrap().leaf_index),
        ("root hash", |entry, other| proof(entry).root_hash = other.inclusion_proof.as_ref().unwrap().root_hash),
        ("tree size", |entry, other| proof(entry).tree_size = other.inclusion_proof.as_ref().unwrap().tree_size),
        ("hashes", |entry, other| proof(entry).hashes = other.inclusion_proof.as_ref().unwrap().hashes.clone()),
        ("checkpoint", |entry, other| {
            proof(entry).checkpoint = other.inclusion_proof.as_ref().unwrap().checkpoint.clone();
        }),
    ];
    let forge = Forge::new();
    let verifier = forge.verifier();
    let mut fitted: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
    // Of another entry in the same log, and of an entry in the other log.
    for (kind, other) in [
        (Kind::V1, Kind::V1),
        (Kind::V1, Kind::V2),
        (Kind::WithToken, Kind::WithToken),
        (Kind::V2, Kind::V2),
        (Kind::V2, Kind::V1),
        (Kind::V2Labelled001, Kind::V2Labelled001),
        (Kind::V2Labelled001, Kind::V1),
    ] {
        let object = Object::new(&forge, kind, 0);
        let parts = Parts::of(&object.der);
        let (_, own) = parts.entry();
        let (_, foreign) = Parts::of(&Object::new(&forge, other, 1).der).entry();
        for (name, take) in members {
            let mut entry = own.clone();
            take(&mut entry, &foreign);
            if entry == own {
                continue;
            }
            fitted.retain(|other| *other != name);
            let armor = armor::encode(&parts.with_entry(&entry).der());
            let verdict = word(&verifier.verdict(&object.payload, armor.as_bytes()));
            // Rekor v1's promise is all that says when: one that is not there is missing, not wrong.
            let stripped = own.inclusion_promise.is_some() && entry.inclusion_promise.is_none();
            let missing = stripped && verdict == "undecided inclusion-promise-absent";
            // gitsign labels what it has from v2 as 0.0.1: the label proves nothing, the checkpoint does.
            let relabelled =
                kind == Kind::V2 && other == Kind::V1 && name == "kind and version" && verdict == "verified";
            let allowed = missing || relabelled;
            assert!(verdict.starts_with("rejected ") || allowed, "{kind:?}: {name} of {other:?}: {verdict}");
        }
    }
    assert_eq!(fitted, [""; 0], "members that were never different");
}

#[test]
fn what_is_taken_away_is_missed() {
    type Drop = fn(&mut TransparencyLogEntry);
    let members: [(&str, Drop, &str, &str); 6] = [
        ("promise", |entry| entry.inclusion_promise = None, "undecided inclusion-promise-absent", "verified"),
        ("time", |entry| entry.integrated_time = 0, "rejected inclusion-promise", "verified"),
        (
            "proof",
            |entry| entry.inclusion_proof = None,
            "undecided inclusion-proof-absent",
            "undecided inclusion-proof-absent",
        ),
        (
            "checkpoint",
            |entry| proof(entry).checkpoint.clear(),
            "undecided checkpoint-absent",
            "undecided checkpoint-absent",
        ),
        ("last hash", |entry| proof(entry).hashes.truncate(1), "rejected inclusion-proof", "rejected inclusion-proof"),
        ("version", |entry| entry.kind_version.version.clear(), "rejected log-entry-kind", "rejected log-entry-kind"),
    ];
    let forge = Forge::new();
    let verifier = forge.verifier();
    for kind in Kind::ALL {
        let object = Object::new(&forge, kind, 0);
        let parts = Parts::of(&object.der);
        let judge =
            |payload: &[u8], parts: &Parts| word(&verifier.verdict(payload, armor::encode(&parts.der()).as_bytes()));
        let signed = parts.signed_attributes();
        for at in 0..signed.len() {
            let mut fewer = signed.clone();
            fewer.remove(at);
            let verdict = judge(&object.payload, &parts.with_signed_attributes(&fewer));
            assert_eq!(verdict, "rejected bad-signature", "{kind:?}: without signed attribute {at}");
        }
        let unsigned = parts.unsigned_attributes();
        for at in 0..unsigned.len() {
            let mut fewer = unsigned.clone();
            let taken = fewer.remove(at);
            let fewer = parts.with_unsigned_attributes(&fewer);
            let expected = match kind {
                _ if content(&taken).starts_with(&oid(LOG_ENTRY)) => "undecided log-entry-absent",
                Kind::WithToken if content(&taken).starts_with(&oid(TOKEN)) => "verified",
                _ => "undecided time-absent",
            };
            assert_eq!(judge(&object.payload, &fewer), expected, "{kind:?}: without unsigned attribute {at}");
            // Nothing that is taken away softens what is wrong.
            let tampered = [&object.payload, &b"more"[..]].concat();
            assert_eq!(
                judge(&tampered, &fewer),
                "rejected payload-mismatch",
                "{kind:?}: without unsigned attribute {at}"
            );
        }
        assert_eq!(judge(&object.payload, &parts.with_unsigned_attributes(&[])), "undecided log-entry-absent");
        for (name, take, v1, v2) in members {
            let (_, mut entry) = parts.entry();
            let own = entry.clone();
            take(&mut entry);
            let expected = if matches!(kind, Kind::V2 | Kind::V2Labelled001) { v2 } else { v1 };
            // What v2 has not cannot be taken away.
            let expected = if entry == own { "verified" } else { expected };
            // Without the checkpoint nothing tells what gitsign labels 0.0.1 from an entry of v1, whose body differs.
            let expected = if kind == Kind::V2Labelled001 && ["proof", "checkpoint"].contains(&name) {
                if name == "proof" { "undecided inclusion-promise-absent" } else { "rejected log-entry-mismatch" }
            } else {
                expected
            };
            assert_eq!(judge(&object.payload, &parts.with_entry(&entry)), expected, "{kind:?}: without {name}");
        }
    }
}

fn proof(entry: &mut TransparencyLogEntry) -> &mut waxseal::tlog::InclusionProof {
    entry.inclusion_proof.as_mut().unwrap()
}

const TAG: &[u8] = b"object 4b825dc642cb6eb9a060e54bf8d69288fbee4904\ntype commit\ntag v1\n\
    tagger A <a@example.org> 1764000000 +0000\n\nmessage\n";
