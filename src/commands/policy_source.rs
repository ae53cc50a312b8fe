//! Where a policy file may come from: a path outside the work tree, or a file as a commit has it. Never the work tree, and
//! never a commit that is itself judged: the judged branch may not write its own law.

use std::path::{MAIN_SEPARATOR, Path, PathBuf};

use super::hints;
use crate::command_error::{CommandError, ErrorKind};
use crate::escape;
use crate::files;
use crate::git::repository::{FileAt, HistoryError, ObjectId, Repository, Selected};
use crate::instance::InstanceName;
use crate::policy::{MAX_BYTES, PolicyFile};

mod beside;

use beside::{Beside, Refused, in_work_trees, refuse_work_tree};

/// A policy file, and where it was.
#[derive(Debug)]
pub struct LoadedPolicy {
    /// What it says.
    pub file: PolicyFile,
    /// As the user named it.
    pub source: String,
    /// Where in the repository, if there.
    pub in_repository: Option<InRepository>,
    /// The paths in the repository, with slashes, at which commits change it or a file that it names; of files in the work
    /// tree, those they would be committed at.
    pub paths: Vec<String>,
    /// The files that it names on the disk.
    beside: Vec<PathBuf>,
    binds: Binds,
}

/// What a policy has to do with the objects that are judged by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Binds {
    /// It judges what a push brings, as it is before the push.
    BeforePush,
    /// It judges them.
    Judged,
    /// It is only tried out.
    Nobody,
}

/// Where in the repository a policy file is.
#[derive(Debug)]
pub struct InRepository {
    /// The commit that has it.
    pub commit: ObjectId,
    /// The objects through which its name led to it, tags among them.
    pub through: Vec<ObjectId>,
    /// What stands before the colon.
    pub revision: String,
    /// The path in its tree, with slashes.
    pub path: String,
    /// It is named as the commit of a branch.
    of_branch: bool,
}

impl LoadedPolicy {
    /// Reads the policy that `source` names: `REF:PATH`, or a path that begins at the root, at `./` or `../`, or has no
    /// colon. A rule without an instance means `default`.
    ///
    /// # Errors
    /// [`ErrorKind::Policy`], saying what is wrong and what would not be; [`ErrorKind::Usage`] for `REF:PATH` outside a
    /// repository.
    pub fn read(source: &Path, repository: Option<&Repository>, default: &InstanceName) -> Result<Self, CommandError> {
        Self::read_for(Purpose::Judging, source, repository, default)
    }

    /// Reads the policy that judges a push. It is read before anything moves: what is pushed may name its commit.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_before_push(
        source: &Path,
        repository: Option<&Repository>,
        default: &InstanceName,
    ) -> Result<Self, CommandError> {
        Ok(Self { binds: Binds::BeforePush, ..Self::read(source, repository, default)? })
    }

    /// Reads a policy that is tried out, from anywhere: it binds nobody, and may lie in what it judges. A file in the work tree is
    /// taken as if it were committed.
    ///
    /// # Errors
    /// As [`read_anywhere`](Self::read_anywhere).
    pub fn read_on_trial(
        source: &Path,
        repository: Option<&Repository>,
        default: &InstanceName,
    ) -> Result<Self, CommandError> {
        let mut loaded = Self { binds: Binds::Nobody, ..Self::read_anywhere(source, repository, default)? };
        if let (Place::File(path), Some(repository)) = (Place::of(source), repository) {
            let work_trees = repository.work_trees();
            let inside = |path: &Path| {
                let inside = in_work_trees(path, &work_trees).filter(|inside| !inside.starts_with(".git"))?;
                Some(inside.to_str()?.replace(MAIN_SEPARATOR, "/"))
            };
            loaded.paths =
                std::iter::once(path).chain(loaded.beside.iter().map(PathBuf::as_path)).filter_map(inside).collect();
        }
        Ok(loaded)
    }

    /// The same from anywhere: to look at a policy, not to judge by it.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_anywhere(
        source: &Path,
        repository: Option<&Repository>,
        default: &InstanceName,
    ) -> Result<Self, CommandError> {
        Self::read_for(Purpose::Looking, source, repository, default)
    }

    fn read_for(
        purpose: Purpose,
        source: &Path,
        repository: Option<&Repository>,
        default: &InstanceName,
    ) -> Result<Self, CommandError> {
        let shown = source.display().to_string();
        let bad = |what: String| CommandError::new(ErrorKind::Policy, format!("the policy {shown}: {what}"));
        let (bytes, mut beside, in_repository) = match Place::of(source) {
            Place::InRepository { revision, path } => {
                let repository = repository.ok_or_else(|| {
                    CommandError::usage(format!("the policy {shown}: there is no Git repository here"))
                        .hint(format!("a file of that name is {}", escape::shell(&format!("./{shown}"))))
                })?;
                // Whoever may push a tag does not choose which branch is meant.
                repository.check_unambiguous(revision.as_ref()).map_err(|ambiguous| {
                    let hint =
                        format!("write the whole name, as {}", escape::shell(&format!("{}:{path}", ambiguous.example)));
                    bad(ambiguous.to_string()).hint(hint)
                })?;
                let found = repository.file_at(&revision, &path, MAX_BYTES).map_err(|error| {
                    let hint = match &error {
                        HistoryError::Revision(_) | HistoryError::NotACommit(_) => {
                            format!(
                                "before the colon stands a commit; a file of that name is {}",
                                escape::shell(&format!("./{shown}"))
                            )
                        }
                        HistoryError::NoFile { .. } | HistoryError::NotAFile { .. } => {
                            format!("\"git ls-tree -r {}\" lists the files that it has", escape::shell(&revision))
                        }
                        HistoryError::NoStart(_)
                        | HistoryError::OtherHash { .. }
                        | HistoryError::TooLarge(_)
                        | HistoryError::Unreadable(_) => hints::for_history(repository, &error),
                    };
                    bad(error.to_string()).hint(hint)
                })?;
                let beside = Beside::of_commit(purpose, repository, found.commit, &path);
                let of_branch = repository.begins_with_branch(&revision);
                let FileAt { commit, through, bytes } = found;
                (bytes, beside, Some(InRepository { commit, through, revision, path, of_branch }))
            }
            Place::File(path) => {
                let work_trees = purpose.refuses(repository);
                refuse_work_tree(path, &work_trees).map_err(|Refused { what, hint }| bad(what).hint(hint))?;
                let bytes = files::read(path, MAX_BYTES).map_err(|error| {
                    let half = half_a_name(path).filter(|_| error.is_absent());
                    let what = half.map_or_else(|| error.to_string(), str::to_owned);
                    bad(what).hint("name a file, or REF:PATH for a file as a commit has it")
                })?;
                (bytes, Beside::of_file(path, work_trees), None)
            }
        };
        let file = PolicyFile::read_with(&bytes, default, &mut |path, pinned| beside.read(path, pinned));
        let file = file.map_err(|error| {
            bad(error.to_string()).hint(match (repository, &beside.unreadable) {
                (Some(repository), Some(unreadable)) => hints::for_unreadable(repository, unreadable),
                _ => "docs/policy.md lists what a policy file may say".to_owned(),
            })
        })?;
        let mut paths: Vec<String> = in_repository.iter().map(|place| place.path.clone()).collect();
        paths.extend(beside.in_commit);
        Ok(Self { file, source: shown, in_repository, paths, beside: beside.on_disk, binds: Binds::Judged })
    }

    /// Refuses a policy that lies in what it is to judge, unless it is only tried out.
    ///
    /// # Errors
    /// [`ErrorKind::Policy`].
    pub fn refuse_if_judged(&self, repository: &Repository, selected: &[Selected]) -> Result<(), CommandError> {
        let Some(place) = &self.in_repository else { return Ok(()) };
        let commit = place.commit;
        let refused = |what: String, instead: &str| {
            Err(CommandError::new(ErrorKind::Policy, format!("the policy {}: {what}", self.source))
                .hint(format!("who is judged does not write the law: name {instead}")))
        };
        let is_history = |selected: &&Selected| matches!(selected, Selected::History { .. });
        let selected: Vec<Selected> = match self.binds {
            Binds::BeforePush => selected.iter().filter(is_history).cloned().collect(),
            Binds::Judged => selected.to_vec(),
            Binds::Nobody => return Ok(()),
        };
        if repository.is_among(&selected, commit) {
            return refused(format!("its commit {commit} is among those to judge"), OLDER);
        }
        if let Some(object) = place.through.iter().find(|id| selected.contains(&Selected::Object(**id))) {
            return refused(format!("the object {object}, through which it is named, is among those to judge"), OLDER);
        }
        match place.tags_choose().then(|| repository.contains(&selected, commit)) {
            Some(Some(true)) => refused(format!("a tag among those to judge names its commit {commit}"), BRANCH),
            Some(None) => {
                refused("what a tag to judge names is not here, and could be a tag of its commit".to_owned(), BRANCH)
            }
            Some(Some(false)) | None => Ok(()),
        }
    }
}

impl InRepository {
    /// Whether a tag of its commit could have made it the law. A branch has its commit whatever tags name it.
    #[must_use]
    pub fn tags_choose(&self) -> bool {
        !self.of_branch
    }
}

const OLDER: &str = "an older commit that you trust, as that of origin/main, or a file elsewhere";
const BRANCH: &str =
    "it as that of a branch, as refs/remotes/origin/main:PATH, an older commit that you trust, or a file elsewhere";

/// What a policy is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Judging,
    Looking,
}

impl Purpose {
    /// The work trees in which nothing may be that judges.
    fn refuses(self, repository: Option<&Repository>) -> Vec<PathBuf> {
        match self {
            Self::Judging => repository.map(Repository::work_trees).unwrap_or_default(),
            Self::Looking => Vec::new(),
        }
    }
}

enum Place<'a> {
    File(&'a Path),
    InRepository { revision: String, path: String },
}

impl<'a> Place<'a> {
    fn of(source: &'a Path) -> Self {
        let text =
            source.to_str().filter(|text| !source.is_absolute() && !text.starts_with("./") && !text.starts_with("../"));
        match text.and_then(split) {
            Some((revision, path)) if !revision.is_empty() && !path.is_empty() => {
                Self::InRepository { revision: revision.to_owned(), path: path.to_owned() }
            }
            _ => Self::File(source),
        }
    }
}

/// What is missing of `REF:PATH`, where one of both is.
fn half_a_name(source: &Path) -> Option<&'static str> {
    match source.to_str().and_then(split)? {
        (_, "") => Some("no path stands behind the colon"),
        ("", _) => Some("no commit stands before the colon"),
        _ => None,
    }
}

/// At the first colon that stands in no braces, as Git does: `main@{2026-01-31 12:00}:policy.toml`.
fn split(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0_usize;
    for (at, char) in text.char_indices() {
        match char {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ':' if depth == 0 => return Some((text.get(..at)?, text.get(at + 1..)?)),
            _ => {}
        }
    }
    None
}
