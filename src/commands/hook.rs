//! `waxseal hook pre-receive | update | pre-push`: what a push brings is verified before a server takes it, or before it
//! leaves.
//!
//! No connection is opened. The policy is the receiving repository's as it is before the push: what is pushed has no say in
//! it. What cannot be judged in the time that there is counts as undecided, and is refused.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::Instant;

use jiff::Timestamp;

use super::policy_source::LoadedPolicy;
use super::run::judged::Tally;
use super::run::{Run, Unjudged};
use crate::cli::{Hook, HookEvent};
use crate::command_error::{CommandError, ErrorKind};
use crate::escape;
use crate::git::repository::{Repository, Selected, leading};
use crate::policy::IdentityPolicy;

mod certificate;
mod parts;
mod report;
mod updates;

use parts::Parts;
use report::Report;
use updates::Update;

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

/// The ref that leads to the policy.
struct PolicyRef {
    /// The one that is moved, where its name is a symbolic ref's.
    reference: Option<String>,
    /// As the policy's source has it.
    name: String,
    /// What else could be called so.
    namesakes: Vec<String>,
    /// Of the file and of those that it names.
    paths: Vec<String>,
    /// Of the file, where it is the ref's own commit that has it.
    path: Option<String>,
}

impl PolicyRef {
    fn of(policy: &LoadedPolicy, repository: &Repository) -> Option<Self> {
        let place = policy.in_repository.as_ref()?;
        let name = leading(&place.revision);
        let reference = repository.reference(name.as_ref()).map(|reference| repository.moved(&reference));
        let namesakes = repository.namesakes(name);
        let path = (name == place.revision).then(|| place.path.clone());
        Some(Self { reference, name: name.to_owned(), namesakes, paths: policy.paths.clone(), path })
    }

    /// Nobody makes the policy's name ambiguous: it would be another policy, or none, and every push refused.
    fn refuse_namesakes(&self, updates: &[Update]) -> Result<(), CommandError> {
        let is_new = |update: &&Update| update.old.is_none() && update.new.is_some();
        let is_namesake = |update: &&Update| {
            self.namesakes.contains(&update.reference) && Some(&update.reference) != self.reference.as_ref()
        };
        let Some(update) = updates.iter().filter(is_new).find(is_namesake) else { return Ok(()) };
        let (reference, name) = (escape::terminal(&update.reference), escape::terminal(&self.name));
        Err(CommandError::failed(format!(
            "the push makes {reference}, and {name}, where the policy comes from, ambiguous"
        ))
        .hint("push it under another name; or the server's policy names its ref in full, as refs/heads/NAME:PATH"))
    }

    /// Nobody takes the policy away, or puts back an older one, by moving its ref elsewhere.
    fn refuse_change_of_history(&self, updates: &[Update], repository: &Repository) -> Result<(), CommandError> {
        let Some(reference) = &self.reference else { return Ok(()) };
        for update in updates.iter().filter(|update| update.reference == *reference) {
            let Some(old) = update.old else { continue };
            let what = match update.new {
                None => "deletes",
                Some(new) => match (repository.pushed(old).commit(), repository.pushed(new).commit()) {
                    (Some(old), Some(new)) => {
                        let history = [Selected::History { hidden: Vec::new(), tips: vec![new] }];
                        let same = self.paths.iter().all(|path| repository.same_at(old, new, path) == Some(true));
                        if same || repository.contains(&history, old) == Some(true) {
                            continue;
                        }
                        "forces another policy file on"
                    }
                    _ => "replaces",
                },
            };
            let name = escape::terminal(reference);
            return Err(CommandError::failed(format!("the push {what} {name}, where the policy comes from"))
                .hint("change the policy with a new commit; who looks after the server can do it there"));
        }
        Ok(())
    }

    /// Nobody leaves a policy there that cannot be read, or none: every push would be refused, and so the one that mends it.
    fn refuse_unreadable(&self, updates: &[Update], run: &Run<'_>) -> Result<(), CommandError> {
        let (Some(reference), Some(path)) = (&self.reference, &self.path) else { return Ok(()) };
        let commit = |id| run.repository.pushed(id).commit();
        for update in updates.iter().filter(|update| update.reference == *reference) {
            let (old, Some(new)) = (update.old.and_then(commit), update.new.and_then(commit)) else { continue };
            let is_same = |path: &String| old.is_some_and(|old| run.repository.same_at(old, new, path) == Some(true));
            if self.paths.iter().all(is_same) {
                continue;
            }
            let source = PathBuf::from(format!("{new}:{path}"));
            let read = LoadedPolicy::read_before_push(&source, Some(&run.repository), &run.default_instance);
            if let Err(error) = read {
                let name = escape::terminal(reference);
                return Err(CommandError::failed(format!(
                    "the push leaves {name} without a policy that can be read: {}",
                    error.message()
                ))
                .hint("\"waxseal policy check REF:PATH\" says so before a push; after it nobody could push any more"));
            }
        }
        Ok(())
    }
}

/// How to get from nothing to a policy.
const BEGIN: &str = "to begin, whoever looks after the repository says who may: \"git config --add waxseal.allow 'IDENTITY ISSUER'\" \
                     or \"git config waxseal.policy /PATH/policy.toml\" in it; once a branch has the file, waxseal.policy can be REF:PATH";
