//! The policy file that was asked for, and what it leaves out.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

use jiff::Timestamp;

use super::seen::{Origin, Reference, Seen, Whom, is_marked};
use super::words::{plural, signatures};
use super::{DraftedKeys, NamedKeys, Suggestion};
use crate::escape;
use crate::instance::InstanceName;
use crate::policy::{MAX_BYTES, PolicyFile};

/// A policy file that nobody decided on yet.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The file; `None` where nobody is left, and no key that could stand in a comment. Without signers it is no policy yet.
    pub text: Option<String>,
    /// How many rules it has.
    pub rules: usize,
    /// How many signers it admits.
    pub signers: usize,
    /// How many of the signatures are theirs.
    pub signatures: u64,
    /// Who is not in it although there were signatures enough.
    pub left_out: Vec<LeftOut>,
    /// How many signers made too few signatures.
    pub few: usize,
    /// How many signatures were of signers that nobody counted any more.
    pub beyond: u64,
    /// The SSH keys.
    pub ssh: DraftedKeys,
    /// The OpenPGP keys, which are not in it.
    pub openpgp: NamedKeys,
}

/// A signer of whom no rule is suggested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// For people.
    pub signer: String,
    /// The OIDC issuer.
    pub issuer: String,
    /// Why.
    pub why: Why,
}

/// Why no rule is suggested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// No rule is about such names.
    Dns,
    /// `policy check` would find this.
    Found(String),
    /// It is not usable as it is.
    Unusable(String),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns => f.write_str("no rule is about names of hosts"),
            Self::Found(problem) | Self::Unusable(problem) => f.write_str(problem),
        }
    }
}

type Signer<'a> = (&'a Origin, &'a Whom, &'a Seen);

impl Draft {
    pub(super) fn of(suggestion: &Suggestion, at_least: u64, now: Timestamp) -> Self {
        let all = suggestion.signers.iter().map(|((origin, whom), seen)| (origin, whom, seen));
        let (mut signers, few): (Vec<Signer<'_>>, Vec<Signer<'_>>) =
            all.partition(|(_, _, seen)| seen.signatures >= at_least);
        let mut left_out = Vec::new();
        signers.retain(|(origin, whom, _)| {
            let marked = whom.is_marked() || is_marked(&origin.issuer);
            if marked {
                let why = Why::Unusable("a policy would take the name for a pattern".to_owned());
                left_out.push(LeftOut { signer: whom.shown(), issuer: origin.issuer.clone(), why });
            }
            !marked
        });
        let mut text = write(suggestion, &signers);
        if why_not(&text, &signers, now).is_some() {
            // Somebody is to blame.
            signers.retain(|signer| {
                let alone = std::slice::from_ref(signer);
                let why = match signer.1 {
                    Whom::Dns(_) => Some(Why::Dns),
                    Whom::Email(_) | Whom::Uri(_) | Whom::Username(_) | Whom::Workflow { .. } => {
                        why_not(&write(suggestion, alone), alone, now)
                    }
                };
                let (origin, whom, _) = signer;
                let why = why.map(|why| LeftOut { signer: whom.shown(), issuer: origin.issuer.clone(), why });
                let fits = why.is_none();
                left_out.extend(why);
                fits
            });
            text = write(suggestion, &signers);
        }
        let ssh = suggestion.ssh.write(&mut text, at_least);
        Self {
            rules: rules(&signers).len(),
            signatures: signers.iter().map(|(_, _, seen)| seen.signatures).sum(),
            text: (!signers.is_empty() || ssh.drafted > 0).then_some(text),
            signers: signers.len(),
            left_out,
            few: few.len(),
            beyond: suggestion.beyond,
            ssh,
            openpgp: suggestion.openpgp.named(),
        }
    }

    /// Whether the file is longer than one may be.
    #[must_use]
    pub fn is_too_long(&self) -> bool {
        let length = self.text.as_ref().map_or(0, String::len);
        u64::try_from(length).is_ok_and(|length| length > MAX_BYTES)
    }
}

/// What `policy check` would say where all instances are known.
fn why_not(text: &str, signers: &[Signer<'_>], now: Timestamp) -> Option<Why> {
    let instances: Vec<InstanceName> = signers.iter().map(|(origin, ..)| origin.instance.clone()).collect();
    match PolicyFile::read(text.as_bytes(), &InstanceName::public_good()) {
        Ok(file) => file.check(now, &instances).first().map(|finding| Why::Found(finding.problem.to_string())),
        Err(error) => Some(Why::Unusable(error.to_string())),
    }
}

/// One rule.
struct Rule<'a> {
    name: String,
    origin: &'a Origin,
    signatures: u64,
    who: Kind<'a>,
}

enum Kind<'a> {
    /// By the key that lists them.
    Names(BTreeMap<&'static str, Vec<(&'a str, &'a Seen)>>),
    Workflow {
        repository_id: &'a str,
        path: &'a str,
        reference: String,
        seen: &'a Seen,
    },
}

/// The rules for these signers, the busiest first.
fn rules<'a>(signers: &[Signer<'a>]) -> Vec<Rule<'a>> {
    let mut people: BTreeMap<(&Origin, &str), Rule<'a>> = BTreeMap::new();
    let mut jobs = Vec::new();
    for (origin, whom, seen) in signers {
        let (sort, key, name) = match whom {
            Whom::Dns(_) => continue,
            Whom::Email(name) => ("people", "email", name),
            Whom::Uri(name) => ("services", "uri", name),
            Whom::Username(name) => ("people", "username", name),
            Whom::Workflow { repository_id, path, reference } => {
                let reference = match reference {
                    Reference::Exactly(reference) => reference.clone(),
                    Reference::Tags => seen.tags(),
                };
                jobs.push(Rule {
                    name: whom.shown(),
                    origin,
                    signatures: seen.signatures,
                    who: Kind::Workflow { repository_id, path, reference, seen },
                });
                continue;
            }
        };
        let rule = people.entry((origin, sort)).or_insert_with(|| Rule {
            name: format!("{sort} of {}", origin.issuer.trim_start_matches("https://")),
            origin,
            signatures: 0,
            who: Kind::Names(BTreeMap::new()),
        });
        rule.signatures += seen.signatures;
        if let Kind::Names(names) = &mut rule.who {
            names.entry(key).or_default().push((name, seen));
        }
    }
    let mut rules: Vec<_> = people.into_values().chain(jobs).collect();
    rules.sort_by_key(|rule| Reverse(rule.signatures));
    let mut taken = BTreeSet::new();
    for rule in &mut rules {
        rule.name = unique(&rule.name, &mut taken);
        if let Kind::Names(names) = &mut rule.who {
            names.values_mut().for_each(|names| names.sort_by_key(|(_, seen)| Reverse(seen.signatures)));
        }
    }
    rules
}

/// A name that a rule may have, and that no other has.
fn unique(wanted: &str, taken: &mut BTreeSet<String>) -> String {
    let printable: String =
        wanted.chars().map(|char| if char.is_ascii_graphic() || char == ' ' { char } else { '?' }).collect();
    let name: String = printable.trim().chars().take(MAX_NAME).collect();
    let name = if name.is_empty() { "signers".to_owned() } else { name.trim_end().to_owned() };
    let mut candidate = name.clone();
    for number in 2_usize.. {
        if taken.insert(candidate.clone()) {
            break;
        }
        candidate = format!("{name} {number}");
    }
    candidate
}

fn write(suggestion: &Suggestion, signers: &[Signer<'_>]) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    write_to(&mut out, suggestion, signers).unwrap_or_default();
    out
}

fn write_to(out: &mut String, suggestion: &Suggestion, signers: &[Signer<'_>]) -> fmt::Result {
    writeln!(out, "# A draft of \"waxseal policy suggest\": who did sign, which is not who may.")?;
    writeln!(out, "# {} verified, by {}.", signatures(suggestion.signatures), plural(suggestion.signers(), "signer"))?;
    writeln!(out, "# Whom you do not know, take out; who may change this file needs may_change_policy = true.")?;
    writeln!(out, "version = 1")?;
    for Rule { name, origin, who, .. } in rules(signers) {
        writeln!(out, "\n[[rule]]\nname = {}", escape::toml(&name))?;
        writeln!(out, "issuer = {}", escape::toml(&origin.issuer))?;
        writeln!(out, "instance = {}", escape::toml(origin.instance.as_str()))?;
        match who {
            Kind::Names(names) => {
                for (key, names) in names {
                    writeln!(out, "{key} = [")?;
                    for (name, seen) in names {
                        writeln!(out, "    {},  # {}", escape::toml(name), counted(seen))?;
                    }
                    writeln!(out, "]")?;
                }
            }
            Kind::Workflow { repository_id, path, reference, seen } => {
                writeln!(out, "# {}", counted(seen))?;
                writeln!(out, "[rule.workflow]\nrepository_id = {}", escape::toml(repository_id))?;
                writeln!(out, "path = {}\nref = {}", escape::toml(path), escape::toml(&reference))?;
                if let Some(triggers) = seen.triggers() {
                    let triggers: Vec<_> = triggers.iter().map(|trigger| escape::toml(trigger)).collect();
                    writeln!(out, "trigger = [{}]", triggers.join(", "))?;
                }
            }
        }
    }
    Ok(())
}

fn counted(seen: &Seen) -> String {
    let day = |time: Timestamp| time.strftime("%Y-%m-%d").to_string();
    let between = seen.between.map(|(first, last)| (day(first), day(last)));
    let between = between.map(|(first, last)| if first == last { first } else { format!("{first} to {last}") });
    format!("{}, {}", signatures(seen.signatures), between.unwrap_or_default())
}

/// A name of 64 characters may be followed by a number.
const MAX_NAME: usize = 56;
