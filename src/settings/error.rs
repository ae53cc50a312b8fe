//! Settings that cannot be read.

use std::path::PathBuf;

use super::git_parameters;

/// Settings that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A configuration file that git would not read either.
    #[error("git config cannot be read: {0}")]
    GitConfig(String),
    /// What `git -c` hands to its children is not in git's quoting.
    #[error("GIT_CONFIG_PARAMETERS cannot be read: {0}")]
    GitParameters(git_parameters::MalformedParameters),
    /// A path that begins with `~`.
    #[error("{0} begins with a home folder that cannot be found")]
    NoHome(String),
    /// A key that needs a value has none.
    #[error("{0} has no value")]
    NoValue(String),
    /// Not one of the words.
    #[error("{name} cannot be \"{value}\"")]
    NotAChoice {
        /// The key.
        name: String,
        /// Its value.
        value: String,
        /// What it can be.
        words: String,
    },
    /// Not a number with a unit.
    #[error("{name} is no age: \"{value}\"")]
    NotAnAge {
        /// The key or variable.
        name: String,
        /// Its value.
        value: String,
    },
    /// Not one of git's booleans.
    #[error("{name} is no boolean: \"{value}\"")]
    NotBoolean {
        /// The key or variable.
        name: String,
        /// Its value.
        value: String,
    },
    /// Not a text.
    #[error("{0} is not UTF-8")]
    NotUtf8(String),
    /// A FIFO, a socket or a device where a repository has a file.
    #[error("the repository cannot be read: {path} is not a regular file", path = .0.display())]
    Special(PathBuf),
    /// There is no working directory.
    #[error("the working directory cannot be found: {0}")]
    WorkingDirectory(std::io::Error),
}

impl SettingsError {
    /// The key or variable that is wrong, where the others can be read without it.
    #[must_use]
    pub fn setting(&self) -> Option<&str> {
        match self {
            Self::NoHome(name) | Self::NoValue(name) | Self::NotUtf8(name) => Some(name),
            Self::NotAChoice { name, .. } | Self::NotAnAge { name, .. } | Self::NotBoolean { name, .. } => Some(name),
            Self::GitConfig(_) | Self::GitParameters(_) | Self::Special(_) | Self::WorkingDirectory(_) => None,
        }
    }
}
