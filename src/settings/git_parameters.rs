//! `GIT_CONFIG_PARAMETERS`: how `git -c key=value` reaches the programs that git starts (git `config.c`, `quote.c`).
//!
//! Items are single-quoted as for a shell and separated by blanks. Git wrote `'key=value'` until 2.30 and writes
//! `'key'='value'` since, or `'key'=` for a key without a value.

use std::ffi::OsStr;

/// What one `-c` set.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parameter {
    /// `section.subsection.name`
    pub key: Vec<u8>,
    /// `None`: the key stands alone, which is a true boolean.
    pub value: Option<Vec<u8>>,
}

/// Reads the whole variable, or nothing.
pub(super) fn parse(variable: &OsStr) -> Result<Vec<Parameter>, MalformedParameters> {
    let mut rest = variable.as_encoded_bytes();
    let mut parameters = Vec::new();
    while !rest.is_empty() {
        let (first, after) = unquote(rest)?;
        let (parameter, after) = match after {
            [b'=', tail @ ..] => {
                let (value, after) = match tail {
                    [b'\'', ..] => unquote(tail).map(|(value, after)| (Some(value), after))?,
                    _ => (None, tail),
                };
                (Parameter { key: first, value }, after)
            }
            _ => (old_style(&first), after),
        };
        if parameter.key.is_empty() {
            return Err(MalformedParameters::EmptyKey);
        }
        parameters.push(parameter);
        rest = after.trim_ascii_start();
        if rest.len() == after.len() && !rest.is_empty() {
            return Err(MalformedParameters::Separator);
        }
    }
    Ok(parameters)
}

/// What git hands to its children is not in git's own form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedParameters {
    /// A value for no key.
    #[error("a key is empty")]
    EmptyKey,
    /// Text outside quotes.
    #[error("an item is not quoted")]
    NotQuoted,
    /// Two items without a blank between them.
    #[error("items are not separated")]
    Separator,
    /// The end came inside quotes.
    #[error("a quote is not closed")]
    Unclosed,
}

/// `key=value` in one pair of quotes.
fn old_style(item: &[u8]) -> Parameter {
    let mut halves = item.splitn(2, |byte| *byte == b'=');
    let key = halves.next().unwrap_or_default().trim_ascii().to_vec();
    Parameter { key, value: halves.next().map(<[u8]>::to_vec) }
}

/// One single-quoted text and what follows it; `'\''` and `'\!'` are the only escapes.
fn unquote(text: &[u8]) -> Result<(Vec<u8>, &[u8]), MalformedParameters> {
    let mut rest = text.strip_prefix(b"'").ok_or(MalformedParameters::NotQuoted)?;
    let mut out = Vec::new();
    loop {
        let end = rest.iter().position(|byte| *byte == b'\'').ok_or(MalformedParameters::Unclosed)?;
        let (inside, quote) = rest.split_at(end);
        out.extend_from_slice(inside);
        match quote {
            [b'\'', b'\\', escaped @ (b'\'' | b'!'), b'\'', after @ ..] => {
                out.push(*escaped);
                rest = after;
            }
            [_, after @ ..] => return Ok((out, after)),
            [] => return Err(MalformedParameters::Unclosed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<(String, Option<String>)>, MalformedParameters> {
        let text_of = |bytes| String::from_utf8(bytes).unwrap();
        let parameters = parse(OsStr::new(text))?;
        Ok(parameters.into_iter().map(|item| (text_of(item.key), item.value.map(text_of))).collect())
    }

    fn pair(key: &str, value: &str) -> (String, Option<String>) {
        (key.to_owned(), Some(value.to_owned()))
    }

    #[test]
    fn both_forms_that_git_wrote() {
        assert_eq!(parsed("").unwrap(), []);
        assert_eq!(parsed("'a.b=c'").unwrap(), [pair("a.b", "c")]);
        assert_eq!(
            parsed("'a.b'='c' 'a.d=e=f'  'a.x'='y'").unwrap(),
            [pair("a.b", "c"), pair("a.d", "e=f"), pair("a.x", "y")]
        );
        assert_eq!(
            parsed("'a.b' 'a.c'= 'a.d'=''").unwrap(),
            [("a.b".into(), None), ("a.c".into(), None), pair("a.d", "")]
        );
        assert_eq!(
            parsed(r"'url.a=b.insteadOf'='it'\''s '\!' \n'").unwrap(),
            [pair("url.a=b.insteadOf", r"it's ! \n")]
        );
    }

    #[test]
    fn anything_else_is_refused() {
        assert_eq!(parsed("a.b=c"), Err(MalformedParameters::NotQuoted));
        assert_eq!(parsed(" 'a.b=c'"), Err(MalformedParameters::NotQuoted));
        assert_eq!(parsed("'a.b=c"), Err(MalformedParameters::Unclosed));
        assert_eq!(parsed("'a.b'='c"), Err(MalformedParameters::Unclosed));
        assert_eq!(parsed("'a.b'=c"), Err(MalformedParameters::Separator));
        assert_eq!(parsed("'a.b''c'"), Err(MalformedParameters::Separator));
        assert_eq!(parsed(r"'a.b=x'\x''"), Err(MalformedParameters::Separator));
        assert_eq!(parsed("'a.b'='c''d'"), Err(MalformedParameters::Separator));
        assert_eq!(parsed("'=c'"), Err(MalformedParameters::EmptyKey));
        assert_eq!(parsed("''='c'"), Err(MalformedParameters::EmptyKey));
    }

    proptest::proptest! {
        #[test]
        fn what_git_quotes_is_read_back(values in proptest::collection::vec("[ -~\n]*", 0..4)) {
            let quoted: Vec<String> = values
                .iter()
                .map(|value| format!("'a.b'='{}'", value.replace('\'', r"'\''").replace('!', r"'\!'")))
                .collect();
            let expected: Vec<_> = values.iter().map(|value| pair("a.b", value)).collect();
            proptest::prop_assert_eq!(parsed(&quoted.join(" ")).unwrap(), expected);
        }
    }
}
