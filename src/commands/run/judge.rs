//! What a policy says of an object: the run's own, or another one.

use super::Run;
use super::judged::Judged;
use super::squash::Search;
use super::surroundings::Surroundings;
use crate::commands::outside_evidence::Completed;
use crate::git::ObjectKind;
use crate::git::repository::FoundObject;
use crate::policy::IdentityPolicy;
use crate::signature::payload::header;
use crate::verify::error::VerifyError;

impl Run<'_> {
    /// The verdict with what the policy says of the signer. `position` is that of the argument that named the object.
    pub(in crate::commands) fn judged<'f>(
        &self,
        found: &'f FoundObject,
        completed: Completed,
        position: usize,
    ) -> Judged<'f> {
        self.judged_by(&self.policy, &self.surroundings, found, completed, position)
    }

    /// The verdict with what another policy says of the signer.
    pub(in crate::commands) fn judged_by<'f>(
        &self,
        policy: &IdentityPolicy,
        surroundings: &Surroundings,
        found: &'f FoundObject,
        completed: Completed,
        position: usize,
    ) -> Judged<'f> {
        self.judged_within(&Search::of(self, policy, surroundings, position), found, completed)
    }

    /// The verdict with what the policy says of a part of what `search` is about.
    pub(super) fn judged_within<'f>(
        &self,
        search: &Search<'_>,
        found: &'f FoundObject,
        completed: Completed,
    ) -> Judged<'f> {
        let Search { policy, surroundings, position, .. } = *search;
        let object = found.id.to_string();
        let mut circumstances = surroundings.circumstances(&self.repository, found, &object, position);
        let own_change = circumstances.changes_policy;
        circumstances.changes_policy = match (own_change, search.changes_policy) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (own, whole) => own.and(whole),
        };
        let shapes = self.shapes(search, &completed.verdict, found, &circumstances, own_change);
        let mut circumstances = shapes.with(circumstances);
        let completed = match self.misnamed(found, position) {
            Some(error) => {
                // An exemption is of the object, not of what somebody else made its name.
                circumstances.object = None;
                Completed { verdict: completed.verdict.with_error(error), ..completed }
            }
            None => completed,
        };
        Judged::new(found, completed, policy, &circumstances)
    }

    /// Whether a tag says that it has another name than the ref that led to it.
    fn misnamed(&self, found: &FoundObject, position: usize) -> Option<VerifyError> {
        let object = found.content.as_ref().ok().filter(|object| object.kind == ObjectKind::Tag)?;
        let named = self.repository.tag_name(self.selection.names.get(position)?)?;
        let says = header(&object.bytes, "tag").unwrap_or_default();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (says != named).then(|| VerifyError::TagName { named: text(&named), says: text(says) })
    }
}
