//! Commands in settings: a program and its arguments, without a shell.

/// The words of a command: split at white space, grouped by `'…'` or `"…"`, without escapes. `placeholder` may stand in
/// any word but the program's name.
///
/// # Errors
/// [`BadTemplate`]
pub fn words(template: &str, placeholder: &str) -> Result<Vec<String>, BadTemplate> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for character in template.chars() {
        match (character, quote) {
            ('\n' | '\r' | '\0', _) => return Err(BadTemplate::ControlCharacter),
            (_, Some(open)) if character == open => quote = None,
            ('\'' | '"', None) => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (_, None) if character.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    if quote.is_some() {
        return Err(BadTemplate::OpenQuote);
    }
    words.extend(word);
    match words.first() {
        Some(program) if !program.is_empty() && !program.contains(placeholder) => Ok(words),
        _ => Err(BadTemplate::NoProgram),
    }
}

/// Why a command in a setting cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTemplate {
    /// A line break or a NUL.
    #[error("a line break or a NUL byte")]
    ControlCharacter,
    /// It does not begin with a program.
    #[error("no program to start")]
    NoProgram,
    /// A quote that is not closed.
    #[error("a quote that is not closed")]
    OpenQuote,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_split_without_a_shell() {
        let split = |template| words(template, "{url}");
        let good = |template| split(template).unwrap();
        assert_eq!(good("firefox"), ["firefox"]);
        assert_eq!(good("  firefox -P 'my profile' --url=\"{url}\" "), ["firefox", "-P", "my profile", "--url={url}"]);
        assert_eq!(good(r"a\b $HOME '' a'b'c"), [r"a\b", "$HOME", "", "abc"]);
        assert_eq!(split("firefox 'x"), Err(BadTemplate::OpenQuote));
        assert_eq!(split("firefox\nrm"), Err(BadTemplate::ControlCharacter));
        assert_eq!(split("  "), Err(BadTemplate::NoProgram));
        assert_eq!(split("{url}"), Err(BadTemplate::NoProgram));
    }
}
