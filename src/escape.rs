//! Bytes that others chose, made safe for the sink they are printed to.
//!
//! Names in certificates, subjects of commits, answers of servers: all may hold line feeds that forge a status line,
//! escape sequences that repaint a terminal, or characters that turn the reading direction.

use std::fmt::Write as _;
use std::io;

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::Formatter;

mod markup;

pub use self::markup::{markdown, markup, sarif_message, workflow_data, workflow_property};

/// For a terminal, one line: what would move the cursor, turn the text or stay invisible is percent-escaped, and so is
/// a `%` that would read as such an escape, and the first `#` of what is a command to the CI system whose log this is.
#[must_use]
pub fn terminal(bytes: impl AsRef<[u8]>) -> String {
    escaped(bytes.as_ref(), |rest| {
        let mut digits = rest.bytes().skip(1);
        let mut digit = || digits.next().is_some_and(|byte| byte.is_ascii_hexdigit());
        digit() && digit()
    })
}

/// For a `[GNUPG:]` status line: as GnuPG does, every `%` is escaped too.
#[must_use]
pub fn status_line(bytes: impl AsRef<[u8]>) -> String {
    escaped(bytes.as_ref(), |_rest| true)
}

/// For JSON: a string, or `{"base64": …}` for bytes that are not UTF-8.
#[must_use]
pub fn json(bytes: impl AsRef<[u8]>) -> Value {
    use base64::Engine as _;
    let bytes = bytes.as_ref();
    match std::str::from_utf8(bytes) {
        Ok(text) => Value::String(text.to_owned()),
        Err(_not_utf8) => {
            let base64 = base64::engine::general_purpose::STANDARD.encode(bytes);
            Value::Object([("base64".to_owned(), Value::String(base64))].into_iter().collect())
        }
    }
}

/// Compact JSON that may be shown on a terminal, with a line feed: it says the same, with invisible characters as `\u`
/// escapes.
///
/// # Errors
/// What `value` says when it cannot be serialised.
pub fn json_line(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut line = Vec::new();
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut line, VisibleJson))?;
    line.push(b'\n');
    Ok(line)
}

/// JSON indented by two spaces, with a line feed, as Go writes it: `<`, `>` and `&` as `\u` escapes, and so whatever is
/// invisible.
///
/// # Errors
/// What `value` says when it cannot be serialised.
pub fn json_indented(value: &impl Serialize) -> serde_json::Result<String> {
    let plain = serde_json::to_string_pretty(value)?;
    let mut text = String::with_capacity(plain.len() + 1);
    for (at, character) in plain.char_indices() {
        // Those that structure JSON are none of these but the line feed, which stands in no string as itself.
        if character != '\n' && (unsafe_at(&plain, at, character) || "<>&".contains(character)) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing into a String cannot fail.
                write!(text, "\\u{unit:04x}").unwrap_or_default();
            }
        } else {
            text.push(character);
        }
    }
    text.push('\n');
    Ok(text)
}

/// For TOML: a basic string with its quotes, with invisible characters as `\u` escapes.
#[must_use]
pub fn toml(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for (at, character) in text.char_indices() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            // Writing into a String cannot fail.
            hidden if unsafe_at(text, at, hidden) => write!(out, "\\U{:08x}", u32::from(hidden)).unwrap_or_default(),
            shown => out.push(shown),
        }
    }
    out.push('"');
    out
}

/// One word of a command that somebody may paste into a shell: as it is, where nothing in it means anything to one, else in
/// single quotes. What is invisible is the terminal's matter.
#[must_use]
pub fn shell(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"%+,-./:=@_".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

struct VisibleJson;

impl Formatter for VisibleJson {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut done = 0;
        for (at, character) in fragment.char_indices().filter(|(at, one)| unsafe_at(fragment, *at, *one)) {
            writer.write_all(fragment.get(done..at).unwrap_or_default().as_bytes())?;
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            done = at + character.len_utf8();
        }
        writer.write_all(fragment.get(done..).unwrap_or_default().as_bytes())
    }
}

fn escaped(bytes: &[u8], percent_is_escaped: impl Fn(&str) -> bool) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        let text = chunk.valid();
        for (at, character) in text.char_indices() {
            let escape = match character {
                '%' => percent_is_escaped(text.get(at..).unwrap_or_default()),
                _ => unsafe_at(text, at, character),
            };
            if escape {
                percent(&mut out, character.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                out.push(character);
            }
        }
        percent(&mut out, chunk.invalid());
    }
    out
}

fn percent(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing into a String cannot fail.
        write!(out, "%{byte:02X}").unwrap_or_default();
    }
}

/// Whether this character of `text` must not be shown as it is.
fn unsafe_at(text: &str, at: usize, character: char) -> bool {
    misleading(character) || character == '#' && text.get(at..).is_some_and(begins_command)
}

/// `##[`, `##vso[` and their like: the runners of GitHub, Azure Pipelines and TeamCity obey such words wherever they stand
/// in a line of a job's output.
fn begins_command(text: &str) -> bool {
    let name = |character: char| character.is_ascii_alphanumeric();
    text.strip_prefix("##").is_some_and(|rest| rest.trim_start_matches(name).starts_with('['))
}

/// Control characters; line and paragraph separators; Unicode 16 `Default_Ignorable_Code_Point` and the other format
/// characters: bidi controls, zero-width characters, tags, variation selectors, blank fillers.
fn misleading(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}'
            | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {

    use super::*;

    const HOSTILE: &[u8] =
        b"a\n[GNUPG:] GOODSIG x\r\0\x1b[2K\x7f\xc2\x9b\xe2\x80\xa8\xe2\x80\xae\xe2\x80\x8b\xff% 100% %0a\xc3\xa9";

    #[test]
    fn a_status_line_stays_one_line_of_visible_text() {
        assert_eq!(
            status_line(HOSTILE),
            "a%0A[GNUPG:] GOODSIG x%0D%00%1B[2K%7F%C2%9B%E2%80%A8%E2%80%AE%E2%80%8B%FF%25 100%25 %250aé"
        );
    }

    #[test]
    fn a_terminal_line_keeps_a_percent_sign_that_escapes_nothing() {
        assert_eq!(
            terminal(HOSTILE),
            "a%0A[GNUPG:] GOODSIG x%0D%00%1B[2K%7F%C2%9B%E2%80%A8%E2%80%AE%E2%80%8B%FF% 100% %250aé"
        );
    }

    #[test]
    fn nothing_is_a_command_to_whoever_runs_a_job() {
        let text = "##[stop-commands]x ###vso[task.complete] ##VsO[x] ## [a] #[b] #1 ##é[ ##%23[";
        let shown = "%23#[stop-commands]x #%23#vso[task.complete] %23#VsO[x] ## [a] #[b] #1 ##é[ ##%2523[";
        assert_eq!(terminal(text), shown);
        assert_eq!(status_line(text), shown);
        let quoted = r#""\u0023#[stop-commands]x #\u0023#vso[task.complete] \u0023#VsO[x] ## [a] #[b] #1 ##é[ ##%23[""#;
        assert_eq!(json_line(&json(text)).unwrap(), format!("{quoted}\n").into_bytes());
        assert_eq!(json_indented(&json(text)).unwrap(), format!("{quoted}\n"));
        assert_eq!(toml(text), quoted.replace("\\u0023", "\\U00000023"));
        assert_eq!(serde_json::from_str::<String>(quoted).unwrap(), text);
        let mut long = "##a".repeat(100_000);
        long.push('[');
        assert_eq!(terminal(&long).matches("%23").count(), 1);
    }

    #[test]
    fn json_says_the_same_with_nothing_invisible() {
        let text = "é\u{202e}\u{e0041}\u{9b}\u{2028}\n\"";
        let out = json_line(&json(text)).unwrap();
        assert_eq!(
            String::from_utf8(out.clone()).unwrap(),
            r#""é\u202e\udb40\udc41\u009b\u2028\n\"""#.to_owned() + "\n"
        );
        assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        assert_eq!(json(b"\xff"), serde_json::json!({ "base64": "/w==" }));
    }

    #[test]
    fn toml_says_the_same_with_nothing_invisible() {
        let text = "é\u{202e}\u{e0041}\u{9b}\n\"\\";
        assert_eq!(toml(text), r#""é\U0000202e\U000e0041\U0000009b\U0000000a\"\\""#);
    }

    #[test]
    fn indented_json_is_gos() {
        let out = json_indented(&serde_json::json!({ "a": ["x <a@b> & \u{202e}\n"] })).unwrap();
        assert_eq!(out, "{\n  \"a\": [\n    \"x \\u003ca@b\\u003e \\u0026 \\u202e\\n\"\n  ]\n}\n");
    }

    #[test]
    fn a_shell_reads_one_word() {
        for (word, quoted) in [
            ("refs/tags/v1.0+b_2@x:refs/tags/v1", "refs/tags/v1.0+b_2@x:refs/tags/v1"),
            ("refs/tags/v1;touch${IFS}pwn;$(id)", "'refs/tags/v1;touch${IFS}pwn;$(id)'"),
            ("it's", "'it'\\''s'"),
            ("v1^{}", "'v1^{}'"),
            ("~", "'~'"),
            ("", "''"),
        ] {
            assert_eq!(shell(word), quoted);
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_in_nothing_misleading_comes_out(bytes: Vec<u8>) {
            for out in [terminal(&bytes), status_line(&bytes)] {
                proptest::prop_assert!(!out.chars().any(misleading));
            }
        }

        #[test]
        fn whatever_comes_in_no_command_comes_out(text in "[#%2a3v\\[\u{200b}]{0,12}", other in "[#%2a3v\\[\u{200b}]{0,12}") {
            for one in [terminal, status_line] {
                let (out, other_out) = (one(text.as_bytes()), one(other.as_bytes()));
                proptest::prop_assert!(!out.char_indices().any(|(at, _)| begins_command(&out[at..])));
                proptest::prop_assert_eq!(out == other_out, text == other);
            }
        }

        #[test]
        fn toml_reads_what_was_written(text: String) {
            let line = toml(&text);
            proptest::prop_assert!(!line.chars().any(misleading));
            let read: std::collections::BTreeMap<String, String> = ::toml::from_str(&format!("a = {line}")).unwrap();
            proptest::prop_assert_eq!(&read["a"], &text);
        }

        #[test]
        fn different_names_look_different(left: Vec<u8>, right: Vec<u8>) {
            proptest::prop_assert_eq!(status_line(&left) == status_line(&right), left == right);
            proptest::prop_assert_eq!(terminal(&left) == terminal(&right), left == right);
        }
    }
}
