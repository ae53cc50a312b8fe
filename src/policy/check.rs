//! What is allowed to be in a policy file and is nevertheless not what anybody wants.

use std::fmt;

use jiff::Timestamp;

use super::{PolicyFile, Rule, Who, Workflow};

/// Something about a policy file that its author should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule it is about.
    pub rule: String,
    /// What about it.
    pub problem: Problem,
}

/// What can be wrong with a policy that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Anyone can get such a name.
    AnySubject(String),
    /// Whoever runs an issuer can vouch for whatever it likes.
    AnyIssuer(String),
    /// It means what the configuration of whoever judges says.
    NoInstance,
    /// It was over before now.
    Over(Timestamp),
    /// The same identity at the same time by two rules: the first one counts.
    Overlapping {
        /// The other rule.
        other: String,
        /// Whom both admit.
        identity: String,
    },
    /// Whoever it admits, an earlier rule has admitted.
    Unreachable {
        /// The earlier rule.
        by: String,
    },
}

impl Problem {
    /// A stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::AnyIssuer(_) => "any-issuer",
            Self::AnySubject(_) => "any-subject",
            Self::NoInstance => "no-instance",
            Self::Over(_) => "rule-over",
            Self::Overlapping { .. } => "overlapping-rules",
            Self::Unreachable { .. } => "unreachable-rule",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnyIssuer(pattern) => write!(f, "{pattern} admits any issuer, so whoever runs one can be anybody"),
            Self::AnySubject(pattern) => write!(f, "{pattern} admits names that have nothing in common"),
            Self::NoInstance => f.write_str("it names no instance, so it means another one wherever another one signs"),
            Self::Over(until) => write!(f, "it is over since {until}, and judges older signatures only"),
            Self::Overlapping { other, identity } => {
                write!(f, "{identity} is admitted by the rule {other:?} at the same time")
            }
            Self::Unreachable { by } => write!(f, "the rule {by:?} before it admits everybody that it admits"),
        }
    }
}

impl PolicyFile {
    /// Everything that its author should look at, in the order of the rules.
    #[must_use]
    pub fn check(&self, now: Timestamp) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (position, rule) in self.rules().iter().enumerate() {
            let earlier = self.rules().get(..position).unwrap_or_default();
            let problems = alone(rule, now).into_iter().chain(beside(rule, earlier));
            findings.extend(problems.map(|problem| Finding { rule: rule.name.clone(), problem }));
        }
        findings
    }
}

fn alone(rule: &Rule, now: Timestamp) -> Vec<Problem> {
    let mut problems = Vec::new();
    if rule.issuer.admits_anything() {
        problems.push(Problem::AnyIssuer(rule.issuer.as_str().to_owned()));
    }
    for who in &rule.who {
        match who {
            Who::Email(pattern) | Who::Uri(pattern) | Who::Username(pattern) if pattern.admits_anything() => {
                problems.push(Problem::AnySubject(pattern.as_str().to_owned()));
            }
            Who::Email(_) | Who::Uri(_) | Who::Username(_) | Who::Workflow(_) => {}
        }
    }
    if !rule.names_instance {
        problems.push(Problem::NoInstance);
    }
    problems.extend(rule.validity.until.filter(|until| *until <= now).map(Problem::Over));
    problems
}

fn beside(rule: &Rule, earlier: &[Rule]) -> Vec<Problem> {
    if let Some(by) = earlier.iter().find(|earlier| makes_unreachable(earlier, rule)) {
        return vec![Problem::Unreachable { by: by.name.clone() }];
    }
    let mut problems = Vec::new();
    for other in earlier.iter().filter(|earlier| meets(earlier, rule)) {
        if let Some(identity) = rule.who.iter().find(|who| other.who.iter().any(|earlier| earlier.covers(who))) {
            problems.push(Problem::Overlapping { other: other.name.clone(), identity: identity.to_string() });
        }
    }
    problems
}

/// Whether nobody ever gets past `earlier` to `rule`.
fn makes_unreachable(earlier: &Rule, rule: &Rule) -> bool {
    let refs = earlier.refs.is_empty()
        || !rule.refs.is_empty() && rule.refs.iter().all(|one| earlier.refs.iter().any(|other| other.covers(one)));
    earlier.instance == rule.instance
        && earlier.issuer.covers(&rule.issuer)
        && earlier.validity.covers(rule.validity)
        && refs
        && earlier.requires.iter().all(|requirement| rule.requires.contains(requirement))
        && (earlier.may_change_policy || !rule.may_change_policy)
        && rule.who.iter().all(|who| earlier.who.iter().any(|other| other.covers(who)))
}

/// Whether some signature could be for both, whoever made it.
fn meets(earlier: &Rule, rule: &Rule) -> bool {
    let refs = earlier.refs.is_empty()
        || rule.refs.is_empty()
        || rule.refs.iter().any(|one| earlier.refs.iter().any(|other| other.covers(one) || one.covers(other)));
    earlier.instance == rule.instance
        && (earlier.issuer.covers(&rule.issuer) || rule.issuer.covers(&earlier.issuer))
        && earlier.validity.overlaps(rule.validity)
        && earlier.may_change_policy == rule.may_change_policy
        && refs
}

impl Who {
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Email(one), Self::Email(other))
            | (Self::Uri(one), Self::Uri(other))
            | (Self::Username(one), Self::Username(other)) => one.covers(other),
            (Self::Workflow(one), Self::Workflow(other)) => one.covers(other),
            (Self::Email(_) | Self::Uri(_) | Self::Username(_) | Self::Workflow(_), _) => false,
        }
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

impl Workflow {
    fn covers(&self, other: &Self) -> bool {
        let covers = |one: &Option<super::Pattern>, other: &Option<super::Pattern>| match (one, other) {
            (None, _) => true,
            (Some(one), Some(other)) => one.covers(other),
            (Some(_), None) => false,
        };
        let triggers = self.trigger.as_ref().is_none_or(|triggers| {
            other.trigger.as_ref().is_some_and(|other| other.iter().all(|one| triggers.contains(one)))
        });
        self.repository_id == other.repository_id
            && covers(&self.path, &other.path)
            && covers(&self.reference, &other.reference)
            && triggers
    }
}
