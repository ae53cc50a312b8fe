//! What Git's merge makes of two commits: asked for many at once on the threads that verify, and for one where nobody did.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::git::HashKind;
use crate::git::repository::{Extent, MergeStore, ObjectId, Repository, ToMerge, Unmergeable};
use crate::merge_tree::{MergeTree, MergeTreeError};

/// The merges of a run.
pub(in crate::commands) struct Merges {
    repository: Mutex<Repository>,
    deadline: Option<Instant>,
    hash: HashKind,
    /// Those that nobody is at.
    workplaces: Mutex<Vec<Workplace>>,
    known: Mutex<Known>,
}

/// A tree, or none where there is a conflict. Its name is compared with that which a commit's signature covers; what stands under
/// that name in a store of objects is not read.
pub(in crate::commands) type Merged = Result<Option<String>, NotMerged>;

/// Nobody can tell what a merge gives.
#[derive(Clone, Debug, thiserror::Error)]
pub(in crate::commands) enum NotMerged {
    /// Git could not be asked.
    #[error(transparent)]
    Git(Arc<MergeTreeError>),
    /// What it rests on is not here, or is not what its name says.
    #[error(transparent)]
    Objects(#[from] Unmergeable),
}

impl NotMerged {
    /// Whether it took long to see.
    fn is_costly(&self) -> bool {
        match self {
            Self::Git(error) => error.is_slow(),
            Self::Objects(Unmergeable::TooMuch(..)) => true,
            Self::Objects(_) => false,
        }
    }
}

/// A commit, and the one that is merged into it.
pub(in crate::commands) type Pair = (ObjectId, ObjectId);

/// Those that were made last.
#[derive(Default)]
struct Known {
    trees: HashMap<Pair, Merged>,
    order: VecDeque<Pair>,
    /// Commits that took long to be merged into something: whoever opens a request with one costs a run that once, however many
    /// squashes could be it.
    slow: HashMap<ObjectId, NotMerged>,
}

impl Merges {
    /// Those of commits of a repository.
    pub(in crate::commands) fn of(repository: &Repository, hash: HashKind) -> Self {
        let (deadline, repository) = (repository.deadline(), Mutex::new(repository.for_another_thread()));
        Self { repository, deadline, hash, workplaces: Mutex::default(), known: Mutex::default() }
    }

    /// Makes merges that somebody will ask for.
    pub(in crate::commands) fn prepare(&self, pairs: Vec<Pair>) {
        if !pairs.is_empty() {
            self.all(&pairs);
        }
    }

    /// The tree of one merge; `None` where there is a conflict.
    pub(in crate::commands) fn one(&self, pair: Pair) -> Merged {
        // There are as many answers as there were questions.
        self.all(&[pair]).pop().unwrap_or(Ok(None))
    }

    /// The same of many, in their order.
    pub(in crate::commands) fn all(&self, pairs: &[Pair]) -> Vec<Merged> {
        let known: Vec<_> = pairs.iter().map(|pair| self.known().of(pair)).collect();
        let unknown = pairs.iter().zip(&known).filter(|(_, known)| known.is_none()).map(|(pair, _)| *pair);
        let unknown: Vec<Pair> = unknown.collect();
        let mut made = self.made(&unknown).into_iter();
        let answers = known.into_iter().map_while(|known| known.or_else(|| made.next()));
        let answers: Vec<Merged> = answers.collect();
        self.known().keep(pairs.iter().copied().zip(answers.iter().cloned()));
        answers
    }

    fn made(&self, pairs: &[Pair]) -> Vec<Merged> {
        let mut answers: Vec<Option<Merged>> = vec![None; pairs.len()];
        let mut waiting: VecDeque<_> = (0..pairs.len()).map(|number| (number, Extent::Little)).collect();
        while !waiting.is_empty() {
            let made = match self.workplace() {
                Ok(mut workplace) => {
                    let made = workplace.merged(pairs, &mut waiting, self.deadline);
                    if !workplace.store.is_full() {
                        lock(&self.workplaces).push(workplace);
                    }
                    made
                }
                Err(error) => {
                    let error = NotMerged::Git(Arc::new(error));
                    waiting.drain(..).map(|(number, _)| (number, Err(error.clone()))).collect()
                }
            };
            for (number, merged) in made {
                if let Some(answer) = answers.get_mut(number) {
                    *answer = Some(merged);
                }
            }
        }
        answers.into_iter().flatten().collect()
    }

    fn workplace(&self) -> Result<Workplace, MergeTreeError> {
        if let Some(idle) = lock(&self.workplaces).pop() {
            return Ok(idle);
        }
        let git = MergeTree::new(match self.hash {
            HashKind::Sha1 => "sha1",
            HashKind::Sha256 => "sha256",
        })?;
        let store = MergeStore::over(&lock(&self.repository), &git.objects());
        Ok(Workplace { git, store })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.known)
    }
}

/// Where one thread at a time merges.
struct Workplace {
    git: MergeTree,
    store: MergeStore,
}

impl Workplace {
    /// Makes those of `pairs` that wait, as many as there is room for; those that take more wait again.
    fn merged(
        &mut self,
        pairs: &[Pair],
        waiting: &mut VecDeque<(usize, Extent)>,
        deadline: Option<Instant>,
    ) -> Vec<(usize, Merged)> {
        let Self { git, store } = self;
        let (mut made, mut asked, mut questions) = (Vec::new(), Vec::new(), Vec::new());
        while !store.is_full()
            && let Some((number, extent)) = waiting.pop_front()
        {
            let Some((ours, theirs)) = pairs.get(number) else { continue };
            // However much the histories of one take, there is time left for the next one, and for Git.
            let left = deadline.map_or(MAX_TIME, |deadline| deadline.saturating_duration_since(Instant::now()) / 3);
            store.read_until(Instant::now() + left.min(MAX_TIME));
            match store.prepare(*ours, *theirs, extent) {
                Ok(ToMerge::Tree(tree)) => made.push((number, Ok(Some(tree.to_string())))),
                Ok(ToMerge::Commits { ours, theirs, is_whole, lacks }) => {
                    questions.push((ours.to_string(), theirs.to_string()));
                    asked.push((number, is_whole, lacks));
                }
                Err(error) => made.push((number, Err(error.into()))),
            }
        }
        let answers = match store.write() {
            Ok(()) => git.merged(&questions, deadline),
            Err(error) => {
                made.extend(asked.into_iter().map(|(number, ..)| (number, Err(error.clone().into()))));
                return made;
            }
        };
        for ((number, is_whole, lacks), answer) in asked.into_iter().zip(answers) {
            match (answer, lacks) {
                (Err(error), _) if !is_whole && matches!(*error, MergeTreeError::Failed(_)) => {
                    waiting.push_back((number, Extent::Whole));
                }
                (Err(error), Some(lacks)) if matches!(*error, MergeTreeError::Failed(_)) => {
                    made.push((number, Err(lacks.into())));
                }
                (answer, _) => made.push((number, answer.map_err(NotMerged::Git))),
            }
        }
        made
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Known {
    fn of(&self, pair: &Pair) -> Option<Merged> {
        self.trees.get(pair).cloned().or_else(|| self.slow.get(&pair.1).cloned().map(Err))
    }

    fn keep(&mut self, merges: impl Iterator<Item = (Pair, Merged)>) {
        for (pair, merged) in merges {
            if let Err(error) = &merged
                && error.is_costly()
            {
                self.slow.entry(pair.1).or_insert_with(|| error.clone());
            }
            if self.trees.insert(pair, merged).is_none() {
                self.order.push_back(pair);
            }
        }
        while self.order.len() > MAX_KNOWN
            && let Some(oldest) = self.order.pop_front()
        {
            self.trees.remove(&oldest);
        }
    }
}

/// More than the threads can be ahead of whoever judges.
const MAX_KNOWN: usize = 1 << 14;
/// For what one merge rests on; a second or two are much.
const MAX_TIME: Duration = Duration::from_secs(20);
