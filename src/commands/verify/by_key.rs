//! Signatures by keys that rules of the policy name.

use crate::git::SignedObject;
use crate::policy::{IdentityPolicy, PolicyFile};
use crate::signature::SignatureFormat;
use crate::verify::by_key::ssh_verdict;
use crate::verify::{KeyFormat, Verdict};

/// The keys that a policy names.
pub(in crate::commands) struct Keys<'a> {
    policy: &'a PolicyFile,
}

impl<'a> Keys<'a> {
    /// Those of a policy; `None` where it names none.
    pub(in crate::commands) fn of(policy: &'a IdentityPolicy) -> Option<Self> {
        match policy {
            IdentityPolicy::File(policy) if !policy.key_rules().is_empty() => Some(Self { policy }),
            IdentityPolicy::AnyIdentity
            | IdentityPolicy::File(_)
            | IdentityPolicy::NotGiven
            | IdentityPolicy::OneOf(_) => None,
        }
    }

    /// `verdict`, or what the keys say of a signature in a format that is theirs.
    pub(in crate::commands) fn verdict(&self, object: &SignedObject, verdict: Verdict) -> Verdict {
        match (&verdict, object.signature()) {
            (Verdict::OtherFormat(SignatureFormat::Ssh), Ok(armor)) if self.has(KeyFormat::Ssh) => {
                ssh_verdict(&object.payload, armor, |key| self.policy.names_key(KeyFormat::Ssh, key))
            }
            _ => verdict,
        }
    }

    fn has(&self, format: KeyFormat) -> bool {
        self.policy.key_rules().iter().any(|rule| rule.format == format)
    }
}
