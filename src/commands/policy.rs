//! `waxseal policy`: what a policy file means that its author may not have meant, and what it makes of a history.

use std::io::{self, Write as _};
use std::path::Path;

use jiff::Timestamp;
use serde_json::json;

use super::policy_source::LoadedPolicy;
use super::stdout::written;
use super::{configured, identity_policy, stdout};
use crate::cli::PolicyCommand;
use crate::command_error::{CommandError, ErrorKind};
use crate::escape;
use crate::git::repository::Repository;
use crate::policy::{Finding, PolicyFile};
use crate::report::plural;
use crate::settings::FoundRepository;
use crate::trust_store::TrustStore;

mod diff;
mod outcome;
mod suggest;
mod test;

/// Runs the command.
///
/// # Errors
/// [`CommandError`]: 5 for a policy that cannot be read, 3 when the output cannot be written; for those that verify, as
/// `waxseal verify`.
pub fn run(command: &PolicyCommand, now: Timestamp) -> Result<u8, CommandError> {
    match command {
        PolicyCommand::Check { policy, json } => check(policy, *json, now),
        PolicyCommand::Diff { verify, new } => diff::run(verify, new, now),
        PolicyCommand::Suggest { verify, at_least } => suggest::run(verify, *at_least, now),
        PolicyCommand::Test(verify) => test::run(verify, now),
    }
}

/// The exit code is 1 when there is something to look at.
fn check(policy: &Path, json: bool, now: Timestamp) -> Result<u8, CommandError> {
    let settings = configured::settings()?;
    let repository = match &settings.repository {
        FoundRepository::At(git_dir) => Some(Repository::open(git_dir)?),
        FoundRepository::NotFound | FoundRepository::Refused { .. } => None,
    };
    // Reading is not judging: a file of the work tree is just what an author wants to have checked.
    let loaded =
        LoadedPolicy::read_anywhere(policy, repository.as_ref(), &identity_policy::default_instance(&settings)?)?;
    let findings = loaded.file.check(now, &TrustStore::new(&settings.folders).names()?);
    let done = if json { print_json(&findings) } else { print(&loaded.file, &findings) };
    written(done.map(|()| u8::from(!findings.is_empty())), ErrorKind::Undecided)
}

fn print(policy: &PolicyFile, findings: &[Finding]) -> io::Result<()> {
    let mut text = String::new();
    for Finding { rule, problem } in findings {
        let line = format!("{:<17}  rule \"{rule}\": {problem}", problem.code());
        text.push_str(&escape::terminal(line));
        text.push('\n');
    }
    let (rules, count) = (policy.rules().len() + policy.key_rules().len(), findings.len());
    text.push_str(&format!("{rules} rule{}, {count} finding{}\n", plural(rules), plural(count)));
    write(text.as_bytes())
}

fn print_json(findings: &[Finding]) -> io::Result<()> {
    let mut text = Vec::new();
    for Finding { rule, problem } in findings {
        let line = json!({ "rule": rule, "code": problem.code(), "detail": problem.to_string() });
        text.extend(escape::json_line(&line)?);
    }
    write(&text)
}

fn write(text: &[u8]) -> io::Result<()> {
    stdout::check_writable()?;
    let mut out = io::stdout().lock();
    out.write_all(text)?;
    out.flush()
}
