//! One signer, and what was seen of it.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::instance::InstanceName;
use crate::policy::Signer;
use crate::x509::SubjectAlternativeName;
use crate::x509::fulcio::BuildClaims;

/// Whose word the name rests on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Origin {
    pub(super) issuer: String,
    pub(super) instance: InstanceName,
}

/// Whom a rule would be about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Whom {
    Dns(String),
    Email(String),
    Uri(String),
    Username(String),
    /// A CI job.
    Workflow {
        repository_id: String,
        path: String,
        reference: Reference,
    },
}

/// What a job ran for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reference {
    /// This ref.
    Exactly(String),
    /// Tags, each release another one.
    Tags,
}

impl Whom {
    pub(super) fn of(signer: &Signer) -> Self {
        if let Some(workflow) = Self::workflow(&signer.build) {
            return workflow;
        }
        let name = signer.claims.san.as_str().to_owned();
        match &signer.claims.san {
            SubjectAlternativeName::Dns(_) => Self::Dns(name),
            SubjectAlternativeName::Email(_) => Self::Email(name),
            SubjectAlternativeName::Uri(_) => Self::Uri(name),
            SubjectAlternativeName::Username(_) => Self::Username(name),
        }
    }

    /// The job, where the certificate says all that tells it from others; else its name has to do.
    fn workflow(build: &BuildClaims) -> Option<Self> {
        let repository_id = build.source_repository_identifier.clone()?;
        let path = build.build_config_path()?.to_owned();
        let reference = build.source_repository_ref.as_deref()?;
        // A star stands for no slash.
        let tag = reference.strip_prefix(TAGS).filter(|tag| !tag.is_empty() && !tag.contains(['/', '*']));
        let reference = tag.map_or_else(|| Reference::Exactly(reference.to_owned()), |_tag| Reference::Tags);
        Some(Self::Workflow { repository_id, path, reference })
    }

    /// Whether a rule would take one of these texts for a pattern.
    pub(super) fn is_marked(&self) -> bool {
        match self {
            Self::Dns(name) | Self::Email(name) | Self::Uri(name) | Self::Username(name) => is_marked(name),
            Self::Workflow { path, reference, .. } => {
                let reference = match reference {
                    Reference::Exactly(reference) => is_marked(reference),
                    Reference::Tags => false,
                };
                is_marked(path) || reference
            }
        }
    }

    /// For people, in a line.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Dns(name) | Self::Email(name) | Self::Uri(name) | Self::Username(name) => name.clone(),
            Self::Workflow { repository_id, path, reference } => {
                let reference = match reference {
                    Reference::Exactly(reference) => reference,
                    Reference::Tags => "tags",
                };
                format!("{path} of repository {repository_id} for {reference}")
            }
        }
    }
}

/// What was seen of a signer.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) signatures: u64,
    /// The first and the last proven time.
    pub(super) between: Option<(Timestamp, Timestamp)>,
    /// What started the job; `None` once a certificate did not say so.
    triggers: Option<BTreeSet<String>>,
    /// How the refs of all tags begin; and whether there are several.
    tags: Option<(String, bool)>,
}

impl Seen {
    pub(super) fn add(&mut self, Signer { build, time, .. }: &Signer) {
        let time = *time;
        self.between = Some(self.between.map_or((time, time), |(first, last)| (first.min(time), last.max(time))));
        self.triggers = match (self.signatures, self.triggers.take(), &build.build_trigger) {
            (0, _, Some(trigger)) => Some(BTreeSet::from([trigger.clone()])),
            (_, Some(mut triggers), Some(trigger)) => {
                triggers.insert(trigger.clone());
                // A list that nobody reads says nothing.
                (triggers.len() <= MAX_TRIGGERS).then_some(triggers)
            }
            _ => None,
        };
        if let Some(reference) = &build.source_repository_ref {
            self.tags = Some(match self.tags.take() {
                None => (reference.clone(), false),
                Some((prefix, several)) => {
                    let differs = several || prefix != *reference;
                    (common(&prefix, reference), differs)
                }
            });
        }
        self.signatures += 1;
    }

    pub(super) fn triggers(&self) -> Option<&BTreeSet<String>> {
        self.triggers.as_ref()
    }

    /// A pattern for the tags: the only one, or how all begin, without the number that the next one will have anew.
    pub(super) fn tags(&self) -> String {
        let Some((prefix, several)) = &self.tags else { return format!("glob:{TAGS}*") };
        if !several {
            return prefix.clone();
        }
        let name = prefix.strip_prefix(TAGS).unwrap_or_default();
        let name = name.trim_end_matches(|char: char| char.is_ascii_digit() || matches!(char, '.' | '-' | '_'));
        format!("glob:{TAGS}{name}*")
    }
}

pub(super) fn is_marked(text: &str) -> bool {
    ["glob:", "regex:"].iter().any(|mark| text.starts_with(mark))
}

fn common(one: &str, other: &str) -> String {
    one.chars().zip(other.chars()).take_while(|(one, other)| one == other).map(|(char, _)| char).collect()
}

const TAGS: &str = "refs/tags/";

/// More kinds of events than a job has.
const MAX_TRIGGERS: usize = 16;
