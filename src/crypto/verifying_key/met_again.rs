//! Signatures that held, by the digest of all that makes one. It answers what verifying would answer, only sooner.

use std::cell::RefCell;
use std::collections::HashSet;

use super::{BadSignature, SignatureAlgorithm};
use crate::crypto::Sha256Digest;

/// `verify`, unless the same key, message and signature held before under the same algorithm.
pub(super) fn unless_held(
    parts: [&[u8]; 3],
    algorithm: SignatureAlgorithm,
    verify: impl FnOnce() -> Result<(), BadSignature>,
) -> Result<(), BadSignature> {
    let lengths = parts.map(|part| u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
    let algorithm = format!("{algorithm:?}");
    let [key, message, signature] = parts;
    let digest = Sha256Digest::of_parts(&[lengths.as_flattened(), key, message, signature, algorithm.as_bytes()]);
    if HELD.with_borrow(|held| held.contains(&digest)) {
        return Ok(());
    }
    verify()?;
    HELD.with_borrow_mut(|held| {
        if held.len() >= MAX_HELD {
            held.clear();
        }
        held.insert(digest)
    });
    Ok(())
}

thread_local! {
    static HELD: RefCell<HashSet<Sha256Digest>> = RefCell::default();
}

/// A login's certificate signs the commits of some minutes, and those stand together in a history.
const MAX_HELD: usize = 1 << 12;
