//! Why a rule does not admit a signature.

use jiff::Timestamp;

use super::Requirement;
use crate::instance::InstanceName;
use crate::policy::{NoMerge, NoSquash};

/// Which condition of a rule a signature does not meet. What is further down came nearer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// Another instance vouches.
    #[error("it is about the instance {rule}, and {vouching} vouches")]
    Instance {
        /// The rule's.
        rule: InstanceName,
        /// The signature's.
        vouching: InstanceName,
    },
    /// Another issuer vouched.
    #[error("it wants the issuer {0}")]
    Issuer(String),
    /// Another name.
    #[error("it is about others")]
    Identity,
    /// Another job.
    #[error("the certificate's {field} is {found}")]
    Workflow {
        /// The field of the rule.
        field: &'static str,
        /// What the certificate says.
        found: String,
    },
    /// Before the rule.
    #[error("it holds from {from} on, and the proven time is {at}")]
    TooEarly {
        /// The proven time.
        at: Timestamp,
        /// The rule's.
        from: Timestamp,
    },
    /// After the rule.
    #[error("it held until {until}, and the proven time is {at}")]
    TooLate {
        /// The proven time.
        at: Timestamp,
        /// The rule's.
        until: Timestamp,
    },
    /// At no time that could be proved.
    #[error("it does not hold while the certificate is valid, from {not_before} to {not_after}")]
    NeverThen {
        /// The first instant of the certificate.
        not_before: Timestamp,
        /// The last one.
        not_after: Timestamp,
    },
    /// Not under the forge's name.
    #[error("it is for commits that the forge makes under its own name")]
    Committer,
    /// The forge did more than merge, or something else.
    #[error("it admits merges, and the commit is none: {0}")]
    NoCleanMerge(NoMerge),
    /// The forge did something else than squash a head that is good itself.
    #[error("it admits squashed heads, and the commit is none: {0}")]
    NoSquash(NoSquash),
    /// The owner took the key back.
    #[error("the key is revoked, and only a rule with until_commit admits what it signed before")]
    Revoked,
    /// Not behind the first commit of a rule about keys.
    #[error("it holds from the commit {0} on, which is not in the object's history")]
    NotAfter(String),
    /// Not before the last one.
    #[error("it held until the commit {0}, in whose history the object is not")]
    NotBefore(String),
    /// No tag is in a commit's history.
    #[error("it held until the commit {0}, and a tag may be newer whatever it names")]
    TagUntil(String),
    /// A requirement.
    #[error("it wants {0}")]
    Requirement(Requirement),
    /// A change of the law, by somebody who may not change it.
    #[error("the commit changes the policy file, which the rule does not let it")]
    ChangesPolicy,
    /// Another ref.
    #[error("it is not for {0}")]
    Reference(String),
    /// The ref is not known here.
    #[error("it depends on the ref, which is not known here")]
    ReferenceUnknown,
    /// Whether the policy file is changed is not known here.
    #[error("whether the commit changes the policy file is not known here")]
    ChangeOfPolicyUnknown,
    /// Nobody can tell whether it is a merge and no more.
    #[error("whether the commit is a merge and no more is not known here: {0}")]
    MergeUnknown(String),
    /// Nobody can tell whether it is a head that was squashed.
    #[error("whether the commit is a squashed head is not known here: {0}")]
    SquashUnknown(String),
    /// Where the object stands is not known here.
    #[error("it depends on the history between the object and the commit {0}, which is not known here")]
    PlaceUnknown(String),
    /// Whether the policy judges the object at all is not known here.
    #[error("the policy has a start commit, and the history is not known here")]
    StartUnknown,
}

impl Mismatch {
    /// Whether the condition would perhaps hold, could it be looked at.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        match self {
            Self::ReferenceUnknown
            | Self::ChangeOfPolicyUnknown
            | Self::MergeUnknown(_)
            | Self::SquashUnknown(_)
            | Self::PlaceUnknown(_)
            | Self::StartUnknown => true,
            Self::Instance { .. }
            | Self::Issuer(_)
            | Self::Identity
            | Self::Workflow { .. }
            | Self::TooEarly { .. }
            | Self::TooLate { .. }
            | Self::NeverThen { .. }
            | Self::NotAfter(_)
            | Self::NotBefore(_)
            | Self::TagUntil(_)
            | Self::Committer
            | Self::NoCleanMerge(_)
            | Self::NoSquash(_)
            | Self::Revoked
            | Self::Requirement(_)
            | Self::ChangesPolicy
            | Self::Reference(_) => false,
        }
    }

    /// Whether the rule is about the signer, and something that is known besides is in the way.
    #[must_use]
    pub fn is_beside_the_signer(&self) -> bool {
        match self {
            Self::TooEarly { .. }
            | Self::TooLate { .. }
            | Self::NeverThen { .. }
            | Self::NotAfter(_)
            | Self::NotBefore(_)
            | Self::TagUntil(_)
            | Self::Committer
            | Self::NoCleanMerge(_)
            | Self::NoSquash(_)
            | Self::Revoked
            | Self::Requirement(_)
            | Self::ChangesPolicy
            | Self::Reference(_) => true,
            Self::Instance { .. } | Self::Issuer(_) | Self::Identity | Self::Workflow { .. } => false,
            Self::ReferenceUnknown
            | Self::ChangeOfPolicyUnknown
            | Self::MergeUnknown(_)
            | Self::SquashUnknown(_)
            | Self::PlaceUnknown(_)
            | Self::StartUnknown => false,
        }
    }

    /// The more, the nearer.
    pub(in crate::policy) fn nearness(&self) -> u8 {
        match self {
            Self::Instance { .. } => 0,
            Self::Issuer(_) => 1,
            Self::Identity => 2,
            Self::Workflow { .. } => 3,
            Self::TooEarly { .. } | Self::TooLate { .. } | Self::NeverThen { .. } => 4,
            Self::NotAfter(_)
            | Self::NotBefore(_)
            | Self::TagUntil(_)
            | Self::Committer
            | Self::NoCleanMerge(_)
            | Self::NoSquash(NoSquash::Parents)
            | Self::Revoked => 4,
            // Another rule may be about merges alone.
            Self::NoSquash(_) | Self::Requirement(_) => 5,
            Self::ChangesPolicy => 6,
            Self::Reference(_) => 7,
            Self::ReferenceUnknown
            | Self::ChangeOfPolicyUnknown
            | Self::MergeUnknown(_)
            | Self::SquashUnknown(_)
            | Self::PlaceUnknown(_)
            | Self::StartUnknown => 8,
        }
    }
}
