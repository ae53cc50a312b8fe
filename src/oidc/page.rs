//! What the browser shows at the end of a login: small pages of our own, without anything fetched from elsewhere.

use std::fmt::Write as _;

/// A page with its HTTP status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page {
    status: u16,
    title: &'static str,
    text: String,
}

impl Page {
    /// The login is complete.
    pub(super) fn signed_in(identity: &str) -> Self {
        let text = format!("You are signed in as {identity}. You may close this page and go back to your work.");
        Self { status: 200, title: "Signed in", text }
    }

    /// The login ended without a token; `why` may come from anywhere.
    pub(super) fn failed(why: &str) -> Self {
        let text = format!("Signing in did not work: {why}. You may close this page.");
        Self { status: 400, title: "Not signed in", text }
    }

    /// A request that the login does not take.
    pub(super) fn refusal(status: u16, why: &'static str) -> Self {
        Self { status, title: "Not signed in", text: why.to_owned() }
    }

    #[cfg(test)]
    pub(super) fn status(&self) -> u16 {
        self.status
    }

    /// The whole HTTP/1.1 response.
    pub(super) fn to_http(&self) -> Vec<u8> {
        let body = format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\n\
             <style>body{{font:1.1em sans-serif;max-width:32em;margin:4em auto;padding:0 1em}}</style></head>\n\
             <body><h1>{title}</h1><p>{text}</p></body></html>\n",
            title = self.title,
            text = escaped(&self.text),
        );
        let reason = match self.status {
            200 => "OK",
            400 => "Bad Request",
            404 => "Not Found",
            405 => "Method Not Allowed",
            _ => "",
        };
        let allow = if self.status == 405 { "Allow: GET\r\n" } else { "" };
        format!(
            "HTTP/1.1 {} {reason}\r\n{allow}Content-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
             Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'\r\n\
             Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\n\
             Connection: close\r\n\r\n{body}",
            self.status,
            body.len()
        )
        .into_bytes()
    }
}

/// `text` for an HTML element: everything but letters, digits, spaces and a few harmless marks as a character reference.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_alphanumeric() || " .,:@/-_+".contains(character) {
            out.push(character);
        } else {
            // Writing into a String cannot fail.
            write!(out, "&#{};", u32::from(character)).unwrap_or_default();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_page_becomes_markup() {
        let page = String::from_utf8(Page::failed("<script>alert('x')&\"\r\n").to_http()).unwrap();
        assert!(!page.contains("<script"), "{page}");
        assert!(page.contains("&#60;script&#62;alert&#40;&#39;x&#39;&#41;&#38;&#34;&#13;&#10;"), "{page}");
    }

    #[test]
    fn the_length_is_that_of_the_body() {
        let page = String::from_utf8(Page::signed_in("älice@example.org").to_http()).unwrap();
        let (head, body) = page.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{head}");
    }
}
