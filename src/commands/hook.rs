//! `waxseal hook pre-receive | update | pre-push`: what a push brings is verified before a server takes it, or before it
//! leaves.
//!
//! No connection is opened. The policy is the receiving repository's as it is before the push: what is pushed has no say in
//! it. What cannot be judged in the time that there is counts as undecided, and is refused.

use std::io::{self, Write as _};
use std::time::Instant;

use jiff::Timestamp;

use super::policy_source::LoadedPolicy;
use super::run::judged::Tally;
use super::run::{Run, Unjudged};
use crate::cli::{Hook, HookEvent};
use crate::command_error::{CommandError, ErrorKind};
use crate::git::repository::Repository;
use crate::policy::IdentityPolicy;

mod certificate;
mod parts;
mod policy_ref;
mod report;
mod updates;

use parts::Parts;
use policy_ref::PolicyRef;
use report::Report;

/// Judges the push and returns the exit code of `docs/errors.md`: Git refuses the push for any but 0.
///
/// # Errors
/// [`CommandError`], as `waxseal verify`; with `--report-only` it is said and is none.
pub fn run(hook: &Hook, now: Timestamp) -> Result<u8, CommandError> {
    let done = judge(hook, now);
    if !hook.report_only || matches!(done, Ok(0)) {
        return done;
    }
    let mut stderr = io::stderr().lock();
    let said = match &done {
        Ok(_exit_code) => Ok(()),
        Err(error) => error.print(&mut stderr),
    };
    let _closed = said.and_then(|()| writeln!(stderr, "waxseal: report only: the push goes on"));
    Ok(0)
}

fn judge(hook: &Hook, now: Timestamp) -> Result<u8, CommandError> {
    let deadline = Instant::now() + hook.max_time;
    let told = updates::of(&hook.event)?;
    let mut updates = told.clone();
    let is_server = matches!(hook.event, HookEvent::PreReceive | HookEvent::Update { .. });
    let mut parts = Parts::default();
    let mut policy_ref = None;
    let select = |repository: &Repository, policy: Option<&LoadedPolicy>| {
        repository.read_until(deadline);
        if is_server {
            policy_ref = policy.and_then(|policy| PolicyRef::of(policy, repository));
            // A symbolic ref is another name of the one that is moved.
            updates.iter_mut().for_each(|update| update.reference = repository.moved(&update.reference));
        }
        let name = policy_ref.as_ref().and_then(|policy_ref| policy_ref.reference.as_deref());
        let (found, selection) = Parts::of(&updates, &hook.event, repository, policy, name)?;
        parts = found;
        Ok(selection)
    };
    let run = Run::prepare_under(&hook.judging, now, select, LoadedPolicy::read_before_push);
    let run = run.map_err(|error| match error.kind() {
        ErrorKind::Policy => error.hint(BEGIN),
        ErrorKind::Failed | ErrorKind::TrustMaterial | ErrorKind::Undecided | ErrorKind::Usage => error,
    })?;
    if matches!(run.policy, IdentityPolicy::NotGiven) {
        return Err(CommandError::new(ErrorKind::Policy, "nobody said who may sign here").hint(BEGIN));
    }
    if let Some(policy_ref) = &policy_ref {
        policy_ref.refuse_namesakes(&updates)?;
        policy_ref.refuse_change_of_history(&updates, &run.repository)?;
    }
    let mut report = Report::new(hook, &run, &parts);
    if hook.require_signed_push {
        report.pusher = Some(certificate::check(&run, &told, &updates)?);
    }
    let mut tally = Tally::default();
    let stopped = run.each_unjudged(|Unjudged { found, completed, position, .. }| {
        if tally.objects() >= hook.max_objects {
            return Err(format!("there are more than {} objects to judge", hook.max_objects));
        }
        let judged = run.judged(&found, completed, position);
        tally.count(&judged);
        report.take(&judged, position);
        if Instant::now() >= deadline {
            return Err(format!("{} seconds are spent", hook.max_time.as_secs()));
        }
        Ok(())
    });
    let stopped = stopped.err();
    let judged = tally.exit_code(true);
    let exit_code = match (judged, &stopped) {
        (1, _) => 1,
        _ if report.has_unsignable() => 1,
        (_, Some(_)) => ErrorKind::Undecided.exit_code(),
        (exit_code, None) => exit_code,
    };
    if let (0, Some(policy_ref)) = (exit_code, &policy_ref) {
        policy_ref.refuse_unreadable(&updates, &run)?;
    }
    // Whoever does not listen is refused all the same.
    let _closed = report.print(&mut io::stderr().lock(), exit_code, stopped.as_deref());
    Ok(exit_code)
}

/// How to get from nothing to a policy.
const BEGIN: &str = "to begin, whoever looks after the repository says who may: \"git config --add waxseal.allow 'IDENTITY ISSUER'\" \
                     or \"git config waxseal.policy /PATH/policy.toml\" in it; once a branch has the file, waxseal.policy can be REF:PATH";
