//! OpenPGP keys and signatures (RFC 9580 of version 4, Ed25519 as GnuPG 2.1 has it), put together from packets: gpg verifies
//! hundreds of them at once, and makes one at a time.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use aws_lc_rs::signature::Ed25519KeyPair;
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What a signature hashes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha1,
    Sha256,
}

/// Somebody's key.
pub(super) struct OpenPgpSigner {
    pair: Ed25519KeyPair,
    /// The body of its packet.
    packet: Vec<u8>,
}

impl OpenPgpSigner {
    /// The same key for the same seed.
    pub(super) fn new(seed: u8) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let point = [&[0x40], pair.public_key().as_ref()].concat();
        let packet = [&[4], &MADE.to_be_bytes()[..], &[EDDSA], &ED25519, &mpi(&point)].concat();
        Self { pair, packet }
    }

    /// In upper-case hexadecimal.
    pub(super) fn fingerprint(&self) -> String {
        self.print().iter().map(|byte| format!("{byte:02X}")).collect()
    }

    /// The key as a file has it, taken back if `is_revoked`.
    pub(super) fn file(&self, is_revoked: bool) -> Vec<u8> {
        let name = b"A <a@example.org>";
        let mut file = packet(PUBLIC_KEY, &self.packet);
        let key = self.hashed_key();
        if is_revoked {
            file.extend(self.signature(REVOCATION, &key, &[], Hash::Sha256));
        }
        file.extend(packet(USER_ID, name));
        let length = u32::try_from(name.len()).unwrap().to_be_bytes();
        let hashed = [key.as_slice(), &[0xb4], &length, name].concat();
        // It certifies and signs.
        file.extend(self.signature(CERTIFICATION, &hashed, &subpacket(27, &[3]), Hash::Sha256));
        file
    }

    /// A signature over `content`, as Git stores it.
    pub(super) fn armor(&self, content: &[u8], hash: Hash) -> String {
        let text = STANDARD.encode(self.signature(OVER_BYTES, content, &[], hash));
        let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        // Without the checksum, which is no longer written.
        format!("-----BEGIN PGP SIGNATURE-----\n\n{}\n-----END PGP SIGNATURE-----\n", lines.join("\n"))
    }

    /// RFC 9580 §5.2.3 and §5.2.4.
    fn signature(&self, kind: u8, content: &[u8], more: &[u8], hash: Hash) -> Vec<u8> {
        let (id, algorithm) = match hash {
            Hash::Sha1 => (2, &SHA1_FOR_LEGACY_USE_ONLY),
            Hash::Sha256 => (8, &SHA256),
        };
        let print = self.print();
        let issuer = subpacket(33, &[&[4], print.as_slice()].concat());
        let subpackets =
            [issuer, subpacket(2, &SIGNED.to_be_bytes()), subpacket(16, &print[12..]), more.to_vec()].concat();
        let length = u16::try_from(subpackets.len()).unwrap().to_be_bytes();
        let head = [&[4, kind, EDDSA, id], &length[..], &subpackets].concat();
        let end = u32::try_from(head.len()).unwrap().to_be_bytes();
        let digest = digest(algorithm, &[content, &head, &[4, 0xff], &end].concat());
        let digest = digest.as_ref();
        let signature = self.pair.sign(digest);
        let (r, s) = signature.as_ref().split_at(32);
        packet(SIGNATURE, &[&head, &[0, 0][..], &digest[..2], &mpi(r), &mpi(s)].concat())
    }

    fn print(&self) -> Vec<u8> {
        digest(&SHA1_FOR_LEGACY_USE_ONLY, &self.hashed_key()).as_ref().to_vec()
    }

    fn hashed_key(&self) -> Vec<u8> {
        let length = u16::try_from(self.packet.len()).unwrap().to_be_bytes();
        [&[0x99], &length[..], &self.packet].concat()
    }
}

/// RFC 9580 §4.2.1.
fn packet(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = match body.len() {
        short @ ..192 => vec![u8::try_from(short).unwrap()],
        long => {
            let [high, low] = u16::try_from(long - 192).unwrap().to_be_bytes();
            vec![high + 192, low]
        }
    };
    [&[0xc0 | tag], length.as_slice(), body].concat()
}

/// RFC 9580 §5.2.3.7.
fn subpacket(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[u8::try_from(body.len() + 1).unwrap(), kind], body].concat()
}

/// RFC 9580 §3.2.
fn mpi(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let bytes = &bytes[zeros..];
    let bits = bytes.len() * 8 - usize::try_from(bytes[0].leading_zeros()).unwrap();
    [&u16::try_from(bits).unwrap().to_be_bytes(), bytes].concat()
}

const SIGNATURE: u8 = 2;
const PUBLIC_KEY: u8 = 6;
const USER_ID: u8 = 13;

const OVER_BYTES: u8 = 0;
const CERTIFICATION: u8 = 0x13;
const REVOCATION: u8 = 0x20;

const EDDSA: u8 = 22;
/// Its length, and 1.3.6.1.4.1.11591.15.1.
const ED25519: [u8; 10] = [9, 0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01];

/// 2019-01-01 and 2019-06-01.
const MADE: u32 = 0x5c2a_ad80;
const SIGNED: u32 = 0x5cf1_c000;
