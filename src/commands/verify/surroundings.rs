//! What a policy file asks of an object besides its signature.

use std::collections::HashSet;
use std::ffi::OsString;

use crate::cli::Verify;
use crate::command_error::{CommandError, ErrorKind};
use crate::commands::policy_source::LoadedPolicy;
use crate::commands::verify::selection::Selection;
use crate::git::ObjectKind;
use crate::git::description::Description;
use crate::git::repository::{FoundObject, ObjectId, Repository};
use crate::policy::{Circumstances, Start};

/// What is the same for all objects of a run.
#[derive(Debug)]
pub(in crate::commands) struct Surroundings {
    /// For each argument the ref that it names.
    references: Vec<Option<String>>,
    /// The path of the policy file in the repository; `None` where no commit can change it.
    pub(in crate::commands) path: Option<String>,
    /// The commits before the policy's start; `None` where the history is incomplete.
    before_start: Option<HashSet<ObjectId>>,
    /// Where the policy came from, for the report.
    pub(in crate::commands) source: Option<String>,
}

impl Surroundings {
    /// Those of a run whose policy asks nothing.
    pub(in crate::commands) fn unasked(arguments: usize) -> Self {
        Self { references: vec![None; arguments], path: None, before_start: Some(HashSet::new()), source: None }
    }

    /// Those of a policy file.
    ///
    /// # Errors
    /// [`ErrorKind::Policy`] when its start commit is not there, [`ErrorKind::Usage`] for `--ref`.
    pub(in crate::commands) fn of(
        policy: &LoadedPolicy,
        request: &Verify,
        repository: &Repository,
        selection: &Selection,
    ) -> Result<Self, CommandError> {
        if let Some(reference) = &request.reference
            && !reference.starts_with("refs/")
        {
            return Err(CommandError::usage(format!("--ref {reference:?} is no full ref name"))
                .hint("a branch is refs/heads/NAME, a tag refs/tags/NAME"));
        }
        let named = |name: &OsString| match &request.reference {
            Some(reference) => Some(reference.clone()),
            None => repository.reference(name),
        };
        let before_start = match policy.file.start() {
            Some(start) => repository.before(start).map_err(|error| {
                CommandError::new(ErrorKind::Policy, format!("the policy {}: start: {error}", policy.source))
                    .hint("a shallow clone may lack it: \"git fetch --unshallow\"")
            })?,
            None => Some(HashSet::new()),
        };
        let references = match selection.references.as_slice() {
            [] => selection.names.iter().map(named).collect(),
            known => known.iter().cloned().map(Some).collect(),
        };
        Ok(Self { references, path: policy.path.clone(), before_start, source: Some(policy.source.clone()) })
    }

    /// Those of one object, which the argument at `position` named.
    pub(in crate::commands) fn circumstances<'a>(
        &'a self,
        repository: &Repository,
        found: &'a FoundObject,
        object: &'a str,
        position: usize,
    ) -> Circumstances<'a> {
        let content = found.content.as_ref().ok();
        let author_email = content.and_then(|object| {
            let description = Description::of(object.kind, &object.bytes);
            match object.kind {
                ObjectKind::Commit => description.author_email(),
                ObjectKind::Tag => description.committer_email(),
            }
        });
        let start = match (&self.before_start, content.map(|object| object.kind)) {
            // A new tag of an old commit is new.
            (_, Some(ObjectKind::Tag)) => Start::Judged,
            (Some(before), _) if before.contains(&found.id) => Start::Before,
            (Some(_), _) => Start::Judged,
            (None, _) => Start::Unknown,
        };
        Circumstances {
            reference: self.references.get(position).and_then(Option::as_deref),
            author_email,
            object: Some(object),
            changes_policy: self.path.as_ref().map_or(Some(false), |path| repository.changes(found, path)),
            start,
        }
    }
}
