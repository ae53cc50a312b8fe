//! git config as git reads it: every scope, every include, what `git -c` and the environment set, and no file of a
//! repository that git refuses.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use gix::bstr::ByteSlice as _;
use gix::config::file::{Metadata, includes, init};
use gix::config::{Boolean, File, KeyRef, Source};
use gix::discover::repository;
use gix::discover::upwards;
use gix::sec::Trust;

use super::{SettingsError, git_parameters};
use crate::causes::causes;
use crate::files;

mod special;

/// The repository that git would use in a directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FoundRepository {
    /// There it is; its private git directory (of a linked worktree: the worktree's).
    At(PathBuf),
    /// There is none.
    #[default]
    NotFound,
    /// There is one that git would not touch, and so its configuration was not read.
    Refused {
        /// The work tree, or the git directory of a bare repository.
        path: PathBuf,
        /// Why.
        refusal: Refusal,
    },
}

/// Why git would not touch a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is bare, was not named, and `safe.bareRepository` is `explicit`.
    Bare,
    /// It is someone else's, and `safe.directory` does not list it.
    Owner,
}

/// All of git config for `directory`, and the repository there.
pub(super) fn read(
    directory: &Path,
    environment: &impl Fn(&str) -> Option<OsString>,
) -> Result<(File, FoundRepository), SettingsError> {
    let home = super::home(environment);
    special::check(directory, environment("GIT_DIR"))?;
    let candidate = discover(directory, environment);
    let git_dir = candidate.as_ref().map(|candidate| candidate.git_dir.as_path());
    let branch = git_dir.and_then(branch);
    let options = init::Options {
        includes: includes::Options::follow(
            gix::config::path::interpolate::Context {
                git_install_dir: None,
                home_dir: home.as_deref(),
                home_for_user: Some(gix::config::path::interpolate::home_for_user),
            },
            includes::conditional::Context { git_dir, branch_name: branch.as_ref().map(AsRef::as_ref) },
        ),
        lossy: true,
        ignore_io_errors: false,
    };

    let mut config = files_of_user(environment)?;
    let command = command_scope(environment, options)?;
    let repository = match candidate {
        None => FoundRepository::NotFound,
        Some(ref candidate) => match candidate.refusal(&config, &command, options)? {
            Some(refusal) => FoundRepository::Refused { path: candidate.shown().to_owned(), refusal },
            None => {
                config.append(files_of_repository(&candidate.git_dir, environment)?).map_err(unreadable)?;
                FoundRepository::At(candidate.git_dir.clone())
            }
        },
    };
    config.resolve_includes(options).map_err(unreadable)?;
    config.append(command).map_err(unreadable)?;
    Ok((config, repository))
}

/// A repository before it is known whether git would touch it.
struct Candidate {
    git_dir: PathBuf,
    work_tree: Option<PathBuf>,
    /// Named by `GIT_DIR`: git asks nothing about its owner.
    named: bool,
    owned: bool,
}

impl Candidate {
    fn shown(&self) -> &Path {
        self.work_tree.as_deref().unwrap_or(&self.git_dir)
    }

    /// git `setup.c`: `ensure_valid_ownership` and `safe.bareRepository`, both decided by protected configuration: the
    /// system's, the user's and the command line's.
    fn refusal(
        &self,
        user: &File,
        command: &File,
        options: init::Options<'_>,
    ) -> Result<Option<Refusal>, SettingsError> {
        let implicitly_bare = self.work_tree.is_none() && self.git_dir.file_name() != Some(OsStr::new(".git"));
        if self.named || (self.owned && !implicitly_bare) {
            return Ok(None);
        }
        let mut protected = user.clone();
        protected.resolve_includes(options).map_err(unreadable)?;
        protected.append(command.clone()).map_err(unreadable)?;
        if implicitly_bare && protected.string("safe.bareRepository").is_some_and(|value| value == "explicit") {
            return Ok(Some(Refusal::Bare));
        }
        let listed = protected.strings("safe.directory").unwrap_or_default();
        let safe = self.owned || is_listed(self.shown(), &listed, options.includes.interpolate.home_dir);
        Ok((!safe).then_some(Refusal::Owner))
    }
}

fn discover(directory: &Path, environment: &impl Fn(&str) -> Option<OsString>) -> Option<Candidate> {
    if let Some(named) = environment("GIT_DIR") {
        let named = directory.join(named);
        let kind = gix::discover::is_git(&named).ok()?;
        let path = repository::Path::from_dot_git_dir(named, kind, directory)?;
        let (git_dir, work_tree) = path.into_repository_and_work_tree_directories();
        return Some(Candidate { git_dir, work_tree, named: true, owned: true });
    }
    let cross_fs = environment("GIT_DISCOVERY_ACROSS_FILESYSTEM")
        .and_then(|value| Boolean::try_from(value).ok())
        .is_some_and(bool::from);
    let options = upwards::Options {
        trust: upwards::TrustPolicy::Required(Trust::Reduced),
        match_ceiling_dir_or_error: false,
        cross_fs,
        current_dir: Some(directory),
        ..upwards::Options::default()
    };
    let (path, trust) = gix::discover::upwards_opts(directory, options.apply_environment()).ok()?;
    let (git_dir, work_tree) = path.into_repository_and_work_tree_directories();
    Some(Candidate { git_dir, work_tree, named: false, owned: trust == Trust::Full })
}

/// Whether `safe.directory` lists `path`: exactly, below `DIR/*`, or by `*`; an empty value forgets those before it.
fn is_listed(path: &Path, listed: &[gix::bstr::BString], home: Option<&Path>) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_missing| path.to_owned());
    let path = real(path);
    let mut safe = false;
    for item in listed {
        if item.is_empty() {
            safe = false;
        } else if item == "*" {
            safe = true;
        } else if let Ok(item) = item.to_path() {
            let item = match (item.strip_prefix("~"), home) {
                (Ok(below), Some(home)) => home.join(below),
                _ => item.to_owned(),
            };
            safe |= item.is_absolute()
                && if item.ends_with("*") {
                    item.parent().is_some_and(|parent| path.starts_with(real(parent)) && path != real(parent))
                } else {
                    path == real(&item)
                };
        }
    }
    safe
}

/// The branch that is checked out, for `includeIf.onbranch`.
fn branch(git_dir: &Path) -> Option<gix::refs::FullName> {
    let head = files::read(&git_dir.join("HEAD"), MAX_LINK_BYTES).ok()?;
    let name = head.strip_prefix(b"ref:")?.trim();
    gix::refs::FullName::try_from(name.as_bstr()).ok()
}

/// The system's file and the user's two, includes not yet followed.
fn files_of_user(environment: &impl Fn(&str) -> Option<OsString>) -> Result<File, SettingsError> {
    let mut variable = |name: &str| environment(name);
    let mut config = match Source::System.storage_location(&mut variable) {
        Some(path) => load(Source::System, path, false)?,
        None => File::default(),
    };
    // `GIT_CONFIG_GLOBAL` stands for both.
    let xdg = Source::Git.storage_location(&mut variable);
    let home = Source::User.storage_location(&mut variable).filter(|home| xdg.as_ref() != Some(home));
    for (source, path) in [(Source::Git, xdg), (Source::User, home)] {
        if let Some(path) = path {
            // git too passes over a file of the user's that the user may not read, as under `sudo -u`.
            config.append(load(source, path, true)?).map_err(unreadable)?;
        }
    }
    Ok(config)
}

/// The repository's file, and the linked worktree's where `extensions.worktreeConfig` says that there is one.
fn files_of_repository(git_dir: &Path, environment: &impl Fn(&str) -> Option<OsString>) -> Result<File, SettingsError> {
    let common = environment("GIT_COMMON_DIR").map(PathBuf::from).or_else(|| {
        let link = files::read(&git_dir.join("commondir"), MAX_LINK_BYTES).ok()?;
        Some(git_dir.join(link.trim_end().to_path().ok()?))
    });
    let mut config = load(Source::Local, common.as_deref().unwrap_or(git_dir).join("config"), false)?;
    if matches!(config.boolean("extensions.worktreeConfig"), Ok(Some(true))) {
        let worktree = load(Source::Worktree, git_dir.join("config.worktree"), false)?;
        config.append(worktree).map_err(unreadable)?;
    }
    Ok(config)
}

/// A file that is not there is no error. Where the user's is, `GIT_CONFIG_GLOBAL` may name a pipe.
fn load(source: Source, path: PathBuf, ignore_io_errors: bool) -> Result<File, SettingsError> {
    if matches!(source, Source::Local | Source::Worktree) && files::is_special(&path) {
        return Err(SettingsError::Special(path));
    }
    let options = init::Options { lossy: true, ignore_io_errors, ..init::Options::default() };
    let mut file = std::iter::once(Metadata::from(source).at(&path).with(Trust::Full));
    match File::from_paths_metadata_buf(&mut file, &mut Vec::with_capacity(1024), false, options) {
        Ok(config) => Ok(config.unwrap_or_default()),
        Err(error) => Err(SettingsError::GitConfig(format!("{}: {}", path.display(), causes(&error)))),
    }
}

/// `GIT_CONFIG_COUNT` and its pairs, then `GIT_CONFIG_PARAMETERS`, in git's order; both may include files.
fn command_scope(
    environment: &impl Fn(&str) -> Option<OsString>,
    options: init::Options<'_>,
) -> Result<File, SettingsError> {
    let mut config = File::from_env(options).map_err(unreadable)?.unwrap_or_default();
    let Some(parameters) = environment("GIT_CONFIG_PARAMETERS") else { return Ok(config) };
    let mut given = File::new(Metadata::from(Source::Cli));
    for parameter in git_parameters::parse(&parameters).map_err(SettingsError::GitParameters)? {
        let bad_key = || SettingsError::GitConfig(format!("\"{}\" is no key", parameter.key.as_bstr()));
        let key = KeyRef::parse_unvalidated(parameter.key.as_bstr()).ok_or_else(bad_key)?;
        given
            .section_mut_or_create_new(key.section_name, key.subsection_name)
            .and_then(|mut section| {
                section.push(key.value_name, parameter.value.as_deref().map(<[u8]>::as_bstr)).map(drop)
            })
            .map_err(|_error| bad_key())?;
    }
    given.resolve_includes(options).map_err(unreadable)?;
    config.append(given).map_err(unreadable)?;
    Ok(config)
}

fn unreadable(error: gix::Error) -> SettingsError {
    SettingsError::GitConfig(causes(&error))
}

/// A path, or a ref's name.
const MAX_LINK_BYTES: u64 = 1 << 16;

#[cfg(test)]
mod tests;
