//! What a reason code means and what to do about it, as `docs/errors.md` has it: one text for readers of either.

/// A row of the tables there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The code.
    pub code: &'static str,
    /// What it means, in Markdown.
    pub meaning: &'static str,
    /// What to do, in Markdown.
    pub remedy: &'static str,
}

/// All of them.
pub fn all() -> impl Iterator<Item = Explanation> {
    ERRORS.lines().filter_map(|line| {
        let (code, cells) = line.strip_prefix("| `")?.split_once("` | ")?;
        let (meaning, remedy) = cells.strip_suffix(" |")?.split_once(" | ")?;
        Some(Explanation { code, meaning, remedy })
    })
}

/// That of one code.
#[must_use]
pub fn explain(code: &str) -> Option<Explanation> {
    all().find(|explanation| explanation.code == code)
}

/// Our own Markdown as text: what is code there stands between quotation marks.
#[must_use]
pub fn plain(markdown: &str) -> String {
    markdown.replace('`', "\"")
}

const ERRORS: &str = include_str!("../../docs/errors.md");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_read() {
        let rows = ERRORS.lines().filter(|line| line.starts_with("| `")).count();
        assert_eq!(all().count(), rows);
        assert!(rows > 40);
        for Explanation { code, meaning, remedy } in all() {
            assert!(
                code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'),
                "{code}"
            );
            assert!(meaning.len() > 10 && remedy.len() > 6, "{code}");
        }
        assert_eq!(explain("unsigned").unwrap().meaning, "there is no signature");
        assert_eq!(explain("no-such-code"), None);
    }
}
