//! How a rule about keys is made of what a policy file says, and of the files that it names.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::super::key_rule::{Bounds, Forge, KeyRule, Shape};
use super::super::{Pattern, RegexBudget};
use super::bad_rule::BadRule;
use super::shape::{FileForge, FileName, FileRequirement, FileRule, FileShape, PinnedFile, patterns, ref_pattern};
use crate::crypto::Sha256Digest;
use crate::openpgp::{self, PublicKey};
use crate::ssh::SshKey;
use crate::ssh::allowed_signers;
use crate::verify::KeyFormat;

/// Reads a file that a policy names, from where it names it: a path, and whether the policy says what is in the file.
pub type ReadFile<'a> = dyn FnMut(&str, Pinned) -> Result<Vec<u8>, String> + 'a;

/// Whether a policy says which bytes a file must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pinned {
    /// Whatever the file has.
    No,
    /// By their SHA-256.
    Yes,
}

impl FileForge {
    fn read(self) -> Result<Forge, BadRule> {
        if self.committer.is_empty() {
            return Err(BadRule::Empty("forge.committer"));
        }
        if self.shape.is_empty() {
            return Err(BadRule::Empty("forge.shape"));
        }
        let shapes = self.shape.into_iter().map(|shape| match shape {
            FileShape::Merge => Shape::Merge,
            FileShape::Squash => Shape::Squash,
        });
        Ok(Forge { committers: self.committer, shapes: shapes.collect() })
    }
}

impl FileName {
    fn read(self, read: &mut ReadFile<'_>) -> Result<(String, Vec<u8>), BadRule> {
        let (path, sha256) = match self {
            Self::Path(path) => (path, None),
            Self::Pinned(PinnedFile { path, sha256 }) => (path, Some(sha256)),
        };
        let bad = |path: &str, wrong: String| BadRule::File { path: path.to_owned(), wrong };
        let expected = match &sha256 {
            Some(hex) => Some(Sha256Digest::from_hex(hex).ok_or_else(|| bad(&path, BAD_DIGEST.to_owned()))?),
            None => None,
        };
        let pinned = if expected.is_some() { Pinned::Yes } else { Pinned::No };
        let bytes = read(&path, pinned).map_err(|wrong| bad(&path, wrong))?;
        let found = Sha256Digest::of(&bytes);
        match expected {
            Some(expected) if expected != found => Err(bad(&path, format!("its SHA-256 is {found}"))),
            _ => Ok((path, bytes)),
        }
    }
}

impl FileRule {
    /// Whether it names keys.
    pub(super) fn is_about_keys(&self) -> bool {
        self.ssh.is_some() || self.allowed_signers.is_some() || self.openpgp.is_some() || self.key_files.is_some()
    }

    /// Whether a rule about identities says something that only rules about keys do.
    pub(super) fn only_of_keys(&self) -> Option<&'static str> {
        [
            ("from_commit", self.from_commit.is_some()),
            ("until_commit", self.until_commit.is_some()),
            ("unbounded", self.unbounded),
            ("forge", self.forge.is_some()),
        ]
        .into_iter()
        .find_map(|(key, is_there)| is_there.then_some(key))
    }

    /// The rule. What its files have of OpenPGP keys is added to `copies`.
    pub(super) fn read_keys(
        self,
        budget: &mut RegexBudget,
        read: &mut ReadFile<'_>,
        copies: &mut Copies,
    ) -> Result<KeyRule, BadRule> {
        self.check_name()?;
        for (key, is_there) in [
            ("issuer", self.issuer.is_some()),
            ("instance", self.instance.is_some()),
            ("email", self.email.is_some()),
            ("uri", self.uri.is_some()),
            ("username", self.username.is_some()),
            ("workflow", self.workflow.is_some()),
        ] {
            if is_there {
                return Err(BadRule::NotOfKeys(key));
            }
        }
        if self.from.is_some() || self.until.is_some() {
            return Err(BadRule::DatesOfKeys);
        }
        let author_match = match self.require.as_deref() {
            None => false,
            Some([]) => return Err(BadRule::Empty("require")),
            Some(required) => match required.iter().find(|one| !matches!(one, FileRequirement::AuthorMatch)) {
                None => true,
                Some(_) => return Err(BadRule::NotOfKeys("require = [\"log\"] or [\"timestamp\"]")),
            },
        };
        let bounds = bounds(self.from_commit, self.until_commit, self.unbounded)?;
        let mut keys = BTreeMap::new();
        let format = if self.openpgp.is_some() || self.key_files.is_some() {
            if self.ssh.is_some() || self.allowed_signers.is_some() {
                return Err(BadRule::TwoFormats);
            }
            let (named, files) = (self.openpgp.unwrap_or_default(), self.key_files.unwrap_or_default());
            keys.extend(openpgp_keys(named, files, read, copies)?.into_iter().map(|key| (key, None)));
            KeyFormat::OpenPgp
        } else {
            KeyFormat::Ssh
        };
        if self.ssh.as_ref().is_some_and(Vec::is_empty) {
            return Err(BadRule::Empty("ssh"));
        }
        for line in self.ssh.into_iter().flatten() {
            let key =
                SshKey::parse(&line).map_err(|wrong| BadRule::Key { key: line.clone(), wrong: wrong.to_string() })?;
            keys.entry(key.fingerprint()).or_insert(None);
        }
        if let Some(file) = self.allowed_signers {
            let (path, bytes) = file.read(read)?;
            let signers = allowed_signers::parse(&bytes)
                .map_err(|error| BadRule::File { path: path.clone(), wrong: error.to_string() })?;
            if signers.is_empty() {
                return Err(BadRule::File { path, wrong: "no key in it is for Git".to_owned() });
            }
            for signer in signers {
                let owner: &mut Option<String> = keys.entry(signer.key.fingerprint()).or_default();
                *owner = owner.take().or(signer.principal);
            }
        }
        Ok(KeyRule {
            format,
            keys,
            forge: self.forge.map(FileForge::read).transpose()?,
            bounds,
            refs: patterns("refs", self.refs, budget)?
                .into_iter()
                .map(ref_pattern)
                .collect::<Result<Vec<Pattern>, _>>()?,
            author_match,
            may_change_policy: self.may_change_policy,
            name: self.name,
        })
    }
}

/// OpenPGP keys by their fingerprints, each with what every file of a policy has of it: a revocation that one of them has
/// counts, whichever rule names the file.
pub(super) type Copies = BTreeMap<String, PublicKey>;

/// These fingerprints, whose keys are in these files. What else is in the files is nobody's.
fn openpgp_keys(
    fingerprints: Vec<String>,
    files: Vec<FileName>,
    read: &mut ReadFile<'_>,
    copies: &mut Copies,
) -> Result<Vec<String>, BadRule> {
    if fingerprints.is_empty() {
        return Err(BadRule::Empty("openpgp"));
    }
    if files.is_empty() {
        return Err(BadRule::Empty("key_files"));
    }
    let mut found = BTreeSet::new();
    for file in files {
        let (path, bytes) = file.read(read)?;
        for key in openpgp::keys(&bytes).map_err(|error| BadRule::File { path, wrong: error.to_string() })? {
            found.insert(key.fingerprint().to_owned());
            match copies.entry(key.fingerprint().to_owned()) {
                Entry::Vacant(none) => drop(none.insert(key)),
                Entry::Occupied(mut copy) => copy.get_mut().merge(key),
            }
        }
    }
    let mut named = Vec::new();
    for text in fingerprints {
        // gpg prints them in groups.
        let fingerprint = text.replace(' ', "").to_ascii_uppercase();
        if !matches!(fingerprint.len(), 40 | 64) || !fingerprint.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(BadRule::Fingerprint(text));
        }
        if !found.contains(&fingerprint) {
            return Err(BadRule::KeyNotThere(fingerprint));
        }
        named.push(fingerprint);
    }
    Ok(named)
}

fn bounds(from: Option<String>, until: Option<String>, unbounded: bool) -> Result<Bounds, BadRule> {
    let commit = |field, id: Option<String>| match id {
        Some(id) if !is_object_id(&id) => Err(BadRule::Commit { field, id }),
        id => Ok(id),
    };
    let bounds = Bounds { from: commit("from_commit", from)?, until: commit("until_commit", until)? };
    match (bounds == Bounds::default(), unbounded) {
        (true, false) => Err(BadRule::Unbounded),
        (false, true) => Err(BadRule::BoundedAndNot),
        _ => Ok(bounds),
    }
}

/// Full, in lower-case hexadecimal: an abbreviation could come to mean another object.
pub(super) fn is_object_id(text: &str) -> bool {
    let hexadecimal = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    hexadecimal && matches!(text.len(), 40 | 64)
}

const BAD_DIGEST: &str = "its sha256 is not 64 lower-case hexadecimal digits";
