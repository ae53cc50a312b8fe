//! Several folders of objects that are one: what Git says by `GIT_OBJECT_DIRECTORY` and `GIT_ALTERNATE_OBJECT_DIRECTORIES`.
//!
//! Objects that were just pushed lie in a folder of their own, the quarantine, until the hooks have agreed to them. gix asks
//! no environment, but it follows `info/alternates`: so there is a folder, for as long as it is read, that holds nothing
//! but this file.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gix::odb::memory::Proxy;
use gix::odb::store::init::Options;

use super::{MAX_OBJECT_BYTES, Repository, RepositoryError, special};
use crate::files::{self, scratch::Scratch};

/// The folder; it goes when the last repository that reads it does.
pub(super) struct Joined {
    folder: Scratch,
}

impl Repository {
    /// The same repository with the objects of other folders: `own` instead of its own, and `others`. What has to be
    /// written for that is below `scratch`, or where temporary files are.
    ///
    /// # Errors
    /// [`RepositoryError::Unusable`] when the folders cannot be read together.
    pub fn with_objects(
        mut self,
        own: Option<&Path>,
        others: &[PathBuf],
        scratch: Option<&Path>,
    ) -> Result<Self, RepositoryError> {
        if own.is_none() && others.is_empty() {
            return Ok(self);
        }
        let mut folders = vec![own.unwrap_or_else(|| self.inner.objects.store_ref().path()).to_owned()];
        folders.extend_from_slice(others);
        for folder in &folders {
            special::check_objects(folder)?;
        }
        let hash = self.inner.object_hash();
        let joined = Joined::of(folders, scratch).and_then(|joined| {
            // What opens a repository says this to the store of its own.
            let options = Options { alloc_limit_bytes: Some(MAX_OBJECT_BYTES), ..Options::default() };
            let objects = gix::odb::at_opts(joined.folder.path(), hash, [], options)?;
            Ok((joined, objects))
        });
        let (joined, mut objects) = joined.map_err(|error| {
            RepositoryError::Unusable(format!("the folders of objects that Git names cannot be read: {error}"))
        })?;
        objects.ignore_replacements = true;
        self.inner.objects = Proxy::new(objects, hash).with_write_passthrough();
        self.joined = Some(Arc::new(joined));
        Ok(self)
    }
}

impl Joined {
    fn of(folders: Vec<PathBuf>, scratch: Option<&Path>) -> io::Result<Self> {
        let folder = match scratch {
            Some(scratch) => Scratch::within(scratch, PREFIX)?,
            None => Scratch::new(PREFIX)?,
        };
        let mut list = Vec::new();
        for (number, found) in with_alternates(folders)?.into_iter().enumerate() {
            let path = match found.links_elsewhere {
                true => stand_in(&found.path, &folder.path().join(number.to_string()))?,
                false => found.path,
            };
            let path = path.into_os_string().into_encoded_bytes();
            if path.contains(&b'\n') {
                return Err(io::Error::other("there is a line feed in the name of one"));
            }
            list.extend(path);
            list.push(b'\n');
        }
        std::fs::create_dir(folder.path().join("pack"))?;
        std::fs::create_dir(folder.path().join("info"))?;
        files::replace(&folder.path().join(ALTERNATES), &list)?;
        Ok(Self { folder })
    }
}

struct Found {
    path: PathBuf,
    /// It names others by relative paths, which gix would look for elsewhere.
    links_elsewhere: bool,
}

/// Every folder once, with those that it names.
fn with_alternates(folders: Vec<PathBuf>) -> io::Result<Vec<Found>> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    let mut waiting: Vec<PathBuf> = folders.into_iter().rev().collect();
    while let Some(folder) = waiting.pop() {
        // As Git has it, what is not there has no objects.
        let Ok(path) = folder.canonicalize() else { continue };
        if !seen.insert(path.clone()) {
            continue;
        }
        if seen.len() > MAX_FOLDERS {
            return Err(io::Error::other(format!("they are more than {MAX_FOLDERS}")));
        }
        let alternates = match files::read(&path.join(ALTERNATES), MAX_ALTERNATES_BYTES) {
            Ok(text) => gix::odb::alternate::parse(&text).map_err(|error| io::Error::other(error.to_string()))?,
            Err(error) if error.is_absent() => Vec::new(),
            Err(error) => return Err(io::Error::other(format!("{}: {error}", path.join(ALTERNATES).display()))),
        };
        let links_elsewhere = alternates.iter().any(|alternate| alternate.is_relative());
        waiting.extend(alternates.into_iter().rev().map(|alternate| path.join(alternate)));
        found.push(Found { path, links_elsewhere });
    }
    Ok(found)
}

/// A folder with the same objects, which names no others.
#[cfg(unix)]
fn stand_in(objects: &Path, at: &Path) -> io::Result<PathBuf> {
    std::fs::create_dir(at)?;
    let loose = (0..=u8::MAX).map(|first| format!("{first:02x}"));
    for name in loose.chain(std::iter::once("pack".to_owned())) {
        std::os::unix::fs::symlink(objects.join(&name), at.join(&name))?;
    }
    Ok(at.to_owned())
}

#[cfg(not(unix))]
fn stand_in(objects: &Path, _at: &Path) -> io::Result<PathBuf> {
    Ok(objects.to_owned())
}

const PREFIX: &str = "waxseal-joined-";
const ALTERNATES: &str = "info/alternates";

/// Git follows five, one behind the other; a pool has one.
const MAX_FOLDERS: usize = 64;

/// A path for each of them.
const MAX_ALTERNATES_BYTES: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::tests::Scratch;
    use super::super::{PushedEnd, UnreadableObject};
    use super::*;

    /// A repository that has its first commit in a pool, by a relative path as forges write it, the second one itself, and the
    /// third in quarantine.
    #[expect(clippy::disallowed_methods, reason = "files that nobody else reads")]
    fn forge(scratch: &Scratch) -> (PathBuf, Vec<gix::ObjectId>) {
        let root = PathBuf::from(scratch.git(&["rev-parse", "--show-toplevel"]));
        let one = scratch.commit(1, "one", &[]);
        let two = scratch.commit(2, "two", &[&one]);
        let three = scratch.commit(3, "three", &[&two]);
        for name in ["pool.git", "fork.git"] {
            scratch.git(&["init", "--quiet", "--bare", name]);
        }
        for (id, folder) in [(&one, "pool.git/objects"), (&two, "fork.git/objects"), (&three, "incoming")] {
            let (first, rest) = id.split_at(2);
            let folder = root.join(folder).join(first);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::rename(scratch.object_file(id), folder.join(rest)).unwrap();
        }
        std::fs::create_dir_all(root.join("fork.git/objects/info")).unwrap();
        std::fs::write(root.join("fork.git/objects/info/alternates"), "../../pool.git/objects\n").unwrap();
        (root, [one, two, three].iter().map(|id| id.parse().unwrap()).collect())
    }

    fn ends(repository: &Repository, ids: &[gix::ObjectId]) -> Vec<bool> {
        ids.iter().map(|id| repository.pushed(*id).end == PushedEnd::Commit(*id)).collect()
    }

    #[test]
    fn what_is_in_quarantine_is_seen_beside_what_is_in_the_pool() {
        let scratch = Scratch::new(&[]);
        let (root, ids) = forge(&scratch);
        let open = || Repository::open(&root.join("fork.git")).unwrap();
        assert_eq!(ends(&open(), &ids), [true, true, false]);
        let (own, others) = (root.join("incoming"), [root.join("fork.git/objects"), root.join("not there")]);
        let joined = open().with_objects(Some(&own), &others, Some(&own)).unwrap();
        assert_eq!(ends(&joined, &ids), [true, true, true]);
        assert_eq!(ends(&joined.for_another_thread(), &ids), [true, true, true]);
        // Beside the repository's own.
        let beside = open().with_objects(None, std::slice::from_ref(&own), None).unwrap();
        assert_eq!(ends(&beside, &ids), [true, true, true]);
        drop(joined);
        // Nothing is left where Git keeps what it may take.
        assert_eq!(std::fs::read_dir(&own).unwrap().count(), 1);
        assert_eq!(ends(&open().with_objects(None, &[], None).unwrap(), &ids), [true, true, false]);
    }

    #[test]
    fn nothing_is_read_when_the_time_is_up() {
        let scratch = Scratch::new(&[]);
        let id = scratch.commit(1, "one", &[]).parse().unwrap();
        let repository = scratch.open();
        repository.read_until(Instant::now());
        assert_eq!(repository.pushed(id).end, PushedEnd::Unreadable(id));
        let history = [super::super::Selected::History { hidden: Vec::new(), tips: vec![id] }];
        let found: Vec<_> = repository.for_another_thread().objects(&history).map(|found| found.content).collect();
        assert_eq!(found, [Err(UnreadableObject::OutOfTime)]);
    }
}
