//! TLS with a certificate and a key from files, which may change while the server runs.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
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
    seen: Mutex<Seen>,
}

/// What came of it when the files were last looked at.
struct Seen {
    /// Of what they held when they could be read last, good or not.
    digests: [Sha256Digest; 2],
    /// Why they could not be read since.
    failed: Option<String>,
}

impl TlsIdentity {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`] when they cannot be read, or do not go together.
    pub fn read(files: TlsFiles) -> Result<Self, TlsError> {
        let content = Content::read(&files)?;
        let current = content.config(&files)?;
        let seen = Seen { digests: content.digests(), failed: None };
        Ok(Self { files, current: RwLock::new(Arc::new(current)), seen: Mutex::new(seen) })
    }

    /// Takes what the files hold now, if that is not what they held before; connections that are there go on as they are.
    /// Whether it was taken.
    ///
    /// # Errors
    /// [`TlsError`] when that is of no use: what was there before stays. Said once for the same content,
    /// and for the same reason why there is none.
    pub fn read_again(&self) -> Result<bool, TlsError> {
        let content = Content::read(&self.files);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = content.as_ref().err().map(ToString::to_string);
        let failed_before = std::mem::replace(&mut seen.failed, failed);
        let content = match content {
            Err(_) if seen.failed == failed_before => return Ok(false),
            content => content?,
        };
        let digests = content.digests();
        if seen.digests == digests {
            return Ok(false);
        }
        seen.digests = digests;
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
    certificates: zeroize::Zeroizing<Vec<u8>>,
    key: zeroize::Zeroizing<Vec<u8>>,
}

impl Content {
    fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let read = |path: &Path| {
            let failed = |error| TlsError::Io(path.to_owned(), error);
            let file = File::open(path).map_err(failed)?;
            let mut content = zeroize::Zeroizing::new(Vec::new());
            let length = file.take(MAX_FILE_BYTES + 1).read_to_end(&mut content).map_err(failed)?;
            if u64::try_from(length).is_ok_and(|length| length <= MAX_FILE_BYTES) {
                Ok(content)
            } else {
                Err(TlsError::TooLarge(path.to_owned()))
            }
        };
        Ok(Self { certificates: read(&files.certificates)?, key: read(&files.key)? })
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
    #[error("\"{0}\": {1}")]
    Io(PathBuf, #[source] io::Error),
    /// No certificate in the file.
    #[error("\"{0}\" holds no PEM certificate")]
    NoCertificate(PathBuf),
    /// No key in the file.
    #[error("\"{0}\" holds no PEM private key (an encrypted one is none)")]
    NoKey(PathBuf),
    /// The key belongs to another certificate.
    #[error("the first certificate in \"{}\" is not for the key in \"{}\"", .0.certificates.display(), .0.key.display())]
    NotOfOneAnother(TlsFiles),
    /// Not PEM.
    #[error("\"{0}\": {1}")]
    Pem(PathBuf, #[source] pem::Error),
    /// A key or certificate that cannot be used.
    #[error("TLS: {0}")]
    Unusable(#[from] rustls::Error),
    /// Nobody's chain is that long.
    #[error("\"{0}\" is too large for certificates or a key")]
    TooLarge(PathBuf),
}

/// RFC 9113 §3.1.
pub(super) const HTTP_2: &[u8] = b"h2";

const MAX_FILE_BYTES: u64 = 1 << 20;

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the folders of these tests are thrown away")]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_said_once_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let files = TlsFiles { certificates: folder.path().join("tls.pem"), key: folder.path().join("tls.key") };
        let put = |made: &rcgen::CertifiedKey<rcgen::KeyPair>| {
            std::fs::write(&files.certificates, made.cert.pem()).unwrap();
            std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
        };
        let make = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let first = make();
        put(&first);
        let identity = TlsIdentity::read(files.clone()).unwrap();
        assert!(!identity.read_again().unwrap());
        std::fs::remove_file(&files.certificates).unwrap();
        assert!(matches!(identity.read_again(), Err(TlsError::Io(..))));
        assert!(!identity.read_again().unwrap(), "it was said");
        std::fs::write(&files.certificates, vec![b'x'; (1 << 20) + 1]).unwrap();
        assert!(matches!(identity.read_again(), Err(TlsError::TooLarge(_))), "something else is wrong now");
        put(&first);
        assert!(!identity.read_again().unwrap(), "it is the one that is there");
        std::fs::remove_file(&files.certificates).unwrap();
        assert!(identity.read_again().is_err(), "it was well meanwhile");
        put(&make());
        assert!(identity.read_again().unwrap());
    }
}
