//! `waxseal verify`: commits, tags and ranges of the repository, a line an object, then totals and an exit code.

use std::io::{self, Write as _};

use jiff::Timestamp;

use super::progress::Progress;
use super::run::judged::Tally;
use super::run::selection::Selection;
use super::run::{Run, json};
use super::stdout::{self, Output, written};
use crate::cli::Verify;
use crate::command_error::{CommandError, ErrorKind};

mod people;
mod report;
mod reports;

use people::People;
use reports::Reports;

/// Verifies what `request` names and returns the exit code of `docs/errors.md`.
///
/// # Errors
/// [`CommandError`]: 2 for arguments, repository and revisions, 4 for trust material, 5 for a policy that is invalid,
/// 3 when the output cannot be written.
pub fn run(request: &Verify, now: Timestamp) -> Result<u8, CommandError> {
    Run::prepare(request, now, |repository, _policy| Selection::of(request, repository))?.report()
}

impl Run<'_> {
    /// Prints the verdicts, writes the reports, and returns the exit code.
    ///
    /// # Errors
    /// [`ErrorKind::Undecided`] when either cannot be written.
    pub(super) fn report(&self) -> Result<u8, CommandError> {
        let reports = Reports::begin(self)?;
        written(self.print(reports), ErrorKind::Undecided)
    }

    fn print(&self, mut reports: Option<Reports<'_>>) -> io::Result<u8> {
        stdout::check_writable()?;
        let mut out = Output::stdout();
        let mut tally = Tally::default();
        let mut people = (!self.request.json).then(|| People::new(self));
        let mut progress = Progress::begin(people.as_ref().is_none_or(People::lists_all), &self.settings.surroundings);
        if self.request.json {
            json::header(&mut out, self)?;
        }
        let trouble = self.each(|judged| {
            tally.count(judged);
            progress.count();
            reports.as_mut().map_or(Ok(()), |reports| reports.add(judged))?;
            match &mut people {
                None => json::object(&mut out, judged)?,
                Some(people) => {
                    if let Some(line) = people.object(judged)? {
                        progress.clear();
                        out.write_all(&line)?;
                    }
                }
            }
            out.flush_now_and_then()
        })?;
        progress.clear();
        let exit_code = tally.exit_code(self.request.allow_empty);
        // A stream without its footer is a failure, and so is a run without its reports.
        reports.map_or(Ok(()), |reports| reports.finish(exit_code))?;
        match &people {
            None => json::footer(&mut out, &tally, exit_code)?,
            Some(people) => {
                people.end(&mut out, &tally, self, progress.elapsed())?;
                out.flush()?;
                // Advice is worth less than the exit code.
                let _closed = report::advice(&mut io::stderr().lock(), &tally, self, trouble.as_ref());
            }
        }
        out.flush()?;
        Ok(exit_code)
    }
}
