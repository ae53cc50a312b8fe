//! What a run remembers of heads that may have been squashed: what refs lead to, what was proven, and what that took.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::by_key::Ring;
use super::selection::Selection;
use crate::commands::findings::Findings;
use crate::git::repository::{Heads, ObjectId, Repository, Selected, Trees};

/// What a run knows of heads and their commits, under one policy.
#[derive(Default)]
pub(in crate::commands) struct Squashes {
    /// What is verified anyway, besides what refs lead to.
    selected: HashSet<ObjectId>,
    heads: OnceCell<Result<Heads, String>>,
    /// Those of heads.
    pub(super) trees: RefCell<Trees>,
    /// What the policy says of them.
    pub(super) known: RefCell<HashMap<Asked, Result<(), Unproven>>>,
    /// Of those that failed for want of what is being proven, until that is done.
    pub(super) waiting: RefCell<HashMap<Asked, Result<(), Unproven>>>,
    /// How many of all were proven.
    pub(super) proven: Cell<usize>,
    /// The squashes that are being proven, each for the one before it.
    pub(super) open: RefCell<Vec<Open>>,
    /// Whether one of those was asked for, or one that waits for them.
    pub(super) is_circular: Cell<bool>,
    pub(super) merges: Cell<usize>,
    /// Those that were made before somebody asked.
    pub(super) prepared: Cell<usize>,
    pub(super) commits: Cell<usize>,
    pub(super) findings: OnceCell<Option<Findings>>,
    pub(super) ring: Arc<Ring>,
}

/// A commit of a head, judged as the argument at a position is, and as a part of what changes the policy file or does not.
pub(super) type Asked = (usize, ObjectId, Option<bool>);

/// A squash that is being proven.
pub(super) struct Open {
    pub(super) id: ObjectId,
    pub(super) parent: ObjectId,
    pub(super) tree: ObjectId,
}

/// Why a head proves nothing.
#[derive(Clone, Debug)]
pub(super) enum Unproven {
    /// It is not good: a commit of it, and why.
    Not(String, String),
    /// It has nothing that is not there already.
    Nothing,
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
    pub(super) fn names(&self, id: ObjectId) -> bool {
        self.selected.contains(&id)
    }

    /// Takes `count` from what is done in one run at most.
    pub(super) fn spend(spent: &Cell<usize>, count: usize, max: usize) -> Result<(), String> {
        spent.set(spent.get().saturating_add(count));
        if spent.get() > max { Err(format!("it takes more than {max} commits or merges of heads")) } else { Ok(()) }
    }
}
