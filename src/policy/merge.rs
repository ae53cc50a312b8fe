//! What a forge makes of two commits when it merges them: a commit with both as parents, that it alone signed.

/// Whether a commit did no more than merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merge {
    /// It has two parents, and the tree that Git makes of them without a conflict.
    Clean,
    /// It did more, or something that a forge may do for some people only.
    Not(NoMerge),
    /// Nobody can tell: why.
    Unknown(String),
}

/// Why a commit is no merge that a forge may make for anybody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoMerge {
    /// The policy file comes out as neither parent has it, and somebody had a part in it who may not change it.
    #[error("it changes the policy file, and the commit {commit} that it brings in {why}")]
    ChangesPolicy {
        /// One of those that the second parent has and the first has not.
        commit: String,
        /// What is wrong with that.
        why: String,
    },
    /// Other parents, or another tree.
    #[error("it is none of two parents that Git merges to the same tree")]
    OtherTree,
}
