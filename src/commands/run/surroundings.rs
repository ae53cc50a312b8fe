//! What a policy file asks of an object besides its signature.

use std::collections::HashMap;
use std::ffi::OsString;

use super::selection::Selection;
use super::squashes::Squashes;
use crate::cli::Verify;
use crate::command_error::{CommandError, ErrorKind};
use crate::commands::hints;
use crate::commands::policy_source::LoadedPolicy;
use crate::git::ObjectKind;
use crate::git::description::Description;
use crate::git::repository::{Commits, FoundObject, HistoryError, Repository, Selected};
use crate::policy::{Bounds, Circumstances, Place, Start};

/// What is the same for all objects of a run.
pub(in crate::commands) struct Surroundings {
    /// For each argument the ref that it names.
    references: Vec<Option<String>>,
    /// The paths of the policy and of the files that it names, in the repository; empty where no commit can change them.
    pub(in crate::commands) paths: Vec<String>,
    /// The commits before the policy's start.
    before_start: Commits,
    /// The bounds of each rule about keys.
    bounds: Vec<Bounds>,
    /// For each first commit of one what has it in its history.
    from_on: HashMap<String, Commits>,
    /// For each last commit of one its history.
    up_to: HashMap<String, Commits>,
    /// What is known of heads that may have been squashed.
    pub(super) squashes: Squashes,
    /// Where the policy came from, for the report.
    pub(in crate::commands) source: Option<String>,
}

impl Surroundings {
    /// Those of a run whose policy asks nothing.
    pub(in crate::commands) fn unasked(arguments: usize) -> Self {
        Self {
            references: vec![None; arguments],
            paths: Vec::new(),
            before_start: Commits::none(),
            bounds: Vec::new(),
            from_on: HashMap::new(),
            up_to: HashMap::new(),
            squashes: Squashes::default(),
            source: None,
        }
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
            return Err(CommandError::usage(format!("--ref \"{reference}\" is no full ref name"))
                .hint("a branch is refs/heads/NAME, a tag refs/tags/NAME"));
        }
        let named = |name: &OsString| match &request.reference {
            Some(reference) => Some(reference.clone()),
            None => repository.reference(name),
        };
        let lacks = |what: &str, error: HistoryError| {
            CommandError::new(ErrorKind::Policy, format!("the policy {}: {what}: {error}", policy.source))
                .hint(hints::for_history(repository, &error))
        };
        let before_start = match policy.file.start() {
            Some(start) => repository.before(start).map_err(|error| lacks("start", error))?,
            None => Commits::none(),
        };
        let references = match selection.references.as_slice() {
            [] => selection.names.iter().map(named).collect(),
            known => known.iter().cloned().map(Some).collect(),
        };
        let bounds: Vec<Bounds> = policy.file.key_rules().iter().map(|rule| rule.bounds.clone()).collect();
        let squashes = Squashes::of(selection);
        let mut reached = selection.selected.clone();
        if policy.file.knows_squashes() && bounds.iter().any(|bounds| bounds.from.is_some()) {
            // Whatever cannot be read is said when it is looked for.
            let heads = squashes.heads(repository).iter().flat_map(|heads| &heads.all);
            reached.extend(heads.map(|head| Selected::Object(head.id)));
        }
        let (mut from_on, mut up_to) = (HashMap::new(), HashMap::new());
        for Bounds { from, until } in &bounds {
            if let Some(from) = from.as_ref().filter(|from| !from_on.contains_key(*from)) {
                let commits = repository.from_on(from, &reached);
                from_on.insert(from.clone(), commits.map_err(|error| lacks("from_commit", error))?);
            }
            if let Some(until) = until.as_ref().filter(|until| !up_to.contains_key(*until)) {
                let commits = repository.up_to(until);
                up_to.insert(until.clone(), commits.map_err(|error| lacks("until_commit", error))?);
            }
        }
        Ok(Self {
            references,
            paths: policy.paths.clone(),
            before_start,
            bounds,
            from_on,
            up_to,
            squashes,
            source: Some(policy.source.clone()),
        })
    }

    /// The ref that the argument at `position` names, if a policy asks.
    pub(in crate::commands) fn reference(&self, position: usize) -> Option<&str> {
        self.references.get(position).and_then(Option::as_deref)
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
        let description = content.map(|object| Description::of(object.kind, &object.bytes)).unwrap_or_default();
        let author_email = match content.map(|object| object.kind) {
            Some(ObjectKind::Commit) => description.author_email(),
            Some(ObjectKind::Tag) => description.committer_email(),
            None => None,
        };
        let start = match (self.before_start.contains(found.id), content.map(|object| object.kind)) {
            // A new tag of an old commit is new.
            (_, Some(ObjectKind::Tag)) | (Some(false), _) => Start::Judged,
            (Some(true), _) => Start::Before,
            (None, _) => Start::Unknown,
        };
        Circumstances {
            reference: self.reference(position),
            author_email,
            object: Some(object),
            changes_policy: repository.changes_any(found, &self.paths),
            start,
            places: &[],
            committer_email: description.committer_email(),
            merge: None,
            squash: None,
        }
    }

    /// Where an object stands between the bounds of each rule about keys.
    pub(in crate::commands) fn places(&self, repository: &Repository, found: &FoundObject) -> Vec<Place> {
        let is_tag = found.content.as_ref().is_ok_and(|object| object.kind == ObjectKind::Tag);
        let commit = repository.stands_for(found);
        let is_among = |known: &HashMap<String, Commits>, bound: &Option<String>| match bound {
            Some(bound) => known.get(bound)?.contains(commit?),
            None => Some(true),
        };
        let place = |Bounds { from, until }: &Bounds| Place {
            after_from: is_among(&self.from_on, from),
            before_until: is_among(&self.up_to, until),
            is_tag,
        };
        self.bounds.iter().map(place).collect()
    }
}
