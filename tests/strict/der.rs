//! Just enough DER to write what no library would.

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
pub(crate) const UTF8_STRING: u8 = 0x0c;

pub(crate) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant = &length[length.iter().position(|byte| *byte != 0).unwrap_or(length.len() - 1)..];
    let mut bytes = vec![tag];
    if content.len() >= 0x80 {
        bytes.push(0x80 | u8::try_from(significant.len()).unwrap());
    }
    bytes.extend_from_slice(significant);
    bytes.extend_from_slice(content);
    bytes
}

/// The content of a TLV.
pub(crate) fn content(tlv: &[u8]) -> &[u8] {
    let length = usize::from(tlv[1]);
    if length < 0x80 { &tlv[2..] } else { &tlv[2 + (length - 0x80)..] }
}

/// The TLVs that follow each other here.
#[allow(dead_code, reason = "of those who forge, not all take apart")]
pub(crate) fn elements(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut elements = Vec::new();
    while !bytes.is_empty() {
        let octets = usize::from(bytes[1]);
        let (header, length) = if octets < 0x80 {
            (2, octets)
        } else {
            let header = 2 + (octets - 0x80);
            (header, bytes[2..header].iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
        };
        let (element, rest) = bytes.split_at(header + length);
        elements.push(element.to_vec());
        bytes = rest;
    }
    elements
}

/// A constructed context-specific tag.
pub(crate) fn context(number: u8) -> u8 {
    0xa0 | number
}

pub(crate) fn explicit(number: u8, content: &[u8]) -> Vec<u8> {
    tlv(context(number), content)
}

pub(crate) fn bit_string(bits: &[u8]) -> Vec<u8> {
    tlv(0x03, &[&[0], bits].concat())
}

pub(crate) fn oid(dotted: &str) -> Vec<u8> {
    tlv(0x06, const_oid::ObjectIdentifier::new(dotted).unwrap().as_bytes())
}

pub(crate) fn utc_time(at: Timestamp) -> Vec<u8> {
    tlv(0x17, at.to_zoned(TimeZone::UTC).strftime("%y%m%d%H%M%SZ").to_string().as_bytes())
}
