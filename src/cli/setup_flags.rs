//! The flags of `waxseal setup`.

use clap::{ArgGroup, Args};

/// `waxseal setup`
#[derive(Args, Debug, PartialEq, Eq)]
#[command(group = ArgGroup::new("scope").args(["global", "local", "worktree"]))]
#[expect(clippy::struct_excessive_bools, reason = "they are flags")]
pub struct Setup {
    /// The Sigstore instance that signs; the one that is chosen already when none is given
    #[arg(long, value_name = "NAME", conflicts_with = "undo")]
    pub instance: Option<String>,
    /// In your own configuration, for all repositories; outside of repositories the default
    #[arg(long)]
    pub global: bool,
    /// In the configuration of this repository; inside one the default
    #[arg(long)]
    pub local: bool,
    /// In the configuration of this linked worktree
    #[arg(long)]
    pub worktree: bool,
    /// The remote that log entries in notes are fetched from; origin when none is given
    #[arg(long, value_name = "NAME", conflicts_with_all = ["undo", "global"])]
    pub remote: Option<String>,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
    /// Show what would change, and change nothing
    #[arg(long, short = 'n')]
    pub dry_run: bool,
    /// Put back what was there before
    #[arg(long)]
    pub undo: bool,
    /// With --undo: put back also what somebody changed since
    #[arg(long, requires = "undo")]
    pub force: bool,
}
