//! One file of git's configuration, changed as `git config` would: under git's own lock, symbolic links followed, and every
//! line left as it is but those that are meant.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gix::bstr::{BStr, ByteSlice as _};
use gix::config::file::{Metadata, SectionId, init};
use gix::config::{Boolean, File, KeyRef, Source};
use gix::lock::acquire::{Fail, resolve_symlink};

use super::FoundRepository;
use crate::causes::causes;
use crate::files;

/// Which of git's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The user's.
    Global,
    /// The repository's.
    Local,
    /// The linked worktree's, where `extensions.worktreeConfig` says that there is one.
    Worktree,
}

impl Scope {
    /// What git calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Local => "local",
            Self::Worktree => "worktree",
        }
    }

    /// The file that `git config` would write to, whether it is there or not.
    ///
    /// # Errors
    /// [`ConfigFileError`] where there is no such file to be had.
    pub fn file(self, repository: &FoundRepository) -> Result<PathBuf, ConfigFileError> {
        let mut variable = super::variable;
        if self == Self::Global {
            // git `builtin/config.c`: the XDG file only where it is there and the other one is not.
            if variable("GIT_CONFIG_GLOBAL").is_some_and(|named| named.is_empty()) {
                return Err(ConfigFileError::NoGlobalFile);
            }
            let home = Source::User.storage_location(&mut variable);
            let xdg = Source::Git.storage_location(&mut variable).filter(|xdg| xdg.exists());
            return match (home, xdg) {
                (Some(home), Some(xdg)) if !home.exists() => Ok(xdg),
                (Some(home), _) => Ok(home),
                (None, xdg) => xdg.ok_or(ConfigFileError::NoHome),
            };
        }
        let FoundRepository::At(git_dir) = repository else { return Err(ConfigFileError::NoRepository) };
        let shared = variable("GIT_COMMON_DIR").map(PathBuf::from).or_else(|| {
            let link = files::read(&git_dir.join("commondir"), MAX_LINK_BYTES).ok()?;
            Some(git_dir.join(link.trim_end().to_path().ok()?))
        });
        let shared = shared.as_deref().unwrap_or(git_dir);
        // A linked worktree's way there goes up and down.
        let shared = shared.canonicalize().unwrap_or_else(|_error| shared.to_owned()).join("config");
        if self == Self::Local {
            return Ok(shared);
        }
        match ConfigFile::read(&shared)?.boolean("extensions.worktreeConfig") {
            Some(true) => Ok(git_dir.join("config.worktree")),
            _ => Err(ConfigFileError::NoWorktreeFile),
        }
    }
}

/// What keeps a file of git's configuration from being changed.
#[derive(Debug, thiserror::Error)]
pub enum ConfigFileError {
    /// Somebody wrote between the look at it and the change.
    #[error("{} was changed by another program meanwhile", .0.display())]
    Changed(PathBuf),
    /// git's lock is held.
    #[error("{} is being changed by another program: {} is there", .path.display(), .lock.display())]
    Held {
        /// The file.
        path: PathBuf,
        /// The lock.
        lock: PathBuf,
    },
    /// The folder takes no lock.
    #[error("{} cannot be locked: {why}", .path.display())]
    Lock {
        /// The file.
        path: PathBuf,
        /// The system's words.
        why: String,
    },
    /// git takes that for no file.
    #[error("GIT_CONFIG_GLOBAL is empty, so git has no configuration of yours")]
    NoGlobalFile,
    /// No home folder.
    #[error("there is no home folder to keep git's configuration in")]
    NoHome,
    /// Outside of repositories there is the user's file only.
    #[error("this is no repository")]
    NoRepository,
    /// git has one file for all worktrees, unless it was told otherwise.
    #[error("this repository has one configuration for all of its worktrees")]
    NoWorktreeFile,
    /// A value that cannot be kept in a record.
    #[error("{key} in {} is not UTF-8", .path.display())]
    NotUtf8 {
        /// The key.
        key: String,
        /// The file.
        path: PathBuf,
    },
    /// git would not read it either.
    #[error("{} cannot be read: {why}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The disk's answer.
    #[error("{} cannot be written: {error}", .path.display())]
    Unwritten {
        /// The file.
        path: PathBuf,
        /// What happened.
        error: std::io::Error,
    },
}

/// A file as it was read, and the changes to it that are not yet written.
#[derive(Debug)]
pub struct ConfigFile {
    path: PathBuf,
    /// `None`: there was no file.
    read: Option<Vec<u8>>,
    file: File,
}

impl ConfigFile {
    /// Reads it, includes not followed. What is not there is empty.
    ///
    /// # Errors
    /// [`ConfigFileError::Unreadable`]
    pub fn read(path: &Path) -> Result<Self, ConfigFileError> {
        let unreadable = |why: String| ConfigFileError::Unreadable { path: path.to_owned(), why };
        let read = read(path).map_err(|error| unreadable(error.to_string()))?;
        let options = init::Options { lossy: false, ..init::Options::default() };
        let bytes = read.as_deref().unwrap_or_default();
        let file = File::from_bytes_no_includes(bytes, Metadata::from(Source::Api), options)
            .map_err(|error| unreadable(causes(&error)))?;
        Ok(Self { path: path.to_owned(), read, file })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was read; `None`: there was no file.
    #[must_use]
    pub fn before(&self) -> Option<&[u8]> {
        self.read.as_deref()
    }

    /// What would be written.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.file.to_bstring().into()
    }

    /// The last value of `key` in this file; of a key without `=` the value is `None`.
    ///
    /// # Errors
    /// [`ConfigFileError::NotUtf8`]
    pub fn value(&self, key: &str) -> Result<Option<Option<String>>, ConfigFileError> {
        let Some(parts) = parts(key) else { return Ok(None) };
        match self.file.string_implicit_by(parts.section_name, parts.subsection_name, parts.value_name) {
            None => Ok(None),
            Some(None) => Ok(Some(None)),
            Some(Some(value)) => self.utf8(key, value.into()).map(|value| Some(Some(value))),
        }
    }

    /// All values of `key` in this file.
    ///
    /// # Errors
    /// [`ConfigFileError::NotUtf8`]
    pub fn values(&self, key: &str) -> Result<Vec<String>, ConfigFileError> {
        let Some(parts) = parts(key) else { return Ok(Vec::new()) };
        let values = self.file.strings_by(parts.section_name, parts.subsection_name, parts.value_name);
        values.unwrap_or_default().into_iter().map(|value| self.utf8(key, value.into())).collect()
    }

    /// `key` as git reads a boolean; `None`: it is not there, or is none.
    #[must_use]
    pub fn boolean(&self, key: &str) -> Option<bool> {
        match self.value(key).ok()?? {
            None => Some(true),
            Some(text) => Boolean::try_from(text.as_str()).ok().map(bool::from),
        }
    }

    /// Gives `key` one more value, after all others.
    pub fn add(&mut self, key: &str, value: &str) {
        let Some(parts) = parts(key) else { return };
        let section = self.file.section_mut_or_create_new(parts.section_name, parts.subsection_name);
        if let Ok(mut section) = section {
            drop(section.push(parts.value_name, Some(BStr::new(value))));
        }
    }

    /// Replaces the last value of `key` where it stands.
    pub fn replace(&mut self, key: &str, value: &str) {
        let Some(parts) = parts(key) else { return };
        let Some(id) = self.sections_with(&parts).pop() else { return };
        if let Some(mut section) = self.file.section_mut_by_id(id) {
            drop(section.set(parts.value_name, BStr::new(value)));
        }
    }

    /// Removes the last one of the values of `key` that is `value`, and its section where that is empty then.
    pub fn remove(&mut self, key: &str, value: &str) {
        let Some(parts) = parts(key) else { return };
        for id in self.sections_with(&parts).into_iter().rev() {
            let Some(mut section) = self.file.section_mut_by_id(id) else { continue };
            let values = section.values(parts.value_name);
            let Some(found) = values.iter().rposition(|other| other == value) else { continue };
            // Only the last one of a section can be removed; those behind it are put back.
            let behind = values.get(found + 1..).unwrap_or_default();
            for _ in 0..=behind.len() {
                drop(section.remove(parts.value_name));
            }
            for value in behind {
                drop(section.push(parts.value_name, Some(value.as_bstr())));
            }
            let text = section.to_bstring();
            if section.num_values() == 0 && text.trim().ends_with(b"]") && text.find_byteset(b"#;").is_none() {
                drop(self.file.remove_section_by_id(id));
            }
            return;
        }
    }

    /// Writes the changes, if the file is still as it was read.
    ///
    /// # Errors
    /// [`ConfigFileError`], and then nothing was changed.
    pub fn write(&self) -> Result<(), ConfigFileError> {
        self.write_bytes(Some(&self.bytes()))
    }

    /// Puts `bytes` in the place of the file, or nothing, if it is still as it was read.
    ///
    /// # Errors
    /// [`ConfigFileError`], and then nothing was changed.
    pub fn write_bytes(&self, bytes: Option<&[u8]>) -> Result<(), ConfigFileError> {
        let unwritten = |error| ConfigFileError::Unwritten { path: self.path.clone(), error };
        let wait = Fail::AfterDurationWithBackoff(LOCK_WAIT);
        let mut lock = gix::lock::File::acquire(&self.path, wait, None, 0, Some(&resolve_symlink))
            .map_err(|error| self.not_locked(&error))?;
        if read(&self.path).ok() != Some(self.read.clone()) {
            return Err(ConfigFileError::Changed(self.path.clone()));
        }
        let Some(bytes) = bytes else { return std::fs::remove_file(lock.resource_path()).map_err(unwritten) };
        let permissions = std::fs::metadata(&self.path).map(|metadata| metadata.permissions());
        lock.with_mut(|file| {
            file.write_all(bytes)?;
            // As git does: a file that only its owner may read stays so.
            permissions.map_or(Ok(()), |permissions| file.set_permissions(permissions))?;
            file.sync_all()
        })
        .map_err(unwritten)?;
        lock.commit().map(drop).map_err(|error| unwritten(error.error))
    }

    fn not_locked(&self, error: &gix::Error) -> ConfigFileError {
        let path = self.path.clone();
        let mut of_the_disk = error.iter_errors().filter_map(|error| error.downcast_ref::<std::io::Error>());
        if of_the_disk.any(|error| error.kind() == std::io::ErrorKind::AlreadyExists) {
            let mut lock = path.canonicalize().unwrap_or_else(|_error| path.clone()).into_os_string();
            lock.push(".lock");
            return ConfigFileError::Held { path, lock: lock.into() };
        }
        ConfigFileError::Lock { path, why: causes(error) }
    }

    /// The sections that have the key, in the order of the file.
    fn sections_with(&self, key: &KeyRef<'_>) -> Vec<SectionId> {
        let sections = self.file.sections_and_ids().filter(|(section, _)| {
            let header = section.header();
            header.name().eq_ignore_ascii_case(key.section_name.as_bytes())
                && header.subsection_name() == key.subsection_name
                && section.contains_value_name(key.value_name)
        });
        sections.map(|(_, id)| id).collect()
    }

    fn utf8(&self, key: &str, value: Vec<u8>) -> Result<String, ConfigFileError> {
        String::from_utf8(value)
            .map_err(|_bytes| ConfigFileError::NotUtf8 { key: key.to_owned(), path: self.path.clone() })
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, files::ReadError> {
    match files::read(path, MAX_CONFIG_BYTES) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error),
    }
}

/// `remote.origin.fetch` in its parts.
pub(super) fn parts(key: &str) -> Option<KeyRef<'_>> {
    KeyRef::parse_unvalidated(BStr::new(key))
}

/// The largest that people have are some hundred kilobytes, with thousands of branches.
const MAX_CONFIG_BYTES: u64 = 16 << 20;
/// A path.
const MAX_LINK_BYTES: u64 = 1 << 16;
/// git itself does not wait; others hold the lock for a moment.
const LOCK_WAIT: Duration = Duration::from_secs(1);

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "nobody else reads these files")]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, ConfigFile) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        std::fs::write(&path, text).unwrap();
        let file = ConfigFile::read(&path).unwrap();
        (folder, file)
    }

    fn changed(text: &str, change: impl Fn(&mut ConfigFile)) -> String {
        let (_folder, mut file) = file(text);
        assert_eq!(file.bytes(), text.as_bytes());
        change(&mut file);
        String::from_utf8(file.bytes()).unwrap()
    }

    #[test]
    fn what_is_not_meant_stays_as_it_is() {
        let text = "# mine\n[User]\n\tname = \"A  B\" ; me\n\n[gpg]\n  format=openpgp   # old\n[commit]\n\tgpgsign\n";
        let replaced = changed(text, |file| file.replace("gpg.format", "x509"));
        assert_eq!(replaced, text.replace("openpgp", "x509"));
        let added = changed(text, |file| file.add("gpg.x509.program", "/a b/waxseal"));
        assert_eq!(added, format!("{text}[gpg \"x509\"]\n\tprogram = /a b/waxseal\n"));
        // Into the last section of that name, and as its lines are written.
        let added = changed(text, |file| file.add("commit.gpgSign", "true"));
        assert_eq!(added, format!("{text}\tgpgSign=true\n"));
        for (key, value) in [("gpg.x509.program", "waxseal"), ("commit.gpgsign", "true"), ("a.b c.d", "# \"x\" \\")] {
            let there_and_back = changed(text, |file| {
                file.add(key, value);
                assert_eq!(file.values(key).unwrap().last().unwrap(), value);
                file.remove(key, value);
            });
            assert_eq!(there_and_back, text, "{key}");
        }
    }

    #[test]
    fn one_of_several_is_removed() {
        let text = "[remote \"origin\"]\n\tfetch = one\n\tfetch = two\n\tfetch = three\n";
        assert_eq!(
            changed(text, |file| file.remove("remote.origin.fetch", "two")),
            text.replace("\tfetch = two\n", "")
        );
        assert_eq!(changed(text, |file| file.remove("remote.origin.fetch", "four")), text);
        assert_eq!(changed(text, |file| file.remove("remote.Origin.fetch", "one")), text);
    }

    #[test]
    fn values_are_those_that_git_would_read() {
        let (_folder, file) = file("[commit]\n\tgpgsign\n[tag]\ngpgsign = off\n[gpg]\nformat = a\nformat = \"b\"\n");
        assert_eq!(file.value("commit.gpgSign").unwrap(), Some(None));
        assert_eq!((file.boolean("commit.gpgsign"), file.boolean("tag.gpgsign")), (Some(true), Some(false)));
        assert_eq!(file.value("gpg.format").unwrap(), Some(Some("b".to_owned())));
        assert_eq!(file.values("gpg.format").unwrap(), ["a", "b"]);
        assert_eq!(file.value("gpg.x509.program").unwrap(), None);
    }

    #[test]
    fn nobody_is_overtaken() {
        let (folder, mut file) = file("[a]\n\tb = c\n");
        file.add("a.b", "d");
        std::fs::write(file.path(), "[a]\n").unwrap();
        assert!(matches!(file.write(), Err(ConfigFileError::Changed(_))));
        let path = folder.path().join("config");
        std::fs::write(folder.path().join("config.lock"), "").unwrap();
        let file = ConfigFile::read(&path).unwrap();
        assert!(matches!(file.write(), Err(ConfigFileError::Held { .. })));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "[a]\n");
    }

    #[cfg(unix)]
    #[test]
    fn links_and_permissions_stay() {
        use std::os::unix::fs::PermissionsExt as _;

        let (folder, _) = file("[a]\n");
        let (real, link) = (folder.path().join("config"), folder.path().join("link"));
        std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink("config", &link).unwrap();
        let mut file = ConfigFile::read(&link).unwrap();
        file.add("a.b", "c");
        file.write().unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read_to_string(&real).unwrap(), "[a]\n\tb = c\n");
        assert_eq!(std::fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
