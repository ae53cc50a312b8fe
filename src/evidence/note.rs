//! The text of a note below `refs/notes/waxseal-evidence`: a log entry a line, in protobuf's JSON.
//!
//! Lines are sorted and stand once, as `git notes merge -s cat_sort_uniq` leaves them, so that merging by it and by waxseal
//! come to the same. What a line means is for the verifier to find out; a line that is no entry is kept and means nothing.

use std::collections::BTreeSet;

use crate::tlog::proto_json::MalformedEntryJson;
use crate::tlog::{TransparencyLogEntry, proto_json};

/// The entries among the lines of a note.
#[must_use]
pub fn read(text: &[u8]) -> Vec<TransparencyLogEntry> {
    read_lines(text).flatten().collect()
}

/// The same with what the other lines lack to be one.
pub fn read_lines(text: &[u8]) -> impl Iterator<Item = Result<TransparencyLogEntry, MalformedEntryJson>> {
    lines(text).map(proto_json::read)
}

/// The note with `entries` added; `None` where it has them already.
#[must_use]
pub fn with(text: &[u8], entries: &[TransparencyLogEntry]) -> Option<Vec<u8>> {
    let known = read(text);
    let new: Vec<String> = entries.iter().filter(|entry| !known.contains(entry)).map(proto_json::line).collect();
    if new.is_empty() {
        return None;
    }
    let all: BTreeSet<&[u8]> = lines(text).chain(new.iter().map(String::as_bytes)).collect();
    Some(all.into_iter().flat_map(|line| [line, b"\n".as_slice()]).flatten().copied().collect())
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tlog::KindVersion;
    use crate::trusted_root::LogId;

    fn entry(log_index: u64) -> TransparencyLogEntry {
        TransparencyLogEntry {
            log_index,
            log_id: LogId([7; 32]),
            kind_version: KindVersion { kind: "hashedrekord".to_owned(), version: "0.0.1".to_owned() },
            integrated_time: 1,
            inclusion_promise: None,
            inclusion_proof: None,
            canonicalized_body: b"{}".to_vec(),
        }
    }

    #[test]
    fn lines_of_others_are_kept_and_mean_nothing() {
        let text = b"zebra\n\nzebra\n\xff\xfe not a text";
        let note = with(text, &[entry(1)]).unwrap();
        let expected = [b"zebra\n", proto_json::line(&entry(1)).as_bytes(), b"\n\xff\xfe not a text\n"].concat();
        assert_eq!(note, expected);
        assert_eq!(read(&note), [entry(1)]);
        assert_eq!(with(&note, &[entry(1)]), None);
        let both = with(&note, &[entry(2), entry(1)]).unwrap();
        assert_eq!(read(&both), [entry(1), entry(2)]);
        assert_eq!(with(&both, &[]), None);
    }

    proptest! {
        #[test]
        fn never_panics(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let note = with(&text, &[entry(1)]).unwrap();
            prop_assert!(read(&note).contains(&entry(1)));
        }
    }
}
