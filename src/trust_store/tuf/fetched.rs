//! What the transport says of a file beside its bytes: it is asked between `sigstore-tuf`'s steps, or travels through them.

use crate::services::http::ServiceError;
use crate::trust_store::TrustStoreError;

/// The file that came last: whatever is wrong is wrong with it.
#[derive(Debug, Default)]
pub(super) struct Last {
    pub name: String,
    pub version: Option<u64>,
    /// It was asked for, and is not there.
    pub absent: bool,
}

/// A file did not come. Travels through `sigstore-tuf` in a box.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error(transparent)]
    Disk(TrustStoreError),
    #[error("its name leads elsewhere")]
    Name,
    #[error(transparent)]
    Service(ServiceError),
    #[error("it has more than {0} bytes")]
    TooLarge(u64),
}
