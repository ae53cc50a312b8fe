//! Which key a signature says made it.

use std::fmt::Write as _;

/// The fingerprint in the body of a signature packet, else the key ID, where there is one.
pub(super) fn issuer(body: &[u8]) -> Option<String> {
    match body {
        // RFC 9580 §5.2.2: behind the length of what it hashes, the type and a time.
        [3, _, _, _, _, _, _, rest @ ..] => rest.get(..KEY_ID).map(hex),
        // §5.2.3: behind the type and two algorithms, subpackets that are hashed, and others.
        [4, _, _, _, rest @ ..] => {
            let (hashed, rest) = area(rest)?;
            let (others, _) = area(rest)?;
            let find = |read: fn(u8, &[u8]) -> Option<String>| {
                [hashed, others].into_iter().flat_map(subpackets).find_map(|(kind, body)| read(kind, body))
            };
            find(fingerprint).or_else(|| find(key_id))
        }
        _ => None,
    }
}

/// §5.2.3.35: the key's version, and its fingerprint.
fn fingerprint(kind: u8, body: &[u8]) -> Option<String> {
    match (kind, body) {
        (33, [4, fingerprint @ ..]) if fingerprint.len() == 20 => Some(hex(fingerprint)),
        (33, [5 | 6, fingerprint @ ..]) if fingerprint.len() == 32 => Some(hex(fingerprint)),
        _ => None,
    }
}

/// §5.2.3.12.
fn key_id(kind: u8, body: &[u8]) -> Option<String> {
    (kind == 16 && body.len() == KEY_ID).then(|| hex(body))
}

/// What has its length before it, in two octets; and the rest.
fn area(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u16::from_be_bytes(*length).into())
}

/// §5.2.3.7: each with its type, up to the first that is longer than what is there.
fn subpackets(area: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = area;
    std::iter::from_fn(move || {
        let (length, after) = match rest {
            [one @ 0..192, after @ ..] => (usize::from(*one), after),
            [one @ 192..=254, two, after @ ..] => (usize::from(*one - 192) * 256 + usize::from(*two) + 192, after),
            [255, a, b, c, d, after @ ..] => (usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).ok()?, after),
            _ => return None,
        };
        let (subpacket, after) = after.split_at_checked(length)?;
        rest = after;
        let (kind, body) = subpacket.split_first()?;
        // The first bit says that it is critical.
        Some((kind & 0x7F, body))
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut hex, byte| {
        // Writing into a String cannot fail.
        write!(hex, "{byte:02X}").unwrap_or_default();
        hex
    })
}

const KEY_ID: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn version_4(hashed: &[u8], others: &[u8]) -> Vec<u8> {
        let area = |bytes: &[u8]| [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat();
        [[4, 0, 22, 8].as_slice(), &area(hashed), &area(others), &[1, 2]].concat()
    }

    #[test]
    fn a_fingerprint_says_more_than_a_key_id() {
        let key_id = [9, 0x80 | 16, 1, 2, 3, 4, 5, 6, 7, 0xAB];
        let fingerprint = [&[22, 33, 4][..], &[0xCD; 20]].concat();
        let longer = [&[255, 0, 0, 0, 34, 33, 6][..], &[0xEF; 32]].concat();
        // A date that takes two octets to say how long it is.
        let date = [&[192, 0, 2][..], &[7; 191]].concat();
        let all = [date.as_slice(), &key_id].concat();
        for (hashed, others, expected) in [
            (&all[..], &[][..], Some("01020304050607AB".to_owned())),
            (&[], &key_id, Some("01020304050607AB".to_owned())),
            (&key_id, &fingerprint, Some("CD".repeat(20))),
            (&longer, &fingerprint, Some("EF".repeat(32))),
            (&[], &[], None),
            (&[9, 16, 1, 2], &[], None),
            (&[0], &key_id, Some("01020304050607AB".to_owned())),
            (&[3, 16, 1, 2], &[22, 33, 9], None),
        ] {
            assert_eq!(issuer(&version_4(hashed, others)), expected, "{hashed:?} {others:?}");
        }
        let version_3 = [&[3, 5, 0, 1, 1, 1, 1][..], &[0x12; 8], &[1, 8]].concat();
        assert_eq!(issuer(&version_3), Some("12".repeat(8)));
        for bad in [&[][..], &[4, 0, 22, 8, 0, 9, 1], &[4, 0, 22, 8], &[3, 5, 0, 1, 1, 1, 1, 2], &[6, 0, 0, 0, 0, 0]] {
            assert_eq!(issuer(bad), None);
        }
    }
}
