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

/// The keys of `file` that are for Git; those of other namespaces are not. Whatever ssh-keygen would not take a line for is
/// refused.
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
    if line.len() > MAX_LINE {
        return Err(BadLine::TooLong);
    }
    let (principals, rest) = word(line)?;
    let principals = unquoted(principals)?;
    let (next, after) = word(rest)?;
    // What begins with no kind of key is options.
    let (options, key) = if is_algorithm(next) { ("", rest) } else { (next, after) };
    let mut namespaces = None;
    for option in options_of(options)? {
        let (name, value) = option.split_once('=').map_or((option, None), |(name, value)| (name, Some(value)));
        match (name.to_ascii_lowercase().as_str(), value) {
            ("cert-authority", None) => return Err(BadLine::CertificateAuthority),
            ("namespaces", Some(_)) if namespaces.is_some() => return Err(BadLine::Twice("namespaces")),
            ("namespaces", Some(list)) => {
                let list = list.strip_prefix('"').and_then(|list| list.strip_suffix('"'));
                namespaces = Some(list.ok_or(BadLine::NotQuoted("namespaces"))?);
            }
            ("valid-after" | "valid-before", Some(_)) => return Err(BadLine::Date(name.to_ascii_lowercase())),
            _ => return Err(BadLine::Option(option.to_owned())),
        }
    }
    let key = SshKey::parse(key)?;
    // As Git asks: each principal, pattern or not, is looked up as a name.
    if !principals.split(',').any(|principal| matches_list(principals, principal)) {
        return Err(BadLine::Nobody);
    }
    let plain = |principal: &&str| {
        !principal.is_empty() && !principal.contains(['*', '?', '!']) && matches_list(principals, principal)
    };
    let principal = principals.split(',').find(plain).map(str::to_owned);
    let is_for_git = namespaces.is_none_or(|list| matches_list(list, GIT));
    Ok(is_for_git.then_some(AllowedSigner { principal, key }))
}

/// The first word, with its quotes, and what follows it.
fn word(text: &str) -> Result<(&str, &str), BadLine> {
    let mut quoted = false;
    let end = text.find(|char: char| {
        quoted ^= char == '"';
        !quoted && matches!(char, ' ' | '\t')
    });
    let (word, rest) = text.split_at(end.unwrap_or(text.len()));
    if word.is_empty() || end.is_none() && quoted { Err(BadLine::Form) } else { Ok((word, rest.trim_start())) }
}

/// Principals may stand in quotes, all of them.
fn unquoted(word: &str) -> Result<&str, BadLine> {
    let inner = word.strip_prefix('"').and_then(|word| word.strip_suffix('"')).unwrap_or(word);
    if inner.is_empty() || inner.contains('"') { Err(BadLine::Form) } else { Ok(inner) }
}

/// By the commas that stand in no quotes.
fn options_of(word: &str) -> Result<Vec<&str>, BadLine> {
    if word.contains('\\') {
        return Err(BadLine::Option(word.to_owned()));
    }
    let mut quoted = false;
    let options = word.split(|char: char| {
        quoted ^= char == '"';
        !quoted && char == ','
    });
    Ok(options.filter(|_| !word.is_empty()).collect())
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

/// `*` is any run, `?` any character.
fn matches_pattern(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    // Behind the last star, and what of the text that one leaves.
    let mut star: Option<(usize, usize)> = None;
    loop {
        match (pattern.get(at), text.get(from)) {
            (None, None) => return true,
            (Some(b'*'), _) => {
                at += 1;
                star = Some((at, from));
            }
            (Some(one), Some(other)) if *one == b'?' || one == other => (at, from) = (at + 1, from + 1),
            _ => match star {
                Some((after, left)) if left < text.len() => {
                    (at, from) = (after, left + 1);
                    star = Some((after, from));
                }
                _ => return false,
            },
        }
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
    /// Every name that it could be for it excludes.
    #[error("its principals match nobody")]
    Nobody,
    /// As ssh-keygen wants it.
    #[error("the value of {0} must stand in double quotes")]
    NotQuoted(&'static str),
    /// The file.
    #[error("the file is not UTF-8")]
    NotText,
    /// What it would narrow is not known.
    #[error("the option \"{0}\" is not known")]
    Option(String),
    /// Longer than any key and its names.
    #[error("it has more than {MAX_LINE} bytes")]
    TooLong,
    /// One of both would have to be left out.
    #[error("it has {0} twice")]
    Twice(&'static str),
}

/// What Git has its signatures made for.
const GIT: &str = "git";
/// Twice the key of 8192 bits, and names.
const MAX_LINE: usize = 1 << 14;

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
            ("\"a@x,b@x\" KEY", vec![of("a@x")]),
            ("b@x,!b@x,a@x KEY", vec![of("a@x")]),
            ("*@x,!b@x KEY", vec![None]),
            ("a@x namespaces=\"*,!**********t\" KEY", vec![]),
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
            ("!*@x KEY", "line 1: its principals match nobody"),
            ("!a@x,!b@x KEY", "line 1: its principals match nobody"),
            ("a@x,!*@x KEY", "line 1: its principals match nobody"),
            ("a@x namespaces=git KEY", "line 1: the value of namespaces must stand in double quotes"),
            ("a@x namespaces=file KEY", "line 1: the value of namespaces must stand in double quotes"),
            ("a@x namespaces=\"git KEY\"", "line 1: it is no SSH public key, as \"ssh-ed25519 AAAA…\" is"),
            ("a@x namespaces=\"file\",namespaces=\"git\" KEY", "line 1: it has namespaces twice"),
            ("a@x namespaces=\"git\", KEY", "line 1: the option \"\" is not known"),
            ("a\"@x KEY\"", "line 1: it is not PRINCIPALS [OPTIONS] KEY"),
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
