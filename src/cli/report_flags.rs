//! Reports for CI systems and people, besides what is printed.

use std::path::{Path, PathBuf};

use clap::Args;

#[derive(Args)]
pub(super) struct ListingFlags {
    /// Print a line for each object, however many there are
    #[arg(long, conflicts_with = "json")]
    list: bool,
    /// Print a line for each object that fails or cannot be decided, and for no other
    #[arg(long, conflicts_with_all = ["json", "list"])]
    failed: bool,
}

/// Which objects people see a line of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Listing {
    /// Each.
    All,
    /// Those that fail, and those that cannot be decided.
    Failed,
    /// Each where there are few, else the first failures.
    #[default]
    Few,
}

#[derive(Args)]
#[command(next_help_heading = "Reports")]
pub(super) struct ReportFlags {
    /// Write JUnit XML: a case an object
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write SARIF 2.1.0, for code scanning: a result a failure
    #[arg(long, value_name = "FILE")]
    sarif: Option<PathBuf>,
    /// Write a page for people, whole in itself: who signed when, and what fails
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write a summary in Markdown
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Print at most ten failures as GitHub's workflow commands, on standard error
    #[arg(long)]
    annotations: bool,
}

/// What is written besides what is printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reports {
    /// JUnit XML.
    pub junit: Option<PathBuf>,
    /// SARIF.
    pub sarif: Option<PathBuf>,
    /// A page for people.
    pub html: Option<PathBuf>,
    /// A summary in Markdown, in the place of what the file holds.
    pub markdown: Option<PathBuf>,
    /// The same after what the file holds: `GITHUB_STEP_SUMMARY`.
    pub step_summary: Option<PathBuf>,
    /// GitHub's workflow commands.
    pub annotations: bool,
}

impl ListingFlags {
    pub(super) fn resolve(&self) -> Listing {
        match (self.list, self.failed) {
            (true, _) => Listing::All,
            (false, true) => Listing::Failed,
            (false, false) => Listing::Few,
        }
    }
}

impl ReportFlags {
    pub(super) fn resolve(self) -> Reports {
        let Self { junit, sarif, html, markdown, annotations } = self;
        Reports { junit, sarif, html, markdown, step_summary: None, annotations }
    }
}

impl Reports {
    /// The files that are replaced.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        [&self.junit, &self.sarif, &self.html, &self.markdown].into_iter().flatten().map(PathBuf::as_path)
    }

    /// Whether none is wanted.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}
