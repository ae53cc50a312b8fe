//! `waxseal trust list` and `waxseal trust show`

use super::{Run, digest};
use crate::command_error::{CommandError, ErrorKind};
use crate::commands::configured;
use crate::commands::stdout::print;
use crate::crypto::Sha256Digest;
use crate::escape;
use crate::instance::{Instance, InstanceName};
use crate::signing_config::Service;
use crate::trust_store::Documents;
use crate::trusted_root::{CertificateAuthority, TransparencyLogInstance};

impl Run {
    pub(super) fn list(&self) -> Result<u8, CommandError> {
        configured::warn_of_strays(&self.store);
        let mut lines = String::new();
        let mut unreadable = 0;
        for name in self.store.names()? {
            let what = self.store.stored(&name).and_then(|stored| Ok((stored.instance()?, stored)));
            let line = match what {
                Ok((instance, stored)) => {
                    let signs = self.settings.instance.as_deref() == Some(name.as_str());
                    let use_ = match (signs, &instance.signing_config) {
                        (true, _) => ", signs",
                        (false, Some(_)) => "",
                        (false, None) => ", verifies only",
                    };
                    format!("{}{use_}", stored.source())
                }
                Err(error) => {
                    unreadable += 1;
                    error.to_string()
                }
            };
            lines.push_str(&escape::terminal(format!("{:<20} {line}", name.as_str())));
            lines.push('\n');
        }
        print(&lines)?;
        Ok(if unreadable == 0 { 0 } else { ErrorKind::TrustMaterial.exit_code() })
    }

    pub(super) fn show(&self, name: &InstanceName) -> Result<u8, CommandError> {
        let (stored, tuf) = self.store.stored_with_tuf(name)?;
        let instance = stored.instance()?;
        let mut lines = vec![
            format!("instance {name}, {}", stored.source()),
            format!("digest {} (trusted root and signing config)", digest(stored.documents())),
            format!("trusted root sha256 {}", instance.trusted_root.sha256()),
        ];
        if let (root @ 1.., timestamp @ 1..) = tuf.versions() {
            let what = match (stored.brought(), tuf.expires()) {
                (Some(_), _) => ": not of this file, but nothing older is followed".to_owned(),
                (None, Some(expires)) => format!(", valid until {expires}"),
                (None, None) => String::new(),
            };
            lines.push(format!("TUF root version {root}, timestamp version {timestamp}{what}"));
        }
        lines.extend(summary(&instance));
        let text: String = lines.iter().map(|line| escape::terminal(line) + "\n").collect();
        print(&text)?;
        Ok(0)
    }
}

/// What is said of an instance that was added.
pub(super) fn trusted(name: &InstanceName, documents: &Documents) -> String {
    let next = match &documents.signing_config {
        Some(_) => format!("; to sign with it: git config --global waxseal.instance {name}"),
        None => String::new(),
    };
    format!("instance {name} is trusted{next}\n")
}

/// Whom the instance vouches for, and where it signs: a line each.
pub(super) fn summary(instance: &Instance) -> Vec<String> {
    let root = &instance.trusted_root;
    let mut lines = Vec::new();
    lines.extend(
        root.certificate_authorities.iter().map(|authority| authority_line("certificate authority", authority)),
    );
    lines.extend(root.ct_logs.iter().map(|log| log_line("CT log", log)));
    lines.extend(root.transparency_logs.iter().map(|log| log_line("transparency log", log)));
    lines.extend(root.timestamp_authorities.iter().map(|authority| authority_line("timestamp authority", authority)));
    match &instance.signing_config {
        None => lines.push("verifies only: it has no signing config".to_owned()),
        Some(config) => {
            for (what, services) in [
                ("certificates from", &config.ca_urls),
                ("log in at", &config.oidc_urls),
                ("logs to", &config.rekor_tlog_urls),
                ("timestamps from", &config.tsa_urls),
            ] {
                lines.extend(services.iter().map(|service| service_line(what, service)));
            }
            let opt_in = config.opt_in_logs().iter();
            lines.extend(opt_in.map(|log| service_line("with waxseal.log = v2, logs to", log)));
        }
    }
    if let Some(issuers) = &instance.bounds.oidc_issuers {
        lines.push(format!("may vouch for identities of {} only", issuers.join(", ")));
    }
    if let Some(audience) = &instance.bounds.audience {
        lines.push(format!("takes identity tokens for the audience {audience}"));
    }
    lines
}

fn authority_line(what: &str, authority: &CertificateAuthority) -> String {
    let CertificateAuthority { organization, common_name, uri, chain, valid_for } = authority;
    let anchor = chain.last().map(|der| Sha256Digest::of(der).to_string()).unwrap_or_default();
    format!("{what} {common_name} of {organization}, {uri}, {valid_for}, anchor sha256 {anchor}")
}

fn log_line(what: &str, log: &TransparencyLogInstance) -> String {
    format!("{what} {}, {}, id {}", log.base_url, log.valid_for, log.log_id)
}

fn service_line(what: &str, service: &Service) -> String {
    let until = service.valid_for.end.map(|end| format!(" until {end}")).unwrap_or_default();
    format!("{what} {} (version {}){until}", service.url, service.major_api_version)
}
