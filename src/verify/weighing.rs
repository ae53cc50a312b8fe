//! What the steps found, weighed: anything wrong outweighs anything missing, and the payload comes last.

use super::checked::Checked;
use super::entry_version::mislabelled;
use super::error::{Missing, VerifyError};
use super::findings::{Finding, Findings, Outcome, Step};
use super::log_entry::LoggedEntry;
use super::times::VerifiedTime;
use super::trusted::{SctRequirement, TrustedInstance};
use super::verdict::{Rejection, Undecided, Verdict, VerifiedSignature};
use crate::signature::git::{BindingError, GitSignature};
use crate::x509::fulcio::BuildClaims;
use crate::x509::path::{PathError, VerifiedPath};
use crate::x509::sct::VerifiedSct;
use crate::x509::{LeafError, SigningCertificate};

/// What the steps found, ready to be weighed.
pub(super) struct Weighing<'a> {
    pub(super) leaf: Result<SigningCertificate, LeafError>,
    pub(super) sct: Checked<Option<VerifiedSct>>,
    pub(super) signed: Result<(), VerifyError>,
    pub(super) entry: Checked<LoggedEntry>,
    pub(super) times: Checked<Vec<VerifiedTime>>,
    pub(super) path: Result<VerifiedPath, PathError>,
    /// The authority's place in the trusted root's list.
    pub(super) authority: usize,
    pub(super) binding: Result<(), BindingError>,
    pub(super) signature: &'a GitSignature,
    pub(super) trusted: &'a TrustedInstance,
    pub(super) scts: SctRequirement,
}

impl Weighing<'_> {
    /// Anything wrong: rejected. Else anything missing: undecided. The payload is weighed last.
    pub(super) fn verdict(self) -> Verdict {
        let payload_differs = self.binding == Err(BindingError::Payload);
        let mut errors = self.errors();
        let missing = self.missing();
        let complete = errors.is_empty() && missing.is_empty();
        if payload_differs {
            errors.push(VerifyError::Binding(BindingError::Payload));
        }
        let findings = if complete && !payload_differs { Findings::default() } else { self.findings() };
        let claims = self.leaf.as_ref().ok().map(|leaf| leaf.claims().clone());
        let verified = if complete { self.verified() } else { None };
        match (verified, errors.is_empty()) {
            (Some(verified), true) => Verdict::Verified(Box::new(verified)),
            (None, true) => Verdict::Undecided(Undecided { missing, findings }),
            (verified, false) => {
                let payload_alone = verified.map(Box::new);
                Verdict::Rejected(Rejection { errors, claims, findings, payload_alone, by_key: None })
            }
        }
    }

    fn verified(self) -> Option<VerifiedSignature> {
        let (Ok(leaf), Checked::Held(entry), Checked::Held(times)) = (self.leaf, self.entry, self.times) else {
            return None;
        };
        let scts_ignored = self.scts == SctRequirement::InsecureIgnore;
        VerifiedSignature::new(&leaf, &entry, &times, &self.trusted.instance.name, scts_ignored)
    }

    fn errors(&self) -> Vec<VerifyError> {
        let mut errors = Vec::new();
        errors.extend(self.leaf.as_ref().err().cloned().map(VerifyError::Leaf));
        errors.extend(self.path.as_ref().err().cloned().map(VerifyError::Path));
        if let Ok(leaf) = &self.leaf {
            errors.extend(self.issuer_not_admitted(leaf));
        }
        if let Checked::Wrong(error) = &self.sct {
            errors.push(error.clone());
        }
        errors.extend(self.signed.as_ref().err().cloned());
        if let Checked::Wrong(error) = &self.entry {
            errors.push(error.clone());
        }
        if let Checked::Wrong(error) = &self.times {
            errors.push(error.clone());
        }
        if let Err(error) = self.binding
            && error != BindingError::Payload
        {
            errors.push(VerifyError::Binding(error));
        }
        errors
    }

    fn issuer_not_admitted(&self, leaf: &SigningCertificate) -> Option<VerifyError> {
        let (issuer, instance) = (&leaf.claims().issuer, &self.trusted.instance);
        (!instance.bounds.admits_issuer(issuer)).then(|| {
            let instance = instance.name.clone();
            VerifyError::IssuerNotAdmitted { issuer: issuer.clone(), instance }
        })
    }

    fn missing(&self) -> Vec<Missing> {
        let material = &self.signature.material;
        let mut missing = Vec::new();
        missing.extend(material.unsupported.map(Missing::Unsupported));
        match (&self.entry, &self.times) {
            (Checked::Missing(_), _) if material.unsupported.is_some() => {}
            (Checked::Missing(absent), Checked::Missing(material @ Missing::TrustMaterial { .. })) => {
                missing.extend([material.clone(), absent.clone()]);
            }
            (Checked::Missing(absent), _) | (Checked::Held(_), Checked::Missing(absent)) => {
                missing.push(absent.clone());
            }
            _ => {}
        }
        if let Checked::Missing(absent) = &self.sct {
            missing.push(absent.clone());
        }
        missing
    }

    /// What each step found. Nothing in it can become a verified signature.
    pub(super) fn findings(&self) -> Findings {
        let step = |step, outcome| Finding { step, outcome };
        let leaf = match &self.leaf {
            Ok(_) => Outcome::Held("a signing certificate".to_owned()),
            Err(error) => Outcome::Wrong(VerifyError::Leaf(error.clone())),
        };
        let path = match &self.path {
            Ok(path) => Outcome::Held(format!("to {} at {}", self.trusted.instance.name, path.at())),
            Err(error) => Outcome::Wrong(VerifyError::Path(error.clone())),
        };
        let sct = self.sct.outcome(|sct| match sct {
            Some(sct) => format!("CT log {} at {}", sct.log_id(), sct.at()),
            None => "not demanded".to_owned(),
        });
        let signature = match &self.signed {
            Ok(()) => Outcome::Held("by the certificate's key".to_owned()),
            Err(error) => Outcome::Wrong(error.clone()),
        };
        let issuer = self.leaf.as_ref().ok().map(|leaf| match self.issuer_not_admitted(leaf) {
            None => Outcome::Held("one that the instance may vouch for".to_owned()),
            Some(error) => Outcome::Wrong(error),
        });
        let payload = match self.binding {
            Ok(()) => Outcome::Held("is what was signed".to_owned()),
            Err(error) => Outcome::Wrong(VerifyError::Binding(error)),
        };
        let entry = match (&self.entry, self.signature.material.unsupported) {
            (Checked::Missing(Missing::LogEntry), Some(unsupported)) => Outcome::Missing(unsupported.into()),
            (entry, _) => entry.outcome(|entry| {
                let label =
                    mislabelled(entry.version, entry.label).map(|label| format!(", {label}")).unwrap_or_default();
                format!("log {} index {}{label}", entry.log_id, entry.log_index)
            }),
        };
        let times = self.times.outcome(|times| {
            let each = times.iter().map(|time| format!("{} ({})", time.at(), time.source().as_str()));
            each.collect::<Vec<_>>().join(", ")
        });
        let steps = [
            step(Step::Certificate, leaf),
            step(Step::Path, path),
            step(Step::Sct, sct),
            step(Step::Signature, signature),
            step(Step::Payload, payload),
            step(Step::LogEntry, entry),
            step(Step::Time, times),
        ];
        Findings {
            claims: self.leaf.as_ref().ok().map(|leaf| leaf.claims().clone()),
            build: self.leaf.as_ref().map(|leaf| BuildClaims::read(leaf.certificate())).unwrap_or_default(),
            validity: self
                .leaf
                .as_ref()
                .ok()
                .map(|leaf| (leaf.certificate().not_before(), leaf.certificate().not_after())),
            instance: Some(self.trusted.instance.name.clone()),
            authority: Some(self.authority),
            signing_time: self.signature.signing_time,
            steps: steps.into_iter().chain(issuer.map(|outcome| step(Step::Issuer, outcome))).collect(),
        }
    }
}
