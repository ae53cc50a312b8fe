//! What a run verifies: revisions, the histories behind every ref, tags by pattern, and what standard input names.

use std::collections::HashSet;
use std::ffi::OsString;
use std::io::{self, BufRead as _};

use crate::cli::Verify;
use crate::command_error::CommandError;
use crate::git::repository::{Repository, Selected};

/// What is asked for, found in the repository.
#[derive(Debug, Default)]
pub(in crate::commands) struct Selection {
    /// For each of `selected` what named it: the revision, or the full name of the ref.
    pub names: Vec<OsString>,
    /// None of it read yet.
    pub selected: Vec<Selected>,
    /// For each of `selected` the full name of the ref that rules judge for; empty where the names say it.
    pub references: Vec<String>,
    /// Whether an object that is named several times counts once.
    pub once: bool,
}

impl Selection {
    /// What the arguments ask for; HEAD where they ask for nothing.
    ///
    /// # Errors
    /// [`CommandError`] for the first revision that names nothing that can be signed.
    pub(in crate::commands) fn of(request: &Verify, repository: &Repository) -> Result<Self, CommandError> {
        let mut selection = Self::default();
        if request.all {
            selection.push(OsString::from("--all"), repository.select_all()?);
        }
        // Two patterns may match the same tag.
        let mut tags = HashSet::new();
        for glob in &request.tags {
            for (name, selected) in repository.select_tags(glob)? {
                let name = text(&name)?;
                if tags.insert(name.clone()) {
                    selection.push(name, selected);
                }
            }
        }
        let unasked = request.all || request.stdin || !request.tags.is_empty();
        if !(unasked && request.revisions.is_empty()) {
            selection.add(repository, request.revisions.clone())?;
        }
        if request.stdin {
            selection.add_lines(repository)?;
        }
        Ok(selection)
    }

    fn push(&mut self, name: OsString, selected: Selected) {
        self.names.push(name);
        self.selected.push(selected);
    }

    fn add(&mut self, repository: &Repository, revisions: Vec<OsString>) -> Result<(), CommandError> {
        let selected = repository.select(&revisions)?;
        // None was given: it is HEAD, or nothing where HEAD has no commit.
        let names = if revisions.is_empty() { vec![OsString::from("HEAD"); selected.len()] } else { revisions };
        self.names.extend(names);
        self.selected.extend(selected);
        Ok(())
    }

    fn add_lines(&mut self, repository: &Repository) -> Result<(), CommandError> {
        let mut stdin = io::stdin().lock();
        for number in 1_u64.. {
            let mut line = Vec::new();
            let read = io::Read::take(&mut stdin, MAX_LINE + 1).read_until(b'\n', &mut line);
            let read = read.map_err(|error| {
                CommandError::usage(format!("standard input cannot be read: {error}"))
                    .hint("--stdin reads revisions, one a line, as \"git rev-list\" prints them")
            })?;
            if read == 0 {
                break;
            }
            if u64::try_from(read).is_ok_and(|read| read > MAX_LINE) {
                return Err(CommandError::usage(format!("line {number} of standard input is no revision"))
                    .hint(format!("it is longer than {MAX_LINE} bytes; each line names one object or range")));
            }
            let revision = line.trim_ascii_end();
            if revision.is_empty() {
                continue;
            }
            let revision = std::str::from_utf8(revision).map(OsString::from).map_err(|_not_text| {
                CommandError::usage(format!("line {number} of standard input is no revision")).hint("it is not UTF-8")
            })?;
            self.add(repository, vec![revision])?;
        }
        Ok(())
    }
}

fn text(name: &[u8]) -> Result<OsString, CommandError> {
    match std::str::from_utf8(name) {
        Ok(name) => Ok(OsString::from(name)),
        Err(_not_text) => Err(CommandError::usage("the name of a tag is not UTF-8").hint("name its object by its id")),
    }
}

/// Nobody's revision is longer.
const MAX_LINE: u64 = 1 << 16;
