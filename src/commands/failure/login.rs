//! What to do about a login that gave no identity token.

use super::{service, service_hint};
use crate::command_error::CommandError;
use crate::oidc::{AmbientProblem, AmbientProvider, ClaimsVerificationError, CommandProblem, LoginError, Opener};
use crate::services::{Problem, ServiceError, ServiceName};
use crate::terminal::NoTerminal;

pub(in crate::commands) fn login(error: LoginError) -> CommandError {
    let hint = match &error {
        LoginError::Service(error) => return service(error.clone()),
        LoginError::Ambient { provider, problem: AmbientProblem::Service(service) } => {
            let (hint, is_outage) = (ambient_hint(*provider, service), service.problem.is_outage());
            return CommandError::failed(error).hint(hint).of_outage(is_outage);
        }
        LoginError::NoToken => "WAXSEAL_ID_TOKEN holds one, or waxseal.tokenCommand prints one",
        LoginError::TokenCommand(CommandProblem::NotStarted { program, .. }) => {
            let hint = format!("install {program}, or have waxseal.tokenCommand name another program");
            return CommandError::failed(error).hint(hint);
        }
        LoginError::Ambient { problem: AmbientProblem::Command(CommandProblem::NotStarted { .. }), .. } => {
            "the image of the job must have CircleCI's command line in its PATH; WAXSEAL_ID_TOKEN takes a token from \
             elsewhere"
        }
        LoginError::Ambient { .. } | LoginError::NoAmbientProvider => {
            "docs/login.md says what each CI system needs; WAXSEAL_ID_TOKEN takes a token from elsewhere"
        }
        LoginError::TokenCommand(_) | LoginError::TokenOfCommand(_) => {
            "it must print an identity token and nothing else, and end with 0"
        }
        LoginError::TokenCommandTemplate(_) => "it is a program and its arguments, without a shell",
        LoginError::BrowserTemplate(_) => "it is a program and its arguments, such as \"firefox --new-window {url}\"",
        LoginError::Environment(_) => "unset WAXSEAL_ID_TOKEN and SIGSTORE_ID_TOKEN to sign in with a browser",
        LoginError::NoBrowser { reason: NoTerminal::Forbidden, .. } => {
            "set waxseal.browser to one that starts, unset GIT_TERMINAL_PROMPT, or give an identity token in \
             WAXSEAL_ID_TOKEN"
        }
        LoginError::NoBrowser { opener: Opener::Template(_), .. } => {
            "correct waxseal.browser, run Git from a terminal, or give an identity token in WAXSEAL_ID_TOKEN"
        }
        LoginError::NoBrowser { .. } => {
            "set waxseal.browser, run Git from a terminal, or give an identity token in WAXSEAL_ID_TOKEN"
        }
        LoginError::NoTerminal(NoTerminal::Forbidden) | LoginError::NobodyThere(NoTerminal::Forbidden) => {
            "unset GIT_TERMINAL_PROMPT, set waxseal.browser, or give an identity token in WAXSEAL_ID_TOKEN"
        }
        LoginError::NobodyCameBack(_) => {
            "did no browser open? \"waxseal login\" in a terminal shows the address, and signs in for what is signed later; \
             waxseal.browser names another browser"
        }
        LoginError::NobodyThere(NoTerminal::NotThere) => {
            "run Git from a terminal, set waxseal.browser, or give an identity token in WAXSEAL_ID_TOKEN"
        }
        LoginError::NoTerminal(NoTerminal::NotThere) => "run Git from a terminal, or take waxseal.login away",
        LoginError::NoDeviceFlow(_) => "waxseal.login = oob lets you copy a code instead",
        LoginError::DeviceCodeExpired | LoginError::NoCode | LoginError::TimedOut(_) | LoginError::Refused { .. } => {
            "run the command again to sign in anew"
        }
        LoginError::IssuerMismatch { .. } => {
            "the issuer's address in the signing config must be the one it calls itself, byte for byte"
        }
        LoginError::Listen(_) => "the browser has to come back to a port of this machine",
        LoginError::IdToken(ClaimsVerificationError::Expired(_)) => {
            "is the clock right? if it is, the issuer is misconfigured"
        }
        LoginError::IdToken(ClaimsVerificationError::InvalidAudience(_)) => {
            "waxseal.clientId says for whom tokens are made; the issuer must know that client"
        }
        LoginError::IdToken(ClaimsVerificationError::InvalidNonce(_)) => {
            "the token was made for another login, which may be somebody else's: run the command again, and if this is said \
             again, tell whoever runs the issuer"
        }
        LoginError::OtherIssuer(_) => {
            "somebody may be mixing up logins: sign in anew with nothing else open, and if this is said again, tell whoever \
             runs the issuer"
        }
        LoginError::UnnamedIssuer => {
            "its discovery document promises \"iss\" (RFC 9207), and something left it out: tell whoever runs the issuer"
        }
        LoginError::AccessTokenHash
        | LoginError::AuthorizationEndpoint(_)
        | LoginError::DevicePage(_)
        | LoginError::IdToken(_)
        | LoginError::Malformed(_)
        | LoginError::NoIdToken
        | LoginError::NoPkce(_) => "tell whoever runs the issuer",
    };
    CommandError::failed(error).hint(hint)
}

/// A CI system's or a cloud's service is nowhere in the signing config: the environment holds its address, and its
/// permissions are given elsewhere.
fn ambient_hint(provider: AmbientProvider, error: &ServiceError) -> String {
    let place = place(provider, error.service);
    match error.problem {
        Problem::Unreachable(_) | Problem::TimedOut(_) => format!("is the network up? {place}"),
        Problem::Refused { status: 401 | 403, .. } => permission(provider, error.service).to_owned(),
        Problem::Refused { status: 400, .. } => {
            "is the token's audience right? waxseal.clientId or the instance says for whom tokens are made".to_owned()
        }
        Problem::Refused { status: 429 | 500.., .. }
        | Problem::Certificate(_)
        | Problem::LoggedAlready { .. }
        | Problem::NoClient(_) => service_hint(error).to_owned(),
        Problem::BadAddress | Problem::Insecure => place.to_owned(),
        Problem::Broken(_) | Problem::Garbage(_) | Problem::TooLarge(_) | Problem::Refused { .. } => {
            format!("is this the address of the service? {place}")
        }
    }
}

/// What holds the address of the service that was asked.
fn place(provider: AmbientProvider, service: ServiceName) -> &'static str {
    match (provider, service) {
        (AmbientProvider::Buildkite, _) => "BUILDKITE_AGENT_ENDPOINT holds it where it is set",
        (AmbientProvider::GitHubActions, _) => "ACTIONS_ID_TOKEN_REQUEST_URL holds it, as the runner sets it",
        (AmbientProvider::GoogleCloud, ServiceName::MetadataServer) => {
            "GCE_METADATA_HOST holds its host where it is set; NO_GCE_CHECK=true says that this is no machine of Google's"
        }
        (AmbientProvider::GoogleCloud, _) => "GOOGLE_SERVICE_ACCOUNT_NAME holds the account that is part of it",
        // They ask no service.
        (AmbientProvider::CircleCi | AmbientProvider::Filesystem | AmbientProvider::GitLab, _) => {
            "docs/login.md says more"
        }
    }
}

/// What lets the job have a token.
fn permission(provider: AmbientProvider, service: ServiceName) -> &'static str {
    match (provider, service) {
        (AmbientProvider::Buildkite, _) => {
            "BUILDKITE_AGENT_ACCESS_TOKEN must be the running job's own, and BUILDKITE_JOB_ID that job"
        }
        (AmbientProvider::GitHubActions, _) => {
            "the job needs \"permissions: id-token: write\", which jobs of a fork's pull request never get"
        }
        (AmbientProvider::GoogleCloud, ServiceName::MetadataServer) => {
            "let the machine use its service account; on GKE that takes the role roles/iam.workloadIdentityUser"
        }
        (AmbientProvider::GoogleCloud, _) => {
            "give the machine's own account the role roles/iam.serviceAccountOpenIdTokenCreator on the one of \
             GOOGLE_SERVICE_ACCOUNT_NAME, and the machine the access scope cloud-platform"
        }
        // They ask no service.
        (AmbientProvider::CircleCi | AmbientProvider::Filesystem | AmbientProvider::GitLab, _) => {
            "docs/login.md says more"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_or_answer_of_another_login_is_not_the_clock_s_fault() {
        let hint = |error| login(error).hints().join("");
        let nonce = hint(LoginError::IdToken(ClaimsVerificationError::InvalidNonce(String::new())));
        assert!(nonce.contains("another login") && !nonce.contains("clock"), "{nonce}");
        assert!(hint(LoginError::UnnamedIssuer).contains("promises \"iss\" (RFC 9207)"));
        assert!(hint(LoginError::OtherIssuer(String::new())).contains("mixing up logins"));
    }

    #[test]
    fn a_ci_system_s_service_is_not_looked_for_in_the_signing_config() {
        let refused = |status| Problem::Refused { status, said: String::new() };
        for provider in [AmbientProvider::Buildkite, AmbientProvider::GitHubActions, AmbientProvider::GoogleCloud] {
            for service in [ServiceName::TokenService, ServiceName::MetadataServer] {
                for problem in [
                    Problem::BadAddress,
                    Problem::Garbage(String::new()),
                    Problem::Insecure,
                    Problem::Unreachable(String::new()),
                    refused(404),
                ] {
                    let error = ServiceError::new(service, "https://a.example", problem);
                    let hint = ambient_hint(provider, &error);
                    assert!(hint.contains(place(provider, service)) && !hint.contains("signing config"), "{hint}");
                }
                let hint = |status| ambient_hint(provider, &ServiceError::new(service, "", refused(status)));
                assert_eq!(
                    (hint(401), hint(403)),
                    (permission(provider, service).into(), permission(provider, service).into())
                );
                assert!(hint(429).contains("too many") && hint(400).contains("audience"));
            }
        }
    }
}
