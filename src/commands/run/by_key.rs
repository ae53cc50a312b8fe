//! Signatures by keys that rules of the policy name.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use crate::git::SignedObject;
use crate::gpg::{Gpg, GpgError};
use crate::openpgp::{OpenPgpSignature, PublicKey, Said};
use crate::policy::{IdentityPolicy, PolicyFile};
use crate::signature::SignatureFormat;
use crate::verify::by_key::{openpgp_verdict, ssh_verdict};
use crate::verify::error::Missing;
use crate::verify::{KeyFormat, Undecided, Verdict};

/// The keys that a policy names.
pub(in crate::commands) struct Keys<'a> {
    policy: &'a PolicyFile,
    ring: Arc<Ring>,
    /// When it is not asked any more.
    deadline: Option<Instant>,
}

/// The gpg that has them.
#[derive(Default)]
pub(in crate::commands) struct Ring {
    /// Started when the first signature needs it; why not, where it could not be.
    gpg: OnceLock<Result<Gpg, Arc<GpgError>>>,
    /// Why it is not asked any more.
    trouble: OnceLock<Arc<GpgError>>,
}

impl<'a> Keys<'a> {
    /// Those of a policy, asked about until `deadline`; `None` where it names none.
    pub(in crate::commands) fn of(policy: &'a IdentityPolicy, deadline: Option<Instant>) -> Option<Self> {
        Self::with(policy, deadline, &Arc::default())
    }

    /// The same, with a gpg that was started for this policy.
    pub(in crate::commands) fn with(
        policy: &'a IdentityPolicy,
        deadline: Option<Instant>,
        ring: &Arc<Ring>,
    ) -> Option<Self> {
        match policy {
            IdentityPolicy::File(policy) if !policy.key_rules().is_empty() => {
                Some(Self { policy, ring: Arc::clone(ring), deadline })
            }
            IdentityPolicy::AnyIdentity
            | IdentityPolicy::File(_)
            | IdentityPolicy::NotGiven
            | IdentityPolicy::OneOf(_) => None,
        }
    }

    /// The policy that names them.
    pub(in crate::commands) fn policy(&self) -> &PolicyFile {
        self.policy
    }

    /// `verdict`, or what the keys say of a signature in a format that is theirs.
    pub(in crate::commands) fn verdict(&self, object: &SignedObject, verdict: Verdict) -> Verdict {
        let mut verdict = verdict;
        self.judge(std::slice::from_ref(object), &mut [&mut verdict]);
        verdict
    }

    /// The same for many, each with its verdict: gpg is asked for all of them at once.
    pub(in crate::commands) fn judge(&self, objects: &[SignedObject], verdicts: &mut [&mut Verdict]) {
        let mut pending = Vec::new();
        for (object, verdict) in objects.iter().zip(verdicts) {
            let Ok(armor) = object.signature() else { continue };
            match verdict {
                Verdict::OtherFormat(SignatureFormat::Ssh) if self.has(KeyFormat::Ssh) => {
                    let names = |key: &str| self.policy.names_key(KeyFormat::Ssh, key);
                    **verdict = ssh_verdict(&object.payload, armor, names);
                }
                Verdict::OtherFormat(SignatureFormat::OpenPgp) if self.has(KeyFormat::OpenPgp) => {
                    match OpenPgpSignature::open(armor) {
                        Ok(signature) => pending.push((signature.message(&object.payload), &mut **verdict)),
                        Err(error) => **verdict = openpgp_verdict(Err(error), |_key| None),
                    }
                }
                Verdict::OtherFormat(_)
                | Verdict::Rejected(_)
                | Verdict::Undecided(_)
                | Verdict::Unsigned
                | Verdict::Verified(_)
                | Verdict::VerifiedByKey(_) => {}
            }
        }
        self.ask_gpg(pending);
    }

    /// Until each has an answer, or there is none to be had.
    fn ask_gpg(&self, mut pending: Vec<(Vec<u8>, &mut Verdict)>) {
        while !pending.is_empty() {
            let messages: Vec<&[u8]> = pending.iter().map(|(message, _)| message.as_slice()).collect();
            match self.said(&messages) {
                Ok(said) => {
                    let answered = said.len().min(pending.len());
                    for (said, (_, verdict)) in said.into_iter().zip(pending.drain(..answered)) {
                        *verdict = openpgp_verdict(Ok(said), |key| self.policy.openpgp_key(key));
                    }
                }
                Err(error) => {
                    let unanswered = if error.is_about_one() { 1 } else { pending.len() };
                    let missing = match &*error {
                        GpgError::Silent(said) => Missing::GpgAnswer(said.clone()),
                        GpgError::Child(_) | GpgError::Files(_) => Missing::Gpg(error.to_string()),
                    };
                    for (_, verdict) in pending.drain(..unanswered) {
                        *verdict = Verdict::Undecided(Undecided::because(missing.clone()));
                    }
                }
            }
        }
    }

    fn said(&self, messages: &[&[u8]]) -> Result<Vec<Said>, Arc<GpgError>> {
        if let Some(trouble) = self.ring.trouble.get() {
            return Err(Arc::clone(trouble));
        }
        let gpg = self.ring.gpg.get_or_init(|| {
            let keys: Vec<Vec<u8>> = self.policy.openpgp_keys().map(PublicKey::packets).collect();
            Gpg::with_keys(keys.iter().map(Vec::as_slice)).map_err(Arc::new)
        });
        let gpg = gpg.as_ref().map_err(Arc::clone)?;
        gpg.verify(messages, self.deadline).map_err(|error| {
            let error = Arc::new(error);
            // Whoever asks again waits as long.
            if error.is_about_one() { error } else { Arc::clone(self.ring.trouble.get_or_init(|| error)) }
        })
    }

    fn has(&self, format: KeyFormat) -> bool {
        self.policy.key_rules().iter().any(|rule| rule.format == format)
    }
}
