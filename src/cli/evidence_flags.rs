//! `waxseal evidence`

use std::ffi::OsString;

use clap::Subcommand;

/// `waxseal evidence`
#[derive(Debug, PartialEq, Eq, Subcommand)]
pub enum EvidenceCommand {
    /// Ask the logs for what signatures of gitsign's online mode do not carry, and keep it in notes
    ///
    /// What a log answers is verified first. It is kept in refs/notes/waxseal-evidence, where every later verification
    /// finds it without network.
    Fetch {
        /// Commits, tags, or ranges A..B; HEAD when none is given
        #[arg(value_name = "REV | A..B | TAG")]
        revisions: Vec<OsString>,
    },
}
