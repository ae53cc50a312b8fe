//! `waxseal ci`.

use std::ffi::OsString;

use clap::Args;

use super::judging_flags::JudgingFlags;
use super::report_flags::{ListingFlags, ReportFlags};
use super::{UsageError, Verify};

/// `waxseal ci`
#[derive(Debug, PartialEq, Eq)]
pub struct Ci {
    /// Where the range begins, whatever `WAXSEAL_CI_BASE` says.
    pub base: Option<OsString>,
    /// Where it ends, whatever `WAXSEAL_CI_HEAD` says.
    pub head: Option<OsString>,
    /// What is judged, by whose rules and under which trust; no revisions yet.
    pub judging: Verify,
}

#[derive(Args)]
pub(super) struct CiFlags {
    /// Where the range begins: a commit that is trusted already; else WAXSEAL_CI_BASE or the CI
    /// system says
    #[arg(long, value_name = "REV")]
    base: Option<OsString>,
    /// Where the range ends; else WAXSEAL_CI_HEAD says, and HEAD where only the base is given
    #[arg(long, value_name = "REV")]
    head: Option<OsString>,
    /// Believe what an earlier run kept of what it found: a cache that was restored may be anybody's
    #[arg(long)]
    cache: bool,
    /// Succeed when there is no object to verify
    #[arg(long)]
    allow_empty: bool,
    #[command(flatten)]
    listing: ListingFlags,
    #[command(flatten)]
    judging: JudgingFlags,
    #[command(flatten)]
    reports: ReportFlags,
}

impl CiFlags {
    pub(super) fn resolve(self) -> Result<Ci, UsageError> {
        let Self { base, head, cache, allow_empty, listing, judging, reports } = self;
        let judging = Verify {
            no_cache: !cache,
            allow_empty,
            listing: listing.resolve(),
            reports: reports.resolve(),
            ..judging.resolve(Vec::new())?
        };
        Ok(Ci { base, head, judging })
    }
}
