//! The TUF client (TUF specification 1.0 §5): from the root that the user pinned to the documents of today.
//!
//! `sigstore-tuf` is the state machine: signatures, thresholds, versions that never go back, expiry, lengths and hashes.
//! Here are what it reads (a mirror over the one HTTP client, or a folder that somebody brought), what is kept of it, and
//! the words for what it refuses. Nothing is written while it runs: what was verified, whole, is [`Followed`].

mod error;
mod fetched;
mod source;
mod state;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use sigstore_tuf::{Updater, UpdaterConfig};

pub use self::error::{TufError, TufPlace, TufProblem};
pub use self::source::Source;
pub use self::state::TufState;

use self::fetched::Last;
use self::source::Transport;
use self::state::Kept;
use super::Documents;

/// What a repository says today, and what must be known of it tomorrow.
#[derive(Clone, Debug)]
pub struct Followed {
    /// The targets.
    pub documents: Documents,
    /// The metadata that led there.
    pub state: TufState,
}

/// Follows the repository at `source` from the roots in `state`, and takes the documents that it signed. What `state`
/// knows of versions is the floor: an older repository is refused.
///
/// # Errors
/// [`TufError`]; then nothing of what came may be used.
pub async fn follow(source: Source, state: TufState, now: Timestamp) -> Result<Followed, TufError> {
    let place = source.place();
    let refused = |problem| TufError { place: place.clone(), problem };
    let last = Arc::new(Mutex::new(Last::default()));
    let words = |error| refused(TufProblem::of(error, &last.lock().unwrap_or_else(PoisonError::into_inner)));

    let (_, first) = state.first_root().ok_or_else(|| refused(TufProblem::NoRoot))?;
    let first = first.to_vec();
    let kept = Kept::new(state);
    let transport = Transport { source, last: Arc::clone(&last) };
    let updater = Updater::new(transport, &first).map_err(words)?;
    let mut updater = updater.with_config(budget()).with_store(kept.clone());
    let work = async {
        updater.refresh(now).await.map_err(|error| match error {
            // The chain of roots ended before this was found.
            sigstore_tuf::Error::Expired { role, expires } if role == "root" => {
                let version = Some(updater.trusted().root().version);
                refused(TufProblem::Expired { file: "the newest root".to_owned(), version, expires })
            }
            other => words(other),
        })?;
        let mut target = async |name: &str| match updater.get_target_info(name, now).await? {
            Some(info) => updater.download_target(&info, name).await.map(Some),
            None => Ok(None),
        };
        let trusted_root = target(super::TRUSTED_ROOT).await.map_err(words)?;
        Ok(Documents {
            trusted_root: trusted_root.ok_or_else(|| refused(TufProblem::NoTarget(super::TRUSTED_ROOT)))?,
            signing_config: target(super::SIGNING_CONFIG).await.map_err(words)?,
            rekor_v2_signing_config: target(super::REKOR_V2_SIGNING_CONFIG).await.map_err(words)?,
        })
    };
    let documents =
        tokio::time::timeout(WHOLE, work).await.unwrap_or_else(|_| Err(refused(TufProblem::TimedOut(WHOLE))))?;
    Ok(Followed { documents, state: kept.into_state() })
}

/// How much of a repository is read, beside the HTTP client's own limits.
fn budget() -> UpdaterConfig {
    let mut budget = UpdaterConfig::default();
    budget.root_max_length = MAX_FILE_BYTES;
    budget.snapshot_max_length = MAX_FILE_BYTES;
    budget.targets_max_length = MAX_FILE_BYTES;
    budget.target_max_length = super::MAX_DOCUMENT_BYTES;
    budget.max_root_rotations = MAX_NEW_ROOTS;
    budget.max_delegations = MAX_DELEGATIONS;
    budget
}

/// Public-good's largest has under 10 kB.
const MAX_FILE_BYTES: u64 = 512_000;

/// go-tuf's limit; public-good had 15 in its first five years.
const MAX_NEW_ROOTS: u32 = 256;

/// Public-good has one delegation, which is not about the documents.
const MAX_DELEGATIONS: u32 = 8;

/// Of a whole refresh: a repository that sends each byte late must not keep anybody waiting.
const WHOLE: Duration = Duration::from_secs(120);

#[cfg(test)]
mod tests;
