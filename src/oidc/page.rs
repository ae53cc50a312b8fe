//! What the browser shows at the end of a login: small pages of our own, without anything fetched from elsewhere.

use std::fmt::Write as _;

use crate::escape;

/// A page with its HTTP status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page {
    status: u16,
    title: &'static str,
    /// Paragraphs.
    text: Vec<String>,
    closes: bool,
}

impl Page {
    /// The login is complete.
    pub(super) fn signed_in(identity: &str, closes: bool) -> Self {
        let end = match closes {
            true => "Go back to your work; you may close this page if it does not close by itself.",
            false => "Go back to your work; you may close this page.",
        };
        let text = vec![format!("You are signed in as {identity}."), end.to_owned()];
        Self { status: 200, title: SIGNED_IN, text, closes }
    }

    /// The login ended without a token; `why` may come from anywhere.
    pub(super) fn failed(why: &str) -> Self {
        let text = vec![
            format!("Signing in did not work: {}.", why.trim_end_matches('.')),
            "What to do next is said where you began. You may close this page.".to_owned(),
        ];
        Self { status: 400, title: NOT_SIGNED_IN, text, closes: false }
    }

    /// A request that the login does not take.
    pub(super) fn refusal(status: u16, why: &'static str) -> Self {
        Self { status, title: NOT_SIGNED_IN, text: vec![why.to_owned()], closes: false }
    }

    #[cfg(test)]
    pub(super) fn status(&self) -> u16 {
        self.status
    }

    /// The whole HTTP/1.1 response.
    pub(super) fn to_http(&self) -> Vec<u8> {
        let body = format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\n\
             <meta name=\"viewport\" content=\"width=device-width\"><style>\n{STYLE}</style></head>\n\
             <body{class}><main><h1>{title}</h1>{text}</main>{script}</body></html>\n",
            title = self.title,
            class = if self.status == 200 { "" } else { " class=\"problem\"" },
            text = self.text.iter().map(|text| format!("<p>{}</p>", escaped(text))).collect::<String>(),
            script = if self.closes { format!("<script>{CLOSE}</script>") } else { String::new() },
        );
        let script = if self.closes { format!(" script-src '{CLOSE_SHA256}';") } else { String::new() };
        let reason = match self.status {
            200 => "OK",
            400 => "Bad Request",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            421 => "Misdirected Request",
            _ => "",
        };
        let allow = if self.status == 405 { "Allow: GET\r\n" } else { "" };
        format!(
            "HTTP/1.1 {} {reason}\r\n{allow}Content-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
             Content-Security-Policy: default-src 'none';{script} style-src 'unsafe-inline'; frame-ancestors 'none'\r\n\
             Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\n\
             Connection: close\r\n\r\n{body}",
            self.status,
            body.len()
        )
        .into_bytes()
    }
}

/// `text` for an HTML element: what is invisible or turns the text as for a terminal, everything else but letters, digits,
/// spaces and a few harmless marks as a character reference.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in escape::terminal(text).chars() {
        if character.is_alphanumeric() || " .,:@/-_+".contains(character) {
            out.push(character);
        } else {
            // Writing into a String cannot fail.
            write!(out, "&#{};", u32::from(character)).unwrap_or_default();
        }
    }
    out
}

const SIGNED_IN: &str = "Signed in";
const NOT_SIGNED_IN: &str = "Not signed in";
const STYLE: &str = include_str!("page.css");
/// Browsers let a page close itself that was opened from outside and went nowhere since; others stay open.
const CLOSE: &str = "setTimeout(()=>close(),3000)";
/// What the page may run (Content Security Policy, level 2): this and nothing else.
const CLOSE_SHA256: &str = "sha256-n+AAw9mCbYhy1VytFxlCWZG+vFL4w5ObwdY7T64Tw/w=";

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::crypto::Sha256Digest;

    #[test]
    fn the_page_may_run_what_closes_it_and_nothing_else() {
        assert_eq!(CLOSE_SHA256, format!("sha256-{}", STANDARD.encode(Sha256Digest::of(CLOSE.as_bytes()))));
        let page = |closes| String::from_utf8(Page::signed_in("a", closes).to_http()).unwrap();
        assert!(page(true).contains("'none'; script-src 'sha256-"), "{}", page(true));
        assert!(!page(false).contains("script"), "{}", page(false));
    }

    #[test]
    fn nothing_in_a_page_becomes_markup() {
        let page = String::from_utf8(Page::failed("<script>alert('x')&\"\r\n\u{202e}..").to_http()).unwrap();
        assert!(!page.contains("<script"), "{page}");
        let shown = "&#60;script&#62;alert&#40;&#39;x&#39;&#41;&#38;&#34;&#37;0D&#37;0A&#37;E2&#37;80&#37;AE.</p>";
        assert!(page.contains(shown), "{page}");
    }

    #[test]
    fn the_length_is_that_of_the_body() {
        let page = String::from_utf8(Page::signed_in("älice@example.org", true).to_http()).unwrap();
        let (head, body) = page.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{head}");
    }
}
