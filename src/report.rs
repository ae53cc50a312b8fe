//! What a run found, for machines and for people: rows and sums in, text out. Nothing here writes, and nothing grows with
//! what is in order.
//!
//! A report has four parts: what was asked ([`About`]), the sums ([`Totals`]), what failed ([`Failures`], bounded), and for
//! some sinks every object ([`Row`]). All text in them is as others chose it; each sink escapes it for itself
//! ([`crate::escape`]).

pub mod annotations;
mod failures;
pub mod html;
pub mod junit;
pub mod reasons;
mod row;
pub mod sarif;
pub mod signers;
pub mod summary;
mod totals;

pub use self::failures::Failures;
pub use self::row::{Head, Row, SHORT_ID, Standing, headline, key_kind, shortened};
pub use self::totals::Totals;

use std::fmt;

use jiff::Timestamp;

/// What was asked, of whom, and when.
#[derive(Clone, Debug)]
pub struct About {
    /// Program and version.
    pub tool: &'static str,
    /// What was verified, as it was typed.
    pub range: Vec<u8>,
    /// Who says who may sign; `None` where nobody does.
    pub policy: Option<PolicySource>,
    /// The instances that are trusted.
    pub instances: Vec<Trusted>,
    /// Logs were asked.
    pub network: bool,
    /// Nobody was asked whether certificates were logged.
    pub insecure_ignore_sct: bool,
    /// When it was verified.
    pub now: Timestamp,
}

/// What a run comes to.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// What was asked.
    pub about: &'a About,
    /// The sums.
    pub totals: &'a Totals,
    /// What somebody has to decide something about.
    pub failures: &'a Failures,
    /// The commits that change the policy file, whatever the verdict: the first [`MAX_CHANGES`], and how many more.
    pub changes: &'a Failures,
    /// The commits that a head proves which a forge squashed: the first [`MAX_SQUASHES`], and how many more.
    pub squashes: &'a Failures,
    /// The run's.
    pub exit_code: u8,
}

/// Where the policy came from.
#[derive(Clone, Debug)]
pub struct PolicySource {
    /// As it was named: a file, `REF:PATH`, `flags`, `waxseal.allow`.
    pub source: String,
    /// A digest that changes when it does.
    pub sha256: String,
    /// Its path in the repository, if it is there.
    pub path: Option<String>,
}

/// A trusted instance.
#[derive(Clone, Debug)]
pub struct Trusted {
    /// Its name.
    pub name: String,
    /// When the newest thing that its trusted root knows began to count.
    pub newest: Option<Timestamp>,
}

impl fmt::Display for Trusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.newest {
            Some(newest) => write!(f, "{} (trusted root of {})", self.name, newest.strftime("%Y-%m-%d")),
            None => write!(f, "{} (empty trusted root)", self.name),
        }
    }
}

impl About {
    /// Policy, trust and network, a word and its value each.
    #[must_use]
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let trusted = self.instances.iter().map(ToString::to_string);
        let policy = self.policy.as_ref().map_or("none: nobody said who may sign", |policy| policy.source.as_str());
        let mut facts = vec![
            ("policy", policy.to_owned()),
            ("trust", trusted.collect::<Vec<_>>().join(", ")),
            ("network", if self.network { "on" } else { "off" }.to_owned()),
        ];
        if self.insecure_ignore_sct {
            facts.push(("--insecure-ignore-sct", "nobody was asked whether the certificates were logged".to_owned()));
        }
        facts
    }
}

/// What stands behind a word of which there are `count`.
#[must_use]
pub fn plural<N: PartialEq + From<u8>>(count: N) -> &'static str {
    if count == N::from(1) { "" } else { "s" }
}

/// `count` with a comma between thousands.
#[must_use]
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() * 2);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Who changes the law is named, as far as somebody reads; of more it is said how many there are.
pub const MAX_CHANGES: usize = 100;

/// A forge's signature says nothing of who wrote; of more heads than these there is a list.
pub const MAX_SQUASHES: usize = 100;

#[cfg(test)]
mod tests;
