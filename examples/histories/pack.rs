//! Many objects for Git at once.

use std::io::{BufWriter, Write};
use std::process::{Command, Stdio};

/// Gives Git a pack of these commits and tags. What it holds is not compressed; `git repack -F` does that.
pub(crate) fn store(git_dir: &str, objects: &[(u8, Vec<u8>)]) {
    let mut git = Command::new("git");
    git.args(["--git-dir", git_dir, "index-pack", "--stdin"]).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = git.spawn().unwrap();
    let mut pack =
        Pack { out: BufWriter::new(child.stdin.take().unwrap()), hash: gix::hash::hasher(gix::hash::Kind::Sha1) };
    pack.write(b"PACK\0\0\0\x02");
    pack.write(&u32::try_from(objects.len() + 1).unwrap().to_be_bytes());
    pack.object(TREE, b"");
    objects.iter().for_each(|(kind, object)| pack.object(*kind, object));
    let Pack { mut out, hash } = pack;
    out.write_all(hash.try_finalize().unwrap().as_slice()).unwrap();
    drop(out);
    assert!(child.wait().unwrap().success());
}

/// gitformat-pack(5)
struct Pack<W: Write> {
    out: W,
    hash: gix::hash::Hasher,
}

impl<W: Write> Pack<W> {
    fn write(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.out.write_all(bytes).unwrap();
    }

    fn object(&mut self, kind: u8, bytes: &[u8]) {
        let mut header = vec![(kind << 4) | u8::try_from(bytes.len() & 0xf).unwrap()];
        let mut rest = bytes.len() >> 4;
        while rest > 0 {
            *header.last_mut().unwrap() |= 0x80;
            header.push(u8::try_from(rest & 0x7f).unwrap());
            rest >>= 7;
        }
        self.write(&header);
        // RFC 1950 and 1951: stored blocks.
        self.write(&[0x78, 0x01]);
        let blocks: Vec<&[u8]> = if bytes.is_empty() { vec![b""] } else { bytes.chunks(0xffff).collect() };
        for (number, block) in blocks.iter().enumerate() {
            let length = u16::try_from(block.len()).unwrap();
            self.write(&[u8::from(number + 1 == blocks.len())]);
            self.write(&length.to_le_bytes());
            self.write(&(!length).to_le_bytes());
            self.write(block);
        }
        let (low, high) = bytes.iter().fold((1_u32, 0_u32), |(low, high), byte| {
            let low = (low + u32::from(*byte)) % 65521;
            (low, (high + low) % 65521)
        });
        self.write(&((high << 16) | low).to_be_bytes());
    }
}

/// A commit, in a pack's numbers.
pub(crate) const COMMIT: u8 = 1;
/// A tag.
#[allow(dead_code, reason = "not everybody packs tags")]
pub(crate) const TAG: u8 = 4;
const TREE: u8 = 2;
