//! Globs: `*` stands for any run of characters but `/` and `@`, and everything else is itself.
//!
//! One pass from the left, each literal where it first stands. That finds every match: what the first place of a literal
//! leaves to the next `*` has a `/` or `@` only if every later place leaves it, too.

/// A glob, taken apart at its `*`; there is at least one literal, and any may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    literals: Vec<String>,
}

impl Glob {
    /// Every text is a glob.
    #[must_use]
    pub fn new(glob: &str) -> Self {
        Self { literals: glob.split('*').map(str::to_owned).collect() }
    }

    /// Whether it is the whole of `text`. Takes time in proportion to `text`.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let Some((first, rest)) = self.literals.split_first() else { return false };
        let Some(mut left) = text.strip_prefix(first.as_str()) else { return false };
        let Some((last, between)) = rest.split_last() else { return left.is_empty() };
        for literal in between {
            let Some((run, behind)) = left.split_once(literal.as_str()) else { return false };
            if !is_run(run) {
                return false;
            }
            left = behind;
        }
        left.strip_suffix(last.as_str()).is_some_and(is_run)
    }

    /// With `run` in the place of every `*`.
    #[must_use]
    pub fn with(&self, run: &str) -> String {
        self.literals.join(run)
    }
}

/// What `*` stands for.
fn is_run(text: &str) -> bool {
    !text.contains(['/', '@'])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a glob means, and nothing else: every way to spend each `*` is tried.
    fn means(glob: &[char], text: &[char]) -> bool {
        match (glob, text) {
            ([], text) => text.is_empty(),
            (['*', behind @ ..], text) => {
                let spends_one = |(first, rest): (&char, &[char])| !['/', '@'].contains(first) && means(glob, rest);
                means(behind, text) || text.split_first().is_some_and(spends_one)
            }
            ([literal, behind @ ..], [first, rest @ ..]) => literal == first && means(behind, rest),
            (_, []) => false,
        }
    }

    proptest! {
        #[test]
        fn a_glob_matches_what_it_means(glob in "[ab/@*é]{0,9}", text in "[ab/@é]{0,12}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(Glob::new(&glob).matches(&text), means(&chars(&glob), &chars(&text)));
        }

        #[test]
        fn a_glob_matches_what_it_was_made_of(glob in "[ab/@*]{0,9}", run in "[abc]{0,3}") {
            prop_assert!(Glob::new(&glob).matches(&Glob::new(&glob).with(&run)));
        }
    }

    #[test]
    fn many_stars_take_no_more_time() {
        let glob = Glob::new(&"a*".repeat(100_000));
        assert!(glob.matches(&"a".repeat(100_001)));
        assert!(!glob.matches(&format!("{}/", "a".repeat(200_000))));
    }
}
