//! What earlier runs found, in front of the verifier.

use crate::finding_cache::{CacheError, FindingCache};
use crate::settings::Folders;
use crate::verify::kept::{self, Engine};
use crate::verify::{Verdict, Verifier};

/// The findings of earlier runs that rest on the same trust.
pub(super) struct Findings {
    cache: FindingCache,
    engine: Engine,
}

impl Findings {
    /// Those of a verifier; none where it leaves out a step, or the user has no cache folder.
    ///
    /// # Errors
    /// [`CacheError`] when what is there cannot be believed.
    pub(super) fn of(verifier: &Verifier, folders: &Folders) -> Result<Option<Self>, CacheError> {
        let (Some(engine), Some(cache)) = (verifier.engine(), &folders.cache) else { return Ok(None) };
        Ok(Some(Self { cache: FindingCache::open(cache)?, engine }))
    }

    /// The verdict, and whether an earlier run found what it rests on.
    pub(super) fn verdict(&self, verifier: &Verifier, payload: &[u8], armor: &[u8]) -> (Verdict, bool) {
        let name = self.engine.name(payload, armor);
        if let Some(verdict) = self.cache.recall(&name).and_then(|finding| verifier.recall(&finding)) {
            return (verdict, true);
        }
        let verdict = verifier.verdict(payload, armor);
        if let Some(finding) = kept::keep(&verdict) {
            self.cache.keep(name, finding);
        }
        (verdict, false)
    }

    /// Writes what is not written yet.
    ///
    /// # Errors
    /// Why some findings will not be there in the next run.
    pub(super) fn finish(&self) -> Result<(), CacheError> {
        self.cache.finish()
    }
}
