//! Who Git says should sign: `-u KEY`, where it says anything that a certificate could hold.

use std::fmt;

/// An e-mail address or URI that the certificate must name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedSigner(Vec<u8>);

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
        let names_someone = wanted.contains(&b'@') || wanted.windows(3).any(|part| part == b"://");
        names_someone.then(|| Self(wanted.to_vec()))
    }

    /// Whether this is the subject alternative name `name`, byte for byte.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.0 == name.as_bytes()
    }
}

impl fmt::Display for RequestedSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
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
