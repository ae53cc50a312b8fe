//! A signature taken apart where another object's part would fit, and put together again.

use waxseal::tlog::{TransparencyLogEntry, proto};

use super::der::{OCTET_STRING, SEQUENCE, SET, content, context, elements, explicit, oid, tlv};

/// The fields of a `SignedData` with one signer, each a whole TLV.
#[derive(Clone)]
pub(crate) struct Parts {
    /// version, digestAlgorithms, encapContentInfo, certificates; the signer is apart.
    pub(crate) signed_data: Vec<Vec<u8>>,
    /// version, sid, digestAlgorithm, signedAttrs, signatureAlgorithm, signature, unsignedAttrs.
    pub(crate) signer: Vec<Vec<u8>>,
}

impl Parts {
    pub(crate) fn of(der: &[u8]) -> Self {
        let content_info = elements(content(der));
        let mut signed_data = elements(content(content(&content_info[1])));
        let signer_infos = signed_data.pop().unwrap();
        Self { signed_data, signer: elements(content(content(&signer_infos))) }
    }

    pub(crate) fn der(&self) -> Vec<u8> {
        let signer_infos = tlv(SET, &tlv(SEQUENCE, &self.signer.concat()));
        let signed_data = tlv(SEQUENCE, &[self.signed_data.concat(), signer_infos].concat());
        tlv(SEQUENCE, &[oid("1.2.840.113549.1.7.2"), explicit(0, &signed_data)].concat())
    }

    pub(crate) fn signed_attributes(&self) -> Vec<Vec<u8>> {
        elements(content(&self.signer[SIGNED]))
    }

    pub(crate) fn with_signed_attributes(&self, attributes: &[Vec<u8>]) -> Self {
        let mut parts = self.clone();
        parts.signer[SIGNED] = tlv(context(0), &attributes.concat());
        parts
    }

    pub(crate) fn unsigned_attributes(&self) -> Vec<Vec<u8>> {
        self.signer.get(UNSIGNED).map_or(vec![], |set| elements(content(set)))
    }

    pub(crate) fn with_unsigned_attributes(&self, attributes: &[Vec<u8>]) -> Self {
        let mut parts = self.clone();
        parts.signer.truncate(UNSIGNED);
        if !attributes.is_empty() {
            parts.signer.push(tlv(context(1), &attributes.concat()));
        }
        parts
    }

    /// The log entry, and where it stands among the unsigned attributes.
    pub(crate) fn entry(&self) -> (usize, TransparencyLogEntry) {
        let attributes = self.unsigned_attributes();
        let at = attributes.iter().position(|attribute| content(attribute).starts_with(&oid(LOG_ENTRY))).unwrap();
        let values = &elements(content(&attributes[at]))[1];
        (at, proto::decode(content(content(values))).unwrap())
    }

    pub(crate) fn with_entry(&self, entry: &TransparencyLogEntry) -> Self {
        let (at, _) = self.entry();
        let mut attributes = self.unsigned_attributes();
        let value = tlv(SET, &tlv(OCTET_STRING, &proto::encode(entry)));
        attributes[at] = tlv(SEQUENCE, &[oid(LOG_ENTRY), value].concat());
        self.with_unsigned_attributes(&attributes)
    }
}

pub(crate) const LOG_ENTRY: &str = "1.3.6.1.4.1.57264.3.1";
pub(crate) const TOKEN: &str = "1.2.840.113549.1.9.16.2.14";
const SIGNED: usize = 3;
const UNSIGNED: usize = 6;
