//! Where the files of a repository come from.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sigstore_tuf::Repository;
use sigstore_tuf::transport::FetchFuture;

use super::super::{MAX_DOCUMENT_BYTES, optional, read};
use super::TufPlace;
use super::fetched::{FetchError, Last};
use super::state::signed;
use crate::services::http::{Http, Problem, ServiceError, ServiceName};

/// A copy of a TUF repository.
#[derive(Debug)]
pub enum Source {
    /// A folder: a mirror's files, or what a client kept of them.
    Folder(PathBuf),
    /// A mirror: metadata right under its address, targets in `targets/`.
    Web {
        /// The one HTTP client.
        http: Box<Http>,
        /// The mirror's address.
        address: String,
    },
}

impl Source {
    pub(super) fn place(&self) -> TufPlace {
        match self {
            Self::Folder(folder) => TufPlace::Folder(folder.as_path().into()),
            Self::Web { address, .. } => TufPlace::Mirror(address.as_str().into()),
        }
    }
}

/// What `sigstore-tuf` asks for files.
pub(super) struct Transport {
    pub source: Source,
    pub last: Arc<Mutex<Last>>,
}

impl Repository for Transport {
    fn fetch_metadata<'a>(&'a self, name: &'a str, max_length: u64) -> FetchFuture<'a> {
        Box::pin(self.fetch(name.to_owned(), max_length))
    }

    fn fetch_target<'a>(&'a self, path: &'a str, max_length: u64) -> FetchFuture<'a> {
        Box::pin(self.fetch(format!("{TARGETS}{path}"), max_length))
    }
}

impl Transport {
    async fn fetch(&self, name: String, max_length: u64) -> sigstore_tuf::Result<Option<Vec<u8>>> {
        *self.last() = Last { name: name.clone(), ..Last::default() };
        let fetched = match &self.source {
            _ if !is_plain(&name) => Err(FetchError::Name),
            Source::Folder(folder) => from_folder(folder, &name, max_length),
            Source::Web { http, address } => from_web(http, address, &name, max_length).await,
        };
        let fetched = fetched.map_err(|error| sigstore_tuf::Error::transport_with_source(name, error))?;
        let mut last = self.last();
        last.absent = fetched.is_none();
        last.version = fetched.as_deref().and_then(signed).and_then(|signed| signed.get("version")?.as_u64());
        Ok(fetched)
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Names come from signed metadata, and go into an address or a path.
fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~%/".contains(&byte);
    name.bytes().all(plain) && name.split('/').all(|part| !["", ".", ".."].contains(&part))
}

async fn from_web(http: &Http, address: &str, name: &str, max_length: u64) -> Result<Option<Vec<u8>>, FetchError> {
    let address = format!("{}/{name}", address.trim_end_matches('/'));
    let limit = usize::try_from(max_length).unwrap_or(usize::MAX);
    match http.get(ServiceName::TrustMaterial, &address).await {
        Ok(bytes) if bytes.len() > limit => {
            let problem = Problem::TooLarge(limit);
            Err(FetchError::Service(ServiceError::new(ServiceName::TrustMaterial, &address, problem)))
        }
        Ok(bytes) => Ok(Some(bytes)),
        // Object stores say "forbidden" for what is not there.
        Err(ServiceError { problem: Problem::Refused { status: 403 | 404, .. }, .. }) => Ok(None),
        Err(error) => Err(FetchError::Service(error)),
    }
}

/// Mirrors number their files and put digests before the names of targets; clients keep the newest of each under its own
/// name. Whatever is found is verified, so it does not matter which.
fn from_folder(folder: &Path, name: &str, max_length: u64) -> Result<Option<Vec<u8>>, FetchError> {
    let bare = |name: &str| name.split_once('.').map(|(_number, bare)| bare.to_owned());
    let mut names = vec![name.to_owned()];
    match name.strip_prefix(TARGETS) {
        Some(target) => names.extend(bare(target).into_iter().flat_map(|bare| [format!("{TARGETS}{bare}"), bare])),
        None if name.ends_with(".root.json") => names.push(format!("root_history/{name}")),
        None => names.extend(bare(name).filter(|bare| bare.ends_with(".json"))),
    }
    for below in ["", "metadata", "tuf"] {
        for name in &names {
            let Some(bytes) = optional(read(&folder.join(below).join(name))).map_err(FetchError::Disk)? else {
                continue;
            };
            return match u64::try_from(bytes.len()) {
                Ok(length) if length <= max_length.min(MAX_DOCUMENT_BYTES) => Ok(Some(bytes)),
                _ => Err(FetchError::TooLarge(max_length)),
            };
        }
    }
    Ok(None)
}

const TARGETS: &str = "targets/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_the_repository() {
        for name in ["1.root.json", "targets/00ff.trusted_root.json", "3.a%2Fb.json"] {
            assert!(is_plain(name), "{name}");
        }
        for name in ["../x", "targets/../x", "/etc/passwd", "a//b", "", "a/./b", "a\\b", "a?b", "a#b", "a b", "ä"] {
            assert!(!is_plain(name), "{name}");
        }
    }
}
