//! Where a policy file may come from: a path outside the work tree, or a file as a commit has it. Never the work tree, and
//! never a commit that is itself judged: the judged branch may not write its own law.

use std::path::{MAIN_SEPARATOR, Path, PathBuf};

use crate::command_error::{CommandError, ErrorKind};
use crate::files;
use crate::git::repository::{HistoryError, ObjectId, Repository, Selected};
use crate::instance::InstanceName;
use crate::policy::{MAX_BYTES, PolicyFile};

/// A policy file, and where it was.
#[derive(Debug)]
pub struct LoadedPolicy {
    /// What it says.
    pub file: PolicyFile,
    /// As the user named it.
    pub source: String,
    /// Where in the repository, if there.
    pub in_repository: Option<InRepository>,
    /// The path in the repository, with slashes, at which commits change it; of a file in the work tree, the one it would
    /// be committed at.
    pub path: Option<String>,
    /// It is only tried out.
    on_trial: bool,
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
}

impl LoadedPolicy {
    /// Reads the policy that `source` names: `REF:PATH`, or a path that begins at the root, at `./` or `../`, or has no
    /// colon. A rule without an instance means `default`.
    ///
    /// # Errors
    /// [`ErrorKind::Policy`], saying what is wrong and what would not be; [`ErrorKind::Usage`] for `REF:PATH` outside a
    /// repository.
    pub fn read(source: &Path, repository: Option<&Repository>, default: &InstanceName) -> Result<Self, CommandError> {
        if let (Place::File(path), Some(repository)) = (Place::of(source), repository) {
            refuse_work_tree(path, repository)?;
        }
        Self::read_anywhere(source, repository, default)
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
        let mut loaded = Self { on_trial: true, ..Self::read_anywhere(source, repository, default)? };
        if let (Place::File(path), Some(repository)) = (Place::of(source), repository) {
            let inside = in_work_tree(path, repository).filter(|inside| !inside.starts_with(".git"));
            loaded.path = inside.and_then(|inside| Some(inside.to_str()?.replace(MAIN_SEPARATOR, "/")));
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
        let shown = source.display().to_string();
        let bad = |what: String| CommandError::new(ErrorKind::Policy, format!("the policy {shown}: {what}"));
        let (bytes, in_repository) = match Place::of(source) {
            Place::InRepository { revision, path } => {
                let repository = repository.ok_or_else(|| {
                    CommandError::usage(format!("the policy {shown}: there is no Git repository here"))
                        .hint(format!("a file of that name is ./{shown}"))
                })?;
                let found = repository.file_at(&revision, &path, MAX_BYTES).map_err(|error| {
                    let hint = match &error {
                        HistoryError::Revision(_) | HistoryError::NotACommit(_) => {
                            format!("before the colon stands a commit; a file of that name is ./{shown}")
                        }
                        HistoryError::NoFile { .. } | HistoryError::NotAFile { .. } => {
                            format!("\"git ls-tree -r {revision}\" lists the files that it has")
                        }
                        HistoryError::NoStart(_) | HistoryError::Storage(_) | HistoryError::TooLarge(_) => {
                            "docs/policy.md says what a policy file is".to_owned()
                        }
                    };
                    bad(error.to_string()).hint(hint)
                })?;
                (found.bytes, Some(InRepository { commit: found.commit, through: found.through, revision, path }))
            }
            Place::File(path) => {
                let bytes = files::read(path, MAX_BYTES).map_err(|error| {
                    bad(error.to_string()).hint("name a file, or REF:PATH for a file as a commit has it")
                })?;
                (bytes, None)
            }
        };
        let file = PolicyFile::read(&bytes, default)
            .map_err(|error| bad(error.to_string()).hint("docs/policy.md lists what a policy file may say"))?;
        let path = in_repository.as_ref().map(|place: &InRepository| place.path.clone());
        Ok(Self { file, source: shown, in_repository, path, on_trial: false })
    }

    /// Refuses a policy that lies in what it is to judge, unless it is only tried out.
    ///
    /// # Errors
    /// [`ErrorKind::Policy`].
    pub fn refuse_if_judged(&self, repository: &Repository, selected: &[Selected]) -> Result<(), CommandError> {
        let Some(InRepository { commit, through, .. }) = &self.in_repository else { return Ok(()) };
        if self.on_trial {
            return Ok(());
        }
        let contains = repository.contains(selected, *commit);
        let what = if contains == Some(true) {
            format!("its commit {commit} is among those to judge, or a tag among them names it")
        } else if let Some(object) = through.iter().find(|id| selected.contains(&Selected::Object(**id))) {
            format!("the object {object}, through which it is named, is among those to judge")
        } else if contains.is_none() {
            "what a tag to judge names is not here, and could be a tag of the policy's commit".to_owned()
        } else {
            return Ok(());
        };
        Err(CommandError::new(ErrorKind::Policy, format!("the policy {}: {what}", self.source))
            .hint("who is judged does not write the law: name an older commit that you trust, or a file elsewhere"))
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

fn refuse_work_tree(path: &Path, repository: &Repository) -> Result<(), CommandError> {
    let Some(inside) = in_work_tree(path, repository) else { return Ok(()) };
    let hint = if inside.starts_with(".git") {
        // No commit has it.
        "keep it in a folder outside, or have it in a commit that you trust and name that: REF:PATH".to_owned()
    } else {
        format!("name it as a commit that you trust has it, as in origin/main:{}", inside.display())
    };
    let what = "it lies in the work tree, where whoever is judged could have put it";
    Err(CommandError::new(ErrorKind::Policy, format!("the policy {}: {what}", path.display())).hint(hint))
}

/// The path of a file within one of the repository's work trees, symbolic links resolved.
fn in_work_tree(path: &Path, repository: &Repository) -> Option<PathBuf> {
    // What is not there has no place; reading it says so.
    let real = path.canonicalize().ok()?;
    repository.work_trees().into_iter().find_map(|tree| real.strip_prefix(&tree).ok().map(Path::to_owned))
}
