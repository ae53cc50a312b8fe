//! What a policy asks of a commit besides its signature, where that is one by a key: where it stands, and what it did.

use super::Run;
use super::squash::Search;
use super::surroundings::Surroundings;
use crate::git::repository::FoundObject;
use crate::policy::{Circumstances, IdentityPolicy, Merge, NoSquash, Place, Shape, Squash};
use crate::verify::Verdict;

/// What was looked at.
#[derive(Default)]
pub(in crate::commands) struct Shapes {
    places: Vec<Place>,
    merge: Merge,
    squash: Option<Squash>,
}

impl Shapes {
    /// `circumstances` with these.
    pub(in crate::commands) fn with<'a>(&'a self, circumstances: Circumstances<'a>) -> Circumstances<'a> {
        Circumstances { places: &self.places, merge: self.merge, squash: self.squash.as_ref(), ..circumstances }
    }
}

impl Run<'_> {
    /// Looks at what `policy` asks.
    pub(in crate::commands) fn shapes(
        &self,
        policy: &IdentityPolicy,
        surroundings: &Surroundings,
        verdict: &Verdict,
        found: &FoundObject,
        circumstances: &Circumstances<'_>,
        position: usize,
    ) -> Shapes {
        let Verdict::VerifiedByKey(signature) = verdict else { return Shapes::default() };
        let places = surroundings.places(&self.repository, found);
        let IdentityPolicy::File(file) = policy else { return Shapes { places, ..Shapes::default() } };
        let is_exempt =
            circumstances.object.is_some_and(|object| file.exemption(object, circumstances.start).is_some());
        let asks = |shape| !is_exempt && file.asks_for(shape, signature, circumstances.committer_email);
        let merge = if asks(Shape::Merge) { self.merge(found) } else { Merge::Unknown };
        let squash = (asks(Shape::Squash) && merge != Merge::Clean).then(|| {
            let (parents, tree) = found.parents_and_tree()?;
            let [parent] = parents.as_slice() else { return Some(Squash::Not(NoSquash::Parents)) };
            Some(Search { run: self, policy, surroundings, position }.squash(found, *parent, tree))
        });
        Shapes { places, merge, squash: squash.flatten() }
    }

    /// Whether a commit did no more than merge.
    fn merge(&self, found: &FoundObject) -> Merge {
        let Some((parents, tree)) = found.parents_and_tree() else { return Merge::Not };
        let [ours, theirs] = parents.as_slice() else { return Merge::Not };
        let tree = tree.to_string();
        match self.merges.one((*ours, *theirs)) {
            Ok(Some(merged)) if merged == tree => Merge::Clean,
            Ok(_) => Merge::Not,
            Err(_) => Merge::Unknown,
        }
    }
}
