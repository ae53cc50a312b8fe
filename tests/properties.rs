//! No bytes, from whomever, make a decoder panic; what is written is read back; what is escaped stays escaped.

use proptest::collection::vec;
use proptest::prelude::*;
use waxseal::cms::{SignedData, armor};
use waxseal::crypto::{DigestAlgorithm, Sha256Digest};
use waxseal::escape;
use waxseal::git::{HashKind, ObjectKind, SignedObject};
use waxseal::identity_token::IdentityToken;
use waxseal::instance::InstanceName;
use waxseal::policy::{IdentityPolicy, PolicyFile};
use waxseal::signature::payload;
use waxseal::signing_config::SigningConfig;
use waxseal::timestamp::{TimeStampReq, TimeStampResp};
use waxseal::tlog::checkpoint::Checkpoint;
use waxseal::tlog::note::{SignedNote, signature_line};
use waxseal::tlog::{InclusionPromise, InclusionProof, KindVersion, TransparencyLogEntry, proto};
use waxseal::trusted_root::{LogId, TrustedRoot};
use waxseal::verify::Findings;
use waxseal::x509::{Certificate, CertificateClaims, SubjectAlternativeName};

proptest! {
    #[test]
    fn decoders_never_panic(bytes in vec(any::<u8>(), 0..600)) {
        drop(armor::decode(&bytes));
        drop(SignedData::from_der(&bytes));
        drop(Certificate::from_der(&bytes));
        drop(proto::decode(&bytes));
        drop(TrustedRoot::parse(&bytes));
        drop(SigningConfig::parse(&bytes));
        drop(TimeStampReq::from_der(&bytes));
        drop(TimeStampResp::from_der(&bytes));
        drop(PolicyFile::read(&bytes, &InstanceName::public_good()));
        let text = String::from_utf8_lossy(&bytes).into_owned();
        drop(SignedNote::parse(&text));
        drop(Checkpoint::parse(&text));
        drop(Certificate::from_pem(&text));
        drop(IdentityToken::parse(text));
    }

    #[test]
    fn nested_der_never_panics(depth in 0..4000usize, tag in prop::sample::select(vec![0x30u8, 0x31, 0xa0, 0x24])) {
        let mut bytes = Vec::new();
        for level in (0..depth).rev() {
            let length = u16::try_from(level.min(16_000) * 4).unwrap_or(u16::MAX).to_be_bytes();
            bytes.extend([tag, 0x82, length[0], length[1]]);
        }
        drop(SignedData::from_der(&bytes));
        drop(Certificate::from_der(&bytes));
    }

    #[test]
    fn armor_gives_the_bytes_again(bytes in vec(any::<u8>(), 1..400)) {
        let text = armor::encode(&bytes);
        prop_assert!(text.lines().all(|line| line.len() <= 64));
        prop_assert_eq!(armor::decode(text.as_bytes()), Ok(bytes));
    }

    #[test]
    fn an_entry_comes_back_from_protobuf_and_has_one_form(entry in entry(), at: prop::sample::Index, bit in 0..8u8) {
        let bytes = proto::encode(&entry);
        prop_assert_eq!(proto::decode(&bytes), Ok(entry.clone()));
        // Whatever else is read is another entry: no two texts say the same.
        let mut changed = bytes.clone();
        changed[at.index(bytes.len())] ^= 1 << bit;
        prop_assert_ne!(proto::decode(&changed), Ok(entry));
    }

    #[test]
    fn a_note_keeps_its_text_and_signatures(
        text in "([a-z \u{e9}\u{2014}]{0,9}\n){1,4}",
        lines in vec(("[a-z./]{1,9}", any::<[u8; 4]>(), vec(any::<u8>(), 1..80)), 1..5),
    ) {
        let signatures: Vec<_> = lines.iter().map(|(name, id, bytes)| signature_line(name, *id, bytes) + "\n").collect();
        let note = format!("{text}\n{}", signatures.concat());
        let parsed = SignedNote::parse(&note).unwrap();
        prop_assert_eq!(parsed.text, text);
        let read = parsed.signatures.iter().map(|line| (line.name.to_owned(), line.key_id, line.signature.clone()));
        prop_assert_eq!(read.collect::<Vec<_>>(), lines);
    }

    #[test]
    fn a_checkpoint_comes_back_and_has_one_form(
        origin in "[a-z. -]{1,20}", tree_size: u64, root: [u8; 32], extension_lines in vec("[a-zA-Z0-9:. ]{0,12}", 0..3),
    ) {
        let checkpoint = Checkpoint { origin, tree_size, root_hash: Sha256Digest(root), extension_lines };
        prop_assert_eq!(Checkpoint::parse(&checkpoint.text()), Ok(checkpoint));
    }

    #[test]
    fn a_timestamp_request_asks_for_one_digest(message in vec(any::<u8>(), 0..80), nonce: [u8; 16]) {
        let der = TimeStampReq::for_message(&message, nonce).unwrap().to_der().unwrap();
        let read = TimeStampReq::from_der(&der).unwrap();
        prop_assert_eq!(read.to_der().unwrap(), der);
        prop_assert_eq!(read.message_imprint.algorithm(), Some(DigestAlgorithm::Sha256));
        prop_assert!(read.message_imprint.is_of(&message));
    }

    /// Names and issuers that differ in one letter, case, dot or more: exact rules admit exactly whom they name.
    #[test]
    fn a_policy_admits_exactly_whom_it_names(
        rules in vec((NAME, ISSUER, INSTANCE), 1..6), name in NAME, issuer in ISSUER, instance in INSTANCE,
    ) {
        let text: Vec<_> = rules.iter().enumerate().map(|(number, (name, issuer, instance))| format!(
            "[[rule]]\nname = \"{number}\"\nissuer = \"{issuer}\"\ninstance = \"{instance}\"\nemail = [\"{name}\"]\n"
        )).collect();
        let text = format!("version = 1\n{}", text.concat());
        let file = PolicyFile::read(text.as_bytes(), &InstanceName::public_good()).unwrap();
        let named = rules.contains(&(name.clone(), issuer.clone(), instance.clone()));
        let claimed = |san| Findings {
            claims: Some(CertificateClaims { san, issuer: issuer.clone() }),
            instance: Some(instance.parse().unwrap()),
            ..Findings::default()
        };
        let policy = IdentityPolicy::File(Box::new(file));
        prop_assert_eq!(policy.could_admit(&claimed(SubjectAlternativeName::Email(name.clone()))), named);
        prop_assert!(!policy.could_admit(&claimed(SubjectAlternativeName::Uri(name))));
    }

    #[test]
    fn splitting_an_object_loses_nothing_that_git_keeps(
        lines in vec(prop::sample::select(vec![
            "tree 1", "gpgsig x", " y", "gpgsig-sha256 z", "gpgsig-evil", "", "author A", " ",
            "-----BEGIN SIGNED MESSAGE-----", "-----BEGIN PGP SIGNATURE-----", "text\r", "\u{0}",
        ]), 0..14),
        newline in any::<bool>(),
    ) {
        let raw = lines.join("\n") + if newline { "\n" } else { "" };
        for hash in [HashKind::Sha1, HashKind::Sha256] {
            let tag = SignedObject::parse(ObjectKind::Tag, hash, raw.as_bytes());
            prop_assert!(raw.as_bytes().ends_with(&tag.signatures.concat()));
            let commit = SignedObject::parse(ObjectKind::Commit, hash, raw.as_bytes());
            let body = raw.find("\n\n").map_or("", |end| &raw[end + 1..]);
            prop_assert!(commit.payload.ends_with(body.as_bytes()) || raw.starts_with('\n'));
            let _ordered = payload::has_ordered_headers(&commit.payload);
        }
    }

    #[test]
    fn no_byte_moves_a_terminal_or_ends_a_status_line(bytes in vec(any::<u8>(), 0..200)) {
        for text in [escape::terminal(&bytes), escape::status_line(&bytes)] {
            prop_assert!(!text.chars().any(|c| c.is_control() || ('\u{200b}'..='\u{200f}').contains(&c)
                || ('\u{2028}'..='\u{202e}').contains(&c) || ('\u{2066}'..='\u{2069}').contains(&c)), "{text:?}");
        }
    }
}

fn entry() -> impl Strategy<Value = TransparencyLogEntry> {
    let hash = || any::<[u8; 32]>().prop_map(Sha256Digest);
    let number = || 0..1_u64 << 63;
    let proof = (number(), hash(), number(), vec(hash(), 0..5), "[a-z\n]{0,20}").prop_map(
        |(leaf_index, root_hash, tree_size, hashes, checkpoint)| InclusionProof {
            leaf_index,
            root_hash,
            tree_size,
            hashes,
            checkpoint,
        },
    );
    let promise =
        vec(any::<u8>(), 1..80).prop_map(|signed_entry_timestamp| InclusionPromise { signed_entry_timestamp });
    let parts = (
        number(),
        any::<[u8; 32]>(),
        ("[a-z]{0,9}", "[0-9.]{0,5}"),
        any::<i64>(),
        prop::option::of(promise),
        prop::option::of(proof),
        vec(any::<u8>(), 0..60),
    );
    parts.prop_map(|(log_index, log_id, (kind, version), integrated_time, promise, proof, canonicalized_body)| {
        TransparencyLogEntry {
            log_index,
            log_id: LogId(log_id),
            kind_version: KindVersion { kind, version },
            integrated_time,
            inclusion_promise: promise,
            inclusion_proof: proof,
            canonicalized_body,
        }
    })
}

const NAME: &str = "[aA]{1,2}\\.?b?@x\\.(org|or)";
const ISSUER: &str = "https://[ab]\\.example/?";
const INSTANCE: &str = "(home|public-good)";
