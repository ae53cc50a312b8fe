//! What each rule says of one signer, for people who want to know why.

use super::rule::{Mismatch, Signer};
use super::{CertificateIdentity, Circumstances, IdentityPolicy};
use crate::instance::InstanceName;
use crate::verify::{Findings, KeySignature, VerifiedSignature};
use crate::x509::CertificateClaims;

/// One rule with its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleAnswer {
    /// What the rule is called.
    pub rule: String,
    /// Whether it admits the signer, or the first condition that does not hold.
    pub answer: Result<(), Mismatch>,
}

impl RuleAnswer {
    pub(super) fn is_yes(&self) -> bool {
        self.answer.is_ok()
    }
}

impl IdentityPolicy {
    /// What each rule says of a verified signer, in the order in which they are asked; nothing where there are none.
    #[must_use]
    pub fn answers(&self, signature: &VerifiedSignature, circumstances: &Circumstances<'_>) -> Vec<RuleAnswer> {
        let signer = Signer::from(signature);
        let nearest = |answer: &dyn Fn(&InstanceName) -> Result<(), Mismatch>| {
            let mut answers: Vec<_> = signature.instances().map(answer).collect();
            // Of several instances that vouch, one that is admitted is enough.
            answers.sort_by_key(|answer| answer.as_ref().err().map_or(0, |mismatch| u8::MAX - mismatch.nearness()));
            answers.into_iter().next().unwrap_or(Err(Mismatch::Identity))
        };
        match self {
            Self::AnyIdentity | Self::NotGiven => Vec::new(),
            Self::File(file) => file
                .rules()
                .iter()
                .map(|rule| RuleAnswer {
                    rule: rule.name.clone(),
                    answer: nearest(&|instance| rule.admits(&signer, instance, circumstances)),
                })
                .collect(),
            Self::OneOf(rules) => rules
                .iter()
                .map(|rule| RuleAnswer {
                    rule: rule.name.clone(),
                    answer: nearest(&|instance| rule.answer(signature.claims(), Some(instance))),
                })
                .collect(),
        }
    }

    /// What each rule about keys says of a signature by one.
    #[must_use]
    pub fn answers_of_keys(&self, signature: &KeySignature, circumstances: &Circumstances<'_>) -> Vec<RuleAnswer> {
        match self {
            Self::AnyIdentity | Self::NotGiven | Self::OneOf(_) => Vec::new(),
            Self::File(file) => file.answers_of_keys(signature, circumstances),
        }
    }

    /// What each rule would say of a signer who is only claimed, were the evidence there; nothing where nobody is.
    #[must_use]
    pub fn answers_to_claim(&self, findings: &Findings) -> Vec<RuleAnswer> {
        let Some(claims) = &findings.claims else { return Vec::new() };
        match self {
            Self::AnyIdentity | Self::NotGiven => Vec::new(),
            Self::File(file) => file
                .rules()
                .iter()
                .map(|rule| RuleAnswer { rule: rule.name.clone(), answer: rule.answer_to_claim(claims, findings) })
                .collect(),
            Self::OneOf(rules) => rules
                .iter()
                .map(|rule| RuleAnswer {
                    rule: rule.name.clone(),
                    answer: rule.answer(claims, findings.instance.as_ref()),
                })
                .collect(),
        }
    }
}

impl CertificateIdentity {
    /// As [`admits`](Self::admits), with the reason.
    fn answer(&self, claims: &CertificateClaims, instance: Option<&InstanceName>) -> Result<(), Mismatch> {
        let vouching = instance.unwrap_or(&self.instance);
        if *vouching != self.instance {
            Err(Mismatch::Instance { rule: self.instance.clone(), vouching: vouching.clone() })
        } else if !self.issuer.matches(&claims.issuer) {
            Err(Mismatch::Issuer(self.issuer.as_str().to_owned()))
        } else if self.admits(claims, vouching) {
            Ok(())
        } else {
            Err(Mismatch::Identity)
        }
    }
}
