//! The documents of an instance, from wherever they came.

use std::path::Path;

use jiff::Timestamp;

use super::{TrustStoreError, read};
use crate::instance::{Instance, InstanceBounds, InstanceName};
use crate::signing_config::SigningConfig;
use crate::trusted_root::TrustedRoot;

/// The documents of an instance, byte for byte as they came. The digest that pins it covers the first two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Documents {
    /// protobuf-specs `TrustedRoot`.
    pub trusted_root: Vec<u8>,
    /// protobuf-specs `SigningConfig`; `None`: it only verifies.
    pub signing_config: Option<Vec<u8>>,
    /// The second `SigningConfig`, for those who ask for Rekor v2; `None`: there is none.
    pub rekor_v2_signing_config: Option<Vec<u8>>,
}

impl Documents {
    /// What they say, under a name.
    ///
    /// # Errors
    /// [`TrustStoreError::TrustedRoot`] or [`TrustStoreError::SigningConfig`].
    pub fn instance(&self, name: InstanceName, bounds: InstanceBounds) -> Result<Instance, TrustStoreError> {
        let trusted_root = TrustedRoot::parse(&self.trusted_root)
            .map_err(|error| TrustStoreError::TrustedRoot { name: name.clone(), error })?;
        let signing_config = self.signing_config.as_deref().map(SigningConfig::parse).transpose();
        let mut signing_config =
            signing_config.map_err(|error| TrustStoreError::SigningConfig { name: name.clone(), error })?;
        if let (Some(config), Some(second)) = (&mut signing_config, &self.rekor_v2_signing_config) {
            // Held against the others each time: it may have been changed on the disk, too.
            let logs: Vec<&str> = trusted_root.transparency_logs.iter().map(|log| log.base_url.as_str()).collect();
            SigningConfig::parse(second)
                .and_then(|second| Ok(config.offer_rekor_v2(second, &logs)?))
                .map_err(|error| TrustStoreError::RekorV2SigningConfig { name: name.clone(), error })?;
        }
        Ok(Instance { name, trusted_root, signing_config, bounds })
    }
}

/// The documents of Sigstore's public-good instance, as they were compiled in (`trust_store/public_good/README.md`).
#[must_use]
pub fn public_good() -> Documents {
    Documents {
        trusted_root: include_bytes!("public_good/trusted_root.json").to_vec(),
        signing_config: Some(include_bytes!("public_good/signing_config.v0.2.json").to_vec()),
        rekor_v2_signing_config: Some(include_bytes!("public_good/signing_config_rekor_v2.v0.2.json").to_vec()),
    }
}

/// The instance `file` of a trusted root in a file: `--trusted-root FILE`.
///
/// # Errors
/// [`TrustStoreError`] if the file cannot be read or is no trusted root.
pub fn from_file(trusted_root: &Path) -> Result<Instance, TrustStoreError> {
    let path = trusted_root;
    let trusted_root = TrustedRoot::parse(&read(path)?)
        .map_err(|error| TrustStoreError::TrustedRootFile { path: path.to_owned(), error })?;
    let (name, bounds) = (InstanceName::file(), InstanceBounds::default());
    Ok(Instance { name, trusted_root, signing_config: None, bounds })
}

/// The TUF root of Sigstore's public-good instance that everything newer is verified from.
pub(super) fn public_good_root() -> &'static [u8] {
    include_bytes!("public_good/root.json")
}

/// Sigstore's own mirror of the public-good instance's TUF repository.
pub const PUBLIC_GOOD_MIRROR: &str = "https://tuf-repo-cdn.sigstore.dev";

/// 2026-08-21, the day on which the timestamp was signed that named what is compiled in.
pub(super) const PUBLIC_GOOD_OF: Timestamp = Timestamp::constant(1_787_270_400, 0);
