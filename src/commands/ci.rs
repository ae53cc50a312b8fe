//! `waxseal ci`: what a CI job is about is worked out, said, and verified.
//!
//! Nothing of what is judged has a say: the policy comes from the branch that others are merged into, from outside the
//! repository, or from a ref that is named. What an earlier run kept is not looked at unless it is asked for: a cache that a CI system restores
//! may be anybody's.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;

use jiff::Timestamp;

use super::configured;
use super::run::Run;
use crate::cli::{AdmittedFlags, Ci, Verify};
use crate::command_error::{CommandError, ErrorKind};
use crate::escape;
use crate::files;
use crate::git::repository::{HistoryError, Repository};
use crate::policy::MAX_BYTES;
use crate::settings::{CiJob, GithubJob, Settings};

mod event;
mod range;

use event::UnknownJob;
use range::Range;

/// Verifies what the job is about and returns the exit code of `docs/errors.md`.
///
/// # Errors
/// [`CommandError`], as `waxseal verify`; 3 where no range can be told.
pub fn run(ci: &Ci, now: Timestamp) -> Result<u8, CommandError> {
    let settings = configured::settings()?;
    let repository = configured::repository(&settings.repository)?;
    let range = range(ci, &settings.ci, &repository)?;
    let request = request(ci, &range, &settings, &repository);
    say(&range, &request, &settings);
    let run = Run::prepare(&request, now, |_repository, _policy| Ok(range.selection(request.reference.as_deref())));
    let run = run.map_err(|error| match error.kind() {
        ErrorKind::Policy => error.hint(BASE_POLICY),
        ErrorKind::Failed | ErrorKind::TrustMaterial | ErrorKind::Undecided | ErrorKind::Usage => error,
    })?;
    run.report()
}

/// The range that was given, each end by its flag, else by its variable; or else the one of the event.
fn range(ci: &Ci, job: &CiJob, repository: &Repository) -> Result<Range, CommandError> {
    match (ci.base.as_ref().or(job.base.as_ref()), ci.head.as_ref().or(job.head.as_ref())) {
        (Some(base), head) => return Range::between(base, head.map(OsString::as_os_str), repository),
        // An event has both ends, and who names one of them means something else.
        (None, Some(_)) => {
            let name = if ci.head.is_some() { "--head" } else { "WAXSEAL_CI_HEAD" };
            let error = CommandError::usage(format_args!("{name} needs --base or WAXSEAL_CI_BASE"));
            return Err(error.hint("without any of them, it is the CI system that says between which commits"));
        }
        (None, None) => {}
    }
    let told = match (&job.github, &job.gitlab) {
        (Some(github), _) => payload(github).and_then(|payload| event::github(github, &payload)),
        (None, Some(gitlab)) => event::gitlab(gitlab),
        (None, None) => Err(UnknownJob::NoSystem),
    };
    let told = told.map_err(|unknown| {
        let hint = match &unknown {
            UnknownJob::Deletion(_) => {
                "leave the job out where a ref is deleted, as \"if: !github.event.deleted\" does"
            }
            UnknownJob::Event(_)
            | UnknownJob::Kind(_)
            | UnknownJob::Lacks { .. }
            | UnknownJob::NoObject { .. }
            | UnknownJob::NoSystem
            | UnknownJob::Unset(_) => {
                "--base and --head, or WAXSEAL_CI_BASE and WAXSEAL_CI_HEAD, say between which commits"
            }
        };
        CommandError::new(ErrorKind::Undecided, unknown).hint(hint)
    })?;
    Range::of(&told, repository)
}

/// What the event says.
fn payload(job: &GithubJob) -> Result<Vec<u8>, UnknownJob> {
    let path = job.event_path.as_deref();
    let path = path.ok_or_else(|| UnknownJob::Event("GITHUB_EVENT_PATH is not set".to_owned()))?;
    files::read(path, MAX_EVENT_BYTES).map_err(|error| UnknownJob::Event(format!("{}: {error}", path.display())))
}

/// The run of `waxseal verify` that it comes to.
fn request(ci: &Ci, range: &Range, settings: &Settings, repository: &Repository) -> Verify {
    let mut request = Verify { revisions: vec![OsString::from(range.name())], ..ci.judging.clone() };
    let nobody_said =
        request.admitted == AdmittedFlags::Unsaid && settings.policy.is_none() && settings.allow.is_empty();
    if let Some(base) = range.policy_commit.filter(|_| nobody_said) {
        // What is not a file there is said when it is read.
        let there = repository.file_at(&base.to_string(), POLICY, MAX_BYTES);
        if !matches!(there, Err(HistoryError::NoFile { .. })) {
            request.admitted = AdmittedFlags::Policy(PathBuf::from(format!("{base}:{POLICY}")));
        }
    }
    if let Some(github) = &settings.ci.github {
        request.reports.annotations = true;
        request.reports.step_summary.clone_from(&github.step_summary);
    }
    request
}

/// Which range it is and why, and by what it is judged. Standard output is for the verdicts.
fn say(range: &Range, request: &Verify, settings: &Settings) {
    let policy = match (&request.admitted, &settings.policy) {
        (AdmittedFlags::Anyone, _) => "nobody is asked who may sign (--any-identity)".to_owned(),
        (AdmittedFlags::Identity { .. }, _) => "the identity that the flags name".to_owned(),
        (AdmittedFlags::Policy(source), _) | (AdmittedFlags::Unsaid, Some(source)) => source.display().to_string(),
        (AdmittedFlags::Unsaid, None) if settings.allow.is_empty() => "none".to_owned(),
        (AdmittedFlags::Unsaid, None) => "waxseal.allow".to_owned(),
    };
    let reference = request.reference.as_ref().or(range.reference.as_ref());
    let reference = reference.map(|reference| format!(", for {reference}")).unwrap_or_default();
    let mut stderr = io::stderr().lock();
    for line in
        [format!("range: {}{reference}", range.shown()), format!("why: {}", range.why), format!("policy: {policy}")]
    {
        let _closed = writeln!(stderr, "waxseal: {}", escape::terminal(line));
    }
}

/// Where a repository has its policy, for who says nothing else.
const POLICY: &str = ".waxseal/policy.toml";

const BASE_POLICY: &str = "in CI, the policy is .waxseal/policy.toml as the target or default branch has it, unless \
                           --policy, waxseal.policy or waxseal.allow says otherwise";

/// What GitHub gives at most.
const MAX_EVENT_BYTES: u64 = 25 << 20;
