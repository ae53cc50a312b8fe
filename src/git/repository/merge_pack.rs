//! A pack of objects as Git reads them: gitformat-pack(5) with an index of version 1. Whole objects, and stored rather than
//! compressed (RFC 1951 section 3.2.4): it is read once or twice, and a file for each object would take most of the time.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use gix::ObjectId;
use gix::hash::hasher;
use gix::objs::Kind;

/// Objects that are to be written.
#[derive(Default)]
pub(super) struct Pack {
    entries: Vec<u8>,
    /// The name of each, and where it begins among the entries.
    places: Vec<(ObjectId, u32)>,
}

impl Pack {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Adds an object of this name.
    pub(super) fn add(&mut self, id: ObjectId, kind: Kind, bytes: &[u8]) -> io::Result<()> {
        let place = u32::try_from(self.entries.len()).ok().filter(|place| *place < MAX_PLACE);
        self.places.push((id, place.ok_or_else(|| io::Error::other("a pack would have four gigabytes"))?));
        let kind = match kind {
            Kind::Commit => 1,
            Kind::Tree => 2,
            Kind::Blob => 3,
            Kind::Tag => 4,
        };
        self.entries.extend(header(kind, bytes.len()));
        self.entries.extend(ZLIB);
        let mut blocks = bytes.chunks(usize::from(u16::MAX)).peekable();
        if bytes.is_empty() {
            self.entries.extend(block(&[], true));
        }
        while let Some(stored) = blocks.next() {
            self.entries.extend(block(stored, blocks.peek().is_none()));
            self.entries.extend(stored);
        }
        self.entries.extend(adler32(bytes).to_be_bytes());
        Ok(())
    }

    /// Writes what was added into a repository's folder of packs, if something was.
    pub(super) fn write(self, folder: &Path) -> io::Result<()> {
        let Self { entries, mut places } = self;
        let Some(hash) = places.first().map(|(id, _)| id.kind()) else { return Ok(()) };
        let count = u32::try_from(places.len()).map_err(io::Error::other)?;
        let head = [*b"PACK", 2_u32.to_be_bytes(), count.to_be_bytes()].concat();
        let checksum = |parts: &[&[u8]]| {
            let mut hasher = hasher(hash);
            parts.iter().for_each(|part| hasher.update(part));
            hasher.try_finalize().map_err(io::Error::other)
        };
        let pack = checksum(&[&head, &entries])?;
        places.sort_unstable();
        let mut index = Vec::new();
        for first in 0..=u8::MAX {
            let up_to = places.partition_point(|(id, _)| id.as_slice().first().is_some_and(|byte| *byte <= first));
            index.extend(u32::try_from(up_to).map_err(io::Error::other)?.to_be_bytes());
        }
        let before = u32::try_from(head.len()).map_err(io::Error::other)?;
        for (id, place) in &places {
            index.extend((before + place).to_be_bytes());
            index.extend(id.as_slice());
        }
        index.extend(pack.as_slice());
        let of_index = checksum(&[&index])?;
        std::fs::create_dir_all(folder)?;
        // Git looks for packs by their indexes.
        for (ending, parts) in [
            ("pack", [head.as_slice(), &entries, pack.as_slice()].as_slice()),
            ("idx", [index.as_slice(), of_index.as_slice()].as_slice()),
        ] {
            let mut file = File::create_new(folder.join(format!("pack-{pack}.{ending}")))?;
            parts.iter().try_for_each(|part| file.write_all(part))?;
        }
        Ok(())
    }
}

/// What an object is and how long: four bits of the length beside the kind, then seven a byte.
fn header(kind: u8, length: usize) -> Vec<u8> {
    let bits = |from: usize, mask: u8| u8::try_from(from & usize::from(mask)).unwrap_or_default();
    let mut header = vec![kind << 4 | bits(length, 0b1111)];
    let mut rest = length >> 4;
    while rest > 0 {
        if let Some(last) = header.last_mut() {
            *last |= MORE;
        }
        header.push(bits(rest, !MORE));
        rest >>= 7;
    }
    header
}

/// What stands before stored bytes, no more than its length can say.
fn block(stored: &[u8], is_last: bool) -> [u8; 5] {
    let length = u16::try_from(stored.len()).unwrap_or(u16::MAX);
    let ([a, b], [c, d]) = (length.to_le_bytes(), (!length).to_le_bytes());
    [u8::from(is_last), a, b, c, d]
}

/// RFC 1950 section 9.
fn adler32(bytes: &[u8]) -> u32 {
    let (mut a, mut b) = (1_u32, 0_u32);
    // As many as cannot overflow.
    for bytes in bytes.chunks(5552) {
        for byte in bytes {
            a += u32::from(*byte);
            b += a;
        }
        a %= 65_521;
        b %= 65_521;
    }
    b << 16 | a
}

/// RFC 1950 section 2.2: deflate, a window of 32 KiB, the fastest level.
const ZLIB: [u8; 2] = [0x78, 0x01];
const MORE: u8 = 0b1000_0000;
/// Behind it an index of version 1 ends; the header comes before it.
const MAX_PLACE: u32 = u32::MAX - 12;

#[cfg(test)]
mod tests {
    use super::super::tests::Scratch;
    use super::*;

    #[test]
    fn git_reads_it() {
        for format in ["sha1", "sha256"] {
            let scratch = Scratch::new(&["--bare", &format!("--object-format={format}"), "packed"]);
            let kind = scratch.open_at("packed").inner.object_hash();
            let mut pack = Pack::default();
            let mut expected = Vec::new();
            // At the ends of what a byte of the header, or a stored block, can say.
            for length in [0, 1, 15, 16, 2_047, 2_048, 65_534, 65_535, 65_536, 131_070, 300_000] {
                let bytes: Vec<u8> = (0..length).map(|at: u32| u8::try_from(at % 251).unwrap()).collect();
                let id = gix::objs::compute_hash(kind, Kind::Blob, &bytes).unwrap();
                pack.add(id, Kind::Blob, &bytes).unwrap();
                expected.push(format!("{id} blob {length}"));
            }
            let folder = scratch.path("packed/objects/pack");
            pack.write(&folder).unwrap();
            let index = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
            let index: Vec<_> = index.filter(|file| file.extension().is_some_and(|ending| ending == "idx")).collect();
            // It hashes each object, the pack and the index.
            scratch.git(&["--git-dir=packed", "verify-pack", index[0].to_str().unwrap()]);
            let listed = scratch.git(&["--git-dir=packed", "cat-file", "--batch-all-objects", "--batch-check"]);
            expected.sort_unstable();
            assert_eq!(listed.lines().collect::<Vec<_>>(), expected, "{format}");
        }
        let scratch = Scratch::new(&[]);
        Pack::default().write(&scratch.path("nothing")).unwrap();
        assert!(!scratch.path("nothing").exists());
    }
}
