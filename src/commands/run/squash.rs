//! Whether a commit that a forge signed is a head that it squashed: a head that is good itself, whose merge gives the commit's
//! tree.
//!
//! The head's own commits are verified and judged like all others, by the same policy and for the same ref. One of them may
//! be a squash, too, but nothing is proven by itself: what is being proven proves nothing meanwhile.

use super::Run;
use super::by_key::Keys;
use super::engine::{Engine, Verified};
use super::squashes::{Open, Squashes, Unproven};
use super::surroundings::Surroundings;
use crate::commands::outside_evidence::Completed;
use crate::git::description::Description;
use crate::git::repository::{FoundObject, Head, ObjectId, Selected};
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
            let Candidates { beside, .. } = Candidates::among(&heads.all, self, found, *parent, tree);
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
struct Tried<'h> {
    count: usize,
    not_admitted: Option<NoSquash>,
    /// Heads that were merged to another one, and whether with a conflict.
    other_trees: Vec<(&'h Head, bool)>,
    unknown: Option<String>,
}

impl Search<'_> {
    /// Whether `found`, which has this one parent and this tree, is a head that was squashed onto that parent.
    ///
    /// What fails while something is being proven may only have waited for that. So the search begins again as long as it
    /// proves something that it could not use when it was wanted: what can be proven is proven in the end, and each commit is
    /// looked at once in a round.
    pub(super) fn squash(&self, found: &FoundObject, parent: ObjectId, tree: ObjectId) -> Squash {
        let Squashes { open, is_circular, proven, waiting, .. } = &self.surroundings.squashes;
        if !open.borrow().is_empty() {
            return self.within_others(found, parent, tree);
        }
        loop {
            let before = proven.get();
            let squash = self.within_others(found, parent, tree);
            waiting.borrow_mut().clear();
            let waited = is_circular.replace(false);
            if !waited || proven.get() == before || matches!(squash, Squash::Of(_)) {
                return squash;
            }
        }
    }

    fn within_others(&self, found: &FoundObject, parent: ObjectId, tree: ObjectId) -> Squash {
        let Squashes { open, is_circular, .. } = &self.surroundings.squashes;
        // What would prove its twin proves it as well.
        let is_open =
            open.borrow().iter().any(|open| open.id == found.id || (open.parent, open.tree) == (parent, tree));
        if is_open {
            is_circular.set(true);
            return Squash::Not(NoSquash::Itself);
        }
        if open.borrow().len() >= MAX_DEPTH {
            is_circular.set(true);
            return Squash::Unknown(format!("it takes more than {MAX_DEPTH} squashes of squashes"));
        }
        open.borrow_mut().push(Open { id: found.id, parent, tree });
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
        let Candidates { on_parent, beside, mut others } = Candidates::among(&known.all, self.run, found, parent, tree);
        let heads = on_parent.len() + beside.len() + others.len();
        let mut tried = Tried { count: on_parent.len(), ..Tried::default() };
        for head in on_parent {
            if let Some(head) = self.proving(head, parent, &mut tried) {
                return Squash::Of(head);
            }
        }
        if let Some(head) = self.first_proving(&beside, parent, tree, &mut tried) {
            return Squash::Of(head);
        }
        if let Some((path, entry)) = repository.first_change(parent, tree) {
            let mut trees = self.surroundings.squashes.trees.borrow_mut();
            let date = found.date().unwrap_or_default();
            others.sort_by_cached_key(|head| {
                let has = repository.has_at(&mut trees, head.tree, &path, entry);
                let is_named = self.surroundings.squashes.names(head.id);
                // What came later has it from here; of what came before, the last one is the likeliest.
                (head.date > date.saturating_add(CLOCKS), !is_named, !has, head.date.abs_diff(date))
            });
        }
        others.truncate(MAX_OTHERS);
        // That they give other trees says nothing of these; nor that one conflicts that has the tree alone, as the work has that
        // a revert goes back to.
        let request = request(found);
        let is_meant = |head: &Head| self.surroundings.squashes.names(head.id) || is_of(request, head);
        let differing = tried.other_trees.iter().find(|(head, conflicts)| !conflicts || is_meant(head));
        let differing =
            differing.map(|(head, conflicts)| NoSquash::OtherTree { head: shown(head), conflicts: *conflicts });
        let (first, rest) = others.split_at(FIRST_OTHERS.min(others.len()));
        for others in [first, rest] {
            if let Some(head) = self.first_proving(others, parent, tree, &mut tried) {
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
    fn first_proving<'h>(
        &self,
        heads: &[&'h Head],
        parent: ObjectId,
        tree: ObjectId,
        tried: &mut Tried<'h>,
    ) -> Option<SquashedHead> {
        let pairs: Vec<_> = heads.iter().map(|head| (parent, head.id)).collect();
        tried.count += heads.len();
        if let Err(why) = Squashes::spend(&self.surroundings.squashes.merges, pairs.len(), MAX_MERGES) {
            tried.unknown.get_or_insert(why);
            return None;
        }
        let tree = tree.to_string();
        for (head, merged) in heads.iter().zip(self.run.merges.all(&pairs)) {
            match merged {
                Ok(Some(merged)) if merged == tree => {
                    if let Some(head) = self.proving(head, parent, tried) {
                        return Some(head);
                    }
                }
                Ok(merged) => tried.other_trees.push((head, merged.is_none())),
                // Git does not merge what has nothing in common.
                Err(_) if self.run.repository.are_strangers(parent, head.id) == Some(true) => {}
                Err(error) => {
                    tried.unknown.get_or_insert(error.to_string());
                }
            }
        }
        None
    }

    /// The head, if each commit of it is admitted.
    fn proving(&self, head: &Head, parent: ObjectId, tried: &mut Tried<'_>) -> Option<SquashedHead> {
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
        let Squashes { known, waiting, is_circular, proven, .. } = &self.surroundings.squashes;
        let name = (self.position, found.id, self.changes_policy);
        if let Some(known) = known.borrow().get(&name) {
            return known.clone();
        }
        if let Some(waiting) = waiting.borrow().get(&name) {
            is_circular.set(true);
            return waiting.clone();
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
        let place = if answer.is_ok() || !is_circular.get() { known } else { waiting };
        place.borrow_mut().insert(name, answer.clone());
        proven.set(proven.get() + usize::from(answer.is_ok()));
        is_circular.set(is_circular.get() || was_circular);
        answer
    }
}

/// The heads that may be what was squashed, those first that strangers can least put there: what was named in the run, what has
/// the tree and the number, the tree, the number.
struct Candidates<'h> {
    /// They stand on the parent and have the tree: to merge them changes nothing. However many there are.
    on_parent: Vec<&'h Head>,
    /// Some that have tree or number.
    beside: Vec<&'h Head>,
    others: Vec<&'h Head>,
}

impl<'h> Candidates<'h> {
    fn among(heads: &'h [Head], run: &Run<'_>, found: &FoundObject, parent: ObjectId, tree: ObjectId) -> Self {
        let request = request(found);
        let (mut likely, mut others): (Vec<_>, Vec<_>) = heads
            .iter()
            .filter(|head| head.id != found.id && head.id != parent)
            .partition(|head| head.tree == tree || is_of(request, head));
        let squashes = &run.surroundings.squashes;
        likely.sort_by_key(|head| (!squashes.names(head.id), head.tree != tree, !is_of(request, head)));
        let (on_parent, mut beside): (Vec<_>, Vec<_>) =
            likely.into_iter().partition(|head| head.tree == tree && run.repository.stands_on(head.id, parent));
        others.extend(beside.drain(MAX_LIKELY.min(beside.len())..));
        Self { on_parent, beside, others }
    }
}

/// The number of the request that a commit says it was.
fn request(found: &FoundObject) -> Option<u64> {
    let raw = found.content.as_ref().ok()?;
    number(Description::of(raw.kind, &raw.bytes).subject)
}

fn is_of(request: Option<u64>, head: &Head) -> bool {
    request.is_some_and(|number| head.is_of_request(number))
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
/// Of those the likeliest, before the rest is merged for nothing.
const FIRST_OTHERS: usize = 2;
/// Seconds by which one clock may be behind another.
const CLOCKS: i64 = 3_600;
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
