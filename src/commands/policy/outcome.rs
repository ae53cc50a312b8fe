//! What a policy makes of an object, as the exit code will have it.

use std::fmt;

use crate::commands::run::judged::Judged;
use crate::escape;
use crate::policy::{Allowed, IdentityPolicy};
use crate::report::{SHORT_ID, Standing, headline};
use crate::verify::Verdict;

/// What a policy makes of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    /// It is not judged.
    Exempt,
    /// Not allowed, or whatever the policy says: rejected or unsigned.
    Fails,
    /// Verified and allowed.
    Passes,
    /// Nobody can tell.
    Undecided,
}

impl Outcome {
    pub(super) fn of(judged: &Judged<'_>) -> Self {
        match judged.standing() {
            Standing::Exempt => Self::Exempt,
            Standing::Failed => Self::Fails,
            Standing::Ok => Self::Passes,
            Standing::Unjudged | Standing::Unknown => Self::Undecided,
        }
    }

    /// Whether the object is in nobody's way.
    pub(super) fn is_well(self) -> bool {
        matches!(self, Self::Exempt | Self::Passes)
    }

    /// The word in output, JSON too.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Exempt => "exempt",
            Self::Fails => "fails",
            Self::Passes => "passes",
            Self::Undecided => "undecided",
        }
    }
}

/// What there is to say of it: the rule, or why there is none.
pub(super) fn why(judged: &Judged<'_>) -> String {
    match &judged.allowed {
        Allowed::AnyIdentity => "anyone may sign".to_owned(),
        Allowed::Yes(rule) => match &judged.squashed {
            Some(head) => format!("rule \"{rule}\", squash of {head}"),
            None => format!("rule \"{rule}\""),
        },
        Allowed::CannotTell { .. } | Allowed::Exempt(_) | Allowed::No(_) | Allowed::NobodyAsked => {
            judged.detail().unwrap_or_default()
        }
    }
}

/// Who made a signature.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    /// Whoever has a key that the policy names: as the policy calls it.
    Key(String),
    /// Proven.
    Signer {
        /// The name in the certificate.
        identity: String,
        /// Who vouched for it.
        issuer: String,
    },
    /// Nobody that is known: the verdict.
    Nobody(&'static str),
}

impl Who {
    pub(super) fn of(judged: &Judged<'_>) -> Self {
        Self::Nobody(match &judged.verdict {
            Verdict::Verified(signature) => {
                let (identity, issuer) = (signature.san().as_str().to_owned(), signature.issuer().to_owned());
                return Self::Signer { identity, issuer };
            }
            Verdict::VerifiedByKey(signature) => return Self::Key(signature.identity().to_owned()),
            Verdict::OtherFormat(_) => "other",
            Verdict::Rejected(_) => "rejected",
            Verdict::Undecided(_) => "undecided",
            Verdict::Unsigned => "unsigned",
        })
    }

    /// The same of one object under two policies: a key is somebody's only where it is named.
    pub(super) fn of_either(old: &Judged<'_>, new: &Judged<'_>) -> Self {
        match (Self::of(old), Self::of(new)) {
            (Self::Nobody(_), known @ (Self::Key(_) | Self::Signer { .. })) => known,
            (known, _) => known,
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(identity) => write!(f, "{identity} (by key)"),
            Self::Signer { identity, issuer } => write!(f, "{identity} ({issuer})"),
            Self::Nobody("other") => f.write_str("of another format"),
            Self::Nobody(verdict) => f.write_str(verdict),
        }
    }
}

/// Short id and subject.
pub(super) fn named(judged: &Judged<'_>) -> (String, String) {
    let short = headline(&escape::terminal(judged.description().subject()));
    (judged.found.id.to_hex_with_len(SHORT_ID).to_string(), short)
}

/// The names of the rules, in the order in which they are asked.
pub(super) fn rules(policy: &IdentityPolicy) -> Vec<String> {
    match policy {
        IdentityPolicy::AnyIdentity | IdentityPolicy::NotGiven => Vec::new(),
        IdentityPolicy::File(file) => {
            let of_keys = file.key_rules().iter().map(|rule| rule.name.clone());
            file.rules().iter().map(|rule| rule.name.clone()).chain(of_keys).collect()
        }
        IdentityPolicy::OneOf(rules) => rules.iter().map(|rule| rule.name.clone()).collect(),
    }
}
