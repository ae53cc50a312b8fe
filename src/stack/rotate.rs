//! A new intermediate for the certificate authority, under the root that it has.

use std::path::Path;

use jiff::Timestamp;

use super::certificate_authority::AuthorityChains;
use super::data_folder::{CHAINS, DataFolder, authority_key_name};
use super::public_url::PublicUrl;
use super::{Stack, StackError, StackOptions, trust};
use crate::crypto::{ServiceKey, ServiceKeyError, ServiceKeyKind};

impl Stack {
    /// Has the root, whose key is `root_key`, issue a new intermediate; the trust documents follow. What the old one issued
    /// stays trusted: it stays in the trusted root, bounded in time.
    ///
    /// # Errors
    /// [`StackError`] when there is no stack in `data_folder`, another process has it, or the key is another root's.
    pub fn rotate_intermediate(data_folder: &Path, root_key: &ServiceKey, now: Timestamp) -> Result<Self, StackError> {
        let public_url = Self::made_for(data_folder)?;
        let folder = DataFolder::open(data_folder)?;
        let chains = folder.file(CHAINS, || Err(StackError::NotMade))?;
        let chains = AuthorityChains::from_pem(&String::from_utf8_lossy(&chains))?;
        let key = ServiceKey::generate(ServiceKeyKind::EcdsaP384)?;
        let from = trust::vouches_from(now);
        let rotated = chains.rotated(&public_url.authority(), root_key, key.verifying_key(), from)?;
        // Until the certificates name it, nobody looks for the key.
        folder.write_key(&authority_key_name(rotated.count()), &key.to_pkcs8_pem()?)?;
        folder.write(CHAINS, rotated.to_pem().as_bytes())?;
        // Nobody signs with the old one again, so nobody should be able to.
        folder.remove_key(&authority_key_name(chains.count()))?;
        drop(folder);
        Self::open(data_folder, &public_url, StackOptions::default(), now)
    }

    /// The address that the stack in `data_folder` was made for.
    ///
    /// # Errors
    /// [`StackError`] when there is no stack.
    pub fn made_for(data_folder: &Path) -> Result<PublicUrl, StackError> {
        let settings = DataFolder::peek(data_folder)?.ok_or(StackError::NotMade)?;
        settings.public_url.parse().map_err(|_| StackError::NotMade)
    }

    /// A key for a root, and its PKCS #8 in PEM for a file that goes away.
    ///
    /// # Errors
    /// [`ServiceKeyError`] when it cannot be made.
    pub fn new_root_key() -> Result<(ServiceKey, zeroize::Zeroizing<String>), ServiceKeyError> {
        let key = ServiceKey::generate(ServiceKeyKind::EcdsaP384)?;
        let pem = key.to_pkcs8_pem()?;
        Ok((key, pem))
    }

    /// Reads what [`new_root_key`](Self::new_root_key) wrote.
    ///
    /// # Errors
    /// [`ServiceKeyError`] when it is no such key.
    pub fn read_root_key(pem: &str) -> Result<ServiceKey, ServiceKeyError> {
        ServiceKey::from_pkcs8_pem(ServiceKeyKind::EcdsaP384, pem)
    }
}
