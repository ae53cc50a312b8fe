//! `waxseal policy`: its flags, and what they mean.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::judging_flags::{CacheFlags, NetworkFlags, ReferenceFlags, RootFlags};
use super::selection_flags::SelectionFlags;
use super::{AdmittedFlags, Verify};

/// `waxseal policy`
#[derive(Debug, PartialEq, Eq)]
pub enum PolicyCommand {
    /// What is in a policy file that its author may not want.
    Check {
        /// A path, inside the work tree or not, or `REF:PATH`.
        policy: PathBuf,
        /// JSON lines, not lines for people.
        json: bool,
    },
    /// What another policy would make of a history.
    Diff {
        /// What is verified, and the policy that is there.
        verify: Verify,
        /// The other one.
        new: PathBuf,
    },
    /// A policy made of who signed.
    Suggest {
        /// What is verified.
        verify: Verify,
        /// Who signed less is left out.
        at_least: u64,
    },
    /// What a policy makes of a history, rule by rule.
    Test(Verify),
}

#[derive(Subcommand)]
pub(super) enum PolicyLine {
    /// Say what a policy file means that its author may not have meant
    Check {
        /// The policy file: a path outside the work tree or inside it, or REF:PATH
        #[arg(value_name = "FILE | REF:PATH")]
        policy: PathBuf,
        /// Print JSON, one finding a line
        #[arg(long)]
        json: bool,
    },
    /// Show what would newly pass or fail under another policy
    Diff(DiffFlags),
    /// Write a policy that admits who signed a history: a draft, to be cut down
    Suggest(SuggestFlags),
    /// Show which rule of a policy admits what, and which rules admit nothing
    Test(TestFlags),
}

#[derive(Args)]
pub(super) struct DiffFlags {
    /// The policy that is there: a path outside the work tree or inside it, or REF:PATH
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The one that is to take its place
    #[arg(value_name = "NEW")]
    new: PathBuf,
    #[command(flatten)]
    history: HistoryFlags,
    #[command(flatten)]
    trial: TrialFlags,
}

#[derive(Args)]
pub(super) struct SuggestFlags {
    #[command(flatten)]
    history: HistoryFlags,
    /// Leave out who made fewer signatures than this
    #[arg(long, value_name = "N", default_value_t = 2)]
    at_least: u64,
}

#[derive(Args)]
pub(super) struct TestFlags {
    #[command(flatten)]
    history: HistoryFlags,
    /// The policy: a path outside the work tree or inside it, or REF:PATH; else waxseal.policy or waxseal.allow
    #[arg(long, value_name = "FILE | REF:PATH")]
    policy: Option<PathBuf>,
    #[command(flatten)]
    trial: TrialFlags,
}

/// What is verified.
#[derive(Args)]
struct HistoryFlags {
    /// Commits, tags, or ranges A..B; --all when none is given. An annotated tag is the tag object itself
    #[arg(value_name = "REV | A..B | TAG")]
    revisions: Vec<OsString>,
    #[command(flatten)]
    selection: SelectionFlags,
    #[command(flatten)]
    cache: CacheFlags,
    #[command(flatten)]
    network: NetworkFlags,
}

/// How a policy is tried out.
#[derive(Args)]
struct TrialFlags {
    /// Print JSON, one object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    root: RootFlags,
    #[command(flatten)]
    reference: ReferenceFlags,
    /// Succeed when there is no object to verify
    #[arg(long)]
    allow_empty: bool,
}

impl PolicyLine {
    pub(super) fn resolve(self) -> PolicyCommand {
        match self {
            Self::Check { policy, json } => PolicyCommand::Check { policy, json },
            Self::Diff(DiffFlags { old, new, history, trial }) => {
                PolicyCommand::Diff { verify: trial.resolve(history.resolve(AdmittedFlags::Policy(old))), new }
            }
            Self::Suggest(SuggestFlags { history, at_least }) => {
                PolicyCommand::Suggest { verify: history.resolve(AdmittedFlags::Anyone), at_least }
            }
            Self::Test(TestFlags { history, policy, trial }) => {
                let admitted = policy.map_or(AdmittedFlags::Unsaid, AdmittedFlags::Policy);
                PolicyCommand::Test(trial.resolve(history.resolve(admitted)))
            }
        }
    }
}

impl HistoryFlags {
    fn resolve(self, admitted: AdmittedFlags) -> Verify {
        let Self { revisions, selection, cache: CacheFlags { no_cache }, network } = self;
        let (SelectionFlags { all, tags, stdin }, NetworkFlags { online, offline }) = (selection, network);
        let all = all || revisions.is_empty() && tags.is_empty() && !stdin;
        Verify { revisions, all, tags, stdin, no_cache, online, offline, admitted, ..Verify::default() }
    }
}

impl TrialFlags {
    fn resolve(self, verify: Verify) -> Verify {
        let Self { json, root: RootFlags { trusted_root }, reference, allow_empty } = self;
        let reference = reference.r#ref;
        Verify { json, trusted_root, reference, allow_empty, ..verify }
    }
}
