//! What is allowed to be in a policy file and is nevertheless not what anybody wants.

use jiff::Timestamp;

mod covers;
mod identities;
mod keys;
mod nobody;
mod others;
mod places;
mod problem;
mod samples;
mod strangers;

pub(super) use self::keys::is_forges;
pub use self::problem::Problem;
use self::strangers::Strangers;
use super::PolicyFile;
use crate::instance::InstanceName;

/// Something about a policy file that its author should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule it is about.
    pub rule: String,
    /// What about it.
    pub problem: Problem,
}

impl PolicyFile {
    /// Everything that its author should look at, in the order of the rules, those about keys last. `instances` are those
    /// that are known.
    #[must_use]
    pub fn check(&self, now: Timestamp, instances: &[InstanceName]) -> Vec<Finding> {
        let strangers = Strangers::new();
        let mut findings = Vec::new();
        for (position, rule) in self.rules().iter().enumerate() {
            let earlier = self.rules().get(..position).unwrap_or_default();
            let problems = identities::alone(rule, now, instances, &strangers)
                .into_iter()
                .chain(identities::beside(rule, earlier));
            findings.extend(problems.map(|problem| Finding { rule: rule.name.clone(), problem }));
        }
        for (position, rule) in self.key_rules().iter().enumerate() {
            let earlier = self.key_rules().get(..position).unwrap_or_default();
            let alone = keys::alone(rule).into_iter().chain(keys::revoked(rule, self));
            let problems = alone.chain(keys::beside(rule, earlier));
            findings.extend(problems.map(|problem| Finding { rule: rule.name.clone(), problem }));
        }
        findings
    }
}

/// Where a pattern stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Email,
    Issuer,
    Path,
    Ref,
    Uri,
    Username,
}

#[cfg(test)]
mod tests;
