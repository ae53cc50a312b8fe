//! `waxseal trust import`: newer documents for a machine that has no network. A folder is verified as a mirror would be; a
//! file is signed by nobody, so somebody must vouch for it before it takes the place of anything.

use super::{Run, parse_digest, parse_name, refresh, show};
use crate::cli::TrustImport;
use crate::command_error::{CommandError, ErrorKind};
use crate::commands::stdout::print;
use crate::instance::{InstanceBounds, InstanceName};
use crate::trust_store::tuf::{Source, TufState};
use crate::trust_store::{self, Documents, Material, Origin, Stored};
use crate::trusted_root::TrustedRoot;

impl Run {
    pub(super) fn import(&self, request: &TrustImport) -> Result<u8, CommandError> {
        let name = parse_name(&request.name)?;
        let present = match self.store.names()?.contains(&name) {
            true => Some(self.store.stored_with_tuf(&name)?),
            false => None,
        };
        if present.is_none() {
            self.store.check_free(&name)?;
        }
        let material = if request.path.is_dir() {
            self.brought_folder(request, &name, present.as_ref())?
        } else {
            self.brought_file(request, &name, present.as_ref())?
        };
        self.check(&name, &material.documents)?;
        match &present {
            None => {
                self.store.add(&name, &material, InstanceBounds::default())?;
                print(&show::trusted(&name, &material.documents))?;
            }
            Some((stored, _)) => {
                let renewed = self.store.renew(stored, &material)?;
                print(&format!("instance {name}: {}\n", refresh::words(renewed, &material)))?;
            }
        }
        Ok(0)
    }

    fn brought_folder(
        &self,
        request: &TrustImport,
        name: &InstanceName,
        present: Option<&(Stored, TufState)>,
    ) -> Result<Material, CommandError> {
        if request.signing_config.is_some() || request.sha256.is_some() {
            return Err(CommandError::usage("--signing-config and --sha256 go with a file, not with a folder")
                .hint("what a TUF repository's folder holds is signed"));
        }
        let (state, origin) = match (&request.root, present) {
            (Some(root), None) => (TufState::pinned(&trust_store::read(root)?, root)?, Origin::Tuf(None)),
            (None, None) => {
                return Err(CommandError::usage(format!("the new instance {name} needs --root")).hint(
                    "it names the TUF root that the folder is verified from; get it on another way than the folder",
                ));
            }
            (Some(_), Some(_)) => {
                return Err(CommandError::usage(format!("the instance {name} has a TUF root already")).hint(format!(
                    "to begin with another one: \"waxseal trust remove {name}\", then import it again"
                )));
            }
            (None, Some((stored, tuf))) => match stored.origin() {
                Origin::BuiltIn => (tuf.clone(), Origin::Tuf(None)),
                origin @ Origin::Tuf(_) => (tuf.clone(), origin.clone()),
                origin @ (Origin::Files | Origin::Url(_)) => {
                    return Err(CommandError::usage(format!("the instance {name} has no TUF root: it is {origin}"))
                        .hint("import a trusted root's file, or add the instance under another name with --root"));
                }
            },
        };
        let followed = self.follow_source(Source::Folder(request.path.clone()), state)?;
        let origin = if *name == InstanceName::public_good() && origin == Origin::Tuf(None) {
            // It has an address, whoever brought the folder.
            Origin::Tuf(Some(trust_store::PUBLIC_GOOD_MIRROR.to_owned()))
        } else {
            origin
        };
        let (documents, tuf) = (followed.documents, followed.state);
        Ok(Material { documents, origin, refreshed: Some(self.now), brought: None, tuf })
    }

    fn brought_file(
        &self,
        request: &TrustImport,
        name: &InstanceName,
        present: Option<&(Stored, TufState)>,
    ) -> Result<Material, CommandError> {
        if request.root.is_some() {
            return Err(CommandError::usage("--root goes with the folder of a TUF repository"));
        }
        let wanted = request.sha256.as_deref().map(parse_digest).transpose()?;
        let trusted_root = trust_store::read(&request.path).map_err(|error| {
            CommandError::from(error).hint("name the file of a trusted root, or the folder of a TUF repository")
        })?;
        let signing_config = request.signing_config.as_deref().map(trust_store::read).transpose()?;
        let Some((stored, tuf)) = present else {
            let documents = Documents { trusted_root, signing_config, rekor_v2_signing_config: None };
            let instance = self.check(name, &documents)?;
            if wanted.is_some() {
                self.agree(&instance, &documents, &request.path.display().to_string(), wanted, |_| String::new())?;
            }
            let (refreshed, tuf) = (Some(self.now), TufState::default());
            return Ok(Material { documents, origin: Origin::Files, refreshed, brought: None, tuf });
        };
        let before = stored.documents();
        refuse_older(request, name, &before.trusted_root, &trusted_root)?;
        let documents = match signing_config {
            Some(new) => Documents { trusted_root, signing_config: Some(new), rekor_v2_signing_config: None },
            None => Documents { trusted_root, ..before.clone() },
        };
        let instance = self.check(name, &documents)?;
        // Even where they are the same: somebody must know that they still are.
        let shown = request.path.display().to_string();
        self.agree(&instance, &documents, &shown, wanted, |digest| {
            format!("waxseal trust import {name} {shown} --sha256 {digest}")
        })
        .map_err(|error| match &request.signing_config {
            // The digest of another machine covers the signing config of that machine.
            None if wanted.is_some() && documents.signing_config.is_some() => error.hint(format!(
                "the digest covers the signing config, too, and without --signing-config that is the one that {name} has now"
            )),
            _ => error,
        })?;
        let origin = match stored.origin() {
            Origin::BuiltIn => Origin::Tuf(Some(trust_store::PUBLIC_GOOD_MIRROR.to_owned())),
            origin => origin.clone(),
        };
        let brought = if documents == *before { stored.brought() } else { Some(self.now) };
        let (refreshed, brought) = match &origin {
            // What a repository signs has the age of its last word, whatever was brought since.
            Origin::Tuf(_) | Origin::BuiltIn => (stored.refreshed(), brought),
            Origin::Url(_) => (Some(self.now), brought),
            Origin::Files => (Some(self.now), None),
        };
        // What was seen of the repository stays the floor of what is followed.
        Ok(Material { documents, origin, refreshed, brought, tuf: tuf.clone() })
    }
}

/// A trusted root carries no version; one that knows only older authorities and logs is an older one.
fn refuse_older(request: &TrustImport, name: &InstanceName, before: &[u8], new: &[u8]) -> Result<(), CommandError> {
    // What is there may be what is broken; and what is new and broken is refused elsewhere.
    let (Ok(before), Ok(new)) = (TrustedRoot::parse(before), TrustedRoot::parse(new)) else { return Ok(()) };
    let date = |root: &TrustedRoot| root.newest_start().map(|start| start.strftime("%Y-%m-%d").to_string());
    if new.newest_start() >= before.newest_start() {
        return Ok(());
    }
    let (new, before) = (date(&new).unwrap_or_default(), date(&before).unwrap_or_default());
    let path = request.path.display();
    let text = format!(
        "{path} is older than the trusted root of instance {name}: its newest key is of {new}, not of {before}"
    );
    Err(CommandError::new(ErrorKind::TrustMaterial, text)
        .hint(format!("to go back all the same: \"waxseal trust remove {name}\", then import it")))
}
