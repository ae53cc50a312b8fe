//! Hex and base64 (RFC 4648) of what each signature of a history is made of, so the fast way. All else takes the crates as
//! they are.

use base64::Engine as _;
use base64::engine::general_purpose;

/// Lower-case hex. `hex::encode` goes through an iterator of characters, which takes longer than many digests do.
#[must_use]
pub fn lower_hex(bytes: &[u8]) -> String {
    let mut text = vec![0; bytes.len() * 2];
    let _fits = hex::encode_to_slice(bytes, &mut text);
    String::from_utf8(text).unwrap_or_default()
}

/// Base64 with padding (RFC 4648 §4).
#[must_use]
pub fn base64(bytes: impl AsRef<[u8]>) -> String {
    ENGINE.encode(bytes)
}

/// The bytes in base64 with padding (RFC 4648 §4); `None` for other characters, bits behind the last byte, and padding that is
/// missing or too much.
#[must_use]
pub fn from_base64(text: impl AsRef<[u8]>) -> Option<Vec<u8>> {
    ENGINE.decode(text).ok()
}

/// Several characters at once, where the processor can.
#[cfg(any(target_arch = "x86_64", all(target_arch = "aarch64", target_feature = "neon")))]
static ENGINE: std::sync::LazyLock<base64::engine::Simd> =
    std::sync::LazyLock::new(|| base64::engine::Simd::standard(general_purpose::PAD));

#[cfg(not(any(target_arch = "x86_64", all(target_arch = "aarch64", target_feature = "neon"))))]
static ENGINE: general_purpose::GeneralPurpose = general_purpose::STANDARD;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn as_the_crates_have_them(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert_eq!(lower_hex(&bytes), hex::encode(&bytes));
            let text = general_purpose::STANDARD.encode(&bytes);
            prop_assert_eq!(base64(&bytes), text.clone());
            prop_assert_eq!(from_base64(text), Some(bytes));
        }

        #[test]
        fn refused_as_the_crate_does(
            bytes in prop::collection::vec(any::<u8>(), 0..400),
            at in any::<prop::sample::Index>(),
            with in "[ -~\n]{0,3}",
        ) {
            let mut text = general_purpose::STANDARD.encode(&bytes);
            let at = at.index(text.len() + 1);
            text.replace_range(at..text.len().min(at + 1), &with);
            prop_assert_eq!(from_base64(&text), general_purpose::STANDARD.decode(&text).ok());
        }
    }
}
