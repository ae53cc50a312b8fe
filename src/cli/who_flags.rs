//! `waxseal who`

use std::ffi::OsString;

use clap::Args;

use super::judging_flags::{CacheFlags, JudgingFlags};
use super::selection_flags::SelectionFlags;
use super::{UsageError, Verify};

#[derive(Args)]
pub(super) struct WhoFlags {
    /// Ranges A..B, commits or tags; the whole history of HEAD when none is given
    #[arg(value_name = "A..B | REV | TAG")]
    revisions: Vec<OsString>,
    #[command(flatten)]
    selection: SelectionFlags,
    /// Only what this one signed, byte for byte, and list the objects
    #[arg(long, value_name = "IDENTITY")]
    identity: Option<String>,
    /// Only what is proven to be signed at this time or later, or has no proven time: 2026-03-31, 2026-03-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    after: Option<String>,
    /// Only what is proven to be signed before this time, or has no proven time
    #[arg(long, value_name = "TIME")]
    before: Option<String>,
    #[command(flatten)]
    cache: CacheFlags,
    /// Succeed when there is no object to verify
    #[arg(long)]
    allow_empty: bool,
    #[command(flatten)]
    judging: JudgingFlags,
}

/// `waxseal who`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// What is verified, and how.
    pub verify: Verify,
    /// Whose signatures alone are counted, and listed.
    pub identity: Option<String>,
    /// From when on, as it was typed.
    pub after: Option<String>,
    /// Until when, as it was typed.
    pub before: Option<String>,
}

impl WhoFlags {
    pub(super) fn resolve(self) -> Result<Who, UsageError> {
        let Self { identity, after, before, cache: CacheFlags { no_cache }, allow_empty, .. } = self;
        let SelectionFlags { all, tags, stdin } = self.selection;
        let judging = self.judging.resolve(self.revisions)?;
        let verify = Verify { all, tags, stdin, no_cache, allow_empty, ..judging };
        Ok(Who { verify, identity, after, before })
    }
}
