//! `waxseal verify-tag`: tags by name, and by nothing else. What the repository calls v2 must be what its tagger called v2:
//! who can write refs can give an old tag a new name, and its signature holds all the same.

use std::ffi::OsString;

use jiff::Timestamp;

use super::policy_source::LoadedPolicy;
use super::run::Run;
use super::run::selection::Selection;
use crate::cli::Verify;
use crate::command_error::CommandError;
use crate::git::refs::TAGS;
use crate::git::repository::{Repository, Selected};

/// Verifies the tags of these names and returns the exit code of `docs/errors.md`.
///
/// # Errors
/// [`CommandError`], as [`super::verify::run`]; 2 for a name that is no annotated tag's.
pub fn run(request: &Verify, now: Timestamp) -> Result<u8, CommandError> {
    let full = |name: &OsString| {
        let mut full = OsString::from(TAGS);
        full.push(name);
        full
    };
    let request = Verify { revisions: request.revisions.iter().map(full).collect(), ..request.clone() };
    let tags = |repository: &Repository, _policy: Option<&LoadedPolicy>| {
        let tag = |name: &OsString| Ok(Selected::Object(repository.annotated_tag(name)?));
        let selected = request.revisions.iter().map(tag).collect::<Result<_, CommandError>>()?;
        Ok(Selection { names: request.revisions.clone(), selected, ..Selection::default() })
    };
    Run::prepare(&request, now, tags)?.report()
}
