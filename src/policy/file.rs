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

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Deserialize;

use super::rule::{Mismatch, Requirement, Rule, Signer, Validity, Who, Workflow};
use super::{Allowed, BadPattern, Circumstances, Pattern, Start};
use crate::crypto::Sha256Digest;
use crate::instance::{BadInstanceName, InstanceName};
use crate::trust_age::MaxTrustAge;
use crate::verify::VerifiedSignature;
use crate::x509::CertificateClaims;

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
        for rule in file.rule {
            let name = rule.name.clone();
            let rule = rule.read(default).map_err(|wrong| BadPolicy::Rule { name: name.clone(), wrong })?;
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

    pub(super) fn could_admit(&self, claims: &CertificateClaims, instance: Option<&InstanceName>) -> bool {
        self.rules.iter().any(|rule| rule.could_admit(claims, instance))
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

/// What can be wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRule {
    /// No instance.
    #[error("instance: {0}")]
    Instance(#[from] BadInstanceName),
    /// What cannot be shown in a line.
    #[error("a name has 1 to 64 printable characters")]
    Name,
    /// An empty list admits every one or none; which was meant?
    #[error("{0} is an empty list")]
    Empty(&'static str),
    /// A pattern.
    #[error("{field} {pattern:?}: {wrong}")]
    Pattern {
        /// Where.
        field: &'static str,
        /// As it was written.
        pattern: String,
        /// What is wrong with it.
        wrong: BadPattern,
    },
    /// Git's refs have full names.
    #[error("{0:?} is no full ref name, as refs/heads/main is")]
    RefName(String),
    /// A date without offset means something else in every place.
    #[error("{0} is a date and time with its offset, as 2026-01-31T00:00:00Z is")]
    Time(&'static str),
    /// Another rule has the name.
    #[error("another rule has that name")]
    Twice,
    /// Nobody.
    #[error("it names nobody: email, uri, username or workflow")]
    Nobody,
    /// Never.
    #[error("until is not after from")]
    Window,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: i64,
    max_trust_age: Option<String>,
    start: Option<String>,
    #[serde(default)]
    exempt: Vec<FileExemption>,
    #[serde(default)]
    rule: Vec<FileRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileExemption {
    object: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileRule {
    name: String,
    issuer: String,
    instance: Option<String>,
    email: Option<Vec<String>>,
    uri: Option<Vec<String>>,
    username: Option<Vec<String>>,
    workflow: Option<FileWorkflow>,
    from: Option<toml::value::Datetime>,
    until: Option<toml::value::Datetime>,
    refs: Option<Vec<String>>,
    require: Option<Vec<FileRequirement>>,
    #[serde(default)]
    may_change_policy: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileWorkflow {
    repository_id: String,
    path: Option<String>,
    r#ref: Option<String>,
    trigger: Option<Vec<String>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum FileRequirement {
    AuthorMatch,
    Log,
    Timestamp,
}

impl FileRule {
    fn read(self, default: &InstanceName) -> Result<Rule, BadRule> {
        let printable = !self.name.chars().any(char::is_control) && self.name.trim() == self.name;
        if self.name.is_empty() || self.name.chars().count() > MAX_NAME || !printable {
            return Err(BadRule::Name);
        }
        let validity = Validity { from: instant("from", self.from)?, until: instant("until", self.until)? };
        if !validity.overlaps(validity) {
            return Err(BadRule::Window);
        }
        let mut who = Vec::new();
        who.extend(patterns("email", self.email)?.into_iter().map(Who::Email));
        who.extend(patterns("uri", self.uri)?.into_iter().map(Who::Uri));
        who.extend(patterns("username", self.username)?.into_iter().map(Who::Username));
        who.extend(self.workflow.map(FileWorkflow::read).transpose()?.map(Who::Workflow));
        if who.is_empty() {
            return Err(BadRule::Nobody);
        }
        if self.require.as_ref().is_some_and(Vec::is_empty) {
            return Err(BadRule::Empty("require"));
        }
        Ok(Rule {
            who,
            issuer: pattern("issuer", self.issuer)?,
            names_instance: self.instance.is_some(),
            instance: self.instance.map_or_else(|| Ok(default.clone()), |name| name.parse())?,
            validity,
            refs: patterns("refs", self.refs)?.into_iter().map(ref_pattern).collect::<Result<_, _>>()?,
            requires: self.require.unwrap_or_default().into_iter().map(Requirement::from).collect(),
            may_change_policy: self.may_change_policy,
            name: self.name,
        })
    }
}

impl FileWorkflow {
    fn read(self) -> Result<Workflow, BadRule> {
        if self.repository_id.is_empty() {
            return Err(BadRule::Empty("workflow.repository_id"));
        }
        if self.trigger.as_ref().is_some_and(Vec::is_empty) {
            return Err(BadRule::Empty("workflow.trigger"));
        }
        let reference = self.r#ref.map(|text| pattern("workflow.ref", text)).transpose()?;
        Ok(Workflow {
            repository_id: self.repository_id,
            path: self.path.map(|path| pattern("workflow.path", path)).transpose()?,
            reference: reference.map(ref_pattern).transpose()?,
            trigger: self.trigger,
        })
    }
}

impl From<FileRequirement> for Requirement {
    fn from(requirement: FileRequirement) -> Self {
        match requirement {
            FileRequirement::AuthorMatch => Self::AuthorMatch,
            FileRequirement::Log => Self::Log,
            FileRequirement::Timestamp => Self::Timestamp,
        }
    }
}

fn object_id(text: String) -> Result<String, BadPolicy> {
    let hexadecimal = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if hexadecimal && matches!(text.len(), 40 | 64) { Ok(text) } else { Err(BadPolicy::ObjectId(text)) }
}

fn instant(field: &'static str, value: Option<toml::value::Datetime>) -> Result<Option<Timestamp>, BadRule> {
    value.map(|value| value.to_string().parse().map_err(|_| BadRule::Time(field))).transpose()
}

fn patterns(field: &'static str, list: Option<Vec<String>>) -> Result<Vec<Pattern>, BadRule> {
    match list {
        Some(list) if list.is_empty() => Err(BadRule::Empty(field)),
        list => list.into_iter().flatten().map(|text| pattern(field, text)).collect(),
    }
}

fn pattern(field: &'static str, text: String) -> Result<Pattern, BadRule> {
    Pattern::marked(&text).map_err(|wrong| BadRule::Pattern { field, pattern: text, wrong })
}

/// `main` alone could be a branch or a tag.
fn ref_pattern(pattern: Pattern) -> Result<Pattern, BadRule> {
    let text = pattern.as_str();
    let bare = text.strip_prefix("glob:").unwrap_or(text);
    if text.starts_with("regex:") || bare.starts_with("refs/") {
        Ok(pattern)
    } else {
        Err(BadRule::RefName(text.to_owned()))
    }
}

/// Thousands of rules.
pub(crate) const MAX_BYTES: u64 = 1 << 20;
const MAX_NAME: usize = 64;

#[cfg(test)]
mod tests {
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
        assert_eq!((policy.rules().len(), policy.exemptions().len()), (3, 1));
        assert!(policy.check(Timestamp::UNIX_EPOCH).is_empty());
        assert_eq!(policy.check("2026-06-01T00:00:00Z".parse().unwrap()).len(), 1);
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

    #[test]
    fn a_check_finds_what_nobody_wants() {
        let rule = |name: &str, more: &str| {
            format!("[[rule]]\nname = \"{name}\"\nissuer = \"https://i\"\ninstance = \"own\"\n{more}\n")
        };
        let codes = |rules: &[String]| {
            let policy = read(&format!("version = 1\n{}", rules.concat())).unwrap();
            let findings = policy.check("2026-06-01T00:00:00Z".parse().unwrap());
            findings.iter().map(|finding| finding.problem.code()).collect::<Vec<_>>()
        };
        let alice = "email = [\"alice@example.org\"]";
        let all = "email = [\"glob:*@example.org\"]";
        assert_eq!(codes(&[rule("a", alice)]), [""; 0]);
        assert_eq!(codes(&[rule("a", alice).replace("instance = \"own\"\n", "")]), ["no-instance"]);
        assert_eq!(codes(&[rule("a", alice).replace("https://i", "regex:.*")]), ["any-issuer"]);
        assert_eq!(codes(&[rule("a", "email = [\"regex:.*@.*\"]")]), ["any-subject"]);
        assert_eq!(codes(&[rule("a", all), rule("b", alice)]), ["unreachable-rule"]);
        assert_eq!(codes(&[rule("a", alice), rule("b", all)]), [""; 0]);
        let until = |day: &str| format!("{alice}\nuntil = {day}T00:00:00Z");
        let from = |day: &str| format!("{alice}\nfrom = {day}T00:00:00Z");
        assert_eq!(codes(&[rule("a", &until("2026-07-01")), rule("b", &from("2026-07-01"))]), [""; 0]);
        assert_eq!(codes(&[rule("a", &until("2026-07-02")), rule("b", &from("2026-07-01"))]), ["overlapping-rules"]);
        assert_eq!(codes(&[rule("a", &until("2026-01-01"))]), ["rule-over"]);
        let main = format!("{all}\nrefs = [\"refs/heads/main\"]");
        assert_eq!(codes(&[rule("a", &main), rule("b", alice)]), ["overlapping-rules"]);
        let elsewhere = format!("{alice}\nrefs = [\"refs/heads/next\"]");
        assert_eq!(codes(&[rule("a", &main), rule("b", &elsewhere)]), [""; 0]);
    }
}
