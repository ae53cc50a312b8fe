//! The text form of a Git signature: one PEM block labelled `SIGNED MESSAGE` (RFC 7468 §2, strict, without headers).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The block for `der`: lines of 64 characters, LF, one at the end too.
#[must_use]
pub fn encode(der: &[u8]) -> String {
    let body = STANDARD.encode(der);
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
    let text = std::str::from_utf8(armor).map_err(|_| MalformedArmor::NotBase64)?;
    let body = text.strip_prefix(BEGIN).and_then(|rest| rest.strip_prefix('\n')).ok_or(MalformedArmor::NoBegin)?;
    let (body, after) = body.split_once(END).ok_or(MalformedArmor::NoEnd)?;
    if !matches!(after, "" | "\n") {
        return Err(MalformedArmor::AfterEnd);
    }
    let body = body.strip_suffix('\n').ok_or(MalformedArmor::NoEnd)?;
    let mut base64 = String::with_capacity(body.len());
    let mut lines = body.split('\n').peekable();
    while let Some(line) = lines.next() {
        if line.is_empty() || line.len() > LINE || (lines.peek().is_some() && line.len() != LINE) {
            return Err(MalformedArmor::LineLength);
        }
        base64.push_str(line);
    }
    STANDARD.decode(base64).map_err(|_| MalformedArmor::NotBase64)
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
