//! Whom a rule is about.

use std::fmt;

use super::Mismatch;
use crate::policy::Pattern;
use crate::x509::fulcio::BuildClaims;
use crate::x509::{CertificateClaims, SubjectAlternativeName};

/// Whom a rule is about.
#[derive(Clone, Debug)]
pub enum Who {
    /// An e-mail address.
    Email(Pattern),
    /// A URI: of a workflow, a workload, a service.
    Uri(Pattern),
    /// A user name, `NAME!DOMAIN`.
    Username(Pattern),
    /// A CI job by what its certificate says of it.
    Workflow(Workflow),
}

impl Who {
    pub(super) fn is(&self, claims: &CertificateClaims, build: &BuildClaims) -> Result<(), Mismatch> {
        let (pattern, name) = match (self, &claims.san) {
            (Self::Email(pattern), SubjectAlternativeName::Email(name))
            | (Self::Uri(pattern), SubjectAlternativeName::Uri(name))
            | (Self::Username(pattern), SubjectAlternativeName::Username(name)) => (pattern, name),
            (Self::Workflow(workflow), _) => return workflow.is(build),
            (Self::Email(_) | Self::Uri(_) | Self::Username(_), _) => return Err(Mismatch::Identity),
        };
        if pattern.matches(name) { Ok(()) } else { Err(Mismatch::Identity) }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Email(pattern) | Self::Uri(pattern) | Self::Username(pattern) => f.write_str(pattern.as_str()),
            Self::Workflow(workflow) => write!(f, "the workflow of repository {}", workflow.repository_id),
        }
    }
}

/// A CI job, by the extensions of its certificate. What is `None` may be anything.
#[derive(Clone, Debug)]
pub struct Workflow {
    /// Source Repository Identifier: the forge's number, which outlives a renaming and is not reused.
    pub repository_id: String,
    /// The path of the configuration in that repository: Build Config URI without repository and ref.
    pub path: Option<Pattern>,
    /// Source Repository Ref, in full.
    pub reference: Option<Pattern>,
    /// Build Trigger: `push`, `workflow_dispatch`, …
    pub trigger: Option<Vec<String>>,
}

impl Workflow {
    fn is(&self, claims: &BuildClaims) -> Result<(), Mismatch> {
        let wrong = |field, found: Option<&str>| {
            Err(Mismatch::Workflow { field, found: found.unwrap_or("nothing").to_owned() })
        };
        let repository_id = claims.source_repository_identifier.as_deref();
        if repository_id != Some(self.repository_id.as_str()) {
            return wrong("repository_id", repository_id);
        }
        let path = claims.build_config_path();
        if self.path.as_ref().is_some_and(|pattern| !path.is_some_and(|path| pattern.matches(path))) {
            return wrong("path", path);
        }
        let reference = claims.source_repository_ref.as_deref();
        if self.reference.as_ref().is_some_and(|pattern| !reference.is_some_and(|found| pattern.matches(found))) {
            return wrong("ref", reference);
        }
        let trigger = claims.build_trigger.as_deref();
        if self.trigger.as_ref().is_some_and(|triggers| !triggers.iter().any(|one| Some(one.as_str()) == trigger)) {
            return wrong("trigger", trigger);
        }
        Ok(())
    }
}
