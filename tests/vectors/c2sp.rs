//! C2SP signed-note and tlog-checkpoint.

use jiff::Timestamp;
use waxseal::crypto::VerifyingKey;
use waxseal::tlog::checkpoint::Checkpoint;
use waxseal::tlog::note::SignedNote;
use waxseal::trusted_root::{LogId, TimeRange, TransparencyLogInstance};

use super::{Vector, base64, variants};

/// A file `note-…` is read; one `checkpoint-…` is verified under the log in its headers.
pub(crate) fn outcome(vector: &Vector) -> String {
    if vector.name().starts_with("note-") {
        return SignedNote::parse(&vector.body).map_or_else(|error| variants(&error), |_| "ok".to_owned());
    }
    let log = TransparencyLogInstance {
        base_url: String::new(),
        key: VerifyingKey::from_spki_der(&base64(vector.header("log"))).unwrap(),
        log_id: LogId(base64(vector.header("log-id")).try_into().unwrap()),
        valid_for: TimeRange { start: Timestamp::UNIX_EPOCH, end: None },
    };
    match Checkpoint::verify(&vector.body, &log) {
        Ok(verified) => format!("ok: {} {}", verified.origin(), verified.tree_size()),
        Err(error) => variants(&error).trim_end_matches("/LogId").to_owned(),
    }
}
