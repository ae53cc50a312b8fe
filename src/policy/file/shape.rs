//! What a policy file says, key by key, and how a rule is made of it.

use jiff::Timestamp;
use serde::Deserialize;

use super::super::rule::{Requirement, Rule, Validity, Who, Workflow};
use super::super::{Pattern, RegexBudget};
use super::bad_rule::BadRule;
use crate::instance::InstanceName;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) version: i64,
    pub(super) max_trust_age: Option<String>,
    pub(super) start: Option<String>,
    #[serde(default)]
    pub(super) exempt: Vec<FileExemption>,
    #[serde(default)]
    pub(super) rule: Vec<FileRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileExemption {
    pub(super) object: String,
    pub(super) reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileRule {
    pub(super) name: String,
    pub(super) issuer: Option<String>,
    pub(super) instance: Option<String>,
    pub(super) email: Option<Vec<String>>,
    pub(super) uri: Option<Vec<String>>,
    pub(super) username: Option<Vec<String>>,
    pub(super) workflow: Option<FileWorkflow>,
    pub(super) ssh: Option<Vec<String>>,
    pub(super) allowed_signers: Option<FileName>,
    pub(super) openpgp: Option<Vec<String>>,
    pub(super) key_files: Option<Vec<FileName>>,
    pub(super) forge: Option<FileForge>,
    pub(super) from: Option<toml::value::Datetime>,
    pub(super) until: Option<toml::value::Datetime>,
    pub(super) from_commit: Option<String>,
    pub(super) until_commit: Option<String>,
    #[serde(default)]
    pub(super) unbounded: bool,
    pub(super) refs: Option<Vec<String>>,
    pub(super) require: Option<Vec<FileRequirement>>,
    #[serde(default)]
    pub(super) may_change_policy: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileWorkflow {
    repository_id: String,
    path: Option<String>,
    r#ref: Option<String>,
    trigger: Option<Vec<String>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum FileRequirement {
    AuthorMatch,
    Log,
    Timestamp,
}

/// A file, and what must be in it where somebody says so.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum FileName {
    Path(String),
    Pinned(PinnedFile),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PinnedFile {
    pub(super) path: String,
    pub(super) sha256: String,
}

/// What a forge may do with its keys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileForge {
    pub(super) committer: Vec<String>,
    pub(super) shape: Vec<FileShape>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum FileShape {
    Merge,
    Squash,
}

impl FileRule {
    pub(super) fn read(self, default: &InstanceName, budget: &mut RegexBudget) -> Result<Rule, BadRule> {
        self.check_name()?;
        if let Some(key) = self.only_of_keys() {
            return Err(BadRule::OnlyOfKeys(key));
        }
        let Some(issuer) = self.issuer else { return Err(BadRule::NoIssuer) };
        let validity = Validity { from: instant("from", self.from)?, until: instant("until", self.until)? };
        if !validity.overlaps(validity) {
            return Err(BadRule::Window);
        }
        let mut who = Vec::new();
        who.extend(patterns("email", self.email, budget)?.into_iter().map(Who::Email));
        who.extend(patterns("uri", self.uri, budget)?.into_iter().map(Who::Uri));
        who.extend(patterns("username", self.username, budget)?.into_iter().map(Who::Username));
        who.extend(self.workflow.map(|workflow| workflow.read(budget)).transpose()?.map(Who::Workflow));
        if who.is_empty() {
            return Err(BadRule::Nobody);
        }
        if self.require.as_ref().is_some_and(Vec::is_empty) {
            return Err(BadRule::Empty("require"));
        }
        Ok(Rule {
            who,
            issuer: pattern("issuer", issuer, budget)?,
            names_instance: self.instance.is_some(),
            instance: self.instance.map_or_else(|| Ok(default.clone()), |name| name.parse())?,
            validity,
            refs: patterns("refs", self.refs, budget)?.into_iter().map(ref_pattern).collect::<Result<_, _>>()?,
            requires: self.require.unwrap_or_default().into_iter().map(Requirement::from).collect(),
            may_change_policy: self.may_change_policy,
            name: self.name,
        })
    }

    pub(super) fn check_name(&self) -> Result<(), BadRule> {
        let printable = !self.name.chars().any(char::is_control) && self.name.trim() == self.name;
        if self.name.is_empty() || self.name.chars().count() > MAX_NAME || !printable {
            return Err(BadRule::Name);
        }
        Ok(())
    }
}

impl FileWorkflow {
    fn read(self, budget: &mut RegexBudget) -> Result<Workflow, BadRule> {
        if self.repository_id.is_empty() {
            return Err(BadRule::Empty("workflow.repository_id"));
        }
        if self.trigger.as_ref().is_some_and(Vec::is_empty) {
            return Err(BadRule::Empty("workflow.trigger"));
        }
        let reference = self.r#ref.map(|text| pattern("workflow.ref", text, budget)).transpose()?;
        Ok(Workflow {
            repository_id: self.repository_id,
            path: self.path.map(|path| pattern("workflow.path", path, budget)).transpose()?,
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

fn instant(field: &'static str, value: Option<toml::value::Datetime>) -> Result<Option<Timestamp>, BadRule> {
    value.map(|value| value.to_string().parse().map_err(|_| BadRule::Time(field))).transpose()
}

pub(super) fn patterns(
    field: &'static str,
    list: Option<Vec<String>>,
    budget: &mut RegexBudget,
) -> Result<Vec<Pattern>, BadRule> {
    match list {
        Some(list) if list.is_empty() => Err(BadRule::Empty(field)),
        list => list.into_iter().flatten().map(|text| pattern(field, text, budget)).collect(),
    }
}

fn pattern(field: &'static str, text: String, budget: &mut RegexBudget) -> Result<Pattern, BadRule> {
    Pattern::marked(&text, budget).map_err(|wrong| BadRule::Pattern { field, pattern: text, wrong })
}

/// `main` alone could be a branch or a tag.
pub(super) fn ref_pattern(pattern: Pattern) -> Result<Pattern, BadRule> {
    let text = pattern.as_str();
    let bare = text.strip_prefix("glob:").unwrap_or(text);
    if text.starts_with("regex:") || bare.starts_with("refs/") {
        Ok(pattern)
    } else {
        Err(BadRule::RefName(text.to_owned()))
    }
}

const MAX_NAME: usize = 64;
