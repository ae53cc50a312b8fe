//! One value out of git config and the environment.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use gix::config::path::interpolate::{Context, home_for_user};
use gix::config::{Boolean, File};
use zeroize::Zeroizing;

use super::choices::Choice;
use super::keys::{CA_FILE, Key};
use super::network::{NO_PROXY_VARIABLES, NetworkSettings, PROXY_VARIABLES, ProxySetting};
use super::{Secret, SettingsError};
use crate::trust_age::MaxTrustAge;

/// Both places where a value may stand.
pub(super) struct Source<'a, E> {
    pub(super) config: &'a File,
    /// Keys that are taken as not set, with their section.
    pub(super) without: &'a [&'a str],
    pub(super) environment: &'a E,
}

impl<E: Fn(&str) -> Option<OsString>> Source<'_, E> {
    /// Git config, unless the key is taken as not set.
    fn config_for(&self, key: &Key) -> Option<&File> {
        (!self.without.contains(&full_name(key).as_str())).then_some(self.config)
    }

    /// A variable of the environment; an empty one is not set.
    pub(super) fn variable(&self, name: &'static str) -> Result<Option<String>, SettingsError> {
        match (self.environment)(name).filter(|value| !value.is_empty()) {
            Some(value) => value.into_string().map(Some).map_err(|_bytes| SettingsError::NotUtf8(name.to_owned())),
            None => Ok(None),
        }
    }

    /// One text; an empty one is not set.
    pub(super) fn text(&self, key: &Key) -> Result<Option<String>, SettingsError> {
        if let Some(value) = self.variable(key.variable)? {
            return Ok(Some(value));
        }
        match self.config_for(key).and_then(|config| config.string_implicit_by("waxseal", None, key.name)) {
            Some(Some(value)) if value.is_empty() => Ok(None),
            Some(Some(value)) => utf8(key, value.into()).map(Some),
            Some(None) => Err(SettingsError::NoValue(full_name(key))),
            None => Ok(None),
        }
    }

    pub(super) fn network(&self, home: Option<&Path>) -> Result<NetworkSettings, SettingsError> {
        Ok(NetworkSettings {
            ca_file: self.path(&CA_FILE, home)?,
            proxy: self
                .first_of(&PROXY_VARIABLES)?
                .map(|(variable, address)| ProxySetting { variable, address: Secret(Zeroizing::new(address)) }),
            no_proxy: self.first_of(&NO_PROXY_VARIABLES)?.map(|(_, hosts)| hosts),
        })
    }

    /// The first of these variables that is set.
    pub(super) fn first_of(&self, names: &[&'static str]) -> Result<Option<(&'static str, String)>, SettingsError> {
        for name in names {
            if let Some(value) = self.variable(name)? {
                return Ok(Some((name, value)));
            }
        }
        Ok(None)
    }

    pub(super) fn choice<C: Choice>(&self, key: &Key) -> Result<Option<C>, SettingsError> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        match C::WORDS.iter().find(|(word, _)| *word == text) {
            Some((_, choice)) => Ok(Some(*choice)),
            None => {
                let words = C::WORDS.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
                let name = match self.variable(key.variable)? {
                    Some(_) => key.variable.to_owned(),
                    None => full_name(key),
                };
                Err(SettingsError::NotAChoice { name, value: text, words })
            }
        }
    }

    pub(super) fn age(&self, key: &Key) -> Result<Option<MaxTrustAge>, SettingsError> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let name = match self.variable(key.variable)? {
            Some(_) => key.variable.to_owned(),
            None => full_name(key),
        };
        text.parse().map(Some).map_err(|_not_an_age| SettingsError::NotAnAge { name, value: text })
    }

    /// A path as git has it; an empty one is not set.
    pub(super) fn path(&self, key: &Key, home: Option<&Path>) -> Result<Option<PathBuf>, SettingsError> {
        if let Some(value) = (self.environment)(key.variable).filter(|value| !value.is_empty()) {
            return Ok(Some(value.into()));
        }
        if self.text(key)?.is_none() {
            return Ok(None);
        }
        let Some(path) = self.config_for(key).and_then(|config| config.path_by("waxseal", None, key.name)) else {
            return Ok(None);
        };
        let context = Context { git_install_dir: None, home_dir: home, home_for_user: Some(home_for_user) };
        let path = path.interpolate(context).map_err(|_error| SettingsError::NoHome(full_name(key)))?;
        Ok(Some(path))
    }

    pub(super) fn list(&self, key: &Key) -> Result<Option<Vec<String>>, SettingsError> {
        if let Some(lines) = self.variable(key.variable)? {
            let items = lines.lines().map(str::trim).filter(|line| !line.is_empty());
            return Ok(Some(items.map(str::to_owned).collect()));
        }
        let Some(values) = self.config_for(key).and_then(|config| config.strings_by("waxseal", None, key.name)) else {
            return Ok(None);
        };
        let mut items = Vec::new();
        for value in values {
            if value.is_empty() {
                items.clear();
            } else {
                items.push(utf8(key, value.into())?);
            }
        }
        Ok(Some(items))
    }

    pub(super) fn boolean(&self, key: &Key) -> Result<bool, SettingsError> {
        if let Some(value) = self.variable(key.variable)? {
            return boolean(key.variable, &value);
        }
        match self.config_for(key).and_then(|config| config.string_implicit_by("waxseal", None, key.name)) {
            Some(Some(value)) => boolean(&full_name(key), &utf8(key, value.into())?),
            Some(None) => Ok(true),
            None => Ok(false),
        }
    }
}

/// git's rules for booleans.
pub(super) fn boolean(name: &str, value: &str) -> Result<bool, SettingsError> {
    Boolean::try_from(value)
        .map(bool::from)
        .map_err(|_error| SettingsError::NotBoolean { name: name.to_owned(), value: value.to_owned() })
}

fn utf8(key: &Key, value: Vec<u8>) -> Result<String, SettingsError> {
    String::from_utf8(value).map_err(|_bytes| SettingsError::NotUtf8(full_name(key)))
}

fn full_name(key: &Key) -> String {
    format!("waxseal.{}", key.name)
}
