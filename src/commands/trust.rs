//! `waxseal trust`: which instances are believed. Nothing is ever trusted on first use: a digest, a file or a yes on the
//! terminal comes first.

mod add;
pub(super) mod address;
mod agreement;
mod fetch;
mod import;
mod refresh;
mod show;

use crate::cli::Trust;
use crate::command_error::{CommandError, ErrorKind};
use crate::commands::configured;
use crate::commands::stdout::print;
use crate::crypto::Sha256Digest;
use crate::instance::{Instance, InstanceBounds, InstanceName};
use crate::settings::Settings;
use crate::trust_digest::trust_digest;
use crate::trust_store::{Documents, TrustStore};
use crate::verify::{SctRequirement, Verifier};

/// Does what was asked of the trust store.
///
/// # Errors
/// [`CommandError`]: 1 when it failed, 2 for a bad name, 4 for unusable trust material.
pub fn run(request: &Trust, now: jiff::Timestamp) -> Result<u8, CommandError> {
    let settings = configured::settings()?;
    let store = TrustStore::new(&settings.folders);
    let run = Run { store, settings, now };
    match request {
        Trust::Add(request) => run.add(request),
        Trust::Import(request) => run.import(request),
        Trust::List => run.list(),
        Trust::Refresh(request) => run.refresh(request),
        Trust::Show { name } => run.show(&parse_name(name)?),
        Trust::Remove { name } => run.remove(&parse_name(name)?),
    }
}

/// What every one of the commands needs.
struct Run {
    store: TrustStore,
    settings: Settings,
    now: jiff::Timestamp,
}

impl Run {
    fn remove(&self, name: &InstanceName) -> Result<u8, CommandError> {
        self.store.remove(name)?;
        print(&match *name == InstanceName::public_good() {
            true => format!("instance {name} is as it was built in\n"),
            false => format!("instance {name} is no longer trusted\n"),
        })?;
        Ok(0)
    }

    /// Refuses what could not verify anything later.
    fn check(&self, name: &InstanceName, documents: &Documents) -> Result<Instance, CommandError> {
        let instance = documents.instance(name.clone(), InstanceBounds::default()).map_err(|error| {
            CommandError::new(ErrorKind::TrustMaterial, error)
                .hint("nothing was changed; ask the instance's operator for it")
        })?;
        Verifier::new(vec![instance.clone()], self.now, SctRequirement::default())?;
        Ok(instance)
    }
}

/// The one digest over trusted root and signing config.
fn digest(documents: &Documents) -> Sha256Digest {
    trust_digest(&documents.trusted_root, documents.signing_config.as_deref().unwrap_or_default())
}

fn parse_name(text: &str) -> Result<InstanceName, CommandError> {
    text.parse().map_err(|error| CommandError::usage(format!("\"{text}\" is no instance: {error}")))
}

fn parse_digest(text: &str) -> Result<Sha256Digest, CommandError> {
    let digest = Sha256Digest::from_hex(&text.to_ascii_lowercase());
    digest.ok_or_else(|| CommandError::usage("--sha256 wants 64 hexadecimal digits"))
}
