//! Whether a commit that a forge signed is a head that it squashed: a head that is good itself, whose merge gives the commit's
//! tree.
//!
//! The head's own commits are verified and judged like all others, by the same policy and for the same ref. One of them may
//! be a squash, too, but nothing is proven by itself: what is being proven proves nothing meanwhile.

use super::Run;
use super::by_key::Keys;
use super::engine::{Engine, Verified};
use super::proofs::{MAX_DEPTH, Refused};
use super::squashes::{Asked, Squashes, Unproven, Wanted};
use super::surroundings::Surroundings;
use crate::commands::outside_evidence::Completed;
use crate::git::description::Description;
use crate::git::repository::{FoundObject, Head, ObjectId, Repository, Selected};
use crate::policy::{Allowed, IdentityPolicy, Mismatch, NoSquash, Shape, Squash, SquashedHead};
use crate::verify::Verdict;

impl Run<'_> {
    /// Makes the merges that the squashes in a batch will ask for first, with one process of Git for all of them.
    pub(super) fn prepare_squashes(&self, batch: &[Verified]) {
        let IdentityPolicy::File(policy) = &self.policy else { return };
        if !policy.knows_squashes() {
            return;
        }
        let mut pairs = Vec::new();
        for Verified { found, verdict, .. } in batch {
            let (Verdict::VerifiedByKey(signature), Ok(raw)) = (verdict, &found.content) else { continue };
            let committer = Description::of(raw.kind, &raw.bytes).committer_email();
            let Some((parents, tree)) = found.parents_and_tree() else { continue };
            let ([parent], true) = (parents.as_slice(), policy.asks_for(Shape::Squash, signature, committer)) else {
                continue;
            };
            let squashes = &self.surroundings.squashes;
            let Ok(heads) = squashes.heads(&self.repository) else { return };
            let claim = Claim { parent: *parent, tree, request: request(found) };
            let Candidates { beside, .. } = Candidates::among(&heads.all, &self.repository, squashes, found.id, claim);
            pairs.extend(beside.into_iter().map(|head| (*parent, head.id)));
        }
        if pairs.len() > 1 && self.surroundings.squashes.prepared.spend(pairs.len()).is_ok() {
            self.merges.prepare(pairs);
        }
    }
}

/// What one object is judged by, and as a part of what: a search for heads asks the same of each of their commits.
pub(super) struct Search<'r> {
    pub(super) run: &'r Run<'r>,
    pub(super) policy: &'r IdentityPolicy,
    pub(super) surroundings: &'r Surroundings,
    /// Position of the argument that named the object, or what it is a part of.
    pub(super) position: usize,
    /// Whether what it is a part of changes the policy file: then all who had a part in that must be let to.
    pub(super) changes_policy: Option<bool>,
}

/// What a commit is, if it is a squash.
#[derive(Clone, Copy)]
struct Claim {
    /// What the head was merged into.
    parent: ObjectId,
    /// What that gave.
    tree: ObjectId,
    /// The number of the request that the commit says it was.
    request: Option<u64>,
}

impl Claim {
    fn is_of(&self, head: &Head) -> bool {
        self.request.is_some_and(|number| head.as_request(number).is_some())
    }

    /// A head, by the ref of the request if that leads there.
    fn shown(&self, head: &Head) -> SquashedHead {
        let as_request = self.request.and_then(|number| head.as_request(number));
        let reference = as_request.or(head.references.first().map(String::as_str));
        SquashedHead { id: head.id.to_string(), reference: reference.map(str::to_owned) }
    }
}

/// What was found before there is a proof.
#[derive(Default)]
struct Tried<'h> {
    count: usize,
    not_admitted: Option<NoSquash>,
    /// Heads that were merged to another one, and whether with a conflict.
    other_trees: Vec<(&'h Head, bool)>,
    unknown: Option<String>,
}

impl<'r> Search<'r> {
    /// For what the argument at `position` names, by itself.
    pub(super) fn of(
        run: &'r Run<'r>,
        policy: &'r IdentityPolicy,
        surroundings: &'r Surroundings,
        position: usize,
    ) -> Self {
        Self { run, policy, surroundings, position, changes_policy: Some(false) }
    }

    /// Whether `found`, which has this one parent and this tree, is a head that was squashed onto that parent.
    pub(super) fn squash(&self, found: &FoundObject, parent: ObjectId, tree: ObjectId) -> Squash {
        let wanted = Wanted { id: found.id, squash: Some((parent, tree)) };
        // What would prove its twin proves it as well.
        let stands_for = |open: &Wanted| open.id == found.id || open.squash == Some((parent, tree));
        let claim = Claim { parent, tree, request: request(found) };
        let search = || self.search(found, claim);
        let holds = |squash: &Squash| matches!(squash, Squash::Of(_));
        match self.surroundings.squashes.proofs.prove(wanted, stands_for, search, holds) {
            Ok(squash) => squash,
            Err(Refused::IsOpen) => Squash::Not(NoSquash::Itself),
            Err(Refused::TooDeep) => Squash::Unknown(too_deep()),
        }
    }

    /// Whether a merge that gives the policy file as neither side has it is one that the policy admits: each side had a part
    /// in it, whichever of them stands first.
    pub(super) fn merge(&self, found: &FoundObject, ours: ObjectId, theirs: ObjectId) -> Result<(), Unproven> {
        let wanted = Wanted { id: found.id, squash: None };
        let sides = || self.prove_each([(theirs, ours), (ours, theirs)]);
        match self.surroundings.squashes.proofs.prove(wanted, |open| open.id == found.id, sides, Result::is_ok) {
            Ok(proven) => proven,
            Err(Refused::IsOpen) => Err(Unproven::Not { commit: short(found.id), why: NoSquash::Itself.to_string() }),
            Err(Refused::TooDeep) => Err(Unproven::Unknown(too_deep())),
        }
    }

    fn search(&self, found: &FoundObject, claim: Claim) -> Squash {
        let repository = &self.run.repository;
        let known = match self.surroundings.squashes.heads(repository) {
            Ok(heads) => heads,
            Err(why) => return Squash::Unknown(why.clone()),
        };
        let Candidates { on_parent, beside, mut others } =
            Candidates::among(&known.all, repository, &self.surroundings.squashes, found.id, claim);
        let heads = on_parent.len() + beside.len() + others.len();
        let mut tried = Tried { count: on_parent.len(), ..Tried::default() };
        for head in on_parent {
            if let Some(head) = self.proving(head, claim, &mut tried) {
                return Squash::Of(head);
            }
        }
        if let Some(head) = self.first_proving(&beside, claim, &mut tried) {
            return Squash::Of(head);
        }
        if let Some((path, entry)) = repository.first_change(claim.parent, claim.tree) {
            let mut trees = self.surroundings.squashes.trees.borrow_mut();
            let date = found.date().unwrap_or_default();
            others.sort_by_cached_key(|head| {
                let has = repository.has_at(&mut trees, head.tree, &path, entry);
                let is_named = self.surroundings.squashes.is_selected(head.id);
                // What came later has it from here; of what came before, the last one is the likeliest.
                (head.date > date.saturating_add(CLOCKS), !is_named, !has, head.date.abs_diff(date))
            });
        }
        others.truncate(MAX_OTHERS);
        // That they give other trees says nothing of these; nor that one conflicts that has the tree alone, as the work has that
        // a revert goes back to.
        let is_meant = |head: &Head| self.surroundings.squashes.is_selected(head.id) || claim.is_of(head);
        let differing = tried.other_trees.iter().find(|(head, conflicts)| !conflicts || is_meant(head));
        let differing =
            differing.map(|(head, conflicts)| NoSquash::OtherTree { head: claim.shown(head), conflicts: *conflicts });
        let (first, rest) = others.split_at(FIRST_OTHERS.min(others.len()));
        for others in [first, rest] {
            if let Some(head) = self.first_proving(others, claim, &mut tried) {
                return Squash::Of(head);
            }
        }
        let Tried { count, not_admitted, unknown, .. } = tried;
        match (unknown, not_admitted.or(differing)) {
            (Some(why), _) => Squash::Unknown(why),
            (None, _) if known.lacks_some => Squash::Unknown("a ref leads to what cannot be read".to_owned()),
            (None, _) if repository.is_shallow() => Squash::Unknown("a shallow clone may lack the head".to_owned()),
            (None, Some(no)) => Squash::Not(no),
            (None, None) => Squash::Not(NoSquash::NoHead { heads, tried: count }),
        }
    }

    /// The first of `heads` whose merge proves the squash.
    fn first_proving<'h>(&self, heads: &[&'h Head], claim: Claim, tried: &mut Tried<'h>) -> Option<SquashedHead> {
        let pairs: Vec<_> = heads.iter().map(|head| (claim.parent, head.id)).collect();
        if let Err(why) = self.surroundings.squashes.merges.spend(pairs.len()) {
            tried.unknown.get_or_insert(why);
            return None;
        }
        tried.count += heads.len();
        let tree = claim.tree.to_string();
        for (head, merged) in heads.iter().zip(self.run.merges.all(&pairs)) {
            match merged {
                Ok(Some(merged)) if merged == tree => {
                    if let Some(head) = self.proving(head, claim, tried) {
                        return Some(head);
                    }
                }
                Ok(merged) => tried.other_trees.push((head, merged.is_none())),
                // Git does not merge what has nothing in common.
                Err(_) if self.run.repository.are_strangers(claim.parent, head.id) == Some(true) => {}
                Err(error) => {
                    tried.unknown.get_or_insert(error.to_string());
                }
            }
        }
        None
    }

    /// The head, if it is good.
    fn proving(&self, head: &Head, claim: Claim, tried: &mut Tried<'_>) -> Option<SquashedHead> {
        let shown = claim.shown(head);
        match self.is_good(head.id, claim) {
            Ok(()) => return Some(shown),
            Err(Unproven::Nothing) => {}
            Err(Unproven::Not { commit, why }) => {
                tried.not_admitted.get_or_insert(NoSquash::NotAdmitted { head: shown, commit, why });
            }
            Err(Unproven::Unknown(why)) => {
                tried.unknown.get_or_insert(format!("{shown}: {why}"));
            }
        }
        None
    }

    /// Whether each commit of a head is admitted; and of the parent, where the policy file comes out as neither has it.
    fn is_good(&self, head: ObjectId, Claim { parent, tree, .. }: Claim) -> Result<(), Unproven> {
        self.prove(head, parent)?;
        if self.changes_policy == Some(false) {
            return Ok(());
        }
        match self.run.repository.has_of_its_own(tree, [parent, head], &self.surroundings.paths) {
            Some(false) => Ok(()),
            Some(true) => self.prove_each([(parent, head)]),
            None => Err(Unproven::Unknown("what it does to the policy file cannot be read".to_owned())),
        }
    }

    /// Whether of each two commits the first brings in nothing that is not admitted.
    fn prove_each<const N: usize>(&self, sides: [(ObjectId, ObjectId); N]) -> Result<(), Unproven> {
        sides.into_iter().try_for_each(|(head, parent)| match self.prove(head, parent) {
            Err(Unproven::Nothing) => Ok(()),
            proven => proven,
        })
    }

    /// Whether each commit of a head that is not in the history of `parent` is admitted.
    fn prove(&self, head: ObjectId, parent: ObjectId) -> Result<(), Unproven> {
        let Run { repository, verifier, hash, merges, .. } = self.run;
        let squashes = &self.surroundings.squashes;
        let (mut is_empty, mut new) = (true, Vec::new());
        for read in repository.unhashed_objects(&[Selected::History { hidden: vec![parent], tips: vec![head] }]) {
            is_empty = false;
            squashes.commits.spend(1).map_err(Unproven::Unknown)?;
            match squashes.proofs.known(&self.asked(read.id())) {
                Some(known) => known?,
                None => new.push(Selected::Object(read.id())),
            }
        }
        let keys = Keys::with(self.policy, repository.deadline(), &squashes.ring);
        let findings = squashes.findings.get_or_init(|| self.run.findings().0).as_ref();
        let (alike, once, other) = (Vec::new(), false, None);
        let engine = Engine { verifier, hash: *hash, findings, keys, other, merges, alike, once };
        engine.run(repository, &new, |_batch| (), |verified| self.admitted(verified))?;
        if is_empty { Err(Unproven::Nothing) } else { Ok(()) }
    }

    /// Whether the policy admits a commit of a head: not merely that nothing is wrong with it.
    fn admitted(&self, Verified { found, verdict, .. }: Verified) -> Result<(), Unproven> {
        self.surroundings.squashes.proofs.answer(self.asked(found.id), || {
            let completed = match &found.content {
                Ok(object) => self.run.completed(&found, &self.run.split(object), verdict),
                Err(_unreadable) => Completed::of(verdict),
            };
            let judged = self.run.judged_within(self, &found, completed);
            let detail = judged.detail().unwrap_or_default();
            let commit = short(found.id);
            let not = |why| Err(Unproven::Not { commit: commit.clone(), why });
            match (&judged.allowed, &judged.verdict) {
                (Allowed::Yes(_), Verdict::Verified(_) | Verdict::VerifiedByKey(_)) => Ok(()),
                (Allowed::Exempt(_), _) => not(format!("is exempt, which admits nothing: {detail}")),
                (Allowed::No(Some((_, Mismatch::ChangesPolicy))), _) => {
                    not("is by somebody who may not change the policy file".to_owned())
                }
                (Allowed::CannotTell { .. }, _) => Err(Unproven::Unknown(format!("{commit}: {detail}"))),
                (Allowed::AnyIdentity | Allowed::NobodyAsked | Allowed::Yes(_), Verdict::Undecided(_)) => {
                    Err(Unproven::Unknown(format!("{commit}: {detail}")))
                }
                _ => not(format!("is not allowed: {detail}")),
            }
        })
    }

    fn asked(&self, commit: ObjectId) -> Asked {
        (self.position, commit, self.changes_policy)
    }
}

/// The heads that may be what was squashed, those first that strangers can least put there: only the forge gives a request its
/// number, and anybody can copy a tree.
struct Candidates<'h> {
    /// They stand on the parent and have the tree: to merge them changes nothing. However many there are.
    on_parent: Vec<&'h Head>,
    /// Some that have tree or number.
    beside: Vec<&'h Head>,
    others: Vec<&'h Head>,
}

impl<'h> Candidates<'h> {
    fn among(heads: &'h [Head], repository: &Repository, squashes: &Squashes, own: ObjectId, claim: Claim) -> Self {
        let Claim { parent, tree, .. } = claim;
        let (mut likely, mut others): (Vec<_>, Vec<_>) = heads
            .iter()
            .filter(|head| head.id != own && head.id != parent)
            .partition(|head| head.tree == tree || claim.is_of(head));
        likely.sort_by_key(|head| (!claim.is_of(head), !squashes.is_selected(head.id), head.tree != tree));
        let (on_parent, mut beside): (Vec<_>, Vec<_>) =
            likely.into_iter().partition(|head| head.tree == tree && repository.stands_on(head.id, parent));
        others.extend(beside.drain(MAX_LIKELY.min(beside.len())..));
        Self { on_parent, beside, others }
    }
}

/// The number of the request that a commit says it was.
fn request(found: &FoundObject) -> Option<u64> {
    let raw = found.content.as_ref().ok()?;
    number(Description::of(raw.kind, &raw.bytes).subject())
}

fn short(id: ObjectId) -> String {
    id.to_hex_with_len(SHORT_ID).to_string()
}

fn too_deep() -> String {
    format!("it takes more than {MAX_DEPTH} squashes or merges that rest on one another")
}

/// The number of a pull request behind the subject, as forges write it there: `(#123)`. A hint where to look first.
fn number(subject: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(subject).ok()?;
    text.trim_end().strip_suffix(')')?.rsplit_once("(#")?.1.parse().ok()
}

/// Heads that have the tree, or the number of the request.
const MAX_LIKELY: usize = 32;
/// Others: Git merges as many in some ten milliseconds.
const MAX_OTHERS: usize = 32;
/// Of those the likeliest, before the rest is merged for nothing.
const FIRST_OTHERS: usize = 2;
/// Seconds by which one clock may be behind another.
const CLOCKS: i64 = 3_600;
const SHORT_ID: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_where_forges_write_it() {
        for (subject, expected) in [
            ("Fix it (#12)", Some(12)),
            ("Revert \"Fix it (#12)\" (#13)", Some(13)),
            ("Fix it (#12) ", Some(12)),
            ("Fix #12", None),
            ("Fix (#12) again", None),
            ("Fix (#x)", None),
            ("(#99999999999999999999999)", None),
            ("", None),
        ] {
            assert_eq!(number(subject.as_bytes()), expected, "{subject}");
        }
    }
}
