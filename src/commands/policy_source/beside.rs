//! The files that a policy names: from the same commit, or from beside it on the disk; never from the work tree.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Purpose;
use crate::escape;
use crate::files;
use crate::git::repository::{HistoryError, ObjectId, Repository, UnreadableObject};
use crate::policy::Pinned;

/// Where the files are that a policy names, and how much of them may still be read.
pub(super) struct Beside<'a> {
    place: From<'a>,
    work_trees: Vec<PathBuf>,
    /// The paths of those that were read in the commit, each once.
    pub(super) in_commit: BTreeSet<String>,
    /// Those that were read on the disk.
    pub(super) on_disk: Vec<PathBuf>,
    /// What the repository does not give of the one that was read last.
    pub(super) unreadable: Option<UnreadableObject>,
    left: u64,
}

enum From<'a> {
    /// The commit that has the policy, and the folder in it.
    Commit { repository: &'a Repository, commit: ObjectId, folder: String },
    /// The folder of the policy.
    Folder(PathBuf),
}

impl<'a> Beside<'a> {
    pub(super) fn of_commit(purpose: Purpose, repository: &'a Repository, commit: ObjectId, path: &str) -> Self {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        let work_trees = purpose.refuses(Some(repository));
        Self::of(From::Commit { repository, commit, folder }, work_trees)
    }

    pub(super) fn of_file(path: &Path, work_trees: Vec<PathBuf>) -> Self {
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        Self::of(From::Folder(folder), work_trees)
    }

    fn of(place: From<'a>, work_trees: Vec<PathBuf>) -> Self {
        let (in_commit, on_disk, unreadable) = (BTreeSet::new(), Vec::new(), None);
        Self { place, work_trees, in_commit, on_disk, unreadable, left: MAX_BYTES }
    }

    /// The file that the policy calls `path`: below the policy's folder, or from the root on. What a commit names elsewhere
    /// could be anything tomorrow, so its bytes must be pinned.
    pub(super) fn read(&mut self, path: &str, pinned: Pinned) -> Result<Vec<u8>, String> {
        let bytes = match &self.place {
            From::Commit { .. } if Path::new(path).is_absolute() && pinned == Pinned::No => {
                return Err("a file outside the commit needs its sha256".to_owned());
            }
            From::Commit { repository, commit, folder } if !Path::new(path).is_absolute() => {
                let inside = joined(folder, path).ok_or("it leads out of the repository")?;
                let found = repository.file_at(&commit.to_string(), &inside, self.left);
                let found = found.map_err(|error| {
                    let why = error.to_string();
                    if let HistoryError::Unreadable(unreadable) = error {
                        self.unreadable = Some(unreadable);
                    }
                    why
                })?;
                self.in_commit.insert(inside);
                found.bytes
            }
            From::Commit { .. } => self.read_on_disk(PathBuf::from(path))?,
            From::Folder(folder) => {
                let path = folder.join(path);
                self.read_on_disk(path)?
            }
        };
        self.left = self.left.saturating_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        Ok(bytes)
    }

    fn read_on_disk(&mut self, path: PathBuf) -> Result<Vec<u8>, String> {
        refuse_work_tree(&path, &self.work_trees).map_err(|refused| refused.what)?;
        let bytes = files::read(&path, self.left).map_err(|error| error.to_string())?;
        self.on_disk.push(path);
        Ok(bytes)
    }
}

/// `path` seen from `folder`, without dots; `None` where it leads out of the root.
fn joined(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

/// Why a file is not read, and what to do instead.
pub(super) struct Refused {
    pub(super) what: String,
    pub(super) hint: String,
}

/// Refuses what lies in one of the work trees.
pub(super) fn refuse_work_tree(path: &Path, work_trees: &[PathBuf]) -> Result<(), Refused> {
    let Some(inside) = in_work_trees(path, work_trees) else { return Ok(()) };
    let hint = if inside.starts_with(".git") {
        // No commit has it.
        "keep it in a folder outside, or have it in a commit that you trust and name that: REF:PATH".to_owned()
    } else {
        format!(
            "name it as a commit that you trust has it, as in {}",
            escape::shell(&format!("origin/main:{}", inside.display()))
        )
    };
    let what = "it lies in the work tree, where whoever is judged could have put it".to_owned();
    Err(Refused { what, hint })
}

/// The path of a file within one of the work trees, symbolic links resolved.
pub(super) fn in_work_trees(path: &Path, work_trees: &[PathBuf]) -> Option<PathBuf> {
    // What is not there has no place; reading it says so.
    let real = path.canonicalize().ok()?;
    work_trees.iter().find_map(|tree| real.strip_prefix(tree).ok().map(Path::to_owned))
}

/// The keys of some thousand people.
const MAX_BYTES: u64 = 1 << 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_seen_from_the_policys_folder_and_stays_inside() {
        for (folder, path, expected) in [
            ("", "keys", Some("keys")),
            (".waxseal", "keys/a.pub", Some(".waxseal/keys/a.pub")),
            (".waxseal/rules", "./../keys", Some(".waxseal/keys")),
            ("a", "../keys", Some("keys")),
            ("a", "../../keys", None),
            ("a", "..", None),
            ("", "", None),
        ] {
            assert_eq!(joined(folder, path).as_deref(), expected, "{folder} {path}");
        }
    }
}
