//! What CI systems tell a job of itself: which event it runs for, and between which commits.

use std::ffi::OsString;
use std::path::PathBuf;

/// What the variables say, which nobody checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CiJob {
    /// `WAXSEAL_CI_BASE`: where the range begins, wherever the job runs.
    pub base: Option<OsString>,
    /// `WAXSEAL_CI_HEAD`: where it ends.
    pub head: Option<OsString>,
    /// Where `GITHUB_ACTIONS` is set.
    pub github: Option<GithubJob>,
    /// Where `GITLAB_CI` is set.
    pub gitlab: Option<GitlabJob>,
}

/// A job of GitHub Actions, or of what does as it does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GithubJob {
    /// `GITHUB_EVENT_NAME`; empty where it is not set.
    pub event: String,
    /// `GITHUB_EVENT_PATH`: what the event says, in JSON.
    pub event_path: Option<PathBuf>,
    /// `GITHUB_SHA`
    pub sha: Option<String>,
    /// `GITHUB_REF`
    pub reference: Option<String>,
    /// `GITHUB_STEP_SUMMARY`: Markdown that is shown with the job is appended there.
    pub step_summary: Option<PathBuf>,
}

/// A job of GitLab CI.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GitlabJob {
    /// `CI_PIPELINE_SOURCE`; empty where it is not set.
    pub source: String,
    /// `CI_COMMIT_SHA`
    pub sha: Option<String>,
    /// `CI_COMMIT_BEFORE_SHA`
    pub before: Option<String>,
    /// `CI_COMMIT_BRANCH`
    pub branch: Option<String>,
    /// `CI_COMMIT_TAG`
    pub tag: Option<String>,
    /// `CI_DEFAULT_BRANCH`
    pub default_branch: Option<String>,
    /// `CI_MERGE_REQUEST_IID`
    pub merge_request: Option<String>,
    /// `CI_MERGE_REQUEST_DIFF_BASE_SHA`
    pub diff_base: Option<String>,
    /// `CI_MERGE_REQUEST_SOURCE_BRANCH_SHA`: set where the job runs for a merge that GitLab made.
    pub source_sha: Option<String>,
    /// `CI_MERGE_REQUEST_TARGET_BRANCH_NAME`
    pub target_branch: Option<String>,
    /// `CI_MERGE_REQUEST_TARGET_BRANCH_SHA`: set where the job runs for a merge that GitLab made.
    pub target_sha: Option<String>,
}

impl CiJob {
    pub(super) fn read(environment: &impl Fn(&str) -> Option<OsString>) -> Self {
        let set = |name: &str| environment(name).filter(|value| !value.is_empty());
        let text = |name: &str| set(name)?.into_string().ok();
        let path = |name: &str| set(name).map(PathBuf::from);
        Self {
            base: set("WAXSEAL_CI_BASE"),
            head: set("WAXSEAL_CI_HEAD"),
            github: text("GITHUB_ACTIONS").map(|_set| GithubJob {
                event: text("GITHUB_EVENT_NAME").unwrap_or_default(),
                event_path: path("GITHUB_EVENT_PATH"),
                sha: text("GITHUB_SHA"),
                reference: text("GITHUB_REF"),
                step_summary: path("GITHUB_STEP_SUMMARY"),
            }),
            gitlab: text("GITLAB_CI").map(|_set| GitlabJob {
                source: text("CI_PIPELINE_SOURCE").unwrap_or_default(),
                sha: text("CI_COMMIT_SHA"),
                before: text("CI_COMMIT_BEFORE_SHA"),
                branch: text("CI_COMMIT_BRANCH"),
                tag: text("CI_COMMIT_TAG"),
                default_branch: text("CI_DEFAULT_BRANCH"),
                merge_request: text("CI_MERGE_REQUEST_IID"),
                diff_base: text("CI_MERGE_REQUEST_DIFF_BASE_SHA"),
                source_sha: text("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA"),
                target_branch: text("CI_MERGE_REQUEST_TARGET_BRANCH_NAME"),
                target_sha: text("CI_MERGE_REQUEST_TARGET_BRANCH_SHA"),
            }),
        }
    }
}
