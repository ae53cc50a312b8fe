//! C2SP signed-note: a text and signature lines under it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::crypto::{KeyKind, Sha256Digest, VerifyingKey};
use crate::trusted_root::LogId;

/// A note as it came, split but not verified. What is signed is [`text`](Self::text), byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedNote<'a> {
    /// Everything before the last blank line, with its final newline.
    pub text: &'a str,
    /// One or more, in the order they came.
    pub signatures: Vec<NoteSignature<'a>>,
}

/// One signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature<'a> {
    /// Name of the key, such as a host name.
    pub name: &'a str,
    /// A hint at the key.
    pub key_id: [u8; 4],
    /// What follows the key ID.
    pub signature: Vec<u8>,
}

impl<'a> SignedNote<'a> {
    /// Reads a note strictly.
    ///
    /// # Errors
    /// [`MalformedNote`] when it is not one, or goes beyond the limits.
    pub fn parse(note: &'a str) -> Result<Self, MalformedNote> {
        if note.len() > MAX_NOTE_BYTES {
            return Err(MalformedNote::TooLong);
        }
        if note.chars().any(|c| c < ' ' && c != '\n') {
            return Err(MalformedNote::ControlCharacter);
        }
        let blank = note.rfind("\n\n").ok_or(MalformedNote::NoSignatures)?;
        let (text, rest) = note.split_at(blank + 1);
        let lines = rest.strip_prefix('\n').and_then(|lines| lines.strip_suffix('\n'));
        let lines = lines.ok_or(MalformedNote::NoSignatures)?;
        let signatures: Vec<_> = lines
            .split('\n')
            .take(MAX_SIGNATURES + 1)
            .map(signature)
            .collect::<Option<_>>()
            .ok_or(MalformedNote::SignatureLine)?;
        if signatures.len() > MAX_SIGNATURES {
            return Err(MalformedNote::TooManySignatures);
        }
        Ok(Self { text, signatures })
    }
}

/// A signature line without its newline.
#[must_use]
pub fn signature_line(name: &str, key_id: [u8; 4], signature: &[u8]) -> String {
    format!("{MARK}{name} {}", STANDARD.encode([&key_id, signature].concat()))
}

/// The ID of a log whose notes are signed under `name`, of which a note's key ID is the first four bytes (C2SP
/// signed-note, "Key IDs"; Rekor's own rule for ECDSA, which is RFC 6962's).
#[must_use]
pub fn log_id(name: &str, key: &VerifyingKey) -> LogId {
    let named = |kind: &[u8], key: &[u8]| Sha256Digest::of_parts(&[name.as_bytes(), b"\n", kind, key]);
    let digest = match key.kind() {
        KeyKind::EcdsaP256 | KeyKind::EcdsaP384 | KeyKind::EcdsaP521 => key.spki_sha256(),
        KeyKind::Ed25519 => named(&[0x01], key.key_bits()),
        KeyKind::Rsa => named(b"\xffPKIX-RSA-PKCS#1v1.5", key.spki_der()),
    };
    LogId(digest.0)
}

/// Whether `name` may name a key: C2SP signed-note forbids spaces and `+`.
#[must_use]
pub fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.contains('+') && !name.contains(char::is_whitespace)
}

/// Not a signed note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedNote {
    /// Below U+0020, and not a newline.
    #[error("the note has a control character")]
    ControlCharacter,
    /// No blank line with lines under it.
    #[error("the note has no signature lines")]
    NoSignatures,
    /// Not a dash, a key name, and base64 of at least five bytes.
    #[error("the note has a signature line that is not one")]
    SignatureLine,
    /// More than the limit.
    #[error("the note has more than {MAX_NOTE_BYTES} bytes")]
    TooLong,
    /// More than the limit.
    #[error("the note has more than {MAX_SIGNATURES} signatures")]
    TooManySignatures,
}

fn signature(line: &str) -> Option<NoteSignature<'_>> {
    let (name, encoded) = line.strip_prefix(MARK)?.split_once(' ')?;
    let bytes = STANDARD.decode(encoded).ok()?;
    let (key_id, signature) = bytes.split_first_chunk::<4>()?;
    let well_formed = is_key_name(name) && !signature.is_empty();
    well_formed.then(|| NoteSignature { name, key_id: *key_id, signature: signature.to_vec() })
}

/// U+2014 and a space.
const MARK: &str = "\u{2014} ";

/// Go's sumdb/note takes a megabyte; checkpoints have 200 bytes to 2 KiB, with witnesses 4 KiB.
const MAX_NOTE_BYTES: usize = 64 * 1024;

/// C2SP signed-note: at least 16 must be accepted; Go's sumdb/note takes 100.
const MAX_SIGNATURES: usize = 100;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_ends_at_the_last_blank_line() {
        let note = "a\n\nb\n\n\u{2014} n AAAAAAA=\n\u{2014} m AAAAAQI=\n";
        let parsed = SignedNote::parse(note).unwrap();
        assert_eq!(parsed.text, "a\n\nb\n");
        assert_eq!(parsed.signatures[1], NoteSignature { name: "m", key_id: [0, 0, 0, 1], signature: vec![2] });
        assert_eq!(
            format!(
                "{}\n{}\n{}\n",
                parsed.text,
                signature_line("n", [0; 4], &[0]),
                signature_line("m", [0, 0, 0, 1], &[2])
            ),
            note
        );
    }

    #[test]
    fn names_what_is_wrong() {
        use MalformedNote::{ControlCharacter, NoSignatures, SignatureLine, TooLong, TooManySignatures};
        let line = "\u{2014} n AAAAAAA=\n";
        for (note, expected) in [
            ("a\n".to_owned(), NoSignatures),
            ("a\n\n".to_owned(), NoSignatures),
            (format!("a\n{line}"), NoSignatures),
            (format!("a\n\n{}", line.trim_end()), NoSignatures),
            (format!("a\n\n{line}\n"), NoSignatures),
            (format!("a\r\n\n{line}"), ControlCharacter),
            ("a\n\n- n AAAAAAA=\n".to_owned(), SignatureLine),
            ("a\n\n\u{2014} n AAAAAA==\n".to_owned(), SignatureLine),
            ("a\n\n\u{2014} n AAAAAAB=\n".to_owned(), SignatureLine),
            ("a\n\n\u{2014} n  AAAAAAA=\n".to_owned(), SignatureLine),
            ("a\n\n\u{2014} n+m AAAAAAA=\n".to_owned(), SignatureLine),
            ("a\n\n\u{2014} n\u{a0}m AAAAAAA=\n".to_owned(), SignatureLine),
            (format!("a\n\n{}", line.repeat(MAX_SIGNATURES + 1)), TooManySignatures),
            ("a".repeat(MAX_NOTE_BYTES + 1), TooLong),
        ] {
            assert_eq!(SignedNote::parse(&note), Err(expected), "{:?}", note.get(..40));
        }
        assert_eq!(SignedNote::parse(&format!("a\n\n{}", line.repeat(16))).unwrap().signatures.len(), 16);
    }

    #[test]
    fn ed25519_log_id() {
        let spki = STANDARD.decode("MCowBQYDK2VwAyEAPn+AREHoBaZ7wgS1zBqpxmLSGnyhxXj4lFxSdWVB8o8=").unwrap();
        let key = VerifyingKey::from_spki_der(&spki).unwrap();
        let id = log_id("log2025-alpha1.rekor.sigstage.dev", &key);
        assert_eq!(STANDARD.encode(id.0), "8w1amZ2S5mJIQkQmPxdMuOrL/oJkvFg9MnQXmeOCXck=");
    }

    proptest! {
        #[test]
        fn never_panics_and_keeps_the_text(note in "[a\n\u{2014} A=+]{0,60}") {
            if let Ok(parsed) = SignedNote::parse(&note) {
                prop_assert!(note.starts_with(parsed.text));
            }
        }
    }
}
