//! What lies where a repository keeps its files, and is none: gix opens whatever is there, and would wait for a FIFO's other
//! end for ever. So it is looked at before.
//!
//! Loose objects are not: each would cost a look, and who can put something in their place can destroy them.

use std::fs;
use std::path::{Path, PathBuf};

use gix::bstr::{BStr, BString, ByteSlice as _};

use super::Repository;
use crate::files::{self, ReadError};

/// Something that is not read, where a repository keeps a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {why}", path = .path.display())]
pub struct SpecialFile {
    path: PathBuf,
    why: String,
}

impl SpecialFile {
    fn at(path: PathBuf) -> Self {
        Self { path, why: ReadError::NotRegular.to_string() }
    }
}

/// Looks at what is read when a repository is opened, or whenever an object or a ref is looked for.
pub(super) fn check_folder(git_dir: &Path) -> Result<(), SpecialFile> {
    let common = common_dir(git_dir);
    check(git_dir, &["HEAD", "commondir", "gitdir", "config.worktree"])?;
    check(&common, &["HEAD", "config", "packed-refs", "shallow"])?;
    // Which of the packs are opened depends on what is looked for.
    let mut folders = OBJECT_FOLDERS.iter().map(|name| common.join(name));
    folders.find_map(|folder| special_below(&folder)).map_or(Ok(()), |path| Err(SpecialFile::at(path)))
}

/// Looks at what is read of a folder of objects.
pub(super) fn check_objects(objects: &Path) -> Result<(), SpecialFile> {
    let folders = ["info", "pack"].map(|name| objects.join(name));
    folders.iter().find_map(|folder| special_below(folder)).map_or(Ok(()), |path| Err(SpecialFile::at(path)))
}

fn check(folder: &Path, names: &[&str]) -> Result<(), SpecialFile> {
    let mut paths = names.iter().map(|name| folder.join(name));
    paths.find(|path| files::is_special(path)).map_or(Ok(()), |path| Err(SpecialFile::at(path)))
}

/// The folder that linked worktrees share.
fn common_dir(git_dir: &Path) -> PathBuf {
    let link = files::read(&git_dir.join("commondir"), MAX_REF_BYTES).unwrap_or_default();
    let link = link.trim_end().to_path().ok().filter(|link| !link.as_os_str().is_empty());
    link.map_or_else(|| git_dir.to_owned(), |link| git_dir.join(link))
}

/// Looks at every loose ref.
pub(super) fn check_refs(common_dir: &Path) -> Result<(), SpecialFile> {
    special_below(&common_dir.join("refs")).map_or(Ok(()), |path| Err(SpecialFile::at(path)))
}

/// The first thing in a folder, or in one below it, that is special.
fn special_below(folder: &Path) -> Option<PathBuf> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => {}
                Ok(_) | Err(_) if files::is_special(&entry.path()) => return Some(entry.path()),
                Ok(_) | Err(_) => {}
            }
        }
    }
    None
}

impl Repository {
    /// Looks at every loose ref that a revision, or one end of a range, may name.
    pub(super) fn check_revision(&self, revision: &BStr) -> Result<(), SpecialFile> {
        // Reflogs and what is upstream of a branch: nobody but gix knows which.
        if revision.contains_str("@{") {
            let (own, shared) = (self.inner.git_dir(), self.inner.common_dir());
            let folders = [shared.join("refs"), shared.join("logs"), own.join("refs"), own.join("logs")];
            if let Some(path) = folders.iter().find_map(|folder| special_below(folder)) {
                return Err(SpecialFile::at(path));
            }
        }
        for end in revision.split_str("..") {
            let end = end.trim_start_with(|first| "^.".contains(first));
            let length = end.find_byteset("^~:").unwrap_or(end.len()).min(end.find("@{").unwrap_or(end.len()));
            match end.get(..length).unwrap_or_default() {
                b"" | b"@" => self.check_ref(BStr::new("HEAD"))?,
                name => self.check_name(BStr::new(name))?,
            }
        }
        Ok(())
    }

    /// The same of a name, which may be short.
    fn check_name(&self, name: &BStr) -> Result<(), SpecialFile> {
        // What is no ref's name is not looked for.
        if <&gix::refs::PartialNameRef>::try_from(name).is_err() {
            return Ok(());
        }
        for (before, after) in [
            ("", ""),
            ("refs/", ""),
            ("refs/tags/", ""),
            ("refs/heads/", ""),
            ("refs/remotes/", ""),
            ("refs/remotes/", "/HEAD"),
        ] {
            let full = [before.as_bytes(), name, after.as_bytes()].concat();
            self.check_ref(full.as_bstr())?;
        }
        Ok(())
    }

    /// The same of one ref and, where it is symbolic, of those that it leads to.
    pub(super) fn check_ref(&self, full: &BStr) -> Result<(), SpecialFile> {
        let mut full = BString::from(full);
        for _ in 0..MAX_REF_DEPTH {
            match self.check_loose(full.as_bstr())? {
                Some(target) => full = target,
                None => break,
            }
        }
        Ok(())
    }

    /// The name that a loose ref leads to.
    fn check_loose(&self, full: &BStr) -> Result<Option<BString>, SpecialFile> {
        let Ok(name) = full.to_path() else { return Ok(None) };
        let mut leads_to = None;
        for folder in [self.inner.git_dir(), self.inner.common_dir()] {
            let path = folder.join(name);
            match files::read(&path, MAX_REF_BYTES) {
                Ok(content) => leads_to = content.strip_prefix(b"ref:").map(|target| target.trim().into()).or(leads_to),
                // As of a branch `a/b`, when it is `a` that is looked for.
                Err(ReadError::NotRegular) if path.is_dir() => {}
                Err(error @ (ReadError::NotRegular | ReadError::TooLarge(_))) => {
                    return Err(SpecialFile { path, why: error.to_string() });
                }
                Err(ReadError::Io(_)) => {}
            }
        }
        Ok(leads_to)
    }

    /// The same of what is written when a ref is moved.
    pub(super) fn check_log(&self, full: &str) -> Result<(), SpecialFile> {
        check(self.inner.common_dir(), &[&format!("logs/{full}")])
    }
}

/// Without the loose objects.
const OBJECT_FOLDERS: [&str; 2] = ["objects/info", "objects/pack"];

/// A name, or an object's.
const MAX_REF_BYTES: u64 = 1 << 16;

/// One more than gix follows.
pub(super) const MAX_REF_DEPTH: usize = 6;
