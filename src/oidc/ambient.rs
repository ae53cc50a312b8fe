//! The identity tokens that CI systems and clouds give to what runs there.
//!
//! Whether this is one of them is told by variables and files alone: nobody is asked over the network on a machine that is
//! none of them.

mod google;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, StatusCode};
use serde_json::{Value, json};
use url::Url;
use zeroize::Zeroizing;

use super::command::{self, CommandProblem};
use super::{LoginError, UnattendedSources};
use crate::files::{self, ReadError};
use crate::identity_token::{IdentityToken, MalformedIdentityToken};
use crate::services::ServiceError;
use crate::services::http::{Http, Problem, Repeat, ServiceName};
use crate::settings::{CiVariables, LoginChoice, Secret};

/// Who gives tokens to what runs there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AmbientProvider {
    /// `BUILDKITE_AGENT_ACCESS_TOKEN`
    Buildkite,
    /// `CIRCLECI`
    CircleCi,
    /// A file that a cluster mounts where cosign looks for it, too.
    Filesystem,
    /// `GITHUB_ACTIONS`
    GitHubActions,
    /// `GITLAB_CI`
    GitLab,
    /// A virtual machine of Google's.
    GoogleCloud,
}

impl fmt::Display for AmbientProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Buildkite => "Buildkite",
            Self::CircleCi => "CircleCI",
            Self::Filesystem => "the mounted token file",
            Self::GitHubActions => "GitHub Actions",
            Self::GitLab => "GitLab CI",
            Self::GoogleCloud => "Google Cloud",
        })
    }
}

/// Where things are that are not in the environment.
#[derive(Clone, Debug)]
pub(super) struct Places {
    pub(super) token_file: PathBuf,
    /// What a machine's firmware says it is.
    pub(super) product_name: PathBuf,
    pub(super) google_impersonation: String,
    /// The program, and what comes before its arguments.
    pub(super) circleci: Vec<String>,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            token_file: "/var/run/sigstore/cosign/oidc-token".into(),
            product_name: "/sys/class/dmi/id/product_name".into(),
            google_impersonation: "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/".to_owned(),
            circleci: vec!["circleci".to_owned()],
        }
    }
}

/// The token of the first provider that is there. One that is there and gives none is an error: the job is not set up as
/// it should be, and who would sign in on a CI machine?
pub(super) async fn token(
    sources: &UnattendedSources<'_>,
    places: &Places,
    http: &Http,
) -> Result<Option<(IdentityToken, AmbientProvider)>, LoginError> {
    let Some(provider) = detect(sources, places) else { return Ok(None) };
    let job = Job { ci: &sources.settings.surroundings.ci, audience: sources.audience, places, http };
    let outcome = match provider {
        AmbientProvider::Buildkite => job.buildkite().await,
        AmbientProvider::CircleCi => job.circleci().await,
        AmbientProvider::Filesystem => job.filesystem(),
        AmbientProvider::GitHubActions => job.github_actions().await,
        AmbientProvider::GitLab => job.gitlab(),
        AmbientProvider::GoogleCloud => match job.google_cloud().await {
            // A machine without an account of its own is a machine like any other.
            Err(AmbientProblem::NoAccount) if sources.settings.login == LoginChoice::Auto => return Ok(None),
            outcome => outcome,
        },
    };
    match outcome {
        Ok(token) => Ok(Some((token, provider))),
        Err(problem) => Err(LoginError::Ambient { provider, problem }),
    }
}

fn detect(sources: &UnattendedSources<'_>, places: &Places) -> Option<AmbientProvider> {
    let surroundings = &sources.settings.surroundings;
    let ci = &surroundings.ci;
    let google = || {
        // Many work on such a machine over SSH, and their commits are theirs, not the machine's.
        let person = surroundings.ssh.is_some() || surroundings.display.is_some();
        (sources.settings.login == LoginChoice::Ambient || !person) && google::is_there(ci, places)
    };
    if ci.github_actions || ci.github_request_token.is_some() {
        Some(AmbientProvider::GitHubActions)
    } else if ci.gitlab_id_tokens.is_some() {
        Some(AmbientProvider::GitLab)
    } else if ci.buildkite_agent_token.is_some() {
        Some(AmbientProvider::Buildkite)
    } else if ci.circleci {
        Some(AmbientProvider::CircleCi)
    } else if google() {
        Some(AmbientProvider::GoogleCloud)
    } else if places.token_file.exists() {
        Some(AmbientProvider::Filesystem)
    } else {
        None
    }
}

/// What is asked of a provider.
struct Job<'a> {
    ci: &'a CiVariables,
    audience: &'a str,
    places: &'a Places,
    http: &'a Http,
}

impl Job<'_> {
    async fn github_actions(&self) -> Result<IdentityToken, AmbientProblem> {
        let (Some(address), Some(secret)) = (&self.ci.github_request_url, &self.ci.github_request_token) else {
            return Err(AmbientProblem::NotSetUp("the job needs \"permissions: id-token: write\""));
        };
        let mut address = Url::parse(address).map_err(|_| self.bad_address(address))?;
        address.query_pairs_mut().append_pair("audience", self.audience);
        let body = self.ask(Method::GET, address.as_str(), Some(("bearer", secret)), None).await?;
        self.member(address.as_str(), &body, "value")
    }

    /// The job names its tokens itself, under `id_tokens`; the first of these names is what others expect, too.
    fn gitlab(&self) -> Result<IdentityToken, AmbientProblem> {
        let letters = self.audience.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' });
        let name = format!("{}_ID_TOKEN", letters.collect::<String>().to_ascii_uppercase());
        let tokens = self.ci.gitlab_id_tokens.iter().flatten();
        let Some((_, token)) = tokens.into_iter().find(|(variable, _)| *variable == name) else {
            return Err(AmbientProblem::NoIdTokens { name, audience: self.audience.to_owned() });
        };
        Ok(IdentityToken::parse(token.expose().trim().to_owned())?)
    }

    async fn buildkite(&self) -> Result<IdentityToken, AmbientProblem> {
        let (Some(secret), Some(job)) = (&self.ci.buildkite_agent_token, &self.ci.buildkite_job) else {
            return Err(AmbientProblem::NotSetUp("there is no BUILDKITE_JOB_ID"));
        };
        let base = self.ci.buildkite_endpoint.as_deref().unwrap_or(BUILDKITE_ENDPOINT);
        let mut address = Url::parse(base).map_err(|_| self.bad_address(base))?;
        match address.path_segments_mut() {
            Ok(mut path) => drop(path.pop_if_empty().extend(["jobs", job, "oidc", "tokens"])),
            Err(()) => return Err(self.bad_address(base)),
        }
        let wish = json!({ "audience": self.audience });
        let body = self.ask(Method::POST, address.as_str(), Some(("Token", secret)), Some(wish)).await?;
        self.member(address.as_str(), &body, "token")
    }

    async fn circleci(&self) -> Result<IdentityToken, AmbientProblem> {
        let claims = json!({ "aud": self.audience }).to_string();
        let arguments = ["run", "oidc", "get", "--claims", &claims, "--root-issuer"].map(str::to_owned);
        let words = [self.places.circleci.as_slice(), &arguments].concat();
        let printed = command::output(&words, COMMAND_TIME).await?;
        Ok(IdentityToken::parse(String::clone(&printed))?)
    }

    fn filesystem(&self) -> Result<IdentityToken, AmbientProblem> {
        let path = &self.places.token_file;
        let failed = |error| AmbientProblem::File { path: path.clone(), error };
        let bytes = Zeroizing::new(files::read(path, MAX_FILE_BYTES).map_err(failed)?);
        let text = std::str::from_utf8(&bytes).map_err(|_| MalformedIdentityToken::Parts)?;
        Ok(IdentityToken::parse(text.trim().to_owned())?)
    }

    /// One request, of which the answer must be 200 or 201.
    async fn ask(
        &self,
        method: Method,
        address: &str,
        secret: Option<(&str, &Secret)>,
        json: Option<Value>,
    ) -> Result<Vec<u8>, AmbientProblem> {
        let mut request = Request::builder().method(method).uri(address);
        if let Some((scheme, secret)) = secret {
            let unfit = |_| AmbientProblem::NotSetUp("its access token has characters that no header may have");
            let mut value = HeaderValue::try_from(format!("{scheme} {}", secret.expose())).map_err(unfit)?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let body = match json {
            Some(json) => {
                request = request.header(CONTENT_TYPE, "application/json");
                json.to_string().into_bytes()
            }
            None => Vec::new(),
        };
        let request = request.body(body).map_err(|_| self.bad_address(address))?;
        let response = self.http.send(ServiceName::TokenService, Repeat::Always, &request).await?;
        match response.status() {
            StatusCode::OK | StatusCode::CREATED => Ok(response.into_body()),
            _ => Err(ServiceError::refused(ServiceName::TokenService, address, &response).into()),
        }
    }

    /// The token in a JSON object.
    fn member(&self, address: &str, body: &[u8], name: &str) -> Result<IdentityToken, AmbientProblem> {
        let object: Option<Value> = serde_json::from_slice(body).ok();
        let token = object.as_ref().and_then(|object| object.get(name)).and_then(Value::as_str);
        let garbage = || {
            ServiceError::garbage(ServiceName::TokenService, address, format_args!("it has no text member {name:?}"))
        };
        Ok(IdentityToken::parse(token.ok_or_else(garbage)?.to_owned())?)
    }

    fn bad_address(&self, address: &str) -> AmbientProblem {
        ServiceError::new(ServiceName::TokenService, address, Problem::BadAddress).into()
    }
}

/// Why a provider that is there gave no token.
#[derive(Debug, thiserror::Error)]
pub enum AmbientProblem {
    /// Its program did not give one.
    #[error("{0}")]
    Command(#[from] CommandProblem),
    /// Its file cannot be read.
    #[error("{path}: {error}", path = .path.display())]
    File {
        /// Where it is mounted.
        path: PathBuf,
        /// Why.
        error: ReadError,
    },
    /// What it gave is no token.
    #[error("{0}")]
    Malformed(#[from] MalformedIdentityToken),
    /// The machine has no account.
    #[error("the machine has no service account")]
    NoAccount,
    /// GitLab makes tokens for those who ask beforehand.
    #[error("the job has no {name}: its \"id_tokens:\" must list it, with \"aud: {audience}\"")]
    NoIdTokens {
        /// The variable.
        name: String,
        /// Whom the token is for.
        audience: String,
    },
    /// Something is missing in the job's environment.
    #[error("{0}")]
    NotSetUp(&'static str),
    /// It could not be asked.
    #[error("{0}")]
    Service(#[from] ServiceError),
}

const BUILDKITE_ENDPOINT: &str = "https://agent.buildkite.com/v3";
/// A program that asks a server.
const COMMAND_TIME: Duration = Duration::from_secs(30);
/// As long as an identity token may be, and a line break.
const MAX_FILE_BYTES: u64 = (64 << 10) + 2;
