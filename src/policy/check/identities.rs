//! Rules about identities: what is to be said of one, and where two stand in each other's way.

use jiff::Timestamp;

use super::covers::{refs_cover, refs_meet};
use super::others::{self, Other};
use super::strangers::Strangers;
use super::{Field, Problem, nobody};
use crate::instance::InstanceName;
use crate::policy::{Pattern, Rule, Who, Workflow};

/// What is to be said of a rule by itself.
pub(super) fn alone(rule: &Rule, now: Timestamp, instances: &[InstanceName], strangers: &Strangers) -> Vec<Problem> {
    let mut problems: Vec<Problem> =
        patterns(rule).filter_map(|(field, pattern)| about(field, pattern, strangers)).collect();
    problems.extend(rule.who.iter().filter_map(|who| {
        let Who::Workflow(Workflow { repository_id, .. }) = who else { return None };
        let why = nobody::why_no_repository(repository_id)?;
        Some(Problem::MatchesNothing { pattern: repository_id.clone(), why })
    }));
    if !rule.names_instance {
        problems.push(Problem::NoInstance);
    } else if !instances.contains(&rule.instance) {
        problems.push(Problem::UnknownInstance(rule.instance.clone()));
    }
    problems.extend(rule.validity.until.filter(|until| *until <= now).map(Problem::Over));
    problems
}

/// Every pattern of a rule.
fn patterns(rule: &Rule) -> impl Iterator<Item = (Field, &Pattern)> {
    let who = rule.who.iter().flat_map(|who| -> Vec<(Field, &Pattern)> {
        match who {
            Who::Email(pattern) => vec![(Field::Email, pattern)],
            Who::Uri(pattern) => vec![(Field::Uri, pattern)],
            Who::Username(pattern) => vec![(Field::Username, pattern)],
            Who::Workflow(workflow) => {
                let path = workflow.path.iter().map(|pattern| (Field::Path, pattern));
                path.chain(workflow.reference.iter().map(|pattern| (Field::Ref, pattern))).collect()
            }
        }
    });
    std::iter::once((Field::Issuer, &rule.issuer)).chain(who).chain(rule.refs.iter().map(|one| (Field::Ref, one)))
}

/// What is wrong with one pattern.
fn about(field: Field, pattern: &Pattern, strangers: &Strangers) -> Option<Problem> {
    let text = || pattern.as_str().to_owned();
    if nobody::is_unmarked(pattern) {
        return Some(Problem::Unmarked(text()));
    }
    if let Some(why) = nobody::why_nobody(field, pattern) {
        return Some(Problem::MatchesNothing { pattern: text(), why });
    }
    if pattern.literal().is_some() {
        return None;
    }
    let known = strangers.among(field, |stranger| pattern.matches(stranger)).map(str::to_owned);
    let stranger = match known.map(Other::Strangers).or_else(|| others::admitted(field, pattern))? {
        Other::Strangers(stranger) => stranger,
        Other::Undotted(other) => return Some(Problem::AnyCharacter { pattern: text(), other }),
    };
    Some(match field {
        Field::Issuer => Problem::AnyIssuer { pattern: text(), stranger },
        Field::Email | Field::Path | Field::Ref | Field::Uri | Field::Username => {
            Problem::AnySubject { pattern: text(), stranger }
        }
    })
}

/// What is to be said of `rule` behind those before it.
pub(super) fn beside(rule: &Rule, earlier: &[Rule]) -> Vec<Problem> {
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
    earlier.instance == rule.instance
        && earlier.issuer.covers(&rule.issuer)
        && earlier.validity.covers(rule.validity)
        && refs_cover(&earlier.refs, &rule.refs)
        && earlier.requires.iter().all(|requirement| rule.requires.contains(requirement))
        && (earlier.may_change_policy || !rule.may_change_policy)
        && rule.who.iter().all(|who| earlier.who.iter().any(|other| other.covers(who)))
}

/// Whether some signature could be for both, whoever made it.
fn meets(earlier: &Rule, rule: &Rule) -> bool {
    earlier.instance == rule.instance
        && (earlier.issuer.covers(&rule.issuer) || rule.issuer.covers(&earlier.issuer))
        && earlier.validity.overlaps(rule.validity)
        && earlier.may_change_policy == rule.may_change_policy
        && refs_meet(&earlier.refs, &rule.refs)
}
