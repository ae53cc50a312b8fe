//! Forms: what clients and browsers send, and what the issuer signs so that a browser brings it back unchanged.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};

use crate::crypto::MacKey;

/// `application/x-www-form-urlencoded`, each name once (RFC 6749 §3.1, §3.2).
#[derive(Debug)]
pub(super) struct Form(HashMap<String, String>);

/// A name stands twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotOnce;

impl Form {
    pub(super) fn read(text: &str) -> Result<Self, NotOnce> {
        let mut members = HashMap::new();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            if members.insert(name.into_owned(), value.into_owned()).is_some() {
                return Err(NotOnce);
            }
        }
        Ok(Self(members))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Absent and empty are the same (RFC 6749 §3.1).
    pub(super) fn value(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }
}

/// Signs what a page carries in a hidden field. It holds for this process only: whoever has a page open across a restart
/// begins again.
#[derive(Debug)]
pub(super) struct FormKey(MacKey);

impl FormKey {
    pub(super) fn generate() -> Self {
        Self(MacKey::generate())
    }

    /// `content` for the page `page`, good for half an hour.
    pub(super) fn seal(&self, page: Page, content: &str, now: Timestamp) -> String {
        let signed = format!("{}\n{}\n{content}", page.name(), (now + LIFETIME).as_second());
        format!("{}.{}", URL_SAFE_NO_PAD.encode(&signed), URL_SAFE_NO_PAD.encode(self.0.tag(signed.as_bytes())))
    }

    /// The content again; `None` when it was not sealed here for this page, or too long ago.
    pub(super) fn open(&self, page: Page, sealed: &str, now: Timestamp) -> Option<String> {
        let (signed, tag) = sealed.split_once('.')?;
        let signed = URL_SAFE_NO_PAD.decode(signed).ok()?;
        if !self.0.verifies(&signed, &URL_SAFE_NO_PAD.decode(tag).ok()?) {
            return None;
        }
        let signed = String::from_utf8(signed).ok()?;
        let (name, rest) = signed.split_once('\n')?;
        let (until, content) = rest.split_once('\n')?;
        let in_time = until.parse::<i64>().is_ok_and(|until| now.as_second() < until);
        (name == page.name() && in_time).then(|| content.to_owned())
    }
}

/// What a sealed form belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// A login in a browser; holds the query of the authorization request.
    Login,
    /// A confirmation in the device flow; holds the user code.
    Device,
}

impl Page {
    fn name(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Login => "login",
        }
    }
}

const LIFETIME: SignedDuration = SignedDuration::from_mins(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_comes_back_here_and_in_time() {
        let key = FormKey::generate();
        let at = |second| Timestamp::from_second(second).unwrap();
        let sealed = key.seal(Page::Login, "a=b\nc", at(0));
        assert_eq!(key.open(Page::Login, &sealed, at(1799)).as_deref(), Some("a=b\nc"));
        assert_eq!(key.open(Page::Login, &sealed, at(1800)), None);
        assert_eq!(key.open(Page::Device, &sealed, at(1)), None);
        assert_eq!(FormKey::generate().open(Page::Login, &sealed, at(1)), None);
        let (signed, tag) = sealed.split_once('.').unwrap();
        let other = URL_SAFE_NO_PAD.encode("login\n9999999999\nx");
        for bad in [signed, tag, "", ".", &format!("{other}.{tag}"), &format!("{sealed}.x"), "é.é"] {
            assert_eq!(key.open(Page::Login, bad, at(1)), None, "{bad}");
        }
    }
}
