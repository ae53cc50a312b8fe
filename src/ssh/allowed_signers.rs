//! A file of allowed signers, as ssh-keygen(1) has it: a line a key, `PRINCIPALS [OPTIONS] KEY`.
//!
//! Lines whose meaning would have to be left out are refused, not passed over: a certificate authority vouches for keys that
//! nobody listed, and a date means nothing where nobody proves when a signature was made.

use super::{SshKey, UnusableKey};

/// A key that may sign for Git, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedSigner {
    /// The first of its principals that is no pattern.
    pub principal: Option<String>,
    /// The key.
    pub key: SshKey,
}

/// The keys of `file` that are for Git; those of other namespaces are not.
///
/// # Errors
/// [`BadAllowedSigners`] names the line.
pub fn parse(file: &[u8]) -> Result<Vec<AllowedSigner>, BadAllowedSigners> {
    let text = std::str::from_utf8(file).map_err(|_| BadAllowedSigners { line: 1, wrong: BadLine::NotText })?;
    let mut signers = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        signers.extend(signer(line).map_err(|wrong| BadAllowedSigners { line: number, wrong })?);
    }
    Ok(signers)
}

fn signer(line: &str) -> Result<Option<AllowedSigner>, BadLine> {
    let (principals, rest) = word(line)?;
    let (next, after) = word(rest)?;
    // What begins with no kind of key is options.
    let (options, key) = if is_algorithm(&next) { (None, rest) } else { (Some(next), after) };
    let mut is_for_git = true;
    for option in options.iter().flat_map(|options| split(options)) {
        let (name, value) = option.split_once('=').map_or((option.as_str(), None), |(name, value)| (name, Some(value)));
        match (name.to_ascii_lowercase().as_str(), value) {
            ("cert-authority", None) => return Err(BadLine::CertificateAuthority),
            ("namespaces", Some(list)) => is_for_git = matches_list(list, GIT),
            ("valid-after" | "valid-before", Some(_)) => return Err(BadLine::Date(name.to_ascii_lowercase())),
            _ => return Err(BadLine::Option(option.clone())),
        }
    }
    let key = SshKey::parse(key)?;
    let plain = |principal: &&str| !principal.is_empty() && !principal.contains(['*', '?', '!']);
    let principal = principals.split(',').find(plain).map(str::to_owned);
    Ok(is_for_git.then_some(AllowedSigner { principal, key }))
}

/// The first word, without its quotes, and what follows it.
fn word(text: &str) -> Result<(String, &str), BadLine> {
    let mut word = String::new();
    let mut quoted = false;
    for (at, char) in text.char_indices() {
        match char {
            '"' => quoted = !quoted,
            ' ' | '\t' if !quoted => return Ok((word, text.get(at..).unwrap_or_default().trim_start())),
            // A comma in quotes belongs to the list that is quoted.
            ',' if quoted => word.push(QUOTED_COMMA),
            char => word.push(char),
        }
    }
    if quoted || word.is_empty() { Err(BadLine::Form) } else { Ok((word, "")) }
}

/// Options, by the commas that stood in no quotes.
fn split(options: &str) -> impl Iterator<Item = String> {
    options.split(',').map(|option| option.replace(QUOTED_COMMA, ","))
}

/// `match_pattern_list` of OpenSSH: one pattern matches, and none with a `!` does.
fn matches_list(list: &str, text: &str) -> bool {
    let mut matches = false;
    for pattern in list.split(',') {
        match pattern.strip_prefix('!') {
            Some(pattern) if matches_pattern(pattern.as_bytes(), text.as_bytes()) => return false,
            Some(_) => {}
            None => matches |= matches_pattern(pattern.as_bytes(), text.as_bytes()),
        }
    }
    matches
}

/// `*` is any run, `?` any character. `text` is short.
fn matches_pattern(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        ([b'*', pattern @ ..], _) => {
            (0..=text.len()).any(|skipped| matches_pattern(pattern, text.get(skipped..).unwrap_or_default()))
                && pattern.iter().filter(|byte| **byte == b'*').count() < MAX_STARS
        }
        ([b'?', pattern @ ..], [_, text @ ..]) => matches_pattern(pattern, text),
        ([one, pattern @ ..], [other, text @ ..]) => one == other && matches_pattern(pattern, text),
        _ => false,
    }
}

fn is_algorithm(word: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-"].iter().any(|start| word.starts_with(start))
}

/// A file of allowed signers that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {wrong}")]
pub struct BadAllowedSigners {
    line: usize,
    wrong: BadLine,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// Its keys are not here.
    #[error("cert-authority is not supported: list the keys themselves")]
    CertificateAuthority,
    /// Nothing proves when an SSH signature was made.
    #[error("{0} is a date, and nothing proves when a key signed: bound the rule by commits instead")]
    Date(String),
    /// Quotes that do not close, or nothing behind the principals.
    #[error("it is not PRINCIPALS [OPTIONS] KEY")]
    Form,
    /// The key.
    #[error(transparent)]
    Key(#[from] UnusableKey),
    /// The file.
    #[error("the file is not UTF-8")]
    NotText,
    /// What it would narrow is not known.
    #[error("the option {0:?} is not known")]
    Option(String),
}

/// What Git has its signatures made for.
const GIT: &str = "git";
/// No text has it: a quoted comma, while a word is taken apart.
const QUOTED_COMMA: char = '\u{1}';
/// Each is tried at each place.
const MAX_STARS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

    fn principals(file: &str) -> Result<Vec<Option<String>>, String> {
        let signers = parse(file.replace("KEY", KEY).as_bytes()).map_err(|error| error.to_string())?;
        Ok(signers.into_iter().map(|signer| signer.principal).collect())
    }

    #[test]
    fn keys_for_git_are_read() {
        let of = |principal: &str| Some(principal.to_owned());
        for (file, expected) in [
            ("a@x KEY", vec![of("a@x")]),
            ("# none\n\n  \na@x,b@x KEY comment of a\nb@x\tKEY\n", vec![of("a@x"), of("b@x")]),
            ("*@x,!b@x,a@x KEY", vec![of("a@x")]),
            ("* KEY", vec![None]),
            ("a@x namespaces=\"git\" KEY", vec![of("a@x")]),
            ("a@x Namespaces=\"file,g*\" KEY", vec![of("a@x")]),
            ("a@x namespaces=\"g?t\" KEY", vec![of("a@x")]),
            ("a@x namespaces=\"file\" KEY", vec![]),
            ("a@x namespaces=\"*,!git\" KEY", vec![]),
            ("a@x namespaces=file KEY", vec![]),
        ] {
            assert_eq!(principals(file).unwrap(), expected, "{file}");
        }
    }

    #[test]
    fn what_would_be_left_out_is_refused() {
        for (file, wrong) in [
            ("a@x cert-authority KEY", "line 1: cert-authority is not supported: list the keys themselves"),
            (
                "a@x KEY\nb@x namespaces=\"git\",valid-before=\"20300101\" KEY",
                "line 2: valid-before is a date, and nothing proves when a key signed: bound the rule by commits instead",
            ),
            (
                "a@x valid-after=20200101Z KEY",
                "line 1: valid-after is a date, and nothing proves when a key signed: bound the rule by commits instead",
            ),
            ("a@x no-touch-required KEY", "line 1: the option \"no-touch-required\" is not known"),
            ("a@x namespaces KEY", "line 1: the option \"namespaces\" is not known"),
            ("a@x", "line 1: it is not PRINCIPALS [OPTIONS] KEY"),
            ("a@x namespaces=\"git KEY", "line 1: it is not PRINCIPALS [OPTIONS] KEY"),
            ("a@x ssh-ed25519 AAAA", "line 1: it is no SSH public key, as \"ssh-ed25519 AAAA…\" is"),
        ] {
            assert_eq!(principals(file).unwrap_err(), wrong, "{file}");
        }
        assert_eq!(parse(b"\xff").unwrap_err().to_string(), "line 1: the file is not UTF-8");
    }
}
