//! A public key, and what several copies of it say together: gpg reads the first copy in a keyring and no other, and an
//! earlier one does not know that the key was taken back.

use std::collections::{BTreeMap, BTreeSet};

use super::fingerprint::fingerprint;
use super::packets::{self, Packet};

/// RFC 9580 §10.1: a transferable public key, with whatever its files have of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// Of the primary key, in upper-case hexadecimal.
    fingerprint: String,
    /// The primary key, then its users and its subkeys.
    parts: Vec<Part>,
}

/// A key or a user, with the signatures over it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    tag: u8,
    /// A packet.
    head: Vec<u8>,
    /// In upper-case hexadecimal; of no user.
    fingerprint: Option<String>,
    /// Packets: revocations among them.
    signatures: Vec<Vec<u8>>,
    /// Whether there is something among them that says that the key was taken back; nobody verified it.
    is_revoked: bool,
}

impl PublicKey {
    /// The key of which this is the primary one.
    pub(super) fn new(fingerprint: String, primary: Packet<'_>) -> Self {
        Self { fingerprint, parts: vec![Part::new(primary)] }
    }

    /// Adds what follows in the file.
    pub(super) fn push(&mut self, packet: Packet<'_>) {
        match (packet.tag, self.parts.last_mut()) {
            // What somebody's gpg thought of a signature: ours looks itself.
            (packets::TRUST, _) => {}
            (packets::USER_ID | packets::USER_ATTRIBUTE | packets::PUBLIC_SUBKEY, _) | (_, None) => {
                self.parts.push(Part::new(packet));
            }
            (_, Some(part)) => {
                part.is_revoked |= packets::signature_type(packet).is_some_and(|kind| REVOCATIONS.contains(&kind));
                part.signatures.push(packet.written());
            }
        }
    }

    /// Of the primary key, in upper-case hexadecimal.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Adds what another copy of the same key has besides, so that what one of them has taken back is taken back.
    pub fn merge(&mut self, copy: Self) {
        let places: BTreeMap<Vec<u8>, usize> =
            self.parts.iter().zip(0..).map(|(part, place)| (part.head.clone(), place)).collect();
        for part in copy.parts {
            match places.get(&part.head).and_then(|place| self.parts.get_mut(*place)) {
                Some(own) => own.add(part),
                None => self.parts.push(part),
            }
        }
        // gpg looks for users in front of subkeys only.
        self.parts.sort_by_key(|part| match part.tag {
            packets::PUBLIC_KEY => 0,
            packets::PUBLIC_SUBKEY => 2,
            _ => 1,
        });
    }

    /// Whether something says of the primary key, or of the subkey of this fingerprint, that it was taken back: whoever
    /// wrote that into the file. For what gpg does not say of keys that have expired.
    #[must_use]
    pub fn has_revocation(&self, signer: &str) -> bool {
        let is_meant = |part: &&Part| {
            part.tag == packets::PUBLIC_KEY || part.fingerprint.as_deref().is_some_and(|print| print == signer)
        };
        self.parts.iter().filter(is_meant).any(|part| part.is_revoked)
    }

    /// All of it, as a keyring has it.
    #[must_use]
    pub fn packets(&self) -> Vec<u8> {
        let packets = self.parts.iter().flat_map(|part| std::iter::once(&part.head).chain(&part.signatures));
        packets.flatten().copied().collect()
    }
}

impl Part {
    fn new(head: Packet<'_>) -> Self {
        let is_key = matches!(head.tag, packets::PUBLIC_KEY | packets::PUBLIC_SUBKEY);
        // gpg believes no signature of a key of a version without one.
        let fingerprint = fingerprint(head.body).ok().filter(|_| is_key);
        Self { tag: head.tag, head: head.written(), fingerprint, signatures: Vec::new(), is_revoked: false }
    }

    fn add(&mut self, copy: Self) {
        let known: BTreeSet<Vec<u8>> = self.signatures.iter().cloned().collect();
        self.signatures.extend(copy.signatures.into_iter().filter(|signature| !known.contains(signature)));
        self.is_revoked |= copy.is_revoked;
    }
}

/// RFC 9580 §5.2.1: of a key, of a subkey.
const REVOCATIONS: [u8; 2] = [0x20, 0x28];

#[cfg(test)]
mod tests {
    use super::super::packets::packets;
    use super::*;

    const PRIMARY: &[u8] = &[0x98, 1, 4];
    const USER: &[u8] = &[0xB4, 1, b'a'];
    const OTHER_USER: &[u8] = &[0xB4, 1, b'b'];
    const SUBKEY: &[u8] = &[0xB8, 1, 4];
    const TRUST: &[u8] = &[0xB0, 1, 3];

    fn signature(body: u8) -> [u8; 3] {
        [0x88, 1, body]
    }

    fn key(parts: &[&[u8]]) -> PublicKey {
        let bytes = [&[PRIMARY], parts].concat().concat();
        let packets = packets(&bytes).unwrap();
        let mut key = PublicKey::new("F".to_owned(), packets[0]);
        packets[1..].iter().for_each(|packet| key.push(*packet));
        key
    }

    #[test]
    fn what_any_copy_has_the_merged_one_has() {
        let [revoked, bound, by_user, revoked_subkey] = [1, 2, 3, 4].map(signature);
        let early = key(&[USER, &by_user, TRUST, SUBKEY, &bound]);
        let late = key(&[&revoked, OTHER_USER, &by_user, USER, &by_user, SUBKEY, &revoked_subkey, &bound]);
        let mut merged = early.clone();
        merged.merge(late.clone());
        let expected = key(&[&revoked, USER, &by_user, OTHER_USER, &by_user, SUBKEY, &bound, &revoked_subkey]);
        assert_eq!(merged, expected);
        assert_eq!(packets(&merged.packets()).unwrap().len(), 9);
        // It says no more of itself.
        merged.merge(late.clone());
        assert_eq!(merged, expected);
        let mut reversed = late.clone();
        reversed.merge(early);
        assert_eq!(reversed.packets().len(), merged.packets().len());
    }

    #[test]
    fn the_form_of_a_length_makes_no_other_key() {
        let mut merged = key(&[USER]);
        let bytes = [&[0xC6, 1, 4][..], &[0xCD, 255, 0, 0, 0, 1, b'a']].concat();
        let packets = packets(&bytes).unwrap();
        let mut copy = PublicKey::new("F".to_owned(), packets[0]);
        copy.push(packets[1]);
        merged.merge(copy);
        assert_eq!(merged, key(&[USER]));
    }
}
