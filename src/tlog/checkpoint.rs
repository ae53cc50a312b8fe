//! C2SP tlog-checkpoint: a log's signed statement of its size and root hash.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::note::{MalformedNote, SignedNote, signature_line};
use crate::crypto::{ServiceKey, ServiceKeyError, Sha256Digest};
use crate::trusted_root::{LogId, TransparencyLogInstance};

/// What a log states; not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// First line: which log.
    pub origin: String,
    /// Second line: number of leaves.
    pub tree_size: u64,
    /// Third line.
    pub root_hash: Sha256Digest,
    /// Further lines, such as `Timestamp: …` on old Rekor v1 checkpoints.
    pub extension_lines: Vec<String>,
}

impl Checkpoint {
    /// Reads the note in `envelope` and verifies it ([`SignedCheckpoint::verify`]).
    ///
    /// # Errors
    /// [`CheckpointError`] names the first thing that is wrong.
    pub fn verify(envelope: &str, log: &TransparencyLogInstance) -> Result<VerifiedCheckpoint, CheckpointError> {
        SignedCheckpoint::parse(envelope)?.verify(log)
    }

    /// Reads the text of a note.
    ///
    /// # Errors
    /// [`CheckpointError::Malformed`] names the line that is wrong.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        use CheckpointError::Malformed;
        let mut lines = text.strip_suffix('\n').ok_or(Malformed("final newline"))?.split('\n');
        let origin = lines.next().filter(|line| !line.is_empty()).ok_or(Malformed("origin"))?;
        let tree_size = lines.next().and_then(decimal).ok_or(Malformed("tree size"))?;
        let root_hash = lines.next().and_then(|line| STANDARD.decode(line).ok()?.try_into().ok());
        Ok(Self {
            origin: origin.to_owned(),
            tree_size,
            root_hash: Sha256Digest(root_hash.ok_or(Malformed("root hash"))?),
            extension_lines: lines.map(str::to_owned).collect(),
        })
    }

    /// Whether the origin ends in a tree ID, as Rekor v1 writes it and nothing else does.
    #[must_use]
    pub fn is_of_rekor_v1(&self) -> bool {
        self.tree_id().is_some()
    }

    /// Rekor v1's number for the tree: what follows the last ` - ` of the origin.
    #[must_use]
    pub fn tree_id(&self) -> Option<u64> {
        self.origin.rsplit_once(" - ").and_then(|(_, tree_id)| decimal(tree_id))
    }

    /// The text that is signed.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{}\n{}\n{}\n", self.origin, self.tree_size, STANDARD.encode(self.root_hash));
        for line in &self.extension_lines {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// The signed note, signed as `name` by the key whose log ID is `log_id`.
    ///
    /// # Errors
    /// [`ServiceKeyError`] when the key cannot sign.
    pub fn sign(&self, name: &str, key: &ServiceKey, log_id: &LogId) -> Result<String, ServiceKeyError> {
        let text = self.text();
        let signature = key.sign(text.as_bytes())?;
        Ok(format!("{text}\n{}\n", signature_line(name, key_id(log_id), &signature)))
    }
}

/// A checkpoint in its note; not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint<'a> {
    note: SignedNote<'a>,
    checkpoint: Checkpoint,
}

impl<'a> SignedCheckpoint<'a> {
    /// Reads both.
    ///
    /// # Errors
    /// [`CheckpointError`] when `envelope` is no note, or holds no checkpoint.
    pub fn parse(envelope: &'a str) -> Result<Self, CheckpointError> {
        let note = SignedNote::parse(envelope)?;
        Ok(Self { checkpoint: Checkpoint::parse(note.text)?, note })
    }

    /// What it states.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Verifies the note with the key of `log`.
    ///
    /// A signature line counts when it has the log's key ID and its name fits the origin: equal, or for Rekor v1 the
    /// origin is the name, ` - ` and the tree ID. At least one line must count, and each that does must verify. Other
    /// lines are witnesses' and are ignored.
    ///
    /// # Errors
    /// [`CheckpointError`] names the first thing that is wrong.
    pub fn verify(self, log: &TransparencyLogInstance) -> Result<VerifiedCheckpoint, CheckpointError> {
        let Self { note, checkpoint } = self;
        let key_id = key_id(&log.log_id);
        let mut named_otherwise = None;
        let mut verified = false;
        for line in note.signatures.iter().filter(|line| line.key_id == key_id) {
            if !origin_fits(&checkpoint.origin, line.name) {
                named_otherwise = Some(line.name);
                continue;
            }
            log.key
                .verify_met_again(super::log_signature_algorithm(log.key.kind()), note.text.as_bytes(), &line.signature)
                .map_err(|_| CheckpointError::Signature)?;
            verified = true;
        }
        match named_otherwise {
            _ if verified => Ok(VerifiedCheckpoint(checkpoint)),
            Some(name) => Err(CheckpointError::Origin { origin: checkpoint.origin, name: name.to_owned() }),
            None => Err(CheckpointError::NotSignedByLog(log.log_id)),
        }
    }
}

/// A checkpoint that its log signed; only [`SignedCheckpoint::verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCheckpoint(Checkpoint);

impl VerifiedCheckpoint {
    /// Which log, in the log's own words.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.0.origin
    }

    /// Rekor v1's number for the tree, which its origin ends in.
    #[must_use]
    pub fn tree_id(&self) -> Option<u64> {
        self.0.tree_id()
    }

    /// Number of leaves.
    #[must_use]
    pub fn tree_size(&self) -> u64 {
        self.0.tree_size
    }

    /// The root hash over them.
    #[must_use]
    pub fn root_hash(&self) -> Sha256Digest {
        self.0.root_hash
    }
}

/// A checkpoint that proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// A line that is not what C2SP tlog-checkpoint wants there.
    #[error("the checkpoint's {0} is malformed")]
    Malformed(&'static str),
    /// Not a note.
    #[error(transparent)]
    Note(#[from] MalformedNote),
    /// No signature line has the log's key ID.
    #[error("the checkpoint is not signed by log {0}")]
    NotSignedByLog(LogId),
    /// Signed under another name than the origin's.
    #[error("the checkpoint of origin \"{origin}\" is signed as \"{name}\"")]
    Origin {
        /// First line of the checkpoint.
        origin: String,
        /// Name on the signature line.
        name: String,
    },
    /// The log's signature does not verify.
    #[error("the log's signature of the checkpoint does not verify")]
    Signature,
}

fn key_id(log_id: &LogId) -> [u8; 4] {
    let [a, b, c, d, ..] = log_id.0;
    [a, b, c, d]
}

fn origin_fits(origin: &str, name: &str) -> bool {
    match origin.strip_prefix(name) {
        Some("") => true,
        Some(rest) => rest.strip_prefix(" - ").and_then(decimal).is_some(),
        None => false,
    }
}

/// ASCII decimal, no sign, no leading zero.
fn decimal(text: &str) -> Option<u64> {
    // `parse` alone also reads "+7" and "007"
    text.parse::<u64>().ok().filter(|number| number.to_string() == text)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::super::note;
    use super::*;
    use crate::crypto::{ServiceKeyKind, VerifyingKey};
    use crate::trusted_root::TimeRange;

    fn instance(name: &str, key: VerifyingKey) -> TransparencyLogInstance {
        let log_id = note::log_id(name, &key);
        let valid_for = TimeRange { start: Timestamp::UNIX_EPOCH, end: None };
        TransparencyLogInstance { base_url: String::new(), key, log_id, valid_for }
    }

    fn checkpoint(origin: &str) -> Checkpoint {
        let root_hash = Sha256Digest::of(b"root");
        Checkpoint { origin: origin.to_owned(), tree_size: 7, root_hash, extension_lines: vec![] }
    }

    #[test]
    fn a_real_rekor_v2_checkpoint() {
        let name = "log2025-alpha1.rekor.sigstage.dev";
        let spki = STANDARD.decode("MCowBQYDK2VwAyEAPn+AREHoBaZ7wgS1zBqpxmLSGnyhxXj4lFxSdWVB8o8=").unwrap();
        let log = instance(name, VerifyingKey::from_spki_der(&spki).unwrap());
        let envelope = "log2025-alpha1.rekor.sigstage.dev\n736\nrs1YPY0ydAV0lxgfrq5pE4oRpUJwo3syeps5+eGUTDI=\n\n\
            \u{2014} log2025-alpha1.rekor.sigstage.dev \
            8w1amdbj1mjNN674dHAkD92+QZoEgBC7o0mXYSTRluDjQrOPjrps3zQB9ut+ShLepyZPsWBDi5IB3yXyjgjQT6OG9A8=\n";
        let verified = Checkpoint::verify(envelope, &log).unwrap();
        assert_eq!((verified.origin(), verified.tree_size()), (name, 736));
        let other_size = envelope.replacen("736", "737", 1);
        assert_eq!(Checkpoint::verify(&other_size, &log), Err(CheckpointError::Signature));
    }

    #[test]
    fn what_is_signed_verifies_for_both_kinds_of_key() {
        for kind in [ServiceKeyKind::EcdsaP256, ServiceKeyKind::Ed25519] {
            let key = ServiceKey::generate(kind).unwrap();
            let log = instance("log.example", key.verifying_key().clone());
            for origin in ["log.example", "log.example - 8087965259611222398"] {
                let envelope = checkpoint(origin).sign("log.example", &key, &log.log_id).unwrap();
                assert_eq!(Checkpoint::verify(&envelope, &log).unwrap().0, checkpoint(origin));
            }
        }
    }

    #[test]
    fn one_thing_wrong_is_named() {
        let key = ServiceKey::generate(ServiceKeyKind::EcdsaP256).unwrap();
        let other = ServiceKey::generate(ServiceKeyKind::EcdsaP256).unwrap();
        let log = instance("log.example", key.verifying_key().clone());
        let other_id = note::log_id("log.example", other.verifying_key());
        let sign = |origin: &str, key, id| checkpoint(origin).sign("log.example", key, id).unwrap();
        let good = sign("log.example", &key, &log.log_id);
        let foreign = sign("log.example", &other, &other_id);
        let forged = sign("log.example", &other, &log.log_id);
        let line = |envelope: &str| envelope.rsplit_once("\n\n").unwrap().1.to_owned();
        assert_eq!(Checkpoint::verify(&foreign, &log), Err(CheckpointError::NotSignedByLog(log.log_id)));
        assert_eq!(Checkpoint::verify(&forged, &log), Err(CheckpointError::Signature));
        assert!(Checkpoint::verify(&format!("{good}{}", line(&foreign)), &log).is_ok());
        assert_eq!(Checkpoint::verify(&format!("{good}{}", line(&forged)), &log), Err(CheckpointError::Signature));
        for origin in
            ["log.example2", "log", "log.example - 07", "log.example - +7", "log.example -7", "log.example - "]
        {
            let found = Checkpoint::verify(&sign(origin, &key, &log.log_id), &log);
            assert_eq!(found, Err(CheckpointError::Origin { origin: origin.into(), name: "log.example".into() }));
        }
    }

    #[test]
    fn malformed_lines_are_named() {
        let hash = STANDARD.encode(Sha256Digest::of(b""));
        for (text, expected) in [
            (format!("o\n7\n{hash}"), "final newline"),
            (format!("\n7\n{hash}\n"), "origin"),
            ("o\n".to_owned(), "tree size"),
            (format!("o\n007\n{hash}\n"), "tree size"),
            (format!("o\n+7\n{hash}\n"), "tree size"),
            (format!("o\n18446744073709551616\n{hash}\n"), "tree size"),
            ("o\n7\n".to_owned(), "root hash"),
            ("o\n7\nAAAA\n".to_owned(), "root hash"),
        ] {
            assert_eq!(Checkpoint::parse(&text), Err(CheckpointError::Malformed(expected)), "{text:?}");
        }
        let text = format!("o\n7\n{hash}\nTimestamp: 1\n");
        assert_eq!(Checkpoint::parse(&text).unwrap().text(), text);
    }

    proptest! {
        #[test]
        fn never_panics_and_keeps_the_bytes(text in "[o\n7A=]{0,60}") {
            if let Ok(checkpoint) = Checkpoint::parse(&text) {
                prop_assert_eq!(checkpoint.text(), text);
            }
        }
    }
}
