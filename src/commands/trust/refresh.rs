//! `waxseal trust refresh`: newer documents from where an instance came from. What cannot be refreshed stays as it was.

use std::io;

use super::{Run, address, digest, parse_digest, parse_name};
use crate::cli::TrustRefresh;
use crate::command_error::CommandError;
use crate::commands::stdout::print;
use crate::crypto::Sha256Digest;
use crate::instance::InstanceName;
use crate::trust_store::tuf::TufState;
use crate::trust_store::{Material, Origin, PUBLIC_GOOD_MIRROR, Renewed, Stored};

impl Run {
    pub(super) fn refresh(&self, request: &TrustRefresh) -> Result<u8, CommandError> {
        if let Some(mirror) = &request.mirror {
            address::check("--mirror", mirror)?;
        }
        let wanted = request.sha256.as_deref().map(parse_digest).transpose()?;
        let names: Vec<InstanceName> = request.names.iter().map(|name| parse_name(name)).collect::<Result<_, _>>()?;
        if names.len() > 1 && (wanted.is_some() || request.mirror.is_some()) {
            return Err(CommandError::usage("--mirror and --sha256 are about one instance"));
        }
        let one = |name: &InstanceName| self.refresh_one(name, request.mirror.as_deref(), wanted);
        match names.as_slice() {
            [name] => print(&one(name)?).map(|()| 0),
            [] => self.refresh_each(&self.refreshable()?, one),
            several => self.refresh_each(several, one),
        }
    }

    /// One that fails does not keep the others from being refreshed.
    fn refresh_each(
        &self,
        names: &[InstanceName],
        one: impl Fn(&InstanceName) -> Result<String, CommandError>,
    ) -> Result<u8, CommandError> {
        let mut exit_code = 0;
        for name in names {
            match one(name) {
                Ok(line) => print(&line)?,
                Err(error) => {
                    let error = error.about(format!("instance {name}"));
                    // What is to be said is worth less than the exit code.
                    let _closed = error.print(&mut io::stderr().lock());
                    exit_code = exit_code.max(error.kind().exit_code());
                }
            }
        }
        Ok(exit_code)
    }

    /// Every instance that has an address, of those that the settings trust.
    fn refreshable(&self) -> Result<Vec<InstanceName>, CommandError> {
        let names = match &self.settings.trust {
            Some(names) => names.iter().map(|name| parse_name(name)).collect::<Result<_, _>>()?,
            None => self.store.names()?,
        };
        let mut refreshable = Vec::new();
        for name in names {
            // What is broken is tried too, so that somebody hears of it.
            let stored = self.store.stored(&name);
            if !matches!(stored.as_ref().map(Stored::origin), Ok(Origin::Files | Origin::Tuf(None))) {
                refreshable.push(name);
            }
        }
        Ok(refreshable)
    }

    fn refresh_one(
        &self,
        name: &InstanceName,
        mirror: Option<&str>,
        wanted: Option<Sha256Digest>,
    ) -> Result<String, CommandError> {
        let (stored, tuf) = self.store.stored_with_tuf(name)?;
        let origin = stored.origin();
        if wanted.is_some() && !matches!(origin, Origin::Url(_)) {
            return Err(CommandError::usage("--sha256 is for instances that were added with --url")
                .hint("what comes from a TUF repository is signed"));
        }
        let material = match (mirror, origin) {
            (Some(_), Origin::Files | Origin::Url(_)) => {
                return Err(CommandError::usage(format!("the instance {name} is not from a TUF repository"))
                    .hint("--mirror is for those that are; \"waxseal trust show\" says where an instance is from"));
            }
            (Some(url), _) => self.followed(name, url, tuf)?,
            (None, Origin::Tuf(Some(url))) => self.followed(name, url, tuf)?,
            (None, Origin::BuiltIn) => self.followed(name, PUBLIC_GOOD_MIRROR, tuf)?,
            (None, Origin::Url(url)) => self.asked_again(&stored, url, wanted)?,
            (None, Origin::Files | Origin::Tuf(None)) => {
                return Err(CommandError::failed(format!("the instance {name} has no address to ask: it is {origin}"))
                    .hint(format!("\"waxseal trust import {name}\" takes what is newer")));
            }
        };
        let renewed = self.store.renew(&stored, &material)?;
        Ok(format!("instance {name}: {}\n", words(renewed, &material)))
    }

    fn followed(&self, name: &InstanceName, url: &str, state: TufState) -> Result<Material, CommandError> {
        address::check(&kept(name), url)?;
        let followed = self.follow(url, state)?;
        self.check(name, &followed.documents)?;
        let (origin, refreshed) = (Origin::Tuf(Some(url.to_owned())), Some(self.now));
        Ok(Material { documents: followed.documents, origin, refreshed, brought: None, tuf: followed.state })
    }

    /// The documents of a service are not signed: where they are others than before, somebody must vouch for them anew.
    fn asked_again(&self, stored: &Stored, url: &str, wanted: Option<Sha256Digest>) -> Result<Material, CommandError> {
        let name = stored.name();
        address::check(&kept(name), url)?;
        let documents = self.documents_at(url)?;
        let instance = self.check(name, &documents)?;
        if wanted.is_some() || digest(&documents) != digest(stored.documents()) {
            self.agree(&instance, &documents, url, wanted, |digest| {
                format!("waxseal trust refresh {name} --sha256 {digest}")
            })?;
        }
        let origin = Origin::Url(url.to_owned());
        Ok(Material { documents, origin, refreshed: Some(self.now), brought: None, tuf: TufState::default() })
    }
}

fn kept(name: &InstanceName) -> String {
    format!("the address in instance.toml of {name}")
}

/// What is said of material that is kept now.
pub(super) fn words(renewed: Renewed, material: &Material) -> String {
    let outcome = match renewed {
        Renewed::Changed => "renewed",
        Renewed::Overtaken => {
            return "another process has kept other trust material meanwhile, and that stays".to_owned();
        }
        Renewed::Unchanged => "nothing has changed",
    };
    match (material.brought, material.tuf.expires()) {
        (Some(_), _) if matches!(material.origin, Origin::Tuf(_)) => {
            format!("{outcome}; it is a file's, and its TUF repository does not vouch for that")
        }
        (None, Some(expires)) => {
            format!("{outcome}; its TUF timestamp vouches for that until {}", expires.strftime("%Y-%m-%d"))
        }
        (Some(_) | None, _) => outcome.to_owned(),
    }
}
