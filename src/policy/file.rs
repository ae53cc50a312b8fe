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

mod bad_rule;
mod judge_key;
mod keys;
mod shape;

use std::collections::{BTreeMap, BTreeSet};

use self::keys::{Copies, is_object_id};
use self::shape::File;
use super::key_rule::KeyRule;
use super::rule::{Mismatch, Rule, Signer};
use super::{Allowed, Circumstances, RegexBudget, Start};
use crate::crypto::Sha256Digest;
use crate::instance::InstanceName;
use crate::trust_age::MaxTrustAge;
use crate::verify::VerifiedSignature;

pub use self::bad_rule::BadRule;
pub use self::keys::{Pinned, ReadFile};

/// A policy file, read.
#[derive(Clone, Debug)]
pub struct PolicyFile {
    sha256: Sha256Digest,
    max_trust_age: Option<MaxTrustAge>,
    start: Option<String>,
    exemptions: Vec<Exemption>,
    rules: Vec<Rule>,
    key_rules: Vec<KeyRule>,
    openpgp: Copies,
    files: BTreeMap<String, Sha256Digest>,
}

impl PolicyFile {
    /// Reads a policy file that names no others. A rule that names no instance means `default`.
    ///
    /// # Errors
    /// [`BadPolicy`] names the line, or the rule and what is wrong with it.
    pub fn read(bytes: &[u8], default: &InstanceName) -> Result<Self, BadPolicy> {
        Self::read_with(bytes, default, &mut |_path, _pinned| Err("it is not read here".to_owned()))
    }

    /// Reads a policy file, and with `read` the files that it names.
    ///
    /// # Errors
    /// [`BadPolicy`] names the line, or the rule and what is wrong with it.
    pub fn read_with(bytes: &[u8], default: &InstanceName, read: &mut ReadFile<'_>) -> Result<Self, BadPolicy> {
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
        let mut files = BTreeMap::new();
        let mut read = |path: &str, pinned| {
            let bytes = read(path, pinned)?;
            files.insert(path.to_owned(), Sha256Digest::of(&bytes));
            Ok(bytes)
        };
        let (mut rules, mut key_rules, mut openpgp) = (Vec::new(), Vec::new(), Copies::new());
        let mut budget = RegexBudget::default();
        for rule in file.rule {
            let name = rule.name.clone();
            let wrong = |wrong| BadPolicy::Rule { name: name.clone(), wrong };
            if rule.is_about_keys() {
                key_rules.push(rule.read_keys(&mut budget, &mut read, &mut openpgp).map_err(wrong)?);
            } else {
                rules.push(rule.read(default, &mut budget).map_err(wrong)?);
            }
            if !names.insert(name.clone()) {
                return Err(BadPolicy::Rule { name, wrong: BadRule::Twice });
            }
        }
        if rules.is_empty() && key_rules.is_empty() {
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
        Ok(Self { sha256: Sha256Digest::of(bytes), max_trust_age, start, exemptions, rules, key_rules, openpgp, files })
    }

    /// SHA-256 of the file's bytes.
    #[must_use]
    pub fn sha256(&self) -> Sha256Digest {
        self.sha256
    }

    /// The files that it names, by their paths as they are written, with their SHA-256.
    #[must_use]
    pub fn files(&self) -> &BTreeMap<String, Sha256Digest> {
        &self.files
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

    /// The rules about identities, in the order in which they are asked.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Of each rule, of whatever kind, whether it counts for the ref of this full name.
    #[must_use]
    pub fn rules_for(&self, reference: &str) -> Vec<bool> {
        let refs = self.rules.iter().map(|rule| &rule.refs).chain(self.key_rules.iter().map(|rule| &rule.refs));
        refs.map(|refs| refs.is_empty() || refs.iter().any(|pattern| pattern.matches(reference))).collect()
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
        if let Some(beforehand) = self.beforehand(circumstances) {
            return beforehand;
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
        self::nearest(nearest.map(|(rule, mismatch)| (rule.name.as_str(), mismatch)))
    }

    /// What no rule is asked about.
    fn beforehand(&self, circumstances: &Circumstances<'_>) -> Option<Allowed> {
        if let Some(reason) = circumstances.object.and_then(|object| self.exemption(object, circumstances.start)) {
            return Some(Allowed::Exempt(reason));
        }
        // Nobody is judged by a law that may not be about the object.
        let unknown = self.start.is_some() && circumstances.start == Start::Unknown;
        unknown.then_some(Allowed::CannotTell { rule: None, asks: Mismatch::StartUnknown })
    }
}

/// The answer where no rule admits: by the one that came nearest.
fn nearest(nearest: Option<(&str, Mismatch)>) -> Allowed {
    match nearest {
        Some((rule, asks)) if asks.is_unknown() => Allowed::CannotTell { rule: Some(rule.to_owned()), asks },
        nearest => Allowed::No(nearest.map(|(rule, mismatch)| (rule.to_owned(), mismatch))),
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
    #[error("\"{0}\" is not a full object id in lower-case hexadecimal")]
    ObjectId(String),
    /// One rule.
    #[error("rule \"{name}\": {wrong}")]
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
    #[error("max_trust_age \"{0}\" is no age, as \"30d\" is")]
    TrustAge(String),
    /// From another time.
    #[error("it is of version {0}, and this waxseal knows version 1")]
    Version(i64),
}

fn object_id(text: String) -> Result<String, BadPolicy> {
    if is_object_id(&text) { Ok(text) } else { Err(BadPolicy::ObjectId(text)) }
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
            "line 4: unknown field `nme`, expected one of `name`, `issuer`, `instance`, `email`, `uri`, `username`, `workflow`, `ssh`, `allowed_signers`, `openpgp`, `key_files`, `forge`, `from`, `until`, `from_commit`, `until_commit`, `unbounded`, `refs`, `require`, `may_change_policy`"
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
    fn a_rule_about_keys_is_bounded_by_commits() {
        const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";
        let key = |more: &str| format!("version = 1\n[[rule]]\nname = \"r\"\nssh = [\"{KEY} a\"]\n{more}");
        let id = "1".repeat(40);
        let policy = read(&key(&format!("until_commit = \"{id}\""))).unwrap();
        let [rule] = policy.key_rules() else { panic!("one rule") };
        assert_eq!((rule.bounds.until.as_deref(), &rule.bounds.from), (Some(id.as_str()), &None));
        assert_eq!(rule.keys.keys().collect::<Vec<_>>(), ["SHA256:UCUiLr7Pjs9wFFJMDByLgc3NrtdU344OgUM45wZPcIQ"]);
        read(&key("unbounded = true\nrequire = [\"author-match\"]")).unwrap();
        for (more, wrong) in [
            ("", "nothing proves when a key signed: say from_commit, until_commit, or unbounded = true"),
            (
                "unbounded = true\nuntil = 2026-01-01T00:00:00Z",
                "nothing proves when a key signed: bound the rule by from_commit and until_commit, not by dates",
            ),
            (
                &format!("unbounded = true\nfrom_commit = \"{id}\""),
                "unbounded contradicts from_commit and until_commit",
            ),
            ("from_commit = \"HEAD\"", "from_commit \"HEAD\" is not a full object id in lower-case hexadecimal"),
            ("unbounded = true\nemail = [\"a\"]", "it is about keys, and email means nothing there"),
            ("unbounded = true\nissuer = \"i\"", "it is about keys, and issuer means nothing there"),
            (
                "unbounded = true\nrequire = [\"log\"]",
                "it is about keys, and require = [\"log\"] or [\"timestamp\"] means nothing there",
            ),
            ("unbounded = true\nallowed_signers = \"a\"", "a: it is not read here"),
        ] {
            assert_eq!(problem(&key(more)), format!("rule \"r\": {wrong}"), "{more}");
        }
        let identity = problem(&format!("{RULE}email = [\"a\"]\nunbounded = true"));
        assert_eq!(identity, "rule \"r\": unbounded is for rules about keys");
        assert_eq!(
            problem("version = 1\n[[rule]]\nname = \"r\"\nemail = [\"a\"]"),
            "rule \"r\": it says neither which issuer vouches (issuer), nor which keys it is about (ssh, allowed_signers, openpgp)"
        );
        assert!(problem(&key("unbounded = true").replace("AAAAC3", "AAAAD3")).contains("it is no SSH public key"));
    }

    #[test]
    fn rules_of_every_kind_count_for_their_refs() {
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";
        let text = format!(
            "{RULE}email = [\"a\"]\n[[rule]]\nname = \"k\"\nunbounded = true\nssh = [\"{key}\"]\nrefs = [\"glob:refs/heads/wip-*\"]"
        );
        let policy = PolicyFile::read(text.as_bytes(), &InstanceName::public_good()).unwrap();
        assert_eq!(policy.rules_for("refs/heads/main"), [true, false]);
        assert_eq!(policy.rules_for("refs/heads/wip-1"), [true, true]);
    }

    #[test]
    fn a_file_that_the_policy_names_may_be_pinned() {
        let signers = "a@x ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti\n";
        let read = |file: &str| {
            let text = format!("version = 1\n[[rule]]\nname = \"r\"\nunbounded = true\nallowed_signers = {file}");
            let mut asked = Vec::new();
            let policy = PolicyFile::read_with(text.as_bytes(), &InstanceName::public_good(), &mut |path, pinned| {
                asked.push((path.to_owned(), pinned));
                Ok(signers.as_bytes().to_vec())
            });
            (policy.map_err(|error| error.to_string()), asked)
        };
        let digest = Sha256Digest::of(signers.as_bytes());
        let (policy, asked) = read("\"signers\"");
        let policy = policy.unwrap();
        assert_eq!(asked, [("signers".to_owned(), Pinned::No)]);
        assert_eq!(policy.files(), &BTreeMap::from([("signers".to_owned(), digest)]));
        assert_eq!(policy.key_rules()[0].keys.values().collect::<Vec<_>>(), [&Some("a@x".to_owned())]);
        let (policy, asked) = read(&format!("{{ path = \"s\", sha256 = \"{digest}\" }}"));
        assert_eq!((policy.is_ok(), asked), (true, vec![("s".to_owned(), Pinned::Yes)]));
        let zeros = format!("{{ path = \"s\", sha256 = \"{}\" }}", "0".repeat(64));
        assert_eq!(read(&zeros).0.unwrap_err(), format!("rule \"r\": s: its SHA-256 is {digest}"));
        assert!(read("{ path = \"s\", sha256 = \"0\" }").0.unwrap_err().contains("64 lower-case"));
    }

    #[test]
    fn openpgp_keys_are_named_by_their_fingerprints() {
        let dave = include_bytes!("../../tests/integration/openpgp/dave.asc");
        let read = |more: &str| {
            let text = format!("version = 1\n[[rule]]\nname = \"r\"\nunbounded = true\n{more}");
            let mut file = |_path: &str, _pinned| Ok(dave.to_vec());
            PolicyFile::read_with(text.as_bytes(), &InstanceName::public_good(), &mut file).map_err(|e| e.to_string())
        };
        let policy =
            read("openpgp = [\"52C5 D7DA 3781 5705 548C  E5BE 7C6B 836D 4D2B c027\"]\nkey_files = [\"d\"]").unwrap();
        let [rule] = policy.key_rules() else { panic!("one rule") };
        assert_eq!(rule.keys.keys().collect::<Vec<_>>(), ["52C5D7DA37815705548CE5BE7C6B836D4D2BC027"]);
        for (more, wrong) in [
            ("openpgp = [\"7C6B836D4D2BC027\"]\nkey_files = [\"d\"]", "\"7C6B836D4D2BC027\" is no fingerprint"),
            (
                &format!("openpgp = [\"{}\"]\nkey_files = [\"d\"]", "0".repeat(40)),
                "no file in key_files has the OpenPGP key 0000",
            ),
            ("openpgp = []\nkey_files = [\"d\"]", "openpgp is an empty list"),
            ("key_files = [\"d\"]", "openpgp is an empty list"),
            ("openpgp = [\"x\"]", "key_files is an empty list"),
            ("openpgp = [\"x\"]\nssh = [\"y\"]", "keys of SSH and of OpenPGP need a rule each"),
        ] {
            let said = read(more).unwrap_err();
            assert!(said.starts_with(&format!("rule \"r\": {wrong}")), "{more}: {said}");
        }
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
