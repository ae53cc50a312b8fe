//! Signatures that held, with all that makes one. It answers what verifying would answer, only sooner.
//!
//! Most are met once, so that remembering one must cost next to nothing: it is found by its own bytes, and what it is over is
//! compared only where those were met. No digest is made.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use super::{BadSignature, SignatureAlgorithm};

/// `verify`, unless the same key, message and signature held before under the same algorithm.
pub(super) fn unless_held(
    held: &Held<'_>,
    signature: &[u8],
    verify: impl FnOnce() -> Result<(), BadSignature>,
) -> Result<(), BadSignature> {
    if memory().has(held, signature) {
        return Ok(());
    }
    verify()?;
    memory().keep(held, signature);
    Ok(())
}

/// What a signature is over, and by which key.
pub(super) struct Held<'a> {
    pub(super) algorithm: SignatureAlgorithm,
    pub(super) spki_der: &'a [u8],
    pub(super) message: &'a [u8],
}

/// What was met lately, and what was before that: to forget all at once would be to verify all at once.
#[derive(Default)]
struct Memory {
    recent: HashMap<Vec<u8>, Kept>,
    /// Of `recent`.
    bytes: usize,
    older: HashMap<Vec<u8>, Kept>,
}

struct Kept {
    algorithm: SignatureAlgorithm,
    /// The key's `SubjectPublicKeyInfo`, `spki_length` bytes, and the message.
    over: Vec<u8>,
    spki_length: usize,
}

impl Memory {
    fn has(&mut self, held: &Held<'_>, signature: &[u8]) -> bool {
        if self.recent.get(signature).is_some_and(|kept| kept.is(held)) {
            return true;
        }
        let again = self.older.get(signature).is_some_and(|kept| kept.is(held));
        if again {
            self.keep(held, signature);
        }
        again
    }

    fn keep(&mut self, held: &Held<'_>, signature: &[u8]) {
        let Held { algorithm, spki_der, message } = *held;
        let bytes = signature.len() + spki_der.len() + message.len();
        if bytes > MAX_BYTES_OF_ONE {
            return;
        }
        if self.bytes + bytes > MAX_BYTES {
            self.older = std::mem::take(&mut self.recent);
            self.bytes = 0;
        }
        let kept = Kept { algorithm, over: [spki_der, message].concat(), spki_length: spki_der.len() };
        self.recent.insert(signature.to_vec(), kept);
        self.bytes += bytes;
    }
}

impl Kept {
    fn is(&self, held: &Held<'_>) -> bool {
        self.algorithm == held.algorithm
            && self.over.split_at_checked(self.spki_length) == Some((held.spki_der, held.message))
    }
}

/// What a thread that panicked left is whole: nothing here can.
fn memory() -> MutexGuard<'static, Memory> {
    MEMORY.lock().unwrap_or_else(PoisonError::into_inner)
}

static MEMORY: LazyLock<Mutex<Memory>> = LazyLock::new(Mutex::default);

/// A login's certificate signs the commits of some minutes, and those stand together in a history. Hundreds of certificates,
/// twice, leave room in a core's cache for what is verified.
const MAX_BYTES: usize = 1 << 19;

/// Certificates and checkpoints have one or two thousand.
const MAX_BYTES_OF_ONE: usize = 1 << 14;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::DigestAlgorithm::{Sha256, Sha384};
    use crate::crypto::SignatureAlgorithm::Ecdsa;

    fn held(algorithm: SignatureAlgorithm, spki_der: &'static [u8], message: &'static [u8]) -> Held<'static> {
        Held { algorithm, spki_der, message }
    }

    #[test]
    fn only_the_same_is_the_same() {
        let mut memory = Memory::default();
        memory.keep(&held(Ecdsa(Sha256), b"key", b"message"), b"signature");
        assert!(memory.has(&held(Ecdsa(Sha256), b"key", b"message"), b"signature"));
        for (other, signature) in [
            (held(Ecdsa(Sha384), b"key", b"message"), &b"signature"[..]),
            (held(Ecdsa(Sha256), b"keym", b"essage"), b"signature"),
            (held(Ecdsa(Sha256), b"ke", b"ymessage"), b"signature"),
            (held(Ecdsa(Sha256), b"key", b"massage"), b"signature"),
            (held(Ecdsa(Sha256), b"key", b"message"), b"signatur"),
        ] {
            assert!(!memory.has(&other, signature));
        }
    }

    #[test]
    fn forgets_what_is_not_met_again() {
        let mut memory = Memory::default();
        let first = held(Ecdsa(Sha256), b"key", b"first");
        memory.keep(&first, b"1");
        for number in 0..2 * MAX_BYTES / 1000 {
            memory.keep(&held(Ecdsa(Sha256), b"key", &[0; 1000]), &number.to_be_bytes());
            assert!(number % 100 != 0 || memory.has(&first, b"1"));
        }
        for number in 0..3 * MAX_BYTES / 1000 {
            memory.keep(&held(Ecdsa(Sha256), b"key", &[0; 1000]), &number.to_le_bytes());
        }
        assert!(!memory.has(&first, b"1"));
        let kept: usize = memory.recent.values().chain(memory.older.values()).map(|kept| kept.over.len()).sum();
        assert!(kept <= 2 * MAX_BYTES);
    }
}
