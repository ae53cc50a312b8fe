//! What would change in one file, before anybody agreed.

use std::path::Path;

use crate::settings::config_file::{ConfigFile, ConfigFileError};
use crate::settings::programs;

/// A value that a key shall have.
pub(super) struct Wish {
    pub(super) key: String,
    pub(super) value: String,
    /// Beside others that it may have.
    pub(super) is_list: bool,
}

impl Wish {
    pub(super) fn one(key: &str, value: &str) -> Self {
        Self { key: key.to_owned(), value: value.to_owned(), is_list: false }
    }

    pub(super) fn one_of_many(key: &str, value: &str) -> Self {
        Self { key: key.to_owned(), value: value.to_owned(), is_list: true }
    }

    /// Whether this value is as good.
    pub(super) fn is_met_by(&self, value: Option<&str>) -> bool {
        match value {
            // A program that is this one under another name.
            Some(value) if self.key == "gpg.x509.program" => value == self.value || programs::is_this(Path::new(value)),
            Some(value) if self.value == "true" => ["true", "yes", "on", "1"].contains(&&*value.to_ascii_lowercase()),
            Some(value) => value == self.value,
            None => self.value == "true",
        }
    }
}

/// The changes to one file, not yet written.
pub(super) struct Plan {
    file: ConfigFile,
    pub(super) changes: Vec<PlannedChange>,
    pub(super) splices: Vec<Splice>,
}

/// One key's change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PlannedChange {
    pub(super) key: String,
    /// `None`: there was none, or it stays beside.
    pub(super) before: Option<String>,
    pub(super) after: String,
}

/// Bytes that take the place of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Splice {
    pub(super) at: usize,
    pub(super) removed: Vec<u8>,
    pub(super) inserted: Vec<u8>,
}

impl Plan {
    pub(super) fn make(mut file: ConfigFile, wishes: &[Wish]) -> Result<Self, ConfigFileError> {
        let (mut changes, mut splices) = (Vec::new(), Vec::new());
        // Where no newline ends the file, the first change adds it, too.
        let mut bytes = file.before().unwrap_or_default().to_vec();
        for wish in wishes {
            let Wish { key, value, is_list } = wish;
            let before = if *is_list { None } else { file.value(key)? };
            let is_met = match (is_list, &before) {
                (true, _) => file.values(key)?.contains(value),
                (false, Some(before)) => wish.is_met_by(before.as_deref()),
                (false, None) => false,
            };
            if is_met {
                continue;
            }
            match &before {
                Some(Some(_)) => file.replace(key, value),
                // A key without "=" stays; what comes behind it counts.
                Some(None) | None => file.add(key, value),
            }
            let after = file.bytes();
            splices.push(Splice::between(&bytes, &after));
            bytes = after;
            changes.push(PlannedChange { key: key.clone(), before: before.flatten(), after: value.clone() });
        }
        Ok(Self { file, changes, splices })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    /// What was in the file; `None`: there was none.
    pub(super) fn before(&self) -> Option<&[u8]> {
        self.file.before()
    }

    /// What will be in it.
    pub(super) fn after(&self) -> Vec<u8> {
        self.file.bytes()
    }

    pub(super) fn write(&self) -> Result<(), ConfigFileError> {
        self.file.write()
    }

    /// A line for each value that goes (`-`) or comes (`+`).
    pub(super) fn diff(&self) -> Vec<String> {
        let lines = self.changes.iter().flat_map(|PlannedChange { key, before, after }| {
            let before = before.as_ref().map(|before| format!("-{key} = {before}"));
            before.into_iter().chain([format!("+{key} = {after}")])
        });
        lines.collect()
    }
}

impl Splice {
    /// The one place where two texts differ.
    fn between(before: &[u8], after: &[u8]) -> Self {
        let same = |one: &mut dyn Iterator<Item = (&u8, &u8)>| one.take_while(|(a, b)| a == b).count();
        let at = same(&mut before.iter().zip(after));
        let (before, after) = (before.get(at..).unwrap_or_default(), after.get(at..).unwrap_or_default());
        let end = same(&mut before.iter().rev().zip(after.iter().rev()));
        let middle = |text: &[u8]| text.get(..text.len() - end).unwrap_or_default().to_vec();
        Self { at, removed: middle(before), inserted: middle(after) }
    }

    /// The text before, from the one after.
    pub(super) fn undo(&self, text: &[u8]) -> Option<Vec<u8>> {
        let (head, rest) = text.split_at_checked(self.at)?;
        let tail = rest.strip_prefix(self.inserted.as_slice())?;
        Some([head, &self.removed, tail].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_changed_is_known_to_the_byte() {
        for (before, after) in [("aXb", "aYYb"), ("", "new"), ("aa", "aaa"), ("aba", "aa"), ("same", "same")] {
            let splice = Splice::between(before.as_bytes(), after.as_bytes());
            assert_eq!(splice.undo(after.as_bytes()).as_deref(), Some(before.as_bytes()), "{before} {after}");
        }
        let splice = Splice { at: 1, removed: vec![], inserted: b"x".to_vec() };
        assert_eq!((splice.undo(b""), splice.undo(b"ay")), (None, None));
    }

    #[test]
    fn what_is_as_good_stays() {
        let sign = Wish::one("commit.gpgSign", "true");
        assert!(sign.is_met_by(None) && sign.is_met_by(Some("Yes")) && !sign.is_met_by(Some("false")));
        let format = Wish::one("gpg.format", "x509");
        assert!(!format.is_met_by(None) && !format.is_met_by(Some("X509")));
        let this = programs::this().unwrap();
        let program = Wish::one("gpg.x509.program", "/elsewhere/waxseal");
        assert!(program.is_met_by(this.to_str()) && !program.is_met_by(Some("gpgsm")));
    }
}
