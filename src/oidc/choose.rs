//! Which way of signing in suits this machine.

use std::fmt;
use std::path::Path;

use super::{Flow, LoginError};
use crate::settings::{LoginChoice, Settings};
use crate::terminal::NoTerminal;

/// The ways that a person can go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Browser,
    Device,
    OutOfBand,
}

/// The way, and why it was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) way: Way,
    why: &'static str,
}

impl fmt::Display for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flow = match self.way {
            Way::Browser => Flow::Browser,
            Way::Device => Flow::Device,
            Way::OutOfBand => Flow::OutOfBand,
        };
        write!(f, "signing in with {flow}: {}", self.why)
    }
}

/// What is here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Here<'a> {
    pub(super) settings: &'a Settings,
    /// The issuer offers RFC 8628.
    pub(super) issuer_has_device_flow: bool,
    /// Why nobody can be told a code.
    pub(super) no_terminal: Option<NoTerminal>,
    pub(super) desktop_system: bool,
    pub(super) container: bool,
}

impl<'a> Here<'a> {
    pub(super) fn look(settings: &'a Settings, issuer_has_device_flow: bool, no_terminal: Option<NoTerminal>) -> Self {
        let marked = || CONTAINER_MARKS.iter().any(|mark| Path::new(mark).exists());
        Self {
            settings,
            issuer_has_device_flow,
            no_terminal,
            desktop_system: cfg!(any(target_os = "macos", target_os = "windows")),
            container: settings.surroundings.container.is_some() || marked(),
        }
    }

    pub(super) fn choose(&self) -> Result<Chosen, LoginError> {
        let forced = |way| Ok(Chosen { way, why: "waxseal.login says so" });
        match (self.settings.login, self.no_terminal) {
            (LoginChoice::Auto, _) => self.suitable(),
            (LoginChoice::Browser, _) => forced(Way::Browser),
            (LoginChoice::Device | LoginChoice::OutOfBand, Some(reason)) => Err(LoginError::NoTerminal(reason)),
            (LoginChoice::Device, None) => forced(Way::Device),
            (LoginChoice::OutOfBand, None) => forced(Way::OutOfBand),
            (LoginChoice::Token, _) => Err(LoginError::NoToken),
            (LoginChoice::Ambient, _) => Err(LoginError::NoAmbientProvider),
        }
    }

    fn suitable(&self) -> Result<Chosen, LoginError> {
        let chosen = |way, why| Ok(Chosen { way, why });
        let around = &self.settings.surroundings;
        if self.settings.browser.is_some() {
            return chosen(Way::Browser, "waxseal.browser names one");
        }
        let display = self.display();
        // A browser over there comes back to a port over there, and one over here cannot reach that.
        let away = match (around.ssh, self.container) {
            (Some(_), _) => Some("this is an SSH session"),
            (None, true) => Some("this is a container"),
            (None, false) => None,
        };
        match (away, display, self.no_terminal) {
            (None, Some(why), _) => chosen(Way::Browser, why),
            (Some(why), _, None) if self.issuer_has_device_flow => chosen(Way::Device, why),
            (Some(_), Some(why), _) => chosen(Way::Browser, why),
            (_, None, Some(reason)) => Err(LoginError::NobodyThere(reason)),
            (_, None, None) if self.issuer_has_device_flow => chosen(Way::Device, "there is no display"),
            (_, None, None) => chosen(Way::OutOfBand, "there is no display, and the issuer offers no device flow"),
        }
    }

    /// Why a browser can be shown here, if it can.
    fn display(&self) -> Option<&'static str> {
        let around = &self.settings.surroundings;
        let here = around.ssh.is_none();
        match around.display {
            Some(_) => Some("there is a display"),
            None if around.browser => Some("BROWSER names one"),
            None if here && around.wsl.is_some() => Some("Windows has one, beside this Linux"),
            None if here && self.desktop_system => Some("this system has a desktop"),
            None => None,
        }
    }
}

/// What Docker and Podman leave in the root folder.
const CONTAINER_MARKS: [&str; 2] = ["/.dockerenv", "/run/.containerenv"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Surroundings;

    const NOT_THERE: Option<NoTerminal> = Some(NoTerminal::NotThere);

    fn chosen(settings: &Settings, change: impl FnOnce(&mut Here<'_>)) -> Result<Way, String> {
        let mut here =
            Here { settings, issuer_has_device_flow: true, no_terminal: None, desktop_system: false, container: false };
        change(&mut here);
        here.choose().map(|chosen| chosen.way).map_err(|error| error.to_string())
    }

    fn around(surroundings: Surroundings) -> Settings {
        Settings { surroundings, ..Settings::default() }
    }

    fn none() -> Surroundings {
        Surroundings::default()
    }

    #[test]
    fn a_machine_with_a_display() {
        for surroundings in [
            Surroundings { display: Some("DISPLAY"), ..none() },
            Surroundings { browser: true, ..none() },
            Surroundings { wsl: Some("WSL_DISTRO_NAME"), ..none() },
        ] {
            let settings = around(surroundings);
            assert_eq!(chosen(&settings, |_| {}), Ok(Way::Browser), "{settings:?}");
            assert_eq!(chosen(&settings, |here| here.no_terminal = NOT_THERE), Ok(Way::Browser), "{settings:?}");
        }
        assert_eq!(chosen(&around(none()), |here| here.desktop_system = true), Ok(Way::Browser));
    }

    #[test]
    fn a_machine_without_one() {
        let settings = around(none());
        assert_eq!(chosen(&settings, |_| {}), Ok(Way::Device));
        assert_eq!(chosen(&settings, |here| here.issuer_has_device_flow = false), Ok(Way::OutOfBand));
        assert_eq!(
            chosen(&settings, |here| here.no_terminal = NOT_THERE).unwrap_err(),
            "nobody can sign in here: there is no display for a browser, and no code can be shown: there is no terminal"
        );
        let named = Settings { browser: Some("firefox".to_owned()), ..Settings::default() };
        assert_eq!(chosen(&named, |_| {}), Ok(Way::Browser));
    }

    #[test]
    fn a_machine_far_away() {
        let ssh = |display| around(Surroundings { ssh: Some("SSH_CONNECTION"), display, ..none() });
        assert_eq!(chosen(&ssh(None), |here| here.desktop_system = true), Ok(Way::Device));
        assert_eq!(chosen(&ssh(None), |here| here.issuer_has_device_flow = false), Ok(Way::OutOfBand));
        assert_eq!(chosen(&ssh(Some("DISPLAY")), |_| {}), Ok(Way::Device));
        assert_eq!(chosen(&ssh(Some("DISPLAY")), |here| here.issuer_has_device_flow = false), Ok(Way::Browser));
        assert_eq!(chosen(&ssh(Some("DISPLAY")), |here| here.no_terminal = NOT_THERE), Ok(Way::Browser));
        let settings = around(Surroundings { display: Some("DISPLAY"), ..none() });
        assert_eq!(chosen(&settings, |here| here.container = true), Ok(Way::Device));
        let settings = around(none());
        assert_eq!(
            chosen(&settings, |here| {
                here.container = true;
                here.issuer_has_device_flow = false;
            }),
            Ok(Way::OutOfBand)
        );
    }

    #[test]
    fn what_the_setting_says() {
        let forced = |login| Settings { login, ..around(Surroundings { display: Some("DISPLAY"), ..none() }) };
        for (login, way) in [
            (LoginChoice::Browser, Way::Browser),
            (LoginChoice::Device, Way::Device),
            (LoginChoice::OutOfBand, Way::OutOfBand),
        ] {
            assert_eq!(chosen(&forced(login), |_| {}), Ok(way));
        }
        assert_eq!(
            chosen(&forced(LoginChoice::OutOfBand), |here| here.no_terminal = NOT_THERE).unwrap_err(),
            "no code can be shown: there is no terminal"
        );
        assert_eq!(
            chosen(&forced(LoginChoice::Device), |here| here.no_terminal = Some(NoTerminal::Forbidden)).unwrap_err(),
            "no code can be shown: GIT_TERMINAL_PROMPT keeps waxseal from the terminal"
        );
        assert!(chosen(&forced(LoginChoice::Token), |_| {}).is_err());
    }
}
