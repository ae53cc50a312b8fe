//! Which key a signature says made it.

use hex::encode_upper;

use super::version_4::Subpacket;

/// RFC 9580 §5.2.2: behind the length of what it hashes, the type and a time.
pub(super) fn of_version_3(body: &[u8]) -> Option<String> {
    body.get(7..7 + KEY_ID).map(encode_upper)
}

/// The fingerprint, else the key ID, where there is one among a signature's subpackets.
pub(super) fn of_subpackets(subpackets: &[Subpacket<'_>]) -> Option<String> {
    let find = |read: fn(u8, &[u8]) -> Option<String>| subpackets.iter().find_map(|(kind, body)| read(*kind, body));
    find(fingerprint).or_else(|| find(key_id))
}

/// §5.2.3.35: the key's version, and its fingerprint.
fn fingerprint(kind: u8, body: &[u8]) -> Option<String> {
    match (kind, body) {
        (33, [4, fingerprint @ ..]) if fingerprint.len() == 20 => Some(encode_upper(fingerprint)),
        (33, [5 | 6, fingerprint @ ..]) if fingerprint.len() == 32 => Some(encode_upper(fingerprint)),
        _ => None,
    }
}

/// §5.2.3.12.
fn key_id(kind: u8, body: &[u8]) -> Option<String> {
    (kind == 16 && body.len() == KEY_ID).then(|| encode_upper(body))
}

const KEY_ID: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_says_more_than_a_key_id() {
        let key_id: Subpacket<'_> = (16, &[1, 2, 3, 4, 5, 6, 7, 0xAB]);
        let [of_20, of_32] = [[&[4][..], &[0xCD; 20]].concat(), [&[6][..], &[0xEF; 32]].concat()];
        let [fingerprint, longer]: [Subpacket<'_>; 2] = [(33, &of_20), (33, &of_32)];
        let cases: [(&[Subpacket<'_>], Option<String>); 7] = [
            (&[(2, &[7; 191]), key_id], Some("01020304050607AB".to_owned())),
            (&[key_id, fingerprint], Some("CD".repeat(20))),
            (&[longer, fingerprint], Some("EF".repeat(32))),
            (&[], None),
            (&[(16, &[1, 2])], None),
            (&[(33, &[9])], None),
            (&[(33, &[]), (16, &[]), key_id], Some("01020304050607AB".to_owned())),
        ];
        for (subpackets, expected) in cases {
            assert_eq!(of_subpackets(subpackets), expected, "{subpackets:?}");
        }
        let version_3 = [&[3, 5, 0, 1, 1, 1, 1][..], &[0x12; 8], &[1, 8]].concat();
        assert_eq!(of_version_3(&version_3), Some("12".repeat(8)));
        assert_eq!(of_version_3(&version_3[..14]), None);
    }
}
