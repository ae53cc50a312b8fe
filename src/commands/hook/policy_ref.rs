//! What a push may not do to the ref that the policy comes from, whoever signs.

use std::path::PathBuf;

use super::updates::Update;
use crate::command_error::CommandError;
use crate::commands::policy_source::LoadedPolicy;
use crate::commands::run::Run;
use crate::escape;
use crate::git::repository::{Repository, Selected, leading};

/// The ref that leads to the policy.
pub(super) struct PolicyRef {
    /// The one that is moved, where its name is a symbolic ref's.
    pub(super) reference: Option<String>,
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
    pub(super) fn of(policy: &LoadedPolicy, repository: &Repository) -> Option<Self> {
        let place = policy.in_repository.as_ref()?;
        let name = leading(&place.revision);
        let reference = repository.reference(name.as_ref()).map(|reference| repository.moved(&reference));
        let namesakes = repository.namesakes(name);
        let path = (name == place.revision).then(|| place.path.clone());
        Some(Self { reference, name: name.to_owned(), namesakes, paths: policy.paths.clone(), path })
    }

    /// Nobody makes the policy's name ambiguous: it would be another policy, or none, and every push refused.
    pub(super) fn refuse_namesakes(&self, updates: &[Update]) -> Result<(), CommandError> {
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
    pub(super) fn refuse_change_of_history(
        &self,
        updates: &[Update],
        repository: &Repository,
    ) -> Result<(), CommandError> {
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
    pub(super) fn refuse_unreadable(&self, updates: &[Update], run: &Run<'_>) -> Result<(), CommandError> {
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
