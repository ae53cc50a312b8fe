//! One history or two: by the numbers alone where that is enough, by a proof of the log's where it is not.

use super::AlarmKind;
use super::record::{MAX_SEEN, Sighting};
use crate::services::http::Http;
use crate::services::{ServiceError, TransparencyLog, consistency};
use crate::tlog::merkle;

/// Two checkpoints of one log that cannot both be right.
#[derive(Debug)]
pub(super) struct Contradiction {
    pub(super) kind: AlarmKind,
    pub(super) kept: Box<Sighting>,
}

/// What the numbers left open.
#[derive(Debug, Default)]
pub(super) struct WithoutProof {
    /// Smaller than the new one, which must extend each.
    smaller: Vec<Sighting>,
    /// Larger, and stored while the new one was on its way: each must extend it.
    larger: Vec<Sighting>,
    /// The same statement as the new one.
    same: Option<Sighting>,
}

/// What is to be kept from now on.
#[derive(Debug)]
pub(super) struct Comparison {
    /// One where everything is proved.
    pub(super) left: Vec<Sighting>,
    /// The first proof that could not be had, and of what.
    pub(super) unproved: Option<(Sighting, ServiceError)>,
}

/// Holds `new` against `seen` by sizes and root hashes; `before` says which of them were kept when it was asked for.
pub(super) fn compare(
    seen: &[Sighting],
    new: &Sighting,
    before: impl Fn(&Sighting) -> bool,
) -> Result<WithoutProof, Contradiction> {
    let mut left = WithoutProof::default();
    let contradiction = |kind, kept: &Sighting| Err(Contradiction { kind, kept: Box::new(kept.clone()) });
    for kept in seen {
        let (size, root) = (kept.checkpoint.tree_size(), kept.checkpoint.root_hash());
        if size == new.checkpoint.tree_size() {
            if root != new.checkpoint.root_hash() {
                return contradiction(AlarmKind::Forked, kept);
            }
            left.same = Some(kept.clone());
        } else if size < new.checkpoint.tree_size() {
            left.smaller.push(kept.clone());
        } else if before(kept) {
            return contradiction(AlarmKind::Shrunk, kept);
        } else {
            left.larger.push(kept.clone());
        }
    }
    Ok(left)
}

/// Has the log prove what is left. After the first refusal it is not asked again.
pub(super) async fn prove(
    open: WithoutProof,
    http: &Http,
    service: &TransparencyLog,
    new: &Sighting,
) -> Result<Comparison, Contradiction> {
    let mut unproved: Option<(Sighting, ServiceError)> = None;
    let mut left = Vec::new();
    let mut covered = false;
    for kept in open.smaller {
        if unproved.is_none() {
            match extends(http, service, &kept, new).await {
                Ok(true) => continue,
                Ok(false) => return Err(Contradiction { kind: AlarmKind::Forked, kept: Box::new(kept) }),
                Err(error) => unproved = Some((kept.clone(), error)),
            }
        }
        left.push(kept);
    }
    for kept in open.larger {
        if unproved.is_none() {
            match extends(http, service, new, &kept).await {
                Ok(true) => covered = true,
                Ok(false) => return Err(Contradiction { kind: AlarmKind::Forked, kept: Box::new(kept) }),
                Err(error) => unproved = Some((kept.clone(), error)),
            }
        }
        left.push(kept);
    }
    // What a larger one extends need not be kept; what was there already keeps its date.
    if !covered {
        // "Both are kept" has an end: the oldest stay, and the newest.
        left.truncate(MAX_SEEN - 1);
        left.push(open.same.unwrap_or_else(|| new.clone()));
    }
    Ok(Comparison { left, unproved })
}

/// Whether `later` extends `earlier`, as the log proves it.
async fn extends(
    http: &Http,
    service: &TransparencyLog,
    earlier: &Sighting,
    later: &Sighting,
) -> Result<bool, ServiceError> {
    let (first, second) = (&earlier.checkpoint, &later.checkpoint);
    if first.tree_size() == 0 {
        // Every tree extends the empty one.
        return Ok(true);
    }
    let hashes = consistency::proof(http, service, first.tree_id(), first.tree_size(), second.tree_size()).await?;
    let roots = ((first.tree_size(), first.root_hash()), (second.tree_size(), second.root_hash()));
    Ok(merkle::verify_consistency(roots.0, roots.1, &hashes).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{ServiceKey, ServiceKeyKind, Sha256Digest};
    use crate::tlog::checkpoint::Checkpoint;
    use crate::tlog::note;
    use crate::trusted_root::{TimeRange, TransparencyLogInstance};

    fn sighting(tree_size: u64, root: &[u8]) -> Sighting {
        let key = ServiceKey::generate(ServiceKeyKind::Ed25519).unwrap();
        let log_id = note::log_id("log.example", key.verifying_key());
        let valid_for = TimeRange { start: jiff::Timestamp::UNIX_EPOCH, end: None };
        let log =
            TransparencyLogInstance { base_url: String::new(), key: key.verifying_key().clone(), log_id, valid_for };
        let root_hash = Sha256Digest::of(root);
        let checkpoint =
            Checkpoint { origin: "log.example".to_owned(), tree_size, root_hash, extension_lines: Vec::new() };
        let envelope = checkpoint.sign("log.example", &key, &log_id).unwrap();
        Sighting {
            fetched: jiff::Timestamp::UNIX_EPOCH,
            address: "https://log.example".to_owned(),
            checkpoint: Checkpoint::verify(&envelope, &log).unwrap(),
            envelope,
        }
    }

    #[test]
    fn numbers_alone_convict_who_shrank_or_has_two_roots() {
        let kept = [sighting(7, b"seven")];
        let kind = |new: &Sighting, before: bool| compare(&kept, new, |_| before).map_err(|found| found.kind);
        assert_eq!(kind(&sighting(6, b"six"), true).unwrap_err(), AlarmKind::Shrunk);
        assert_eq!(kind(&sighting(7, b"other"), true).unwrap_err(), AlarmKind::Forked);
        assert_eq!(kind(&sighting(7, b"other"), false).unwrap_err(), AlarmKind::Forked);
        assert!(kind(&sighting(7, b"seven"), true).unwrap().same.is_some());
        assert_eq!(kind(&sighting(6, b"six"), false).unwrap().larger.len(), 1, "stored while it was on its way");
        assert_eq!(kind(&sighting(8, b"eight"), true).unwrap().smaller.len(), 1);
    }

    /// Nobody is there to prove anything: everything stays, the oldest and the newest where there are too many.
    #[tokio::test]
    async fn what_nobody_proves_is_kept_within_bounds() {
        let (http, service) = (Http::default(), TransparencyLog::RekorV2("http://elsewhere.example".to_owned()));
        let mut seen: Vec<Sighting> = Vec::new();
        for size in 1..12 {
            let new = sighting(size, &size.to_be_bytes());
            let open = compare(&seen, &new, |_| true).unwrap();
            let compared = prove(open, &http, &service, &new).await.unwrap();
            assert_eq!(compared.unproved.is_some(), size > 1);
            seen = compared.left;
        }
        let sizes: Vec<u64> = seen.iter().map(|kept| kept.checkpoint.tree_size()).collect();
        assert_eq!(sizes, [1, 2, 3, 4, 5, 6, 7, 11]);
    }
}
