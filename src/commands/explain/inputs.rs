//! What each step looked at: what came with the signature, and what the instance's trusted root says of it.

use crate::cms::SignedData;
use crate::commands::claims;
use crate::commands::facts::{Fact, Facts};
use crate::commands::outside_evidence::{EntryFrom, NoteRefusal};
use crate::commands::run::Run;
use crate::crypto::Sha256Digest;
use crate::git::repository::FoundObject;
use crate::instance::{Instance, InstanceName};
use crate::signature::SignatureFormat;
use crate::signature::git::GitSignature;
use crate::trust_store::TrustStore;
use crate::trusted_root::{LogId, TransparencyLogInstance};
use crate::verify::findings::Step;
use crate::x509::sct::SignedCertificateTimestamp;
use crate::x509::{Certificate, display_name};

/// Everything that a step may have looked at; what is `None` was not there, or could not be read.
pub(super) struct Inputs<'a> {
    pub(super) run: &'a Run<'a>,
    pub(super) payload: Option<&'a [u8]>,
    pub(super) signed_data: Option<&'a SignedData>,
    pub(super) opened: Option<&'a GitSignature>,
    /// Where the log entry is from.
    pub(super) from: &'a EntryFrom,
    /// What in the notes counts for nothing.
    pub(super) refused: &'a [NoteRefusal],
    /// Under which the pipeline ran.
    pub(super) instance: Option<&'a InstanceName>,
    /// The authority that it found, by its place in the list of the instance's trusted root.
    pub(super) authority: Option<usize>,
}

impl Inputs<'_> {
    pub(super) fn object(&self, found: &FoundObject) -> Facts {
        let size = found.content.as_ref().ok().and_then(|object| u64::try_from(object.bytes.len()).ok());
        Facts::default().and("id", found.id.to_string()).and("bytes", size)
    }

    pub(super) fn envelope(&self, armor: Option<&[u8]>) -> Facts {
        let Some(armor) = armor else { return Facts::default().and("signature", "none") };
        Facts::default()
            .and("signature", SignatureFormat::of(armor).name())
            .and("bytes", u64::try_from(armor.len()).ok())
    }

    pub(super) fn of(&self, step: Step) -> Facts {
        let Some(opened) = self.opened else { return Facts::default() };
        match step {
            Step::Certificate => self.certificate(&opened.material.certificate),
            Step::Issuer => self.issuer(),
            Step::LogEntry => self.log_entry(opened),
            Step::Path => self.path(&opened.material.certificate),
            Step::Payload => self.payload(),
            Step::Sct => self.scts(&opened.material.certificate),
            Step::Signature => Facts::default()
                .and("algorithm", opened.material.signature_algorithm.map(claims::algorithm_name))
                .and("message_sha256", Sha256Digest::of(&opened.message).to_string()),
            Step::Time => self.time(opened),
        }
    }

    fn certificate(&self, leaf: &Certificate) -> Facts {
        claims::certificate(leaf)
    }

    fn issuer(&self) -> Facts {
        let listed = self.trusted().and_then(|instance| instance.bounds.oidc_issuers.as_ref());
        match listed {
            Some(issuers) => {
                let issuers: Vec<Fact> = issuers.iter().map(|issuer| Fact::from(issuer.as_str())).collect();
                Facts::default().and("oidc_issuers", issuers)
            }
            None => Facts::default().and("oidc_issuers", self.trusted().map(|_| "not bounded")),
        }
    }

    /// The instance, where its trusted root came from, and the authority in it that issued the certificate.
    fn path(&self, leaf: &Certificate) -> Facts {
        let Some(instance) = self.trusted() else {
            let trusted: Vec<Fact> =
                self.run.verifier.instances().map(|instance| Fact::from(instance.name.as_str())).collect();
            return Facts::default().and("issued_by", display_name(leaf.issuer())).and("asked", trusted);
        };
        let facts = Facts::default()
            .and("instance", instance.name.as_str())
            .and("trusted_root", self.origin(instance))
            .and("trusted_root_sha256", instance.trusted_root.sha256().to_string())
            .and("issued_by", display_name(leaf.issuer()));
        let authorities = &instance.trusted_root.certificate_authorities;
        match self.authority.and_then(|place| authorities.get(place)) {
            Some(authority) => facts
                .and("authority", authority.uri.as_str())
                .and("authority_anchor_sha256", authority.chain.last().map(|der| Sha256Digest::of(der).to_string()))
                .and("authority_trusted", authority.valid_for.to_string()),
            None => facts,
        }
    }

    fn origin(&self, instance: &Instance) -> Option<String> {
        if let Some(file) = &self.run.request.trusted_root {
            return Some(format!("the file {}", file.display()));
        }
        let store = TrustStore::new(&self.run.settings.folders);
        store.stored(&instance.name).ok().map(|stored| stored.whence())
    }

    fn scts(&self, leaf: &Certificate) -> Facts {
        let logs = self.trusted().map(|instance| instance.trusted_root.ct_logs.as_slice()).unwrap_or_default();
        let named = SignedCertificateTimestamp::embedded_in(leaf).unwrap_or_default();
        let trusted = named.iter().filter_map(|sct| trusted_log(logs, sct.log_id)).map(Fact::from).collect::<Vec<_>>();
        Facts::default()
            .and("trusted_ct_logs", u64::try_from(logs.len()).ok())
            .and("sct", claims::scts(leaf))
            .and("ct_log", trusted)
    }

    fn payload(&self) -> Facts {
        let algorithm = self.signed_data.and_then(|signed_data| signed_data.digest_algorithm);
        let signed = self.signed_data.and_then(|signed_data| signed_data.signed_attributes.as_ref().ok());
        let digest = algorithm.zip(self.payload).map(|(algorithm, payload)| hex::encode(algorithm.digest(payload)));
        Facts::default()
            .and("digest_algorithm", algorithm.map(|algorithm| algorithm.to_string()))
            .and("signed_digest", signed.map(|claims| hex::encode(&claims.message_digest)))
            .and("digest_of_the_content", digest)
    }

    fn log_entry(&self, opened: &GitSignature) -> Facts {
        let refused: Vec<Fact> = self.refused.iter().map(|refusal| Fact::from(refusal.to_string())).collect();
        let entry = opened.material.log_entry.as_ref().map(|entry| {
            let logs = self.trusted().map(|instance| instance.trusted_root.transparency_logs.as_slice());
            let log = logs.and_then(|logs| trusted_log(logs, entry.log_id));
            Facts::default().and("source", self.from.as_str()).then(claims::log_entry(entry)).and("log", log)
        });
        entry.unwrap_or_default().and("notes_refused", refused)
    }

    fn time(&self, opened: &GitSignature) -> Facts {
        let entry = opened.material.log_entry.as_ref();
        let promised = entry.filter(|entry| entry.integrated_time > 0);
        let promised = promised.and_then(|entry| jiff::Timestamp::from_second(entry.integrated_time).ok());
        let tokens: Vec<Fact> = opened.material.timestamps.iter().map(|der| claims::token(der).into()).collect();
        let leaf = &opened.material.certificate;
        Facts::default()
            .and("log_says", promised.map(|at| at.to_string()))
            .and("signer_says", opened.signing_time.map(|at| format!("{at} (a claim, never used)")))
            .and("certificate_valid", format!("{} to {}", leaf.not_before(), leaf.not_after()))
            .and("token", tokens)
    }

    fn trusted(&self) -> Option<&Instance> {
        let name = self.instance?;
        self.run.verifier.instances().find(|instance| instance.name == *name)
    }
}

/// A log as the trusted root lists it.
fn trusted_log(logs: &[TransparencyLogInstance], log_id: LogId) -> Option<Facts> {
    let log = logs.iter().find(|log| log.log_id == log_id)?;
    Some(Facts::default().and("address", log.base_url.as_str()).and("trusted", log.valid_for.to_string()))
}
