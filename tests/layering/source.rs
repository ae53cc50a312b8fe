//! Reads sources as text: paths that begin with `crate::` or climb out of their module with `super::`, without comments,
//! literals and code that only tests compile.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::{files_under, root};

/// What the shipped library is compiled from, `lib.rs` aside, without its tests.
pub(crate) fn production() -> BTreeMap<PathBuf, Source> {
    let mut production = BTreeMap::new();
    let mut tests = BTreeSet::new();
    for file in files_under("src") {
        let whole = Source::read(&file);
        tests.extend(whole.test_modules().map(|name| file.with_extension("").join(format!("{name}.rs"))));
        production.insert(file, whole.without_tests());
    }
    production.retain(|file, _| {
        let only_for_tests = tests.iter().any(|test| file == test || file.starts_with(test.with_extension("")));
        !only_for_tests && file != Path::new("src/main.rs") && file != Path::new("src/lib.rs")
    });
    production
}

/// The files that `mod name;` in this one names.
pub(crate) fn submodules(file: &Path) -> Vec<PathBuf> {
    let source = Source::read(file);
    let stem = file.file_stem().unwrap().to_str().unwrap();
    let folder = if ["lib", "main"].contains(&stem) || file.iter().count() == 2 && !file.starts_with("src") {
        file.parent().unwrap().to_owned()
    } else {
        file.with_extension("")
    };
    source
        .tokens
        .windows(3)
        .filter(|window| window[0] == "mod" && window[2] == ";")
        .map(|window| folder.join(format!("{}.rs", window[1])))
        .filter(|file| root().join(file).exists()) // elsewhere, with a path attribute
        .collect()
}

/// Rust as tokens: identifiers, `::` and single characters; comments and literals are gone.
pub(crate) struct Source {
    tokens: Vec<String>,
}

impl Source {
    fn read(file: &Path) -> Self {
        Self { tokens: tokens(&fs::read_to_string(root().join(file)).unwrap()) }
    }

    /// The names in `#[cfg(test)] mod name;`.
    fn test_modules(&self) -> impl Iterator<Item = &str> {
        self.tokens.windows(10).filter_map(|window| match window {
            [head @ .., module, name, end] if is_cfg_test(head) && module == "mod" && end == ";" => Some(name.as_str()),
            _ => None,
        })
    }

    fn without_tests(&self) -> Self {
        let mut kept = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            if is_cfg_test(&self.tokens[at..(at + 7).min(self.tokens.len())]) {
                at = end_of_item(&self.tokens, at + 7);
            } else {
                kept.push(self.tokens[at].clone());
                at += 1;
            }
        }
        Self { tokens: kept }
    }

    /// Where `crate::…` and `super::…` lead, each as a path from the crate's root.
    pub(crate) fn crate_paths(&self, module: &[String]) -> BTreeSet<Vec<String>> {
        let mut found = BTreeSet::new();
        let mut at = 0;
        while at + 2 < self.tokens.len() {
            let starts = at == 0 || self.tokens[at - 1] != "::";
            let mut base = match self.tokens[at].as_str() {
                "crate" => Vec::new(),
                "super" => module[..module.len() - 1].to_vec(),
                _ => {
                    at += 1;
                    continue;
                }
            };
            at += 1;
            if !starts || self.tokens[at] != "::" {
                continue; // as in pub(crate)
            }
            at += 1;
            while self.tokens[at] == "super" {
                base.pop();
                at += 2;
            }
            expand(&self.tokens, at, &base, &mut found);
        }
        found
    }

    /// What the module gives as its own and its submodules have: each name with the submodule's.
    pub(crate) fn given_on(&self) -> BTreeMap<String, String> {
        let mut found = BTreeSet::new();
        for (at, _) in self.tokens.iter().enumerate().filter(|(_, token)| *token == "use") {
            let own = self.tokens.get(at + 1).is_some_and(|token| token == "self");
            expand(&self.tokens, if own { at + 3 } else { at + 1 }, &[], &mut found);
        }
        found.into_iter().filter_map(|path| Some((path.last()?.clone(), path.first()?.clone()))).collect()
    }

    /// Whether a path begins with these names.
    pub(crate) fn names(&self, path: &[&str]) -> bool {
        let wanted: Vec<&str> = path.iter().flat_map(|name| ["::", name]).skip(1).collect();
        let plain = self.tokens.windows(wanted.len() + 1).enumerate().any(|(at, window)| {
            let starts = at == 0 || (self.tokens[at - 1] != "::" && self.tokens[at - 1] != ".");
            starts && window[..wanted.len()] == wanted[..] && (path.len() > 1 || window[wanted.len()] == "::")
        });
        // `use std::{fs, net};`
        let [first, rest @ ..] = path else { return false };
        let mut grouped = BTreeSet::new();
        if !rest.is_empty() {
            for at in 0..self.tokens.len().saturating_sub(2) {
                if self.tokens[at] == *first && self.tokens[at + 1] == "::" && self.tokens[at + 2] == "{" {
                    expand(&self.tokens, at + 2, &[], &mut grouped);
                }
            }
        }
        plain || grouped.iter().any(|found| found.iter().zip(rest).all(|(found, wanted)| found == wanted))
    }
}

/// Reads the use tree at `at` and adds its paths below `base`.
fn expand(tokens: &[String], at: usize, base: &[String], found: &mut BTreeSet<Vec<String>>) -> usize {
    if tokens[at] == "{" {
        let mut at = at + 1;
        while tokens[at] != "}" {
            at = expand(tokens, at, base, found);
            if tokens[at] == "," {
                at += 1;
            }
        }
        return at + 1;
    }
    let mut path = base.to_vec();
    if tokens[at] != "self" {
        path.push(tokens[at].clone());
    }
    let mut at = at + 1;
    if tokens.get(at).is_some_and(|token| token == "::") && path.len() < DEEPEST {
        return expand(tokens, at + 1, &path, found);
    }
    found.insert(path);
    // Past the rest of this branch: `::Name`, `as name`, `::{…}`.
    let mut depth = 0;
    while at < tokens.len() {
        match tokens[at].as_str() {
            "{" => depth += 1,
            "}" | "," | ";" if depth == 0 => break,
            "}" => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    at
}

/// No module lies deeper.
const DEEPEST: usize = 8;

fn is_cfg_test(tokens: &[String]) -> bool {
    tokens.iter().map(String::as_str).eq(["#", "[", "cfg", "(", "test", ")", "]"])
}

/// Past the item that begins at `at`: its semicolon, or the end of its braces.
fn end_of_item(tokens: &[String], mut at: usize) -> usize {
    let mut depth = 0;
    while at < tokens.len() {
        match tokens[at].as_str() {
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            ";" if depth == 0 => return at + 1,
            _ => {}
        }
        at += 1;
    }
    at
}

fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let raw = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r')).map(|after| {
            let hashes = after.len() - after.trim_start_matches('#').len();
            (hashes, &after[hashes..])
        });
        if let Some((hashes, after)) = raw.filter(|(_, after)| after.starts_with('"')) {
            let end = format!("\"{}", "#".repeat(hashes));
            rest = after[1..].split_once(&end).unwrap().1;
        } else if rest.starts_with("//") {
            rest = rest.split_once('\n').map_or("", |(_, after)| after);
        } else if rest.starts_with("/*") {
            rest = rest.split_once("*/").unwrap().1;
        } else if first == '"' {
            rest = after_string(&rest[1..]);
        } else if let Some(length) = character_literal(rest) {
            rest = &rest[length..];
        } else if first.is_alphanumeric() || first == '_' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            tokens.push(rest[..end].to_owned());
            rest = &rest[end..];
        } else if let Some(after) = rest.strip_prefix("::") {
            tokens.push("::".to_owned());
            rest = after;
        } else {
            if !first.is_whitespace() {
                tokens.push(first.to_string());
            }
            rest = &rest[first.len_utf8()..];
        }
    }
    tokens
}

fn after_string(text: &str) -> &str {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return &text[at + 1..],
            _ => {}
        }
    }
    ""
}

/// The length of `'x'` or `'\n'`; a lifetime has none.
fn character_literal(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('\'')?;
    if inside.starts_with('\\') {
        return Some(text[2..].char_indices().skip(1).find(|(_, c)| *c == '\'')?.0 + 3);
    }
    let first = inside.chars().next()?;
    inside[first.len_utf8()..].starts_with('\'').then(|| first.len_utf8() + 2)
}
