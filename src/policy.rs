//! Who may sign: asked after a signature was verified, never before.
//!
//! The flags and `waxseal.allow` name identities ([`CertificateIdentity`]); a policy file ([`PolicyFile`]) has rules with
//! conditions. What a rule asks that cannot be known where it is asked makes the answer [`Allowed::CannotTell`], which is
//! not a yes.

mod check;
mod explain;
mod file;
mod glob;
mod key_rule;
mod merge;
mod pattern;
mod rule;
mod squash;
mod suggestion;

pub use self::check::{Finding, Problem};
pub use self::explain::RuleAnswer;
pub(crate) use self::file::MAX_BYTES;
pub use self::file::{BadPolicy, BadRule, Exemption, Pinned, PolicyFile, ReadFile};
pub use self::glob::Glob;
pub use self::key_rule::{Bounds, Forge, KeyRule, Place, Shape};
pub use self::merge::{Merge, NoMerge};
pub use self::pattern::{BadPattern, Pattern, RegexBudget};
pub use self::rule::{Mismatch, Requirement, Rule, Signer, Validity, Who, Workflow};
pub use self::squash::{NoSquash, Squash, SquashedHead};
pub use self::suggestion::{Draft, DraftedKeys, LeftOut, NamedKey, NamedKeys, Suggestion, Why};

use crate::instance::InstanceName;
use crate::verify::{Findings, KeySignature, VerifiedSignature};
use crate::x509::{CertificateClaims, SubjectAlternativeName};

/// Which identities are admitted.
#[derive(Clone, Debug)]
pub enum IdentityPolicy {
    /// `--any-identity`: whoever it was. Spelled out, never a default.
    AnyIdentity,
    /// The rules of a policy file.
    File(Box<PolicyFile>),
    /// Nobody said who may sign.
    NotGiven,
    /// One of these.
    OneOf(Vec<CertificateIdentity>),
}

impl IdentityPolicy {
    /// Whether the policy admits the identity of a verified signature. Of several instances that vouch for it, the one
    /// that the rule names becomes the signature's: a second instance with the same authority must not hide the first.
    #[must_use]
    pub fn judge(&self, signature: &mut VerifiedSignature, circumstances: &Circumstances<'_>) -> Allowed {
        let rules = match self {
            Self::AnyIdentity => return Allowed::AnyIdentity,
            Self::NotGiven => return Allowed::NobodyAsked,
            Self::File(file) => return file.judge(signature, circumstances),
            Self::OneOf(rules) => rules,
        };
        let admitting = rules.iter().find_map(|rule| {
            let instance = signature.instances().find(|instance| rule.admits(signature.claims(), instance))?;
            Some((rule, instance.clone()))
        });
        let Some((rule, instance)) = admitting else { return Allowed::No(None) };
        signature.prefer(&instance);
        Allowed::Yes(rule.name.clone())
    }

    /// The same of a signature by a key. Whose key it is comes to be what the rule that admits it says.
    #[must_use]
    pub fn judge_key(&self, signature: &mut KeySignature, circumstances: &Circumstances<'_>) -> Allowed {
        match self {
            Self::AnyIdentity => Allowed::AnyIdentity,
            Self::File(file) => file.judge_key(signature, circumstances),
            Self::NotGiven => Allowed::NobodyAsked,
            // They are about certificates.
            Self::OneOf(_) => Allowed::No(None),
        }
    }

    /// Whether some rule could admit a *claimed* identity, were the evidence there: an undecided object of which no rule
    /// could ever admit the signer counts as not allowed. True where the object shows no claim.
    #[must_use]
    pub fn could_admit(&self, findings: &Findings) -> bool {
        !self.has_rules() || findings.claims.is_none() || self.answers_to_claim(findings).iter().any(RuleAnswer::is_yes)
    }

    /// Whether there are rules: then what they do not cover is not allowed.
    #[must_use]
    pub fn has_rules(&self) -> bool {
        match self {
            Self::AnyIdentity | Self::NotGiven => false,
            Self::File(_) | Self::OneOf(_) => true,
        }
    }
}

/// What rules may ask besides the signature.
#[derive(Clone, Copy, Debug, Default)]
pub struct Circumstances<'a> {
    /// The full name of the ref through which the object was reached, where one was named.
    pub reference: Option<&'a str>,
    /// The e-mail address of the object's author, of a tag its tagger's.
    pub author_email: Option<&'a [u8]>,
    /// Whether the commit changes the policy file, or is a part of what does; `None` where nobody looked.
    pub changes_policy: Option<bool>,
    /// The object's id, full and in lower-case hexadecimal.
    pub object: Option<&'a str>,
    /// Where it stands as to the policy's start commit.
    pub start: Start,
    /// Where it stands between the bounds of each rule about keys, in the order of the rules.
    pub places: &'a [Place],
    /// The e-mail address of the object's committer.
    pub committer_email: Option<&'a [u8]>,
    /// Whether it did no more than merge, where a rule asks for that and somebody looked.
    pub merge: Option<&'a Merge>,
    /// Whether it is a head that was squashed, where a rule asks for that and somebody looked.
    pub squash: Option<&'a Squash>,
}

impl Circumstances<'_> {
    /// Whether they are those of a rule for `refs`, with this leave to change the policy.
    fn admit(&self, refs: &[Pattern], may_change_policy: bool) -> Result<(), Mismatch> {
        if self.changes_policy == Some(true) && !may_change_policy {
            return Err(Mismatch::ChangesPolicy);
        }
        if !refs.is_empty() {
            match self.reference {
                Some(reference) if refs.iter().any(|pattern| pattern.matches(reference)) => {}
                Some(reference) => return Err(Mismatch::Reference(reference.to_owned())),
                None => return Err(Mismatch::ReferenceUnknown),
            }
        }
        if self.changes_policy.is_none() && !may_change_policy {
            return Err(Mismatch::ChangeOfPolicyUnknown);
        }
        Ok(())
    }
}

/// Where an object stands as to the policy's start commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// The start commit itself or not among its ancestors; also where the policy names none.
    Judged,
    /// Among the ancestors of the start commit.
    Before,
    /// Nobody looked.
    #[default]
    Unknown,
}

/// A rule: a subject alternative name and the issuer that vouched for it, at one instance.
#[derive(Clone, Debug)]
pub struct CertificateIdentity {
    /// How the rule is called in output.
    pub name: String,
    /// The subject alternative name.
    pub san: Pattern,
    /// The OIDC issuer.
    pub issuer: Pattern,
    /// The instance: a private authority vouches for nobody elsewhere.
    pub instance: InstanceName,
}

impl CertificateIdentity {
    fn admits(&self, identity: &CertificateClaims, instance: &InstanceName) -> bool {
        self.instance == *instance
            && self.issuer.matches(&identity.issuer)
            && self.san.matches(identity.san.as_str())
            && self.may_be(&identity.san)
    }

    /// An exact e-mail address admits no other kind of name that happens to read like one.
    fn may_be(&self, san: &SubjectAlternativeName) -> bool {
        match &self.san {
            Pattern::Exact(exact) if exact.contains('@') && !exact.contains("://") => {
                matches!(san, SubjectAlternativeName::Email(_) | SubjectAlternativeName::Username(_))
            }
            Pattern::Exact(_) | Pattern::Glob { .. } | Pattern::Regex { .. } => true,
        }
    }
}

/// Whether a verified signature's identity is admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// `--any-identity` was given.
    AnyIdentity,
    /// It depends on something that is not known here.
    CannotTell {
        /// The rule that would admit it; `None` where the policy itself may not be about the object.
        rule: Option<String>,
        /// What it asks.
        asks: Mismatch,
    },
    /// The policy does not judge the object: it stands before its start, or is excepted for this reason.
    Exempt(String),
    /// There is no policy.
    NobodyAsked,
    /// No rule admits it. The one that came nearest, and what it missed.
    No(Option<(String, Mismatch)>),
    /// By the rule of this name.
    Yes(String),
}
