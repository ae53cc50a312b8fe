//! Numbers in a draft.

use std::fmt;

pub(super) fn signatures(count: u64) -> String {
    plural(count, "signature")
}

pub(super) fn plural(count: impl fmt::Display, word: &str) -> String {
    let count = count.to_string();
    let s = if count == "1" { "" } else { "s" };
    format!("{count} {word}{s}")
}
