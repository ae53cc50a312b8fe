//! What a forge makes of a head when it squashes it: one commit, signed by the forge, that nobody else signed.
//!
//! Such a commit is worth what the head is worth, and no more. Who looks for the head is elsewhere; here is what they found.

/// Whether a commit is a head that was squashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Squash {
    /// This one, each of whose own commits the policy admits.
    Of(SquashedHead),
    /// None that is here.
    Not(NoSquash),
    /// Nobody can tell: why.
    Unknown(String),
}

/// The head that proves a squash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SquashedHead {
    /// Its full id, in lower-case hexadecimal.
    pub id: String,
    /// The ref that leads to it; `None` where it was asked for by other means.
    pub reference: Option<String>,
}

impl std::fmt::Display for SquashedHead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let id = self.id.get(..SHORT_ID).unwrap_or(&self.id);
        match &self.reference {
            Some(reference) => write!(f, "{reference} ({id})"),
            None => f.write_str(id),
        }
    }
}

/// Why a commit is no head that was squashed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSquash {
    /// Its proof would rest on itself.
    #[error("its proof would rest on itself")]
    Itself,
    /// No head that is here has its tree.
    #[error("none of the {heads} heads here gives its tree{}", left_out(*.heads, *.tried))]
    NoHead {
        /// How many there are.
        heads: usize,
        /// How many of them were merged.
        tried: usize,
    },
    /// A head gives its tree, and is not good itself.
    #[error("{head} gives its tree, but the commit {commit} in it {why}")]
    NotAdmitted {
        /// The head.
        head: SquashedHead,
        /// A commit of it.
        commit: String,
        /// What is wrong with that.
        why: String,
    },
    /// A head that is likely the one gives something else.
    #[error("{head} is here, and merged into the commit's parent it {}", instead(*.conflicts))]
    OtherTree {
        /// The head.
        head: SquashedHead,
        /// Git cannot merge it without a conflict.
        conflicts: bool,
    },
    /// What is squashed comes onto one commit.
    #[error("it has not one parent")]
    Parents,
}

impl NoSquash {
    /// The head that came nearest, if there is one.
    #[must_use]
    pub fn head(&self) -> Option<&SquashedHead> {
        match self {
            Self::NotAdmitted { head, .. } | Self::OtherTree { head, .. } => Some(head),
            Self::Itself | Self::NoHead { .. } | Self::Parents => None,
        }
    }

    /// The stable code (`docs/errors.md`): each has another remedy.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Itself | Self::NotAdmitted { .. } => "squash-head-not-allowed",
            Self::NoHead { .. } => "squash-unproven",
            Self::OtherTree { .. } => "squash-differs",
            Self::Parents => "identity-not-allowed",
        }
    }
}

fn instead(conflicts: bool) -> &'static str {
    if conflicts { "conflicts" } else { "gives another tree" }
}

fn left_out(heads: usize, tried: usize) -> String {
    if tried < heads { format!("; {tried} of them were tried, the likeliest first") } else { String::new() }
}

const SHORT_ID: usize = 10;
