//! What a job is about, as its CI system says: pure, from variables and the event's JSON to the ends of a range.
//!
//! All of it is the CI system's word. Names of branches and commits in it may be a stranger's choice; they are compared and
//! looked up, never run.

use serde::Deserialize;

use crate::escape;
use crate::git::refs::TAGS;
use crate::git::repository::ObjectId;
use crate::settings::{GithubJob, GitlabJob};

/// What a job is to verify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Job {
    /// The event, for people.
    pub(super) event: String,
    /// Why these ends, for people.
    pub(super) why: &'static str,
    /// The ref that the commits are on, or are to come to.
    pub(super) reference: Option<String>,
    pub(super) base: Base,
    pub(super) head: ObjectId,
    /// Somebody asks to have it on another branch: that has the policy.
    pub(super) is_proposal: bool,
    /// How the default branch is called.
    pub(super) default_branch: Option<String>,
    /// What a clone must fetch that lacks the ends.
    pub(super) fetch: Option<String>,
}

/// Where a range begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// At this commit.
    Commit(ObjectId),
    /// At this commit, which the push took away; at the default branch, if it is not here any more.
    Replaced(ObjectId),
    /// At the default branch, unless that is what the job is about.
    DefaultBranch {
        /// What is judged where it is: all of it, or the commit alone.
        all: bool,
    },
}

/// A job of which no range can be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum UnknownJob {
    #[error("the event \"{0}\" deletes a ref, so there is nothing to verify")]
    Deletion(String),
    #[error("the event file cannot be read: {0}")]
    Event(String),
    #[error("the event \"{0}\" names no range of commits that waxseal knows of")]
    Kind(String),
    #[error("the event \"{event}\" does not say {what}")]
    Lacks { event: String, what: &'static str },
    #[error("the event file {file}, which GITHUB_EVENT_PATH names, is not an event's JSON object: {why}")]
    NoObject { file: String, why: String },
    #[error("no CI system is known here: neither GITHUB_ACTIONS nor GITLAB_CI is set")]
    NoSystem,
    #[error("{0} is not set, so that nobody can tell for which event the job runs")]
    Unset(&'static str),
}

/// The payload of a GitHub event: what is needed of it.
#[derive(Debug, Default, Deserialize)]
struct Payload {
    after: Option<String>,
    before: Option<String>,
    #[serde(default)]
    deleted: bool,
    #[serde(default)]
    forced: bool,
    merge_group: Option<MergeGroup>,
    pull_request: Option<PullRequest>,
    #[serde(rename = "ref")]
    reference: Option<String>,
    repository: Option<PayloadRepository>,
}

#[derive(Debug, Deserialize)]
struct MergeGroup {
    base_ref: String,
    base_sha: String,
    head_sha: String,
}

#[derive(Debug, Deserialize)]
struct PullRequest {
    base: End,
    head: End,
    number: u64,
}

#[derive(Debug, Deserialize)]
struct End {
    #[serde(rename = "ref")]
    branch: String,
    sha: String,
}

#[derive(Debug, Deserialize)]
struct PayloadRepository {
    default_branch: Option<String>,
}

/// The job of GitHub Actions. `payload` is the event's file.
///
/// # Errors
/// [`UnknownJob`]
pub(super) fn github(job: &GithubJob, payload: &[u8]) -> Result<Job, UnknownJob> {
    let event = job.event.as_str();
    if event.is_empty() {
        return Err(UnknownJob::Unset("GITHUB_EVENT_NAME"));
    }
    let payload = Payload::read(payload).map_err(|why| {
        let file = job.event_path.as_ref().map(|path| path.display().to_string());
        UnknownJob::NoObject { file: file.unwrap_or_default(), why }
    })?;
    let default_branch = payload.repository.and_then(|repository| repository.default_branch);
    let named = |text: &str, what| id(text).ok_or(UnknownJob::Lacks { event: event.to_owned(), what });
    match (event, payload.pull_request, payload.merge_group) {
        (event, Some(pull), _) if event.starts_with("pull_request") => Ok(Job {
            event: format!("GitHub {event}, number {}", pull.number),
            why: "what the pull request adds to its base; not the merge that GitHub made of it",
            reference: Some(format!("refs/heads/{}", pull.base.branch)),
            base: Base::Commit(named(&pull.base.sha, "where the base is")?),
            head: named(&pull.head.sha, "where the head is")?,
            is_proposal: true,
            default_branch,
            fetch: Some(format!("git fetch origin refs/pull/{}/head", pull.number)),
        }),
        ("merge_group", _, Some(group)) => Ok(Job {
            event: "GitHub merge_group".to_owned(),
            why: "what the merge queue is to add",
            reference: Some(group.base_ref),
            base: Base::Commit(named(&group.base_sha, "where the base is")?),
            head: named(&group.head_sha, "where the head is")?,
            is_proposal: true,
            default_branch,
            fetch: None,
        }),
        ("push", ..) => {
            let lacks = |what| UnknownJob::Lacks { event: event.to_owned(), what };
            let (before, after) = (payload.before.unwrap_or_default(), payload.after.unwrap_or_default());
            if payload.deleted || is_null(&after) {
                return Err(UnknownJob::Deletion(event.to_owned()));
            }
            let reference = payload.reference.or_else(|| job.reference.clone()).ok_or_else(|| lacks("which ref"))?;
            let fetch = reference.strip_prefix(TAGS).map(|_tag| fetch_tag(&reference));
            let head = named(&after, "what was pushed")?;
            let (base, why) = match id(&before) {
                _ if fetch.is_some() => (Base::DefaultBranch { all: true }, TAG),
                Some(before) if payload.forced => (Base::Replaced(before), "what the forced push brought"),
                Some(before) => (Base::Commit(before), "what the push added"),
                None if is_null(&before) => (Base::DefaultBranch { all: true }, NEW_BRANCH),
                None => return Err(lacks("what was there before")),
            };
            let event = format!("GitHub push to {reference}");
            Ok(Job { event, why, reference: Some(reference), base, head, is_proposal: false, default_branch, fetch })
        }
        ("workflow_dispatch" | "schedule", ..) => {
            let head = named(job.sha.as_deref().unwrap_or_default(), "for which commit it runs")?;
            let fetch = None;
            let base = Base::DefaultBranch { all: false };
            let reference = job.reference.clone().filter(|name| name.starts_with("refs/"));
            Ok(Job {
                event: format!("GitHub {event}"),
                why: BY_HAND,
                reference,
                base,
                head,
                is_proposal: false,
                default_branch,
                fetch,
            })
        }
        _ => Err(UnknownJob::Kind(event.to_owned())),
    }
}

impl Payload {
    /// An array would be taken for its fields, too.
    fn read(json: &[u8]) -> Result<Self, String> {
        if !json.trim_ascii_start().starts_with(b"{") {
            return Err("it does not begin with {".to_owned());
        }
        serde_json::from_slice(json).map_err(|error| error.to_string())
    }
}

/// The job of GitLab CI.
///
/// # Errors
/// [`UnknownJob`]
pub(super) fn gitlab(job: &GitlabJob) -> Result<Job, UnknownJob> {
    let event = job.source.as_str();
    if event.is_empty() {
        return Err(UnknownJob::Unset("CI_PIPELINE_SOURCE"));
    }
    let named = |text: &Option<String>, what| {
        text.as_deref().and_then(id).ok_or(UnknownJob::Lacks { event: event.to_owned(), what })
    };
    let default_branch = job.default_branch.clone();
    if event == "merge_request_event" {
        let number = job.merge_request.as_deref().unwrap_or_default();
        let target = job.target_branch.as_ref().map(|branch| format!("refs/heads/{branch}"));
        let base =
            job.target_sha.as_deref().and_then(id).map_or_else(|| named(&job.diff_base, "where the base is"), Ok);
        let head = job.source_sha.as_deref().and_then(id).map_or_else(|| named(&job.sha, "where the head is"), Ok);
        return Ok(Job {
            event: format!("GitLab merge_request_event, number {number}"),
            why: "what the merge request adds to its target; not a merge that GitLab made of it",
            reference: Some(
                target.ok_or(UnknownJob::Lacks { event: event.to_owned(), what: "which branch is the target" })?,
            ),
            base: Base::Commit(base?),
            head: head?,
            is_proposal: true,
            default_branch,
            fetch: None,
        });
    }
    let head = named(&job.sha, "for which commit it runs")?;
    if let Some(tag) = &job.tag {
        let reference = format!("{TAGS}{tag}");
        let (event, fetch) = (format!("GitLab tag {tag}"), Some(fetch_tag(&reference)));
        let base = Base::DefaultBranch { all: true };
        return Ok(Job {
            event,
            why: TAG,
            reference: Some(reference),
            base,
            head,
            is_proposal: false,
            default_branch,
            fetch,
        });
    }
    let reference = job.branch.as_ref().map(|branch| format!("refs/heads/{branch}"));
    let (base, why) = match (event, job.before.as_deref().and_then(id)) {
        ("push", Some(before)) => (Base::Replaced(before), "what the push added"),
        ("push", None) => (Base::DefaultBranch { all: true }, NEW_BRANCH),
        ("web" | "schedule" | "api" | "trigger" | "pipeline", _) => (Base::DefaultBranch { all: false }, BY_HAND),
        _ => return Err(UnknownJob::Kind(event.to_owned())),
    };
    Ok(Job {
        event: format!("GitLab {event}"),
        why,
        reference,
        base,
        head,
        is_proposal: false,
        default_branch,
        fetch: None,
    })
}

/// What both services do: a clone has the commit that a tag names, but not always the tag.
fn fetch_tag(reference: &str) -> String {
    format!("git fetch --force origin {}", escape::shell(&format!("{reference}:{reference}")))
}

/// `None` for the null id, too.
fn id(hex: &str) -> Option<ObjectId> {
    ObjectId::from_hex(hex.as_bytes()).ok().filter(|id| !id.is_null())
}

fn is_null(hex: &str) -> bool {
    ObjectId::from_hex(hex.as_bytes()).is_ok_and(|id| id.is_null())
}

const TAG: &str = "the tag, and what is behind it and not on the default branch";
const NEW_BRANCH: &str = "what is on the new branch and not on the default branch";
const BY_HAND: &str = "what is not on the default branch; on that, the commit that the job runs for";

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "1111111111111111111111111111111111111111";
    const TWO: &str = "2222222222222222222222222222222222222222";
    const NONE: &str = "0000000000000000000000000000000000000000";

    fn on_github(event: &str, payload: &str) -> Result<Job, UnknownJob> {
        let job = GithubJob {
            event: event.to_owned(),
            sha: Some(TWO.to_owned()),
            reference: Some("refs/heads/topic".to_owned()),
            ..GithubJob::default()
        };
        let payload = payload.replace("NONE", NONE).replace("ONE", ONE).replace("TWO", TWO);
        github(&job, payload.as_bytes())
    }

    fn ends(job: Result<Job, UnknownJob>) -> (Option<String>, Base, String) {
        let job = job.unwrap();
        (job.reference, job.base, job.head.to_string())
    }

    #[test]
    fn github_says_where_a_range_begins_and_ends() {
        let one: ObjectId = ONE.parse().unwrap();
        let two = || TWO.to_owned();
        let pull = r#"{"pull_request":{"number":7,"base":{"ref":"main","sha":"ONE"},"head":{"ref":"x","sha":"TWO"}}}"#;
        for event in ["pull_request", "pull_request_target"] {
            let main = Some("refs/heads/main".to_owned());
            assert_eq!(ends(on_github(event, pull)), (main, Base::Commit(one), two()));
        }
        let group =
            r#"{"merge_group":{"base_ref":"refs/heads/main","base_sha":"ONE","head_sha":"TWO","head_ref":"x"}}"#;
        let main = || Some("refs/heads/main".to_owned());
        assert_eq!(ends(on_github("merge_group", group)), (main(), Base::Commit(one), two()));
        let push = |rest: &str| on_github("push", &format!("{{\"ref\":\"refs/heads/main\",\"after\":\"TWO\",{rest}}}"));
        assert_eq!(ends(push(r#""before":"ONE""#)), (main(), Base::Commit(one), two()));
        assert_eq!(ends(push(r#""before":"ONE","forced":true"#)), (main(), Base::Replaced(one), two()));
        let new = Base::DefaultBranch { all: true };
        assert_eq!(ends(push(r#""before":"NONE""#)), (main(), new.clone(), two()));
        let tag = on_github("push", r#"{"ref":"refs/tags/v1","before":"NONE","after":"TWO"}"#);
        assert!(tag.as_ref().unwrap().fetch.as_deref().unwrap().contains("refs/tags/v1:refs/tags/v1"));
        assert_eq!(ends(tag), (Some("refs/tags/v1".to_owned()), new, two()));
        let by_hand = on_github("workflow_dispatch", r#"{"ref":"topic"}"#);
        let alone = Base::DefaultBranch { all: false };
        assert_eq!(ends(by_hand), (Some("refs/heads/topic".to_owned()), alone, two()));
    }

    #[test]
    fn what_is_not_known_is_not_guessed() {
        let deletion = UnknownJob::Deletion("push".to_owned());
        let gone = |rest: &str| on_github("push", &format!("{{\"ref\":\"refs/heads/x\",\"before\":\"ONE\",{rest}}}"));
        assert_eq!(gone(r#""after":"NONE""#), Err(deletion.clone()));
        assert_eq!(gone(r#""after":"TWO","deleted":true"#), Err(deletion));
        for (event, payload) in [
            ("issue_comment", r#"{"issue":{"number":1,"pull_request":{}}}"#),
            ("pull_request", "{}"),
            ("merge_group", "{}"),
        ] {
            assert_eq!(on_github(event, payload), Err(UnknownJob::Kind(event.to_owned())));
        }
        assert_eq!(on_github("", "{}"), Err(UnknownJob::Unset("GITHUB_EVENT_NAME")));
        assert_eq!(gitlab(&GitlabJob::default()), Err(UnknownJob::Unset("CI_PIPELINE_SOURCE")));
        for payload in [
            r#"{"pull_request":{"number":7,"base":{"ref":"main","sha":"NONE"},"head":{"ref":"x","sha":"TWO"}}}"#,
            r#"{"pull_request":{"number":7,"base":{"ref":"main","sha":"ONE"},"head":{"ref":"x","sha":"$(id)"}}}"#,
        ] {
            assert!(matches!(on_github("pull_request", payload), Err(UnknownJob::Lacks { .. })), "{payload}");
        }
        for before in ["\"before\":\"x\",", ""] {
            let push = on_github("push", &format!("{{{before}\"ref\":\"refs/heads/x\",\"after\":\"TWO\"}}"));
            assert!(matches!(push, Err(UnknownJob::Lacks { .. })), "{push:?}");
        }
        let fields = r#"["TWO","ONE",false,false,null,null,"refs/heads/x",null]"#;
        for payload in ["", "[]", "null", fields, "{", r#"{"before":1}"#, r#"{"pull_request":{"number":"7"}}"#] {
            assert!(matches!(on_github("pull_request", payload), Err(UnknownJob::NoObject { .. })), "{payload}");
        }
    }

    #[test]
    fn gitlab_says_where_a_range_begins_and_ends() {
        let text = |text: &str| Some(text.to_owned());
        let (one, two): (ObjectId, ObjectId) = (ONE.parse().unwrap(), TWO.parse().unwrap());
        let merge = GitlabJob {
            source: "merge_request_event".to_owned(),
            sha: text(TWO),
            before: text(NONE),
            diff_base: text(ONE),
            target_branch: text("main"),
            merge_request: text("3"),
            ..GitlabJob::default()
        };
        assert_eq!(ends(gitlab(&merge)), (text("refs/heads/main"), Base::Commit(one), TWO.to_owned()));
        // The commit is a merge that GitLab made.
        let merged =
            GitlabJob { sha: text(&"3".repeat(40)), source_sha: text(TWO), target_sha: text(ONE), ..merge.clone() };
        assert_eq!(gitlab(&merged).unwrap().head, two);
        let lacks = |event: &str, what| Err(UnknownJob::Lacks { event: event.to_owned(), what });
        let no_target = GitlabJob { target_branch: None, ..merge.clone() };
        assert_eq!(gitlab(&no_target), lacks("merge_request_event", "which branch is the target"));
        let no_base = GitlabJob { diff_base: None, ..merge };
        assert_eq!(gitlab(&no_base), lacks("merge_request_event", "where the base is"));
        let push = GitlabJob {
            source: "push".to_owned(),
            sha: text(TWO),
            before: text(ONE),
            branch: text("main"),
            ..GitlabJob::default()
        };
        assert_eq!(ends(gitlab(&push)), (text("refs/heads/main"), Base::Replaced(one), TWO.to_owned()));
        let new = GitlabJob { before: text(NONE), ..push.clone() };
        assert_eq!(gitlab(&new).unwrap().base, Base::DefaultBranch { all: true });
        let tag = GitlabJob { tag: text("v1"), branch: None, ..push.clone() };
        assert_eq!(gitlab(&tag).unwrap().reference, text("refs/tags/v1"));
        // It may be pasted, and anybody's tag be called so.
        let tag = gitlab(&GitlabJob { tag: text("v1;touch${IFS}pwn;$(id)"), ..tag }).unwrap();
        let name = "refs/tags/v1;touch${IFS}pwn;$(id)";
        assert_eq!(tag.fetch, Some(format!("git fetch --force origin '{name}:{name}'")));
        let by_hand = GitlabJob { source: "web".to_owned(), ..push.clone() };
        assert_eq!(gitlab(&by_hand).unwrap().base, Base::DefaultBranch { all: false });
        let external = GitlabJob { source: "external".to_owned(), ..push.clone() };
        assert_eq!(gitlab(&external), Err(UnknownJob::Kind("external".to_owned())));
        assert_eq!(gitlab(&GitlabJob { sha: None, ..push }), lacks("push", "for which commit it runs"));
    }
}
