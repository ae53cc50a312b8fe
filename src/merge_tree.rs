//! What Git's own merge makes of two commits, without anybody's configuration: `git merge-tree` in a repository of its own,
//! which has what is put there to be merged. There are no merge drivers, attributes, hooks or filters in it, nobody's settings,
//! and no list of commits or packs that could say otherwise than the objects do.
//!
//! Git and not a library, because forges merge with it: a tree that differs in a rename would be another one.

use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::child_process::{self, Budget, ChildError, Output};
use crate::files::scratch::Scratch;

/// A repository that was empty.
#[derive(Debug)]
pub struct MergeTree {
    folder: Scratch,
}

impl MergeTree {
    /// An empty one; `format` is how its objects are named, `sha1` or `sha256`.
    ///
    /// # Errors
    /// [`MergeTreeError`]
    pub fn new(format: &str) -> Result<Self, MergeTreeError> {
        let folder = Scratch::new("waxseal-merge-")?;
        let this = Self { folder };
        let mut init = this.git();
        init.args(["init", "--quiet", "--bare", "--template=", "--object-format", format]).arg(this.folder.path());
        if child_process::output(init, Vec::new(), budget(TIME, None))?.exit_code != Some(0) {
            return Err(MergeTreeError::Init);
        }
        Ok(this)
    }

    /// Where what is to be merged belongs.
    #[must_use]
    pub fn objects(&self) -> PathBuf {
        self.folder.path().join("objects")
    }

    /// For each pair the tree of a merge of its second commit into its first; `None` where they conflict, an error where Git
    /// cannot tell. One process makes many; where that takes long, each is asked for alone, so that one that is slow, as
    /// whoever opens a request can make his, leaves the others their time. It ends at `deadline`.
    #[must_use]
    pub fn merged(&self, pairs: &[(String, String)], deadline: Option<Instant>) -> Vec<Merged> {
        let mut answers: Vec<Merged> = Vec::with_capacity(pairs.len());
        while let Some(rest) = pairs.get(answers.len()..).filter(|rest| !rest.is_empty()) {
            let batch = rest.get(..MAX_BATCH).unwrap_or(rest);
            match self.some_of(batch, if batch.len() == 1 { TIME } else { TIME_OF_MANY }, deadline) {
                // There are trees over which Git aborts, and then it has said nothing of the others.
                Ok(Answers { stopped: Some(MergeTreeError::Killed), .. }) if batch.len() > 1 => {
                    answers.extend(self.each_of(batch, deadline))
                }
                Ok(Answers { trees, stopped }) => {
                    answers.extend(trees.into_iter().map(Ok));
                    // What Git cannot read it stops at; another process goes on behind it.
                    answers.extend(stopped.map(|error| Err(Arc::new(error))));
                }
                // Git says nothing before it has some kilobytes to say.
                Err(error) if batch.len() > 1 && error.is_slow() => answers.extend(self.each_of(batch, deadline)),
                Err(error) => {
                    let error = Arc::new(error);
                    answers.extend(batch.iter().map(|_pair| Err(Arc::clone(&error))));
                }
            }
        }
        answers
    }

    /// Each by a process of its own.
    fn each_of(&self, pairs: &[(String, String)], deadline: Option<Instant>) -> Vec<Merged> {
        let end = Instant::now() + TIME_OF_EACH;
        let end = deadline.map_or(end, |deadline| deadline.min(end));
        let alone = |pair| {
            let Answers { trees, stopped } =
                self.some_of(std::slice::from_ref(pair), TIME, Some(end)).map_err(Arc::new)?;
            let tree = trees.into_iter().next();
            tree.ok_or_else(|| Arc::new(stopped.unwrap_or(MergeTreeError::Killed)))
        };
        pairs.iter().map(alone).collect()
    }

    /// What one process answers within `time` or a third of what is left: a tree, or why there is none, at least.
    fn some_of(
        &self,
        pairs: &[(String, String)],
        time: Duration,
        deadline: Option<Instant>,
    ) -> Result<Answers, MergeTreeError> {
        let mut merge = self.git();
        merge.arg("--git-dir").arg(self.folder.path());
        merge.args(["merge-tree", "--write-tree", "--stdin", "--no-messages", "--name-only"]);
        let lines = pairs.iter().map(|(ours, theirs)| format!("{ours} {theirs}\n")).collect::<String>();
        let Output { said, exit_code } = child_process::output(merge, lines.into_bytes(), budget(time, deadline))?;
        let mut trees = trees(&said);
        trees.truncate(pairs.len());
        let went_on = exit_code == Some(0) && !trees.is_empty() || trees.len() == pairs.len();
        let stopped = (!went_on).then(|| exit_code.map_or(MergeTreeError::Killed, MergeTreeError::Failed));
        Ok(Answers { trees, stopped })
    }

    fn git(&self) -> Command {
        let mut git = Command::new("git");
        for name in OF_A_REPOSITORY {
            git.env_remove(name);
        }
        git.env("HOME", self.folder.path()).env("XDG_CONFIG_HOME", self.folder.path());
        git.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", NOTHING).env("GIT_ATTR_NOSYSTEM", "1");
        git.current_dir(self.folder.path()).stderr(Stdio::null());
        git
    }
}

/// A tree, or none where there is a conflict.
pub type Merged = Result<Option<String>, Arc<MergeTreeError>>;

/// What one process said.
struct Answers {
    /// Of the first pairs.
    trees: Vec<Option<String>>,
    /// Why it said nothing of the next one.
    stopped: Option<MergeTreeError>,
}

/// Git could not be asked, or cannot tell.
#[derive(Debug, thiserror::Error)]
pub enum MergeTreeError {
    /// It was not there, or gave no answer in time.
    #[error(transparent)]
    Child(#[from] ChildError),
    /// An object is not there, or Git is older than 2.39.
    #[error("\"git merge-tree\" failed with exit code {0}: a folder is malformed, or Git is older than 2.39")]
    Failed(i32),
    /// By a signal.
    #[error("\"git merge-tree\" was killed")]
    Killed,
    /// The folder.
    #[error("its folder cannot be used: {0}")]
    Files(#[from] io::Error),
    /// No empty repository.
    #[error("\"git init\" failed")]
    Init,
}

impl MergeTreeError {
    /// Whether Git was ended for taking long over a merge.
    #[must_use]
    pub fn is_slow(&self) -> bool {
        matches!(self, Self::Child(ChildError::TooSlow { .. }))
    }
}

/// However many ask one after the other, there is time left for the next one.
fn budget(time: Duration, deadline: Option<Instant>) -> Budget {
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    let share = left.map_or(time, |left| (left / 3).max(LEAST_TIME));
    Budget { bytes: MAX_BYTES, time: time.min(share), deadline }
}

/// What `git merge-tree --stdin` says, as far as it is whole: for each merge `1` or `0`, the tree, the names of files that
/// conflict, and nothing, each with a NUL behind it.
fn trees(said: &[u8]) -> Vec<Option<String>> {
    let mut words = said.split(|byte| *byte == 0);
    let mut trees = Vec::new();
    while let (Some(clean), Some(tree)) = (words.next(), words.next()) {
        let is_id = matches!(tree.len(), 40 | 64) && tree.iter().all(u8::is_ascii_hexdigit);
        trees.push(match clean {
            b"1" if is_id => Some(String::from_utf8_lossy(tree).into_owned()),
            b"0" if is_id => None,
            _ => break,
        });
        // Of a list that is cut off nothing follows.
        if !words.any(<[u8]>::is_empty) {
            break;
        }
    }
    trees
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

/// Names of conflicting files stand behind the tree's; of what is cut off Git is asked again.
const MAX_BYTES: u64 = 1 << 20;
/// The last of them wait for the first.
const MAX_BATCH: usize = 64;
/// Of one merge.
const TIME: Duration = Duration::from_secs(60);
/// Of those that one process makes.
const TIME_OF_MANY: Duration = Duration::from_secs(20);
/// Of those together that are asked for one by one.
const TIME_OF_EACH: Duration = Duration::from_secs(180);
/// Git starts, though little time is left.
const LEAST_TIME: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_says_of_many_merges() {
        let (one, two) = ("1".repeat(40), "2".repeat(40));
        let clean = |tree: &str| format!("1\0{tree}\0\0");
        let conflict = |names: &str| format!("0\0{one}\0{names}\0");
        for (said, expected) in [
            (String::new(), vec![]),
            (clean(&one), vec![Some(one.clone())]),
            (clean(&one) + &conflict("a\0 1\0") + &clean(&two), vec![Some(one.clone()), None, Some(two.clone())]),
            // Cut off in the list; in front of it; in the tree.
            (clean(&one) + &format!("0\x00{two}\0a\0b"), vec![Some(one.clone()), None]),
            (format!("1\0{one}\0"), vec![Some(one.clone())]),
            (clean(&one) + "1\x002222", vec![Some(one.clone())]),
            (clean(&one) + &format!("-1\0{two}\0\0") + &clean(&two), vec![Some(one.clone())]),
            (clean(&one.replace('1', "g")), vec![]),
        ] {
            assert_eq!(trees(said.as_bytes()), expected, "{said:?}");
        }
    }
}
