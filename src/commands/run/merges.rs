//! What Git's merge makes of two commits: asked for many at once on the threads that verify, and for one where nobody did.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use crate::git::HashKind;
use crate::git::repository::{ObjectId, Repository};
use crate::merge_tree::{MergeTree, MergeTreeError, Merged};

/// The merges of a run.
pub(in crate::commands) struct Merges {
    objects: Vec<PathBuf>,
    deadline: Option<Instant>,
    hash: HashKind,
    /// Made when the first merge is asked for; why not, where it could not be.
    merge_tree: OnceLock<Result<MergeTree, Arc<MergeTreeError>>>,
    known: Mutex<Known>,
}

/// A commit, and the one that is merged into it.
pub(in crate::commands) type Pair = (ObjectId, ObjectId);

/// Those that were made last.
#[derive(Default)]
struct Known {
    trees: HashMap<Pair, Merged>,
    order: VecDeque<Pair>,
}

impl Merges {
    /// Those of commits of a repository.
    pub(in crate::commands) fn of(repository: &Repository, hash: HashKind) -> Self {
        let (objects, deadline) = (repository.object_folders(), repository.deadline());
        Self { objects, deadline, hash, merge_tree: OnceLock::new(), known: Mutex::default() }
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
        let known: Vec<_> = pairs.iter().map(|pair| self.known().trees.get(pair).cloned()).collect();
        let unknown = pairs.iter().zip(&known).filter(|(_, known)| known.is_none()).map(|(pair, _)| *pair);
        let unknown: Vec<Pair> = unknown.collect();
        let mut made = self.made(&unknown).into_iter();
        let answers = known.into_iter().map_while(|known| known.or_else(|| made.next()));
        let answers: Vec<Merged> = answers.collect();
        self.known().keep(pairs.iter().copied().zip(answers.iter().cloned()));
        answers
    }

    fn made(&self, pairs: &[Pair]) -> Vec<Merged> {
        if pairs.is_empty() {
            return Vec::new();
        }
        let merge_tree = self.merge_tree.get_or_init(|| {
            let format = match self.hash {
                HashKind::Sha1 => "sha1",
                HashKind::Sha256 => "sha256",
            };
            MergeTree::over(&self.objects, format).map_err(Arc::new)
        });
        match merge_tree {
            Ok(merge_tree) => {
                let names = pairs.iter().map(|(ours, theirs)| (ours.to_string(), theirs.to_string()));
                merge_tree.merged(&names.collect::<Vec<_>>(), self.deadline)
            }
            Err(error) => pairs.iter().map(|_pair| Err(Arc::clone(error))).collect(),
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn keep(&mut self, merges: impl Iterator<Item = (Pair, Merged)>) {
        for (pair, merged) in merges {
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
