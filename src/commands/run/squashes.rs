//! What a run remembers of heads that may have been squashed: what refs lead to, what was proven, and what that took.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashSet;
use std::sync::Arc;

use super::by_key::Ring;
use super::proofs::Proofs;
use super::selection::Selection;
use crate::commands::findings::Findings;
use crate::git::repository::{Heads, ObjectId, Repository, Selected, Trees};

/// What a run knows of heads and their commits, under one policy.
pub(in crate::commands) struct Squashes {
    /// What is verified anyway, besides what refs lead to.
    selected: HashSet<ObjectId>,
    heads: OnceCell<Result<Heads, String>>,
    /// Trees of heads, read once a run.
    pub(super) trees: RefCell<Trees>,
    pub(super) proofs: Proofs<Wanted, Asked, Unproven>,
    /// Merges of heads.
    pub(super) merges: Budget,
    /// Merges of heads that are made ahead, for a batch.
    pub(super) prepared: Budget,
    /// Commits of heads.
    pub(super) commits: Budget,
    pub(super) findings: OnceCell<Option<Findings>>,
    pub(super) ring: Arc<Ring>,
}

/// What is to be proven: a commit, and if it would be a squash its parent and its tree.
pub(super) struct Wanted {
    pub(super) id: ObjectId,
    pub(super) squash: Option<(ObjectId, ObjectId)>,
}

/// A commit of a head, judged as the argument at a position is, and as a part of what changes the policy file or does not.
pub(super) type Asked = (usize, ObjectId, Option<bool>);

/// Why a head proves nothing.
#[derive(Clone, Debug)]
pub(super) enum Unproven {
    /// A commit of it is not good.
    Not {
        /// The commit's first digits.
        commit: String,
        /// What is wrong with it.
        why: String,
    },
    /// It has nothing that is not there already.
    Nothing,
    /// Nobody can tell: why.
    Unknown(String),
}

impl Squashes {
    /// Of a run that is about `selection`.
    pub(in crate::commands) fn of(selection: &Selection) -> Self {
        let ends = selection.selected.iter().flat_map(|selected| match selected {
            Selected::Object(id) => vec![*id],
            Selected::History { tips, .. } => tips.clone(),
        });
        Self { selected: ends.collect(), ..Self::default() }
    }

    /// The heads that there are.
    pub(in crate::commands) fn heads(&self, repository: &Repository) -> &Result<Heads, String> {
        let selected = || self.selected.iter().copied().collect::<Vec<_>>();
        self.heads.get_or_init(|| repository.heads(&selected()).map_err(|error| error.to_string()))
    }

    /// Whether the run is about this commit anyway.
    pub(super) fn is_selected(&self, id: ObjectId) -> bool {
        self.selected.contains(&id)
    }
}

impl Default for Squashes {
    fn default() -> Self {
        Self {
            selected: HashSet::new(),
            heads: OnceCell::new(),
            trees: RefCell::default(),
            proofs: Proofs::default(),
            merges: Budget::of(MAX_MERGES, "merges of heads"),
            prepared: Budget::of(MAX_MERGES, "merges of heads"),
            commits: Budget::of(MAX_COMMITS, "commits of heads"),
            findings: OnceCell::new(),
            ring: Arc::default(),
        }
    }
}

/// How much of something one run may do.
pub(super) struct Budget {
    left: Cell<usize>,
    max: usize,
    of: &'static str,
}

impl Budget {
    fn of(max: usize, of: &'static str) -> Self {
        Self { left: Cell::new(max), max, of }
    }

    /// Takes `count` from it.
    pub(super) fn spend(&self, count: usize) -> Result<(), String> {
        let left = self.left.get().checked_sub(count);
        self.left.set(left.unwrap_or_default());
        if left.is_some() { Ok(()) } else { Err(format!("it takes more than {} {}", self.max, self.of)) }
    }
}

const MAX_MERGES: usize = 1 << 16;
const MAX_COMMITS: usize = 1 << 18;
