//! What Git signs: the bytes of a commit, a tag or a push certificate, without the signature.

use memchr::memchr;

/// What a payload is, by its first line, as Git itself would have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PayloadKind {
    /// Begins with `tree `.
    Commit,
    /// Anything else: no Git object begins like that.
    Other,
    /// Begins with `certificate version `: what `git push --signed` sends.
    PushCertificate,
    /// Begins with `object `.
    Tag,
}

impl PayloadKind {
    /// The kind of `payload`.
    #[must_use]
    pub fn of(payload: &[u8]) -> Self {
        if payload.starts_with(b"tree ") {
            Self::Commit
        } else if payload.starts_with(b"object ") {
            Self::Tag
        } else if payload.starts_with(b"certificate version ") {
            Self::PushCertificate
        } else {
            Self::Other
        }
    }
}

/// The value of the first header `name` (`author`, `committer`, `tagger`, `tag`, `pusher`) of an object or payload.
#[must_use]
pub fn header<'a>(payload: &'a [u8], name: &str) -> Option<&'a [u8]> {
    headers(payload).find(|line| line.0 == name.as_bytes()).map(|line| line.1)
}

/// What follows the headers.
#[must_use]
pub fn message(payload: &[u8]) -> &[u8] {
    let message = payload.windows(2).position(|two| two == b"\n\n").and_then(|end| payload.get(end + 2..));
    message.unwrap_or_default()
}

/// The first line of the message, without its line end.
#[must_use]
pub fn subject(payload: &[u8]) -> &[u8] {
    let mut lines = lines(message(payload));
    let subject = lines.find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    subject.strip_suffix(b"\r").unwrap_or(subject)
}

/// Whether the headers are those that Git reads one way only: in a commit one tree, then the parents, one author, one
/// committer; in a tag one object, type, tag and tagger, in this order. Readers that take the last of two
/// trees where Git takes the first would show something that nobody signed.
#[must_use]
pub fn has_ordered_headers(payload: &[u8]) -> bool {
    let names: Vec<&[u8]> = headers(payload).map(|line| line.0).collect();
    let count = |name: &[u8]| names.iter().filter(|other| **other == name).count();
    match PayloadKind::of(payload) {
        PayloadKind::Commit => {
            let parents = count(b"parent");
            let mut expected = vec![&b"tree"[..]];
            expected.resize(1 + parents, b"parent");
            expected.extend([&b"author"[..], b"committer"]);
            names.starts_with(&expected) && [&b"tree"[..], b"author", b"committer"].iter().all(|name| count(name) == 1)
        }
        PayloadKind::Tag => {
            // Git itself verifies no tag without tagger.
            let expected = [&b"object"[..], b"type", b"tag", b"tagger"];
            names.starts_with(&expected) && expected.iter().all(|name| count(name) == 1)
        }
        PayloadKind::Other | PayloadKind::PushCertificate => true,
    }
}

/// Whether this is what Git signs, whole: a commit, a tag or a push certificate with all that each must have, and no
/// signature yet. Whoever only wants a text signed cannot dress it up by its first line.
#[must_use]
pub fn is_complete(payload: &[u8]) -> bool {
    let kind = PayloadKind::of(payload);
    let Some(end) = payload.windows(2).position(|two| two == b"\n\n") else { return false };
    let lines_are_headers = payload.get(..end).is_some_and(|headers| lines(headers).all(|line| line.contains(&b' ')));
    let fits = |(name, value): (&[u8], &[u8])| match (kind, name) {
        (_, b"gpgsig" | b"gpgsig-sha256") => false,
        (_, b"tree" | b"parent" | b"object") => is_object_id(value),
        (_, b"author" | b"committer" | b"tagger") => is_ident(value),
        (_, b"pusher") => has_date(value),
        (PayloadKind::Tag, b"type") => [&b"blob"[..], b"commit", b"tag", b"tree"].contains(&value),
        (PayloadKind::Tag, b"tag") => !value.is_empty(),
        _ => true,
    };
    let whole = match kind {
        PayloadKind::Other => false,
        PayloadKind::Commit | PayloadKind::Tag => has_ordered_headers(payload) && !payload.contains(&0),
        PayloadKind::PushCertificate => header(payload, "pusher").is_some() && has_updates(message(payload)),
    };
    whole && lines_are_headers && headers(payload).all(fits)
}

/// `OLD NEW REF`, one line each (gitprotocol-pack, "Push Certificate").
fn has_updates(updates: &[u8]) -> bool {
    let is_update = |line: &[u8]| {
        let mut words = line.splitn(3, |byte| *byte == b' ');
        let ids = [words.next(), words.next()];
        ids.into_iter().all(|id| id.is_some_and(is_object_id)) && words.next().is_some_and(|name| !name.is_empty())
    };
    let updates = updates.strip_suffix(b"\n").unwrap_or(updates);
    !updates.is_empty() && lines(updates).all(is_update)
}

/// SHA-1 or SHA-256, in lower-case hexadecimal.
fn is_object_id(text: &[u8]) -> bool {
    [40, 64].contains(&text.len()) && text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// `NAME <ADDRESS> SECONDS ZONE`; both may be empty.
fn is_ident(value: &[u8]) -> bool {
    let open = value.iter().position(|byte| *byte == b'<');
    let close = value.iter().position(|byte| *byte == b'>');
    open.zip(close).is_some_and(|(open, close)| open < close) && has_date(value)
}

/// Whether it ends with seconds since 1970 and a time zone.
fn has_date(value: &[u8]) -> bool {
    let mut words = value.rsplitn(3, |byte| *byte == b' ');
    let is_number = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let zone = words.next().and_then(|zone| zone.strip_prefix(b"+").or_else(|| zone.strip_prefix(b"-")));
    let seconds = words.next().map(|seconds| seconds.strip_prefix(b"-").unwrap_or(seconds));
    zone.is_some_and(|zone| zone.len() >= 4 && is_number(zone)) && seconds.is_some_and(is_number)
}

/// A commit's bytes with a signature put in where Git does: as the header `name`, last among them, each further line
/// behind a space. `None` where the headers do not end.
#[must_use]
pub fn with_header(payload: &[u8], name: &str, signature: &[u8]) -> Option<Vec<u8>> {
    let end = payload.windows(2).position(|two| two == b"\n\n")? + 1;
    let (headers, message) = payload.split_at(end);
    let mut object = Vec::with_capacity(payload.len() + signature.len() + 64);
    object.extend_from_slice(headers);
    object.extend_from_slice(name.as_bytes());
    for line in whole_lines(signature) {
        object.push(b' ');
        object.extend_from_slice(line);
    }
    if object.last() != Some(&b'\n') {
        object.push(b'\n');
    }
    object.extend_from_slice(message);
    Some(object)
}

/// The lines without their ends, and what follows the last end: what `split` gives, some times as fast.
pub fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let from = rest?;
        let Some(end) = memchr(b'\n', from) else { return rest.take() };
        rest = from.get(end + 1..);
        from.get(..end)
    })
}

/// The lines with their ends, of which the last may have none.
pub fn whole_lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        let (line, after) = rest.split_at(length);
        rest = after;
        (!line.is_empty()).then_some(line)
    })
}

/// Name and value of each header line; continuation lines, which begin with a space, are passed over.
pub fn headers(payload: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    lines(payload).take_while(|line| !line.is_empty()).filter_map(|line| {
        let space = line.iter().position(|byte| *byte == b' ')?;
        let (name, value) = line.split_at(space);
        (!name.is_empty()).then(|| (name, value.get(1..).unwrap_or_default()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &[u8] = b"tree 1\nparent 2\nauthor A <a@x> 1 +0000\ncommitter C <c@x> 2 +0000\n\nsubject\n\nbody\n";

    #[test]
    fn a_second_tree_is_seen() {
        assert!(has_ordered_headers(COMMIT));
        assert!(has_ordered_headers(b"tree 1\nauthor A\ncommitter C\nmergetag object 1\n tree 9\n\nm"));
        assert!(!has_ordered_headers(b"tree 1\ntree 2\nauthor A\ncommitter C\n\nm"));
        assert!(!has_ordered_headers(b"tree 1\nauthor A\nparent 2\ncommitter C\n\nm"));
        assert!(!has_ordered_headers(b"tree 1\nauthor A\ncommitter C\ntree 2\n\nm"));
        assert!(!has_ordered_headers(b"object 1\ntag v\ntype commit\n\nm"));
    }

    #[test]
    fn only_what_git_signs_is_complete() {
        let id = "0123456789abcdef0123456789abcdef01234567";
        let person = "A U Thor <a@x> 1700000000 +0100";
        let commit = format!("tree {id}\nparent {id}\nauthor {person}\ncommitter  <> 0 -0030\nencoding x\n\n");
        let tag = format!("object {id}\ntype commit\ntag v1\ntagger {person}\n\nm\n");
        let push =
            format!("certificate version 0.1\npusher any key 1 +0000\npushee u\nnonce n\n\n{id} {id} refs/heads/x\n");
        for good in [&commit, &format!("{commit}message\n"), &tag, &push] {
            assert!(is_complete(good.as_bytes()), "{good}");
        }
        for (from, to) in [
            (format!("tree {id}"), "tree zz".to_owned()),
            (format!("parent {id}"), format!("parent {}", id.to_uppercase())),
            (format!("author {person}"), "author x".to_owned()),
            (format!("author {person}"), "author A <a> 1".to_owned()),
            ("\n\n".to_owned(), "\n".to_owned()),
            ("encoding x".to_owned(), "gpgsig x\n y".to_owned()),
            ("encoding x".to_owned(), "anything".to_owned()),
            ("\n\n".to_owned(), "\n\nm\0".to_owned()),
        ] {
            assert!(!is_complete(commit.replace(&from, &to).as_bytes()), "{to}");
        }
        for (from, to) in [("type commit", "type evil"), ("tag v1", "tag "), ("tagger", "hagger")] {
            assert!(!is_complete(tag.replace(from, to).as_bytes()), "{to}");
        }
        for (from, to) in [("pusher any key 1 +0000\n", ""), ("refs/heads/x", ""), (id, "1"), (" refs/heads/x", "")] {
            assert!(!is_complete(push.replace(from, to).as_bytes()), "{to}");
        }
        for bad in ["", "a text", "certificate version 0.1\n", "certificate version 0.1\nwhatever\n\nmore\n"] {
            assert!(!is_complete(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn lines_are_those_of_split() {
        for text in [&b""[..], b"a", b"\n", b"a\n", b"\n\na", b"a\nb\n\nc\n", b"a\r\nb"] {
            assert!(lines(text).eq(text.split(|byte| *byte == b'\n')), "{text:?}");
            assert!(whole_lines(text).eq(text.split_inclusive(|byte| *byte == b'\n')), "{text:?}");
        }
    }

    #[test]
    fn headers_end_at_the_blank_line() {
        assert_eq!(header(COMMIT, "committer"), Some(&b"C <c@x> 2 +0000"[..]));
        assert_eq!(header(b"tree 1\n\ncommitter C", "committer"), None);
        assert_eq!(subject(COMMIT), b"subject");
        assert_eq!(subject(b"tree 1\n\n\r\nlate\r\n"), b"late");
        assert_eq!(subject(b"tree 1\n"), b"");
    }
}
