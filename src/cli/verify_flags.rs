//! The flags of the commands that give a verdict, and what they mean together.

use std::ffi::OsString;

use clap::Args;

use super::judging_flags::{CacheFlags, JudgingFlags};
use super::report_flags::{ListingFlags, ReportFlags};
use super::selection_flags::SelectionFlags;
use super::{Listing, UsageError, Verify};

#[derive(Args)]
pub(super) struct VerifyFlags {
    /// Commits, tags, or ranges A..B; HEAD when none is given. An annotated tag is the tag object itself
    #[arg(value_name = "REV | A..B | TAG")]
    revisions: Vec<OsString>,
    #[command(flatten)]
    selection: SelectionFlags,
    #[command(flatten)]
    cache: CacheFlags,
    #[command(flatten)]
    listing: ListingFlags,
    #[command(flatten)]
    judging: JudgingFlags,
    /// Succeed when there is no object to verify
    #[arg(long)]
    allow_empty: bool,
    #[command(flatten)]
    reports: ReportFlags,
}

#[derive(Args)]
pub(super) struct VerifyTagFlags {
    /// What stands behind refs/tags/
    #[arg(value_name = "NAME", required = true)]
    names: Vec<OsString>,
    #[command(flatten)]
    cache: CacheFlags,
    #[command(flatten)]
    judging: JudgingFlags,
}

#[derive(Args)]
pub(super) struct ExplainFlags {
    /// A commit or tag; HEAD when none is given. An annotated tag is the tag object itself
    #[arg(value_name = "OBJECT")]
    object: Option<OsString>,
    #[command(flatten)]
    judging: JudgingFlags,
}

impl VerifyFlags {
    pub(super) fn resolve(self) -> Result<Verify, UsageError> {
        let (allow_empty, no_cache) = (self.allow_empty, self.cache.no_cache);
        let SelectionFlags { all, tags, stdin } = self.selection;
        let (listing, reports) = (self.listing.resolve(), self.reports.resolve());
        Ok(Verify {
            all,
            tags,
            stdin,
            no_cache,
            allow_empty,
            listing,
            reports,
            ..self.judging.resolve(self.revisions)?
        })
    }
}

impl VerifyTagFlags {
    pub(super) fn resolve(self) -> Result<Verify, UsageError> {
        let listing = Listing::All;
        Ok(Verify { listing, no_cache: self.cache.no_cache, ..self.judging.resolve(self.names)? })
    }
}

impl ExplainFlags {
    pub(super) fn resolve(self) -> Result<Verify, UsageError> {
        self.judging.resolve(self.object.into_iter().collect())
    }
}
