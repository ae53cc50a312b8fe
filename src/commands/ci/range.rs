//! The range of a job, found in the clone that it has.

use std::ffi::{OsStr, OsString};
use std::fmt::Display;

use super::event::{Base, Job};
use crate::command_error::{CommandError, ErrorKind, TOO_LARGE};
use crate::commands::run::selection::Selection;
use crate::escape;
use crate::git::refs::TAGS;
use crate::git::repository::{ObjectId, Pushed, PushedEnd, Repository, Selected, UnreadableObject};

/// What is verified, and where what is trusted already ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Range {
    /// For people.
    pub(super) why: String,
    pub(super) reference: Option<String>,
    /// The commit where it begins.
    base: Option<ObjectId>,
    /// The commit from which a policy comes, if nobody says another: of the branch that others are merged into. Where a
    /// branch was before is its own work, too.
    pub(super) policy_commit: Option<ObjectId>,
    /// Tag objects, of which the first must have the ref's name.
    tags: Vec<ObjectId>,
    head: ObjectId,
    /// The commit alone is meant, not its history.
    alone: bool,
    /// What is on the default branch was judged there.
    default_tip: Option<ObjectId>,
}

impl Range {
    /// That of the ends which flags or variables name.
    ///
    /// # Errors
    /// 2 for a revision that names no commit.
    pub(super) fn between(base: &OsStr, head: Option<&OsStr>, repository: &Repository) -> Result<Self, CommandError> {
        let head = head.unwrap_or(OsStr::new("HEAD"));
        let (_, base) = commit(base, repository)?;
        let (tags, head_commit) = commit(head, repository)?;
        let reference = repository.reference(head);
        let why = "the ends were given".to_owned();
        Ok(Self {
            why,
            reference,
            base: Some(base),
            policy_commit: Some(base),
            tags,
            head: head_commit,
            alone: false,
            default_tip: None,
        })
    }

    /// That of a job.
    ///
    /// # Errors
    /// 3 where the clone lacks an end of it, saying how to get it.
    pub(super) fn of(job: &Job, repository: &Repository) -> Result<Self, CommandError> {
        let (mut tags, head) = match repository.pushed(job.head) {
            Pushed { tags, end: PushedEnd::Commit(commit) } => (tags, commit),
            Pushed { .. } => return Err(lacks_commit(job.head, job, repository)),
        };
        let is_tag = |name: &&String| name.starts_with(TAGS);
        // The commit is told where the tag is meant.
        if let Some(name) = job.reference.as_ref().filter(is_tag).filter(|_| tags.is_empty()) {
            let there = repository.tip(name).map(|id| repository.pushed(id));
            let there = there.filter(|there| there.commit() == Some(head));
            tags = there.ok_or_else(|| lacks(name, job, repository))?.tags;
        }
        let is_lightweight = job.reference.as_ref().is_some_and(|name| is_tag(&name)) && tags.is_empty();
        let why = format!("{}: {}", job.event, if is_lightweight { LIGHTWEIGHT } else { job.why });
        let reference = job.reference.clone();
        let range =
            Self { why, reference, base: None, policy_commit: None, tags, head, alone: false, default_tip: None };
        let before = match job.base {
            Base::Commit(base) => {
                Some(repository.pushed(base).commit().ok_or_else(|| lacks_commit(base, job, repository))?)
            }
            Base::Replaced(base) => match repository.pushed(base).commit() {
                None if is_default(job) => return Err(lacks_commit(base, job, repository)),
                before => before,
            },
            Base::DefaultBranch { .. } => None,
        };
        if job.is_proposal || is_default(job) {
            let alone = job.base == Base::DefaultBranch { all: false };
            let policy_commit = if alone { older(head, repository) } else { before };
            return Ok(Self { base: before, policy_commit, alone, ..range });
        }
        let tip = default_tip(job, repository);
        // Who is judged does not write the law.
        let policy_commit = match &tip {
            Ok(tip) if *tip == head => older(head, repository),
            Ok(tip) => Some(*tip),
            Err(_) => None,
        };
        match before {
            Some(before) => Ok(Self { base: Some(before), policy_commit, default_tip: tip.ok(), ..range }),
            None => {
                let tip = tip?;
                // A tag that is not signed is green for nothing but the commit that it names.
                let own = [Selected::History { hidden: vec![tip], tips: vec![head] }];
                let alone = is_lightweight && repository.contains(&own, head) != Some(true);
                Ok(Self { base: (!alone).then_some(tip), policy_commit, alone, ..range })
            }
        }
    }

    /// What is to be verified, for another ref than the job's if one is given.
    pub(super) fn selection(&self, reference: Option<&str>) -> Selection {
        let reference = reference.map(str::to_owned).or_else(|| self.reference.clone());
        let mut led = [&self.reference, &reference].into_iter().flatten();
        let led = led.find(|name| name.starts_with("refs/tags/")).cloned();
        let mut selection = Selection::default();
        let mut select = |name: String, selected: Selected| {
            selection.names.push(OsString::from(name));
            selection.references.extend(reference.clone());
            selection.selected.push(selected);
        };
        for (number, tag) in self.tags.iter().enumerate() {
            // A tag's own name must be the ref's.
            let name = led.clone().filter(|_| number == 0);
            select(name.unwrap_or_else(|| tag.to_string()), Selected::Object(*tag));
        }
        if self.alone {
            select(self.head.to_string(), Selected::Object(self.head));
        } else {
            let hidden = self.base.into_iter().chain(self.default_tip).collect();
            select(self.name(), Selected::History { hidden, tips: vec![self.head] });
        }
        selection
    }

    /// As git names it.
    pub(super) fn name(&self) -> String {
        match self.base {
            Some(base) => format!("{base}..{}", self.head),
            None => self.head.to_string(),
        }
    }

    /// The same with what stands beside it.
    pub(super) fn shown(&self) -> String {
        let tags: String = self.tags.iter().map(|tag| format!("the tag {tag} and ")).collect();
        let what = match (self.base, self.alone) {
            (Some(_), _) => "",
            (None, true) => "the commit ",
            (None, false) => "everything up to ",
        };
        let but = if self.default_tip.is_some() { ", without what is on the default branch" } else { "" };
        format!("{tags}{what}{}{but}", self.name())
    }
}

/// The tags through which a revision leads, and the commit behind.
fn commit(revision: &OsStr, repository: &Repository) -> Result<(Vec<ObjectId>, ObjectId), CommandError> {
    repository.check_unambiguous(revision).map_err(|ambiguous| {
        let hint = format!("give the whole name, as {}", escape::shell(&ambiguous.example));
        CommandError::usage(ambiguous).hint(hint)
    })?;
    let selected = repository.select(&[revision.to_owned()])?;
    let pushed = match selected.as_slice() {
        [Selected::Object(id)] => repository.pushed(*id),
        _ => {
            return Err(CommandError::usage(format!("{} does not name one commit", revision.display()))
                .hint("give the two ends of the range with --base and --head"));
        }
    };
    match pushed.end {
        PushedEnd::Commit(commit) => Ok((pushed.tags, commit)),
        PushedEnd::NotSignable => Err(CommandError::usage(format!("{} names no commit", revision.display()))),
        PushedEnd::Unreadable(id) => Err(too_large(id, repository).unwrap_or_else(|| {
            CommandError::new(ErrorKind::Undecided, format!("{id} is not in this clone"))
                .hint("in CI, check out the whole history (fetch-depth: 0)")
        })),
    }
}

/// The error where it is for its size that `id`, or the commit that it stands for, cannot be read: fetching it again helps
/// nobody.
fn too_large(id: ObjectId, repository: &Repository) -> Option<CommandError> {
    let PushedEnd::Unreadable(end) = repository.pushed(id).end else { return None };
    let why = repository.unreadable(end).filter(|why| *why == UnreadableObject::TooLarge)?;
    Some(CommandError::new(ErrorKind::Undecided, format!("{end} cannot be read: {why}")).hint(TOO_LARGE))
}

/// The commit before another one.
fn older(commit: ObjectId, repository: &Repository) -> Option<ObjectId> {
    match repository.select(&[OsString::from(format!("{commit}~"))]).ok()?.as_slice() {
        [Selected::Object(id)] => Some(*id),
        _ => None,
    }
}

/// Whether the job is about the default branch itself.
fn is_default(job: &Job) -> bool {
    let name = job.default_branch.as_ref().map(|branch| format!("refs/heads/{branch}"));
    name.is_some() && name == job.reference
}

/// Where the default branch is, as the clone knows it from its remote.
fn default_tip(job: &Job, repository: &Repository) -> Result<ObjectId, CommandError> {
    let name = job.default_branch.as_ref().map(|branch| format!("refs/remotes/origin/{branch}"));
    let found = repository.refs_below("refs/remotes/origin/")?;
    let name = name.unwrap_or_else(|| "refs/remotes/origin/HEAD".to_owned());
    let there = found.into_iter().find(|(full, _)| *full == name.as_str()).map(|(_, there)| there.end);
    if let Some(PushedEnd::Unreadable(id)) = there
        && let Some(error) = too_large(id, repository)
    {
        return Err(error.hint("--base says where else the range begins"));
    }
    let tip = there.and_then(|end| match end {
        PushedEnd::Commit(commit) => Some(commit),
        PushedEnd::NotSignable | PushedEnd::Unreadable(_) => None,
    });
    tip.ok_or_else(|| {
        CommandError::new(ErrorKind::Undecided, format!("this clone has no {name}, where the range would begin"))
            .hint("in CI, check out the whole history (fetch-depth: 0); --base says where else it begins")
    })
}

fn lacks_commit(id: ObjectId, job: &Job, repository: &Repository) -> CommandError {
    too_large(id, repository).unwrap_or_else(|| lacks(id, job, repository))
}

fn lacks(id: impl Display, job: &Job, repository: &Repository) -> CommandError {
    let shallow = if repository.is_shallow() { "shallow " } else { "" };
    let what = format!("{} ({}): {id} is not in this {shallow}clone, or not as it was pushed", job.event, job.why);
    let error = CommandError::new(ErrorKind::Undecided, what)
        .hint("in CI, check out the whole history: fetch-depth: 0 on GitHub, GIT_DEPTH: 0 on GitLab");
    match &job.fetch {
        Some(fetch) => error.hint(format!("fetching runs nothing of it: {fetch}")),
        None => error.hint(format!("fetching runs nothing of it: git fetch origin {}", escape::shell(&id.to_string()))),
    }
}

const LIGHTWEIGHT: &str = "the commit that the tag names, since nobody can sign a lightweight tag, and what is behind it and not \
                           on the default branch";
