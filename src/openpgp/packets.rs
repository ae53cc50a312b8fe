//! RFC 9580 §4: packets, one after the other.

/// One packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packet<'a> {
    /// Its type.
    pub(super) tag: u8,
    pub(super) body: &'a [u8],
    /// With its header.
    pub(super) whole: &'a [u8],
}

impl Packet<'_> {
    /// With the longest header, whatever header it has: so packets are the same if these bytes are.
    pub(super) fn written(&self) -> Vec<u8> {
        let length = u32::try_from(self.body.len()).unwrap_or(u32::MAX);
        [&[0xC0 | self.tag, 0xFF], length.to_be_bytes().as_slice(), self.body].concat()
    }
}

/// What a signature packet is a signature of (RFC 9580 §5.2.1); `None` of other packets.
pub(super) fn signature_type(packet: Packet<'_>) -> Option<u8> {
    match (packet.tag, packet.body) {
        (SIGNATURE, [3, _, kind, ..] | [4..=u8::MAX, kind, ..]) => Some(*kind),
        _ => None,
    }
}

/// All of them. Lengths in parts, which keys and signatures never have, are refused.
pub(super) fn packets(bytes: &[u8]) -> Result<Vec<Packet<'_>>, MalformedPackets> {
    let mut packets = Vec::new();
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        if packets.len() >= MAX_PACKETS {
            return Err(MalformedPackets::TooMany);
        }
        let (tag, length, after) = match first >> 6 {
            0b11 => {
                let (length, after) = new_length(after)?;
                (first & 0x3F, length, after)
            }
            0b10 => {
                let octets = match first & 3 {
                    0 => 1,
                    1 => 2,
                    2 => 4,
                    _ => return Err(MalformedPackets::Length),
                };
                let (length, after) = after.split_at_checked(octets).ok_or(MalformedPackets::Length)?;
                ((first >> 2) & 0x0F, number(length), after)
            }
            _ => return Err(MalformedPackets::Header),
        };
        let (body, after) = after.split_at_checked(length).ok_or(MalformedPackets::Length)?;
        let whole = rest.get(..rest.len() - after.len()).ok_or(MalformedPackets::Length)?;
        packets.push(Packet { tag, body, whole });
        rest = after;
    }
    Ok(packets)
}

/// §4.2.1.
fn new_length(bytes: &[u8]) -> Result<(usize, &[u8]), MalformedPackets> {
    match bytes {
        [one @ 0..192, rest @ ..] => Ok((usize::from(*one), rest)),
        [one @ 192..224, two, rest @ ..] => Ok((usize::from(*one - 192) * 256 + usize::from(*two) + 192, rest)),
        [255, a, b, c, d, rest @ ..] => Ok((number(&[*a, *b, *c, *d]), rest)),
        _ => Err(MalformedPackets::Length),
    }
}

fn number(octets: &[u8]) -> usize {
    octets.iter().fold(0, |number, octet| number << 8 | usize::from(*octet))
}

/// Bytes that are no packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedPackets {
    /// Where one should begin.
    #[error("there is something that is no packet")]
    Header,
    /// Longer than what is there, or in parts.
    #[error("a packet has a wrong length")]
    Length,
    /// At the end of a signature: too long, too short, or not all that is there.
    #[error("its numbers do not fill the packet")]
    Numbers,
    /// Of a signature: longer than where they are, or without a type.
    #[error("its subpackets have wrong lengths")]
    Subpackets,
    /// More than a key has.
    #[error("there are more than {MAX_PACKETS} packets")]
    TooMany,
    /// Too old a key.
    #[error("keys of version {0} are not supported")]
    Version(u8),
}

pub(super) const SIGNATURE: u8 = 2;
pub(super) const SECRET_KEY: u8 = 5;
pub(super) const PUBLIC_KEY: u8 = 6;
pub(super) const SECRET_SUBKEY: u8 = 7;
pub(super) const LITERAL: u8 = 11;
pub(super) const TRUST: u8 = 12;
pub(super) const USER_ID: u8 = 13;
pub(super) const PUBLIC_SUBKEY: u8 = 14;
pub(super) const USER_ATTRIBUTE: u8 = 17;

/// Keys that many people signed have some thousand.
const MAX_PACKETS: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_every_form_are_read() {
        let body = |length: usize| vec![7; length];
        for (header, tag, length) in [
            (vec![0x88, 3], 2, 3),
            (vec![0x99, 1, 0], 6, 256),
            (vec![0x8A, 0, 0, 0, 2], 2, 2),
            (vec![0xC2, 191], 2, 191),
            (vec![0xC6, 192, 0], 6, 192),
            (vec![0xC6, 223, 255], 6, 8383),
            (vec![0xCB, 255, 0, 0, 1, 0], 11, 256),
        ] {
            let bytes = [header, body(length)].concat();
            let both = [bytes.as_slice(), &bytes].concat();
            let found = packets(&both).unwrap();
            let expected = Packet { tag, body: &body(length), whole: &bytes };
            assert_eq!(found, [expected, expected]);
            assert_eq!(packets(&bytes[..bytes.len() - 1]), Err(MalformedPackets::Length));
        }
        assert_eq!(packets(&[]), Ok(Vec::new()));
        for bad in [vec![0x8B, 1], vec![0xC2, 224, 0], vec![0xC2], vec![0xC2, 255, 255, 255, 255, 255]] {
            assert_eq!(packets(&bad), Err(MalformedPackets::Length), "{bad:?}");
        }
        assert_eq!(packets(&[0x40]), Err(MalformedPackets::Header));
    }
}
