//! What of a CI system's ID token goes into a certificate, as Fulcio's configuration has it
//! (sigstore/fulcio, `config/identity/config.yaml`, `ci-issuer-metadata`).

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::template::{BadTemplate, MissingClaim, Template};

/// The templates of one kind of CI system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CiProvider {
    defaults: BTreeMap<String, String>,
    extensions: Vec<(u8, Template)>,
    subject_alternative_name: Template,
}

impl CiProvider {
    /// The built-in provider of this name, as in Fulcio's `ci-provider`: `buddy-pipeline`, `buildkite-job`,
    /// `circleci-job`, `codefresh-workflow`, `github-workflow`, `gitlab-pipeline`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let (_, defaults, extensions, subject_alternative_name) = BUILT_IN.iter().find(|(found, ..)| *found == name)?;
        Self::new(
            defaults.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            extensions.iter().copied(),
            subject_alternative_name,
        )
        .ok()
    }

    /// A provider from its templates: values of claims that a token may lack, extensions by their number under
    /// 1.3.6.1.4.1.57264.1, and the subject alternative name, which is a URI.
    ///
    /// # Errors
    /// [`BadTemplate`] when a template cannot be read, or stands for an extension that every certificate fills alike.
    pub fn new<'a>(
        defaults: BTreeMap<String, String>,
        extensions: impl IntoIterator<Item = (u8, &'a str)>,
        subject_alternative_name: &str,
    ) -> Result<Self, BadTemplate> {
        let mut read = Vec::new();
        for (number, template) in extensions {
            if !FREE_EXTENSIONS.contains(&number) {
                return Err(BadTemplate(template.to_owned()));
            }
            read.push((number, Template::parse(template)?));
        }
        read.sort_by_key(|(number, _)| *number);
        Ok(Self { defaults, extensions: read, subject_alternative_name: Template::parse(subject_alternative_name)? })
    }

    /// The same provider at another address: `values` replace defaults of these names, such as `url`.
    #[must_use]
    pub fn with_defaults(mut self, values: BTreeMap<String, String>) -> Self {
        self.defaults.extend(values);
        self
    }

    pub(super) fn subject_alternative_name<'a>(
        &'a self,
        claim: &impl Fn(&str) -> Option<Cow<'a, str>>,
    ) -> Result<String, MissingClaim> {
        self.subject_alternative_name.fill(&self.over_defaults(claim))
    }

    /// Number and value of each extension, in ascending order, empty ones too.
    pub(super) fn extensions<'a>(
        &'a self,
        claim: &impl Fn(&str) -> Option<Cow<'a, str>>,
    ) -> Result<Vec<(u8, String)>, MissingClaim> {
        let claim = self.over_defaults(claim);
        self.extensions.iter().map(|(number, template)| Ok((*number, template.fill(&claim)?))).collect()
    }

    /// What the token claims wins.
    fn over_defaults<'a>(
        &'a self,
        claim: &impl Fn(&str) -> Option<Cow<'a, str>>,
    ) -> impl Fn(&str) -> Option<Cow<'a, str>> {
        move |name: &str| claim(name).or_else(|| self.defaults.get(name).map(|value| Cow::Borrowed(value.as_str())))
    }
}

/// `const` cannot hold maps: name, defaults, extensions by number, subject alternative name.
type BuiltIn = (&'static str, &'static [(&'static str, &'static str)], &'static [(u8, &'static str)], &'static str);

/// Two to six are the deprecated ones of GitHub, nine to 23 those of everyone; the rest is not for templates.
const FREE_EXTENSIONS: [u8; 20] = [2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23];

const BUILT_IN: [BuiltIn; 6] = [
    // Fulcio's extension templates for Buddy were not at hand: issuer and subject are certified, nothing else.
    (
        "buddy-pipeline",
        &[],
        &[],
        "{{.base_url}}/{{.workspace_domain}}/{{.project_name}}/pipelines/pipeline/{{.pipeline_id}}",
    ),
    (
        "buildkite-job",
        &[("url", "https://buildkite.com")],
        &[
            (11, "runner_environment"),
            (13, "build_commit"),
            (20, "build_source"),
            (21, "{{.url}}/{{.organization_slug}}/{{.pipeline_slug}}/builds/{{.build_number}}#{{.job_id}}"),
        ],
        "{{.url}}/{{.organization_slug}}/{{.pipeline_slug}}",
    ),
    // Where nobody looked over the job's shoulder by SSH, Fulcio certifies the runner environment `""`, two quotation
    // marks, which looks like a slip; here it is left out.
    (
        "circleci-job",
        &[("api_url", "https://circleci.com/api/v2"), ("platform_url", "https://app.circleci.com/")],
        &[
            (9, CIRCLECI_PIPELINE_DEFINITION),
            (11, r#"{{if eq (index . "oidc.circleci.com/ssh-rerun") "true"}}ssh-rerun{{end}}"#),
            (12, r#"{{index . "oidc.circleci.com/vcs-origin"}}"#),
            (14, r#"{{index . "oidc.circleci.com/vcs-ref"}}"#),
            (18, r#"{{.api_url}}/pipeline/{{index . "oidc.circleci.com/pipeline-id"}}/config"#),
            (
                21,
                r#"{{.platform_url}}/workflow/{{index . "oidc.circleci.com/workflow-id"}}/job/{{index . "oidc.circleci.com/job-id"}}"#,
            ),
        ],
        CIRCLECI_PIPELINE_DEFINITION,
    ),
    (
        "codefresh-workflow",
        &[
            ("platform_url", "https://g.codefresh.io"),
            ("runner_environment", ""),
            ("scm_ref", ""),
            ("scm_repo_url", ""),
        ],
        &[
            (9, "{{.platform_url}}/build/{{.workflow_id}}"),
            (11, "runner_environment"),
            (12, "scm_repo_url"),
            (14, "scm_ref"),
            (18, "{{.platform_url}}/api/pipelines/{{.pipeline_id}}"),
            (21, "{{.platform_url}}/build/{{.workflow_id}}"),
        ],
        "{{.platform_url}}/{{.account_name}}/{{.pipeline_name}}:{{.account_id}}/{{.pipeline_id}}",
    ),
    (
        "github-workflow",
        &[("environment", ""), ("url", "https://github.com")],
        &[
            (2, "event_name"),
            (3, "sha"),
            (4, "workflow"),
            (5, "repository"),
            (6, "ref"),
            (9, "{{.url}}/{{.job_workflow_ref}}"),
            (10, "job_workflow_sha"),
            (11, "runner_environment"),
            (12, "{{.url}}/{{.repository}}"),
            (13, "sha"),
            (14, "ref"),
            (15, "repository_id"),
            (16, "{{.url}}/{{.repository_owner}}"),
            (17, "repository_owner_id"),
            (18, "{{.url}}/{{.workflow_ref}}"),
            (19, "workflow_sha"),
            (20, "event_name"),
            (21, "{{.url}}/{{.repository}}/actions/runs/{{.run_id}}/attempts/{{.run_attempt}}"),
            (22, "repository_visibility"),
            (23, "environment"),
        ],
        "{{.url}}/{{.job_workflow_ref}}",
    ),
    (
        "gitlab-pipeline",
        &[("environment", ""), ("url", "https://gitlab.com")],
        &[
            (9, "https://{{.ci_config_ref_uri}}"),
            (10, "ci_config_sha"),
            (11, "runner_environment"),
            (12, "{{.url}}/{{.project_path}}"),
            (13, "sha"),
            (14, r#"refs/{{if eq .ref_type "branch"}}heads/{{else}}tags/{{end}}{{.ref}}"#),
            (15, "project_id"),
            (16, "{{.url}}/{{.namespace_path}}"),
            (17, "namespace_id"),
            (18, "https://{{.ci_config_ref_uri}}"),
            (19, "ci_config_sha"),
            (20, "pipeline_source"),
            (21, "{{.url}}/{{.project_path}}/-/jobs/{{.job_id}}"),
            (22, "project_visibility"),
            (23, "environment"),
        ],
        "https://{{.ci_config_ref_uri}}",
    ),
];

const CIRCLECI_PIPELINE_DEFINITION: &str = r#"{{.api_url}}/projects/{{index . "oidc.circleci.com/project-id"}}/pipeline-definitions/{{index . "oidc.circleci.com/pipeline-definition-id"}}"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_provider_can_be_read() {
        for (name, ..) in &BUILT_IN {
            assert!(CiProvider::named(name).is_some(), "{name}");
        }
        assert_eq!(CiProvider::named("other"), None);
    }

    #[test]
    fn what_every_certificate_has_is_not_for_templates() {
        for number in [0, 1, 7, 8, 24, 25] {
            let refused = CiProvider::new(BTreeMap::new(), [(number, "sub")], "sub");
            assert_eq!(refused, Err(BadTemplate("sub".to_owned())), "{number}");
        }
    }
}
