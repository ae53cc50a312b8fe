//! Whether one pattern matches whatever another does, as far as that can be told.

use crate::policy::{Pattern, Who, Workflow};

impl Pattern {
    /// Whether whatever `other` matches is matched by this one. Exact for texts and among globs; of a glob below an
    /// expression by samples. Two expressions are compared by their texts only.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        if self.as_str() == other.as_str() {
            return true;
        }
        if let Some(text) = other.literal() {
            return self.matches(&text);
        }
        match (self, other) {
            // A character that no glob names: wherever it stands only `*` matches it, and so matches anything there.
            (Self::Glob { glob: one, .. }, Self::Glob { glob: other, .. }) => one.matches(&other.with(NOBODYS)),
            (Self::Regex { regex, .. }, Self::Glob { glob, .. }) => {
                RUNS.iter().map(|run| glob.with(run)).filter(|name| is_name(name)).all(|name| regex.is_match(&name))
            }
            (Self::Exact(_) | Self::Glob { .. } | Self::Regex { .. }, _) => false,
        }
    }
}

impl Who {
    pub(super) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Email(one), Self::Email(other))
            | (Self::Uri(one), Self::Uri(other))
            | (Self::Username(one), Self::Username(other)) => one.covers(other),
            (Self::Workflow(one), Self::Workflow(other)) => one.covers(other),
            (Self::Email(_) | Self::Uri(_) | Self::Username(_) | Self::Workflow(_), _) => false,
        }
    }
}

impl Workflow {
    fn covers(&self, other: &Self) -> bool {
        let covers = |one: &Option<Pattern>, other: &Option<Pattern>| match (one, other) {
            (None, _) => true,
            (Some(one), Some(other)) => one.covers(other),
            (Some(_), None) => false,
        };
        let triggers = self.trigger.as_ref().is_none_or(|triggers| {
            other.trigger.as_ref().is_some_and(|other| other.iter().all(|one| triggers.contains(one)))
        });
        self.repository_id == other.repository_id
            && covers(&self.path, &other.path)
            && covers(&self.reference, &other.reference)
            && triggers
    }
}

/// Whether a rule for the refs of `earlier` is for all that one for those of `later` is for; without refs it is for every one.
pub(super) fn refs_cover(earlier: &[Pattern], later: &[Pattern]) -> bool {
    earlier.is_empty() || !later.is_empty() && later.iter().all(|one| earlier.iter().any(|other| other.covers(one)))
}

/// Whether two rules may be for the same ref.
pub(super) fn refs_meet(earlier: &[Pattern], later: &[Pattern]) -> bool {
    let meet = |one: &Pattern, other: &Pattern| one.covers(other) || other.covers(one);
    earlier.is_empty() || later.is_empty() || later.iter().any(|one| earlier.iter().any(|other| meet(one, other)))
}

/// Nothing stands before the mark of an address, and no two slashes without anything between them.
fn is_name(text: &str) -> bool {
    !text.starts_with(['@', '!']) && !text.ends_with(['@', '!', '/'])
}

/// Of the Private Use Area.
const NOBODYS: &str = "\u{e07d}";
/// What stands for `*`, of every kind of character that an expression may leave out.
const RUNS: [&str; 10] = [
    "",
    "a",
    "Z",
    "7",
    "alice",
    "zq.x-j_k+v",
    "v1.2.3-rc.1",
    "é",
    NOBODYS,
    "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq",
];
