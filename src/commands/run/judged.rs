//! One object with its verdict and whether its signer is admitted; and the sum of many.

use std::collections::BTreeMap;

use crate::command_error::ErrorKind;
use crate::commands::outside_evidence::{Completed, EntryFrom, NoteRefusal};
use crate::commands::{hints, identity_policy};
use crate::git::ObjectKind;
use crate::git::description::Description;
use crate::git::repository::{FoundObject, UnreadableObject};
use crate::policy::{Allowed, Circumstances, IdentityPolicy, Mismatch, Squash, SquashedHead};
use crate::report::Standing;
use crate::verify::error::Missing;
use crate::verify::{KeySignature, Verdict, VerifiedSignature};

/// An object and all that is known of it.
pub(in crate::commands) struct Judged<'a> {
    pub found: &'a FoundObject,
    pub verdict: Verdict,
    pub allowed: Allowed,
    /// Where the log entry came from, if there is one.
    pub from: EntryFrom,
    /// What in the notes proves nothing: why.
    pub refused: Vec<NoteRefusal>,
    /// The commit changes the policy file that judges it.
    pub changes_policy: bool,
    /// An earlier run found what the verdict rests on.
    pub cached: bool,
    /// The head by which a squash is admitted.
    pub squashed: Option<SquashedHead>,
}

impl<'a> Judged<'a> {
    pub(in crate::commands) fn new(
        found: &'a FoundObject,
        completed: Completed,
        policy: &IdentityPolicy,
        circumstances: &Circumstances<'_>,
    ) -> Self {
        let Completed { mut verdict, from, refused } = completed;
        let exempt = match policy {
            IdentityPolicy::File(file) => {
                circumstances.object.and_then(|object| file.exemption(object, circumstances.start))
            }
            IdentityPolicy::AnyIdentity | IdentityPolicy::NotGiven | IdentityPolicy::OneOf(_) => None,
        };
        let allowed = match (&mut verdict, exempt) {
            (_, Some(reason)) => Allowed::Exempt(reason),
            (Verdict::Verified(signature), None) => policy.judge(signature, circumstances),
            (Verdict::VerifiedByKey(signature), None) => policy.judge_key(signature, circumstances),
            // Choosing a foreign format, or leaving evidence out, is no way around a policy.
            (Verdict::OtherFormat(_), None) if policy.has_rules() => Allowed::No(None),
            (Verdict::Undecided(undecided), _) => {
                if policy.could_admit(undecided.findings()) {
                    Allowed::NobodyAsked
                } else {
                    Allowed::No(None)
                }
            }
            (Verdict::OtherFormat(_) | Verdict::Rejected(_) | Verdict::Unsigned, _) => Allowed::NobodyAsked,
        };
        let changes_policy = circumstances.changes_policy == Some(true);
        let squashed = match (&allowed, circumstances.squash) {
            (Allowed::Yes(_), Some(Squash::Of(head))) => Some(head.clone()),
            _ => None,
        };
        Self { found, verdict, allowed, from, refused, changes_policy, cached: false, squashed }
    }

    /// The code of `docs/errors.md`; `None` for verified and allowed.
    pub(in crate::commands) fn reason(&self) -> Option<&'static str> {
        match (&self.verdict, &self.allowed) {
            (_, Allowed::Exempt(_)) => Some("exempt"),
            (Verdict::Verified(_) | Verdict::VerifiedByKey(_), Allowed::AnyIdentity | Allowed::Yes(_)) => None,
            (Verdict::Verified(_) | Verdict::VerifiedByKey(_), Allowed::CannotTell { .. }) => Some("rule-undecided"),
            (Verdict::VerifiedByKey(_), Allowed::No(Some((_, Mismatch::NoSquash(why))))) => Some(why.reason()),
            (Verdict::Verified(_) | Verdict::VerifiedByKey(_), Allowed::No(_)) => Some("identity-not-allowed"),
            (Verdict::Verified(_) | Verdict::VerifiedByKey(_), Allowed::NobodyAsked) => Some("no-policy"),
            (verdict, _) => verdict.reason(),
        }
    }

    /// What there may be a hint about: the reason, and of an object that is only too large that.
    pub(in crate::commands) fn hinted(&self) -> Option<&'static str> {
        match (self.reason(), &self.found.content) {
            (Some("object-unreadable"), Err(UnreadableObject::TooLarge)) => Some(hints::OBJECT_TOO_LARGE),
            (reason, _) => reason,
        }
    }

    /// Why, in a sentence; `None` for verified and allowed.
    pub(in crate::commands) fn detail(&self) -> Option<String> {
        match (&self.verdict, &self.allowed) {
            (_, Allowed::Exempt(reason)) => Some(reason.clone()),
            (Verdict::Verified(_) | Verdict::VerifiedByKey(_), Allowed::AnyIdentity | Allowed::Yes(_)) => None,
            (Verdict::Verified(_) | Verdict::VerifiedByKey(_), Allowed::CannotTell { rule, asks }) => {
                Some(asked(rule.as_deref(), asks))
            }
            (Verdict::Verified(_) | Verdict::VerifiedByKey(_), Allowed::No(None)) => {
                Some("no rule admits this identity".to_owned())
            }
            (Verdict::Verified(_) | Verdict::VerifiedByKey(_), Allowed::No(Some((rule, mismatch)))) => {
                Some(format!("no rule admits this identity; nearest is \"{rule}\": {mismatch}"))
            }
            (Verdict::Verified(_) | Verdict::VerifiedByKey(_), Allowed::NobodyAsked) => {
                Some("nobody said who may sign".to_owned())
            }
            (Verdict::Rejected(rejection), _) => Some(rejection.error().to_string()),
            (Verdict::Undecided(undecided), Allowed::No(_)) => {
                Some(format!("{STRANGER}; besides, {}", undecided.missing()))
            }
            (Verdict::Undecided(undecided), _) => Some(undecided.missing().to_string()),
            (Verdict::Unsigned, _) => Some("there is no signature".to_owned()),
            (Verdict::OtherFormat(_), _) => Some("the signature is in a format that no rule covers".to_owned()),
        }
    }

    /// The head by which a squash is admitted, or the one that came nearest, and whether it is the former.
    pub(in crate::commands) fn head(&self) -> Option<(&SquashedHead, bool)> {
        let proving = self.squashed.as_ref().map(|head| (head, true));
        proving.or_else(|| match &self.allowed {
            Allowed::No(Some((_, Mismatch::NoSquash(why)))) => why.head().map(|head| (head, false)),
            _ => None,
        })
    }

    /// What the object means for the exit code.
    pub(in crate::commands) fn standing(&self) -> Standing {
        match (&self.allowed, &self.verdict) {
            (Allowed::Exempt(_), _) => Standing::Exempt,
            (Allowed::No(_), _) => Standing::Failed,
            (_, Verdict::Rejected(_) | Verdict::Unsigned) => Standing::Failed,
            (_, Verdict::OtherFormat(_) | Verdict::Undecided(_)) => Standing::Unknown,
            (Allowed::CannotTell { .. }, Verdict::Verified(_) | Verdict::VerifiedByKey(_)) => Standing::Unknown,
            (Allowed::NobodyAsked, Verdict::Verified(_) | Verdict::VerifiedByKey(_)) => Standing::Unjudged,
            (Allowed::AnyIdentity | Allowed::Yes(_), Verdict::Verified(_) | Verdict::VerifiedByKey(_)) => Standing::Ok,
        }
    }

    /// The signature that a certificate vouches for, if there is one and it is verified.
    pub(in crate::commands) fn certified(&self) -> Option<&VerifiedSignature> {
        match &self.verdict {
            Verdict::Verified(signature) => Some(signature.as_ref()),
            Verdict::OtherFormat(_)
            | Verdict::Rejected(_)
            | Verdict::Undecided(_)
            | Verdict::Unsigned
            | Verdict::VerifiedByKey(_) => None,
        }
    }

    /// The signature by a key that the policy names, if there is one and it is verified.
    pub(in crate::commands) fn by_key(&self) -> Option<&KeySignature> {
        match &self.verdict {
            Verdict::VerifiedByKey(signature) => Some(signature.as_ref()),
            Verdict::OtherFormat(_)
            | Verdict::Rejected(_)
            | Verdict::Undecided(_)
            | Verdict::Unsigned
            | Verdict::Verified(_) => None,
        }
    }

    /// Whom a verified certificate or key names.
    pub(in crate::commands) fn identity(&self) -> Option<&str> {
        let certified = self.certified().map(|signature| signature.san().as_str());
        certified.or(self.by_key().map(KeySignature::identity))
    }

    /// What kind of name that is.
    pub(in crate::commands) fn identity_kind(&self) -> Option<&'static str> {
        let certified = self.certified().map(|signature| signature.san().kind());
        certified.or(self.by_key().map(|signature| signature.format().identity_kind()))
    }

    /// The rule that admits the signer, or cannot tell.
    pub(in crate::commands) fn rule(&self) -> Option<&str> {
        match &self.allowed {
            Allowed::AnyIdentity => Some("--any-identity"),
            Allowed::CannotTell { rule, .. } => rule.as_deref(),
            Allowed::Exempt(_) | Allowed::No(_) | Allowed::NobodyAsked => None,
            Allowed::Yes(rule) => Some(rule.as_str()),
        }
    }

    pub(in crate::commands) fn kind(&self) -> Option<ObjectKind> {
        self.found.content.as_ref().ok().map(|object| object.kind)
    }

    pub(in crate::commands) fn description(&self) -> Description<'_> {
        match &self.found.content {
            Ok(object) => Description::of(object.kind, &object.bytes),
            Err(_unreadable) => Description::default(),
        }
    }
}

/// What is not known, and whose question it was.
pub(in crate::commands) fn asked(rule: Option<&str>, asks: &Mismatch) -> String {
    rule.map_or_else(|| asks.to_string(), |rule| format!("rule \"{rule}\": {asks}"))
}

impl From<&UnreadableObject> for Missing {
    fn from(error: &UnreadableObject) -> Self {
        match error {
            UnreadableObject::Missing => Self::ObjectMissing,
            UnreadableObject::OutOfTime => Self::OutOfTime,
            UnreadableObject::Corrupt | UnreadableObject::OtherKind | UnreadableObject::TooLarge => {
                Self::ObjectUnreadable(error.to_string())
            }
            UnreadableObject::Storage(why) => Self::ObjectUnreadable(why.clone()),
        }
    }
}

/// How many of each verdict.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::commands) struct Verdicts {
    pub verified: u64,
    pub rejected: u64,
    pub undecided: u64,
    pub unsigned: u64,
    pub other: u64,
}

impl Verdicts {
    fn count(&mut self, verdict: &Verdict) {
        *match verdict {
            Verdict::Verified(_) | Verdict::VerifiedByKey(_) => &mut self.verified,
            Verdict::Rejected(_) => &mut self.rejected,
            Verdict::Undecided(_) => &mut self.undecided,
            Verdict::Unsigned => &mut self.unsigned,
            Verdict::OtherFormat(_) => &mut self.other,
        } += 1;
    }

    pub(in crate::commands) fn sum(self) -> u64 {
        self.verified + self.rejected + self.undecided + self.unsigned + self.other
    }
}

/// How many of each.
#[derive(Debug, Default)]
pub(in crate::commands) struct Tally {
    /// Of the objects that count.
    pub judged: Verdicts,
    /// Of those that the policy does not judge, whatever the verdict.
    pub exempt: Verdicts,
    /// Verified, and what the rules ask is not known.
    pub cannot_tell: u64,
    /// Verified, and admitted.
    pub allowed: u64,
    /// Not admitted, whatever the verdict.
    pub not_allowed: u64,
    /// What they mean for the exit code.
    standings: BTreeMap<Standing, u64>,
    pub tags: u64,
    /// The first few verified identities for which there was no policy, as items of `waxseal.allow`.
    pub unjudged: Vec<String>,
    /// What there may be hints about, each once.
    pub reasons: Vec<&'static str>,
}

impl Tally {
    pub(in crate::commands) fn count(&mut self, judged: &Judged<'_>) {
        self.tags += u64::from(judged.kind() == Some(ObjectKind::Tag));
        *self.standings.entry(judged.standing()).or_default() += 1;
        if matches!(judged.allowed, Allowed::Exempt(_)) {
            self.exempt.count(&judged.verdict);
            return;
        }
        self.judged.count(&judged.verdict);
        match (&judged.verdict, &judged.allowed) {
            (_, Allowed::AnyIdentity | Allowed::Yes(_)) => self.allowed += 1,
            (_, Allowed::CannotTell { .. }) => self.cannot_tell += 1,
            (_, Allowed::No(_)) => self.not_allowed += 1,
            (Verdict::Verified(signature), Allowed::NobodyAsked) => {
                if self.unjudged.len() < MAX_ADVICE {
                    let item = identity_policy::item_admitting(signature);
                    self.unjudged.extend(item.filter(|item| !self.unjudged.contains(item)));
                }
            }
            (_, Allowed::Exempt(_) | Allowed::NobodyAsked) => {}
        }
        // What would complete the proof of a stranger's signature helps nobody.
        let is_stranger = matches!((&judged.verdict, &judged.allowed), (Verdict::Undecided(_), Allowed::No(_)));
        let reason = judged.hinted().filter(|reason| !is_stranger && !self.reasons.contains(reason));
        self.reasons.extend(reason);
    }

    pub(in crate::commands) fn objects(&self) -> u64 {
        self.judged.sum() + self.exempt.sum()
    }

    pub(in crate::commands) fn of(&self, standing: Standing) -> u64 {
        self.standings.get(&standing).copied().unwrap_or_default()
    }

    /// `docs/errors.md`, "Exit codes"; what ends a run earlier is not here.
    pub(in crate::commands) fn exit_code(&self, allow_empty: bool) -> u8 {
        let is_empty = self.standings.is_empty() && !allow_empty;
        let error = if self.of(Standing::Failed) > 0 {
            ErrorKind::Failed
        } else if self.of(Standing::Unknown) > 0 || is_empty {
            ErrorKind::Undecided
        } else if self.of(Standing::Unjudged) > 0 {
            ErrorKind::Policy
        } else {
            return 0;
        };
        error.exit_code()
    }
}

/// Why an undecided object is not allowed.
pub(in crate::commands) const STRANGER: &str = "no rule would admit the signer that it claims";

/// More identities than these are not worth a line of advice each.
const MAX_ADVICE: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_answer_wins() {
        let of = |standings: &[Standing]| {
            let standings = standings.iter().map(|standing| (*standing, 1)).collect();
            Tally { standings, ..Tally::default() }.exit_code(false)
        };
        assert_eq!(of(&[Standing::Ok]), 0);
        assert_eq!(of(&[Standing::Ok, Standing::Exempt]), 0);
        assert_eq!(of(&[Standing::Ok, Standing::Exempt, Standing::Unjudged]), 5);
        assert_eq!(of(&[Standing::Ok, Standing::Unjudged, Standing::Unknown]), 3);
        assert_eq!(of(&[Standing::Ok, Standing::Unjudged, Standing::Unknown, Standing::Failed]), 1);
        assert_eq!(of(&[]), 3);
        assert_eq!(Tally::default().exit_code(true), 0);
    }
}
