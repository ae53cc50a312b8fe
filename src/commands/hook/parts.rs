//! What a push brings that has to be judged, ref by ref.
//!
//! Judged are the tag objects that the refs name and the commits behind them, without what the repository has and has
//! judged. Where rules ask for a ref, one that admits more than another does not vouch for it: a commit that may be on
//! `wip` is judged again on its way to `main`. So a part of a push are the refs for which the same rules count, and left
//! out is what is behind branches and tags for which no others count, and behind the policy's own commit. Other refs vouch
//! for nothing: forges make them of what anybody proposes, and call no hook. A tag object is judged itself and stands for
//! what it names: of its history nothing is judged that a branch or tag has, and so it vouches for nothing elsewhere.
//! Of a lightweight tag the commit is judged wherever else it is: nobody signed that it is to be called so. For the ref that
//! the policy comes from no other ref vouches: what is there may have come under another policy.

use std::collections::HashSet;
use std::ffi::OsString;

use super::updates::Update;
use crate::cli::HookEvent;
use crate::command_error::CommandError;
use crate::commands::policy_source::LoadedPolicy;
use crate::commands::run::selection::Selection;
use crate::git::refs::{TAGS, is_work};
use crate::git::repository::{ObjectId, Pushed, PushedEnd, Repository, Selected};

/// Refs that are judged together.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) references: Vec<String>,
    rules: Rules,
    /// They name tag objects.
    annotated: bool,
    /// It is the ref that the policy comes from.
    is_policy_ref: bool,
    tips: Vec<ObjectId>,
    tags: Vec<(String, ObjectId)>,
    /// The commits that lightweight tags are to name, by these.
    light: Vec<(String, ObjectId)>,
    old: Vec<ObjectId>,
    /// Refs among them that nobody can sign anything for.
    pub(super) not_signable: Vec<String>,
}

/// Which rules count for a ref, by their order; without a policy file there are none.
type Rules = Vec<bool>;

/// A ref that is there already.
struct Known {
    rules: Rules,
    annotated: bool,
    commit: ObjectId,
}

/// The push, taken apart.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) parts: Vec<Part>,
    /// For each of what is selected the part that it belongs to.
    owners: Vec<usize>,
}

impl Parts {
    /// Takes the updates apart, and says what of them is to be judged; `policy_ref` is the one that the policy comes from.
    ///
    /// # Errors
    /// [`CommandError`] when refs cannot be read.
    pub(super) fn of(
        updates: &[Update],
        event: &HookEvent,
        repository: &Repository,
        policy: Option<&LoadedPolicy>,
        policy_ref: Option<&str>,
    ) -> Result<(Self, Selection), CommandError> {
        let mut parts: Vec<Part> = Vec::new();
        for update in updates {
            let Some(new) = update.new.filter(|_| is_work(update.reference.as_bytes())) else { continue };
            let pushed = repository.pushed(new);
            let (rules, annotated) = (rules_for(policy, &update.reference), !pushed.tags.is_empty());
            let is_policy_ref = policy_ref == Some(update.reference.as_str());
            let is_alike =
                |part: &Part| part.rules == rules && part.annotated == annotated && part.is_policy_ref == is_policy_ref;
            let at = parts.iter().position(is_alike);
            let at = at.unwrap_or_else(|| {
                parts.push(Part::new(rules, annotated, is_policy_ref));
                parts.len() - 1
            });
            let Some(part) = parts.get_mut(at) else { continue };
            let old = update.old.filter(|_| vouches(&update.reference)).map(|old| repository.pushed(old));
            let old = old.filter(|old| annotated || old.tags.is_empty());
            part.old.extend(old.and_then(|old| old.commit()));
            for (number, tag) in pushed.tags.into_iter().enumerate() {
                // The name of the ref is the outermost tag's.
                let name = if number == 0 { update.reference.clone() } else { behind(&update.reference) };
                part.tags.push((name, tag));
            }
            match pushed.end {
                PushedEnd::Commit(commit) => {
                    part.tips.push(commit);
                    if !annotated && update.reference.starts_with(TAGS) {
                        part.light.push((update.reference.clone(), commit));
                    }
                }
                PushedEnd::NotSignable if annotated => {}
                PushedEnd::NotSignable => part.not_signable.push(update.reference.clone()),
                PushedEnd::Unreadable(id) => part.tags.push((behind(&update.reference), id)),
            }
            part.references.push(update.reference.clone());
        }
        let known = known(repository, event)?.into_iter().filter_map(|(name, there)| {
            Some(Known { rules: rules_for(policy, &name), annotated: !there.tags.is_empty(), commit: there.commit()? })
        });
        let known: Vec<Known> = known.collect();
        // On a client it may be what is pushed.
        let is_server = !matches!(event, HookEvent::PrePush { .. });
        let in_repository = policy.filter(|_| is_server).and_then(|policy| policy.in_repository.as_ref());
        let policy_commit = in_repository.map(|place| place.commit);
        let among = |history: &Selected, wanted: &HashSet<ObjectId>| {
            let found = repository.objects(std::slice::from_ref(history)).map(|found| found.id);
            found.filter(|id| wanted.contains(id)).collect()
        };
        Ok(Self::select(parts, &known, policy_commit, among))
    }

    /// `among` says which of some commits are in a history.
    fn select(
        parts: Vec<Part>,
        known: &[Known],
        policy_commit: Option<ObjectId>,
        among: impl Fn(&Selected, &HashSet<ObjectId>) -> HashSet<ObjectId>,
    ) -> (Self, Selection) {
        let mut selection = Selection::default();
        let mut owners = Vec::new();
        for (number, part) in parts.iter().enumerate() {
            let Some(reference) = part.references.first() else { continue };
            let mut select = |name: &str, selected: Selected| {
                selection.names.push(OsString::from(name));
                selection.references.push(reference.clone());
                selection.selected.push(selected);
                owners.push(number);
            };
            for (name, tag) in &part.tags {
                select(name, Selected::Object(*tag));
            }
            if part.tips.is_empty() {
                continue;
            }
            let mut hidden: HashSet<ObjectId> = part.old.iter().copied().chain(policy_commit).collect();
            let vouching = known.iter().filter(|_| !part.is_policy_ref);
            hidden.extend(
                vouching.filter(|known| part.believes(&known.rules, known.annotated)).map(|known| known.commit),
            );
            let before = if part.is_policy_ref { 0 } else { number };
            for earlier in parts.iter().take(before).filter(|earlier| part.believes(&earlier.rules, earlier.annotated))
            {
                hidden.extend(&earlier.tips);
            }
            let mut tips = part.tips.clone();
            tips.sort_unstable();
            tips.dedup();
            let mut hidden: Vec<ObjectId> = hidden.into_iter().collect();
            hidden.sort_unstable();
            let history = Selected::History { hidden, tips };
            if !part.light.is_empty() {
                let mut met = among(&history, &part.light.iter().map(|(_, commit)| *commit).collect());
                for (name, commit) in part.light.iter().filter(|(_, commit)| met.insert(*commit)) {
                    select(name, Selected::Object(*commit));
                }
            }
            select(&behind(reference), history);
        }
        (Self { parts, owners }, selection)
    }

    /// The part that the argument at `position` belongs to.
    pub(super) fn owner(&self, position: usize) -> usize {
        self.owners.get(position).copied().unwrap_or_default()
    }
}

impl Part {
    fn new(rules: Rules, annotated: bool, is_policy_ref: bool) -> Self {
        let (references, tips, tags, light) = (vec![], vec![], vec![], vec![]);
        let (old, not_signable) = (vec![], vec![]);
        Self { references, rules, annotated, is_policy_ref, tips, tags, light, old, not_signable }
    }

    /// Whether what a ref has, by its rules, need not be judged again.
    fn believes(&self, rules: &Rules, annotated: bool) -> bool {
        let admits_all = self.rules.iter().all(|counts| *counts);
        self.annotated
            || admits_all
            || (!annotated && rules.iter().zip(&self.rules).all(|(theirs, own)| !theirs || *own))
    }

    /// Whether a ref is to point at this commit itself.
    pub(super) fn has_tip(&self, id: ObjectId) -> bool {
        self.tips.contains(&id)
    }
}

/// Whether what a ref has may be taken as judged. Others than branches and tags are made by forges too, as for each pull
/// request, and no hook is asked.
fn vouches(reference: &str) -> bool {
    VOUCHING.iter().any(|place| reference.starts_with(place))
}

/// What the branches and tags of the other end have, by the names that they have there.
fn known(repository: &Repository, event: &HookEvent) -> Result<Vec<(String, Pushed)>, CommandError> {
    // What cannot be named in a policy vouches for nothing.
    let named = |(name, there): (_, Pushed)| Some((String::from_utf8(Vec::from(name)).ok()?, there));
    match event {
        HookEvent::PreReceive | HookEvent::Update { .. } => {
            let mut found = Vec::new();
            for place in VOUCHING {
                found.extend(repository.direct_refs_below(place)?.into_iter().filter_map(named));
            }
            Ok(found)
        }
        HookEvent::PrePush { remote } => {
            let remote = remote.as_ref().and_then(|remote| remote.to_str()).filter(|remote| is_name(remote));
            let Some(remote) = remote else { return Ok(Vec::new()) };
            let place = format!("refs/remotes/{remote}/");
            let branch =
                |(name, there): (String, Pushed)| Some((format!("refs/heads/{}", name.strip_prefix(&place)?), there));
            Ok(repository.refs_below(&place)?.into_iter().filter_map(named).filter_map(branch).collect())
        }
    }
}

/// Whether it can be part of a ref's name; an address cannot, or leads to no ref.
fn is_name(remote: &str) -> bool {
    let is_word = |part: &str| !part.is_empty() && !part.starts_with('.');
    remote.split('/').all(is_word)
        && !remote.contains(|char: char| char.is_ascii_control() || " :?[\\^~*".contains(char))
}

fn rules_for(policy: Option<&LoadedPolicy>, reference: &str) -> Rules {
    policy.map(|policy| policy.file.rules_for(reference)).unwrap_or_default()
}

/// Where the refs are that hooks are always asked about.
const VOUCHING: [&str; 2] = ["refs/heads/", TAGS];

/// The history behind a ref, which is no tag that could have the wrong name.
fn behind(reference: &str) -> String {
    format!("history of {reference}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: char) -> ObjectId {
        String::from_iter([digit; 40]).parse().unwrap()
    }

    fn part(name: &str, rules: &[bool], annotated: bool, tip: char) -> Part {
        let mut part = Part::new(rules.to_vec(), annotated, false);
        part.references.push(name.to_owned());
        part.tips.push(id(tip));
        part
    }

    #[test]
    fn only_a_ref_that_admits_no_more_vouches_for_another() {
        // Maintainers everywhere, contributors on wip.
        let (main, wip) = ([true, false], [true, true]);
        let there = |rules: &[bool], annotated, tip| Known { rules: rules.to_vec(), annotated, commit: id(tip) };
        let known = [there(&main, false, 'a'), there(&wip, false, 'b'), there(&main, true, 'c')];
        let hidden = |parts: Vec<Part>| -> Vec<Vec<ObjectId>> {
            let (_, selection) = Parts::select(parts, &known, Some(id('9')), |_, _| HashSet::new());
            let each = selection.selected.into_iter().filter_map(|selected| match selected {
                Selected::History { hidden, .. } => Some(hidden),
                Selected::Object(_) => None,
            });
            each.collect()
        };
        assert_eq!(hidden(vec![part("refs/heads/main", &main, false, '1')]), [[id('9'), id('a')]]);
        assert_eq!(hidden(vec![part("refs/heads/wip", &wip, false, '1')]), [[id('9'), id('a'), id('b'), id('c')]]);
        assert_eq!(hidden(vec![part("refs/tags/v1", &main, true, '1')]), [[id('9'), id('a'), id('b'), id('c')]]);
        // Of the same push what was judged before.
        let both = vec![part("refs/heads/main", &main, false, '1'), part("refs/heads/wip", &wip, false, '2')];
        assert_eq!(hidden(both)[1], [id('1'), id('9'), id('a'), id('b'), id('c')]);
        let both = vec![part("refs/heads/a", &wip, false, '2'), part("refs/heads/main", &main, false, '1')];
        assert_eq!(hidden(both)[1], [id('9'), id('a')]);
        // Nothing but the policy's own commit and where its ref was vouches for what may become the policy.
        let mut policy_ref = part("refs/heads/main", &main, false, '1');
        policy_ref.is_policy_ref = true;
        policy_ref.old.push(id('8'));
        let both = vec![part("refs/heads/x", &main, false, '2'), policy_ref];
        assert_eq!(hidden(both)[1], [id('8'), id('9')]);
    }

    #[test]
    fn an_address_is_no_name() {
        assert!(is_name("origin") && is_name("team/origin"));
        for address in
            ["", "../server", "/server", "./x", "https://example.org/x", "git@example.org:x", "a//b", "C:\\x"]
        {
            assert!(!is_name(address), "{address}");
        }
    }
}
