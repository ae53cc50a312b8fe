//! Before the first entry at the public-good instance: what becomes public for ever, and whether that is wanted.

use std::io;
use std::path::PathBuf;

use super::failure::failed;
use crate::command_error::CommandError;
use crate::escape;
use crate::files;
use crate::instance::{Instance, InstanceBounds, InstanceName};
use crate::settings::Settings;
use crate::terminal::{Answer, NoTerminal, Terminal};
use crate::trust_store;

/// How consent was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::commands) enum Consent {
    /// A person answered, which may have taken minutes.
    Given,
    /// None was needed, or it had been given before.
    NotAsked,
}

/// What is not done without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::commands) enum Purpose {
    Login,
    Signature,
}

/// Whether, and how, the user is asked.
pub(in crate::commands) enum PublicConsent<'a> {
    /// Another instance, or `waxseal.acceptPublic`.
    NotNeeded,
    /// Once an identity.
    Ask { terminal: &'a Terminal, record: Option<PathBuf>, purpose: Purpose },
}

impl<'a> PublicConsent<'a> {
    /// Fails before any login where consent is needed, none was ever given, and there is nobody to ask.
    pub(in crate::commands) fn new(
        instance: &Instance,
        settings: &Settings,
        terminal: &'a Terminal,
        purpose: Purpose,
    ) -> Result<Self, CommandError> {
        if settings.accept_public || !publishes(instance)? {
            return Ok(Self::NotNeeded);
        }
        let record = settings.folders.state.as_ref().map(|state| state.join(FILE_NAME));
        let consent = Self::Ask { terminal, record, purpose };
        if !terminal.is_there() && consent.given().is_empty() { Err(nobody_to_ask(terminal)) } else { Ok(consent) }
    }

    /// Asks, unless this identity was agreed to before; remembers a yes.
    pub(in crate::commands) async fn obtain(&self, identity: &str, issuer: &str) -> Result<Consent, CommandError> {
        let Self::Ask { terminal, purpose, .. } = self else { return Ok(Consent::NotAsked) };
        let agreed = line(identity, issuer);
        let mut given = self.given();
        if given.lines().any(|line| line == agreed) {
            return Ok(Consent::NotAsked);
        }
        terminal.news("signing at the public-good instance publishes for ever, where anyone can search for it:");
        terminal.news(format_args!("  who signs: {identity}"));
        terminal.news(format_args!("  who says so: {issuer}"));
        terminal.news(
            "  a hash of each commit, tag or push that is signed: whoever has one finds its entry (not the content)",
        );
        terminal.news("  when it was signed, to the second; the signature, its certificate and key");
        terminal.news("you are asked once for this identity");
        match terminal.ask_meanwhile("shall this become public?").await {
            Answer::Yes => {
                given.push_str(&agreed);
                given.push('\n');
                if let Err(error) = self.remember(&given) {
                    terminal.news(format_args!("this answer cannot be kept, so you will be asked again: {error}"));
                }
                Ok(Consent::Given)
            }
            Answer::No => Err(CommandError::failed(match purpose {
                Purpose::Login => "not logged in: you did not agree that what this login signs becomes public",
                Purpose::Signature => "not signed: you did not agree to make it public",
            })
            .hint("\"waxseal trust add\" adds an instance of your own, \"waxseal serve\" runs one")),
            Answer::NobodyThere => Err(nobody_to_ask(terminal)),
        }
    }

    fn given(&self) -> String {
        let Self::Ask { record: Some(path), .. } = self else { return String::new() };
        // What cannot be read was not agreed to.
        files::read(path, MAX_RECORD_BYTES).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
    }

    fn remember(&self, given: &str) -> io::Result<()> {
        let Self::Ask { record: Some(path), .. } = self else { return Ok(()) };
        let folder = path.parent().ok_or(io::ErrorKind::NotFound)?;
        std::fs::create_dir_all(folder)?;
        files::replace(path, given.as_bytes())
    }
}

/// Whether signing there puts anything into the public-good instance's logs, under whatever name the user has it: it uses
/// one of that instance's services, or believes one of its transparency logs.
pub(in crate::commands) fn publishes(instance: &Instance) -> Result<bool, CommandError> {
    if instance.name == InstanceName::public_good() {
        return Ok(true);
    }
    let public_good =
        trust_store::public_good().instance(InstanceName::public_good(), InstanceBounds::default()).map_err(failed)?;
    let addresses = |instance: &Instance| -> Vec<String> {
        let config = instance.signing_config.iter();
        let services =
            config.flat_map(|config| config.ca_urls.iter().chain(&config.rekor_tlog_urls).chain(config.opt_in_logs()));
        services.map(|service| service.url.trim_end_matches('/').to_owned()).collect()
    };
    let public = addresses(&public_good);
    let uses = addresses(instance).iter().any(|address| public.contains(address));
    let logs = |instance: &Instance| instance.trusted_root.transparency_logs.clone();
    let believes = logs(instance).iter().any(|log| logs(&public_good).iter().any(|public| public.log_id == log.log_id));
    Ok(uses || believes)
}

/// An identity on one line.
fn line(identity: &str, issuer: &str) -> String {
    format!("{} {}", escape::terminal(identity), escape::terminal(issuer))
}

fn nobody_to_ask(terminal: &Terminal) -> CommandError {
    let (why, what) = match terminal.absence() {
        Some(NoTerminal::Forbidden) => {
            ("GIT_TERMINAL_PROMPT keeps waxseal from asking whether you agree", "sign once without it at a terminal")
        }
        Some(NoTerminal::NotThere) | None => ("nobody is there to agree", "sign once from a terminal"),
    };
    CommandError::failed(format_args!(
        "signing at the public-good instance makes your identity public for ever, and {why}"
    ))
    .hint(format_args!("{what}, or run \"git config --global waxseal.acceptPublic true\""))
}

const FILE_NAME: &str = "public-good-accepted";
const MAX_RECORD_BYTES: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Folders;

    fn instance(name: InstanceName) -> Instance {
        Instance {
            name,
            trusted_root: crate::trusted_root::TrustedRoot::new(vec![], vec![], vec![], vec![]),
            signing_config: None,
            bounds: InstanceBounds::default(),
        }
    }

    #[tokio::test]
    async fn without_a_terminal_only_what_was_agreed_to_is_signed() {
        let folder = tempfile::tempdir().unwrap();
        let state = Some(folder.path().join("waxseal"));
        let settings = Settings { folders: Folders { state, ..Folders::default() }, ..Settings::default() };
        let terminal = Terminal::none();
        let public_good = instance(InstanceName::public_good());
        assert!(PublicConsent::new(&public_good, &settings, &terminal, Purpose::Login).is_err());

        let asked = PublicConsent::Ask {
            terminal: &terminal,
            record: Some(folder.path().join("waxseal").join(FILE_NAME)),
            purpose: Purpose::Login,
        };
        asked.remember(&format!("{}\n", line("a@x", "https://i"))).unwrap();
        let consent = PublicConsent::new(&public_good, &settings, &terminal, Purpose::Login).unwrap();
        assert!(consent.obtain("a@x", "https://i").await.is_ok());
        assert!(consent.obtain("b@x", "https://i").await.is_err());

        let machine = Settings { accept_public: true, ..Settings::default() };
        assert!(PublicConsent::new(&public_good, &machine, &terminal, Purpose::Login).is_ok());
        let own = instance("own".parse().unwrap());
        assert!(
            PublicConsent::new(&own, &Settings::default(), &terminal, Purpose::Login)
                .unwrap()
                .obtain("b@x", "https://i")
                .await
                .is_ok()
        );
    }
}
