//! What somebody is shown before they say yes: rows of text, each of which fits on a line of a terminal, so that nothing
//! in them can look like a row of ours.

use super::Claims;
use crate::escape;
use crate::signature::payload::{PayloadKind, headers, message};

/// How rows fit on a terminal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// Of a value, in columns.
    value_width: usize,
}

impl Layout {
    /// For rows of so many columns, the usual eighty where nobody says how many; `None`: too few for a value.
    pub(super) fn of(columns: Option<usize>) -> Option<Self> {
        // The last column stays free: some terminals fold a line that fills it.
        let fits = columns.map_or(VALUE_WIDTH, |columns| columns.saturating_sub(LABEL_WIDTH + 2));
        (fits >= MIN_VALUE_WIDTH).then_some(Self { value_width: fits.min(VALUE_WIDTH) })
    }

    /// What the payload says: it is what gets signed.
    pub(super) fn proved(self, payload: &[u8]) -> Vec<String> {
        let (kind, leading): (_, &[&str]) = match PayloadKind::of(payload) {
            PayloadKind::Commit => ("commit", &["tree", "parent", "author", "committer"]),
            PayloadKind::Tag => ("tag", &["object", "type", "tag", "tagger"]),
            PayloadKind::PushCertificate => ("push certificate", &["pusher", "pushee", "nonce"]),
            PayloadKind::Other => ("nothing that Git signs", &[]),
        };
        let mut rows = self.row(b"kind", kind.as_bytes());
        let is_leading = |name: &[u8]| leading.iter().any(|leading| leading.as_bytes() == name);
        // Those that count come first, and no number of others hides them.
        for name in leading {
            let values = headers(payload).filter(|header| header.0 == name.as_bytes());
            rows.extend(bounded(values.map(|header| self.row(name.as_bytes(), header.1)), MAX_HEADERS, name));
        }
        let others = headers(payload).filter(|header| !is_leading(header.0));
        rows.extend(bounded(others.map(|header| self.row(header.0, header.1)), MAX_HEADERS, "header"));
        let label = if kind == "push certificate" { "update" } else { "message" };
        let text = message(payload);
        let lines = text.strip_suffix(b"\n").unwrap_or(text).split(|byte| *byte == b'\n');
        rows.extend(bounded(lines.map(|line| self.row(label.as_bytes(), line)), MAX_LINES, label));
        rows
    }

    /// Who would sign: identity, issuer, instance.
    pub(super) fn login(self, [identity, issuer, instance]: [&String; 3]) -> Vec<String> {
        [("identity", identity), ("issuer", issuer), ("instance", instance)]
            .iter()
            .flat_map(|(label, value)| self.row(label.as_bytes(), value.as_bytes()))
            .collect()
    }

    /// What the other machine says.
    pub(super) fn claimed(self, claims: &Claims) -> Vec<String> {
        [("host", &claims.host), ("repository", &claims.repository), ("folder", &claims.folder)]
            .iter()
            .flat_map(|(label, value)| self.row(label.as_bytes(), value.as_deref().unwrap_or("(not said)").as_bytes()))
            .collect()
    }

    /// A value on as many rows as it needs, up to a few; each begins with the label.
    fn row(self, label: &[u8], value: &[u8]) -> Vec<String> {
        let label = pieces(label, LABEL_WIDTH).next().unwrap_or_default();
        let mut rows: Vec<String> = pieces(value, self.value_width)
            .take(MAX_ROWS)
            .map(|piece| format!("{label:<LABEL_WIDTH$} {piece}"))
            .collect();
        if rows.is_empty() {
            rows.push(label);
        } else if pieces(value, self.value_width).nth(MAX_ROWS).is_some() {
            rows.push(format!("({} bytes in all)", value.len()));
        }
        rows
    }
}

/// The first of them, and how many more there are.
fn bounded(all: impl Iterator<Item = Vec<String>>, max: usize, what: &str) -> Vec<String> {
    let mut rows = Vec::new();
    let mut more = 0_usize;
    for (number, some) in all.enumerate() {
        if number < max { rows.extend(some) } else { more += 1 }
    }
    if more > 0 {
        rows.push(format!("({more} more of \"{what}\" are not shown)"));
    }
    rows
}

/// Escaped text in pieces of `width` columns at most.
fn pieces(bytes: &[u8], width: usize) -> impl Iterator<Item = String> {
    // What is cut off here would not be shown anyway: each byte takes a column or is part of a character of four at most.
    let shown = bytes.get(..(MAX_ROWS + 2) * width * 4).unwrap_or(bytes);
    let text = escape::terminal(shown);
    let mut pieces = Vec::new();
    let (mut piece, mut used) = (String::new(), 0);
    for character in text.chars() {
        // Whatever is not ASCII may be two columns wide.
        let columns = if character.is_ascii() { 1 } else { 2 };
        if used + columns > width {
            pieces.push(std::mem::take(&mut piece));
            used = 0;
        }
        piece.push(character);
        used += columns;
    }
    if !piece.is_empty() {
        pieces.push(piece);
    }
    pieces.into_iter()
}

const LABEL_WIDTH: usize = 10;
/// With "waxseal:", indentation and label under 80 columns.
const VALUE_WIDTH: usize = 56;
/// Less is no text any more.
const MIN_VALUE_WIDTH: usize = 16;
const MAX_ROWS: usize = 4;
const MAX_HEADERS: usize = 8;
const MAX_LINES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    /// A terminal of so many columns.
    fn at(columns: usize) -> Layout {
        Layout::of(Some(columns - "waxseal:   ".len())).unwrap()
    }

    #[test]
    fn a_commit_is_shown_as_it_is() {
        let payload = b"tree 11\nparent 22\nparent 33\nauthor A <a@x> 1 +0000\ncommitter C <c@x> 2 +0000\nencoding x\n\
                        \nsubject\n\nbody\n";
        assert_eq!(
            at(80).proved(payload),
            [
                "kind       commit",
                "tree       11",
                "parent     22",
                "parent     33",
                "author     A <a@x> 1 +0000",
                "committer  C <c@x> 2 +0000",
                "encoding   x",
                "message    subject",
                "message",
                "message    body",
            ]
        );
    }

    #[test]
    fn a_tag_and_a_push_certificate_are_shown() {
        let tag = b"object 1\ntype commit\ntag v1\ntagger A <a@x> 1 +0000\n\nnow\n";
        let rows =
            ["object     1", "type       commit", "tag        v1", "tagger     A <a@x> 1 +0000", "message    now"];
        assert_eq!(at(80).proved(tag), [&["kind       tag"][..], &rows].concat());
        let push =
            b"certificate version 0.1\npusher A <a@x> 1 +0000\npushee file:///r\nnonce n\n\n1 2 refs/heads/main\n";
        let rows = ["pusher     A <a@x> 1 +0000", "pushee     file:///r", "nonce      n", "certificat version 0.1"];
        let rows = [&["kind       push certificate"][..], &rows, &["update     1 2 refs/heads/main"]].concat();
        assert_eq!(at(80).proved(push), rows);
    }

    #[test]
    fn nothing_in_it_looks_like_a_row_of_ours_or_hides_one() {
        let many = "parent 22\n".repeat(10_000);
        let message = format!("\u{1b}[2Jx\u{202e}y{}\n", "é".repeat(4_000)).repeat(500);
        let more = "a\u{1b}b x\n".repeat(1_000);
        let payload = format!("tree 11\n{many}author A <a@x>\ncommitter C <c@x>\n{more}\n{message}");
        let rows = at(80).proved(payload.as_bytes());
        assert!(rows.len() < 120, "{}", rows.len());
        for (width, row) in [80, 60, 40].iter().flat_map(|width| {
            let rows = at(*width).proved(payload.as_bytes());
            rows.into_iter().map(move |row| (*width, row))
        }) {
            let columns: usize = row.chars().map(|character| if character.is_ascii() { 1 } else { 2 }).sum();
            // Rows of ours hold nothing that others chose, and may be folded.
            assert!(columns + "waxseal:   ".len() < width || row.starts_with('('), "{row}");
            assert!(!row.contains(['\u{1b}', '\u{202e}', '\n']), "{row:?}");
        }
        assert!(Layout::of(Some(27)).is_none());
        for there in [
            "author     A <a@x>",
            "committer  C <c@x>",
            "(9992 more of \"parent\" are not shown)",
            "(992 more of \"header\" are not shown)",
            "(484 more of \"message\" are not shown)",
            "(8009 bytes in all)",
        ] {
            assert!(rows.iter().any(|row| row == there), "{there}: {rows:#?}");
        }
        // Another byte is another text.
        assert_ne!(at(80).proved(b"tree 1\n\n\xff\n"), at(80).proved(b"tree 1\n\n\xfe\n"));
    }
}
