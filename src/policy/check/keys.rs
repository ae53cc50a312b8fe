//! Rules about keys that stand in each other's way.

use super::Problem;
use super::covers::{refs_cover, refs_meet};
use crate::policy::{KeyRule, PolicyFile};
use crate::verify::KeyFormat;

/// What is to be said of a rule by itself: a forge's key signs for everybody who is logged in there, and what is no address is
/// nobody's.
pub(super) fn alone(rule: &KeyRule) -> Vec<Problem> {
    let Some(forge) = &rule.forge else {
        let known = rule.keys.keys().find(|key| is_forges(key));
        return known.cloned().map(Problem::ForgeKey).into_iter().collect();
    };
    let nobodys = forge.committers.iter().filter(|committer| !is_address(committer));
    let why = "a committer's address is compared byte for byte, and this is none";
    nobodys.map(|committer| Problem::MatchesNothing { pattern: committer.clone(), why }).collect()
}

/// Whether an OpenPGP key is known as a forge's, by its fingerprint or its key ID.
pub(in crate::policy) fn is_forges(key: &str) -> bool {
    FORGES.iter().any(|forges| *forges == key || key.len() == KEY_ID && forges.ends_with(key))
}

/// Whether a commit could have this address: Git ends one at the first of these characters.
fn is_address(text: &str) -> bool {
    let is_marked = text.starts_with("glob:") || text.starts_with("regex:");
    !is_marked && !text.is_empty() && !text.contains(['<', '>', '*', ' ', '\n', '\t'])
}

/// The keys of a rule that are of no use any more, by what `policy` has of them. Nobody verified it: gpg will.
pub(super) fn revoked(rule: &KeyRule, policy: &PolicyFile) -> Vec<Problem> {
    if rule.format != KeyFormat::OpenPgp || rule.bounds.until.is_some() {
        return Vec::new();
    }
    let is_revoked = |key: &&String| policy.openpgp_key(key).is_some_and(|found| found.has_revocation(key));
    rule.keys.keys().filter(is_revoked).cloned().map(Problem::RevokedKey).collect()
}

/// What is to be said of `rule` behind those before it.
pub(super) fn beside(rule: &KeyRule, earlier: &[KeyRule]) -> Vec<Problem> {
    if let Some(by) = earlier.iter().find(|earlier| makes_unreachable(earlier, rule)) {
        return vec![Problem::Unreachable { by: by.name.clone() }];
    }
    let meeting = earlier.iter().filter(|earlier| meets(earlier, rule));
    let problem = |other: &KeyRule| {
        let key = rule.keys.keys().find(|key| other.keys.contains_key(*key))?;
        let identity = format!("the {} key {key}", rule.format.name());
        Some(Problem::Overlapping { other: other.name.clone(), identity })
    };
    meeting.filter_map(problem).collect()
}

/// Whether nobody ever gets past `earlier` to `rule`.
fn makes_unreachable(earlier: &KeyRule, rule: &KeyRule) -> bool {
    earlier.format == rule.format
        && earlier.bounds.covers(&rule.bounds)
        && refs_cover(&earlier.refs, &rule.refs)
        && earlier.forge.as_ref().is_none_or(|earlier| rule.forge.as_ref().is_some_and(|rule| earlier.covers(rule)))
        && (!earlier.author_match || rule.author_match)
        && (earlier.may_change_policy || !rule.may_change_policy)
        && rule.keys.keys().all(|key| earlier.keys.contains_key(key))
}

/// Whether some signature could be for both, as far as that can be told without the history.
fn meets(earlier: &KeyRule, rule: &KeyRule) -> bool {
    let forges = match (&earlier.forge, &rule.forge) {
        (Some(earlier), Some(rule)) => earlier.meets(rule),
        (None, _) | (_, None) => true,
    };
    earlier.format == rule.format
        && forges
        && (earlier.bounds.covers(&rule.bounds) || rule.bounds.covers(&earlier.bounds))
        && earlier.may_change_policy == rule.may_change_policy
        && refs_meet(&earlier.refs, &rule.refs)
}

/// GitHub's, for what is done in its web pages.
const FORGES: [&str; 2] = ["5DE3E0509C47EA3CF04A42D34AEE18F83AFDEB23", "968479A1AFF927E37D1A566BB5690EEEBB952194"];

/// Of so many hexadecimal digits.
const KEY_ID: usize = 16;
