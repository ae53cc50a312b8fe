//! What the environment tells of where this runs: which decides how a person can sign in, and whether a CI system has a
//! token to give. Reading it costs nothing, and nothing in it can be wrong: what cannot be used is not there.

use std::ffi::OsString;

use zeroize::Zeroizing;

use super::Secret;

/// Where this runs, as far as variables tell.
#[derive(Debug, Default)]
pub struct Surroundings {
    /// The variable that promises a desktop: `WAYLAND_DISPLAY` or `DISPLAY`.
    pub display: Option<&'static str>,
    /// `BROWSER` is set.
    pub browser: bool,
    /// The variable that an SSH session sets.
    pub ssh: Option<&'static str>,
    /// The variable that the Windows Subsystem for Linux sets.
    pub wsl: Option<&'static str>,
    /// The variable that container engines set.
    pub container: Option<&'static str>,
    /// The terminal shows block elements and colours: `TERM`, and UTF-8 in `LC_ALL`, `LC_CTYPE` or `LANG`.
    pub draws_blocks: bool,
    /// `TERM` is `dumb`: the terminal can only go on, and not write over what stands there.
    pub dumb_terminal: bool,
    /// What CI systems give their jobs.
    pub ci: CiVariables,
}

/// What CI systems give their jobs. Tokens in it are secrets.
#[derive(Debug, Default)]
pub struct CiVariables {
    /// `GITHUB_ACTIONS`
    pub github_actions: bool,
    /// `ACTIONS_ID_TOKEN_REQUEST_URL`
    pub github_request_url: Option<String>,
    /// `ACTIONS_ID_TOKEN_REQUEST_TOKEN`
    pub github_request_token: Option<Secret>,
    /// Where `GITLAB_CI` is set: every variable whose name ends in `_ID_TOKEN`.
    pub gitlab_id_tokens: Option<Vec<(String, Secret)>>,
    /// `BUILDKITE_AGENT_ACCESS_TOKEN`
    pub buildkite_agent_token: Option<Secret>,
    /// `BUILDKITE_AGENT_ENDPOINT`
    pub buildkite_endpoint: Option<String>,
    /// `BUILDKITE_JOB_ID`
    pub buildkite_job: Option<String>,
    /// `CIRCLECI`
    pub circleci: bool,
    /// `NO_GCE_CHECK` is `true`, as Google's own libraries have it: this is not to be taken for a machine of Google's.
    pub not_google: bool,
    /// `GCE_METADATA_HOST`, as Google's own libraries have it.
    pub google_metadata_host: Option<String>,
    /// `GOOGLE_SERVICE_ACCOUNT_NAME`: whom to act for.
    pub google_service_account: Option<String>,
}

impl Surroundings {
    pub(super) fn read(
        environment: &impl Fn(&str) -> Option<OsString>,
        all: impl Iterator<Item = (OsString, OsString)>,
    ) -> Self {
        let text = |name: &str| environment(name).filter(|value| !value.is_empty())?.into_string().ok();
        let first = |names: &[&'static str]| names.iter().copied().find(|name| text(name).is_some());
        let locale = text("LC_ALL").or_else(|| text("LC_CTYPE")).or_else(|| text("LANG")).unwrap_or_default();
        let locale = locale.to_ascii_lowercase();
        let utf8 = locale.contains("utf-8") || locale.contains("utf8");
        Self {
            display: first(&["WAYLAND_DISPLAY", "DISPLAY"]),
            browser: text("BROWSER").is_some(),
            ssh: first(&["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"]),
            wsl: first(&["WSL_DISTRO_NAME", "WSL_INTEROP"]),
            container: first(&["container", "KUBERNETES_SERVICE_HOST"]),
            draws_blocks: utf8 && text("TERM").is_some_and(|terminal| terminal != "dumb"),
            dumb_terminal: text("TERM").is_some_and(|terminal| terminal == "dumb"),
            ci: CiVariables::read(&text, all),
        }
    }
}

impl CiVariables {
    fn read(text: &impl Fn(&str) -> Option<String>, all: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let secret = |name: &str| text(name).map(Secret::new);
        let id_tokens = || {
            let named = all.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
            let tokens = named.filter(|(name, value)| name.ends_with(GITLAB_ID_TOKEN) && !value.is_empty());
            tokens.map(|(name, value)| (name, Secret::new(value))).collect()
        };
        Self {
            github_actions: text("GITHUB_ACTIONS").is_some(),
            github_request_url: text("ACTIONS_ID_TOKEN_REQUEST_URL"),
            github_request_token: secret("ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
            gitlab_id_tokens: text("GITLAB_CI").map(|_| id_tokens()),
            buildkite_agent_token: secret("BUILDKITE_AGENT_ACCESS_TOKEN"),
            buildkite_endpoint: text("BUILDKITE_AGENT_ENDPOINT"),
            buildkite_job: text("BUILDKITE_JOB_ID"),
            circleci: text("CIRCLECI").is_some(),
            not_google: text("NO_GCE_CHECK").is_some_and(|value| value.eq_ignore_ascii_case("true")),
            google_metadata_host: text("GCE_METADATA_HOST"),
            google_service_account: text("GOOGLE_SERVICE_ACCOUNT_NAME"),
        }
    }
}

impl Secret {
    /// A text that is wiped from memory when it is dropped.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

const GITLAB_ID_TOKEN: &str = "_ID_TOKEN";

#[cfg(test)]
mod tests {
    use super::*;

    fn surroundings(variables: &[(&str, &str)]) -> Surroundings {
        let find = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(*value));
        Surroundings::read(&find, variables.iter().map(|(name, value)| (OsString::from(*name), OsString::from(*value))))
    }

    #[test]
    fn nothing_is_made_of_nothing() {
        let nothing = surroundings(&[("DISPLAY", ""), ("TERM", "dumb"), ("LANG", "C.UTF-8"), ("A_ID_TOKEN", "t")]);
        assert_eq!((nothing.display, nothing.ssh, nothing.draws_blocks), (None, None, false));
        assert!(nothing.dumb_terminal && nothing.ci.gitlab_id_tokens.is_none());
    }

    #[test]
    fn where_this_runs() {
        let here = surroundings(&[
            ("DISPLAY", ":0"),
            ("SSH_CONNECTION", "1.2.3.4 5 6.7.8.9 22"),
            ("TERM", "xterm"),
            ("LC_ALL", ""),
            ("LANG", "en_GB.utf8"),
            ("GITLAB_CI", "true"),
            ("SIGSTORE_ID_TOKEN", "t"),
            ("OTHER_TOKEN", "u"),
        ]);
        assert_eq!((here.display, here.ssh, here.draws_blocks), (Some("DISPLAY"), Some("SSH_CONNECTION"), true));
        let tokens = here.ci.gitlab_id_tokens.unwrap();
        assert_eq!(tokens.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["SIGSTORE_ID_TOKEN"]);
    }
}
