//! A verified signature as a cache keeps it: what the steps found, and never what a policy made of it.
//!
//! The name under which it is kept covers everything that the finding rests on: the object, what was trusted, and the
//! steps themselves. What a clock or a flag decided is not kept: only verified signatures are, and none of which a step was
//! left out.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::entry_version::{BodyVersion, RekorVersion};
use super::times::TimeSource;
use super::verdict::{EntryFacts, LeafFacts, VerifiedSignature};
use super::{SctRequirement, Verdict, Verifier};
use crate::crypto::{KeyKind, Sha256Digest};
use crate::instance::{Instance, InstanceName};
use crate::trusted_root::LogId;
use crate::x509::fulcio::BuildClaims;
use crate::x509::{CertificateClaims, SubjectAlternativeName};

/// What all findings of a verifier have in common: SHA-256 over the version of the steps and the trusted instances, with
/// everything of them that the steps look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Engine(Sha256Digest);

impl Verifier {
    /// What its findings rest on besides the object; `None` where a step is left out, so that nothing may be kept.
    #[must_use]
    pub fn engine(&self) -> Option<Engine> {
        if self.scts != SctRequirement::WhereLogsAreTrusted {
            return None;
        }
        let mut parts = vec![STEPS.to_owned()];
        for Instance { name, trusted_root, bounds, .. } in self.instances() {
            parts.push(name.to_string());
            parts.push(trusted_root.sha256().to_string());
            parts.push(match &bounds.oidc_issuers {
                Some(issuers) => format!("{issuers:?}"),
                None => "unbounded".to_owned(),
            });
        }
        Some(Engine(digest(&parts.iter().map(String::as_bytes).collect::<Vec<_>>())))
    }

    /// What `bytes` keep. `None` where they keep nothing, or the signature's time lies in the future of this verifier's
    /// clock: then the steps must say so.
    #[must_use]
    pub fn recall(&self, bytes: &[u8]) -> Option<Recalled> {
        let kept = serde_json::from_slice::<Kept<'_>>(bytes).ok()?;
        let object = kept.object.clone().map(Cow::into_owned);
        let signature = kept.into_signature()?;
        (signature.time <= self.latest()).then(|| Recalled { verdict: Verdict::Verified(Box::new(signature)), object })
    }
}

/// What an earlier run found.
#[derive(Debug)]
pub struct Recalled {
    /// Of the signature.
    pub verdict: Verdict,
    /// What the object with this payload and armor was seen to hash to, if anybody looked: its name in Git, in hex.
    pub object: Option<String>,
}

impl Engine {
    /// The name under which the finding of an object is kept: SHA-256 over payload, armor and this, each after its length.
    #[must_use]
    pub fn name(&self, payload: &[u8], armor: &[u8]) -> Sha256Digest {
        digest(&[self.0.as_ref(), payload, armor])
    }
}

/// The bytes to keep of a verdict, with the name that the object is known to hash to, if it is known. `None` for everything but
/// a verified signature of which no step was left out.
#[must_use]
pub fn keep(verdict: &Verdict, object: Option<&str>) -> Option<Vec<u8>> {
    match verdict {
        Verdict::Verified(signature) if !signature.scts_ignored => serde_json::to_vec(&Kept::of(signature, object)).ok(),
        Verdict::OtherFormat(_)
        | Verdict::Rejected(_)
        | Verdict::Undecided(_)
        | Verdict::Unsigned
        | Verdict::Verified(_)
        // A policy decides whether it is verified at all.
        | Verdict::VerifiedByKey(_) => None,
    }
}

#[derive(Serialize, Deserialize)]
struct Kept<'a> {
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    object: Option<Cow<'a, str>>,
    kind: NameKind,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    issuer: Cow<'a, str>,
    instances: Vec<Cow<'a, str>>,
    sha1: Cow<'a, str>,
    sha256: Cow<'a, str>,
    key: KeyKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    build: Option<[Option<String>; 5]>,
    log: Cow<'a, str>,
    index: u64,
    version: RekorVersion,
    label: BodyVersion,
    time: Timestamp,
    source: TimeSource,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum NameKind {
    Dns,
    Email,
    Uri,
    Username,
}

impl<'a> Kept<'a> {
    fn of(signature: &'a VerifiedSignature, object: Option<&'a str>) -> Self {
        let VerifiedSignature { certificate, entry, identity, instances, time, time_source, .. } = signature;
        let kind = match &identity.san {
            SubjectAlternativeName::Dns(_) => NameKind::Dns,
            SubjectAlternativeName::Email(_) => NameKind::Email,
            SubjectAlternativeName::Uri(_) => NameKind::Uri,
            SubjectAlternativeName::Username(_) => NameKind::Username,
        };
        let build = certificate.build.clone();
        Self {
            object: object.map(Cow::from),
            kind,
            name: identity.san.as_str().into(),
            issuer: identity.issuer.as_str().into(),
            instances: instances.iter().map(|instance| instance.as_str().into()).collect(),
            sha1: certificate.sha1.as_str().into(),
            sha256: certificate.sha256.to_string().into(),
            key: certificate.key,
            build: (build != BuildClaims::default()).then_some([
                build.source_repository_uri,
                build.source_repository_ref,
                build.source_repository_identifier,
                build.build_config_uri,
                build.build_trigger,
            ]),
            log: entry.log_id.to_string().into(),
            index: entry.log_index,
            version: entry.version,
            label: entry.label,
            time: *time,
            source: *time_source,
        }
    }

    fn into_signature(self) -> Option<VerifiedSignature> {
        let name = self.name.into_owned();
        let san = match self.kind {
            NameKind::Dns => SubjectAlternativeName::Dns(name),
            NameKind::Email => SubjectAlternativeName::Email(name),
            NameKind::Uri => SubjectAlternativeName::Uri(name),
            NameKind::Username => SubjectAlternativeName::Username(name),
        };
        let instances: Vec<InstanceName> =
            self.instances.iter().map(|name| name.parse()).collect::<Result<_, _>>().ok()?;
        let [
            source_repository_uri,
            source_repository_ref,
            source_repository_identifier,
            build_config_uri,
            build_trigger,
        ] = self.build.unwrap_or_default();
        let build = BuildClaims {
            source_repository_uri,
            source_repository_ref,
            source_repository_identifier,
            build_config_uri,
            build_trigger,
        };
        (!instances.is_empty()).then_some(VerifiedSignature {
            certificate: LeafFacts {
                sha1: self.sha1.into_owned(),
                sha256: Sha256Digest::from_hex(&self.sha256)?,
                key: self.key,
                build,
            },
            entry: EntryFacts {
                log_id: LogId(Sha256Digest::from_hex(&self.log)?.0),
                log_index: self.index,
                version: self.version,
                label: self.label,
            },
            identity: CertificateClaims { san, issuer: self.issuer.into_owned() },
            instances,
            scts_ignored: false,
            time: self.time,
            time_source: self.source,
        })
    }
}

fn digest(parts: &[&[u8]]) -> Sha256Digest {
    let lengths: Vec<[u8; 8]> =
        parts.iter().map(|part| u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes()).collect();
    let each: Vec<&[u8]> = lengths.iter().zip(parts).flat_map(|(length, part)| [length.as_slice(), *part]).collect();
    Sha256Digest::of_parts(&each)
}

/// Changes whenever a step does, or what is kept of it: what an older waxseal found is then found anew.
const STEPS: &str = concat!("waxseal ", env!("CARGO_PKG_VERSION"), ", steps 1");
