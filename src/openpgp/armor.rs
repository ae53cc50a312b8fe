//! RFC 9580 §6: text around packets. As lenient as what forges and mail programs write wants it, for none of it is signed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The bytes of each block labelled `PGP label`; between them and around them is nothing but white space.
pub(super) fn blocks(text: &[u8], label: &str) -> Result<Vec<Vec<u8>>, MalformedArmor> {
    let text = std::str::from_utf8(text).map_err(|_| MalformedArmor::NotText)?;
    let (begin, end) = (format!("-----BEGIN PGP {label}-----"), format!("-----END PGP {label}-----"));
    let mut blocks = Vec::new();
    let mut lines = text.lines().map(str::trim_end);
    while let Some(line) = lines.find(|line| !line.is_empty()) {
        if line != begin {
            return Err(MalformedArmor::Outside);
        }
        // Version, Comment and others, until the blank line.
        if !lines.by_ref().take_while(|line| !line.is_empty()).all(|line| line.contains(": ") || line.ends_with(':')) {
            return Err(MalformedArmor::Header);
        }
        let mut base64 = String::new();
        let mut ended = false;
        for line in lines.by_ref() {
            if line == end {
                ended = true;
                break;
            }
            // The checksum: RFC 9580 §6.1 has nobody look at it.
            if !line.starts_with('=') {
                base64.push_str(line);
            }
        }
        if !ended {
            return Err(MalformedArmor::NoEnd);
        }
        blocks.push(STANDARD.decode(base64).map_err(|_| MalformedArmor::NotBase64)?);
    }
    Ok(blocks)
}

/// Text that is no armor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedArmor {
    /// Between BEGIN and the blank line.
    #[error("a line before the blank one is no header of an armor")]
    Header,
    /// There is no END line.
    #[error("the armor has no END line")]
    NoEnd,
    /// Other characters, or padding that is missing or not canonical.
    #[error("the armor is not base64")]
    NotBase64,
    /// Other bytes.
    #[error("the armor is no text")]
    NotText,
    /// Text before, between or behind blocks.
    #[error("there is something beside the armor")]
    Outside,
}
