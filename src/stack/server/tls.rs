//! TLS with a certificate and a key from files, which may change while the server runs.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

use crate::crypto::Sha256Digest;

/// Where certificate and key are, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's own certificate first, then those that lead to an authority which clients know.
    pub certificates: PathBuf,
    /// Its key: PKCS #8, PKCS #1 or SEC 1.
    pub key: PathBuf,
}

/// What new connections are served with.
pub struct TlsIdentity {
    files: TlsFiles,
    current: RwLock<Arc<ServerConfig>>,
    /// What the files held when they were last looked at, good or not.
    seen: Mutex<[Sha256Digest; 2]>,
}

impl TlsIdentity {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`] when they cannot be read, or do not go together.
    pub fn read(files: TlsFiles) -> Result<Self, TlsError> {
        let content = Content::read(&files)?;
        let current = content.config(&files)?;
        Ok(Self { files, current: RwLock::new(Arc::new(current)), seen: Mutex::new(content.digests()) })
    }

    /// Takes what the files hold now, if that is not what they held before; connections that are there go on as they are.
    /// Whether it was taken.
    ///
    /// # Errors
    /// [`TlsError`] when that is of no use: what was there before stays. Said once for the same content.
    pub fn read_again(&self) -> Result<bool, TlsError> {
        let content = Content::read(&self.files)?;
        let digests = content.digests();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == digests {
            return Ok(false);
        }
        *seen = digests;
        let config = content.config(&self.files)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
        Ok(true)
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsIdentity").field("files", &self.files).finish_non_exhaustive()
    }
}

struct Content {
    certificates: Vec<u8>,
    key: zeroize::Zeroizing<Vec<u8>>,
}

impl Content {
    fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let read = |path: &Path| {
            let failed = |error| TlsError::Io(path.to_owned(), error);
            let length = std::fs::metadata(path).map_err(failed)?.len();
            if length > MAX_FILE_BYTES {
                return Err(TlsError::TooLarge(path.to_owned()));
            }
            std::fs::read(path).map_err(failed)
        };
        Ok(Self { certificates: read(&files.certificates)?, key: read(&files.key)?.into() })
    }

    fn digests(&self) -> [Sha256Digest; 2] {
        [Sha256Digest::of(&self.certificates), Sha256Digest::of(&self.key)]
    }

    fn config(&self, files: &TlsFiles) -> Result<ServerConfig, TlsError> {
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.certificates).collect();
        let certificates = certificates.map_err(|error| TlsError::Pem(files.certificates.clone(), error))?;
        if certificates.is_empty() {
            return Err(TlsError::NoCertificate(files.certificates.clone()));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|error| match error {
            pem::Error::NoItemsFound => TlsError::NoKey(files.key.clone()),
            error => TlsError::Pem(files.key.clone(), error),
        })?;
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()));
        let config = config.with_safe_default_protocol_versions()?.with_no_client_auth();
        let mut config = config.with_single_cert(certificates, key).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => TlsError::NotOfOneAnother(files.clone()),
            error => error.into(),
        })?;
        config.alpn_protocols = vec![HTTP_2.to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// A certificate and a key that nothing can be served with.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{0:?}: {1}")]
    Io(PathBuf, #[source] io::Error),
    /// No certificate in the file.
    #[error("{0:?} holds no PEM certificate")]
    NoCertificate(PathBuf),
    /// No key in the file.
    #[error("{0:?} holds no PEM private key (an encrypted one is none)")]
    NoKey(PathBuf),
    /// The key belongs to another certificate.
    #[error("the first certificate in {:?} is not for the key in {:?}", .0.certificates, .0.key)]
    NotOfOneAnother(TlsFiles),
    /// Not PEM.
    #[error("{0:?}: {1}")]
    Pem(PathBuf, #[source] pem::Error),
    /// A key or certificate that cannot be used.
    #[error("TLS: {0}")]
    Unusable(#[from] rustls::Error),
    /// Nobody's chain is that long.
    #[error("{0:?} is too large for certificates or a key")]
    TooLarge(PathBuf),
}

/// RFC 9113 §3.1.
pub(super) const HTTP_2: &[u8] = b"h2";

const MAX_FILE_BYTES: u64 = 1 << 20;
