//! What a policy file says, key by key, and how a rule is made of it.

use jiff::Timestamp;
use serde::Deserialize;

use super::super::rule::{Requirement, Rule, Validity, Who, Workflow};
use super::super::{BadPattern, Pattern, RegexBudget};
use super::keys::{FileForge, FileName};
use crate::instance::{BadInstanceName, InstanceName};

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

/// What can be wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRule {
    /// Both at once.
    #[error("unbounded contradicts from_commit and until_commit")]
    BoundedAndNot,
    /// A bound.
    #[error("{field} \"{id}\" is not a full object id in lower-case hexadecimal")]
    Commit {
        /// Which.
        field: &'static str,
        /// As it was written.
        id: String,
    },
    /// Whoever has the key chooses its dates.
    #[error("nothing proves when a key signed: bound the rule by from_commit and until_commit, not by dates")]
    DatesOfKeys,
    /// A file that the rule names.
    #[error("{path}: {wrong}")]
    File {
        /// As it was written.
        path: String,
        /// What is wrong with it.
        wrong: String,
    },
    /// A key.
    #[error("\"{key}\": {wrong}")]
    Key {
        /// As it was written.
        key: String,
        /// What is wrong with it.
        wrong: String,
    },
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
    #[error("{field} \"{pattern}\": {wrong}")]
    Pattern {
        /// Where.
        field: &'static str,
        /// As it was written.
        pattern: String,
        /// What is wrong with it.
        wrong: BadPattern,
    },
    /// Who vouches?
    #[error(
        "it says neither which issuer vouches (issuer), nor which keys it is about (ssh, allowed_signers, openpgp)"
    )]
    NoIssuer,
    /// Nobody vouches for a key.
    #[error("it is about keys, and {0} means nothing there")]
    NotOfKeys(&'static str),
    /// Proven times do better.
    #[error("{0} is for rules about keys")]
    OnlyOfKeys(&'static str),
    /// Nothing to verify with.
    #[error("no file in key_files has the OpenPGP key {0}")]
    KeyNotThere(String),
    /// Which of the two is it?
    #[error("keys of SSH and of OpenPGP need a rule each")]
    TwoFormats,
    /// Of OpenPGP.
    #[error("\"{0}\" is no fingerprint of an OpenPGP primary key: 40 or 64 hexadecimal digits")]
    Fingerprint(String),
    /// Git's refs have full names.
    #[error("\"{0}\" is no full ref name, as refs/heads/main is")]
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
    /// A key that is lost would be believed for ever.
    #[error("nothing proves when a key signed: say from_commit, until_commit, or unbounded = true")]
    Unbounded,
    /// Never.
    #[error("until is not after from")]
    Window,
}

const MAX_NAME: usize = 64;
