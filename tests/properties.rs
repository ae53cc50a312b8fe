//! No bytes, from whomever, make a decoder panic; what is written is read back; what is escaped stays escaped.

use proptest::collection::vec;
use proptest::prelude::*;
use waxseal::cms::{SignedData, armor};
use waxseal::escape;
use waxseal::git::{HashKind, ObjectKind, SignedObject};
use waxseal::identity_token::IdentityToken;
use waxseal::signature::payload;
use waxseal::signing_config::SigningConfig;
use waxseal::tlog::checkpoint::Checkpoint;
use waxseal::tlog::note::SignedNote;
use waxseal::tlog::proto;
use waxseal::trusted_root::TrustedRoot;
use waxseal::x509::Certificate;

proptest! {
    #[test]
    fn decoders_never_panic(bytes in vec(any::<u8>(), 0..600)) {
        drop(armor::decode(&bytes));
        drop(SignedData::from_der(&bytes));
        drop(Certificate::from_der(&bytes));
        drop(proto::decode(&bytes));
        drop(TrustedRoot::parse(&bytes));
        drop(SigningConfig::parse(&bytes));
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
