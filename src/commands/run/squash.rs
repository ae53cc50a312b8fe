//! Whether a commit that a forge signed is a head that it squashed: a head that is good itself, whose merge gives the commit's
//! tree.
//!
//! The head's own commits are verified and judged like all others, by the same policy and for the same ref. One of them may
//! be a squash, too, but nothing is proven by itself: what is being proven proves nothing meanwhile.

use super::Run;
use super::by_key::Keys;
use super::engine::{Engine, Verified};
use super::squashes::{Squashes, Unproven};
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
            let Ok(heads) = self.surroundings.squashes.heads(&self.repository) else { return };
            let (likely, _others) = likely_and_others(&heads.all, found, *parent, tree);
            let (_on_parent, beside) = on_and_beside(&self.repository, &likely, *parent, tree);
            pairs.extend(beside.into_iter().map(|head| (*parent, head.id)));
        }
        if pairs.len() > 1 && Squashes::spend(&self.surroundings.squashes.prepared, pairs.len(), MAX_MERGES).is_ok() {
            self.merges.prepare(pairs);
        }
    }
}

/// A search for one commit.
pub(super) struct Search<'r> {
    pub(super) run: &'r Run<'r>,
    pub(super) policy: &'r IdentityPolicy,
    pub(super) surroundings: &'r Surroundings,
    /// Of the argument that named the commit.
    pub(super) position: usize,
    /// Whether the commit changes the policy file: then all who had a part in it must be let to.
    pub(super) changes_policy: Option<bool>,
}

/// What was found before there is a proof.
#[derive(Default)]
struct Tried {
    count: usize,
    not_admitted: Option<NoSquash>,
    /// By the first head that was merged to another one.
    other_tree: Option<NoSquash>,
    unknown: Option<String>,
}

impl Search<'_> {
    /// Whether `found`, which has this one parent and this tree, is a head that was squashed onto that parent.
    pub(super) fn squash(&self, found: &FoundObject, parent: ObjectId, tree: ObjectId) -> Squash {
        let Squashes { open, is_circular, .. } = &self.surroundings.squashes;
        if open.borrow().contains(&found.id) {
            is_circular.set(true);
            return Squash::Not(NoSquash::Itself);
        }
        if open.borrow().len() >= MAX_DEPTH {
            return Squash::Unknown(format!("it takes more than {MAX_DEPTH} squashes of squashes"));
        }
        open.borrow_mut().push(found.id);
        let squash = self.search(found, parent, tree);
        open.borrow_mut().pop();
        squash
    }

    fn search(&self, found: &FoundObject, parent: ObjectId, tree: ObjectId) -> Squash {
        let repository = &self.run.repository;
        let known = match self.surroundings.squashes.heads(repository) {
            Ok(heads) => heads,
            Err(why) => return Squash::Unknown(why.clone()),
        };
        let (likely, mut others) = likely_and_others(&known.all, found, parent, tree);
        let heads = likely.len() + others.len();
        let mut tried = Tried::default();
        if let Some(head) = self.first_proving(&likely, parent, tree, &mut tried) {
            return Squash::Of(head);
        }
        if let Some((path, entry)) = repository.first_change(parent, tree) {
            let mut trees = self.surroundings.squashes.trees.borrow_mut();
            others.sort_by_cached_key(|head| !repository.has_at(&mut trees, head.tree, &path, entry));
        }
        others.truncate(MAX_OTHERS);
        // That they give other trees says nothing of these.
        let differing = tried.other_tree.take();
        if let Some(head) = self.first_proving(&others, parent, tree, &mut tried) {
            return Squash::Of(head);
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

    /// The first of `heads` that proves the squash.
    fn first_proving(
        &self,
        heads: &[&Head],
        parent: ObjectId,
        tree: ObjectId,
        tried: &mut Tried,
    ) -> Option<SquashedHead> {
        let repository = &self.run.repository;
        let (on_parent, beside) = on_and_beside(repository, heads, parent, tree);
        let pairs: Vec<_> = beside.iter().map(|head| (parent, head.id)).collect();
        tried.count += heads.len();
        for head in on_parent {
            if let Some(head) = self.proving(head, parent, tried) {
                return Some(head);
            }
        }
        if let Err(why) = Squashes::spend(&self.surroundings.squashes.merges, pairs.len(), MAX_MERGES) {
            tried.unknown.get_or_insert(why);
            return None;
        }
        let tree = tree.to_string();
        for (head, merged) in beside.iter().zip(self.run.merges.all(&pairs)) {
            match merged {
                Ok(Some(merged)) if merged == tree => {
                    if let Some(head) = self.proving(head, parent, tried) {
                        return Some(head);
                    }
                }
                Ok(merged) => {
                    let head = shown(head);
                    tried.other_tree.get_or_insert(NoSquash::OtherTree { head, conflicts: merged.is_none() });
                }
                // Git does not merge what has nothing in common.
                Err(_) if repository.are_strangers(parent, head.id) == Some(true) => {}
                Err(error) => {
                    tried.unknown.get_or_insert(error.to_string());
                }
            }
        }
        None
    }

    /// The head, if each commit of it is admitted.
    fn proving(&self, head: &Head, parent: ObjectId, tried: &mut Tried) -> Option<SquashedHead> {
        let shown = shown(head);
        match self.prove(head.id, parent) {
            Ok(()) => return Some(shown),
            Err(Unproven::Nothing) => {}
            Err(Unproven::Not(commit, why)) => {
                tried.not_admitted.get_or_insert(NoSquash::NotAdmitted { head: shown, commit, why });
            }
            Err(Unproven::Unknown(why)) => {
                tried.unknown.get_or_insert(format!("{shown}: {why}"));
            }
        }
        None
    }

    /// Whether each commit of a head that is not in the history of `parent` is admitted.
    pub(super) fn prove(&self, head: ObjectId, parent: ObjectId) -> Result<(), Unproven> {
        let Run { repository, verifier, hash, merges, .. } = self.run;
        let squashes = &self.surroundings.squashes;
        let keys = Keys::with(self.policy, repository.deadline(), &squashes.ring);
        let findings = squashes.findings.get_or_init(|| self.run.findings().0).as_ref();
        let (alike, once, other) = (Vec::new(), false, None);
        let engine = Engine { verifier, hash: *hash, findings, keys, other, merges, alike, once };
        let own = [Selected::History { hidden: vec![parent], tips: vec![head] }];
        let mut is_empty = true;
        engine.run(
            repository,
            &own,
            |_batch| (),
            |verified| {
                is_empty = false;
                Squashes::spend(&squashes.commits, 1, MAX_COMMITS).map_err(Unproven::Unknown)?;
                self.admitted(verified)
            },
        )?;
        if is_empty { Err(Unproven::Nothing) } else { Ok(()) }
    }

    /// Whether the policy admits a commit of a head: not merely that nothing is wrong with it.
    fn admitted(&self, Verified { found, verdict, .. }: Verified) -> Result<(), Unproven> {
        let Squashes { known, is_circular, .. } = &self.surroundings.squashes;
        let name = (self.position, found.id, self.changes_policy);
        if let Some(known) = known.borrow().get(&name) {
            return known.clone();
        }
        let was_circular = is_circular.replace(false);
        let completed = match &found.content {
            Ok(object) => self.run.completed(&found, &self.run.split(object), verdict),
            Err(_unreadable) => Completed::of(verdict),
        };
        let judged = self.run.judged_within(self, &found, completed);
        let short = found.id.to_hex_with_len(SHORT_ID).to_string();
        let detail = judged.detail().unwrap_or_default();
        let answer = match (&judged.allowed, &judged.verdict) {
            (Allowed::Yes(_), Verdict::Verified(_) | Verdict::VerifiedByKey(_)) => Ok(()),
            (Allowed::Exempt(_), _) => Err(Unproven::Not(short, format!("is exempt, which admits nothing: {detail}"))),
            (Allowed::No(Some((_, Mismatch::ChangesPolicy))), _) => {
                Err(Unproven::Not(short, "is by somebody who may not change the policy file".to_owned()))
            }
            (Allowed::CannotTell { .. }, _) => Err(Unproven::Unknown(format!("{short}: {detail}"))),
            (Allowed::AnyIdentity | Allowed::NobodyAsked | Allowed::Yes(_), Verdict::Undecided(_)) => {
                Err(Unproven::Unknown(format!("{short}: {detail}")))
            }
            _ => Err(Unproven::Not(short, format!("is not allowed: {detail}"))),
        };
        // What hangs on what is being proven may be otherwise elsewhere.
        if answer.is_ok() || !is_circular.get() {
            known.borrow_mut().insert(name, answer.clone());
        }
        is_circular.set(is_circular.get() || was_circular);
        answer
    }
}

/// The heads that have the tree of `found` or the number behind its subject, and all others.
fn likely_and_others<'h>(
    heads: &'h [Head],
    found: &FoundObject,
    parent: ObjectId,
    tree: ObjectId,
) -> (Vec<&'h Head>, Vec<&'h Head>) {
    let number = found.content.as_ref().ok().and_then(|raw| number(Description::of(raw.kind, &raw.bytes).subject));
    let is_likely = |head: &&Head| head.tree == tree || number.is_some_and(|number| head.is_of_request(number));
    let (mut likely, mut others): (Vec<_>, Vec<_>) =
        heads.iter().filter(|head| head.id != found.id && head.id != parent).partition(is_likely);
    others.extend(likely.drain(MAX_LIKELY.min(likely.len())..));
    (likely, others)
}

/// Those that stand on the parent, which are merged to themselves, and those for which Git is asked.
fn on_and_beside<'h>(
    repository: &Repository,
    heads: &[&'h Head],
    parent: ObjectId,
    tree: ObjectId,
) -> (Vec<&'h Head>, Vec<&'h Head>) {
    heads.iter().copied().partition(|head| head.tree == tree && repository.stands_on(head.id, parent))
}

fn shown(head: &Head) -> SquashedHead {
    SquashedHead { id: head.id.to_string(), reference: head.reference.clone() }
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
/// Merges of heads in one run: some minutes.
const MAX_MERGES: usize = 1 << 16;
/// Commits of heads in one run.
const MAX_COMMITS: usize = 1 << 18;
/// Squashes of squashes of squashes are nobody's work.
const MAX_DEPTH: usize = 8;
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
