//! The text form of a Git signature: one PEM block labelled `SIGNED MESSAGE` (RFC 7468 §2, strict, without headers).

use crate::encoding;

/// The block for `der`: lines of 64 characters, LF, one at the end too.
#[must_use]
pub fn encode(der: &[u8]) -> String {
    let body = encoding::base64(der);
    let mut armor = String::with_capacity(body.len() + body.len() / LINE + BEGIN.len() + END.len() + 3);
    armor.push_str(BEGIN);
    armor.push('\n');
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE));
        armor.push_str(line);
        armor.push('\n');
        rest = after;
    }
    armor.push_str(END);
    armor.push('\n');
    armor
}

/// The DER in the one block that `armor` must be, with nothing before it and nothing after but one LF.
///
/// # Errors
/// [`MalformedArmor`] says what else is there.
pub fn decode(armor: &[u8]) -> Result<Vec<u8>, MalformedArmor> {
    if armor.len() > MAX_BYTES {
        return Err(MalformedArmor::TooLong(armor.len()));
    }
    let inside = armor.strip_prefix(BEGIN.as_bytes()).and_then(|rest| rest.strip_prefix(b"\n"));
    let inside = inside.ok_or(MalformedArmor::NoBegin)?;
    let body = inside.strip_suffix(b"\n").unwrap_or(inside).strip_suffix(END.as_bytes());
    let body = body.ok_or(MalformedArmor::NoEnd).and_then(|body| body.strip_suffix(b"\n").ok_or(MalformedArmor::NoEnd));
    body.and_then(decode_lines).map_err(|error| match memchr::memmem::find(inside, END.as_bytes()) {
        Some(end) if !matches!(inside.get(end + END.len()..), Some(b"" | b"\n")) => MalformedArmor::AfterEnd,
        _ => error,
    })
}

/// The lines without the line end of the last.
fn decode_lines(lines: &[u8]) -> Result<Vec<u8>, MalformedArmor> {
    let (whole, rest) = lines.as_chunks::<{ LINE + 1 }>();
    let mut base64 = Vec::with_capacity(lines.len());
    for line in whole {
        let [line @ .., b'\n'] = line else { return Err(MalformedArmor::LineLength) };
        base64.extend_from_slice(line);
    }
    if rest.is_empty() || base64.contains(&b'\n') || rest.contains(&b'\n') {
        return Err(MalformedArmor::LineLength);
    }
    base64.extend_from_slice(rest);
    encoding::from_base64(base64).ok_or(MalformedArmor::NotBase64)
}

/// A signature text that is not one strict block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedArmor {
    /// A second block, or anything else.
    #[error("something follows the END line of the signature")]
    AfterEnd,
    /// RFC 7468 §2: 64 characters, the last line may be shorter.
    #[error("a line of the signature has not 64 characters")]
    LineLength,
    /// The text does not begin with the BEGIN line.
    #[error("the signature does not begin with {BEGIN:?}")]
    NoBegin,
    /// There is no END line.
    #[error("the signature has no line {END:?}")]
    NoEnd,
    /// Other characters, or padding that is missing or not canonical.
    #[error("the signature is not base64")]
    NotBase64,
    /// Larger than any signature.
    #[error("the signature has {0} bytes; at most {MAX_BYTES} are read")]
    TooLong(usize),
}

/// First line; Git tells formats apart by it.
pub const BEGIN: &str = "-----BEGIN SIGNED MESSAGE-----";

const END: &str = "-----END SIGNED MESSAGE-----";

const LINE: usize = 64;

/// A signature with its log entry has 4 KiB; Git itself sets no limit.
const MAX_BYTES: usize = 1 << 20;
