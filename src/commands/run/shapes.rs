//! What a policy asks of a commit besides its signature, where that is one by a key: where it stands, and what it did.

use super::Run;
use super::squash::Search;
use super::squashes::Unproven;
use crate::git::repository::FoundObject;
use crate::policy::{Circumstances, IdentityPolicy, Merge, NoMerge, NoSquash, Place, Shape, Squash};
use crate::verify::Verdict;

/// What was looked at.
#[derive(Default)]
pub(in crate::commands) struct Shapes {
    places: Vec<Place>,
    merge: Option<Merge>,
    squash: Option<Squash>,
}

impl Shapes {
    /// `circumstances` with these.
    pub(in crate::commands) fn with<'a>(&'a self, circumstances: Circumstances<'a>) -> Circumstances<'a> {
        let Self { places, merge, squash } = self;
        Circumstances { places, merge: merge.as_ref(), squash: squash.as_ref(), ..circumstances }
    }
}

impl Run<'_> {
    /// Looks at what the run's policy asks of the commit that its first argument names.
    pub(in crate::commands) fn shapes_of_first(
        &self,
        verdict: &Verdict,
        found: &FoundObject,
        circumstances: &Circumstances<'_>,
    ) -> Shapes {
        let search = Search::of(self, &self.policy, &self.surroundings, 0);
        self.shapes(&search, verdict, found, circumstances, circumstances.changes_policy)
    }

    /// Looks at what the policy asks of a commit, which by itself changes the policy file or does not (`own_change`).
    pub(super) fn shapes(
        &self,
        search: &Search<'_>,
        verdict: &Verdict,
        found: &FoundObject,
        circumstances: &Circumstances<'_>,
        own_change: Option<bool>,
    ) -> Shapes {
        let Verdict::VerifiedByKey(signature) = verdict else { return Shapes::default() };
        let places = search.surroundings.places(&self.repository, found);
        let IdentityPolicy::File(file) = search.policy else { return Shapes { places, ..Shapes::default() } };
        let is_exempt =
            circumstances.object.is_some_and(|object| file.exemption(object, circumstances.start).is_some());
        let asks = |shape| !is_exempt && file.asks_for(shape, signature, circumstances.committer_email);
        let search = Search { changes_policy: circumstances.changes_policy, ..*search };
        let merge = asks(Shape::Merge).then(|| self.merge(&search, found, own_change));
        let squash = (asks(Shape::Squash) && merge != Some(Merge::Clean)).then(|| {
            let (parents, tree) = found.parents_and_tree()?;
            let [parent] = parents.as_slice() else { return Some(Squash::Not(NoSquash::Parents)) };
            Some(search.squash(found, *parent, tree))
        });
        Shapes { places, merge, squash: squash.flatten() }
    }

    /// Whether a commit did no more than merge. Where that gives the policy file as neither parent has it, as following a
    /// rename does, the button that was pressed is worth what the commits are worth that it joined.
    fn merge(&self, search: &Search<'_>, found: &FoundObject, own_change: Option<bool>) -> Merge {
        let other = Merge::Not(NoMerge::OtherTree);
        let Some((parents, tree)) = found.parents_and_tree() else { return other };
        let [ours, theirs] = parents.as_slice() else { return other };
        let tree = tree.to_string();
        match self.merges.one((*ours, *theirs)) {
            Ok(Some(merged)) if merged == tree => {}
            Ok(_) => return other,
            // Git does not merge what has nothing in common, and no forge does.
            Err(_) if self.repository.are_strangers(*ours, *theirs) == Some(true) => return other,
            Err(error) => return Merge::Unknown(error.to_string()),
        }
        if own_change == Some(false) {
            return Merge::Clean;
        }
        match search.merge(found, *ours, *theirs) {
            Ok(()) | Err(Unproven::Nothing) => Merge::Clean,
            Err(Unproven::Not { commit, why }) => Merge::Not(NoMerge::ChangesPolicy { commit, why }),
            Err(Unproven::Unknown(why)) => Merge::Unknown(why),
        }
    }
}
