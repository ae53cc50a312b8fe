//! What a report shows of a judged object.

use super::json;
use super::judged::Judged;
use crate::git::ObjectKind;
use crate::report::{Head, Row, Standing, shortened};

impl Judged<'_> {
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
        let verified = self.certified();
        let description = self.description();
        let is_tag = self.kind() == Some(ObjectKind::Tag);
        Row {
            oid: self.found.id.to_string(),
            kind: self.kind().map(ObjectKind::as_str),
            standing: self.standing(),
            verdict: json::verdict(&self.verdict),
            rule: self.rule().map(bounded),
            reason: self.reason(),
            detail: self.detail().as_deref().map(bounded),
            identity: self.identity().map(bounded),
            identity_kind: self.identity_kind(),
            issuer: verified.map(|signature| bounded(signature.issuer())),
            instance: verified.map(|signature| signature.instance().to_string()),
            signature: json::signature(self),
            time: verified.map(|signature| signature.time()),
            author: shortened(if is_tag { description.committer } else { description.author }, MAX_TEXT),
            subject: shortened(description.subject(), MAX_TEXT),
            head: self.head().map(|(head, proves)| Head {
                oid: head.id.clone(),
                reference: head.reference.as_deref().map(bounded),
                proves,
            }),
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
