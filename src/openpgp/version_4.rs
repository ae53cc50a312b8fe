//! RFC 9580 §5.2.3: a signature packet of version 4, read to its last octet. gpg ends without a word on one that it cannot
//! read, which is what it does where it is broken itself: so what no gpg reads is found here.

use super::packets::MalformedPackets;

/// What is said in one, but for the numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version4<'a> {
    /// What it is a signature of (§5.2.1).
    pub(super) kind: u8,
    /// §9.5.
    pub(super) digest: u8,
    /// The hashed ones, then the others, each with its type.
    pub(super) subpackets: Vec<Subpacket<'a>>,
}

/// §5.2.3.7: its type, and what that wants.
pub(super) type Subpacket<'a> = (u8, &'a [u8]);

impl<'a> Version4<'a> {
    /// Reads the body of the packet. What the numbers of an algorithm are that is not known, nobody can say.
    pub(super) fn read(body: &'a [u8]) -> Result<Self, MalformedPackets> {
        let [4, kind, algorithm, digest, rest @ ..] = body else { return Err(MalformedPackets::Length) };
        if body.len() < SHORTEST {
            return Err(MalformedPackets::Length);
        }
        let mut subpackets = Vec::new();
        let mut rest = rest;
        // §5.2.3: those that are hashed, and others.
        for _area in 0..2 {
            let area;
            (area, rest) = counted(rest).ok_or(MalformedPackets::Subpackets)?;
            read_subpackets(area, &mut subpackets).ok_or(MalformedPackets::Subpackets)?;
        }
        // The digest's first two octets, for who wants to be done quickly.
        let (_left, numbers) = rest.split_first_chunk::<2>().ok_or(MalformedPackets::Length)?;
        let fit = match *algorithm {
            RSA | RSA_ENCRYPTING | RSA_SIGNING => are_numbers(numbers, 1),
            ELGAMAL | DSA | ECDH | ECDSA | OLD_ELGAMAL | EDDSA_LEGACY => are_numbers(numbers, 2),
            ED25519 => numbers.len() == 64,
            ED448 => numbers.len() == 114,
            _ => true,
        };
        if !fit {
            return Err(MalformedPackets::Numbers);
        }
        Ok(Self { kind: *kind, digest: *digest, subpackets })
    }
}

/// What has its length before it, in two octets; and the rest.
fn counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u16::from_be_bytes(*length).into())
}

/// Adds those in `area`, if that ends where the last of them does.
fn read_subpackets<'a>(area: &'a [u8], subpackets: &mut Vec<Subpacket<'a>>) -> Option<()> {
    let mut rest = area;
    while !rest.is_empty() {
        let (length, after) = match rest {
            [one @ 0..192, after @ ..] => (usize::from(*one), after),
            [one @ 192..=254, two, after @ ..] => (usize::from(*one - 192) * 256 + usize::from(*two) + 192, after),
            [255, a, b, c, d, after @ ..] => (usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).ok()?, after),
            _ => return None,
        };
        let (subpacket, after) = after.split_at_checked(length)?;
        let (kind, body) = subpacket.split_first()?;
        // The first bit says that it is critical.
        subpackets.push((kind & 0x7F, body));
        rest = after;
    }
    Some(())
}

/// §3.2: `count` of them and nothing else. How many of their bits are zero is gpg's business.
fn are_numbers(bytes: &[u8], count: usize) -> bool {
    let mut rest = bytes;
    for _number in 0..count {
        let Some((bits, after)) = rest.split_first_chunk() else { return false };
        let bits = u16::from_be_bytes(*bits);
        let Some((_number, after)) = after.split_at_checked(bits.div_ceil(8).into()) else { return false };
        if bits > MAX_BITS {
            return false;
        }
        rest = after;
    }
    rest.is_empty()
}

/// gpg reads no shorter packet of a signature; its time and one number alone take more.
const SHORTEST: usize = 16;

/// gpg reads no longer number.
const MAX_BITS: u16 = 16_384;

/// §9.1. Some of them only encrypt; gpg reads what is called a signature by one as it reads the others.
const RSA: u8 = 1;
const RSA_ENCRYPTING: u8 = 2;
const RSA_SIGNING: u8 = 3;
const ELGAMAL: u8 = 16;
const DSA: u8 = 17;
const ECDH: u8 = 18;
const ECDSA: u8 = 19;
const OLD_ELGAMAL: u8 = 20;
const EDDSA_LEGACY: u8 = 22;
const ED25519: u8 = 27;
const ED448: u8 = 28;

#[cfg(test)]
mod tests {
    use super::*;

    /// The time, hashed; a key ID, not hashed.
    const HASHED: &[u8] = &[5, 2, 0, 0, 0, 1];
    const OTHERS: &[u8] = &[9, 0x80 | 16, 1, 2, 3, 4, 5, 6, 7, 8];

    fn area(bytes: &[u8]) -> Vec<u8> {
        [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
    }

    fn packet(algorithm: u8, areas: &[&[u8]], numbers: &[u8]) -> Vec<u8> {
        [&[4, 0, algorithm, 8], areas.concat().as_slice(), &[0xAB, 0xCD], numbers].concat()
    }

    fn with(algorithm: u8, numbers: &[u8]) -> Result<(), MalformedPackets> {
        Version4::read(&packet(algorithm, &[&area(HASHED), &area(OTHERS)], numbers)).map(|_read| ())
    }

    #[test]
    fn both_areas_are_read() {
        let body = packet(RSA, &[&area(HASHED), &area(OTHERS)], &[0, 8, 0xFF]);
        let read = Version4::read(&body).unwrap();
        let subpackets = vec![(2, &HASHED[2..]), (16, &OTHERS[2..])];
        assert_eq!(read, Version4 { kind: 0, digest: 8, subpackets });
        // A date that takes two octets to say how long it is, and one that takes five.
        for (length, octets) in [(192, vec![192, 0]), (300, vec![192, 108]), (16_320, vec![255, 0, 0, 63, 192])] {
            let long = [octets, vec![2; length]].concat();
            let body = packet(RSA, &[&area(&long), &[0, 0]], &[0, 8, 0xFF]);
            assert_eq!(Version4::read(&body).unwrap().subpackets[0].1.len(), length - 1);
        }
    }

    #[test]
    fn numbers_fill_the_packet() {
        let [one, other] = [[0, 9, 1, 0xFF].as_slice(), &[0, 7, 0x7F]];
        let (two, padded) = ([one, other].concat(), [0, 8, 0]);
        for (algorithms, good) in [
            (&[RSA, RSA_ENCRYPTING, RSA_SIGNING][..], &[one, other, &padded, &[0, 0]][..]),
            (&[ELGAMAL, DSA, ECDH, ECDSA, OLD_ELGAMAL, EDDSA_LEGACY], &[&two, &[0, 0, 0, 0]]),
            (&[ED25519], &[&[7; 64]]),
            (&[ED448], &[&[7; 114]]),
        ] {
            for (algorithm, good) in
                algorithms.iter().flat_map(|algorithm| good.iter().map(move |good| (algorithm, good)))
            {
                assert_eq!(with(*algorithm, good), Ok(()), "{algorithm} {good:?}");
                let (shorter, longer) = (&good[..good.len() - 1], [good, &[0][..]].concat());
                for bad in [shorter, &longer, &[]] {
                    assert_eq!(with(*algorithm, bad), Err(MalformedPackets::Numbers), "{algorithm} {bad:?}");
                }
            }
        }
        assert_eq!(with(RSA, &[0, 17, 1, 0xFF]), Err(MalformedPackets::Numbers));
        assert_eq!(with(RSA, &[vec![0x40, 0], vec![0xFF; 2048]].concat()), Ok(()));
        assert_eq!(with(RSA, &[vec![0x40, 1], vec![1; 2049]].concat()), Err(MalformedPackets::Numbers));
        // Nobody knows what theirs are.
        for numbers in [&[][..], &[7], &two] {
            assert_eq!(with(99, numbers), Ok(()));
        }
    }

    #[test]
    fn no_length_leads_beyond_what_is_there() {
        let numbers = [0, 8, 0xFF];
        for hashed in [
            &[0][..],
            &[5, 2, 0, 0, 0],
            &[191, 2, 0, 0],
            &[192],
            &[192, 0, 2],
            &[255, 0, 0, 0],
            &[255, 0, 0, 0, 2, 2],
            &[255, 255, 255, 255, 255, 2],
        ] {
            for areas in [[area(hashed), area(HASHED)], [area(HASHED), area(hashed)]] {
                let body = packet(RSA, &[&areas[0], &areas[1]], &numbers);
                assert_eq!(Version4::read(&body), Err(MalformedPackets::Subpackets), "{hashed:?}");
            }
        }
        let beyond = [&[0xFF, 0xFF], HASHED].concat();
        for areas in [[beyond.clone(), area(HASHED)], [area(HASHED), beyond]] {
            let body = packet(RSA, &[&areas[0], &areas[1]], &numbers);
            assert_eq!(Version4::read(&body), Err(MalformedPackets::Subpackets));
        }
        let whole = packet(99, &[&area(HASHED), &area(OTHERS)], &[]);
        assert!(Version4::read(&whole).is_ok());
        for end in 0..whole.len() {
            assert!(Version4::read(&whole[..end]).is_err(), "{end}");
        }
        assert_eq!(Version4::read(&packet(99, &[&[0, 0], &[0, 0]], &[1; 5])), Err(MalformedPackets::Length));
    }
}
