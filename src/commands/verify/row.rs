//! What a report shows of a judged object.

use super::json;
use super::judged::Judged;
use crate::git::ObjectKind;
use crate::policy::Allowed;
use crate::report::{Row, Standing, shortened};
use crate::verify::{KeySignature, Verdict};

impl Judged<'_> {
    /// What the object means for the exit code: [`super::judged::Tally::exit_code`] counts the same way.
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

    /// What it is counted under: the kind of a signature that is in order, else the reason.
    pub(in crate::commands) fn label(&self) -> &'static str {
        let label = match self.standing() {
            Standing::Ok => json::signature(self),
            Standing::Exempt | Standing::Failed | Standing::Unjudged | Standing::Unknown => self.reason(),
        };
        label.unwrap_or_else(|| json::verdict(&self.verdict))
    }

    /// Everything that a report shows.
    pub(in crate::commands) fn row(&self) -> Row {
        let (verified, by_key) = match &self.verdict {
            Verdict::Verified(signature) => (Some(signature.as_ref()), None),
            Verdict::VerifiedByKey(signature) => (None, Some(signature.as_ref())),
            Verdict::OtherFormat(_) | Verdict::Rejected(_) | Verdict::Undecided(_) | Verdict::Unsigned => (None, None),
        };
        let name = verified.map(|signature| signature.san().as_str()).or(by_key.map(KeySignature::identity));
        let rule = match &self.allowed {
            Allowed::AnyIdentity => Some("--any-identity"),
            Allowed::CannotTell { rule, .. } => rule.as_deref(),
            Allowed::Exempt(_) | Allowed::No(_) | Allowed::NobodyAsked => None,
            Allowed::Yes(rule) => Some(rule.as_str()),
        };
        let description = self.description();
        let is_tag = self.kind() == Some(ObjectKind::Tag);
        Row {
            oid: self.found.id.to_string(),
            kind: self.kind().map(ObjectKind::as_str),
            standing: self.standing(),
            verdict: json::verdict(&self.verdict),
            rule: rule.map(bounded),
            reason: self.reason(),
            detail: self.detail().as_deref().map(bounded),
            identity: name.map(bounded),
            identity_kind: verified
                .map(|signature| signature.san().kind())
                .or(by_key.map(|signature| signature.format().identity_kind())),
            issuer: verified.map(|signature| bounded(signature.issuer())),
            instance: verified.map(|signature| signature.instance().to_string()),
            signature: json::signature(self),
            time: verified.map(|signature| signature.time()),
            author: shortened(if is_tag { description.committer } else { description.author }, MAX_TEXT),
            subject: shortened(description.subject, MAX_TEXT),
            changes_policy: self.changes_policy,
            cached: self.cached,
        }
    }
}

fn bounded(text: &str) -> String {
    String::from_utf8_lossy(&shortened(text.as_bytes(), MAX_TEXT)).into_owned()
}

/// What a report shows of one text: certificates and messages may hold megabytes.
const MAX_TEXT: usize = 400;
