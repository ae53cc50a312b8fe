//! What is to be signed.

use std::fs::File;
use std::io::{self, Read as _};

use crate::cli::Input;
use crate::command_error::CommandError;
use crate::git::repository::MAX_OBJECT_BYTES;
use crate::signature::payload::{PayloadKind, has_ordered_headers, header};

/// Reads the whole payload. What is too long is taken from the pipe too, so that whoever writes it can end.
pub(super) fn read(input: &Input) -> Result<Vec<u8>, CommandError> {
    let mut payload = Vec::new();
    let (name, read) = match input {
        Input::Stdin => ("the payload on standard input".to_owned(), read_from(io::stdin().lock(), &mut payload)),
        Input::File(path) => {
            (path.display().to_string(), File::open(path).and_then(|file| read_from(file, &mut payload)))
        }
    };
    match read {
        Ok(Length::Whole) => Ok(payload),
        Ok(Length::TooLong) => Err(CommandError::failed(format_args!("{name} has more than {MAX_BYTES} bytes"))),
        Err(error) => Err(CommandError::failed(format_args!("{name} cannot be read: {error}"))),
    }
}

/// Refuses what Git, or the check of the finished signature, could not make sense of.
pub(super) fn check(payload: &[u8]) -> Result<(), CommandError> {
    if payload.is_empty() {
        // What a caller with a closed standard input would get signed, and published.
        return Err(CommandError::failed("there is nothing to sign: the payload is empty")
            .hint("the payload is read from standard input, or from the file that is named"));
    }
    if PayloadKind::of(payload) == PayloadKind::Tag && !payload.ends_with(b"\n") {
        let error = "the tag's message does not end in a line feed, so Git would not find the signature after it";
        return Err(
            CommandError::failed(error).hint("end the message with a line feed, or leave out --cleanup=verbatim")
        );
    }
    if !has_ordered_headers(payload) {
        let error = "headers of the object are missing, stand twice or are out of order, so its signature could not be believed";
        return Err(CommandError::failed(error).hint("look at it with \"git cat-file -p\" and make it anew"));
    }
    Ok(())
}

/// What is to be said of a commit or tag that Git's own commands verify, and nobody else here.
pub(super) fn beyond_verify(payload: &[u8]) -> Option<String> {
    let is_object = matches!(PayloadKind::of(payload), PayloadKind::Commit | PayloadKind::Tag);
    (is_object && payload.len() + SIGNATURE_BYTES > MAX_OBJECT_BYTES).then(|| {
        format!(
            "\"waxseal verify\" and hooks read no object of more than {} MiB, as this one is",
            MAX_OBJECT_BYTES >> 20
        )
    })
}

/// Who the payload says it is by: committer and author, tagger, pusher.
pub(super) fn people(payload: &[u8]) -> impl Iterator<Item = &[u8]> {
    ["committer", "author", "tagger", "pusher"].into_iter().filter_map(|name| header(payload, name))
}

/// Who made it, as Git has it, and what Git calls that one.
pub(super) fn maker(payload: &[u8]) -> Option<(&'static str, &[u8])> {
    let name = match PayloadKind::of(payload) {
        PayloadKind::Commit => "committer",
        PayloadKind::Tag => "tagger",
        PayloadKind::PushCertificate => "pusher",
        PayloadKind::Other => return None,
    };
    header(payload, name).map(|person| (name, person))
}

enum Length {
    TooLong,
    Whole,
}

fn read_from(mut source: impl io::Read, payload: &mut Vec<u8>) -> io::Result<Length> {
    source.by_ref().take(MAX_BYTES).read_to_end(payload)?;
    let rest = io::copy(&mut source, &mut io::sink())?;
    Ok(if rest == 0 { Length::Whole } else { Length::TooLong })
}

/// More than a signature takes in an object.
const SIGNATURE_BYTES: usize = 1 << 14;

/// Ten times the largest message that Git's own tests sign; a commit object holds no files.
const MAX_BYTES: u64 = 1 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_ends_in_a_line_feed() {
        let tag = b"object 1\ntype commit\ntag v1\ntagger A <a@x> 1 +0000\n\nmessage";
        assert!(check(tag).is_err());
        assert!(check(&[&tag[..], b"\n"].concat()).is_ok());
        assert!(check(b"tree 1\nauthor A <a@x> 1 +0000\ncommitter C <c@x> 1 +0000\n\nno line feed").is_ok());
        assert!(check(b"").is_err());
    }

    #[test]
    fn the_people_of_a_payload() {
        let commit = b"tree 1\nauthor A <a@x> 1 +0000\ncommitter C <c@x> 1 +0000\n\ntagger T <t@x>\n";
        let people: Vec<_> = people(commit).collect();
        assert_eq!(people, [b"C <c@x> 1 +0000", b"A <a@x> 1 +0000"]);
    }
}
