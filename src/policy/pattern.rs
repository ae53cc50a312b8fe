//! How a rule compares: always the whole string, exactly unless it is marked.

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};

use super::glob::Glob;

/// How a rule compares; always the whole string.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// Byte for byte.
    Exact(String),
    /// With `*` for any run of characters but `/` and `@`.
    Glob {
        /// What it matches.
        glob: Glob,
        /// As the user wrote it, with its mark.
        source: String,
    },
    /// An anchored expression.
    Regex {
        /// Anchored at both ends.
        regex: Regex,
        /// As the user wrote it, with its mark.
        source: String,
    },
}

impl Pattern {
    /// `glob:GLOB`, `regex:EXPRESSION`, or the exact text. What an expression takes is taken from `budget`.
    ///
    /// # Errors
    /// [`BadPattern`]; an empty text is one, too.
    pub fn marked(text: &str, budget: &mut RegexBudget) -> Result<Self, BadPattern> {
        if let Some(glob) = text.strip_prefix("glob:") {
            Ok(Self::glob(glob))
        } else if let Some(expression) = text.strip_prefix("regex:") {
            budget.compile(expression).map(|regex| Self::Regex { regex, source: text.to_owned() })
        } else if text.is_empty() {
            Err(BadPattern::Empty)
        } else {
            Ok(Self::Exact(text.to_owned()))
        }
    }

    /// A glob in which `*` stands for any run of characters but `/` and `@`; everything else is itself.
    #[must_use]
    pub fn glob(glob: &str) -> Self {
        Self::Glob { glob: Glob::new(glob), source: format!("glob:{glob}") }
    }

    /// A regular expression, anchored at both ends.
    ///
    /// # Errors
    /// [`BadPattern`] says what the expression's own parser says.
    pub fn regex(expression: &str) -> Result<Self, BadPattern> {
        let regex = RegexBudget::default().compile(expression)?;
        Ok(Self::Regex { regex, source: format!("regex:{expression}") })
    }

    /// Whether it is the whole of `text`.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == text,
            Self::Glob { glob, .. } => glob.matches(text),
            Self::Regex { regex, .. } => regex.is_match(text),
        }
    }

    /// The only text that it matches, if that can be told.
    #[must_use]
    pub fn literal(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Exact(exact) => Some(exact.into()),
            Self::Glob { source, .. } => {
                source.strip_prefix("glob:").filter(|glob| !glob.contains('*')).map(Cow::Borrowed)
            }
            Self::Regex { source, .. } => source.strip_prefix("regex:").and_then(literal).map(Cow::Owned),
        }
    }

    /// As the user wrote it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Exact(exact) => exact,
            Self::Glob { source, .. } | Self::Regex { source, .. } => source,
        }
    }
}

/// What an expression without operators says.
fn literal(expression: &str) -> Option<String> {
    let mut text = String::new();
    let mut chars = expression.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => text.push(chars.next().filter(char::is_ascii_punctuation)?),
            '.' | '+' | '*' | '?' | '(' | ')' | '|' | '[' | ']' | '{' | '}' | '^' | '$' => return None,
            char => text.push(char),
        }
    }
    Some(text)
}

/// What all the expressions of one policy may take together when they are compiled: memory, and with it the time to
/// compile them and to match them.
#[derive(Debug)]
pub struct RegexBudget {
    bytes: usize,
}

impl Default for RegexBudget {
    fn default() -> Self {
        Self { bytes: MAX_REGEX_BYTES }
    }
}

impl RegexBudget {
    /// `expression`, which must match the whole string.
    fn compile(&mut self, expression: &str) -> Result<Regex, BadPattern> {
        if expression.len() > MAX_EXPRESSION_BYTES {
            return Err(BadPattern::TooLarge);
        }
        if let Some(refused) = BadPattern::of_unicode(expression) {
            return Err(refused);
        }
        // By itself first: `a)|(b` would be well formed inside the anchors, and would not be anchored. What is not well
        // formed is found before there is anything to measure.
        match RegexBuilder::new(expression).size_limit(0).build() {
            Ok(_) | Err(regex::Error::CompiledTooBig(_)) => {}
            Err(error) => return Err(BadPattern::of(&error)),
        }
        let anchored = format!(r"\A(?:{expression})\z");
        // Nothing says how large an expression is, but only whether it is larger than this.
        let mut size = SMALLEST_REGEX_BYTES;
        loop {
            let rest = self.bytes.checked_sub(size).ok_or(BadPattern::TooLarge)?;
            match RegexBuilder::new(&anchored).size_limit(size).dfa_size_limit(DFA_BYTES).build() {
                Ok(regex) => {
                    self.bytes = rest;
                    return Ok(regex);
                }
                Err(regex::Error::CompiledTooBig(_)) => size = size.saturating_mul(2),
                Err(error) => return Err(BadPattern::of(&error)),
            }
        }
    }
}

/// Not a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    /// It would match nothing.
    #[error("not a usable pattern: it is empty")]
    Empty,
    /// `(?i)`: what Unicode takes for the same letter looks like another one.
    #[error("not a usable pattern: (?i) is for ASCII only, as (?i-u:…)")]
    FoldsUnicode,
    /// What its parser says.
    #[error("not a usable pattern: {0}")]
    Syntax(String),
    /// With the others of its policy.
    #[error(
        "not a usable pattern: the regular expressions together are too large (more than {} KiB)",
        MAX_REGEX_BYTES >> 10
    )]
    TooLarge,
    /// `\p{…}`: tables that waxseal has not.
    #[error("not a usable pattern: \\p{{…}} knows no such property here; name the characters")]
    UnknownProperty,
}

impl BadPattern {
    /// The last line says what is wrong, those before it draw a picture of where.
    fn of(error: &regex::Error) -> Self {
        let text = error.to_string();
        let last = text.lines().last().unwrap_or_default();
        Self::Syntax(last.strip_prefix("error: ").unwrap_or(last).to_owned())
    }

    /// What is refused though there are tables for it, or may be, depending on how waxseal was built.
    fn of_unicode(expression: &str) -> Option<Self> {
        let mut rest = expression.chars();
        while let Some(char) = rest.next() {
            match char {
                '\\' if rest.next().is_some_and(|class| matches!(class, 'p' | 'P')) => {
                    return Some(Self::UnknownProperty);
                }
                '(' => {
                    let flags = rest.as_str().strip_prefix('?').and_then(|rest| rest.split([':', ')']).next());
                    let (on, off) = flags.map_or(("", ""), |flags| flags.split_once('-').unwrap_or((flags, "")));
                    let are_flags = on.bytes().chain(off.bytes()).all(|flag| flag.is_ascii_alphabetic());
                    if are_flags && on.contains('i') && !off.contains('u') {
                        return Some(Self::FoldsUnicode);
                    }
                }
                _ => {}
            }
        }
        None
    }
}

/// All expressions of a policy: some thousands of names, or hundreds of `.*`. An unoptimized build compiles as much in
/// about a second.
const MAX_REGEX_BYTES: usize = 1 << 20;
/// What one may be written in: reading `\w` takes some thousand times its two bytes.
const MAX_EXPRESSION_BYTES: usize = 1 << 13;
/// Hardly any is smaller.
const SMALLEST_REGEX_BYTES: usize = 1 << 9;
/// What one may remember while it matches. Names are short.
const DFA_BYTES: usize = 1 << 18;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_the_whole_string() {
        let glob = Pattern::glob("*@example.org");
        assert!(glob.matches("alice@example.org"));
        assert!(!glob.matches("alice@example.org.evil.net"));
        assert!(!glob.matches("mallory@evil.net/alice@example.org"));
        assert!(!glob.matches("alice@evil@example.org"));
        assert!(!Pattern::glob("a.c").matches("abc"));
        let regex = Pattern::regex("alice|bob").unwrap();
        assert!(regex.matches("bob") && !regex.matches("bobby") && !regex.matches("xalice"));
        assert!(!Pattern::regex("alice").unwrap().matches("alice\n"));
        assert!(!Pattern::regex("(?m)^alice$").unwrap().matches("mallory\nalice"));
    }

    #[test]
    fn what_is_no_expression_is_said_in_words_for_its_author() {
        for (expression, wrong) in [
            ("a)|(b", "unopened group"),
            ("(?i)alice@example\\.org", "(?i) is for ASCII only, as (?i-u:…)"),
            ("a(?s:(?mi:b))", "(?i) is for ASCII only, as (?i-u:…)"),
            ("\\p{Greek}+", "\\p{…} knows no such property here; name the characters"),
            ("\\pL", "\\p{…} knows no such property here; name the characters"),
            (&*"\\w".repeat(100_000), "the regular expressions together are too large (more than 1024 KiB)"),
            ("(a{1,500}){1,500}", "the regular expressions together are too large (more than 1024 KiB)"),
        ] {
            let error = Pattern::regex(expression).unwrap_err().to_string();
            assert_eq!(error, format!("not a usable pattern: {wrong}"), "{expression}");
        }
        for fine in ["(?:i)", "\\\\p", "(?P<i>a)", "(?s-i:.)", "(i?)"] {
            assert!(Pattern::regex(fine).is_ok(), "{fine}");
        }
        assert!(Pattern::regex("(?i-u:alice)@example\\.org").unwrap().matches("ALICE@example.org"));
    }

    #[test]
    fn expressions_have_one_budget_together() {
        let mut budget = RegexBudget::default();
        let compiled = |budget: &mut RegexBudget, expression: &str| {
            std::iter::repeat_with(|| Pattern::marked(expression, budget)).take(5000).take_while(Result::is_ok).count()
        };
        assert!(compiled(&mut budget, "regex:(a{1,500}){1,10}") < 10);
        let names = compiled(&mut RegexBudget::default(), "regex:(alice|bob)@(www\\.)?example\\.(org|net)");
        assert!((200..5000).contains(&names), "{names}");
    }
}
