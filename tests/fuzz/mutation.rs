//! What a fuzzer does to a seed, in few words.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// One change; places are relative to the length that there is.
#[derive(Clone, Debug)]
enum Change {
    Bit(Index, u8),
    Byte(Index, u8),
    Cut(Index, Index),
    Repeat(Index, Index),
    Truncate(Index),
    /// The end of another seed.
    Splice(Index, Index, Index),
    Word(Index, &'static [u8]),
}

pub(crate) fn of(seeds: &[Vec<u8>]) -> impl Strategy<Value = Vec<u8>> + use<> {
    let place = any::<Index>;
    let change = prop_oneof![
        4 => (place(), 0..8u8).prop_map(|(at, bit)| Change::Bit(at, bit)),
        4 => (place(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        2 => (place(), place()).prop_map(|(from, to)| Change::Cut(from, to)),
        2 => (place(), place()).prop_map(|(from, to)| Change::Repeat(from, to)),
        1 => place().prop_map(Change::Truncate),
        1 => (place(), place(), place()).prop_map(|(at, seed, from)| Change::Splice(at, seed, from)),
        3 => (place(), select(WORDS)).prop_map(|(at, word)| Change::Word(at, word)),
    ];
    let seeds = seeds.to_vec();
    (select(seeds.clone()), vec(change, 1..6)).prop_map(move |(mut data, changes)| {
        for change in changes {
            apply(&mut data, &change, &seeds);
        }
        data
    })
}

fn apply(data: &mut Vec<u8>, change: &Change, seeds: &[Vec<u8>]) {
    let range = |from: &Index, to: &Index| {
        let (from, to) = (from.index(data.len() + 1), to.index(data.len() + 1));
        from.min(to)..from.max(to)
    };
    match change {
        Change::Splice(at, seed, from) => {
            let other = &seeds[seed.index(seeds.len())];
            data.truncate(at.index(data.len() + 1));
            data.extend_from_slice(&other[from.index(other.len() + 1)..]);
        }
        Change::Word(at, word) => {
            let at = at.index(data.len() + 1);
            drop(data.splice(at..at, word.iter().copied()));
        }
        _ if data.is_empty() => {}
        Change::Bit(at, bit) => {
            let at = at.index(data.len());
            data[at] ^= 1 << bit;
        }
        Change::Byte(at, byte) => {
            let at = at.index(data.len());
            data[at] = *byte;
        }
        Change::Cut(from, to) => drop(data.drain(range(from, to))),
        Change::Repeat(from, to) => {
            let range = range(from, to);
            let again = data[range.clone()].to_vec();
            drop(data.splice(range.end..range.end, again));
        }
        Change::Truncate(at) => data.truncate(at.index(data.len())),
    }
}

/// What parsers trip over.
const WORDS: &[&[u8]] = &[
    b"\0",
    b"\r\n",
    b"\n\n",
    b" ",
    b"\"",
    b"\\",
    b"\\u0000",
    b"%00",
    b"%",
    b"&",
    b"=",
    b"+",
    b"-1",
    b"0",
    b"18446744073709551616",
    b"9223372036854775807",
    b"1e999",
    b"null",
    b"{}",
    b"[]",
    b"[[[[[[[[[[[[[[[[",
    b"{\"a\":",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\xc3\x28",
    b"\xe2\x80\xae",
    b"\x1b[31m",
    b"\x30\x80",
    b"\x30\x84\xff\xff\xff\xff",
    b"-----BEGIN SIGNED MESSAGE-----",
    b"-----END CERTIFICATE-----\n",
    b"\xe2\x80\x94 name AAAA\n",
    b".p/",
    b"x000/",
];
