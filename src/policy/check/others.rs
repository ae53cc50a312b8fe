//! Names that are not those that a pattern was written for: what it matches, with a host or an owner of somebody else's.

use std::ops::Range;

use super::Field;
use super::places::{hosted, is_platform, owned, owned_place, registered, registered_place};
use super::samples::{Sample, samples};
use crate::policy::Pattern;

/// What else a pattern admits.
pub(super) enum Other {
    /// A name that somebody else can have.
    Strangers(String),
    /// What stands there for a dot of the pattern is none; nobody has such a name.
    Undotted(String),
}

/// One that `pattern` admits, too.
pub(super) fn admitted(field: Field, pattern: &Pattern) -> Option<Other> {
    let samples = samples(pattern);
    let stranger = |sample: &Sample| {
        let other = || others(field, &sample.text).into_iter().find(|other| pattern.matches(other));
        open(field, sample, pattern).or_else(other).map(Other::Strangers)
    };
    let undotted =
        |sample: &Sample| undotted(field, &sample.text).filter(|other| pattern.matches(other)).map(Other::Undotted);
    samples.iter().find_map(stranger).or_else(|| samples.iter().find_map(undotted))
}

/// The sample itself, if the pattern lets too many texts through where it says whose name it is.
fn open(field: Field, sample: &Sample, pattern: &Pattern) -> Option<String> {
    let text = &sample.text;
    let is_open = |place: Range<usize>| sample.ways(place) > LISTED;
    if owned_place(field, text).is_some_and(is_open) {
        return Some(text.clone());
    }
    let (before, host, behind) = hosted(field, text)?;
    let Some(place) = registered_place(field, text) else {
        // `wvqkzjxwvqk` is a sample of `.{11}`, and so is `wvqkzjx.com`.
        let mut named = TOPS.iter().filter_map(|top| {
            let name = host.get(..host.len().checked_sub(top.len())?.checked_sub(1)?)?;
            let is_open = is_open(before.len()..before.len().saturating_add(name.len()));
            is_open.then(|| format!("{before}{name}.{top}{behind}"))
        });
        return named.find(|name| pattern.matches(name));
    };
    // `example.wvqk` is a sample of `example.[a-z]+`, and nobody has that name.
    let (name, _) = host.rsplit_once('.')?;
    let mut named = TOPS.iter().map(|top| format!("{before}{name}.{top}{behind}"));
    is_open(place).then(|| named.find(|name| pattern.matches(name)).unwrap_or_else(|| text.clone()))
}

/// The same at other hosts, and of other owners where anybody can be one.
fn others(field: Field, sample: &str) -> Vec<String> {
    let Some((before, host, behind)) = hosted(field, sample) else { return Vec::new() };
    let at_hosts = hosts(host).into_iter().map(|host| format!("{before}{host}{behind}"));
    let of_owners = owned(field, sample).into_iter().flat_map(|(before, owner, behind)| {
        labels(owner).into_iter().chain(longer(owner)).map(move |owner| format!("{before}{owner}{behind}"))
    });
    of_owners.chain(at_hosts).collect()
}

/// The same with another character in the place of the dot that nothing is registered without.
fn undotted(field: Field, sample: &str) -> Option<String> {
    let (before, host, behind) = hosted(field, sample)?;
    let (name, top) = host.rsplit_once('.')?;
    Some(format!("{before}{name}-{top}{behind}"))
}

/// What somebody else can register: another name, a longer one, and what a dot that stands for anything lets through.
fn hosts(host: &str) -> Vec<String> {
    let mut others = vec![format!("{OTHER}.com"), format!("{host}.{OTHER}.com")];
    let Some((below, label, suffix)) = registered(host) else { return others };
    others.extend(labels(label).iter().map(|label| format!("{below}{label}.{suffix}")));
    others.extend([format!("{OTHER}.{suffix}"), format!("{below}{label}.{OTHER}.com")]);
    others.extend(below.strip_suffix('.').map(|below| format!("{below}-{label}.{suffix}")));
    if suffix.contains('.') && !is_platform(suffix) {
        others.push(format!("{below}{label}-{suffix}"));
    }
    others
}

fn labels(label: &str) -> [String; 5] {
    [
        OTHER.to_owned(),
        format!("{OTHER}{label}"),
        format!("{label}{OTHER}"),
        format!("{OTHER}-{label}"),
        format!("{label}-{OTHER}"),
    ]
}

/// With a letter or a digit more, for patterns that admit one or the other.
fn longer(name: &str) -> [String; 4] {
    [format!("{name}q"), format!("{name}7"), format!("q{name}"), format!("7{name}")]
}

/// Nobody's name yet, and free for everybody.
const OTHER: &str = "zqxjkv";
/// So many texts may have been listed; more are some that nobody looked at.
const LISTED: u32 = 8;
/// Under which anybody registers.
const TOPS: [&str; 8] = ["com", "net", "org", "io", "dev", "info", "cloud", "online"];
