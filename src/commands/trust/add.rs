//! `waxseal trust add`

use super::{Run, address, parse_digest, parse_name};
use crate::cli::{TrustAdd, TrustSource};
use crate::command_error::CommandError;
use crate::commands::stdout::print;
use crate::instance::InstanceBounds;
use crate::trust_store::tuf::TufState;
use crate::trust_store::{self, Documents, Material, Origin};

impl Run {
    pub(super) fn add(&self, request: &TrustAdd) -> Result<u8, CommandError> {
        let name = parse_name(&request.name)?;
        // Before the network is asked, and before the user is.
        self.store.check_free(&name)?;
        let refreshed = Some(self.now);
        let material = match request.source() {
            TrustSource::Url { url, sha256 } => {
                address::check("--url", url)?;
                let wanted = sha256.map(parse_digest).transpose()?;
                let documents = self.documents_at(url)?;
                let instance = self.check(&name, &documents)?;
                self.agree(&instance, &documents, url, wanted, |digest| {
                    format!("waxseal trust add {name} --url {url} --sha256 {digest}")
                })?;
                Material {
                    documents,
                    origin: Origin::Url(url.to_owned()),
                    refreshed,
                    brought: None,
                    tuf: TufState::default(),
                }
            }
            TrustSource::Tuf { url, root } => {
                address::check("--tuf", url)?;
                let state = TufState::pinned(&trust_store::read(root)?, root)?;
                let followed = self.follow(url, state)?;
                let (documents, tuf) = (followed.documents, followed.state);
                Material { documents, origin: Origin::Tuf(Some(url.to_owned())), refreshed, brought: None, tuf }
            }
            TrustSource::Files { trusted_root, signing_config } => {
                let documents = Documents {
                    trusted_root: trust_store::read(trusted_root)?,
                    signing_config: signing_config.map(trust_store::read).transpose()?,
                    // A signing config from a file may list Rekor v2 itself.
                    rekor_v2_signing_config: None,
                };
                Material { documents, origin: Origin::Files, refreshed, brought: None, tuf: TufState::default() }
            }
        };
        self.check(&name, &material.documents)?;
        let issuers = request.oidc_issuer.clone();
        let bounds =
            InstanceBounds { oidc_issuers: (!issuers.is_empty()).then_some(issuers), ..InstanceBounds::default() };
        self.store.add(&name, &material, bounds)?;
        print(&super::show::trusted(&name, &material.documents))?;
        Ok(0)
    }
}
