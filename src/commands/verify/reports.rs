//! The files that a run writes besides what it prints: rows go in as they are judged, and nothing is kept of what is in
//! order.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::cli;
use crate::command_error::{CommandError, ErrorKind};
use crate::commands::run::judged::Judged;
use crate::commands::run::{Run, json};
use crate::files::{self, Draft, descriptor};
use crate::report::signers::Signers;
use crate::report::{
    About, Failures, MAX_CHANGES, MAX_SQUASHES, PolicySource, Report, Totals, Trusted, annotations, html, junit, sarif,
    summary,
};
use crate::verify::SctRequirement;

/// Reports that are being written.
pub(super) struct Reports<'a> {
    wanted: &'a cli::Reports,
    about: About,
    totals: Totals,
    failures: Failures,
    changes: Failures,
    squashes: Failures,
    /// For the page only.
    signers: Signers,
    junit: Option<Draft>,
    /// Written at the end; that there is room for them is known from the beginning.
    sarif: Option<Draft>,
    html: Option<Draft>,
    markdown: Option<Draft>,
    step_summary: Option<File>,
}

impl<'a> Reports<'a> {
    /// Those that are wanted; `None` where none is.
    ///
    /// # Errors
    /// [`ErrorKind::Undecided`] for a file that cannot be written, [`ErrorKind::Usage`] for one that shall be two reports,
    /// before anything is verified.
    pub(super) fn begin(run: &Run<'a>) -> Result<Option<Self>, CommandError> {
        let wanted = &run.request.reports;
        if wanted.is_none() {
            return Ok(None);
        }
        let draft = |path: &Option<PathBuf>| path.as_deref().map(begin).transpose();
        wanted.files().try_for_each(refuse_stream)?;
        let reports = Self {
            wanted,
            about: about(run),
            totals: Totals::default(),
            failures: Failures::at_most(MAX_FAILURES),
            changes: Failures::at_most(MAX_CHANGES),
            squashes: Failures::at_most(MAX_SQUASHES),
            signers: Signers::by_day(MAX_SIGNERS),
            junit: draft(&wanted.junit)?,
            sarif: draft(&wanted.sarif)?,
            html: draft(&wanted.html)?,
            markdown: draft(&wanted.markdown)?,
            step_summary: wanted.step_summary.as_deref().map(open_to_append).transpose()?,
        };
        reports.refuse_one_file_for_two()?;
        Ok(Some(reports))
    }

    fn refuse_one_file_for_two(&self) -> Result<(), CommandError> {
        let drafts = [&self.junit, &self.sarif, &self.html, &self.markdown].into_iter().flatten();
        let summary = self.wanted.step_summary.as_deref().and_then(|path| fs::canonicalize(path).ok());
        let mut places: Vec<&Path> = drafts.map(Draft::path).chain(summary.as_deref()).collect();
        places.sort_unstable();
        let twice =
            places.windows(2).find_map(|two| if let [one, other] = two { (one == other).then_some(one) } else { None });
        twice.map_or(Ok(()), |path| {
            Err(CommandError::usage(format!("two reports in one file: {}", path.display()))
                .hint("each report needs a file of its own; nothing was verified"))
        })
    }

    /// Adds an object.
    ///
    /// # Errors
    /// The disk's answer, with the name of the file.
    pub(super) fn add(&mut self, judged: &Judged<'_>) -> io::Result<()> {
        let standing = judged.standing();
        let is_failure = standing.is_failure() && self.failures.has_room();
        let is_listed = is_failure || judged.changes_policy || judged.squashed.is_some();
        if self.junit.is_none() && self.html.is_none() && !is_listed {
            let is_tag = judged.kind() == Some(crate::git::ObjectKind::Tag);
            self.totals.count(standing, judged.label(), is_tag, judged.cached);
            if standing.is_failure() {
                self.failures.count_another();
            }
            return Ok(());
        }
        let row = judged.row();
        self.totals.count_row(&row);
        if standing.is_failure() {
            self.failures.add(&row);
        }
        if row.changes_policy {
            self.changes.add(&row);
        }
        if judged.squashed.is_some() {
            self.squashes.add(&row);
        }
        if self.html.is_some() {
            self.signers.add(&row);
        }
        if let (Some(draft), Some(path)) = (&mut self.junit, &self.wanted.junit) {
            draft.write_all(junit::case(&row).as_bytes()).map_err(|error| named(path, &error))?;
        }
        Ok(())
    }

    /// Puts the files in their places.
    ///
    /// # Errors
    /// The disk's answer, with the name of the file.
    pub(super) fn finish(self, exit_code: u8) -> io::Result<()> {
        let Self { wanted, about, totals, failures, changes, squashes, .. } = self;
        let report = Report {
            about: &about,
            totals: &totals,
            failures: &failures,
            changes: &changes,
            squashes: &squashes,
            exit_code,
        };
        let finish = |draft: Option<Draft>, path: &Option<PathBuf>, head: &[u8], tail: &[u8]| match (draft, path) {
            (Some(draft), Some(path)) => draft.finish(head, tail).map_err(|error| named(path, &error)),
            _ => Ok(()),
        };
        finish(self.junit, &wanted.junit, junit::head(&about, &totals).as_bytes(), junit::TAIL.as_bytes())?;
        if self.sarif.is_some() {
            finish(self.sarif, &wanted.sarif, &sarif::document(&about, &failures, exit_code)?, b"")?;
        }
        if self.html.is_some() {
            finish(self.html, &wanted.html, html::page(&report, &self.signers).as_bytes(), b"")?;
        }
        let markdown = summary::text(&report);
        finish(self.markdown, &wanted.markdown, markdown.as_bytes(), b"")?;
        if let (Some(mut file), Some(path)) = (self.step_summary, &wanted.step_summary) {
            file.write_all(markdown.as_bytes()).map_err(|error| named(path, &error))?;
        }
        if wanted.annotations {
            let written = if descriptor::is_read_only(io::stderr()) {
                Err(io::Error::other("it is not open for writing"))
            } else {
                io::stderr().lock().write_all(annotations::lines(&report).as_bytes())
            };
            written.map_err(|error| named(Path::new("standard error"), &error))?;
        }
        Ok(())
    }
}

/// What was asked, of whom, and when.
pub(in crate::commands) fn about(run: &Run<'_>) -> About {
    let policy = json::policy(run).map(|policy| PolicySource {
        source: policy.source,
        sha256: policy.sha256,
        path: run.surroundings.paths.first().cloned(),
    });
    let trusted = run.verifier.instances().map(Trusted::from);
    About {
        tool: json::TOOL,
        range: json::range(run.request),
        policy,
        instances: trusted.collect(),
        network: run.asks_network(),
        insecure_ignore_sct: run.verifier.scts() == SctRequirement::InsecureIgnore,
        now: run.now,
    }
}

fn begin(path: &Path) -> Result<Draft, CommandError> {
    Draft::begin(path).map_err(|error| not_writable(path, &error))
}

/// Refuses what is printed to already: the report would take the place of the verdicts.
fn refuse_stream(path: &Path) -> Result<(), CommandError> {
    let hint = "a report needs a file of its own; nothing was verified";
    if path == Path::new("-") {
        return Err(CommandError::usage("\"-\" is no file, and standard output has the verdicts").hint(hint));
    }
    let streams =
        [("standard output", is_stream(path, &io::stdout())), ("standard error", is_stream(path, &io::stderr()))];
    match streams.iter().find(|(_, is_it)| *is_it) {
        Some((name, _)) => {
            Err(CommandError::usage(format!("the report {} and {name} are one file", path.display())).hint(hint))
        }
        None => Ok(()),
    }
}

/// Whether `stream` leads to the file at `path`.
#[cfg(unix)]
fn is_stream(path: &Path, stream: &impl std::os::fd::AsFd) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    let stream = stream.as_fd().try_clone_to_owned().and_then(|stream| File::from(stream).metadata());
    let (Ok(stream), Ok(file)) = (stream, fs::metadata(path)) else { return false };
    // Of what is no file it is said that a report cannot be there.
    file.is_file() && (stream.dev(), stream.ino()) == (file.dev(), file.ino())
}

/// Nobody knows here.
#[cfg(not(unix))]
fn is_stream<T>(_path: &Path, _stream: &T) -> bool {
    false
}

fn open_to_append(path: &Path) -> Result<File, CommandError> {
    files::open(OpenOptions::new().append(true).create(true), path).map_err(|error| not_writable(path, &error.into()))
}

fn not_writable(path: &Path, error: &io::Error) -> CommandError {
    CommandError::new(ErrorKind::Undecided, format!("the report {} cannot be written: {error}", path.display()))
        .hint("nothing was verified")
}

/// Not the error of a pipe whose reader is gone.
fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::other(format!("{}: {error}", path.display()))
}

/// GitHub shows five thousand results of a run, and nobody reads more.
const MAX_FAILURES: usize = 5_000;

/// A page shows a hundred; more are counted to know how many there are.
const MAX_SIGNERS: usize = 1_000;
