//! What Git tells the hooks of a push (githooks(5)), and where it keeps objects that are not yet in the repository.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use gix::bstr::ByteSlice as _;

/// What Git's variables say, unverified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HookVariables {
    /// `GIT_OBJECT_DIRECTORY`: where objects are, in the place of the repository's own folder.
    pub object_folder: Option<PathBuf>,
    /// `GIT_ALTERNATE_OBJECT_DIRECTORIES`: where else they are.
    pub other_object_folders: Vec<PathBuf>,
    /// `GIT_QUARANTINE_PATH`: Git throws this folder away when the push is refused.
    pub quarantine: Option<PathBuf>,
    /// `GIT_PUSH_CERT`: the blob that holds the certificate of a signed push.
    pub push_certificate: Option<String>,
    /// `GIT_PUSH_CERT_NONCE_STATUS`
    pub nonce_status: Option<String>,
    /// `GIT_PUSH_CERT_NONCE`: what the certificate's nonce has to be.
    pub nonce: Option<String>,
    /// `GIT_PUSH_CERT_NONCE_SLOP`: by how many seconds the nonce is of another session.
    pub nonce_slop: Option<i64>,
}

impl HookVariables {
    /// Relative folders are below `directory`.
    pub(super) fn read(environment: &impl Fn(&str) -> Option<OsString>, directory: &Path) -> Self {
        let set = |name: &str| environment(name).filter(|value| !value.is_empty());
        let path = |name: &str| set(name).map(|value| directory.join(value));
        let text = |name: &str| set(name)?.into_string().ok();
        let others = set("GIT_ALTERNATE_OBJECT_DIRECTORIES").map(|list| split(&list)).unwrap_or_default();
        Self {
            object_folder: path("GIT_OBJECT_DIRECTORY"),
            other_object_folders: others.into_iter().map(|folder| directory.join(folder)).collect(),
            quarantine: path("GIT_QUARANTINE_PATH"),
            // An object that cannot be written has the null id.
            push_certificate: text("GIT_PUSH_CERT").filter(|id| id.bytes().any(|byte| byte != b'0')),
            nonce_status: text("GIT_PUSH_CERT_NONCE_STATUS"),
            nonce: text("GIT_PUSH_CERT_NONCE"),
            nonce_slop: text("GIT_PUSH_CERT_NONCE_SLOP").and_then(|slop| slop.parse().ok()),
        }
    }
}

/// Paths between separators; one that begins with a quote is written as a string in C.
fn split(list: &OsStr) -> Vec<PathBuf> {
    let Ok(mut rest) = gix::path::os_str_into_bstr(list) else { return Vec::new() };
    let separator = if cfg!(windows) { b';' } else { b':' };
    let mut paths = Vec::new();
    while !rest.is_empty() {
        let quoted = rest.starts_with(b"\"").then(|| gix::quote::ansi_c::undo(rest).ok()).flatten();
        let (path, length) = match quoted {
            Some((path, length)) => (path.into_owned(), length),
            None => {
                let length = rest.find_byte(separator).unwrap_or(rest.len());
                (rest.get(..length).unwrap_or_default().into(), length)
            }
        };
        if let Ok(path) = path.to_path()
            && !path.as_os_str().is_empty()
        {
            paths.push(path.to_owned());
        }
        rest = rest.get(length + 1..).unwrap_or_default().into();
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_found_as_git_writes_them() {
        let variables = [
            ("GIT_OBJECT_DIRECTORY", "./objects/tmp_objdir-incoming-x"),
            ("GIT_ALTERNATE_OBJECT_DIRECTORIES", "/a/objects::\"/b\\tc:d\":objects"),
            ("GIT_PUSH_CERT", "0000000000000000000000000000000000000000"),
            ("GIT_PUSH_CERT_NONCE_SLOP", "-3"),
        ];
        let find = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(*value));
        let read = HookVariables::read(&find, Path::new("/r"));
        assert_eq!(read.object_folder.unwrap(), Path::new("/r/./objects/tmp_objdir-incoming-x"));
        let others = ["/a/objects", "/b\tc:d", "/r/objects"].map(PathBuf::from);
        assert_eq!(read.other_object_folders, others);
        assert_eq!((read.push_certificate, read.nonce_slop), (None, Some(-3)));
    }
}
