//! Who must be signing: `-u KEY`, where it says anything that a certificate could hold; or the payload's own committer.

use std::fmt;

/// An e-mail address or URI that the certificate must name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedSigner {
    name: Vec<u8>,
    source: Source,
}

/// Where the demand comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// `-u KEY`
    Key,
    /// The payload's committer, tagger or pusher.
    Person,
}

impl RequestedSigner {
    /// Reads `key`: `user.signingKey`, or `Name <address>` of the committer, which Git passes when that is not set.
    ///
    /// `None` where it demands nothing: it is one of `people` (the payload's committer, author, tagger or pusher, as in
    /// its header), in any form; or it is a key ID, path or key of another signing tool, or a bare name.
    #[must_use]
    pub fn new<'a>(key: &[u8], people: impl IntoIterator<Item = &'a [u8]>) -> Option<Self> {
        let key = key.trim_ascii();
        if is_foreign(key) {
            return None;
        }
        let wanted = address(key);
        let known = |person: &[u8]| {
            let end = person.iter().rposition(|byte| *byte == b'>').map_or(person.len(), |end| end + 1);
            let ident = person.get(..end).unwrap_or(person);
            ident == key || address(ident) == wanted
        };
        if people.into_iter().any(known) {
            return None;
        }
        let names_someone = wanted.contains(&b'@') || is_uri(wanted);
        names_someone.then(|| Self { name: wanted.to_vec(), source: Source::Key })
    }

    /// Who stands in a header such as `committer`: the address, or the name where that is a URI, as machines have one. A
    /// pusher may be any key; `None` where it, or nobody, is named, or where several addresses could be meant: Git takes the
    /// first, others the last.
    #[must_use]
    pub fn of_person(person: &[u8]) -> Option<Self> {
        let ident = without_date(person);
        if ident.iter().filter(|byte| **byte == b'<').count() > 1
            || ident.iter().filter(|byte| **byte == b'>').count() > 1
        {
            return None;
        }
        if ident.contains(&b'<') && !ident.ends_with(b">") {
            return None;
        }
        let name = ident.split(|byte| *byte == b'<').next().unwrap_or_default().trim_ascii();
        let wanted = if is_uri(name) { name } else { address(ident) };
        let names_someone = wanted.contains(&b'@') || is_uri(wanted);
        (names_someone && !is_foreign(ident)).then(|| Self { name: wanted.to_vec(), source: Source::Person })
    }

    /// Whether it is the payload that demands this one.
    #[must_use]
    pub fn is_person(&self) -> bool {
        self.source == Source::Person
    }

    /// Whether this is the subject alternative name `name`, byte for byte.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name == name.as_bytes()
    }
}

impl fmt::Display for RequestedSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.name))
    }
}

fn is_uri(text: &[u8]) -> bool {
    text.windows(3).any(|part| part == b"://")
}

/// A person's header without the seconds and the zone at its end.
fn without_date(person: &[u8]) -> &[u8] {
    let mut parts = person.rsplitn(3, |byte| *byte == b' ');
    let numbers = [parts.next(), parts.next()];
    let is_number = |part: &[u8]| part.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-'));
    match parts.next() {
        Some(ident) if numbers.into_iter().flatten().all(is_number) => ident,
        _ => person,
    }
}

/// What stands in the last angle brackets, else the whole.
fn address(text: &[u8]) -> &[u8] {
    let bracketed = text.strip_suffix(b">").and_then(|inner| {
        let open = inner.iter().rposition(|byte| *byte == b'<')?;
        inner.get(open + 1..)
    });
    bracketed.unwrap_or(text)
}

/// What GnuPG, gpgsm and ssh-keygen call a key: hexadecimal with or without `0x`, an SSH public key, a path.
fn is_foreign(key: &[u8]) -> bool {
    let prefixes =
        [&b"0x"[..], b"0X", b"ssh-", b"sk-ssh-", b"sk-ecdsa-", b"ecdsa-", b"key::", b"/", b"~", b"./", b"../"];
    let digits = key.strip_suffix(b"!").unwrap_or(key);
    prefixes.iter().any(|prefix| key.starts_with(prefix))
        || digits.iter().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requested(key: &str) -> Option<String> {
        let people = [&b"C O Mitter <c@example.org> 1700000000 +0100"[..], b"Author <a@example.org> 1 +0000"];
        RequestedSigner::new(key.as_bytes(), people).map(|signer| signer.to_string())
    }

    #[test]
    fn the_payload_s_own_people_demand_nothing() {
        for key in [
            "C O Mitter <c@example.org>",
            "c@example.org",
            "<c@example.org>",
            "Someone <a@example.org>",
            " a@example.org ",
        ] {
            assert_eq!(requested(key), None, "{key}");
        }
    }

    #[test]
    fn a_person_is_an_address_or_a_uri() {
        let person = |header: &[u8]| RequestedSigner::of_person(header).map(|signer| signer.to_string());
        for (header, wanted) in [
            ("C O Mitter <c@example.org> 1700000000 +0100", Some("c@example.org")),
            ("<c@example.org> 1700000000 -0100", Some("c@example.org")),
            ("c@example.org 1700000000 +0100", Some("c@example.org")),
            ("a <b@example.org> c <c@example.org> 1 +0000", None),
            ("a <b@example.org> c@example.org> 1 +0000", None),
            ("a <b@example.org> c 1 +0000", None),
            (
                "https://github.com/o/r/w@refs/heads/main <bot@example.org> 1 +0000",
                Some("https://github.com/o/r/w@refs/heads/main"),
            ),
            ("0xDEADBEEF 1700000000 +0100", None),
            ("~/.ssh/c@example.org.pub 1700000000 +0100", None),
            ("A Bare Name 1700000000 +0100", None),
            ("Nobody <> 1 +0000", None),
            ("", None),
        ] {
            assert_eq!(person(header.as_bytes()).as_deref(), wanted, "{header}");
        }
    }

    #[test]
    fn keys_of_other_tools_demand_nothing() {
        for key in [
            "",
            "0xDEADBEEF",
            "DEADBEEF01234567!",
            "AB:CD:EF",
            "ssh-ed25519 AAAA b@example.org",
            "key::ssh-ed25519 AAAA b@example.org",
            "~/.ssh/b@example.org.pub",
            "/home/b@c/key.pub",
            "A Bare Name",
        ] {
            assert_eq!(requested(key), None, "{key}");
        }
    }

    #[test]
    fn any_other_address_or_uri_does() {
        assert_eq!(requested("b@example.org").as_deref(), Some("b@example.org"));
        assert_eq!(requested("B <b@example.org>").as_deref(), Some("b@example.org"));
        assert_eq!(requested("C O Mitter <b@example.org>").as_deref(), Some("b@example.org"));
        assert_eq!(requested("C@example.org").as_deref(), Some("C@example.org"));
        assert_eq!(requested("https://github.com/o/r@x").as_deref(), Some("https://github.com/o/r@x"));
        assert_eq!(requested("-u@example.org\n").as_deref(), Some("-u@example.org"));
        let latin1 =
            RequestedSigner::new(b"J\xf6rg <j\xf6rg@example.org>", [&b"J\xf6rg <j\xf6rg@example.org> 1 +0"[..]]);
        assert_eq!(latin1, None);
    }
}
