//! The policy file, version 1. `docs/policy.md` explains it, `docs/policy.schema.json` describes it to editors.
//!
//! ```toml
//! version = 1
//!
//! [[rule]]
//! name = "maintainers"
//! issuer = "https://github.com/login/oauth"
//! email = ["alice@example.org", "bob@example.org"]
//! ```

mod shape;

use std::collections::BTreeSet;

use self::shape::File;
use super::rule::{Mismatch, Rule, Signer};
use super::{Allowed, Circumstances, RegexBudget, Start};
use crate::crypto::Sha256Digest;
use crate::instance::InstanceName;
use crate::trust_age::MaxTrustAge;
use crate::verify::VerifiedSignature;

pub use self::shape::BadRule;

/// A policy file, read.
#[derive(Clone, Debug)]
pub struct PolicyFile {
    sha256: Sha256Digest,
    max_trust_age: Option<MaxTrustAge>,
    start: Option<String>,
    exemptions: Vec<Exemption>,
    rules: Vec<Rule>,
}

impl PolicyFile {
    /// Reads a policy file. A rule that names no instance means `default`.
    ///
    /// # Errors
    /// [`BadPolicy`] names the line, or the rule and what is wrong with it.
    pub fn read(bytes: &[u8], default: &InstanceName) -> Result<Self, BadPolicy> {
        if u64::try_from(bytes.len()).is_ok_and(|bytes| bytes > MAX_BYTES) {
            return Err(BadPolicy::TooLarge);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| BadPolicy::NotText)?;
        let file: File = toml::from_str(text).map_err(|error| {
            let line = error.span().and_then(|span| text.get(..span.start)).map(|before| before.split('\n').count());
            BadPolicy::Toml { line: line.unwrap_or(1), message: error.message().replace('\n', "; ") }
        })?;
        if file.version != 1 {
            return Err(BadPolicy::Version(file.version));
        }
        let mut names = BTreeSet::new();
        let mut rules = Vec::new();
        let mut budget = RegexBudget::default();
        for rule in file.rule {
            let name = rule.name.clone();
            let rule =
                rule.read(default, &mut budget).map_err(|wrong| BadPolicy::Rule { name: name.clone(), wrong })?;
            if !names.insert(name.clone()) {
                return Err(BadPolicy::Rule { name, wrong: BadRule::Twice });
            }
            rules.push(rule);
        }
        if rules.is_empty() {
            return Err(BadPolicy::NoRule);
        }
        let start = file.start.map(object_id).transpose()?;
        let max_trust_age =
            file.max_trust_age.map(|age| age.parse().map_err(|_| BadPolicy::TrustAge(age))).transpose()?;
        let exemptions = file.exempt.into_iter().map(|exempt| {
            let reason = exempt.reason.trim().to_owned();
            if reason.is_empty() {
                return Err(BadPolicy::NoReason(exempt.object));
            }
            Ok(Exemption { object: object_id(exempt.object)?, reason })
        });
        let exemptions = exemptions.collect::<Result<_, _>>()?;
        Ok(Self { sha256: Sha256Digest::of(bytes), max_trust_age, start, exemptions, rules })
    }

    /// SHA-256 of the file's bytes.
    #[must_use]
    pub fn sha256(&self) -> Sha256Digest {
        self.sha256
    }

    /// How long ago the trusted instances may have been refreshed.
    #[must_use]
    pub fn max_trust_age(&self) -> Option<MaxTrustAge> {
        self.max_trust_age
    }

    /// The commit whose ancestors are not judged: full, lower-case hexadecimal.
    #[must_use]
    pub fn start(&self) -> Option<&str> {
        self.start.as_deref()
    }

    /// The objects that are not judged, each with its reason.
    #[must_use]
    pub fn exemptions(&self) -> &[Exemption] {
        &self.exemptions
    }

    /// The rules in the order in which they are asked.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Why the object of this id, full and in lower-case hexadecimal, is not judged; `None` when it is.
    #[must_use]
    pub fn exemption(&self, object: &str, start: Start) -> Option<String> {
        if start == Start::Before {
            return Some("before the policy's start commit".to_owned());
        }
        self.exemptions.iter().find(|exempt| exempt.object == object).map(|exempt| exempt.reason.clone())
    }

    pub(super) fn judge(&self, signature: &mut VerifiedSignature, circumstances: &Circumstances<'_>) -> Allowed {
        if let Some(reason) = circumstances.object.and_then(|object| self.exemption(object, circumstances.start)) {
            return Allowed::Exempt(reason);
        }
        if self.start.is_some() && circumstances.start == Start::Unknown {
            // Nobody is judged by a law that may not be about the object.
            return Allowed::CannotTell { rule: None, asks: Mismatch::StartUnknown };
        }
        let signer = Signer::from(&*signature);
        let instances: Vec<InstanceName> = signature.instances().cloned().collect();
        let mut nearest: Option<(&Rule, Mismatch)> = None;
        for rule in &self.rules {
            for instance in &instances {
                match rule.admits(&signer, instance, circumstances) {
                    Ok(()) => {
                        signature.prefer(instance);
                        return Allowed::Yes(rule.name.clone());
                    }
                    Err(mismatch) => {
                        let nearer = |(_, other): &(&Rule, Mismatch)| other.nearness() >= mismatch.nearness();
                        if !nearest.as_ref().is_some_and(nearer) {
                            nearest = Some((rule, mismatch));
                        }
                    }
                }
            }
        }
        match nearest {
            Some((rule, asks)) if asks.is_unknown() => Allowed::CannotTell { rule: Some(rule.name.clone()), asks },
            nearest => Allowed::No(nearest.map(|(rule, mismatch)| (rule.name.clone(), mismatch))),
        }
    }
}

/// An object that the policy does not judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exemption {
    /// Its id, full and in lower-case hexadecimal.
    pub object: String,
    /// Why.
    pub reason: String,
}

/// A policy file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPolicy {
    /// An exemption that nobody will understand later.
    #[error("the exemption of {0} has no reason")]
    NoReason(String),
    /// It would admit nobody, which is more likely a mistake.
    #[error("it has no rule")]
    NoRule,
    /// Bytes that are not text.
    #[error("it is not UTF-8")]
    NotText,
    /// An abbreviation could come to mean another object.
    #[error("{0:?} is not a full object id in lower-case hexadecimal")]
    ObjectId(String),
    /// One rule.
    #[error("rule {name:?}: {wrong}")]
    Rule {
        /// Which.
        name: String,
        /// What is wrong with it.
        wrong: BadRule,
    },
    /// More than a policy has.
    #[error("it has more than {MAX_BYTES} bytes")]
    TooLarge,
    /// Not TOML, or not of this shape.
    #[error("line {line}: {message}")]
    Toml {
        /// From 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// Not a number with a unit.
    #[error("max_trust_age {0:?} is no age, as \"30d\" is")]
    TrustAge(String),
    /// From another time.
    #[error("it is of version {0}, and this waxseal knows version 1")]
    Version(i64),
}

fn object_id(text: String) -> Result<String, BadPolicy> {
    let hexadecimal = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if hexadecimal && matches!(text.len(), 40 | 64) { Ok(text) } else { Err(BadPolicy::ObjectId(text)) }
}

/// Thousands of rules.
pub(crate) const MAX_BYTES: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    const RULE: &str = "version = 1\n[[rule]]\nname = \"r\"\nissuer = \"https://i\"\n";

    fn read(text: &str) -> Result<PolicyFile, BadPolicy> {
        PolicyFile::read(text.as_bytes(), &InstanceName::public_good())
    }

    fn problem(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn the_example_of_the_documentation_is_a_policy() {
        let text = include_str!("../../docs/policy.md");
        let example = text.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let policy = read(example).unwrap();
        let known = [InstanceName::public_good()];
        assert_eq!((policy.rules().len(), policy.exemptions().len()), (3, 1));
        assert!(policy.check(Timestamp::UNIX_EPOCH, &known).is_empty());
        assert_eq!(policy.check("2026-06-01T00:00:00Z".parse().unwrap(), &known).len(), 1);
    }

    #[test]
    fn what_is_not_meant_is_refused() {
        assert_eq!(problem("version = 2\nrule = []"), "it is of version 2, and this waxseal knows version 1");
        assert_eq!(problem("version = 1"), "it has no rule");
        assert_eq!(
            problem("version = 1\n\n[[rule]]\nnme = 1"),
            "line 4: unknown field `nme`, expected one of `name`, `issuer`, `instance`, `email`, `uri`, `username`, `workflow`, `from`, `until`, `refs`, `require`, `may_change_policy`"
        );
        assert_eq!(problem(RULE), "rule \"r\": it names nobody: email, uri, username or workflow");
        for (more, wrong) in [
            ("email = []", "email is an empty list"),
            ("email = [\"\"]", "email \"\": not a usable pattern: it is empty"),
            ("email = [\"regex:(\"]", "email \"regex:(\": not a usable pattern: unclosed group"),
            ("email = [\"a\"]\nrefs = [\"main\"]", "\"main\" is no full ref name, as refs/heads/main is"),
            (
                "email = [\"a\"]\nfrom = 2026-01-01",
                "from is a date and time with its offset, as 2026-01-31T00:00:00Z is",
            ),
            (
                "email = [\"a\"]\nfrom = 2026-01-01T00:00:00Z\nuntil = 2026-01-01T01:00:00+01:00",
                "until is not after from",
            ),
            ("email = [\"a\"]\nrequire = []", "require is an empty list"),
            (
                "email = [\"a\"]\ninstance = \"A\"",
                "instance: an instance name is 1 to 63 of a-z, 0-9 and '-', and does not begin with '-'",
            ),
            ("workflow = { repository_id = \"\" }", "workflow.repository_id is an empty list"),
        ] {
            assert_eq!(problem(&format!("{RULE}{more}")), format!("rule \"r\": {wrong}"));
        }
        let twice = format!("{RULE}email = [\"a\"]\n{}email = [\"b\"]", RULE.replace("version = 1\n", ""));
        assert_eq!(problem(&twice), "rule \"r\": another rule has that name");
        let age = |age: &str| read(&format!("max_trust_age = \"{age}\"\n{RULE}email = [\"a\"]"));
        assert_eq!(age("30d").unwrap().max_trust_age(), Some("30d".parse().unwrap()));
        assert_eq!(age("soon").unwrap_err().to_string(), "max_trust_age \"soon\" is no age, as \"30d\" is");
        let start = format!("start = \"ABC\"\n{RULE}email = [\"a\"]");
        assert_eq!(problem(&start), "\"ABC\" is not a full object id in lower-case hexadecimal");
    }

    #[test]
    fn expressions_of_all_rules_have_one_budget() {
        let rule = |at: usize| {
            format!("[[rule]]\nname = \"{at}\"\nissuer = \"https://i\"\nemail = [\"regex:(a{{1,500}}){{1,100}}\"]\n")
        };
        let rules: String = (0..300).map(rule).collect();
        let wrong = problem(&format!("version = 1\n{rules}"));
        assert!(wrong.contains("the regular expressions together are too large"), "{wrong}");
    }

    #[test]
    fn the_schema_knows_the_same_keys() {
        let schema: serde_json::Value = serde_json::from_str(include_str!("../../docs/policy.schema.json")).unwrap();
        let said = problem("version = 1\n[[rule]]\nx = 1");
        let keys: BTreeSet<&str> = said.split('`').skip(3).step_by(2).collect();
        let described = schema["$defs"]["rule"]["properties"].as_object().unwrap();
        assert_eq!(keys, described.keys().map(String::as_str).collect());
        let said = problem("x = 1");
        let keys: BTreeSet<&str> = said.split('`').skip(3).step_by(2).collect();
        assert_eq!(keys, schema["properties"].as_object().unwrap().keys().map(String::as_str).collect());
    }
}
