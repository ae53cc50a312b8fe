//! What a policy file says of signatures by keys.

use super::super::key_rule::{Forge, KeyRule, Place, Shape};
use super::super::{Allowed, Circumstances, Mismatch, RuleAnswer};
use super::{PolicyFile, nearest};
use crate::openpgp::PublicKey;
use crate::verify::{KeyFormat, KeySignature};

impl PolicyFile {
    /// The rules about keys, in the order in which they are asked.
    #[must_use]
    pub fn key_rules(&self) -> &[KeyRule] {
        &self.key_rules
    }

    /// Whether a rule names the key.
    #[must_use]
    pub fn names_key(&self, format: KeyFormat, fingerprint: &str) -> bool {
        self.key_rules.iter().any(|rule| rule.format == format && rule.keys.contains_key(fingerprint))
    }

    /// The OpenPGP keys that rules name, each once, with all that any file says of it.
    pub fn openpgp_keys(&self) -> impl Iterator<Item = &PublicKey> {
        self.openpgp.values().filter(|key| self.names_key(KeyFormat::OpenPgp, key.fingerprint()))
    }

    /// The one of this fingerprint, if a rule names it.
    #[must_use]
    pub fn openpgp_key(&self, fingerprint: &str) -> Option<&PublicKey> {
        self.openpgp.get(fingerprint).filter(|key| self.names_key(KeyFormat::OpenPgp, key.fingerprint()))
    }

    /// Whether a rule that names the key asks if a commit has this shape, which takes a merge to find out.
    #[must_use]
    pub fn asks_for(&self, shape: Shape, signature: &KeySignature, committer_email: Option<&[u8]>) -> bool {
        self.key_rules.iter().any(|rule| {
            let named = rule.format == signature.format() && rule.keys.contains_key(signature.fingerprint());
            let may = |forge: &Forge| forge.shapes.contains(&shape) && forge.commits_as(committer_email);
            named && rule.forge.as_ref().is_some_and(may)
        })
    }

    /// Whether some rule admits squashed heads.
    #[must_use]
    pub fn knows_squashes(&self) -> bool {
        let knows = |forge: &Forge| forge.shapes.contains(&Shape::Squash);
        self.key_rules.iter().any(|rule| rule.forge.as_ref().is_some_and(knows))
    }

    pub(in crate::policy) fn judge_key(
        &self,
        signature: &mut KeySignature,
        circumstances: &Circumstances<'_>,
    ) -> Allowed {
        // Whoever it is stands in the report, allowed or not.
        let mut naming = self.key_rules.iter().filter_map(|rule| rule.keys.get(signature.fingerprint()));
        let owner = naming.find_map(Clone::clone);
        signature.belongs_to(owner.as_deref());
        if let Some(beforehand) = self.beforehand(circumstances) {
            return beforehand;
        }
        let mut nearer: Option<(&str, Mismatch)> = None;
        for (rule, place) in self.placed(circumstances) {
            match rule.admits(signature, place, circumstances) {
                Ok(()) => {
                    let owner = rule.keys.get(signature.fingerprint()).cloned().flatten();
                    signature.belongs_to(owner.as_deref());
                    return Allowed::Yes(rule.name.clone());
                }
                Err(mismatch) => {
                    if nearer.as_ref().is_none_or(|(_, other)| other.nearness() < mismatch.nearness()) {
                        nearer = Some((&rule.name, mismatch));
                    }
                }
            }
        }
        nearest(nearer)
    }

    /// What each rule about keys says of a signature.
    pub(in crate::policy) fn answers_of_keys(
        &self,
        signature: &KeySignature,
        circumstances: &Circumstances<'_>,
    ) -> Vec<RuleAnswer> {
        let answer = |(rule, place): (&KeyRule, Place)| RuleAnswer {
            rule: rule.name.clone(),
            answer: rule.admits(signature, place, circumstances),
        };
        self.placed(circumstances).map(answer).collect()
    }

    /// Each rule with where the object stands between its bounds, as far as somebody looked.
    fn placed<'a>(&'a self, circumstances: &'a Circumstances<'_>) -> impl Iterator<Item = (&'a KeyRule, Place)> {
        let places = circumstances.places.iter().copied().chain(std::iter::repeat(Place::default()));
        self.key_rules.iter().zip(places)
    }
}
