//! What people see of a run: a line an object where there are few, and the answer with its sums where there are many.

use std::io::{self, Write};
use std::time::Duration;

use super::{report, reports};
use crate::cli::Listing;
use crate::commands::run::judged::{Judged, Tally};
use crate::commands::run::{Run, line};
use crate::escape;
use crate::git::ObjectKind;
use crate::git::repository::Selected;
use crate::report::{MAX_CHANGES, Standing, Totals, grouped};

/// What was met so far.
pub(super) struct People {
    listing: Listing,
    /// Lines that wait until it is known whether there are few.
    few: Vec<Vec<u8>>,
    /// The first lines of what failed, and of what is not known.
    failed: Vec<Vec<u8>>,
    unknown: Vec<Vec<u8>>,
    /// Those of the first commits that change the policy file, whatever the verdict, and how many more there are.
    changes: Vec<Vec<u8>>,
    more_changes: u64,
    totals: Totals,
}

impl People {
    pub(super) fn new(run: &Run<'_>) -> Self {
        let selected = &run.selection.selected;
        let objects_only = selected.iter().all(|one| matches!(one, Selected::Object(_)));
        let listing = match run.request.listing {
            // Nothing more will come: nobody has to wait.
            Listing::Few if objects_only && selected.len() <= FEW => Listing::All,
            listing => listing,
        };
        let (few, failed, unknown, changes) = Default::default();
        Self { listing, few, failed, unknown, changes, more_changes: 0, totals: Totals::default() }
    }

    /// Whether every object has a line at once.
    pub(super) fn lists_all(&self) -> bool {
        self.listing == Listing::All
    }

    /// One object: what is to be printed now.
    pub(super) fn object(&mut self, judged: &Judged<'_>) -> io::Result<Option<Vec<u8>>> {
        let standing = judged.standing();
        let is_tag = judged.kind() == Some(ObjectKind::Tag);
        self.totals.count(standing, judged.label(), is_tag, judged.cached);
        let line = || {
            let mut line = Vec::new();
            line::object(&mut line, judged)?;
            Ok::<_, io::Error>(line)
        };
        match self.listing {
            Listing::All => return line().map(Some),
            Listing::Failed if standing.is_failure() || judged.changes_policy => return line().map(Some),
            Listing::Failed => return Ok(None),
            Listing::Few => {}
        }
        if judged.changes_policy && self.changes.len() < MAX_CHANGES {
            self.changes.push(line()?);
        } else if judged.changes_policy {
            self.more_changes += 1;
        }
        if self.is_few() {
            self.few.push(line()?);
        } else {
            self.few.clear();
        }
        let first = match standing {
            Standing::Failed => &mut self.failed,
            Standing::Unknown => &mut self.unknown,
            Standing::Exempt | Standing::Ok | Standing::Unjudged => return Ok(None),
        };
        if first.len() < FIRST {
            first.push(line()?);
        }
        Ok(None)
    }

    /// What the run comes to.
    pub(super) fn end(&self, out: &mut impl Write, tally: &Tally, run: &Run<'_>, took: Duration) -> io::Result<()> {
        self.few.iter().try_for_each(|line| out.write_all(line))?;
        if self.is_few() {
            report::totals(out, tally)?;
        } else {
            self.table(out, run, took)?;
        }
        report::limits(out, tally, run.verifier.scts())
    }

    fn is_few(&self) -> bool {
        self.totals.objects() <= u64::try_from(FEW).unwrap_or_default()
    }

    fn table(&self, out: &mut impl Write, run: &Run<'_>, took: Duration) -> io::Result<()> {
        let totals = &self.totals;
        writeln!(out, "{}", totals.answer())?;
        // What was not asked for stands below.
        for (name, value) in reports::about(run).facts().iter().filter(|(name, _)| !name.starts_with("--")) {
            writeln!(out, "{name:<7}  {}", escape::terminal(value))?;
        }
        let cached = match totals.cached() {
            0 => String::new(),
            cached => format!(" ({} from cache)", grouped(cached)),
        };
        writeln!(out, "{} in {:.1} s{cached}", totals.noun(), took.as_secs_f64())?;
        for standing in [Standing::Ok, Standing::Exempt, Standing::Unjudged, Standing::Failed, Standing::Unknown] {
            let count = totals.of(standing);
            if count == 0 && matches!(standing, Standing::Exempt | Standing::Unjudged) {
                continue;
            }
            let parts = if standing == Standing::Exempt { String::new() } else { totals.breakdown(standing) };
            let line = format!("  {:<8}  {:>9}   {parts}", standing.word(), grouped(count));
            writeln!(out, "{}", line.trim_end())?;
        }
        let first: Vec<_> = self.failed.iter().chain(&self.unknown).take(FIRST).collect();
        if !first.is_empty() {
            writeln!(out, "First failures (all: \"waxseal verify --failed\", why: \"waxseal explain ID\")")?;
            first.into_iter().try_for_each(|line| out.write_all(line))?;
        }
        if !self.changes.is_empty() {
            writeln!(out, "Commits that change the policy file")?;
            self.changes.iter().try_for_each(|line| out.write_all(line))?;
        }
        if self.more_changes > 0 {
            writeln!(out, "and {} more: \"waxseal verify --list\"", grouped(self.more_changes))?;
        }
        Ok(())
    }
}

/// A screenful: of more, sums say more than lines.
const FEW: usize = 20;

/// More are for `--failed`.
const FIRST: usize = 10;
