//! Proofs that may ask for one another: that a squash, or a merge of the policy file, is worth what its commits are worth.
//!
//! What is being proven proves nothing meanwhile. What fails for want of it may only have waited for it: that is kept aside
//! until the outermost proof is done, which begins again as long as a round proved something. So whatever can be proven is in
//! the end, and in a round each commit is judged once.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::Hash;

/// What is known, and what is being proven. `W` is something that is to be proven, `A` a commit that is judged for it, and
/// `E` why it is not good.
pub(super) struct Proofs<W, A, E>(RefCell<State<W, A, E>>);

struct State<W, A, E> {
    /// Each for the one before it.
    open: Vec<W>,
    known: HashMap<A, Result<(), E>>,
    /// Failures that may have waited for what is open.
    waiting: HashMap<A, Result<(), E>>,
    /// Whether something was looked at since this was last false that hung on what is open.
    has_waited: bool,
    proven: usize,
}

/// Why nothing was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// That, or what stands for it, is being proven.
    IsOpen,
    /// Proofs of proofs of proofs are nobody's work.
    TooDeep,
}

impl<W, A, E> Default for Proofs<W, A, E> {
    fn default() -> Self {
        let (known, waiting) = (HashMap::new(), HashMap::new());
        Self(RefCell::new(State { open: Vec::new(), known, waiting, has_waited: false, proven: 0 }))
    }
}

impl<W, A: Eq + Hash, E: Clone> Proofs<W, A, E> {
    /// What `search` finds for `wanted`, once nothing that it asks for waits any more, or `holds` says that it is enough.
    /// `stands_for` says of what is being proven whether it would prove this, too.
    ///
    /// # Errors
    /// [`Refused`]
    pub(super) fn prove<T>(
        &self,
        wanted: W,
        stands_for: impl Fn(&W) -> bool,
        mut search: impl FnMut() -> T,
        holds: impl Fn(&T) -> bool,
    ) -> Result<T, Refused> {
        let refused = {
            let State { open, .. } = &*self.0.borrow();
            let is_open = open.iter().any(stands_for).then_some(Refused::IsOpen);
            is_open.or((open.len() >= MAX_DEPTH).then_some(Refused::TooDeep))
        };
        if let Some(refused) = refused {
            self.0.borrow_mut().has_waited = true;
            return Err(refused);
        }
        let is_outermost = {
            let mut state = self.0.borrow_mut();
            state.open.push(wanted);
            state.open.len() == 1
        };
        let found = loop {
            let before = self.0.borrow().proven;
            let found = search();
            if !is_outermost {
                break found;
            }
            let mut state = self.0.borrow_mut();
            state.waiting.clear();
            let has_waited = std::mem::take(&mut state.has_waited);
            if !has_waited || state.proven == before || holds(&found) {
                break found;
            }
        };
        self.0.borrow_mut().open.pop();
        Ok(found)
    }

    /// What is known of a commit for good.
    pub(super) fn known(&self, asked: &A) -> Option<Result<(), E>> {
        self.0.borrow().known.get(asked).cloned()
    }

    /// What is known of a commit, or what `judge` says, kept for as long as it holds.
    pub(super) fn answer(&self, asked: A, judge: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        if let Some(known) = self.known(&asked) {
            return known;
        }
        let had_waited = {
            let state = &mut *self.0.borrow_mut();
            if let Some(answer) = state.waiting.get(&asked) {
                state.has_waited = true;
                return answer.clone();
            }
            std::mem::take(&mut state.has_waited)
        };
        let answer = judge();
        let state = &mut *self.0.borrow_mut();
        let is_final = answer.is_ok() || !state.has_waited;
        let place = if is_final { &mut state.known } else { &mut state.waiting };
        place.insert(asked, answer.clone());
        state.proven += usize::from(answer.is_ok());
        state.has_waited |= had_waited;
        answer
    }
}

/// How many may be open.
pub(super) const MAX_DEPTH: usize = 8;

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Things that each need one of some sets of others, by which they are proven.
    struct World<'a> {
        proofs: Proofs<char, char, &'static str>,
        needs: &'a [(char, &'a [&'a str])],
        judged: Cell<usize>,
    }

    impl World<'_> {
        fn of<'a>(needs: &'a [(char, &'a [&'a str])]) -> World<'a> {
            World { proofs: Proofs::default(), needs, judged: Cell::new(0) }
        }

        fn is_proven(&self, wanted: char) -> Result<bool, Refused> {
            let sets = self.needs.iter().find(|(name, _)| *name == wanted).map_or(&[][..], |(_, sets)| sets);
            let is_good = |name| {
                let judge = || {
                    self.judged.set(self.judged.get() + 1);
                    self.is_proven(name).is_ok_and(|proven| proven).then_some(()).ok_or("no")
                };
                self.proofs.answer(name, judge).is_ok()
            };
            let search = || sets.iter().any(|set| set.chars().all(is_good));
            self.proofs.prove(wanted, |open| *open == wanted, search, |proven| *proven)
        }
    }

    #[test]
    fn nothing_proves_itself_and_what_can_be_proven_is() {
        for (needs, wanted, expected) in [
            (&[('a', &["b"][..]), ('b', &[""])][..], 'a', true),
            (&[('a', &["a"])], 'a', false),
            (&[('a', &["b"]), ('b', &["a"])], 'a', false),
            // b fails while a is open, and is wanted again once c is proven.
            (&[('a', &["b", "cb"]), ('b', &["a", "c"]), ('c', &[""])], 'a', true),
            (&[('a', &["bd"]), ('b', &["c"]), ('c', &["b", "d"]), ('d', &["b", "e"]), ('e', &[""])], 'a', true),
        ] {
            assert_eq!(World::of(needs).is_proven(wanted), Ok(expected), "{needs:?}");
        }
    }

    #[test]
    fn many_that_prove_each_other_by_turns_take_no_time() {
        let others = |own: char| ('a'..='h').filter(|other| *other != own).map(String::from).collect::<Vec<_>>();
        let sets: Vec<(char, Vec<String>)> = ('a'..='h').map(|own| (own, others(own))).collect();
        let words: Vec<(char, Vec<&str>)> =
            sets.iter().map(|(own, sets)| (*own, sets.iter().map(String::as_str).collect())).collect();
        let needs: Vec<(char, &[&str])> = words.iter().map(|(own, sets)| (*own, sets.as_slice())).collect();
        let world = World::of(&needs);
        assert_eq!(world.is_proven('a'), Ok(false));
        assert!(world.judged.get() <= 64, "{}", world.judged.get());
    }

    #[test]
    fn proofs_of_proofs_end_somewhere() {
        let chain: Vec<(char, String)> = ('a'..='z').zip('b'..).map(|(name, next)| (name, next.to_string())).collect();
        let sets: Vec<(char, [&str; 1])> = chain.iter().map(|(name, next)| (*name, [next.as_str()])).collect();
        let needs: Vec<(char, &[&str])> = sets.iter().map(|(name, set)| (*name, &set[..])).collect();
        let world = World::of(&needs);
        assert_eq!(world.is_proven('a'), Ok(false));
        assert_eq!(world.judged.get(), MAX_DEPTH);
    }
}
