//! The text form of an SSH signature: one block labelled `SSH SIGNATURE`, its lines as long as whoever wrote it likes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The bytes in the one block that `armor` must be, with nothing before it and nothing after but one LF.
pub(super) fn decode(armor: &[u8]) -> Result<Vec<u8>, MalformedArmor> {
    if armor.len() > MAX_BYTES {
        return Err(MalformedArmor::TooLong(armor.len()));
    }
    let text = std::str::from_utf8(armor).map_err(|_| MalformedArmor::NotBase64)?;
    let body = text.strip_prefix(BEGIN).ok_or(MalformedArmor::NoBegin)?;
    let (body, after) = body.split_once(END).ok_or(MalformedArmor::NoEnd)?;
    if !matches!(after, "" | "\n") {
        return Err(MalformedArmor::AfterEnd);
    }
    let base64: String = body.split('\n').collect();
    STANDARD.decode(base64).map_err(|_| MalformedArmor::NotBase64)
}

/// A signature text that is not one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedArmor {
    /// A second block, or anything else.
    #[error("something follows the END line of the SSH signature")]
    AfterEnd,
    /// The text does not begin with the BEGIN line.
    #[error("the SSH signature has more than {BEGIN:?} in its first line")]
    NoBegin,
    /// There is no END line.
    #[error("the SSH signature has no END line")]
    NoEnd,
    /// Other characters, or padding that is missing or not canonical.
    #[error("the SSH signature is not base64")]
    NotBase64,
    /// Larger than any signature.
    #[error("the SSH signature has {0} bytes; at most {MAX_BYTES} are read")]
    TooLong(usize),
}

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----\n";
const END: &str = "\n-----END SSH SIGNATURE-----";

/// One by an RSA key of 8192 bits has 3,200.
const MAX_BYTES: usize = 1 << 15;
