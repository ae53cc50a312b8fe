//! Identity tokens that nobody has to sign in for.

use std::time::Duration;

use super::ambient::{self, Places};
use super::command;
use super::template::words;
use super::{Flow, LoginError, Obtained, UnattendedSources};
use crate::identity_token::IdentityToken;
use crate::services::http::Http;
use crate::settings::LoginChoice;

/// The token of the environment, else that of `waxseal.tokenCommand`, else a CI system's or a cloud's; `None` when there
/// is none of them, or `waxseal.login` wants a person. Where nothing is there, nobody is asked anything.
///
/// # Errors
/// [`LoginError`] when a source is there and gives nothing that can be used: no other one is tried then, so that nobody
/// signs as somebody else than they think. And when `waxseal.login` wants one of these and it is not there.
pub async fn unattended(sources: &UnattendedSources<'_>, http: &Http) -> Result<Option<Obtained>, LoginError> {
    let UnattendedSources { settings, audience } = *sources;
    let (tokens, ambient) = match settings.login {
        LoginChoice::Auto => (true, true),
        LoginChoice::Token => (true, false),
        LoginChoice::Ambient => (false, true),
        LoginChoice::Browser | LoginChoice::Device | LoginChoice::OutOfBand => return Ok(None),
    };
    if tokens && let Some(token) = &settings.identity_token {
        let token = IdentityToken::parse(token.expose().to_owned()).map_err(LoginError::Environment)?;
        return Ok(Some(Obtained::unattended(token, Flow::Environment)));
    }
    if tokens && let Some(template) = &settings.token_command {
        let token = token_of_command(template, audience).await?;
        return Ok(Some(Obtained::unattended(token, Flow::TokenCommand)));
    }
    if ambient && let Some((token, provider)) = ambient::token(sources, &Places::default(), http).await? {
        return Ok(Some(Obtained::unattended(token, Flow::Ambient(provider))));
    }
    match settings.login {
        LoginChoice::Token => Err(LoginError::NoToken),
        LoginChoice::Ambient => Err(LoginError::NoAmbientProvider),
        _ => Ok(None),
    }
}

async fn token_of_command(template: &str, audience: &str) -> Result<IdentityToken, LoginError> {
    let words = words(template, PLACEHOLDER).map_err(LoginError::TokenCommandTemplate)?;
    let words: Vec<_> = words.iter().map(|word| word.replace(PLACEHOLDER, audience)).collect();
    let printed = command::output(&words, COMMAND_TIME).await.map_err(LoginError::TokenCommand)?;
    IdentityToken::parse(String::clone(&printed)).map_err(LoginError::TokenOfCommand)
}

const PLACEHOLDER: &str = "{audience}";
/// Some of them ask a server, and some a person.
const COMMAND_TIME: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Secret, Settings};

    const TOKEN: &str = "e30.eyJpc3MiOiJpIiwic3ViIjoicyIsImF1ZCI6ImEiLCJleHAiOjEsImlhdCI6MX0.c2ln";

    async fn obtained(settings: Settings) -> Result<Option<Flow>, String> {
        let sources = UnattendedSources { settings: &settings, audience: "sigstore" };
        match unattended(&sources, &Http::default()).await {
            Ok(obtained) => Ok(obtained.map(|obtained| obtained.flow)),
            Err(error) => Err(error.to_string()),
        }
    }

    fn with_command(command: &str) -> Settings {
        Settings { token_command: Some(command.to_owned()), ..Settings::default() }
    }

    #[tokio::test]
    async fn the_environment_comes_before_the_command() {
        let both = || Settings { identity_token: Some(Secret::new(TOKEN.to_owned())), ..with_command("false") };
        assert_eq!(obtained(both()).await, Ok(Some(Flow::Environment)));
        assert_eq!(obtained(Settings { login: LoginChoice::Device, ..both() }).await, Ok(None));
        assert_eq!(obtained(with_command(&format!("printf '%s\\n' {TOKEN}"))).await, Ok(Some(Flow::TokenCommand)));
        assert_eq!(obtained(Settings::default()).await, Ok(None));
    }

    #[tokio::test]
    async fn a_command_is_told_the_audience_and_sees_no_shell() {
        let checked = format!("sh -c 'test \"$1 $2\" = \"for=sigstore ;\" && echo {TOKEN}' sh for={{audience}} ;");
        assert_eq!(obtained(with_command(&checked)).await, Ok(Some(Flow::TokenCommand)));
    }

    #[tokio::test]
    async fn what_is_there_and_does_not_work_is_an_error() {
        assert_eq!(
            obtained(with_command("sh -c 'echo no account >&2; exit 1'")).await.unwrap_err(),
            "waxseal.tokenCommand gave no identity token: it ended with exit status: 1: \"no account\""
        );
        assert_eq!(
            obtained(with_command("echo nonsense")).await.unwrap_err(),
            "what waxseal.tokenCommand printed cannot be read: the identity token is not a JWT: it must have exactly \
             three parts with dots between them"
        );
        assert_eq!(
            obtained(with_command("'x")).await.unwrap_err(),
            "waxseal.tokenCommand cannot be used: a quote that is not closed"
        );
        let forced = |login| obtained(Settings { login, ..Settings::default() });
        assert_eq!(
            forced(LoginChoice::Token).await.unwrap_err(),
            "waxseal.login wants an identity token, and there is none"
        );
        assert_eq!(
            forced(LoginChoice::Ambient).await.unwrap_err(),
            "waxseal.login wants the identity token of a CI system or cloud, and this is none that waxseal knows"
        );
    }
}
