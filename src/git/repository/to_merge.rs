//! Two commits, made ready for Git to merge them.
//!
//! Git finds a small history: the two commits, their merge bases and the bases of those, each with its own tree and date,
//! whose parents are those of them that are in its history. So it finds the same merge bases, and merges the same.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use gix::ObjectId;

use super::merge_store::MergeStore;
use super::merge_trees::{Extent, Needed};
use super::merges::Unmergeable;

/// Two commits to be merged.
#[derive(Debug, PartialEq, Eq)]
pub enum ToMerge {
    /// One is in the history of the other: what merging them gives, without Git.
    Tree(ObjectId),
    /// What Git may merge.
    Commits {
        /// Stands for the first.
        ours: ObjectId,
        /// Stands for the second.
        theirs: ObjectId,
        /// Whether that is all that it could ask for, as far as it is here.
        is_whole: bool,
        /// What else it may ask for and will not find; then it fails.
        lacks: Option<Unmergeable>,
    },
}

impl MergeStore {
    /// Copies what a merge of `theirs` into `ours` rests on.
    ///
    /// # Errors
    /// [`Unmergeable`]
    pub fn prepare(&mut self, ours: ObjectId, theirs: ObjectId, extent: Extent) -> Result<ToMerge, Unmergeable> {
        let history = self.history(ours, theirs)?;
        if history.get(&ours).is_none_or(BTreeSet::is_empty) {
            return self.fast_forward(&history, ours, theirs);
        }
        if history.get(&theirs).is_none_or(BTreeSet::is_empty) {
            return self.fast_forward(&history, theirs, ours);
        }
        let mut sides = vec![ours, theirs];
        sides.extend(history.keys().filter(|id| ![ours, theirs].contains(id)));
        let roots = sides.iter().map(|id| self.root(*id)).collect::<Result<Vec<_>, _>>()?;
        let needed = Needed::of(&roots, extent, self)?;
        let is_whole = needed.is_whole();
        let lacks = needed.copy(self);
        let stand_ins = self.add_history(history)?;
        let stand_in = |id| stand_ins.get(&id).copied().ok_or(Unmergeable::Strangers);
        Ok(ToMerge::Commits { ours: stand_in(ours)?, theirs: stand_in(theirs)?, is_whole, lacks })
    }

    /// `before` has nothing that `after` has not, if they have anything in common.
    fn fast_forward(&mut self, history: &History, before: ObjectId, after: ObjectId) -> Result<ToMerge, Unmergeable> {
        let is_before = before == after || history.get(&after).is_some_and(|parents| parents.contains(&before));
        if is_before { self.root(after).map(ToMerge::Tree) } else { Err(Unmergeable::Strangers) }
    }

    /// The two commits, their merge bases and the bases of those, each with those that are in its history.
    fn history(&mut self, ours: ObjectId, theirs: ObjectId) -> Result<History, Unmergeable> {
        let mut history = History::from([(ours, BTreeSet::new()), (theirs, BTreeSet::new())]);
        let mut level = BTreeSet::from([ours, theirs]);
        let mut left = MAX_SEARCHES;
        let mut bases = |one, other| {
            left = usize::checked_sub(left, 1).ok_or(Unmergeable::TooMuch(MAX_SEARCHES, "searches for merge bases"))?;
            self.bases(one, other)
        };
        // Git merges several bases first, of two of them with their own, and so on. Whatever it merges in whichever order,
        // the bases of it are among those of each two of a level.
        while level.len() > 1 {
            let mut below = BTreeSet::new();
            for (number, one) in level.iter().enumerate() {
                for other in level.iter().skip(number + 1) {
                    for base in bases(*one, *other)? {
                        below.insert(base);
                        for side in [one, other].into_iter().filter(|side| **side != base) {
                            history.entry(*side).or_default().insert(base);
                        }
                    }
                }
            }
            for (one, base) in level.iter().flat_map(|one| below.iter().map(move |base| (*one, *base))) {
                let parents = history.entry(one).or_default();
                if one != base && !parents.contains(&base) && bases(one, base)?.contains(&base) {
                    history.entry(one).or_default().insert(base);
                }
            }
            for base in &below {
                history.entry(*base).or_default();
            }
            if history.len() > MAX_HISTORY {
                return Err(Unmergeable::TooMuch(MAX_HISTORY, "merge bases"));
            }
            level = below;
        }
        Ok(history)
    }

    /// Adds a commit for each of `history`, and says which.
    fn add_history(&mut self, mut history: History) -> Result<HashMap<ObjectId, ObjectId>, Unmergeable> {
        let mut added = HashMap::new();
        // None is in its own history, so that there is always one whose parents were added.
        while let Some(id) = history.iter().find(|(_, parents)| parents.iter().all(|id| added.contains_key(id))) {
            let (id, parents) = (*id.0, id.1.iter().filter_map(|id| added.get(id).copied()).collect::<Vec<_>>());
            let name = self.add_commit(id, &parents)?;
            history.remove(&id);
            added.insert(id, name);
        }
        Ok(added)
    }
}

/// Commits, each with those of them that are in its history.
type History = BTreeMap<ObjectId, BTreeSet<ObjectId>>;

/// Two commits have one merge base; where branches merge each other by turns, there are some for each turn.
const MAX_HISTORY: usize = 64;
/// Each looks at a whole history at worst.
const MAX_SEARCHES: usize = 256;

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::super::tests::Scratch;
    use super::super::{Repository, UnreadableObject};
    use super::*;

    /// Branches that change, move and drop files and merge each other.
    struct Tangle {
        scratch: Scratch,
        commits: Vec<String>,
    }

    type Files = BTreeMap<String, Vec<String>>;

    impl Tangle {
        fn new(seed: u64, count: usize) -> Self {
            let mut random = Random(seed);
            let scratch = Scratch::new(&[]);
            let mut made: Vec<Files> = Vec::new();
            let mut stream = String::new();
            for number in 0..count {
                let date = 1_700_000_000 + number * 10;
                stream +=
                    &format!("commit refs/heads/b{number}\nmark :{}\ncommitter C <c@x> {date} +0000\n", number + 1);
                stream += "data 1\nx\n";
                let mut files = Files::new();
                if number == 0 {
                    for file in 0..12 {
                        let lines = (0..30).map(|line| format!("{line} of {file}")).collect();
                        files.insert(format!("{}/{}/{file}", ["a", "b", "c"][file % 3], file % 2), lines);
                    }
                } else {
                    let [first, second] = [4, 8].map(|back: usize| number - 1 - random.below(back.min(number)));
                    stream += &format!("from :{}\n", first + 1);
                    files = made[first].clone();
                    if first != second && random.below(3) > 0 {
                        stream += &format!("merge :{}\n", second + 1);
                        files.extend(made[second].clone().into_iter().filter(|_| random.below(2) == 0));
                    }
                    for _ in 0..=random.below(2) {
                        random.change(&mut files, number);
                    }
                }
                stream += "deleteall\n";
                for (path, lines) in &files {
                    let text = lines.join("\n") + "\n";
                    stream += &format!("M 644 inline {path}\ndata {}\n{text}\n", text.len());
                }
                made.push(files);
            }
            scratch.git_with(&["fast-import", "--quiet", "--force"], stream.as_bytes());
            let commits = (0..count).map(|number| scratch.git(&["rev-parse", &format!("b{number}")])).collect();
            Self { scratch, commits }
        }
    }

    struct Random(u64);

    impl Random {
        fn below(&mut self, end: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(self.0 >> 33).unwrap() % end
        }

        fn change(&mut self, files: &mut Files, number: usize) {
            let Some(path) = files.keys().nth(self.below(files.len().max(1))).cloned() else { return };
            match self.below(8) {
                0 => drop(files.remove(&path)),
                1 => {
                    let lines = files.remove(&path).unwrap();
                    files.insert(format!("d/{number}"), lines);
                }
                2 => {
                    // A folder moves.
                    let folder = path.rsplit_once('/').unwrap().0.to_owned() + "/";
                    let moved: Vec<_> = files.keys().filter(|path| path.starts_with(&folder)).cloned().collect();
                    for path in moved {
                        let lines = files.remove(&path).unwrap();
                        files.insert(path.replacen(&folder, &format!("e/{number}/"), 1), lines);
                    }
                }
                3 => drop(files.insert(format!("a/0/new{number}"), vec![number.to_string(); 5])),
                _ => {
                    let lines = files.get_mut(&path).unwrap();
                    let line = self.below(lines.len());
                    lines[line] = format!("{line} in {number}");
                }
            }
        }
    }

    /// A repository for merges.
    fn store(scratch: &Scratch, repository: &Repository, name: &str) -> MergeStore {
        scratch.git(&["init", "--quiet", "--bare", name]);
        MergeStore::over(repository, &scratch.path(name).join("objects"))
    }

    /// What Git merges: the tree, none where there is a conflict, the exit code where it fails.
    fn merged(scratch: &Scratch, git_dir: &str, ours: &str, theirs: &str) -> Result<Option<String>, Option<i32>> {
        let mut git = Command::new("git");
        git.arg("--git-dir").arg(scratch.path(git_dir)).args(["merge-tree", "--write-tree", "--no-messages"]);
        let output = git.args([ours, theirs]).env("GIT_CONFIG_GLOBAL", "/dev/null").output().unwrap();
        match output.status.code() {
            Some(0) => Ok(Some(String::from_utf8(output.stdout).unwrap().trim_end().to_owned())),
            Some(1) => Ok(None),
            code => Err(code),
        }
    }

    #[test]
    fn what_is_copied_is_merged_as_what_it_was_copied_from() {
        let (mut forward, mut clean, mut conflicts, mut tangled, mut again) = (0, 0, 0, 0, 0);
        for seed in 1..=3 {
            let Tangle { scratch, commits } = Tangle::new(seed, 40);
            let repository = scratch.open();
            let mut random = Random(seed);
            for number in 0..60 {
                let ours = random.below(commits.len() - 6);
                let (ours, theirs) = (&commits[ours], &commits[ours + 1 + random.below(5)]);
                let expected = merged(&scratch, ".git", ours, theirs).unwrap();
                let [one, other] = [ours, theirs].map(|id| id.parse::<ObjectId>().unwrap());
                // Of what was copied before nothing is to be had.
                let name = format!("store{number}");
                let mut store = store(&scratch, &repository, &name);
                let bases = scratch.git(&["merge-base", "--all", ours, theirs]);
                tangled += usize::from(bases.lines().count() > 1);
                for extent in [Extent::Little, Extent::Whole] {
                    let found = match store.prepare(one, other, extent).unwrap() {
                        ToMerge::Tree(tree) => {
                            forward += 1;
                            Ok(Some(tree.to_string()))
                        }
                        ToMerge::Commits { ours, theirs, is_whole, lacks } => {
                            assert_eq!(lacks, None);
                            store.write().unwrap();
                            let found = merged(&scratch, &name, &ours.to_string(), &theirs.to_string());
                            if found.is_err() && !is_whole {
                                again += 1;
                                continue;
                            }
                            found
                        }
                    };
                    assert_eq!(found.as_ref(), Ok(&expected), "{seed}: {ours} {theirs}, {extent:?}");
                    clean += usize::from(expected.is_some());
                    conflicts += usize::from(expected.is_none());
                }
            }
        }
        assert!(
            [forward, clean, conflicts, tangled, again].iter().all(|count| *count >= 5),
            "{forward} {clean} {conflicts} {tangled} {again}"
        );
    }

    #[test]
    fn what_is_not_here_or_something_else_is_not_merged() {
        let scratch = Scratch::new(&[]);
        let blob = |text: &str| scratch.git_with(&["hash-object", "-w", "--stdin"], text.as_bytes());
        let tree = |top: &str, file: &str| {
            let folder = scratch.tree(&[("100644 blob", &blob(file), "file")]);
            scratch.tree(&[("100644 blob", &blob(top), "top"), ("040000 tree", &folder, "folder")])
        };
        let commit = |tree: &str, parents: &[&str]| {
            let parents: Vec<_> = parents.iter().flat_map(|parent| ["-p", parent]).collect();
            scratch.git(&[["commit-tree", tree, "-m", "x"].as_slice(), &parents].concat())
        };
        let base = commit(&tree("1", "one"), &[]);
        let ours = commit(&tree("2", "two"), &[&base]);
        let theirs = commit(&tree("1", "three"), &[&base]);
        let stranger = commit(&tree("3", "one"), &[]);
        let evil = commit(&tree("1", "evil"), &[&base]);
        let at = |revision: &str| scratch.git(&["rev-parse", revision]);
        let prepare = |theirs: &str| {
            let repository = scratch.open();
            let name = scratch.path("store");
            let mut store = MergeStore::over(&repository, &name);
            store.prepare(ours.parse().unwrap(), theirs.parse().unwrap(), Extent::Whole)
        };
        let [fine, alone] = [&theirs, &stranger].map(|theirs| prepare(theirs));
        assert!(matches!(fine, Ok(ToMerge::Commits { is_whole: true, lacks: None, .. })), "{fine:?}");
        assert_eq!(alone, Err(Unmergeable::Strangers));
        for (object, other, is_demanded) in [
            (theirs.clone(), evil.clone(), true),
            (base.clone(), stranger.clone(), true),
            (at(&format!("{theirs}^{{tree}}")), at(&format!("{evil}^{{tree}}")), true),
            (at(&format!("{base}^{{tree}}")), at(&format!("{evil}^{{tree}}")), true),
            (at(&format!("{theirs}:folder")), at(&format!("{evil}:folder")), false),
            (at(&format!("{base}:folder/file")), at(&format!("{evil}:folder/file")), false),
        ] {
            let (file, kept) = (scratch.object_file(&object), scratch.path("kept"));
            std::fs::rename(&file, &kept).unwrap();
            let id = object.parse().unwrap();
            for unreadable in [UnreadableObject::Missing, UnreadableObject::Corrupt] {
                if unreadable == UnreadableObject::Corrupt {
                    std::fs::copy(scratch.object_file(&other), &file).unwrap();
                }
                let expected = Unmergeable::Object(id, unreadable);
                match prepare(&theirs) {
                    Ok(ToMerge::Commits { lacks, .. }) if !is_demanded => assert_eq!(lacks, Some(expected)),
                    other => assert_eq!(other, Err(expected)),
                }
            }
            std::fs::remove_file(&file).unwrap();
            std::fs::rename(&kept, &file).unwrap();
        }
    }

    #[test]
    fn histories_that_are_nobodys_work_are_not_merged() {
        let scratch = Scratch::new(&[]);
        // Two merges of the same many.
        let many: Vec<_> = (0..24).map(|number| scratch.commit(1, &format!("{number}"), &[])).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        let [one, other] = ["one", "other"].map(|name| scratch.commit(2, name, &many).parse().unwrap());
        let repository = scratch.open();
        let prepared = MergeStore::over(&repository, &scratch.path("store")).prepare(one, other, Extent::Little);
        assert_eq!(prepared, Err(Unmergeable::TooMuch(MAX_SEARCHES, "searches for merge bases")));
        // Two branches that merge each other by turns.
        let root = scratch.commit(1, "root", &[]);
        let mut pair = ["one", "other"].map(|name| scratch.commit(2, name, &[&root]));
        for turn in 0..40 {
            let [one, other] = &pair;
            let turned = [[one, other], [other, one]];
            pair = turned.map(|[first, second]| scratch.commit(3 + turn, "turn", &[first, second]));
            let repository = scratch.open();
            let prepared = MergeStore::over(&repository, &scratch.path("store")).prepare(
                pair[0].parse().unwrap(),
                pair[1].parse().unwrap(),
                Extent::Little,
            );
            match prepared {
                Ok(ToMerge::Commits { .. }) => assert!(turn < 31, "{turn}"),
                other => {
                    assert!(turn >= 30, "{turn}");
                    assert_eq!(other, Err(Unmergeable::TooMuch(MAX_HISTORY, "merge bases")));
                }
            }
        }
    }
}
