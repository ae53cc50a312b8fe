//! Keys that signed. Nobody vouches for who has one, and whoever has it commits under any address: so SSH keys stand in a draft
//! as comments, and OpenPGP keys, which no signature brings along, not at all.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use super::words::{plural, signatures};
use crate::escape;
use crate::openpgp::OpenPgpSignature;
use crate::policy::MAX_BYTES;
use crate::policy::check::is_forges;
use crate::ssh::{SshKey, SshSignature};

/// SSH keys of which a history has good signatures.
#[derive(Debug, Default)]
pub(super) struct SshKeys {
    keys: BTreeMap<String, SshKeySeen>,
    signatures: u64,
    bad: u64,
    beyond: u64,
}

#[derive(Debug)]
struct SshKeySeen {
    line: String,
    signatures: u64,
    /// Under which the objects were made, which the key says nothing of.
    addresses: BTreeMap<Vec<u8>, u64>,
    /// Objects under other addresses, or none.
    others: u64,
}

/// What became of the SSH keys of a history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DraftedKeys {
    /// How many there are.
    pub seen: usize,
    /// How many signatures they made.
    pub signatures: u64,
    /// How many of the keys stand in the draft, each a rule that is a comment.
    pub drafted: usize,
    /// How many keys made too few signatures.
    pub few: usize,
    /// For how many there was no room in a policy file.
    pub no_room: usize,
    /// How many of the signatures were by keys that nobody counted any more.
    pub beyond: u64,
    /// How many signatures more do not hold, or are by keys that no policy can name.
    pub bad: u64,
}

impl SshKeys {
    /// Takes note of the key, if it made the signature.
    pub(super) fn add(&mut self, payload: &[u8], armor: &[u8], address: Option<&[u8]>) {
        let key = SshSignature::open(armor).and_then(|signature| signature.verify(payload));
        let Some((key, line)) = key.ok().and_then(|key| key.line().map(|line| (key, line))) else {
            self.bad += 1;
            return;
        };
        self.signatures += 1;
        let fingerprint = SshKey::fingerprint(&key);
        if self.keys.len() >= MAX_KEYS && !self.keys.contains_key(&fingerprint) {
            self.beyond += 1;
            return;
        }
        let new = || SshKeySeen { line, signatures: 0, addresses: BTreeMap::new(), others: 0 };
        let seen = self.keys.entry(fingerprint).or_insert_with(new);
        seen.signatures += 1;
        let address = address.filter(|address| !address.is_empty() && address.len() <= MAX_ADDRESS);
        match address {
            Some(known) if seen.addresses.contains_key(known) || seen.addresses.len() < MAX_ADDRESSES => {
                *seen.addresses.entry(known.to_owned()).or_default() += 1;
            }
            Some(_) | None => seen.others += 1,
        }
    }

    /// Writes a rule for each key that made `at_least` so many signatures, as comments, the busiest first, as long as the policy
    /// that `out` is may grow.
    pub(super) fn write(&self, out: &mut String, at_least: u64) -> DraftedKeys {
        let (mut keys, few): (Vec<_>, Vec<_>) = self.keys.iter().partition(|(_, seen)| seen.signatures >= at_least);
        keys.sort_by_key(|(_, seen)| Reverse(seen.signatures));
        let mut shared: BTreeMap<&[u8], usize> = BTreeMap::new();
        for address in self.keys.values().flat_map(|seen| seen.addresses.keys()) {
            *shared.entry(address).or_default() += 1;
        }
        let mut drafted = 0;
        for (fingerprint, seen) in &keys {
            let mut rule = if drafted == 0 { INTRODUCTION.to_owned() } else { String::new() };
            // Writing into a String cannot fail.
            seen.write(&mut rule, fingerprint, &shared).unwrap_or_default();
            if u64::try_from(out.len() + rule.len()).is_ok_and(|length| length > MAX_BYTES) {
                break;
            }
            out.push_str(&rule);
            drafted += 1;
        }
        DraftedKeys {
            seen: self.keys.len(),
            signatures: self.signatures,
            drafted,
            few: few.len(),
            no_room: keys.len() - drafted,
            beyond: self.beyond,
            bad: self.bad,
        }
    }
}

impl DraftedKeys {
    /// How many objects have a signature in this format.
    #[must_use]
    pub fn all_signatures(&self) -> u64 {
        self.signatures + self.bad
    }
}

impl SshKeySeen {
    fn write(&self, out: &mut String, fingerprint: &str, shared: &BTreeMap<&[u8], usize>) -> fmt::Result {
        let mut addresses: Vec<_> = self.addresses.iter().collect();
        addresses.sort_by_key(|(_, count)| Reverse(**count));
        let hidden: u64 = addresses.iter().skip(MAX_SHOWN).map(|(_, count)| **count).sum();
        let shown = addresses.iter().take(MAX_SHOWN).map(|(address, count)| {
            let is_shared = shared.get(address.as_slice()).is_some_and(|keys| *keys > 1);
            let also = if is_shared { ", and other keys too" } else { "" };
            // In quotes, no address reads as two.
            format!("{} ({count}{also})", escape::toml(&escape::terminal(address)))
        });
        let others = hidden + self.others;
        let others = (others > 0).then(|| format!("others ({others})"));
        let addresses: Vec<_> = shown.chain(others).collect();
        let name = format!("SSH key {fingerprint}");
        // With one # taken away, this is a comment still.
        writeln!(out, "\n## {}, under {}", signatures(self.signatures), addresses.join(", "))?;
        writeln!(out, "# [[rule]]\n# name = {}\n# ssh = [{}]", escape::toml(&name), escape::toml(&self.line))?;
        writeln!(out, "# unbounded = true  # or until_commit = \"…\", where the key is in use no more")
    }
}

/// OpenPGP keys that signatures name.
#[derive(Debug, Default)]
pub(super) struct OpenPgpKeys {
    keys: BTreeMap<String, u64>,
    unnamed: u64,
    beyond: u64,
}

/// What is to be said of OpenPGP keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedKeys {
    /// Those that signatures name, the busiest first.
    pub keys: Vec<NamedKey>,
    /// How many signatures cannot be read, or name no key.
    pub unnamed: u64,
    /// How many signatures name keys that nobody counted any more.
    pub beyond: u64,
}

/// A key that nobody has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedKey {
    /// Its fingerprint or key ID, or a subkey's, in upper-case hexadecimal.
    pub name: String,
    /// How many signatures name it. Nobody verified one.
    pub signatures: u64,
    /// Whether it is known as that of a forge, which signs for whoever is logged in there.
    pub is_forges: bool,
}

impl OpenPgpKeys {
    pub(super) fn add(&mut self, armor: &[u8]) {
        let signature = OpenPgpSignature::open(armor).ok();
        match signature.as_ref().and_then(OpenPgpSignature::claimed_key) {
            None => self.unnamed += 1,
            Some(key) if self.keys.contains_key(key) || self.keys.len() < MAX_KEYS => {
                *self.keys.entry(key.to_owned()).or_default() += 1;
            }
            Some(_) => self.beyond += 1,
        }
    }

    pub(super) fn named(&self) -> NamedKeys {
        let named = |(name, signatures): (&String, &u64)| NamedKey {
            is_forges: is_forges(name),
            name: name.clone(),
            signatures: *signatures,
        };
        let mut keys: Vec<_> = self.keys.iter().map(named).collect();
        keys.sort_by_key(|key| Reverse(key.signatures));
        NamedKeys { keys, unnamed: self.unnamed, beyond: self.beyond }
    }
}

impl NamedKeys {
    /// How many objects have a signature in this format.
    #[must_use]
    pub fn all_signatures(&self) -> u64 {
        self.keys.iter().map(|key| key.signatures).sum::<u64>() + self.unnamed + self.beyond
    }
}

impl fmt::Display for NamedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = if self.is_forges { "; it is a forge's, for which there is [rule.forge]" } else { "" };
        write!(f, "the OpenPGP key {}, named by {}{whose}", self.name, plural(self.signatures, "signature"))
    }
}

const INTRODUCTION: &str = "
## The rules below are comments and admit nobody. Each is about an SSH key that made good signatures; whose key it is
## nobody has proven: whoever has one commits under any address. Ask the owner, or the forge where they are known, for
## the fingerprint, and compare all of it. Where it is the same, take away the first # of each line of the rule.
";

/// Nobody compares more.
const MAX_KEYS: usize = 1 << 12;
/// More than anybody has.
const MAX_ADDRESSES: usize = 16;
/// More say nothing more.
const MAX_SHOWN: usize = 4;
/// RFC 5321 §4.5.3.1.3, without the angle brackets.
const MAX_ADDRESS: usize = 254;
