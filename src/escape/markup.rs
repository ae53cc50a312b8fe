//! Sinks with a grammar of their own: XML and HTML, Markdown, SARIF, and the commands that a CI system reads in its log.
//!
//! Each first makes the bytes visible as [`terminal`] does, so that no line feed, escape sequence or bidi control is left,
//! and then takes what remains out of the grammar.

use std::fmt::Write as _;

use super::terminal;

/// For XML 1.0 and HTML: text, or the value of a quoted attribute.
#[must_use]
pub fn markup(bytes: impl AsRef<[u8]>) -> String {
    replaced(&terminal(bytes), |character, _rest| match character {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '"' => Some("&quot;"),
        '\'' => Some("&#39;"),
        // The two characters that XML 1.0 excludes and that are neither control characters nor surrogates.
        '\u{fffe}' => Some("%EF%BF%BE"),
        '\u{ffff}' => Some("%EF%BF%BF"),
        _ => None,
    })
}

/// For Markdown, GitHub's tables among it: every mark that could begin something is a character reference, which is text
/// and nothing else wherever it stands (CommonMark 0.31 §2.5). So no mark-up, link, mention or reference to an issue.
#[must_use]
pub fn markdown(bytes: impl AsRef<[u8]>) -> String {
    let visible = terminal(bytes);
    let mut out = String::with_capacity(visible.len());
    for character in visible.chars() {
        if character.is_ascii_punctuation() && !"-,/".contains(character) {
            // Writing into a String cannot fail.
            write!(out, "&#{};", u32::from(character)).unwrap_or_default();
        } else {
            out.push(character);
        }
    }
    out
}

/// For a SARIF message: no embedded link and no placeholder (SARIF 2.1.0 §3.11.6, §3.11.5).
#[must_use]
pub fn sarif_message(bytes: impl AsRef<[u8]>) -> String {
    replaced(&terminal(bytes), |character, rest| match character {
        ']' if rest.starts_with('(') => Some("%5D"),
        '{' => Some("%7B"),
        '}' => Some("%7D"),
        _ => None,
    })
}

/// For the message of a GitHub workflow command. `##` is broken up, too: older commands of GitHub's and those of Azure
/// Pipelines are found anywhere in a line.
#[must_use]
pub fn workflow_data(bytes: impl AsRef<[u8]>) -> String {
    replaced(&terminal(bytes), |character, rest| match character {
        '%' => Some("%25"),
        // "%23" once the command is decoded.
        '#' if rest.starts_with('#') => Some("%2523"),
        _ => None,
    })
}

/// For a property of one.
#[must_use]
pub fn workflow_property(bytes: impl AsRef<[u8]>) -> String {
    replaced(&workflow_data(bytes), |character, _rest| match character {
        ':' => Some("%3A"),
        ',' => Some("%2C"),
        _ => None,
    })
}

/// `text` with what `replacement` gives for a character and what follows it.
fn replaced(text: &str, replacement: impl Fn(char, &str) -> Option<&'static str>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match replacement(character, characters.as_str()) {
            Some(instead) => out.push_str(instead),
            None => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_becomes_an_element_or_ends_a_section() {
        assert_eq!(markup(b"a<b>&'\"]]><!--"), "a&lt;b&gt;&amp;&#39;&quot;]]&gt;&lt;!--");
        assert_eq!(
            markup(b"\x1b[2K\n\0\xff\xef\xbf\xbe\xef\xbf\xbf\xe2\x80\xae"),
            "%1B[2K%0A%00%FF%EF%BF%BE%EF%BF%BF%E2%80%AE"
        );
    }

    #[test]
    fn nothing_becomes_markdown() {
        assert_eq!(
            markdown(b"a|b `c` <d> [e](http://f) @g #1 \\|\n# h"),
            "a&#124;b &#96;c&#96; &#60;d&#62; &#91;e&#93;&#40;http&#58;//f&#41; &#64;g &#35;1 &#92;&#124;&#37;0A&#35; h"
        );
        assert_eq!(markdown("www.évil.example - x"), "www&#46;évil&#46;example - x");
    }

    #[test]
    fn nothing_becomes_a_link_or_a_placeholder() {
        assert_eq!(sarif_message(b"[PATCH] [here](http://x) {0}\n"), "[PATCH] [here%5D(http://x) %7B0%7D%0A");
    }

    #[test]
    fn nothing_becomes_a_workflow_command() {
        assert_eq!(workflow_data(b"x\n::error::y%0A"), "x%250A::error::y%25250A");
        assert_eq!(workflow_data(b"##[add-mask]1 ###vso[x]"), "%2523#[add-mask]1 #%2523#vso[x]");
        assert_eq!(workflow_property(b"a,line=1::b\r"), "a%2Cline=1%3A%3Ab%250D");
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_in_stays_in_its_place(bytes: Vec<u8>) {
            let holds = |text: String, set: &str| text.contains(|character| set.contains(character));
            let (xml, set) = (markup(&bytes), "<>\"'\n\u{fffe}\u{ffff}");
            proptest::prop_assert!(!holds(xml, set));
            proptest::prop_assert!(!holds(markdown(&bytes), "|`<>[]()@*_~\\!:.\n"));
            proptest::prop_assert!(!holds(workflow_data(&bytes), "\r\n"));
            proptest::prop_assert!(!workflow_data(&bytes).contains("##"));
            proptest::prop_assert!(!holds(workflow_property(&bytes), ":,\r\n"));
            proptest::prop_assert!(!sarif_message(&bytes).contains("]("));
        }
    }
}
