//! What a log proves about its own past: that one of its trees extends another. Rekor v1 is asked for the proof; of
//! Rekor v2 it is made from the log's static files.

use std::collections::BTreeMap;
use std::time::Duration;

use super::http::{Http, Problem};
use super::{ServiceError, ServiceName, TransparencyLog, join};
use crate::crypto::Sha256Digest;
use crate::tlog::rekor_json;
use crate::tlog::tiles::{self, Tile};

/// The proof that the tree of `second_size` leaves extends the one of `first_size`, which is smaller and not 0. Neither is
/// held against a root hash here. `tree_id` says which tree of a Rekor v1 log is meant.
///
/// # Errors
/// [`ServiceError`] when the log gives none.
pub async fn proof(
    http: &Http,
    log: &TransparencyLog,
    tree_id: Option<u64>,
    first_size: u64,
    second_size: u64,
) -> Result<Vec<Sha256Digest>, ServiceError> {
    let asked = async {
        match log {
            TransparencyLog::RekorV1(base) => of_rekor_v1(http, base, tree_id, first_size, second_size).await,
            TransparencyLog::RekorV2(base) => from_tiles(http, base, first_size, second_size).await,
        }
    };
    let timed_out = |_elapsed| Err(ServiceError::new(SERVICE, log.address(), Problem::TimedOut(PATIENCE)));
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(timed_out)
}

async fn of_rekor_v1(
    http: &Http,
    base: &str,
    tree_id: Option<u64>,
    first_size: u64,
    second_size: u64,
) -> Result<Vec<Sha256Digest>, ServiceError> {
    let tree = tree_id.map(|tree_id| format!("&treeID={tree_id}")).unwrap_or_default();
    let address = format!("{}?firstSize={first_size}&lastSize={second_size}{tree}", join(base, PROOF));
    let answer = http.get(SERVICE, &address).await?;
    rekor_json::consistency_proof(&answer).map_err(|what| ServiceError::garbage(SERVICE, &address, what))
}

async fn from_tiles(
    http: &Http,
    base: &str,
    first_size: u64,
    second_size: u64,
) -> Result<Vec<Sha256Digest>, ServiceError> {
    let mut tiles = BTreeMap::new();
    for tile in tiles::needed(first_size, second_size) {
        tiles.insert(tile, fetch(http, base, tile).await?);
    }
    tiles::consistency_proof(first_size, second_size, &tiles).map_err(|what| ServiceError::garbage(SERVICE, base, what))
}

/// One tile from wherever below `base` the log keeps its files; where a partial one was dropped, from the full one.
async fn fetch(http: &Http, base: &str, tile: Tile) -> Result<Vec<Sha256Digest>, ServiceError> {
    let mut refused = None;
    for folder in FOLDERS {
        for file in if tile.is_partial() { vec![tile, tile.full()] } else { vec![tile] } {
            let address = join(base, &format!("{folder}{}", file.path()));
            match http.get(SERVICE, &address).await {
                Ok(bytes) => {
                    let hashes = tile.read(&bytes);
                    return hashes
                        .ok_or_else(|| ServiceError::garbage(SERVICE, &address, "it is no tile of that size"));
                }
                Err(error) if matches!(error.problem, Problem::Refused { status: 403 | 404 | 501, .. }) => {
                    refused.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
    }
    Err(refused.unwrap_or_else(|| ServiceError::new(SERVICE, base, Problem::BadAddress)))
}

const SERVICE: ServiceName = ServiceName::TransparencyLog;

const PROOF: &str = "api/v1/log/proof";

/// The public log has its files below the first; C2SP tlog-tiles has them right below the base address.
const FOLDERS: [&str; 2] = ["api/v2/", ""];

/// Somebody waits for a signature, and can have it without the proof.
const PATIENCE: Duration = Duration::from_secs(10);
