//! Why a stack cannot be opened.

use jiff::Timestamp;

use super::certificate_authority::IssueError;
use super::data_folder::DataFolderError;
use super::external_issuers::BadIssuers;
use super::log_store::StoreError;
use super::rekor_v2::TileLogError;
use super::transparency_log::LogError;
use super::tuf::TufError;
use crate::crypto::ServiceKeyError;
use crate::identity_token::MalformedJsonWebKeySet;
use crate::x509::MalformedCertificate;

/// A stack that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// The authority's own certificates cannot be made.
    #[error(transparent)]
    Authority(#[from] IssueError),
    /// The clock is before the stack was made.
    #[error("the clock says {now:.0}, but this stack was made at {created}")]
    BeforeItsTime {
        /// When it was made.
        created: Timestamp,
        /// The caller's clock.
        now: Timestamp,
    },
    /// The authority's own certificates cannot be read.
    #[error("the authority's own certificates: {0}")]
    Certificates(#[from] MalformedCertificate),
    /// The data folder.
    #[error(transparent)]
    Folder(#[from] DataFolderError),
    /// The list of other issuers.
    #[error("issuers.toml: {0}")]
    Issuers(#[from] BadIssuers),
    /// A key cannot be made.
    #[error(transparent)]
    Key(#[from] ServiceKeyError),
    /// A log cannot be opened.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The issuer's key is no RSA key.
    #[error("keys/oidc-issuer.pem: {0}")]
    OidcKey(#[from] MalformedJsonWebKeySet),
    /// A log that users were told to trust is not begun again.
    #[error("the log {0} is not in this folder any more")]
    LostLog(&'static str),
    /// A folder that has a stack cannot be given another root.
    #[error("there is a stack in this folder already")]
    MadeAlready,
    /// Nothing to look after.
    #[error("there is no stack in this folder")]
    NotMade,
    /// One of the logs.
    #[error("{name}: {error}")]
    OpenLog {
        /// Which.
        name: &'static str,
        /// Why.
        error: Box<Self>,
    },
    /// Names and addresses were fixed at the first start.
    #[error("this stack was made for {fixed}, and cannot become {asked}")]
    OtherPublicUrl {
        /// What it was made for.
        fixed: String,
        /// What is asked for now.
        asked: String,
    },
    /// A log's files cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The trust documents on disk.
    #[error("trust/{0} is not what waxseal wrote there")]
    Trust(&'static str),
    /// The TUF repository.
    #[error(transparent)]
    Tuf(#[from] TufError),
    /// The v2 log cannot be opened.
    #[error(transparent)]
    TileLog(#[from] TileLogError),
}
