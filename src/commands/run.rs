//! What is verified in one go: objects stream through one verifier, so that memory does not grow with what is judged. A policy
//! is asked anew in each run, whatever an earlier one found of the signatures.
//!
//! A run is prepared ([`Run::prepare`]) and goes through its objects ([`Run::each`]); what it comes to the commands say, an
//! object as a [`line`] or as [`json`].

use std::cell::RefCell;
use std::collections::HashMap;

use jiff::Timestamp;

use super::findings::Findings;
use super::outside_evidence::{self, Completed, Online, complete};
use crate::cli::Verify;
use crate::finding_cache::CacheError;
use crate::git::repository::{FoundObject, RawObject, Repository};
use crate::git::{HashKind, SignedObject};
use crate::instance::InstanceName;
use crate::policy::IdentityPolicy;
use crate::settings::Settings;
use crate::verify::{Verdict, Verifier};

pub(super) mod by_key;
mod engine;
pub(super) mod json;
mod judge;
pub(super) mod judged;
pub(super) mod line;
mod merges;
mod prepare;
mod proofs;
mod row;
pub(super) mod selection;
mod shapes;
mod squash;
mod squashes;
pub(super) mod surroundings;

use by_key::Keys;
use engine::{Engine, Other, Verified};
use judged::Judged;
use merges::Merges;
use selection::Selection;
use surroundings::Surroundings;

/// Everything that one run needs, ready: what is asked for is in the repository, and what it is judged by can be read.
pub(super) struct Run<'a> {
    pub(super) request: &'a Verify,
    pub(super) settings: Settings,
    /// What a rule without an instance means.
    pub(super) default_instance: InstanceName,
    pub(super) repository: Repository,
    hash: HashKind,
    pub(super) now: Timestamp,
    pub(super) selection: Selection,
    pub(super) policy: IdentityPolicy,
    /// What the policy asks besides the signature.
    pub(super) surroundings: Surroundings,
    pub(super) verifier: Verifier,
    /// What Git's merge makes of parents, once a rule asks.
    merges: Merges,
    /// The logs, if they may be asked.
    online: Option<RefCell<Online>>,
}

impl Run<'_> {
    /// Verifies what is selected and hands each object to `take` with its verdict and the policy's answer, in order. What was
    /// found is kept for the next run, unless it cannot be: why.
    ///
    /// # Errors
    /// That of `take`, after which nothing more is verified.
    pub(super) fn each<E>(&self, mut take: impl FnMut(&Judged<'_>) -> Result<(), E>) -> Result<Option<CacheError>, E> {
        self.each_unjudged(|Unjudged { found, completed, position, cached, .. }| {
            take(&Judged { cached, ..self.judged(&found, completed, position) })
        })
    }

    /// The same without the policy's answer.
    ///
    /// # Errors
    /// That of `take`.
    pub(super) fn each_unjudged<E>(
        &self,
        take: impl FnMut(Unjudged) -> Result<(), E>,
    ) -> Result<Option<CacheError>, E> {
        self.each_under(None, take)
    }

    /// The same for whoever judges by `other`, too: its keys are asked as the policy's own are, of many objects at once.
    ///
    /// # Errors
    /// That of `take`.
    pub(super) fn each_under<E>(
        &self,
        other: Option<&IdentityPolicy>,
        mut take: impl FnMut(Unjudged) -> Result<(), E>,
    ) -> Result<Option<CacheError>, E> {
        let (findings, trouble) = self.findings();
        let keys_of = |policy| Keys::of(policy, self.repository.deadline());
        let engine = Engine {
            verifier: &self.verifier,
            hash: self.hash,
            findings: findings.as_ref(),
            keys: keys_of(&self.policy),
            other: other.map(|policy| Other { keys: keys_of(policy) }),
            merges: &self.merges,
            alike: self.alike(),
            once: self.selection.once,
        };
        let look = |batch: &[Verified]| self.prepare_squashes(batch);
        engine.run(&self.repository, &self.selection.selected, look, |verified| {
            let Verified { position, found, verdict, by_other, cached } = verified;
            let completed = match &found.content {
                Ok(object) if verdict.wants_log_entry() => self.completed(&found, &self.split(object), verdict),
                Ok(_) | Err(_) => Completed::of(verdict),
            };
            take(Unjudged { found, completed, by_other: by_other.map(Completed::of), position, cached })
        })?;
        Ok(trouble.or_else(|| findings.as_ref()?.finish().err()))
    }

    /// For each argument the first one that names the same ref, or none like it.
    fn alike(&self) -> Vec<usize> {
        let mut first = HashMap::new();
        let positions = 0..self.selection.selected.len();
        positions.map(|position| *first.entry(self.reference(position)).or_insert(position)).collect()
    }

    /// The ref that the argument at `position` names.
    fn reference(&self, position: usize) -> Option<&str> {
        match self.selection.references.get(position) {
            Some(reference) => Some(reference),
            None => self.surroundings.reference(position),
        }
    }

    /// What earlier runs found, unless it is not wanted, or cannot be used: why.
    fn findings(&self) -> (Option<Findings>, Option<CacheError>) {
        if self.request.no_cache {
            return (None, None);
        }
        match Findings::of(&self.verifier, &self.settings.folders) {
            Ok(findings) => (findings, None),
            Err(error) => (None, Some(error)),
        }
    }

    /// Whether logs may be asked.
    pub(super) fn asks_network(&self) -> bool {
        self.online.is_some()
    }

    /// `verdict` with what is known of the object outside it.
    pub(super) fn completed(&self, found: &FoundObject, object: &SignedObject, verdict: Verdict) -> Completed {
        let Ok(armor) = object.signature() else { return Completed::of(verdict) };
        let object = outside_evidence::Object { payload: &object.payload, armor };
        let mut online = self.online.as_ref().map(RefCell::borrow_mut);
        complete(&self.verifier, verdict, object, Some((&self.repository, found.id)), online.as_deref_mut())
    }

    /// A commit or tag, taken apart as the repository's Git does.
    pub(super) fn split(&self, object: &RawObject) -> SignedObject {
        SignedObject::parse(object.kind, self.hash, &object.bytes)
    }
}

/// An object that was verified, and that no policy was asked about yet.
pub(super) struct Unjudged {
    pub(super) found: FoundObject,
    pub(super) completed: Completed,
    /// What `completed` is under the keys of the other policy, where those have a say.
    pub(super) by_other: Option<Completed>,
    /// Which argument named it.
    pub(super) position: usize,
    pub(super) cached: bool,
}
