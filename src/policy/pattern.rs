//! How a rule compares: always the whole string, exactly unless it is marked.

use regex::Regex;

/// How a rule compares; always the whole string.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// Byte for byte.
    Exact(String),
    /// An anchored expression, and the words in which it was written.
    Matching {
        /// Anchored at both ends.
        regex: Regex,
        /// As the user wrote it, with its mark.
        source: String,
    },
}

impl Pattern {
    /// `glob:GLOB`, `regex:EXPRESSION`, or the exact text.
    ///
    /// # Errors
    /// [`BadPattern`]; an empty text is one, too.
    pub fn marked(text: &str) -> Result<Self, BadPattern> {
        if let Some(glob) = text.strip_prefix("glob:") {
            Self::glob(glob)
        } else if let Some(expression) = text.strip_prefix("regex:") {
            Self::regex(expression)
        } else if text.is_empty() {
            Err(BadPattern("it is empty".to_owned()))
        } else {
            Ok(Self::Exact(text.to_owned()))
        }
    }

    /// A glob in which `*` stands for any run of characters but `/` and `@`; everything else is itself.
    ///
    /// # Errors
    /// [`BadPattern`] when the glob is too large to compile.
    pub fn glob(glob: &str) -> Result<Self, BadPattern> {
        let parts: Vec<String> = glob.split('*').map(regex::escape).collect();
        Ok(Self::Matching { regex: anchored(&parts.join("[^/@]*"))?, source: format!("glob:{glob}") })
    }

    /// A regular expression, anchored at both ends.
    ///
    /// # Errors
    /// [`BadPattern`] says what the expression's own parser says.
    pub fn regex(expression: &str) -> Result<Self, BadPattern> {
        Ok(Self::Matching { regex: anchored(expression)?, source: format!("regex:{expression}") })
    }

    /// Whether it is the whole of `text`.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == text,
            Self::Matching { regex, .. } => regex.is_match(text),
        }
    }

    /// As the user wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Exact(exact) => exact,
            Self::Matching { source, .. } => source,
        }
    }

    /// Whether it admits so much that it says nothing: strings that have nothing in common all match.
    #[must_use]
    pub fn admits_anything(&self) -> bool {
        match self {
            Self::Exact(_) => false,
            Self::Matching { regex, .. } => STRANGERS.iter().filter(|stranger| regex.is_match(stranger)).count() > 1,
        }
    }

    /// Whether whatever `other` matches is matched by this one, as far as that can be told without comparing two
    /// expressions: equal ones do, and an exact text that matches.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match other {
            Self::Exact(exact) => self.matches(exact),
            Self::Matching { source, .. } => self.as_str() == source,
        }
    }
}

/// `expression`, which must match the whole string.
fn anchored(expression: &str) -> Result<Regex, BadPattern> {
    // By itself first: `a)|(b` would be well formed inside the anchors, and would not be anchored.
    Regex::new(expression).map_err(|error| BadPattern::of(&error))?;
    Regex::new(&format!(r"\A(?:{expression})\z")).map_err(|error| BadPattern::of(&error))
}

/// Not a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a usable pattern: {0}")]
pub struct BadPattern(String);

impl BadPattern {
    /// The last line says what is wrong, those before it draw a picture of where.
    fn of(error: &regex::Error) -> Self {
        let text = error.to_string();
        let last = text.lines().last().unwrap_or_default();
        Self(last.strip_prefix("error: ").unwrap_or(last).to_owned())
    }
}

/// Names that no sensible rule admits more than one of.
const STRANGERS: [&str; 5] = [
    "f2k9w1@mail.q7zc.example",
    "x8d3@y5v0.invalid",
    "https://p4rn6.example/t1m/u9?e",
    "https://h3.invalid/s/7/.github/workflows/j5.yml@refs/heads/l2",
    "g6b0c",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_the_whole_string() {
        let glob = Pattern::glob("*@example.org").unwrap();
        assert!(glob.matches("alice@example.org"));
        assert!(!glob.matches("alice@example.org.evil.net"));
        assert!(!glob.matches("mallory@evil.net/alice@example.org"));
        assert!(!glob.matches("alice@evil@example.org"));
        assert!(!Pattern::glob("a.c").unwrap().matches("abc"));
        let regex = Pattern::regex("alice|bob").unwrap();
        assert!(regex.matches("bob") && !regex.matches("bobby") && !regex.matches("xalice"));
        assert!(!Pattern::regex("alice").unwrap().matches("alice\n"));
        assert_eq!(Pattern::regex("a)|(b").unwrap_err().to_string(), "not a usable pattern: unopened group");
        assert!(!Pattern::regex("(?m)^alice$").unwrap().matches("mallory\nalice"));
    }

    #[test]
    fn what_admits_strangers_admits_anything() {
        for loose in ["regex:.*", "regex:.+", "regex:.*@.*", "glob:*@*", "regex:https://.*", "regex:[^ ]+"] {
            assert!(Pattern::marked(loose).unwrap().admits_anything(), "{loose}");
        }
        for bound in ["glob:*@example.org", "regex:.*@example\\.org", "a@b", "glob:https://github.com/o/*", "regex:a|b"]
        {
            assert!(!Pattern::marked(bound).unwrap().admits_anything(), "{bound}");
        }
    }
}
