//! Folders for a run's own work, below where temporary files are, gone when it ends. What a killed run leaves, which is somebody's
//! commits and keys, the next one removes.

#[cfg(unix)]
use std::fs;
use std::fs::File;
use std::io;
use std::path::Path;
#[cfg(unix)]
use std::time::Duration;

use tempfile::TempDir;

/// Such a folder, which only the user can enter. Whoever has it holds its lock.
#[derive(Debug)]
pub struct Scratch {
    folder: TempDir,
    /// The lock goes with it. Programs that are started have none of it.
    _held: Option<File>,
}

impl Scratch {
    /// One whose name is `prefix` and what is drawn. Those of the kind that were left behind go.
    ///
    /// # Errors
    /// The disk's.
    pub fn new(prefix: &str) -> io::Result<Self> {
        let parent = std::env::temp_dir();
        let scratch = Self::within(&parent, prefix)?;
        // What cannot be removed is in nobody's way.
        let _left = scratch.sweep(&parent, prefix);
        Ok(scratch)
    }

    /// One in the folder `parent`, which itself will go.
    ///
    /// # Errors
    /// The disk's.
    pub fn within(parent: &Path, prefix: &str) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(MODE));
        let folder = builder.prefix(prefix).rand_bytes(RANDOM).tempdir_in(parent)?;
        let held = held(folder.path());
        Ok(Self { folder, _held: held })
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Removes the user's folders of this kind that are an hour older than this one, and that nobody holds.
    #[cfg(unix)]
    fn sweep(&self, parent: &Path, prefix: &str) -> io::Result<()> {
        use std::os::unix::fs::MetadataExt as _;

        let begun = fs::metadata(self.path())?.modified()?;
        for entry in fs::read_dir(parent)?.take(MAX_ENTRIES) {
            let entry = entry?;
            let name = entry.file_name();
            let random = name.as_encoded_bytes().strip_prefix(prefix.as_bytes());
            if !random.is_some_and(|random| random.len() == RANDOM && random.iter().all(u8::is_ascii_alphanumeric)) {
                continue;
            }
            // A link is none, wherever it leads.
            let Ok(metadata) = fs::symlink_metadata(entry.path()) else { continue };
            let age = metadata.modified().ok().and_then(|at| begun.duration_since(at).ok());
            let is_such = metadata.is_dir() && super::is_own(&metadata) && metadata.mode() & 0o777 == MODE;
            if is_such
                && age.is_some_and(|age| age >= LEFT_AFTER)
                && let Some(_held) = held(&entry.path())
            {
                let _removed = fs::remove_dir_all(entry.path());
            }
        }
        Ok(())
    }

    #[cfg(not(unix))]
    fn sweep(&self, _parent: &Path, _prefix: &str) -> io::Result<()> {
        Ok(())
    }
}

/// The folder's lock; `None` where another has it, or there is none to have.
#[cfg(unix)]
fn held(folder: &Path) -> Option<File> {
    let folder = File::open(folder).ok()?;
    folder.try_lock().ok().map(|()| folder)
}

#[cfg(not(unix))]
fn held(_folder: &Path) -> Option<File> {
    None
}

/// Nobody else may look.
#[cfg(unix)]
const MODE: u32 = 0o700;

/// Characters that are drawn: nobody gives such a name himself.
const RANDOM: usize = 24;

/// Longer than from making a folder to holding it.
#[cfg(unix)]
const LEFT_AFTER: Duration = Duration::from_secs(60 * 60);

/// Whoever has more temporary files than that removes them otherwise.
#[cfg(unix)]
const MAX_ENTRIES: usize = 10_000;

#[cfg(all(test, unix))]
mod tests {
    use std::fs::FileTimes;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    use std::path::PathBuf;

    use super::*;

    #[test]
    fn what_was_left_behind_goes_and_what_is_held_stays() {
        let parent = tempfile::tempdir().unwrap();
        let older = |path: &Path, by: Duration| {
            let folder = File::open(path).unwrap();
            let then = folder.metadata().unwrap().modified().unwrap() - by;
            folder.set_times(FileTimes::new().set_modified(then)).unwrap();
        };
        let folder = |name: &str, mode| {
            let path = parent.path().join(name);
            fs::create_dir_all(path.join("within")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            older(&path, LEFT_AFTER * 2);
            path
        };
        let drawn = "0".repeat(RANDOM);
        let left = folder(&format!("a-{drawn}"), MODE);
        let others = [("b-", MODE), ("a-a-", MODE), ("a-.", MODE), ("a", MODE)]
            .map(|(prefix, mode)| folder(&format!("{prefix}{drawn}"), mode));
        let open = folder(&format!("a-{}", "1".repeat(RANDOM)), 0o755);
        let new = folder(&format!("a-{}", "2".repeat(RANDOM)), MODE);
        older(&new, Duration::ZERO);
        fs::create_dir(new.join("just now")).unwrap();
        let link = parent.path().join(format!("a-{}", "3".repeat(RANDOM)));
        symlink(&open, &link).unwrap();
        let running = Scratch::within(parent.path(), "a-").unwrap();
        older(running.path(), LEFT_AFTER * 2);

        let scratch = Scratch::within(parent.path(), "a-").unwrap();
        scratch.sweep(parent.path(), "a-").unwrap();
        assert!(!left.exists());
        for kept in others.iter().map(PathBuf::as_path).chain([&*open, &*new, &*link, running.path(), scratch.path()]) {
            assert!(kept.exists(), "{}", kept.display());
        }
        assert_eq!(fs::metadata(scratch.path()).unwrap().mode() & 0o777, MODE);

        let path = running.path().to_owned();
        drop(running);
        assert!(!path.exists());
    }
}
