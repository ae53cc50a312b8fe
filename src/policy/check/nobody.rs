//! Patterns that were meant otherwise: those that can match nothing, and those whose mark is missing.

use super::Field;
use crate::policy::Pattern;

/// Whether it is compared byte for byte, and reads as if it were to be something else.
pub(super) fn is_unmarked(pattern: &Pattern) -> bool {
    let Pattern::Exact(text) = pattern else { return false };
    let mark = text.split_once([':', '=']).map(|(mark, _)| mark.to_ascii_lowercase());
    mark.is_some_and(|mark| MARKS.contains(&mark.trim()))
        || text.contains(['*', '\\'])
        || text.starts_with('^')
        || text.ends_with('$')
}

/// The same of a repository's number, which is never a pattern, marked or not.
pub(super) fn why_no_repository(id: &str) -> Option<&'static str> {
    // Some forges count repositories, some give each a UUID.
    let is_number = id.contains(|char: char| char.is_ascii_digit())
        && id.chars().all(|char| char.is_ascii_hexdigit() || char == '-');
    (!is_number).then_some("a repository_id is the forge's number of one repository, no name and no pattern")
}

/// Why nothing in `field` ever matches it.
pub(super) fn why_nobody(field: Field, pattern: &Pattern) -> Option<&'static str> {
    let literal = pattern.literal();
    let is_glob = matches!(pattern, Pattern::Glob { .. });
    // Every character that what it matches must have, in their order; `*` adds neither `/` nor `@`.
    let text = match (&literal, is_glob) {
        (Some(text), _) => text.as_ref(),
        (None, true) => pattern.as_str().strip_prefix("glob:")?,
        (None, false) => return None,
    };
    match field {
        Field::Email if !text.contains('@') => Some("an e-mail address has an @"),
        Field::Issuer if !text.contains("//") => Some("an issuer is a URL, as https://accounts.example.org is"),
        Field::Uri if literal.is_some() && !text.contains(':') => Some("a URI has a scheme, as https: is"),
        Field::Username if literal.is_some() && !text.contains('!') => Some("a user name is NAME!DOMAIN"),
        Field::Ref if literal.is_some() && !text.starts_with("refs/") => Some("a full ref name begins with refs/"),
        Field::Ref if text != "refs/stash" && text.split('/').count() < 3 || text.ends_with('/') => {
            Some("the full name of a branch is refs/heads/NAME")
        }
        Field::Email | Field::Issuer | Field::Path | Field::Ref | Field::Uri | Field::Username => None,
    }
}

/// What somebody might write for `glob:` or `regex:`.
const MARKS: [&str; 8] = ["exact", "glob", "pattern", "re", "regex", "regexp", "rx", "wildcard"];
