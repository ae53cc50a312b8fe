//! A rule about keys: which, and between which commits.
//!
//! Nothing proves when a key signed. So such a rule is bounded by where an object stands in the history, which nobody can
//! choose without making another history, and never by dates, which whoever has the key can choose.

use std::collections::{BTreeMap, BTreeSet};

use super::{Circumstances, Merge, Mismatch, NoMerge, NoSquash, Pattern, Requirement, Squash};
use crate::verify::{KeyFormat, KeySignature};

/// One rule about keys of a policy file.
#[derive(Clone, Debug)]
pub struct KeyRule {
    /// How the rule is called in output.
    pub name: String,
    /// What kind of keys.
    pub format: KeyFormat,
    /// The keys by their fingerprints, and whose they are where somebody says so; never empty.
    pub keys: BTreeMap<String, Option<String>>,
    /// What is asked of commits besides, where the keys are a forge's.
    pub forge: Option<Forge>,
    /// Between which commits it holds.
    pub bounds: Bounds,
    /// The refs that it is for; empty means every one.
    pub refs: Vec<Pattern>,
    /// Whether the owner must be the author, of a tag its tagger.
    pub author_match: bool,
    /// Whether it is enough for commits that change the policy file.
    pub may_change_policy: bool,
}

impl KeyRule {
    /// Whether the rule admits the signature. `place` says where the object stands between this rule's bounds.
    ///
    /// # Errors
    /// [`Mismatch`]: the first condition that does not hold, those that cannot be decided last.
    pub fn admits(
        &self,
        signature: &KeySignature,
        place: Place,
        circumstances: &Circumstances<'_>,
    ) -> Result<(), Mismatch> {
        let owner = match self.keys.get(signature.fingerprint()) {
            Some(owner) if self.format == signature.format() => owner.as_deref(),
            _ => return Err(Mismatch::Identity),
        };
        if signature.is_revoked() && self.bounds.until.is_none() {
            return Err(Mismatch::Revoked);
        }
        self.bounds.known(place)?;
        if self.author_match && circumstances.author_email != Some(owner.unwrap_or_default().as_bytes()) {
            return Err(Mismatch::Requirement(Requirement::AuthorMatch));
        }
        let did = match &self.forge {
            Some(forge) => forge.admits(place, circumstances),
            None => Ok(()),
        };
        if let Err(mismatch) = &did
            && !mismatch.is_unknown()
        {
            return did;
        }
        circumstances.admit(&self.refs, self.may_change_policy)?;
        self.bounds.unknown(place)?;
        did
    }
}

/// A forge signs whatever whoever is logged in there has it write: its signature alone says nothing. It may merge and
/// squash, as anybody can see that it did no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forge {
    /// The e-mail addresses under which it commits; never empty.
    pub committers: Vec<String>,
    /// What it may do; never empty.
    pub shapes: BTreeSet<Shape>,
}

/// What a forge does in somebody's name, and everybody can do again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    /// A merge of two parents.
    Merge,
    /// One commit that does what a head does.
    Squash,
}

impl Forge {
    /// Whether the commit has the forge's name.
    #[must_use]
    pub fn commits_as(&self, email: Option<&[u8]>) -> bool {
        self.committers.iter().any(|committer| email == Some(committer.as_bytes()))
    }

    /// Whether it may do all that `other` may.
    pub(super) fn covers(&self, other: &Self) -> bool {
        other.committers.iter().all(|committer| self.committers.contains(committer))
            && self.shapes.is_superset(&other.shapes)
    }

    /// Whether some commit could be for both.
    pub(super) fn meets(&self, other: &Self) -> bool {
        let is_shared = |committer: &String| other.committers.contains(committer);
        !self.shapes.is_disjoint(&other.shapes) && self.committers.iter().any(is_shared)
    }

    fn admits(&self, place: Place, circumstances: &Circumstances<'_>) -> Result<(), Mismatch> {
        if place.is_tag || !self.commits_as(circumstances.committer_email) {
            return Err(Mismatch::Committer);
        }
        let mut nearest = None;
        for shape in &self.shapes {
            match shape.is_of(circumstances) {
                Ok(()) => return Ok(()),
                // What is not known outranks what is not so; then the shape that fits the number of parents.
                Err(mismatch) if nearest.as_ref().is_none_or(|other| is_nearer(&mismatch, other)) => {
                    nearest = Some(mismatch);
                }
                Err(_) => {}
            }
        }
        Err(nearest.unwrap_or(Mismatch::NoCleanMerge(NoMerge::OtherTree)))
    }
}

impl Shape {
    fn is_of(self, circumstances: &Circumstances<'_>) -> Result<(), Mismatch> {
        match (self, circumstances.merge, circumstances.squash) {
            (Self::Merge, Some(Merge::Clean), _) | (Self::Squash, _, Some(Squash::Of(_))) => Ok(()),
            (Self::Merge, Some(Merge::Not(why)), _) => Err(Mismatch::NoCleanMerge(why.clone())),
            (Self::Merge, Some(Merge::Unknown(why)), _) => Err(Mismatch::MergeUnknown(why.clone())),
            (Self::Merge, None, _) => Err(Mismatch::MergeUnknown(NOBODY.to_owned())),
            (Self::Squash, _, Some(Squash::Not(why))) => Err(Mismatch::NoSquash(why.clone())),
            (Self::Squash, _, Some(Squash::Unknown(why))) => Err(Mismatch::SquashUnknown(why.clone())),
            (Self::Squash, _, None) => Err(Mismatch::SquashUnknown(NOBODY.to_owned())),
        }
    }
}

fn is_nearer(one: &Mismatch, other: &Mismatch) -> bool {
    let rank = |mismatch: &Mismatch| match mismatch {
        mismatch if mismatch.is_unknown() => 2,
        Mismatch::NoSquash(NoSquash::Parents) => 0,
        Mismatch::NoCleanMerge(NoMerge::ChangesPolicy { .. }) => 1,
        Mismatch::NoSquash(_) => 1,
        _ => 0,
    };
    rank(one) > rank(other)
}

/// From which commit to which a rule about keys holds; both may be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Full id of a commit: it and what has it in its history.
    pub from: Option<String>,
    /// Full id of a commit: it and what is in its history. No tag is.
    pub until: Option<String>,
}

impl Bounds {
    fn known(&self, place: Place) -> Result<(), Mismatch> {
        match (&self.from, &self.until) {
            (_, Some(until)) if place.is_tag => Err(Mismatch::TagUntil(until.clone())),
            (Some(from), _) if place.after_from == Some(false) => Err(Mismatch::NotAfter(from.clone())),
            (_, Some(until)) if place.before_until == Some(false) => Err(Mismatch::NotBefore(until.clone())),
            _ => Ok(()),
        }
    }

    fn unknown(&self, place: Place) -> Result<(), Mismatch> {
        let from = self.from.as_ref().filter(|_| place.after_from.is_none());
        let until = self.until.as_ref().filter(|_| place.before_until.is_none());
        from.or(until).map_or(Ok(()), |commit| Err(Mismatch::PlaceUnknown(commit.clone())))
    }

    /// Whether every object between `other`'s is between these, as far as their names tell.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let covers = |own: &Option<String>, other: &Option<String>| own.is_none() || own == other;
        covers(&self.from, &other.from) && covers(&self.until, &other.until)
    }
}

/// Where an object stands between the bounds of one rule; `None` where nobody can tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Whether it is the first commit of the rule or has that in its history; of a tag, whether what it names has.
    pub after_from: Option<bool>,
    /// Whether it is the last commit of the rule or in that one's history.
    pub before_until: Option<bool>,
    /// A tag is in no history: whoever has the key can make one today, of any commit.
    pub is_tag: bool,
}

const NOBODY: &str = "nobody looked here";
