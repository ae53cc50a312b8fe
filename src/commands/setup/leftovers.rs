//! What a `waxseal setup` that was killed left beside the record: records that are not yet in their place.

use std::fs::{self, File};
use std::path::Path;

use super::record::Record;
use super::record::unfinished::prefix;

/// Puts the record of a change that was made in its place, and removes those of changes that were not. `now` is what the
/// changed file has.
pub(super) fn tidy(record: &Path, file: &Path, now: &[u8]) {
    let prefix = prefix(record);
    for entry in record.parent().and_then(|folder| fs::read_dir(folder).ok()).into_iter().flatten().flatten() {
        let is_one = entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes());
        if !is_one || !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        let path = entry.path();
        let Ok(left) = File::open(&path) else { continue };
        if left.try_lock().is_err() {
            continue;
        }
        let is_after = |path: &Path| Record::load(path, file).is_ok_and(|record| record.is_after(now));
        let wanted = is_after(&path) && !is_after(record);
        // What stays lies where nobody looks for it.
        let _stays = if wanted { fs::rename(&path, record) } else { fs::remove_file(&path) };
    }
}
