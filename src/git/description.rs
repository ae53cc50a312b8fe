//! Who made an object and what it is about, as the object itself says: claims, for people.

use super::ObjectKind;
use crate::signature::payload::lines;

/// Parts of an object's text; empty where it has none. Not necessarily UTF-8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Description<'a> {
    /// Of a commit: `Name <address>`.
    pub author: &'a [u8],
    /// Of a commit the committer, of a tag the tagger: `Name <address>`.
    pub committer: &'a [u8],
    raw: &'a [u8],
}

impl<'a> Description<'a> {
    /// Reads what can be read; nothing here is an error.
    #[must_use]
    pub fn of(kind: ObjectKind, raw: &'a [u8]) -> Self {
        let mut description = Self { raw, ..Self::default() };
        let committer: &[u8] = match kind {
            ObjectKind::Commit => b"committer ",
            ObjectKind::Tag => b"tagger ",
        };
        // The signature, which is most of a commit, stands behind both and is not looked through.
        for line in lines(raw).take_while(|line| !line.is_empty() && !line.starts_with(b"gpgsig")) {
            if let Some(author) = line.strip_prefix(b"author ") {
                description.author = without_date(author);
            } else if let Some(committer) = line.strip_prefix(committer) {
                description.committer = without_date(committer);
            }
        }
        description
    }

    /// The first line of the message that is not blank.
    #[must_use]
    pub fn subject(&self) -> &'a [u8] {
        let message = lines(self.raw).skip_while(|line| !line.is_empty());
        message.map(<[u8]>::trim_ascii).find(|line| !line.is_empty()).unwrap_or_default()
    }

    /// What stands between `<` and `>` of the author.
    #[must_use]
    pub fn author_email(&self) -> Option<&'a [u8]> {
        address(self.author)
    }

    /// The same of the committer or tagger.
    #[must_use]
    pub fn committer_email(&self) -> Option<&'a [u8]> {
        address(self.committer)
    }
}

/// What is between the first `<` and the `>` at the end, if there is one of each.
fn address(person: &[u8]) -> Option<&[u8]> {
    let start = person.iter().position(|byte| *byte == b'<')? + 1;
    let address = person.get(start..)?.strip_suffix(b">")?;
    (!address.iter().any(|byte| b"<>".contains(byte))).then_some(address)
}

/// Everything up to the last `>`.
fn without_date(signature: &[u8]) -> &[u8] {
    let end = signature.iter().rposition(|byte| *byte == b'>').map_or(signature.len(), |at| at + 1);
    signature.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_and_a_tag() {
        let commit = b"tree 0\nauthor A <a@x> 1 +0000\ncommitter B <b@x> 2 +0000\ngpgsig -----BEGIN\n author C <c@x>\n\n\n Subject \nbody\n";
        let description = Description::of(ObjectKind::Commit, commit);
        assert_eq!((description.author, description.committer), (&b"A <a@x>"[..], &b"B <b@x>"[..]));
        assert_eq!(description.subject(), b"Subject");
        let tag = b"object 0\ntype commit\ntag v1\ntagger T <t@x> 3 +0000\n\nv1\n";
        let description = Description::of(ObjectKind::Tag, tag);
        assert_eq!((description.author, description.committer), (&b""[..], &b"T <t@x>"[..]));
        assert_eq!(description.subject(), b"v1");
    }

    #[test]
    fn anything_else_too() {
        assert_eq!(Description::of(ObjectKind::Commit, b""), Description::default());
        assert_eq!(Description::of(ObjectKind::Commit, b"author nobody").author, b"nobody");
    }
}
