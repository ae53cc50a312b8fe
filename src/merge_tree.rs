//! What Git's own merge makes of two commits, without anybody's configuration: `git merge-tree` in an empty repository that
//! borrows the objects. There are no merge drivers, attributes, hooks or filters in it, and nobody's settings.
//!
//! Git and not a library, because forges merge with it: a tree that differs in a rename would be another one.

use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

/// An empty repository with other ones' objects.
#[derive(Debug)]
pub struct MergeTree {
    folder: TempDir,
}

impl MergeTree {
    /// One that reads from these folders of objects; `format` is how they are named, `sha1` or `sha256`.
    ///
    /// # Errors
    /// [`MergeTreeError`]
    pub fn over(objects: &[PathBuf], format: &str) -> Result<Self, MergeTreeError> {
        let mut builder = tempfile::Builder::new();
        let folder = builder.prefix("waxseal-merge-").tempdir()?;
        let this = Self { folder };
        let mut init = this.git();
        init.args(["init", "--quiet", "--bare", "--template=", "--object-format", format]).arg(this.folder.path());
        let (_, code) = output(init)?;
        if code != Some(0) {
            return Err(MergeTreeError::Init);
        }
        let info = this.folder.path().join("objects/info");
        std::fs::create_dir_all(&info)?;
        let mut alternates = OpenOptions::new().write(true).create_new(true).open(info.join("alternates"))?;
        for folder in objects {
            let bytes = folder.as_os_str().as_encoded_bytes();
            if bytes.iter().any(|byte| b"\n\"#".contains(byte)) {
                return Err(MergeTreeError::Place(folder.clone()));
            }
            alternates.write_all(bytes)?;
            alternates.write_all(b"\n")?;
        }
        Ok(this)
    }

    /// The tree of a merge of `theirs` into `ours`; `None` where they conflict.
    ///
    /// # Errors
    /// [`MergeTreeError`] where Git cannot tell.
    pub fn merged(&self, ours: &str, theirs: &str) -> Result<Option<String>, MergeTreeError> {
        let mut merge = self.git();
        merge.arg("--git-dir").arg(self.folder.path());
        merge.args(["merge-tree", "--write-tree", "--no-messages", ours, theirs]);
        let (said, code) = output(merge)?;
        let tree = String::from_utf8_lossy(&said).lines().next().unwrap_or_default().to_owned();
        let is_id = matches!(tree.len(), 40 | 64) && tree.bytes().all(|byte| byte.is_ascii_hexdigit());
        match code {
            Some(0) if is_id => Ok(Some(tree)),
            Some(1) if is_id => Ok(None),
            code => Err(MergeTreeError::Failed(code.unwrap_or(-1))),
        }
    }

    fn git(&self) -> Command {
        let mut git = Command::new("git");
        for name in OF_A_REPOSITORY {
            git.env_remove(name);
        }
        git.env("HOME", self.folder.path()).env("XDG_CONFIG_HOME", self.folder.path());
        git.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", NOTHING).env("GIT_ATTR_NOSYSTEM", "1");
        git.current_dir(self.folder.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        git
    }
}

/// Git could not be asked, or cannot tell.
#[derive(Debug, thiserror::Error)]
pub enum MergeTreeError {
    /// An object is not there, or Git is older than 2.38.
    #[error("\"git merge-tree\" failed with exit code {0}: it needs Git 2.38, and the history of both sides")]
    Failed(i32),
    /// The folder.
    #[error("its folder cannot be used: {0}")]
    Files(#[from] io::Error),
    /// No empty repository.
    #[error("\"git init\" failed")]
    Init,
    /// Git reads other places there.
    #[error("{path} has a character that Git's list of places cannot have", path = .0.display())]
    Place(PathBuf),
    /// It cannot be started.
    #[error("git cannot be started: {0}")]
    Start(io::Error),
    /// It did not end.
    #[error("git took longer than {SECONDS} seconds")]
    TooSlow,
}

/// What it writes, and its exit code.
fn output(mut command: Command) -> Result<(Vec<u8>, Option<i32>), MergeTreeError> {
    let mut child = command.spawn().map_err(MergeTreeError::Start)?;
    let stdout = child.stdout.take();
    let (send, receive) = channel();
    thread::spawn(move || {
        let mut said = Vec::new();
        let read: io::Result<usize> = stdout.map_or(Ok(0), |mut stdout| {
            let read = stdout.by_ref().take(MAX_BYTES).read_to_end(&mut said)?;
            // So that it can end.
            io::copy(&mut stdout, &mut io::sink())?;
            Ok(read)
        });
        // Nobody listens any more if it took too long.
        send.send(read.map(|_bytes| said)).unwrap_or_default();
    });
    let Ok(said) = receive.recv_timeout(Duration::from_secs(SECONDS)) else {
        child.kill().and_then(|()| child.wait())?;
        return Err(MergeTreeError::TooSlow);
    };
    Ok((said?, child.wait()?.code()))
}

/// `git rev-parse --local-env-vars`, and where attributes come from: whoever calls may have been called by Git.
const OF_A_REPOSITORY: [&str; 18] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_ATTR_SOURCE",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_TEMPLATE_DIR",
    "GIT_WORK_TREE",
];

const NOTHING: &str = if cfg!(windows) { "NUL" } else { "/dev/null" };

/// Names of conflicting files stand behind the tree's.
const MAX_BYTES: u64 = 1 << 12;
const SECONDS: u64 = 60;
