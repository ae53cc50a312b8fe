//! What git makes of all its configuration together: the values of any key, and where each of them stands.

use std::path::PathBuf;

use gix::config::file::Metadata;
use gix::config::{File, Source};

use super::config_file::parts;
use super::{FoundRepository, SettingsError, git_config};

/// All of git's configuration, in every scope.
#[derive(Debug)]
pub struct EffectiveConfig {
    file: File,
}

/// One value of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetValue {
    /// The value; what is not UTF-8 in it is replaced. A key without `=` is `true`.
    pub value: String,
    /// What git calls the scope.
    pub scope: &'static str,
    /// The file, if it is one.
    pub path: Option<PathBuf>,
}

impl EffectiveConfig {
    /// Reads it as git would in the working directory, but for a home folder that is relative.
    ///
    /// # Errors
    /// [`SettingsError`] names the file.
    pub fn read() -> Result<(Self, FoundRepository), SettingsError> {
        let directory = std::env::current_dir().map_err(SettingsError::WorkingDirectory)?;
        let (file, repository) = git_config::read(&directory, &super::variable)?;
        Ok((Self { file }, repository))
    }

    /// The value that counts.
    #[must_use]
    pub fn last(&self, key: &str) -> Option<SetValue> {
        self.all(key).pop()
    }

    /// The names of the remotes that have an address, in the order in which git first reads of them.
    #[must_use]
    pub fn remotes(&self) -> Vec<String> {
        let mut remotes = Vec::new();
        for section in self.file.sections().filter(|section| section.contains_value_name("url")) {
            let header = section.header();
            let name = header.subsection_name().filter(|_| header.name().eq_ignore_ascii_case(b"remote"));
            if let Some(name) = name.map(ToString::to_string).filter(|name| !remotes.contains(name)) {
                remotes.push(name);
            }
        }
        remotes
    }

    /// Every value, in the order in which git reads them.
    #[must_use]
    pub fn all(&self, key: &str) -> Vec<SetValue> {
        let Some(key) = parts(key) else { return Vec::new() };
        let mut all = Vec::new();
        for section in self.file.sections() {
            let header = section.header();
            let is_it = header.name().eq_ignore_ascii_case(key.section_name.as_bytes())
                && header.subsection_name() == key.subsection_name;
            if !is_it || !section.contains_value_name(key.value_name) {
                continue;
            }
            let set =
                |value: String| SetValue { value, scope: scope(section.meta()), path: section.meta().path.clone() };
            match section.value_implicit(key.value_name) {
                Some(None) => all.push(set("true".to_owned())),
                _ => all.extend(section.values(key.value_name).into_iter().map(|value| set(value.to_string()))),
            }
        }
        all
    }
}

fn scope(metadata: &Metadata) -> &'static str {
    match metadata.source {
        Source::GitInstallation | Source::System => "system",
        Source::Git | Source::User => "global",
        Source::Local => "local",
        Source::Worktree => "worktree",
        Source::Env | Source::Cli | Source::Api | Source::EnvOverride => "command",
    }
}
