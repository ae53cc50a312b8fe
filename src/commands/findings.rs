//! What earlier runs found, in front of the verifier.

use crate::crypto::Sha256Digest;
use crate::finding_cache::{CacheError, FindingCache};
use crate::settings::Folders;
use crate::verify::kept::{self, Engine, Recalled};
use crate::verify::{Verdict, Verifier};

/// The findings of earlier runs that rest on the same trust.
pub(super) struct Findings {
    cache: FindingCache,
    engine: Engine,
}

/// Where a finding has its place.
pub(super) struct FindingName(Sha256Digest);

impl Findings {
    /// Those of a verifier; none where it leaves out a step, or the user has no cache folder.
    ///
    /// # Errors
    /// [`CacheError`] when what is there cannot be believed.
    pub(super) fn of(verifier: &Verifier, folders: &Folders) -> Result<Option<Self>, CacheError> {
        let (Some(engine), Some(cache)) = (verifier.engine(), &folders.cache) else { return Ok(None) };
        Ok(Some(Self { cache: FindingCache::open(cache)?, engine }))
    }

    /// What an earlier run found of this payload and armor, and the name under which it is kept.
    pub(super) fn recall(&self, verifier: &Verifier, payload: &[u8], armor: &[u8]) -> (FindingName, Option<Recalled>) {
        let name = self.engine.name(payload, armor);
        let recalled = self.cache.recall(&name).and_then(|finding| verifier.recall(&finding));
        (FindingName(name), recalled)
    }

    /// Keeps what the verdict rests on, if that may be kept, with the name that the object hashes to, if somebody looked.
    pub(super) fn keep(&self, name: FindingName, verdict: &Verdict, object: Option<&str>) {
        if let Some(finding) = kept::keep(verdict, object) {
            self.cache.keep(name.0, finding);
        }
    }

    /// Writes what is not written yet.
    ///
    /// # Errors
    /// Why some findings will not be there in the next run.
    pub(super) fn finish(&self) -> Result<(), CacheError> {
        self.cache.finish()
    }
}
